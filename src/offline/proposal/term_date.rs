//! Days and moments as people ask for them.

use crate::core::calendar::{Bound, CalendarDuration, Instant, Moment, Nominal, Tz, add};

/// A day where the client is, or a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TermDate {
    /// As a manifest has it.
    At(Moment),
    /// A duration from now: a day, if it is one of days or longer units.
    Later(CalendarDuration),
}

impl TermDate {
    /// As a manifest has it.
    #[must_use]
    pub fn moment(self, now: Instant, zone: Tz) -> Moment {
        let duration = match self {
            Self::At(moment) => return moment,
            Self::Later(duration) => duration,
        };
        let start = Nominal::of_instant(now, zone);
        match add(start, duration, start.day()) {
            Bound::Never => Moment::Time(Instant::MAX_UTC),
            Bound::At(end) if duration.has_time_part() => Moment::Time(end.instant()),
            Bound::At(end) => Moment::Date(end.local().date()),
        }
    }
}

/// The day that a moment lies in, where the client is.
pub fn day(at: Instant, zone: Tz) -> Moment {
    Moment::Date(zone.local(at).date())
}
