//! The state of a meter for programs, and which thresholds are crossed.

use super::{balance::Balance, meter::Meter};
use crate::{
    api::usage::{UsageLimit, UsageMode},
    core::{amount::Amount, calendar::Instant},
};
use chrono::TimeDelta;
use rust_decimal::Decimal;
use std::fmt;

pub use crate::api::usage::UsageState;

impl UsageState {
    /// How a meter stands.
    #[must_use]
    pub fn of(meter: &Meter, balance: &Balance) -> Self {
        let is_hard = meter.rules.limit == UsageLimit::Hard;
        let is_at_its_end = is_hard && balance.room(meter).is_some_and(|room| room <= Decimal::ZERO);
        let buffer = meter.rules.buffer.of(balance.allotted);
        if is_at_its_end && (balance.excess > Decimal::ZERO || balance.overage > buffer) {
            return Self::Exceeded;
        }
        if is_at_its_end {
            return Self::Exhausted;
        }
        if !is_hard && balance.overage.saturating_add(balance.excess) > Decimal::ZERO {
            return Self::Overage;
        }
        if meter.rules.thresholds.first().is_some_and(|percent| has_reached(balance, *percent)) {
            return Self::Warning;
        }
        Self::Ok
    }
}

/// A threshold that was reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Crossing {
    /// The percentage.
    pub percent: u32,
    /// Of what.
    pub allotted: Decimal,
    /// The first moment of the period in which it was reached; none where there are no periods.
    pub period: Option<Instant>,
}

impl fmt::Display for Crossing {
    /// `80% of 1000`
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}% of {}", self.percent, self.allotted.normalize())
    }
}

/// A crossing that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaidCrossing {
    /// Which.
    pub crossing: Crossing,
    /// Since when it has been below again, of what is Held.
    pub below_since: Option<Instant>,
}

/// How long what is Held has to be below a threshold before that is said again.
const QUIET: TimeDelta = TimeDelta::days(1);

/// The crossings that are to be said now, each once in a period for each allotment, and all that were said by then.
#[must_use]
pub fn crossings(meter: &Meter, balance: &Balance, said: &[SaidCrossing]) -> (Vec<Crossing>, Vec<SaidCrossing>) {
    let period = balance.period.map(|period| period.from);
    let of_period = said.iter().filter(|one| one.crossing.period == period);
    let mut known: Vec<SaidCrossing> = of_period.filter_map(|one| one.still(meter, balance)).collect();
    let reached = meter.rules.thresholds.iter().filter(|percent| has_reached(balance, **percent));
    let Amount::Limited(allotted) = balance.allotted else { return (Vec::new(), known) };
    let reached = reached.map(|percent| Crossing { percent: *percent, allotted, period });
    let new: Vec<Crossing> = reached.filter(|crossing| known.iter().all(|one| one.crossing != *crossing)).collect();
    known.extend(new.iter().map(|crossing| SaidCrossing { crossing: crossing.clone(), below_since: None }));
    (new, known)
}

impl SaidCrossing {
    /// What is known of it now; nothing, where it is to be said again.
    fn still(&self, meter: &Meter, balance: &Balance) -> Option<Self> {
        if meter.rules.mode == UsageMode::Held
            && self.below_since.is_some_and(|since| meter.now.signed_duration_since(since) >= QUIET)
        {
            return None;
        }
        let is_below = !is_reached(balance, self.crossing.percent, self.crossing.allotted);
        let below_since = is_below.then(|| self.below_since.unwrap_or(meter.now));
        Some(Self { crossing: self.crossing.clone(), below_since })
    }
}

/// Percentages are of `(used + overage) / allotted`; of nothing none is reached.
fn has_reached(balance: &Balance, percent: u32) -> bool {
    match balance.allotted {
        Amount::Limited(allotted) => is_reached(balance, percent, allotted),
        Amount::Unlimited => false,
    }
}

fn is_reached(balance: &Balance, percent: u32, allotted: Decimal) -> bool {
    let used = balance.used.saturating_add(balance.overage);
    !allotted.is_zero() && used.saturating_mul(Decimal::ONE_HUNDRED) >= allotted.saturating_mul(percent.into())
}
