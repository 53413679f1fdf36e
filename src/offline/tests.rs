//! Tests of evaluating a set of objects.

mod at_a_glance;
mod checks;
mod costs;
mod documentation;
mod entangled;
mod explanation;
mod lost_definition;
mod lost_revision;
mod nowhere;
mod overrides;
mod plans;
mod resets;
mod simulation;
mod subscribed;
mod subscription_status;
mod subscriptions;
mod succession;
mod summary;
mod summary_entries;
mod templates;
mod timeline;
mod too_much;
mod unprotected;

use super::{Aim, EntitlementKind, Inventory, Status, Subject, Survey};
use crate::{
    api::{
        ConditionStatus,
        conditions::{ACCEPTED, READY},
    },
    core::{
        calendar::{Instant, parse_instant},
        secret::Secret,
        source::SourceId,
    },
    evaluation::{
        catalogue::{CatalogueKind, Revision},
        object::{ObjectData, SecretData},
    },
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

fn now() -> Instant {
    parse_instant("2026-07-01T00:00:00Z").unwrap()
}

fn inventory() -> Inventory {
    Inventory::new(now(), "entitlement-operator")
}

fn organization(name: &str, namespaces: &[&str], metadata: &Value) -> crate::api::Organization {
    let mut object = json!({"metadata": metadata, "spec": {"namespaces": namespaces}});
    object["metadata"]["name"] = name.into();
    serde_json::from_value(object).unwrap()
}

fn definition(name: &str, spec: &Value) -> crate::api::EntitlementDefinition {
    serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap()
}

fn instance(namespace: &str, name: &str, spec: &Value, status: &Value) -> crate::api::EntitlementInstance {
    let metadata = json!({"name": name, "namespace": namespace});
    serde_json::from_value(json!({"metadata": metadata, "spec": spec, "status": status})).unwrap()
}

fn ready(survey: &Survey, subject: &Subject) -> (ConditionStatus, String) {
    let condition = survey.statuses[subject].condition(READY).unwrap();
    (condition.status, condition.reason.clone())
}

fn cluster_scoped(kind: EntitlementKind, name: &str) -> Subject {
    Subject::cluster_scoped(kind, &Arc::from(name))
}

fn objects(survey: &Survey) -> Vec<String> {
    survey.objects.iter().map(|(key, written)| format!("{key} of {}", written.owner)).collect()
}

#[test]
fn what_has_no_creation_was_made_now() {
    let mut inventory = inventory();
    inventory.add_organization(organization("acme", &["acme"], &json!({})));
    inventory.add_definition(definition("feature", &json!({"type": "Feature"})));
    inventory.add_instance(instance(
        "entitlements",
        "a",
        &json!({"organization": "acme", "definition": "feature"}),
        &Value::Null,
    ));
    let survey = inventory.survey(now());
    let id = SourceId::instance("entitlements", "a");
    let Status::Instance(status) = &survey.statuses[&Subject::source(&id)] else { panic!() };
    assert_eq!(status.start.as_deref(), Some("2026-07-01T00:00:00Z"));
    let Status::Definition(status) =
        &survey.statuses[&cluster_scoped(EntitlementKind::EntitlementDefinition, "feature")]
    else {
        panic!()
    };
    assert_eq!((status.instances.total, status.instances.active), (1, 1));
    assert_eq!(objects(&survey), ["ConfigMap acme/entitlements of acme"]);
}

#[test]
fn a_namespace_belongs_to_the_oldest_organization() {
    let mut inventory = inventory();
    inventory.add_organization(organization("acme", &["shared"], &json!({})));
    inventory.add_organization(organization(
        "globex",
        &["shared"],
        &json!({"creationTimestamp": "2020-01-01T00:00:00Z"}),
    ));
    inventory.add_organization(organization(
        "initech",
        &["kube-system", "entitlement-operator", "own"],
        &json!({"uid": "u-1"}),
    ));
    let survey = inventory.survey(now());
    let of = |name: &str| ready(&survey, &cluster_scoped(EntitlementKind::Organization, name));
    assert_eq!(of("acme"), (ConditionStatus::False, "NamespaceTaken".to_owned()));
    assert_eq!(of("globex"), (ConditionStatus::True, "Served".to_owned()));
    assert_eq!(of("initech"), (ConditionStatus::False, "NamespaceRefused".to_owned()));
    assert_eq!(objects(&survey), ["ConfigMap own/entitlements of initech", "ConfigMap shared/entitlements of globex"]);
    assert_eq!(survey.objects.values().map(|written| &*written.owner_uid).collect::<Vec<_>>(), ["u-1", ""]);
}

#[test]
fn a_namespace_that_holds_an_accepted_grant_is_no_tenants() {
    let accepted = json!({"accepted": {
        "timeZone": "UTC", "since": "2026-01-01T00:00:00Z",
        "chain": {"name": "a", "uid": "", "since": "2026-01-01T00:00:00Z", "day": 1},
    }});
    for (status, expected) in [(accepted, "NamespaceRefused"), (Value::Null, "Served")] {
        let mut inventory = inventory();
        inventory.add_organization(organization("acme", &["grants"], &json!({})));
        inventory.add_instance(instance(
            "grants",
            "a",
            &json!({"organization": "other", "definition": "feature"}),
            &status,
        ));
        let survey = inventory.survey(now());
        assert_eq!(ready(&survey, &cluster_scoped(EntitlementKind::Organization, "acme")).1, expected);
    }
}

#[test]
fn an_organization_that_is_only_named_is_evaluated_too() {
    let mut inventory = inventory();
    inventory.add_instance(instance(
        "entitlements",
        "a",
        &json!({"organization": "nobody", "definition": "x"}),
        &Value::Null,
    ));
    let survey = inventory.survey(now());
    let accepted =
        survey.statuses[&Subject::source(&SourceId::instance("entitlements", "a"))].condition(ACCEPTED).unwrap();
    assert_eq!(accepted.reason, "OrganizationNotFound");
    assert!(survey.objects.is_empty());
}

#[test]
fn an_invalid_definition_has_nothing_that_serves() {
    let mut inventory = inventory();
    inventory.add_organization(organization("acme", &["acme"], &json!({})));
    inventory.add_definition(definition(
        "broken",
        &json!({"type": "Feature", "facets": [{"name": "f", "definition": "absent"}]}),
    ));
    inventory.add_instance(instance(
        "entitlements",
        "a",
        &json!({"organization": "acme", "definition": "broken"}),
        &Value::Null,
    ));
    let survey = inventory.survey(now());
    let broken = cluster_scoped(EntitlementKind::EntitlementDefinition, "broken");
    assert_eq!(ready(&survey, &broken), (ConditionStatus::False, "FacetNotFound".to_owned()));
    let grant = Subject::source(&SourceId::instance("entitlements", "a"));
    assert_eq!(ready(&survey, &grant), (ConditionStatus::False, "DefinitionNotReady".to_owned()));
}

#[test]
fn secrets_reach_the_grants_beside_them() {
    let schema = json!({"type": "object", "properties": {"password": {"type": "string", "writeOnly": true}}});
    let output = json!({"name": "o", "kind": "Secret", "items": [{"key": "k", "template": "{{ facets.f.password }}"}]});
    let spec = json!({"type": "Feature", "facets": [{"name": "f", "schema": schema}], "outputs": [output]});
    let source = json!({"facet": "f", "field": "password", "secretKeyRef": {"name": "s", "key": "k"}});
    let mut inventory = inventory();
    inventory.add_organization(organization("acme", &["acme"], &json!({})));
    inventory.add_definition(definition("backup", &spec));
    let grant = json!({"organization": "acme", "definition": "backup", "secretFacets": [source]});
    inventory.add_instance(instance("entitlements", "a", &grant, &Value::Null));
    let subject = Subject::source(&SourceId::instance("entitlements", "a"));
    assert_eq!(ready(&inventory.survey(now()), &subject), (ConditionStatus::False, "SecretNotFound".to_owned()));

    let mut blind = inventory.clone();
    blind.add_unseen(("entitlements".into(), "s".into()));
    let survey = blind.survey(now());
    assert_eq!(ready(&survey, &subject), (ConditionStatus::False, "SecretNotSeen".to_owned()));
    assert_eq!(
        survey.statuses[&subject].condition("Ready").unwrap().message,
        "facets.f.password: the Secret entitlements/s was not seen, as you may not read it: whether there is a value, and what is made of it, is not known"
    );
    assert_eq!(survey.objects.keys().filter(|key| &*key.name == "backup").count(), 0);
    assert_eq!((blind.unseen(|name| name == "acme").len(), blind.unseen(|name| name == "globex").len()), (1, 0));

    let data = BTreeMap::from([("k".to_owned(), Secret::new(b"hunter2".to_vec()))]);
    inventory.add_secrets(BTreeMap::from([(("entitlements".into(), "s".into()), Arc::new(data))]));
    let survey = inventory.survey(now());
    assert_eq!(ready(&survey, &subject), (ConditionStatus::True, "Active".to_owned()));
    let written = survey.objects.iter().find(|(key, _)| &*key.name == "backup").unwrap().1;
    let ObjectData::Secret(SecretData { values: data, .. }) = &written.content.data else { panic!() };
    assert_eq!(data["k"], Secret::new(b"hunter2".to_vec()));
    assert!(!format!("{survey:?}").contains("hunter2"));
}

/// What no Secret can be called is said, and never looked for.
#[test]
fn a_source_that_is_no_name_is_invalid() {
    let schema = json!({"type": "object", "properties": {"password": {"type": "string", "writeOnly": true}}});
    let output = json!({"name": "o", "kind": "Secret", "items": [{"key": "k", "template": "{{ facets.f.password }}"}]});
    let spec = json!({"type": "Feature", "facets": [{"name": "f", "schema": schema}], "outputs": [output]});
    for (name, key, part) in [("here?x=y", "k", "name"), ("../../x", "k", "name"), ("s", "../k", "key")] {
        let source = json!({"facet": "f", "field": "password", "secretKeyRef": {"name": name, "key": key}});
        let mut inventory = inventory();
        inventory.add_organization(organization("acme", &["acme"], &json!({})));
        inventory.add_definition(definition("backup", &spec));
        let grant = json!({"organization": "acme", "definition": "backup", "secretFacets": [source]});
        inventory.add_instance(instance("entitlements", "a", &grant, &Value::Null));
        assert_eq!(inventory.sources_wanted().len(), 0, "{name} {key}");
        let survey = inventory.survey(now());
        let status = &survey.statuses[&Subject::source(&SourceId::instance("entitlements", "a"))];
        let message = &status.condition("FacetsValid").unwrap().message;
        let beginning = format!("secretFacets: facets.f.password: secretKeyRef.{part} must be ");
        assert!(message.starts_with(&beginning) && !message.contains("there is no Secret"), "{message}");
        assert_eq!(survey.objects.keys().filter(|key| &*key.name == "backup").count(), 0);
    }
}

/// After an upgrade that refuses what was valid, the revision serves the grants that there are.
#[test]
fn what_was_valid_once_serves_on() {
    let password = json!({"type": "string", "writeOnly": true, "pattern": "^[a-z]+$", "maxLength": 9});
    let size = json!({"type": "integer", "maximum": 10, "default": 30});
    let schema =
        json!({"type": "object", "properties": {"password": password, "disk": {"properties": {"size": size}}}});
    let output = json!({"name": "o", "kind": "Secret", "items": [{"key": "k", "template": "{{ facets.f.password }}"}]});
    let spec = json!({"type": "Feature", "facets": [{"name": "f", "schema": schema}], "outputs": [output]});
    let mut inventory = inventory();
    inventory.add_organization(organization("acme", &["acme"], &json!({})));
    inventory.add_definition(definition("backup", &spec));
    inventory.add_revision(Revision {
        name: "backup-1".into(),
        of: CatalogueKind::Definition.named("backup"),
        number: 1,
        data: json!({"spec": spec}),
        made: None,
        beside: None,
        for_everyone: None,
    });
    let chain = json!({"name": "a", "uid": "u", "since": "2026-01-01T00:00:00Z", "day": 1});
    let accepted = json!({"accepted": {"timeZone": "UTC", "since": "2026-01-01T00:00:00Z", "chain": chain}});
    let source = json!({"facet": "f", "field": "password", "secretKeyRef": {"name": "s", "key": "k"}});
    let grant = json!({"organization": "acme", "definition": "backup", "secretFacets": [source]});
    inventory.add_instance(instance("entitlements", "a", &grant, &accepted));
    // It fits the length, and not the pattern, of which nothing is told any more.
    let data = BTreeMap::from([("k".to_owned(), Secret::new(b"HUNTER2".to_vec()))]);
    inventory.add_secrets(BTreeMap::from([(("entitlements".into(), "s".into()), Arc::new(data))]));
    let survey = inventory.survey(now());
    let subject = cluster_scoped(EntitlementKind::EntitlementDefinition, "backup");
    assert_eq!(ready(&survey, &subject), (ConditionStatus::False, "InvalidSchema".to_owned()));
    let written = survey.objects.iter().find(|(key, _)| &*key.name == "backup").unwrap().1;
    let ObjectData::Secret(SecretData { values: data, .. }) = &written.content.data else { panic!() };
    assert_eq!(data["k"], Secret::new(b"HUNTER2".to_vec()));
}

#[test]
fn an_object_that_kubernetes_would_not_take_is_refused() {
    let large = "x".repeat(600_000);
    let schema = json!({"type": "object", "properties": {"text": {"type": "string"}}});
    let output = json!({"name": "o", "kind": "ConfigMap", "items": [
        {"key": "a", "template": "{{ facets.f.text }}"}, {"key": "b", "template": "{{ facets.f.text }}"},
    ]});
    let mut inventory = inventory();
    inventory.add_organization(organization("acme", &["acme"], &json!({})));
    inventory.add_definition(definition(
        "big",
        &json!({"type": "Feature", "facets": [{"name": "f", "schema": schema}], "outputs": [output]}),
    ));
    let grant = json!({"organization": "acme", "definition": "big", "facets": {"f": {"text": large}}});
    inventory.add_instance(instance("entitlements", "a", &grant, &Value::Null));
    let survey = inventory.survey(now());
    let subject = Subject::source(&SourceId::instance("entitlements", "a"));
    assert_eq!(ready(&survey, &subject), (ConditionStatus::False, "TooLarge".to_owned()));
    assert_eq!(survey.objects.keys().filter(|key| &*key.name == "big").count(), 0);
}

#[test]
fn what_is_wrong_with_facets_has_its_place_whatever_the_names_are() {
    let mut inventory = inventory();
    inventory.add_organization(organization("acme", &["acme"], &json!({})));
    let schema = json!({
        "type": "object",
        "properties": {"a/b.c": {"type": "integer"}, "hosts": {"type": "array", "items": {"type": "string"}}},
        "additionalProperties": false
    });
    let facets = json!([{"name": "backup", "schema": schema}]);
    inventory.add_definition(definition("feature", &json!({"type": "Feature", "facets": facets})));
    let spec = json!({
        "organization": "acme", "definition": "feature", "start": "2026-01-01",
        "facets": {"backup": {"a/b.c": "x", "hosts": ["x", 1], "odd": 1}, "other": {}},
        "amendments": [
            {"name": "one", "effective": "2026-02-01", "facets": {"backup": {"odd": 2}}},
            {"name": "two", "effective": "2026-03-01", "facets": {"backup": {"hosts": ["y"], "odd": 1}}},
        ],
        "secretFacets": [{"facet": "backup", "field": "hosts", "secretKeyRef": {"name": "a", "key": "b"}}]
    });
    inventory.add_instance(instance("entitlements", "a", &spec, &Value::Null));
    let survey = inventory.survey(now());
    let flaws = &survey.flaws[&Subject::source(&SourceId::instance("entitlements", "a"))];
    let mut places: Vec<_> = flaws.iter().map(|flaw| (flaw.problem.pointer.as_str(), flaw.aim)).collect();
    places.sort_by_key(|(pointer, _)| *pointer);
    assert_eq!(
        places,
        [
            ("/spec/amendments/1/facets/backup/odd", Aim::Name),
            ("/spec/facets/backup/a~1b.c", Aim::Value),
            ("/spec/facets/other", Aim::Name),
            ("/spec/secretFacets", Aim::Value),
        ]
    );
}
