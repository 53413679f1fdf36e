//! Nothing is called ready where there is no namespace to deliver to.

use super::{definition, instance, inventory, organization};
use crate::{
    api::{
        Condition, ConditionStatus, EntitlementInstanceStatus, Phase,
        conditions::{ACCEPTED, DELIVERED, ENTITLED, READY},
    },
    core::namespace::NamespaceFacts,
    evaluation::{
        Snapshot, evaluate,
        plan::{Delivery, Outcomes, Scene, writes},
        status::{Statuses, statuses},
    },
    offline::survey::owner,
};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

/// What is the matter with a namespace.
#[derive(Clone, Copy, Debug)]
enum Matter {
    Nothing,
    Missing,
    Taken,
    OfGrants,
    Operators,
}

impl Matter {
    fn facts(self) -> NamespaceFacts {
        let own = NamespaceFacts { present: true, claimed_by: Some("acme".to_owned()), ..NamespaceFacts::default() };
        match self {
            Self::Nothing => own,
            Self::Missing => NamespaceFacts { present: false, ..own },
            Self::Taken => NamespaceFacts { claimed_by: Some("older".to_owned()), ..own },
            Self::OfGrants => NamespaceFacts { holds_grant: Some("one/a".to_owned()), ..own },
            Self::Operators => NamespaceFacts { is_operators: true, ..own },
        }
    }
}

const NAMESPACES: [&str; 3] = ["one", "two", "three"];

/// Grants in every phase, of a definition with outputs, one without any, and one that has a single object for all grants.
fn snapshot(matters: &[Matter]) -> Snapshot {
    let mut inventory = inventory();
    inventory.add_organization(organization("acme", &NAMESPACES[..matters.len()], &json!({})));
    let output = |per: &str| json!([{"name": "config", "kind": "ConfigMap", "per": per, "items": [{"key": "a", "template": "a"}]}]);
    let kinds = [("several", output("Instance")), ("common", output("Definition")), ("plain", json!([]))];
    let specs = [
        ("active", json!({"start": "2026-01-01"})),
        ("grace", json!({"start": "2026-01-01", "end": "2026-06-29"})),
        ("waiting", json!({"start": "2027-01-01"})),
        ("over", json!({"start": "2025-01-01", "end": "2025-12-31"})),
        ("suspended", json!({"start": "2026-01-01", "suspended": true})),
        ("cancelled", json!({"start": "2026-01-01", "state": "Cancelled"})),
        ("draft", json!({"start": "2026-01-01", "state": "Draft"})),
        ("refused", json!({"start": "2026-01-01", "amount": 1})),
    ];
    for (kind, outputs) in kinds {
        let spec = json!({"type": "Feature", "allowMultiple": true, "gracePeriod": "P14D", "outputs": outputs});
        inventory.add_definition(definition(kind, &spec));
        for (name, spec) in &specs {
            let mut spec = spec.clone();
            spec["organization"] = "acme".into();
            spec["definition"] = kind.into();
            inventory.add_instance(instance("entitlements", &format!("{kind}-{name}"), &spec, &Value::Null));
        }
    }
    let catalogue = inventory.catalogue();
    let mut snapshot = inventory.snapshots(&catalogue).remove(0);
    for (namespace, matter) in NAMESPACES.into_iter().zip(matters) {
        snapshot.namespaces.insert(namespace.into(), matter.facts());
    }
    snapshot
}

/// The statuses once all has been written that can be.
fn settled(snapshot: &Snapshot) -> Statuses {
    let evaluation = evaluate(snapshot, super::now());
    let writes = writes(&evaluation.desired, &owner(snapshot, []), &Scene::default());
    let mut outcomes = Outcomes { deliveries: writes.settled, ..Outcomes::default() };
    outcomes.deliveries.extend(writes.changes.into_iter().map(|(key, ..)| (key, Delivery::Done)));
    statuses(&evaluation, &outcomes)
}

fn find<'a>(conditions: &'a [Condition], type_: &str) -> &'a Condition {
    conditions.iter().find(|condition| condition.type_ == type_).unwrap()
}

fn in_force(statuses: &Statuses) -> Vec<&EntitlementInstanceStatus> {
    let all = statuses.grants.iter().map(|status| status.as_ref().unwrap());
    all.filter(|status| status.phase.is_some_and(Phase::is_in_force)).collect()
}

const MISSING: &str = "namespace one does not exist or is terminating: it is served as soon as it is there";
const TAKEN: &str = "namespace one belongs to the older organization older: remove it from one of the two";

#[rstest]
#[case::missing(&[Matter::Missing], "NamespaceMissing", MISSING)]
#[case::taken(&[Matter::Taken], "NamespaceTaken", TAKEN)]
#[case::of_grants(
    &[Matter::OfGrants], "NamespaceRefused",
    "namespace one holds the grant one/a, and is never a tenant's as long as it does: remove it"
)]
#[case::the_operators(
    &[Matter::Operators], "NamespaceRefused",
    "namespace one is the cluster's or the operator's own and never a tenant's: remove it"
)]
#[case::several(&[Matter::Taken, Matter::Missing, Matter::Missing], "NamespaceTaken", &format!("{TAKEN} (and 2 more)"))]
fn a_grant_in_force_says_what_to_do(#[case] matters: &[Matter], #[case] reason: &str, #[case] why: &str) {
    let statuses = settled(&snapshot(matters));
    let message = format!(
        "organization acme has no namespace to deliver to: make one that its spec.namespaces lists, or mend that list; {why}"
    );
    let in_force = in_force(&statuses);
    assert_eq!(in_force.len(), 6);
    for status in in_force {
        for type_ in [DELIVERED, READY] {
            let condition = find(&status.conditions, type_);
            assert_eq!((condition.status, condition.reason.as_str()), (ConditionStatus::False, reason));
            assert_eq!(condition.message, message);
        }
        assert_eq!(find(&status.conditions, ACCEPTED).status, ConditionStatus::True);
        assert_eq!(find(&status.conditions, ENTITLED).status, ConditionStatus::True);
    }
}

fn matters() -> impl Strategy<Value = Vec<Matter>> {
    let all = vec![Matter::Nothing, Matter::Missing, Matter::Taken, Matter::OfGrants, Matter::Operators];
    prop::collection::vec(prop::sample::select(all), 1..=3)
}

proptest! {
    #[test]
    fn nothing_in_force_is_ready_without_a_namespace(matters in matters()) {
        let statuses = settled(&snapshot(&matters));
        let is_served = matters.iter().any(|matter| matches!(matter, Matter::Nothing));
        let is_awaited = matters.iter().any(|matter| matches!(matter, Matter::Missing));
        let organization = statuses.organization.as_ref().unwrap();
        let of_organization = find(&organization.conditions, READY);
        for status in in_force(&statuses) {
            let (ready, delivered) = (find(&status.conditions, READY), find(&status.conditions, DELIVERED));
            prop_assert_eq!(ready.reason == delivered.reason, ready.status == ConditionStatus::False);
            prop_assert_eq!(ready.status, delivered.status);
            if !is_served {
                prop_assert_eq!(ready.status, ConditionStatus::False);
                prop_assert_eq!(&ready.reason, &of_organization.reason);
            } else if !is_awaited {
                prop_assert_eq!(ready.status, ConditionStatus::True);
            }
        }
        // What is not in force delivers nothing, wherever.
        let undisturbed = settled(&snapshot(&vec![Matter::Nothing; matters.len()]));
        let pairs = statuses.grants.iter().flatten().zip(undisturbed.grants.iter().flatten());
        for (status, undisturbed) in pairs {
            if !status.phase.is_some_and(Phase::is_in_force) {
                prop_assert_eq!(status, undisturbed);
            }
        }
    }
}
