//! What came of the outputs of each organization, counted, so that telling it costs no look at any object.

use crate::evaluation::{
    delivery::Desired,
    plan::{Delivery, Outcomes},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Not tried to the end yet.
const PENDING: &str = "pending";
/// It should be gone, and is not.
const NOT_WITHDRAWN: &str = "not_withdrawn";

/// How many outputs of an organization, or of all, are in each state.
pub type OutputStates = BTreeMap<&'static str, u64>;

/// The outputs of all organizations.
#[derive(Default)]
pub struct Tallies {
    counts: Mutex<TallyCounts>,
}

#[derive(Default)]
struct TallyCounts {
    of: HashMap<Arc<str>, OutputStates>,
    all: OutputStates,
}

impl Tallies {
    fn counts(&self) -> MutexGuard<'_, TallyCounts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What came of the outputs of an organization, in place of what was told before.
    pub fn tell(&self, organization: &Arc<str>, desired: &Desired, outcomes: &Outcomes) {
        let mut now = OutputStates::new();
        for key in desired.objects.keys() {
            *now.entry(outcomes.deliveries.get(key).map_or(PENDING, metric_label)).or_default() += 1;
        }
        if !outcomes.stuck.is_empty() {
            now.insert(NOT_WITHDRAWN, outcomes.stuck.len() as u64);
        }
        let mut counts = self.counts();
        let before = if now.is_empty() {
            counts.of.remove(organization)
        } else {
            counts.of.insert(Arc::clone(organization), now.clone())
        };
        for (state, count) in before.into_iter().flatten() {
            let all = counts.all.entry(state).or_default();
            *all = all.saturating_sub(count);
        }
        for (state, count) in now {
            *counts.all.entry(state).or_default() += count;
        }
    }

    /// This replica works from now on: what it told in an earlier tenure counts no more.
    pub fn begin_anew(&self) {
        *self.counts() = TallyCounts::default();
    }

    /// All together. What was there once is told as 0 when it is no more.
    pub fn all(&self) -> OutputStates {
        let mut all = self.counts().all.clone();
        all.entry("delivered").or_default();
        all
    }
}

fn metric_label(delivery: &Delivery) -> &'static str {
    match delivery {
        Delivery::Done => "delivered",
        Delivery::Kept => "kept",
        Delivery::Conflict => "conflict",
        Delivery::Contested => "contested",
        Delivery::NamespaceMissing => "namespace_missing",
        Delivery::TooLarge(_) => "too_large",
        Delivery::Failed(_) => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::{Delivery, Desired, Outcomes, Tallies};
    use crate::{
        api::entitlement_definition::OutputKind,
        evaluation::{object::ObjectKey, plan::Stuck},
    };

    fn key(name: &str) -> ObjectKey {
        ObjectKey { kind: OutputKind::ConfigMap, namespace: "one".into(), name: name.into() }
    }

    #[test]
    fn the_last_of_each_organization_counts() {
        let tallies = Tallies::default();
        let mut outcomes = Outcomes::default();
        outcomes.stuck.push(Stuck::new(None, "held".to_owned()));
        tallies.tell(&"acme".into(), &Desired::default(), &outcomes);
        tallies.tell(&"globex".into(), &Desired::default(), &outcomes);
        assert_eq!(tallies.all().into_iter().collect::<Vec<_>>(), [("delivered", 0), ("not_withdrawn", 2)]);
        outcomes.stuck.clear();
        // What nobody wants is not counted.
        outcomes.deliveries.insert(key("a"), Delivery::Conflict);
        tallies.tell(&"acme".into(), &Desired::default(), &outcomes);
        tallies.tell(&"acme".into(), &Desired::default(), &outcomes);
        assert_eq!(tallies.all().into_iter().collect::<Vec<_>>(), [("delivered", 0), ("not_withdrawn", 1)]);
        assert_eq!(tallies.counts().of.len(), 1);
    }
}
