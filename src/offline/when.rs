//! The moment that is looked at: one for all, or one by each client's own calendar.

use crate::{
    api::Organization,
    core::calendar::{CalendarDuration, Instant, Moment, Nominal, Tz, add, parse_zone, subtract},
};
use chrono::{NaiveDate, TimeDelta};

/// No time zone is farther ahead of UTC.
const FARTHEST_AHEAD: TimeDelta = TimeDelta::hours(14);
/// Calendars differ by no more than this in what they make of a duration.
const FARTHEST_APART: TimeDelta = TimeDelta::days(2);

/// A moment, whose place on the time line may depend on the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// One moment for all.
    At(Instant),
    /// A day, where each client is.
    On(NaiveDate),
    /// A duration after a moment, by each client's calendar.
    After(Instant, CalendarDuration),
    /// A duration before a moment, by each client's calendar.
    Before(Instant, CalendarDuration),
}

impl From<Instant> for When {
    fn from(instant: Instant) -> Self {
        Self::At(instant)
    }
}

impl When {
    /// The moment in a time zone; of a day its first, 00:00, as where a grant begins with it.
    #[must_use]
    pub fn first(self, zone: Tz) -> Instant {
        match self {
            Self::At(instant) => instant,
            Self::On(day) => Nominal::of_start(Moment::Date(day), zone).instant(),
            Self::After(now, duration) => {
                let nominal = Nominal::of_instant(now, zone);
                add(nominal, duration, nominal.day()).at().map_or_else(|| last_of_all(zone), Nominal::instant)
            }
            Self::Before(now, duration) => {
                let nominal = Nominal::of_instant(now, zone);
                subtract(nominal, duration, nominal.day())
            }
        }
    }

    /// The moment in a time zone as one up to which is looked; of a day its last second, as where a grant ends with it.
    #[must_use]
    pub fn last(self, zone: Tz) -> Instant {
        let Self::On(day) = self else { return self.first(zone) };
        let end = Nominal::of_end(Moment::Date(day), zone).at();
        end.map_or_else(|| last_of_all(zone), |end| end.instant() - TimeDelta::seconds(1))
    }

    /// Before this it is nowhere.
    #[must_use]
    pub fn earliest(self) -> Instant {
        match self {
            Self::At(instant) => instant,
            Self::On(_) => self.first(Tz::UTC) - FARTHEST_AHEAD,
            Self::After(..) | Self::Before(..) if self.is_local() => self.first(Tz::UTC) - FARTHEST_APART,
            Self::After(..) | Self::Before(..) => self.first(Tz::UTC),
        }
    }

    /// Whether it may be another moment for each client.
    #[must_use]
    pub fn is_local(self) -> bool {
        match self {
            Self::At(_) => false,
            Self::On(_) => true,
            Self::After(_, duration) | Self::Before(_, duration) => duration.has_date_part(),
        }
    }

    /// The day, where it is one.
    #[must_use]
    pub fn day(self) -> Option<NaiveDate> {
        match self {
            Self::On(day) => Some(day),
            Self::At(_) | Self::After(..) | Self::Before(..) => None,
        }
    }
}

/// The last second of the last day that has a name.
fn last_of_all(zone: Tz) -> Instant {
    let last = NaiveDate::from_ymd_opt(9999, 12, 31).unwrap_or(NaiveDate::MAX);
    Nominal::of_start(Moment::Date(last), zone).instant() + TimeDelta::seconds(86_399)
}

/// The time zone in which an organization reckons: its own, or UTC where that is unknown.
#[must_use]
pub fn zone_of(organization: Option<&Organization>) -> Tz {
    organization.and_then(|organization| parse_zone(&organization.spec.time_zone).ok()).unwrap_or(Tz::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::calendar::{format_instant, parse_instant};
    use rstest::rstest;

    fn zone(name: &str) -> Tz {
        parse_zone(name).unwrap()
    }

    fn day(text: &str) -> When {
        When::On(text.parse().unwrap())
    }

    #[rstest]
    #[case("2026-12-01", "UTC", "2026-12-01T00:00:00Z", "2026-12-01T23:59:59Z")]
    #[case("2026-12-01", "Europe/Berlin", "2026-11-30T23:00:00Z", "2026-12-01T22:59:59Z")]
    #[case("2026-12-01", "Pacific/Auckland", "2026-11-30T11:00:00Z", "2026-12-01T10:59:59Z")]
    #[case("2026-12-01", "America/New_York", "2026-12-01T05:00:00Z", "2026-12-02T04:59:59Z")]
    #[case::of_23_hours("2026-03-29", "Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-29T21:59:59Z")]
    #[case::without_a_midnight("2024-09-08", "America/Santiago", "2024-09-08T04:00:00Z", "2024-09-09T02:59:59Z")]
    #[case::that_does_not_exist("2011-12-30", "Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-30T09:59:59Z")]
    #[case::the_last("9999-12-31", "UTC", "9999-12-31T00:00:00Z", "9999-12-31T23:59:59Z")]
    fn a_day_is_the_clients(#[case] text: &str, #[case] name: &str, #[case] first: &str, #[case] last: &str) {
        let zone = zone(name);
        let told = (format_instant(day(text).first(zone)), format_instant(day(text).last(zone)));
        assert_eq!(told, (first.to_owned(), last.to_owned()));
        assert!(day(text).earliest() <= day(text).first(zone));
    }

    #[rstest]
    #[case("P1M", "Europe/Berlin", "2026-03-28T11:00:00Z", "2026-04-28T10:00:00Z", "2026-02-28T11:00:00Z")]
    #[case("P1D", "Europe/Berlin", "2026-03-28T11:00:00Z", "2026-03-29T10:00:00Z", "2026-03-27T11:00:00Z")]
    #[case("PT24H", "Europe/Berlin", "2026-03-28T11:00:00Z", "2026-03-29T11:00:00Z", "2026-03-27T11:00:00Z")]
    #[case("P1Y", "Pacific/Auckland", "2028-02-28T11:00:00Z", "2029-02-27T11:00:00Z", "2027-02-27T11:00:00Z")]
    fn a_duration_goes_by_the_clients_calendar(
        #[case] duration: &str,
        #[case] name: &str,
        #[case] now: &str,
        #[case] after: &str,
        #[case] before: &str,
    ) {
        let (duration, now) = (duration.parse().unwrap(), parse_instant(now).unwrap());
        for (when, expected) in [(When::After(now, duration), after), (When::Before(now, duration), before)] {
            assert_eq!(format_instant(when.first(zone(name))), expected);
            assert_eq!(when.last(zone(name)), when.first(zone(name)));
            assert!(when.earliest() <= when.first(zone(name)));
        }
    }

    #[test]
    fn what_lies_beyond_the_calendar_is_its_end() {
        let now = parse_instant("2026-01-01T00:00:00Z").unwrap();
        let far = When::After(now, "P9000Y".parse().unwrap());
        assert_eq!(format_instant(far.first(Tz::UTC)), "9999-12-31T23:59:59Z");
        let early = When::Before(now, "P9000Y".parse().unwrap());
        assert_eq!(format_instant(early.first(Tz::UTC)), "0000-01-01T00:00:00Z");
    }
}
