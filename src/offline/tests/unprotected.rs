//! What the operator of a cluster says of the policies there is believed by whoever cannot see them.

use crate::{
    core::calendar::parse_instant,
    offline::{EntitlementKind, Inventory, Status, Subject},
};
use serde_json::{Value, json};
use std::sync::Arc;

fn metadata(name: &str, namespace: Option<&str>) -> Value {
    json!({"name": name, "namespace": namespace, "uid": name, "creationTimestamp": "2027-03-01T09:00:00Z"})
}

/// How it stands with an override that bob approved and of which the operator says this.
fn said(of: &Value, is_cluster: bool) -> (String, String) {
    let mut inventory = Inventory::new(parse_instant("2027-03-01T09:00:00Z").unwrap(), "entitlement-operator");
    let mut add = |kind, object: &Value| inventory.add(kind, object).unwrap();
    let spec = json!({"namespaces": ["acme"], "timeZone": "Europe/Berlin"});
    add(EntitlementKind::Organization, &json!({"metadata": metadata("acme", None), "spec": spec}));
    let spec = json!({"type": "Quantity", "unit": "seats", "amount": 1});
    add(EntitlementKind::EntitlementDefinition, &json!({"metadata": metadata("seats", None), "spec": spec}));
    let spec = json!({
        "override": {"name": "more", "uid": "more"}, "definition": "seats", "decision": "Approve", "decidedBy": "bob",
    });
    let place = Some("entitlements");
    add(EntitlementKind::OverrideDecision, &json!({"metadata": metadata("yes", place), "spec": spec}));
    let spec = json!({
        "organization": "acme", "definition": "seats", "amount": 10, "end": "2027-03-20", "requestedBy": "alice",
        "reason": "a fair needs more of them",
    });
    let condition = json!({
        "type": "Accepted", "status": "False", "reason": of["reason"], "message": of["message"],
        "lastTransitionTime": "2027-03-01T09:00:00Z", "observedGeneration": 1,
    });
    let status = json!({"observedGeneration": 1, "conditions": [condition]});
    let object = json!({"metadata": metadata("more", place), "spec": spec, "status": status});
    add(EntitlementKind::EntitlementOverride, &object);
    if is_cluster {
        inventory.believe_operator(&object).unwrap();
    }
    let subject = Subject {
        kind: EntitlementKind::EntitlementOverride,
        namespace: Some(Arc::from("entitlements")),
        name: "more".into(),
    };
    let survey = inventory.survey(parse_instant("2027-03-02T00:00:00Z").unwrap());
    let Status::Override(status) = &survey.statuses[&subject] else { panic!("{:?}", survey.statuses) };
    let accepted = &status.conditions[0];
    (accepted.reason.clone(), accepted.message.clone())
}

#[test]
fn what_the_operator_says_of_its_policies_is_believed_of_a_cluster_alone() {
    let unprotected = json!({"reason": "ApprovalsUnprotected", "message": "a binding is missing: apply it"});
    let accepted = ("Accepted".to_owned(), "the override may be held".to_owned());
    let refused = ("ApprovalsUnprotected".to_owned(), "a binding is missing: apply it".to_owned());
    assert_eq!(said(&unprotected, true), refused);
    assert_eq!(said(&unprotected, false), accepted);
    assert_eq!(said(&json!({"reason": "ApprovalRequired", "message": "1 more"}), true), accepted);
}
