//! The plans that subscriptions name: which revision of each counts, and why one cannot be taken anew.

use crate::{
    api::{entitlement_definition::Rollout, entitlement_plan::PlanType},
    core::{
        plan::Plan,
        refusal::{Reason, Refusal},
    },
    evaluation::{
        Snapshot,
        catalogue::{CatalogueEntry, Present},
    },
};
use std::sync::Arc;

/// The plans as they are now, and were.
#[derive(Clone, Copy)]
pub struct Plans<'a> {
    snapshot: &'a Snapshot,
}

/// A plan as it counts for one subscription.
#[derive(Clone, Debug)]
pub struct Counting<'a> {
    /// The revision; absent where none is kept.
    pub revision: Option<Arc<str>>,
    /// The plan as of that revision: its entries, amounts and notices.
    pub agreed: &'a Arc<Plan>,
    /// The plan that serves, whose facets go first.
    pub serving: Option<&'a Arc<Plan>>,
}

/// What there is of a plan for one subscription.
#[derive(Clone, Debug)]
pub enum Choice<'a> {
    /// This counts.
    Counts(Counting<'a>),
    /// The revision that was agreed is not there.
    Lost,
    /// No valid state of it is known.
    Unknown,
}

impl<'a> Plans<'a> {
    /// Those of a snapshot.
    pub fn of(snapshot: &'a Snapshot) -> Self {
        Self { snapshot }
    }

    fn entry(self, plan: &str) -> Option<&'a CatalogueEntry<Plan>> {
        self.snapshot.plans.get(plan).map(AsRef::as_ref)
    }

    /// The last valid state.
    pub fn serving(self, plan: &str) -> Option<&'a Arc<Plan>> {
        self.entry(plan)?.serving.as_ref()
    }

    /// Whether it exists.
    pub fn exists(self, plan: &str) -> bool {
        self.entry(plan).is_some_and(|entry| entry.present != Present::Missing)
    }

    /// Why a plan cannot be taken anew as that type.
    pub fn fault(self, plan: &str, type_: PlanType) -> Option<Refusal> {
        let missing = || {
            let message = format!("there is no plan {plan}: make it, or name one that exists");
            Some(Refusal::new(Reason::PlanNotFound, message))
        };
        let Some(entry) = self.entry(plan) else { return missing() };
        match &entry.present {
            Present::Missing => return missing(),
            Present::Invalid(problem) => {
                return Some(Refusal::new(Reason::PlanNotReady, format!("plan {plan} cannot be sold: {problem}")));
            }
            Present::Valid => {}
        }
        let serving = entry.serving.as_ref()?;
        if serving.type_ != type_ {
            let message = match serving.type_ {
                PlanType::AddOn => {
                    format!("plan {plan} is an AddOn: name it under addOns, and one of type Plan here")
                }
                PlanType::Plan => {
                    format!("plan {plan} is no AddOn: subscribe to it, or change to it by an amendment")
                }
            };
            return Some(Refusal::new(Reason::PlanNotReady, message));
        }
        serving.retired.then(|| {
            Refusal::new(Reason::PlanRetired, format!("plan {plan} is retired, and sold no longer: choose another"))
        })
    }

    /// What of a plan counts for who took that revision of it; the one that serves for who took none yet.
    pub fn choose(self, plan: &str, taken: Option<&Arc<str>>) -> Choice<'a> {
        let Some(entry) = self.entry(plan) else {
            return if taken.is_some() && self.snapshot.knows_revisions { Choice::Lost } else { Choice::Unknown };
        };
        let serving = entry.serving.as_ref();
        let present = || match serving {
            Some(agreed) => {
                Choice::Counts(Counting { revision: entry.revision.as_deref().map(Into::into), agreed, serving })
            }
            None => Choice::Unknown,
        };
        let Some(taken) = taken else { return present() };
        if serving.is_some_and(|serving| serving.rollout == Rollout::Everyone) {
            return present();
        }
        match entry.history.agreed(taken) {
            Some((revision, agreed)) => {
                Choice::Counts(Counting { revision: Some(Arc::clone(revision)), agreed, serving })
            }
            None if self.snapshot.knows_revisions => Choice::Lost,
            None => present(),
        }
    }
}
