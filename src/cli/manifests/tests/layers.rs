//! Manifests on top of others.
#![allow(clippy::needless_pass_by_value, reason = "a value is written where it is used")]

use super::{findings, options, read_text};
use crate::{
    core::source::SourceId,
    offline::{EntitlementKind, Status, Subject},
};
use serde_json::{Value, json};
use std::sync::Arc;

fn kind(kind: &str, metadata: Value, spec: Value) -> Value {
    json!({"apiVersion": "entitlements.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
}

fn text(objects: &[Value]) -> String {
    let documents: Vec<String> = objects.iter().map(ToString::to_string).collect();
    documents.join("\n---\n")
}

fn cluster(spec: Value) -> Vec<Value> {
    let metadata = json!({
        "name": "a", "namespace": "entitlements", "uid": "u", "generation": 3, "resourceVersion": "7",
        "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"kept": "yes"},
        "annotations": {
            "own": "1", "dropped": "1", "given": "1",
            "kubectl.kubernetes.io/last-applied-configuration": "{\"metadata\": {\"annotations\": {\"dropped\": \"1\", \"given\": \"1\"}}}",
        },
    });
    let mut grant = kind("EntitlementInstance", metadata, spec);
    grant["status"] = json!({"observedGeneration": 3, "phase": "Active", "accepted": {
        "timeZone": "UTC", "gracePeriod": "P7D", "since": "2026-01-01T00:00:00Z",
        "chain": {"name": "a", "uid": "u", "since": "2026-01-01T00:00:00Z", "day": 1},
    }});
    vec![
        kind("Organization", json!({"name": "acme", "uid": "o"}), json!({"namespaces": ["acme"]})),
        kind(
            "EntitlementDefinition",
            json!({"name": "seats", "uid": "d"}),
            json!({"type": "Quantity", "unit": "seats", "amount": 1}),
        ),
        grant,
    ]
}

fn spec(more: Value) -> Value {
    let mut spec = json!({"organization": "acme", "definition": "seats"});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec
}

fn subject() -> Subject {
    Subject::source(&SourceId::instance("entitlements", "a"))
}

#[test]
fn what_is_there_is_replaced_and_keeps_what_the_cluster_gave_it() {
    let base = read_text(&text(&cluster(spec(json!({"priority": 1})))));
    let file = kind(
        "EntitlementInstance",
        json!({"name": "a", "namespace": "entitlements", "annotations": {"given": "2"}}),
        spec(json!({"suspended": true})),
    );
    let mut files = read_text(&text(&[file]));
    files.lay_over(&base, options().created).unwrap();
    assert_eq!(findings(&files), [""; 0]);
    let value = &files.documents[&subject()].value;
    let metadata = &value["metadata"];
    assert_eq!((&metadata["uid"], &metadata["generation"]), (&json!("u"), &json!(4)));
    assert_eq!(metadata["labels"], json!({"kept": "yes"}));
    let mut annotations = metadata["annotations"].clone();
    annotations.as_object_mut().unwrap().remove("kubectl.kubernetes.io/last-applied-configuration");
    assert_eq!(annotations, json!({"own": "1", "given": "2"}));
    assert_eq!((&value["spec"]["priority"], &value["spec"]["suspended"]), (&json!(0), &json!(true)));
    assert_eq!(value["status"]["accepted"]["gracePeriod"], "P7D");
    // The others stay, and all are evaluated together.
    let kinds: Vec<EntitlementKind> = files.documents.keys().map(|subject| subject.kind).collect();
    assert_eq!(
        kinds,
        [EntitlementKind::Organization, EntitlementKind::EntitlementDefinition, EntitlementKind::EntitlementInstance]
    );
    let survey = files.inventory.survey(options().created);
    let Status::Instance(status) = &survey.statuses[&subject()] else { panic!() };
    assert_eq!(status.phase.unwrap().as_str(), "Suspended");
    assert_eq!(status.accepted.as_ref().unwrap().since.as_deref(), Some("2026-01-01T00:00:00Z"));
}

#[test]
fn what_is_locked_stays_as_it_is() {
    let base = read_text(&text(&cluster(spec(json!({"end": "2026-12-31"})))));
    let file = kind(
        "EntitlementInstance",
        json!({"name": "a", "namespace": "entitlements"}),
        spec(json!({"end": "2027-12-31"})),
    );
    let mut files = read_text(&text(&[file]));
    files.lay_over(&base, options().created).unwrap();
    let said = findings(&files);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0]
            .contains("EntitlementInstance entitlements/a: Locked: spec.end: end is locked while the grant is Active"),
        "{said:?}"
    );
    assert_eq!(files.documents[&subject()].value["spec"]["end"], "2026-12-31");
}

#[test]
fn what_is_new_comes_after_what_is_there() {
    let base = read_text(&text(&cluster(spec(json!({})))));
    let file = kind("EntitlementInstance", json!({"name": "b", "namespace": "entitlements"}), spec(json!({})));
    let mut files = read_text(&text(&[file]));
    files.lay_over(&base, options().created).unwrap();
    let survey = files.inventory.survey(options().created);
    let phase = |name: &str| match &survey.statuses[&Subject { name: Arc::from(name), ..subject() }] {
        Status::Instance(status) => status.phase.unwrap().as_str(),
        _ => panic!(),
    };
    assert_eq!((phase("a"), phase("b")), ("Active", "Rejected"));
}
