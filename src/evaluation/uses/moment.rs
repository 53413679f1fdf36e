//! As at which moment a use is asked for, and until when uses of a period are taken.

use super::UseRefusal;
use crate::{
    api::usage::UsageMode,
    core::{
        amount::Amount,
        calendar::{Bound, Instant, Nominal, Tz, add},
        usage::anchor::{Period, Periods},
    },
    evaluation::usage::MeterDecision,
};
use chrono::{SubsecRound as _, TimeDelta};

/// As at which moment a use of `at` is asked for, by a meter as it is decided `now`.
pub(super) fn asked_at(meter: &MeterDecision, at: Instant, now: Instant) -> Instant {
    if meter.rules.mode == UsageMode::Held {
        return now;
    }
    // What is held is noted within this second, too.
    if at == now.trunc_subsecs(0) {
        return now;
    }
    // Of a moment at which nothing was held, that moment itself tells why.
    let Some(run) = meter.entitled.until(at) else { return at };
    let asked = match period(meter, at) {
        Some(period) if period.from > now => at,
        Some(period) => before(period.until, now),
        None => before(blocks_end(meter, at), now),
    };
    let until = run.max(parts_end(meter, at, asked).unwrap_or(run));
    asked.min(before(until, asked)).max(at.min(now))
}

/// Until when anything is in force that was at one moment, as of a later one: what was suspended in between, and goes on since, is
/// still the same, and so is what was used of it.
fn parts_end(meter: &MeterDecision, at: Instant, asked: Instant) -> Option<Bound> {
    let parts = meter.memory.held.iter().filter(|part| part.amount(at).is_some());
    let spans = parts.flat_map(|part| &part.spans).filter(|span| span.amount.is_some() && span.from <= asked);
    spans.map(|span| span.until).max()
}

/// Until when anything is in force that a use of that moment is taken of, where there are no periods: what has come into force since
/// is not asked for it.
fn blocks_end(meter: &MeterDecision, at: Instant) -> Bound {
    let parts = meter.memory.held.iter().filter(|part| part.amount(at).is_some());
    let ends = parts.filter_map(|part| part.spans.iter().rfind(|span| span.amount.is_some())).map(|span| span.until);
    ends.max().unwrap_or(Bound::Never)
}

/// Whether there was no limit at a moment: nothing that is used then is taken of anything.
pub(super) fn is_unlimited(meter: &MeterDecision, at: Instant) -> bool {
    meter.memory.held.iter().any(|part| part.amount(at) == Some(Amount::Unlimited))
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
