//! What users are told of, once each.

use crate::harness::{Cluster, DEADLINE, Stage, cluster, grant};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The events that regard an object, the earliest first, as `type reason: note`.
async fn told(cluster: &Cluster, kind: &str, name: &str) -> Vec<String> {
    let name = name.replace('$', &cluster.name);
    let is_source = ["EntitlementInstance", "EntitlementSubscription", "EntitlementOverride"].contains(&kind);
    let namespace = if is_source { "entitlements" } else { "default" };
    let mut events = cluster.list("Event", namespace).await;
    events.retain(|event| event["regarding"]["name"] == *name && event["regarding"]["kind"] == kind);
    events.sort_by_key(|event| event["eventTime"].as_str().unwrap_or_default().to_owned());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let line = |event: &Value| format!("{} {}: {}", text(&event["type"]), text(&event["reason"]), text(&event["note"]));
    events.iter().map(|event| line(event).replace(&cluster.name, "$")).collect()
}

/// Waits until that is told of an object, and nothing else.
pub async fn tells(cluster: &Cluster, kind: &str, name: &str, expected: &[&str]) {
    let begun = Instant::now();
    loop {
        let told = told(cluster, kind, name).await;
        if told == expected {
            return;
        }
        assert!(begun.elapsed() < DEADLINE, "of {kind} {name} is told {told:#?}, and not {expected:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

const ACCEPTED: &str = "Normal Accepted: the grant is accepted";
const ACTIVATED: &str = "Normal Activated: the entitlement is in force until 2199-12-31";
const CHANGED: &str = "Warning PutBack: ConfigMap $/$ was changed by somebody else, and is put back: it follows what is granted, so change the grant or its definition instead";

#[tokio::test]
async fn acceptance_and_activation_are_told_once_also_over_a_restart() {
    let stage = tokio::task::spawn_blocking(Stage::start).await.unwrap();
    let operator = stage.operator(&[]);
    let cluster = stage.cluster().await;
    cluster.feature().await;
    let spec = json!({"start": "2020-01-01", "end": "2199-12-31"});
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, spec)).await.unwrap();
    tells(&cluster, "EntitlementInstance", "$", &[ACCEPTED, ACTIVATED]).await;
    let second = format!("{}-second", cluster.name);
    let draft = json!({"start": "2199-01-01", "state": "Draft", "definition": second});
    cluster
        .apply("{apiVersion: entitlements.dev/v1alpha1, kind: EntitlementDefinition, metadata: {name: $-second}, spec: {type: Feature}}")
        .await;
    cluster.create(grant(&second, &cluster.name, &second, draft)).await.unwrap();
    cluster.phase("$-second", "Draft").await;
    cluster
        .merge("EntitlementInstance", "entitlements", "$-second", json!({"spec": {"state": "Active"}}))
        .await
        .unwrap();
    let waits = [
        "Normal Accepted: the grant is accepted, and comes into force at 2199-01-01T00:00:00Z",
        "Normal Waiting: the term has not started: the configuration comes with its start",
    ];
    tells(&cluster, "EntitlementInstance", "$-second", &waits).await;
    cluster.condition("Organization", "$", "Ready", "True", "Served").await;

    tokio::task::spawn_blocking(move || operator.kill()).await.unwrap();
    // What is changed while nobody looks is put back, and told.
    cluster.merge("ConfigMap", "$", "$", json!({"data": {"who": "me"}})).await.unwrap();
    let operator = stage.operator(&[]);
    cluster.until("ConfigMap", "$", "$", "is put back", |seen| seen["data"]["who"] == "The Client").await;
    cluster.operator_has_acted().await;
    tells(&cluster, "EntitlementInstance", "$", &[ACCEPTED, ACTIVATED, CHANGED]).await;
    tells(&cluster, "EntitlementInstance", "$-second", &waits).await;
    tokio::task::spawn_blocking(move || drop((operator, stage))).await.unwrap();
}

#[tokio::test]
async fn what_is_put_back_is_told_once_for_each_object() {
    let cluster = cluster().await;
    cluster.feature().await;
    let spec = json!({"start": "2020-01-01", "end": "2199-12-31"});
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, spec)).await.unwrap();
    cluster.summary("$", "$", "tells of the grant", |entry| entry["entitled"] == true).await;
    let made = cluster.object("ConfigMap", "$", "$").await;
    // Somebody else's labels are nobody's business.
    cluster.merge("ConfigMap", "$", "$", json!({"metadata": {"labels": {"cost-centre": "42"}}})).await.unwrap();
    // What the catalogue changes is no correction.
    let template = json!([{"op": "replace", "path": "/spec/outputs/0/items/0/template", "value": "another"}]);
    let patch = kube::api::Patch::<()>::Json(serde_json::from_value(template).unwrap());
    let definitions = cluster.api("EntitlementDefinition", "");
    definitions.patch(&cluster.name, &kube::api::PatchParams::default(), &patch).await.unwrap();
    cluster.until("ConfigMap", "$", "$", "is the new one", |seen| seen["data"]["who"] == "another").await;
    let edited = "Normal CatalogueChanged: definition $ was edited: 1 object changes";
    tells(&cluster, "EntitlementInstance", "$", &[ACCEPTED, ACTIVATED, edited]).await;

    for number in 0..5 {
        cluster.merge("ConfigMap", "$", "$", json!({"data": {"who": format!("me {number}")}})).await.unwrap();
        cluster.until("ConfigMap", "$", "$", "is put back", |seen| seen["data"]["who"] == "another").await;
    }
    cluster.delete("ConfigMap", "$", "$").await;
    let is_new = |seen: &Value| !seen.is_null() && seen["metadata"]["uid"] != made["metadata"]["uid"];
    cluster.until("ConfigMap", "$", "$", "is made again", is_new).await;
    cluster.operator_has_acted().await;
    cluster.operator_has_acted().await;
    let of_summary = "Warning PutBack: ConfigMap $/entitlements was deleted by somebody else, and is put back: it follows what is granted, so change the grant or its definition instead";
    tells(&cluster, "Organization", "$", &[of_summary]).await;
    tells(&cluster, "EntitlementInstance", "$", &[ACCEPTED, ACTIVATED, edited, CHANGED]).await;
}

#[tokio::test]
async fn a_label_that_is_taken_off_is_told() {
    let cluster = cluster().await;
    cluster.feature().await;
    let spec = json!({"start": "2020-01-01", "end": "2199-12-31"});
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, spec)).await.unwrap();
    cluster.object("ConfigMap", "$", "$").await;
    cluster.condition("EntitlementInstance", "$", "Ready", "True", "Active").await;
    let labels = json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": null}}});
    cluster.merge("ConfigMap", "$", "$", labels).await.unwrap();
    tells(&cluster, "EntitlementInstance", "$", &[ACCEPTED, ACTIVATED, CHANGED]).await;
}

/// Makes so many grants at once.
async fn burst(cluster: &Cluster, grants: usize) {
    cluster.apply(crate::harness::ORGANIZATION).await;
    cluster
        .apply("{apiVersion: entitlements.dev/v1alpha1, kind: EntitlementDefinition, metadata: {name: $}, spec: {type: Feature, allowMultiple: true}}")
        .await;
    let name = |number: usize| format!("{}-{number}", cluster.name);
    let makes = (0..grants).map(|number| {
        let spec = json!({"start": "2020-01-01", "end": "2199-12-31"});
        cluster.create(grant(&name(number), &cluster.name, &cluster.name, spec))
    });
    for made in futures::future::join_all(makes).await {
        made.unwrap();
    }
}

/// How many acceptances and activations of these are told.
async fn counts(cluster: &Cluster) -> [usize; 2] {
    let events = cluster.list("Event", "entitlements").await;
    ["Accepted", "Activated"].map(|reason| {
        let is_one = |event: &&Value| {
            let regarding = event["regarding"]["name"].as_str().unwrap_or_default();
            event["reason"] == reason && regarding.starts_with(&format!("{}-", cluster.name))
        };
        events.iter().filter(is_one).count()
    })
}

#[tokio::test]
async fn none_is_lost_to_a_burst() {
    const GRANTS: usize = 300;
    let cluster = cluster().await;
    burst(&cluster, GRANTS).await;
    let begun = Instant::now();
    loop {
        let counts = counts(&cluster).await;
        if counts == [GRANTS, GRANTS] {
            return;
        }
        assert!(begun.elapsed() < DEADLINE, "{counts:?} of {GRANTS} are told");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn an_operator_that_ends_tells_what_it_has_done() {
    const GRANTS: usize = 200;
    let stage = tokio::task::spawn_blocking(Stage::start).await.unwrap();
    let operator = stage.operator_that_logs("info", &[]);
    let cluster = stage.cluster().await;
    burst(&cluster, GRANTS).await;
    let is_active = |instance: &&Value| instance["status"]["phase"] == "Active";
    let begun = Instant::now();
    let mut seen = 0;
    while seen < GRANTS {
        assert!(begun.elapsed() < DEADLINE, "{seen} of {GRANTS} are active");
        seen = cluster.list("EntitlementInstance", "entitlements").await.iter().filter(is_active).count();
    }
    tokio::task::spawn_blocking(move || operator.stop()).await.unwrap();
    assert_eq!(counts(&cluster).await, [GRANTS, GRANTS]);
    tokio::task::spawn_blocking(move || drop(stage)).await.unwrap();
}
