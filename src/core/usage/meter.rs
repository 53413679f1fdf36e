//! All that goes into a balance.

use super::{
    anchor::{Period, Periods},
    ledger::Ledger,
    memory::Memory,
    part::covered,
    register::AHEAD,
    rules::UsageRules,
};
use crate::core::{
    amount::Amount,
    calendar::{Bound, Instant},
};
use chrono::TimeDelta;
use rust_decimal::Decimal;
use std::{collections::BTreeMap, sync::Arc};

/// One organization's meter of one definition, at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Meter<'a> {
    /// What the definition says.
    pub rules: &'a UsageRules,
    /// From when periods count, and what was held when.
    pub memory: &'a Memory,
    /// What was used when. What the rules do not cover, and what lies ahead, may be in it: it does not count.
    pub ledger: &'a Ledger,
    /// How much of the total each channel is, as the grants in force say, where one says it.
    pub caps: &'a BTreeMap<Arc<str>, Amount>,
    /// The moment.
    pub now: Instant,
}

impl<'a> Meter<'a> {
    /// What was used in a span of time, as far as it counts by now.
    pub(super) fn used(&self, from: Instant, until: Bound) -> Decimal {
        self.entries(from, until).fold(Decimal::ZERO, |sum, (_, one)| sum.saturating_add(one))
    }

    /// The same by moment and channel.
    pub(super) fn entries(&self, from: Instant, until: Bound) -> impl Iterator<Item = (Option<&'a Arc<str>>, Decimal)> {
        let ahead = self.counted_until();
        let until = until.at().map_or(ahead, |until| until.min(ahead));
        let rules = self.rules;
        let entries = self.ledger.entries(from, until);
        entries.filter(|(channel, _)| rules.covers(channel.map(|channel| &**channel)))
    }

    /// The first moment that lies too far ahead to be counted.
    pub(super) fn counted_until(&self) -> Instant {
        self.now.checked_add_signed(AHEAD + TimeDelta::seconds(1)).unwrap_or(Instant::MAX_UTC)
    }

    /// What was used before the first period, if that is the one: no other has it.
    pub(super) fn before_all_periods(&self, period: Option<Period>) -> Decimal {
        let first = self.memory.anchors.first().map(|anchor| anchor.since);
        match period.filter(|period| Some(period.from) == first) {
            Some(period) => self.used(Instant::MIN_UTC, Bound::At(period.from)),
            None => Decimal::ZERO,
        }
    }

    pub(super) fn periods(&self) -> Periods<'_> {
        Periods::of(&self.memory.anchors)
    }

    /// The spans of time in which anything was in force: what was used in between is not counted.
    pub(super) fn entitled(&self) -> Vec<(Instant, Bound)> {
        let spans = self.memory.held.iter().flat_map(|part| &part.spans);
        covered(spans.filter(|span| span.amount.is_some()).map(|span| (span.from, span.until)))
    }

    /// How much of the total can be used by a channel; none where nothing says it.
    #[must_use]
    pub fn cap(&self, channel: &str) -> Option<Amount> {
        self.caps.get(channel).copied().or_else(|| *self.rules.channels.get(channel)?)
    }

    /// The moments between which the same parts are in force with the same amounts. What is used between two of them may be
    /// summed up: it comes to the same as use by use.
    pub(super) fn edges(&self, from: Instant, until: Bound) -> Vec<Instant> {
        let spans = self.memory.held.iter().flat_map(|part| &part.spans);
        let ends = spans.flat_map(|span| [Some(span.from), span.until.at()]).flatten();
        let mut edges: Vec<Instant> = ends.filter(|at| *at > from && !until.has_come(*at)).collect();
        edges.push(from);
        edges.sort_unstable();
        edges.dedup();
        edges
    }
}
