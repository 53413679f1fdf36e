//! A moment for people: as the clocks of a time zone show it, and the last day before it.

use chrono::{Datelike, FixedOffset, NaiveTime, SecondsFormat, TimeDelta};

use super::instant::{Instant, bounded, format_instant};
use super::nominal::Nominal;
use super::zone::{Tz, resolve};

/// The RFC 3339 text of an instant as the clocks of a zone show it: `2027-01-31T18:00:00+01:00`.
///
/// It always means that instant: where the offset has seconds, which RFC 3339 cannot write, it is rounded to a minute and
/// the local time with it, and where the local time is of no year that it can write, the text is in UTC.
#[must_use]
pub fn format_local(instant: Instant, zone: Tz) -> String {
    let instant = bounded(instant);
    let Some(shown) = to_the_minute(zone.offset(instant)).map(|offset| instant.with_timezone(&offset)) else {
        return format_instant(instant);
    };
    if !(0..=9999).contains(&shown.year()) {
        return format_instant(instant);
    }
    shown.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// What is said of an end to people: the last day, `2026-12-31`, where it is the midnight after one, else the local time
/// with its offset.
///
/// The first moment of a day is its midnight, also where clocks skip 00:00; a second 00:00 of a day is not.
#[must_use]
pub fn format_until(end: Nominal) -> String {
    let (instant, zone) = (end.instant(), end.zone());
    let midnight = resolve(zone.local(instant).date().and_time(NaiveTime::MIN), zone);
    let last_day = instant.checked_sub_signed(TimeDelta::seconds(1)).map(|last| zone.local(last).date());
    match last_day.filter(|day| instant == midnight && (0..=9999).contains(&day.year())) {
        Some(day) => day.to_string(),
        None => format_local(instant, zone),
    }
}

fn to_the_minute(offset: FixedOffset) -> Option<FixedOffset> {
    FixedOffset::east_opt((offset.local_minus_utc() + 30).div_euclid(60) * 60)
}
