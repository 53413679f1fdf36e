//! Moments as people write and read them.

use crate::{
    core::calendar::{CalendarDuration, Instant, Moment, Nominal, Tz, parse_instant},
    offline::When,
};
use chrono::{Datelike, NaiveDate, Timelike};

/// A moment as an argument gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MomentArgument {
    /// Whatever the time is.
    At(Instant),
    /// A day, where the client is.
    On(NaiveDate),
    /// A duration after now.
    Later(CalendarDuration),
    /// A duration before now.
    Earlier(CalendarDuration),
}

impl MomentArgument {
    /// Reads an argument.
    ///
    /// # Errors
    /// A sentence that says what may be written.
    pub fn read(text: &str) -> Result<Self, String> {
        let moment = text.parse::<Moment>();
        if let Ok(Moment::Date(day)) = moment {
            return Ok(Self::On(day));
        }
        if let Some(later) = text.strip_prefix('+') {
            return duration(later, '+').map(Self::Later);
        }
        if let Some(earlier) = text.strip_prefix('-') {
            return duration(earlier, '-').map(Self::Earlier);
        }
        parse_instant(text).map(Self::At).map_err(|error| {
            let error = moment.map_or_else(|error| error.to_string(), |_| error.to_string());
            format!("{error}; or a time from now, such as +90d or -12h")
        })
    }

    /// The moment that it means, which each client's calendar may place elsewhere.
    #[must_use]
    pub fn when(self, now: Instant) -> When {
        match self {
            Self::At(instant) => When::At(instant),
            Self::On(day) => When::On(day),
            Self::Later(duration) => When::After(now, duration),
            Self::Earlier(duration) => When::Before(now, duration),
        }
    }
}

/// An ISO 8601 duration, or a whole number with the letter of a unit.
fn duration(text: &str, sign: char) -> Result<CalendarDuration, String> {
    if text.starts_with('P') {
        return text.parse().map_err(|error: crate::core::calendar::InvalidDuration| error.to_string());
    }
    let unknown = || {
        format!(
            "{text:?} is no length of time: write a whole number and a unit (s, min, h, d, w, mo, y), such as 90d, or an ISO 8601 duration, such as P3M"
        )
    };
    let unit = text.trim_start_matches(|character: char| character.is_ascii_digit());
    let number = text.strip_suffix(unit).filter(|number| !number.is_empty()).ok_or_else(unknown)?;
    let written = match unit {
        "s" => format!("PT{number}S"),
        "min" => format!("PT{number}M"),
        "m" => {
            return Err(format!("{sign}{text} may be minutes or months: write {sign}{number}min or {sign}{number}mo"));
        }
        "h" => format!("PT{number}H"),
        "d" => format!("P{number}D"),
        "w" => format!("P{number}W"),
        "mo" => format!("P{number}M"),
        "y" => format!("P{number}Y"),
        _ => return Err(unknown()),
    };
    written.parse().map_err(|_| unknown())
}

/// A moment as the clocks of a zone show it: `2027-01-01 00:00 CET`, with seconds where it has any.
#[must_use]
pub fn shown(at: Instant, zone: Tz) -> String {
    format!("{} {}", local_time(at, zone), zone.abbreviation(at))
}

/// The day that begins at a moment where the client is: `2027-01-01`; the local time where none does.
#[must_use]
pub fn first_day(at: Instant, zone: Tz) -> String {
    day_beginning(at, zone).map_or_else(|| local_time(at, zone), |day| day.to_string())
}

/// The last day before a moment where the client is: `2026-12-31`; the local time where no day ends then.
#[must_use]
pub fn last_day(at: Instant, zone: Tz) -> String {
    let last = day_beginning(at, zone).and_then(|day| day.pred_opt());
    last.map_or_else(|| local_time(at, zone), |day| day.to_string())
}

/// Where clocks skip midnight, a day begins later.
fn day_beginning(at: Instant, zone: Tz) -> Option<NaiveDate> {
    let day = zone.local(at).date();
    (Nominal::of_start(Moment::Date(day), zone).instant() == at).then_some(day)
}

fn local_time(at: Instant, zone: Tz) -> String {
    let local = zone.local(at);
    let form = if local.second() == 0 { "%Y-%m-%d %H:%M" } else { "%Y-%m-%d %H:%M:%S" };
    local.format(form).to_string()
}

/// How long it is from one moment to another, in words: `37 days`, `1 year 2 months`. Rounded down.
#[must_use]
pub fn distance(one: Instant, other: Instant, zone: Tz) -> String {
    let (early, late) = (one.min(other), one.max(other));
    let seconds = (late - early).num_seconds();
    let months = whole_months(early, late, zone);
    match (months, seconds) {
        (12.., _) if months % 12 == 0 => counted(months / 12, "year"),
        (12.., _) => format!("{} {}", counted(months / 12, "year"), counted(months % 12, "month")),
        (3.., _) => counted(months, "month"),
        (_, 172_800..) => counted(seconds / 86_400, "day"),
        (_, 7_200..) => counted(seconds / 3_600, "hour"),
        (_, 120..) => counted(seconds / 60, "minute"),
        _ => counted(seconds, "second"),
    }
}

/// Where a moment lies from another: `in 37 days`, `25 days ago`, `now`.
#[must_use]
pub fn relative(at: Instant, now: Instant, zone: Tz) -> String {
    match at.cmp(&now) {
        std::cmp::Ordering::Equal => "now".to_owned(),
        std::cmp::Ordering::Greater => format!("in {}", distance(now, at, zone)),
        std::cmp::Ordering::Less => format!("{} ago", distance(now, at, zone)),
    }
}

fn whole_months(early: Instant, late: Instant, zone: Tz) -> i64 {
    let (early, late) = (zone.local(early), zone.local(late));
    let number = |date: &chrono::NaiveDateTime| i64::from(date.year()) * 12 + i64::from(date.month0());
    let is_short = (late.day(), late.time()) < (early.day(), early.time());
    number(&late) - number(&early) - i64::from(is_short)
}

fn counted(number: i64, unit: &str) -> String {
    if number == 1 { format!("1 {unit}") } else { format!("{number} {unit}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::calendar::parse_zone;
    use rstest::rstest;

    fn instant(text: &str) -> Instant {
        parse_instant(text).unwrap()
    }

    fn zone(name: &str) -> Tz {
        parse_zone(name).unwrap()
    }

    #[rstest]
    #[case("2027-01-31", "2027-01-30T23:00:00Z")]
    #[case("2027-01-31T09:00:00+01:00", "2027-01-31T08:00:00Z")]
    #[case("+90d", "2027-05-01T11:00:00Z")]
    #[case("-30d", "2027-01-01T12:00:00Z")]
    #[case("+1mo", "2027-02-28T12:00:00Z")]
    #[case("+1y", "2028-01-31T12:00:00Z")]
    #[case("-2w", "2027-01-17T12:00:00Z")]
    #[case("+90min", "2027-01-31T13:30:00Z")]
    #[case("-12h", "2027-01-31T00:00:00Z")]
    #[case("+5s", "2027-01-31T12:00:05Z")]
    #[case("+P1Y2M3DT4H", "2028-04-03T15:00:00Z")]
    #[case("-P1M", "2026-12-31T12:00:00Z")]
    fn a_moment_is_given_in_many_ways(#[case] text: &str, #[case] expected: &str) {
        let when = MomentArgument::read(text).unwrap().when(instant("2027-01-31T12:00:00Z"));
        assert_eq!(when.first(zone("Europe/Berlin")), instant(expected));
    }

    #[rstest]
    #[case("tomorrow")]
    #[case("+")]
    #[case("+d")]
    #[case("+90")]
    #[case("+90M")]
    #[case("+9.5d")]
    #[case("-P")]
    #[case("+99999999999999999999d")]
    #[case("2027-02-30")]
    #[case("2027-1-31")]
    #[case("31.01.2027")]
    fn anything_else_is_explained(#[case] text: &str) {
        let error = MomentArgument::read(text).unwrap_err();
        assert!(error.contains("such as"), "{error}");
    }

    #[rstest]
    #[case("+1m", "+1m may be minutes or months: write +1min or +1mo")]
    #[case("-15m", "-15m may be minutes or months: write -15min or -15mo")]
    fn minutes_and_months_are_not_guessed(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(MomentArgument::read(text).unwrap_err(), expected);
    }

    #[rstest]
    #[case("2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "now")]
    #[case("2027-01-01T00:00:59Z", "2027-01-01T00:00:00Z", "in 59 seconds")]
    #[case("2027-01-01T00:02:00Z", "2027-01-01T00:00:00Z", "in 2 minutes")]
    #[case("2027-01-01T02:59:59Z", "2027-01-01T00:00:00Z", "in 2 hours")]
    #[case("2027-01-03T00:00:00Z", "2027-01-01T00:00:00Z", "in 2 days")]
    #[case("2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z", "1 second ago")]
    #[case("2027-03-31T00:00:00Z", "2027-01-01T00:00:00Z", "in 89 days")]
    #[case("2027-04-01T00:00:00Z", "2027-01-01T00:00:00Z", "in 3 months")]
    #[case("2028-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "in 1 year")]
    #[case("2025-10-31T00:00:00Z", "2027-01-01T00:00:00Z", "1 year 2 months ago")]
    fn a_distance_is_told_in_words(#[case] at: &str, #[case] now: &str, #[case] expected: &str) {
        assert_eq!(relative(instant(at), instant(now), Tz::UTC), expected);
    }

    #[rstest]
    #[case("2026-12-31T23:00:00Z", "Europe/Berlin", "2027-01-01", "2026-12-31")]
    #[case("2026-12-31T23:00:01Z", "Europe/Berlin", "2027-01-01 00:00:01", "2027-01-01 00:00:01")]
    #[case("2026-12-31T23:00:00Z", "UTC", "2026-12-31 23:00", "2026-12-31 23:00")]
    // Midnight does not exist there: the clocks go from 00:00 to 01:00.
    #[case("2024-09-08T04:00:00Z", "America/Santiago", "2024-09-08", "2024-09-07")]
    // A whole day does not exist there.
    #[case("2011-12-30T10:00:00Z", "Pacific/Apia", "2011-12-31", "2011-12-30")]
    fn days_are_those_of_the_client(#[case] at: &str, #[case] name: &str, #[case] first: &str, #[case] last: &str) {
        assert_eq!(
            (first_day(instant(at), zone(name)), last_day(instant(at), zone(name))),
            (first.to_owned(), last.to_owned())
        );
    }

    #[test]
    fn a_moment_is_shown_as_the_clocks_of_a_zone_show_it() {
        assert_eq!(shown(instant("2026-12-31T23:00:00Z"), zone("Europe/Berlin")), "2027-01-01 00:00 CET");
        assert_eq!(shown(instant("2026-12-31T23:00:01Z"), zone("Asia/Tokyo")), "2027-01-01 08:00:01 JST");
    }
}
