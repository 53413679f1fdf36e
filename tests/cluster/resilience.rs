//! The operator over restarts, absences and rest.

use crate::{
    audit::{at_rest, writes},
    harness::{Cluster, ORGANIZATION, Stage, condition, grant, seconds_from_now},
    plane::PlaneOptions,
};
use futures::future::join_all;
use serde_json::json;
use std::time::Duration;

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[tokio::test]
async fn at_rest_and_over_a_restart_nothing_is_written() {
    let stage = blocking(|| Stage::start_with(PlaneOptions { audit: true, ..PlaneOptions::default() })).await;
    let log = stage.plane.audit_log().unwrap().to_owned();
    let operator = stage.operator(&[]);
    let cluster = stage.cluster().await;
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    apply_examples(&stage, examples);
    cluster.phase("acme-backup", "Active").await;
    cluster.phase("globex-streaming", "Active").await;
    let resting = at_rest(&log).await;
    assert!(resting > 0, "no write was found at all: does the log name the operator?");
    blocking(move || operator.stop()).await;
    let operator = stage.operator(&[]);
    // That the new one is at work shows in what it does for a new grant.
    cluster.create(grant("probe", "acme", "seats", json!({"start": "2198-01-01"}))).await.unwrap();
    cluster.phase("probe", "Waiting").await;
    at_rest(&log).await;
    let since: Vec<String> = writes(&log).split_off(resting);
    let is_the_probes = |write: &String| {
        write.contains("/probe/status")
            || write.contains("/events")
            || write.contains("organizations/acme/status")
            || write.contains("entitlementdefinitions/seats/status")
            || write.contains("/configmaps/entitlements")
    };
    let others: Vec<&String> = since.iter().filter(|write| !is_the_probes(write)).collect();
    assert!(others.is_empty(), "written without need: {others:#?}");
    blocking(move || drop((operator, stage))).await;
}

/// The files of the examples' story, in their order; what lies in folders beside them stands for itself.
pub const STORY: [&str; 4] = ["00-namespaces.yaml", "10-catalogue.yaml", "20-organizations.yaml", "30-grants.yaml"];

pub fn apply_examples(stage: &Stage, folder: &str) {
    for file in STORY {
        stage.kubectl(&["apply", "--filename", &format!("{folder}/{file}")]);
    }
}

#[tokio::test]
async fn the_operator_starts_before_its_kinds_are_there_and_survives_their_removal() {
    let stage = blocking(|| Stage::bare(PlaneOptions::default())).await;
    let operator = stage.operator(&[]);
    let cluster = stage.cluster().await;
    let stage = blocking(move || {
        stage.install();
        stage
    })
    .await;
    cluster.feature().await;
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    cluster.object("ConfigMap", "$", "$").await;
    let stage = blocking(move || {
        stage.kubectl(&["delete", "crd", "entitlementdefinitions.entitlements.dev"]);
        stage
    })
    .await;
    // Without the kind there is nothing that says the definition is gone: what was delivered stays.
    let before = cluster.get("ConfigMap", "$", "$").await.unwrap();
    let stage = blocking(move || {
        stage.kubectl(&["apply", "--filename", concat!(env!("CARGO_MANIFEST_DIR"), "/crds")]);
        stage.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]);
        stage
    })
    .await;
    cluster.apply(crate::harness::FEATURE).await;
    cluster.condition("EntitlementDefinition", "$", "Ready", "True", "Valid").await;
    cluster.phase("$", "Active").await;
    assert_eq!(cluster.get("ConfigMap", "$", "$").await.unwrap(), before);
    blocking(move || drop((operator, stage))).await;
}

#[tokio::test]
async fn what_was_missed_while_the_operator_was_down_is_done_on_start() {
    let stage = blocking(Stage::start).await;
    let operator = stage.operator(&[]);
    let cluster = stage.cluster().await;
    cluster.feature().await;
    let name = cluster.name.clone();
    // A slow machine may take seconds until it is active.
    let end = seconds_from_now(15);
    cluster.create(grant(&name, &name, &name, json!({"end": end}))).await.unwrap();
    cluster.object("ConfigMap", "$", "$").await;
    cluster.phase("$", "Active").await;
    blocking(move || operator.kill()).await;
    second(&cluster, &name).await;
    while seconds_from_now(0) < end {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(cluster.get("ConfigMap", "$", "$").await.is_some());
    let operator = stage.operator(&[]);
    cluster.gone("ConfigMap", "$", "$").await;
    cluster.phase("$", "Expired").await;
    cluster.object("ConfigMap", "$", "$-second").await;
    let seen = cluster.phase("$-second", "Active").await;
    assert_eq!(condition(&seen, "Ready")["status"], "True");
    blocking(move || drop((operator, stage))).await;
}

/// A grant of a second definition, made while the operator is down.
async fn second(cluster: &Cluster, organization: &str) {
    let yaml = crate::harness::FEATURE.replace("name: $", "name: $-second");
    cluster.apply(&yaml).await;
    let name = format!("{}-second", cluster.name);
    cluster.create(grant(&name, organization, &name, json!({}))).await.unwrap();
}

#[tokio::test]
async fn a_broken_definition_serves_from_its_last_revision_over_a_restart() {
    let stage = blocking(Stage::start).await;
    let operator = stage.operator(&[]);
    let cluster = stage.cluster().await;
    cluster.feature().await;
    let name = cluster.name.clone();
    cluster.create(grant(&name, &name, &name, json!({}))).await.unwrap();
    cluster.object("ConfigMap", "$", "$").await;
    cluster.phase("$", "Active").await;
    let revisions = cluster.list("ControllerRevision", "entitlement-operator").await;
    assert_eq!(revisions.len(), 1, "{revisions:#?}");
    blocking(move || operator.kill()).await;
    let broken = json!([{"name": "config", "kind": "ConfigMap", "items": [{"key": "who", "template": "{{"}]}]);
    cluster.merge("EntitlementDefinition", "", "$", json!({"spec": {"outputs": broken}})).await.unwrap();
    cluster.delete("ConfigMap", "$", "$").await;
    let operator = stage.operator(&[]);
    cluster.condition("EntitlementInstance", "$", "Ready", "False", "DefinitionNotReady").await;
    assert_eq!(cluster.object("ConfigMap", "$", "$").await["data"]["who"], "The Client");
    cluster.phase("$", "Active").await;
    blocking(move || drop((operator, stage))).await;
}

/// Delivered, and not yet said in the status: until a status is written, nothing else knows which facets were valid last.
#[tokio::test]
async fn an_edit_before_the_status_is_written_loses_no_valid_facets() {
    let stage = blocking(|| Stage::start_with(PlaneOptions::default())).await;
    let first = stage.operator(&[]);
    let cluster = stage.cluster().await;
    cluster.apply(ORGANIZATION).await;
    cluster.apply(COUNTED).await;
    cluster.condition("EntitlementDefinition", "$", "Ready", "True", "Valid").await;
    // One that comes after another is careful with statuses at first.
    blocking(move || first.stop()).await;
    let operator = stage.operator(&[]);
    let name = cluster.name.clone();
    let edited = (0..20).map(async |number| {
        let one = format!("{name}-{number}");
        let facets = |count: u32| json!({"facets": {"seats": {"count": count}}});
        cluster.create(grant(&one, &name, &name, facets(90))).await.unwrap();
        cluster.object("ConfigMap", "$", &one).await;
        cluster.merge("EntitlementInstance", "entitlements", &one, json!({"spec": facets(400)})).await.unwrap();
        cluster.condition("EntitlementInstance", &one, "FacetsValid", "False", "Invalid").await;
        cluster.object("EntitlementInstance", "entitlements", &one).await["status"]["facets"].take()
    });
    for facets in join_all(edited).await {
        assert_eq!(facets, json!({"seats": {"count": 90}}));
    }
    blocking(move || drop((operator, stage))).await;
}

const COUNTED: &str = r#"
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $}
spec:
  type: Feature
  allowMultiple: true
  facets: [{name: seats, schema: {type: object, properties: {count: {type: integer, maximum: 365}}}}]
  outputs: [{name: config, kind: ConfigMap, objectName: "{{ instance.name }}", items: [{key: env, format: Env}]}]
"#;
