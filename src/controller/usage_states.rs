//! How many organizations are in which state of their usage, by definition: counted as it is decided, so that telling it costs no look
//! at any organization.

use crate::{api::usage::UsageState, evaluation::usage::Meters};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The states of one organization, by definition.
type OwnStates = BTreeMap<Arc<str>, UsageState>;
/// How many there are, by definition and state.
type StateCounts = BTreeMap<Arc<str>, BTreeMap<&'static str, u64>>;

/// The states of all organizations.
#[derive(Default)]
pub struct UsageStates {
    counts: Mutex<(HashMap<Arc<str>, OwnStates>, StateCounts)>,
}

impl UsageStates {
    fn counts(&self) -> MutexGuard<'_, (HashMap<Arc<str>, OwnStates>, StateCounts)> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was decided of an organization, in place of what was before.
    pub fn tell(&self, organization: &Arc<str>, meters: &Meters) {
        let now: OwnStates = meters.iter().filter_map(|(name, meter)| Some((Arc::clone(name), meter.state?))).collect();
        let mut counts = self.counts();
        let (of, all) = &mut *counts;
        let before =
            if now.is_empty() { of.remove(organization) } else { of.insert(Arc::clone(organization), now.clone()) };
        for (definition, state) in before.into_iter().flatten() {
            let Some(states) = all.get_mut(&definition) else { continue };
            if let Some(count) = states.get_mut(state.as_str()) {
                *count = count.saturating_sub(1);
            }
            // A definition that nobody holds any more is told no more, so that its name is no series for ever.
            if states.values().all(|count| *count == 0) {
                all.remove(&definition);
            }
        }
        for (definition, state) in now {
            *all.entry(definition).or_default().entry(state.as_str()).or_default() += 1;
        }
    }

    /// This replica works from now on: what it told in an earlier tenure counts no more.
    pub fn begin_anew(&self) {
        *self.counts() = Default::default();
    }

    /// All together. What was there once is told as 0 as long as the definition is told.
    pub fn all(&self) -> BTreeMap<String, BTreeMap<&'static str, u64>> {
        self.counts().1.iter().map(|(definition, states)| (definition.to_string(), states.clone())).collect()
    }
}
