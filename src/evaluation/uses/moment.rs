//! As at which moment a use is asked for, and until when uses of a period are taken.

use super::UseRefusal;
use crate::{
    api::usage::UsageMode,
    core::{
        calendar::{Bound, Instant, Nominal, Tz, add},
        usage::anchor::{Period, Periods},
    },
    evaluation::usage::MeterDecision,
};
use chrono::TimeDelta;

/// As at which moment a use of `at` is asked for, by a meter as it is decided `now`.
pub(super) fn asked_at(meter: &MeterDecision, at: Instant, now: Instant) -> Instant {
    if meter.rules.mode == UsageMode::Held {
        return now;
    }
    // Of a moment at which nothing was held, that moment itself tells why.
    let Some(until) = meter.entitled.until(at) else { return at };
    let asked = match period(meter, at) {
        Some(period) if period.from > now => at,
        Some(period) => before(period.until, now),
        None => now,
    };
    asked.min(before(until, asked)).max(at.min(now))
}

/// The period that a moment lies in; none where there are no periods, or none had begun.
pub(super) fn period(meter: &MeterDecision, at: Instant) -> Option<Period> {
    Periods::of(&meter.memory.anchors).at(at)
}

/// Whether uses of a moment are still taken.
pub(super) fn check_lateness(meter: &MeterDecision, at: Instant, now: Instant) -> Result<(), UseRefusal> {
    let Some(Bound::At(ended)) = period(meter, at).map(|period| period.until) else { return Ok(()) };
    let last = add(Nominal::of_instant(ended, Tz::UTC), meter.rules.lateness, 1).instant();
    match last {
        Bound::At(taken_until) if taken_until <= now => Err(UseRefusal::Late { ended, taken_until }),
        _ => Ok(()),
    }
}

/// The last second before a bound, where that has come; otherwise the moment itself.
fn before(bound: Bound, now: Instant) -> Instant {
    let last = bound.at().and_then(|until| until.checked_sub_signed(TimeDelta::seconds(1)));
    last.map_or(now, |last| last.min(now))
}
