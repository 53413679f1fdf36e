//! What becomes of those who have a plan that is edited, which its rollout decides.

use super::{Inventory, When, zone_of};
use crate::{
    api::{Phase, entitlement_definition::Rollout},
    core::source::{SourceId, subscription::Subscription},
    evaluation::decision::decide,
};
use std::{collections::BTreeMap, sync::Arc};

/// A plan that is edited, with those who have it.
#[derive(Clone, Debug)]
pub struct PlanEdit {
    /// The plan.
    pub plan: Arc<str>,
    /// How the edit reaches those who have it; absent where the plan is gone or invalid, so that its last valid state serves.
    pub rollout: Option<Rollout>,
    /// Those who have it, or will.
    pub holders: Vec<PlanHolder>,
}

/// A subscription to a plan that is edited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanHolder {
    /// The organization.
    pub organization: Arc<str>,
    /// The subscription.
    pub source: SourceId,
    /// What becomes of it.
    pub fate: PlanFate,
}

/// What an edit of a plan does to one who has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanFate {
    /// It changes at once, as the rollout is `Everyone`.
    Changed,
    /// It changes, as the agreement is another one too.
    AgreedAnew,
    /// It stays as it was agreed, as the rollout is `Agreed`.
    Kept,
    /// It stays, as what serves is the last valid state of the plan.
    Unserved,
}

impl Inventory {
    /// The plans that these objects edit, which come after those of `old` at a moment, with all who have them. What a plan
    /// includes is part of it.
    #[must_use]
    pub fn plan_edits(&self, old: &Self, when: impl Into<When>, chooses: impl Fn(&str) -> bool) -> Vec<PlanEdit> {
        let when = when.into();
        let catalogues = (old.catalogue(), self.catalogue());
        let mut edits: BTreeMap<Arc<str>, PlanEdit> = BTreeMap::new();
        for name in old.plans.keys() {
            let Ok(before) = old.present_plan(name, &catalogues.0) else { continue };
            let after = self.present_plan(name, &catalogues.1).ok();
            if after.as_ref().is_some_and(|after| after.gives_the_same(&before)) {
                continue;
            }
            let rollout = after.and_then(|_| self.plans.get(name)).map(|plan| plan.spec.rollout);
            edits.insert(Arc::clone(name), PlanEdit { plan: Arc::clone(name), rollout, holders: Vec::new() });
        }
        if edits.is_empty() {
            return Vec::new();
        }
        for snapshot in old.snapshots(&catalogues.0).into_iter().filter(|snapshot| chooses(&snapshot.name)) {
            let now = when.first(zone_of(snapshot.organization.as_deref()));
            for decided in decide(&snapshot, now).subscriptions {
                let phase = decided.verdict.phase;
                if !matches!(phase, Phase::Waiting | Phase::Active | Phase::Grace | Phase::Suspended) {
                    continue;
                }
                let id = decided.subscription.id();
                let Some(after) = self.subscriptions.get(&id) else { continue };
                for plan in &decided.agreed.seen {
                    let Some(edit) = edits.get_mut(plan) else { continue };
                    let fate = fate(edit.rollout, &decided.subscription, after);
                    let organization = Arc::clone(&decided.subscription.organization);
                    edit.holders.push(PlanHolder { organization, source: id.clone(), fate });
                }
            }
        }
        edits.into_values().filter(|edit| !edit.holders.is_empty()).collect()
    }
}

fn fate(rollout: Option<Rollout>, before: &Subscription, after: &Subscription) -> PlanFate {
    match rollout {
        None => PlanFate::Unserved,
        Some(Rollout::Everyone) => PlanFate::Changed,
        Some(Rollout::Agreed) if before.agreement != after.agreement => PlanFate::AgreedAnew,
        Some(Rollout::Agreed) => PlanFate::Kept,
    }
}
