//! How many overrides of each definition there are in each phase, and since when those wait that nobody has decided: counted as their
//! statuses come, as an `Agenda` is.

use crate::{
    api::Phase,
    controller::world::kept::KeptSource,
    core::{calendar::Instant, source::SourceKind},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// How many there are in each phase; None where no status says one.
pub type PhaseCounts = BTreeMap<Option<Phase>, u64>;

/// The counts of all overrides.
#[derive(Debug, Default)]
pub struct OverrideCounts {
    phases: HashMap<Arc<str>, PhaseCounts>,
    /// How many wait for approval that were made at that second.
    requests: BTreeMap<i64, u64>,
}

impl OverrideCounts {
    /// One more, where it is an override.
    pub fn add(&mut self, kept: &KeptSource) {
        if kept.kind() != SourceKind::Override {
            return;
        }
        let of_definition = self.phases.entry(Arc::clone(kept.subject())).or_default();
        *of_definition.entry(kept.agenda().phase()).or_default() += 1;
        if let Some(made) = waits_since(kept) {
            *self.requests.entry(made).or_default() += 1;
        }
    }

    /// One less, where it is an override.
    pub fn remove(&mut self, kept: &KeptSource) {
        if kept.kind() != SourceKind::Override {
            return;
        }
        if let Some(of_definition) = self.phases.get_mut(kept.subject()) {
            discount(of_definition, &kept.agenda().phase());
            if of_definition.is_empty() {
                self.phases.remove(kept.subject());
            }
        }
        if let Some(made) = waits_since(kept) {
            discount(&mut self.requests, &made);
        }
    }

    /// Those of a definition, if there are any.
    pub fn of_definition(&self, definition: &str) -> Option<&PhaseCounts> {
        self.phases.get(definition)
    }

    /// When the oldest was made that waits for approval.
    pub fn oldest_request(&self) -> Option<Instant> {
        Instant::from_timestamp(*self.requests.first_key_value()?.0, 0)
    }
}

/// One that its organization does not let be named waits for nobody.
fn waits_since(kept: &KeptSource) -> Option<i64> {
    let whole = kept.whole().filter(|whole| whole.agenda.phase() == Some(Phase::Requested))?;
    Some(whole.source.stated().created.timestamp())
}

fn discount<K: Ord>(counts: &mut BTreeMap<K, u64>, key: &K) {
    let Some(count) = counts.get_mut(key) else { return };
    *count = count.saturating_sub(1);
    if *count == 0 {
        counts.remove(key);
    }
}
