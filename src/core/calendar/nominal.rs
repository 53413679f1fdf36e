//! A moment that remembers the local value it was given as.

use chrono::{Datelike, NaiveDateTime, NaiveTime};

use super::bound::Bound;
use super::instant::{Instant, bounded};
use super::moment::Moment;
use super::zone::{Tz, resolve};

/// A moment with its nominal local value in a time zone, which local arithmetic works on.
///
/// The two differ where the local value does not exist: a date is nominally 00:00, also where the
/// clocks skip it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Nominal {
    local: NaiveDateTime,
    instant: Instant,
    zone: Tz,
}

impl Nominal {
    /// What a `start` or an `effective` means: a date is 00:00 of that day.
    #[must_use]
    pub fn of_start(moment: Moment, zone: Tz) -> Self {
        match moment {
            Moment::Date(date) => Self::of_local(date.and_time(NaiveTime::MIN), zone),
            Moment::Time(instant) => Self::of_instant(instant, zone),
        }
    }

    /// What an `end` means: a date includes its whole day, so it is 00:00 of the next one; from
    /// 9999-12-31 on it is never.
    #[must_use]
    pub fn of_end(moment: Moment, zone: Tz) -> Bound<Self> {
        match moment {
            Moment::Date(date) => {
                date.succ_opt().map_or(Bound::Never, |next| Self::of_local(next.and_time(NaiveTime::MIN), zone).into())
            }
            Moment::Time(instant) => Self::of_instant(instant, zone).into(),
        }
    }

    /// An instant with the local time that it shows. It stays exactly that instant (to the second),
    /// also where its local time exists twice and this is the second.
    #[must_use]
    pub fn of_instant(instant: Instant, zone: Tz) -> Self {
        let instant = bounded(instant);
        Self { local: zone.local(instant), instant, zone }
    }

    /// A local value, with the instant that it means.
    #[must_use]
    pub fn of_local(local: NaiveDateTime, zone: Tz) -> Self {
        Self { local, instant: resolve(local, zone), zone }
    }

    /// The moment on the time line.
    #[must_use]
    pub fn instant(self) -> Instant {
        self.instant
    }

    /// The nominal local value, which the clocks of the zone may skip.
    #[must_use]
    pub fn local(self) -> NaiveDateTime {
        self.local
    }

    /// The time zone of the local value.
    #[must_use]
    pub fn zone(self) -> Tz {
        self.zone
    }

    /// The day of the month, 1 to 31, of the local value; that of a chain's first start is its
    /// `chain.day`.
    #[must_use]
    pub fn day(self) -> u32 {
        self.local.day()
    }
}
