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
    use super::{Delivery, Desired, Outcomes, OutputStates, Tallies};
    use crate::{
        api::entitlement_definition::OutputKind,
        evaluation::{
            object::{DesiredObject, ObjectKey, Wish},
            plan::Stuck,
        },
    };
    use proptest::prelude::*;
    use std::collections::BTreeMap;

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

    /// What came of a few objects of an organization, and how many of its objects are not withdrawn.
    fn told() -> impl Strategy<Value = (usize, Vec<Option<Delivery>>, usize)> {
        let delivery = prop_oneof![
            Just(None),
            Just(Some(Delivery::Done)),
            Just(Some(Delivery::Conflict)),
            Just(Some(Delivery::TooLarge(1))),
            Just(Some(Delivery::Failed("no".to_owned()))),
        ];
        (0..3_usize, prop::collection::vec(delivery, 0..4), 0..2_usize)
    }

    proptest! {
        #[test]
        fn all_is_the_sum_of_what_was_told_last(told in prop::collection::vec(told(), 1..20)) {
            let (tallies, mut last) = (Tallies::default(), BTreeMap::new());
            for (organization, deliveries, stuck) in told {
                let (mut desired, mut outcomes) = (Desired::default(), Outcomes::default());
                outcomes.stuck = vec![Stuck::new(None, "held".to_owned()); stuck];
                for (number, delivery) in deliveries.iter().enumerate() {
                    let wanted = DesiredObject { grant: None, wish: Wish::Keep, is_retained: false };
                    desired.objects.insert(key(&number.to_string()), wanted);
                    outcomes.deliveries.extend(delivery.iter().map(|delivery| (key(&number.to_string()), delivery.clone())));
                }
                tallies.tell(&organization.to_string().into(), &desired, &outcomes);
                last.insert(organization, (deliveries, stuck));
                let mut sum = OutputStates::from([("not_withdrawn", last.values().map(|(_, stuck)| *stuck as u64).sum())]);
                for delivery in last.values().flat_map(|(deliveries, _)| deliveries) {
                    *sum.entry(delivery.as_ref().map_or(super::PENDING, super::metric_label)).or_default() += 1;
                }
                let some = |states: OutputStates| states.into_iter().filter(|(_, count)| *count > 0).collect::<Vec<_>>();
                prop_assert_eq!(some(tallies.all()), some(sum));
            }
        }
    }
}
