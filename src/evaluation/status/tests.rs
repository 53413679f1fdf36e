//! What the statuses say of the delivery.

use super::{Delivered, Report, Statuses, instance_status, statuses, untouched_status};
use crate::{
    api::{
        Condition, ConditionStatus, EntitlementDefinition, EntitlementInstance, EntitlementInstanceStatus,
        Organization, entitlement_definition::OutputKind, outputs::OutputCounts,
    },
    core::{
        authority::ApiAuthority,
        calendar::{Instant, parse_instant},
        grant::GrantId,
        namespace::{Lack, NamespaceAccess, NamespaceFacts},
        problem::Problem,
        reason::ReasonCode,
        source::{self, SourceId},
    },
    evaluation::{
        Evaluation, Limits, Snapshot,
        catalogue::{CatalogueEntry, CompiledDefinition, DefinitionState},
        delivery::{Desired, Outputs},
        evaluate,
        object::{Attribution, DesiredObject, ObjectKey, Wish},
        plan::{Delivery, Outcomes, Stuck},
    },
};
use rstest::rstest;
use serde_json::{Value, json};
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

fn of(name: &str) -> GrantId {
    GrantId { source: SourceId::instance("entitlements", name), definition: "d".into() }
}

fn g() -> GrantId {
    of("g")
}

fn key(namespace: &str) -> ObjectKey {
    ObjectKey { kind: OutputKind::ConfigMap, namespace: namespace.into(), name: "config".into() }
}

/// The definition `d` that writes one object of each of these kinds.
fn definition(kinds: &[&str]) -> Arc<CatalogueEntry<CompiledDefinition>> {
    let output = |kind: &&str| {
        let name = kind.to_lowercase();
        json!({"name": name, "kind": kind, "objectName": "config", "items": [{"key": "k", "template": "v"}]})
    };
    let outputs: Vec<Value> = kinds.iter().map(output).collect();
    let definition = json!({"metadata": {"name": "d"}, "spec": {"type": "Feature", "outputs": outputs}});
    let definition: EntitlementDefinition = serde_json::from_value(definition).unwrap();
    let source = DefinitionState::gather(&definition.spec, |_| None).unwrap();
    Arc::new(CatalogueEntry::valid(CompiledDefinition::compile("d", &source).unwrap()))
}

/// The organization `acme` with two namespaces and the grant `g` of a definition that writes one ConfigMap. Both had these
/// conditions.
fn snapshot(grant: &Value, before: &[Condition]) -> Snapshot {
    let mut spec = json!({"organization": "acme", "definition": "d"});
    spec.as_object_mut().unwrap().extend(grant.as_object().unwrap().clone());
    let instance: EntitlementInstance = serde_json::from_value(json!({
        "metadata": {"namespace": "entitlements", "name": "g", "uid": "u", "generation": 3, "creationTimestamp": BEFORE},
        "spec": spec,
        "status": {"observedGeneration": 3, "conditions": before},
    }))
    .unwrap();
    let organization: Organization = serde_json::from_value(json!({
        "metadata": {"name": "acme", "uid": "u-acme", "generation": 3, "creationTimestamp": BEFORE},
        "spec": {"namespaces": ["one", "two"]},
        "status": {"conditions": before},
    }))
    .unwrap();
    let own = NamespaceFacts { present: true, claimed_by: Some("acme".to_owned()), ..NamespaceFacts::default() };
    let granting = NamespaceFacts { present: true, ..NamespaceFacts::default() };
    Snapshot {
        approvals: Arc::default(),
        barred: BTreeMap::new(),
        limits: Limits::DEFAULT,
        offers: Arc::default(),
        authority: ApiAuthority::Absent,
        name: "acme".into(),
        organization: Some(Arc::new(organization)),
        grants: vec![Arc::new(source::instance::grant(&instance))],
        plans: BTreeMap::new(),
        subscriptions: Vec::new(),
        meters: BTreeMap::new(),
        knows_revisions: true,
        catalogue: BTreeMap::from([("d".into(), definition(&["ConfigMap"]))]),
        secrets: BTreeMap::new(),
        unseen: Arc::default(),
        namespaces: BTreeMap::from([
            ("one".into(), own.clone()),
            ("two".into(), own),
            ("entitlements".into(), granting),
        ]),
    }
}

/// What is said once that came of the object of `g` in `one`, while all else was written.
fn report(grant: &Value, before: &[Condition], first: Option<Delivery>) -> Statuses {
    let evaluation = evaluate(&snapshot(grant, before), now());
    let mut deliveries: BTreeMap<ObjectKey, Delivery> =
        evaluation.desired.objects.keys().map(|key| (key.clone(), Delivery::Done)).collect();
    match first {
        Some(delivery) => drop(deliveries.insert(key("one"), delivery)),
        None => drop(deliveries.remove(&key("one"))),
    }
    statuses(&evaluation, &Outcomes { deliveries, ..Outcomes::default() })
}

fn told(conditions: &[Condition], types: &[&str]) -> Vec<(ConditionStatus, String, String)> {
    let find = |type_: &&str| conditions.iter().find(|condition| condition.type_ == **type_).unwrap();
    let told = types.iter().map(find);
    told.map(|found| (found.status, found.reason.clone(), found.last_transition_time.clone())).collect()
}

fn expected(all: &[(ConditionStatus, &str, &str)]) -> Vec<(ConditionStatus, String, String)> {
    all.iter().map(|(status, reason, since)| (*status, (*reason).to_owned(), (*since).to_owned())).collect()
}

#[test]
fn what_is_delivered_is_told() {
    let fine = |type_| condition(type_, ConditionStatus::True, "Fine", BEFORE);
    let statuses = report(&json!({}), &[fine("Delivered"), fine("Ready")], Some(Delivery::Done));
    let status = statuses.grants[0].as_ref().unwrap();
    let all = [(ConditionStatus::True, "Delivered", BEFORE), (ConditionStatus::True, "Active", BEFORE)];
    assert_eq!(told(&status.conditions, &["Delivered", "Ready"]), expected(&all));
    assert_eq!(status.outputs, Some(OutputCounts { desired: 2, delivered: 2 }));
}

#[rstest]
#[case(Delivery::Conflict, "Conflict")]
#[case(Delivery::Contested, "Contested")]
#[case(Delivery::NamespaceMissing, "NamespaceMissing")]
#[case(Delivery::TooLarge(1_048_577), "TooLarge")]
#[case(Delivery::Failed("quota".to_owned()), "WriteFailed")]
fn what_went_wrong_shows_in_delivered_and_ready(#[case] delivery: Delivery, #[case] reason: &str) {
    let fine = |type_| condition(type_, ConditionStatus::True, "Fine", BEFORE);
    let statuses = report(&json!({}), &[fine("Accepted"), fine("Delivered")], Some(delivery));
    let status = statuses.grants[0].as_ref().unwrap();
    let all = [
        (ConditionStatus::True, "Accepted", BEFORE),
        (ConditionStatus::False, reason, NOW),
        (ConditionStatus::False, reason, NOW),
    ];
    assert_eq!(told(&status.conditions, &["Accepted", "Delivered", "Ready"]), expected(&all));
    assert_eq!(status.outputs, Some(OutputCounts { desired: 2, delivered: 1 }));
    let delivered = status.conditions.iter().find(|condition| condition.type_ == "Delivered").unwrap();
    assert!(delivered.message.contains("ConfigMap one/config"), "{delivered:?}");
}

#[test]
fn the_time_of_a_transition_moves_only_with_the_status() {
    let failed = |type_| condition(type_, ConditionStatus::False, "Conflict", BEFORE);
    let statuses = report(&json!({}), &[failed("Delivered"), failed("Ready")], Some(Delivery::TooLarge(2_000_000)));
    let all = [(ConditionStatus::False, "TooLarge", BEFORE), (ConditionStatus::False, "TooLarge", BEFORE)];
    let status = statuses.grants[0].as_ref().unwrap();
    assert_eq!(told(&status.conditions, &["Delivered", "Ready"]), expected(&all));
}

#[test]
fn ready_keeps_an_earlier_reason() {
    let evaluation = evaluate(&snapshot(&json!({"facets": {"nothing": {"a": 1}}}), &[]), now());
    let (holding, member) = evaluation.decision.grants().next().unwrap();
    let delivered = Delivered { problem: Some(Problem::new(ReasonCode::Conflict, "taken")), ..Delivered::default() };
    let status = instance_status(holding, member, &delivered, now());
    let all = [(ConditionStatus::False, "Conflict", NOW), (ConditionStatus::False, "FacetsInvalid", NOW)];
    assert_eq!(told(&status.conditions, &["Delivered", "Ready"]), expected(&all));
}

#[test]
fn nothing_is_said_of_a_grant_that_was_not_tried_to_the_end() {
    assert_eq!(report(&json!({}), &[], None).grants, [None]);
}

/// What came of the delivery, where that is put together by hand.
fn delivered(desired: &Desired, outcomes: &Outcomes) -> (Option<Delivered>, Option<Problem>) {
    let Evaluation { decision, .. } = evaluate(&snapshot(&json!({}), &[]), now());
    let report = Report::of(&decision, desired, outcomes);
    (report.of_grant(&g()), report.of_summary(&decision))
}

fn wanted(grant: Option<GrantId>) -> DesiredObject {
    DesiredObject { grant, wish: Wish::Keep, is_retained: false }
}

#[test]
fn what_hinders_delivery_already_now_goes_before_what_came_of_it() {
    let hindered = Some(Problem::new(ReasonCode::SecretNotFound, "there is no Secret"));
    let outputs = Outputs { desired: 1, hindered: hindered.clone(), ..Outputs::default() };
    let desired = Desired {
        objects: [(key("one"), wanted(Some(g())))].into(),
        grants: [(g(), outputs.clone())].into(),
        ..Desired::default()
    };
    let expected = Delivered { desired: 1, problem: hindered, ..Delivered::default() };
    for delivery in [Delivery::Kept, Delivery::Conflict] {
        let outcomes = Outcomes { deliveries: [(key("one"), delivery)].into(), ..Outcomes::default() };
        assert_eq!(delivered(&desired, &outcomes), (Some(expected.clone()), None));
    }
    assert_eq!(Delivered::ideally(Some(&outputs)), expected);
}

#[test]
fn what_could_not_be_withdrawn_shows() {
    let outcomes = Outcomes {
        stuck: vec![Stuck::new(Some(Attribution::to_source(g().source)), "not allowed".to_owned())],
        ..Outcomes::default()
    };
    let problem = Some(Problem::new(ReasonCode::NotWithdrawn, "not allowed"));
    let expected = Delivered { problem, ..Delivered::default() };
    assert_eq!(delivered(&Desired::default(), &outcomes), (Some(expected), None));
}

#[test]
fn what_is_left_of_a_grant_that_is_gone_is_the_organizations() {
    let gone = Attribution::to_source(of("gone").source);
    let outcomes = Outcomes {
        stuck: vec![Stuck::new(Some(gone), "held".to_owned())],
        left: ["left".into()].into(),
        ..Outcomes::default()
    };
    let evaluation = evaluate(&snapshot(&json!({}), &[]), now());
    let evaluation = Evaluation { desired: Desired::default(), ..evaluation };
    let status = statuses(&evaluation, &outcomes).organization.unwrap();
    assert_eq!(told(&status.conditions, &["Ready"]), expected(&[(ConditionStatus::False, "NotWithdrawn", NOW)]));
    assert_eq!(status.namespaces, Some(["left", "one", "two"].map(str::to_owned).to_vec()));
}

#[test]
fn a_conflict_of_the_summary_is_the_organizations() {
    let before = condition("Ready", ConditionStatus::False, "Conflict", BEFORE);
    let evaluation = evaluate(&snapshot(&json!({}), &[before]), now());
    let desired = Desired { objects: [(key("one"), wanted(None))].into(), ..Desired::default() };
    let evaluation = Evaluation { desired, ..evaluation };
    let outcomes = Outcomes { deliveries: [(key("one"), Delivery::Conflict)].into(), ..Outcomes::default() };
    let status = statuses(&evaluation, &outcomes).organization.unwrap();
    assert_eq!(told(&status.conditions, &["Ready"]), expected(&[(ConditionStatus::False, "Conflict", BEFORE)]));
}

#[test]
fn what_is_wrong_with_the_delivery_of_a_grant_that_is_over_shows() {
    let evaluation = evaluate(&snapshot(&json!({"state": "Cancelled"}), &[]), now());
    let (holding, member) = evaluation.decision.grants().next().unwrap();
    let ready = |problem: Option<Problem>| {
        let delivered = Delivered { problem, ..Delivered::default() };
        let status: EntitlementInstanceStatus = instance_status(holding, member, &delivered, now());
        told(&status.conditions, &["Delivered", "Ready"])
    };
    let fine = [(ConditionStatus::True, "NothingToDeliver", NOW), (ConditionStatus::True, "Cancelled", NOW)];
    assert_eq!(ready(None), expected(&fine));
    let held = [(ConditionStatus::False, "NotWithdrawn", NOW), (ConditionStatus::False, "NotWithdrawn", NOW)];
    assert_eq!(ready(Some(Problem::new(ReasonCode::NotWithdrawn, "held"))), expected(&held));
}

/// What is said once all is written, where the operator can do no more than that in `two`, which is there or not.
fn restricted(mut snapshot: Snapshot, access: NamespaceAccess, present: bool) -> Statuses {
    let two = snapshot.namespaces.get_mut("two").unwrap();
    (two.access, two.present) = (access, present);
    let evaluation = evaluate(&snapshot, now());
    let deliveries = evaluation.desired.objects.keys().map(|key| (key.clone(), Delivery::Done)).collect();
    statuses(&evaluation, &Outcomes { deliveries, ..Outcomes::default() })
}

#[rstest]
#[case(NamespaceAccess::Nothing(Lack::NotServed), &["ConfigMap"], Some("the operator does not serve namespace two"))]
#[case(NamespaceAccess::Nothing(Lack::NotListed), &["ConfigMap"], Some("the operator may not list what is in namespace two"))]
#[case::nothing_is_delivered(NamespaceAccess::Nothing(Lack::NotServed), &[], None)]
#[case(NamespaceAccess::NoSecrets(Lack::NotServed), &["ConfigMap", "Secret"], Some("the operator is not given the Secrets in namespace two"))]
#[case::there_are_config_maps_only(NamespaceAccess::NoSecrets(Lack::NotServed), &["ConfigMap"], None)]
#[case(NamespaceAccess::Full, &["ConfigMap", "Secret"], None)]
fn what_may_be_left_of_a_grant_that_is_over_is_told(
    #[case] access: NamespaceAccess,
    #[case] kinds: &[&str],
    #[case] why: Option<&str>,
) {
    let delivered = |grant: Value| {
        let mut snapshot = snapshot(&grant, &[]);
        snapshot.catalogue.insert("d".into(), definition(kinds));
        let status = restricted(snapshot, access, true).grants.remove(0).unwrap();
        status.conditions.into_iter().find(|condition| condition.type_ == "Delivered").unwrap()
    };
    for over in [json!({"suspended": true}), json!({"end": "2026-05-01"})] {
        let said = delivered(over);
        assert_eq!((said.status, &*said.reason), (ConditionStatus::True, "NothingToDeliver"));
        let left =
            why.map(|why| format!("a grant that is not in force delivers nothing, but what it had may be left: {why}"));
        match left {
            Some(left) => assert!(said.message.starts_with(&left), "{}", said.message),
            None => assert_eq!(said.message, "a grant that is not in force delivers nothing"),
        }
    }
    for never_held in [json!({"state": "Draft"}), json!({"start": "2027-01-01"})] {
        assert_eq!(delivered(never_held).message, "a grant that is not in force delivers nothing");
    }
}

#[test]
fn a_namespace_that_is_not_there_is_waited_for_whatever_rights_are_missing_in_it() {
    let ready = |lack: Lack, present: bool| {
        let status =
            restricted(snapshot(&json!({}), &[]), NamespaceAccess::Nothing(lack), present).organization.unwrap();
        told(&status.conditions, &["Ready"]).remove(0).1
    };
    assert_eq!(ready(Lack::NotListed, true), "NamespaceNotListed");
    assert_eq!(ready(Lack::NotListed, false), "NamespaceMissing");
    assert_eq!(ready(Lack::NotServed, false), "NamespaceNotServed");
}

#[test]
fn of_a_grant_that_stays_as_it_is_nothing_else_is_said_than_before() {
    let fine = |type_| condition(type_, ConditionStatus::True, "Fine", BEFORE);
    let problem = Problem::new(ReasonCode::NamespaceNotServed, "not served");
    let mut instance: EntitlementInstance = serde_json::from_value(json!({
        "metadata": {"namespace": "entitlements", "name": "g", "uid": "u", "generation": 4, "creationTimestamp": BEFORE},
        "spec": {"organization": "acme", "definition": "d"},
        "status": {"observedGeneration": 3, "phase": "Active", "amount": "7",
            "conditions": [fine("Accepted"), fine("Ready"), fine("Delivered")]},
    }))
    .unwrap();
    let untouched = |instance: &EntitlementInstance, now| untouched_status(instance.status.as_ref(), 4, &problem, now);
    let before = instance.status.clone().unwrap();
    let after = untouched(&instance, now());
    assert_eq!(after.observed_generation, 4);
    let ready = Condition {
        observed_generation: Some(4),
        message: "not served".to_owned(),
        ..condition("Ready", ConditionStatus::False, "NamespaceNotServed", NOW)
    };
    assert_eq!(after.conditions, [fine("Accepted"), ready.clone(), fine("Delivered")]);
    let same =
        EntitlementInstanceStatus { observed_generation: 3, conditions: before.conditions.clone(), ..after.clone() };
    assert_eq!(same, before);
    // Said once more, it is the same; of one that is new, it is all that is said.
    instance.status = Some(after.clone());
    assert_eq!(untouched(&instance, parse_instant("2026-08-01T00:00:00Z").unwrap()), after);
    instance.status = None;
    assert_eq!(untouched(&instance, now()).conditions, [ready]);
}
