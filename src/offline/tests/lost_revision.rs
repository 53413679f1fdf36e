//! What a subscription gives whose plan's agreed revision is lost: what its status says was given, or was to be given.

use super::inventory;
use crate::{
    core::{
        calendar::parse_instant,
        source::{SourceId, SourceKind},
    },
    evaluation::{
        catalogue::Revision,
        object::{DEFINITION, MANAGED_BY, MANAGER},
    },
    offline::{EntitlementKind, Inventory, Subject},
};
use rstest::rstest;
use serde_json::{Value, json};

/// Business gave 25 seats and single sign-on, which its lost revision said; now it gives 20 seats.
fn world(spec: &Value, phase: &str, entitlements: &Value) -> Inventory {
    let mut inventory = inventory();
    let mut add = |kind, name: &str, object: Value| {
        let mut whole = json!({"metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z", "uid": format!("u-{name}")}});
        whole.as_object_mut().unwrap().extend(object.as_object().unwrap().clone());
        if kind == EntitlementKind::EntitlementSubscription {
            whole["metadata"]["namespace"] = "entitlements".into();
        }
        inventory.add(kind, &whole).unwrap();
    };
    add(EntitlementKind::Organization, "acme", json!({"spec": {"namespaces": ["acme"]}}));
    let seats = json!({"type": "Quantity", "unit": "seats", "amount": 1});
    add(EntitlementKind::EntitlementDefinition, "seats", json!({"spec": seats}));
    add(EntitlementKind::EntitlementDefinition, "sso", json!({"spec": {"type": "Feature"}}));
    let groups = json!([{"name": "all", "entitlements": [{"definition": "seats", "amount": 20}]}]);
    add(EntitlementKind::EntitlementPlan, "business", json!({"spec": {"groups": groups}}));
    let mut stated = json!({"organization": "acme", "plan": "business", "start": "2027-01-01"});
    stated.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    let accepted = json!({
        "timeZone": "UTC", "start": "2027-01-01", "plan": "business", "agreement": "", "line": "business",
        "chain": {"name": "ours", "uid": "u-ours", "since": "2026-01-01T00:00:00Z", "day": 1},
        "plans": [{"plan": "business", "revision": "plan.business-lost"}],
    });
    let status = json!({"phase": phase, "accepted": accepted, "entitlements": entitlements});
    add(EntitlementKind::EntitlementSubscription, "ours", json!({"spec": stated, "status": status}));
    let kept = json!({
        "metadata": {"name": "seats-1", "labels": {MANAGED_BY: MANAGER, DEFINITION: "seats"}},
        "revision": 1, "data": {"spec": seats},
    });
    inventory.add_revision(Revision::read(serde_json::from_value(kept).unwrap()).unwrap());
    inventory
}

fn status(inventory: &Inventory, at: &str) -> Value {
    let survey = inventory.survey(parse_instant(at).unwrap());
    let subject = Subject::source(&SourceId::new(SourceKind::Subscription, "entitlements", "ours"));
    survey.statuses[&subject].to_json().unwrap()
}

const BEFORE: &str = "2026-06-01T00:00:00Z";
const WITHIN: &str = "2027-06-01T00:00:00Z";

fn rights(is_entitled: bool) -> Value {
    json!([
        {"definition": "seats", "entitled": is_entitled, "amount": "25"},
        {"definition": "sso", "entitled": is_entitled},
    ])
}

#[rstest]
#[case::in_force("Active", true, json!({}), WITHIN, "Active", true)]
#[case::not_begun("Waiting", false, json!({}), BEFORE, "Waiting", false)]
#[case::begun_since("Waiting", false, json!({}), WITHIN, "Active", true)]
#[case::suspended("Suspended", false, json!({"suspended": true}), WITHIN, "Suspended", false)]
#[case::suspended_since("Active", true, json!({"suspended": true}), WITHIN, "Suspended", false)]
#[case::resumed_since("Suspended", false, json!({}), WITHIN, "Active", true)]
fn what_was_given_or_to_be_given_stays(
    #[case] phase: &str,
    #[case] was_entitled: bool,
    #[case] spec: Value,
    #[case] at: &str,
    #[case] becomes: &str,
    #[case] is_entitled: bool,
) {
    let status = status(&world(&spec, phase, &rights(was_entitled)), at);
    assert_eq!((&status["phase"], &status["entitlements"]), (&json!(becomes), &rights(is_entitled)));
}

#[test]
fn what_was_not_given_while_the_rest_was_or_was_removed_stays_away() {
    let known = json!([
        {"definition": "seats", "entitled": true, "amount": "25"},
        {"definition": "sso", "entitled": false},
    ]);
    let given = json!([{"definition": "seats", "entitled": true, "amount": "25"}]);
    assert_eq!(status(&world(&json!({}), "Active", &known), WITHIN)["entitlements"], given);
    let known = json!([
        {"definition": "seats", "entitled": false, "amount": "25"},
        {"definition": "sso", "entitled": false, "removed": true},
    ]);
    assert_eq!(status(&world(&json!({}), "Suspended", &known), WITHIN)["entitlements"], given);
}
