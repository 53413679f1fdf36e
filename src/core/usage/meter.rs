//! All that goes into a balance.

use super::{anchor::Periods, ledger::Ledger, memory::Memory, register::AHEAD, rules::UsageRules};
use crate::core::{
    amount::Amount,
    calendar::{Bound, Instant},
};
use rust_decimal::Decimal;
use std::{collections::BTreeMap, sync::Arc};

/// One organization's meter of one definition, at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Meter<'a> {
    /// What the definition says.
    pub rules: &'a UsageRules,
    /// From when periods count, and what was held when.
    pub memory: &'a Memory,
    /// What was used when. What is refused is not in it.
    pub ledger: &'a Ledger,
    /// How much of the total each channel is, as the grants in force say, where one says it.
    pub caps: &'a BTreeMap<Arc<str>, Amount>,
    /// The moment.
    pub now: Instant,
}

impl Meter<'_> {
    /// What was used in a span of time, as far as it counts by now.
    pub(super) fn used(&self, from: Instant, until: Bound) -> Decimal {
        self.ledger.between(from, self.counts_until(until))
    }

    /// The same by one channel.
    pub(super) fn used_by(&self, channel: &str, from: Instant, until: Bound) -> Decimal {
        self.ledger.of_channel_between(channel, from, self.counts_until(until))
    }

    fn counts_until(&self, until: Bound) -> Instant {
        let ahead = self.now.checked_add_signed(AHEAD + chrono::TimeDelta::seconds(1)).unwrap_or(Instant::MAX_UTC);
        until.at().map_or(ahead, |until| until.min(ahead))
    }

    pub(super) fn periods(&self) -> Periods<'_> {
        Periods::of(&self.memory.anchors)
    }

    /// How much of the total can be used by a channel; none where nothing says it.
    #[must_use]
    pub fn cap(&self, channel: &str) -> Option<Amount> {
        self.caps.get(channel).copied().or_else(|| *self.rules.channels.get(channel)?)
    }

    /// The moments between which the same parts are in force with the same amounts. What is used between two of them may be
    /// summed up: it comes to the same as use by use.
    #[must_use]
    pub fn edges(&self, from: Instant, until: Bound) -> Vec<Instant> {
        let spans = self.memory.held.iter().flat_map(|part| &part.spans);
        let ends = spans.flat_map(|span| [Some(span.from), span.until.at()]).flatten();
        let mut edges: Vec<Instant> = ends.filter(|at| *at > from && !until.has_come(*at)).collect();
        edges.push(from);
        edges.sort_unstable();
        edges.dedup();
        edges
    }
}
