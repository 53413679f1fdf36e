use super::{fine, instance, now, organization, refused, settled, snapshot, warned};
use crate::{
    api::Organization,
    core::namespace::NamespaceFacts,
    evaluation::{
        Snapshot,
        admission::{AdmissionVerdict, Candidate, review_organization},
    },
};
use serde_json::{Value, json};
use std::sync::Arc;

/// The grant `a`, which is in force, and namespaces of all kinds.
fn with(organization: Option<Organization>) -> Snapshot {
    let mut snapshot = snapshot(&settled(&[instance("a", &json!({}))], now()));
    snapshot.organization = organization.map(Arc::new);
    let there = |claimed_by: &str| NamespaceFacts {
        present: true,
        claimed_by: Some(claimed_by.to_owned()),
        ..NamespaceFacts::default()
    };
    snapshot.namespaces.insert("taken".into(), there("older"));
    snapshot
        .namespaces
        .insert("grants".into(), NamespaceFacts { holds_grant: Some("grants/b".to_owned()), ..there("acme") });
    snapshot.namespaces.insert("operator".into(), NamespaceFacts { is_operators: true, ..there("acme") });
    snapshot
}

fn changed(before: Option<Value>, after: Option<Value>) -> AdmissionVerdict {
    let state = |spec: Option<Value>| Candidate::of(with(spec.map(|spec| organization(&spec))));
    review_organization(&state(before), &state(after), &|_| None, now())
}

const REFUSED: &str = "namespace operator is the cluster's or the operator's own and never a tenant's: remove it";
const TAKEN: &str = "namespace taken belongs to the older organization older: remove it from one of the two";
const MISSING: &str = "namespace absent does not exist or is terminating: it is served as soon as it is there";

#[test]
fn refuses_what_its_condition_would_say() {
    assert_eq!(changed(None, Some(json!({}))), fine());
    assert_eq!(changed(None, Some(json!({"namespaces": ["acme", "operator"]}))), refused("NamespaceRefused", REFUSED));
    assert_eq!(changed(None, Some(json!({"namespaces": ["taken"]}))), refused("NamespaceTaken", TAKEN));
    let grants = "namespace grants holds the grant grants/b, and is never a tenant's as long as it does: remove it";
    assert_eq!(changed(None, Some(json!({"namespaces": ["grants"]}))), refused("NamespaceRefused", grants));
    let zone = changed(None, Some(json!({"timeZone": "Europe/Berlim"}))).refused.unwrap();
    assert_eq!(zone.reason, "InvalidTimeZone");
    assert!(zone.message.contains("Europe/Berlin"), "{}", zone.message);
}

#[test]
fn warns_of_a_namespace_that_does_not_exist() {
    assert_eq!(changed(None, Some(json!({"namespaces": ["acme", "absent"]}))), warned(&[MISSING]));
}

#[test]
fn what_was_wrong_before_bars_nothing() {
    let before = json!({"namespaces": ["taken", "absent"], "timeZone": "Mars/Olympus"});
    let mut after = before.clone();
    after["displayName"] = json!("The Client");
    assert_eq!(changed(Some(before.clone()), Some(after.clone())), fine());
    // But each namespace counts for itself.
    after["namespaces"] = json!(["taken", "absent", "operator"]);
    assert_eq!(changed(Some(before), Some(after)), refused("NamespaceRefused", REFUSED));
}

#[test]
fn warns_of_grants_that_lose_the_right_to_be_granted() {
    let warning = "this is at the cost of the grant entitlements/a: NamespaceNotAllowed: organization acme does not allow grants from namespace entitlements: make the instance in one of its assignableFrom (sales)";
    assert_eq!(changed(Some(json!({})), Some(json!({"assignableFrom": ["sales"]}))), warned(&[warning]));
    assert_eq!(changed(Some(json!({})), Some(json!({"assignableFrom": ["sales", "entitlements"]}))), fine());
}

#[test]
fn warns_of_what_goes_with_it() {
    let warning =
        "with the organization, all that is delivered to it is withdrawn: the grant entitlements/a is in force now";
    assert_eq!(changed(Some(json!({})), None), warned(&[warning]));
    assert_eq!(changed(Some(json!({"suspended": true})), None), fine());
}
