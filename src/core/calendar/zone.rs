//! A time zone: the local time that its clocks show at an instant, and the instant that a local time means.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};

use chrono::{Datelike, FixedOffset, NaiveDateTime, Offset, TimeDelta, Timelike, Utc};
use jiff::{Timestamp, civil::DateTime, tz};

use super::instant::{Instant, bounded};

/// A time zone of the data in use. It is as cheap to copy as a reference: what it refers to lives as long as the process.
#[derive(Clone, Copy)]
pub struct Tz(&'static Zone);

/// What is known of a time zone.
#[derive(Debug)]
pub(super) struct Zone {
    /// Its IANA name.
    pub name: Cow<'static, str>,
    /// When its clocks change. Past the last change that is known they follow its rule, as long as there are years.
    pub clock: tz::TimeZone,
}

static UTC: Zone = Zone { name: Cow::Borrowed("UTC"), clock: tz::TimeZone::UTC };

impl Tz {
    /// Coordinated universal time.
    pub const UTC: Self = Self(&UTC);

    pub(super) const fn of(zone: &'static Zone) -> Self {
        Self(zone)
    }

    /// Its IANA name.
    #[must_use]
    pub fn name(self) -> &'static str {
        &self.0.name
    }

    /// How far its clocks are ahead of UTC at an instant.
    #[must_use]
    pub fn offset(self, instant: Instant) -> FixedOffset {
        offset(self.0.clock.to_offset(timestamp(instant)))
    }

    /// The local time that its clocks show at an instant.
    #[must_use]
    pub fn local(self, instant: Instant) -> NaiveDateTime {
        let utc = instant.naive_utc();
        utc.checked_add_offset(self.offset(instant)).unwrap_or(utc)
    }

    /// What its local time is called at an instant, such as `CET`, or `+01` where it has no name.
    #[must_use]
    pub fn abbreviation(self, instant: Instant) -> String {
        self.0.clock.to_offset_info(timestamp(instant)).abbreviation().to_owned()
    }
}

impl PartialEq for Tz {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Tz {}

impl Hash for Tz {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl fmt::Debug for Tz {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The instant that a local time means: of one that exists twice the first, and for one that does
/// not exist the moment at which the clocks change. Fractions of a second are cut off.
#[must_use]
pub fn resolve(local: NaiveDateTime, zone: Tz) -> Instant {
    let local = bounded(local.and_utc()).naive_utc();
    let instant = match zone.0.clock.to_ambiguous_timestamp(civil(local)).offset() {
        tz::AmbiguousOffset::Unambiguous { offset } => at_offset(local, offset),
        // Of the two the one with the old offset is the first.
        tz::AmbiguousOffset::Fold { before, .. } => at_offset(local, before),
        tz::AmbiguousOffset::Gap { before, after } => {
            clock_change(local, zone, at_offset(local, after), at_offset(local, before))
        }
    };
    bounded(instant)
}

/// The moment at which the clocks skip `local`: the first at which they show a later time. Before `early` and `late` lie the
/// readings with the new and with the old offset.
fn clock_change(local: NaiveDateTime, zone: Tz, early: Instant, late: Instant) -> Instant {
    let (mut before, mut after) = (early.timestamp(), late.timestamp());
    while after - before > 1 {
        let middle = i64::midpoint(before, after);
        if zone.local(at_second(middle)) > local {
            after = middle;
        } else {
            before = middle;
        }
    }
    at_second(after)
}

fn at_second(second: i64) -> Instant {
    Instant::from_timestamp(second, 0).unwrap_or_default()
}

fn at_offset(local: NaiveDateTime, ahead: tz::Offset) -> Instant {
    local.and_utc() - TimeDelta::seconds(ahead.seconds().into())
}

fn offset(ahead: tz::Offset) -> FixedOffset {
    // Any data has offsets of less than a day, or else it is refused.
    FixedOffset::east_opt(ahead.seconds()).unwrap_or_else(|| Utc.fix())
}

/// The same instant in the library's terms. Hers end a few hours before ours do, when no clock changes.
fn timestamp(instant: Instant) -> Timestamp {
    Timestamp::from_second(instant.timestamp()).unwrap_or(Timestamp::MAX)
}

/// The same local time, which is one of the years 0000 to 9999, in the library's terms.
#[expect(clippy::cast_possible_truncation, reason = "numbers of a date and of a clock")]
fn civil(local: NaiveDateTime) -> DateTime {
    let (year, month, day) = (local.year() as i16, local.month() as i8, local.day() as i8);
    let (hour, minute, second) = (local.hour() as i8, local.minute() as i8, local.second() as i8);
    DateTime::new(year, month, day, hour, minute, second, 0).unwrap_or(DateTime::ZERO)
}
