//! Overrides, which bear on no other grant, and decisions on them.

use super::{definition, entry, fine, now, refused, snapshot, warned};
use crate::{
    api::{EntitlementOverride, OverrideDecision},
    core::{
        approval::{Approvals, Protection, StatedDecision},
        calendar::parse_instant,
        source::{SourceId, SourceKind, overrides},
    },
    evaluation::{
        Snapshot,
        admission::{AdmissionVerdict, Candidate, DefinitionUse, review_decision, review_definition, review_override},
    },
};
use rstest::rstest;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

fn id() -> SourceId {
    SourceId::new(SourceKind::Override, "entitlements", "a")
}

fn override_of(spec: &Value, status: &Value) -> EntitlementOverride {
    let mut whole = json!({
        "organization": "acme", "definition": "seats", "amount": 10, "end": "2026-07-20", "requestedBy": "alice",
        "reason": "a trade fair in July",
    });
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    whole.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let metadata = json!({
        "name": "a", "namespace": "entitlements", "uid": "u-a", "creationTimestamp": "2026-07-01T00:00:00Z", "generation": 1,
    });
    serde_json::from_value(json!({"metadata": metadata, "spec": whole, "status": status})).unwrap()
}

fn known(one: Option<&EntitlementOverride>, decisions: Vec<StatedDecision>, protection: Protection) -> Snapshot {
    let mut known = snapshot(&[]);
    known.grants = one.map(|one| Arc::new(overrides::grant(one))).into_iter().collect();
    let decisions = BTreeMap::from([("u-a".into(), decisions.into())]);
    known.approvals = Arc::new(Approvals { protection, decisions, ..Approvals::default() });
    known.catalogue.insert("fixed".into(), entry("fixed", &json!({"type": "Feature", "overrides": {"refused": true}})));
    known
}

fn review(before: Option<&EntitlementOverride>, after: Option<&EntitlementOverride>) -> AdmissionVerdict {
    let [before, after] = [before, after].map(|one| Candidate::of(known(one, Vec::new(), Protection::default())));
    review_override(&before, &after, &id(), now())
}

fn made(spec: &Value) -> AdmissionVerdict {
    review(None, Some(&override_of(spec, &Value::Null)))
}

/// Accepted by bob, and in force.
fn accepted() -> Value {
    let accepted = json!({"at": "2026-07-01T00:00:00Z", "by": ["bob"], "timeZone": "UTC"});
    json!({"observedGeneration": 1, "phase": "Active", "accepted": accepted})
}

#[test]
fn one_that_waits_for_approval_passes() {
    assert_eq!(made(&json!({})), fine());
    assert_eq!(made(&json!({"start": "2026-07-10", "ticket": "SALES-7"})), fine());
}

#[rstest]
#[case::no_organization(
    json!({"organization": "acme", "definition": "fixed", "amount": null}), "OverridesRefused",
    "there are no overrides of fixed: its spec.overrides.refused is true"
)]
#[case::no_definition(
    json!({"definition": "chairs"}), "DefinitionNotFound",
    "there is no definition chairs: make it, or make the grant anew with one that exists"
)]
#[case::no_amount(
    json!({"amount": null}), "InvalidAmount",
    "seats is counted: ask for another override that says in spec.amount how much it adds"
)]
#[case::an_amount_of_a_feature(
    json!({"definition": "pool"}), "InvalidAmount", "pool is a Feature, which is on or off: remove amount"
)]
fn what_could_never_be_accepted_is_refused(#[case] spec: Value, #[case] reason: &'static str, #[case] message: &str) {
    assert_eq!(made(&spec), refused(reason, message));
}

#[test]
fn a_term_that_is_too_long_or_no_term_is_refused() {
    for spec in [json!({"end": "2026-08-20"}), json!({"end": "2026-07-01T00:00:00Z"}), json!({"end": "soon"})] {
        let said = made(&spec);
        assert_eq!(said.refused.map(|problem| problem.reason.as_str()), Some("InvalidTerm"), "{spec}");
    }
}

#[test]
fn whoever_may_not_name_the_organization_is_told() {
    let mut after = known(Some(&override_of(&json!({}), &Value::Null)), Vec::new(), Protection::default());
    after.organization = None;
    let before = Snapshot { grants: Vec::new(), ..after.clone() };
    let [before, after] = [before, after].map(Candidate::of);
    let said = review_override(&before, &after, &id(), now());
    assert_eq!(said.refused.map(|problem| problem.reason.as_str()), Some("OrganizationNotFound"));
}

#[test]
fn one_that_is_taken_back_or_decided_can_be_edited_and_deleted() {
    let cancelled = override_of(&json!({"cancelled": true}), &Value::Null);
    assert_eq!(review(Some(&override_of(&json!({}), &Value::Null)), Some(&cancelled)), fine());
    let denied = json!({"observedGeneration": 1, "denied": {"at": "2026-07-01T00:00:00Z", "by": "bob"}});
    let denied = override_of(&json!({}), &denied);
    assert_eq!(review(Some(&denied), Some(&denied)), fine());
    assert_eq!(review(Some(&denied), None), fine());
    assert_eq!(review(Some(&override_of(&json!({}), &Value::Null)), None), fine());
}

#[test]
fn what_goes_with_one_in_force_is_said() {
    let one = override_of(&json!({}), &accepted());
    assert_eq!(
        review(Some(&one), None),
        warned(&[
            "bob approved it, and that goes with it: to end it now, and keep who asked and who approved, set spec.cancelled to true instead"
        ])
    );
    // Whoever deletes a namespace means all of it.
    let mut before = known(Some(&one), Vec::new(), Protection::default());
    before.namespaces.remove("entitlements");
    let after = known(None, Vec::new(), Protection::default());
    assert_eq!(review_override(&Candidate::of(before), &Candidate::of(after), &id(), now()), fine());
}

#[test]
fn one_that_nobody_can_approve_is_made_with_a_warning() {
    let one = override_of(&json!({}), &Value::Null);
    let protection = || Protection::Lacking("a policy is missing: install it".to_owned());
    let [before, after] = [None, Some(&one)].map(|one| Candidate::of(known(one, Vec::new(), protection())));
    let expected = warned(&["it will not be accepted: ApprovalsUnprotected: a policy is missing: install it"]);
    assert_eq!(review_override(&before, &after, &id(), now()), expected);
}

/// A decision on it, with other fields of its spec.
fn decision(name: &str, spec: &Value) -> StatedDecision {
    let mut whole = json!({
        "override": {"name": "a", "uid": "u-a"}, "definition": "seats", "decision": "Approve", "decidedBy": "bob",
    });
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    let metadata = json!({"name": name, "namespace": "entitlements", "creationTimestamp": "2026-07-01T00:00:00Z"});
    let read = serde_json::from_value::<OverrideDecision>(json!({"metadata": metadata, "spec": whole}));
    overrides::decision(&read.unwrap())
}

fn decided(status: &Value, spec: &Value) -> Vec<String> {
    let one = override_of(&json!({}), status);
    let earlier = vec![decision("earlier", &json!({"decidedBy": "carol", "decision": "Approve"}))];
    let candidate = Candidate::of(known(Some(&one), earlier, Protection::default()));
    let said = review_decision(Some(&candidate), &decision("d", spec), parse_instant("2026-07-01T00:00:00Z").unwrap());
    assert_eq!(said.refused, None);
    said.warnings
}

#[rstest]
#[case::it_counts(Value::Null, json!({}), &[])]
#[case::a_denial(Value::Null, json!({"decision": "Deny"}), &[])]
#[case::another_uid(
    Value::Null, json!({"override": {"name": "a", "uid": "u-old"}}),
    &["it will not count: entitlements/a has the UID u-a, and is not the one that this is about: look at what it asks for, and decide on that"]
)]
#[case::another_definition(
    Value::Null, json!({"definition": "pool"}), &["it will not count: entitlements/a is of definition seats: name that"]
)]
#[case::who_asked(
    Value::Null, json!({"decidedBy": "alice"}), &["it will not count: alice asked for it, so others have to decide"]
)]
#[case::a_service_account(
    Value::Null, json!({"decidedBy": "system:serviceaccount:ci:bot"}),
    &["it will not count: system:serviceaccount:ci:bot is a service account, and people decide"]
)]
#[case::twice(
    Value::Null, json!({"decidedBy": "carol", "decision": "Deny"}),
    &["it will not count: carol has decided on it already, by earlier, and the first decision of each person counts"]
)]
#[case::approved_already(accepted(), json!({}), &["it will not count: it is approved already, by bob"])]
#[case::denied_already(
    json!({"observedGeneration": 1, "denied": {"at": "2026-07-01T00:00:00Z", "by": "dave"}}), json!({}),
    &["it will not count: it is denied already, by dave"]
)]
#[case::too_late(
    json!({"observedGeneration": 1, "expired": {"at": "2026-07-01T00:00:00Z"}}), json!({}),
    &["it will not count: it was not approved in time"]
)]
fn a_decision_that_cannot_count_is_made_with_a_warning(
    #[case] status: Value,
    #[case] spec: Value,
    #[case] expected: &[&str],
) {
    assert_eq!(decided(&status, &spec), expected);
}

#[test]
fn a_decision_on_nothing_or_before_anybody_is_checked_is_made_with_a_warning() {
    let nothing = review_decision(None, &decision("d", &json!({})), now());
    assert_eq!(nothing, warned(&["it will not count: no override entitlements/a is known that could be decided"]));
    let one = override_of(&json!({}), &Value::Null);
    let protection = Protection::Lacking("a policy is missing: install it".to_owned());
    let candidate = Candidate::of(known(Some(&one), Vec::new(), protection));
    let said = review_decision(Some(&candidate), &decision("d", &json!({})), now());
    assert_eq!(said, warned(&["it will not count: a policy is missing: install it"]));
}

/// What was agreed stays agreed, but for facets, which are configuration.
#[test]
fn an_edit_of_the_definition_changes_nothing_of_an_accepted_one_but_facets() {
    let facets = |depth: u64| json!([{"name": "limits", "schema": {"type": "object", "properties": {"depth": {"type": "integer", "default": depth}}}}]);
    let seats = |more: Value| {
        let mut spec = json!({"type": "Quantity", "unit": "seats", "amount": 5, "facets": facets(1)});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    let edited = |after: Value| {
        let before = seats(json!({}));
        let mut holder = known(Some(&override_of(&json!({}), &accepted())), Vec::new(), Protection::default());
        holder.catalogue.insert("seats".into(), entry("seats", &before));
        let used = DefinitionUse { live: 1, holders: vec![Candidate::of(holder)], ..DefinitionUse::default() };
        let [before, after] = [before, after].map(|spec| definition("seats", &spec).spec);
        review_definition(&"seats".into(), Some(&before), Some(&after), &BTreeMap::new(), &used, now())
    };
    let known = edited(seats(json!({})));
    for agreed in [
        json!({"amount": 50}),
        json!({"rollout": "Everyone", "amount": 50}),
        json!({"term": "P1Y", "gracePeriod": "P7D"}),
        json!({"overrides": {"approvals": 5, "maxTerm": "P1D", "expiresAfter": "P1D", "refused": true}}),
    ] {
        assert_eq!(edited(seats(agreed.clone())), known, "{agreed}");
    }
    let told = edited(seats(json!({"facets": facets(2)})));
    assert!(told.refused.is_none() && told.warnings.iter().any(|one| one.contains("facets.limits.depth")), "{told:?}");
}
