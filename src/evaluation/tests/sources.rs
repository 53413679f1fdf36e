//! Several sources beside each other, one of which yields several grants.

use crate::evaluation::{
    Evaluation, Limits, Snapshot,
    catalogue::{CatalogueEntry, CompiledDefinition, DefinitionState},
    evaluate,
    object::{Attribution, DEFINITION, ObjectContent, ObjectData, ObjectKey, Wish},
    plan::Outcomes,
    status::statuses,
};
use crate::{
    api::{
        AmountField, EntitlementDefinition, EntitlementInstance, EntitlementOverride, Organization, Phase,
        entitlement_definition::OutputKind,
    },
    core::{
        amount::Amount,
        authority::ApiAuthority,
        calendar::{Instant, parse_instant},
        grant::{Grant, GrantId},
        namespace::NamespaceFacts,
        source::{
            SourceId, SourceKind,
            bundle::{self, Bundle},
            instance, overrides,
        },
    },
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

const MADE: &str = "2026-01-01T00:00:00Z";

fn now() -> Instant {
    parse_instant("2026-07-01T00:00:00Z").unwrap()
}

fn read<K: serde::de::DeserializeOwned>(object: Value) -> K {
    serde_json::from_value(object).unwrap()
}

/// All sources are made at one moment, and have one name and UID as far as `name` does not say otherwise.
fn metadata(name: &str) -> Value {
    json!({"namespace": "entitlements", "name": name, "uid": "u", "generation": 1, "creationTimestamp": MADE})
}

/// Of the instance: 2 seats.
fn of_instance(name: &str) -> Grant {
    let spec = json!({"organization": "acme", "definition": "seats", "amount": 2});
    instance::grant(&read::<EntitlementInstance>(json!({"metadata": metadata(name), "spec": spec})))
}

/// Of the bundle: 3 seats, and single sign-on.
fn of_bundle(name: &str) -> Vec<Grant> {
    let bundle = Bundle {
        metadata: read(metadata(name)),
        organization: "acme".into(),
        entries: vec![("sso".into(), None), ("seats".into(), Amount::read(&AmountField::Whole(3)).ok())],
    };
    bundle::grants(&bundle).collect()
}

fn entry(name: &str, spec: &Value) -> (Arc<str>, Arc<CatalogueEntry>) {
    let mut spec = spec.clone();
    spec["allowMultiple"] = true.into();
    spec["outputs"] = json!([{"name": "o", "kind": "ConfigMap", "items": [{"key": "k", "template": "v"}]}]);
    let definition: EntitlementDefinition = read(json!({"metadata": {"name": name}, "spec": spec}));
    let state = DefinitionState::gather(&definition.spec, |_| None).unwrap();
    let compiled = CompiledDefinition::compile(name, &state).unwrap();
    (name.into(), Arc::new(CatalogueEntry::valid(compiled)))
}

fn snapshot(grants: Vec<Grant>) -> Snapshot {
    let organization: Organization = read(json!({
        "metadata": {"name": "acme", "uid": "u-acme", "generation": 1, "creationTimestamp": MADE},
        "spec": {"namespaces": ["acme"], "summary": {"sources": true}},
    }));
    let own = NamespaceFacts { present: true, claimed_by: Some("acme".to_owned()), ..NamespaceFacts::default() };
    Snapshot {
        approvals: Arc::default(),
        name: "acme".into(),
        organization: Some(Arc::new(organization)),
        grants: grants.into_iter().map(Arc::new).collect(),
        barred: BTreeMap::new(),
        plans: BTreeMap::new(),
        subscriptions: Vec::new(),
        meters: BTreeMap::new(),
        knows_revisions: true,
        catalogue: BTreeMap::from([
            entry("seats", &json!({"type": "Quantity", "unit": "seats", "amount": 1})),
            entry("sso", &json!({"type": "Feature"})),
        ]),
        offers: Arc::default(),
        authority: ApiAuthority::Absent,
        secrets: BTreeMap::new(),
        unseen: Arc::default(),
        limits: Limits::DEFAULT,
        namespaces: BTreeMap::from([
            ("acme".into(), own),
            ("entitlements".into(), NamespaceFacts { present: true, ..NamespaceFacts::default() }),
        ]),
    }
}

/// What an instance `i` and a bundle `b` come to together.
fn evaluated() -> Evaluation {
    evaluate(&snapshot(of_bundle("b").into_iter().chain([of_instance("i")]).collect()), now())
}

fn content<'a>(evaluation: &'a Evaluation, name: &str) -> &'a ObjectContent {
    let key = ObjectKey { kind: OutputKind::ConfigMap, namespace: "acme".into(), name: name.into() };
    let Wish::Write(content) = &evaluation.desired.objects[&key].wish else { panic!("{name}") };
    content
}

fn bundle(name: &str) -> SourceId {
    SourceId::new(SourceKind::Bundle, "entitlements", name)
}

#[test]
fn no_two_grants_fall_together_though_their_sources_are_alike_but_for_the_kind() {
    let grants: Vec<Grant> = of_bundle("x").into_iter().chain([of_instance("x")]).collect();
    let ids: BTreeSet<&GrantId> = grants.iter().map(|grant| &grant.id).collect();
    let expected = [
        GrantId::of_instance("entitlements", "x", "seats"),
        GrantId::new(bundle("x"), "seats"),
        GrantId::new(bundle("x"), "sso"),
    ];
    assert_eq!(ids.into_iter().cloned().collect::<Vec<_>>(), expected);
    let mut by_age: Vec<&Grant> = grants.iter().collect();
    by_age.sort_by(|one, other| one.seniority().cmp(&other.seniority()));
    assert_eq!(by_age.iter().map(|grant| grant.id.clone()).collect::<Vec<_>>(), expected);
    assert_eq!(grants.iter().map(Grant::seniority).collect::<BTreeSet<_>>().len(), 3);
    let sources: BTreeSet<_> = grants.iter().map(|grant| &grant.age).collect();
    assert_eq!(sources.len(), 2, "a source holds its namespace once");
    let decided = evaluate(&snapshot(grants), now()).decision;
    assert!(decided.grants().all(|(_, member)| member.verdict.phase == Phase::Active));
    assert_eq!(decided.grants().count(), 3);
}

#[test]
fn each_grant_is_decided_and_delivered_with_the_annotation_of_its_source() {
    let evaluation = evaluated();
    let phases = evaluation
        .decision
        .grants()
        .map(|(holding, member)| (holding.name.to_string(), member.grant.id.to_string(), member.verdict.phase));
    let active = |definition: &str, source: &str| (definition.to_owned(), source.to_owned(), Phase::Active);
    let expected =
        [active("sso", "entitlements/b"), active("seats", "entitlements/b"), active("seats", "entitlements/i")];
    assert_eq!(phases.collect::<Vec<_>>(), expected);
    let names: Vec<String> = evaluation.desired.objects.keys().map(|key| key.name.to_string()).collect();
    assert_eq!(names, ["entitlements", "seats-b-bundle", "seats-i", "sso-b-bundle"]);
    for (name, definition, annotation, source) in [
        ("seats-b-bundle", "seats", "entitlements.dev/bundle", "entitlements/b"),
        ("seats-i", "seats", "entitlements.dev/instance", "entitlements/i"),
        ("sso-b-bundle", "sso", "entitlements.dev/bundle", "entitlements/b"),
    ] {
        let content = content(&evaluation, name);
        let told = SourceKind::ALL.iter().filter_map(|kind| content.annotations.get_key_value(kind.annotation()));
        let told: Vec<(&str, &str)> = told.map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(
            (told.as_slice(), content.labels[DEFINITION].as_str()),
            ([(annotation, source)].as_slice(), definition)
        );
    }
}

#[test]
fn the_summary_tells_what_all_come_to_with_each_source_by_its_kind() {
    let evaluation = evaluated();
    let ObjectData::ConfigMap(data) = &content(&evaluation, "entitlements").data else { panic!() };
    let summary: Value = serde_json::from_str(&data["entitlements.json"]).unwrap();
    let entitlements = &summary["entitlements"];
    assert_eq!(entitlements["seats"]["amount"], "5");
    let grants = json!([
        {"bundle": "entitlements/b", "phase": "Active", "amount": "3"},
        {"instance": "entitlements/i", "phase": "Active", "amount": "2"},
    ]);
    assert_eq!(entitlements["seats"]["sources"]["grants"], grants);
    assert_eq!(entitlements["sso"]["entitled"], true);
    let grants = json!([{"bundle": "entitlements/b", "phase": "Active", "amount": null}]);
    assert_eq!(entitlements["sso"]["sources"]["grants"], grants);
}

/// While nobody has said by which authority the API is trusted, no summary loses the one that it tells.
#[test]
fn the_summary_stays_until_the_authority_of_the_api_is_known() {
    let key = ObjectKey { kind: OutputKind::ConfigMap, namespace: "acme".into(), name: "entitlements".into() };
    let with = |authority| evaluate(&Snapshot { authority, ..snapshot(vec![of_instance("i")]) }, now());
    let untold = with(ApiAuthority::Untold);
    assert!(matches!(untold.desired.objects[&key].wish, Wish::Keep));
    // What it holds is delivered all the same.
    assert!(untold.desired.objects.values().any(|object| matches!(object.wish, Wish::Write(_))));
    let known = with(ApiAuthority::Known("one".into()));
    let ObjectData::ConfigMap(data) = &content(&known, "entitlements").data else { panic!() };
    assert_eq!(data["ca.crt"], "one");
}

#[test]
fn statuses_of_instances_are_those_of_instances_alone() {
    let evaluation = evaluated();
    let deliveries =
        evaluation.desired.objects.keys().map(|key| (key.clone(), crate::evaluation::plan::Delivery::Done)).collect();
    let statuses = statuses(&evaluation, &Outcomes { deliveries, ..Outcomes::default() });
    assert_eq!(statuses.grants.iter().map(Option::is_some).collect::<Vec<_>>(), [false, false, true]);
    let instances = statuses.organization.unwrap().instances;
    assert_eq!(instances, BTreeMap::from([("Active".to_owned(), 1)]));
}

#[test]
fn an_object_tells_which_grant_of_its_source_it_was_made_for() {
    let (seats, sso) = (GrantId::new(bundle("b"), "seats"), GrantId::new(bundle("b"), "sso"));
    let other = GrantId::of_instance("entitlements", "b", "seats");
    let known = BTreeSet::from([&seats, &sso, &other]);
    let told = |definition: Option<&str>| Attribution { source: bundle("b"), definition: definition.map(Into::into) };
    assert_eq!(told(Some("sso")).among(&known), [&sso]);
    assert_eq!(told(None).among(&known), [&seats, &sso], "the label was taken off");
    assert_eq!(told(Some("gone")).among(&known), [&seats, &sso], "it yields no such grant");
    assert_eq!(Attribution::to_source(bundle("c")).among(&known), Vec::<&GrantId>::new());
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let annotations = BTreeMap::from([pair("entitlements.dev/bundle", "entitlements/b")]);
    let labels = BTreeMap::from([pair(DEFINITION, "sso")]);
    let read = |is_believed| Attribution::of(Some(&labels), Some(&annotations), |_| is_believed);
    assert_eq!(read(true), Some(told(Some("sso"))));
    assert_eq!(read(false), Some(told(None)), "somebody else has set the label");
    assert_eq!(Attribution::of(Some(&labels), Some(&BTreeMap::new()), |_| true), None);
}

#[test]
fn nothing_is_said_of_a_renewal_before_an_override_ends() {
    let spec = json!({"organization": "acme", "definition": "seats", "amount": 2, "end": "2026-08-14"});
    let status = json!({"accepted": {"at": MADE, "by": ["bob"], "timeZone": "UTC"}});
    let mut asked = spec.clone();
    asked["reason"] = "The trade fair".into();
    asked["requestedBy"] = "alice".into();
    let made: EntitlementOverride = read(json!({"metadata": metadata("o"), "spec": asked, "status": status}));
    let instance: EntitlementInstance = read(json!({"metadata": metadata("i"), "spec": spec}));
    let decided = evaluate(&snapshot(vec![overrides::grant(&made), instance::grant(&instance)]), now()).decision;
    let said = decided.grants().map(|(_, member)| {
        let reminders = &member.reminders;
        (&*member.grant.id.source.name, member.verdict.phase, reminders.due.len(), reminders.next.is_some())
    });
    assert_eq!(said.collect::<Vec<_>>(), [("o", Phase::Active, 0, false), ("i", Phase::Active, 1, true)]);
}
