//! What the statuses say of the delivery.

use super::{content, evaluation, grant, kept, key, made_for, wanted};
use crate::{
    api::{
        Condition, ConditionStatus, EntitlementInstance, Organization, OrganizationStatus,
        entitlement_instance::OutputCounts,
    },
    core::{
        calendar::{Instant, parse_instant},
        source::instance,
    },
    evaluation::{
        Evaluation, Limits, Snapshot,
        plan::{Delivery, Outcomes, Statuses, Stuck, statuses},
    },
};
use rstest::rstest;
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

const BEFORE: &str = "2026-01-01T00:00:00Z";
const NOW: &str = "2026-07-01T00:00:00Z";

fn now() -> Instant {
    parse_instant(NOW).unwrap()
}

fn condition(type_: &str, status: ConditionStatus, reason: &str, since: &str) -> Condition {
    Condition {
        type_: type_.to_owned(),
        status,
        observed_generation: Some(3),
        last_transition_time: since.to_owned(),
        reason: reason.to_owned(),
        message: String::new(),
    }
}

fn holds(type_: &str) -> Condition {
    condition(type_, ConditionStatus::True, "Fine", BEFORE)
}

/// With the grants of the evaluation, which had those conditions.
fn snapshot(evaluation: &Evaluation, before: &[Condition]) -> Snapshot {
    let read = |name: &str| {
        let instance = serde_json::from_value::<EntitlementInstance>(json!({
            "metadata": {"namespace": "entitlements", "name": name},
            "spec": {"organization": "acme", "definition": "d"},
            "status": {"observedGeneration": 3, "conditions": before},
        }));
        Arc::new(instance::grant(&instance.unwrap()))
    };
    Snapshot {
        barred: BTreeMap::new(),
        limits: Limits::DEFAULT,
        offers: Arc::default(),
        name: "acme".into(),
        organization: None,
        grants: evaluation.grants.iter().map(|outcome| read(&outcome.id.source.name)).collect(),
        catalogue: BTreeMap::new(),
        secrets: BTreeMap::new(),
        unseen: Arc::default(),
        namespaces: BTreeMap::new(),
    }
}

/// Of a grant `g` with two objects, had everything gone well, and what came of the first.
fn report(conditions: Vec<Condition>, before: &[Condition], first: Option<Delivery>) -> Statuses {
    let mut evaluation =
        evaluation(["one", "two"].map(|namespace| (key(namespace, "config"), wanted(Some(grant("g")), content(&[])))));
    evaluation.grants[0].status.conditions = conditions;
    let second = Some((key("two", "config"), Delivery::Done));
    let deliveries = first.map(|delivery| (key("one", "config"), delivery)).into_iter().chain(second).collect();
    let outcomes = Outcomes { deliveries, ..Outcomes::default() };
    statuses(&evaluation, &snapshot(&evaluation, before), &outcomes, now())
}

fn summary(conditions: &[Condition]) -> Vec<(&str, ConditionStatus, &str, &str)> {
    conditions
        .iter()
        .map(|found| (found.type_.as_str(), found.status, found.reason.as_str(), found.last_transition_time.as_str()))
        .collect()
}

#[test]
fn what_is_delivered_changes_nothing() {
    let statuses = report(vec![holds("Delivered"), holds("Ready")], &[], Some(Delivery::Done));
    let status = statuses.grants[0].as_ref().unwrap();
    assert_eq!(status.conditions, [holds("Delivered"), holds("Ready")]);
    assert_eq!(status.outputs, Some(OutputCounts { desired: 2, delivered: 2 }));
}

#[rstest]
#[case(Delivery::Conflict, "Conflict")]
#[case(Delivery::Contested, "Contested")]
#[case(Delivery::NamespaceMissing, "NamespaceMissing")]
#[case(Delivery::TooLarge(1_048_577), "TooLarge")]
#[case(Delivery::Failed("quota".to_owned()), "WriteFailed")]
fn what_went_wrong_shows_in_delivered_and_ready(#[case] delivery: Delivery, #[case] reason: &str) {
    let statuses =
        report(vec![holds("Accepted"), holds("Delivered"), holds("Ready")], &[holds("Delivered")], Some(delivery));
    let status = statuses.grants[0].as_ref().unwrap();
    let expected = [
        ("Accepted", ConditionStatus::True, "Fine", BEFORE),
        ("Delivered", ConditionStatus::False, reason, NOW),
        ("Ready", ConditionStatus::False, reason, NOW),
    ];
    assert_eq!(summary(&status.conditions), expected);
    assert_eq!(status.outputs, Some(OutputCounts { desired: 2, delivered: 1 }));
    assert!(
        status.conditions[1].message.contains("ConfigMap one/config") || reason == "TooLarge",
        "{:?}",
        status.conditions[1]
    );
}

#[test]
fn the_time_of_a_transition_moves_only_with_the_status() {
    let failed = |type_| condition(type_, ConditionStatus::False, "Conflict", BEFORE);
    let turned = |type_| condition(type_, ConditionStatus::True, "Fine", NOW);
    let before = [failed("Delivered"), failed("Ready")];
    let statuses = report(vec![turned("Delivered"), turned("Ready")], &before, Some(Delivery::TooLarge(2_000_000)));
    let status = statuses.grants[0].as_ref().unwrap();
    let expected = [
        ("Delivered", ConditionStatus::False, "TooLarge", BEFORE),
        ("Ready", ConditionStatus::False, "TooLarge", BEFORE),
    ];
    assert_eq!(summary(&status.conditions), expected);
}

#[test]
fn ready_keeps_an_earlier_reason() {
    let refused = condition("Ready", ConditionStatus::False, "Duplicate", BEFORE);
    let statuses = report(vec![holds("Delivered"), refused], &[], Some(Delivery::Conflict));
    let status = statuses.grants[0].as_ref().unwrap();
    let expected = [
        ("Delivered", ConditionStatus::False, "Conflict", NOW),
        ("Ready", ConditionStatus::False, "Duplicate", BEFORE),
    ];
    assert_eq!(summary(&status.conditions), expected);
}

#[test]
fn nothing_is_said_of_a_grant_that_was_not_tried_to_the_end() {
    assert_eq!(report(vec![], &[], None).grants, [None]);
}

#[test]
fn what_hinders_delivery_already_now_shows() {
    let mut evaluation = evaluation([(key("one", "config"), kept("g"))]);
    evaluation.grants[0].hindered = Some(("SecretNotFound", "there is no Secret".to_owned()));
    let outcomes = Outcomes { deliveries: [(key("one", "config"), Delivery::Kept)].into(), ..Outcomes::default() };
    let statuses = statuses(&evaluation, &snapshot(&evaluation, &[]), &outcomes, now());
    let status = statuses.grants[0].as_ref().unwrap();
    let expected = [
        ("Delivered", ConditionStatus::False, "SecretNotFound", NOW),
        ("Ready", ConditionStatus::False, "SecretNotFound", NOW),
    ];
    assert_eq!(summary(&status.conditions), expected);
    assert_eq!(status.outputs, Some(OutputCounts { desired: 1, delivered: 0 }));
}

#[test]
fn what_could_not_be_withdrawn_shows() {
    let mut evaluation = evaluation([(key("one", "config"), wanted(Some(grant("g")), content(&[])))]);
    evaluation.objects.clear();
    let outcomes =
        Outcomes { stuck: vec![Stuck::new(Some(made_for("g")), "not allowed".to_owned())], ..Outcomes::default() };
    let statuses = statuses(&evaluation, &snapshot(&evaluation, &[]), &outcomes, now());
    let delivered = &statuses.grants[0].as_ref().unwrap().conditions[0];
    assert_eq!((delivered.reason.as_str(), delivered.message.as_str()), ("NotWithdrawn", "not allowed"));
}

#[test]
fn what_is_left_of_a_grant_that_is_gone_is_the_organizations() {
    let mut evaluation = evaluation([]);
    let namespaces = Some(vec!["two".to_owned()]);
    evaluation.organization =
        Some(OrganizationStatus { conditions: vec![holds("Ready")], namespaces, ..OrganizationStatus::default() });
    let outcomes = Outcomes {
        stuck: vec![Stuck::new(Some(made_for("gone")), "held".to_owned())],
        left: ["one".into()].into(),
        ..Outcomes::default()
    };
    let status = statuses(&evaluation, &snapshot(&evaluation, &[]), &outcomes, now()).organization.unwrap();
    assert_eq!(summary(&status.conditions), [("Ready", ConditionStatus::False, "NotWithdrawn", NOW)]);
    assert_eq!(status.namespaces, Some(vec!["one".to_owned(), "two".to_owned()]));
}

#[test]
fn a_conflict_of_the_summary_is_the_organizations() {
    let mut evaluation = evaluation([(key("one", "entitlements"), wanted(None, content(&[])))]);
    evaluation.organization =
        Some(OrganizationStatus { conditions: vec![holds("Ready")], ..OrganizationStatus::default() });
    let mut snapshot = snapshot(&evaluation, &[]);
    let organization = json!({
        "metadata": {"name": "acme"},
        "spec": {"namespaces": ["one"]},
        "status": {"conditions": [condition("Ready", ConditionStatus::False, "Conflict", BEFORE)]},
    });
    snapshot.organization = Some(Arc::new(serde_json::from_value::<Organization>(organization).unwrap()));
    let outcomes =
        Outcomes { deliveries: [(key("one", "entitlements"), Delivery::Conflict)].into(), ..Outcomes::default() };
    let status = statuses(&evaluation, &snapshot, &outcomes, now()).organization.unwrap();
    assert_eq!(summary(&status.conditions), [("Ready", ConditionStatus::False, "Conflict", BEFORE)]);
}
