//! The model at one moment after the other.

use super::{entries::Settled, gifts::PlainVerdict, memory::PlainMemory, model::PlainModel, plain::PlainWorld};
use crate::core::calendar::{Bound, Instant, Nominal};
use std::collections::BTreeSet;

/// What looks at an organization at one moment after the other, and remembers: the model, or what is held against it.
pub trait Onlooker {
    fn look(&mut self, world: &PlainWorld, now: Instant) -> PlainVerdict;
}

impl Onlooker for PlainMemory {
    fn look(&mut self, world: &PlainWorld, now: Instant) -> PlainVerdict {
        let (verdict, memory) = PlainModel::new(world, self, now).judge();
        *self = memory;
        verdict
    }
}

impl PlainModel<'_> {
    /// Every moment at which anything could change by time alone.
    pub fn moments(&self) -> BTreeSet<Instant> {
        let accepted = self.accepted();
        let mut moments = self.moments_of_instances();
        for name in self.names() {
            let Some(agreed) = self.agreed(name) else { continue };
            moments.insert(agreed.start.instant());
            let amended = self.amended(name, &agreed);
            moments.extend(amended.iter().filter_map(|one| one.effective));
            for end in amended.iter().map(|one| one.end).chain([agreed.end]).filter_map(Bound::at) {
                moments.insert(Nominal::instant(end));
                moments.extend(Self::after_grace(&agreed, end).at());
            }
            let settled = if accepted.contains(name) { self.settled(name, &agreed) } else { Settled::default() };
            let entries = settled.entries.values().filter_map(|entry| Self::window_of(&agreed, entry));
            let removals = self.spec(name).remove.iter().filter_map(|one| Self::window_of_removal(&agreed, one));
            for window in entries.chain(removals) {
                moments.extend([window.start, window.end].into_iter().filter_map(Bound::at));
            }
        }
        moments
    }
}

/// What is held from a moment on, by time alone: each moment at which it changes, with the state from then on. What is
/// remembered is carried along, as an operator does.
pub fn course(world: &PlainWorld, memory: &PlainMemory, from: Instant) -> Vec<(Instant, PlainVerdict)> {
    let mut memory = memory.clone();
    let mut told: Vec<(Instant, PlainVerdict)> = vec![(from, memory.look(world, from))];
    let mut now = from;
    while let Some(next) = PlainModel::new(world, &memory, now).moments().into_iter().find(|at| *at > now) {
        now = next;
        let verdict = memory.look(world, now);
        if told.last().is_none_or(|(_, last)| *last != verdict) {
            told.push((now, verdict));
        }
    }
    told
}
