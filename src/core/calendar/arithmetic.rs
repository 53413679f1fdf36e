//! A moment plus or minus a duration, and the length between two moments.

use chrono::{Datelike, NaiveDate, NaiveDateTime, TimeDelta};

use super::bound::Bound;
use super::duration::CalendarDuration;
use super::instant::{Instant, bounded};
use super::nominal::Nominal;

/// The direction in which a duration is counted, as the factor of its parts.
#[derive(Clone, Copy)]
enum Direction {
    Later = 1,
    Earlier = -1,
}

/// `start` plus `duration`; from 9999-12-31 on it is never.
///
/// Years and months are added to the local value together. The day stays, but from the last day of
/// a month that lies before `chain_day` (1 to 31) it becomes `chain_day`; in either case the
/// month's last, if it has no such day. Then come weeks and days; then, on the time line, hours,
/// minutes and seconds. A duration without years, months, weeks and days never goes through local
/// time.
#[must_use]
pub fn add(start: Nominal, duration: CalendarDuration, chain_day: u32) -> Bound<Nominal> {
    shift(start, duration, Direction::Later, chain_day).map_or(Bound::Never, Bound::from)
}

/// `end` minus `duration`, by the rules of [`add`]. What would lie before the year 0000 is that
/// year's first moment.
#[must_use]
pub fn subtract(end: Nominal, duration: CalendarDuration, chain_day: u32) -> Instant {
    shift(end, duration, Direction::Earlier, chain_day).map_or(bounded(Instant::MIN_UTC), Nominal::instant)
}

/// The length of a term, as a renewal takes it over: whole months (at least one), if the nominal
/// `end` is `start` plus so many by the rule of [`add`]; else whole days (at least one), if both
/// have the same local time of day; else the elapsed seconds, zero where `end` is not after
/// `start`. Local values of two zones are not comparable, so between such it is always the elapsed
/// seconds.
#[must_use]
pub fn length(start: Nominal, end: Nominal, chain_day: u32) -> CalendarDuration {
    if start.zone() != end.zone() {
        return elapsed(start, end);
    }
    whole_months(start.local(), end.local(), chain_day)
        .or_else(|| whole_days(start.local(), end.local()))
        .unwrap_or_else(|| elapsed(start, end))
}

/// None where the result is beyond what can be counted.
fn shift(from: Nominal, duration: CalendarDuration, direction: Direction, chain_day: u32) -> Option<Nominal> {
    let sign = direction as i64;
    let day = if duration.has_date_part() {
        let months = sign * duration.total_months();
        let days = TimeDelta::try_days(sign * duration.total_days())?;
        let local = add_months(from.local(), months, chain_day)?;
        Nominal::of_local(local.checked_add_signed(days)?, from.zone())
    } else {
        from
    };
    if duration.total_seconds() == 0 {
        return Some(day);
    }
    let seconds = TimeDelta::try_seconds(sign * duration.total_seconds())?;
    let instant = day.instant().checked_add_signed(seconds)?;
    Some(Nominal::of_instant(instant, from.zone()))
}

fn add_months(local: NaiveDateTime, months: i64, chain_day: u32) -> Option<NaiveDateTime> {
    let month = month_number(local) + months;
    let year = i32::try_from(month.div_euclid(12)).ok()?;
    let month = u32::try_from(month.rem_euclid(12)).ok()? + 1;
    let first = NaiveDate::from_ymd_opt(year, month, 1)?;
    let day = day_to_keep(local, chain_day).min(days_of_month(&first));
    Some(first.with_day(day)?.and_time(local.time()))
}

fn day_to_keep(local: NaiveDateTime, chain_day: u32) -> u32 {
    let is_last = local.day() == days_of_month(&local);
    if is_last { local.day().max(chain_day) } else { local.day() }
}

/// Months since the beginning of the year 0.
fn month_number(local: NaiveDateTime) -> i64 {
    i64::from(local.year()) * 12 + i64::from(local.month0())
}

fn days_of_month(date: &impl Datelike) -> u32 {
    date.num_days_in_month().into()
}

fn whole_months(start: NaiveDateTime, end: NaiveDateTime, chain_day: u32) -> Option<CalendarDuration> {
    let months = month_number(end) - month_number(start);
    if months < 1 || add_months(start, months, chain_day) != Some(end) {
        return None;
    }
    u32::try_from(months).ok().map(CalendarDuration::of_months)
}

fn whole_days(start: NaiveDateTime, end: NaiveDateTime) -> Option<CalendarDuration> {
    let days = end.date().signed_duration_since(start.date()).num_days();
    if days < 1 || start.time() != end.time() {
        return None;
    }
    u32::try_from(days).ok().map(CalendarDuration::of_days)
}

fn elapsed(start: Nominal, end: Nominal) -> CalendarDuration {
    let seconds = end.instant().signed_duration_since(start.instant()).num_seconds();
    CalendarDuration::of_seconds(seconds.try_into().unwrap_or(0))
}
