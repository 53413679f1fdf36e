//! The status of a plan.

use crate::{
    api::{EntitlementPlan, EntitlementPlanStatus, conditions::READY, entitlement_plan::PlanSubscriptions},
    core::{calendar::Instant, plan::Plan, reason::ReasonCode},
    evaluation::{
        catalogue::{CatalogueEntry, Present},
        conditions::Conditions,
    },
};

/// The status of a plan: whether it can be sold as it is written, how many subscriptions have it, which revision of it serves, and
/// how many definitions that gives.
#[must_use]
pub fn plan_status(
    plan: &EntitlementPlan,
    entry: &CatalogueEntry<Plan>,
    subscriptions: PlanSubscriptions,
    now: Instant,
) -> EntitlementPlanStatus {
    let generation = plan.metadata.generation.unwrap_or(1);
    let before = plan.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let mut conditions = Conditions::after(before, generation, now);
    match &entry.present {
        Present::Valid if plan.spec.retired => {
            let message = "the plan is retired: who has it keeps it and may renew it, and nobody else can have it";
            conditions.set(READY, true, ReasonCode::Valid, message);
        }
        Present::Valid => conditions.set(READY, true, ReasonCode::Valid, "the plan can be sold"),
        Present::Invalid(problem) => {
            conditions.set(READY, false, problem.reason, format!("{}; {}", problem.message, who_serves(entry)));
        }
        // Only for the moment in which a deletion is known of the catalogue, and not yet of this object.
        Present::Missing => {
            let message = format!("it is being deleted; {}", who_serves(entry));
            conditions.set(READY, false, ReasonCode::PlanNotFound, message);
        }
    }
    let entitlements = entry.serving.as_ref().map_or(0, |serving| serving.entries.len());
    EntitlementPlanStatus {
        observed_generation: generation,
        conditions: conditions.into_vec(),
        subscriptions,
        revision: entry.revision.clone(),
        entitlements: entitlements as u64,
    }
}

fn who_serves(entry: &CatalogueEntry<Plan>) -> String {
    match &entry.revision {
        None => "it was never valid, so nobody can have it".to_owned(),
        Some(name) => format!("its revision {name} serves who has it, and nobody else can have it"),
    }
}

#[cfg(test)]
mod tests {
    use super::plan_status;
    use crate::{
        api::{ConditionStatus, EntitlementPlan, entitlement_plan::PlanSubscriptions},
        core::{plan::Plan, problem::Problem, reason::ReasonCode},
        evaluation::{
            catalogue::{CatalogueEntry, Catalogued, PlanCatalogue, PlanState, Present},
            status::grants::tests::{now, ready},
        },
    };
    use serde_json::{Value, json};
    use std::collections::{BTreeMap, BTreeSet};

    fn plan(spec: &Value) -> EntitlementPlan {
        let mut plan: EntitlementPlan =
            serde_json::from_value(json!({"metadata": {"name": "pro", "generation": 3}, "spec": spec})).unwrap();
        plan.status = serde_json::from_value(json!({"conditions": [{
            "type": "Ready", "status": "True", "reason": "Valid", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
        }]}))
        .unwrap();
        plan
    }

    fn entry(plan: &EntitlementPlan) -> CatalogueEntry<Plan> {
        let (plans, unreadable, definitions) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        let catalogue = PlanCatalogue { plans: &plans, unreadable: &unreadable, definitions: &definitions };
        let state = PlanState::gather("pro", &plan.spec, &catalogue).unwrap();
        CatalogueEntry {
            revision: Some("plan.pro-0123456789".to_owned()),
            ..CatalogueEntry::valid(Plan::compile("pro", &state).unwrap())
        }
    }

    #[test]
    fn tells_that_a_plan_can_be_sold() {
        let counts = PlanSubscriptions { total: 4, active: 2 };
        for (spec, message) in [
            (json!({}), "the plan can be sold"),
            (
                json!({"retired": true}),
                "the plan is retired: who has it keeps it and may renew it, and nobody else can have it",
            ),
        ] {
            let plan = plan(&spec);
            let status = plan_status(&plan, &entry(&plan), counts, now());
            assert_eq!((status.observed_generation, status.subscriptions, status.entitlements), (3, counts, 0));
            assert_eq!(status.revision.as_deref(), Some("plan.pro-0123456789"));
            assert_eq!(status.conditions, [ready(ConditionStatus::True, "Valid", message, "2026-01-01T00:00:00Z")]);
        }
    }

    #[test]
    fn tells_which_revision_serves_an_invalid_one() {
        let plan = plan(&json!({}));
        let invalid = Present::Invalid(Problem::new(ReasonCode::IncludeNotFound, "there is no plan basic: make it"));
        for (entry, message) in [
            (
                CatalogueEntry { present: invalid.clone(), serving: None, revision: None, ..entry(&plan) },
                "there is no plan basic: make it; it was never valid, so nobody can have it",
            ),
            (
                CatalogueEntry { present: invalid.clone(), ..entry(&plan) },
                "there is no plan basic: make it; its revision plan.pro-0123456789 serves who has it, and nobody else can have it",
            ),
        ] {
            let status = plan_status(&plan, &entry, PlanSubscriptions::default(), now());
            let expected = ready(ConditionStatus::False, "IncludeNotFound", message, "2026-07-01T00:00:00Z");
            assert_eq!(status.conditions, [expected]);
        }
    }
}
