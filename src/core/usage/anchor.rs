//! From when periods count, and where each begins.

use super::rules::UsageRules;
use crate::{
    api::usage::UsageAnchor,
    core::calendar::{Bound, CalendarDuration, Instant, Moment, Nominal, add},
};
use chrono::{Datelike, Days, NaiveDate, TimeDelta};

/// A half-open span of time after which an allotment is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period {
    /// The first moment.
    pub from: Instant,
    /// The first moment after it.
    pub until: Bound,
}

impl Period {
    /// Whether a moment lies in it.
    #[must_use]
    pub fn has(self, at: Instant) -> bool {
        self.from <= at && !self.until.has_come(at)
    }
}

/// What boundaries are computed from, from a moment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeriodAnchor {
    /// From when on it counts: a boundary. That of a calendar may lie before anything was held.
    pub since: Instant,
    /// The local time that periods are added to.
    pub start: Nominal,
    /// The day of the month that boundaries keep, where the month has it.
    pub day: u32,
    /// How long a period is.
    pub period: CalendarDuration,
}

impl PeriodAnchor {
    /// The anchor of what comes into force first: its nominal start, and the day of its chain.
    #[must_use]
    pub fn of(rules: &UsageRules, start: Nominal, day: u32) -> Option<Self> {
        let period = rules.period?;
        if rules.anchor == UsageAnchor::Grant {
            return Some(Self { since: start.instant(), start, day, period });
        }
        let calendar = Self { since: start.instant(), start: calendar_start(start, period), day: 1, period };
        let since = calendar.period_at(start.instant())?.from;
        Some(Self { since, ..calendar })
    }

    /// Boundary `number`: the anchor and so many periods, computed from the anchor by the arithmetic of terms.
    #[must_use]
    pub fn boundary(&self, number: u32) -> Bound {
        self.nominal_boundary(number).instant()
    }

    fn nominal_boundary(&self, number: u32) -> Bound<Nominal> {
        add(self.start, times(self.period, number), self.day)
    }

    /// Whether it is what a definition says: as long a period, and that of the calendar where it says so.
    pub(super) fn is_of(&self, rules: &UsageRules) -> bool {
        let parts = |period: CalendarDuration| (period.total_months(), period.total_days());
        rules.period.is_some_and(|period| parts(period) == parts(self.period))
            && (rules.anchor == UsageAnchor::Grant || self.start == calendar_start(self.start, self.period))
    }

    /// What follows it at the next boundary, where the definition says something else now.
    pub(super) fn next(&self, rules: &UsageRules, now: Instant) -> Option<Self> {
        let (number, _) = self.numbered_period_at(now)?;
        let start = self.nominal_boundary(number.checked_add(1)?).at()?;
        let since = start.instant();
        // The day of a chain outlives short months, but not boundaries that are days apart.
        let day = if self.period.total_months() == 0 { start.day() } else { self.day };
        Self::of(rules, start, day).map(|next| Self { since, ..next })
    }

    /// When the first period from it on is over.
    pub(super) fn first_end(&self) -> Bound {
        self.period_at(self.since).map_or(Bound::Never, |period| period.until)
    }

    /// The period that a moment at or after the anchor lies in.
    fn period_at(&self, at: Instant) -> Option<Period> {
        self.numbered_period_at(at).map(|(_, period)| period)
    }

    /// The same, and the number of the boundary that it begins with.
    fn numbered_period_at(&self, at: Instant) -> Option<(u32, Period)> {
        if at < self.start.instant() {
            return None;
        }
        let mut number = self.about(at);
        let mut from = self.boundary(number);
        let mut until = self.boundary(number.checked_add(1)?);
        while number > 0 && !from.has_come(at) {
            number -= 1;
            (from, until) = (self.boundary(number), from);
        }
        while until.has_come(at) {
            number = number.checked_add(1)?;
            (from, until) = (until, self.boundary(number.checked_add(1)?));
        }
        Some((number, Period { from: from.at()?, until }))
    }

    /// About how many boundaries have come. The day of the month, the time of day, and changes of clocks make it one more or less.
    fn about(&self, at: Instant) -> u32 {
        let months = |date: NaiveDate| i64::from(date.year()) * 12 + i64::from(date.month0());
        let (start, end) = (self.start.local().date(), at.date_naive());
        let number = match self.period.total_months() {
            0 => (end - start).num_days() / self.period.total_days().max(1),
            every => (months(end) - months(start)) / every,
        };
        u32::try_from(number.max(0)).unwrap_or(u32::MAX)
    }
}

/// The periods of a meter: those of the last anchor that had come count.
#[derive(Clone, Copy, Debug)]
pub struct Periods<'a>(&'a [PeriodAnchor]);

impl<'a> Periods<'a> {
    /// Of anchors in the order in which they count.
    #[must_use]
    pub fn of(anchors: &'a [PeriodAnchor]) -> Self {
        Self(anchors)
    }

    /// The period that a moment lies in; none before the first anchor.
    #[must_use]
    pub fn at(self, at: Instant) -> Option<Period> {
        let index = self.0.iter().rposition(|anchor| anchor.since <= at)?;
        let anchor = self.0.get(index)?;
        let mut period = anchor.period_at(at)?;
        period.from = period.from.max(anchor.since);
        if let Some(next) = self.0.get(index + 1) {
            period.until = period.until.min(Bound::At(next.since));
        }
        Some(period)
    }

    /// The period just before one.
    #[must_use]
    pub fn before(self, period: Period) -> Option<Period> {
        let last = period.from.checked_sub_signed(TimeDelta::seconds(1))?;
        self.at(last).filter(|before| before.until == Bound::At(period.from))
    }
}

fn times(period: CalendarDuration, times: u32) -> CalendarDuration {
    let number = |part: i64| u32::try_from(part.saturating_mul(times.into())).unwrap_or(u32::MAX);
    match period.total_months() {
        0 => CalendarDuration::of_days(number(period.total_days())),
        months => CalendarDuration::of_months(number(months)),
    }
}

/// The start of the year, week or day that a moment lies in, where the client is. Months are counted from that of the year, so
/// that quarters are those of the calendar.
fn calendar_start(start: Nominal, period: CalendarDuration) -> Nominal {
    let date = start.local().date();
    let first = match (period.total_months(), period.total_days()) {
        (0, 7) => date.checked_sub_days(Days::new(date.weekday().num_days_from_monday().into())),
        (0, _) => Some(date),
        _ => NaiveDate::from_ymd_opt(date.year(), 1, 1),
    };
    Nominal::of_start(Moment::Date(first.unwrap_or(date)), start.zone())
}
