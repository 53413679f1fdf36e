//! Objects that outlive their grants.

use crate::{
    audit::{at_rest, writes},
    harness::{Cluster, Stage, cluster, grant},
    plane::PlaneOptions,
};
use serde_json::{Value, json};

/// Writes a ConfigMap and a Secret that are kept, and a ConfigMap that is not.
const LASTING: &str = r#"
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $}
spec:
  type: Quantity
  unit: seats
  amount: 1
  allowMultiple: true
  outputs:
    - name: config
      kind: ConfigMap
      objectName: $-config
      onEnd: Retain
      items: [{key: seats, template: "{{ instance.name }}: {{ instance.amount }}"}]
    - name: login
      kind: Secret
      objectName: $-login
      onEnd: Retain
      items: [{key: seats, template: "{{ instance.amount }}"}]
    - name: other
      kind: ConfigMap
      objectName: $-other
      items: [{key: seats, template: "{{ instance.amount }}"}]
"#;

const LABEL: &str = "entitlements.dev/in-force";

async fn lasting(cluster: &Cluster) {
    cluster.apply(crate::harness::ORGANIZATION).await;
    cluster.apply(LASTING).await;
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    in_force(cluster, "$").await;
}

fn says(seen: &Value, who: &str) -> bool {
    seen["data"]["seats"].as_str().is_some_and(|text| text.starts_with(&format!("{who}: ")))
}

/// Waits until the ConfigMap is in force for a grant.
async fn in_force(cluster: &Cluster, who: &str) -> Value {
    let who = who.replace('$', &cluster.name);
    let is_its = |seen: &Value| says(seen, &who) && seen["metadata"]["labels"][LABEL].is_null();
    cluster.until("ConfigMap", "$", "$-config", &format!("is in force for {who}"), is_its).await
}

/// Waits until the objects of both kinds are kept, and returns the ConfigMap.
async fn kept(cluster: &Cluster, namespace: &str) -> Value {
    let is_over = |seen: &Value| seen["metadata"]["labels"][LABEL] == "false";
    cluster.until("Secret", namespace, "$-login", "is kept", is_over).await;
    cluster.until("ConfigMap", namespace, "$-config", "is kept", is_over).await
}

/// The same object with the same content, but for the label.
fn assert_kept_as_it_was(before: &Value, after: &Value) {
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(after["data"], before["data"]);
    assert_eq!(after["metadata"]["annotations"], before["metadata"]["annotations"]);
    assert_eq!(after["metadata"]["ownerReferences"], before["metadata"]["ownerReferences"]);
    let mut labels = before["metadata"]["labels"].clone();
    labels[LABEL] = "false".into();
    assert_eq!(after["metadata"]["labels"], labels);
}

#[tokio::test]
async fn a_cancelled_grant_leaves_what_is_to_be_retained() {
    let cluster = cluster().await;
    lasting(&cluster).await;
    let before = in_force(&cluster, "$").await;
    assert_eq!(before["metadata"]["annotations"]["entitlements.dev/on-end"], "Retain");
    cluster.merge("EntitlementInstance", "entitlements", "$", json!({"spec": {"state": "Cancelled"}})).await.unwrap();
    cluster.gone("ConfigMap", "$", "$-other").await;
    assert_kept_as_it_was(&before, &kept(&cluster, "$").await);
    let seen = cluster.phase("$", "Cancelled").await;
    assert_eq!(seen["status"]["outputs"], json!({"desired": 0, "delivered": 0}));
    cluster.condition("EntitlementInstance", "$", "Delivered", "True", "NothingToDeliver").await;
}

#[tokio::test]
async fn it_yields_in_place_to_the_next_grant_that_asks_for_its_name() {
    let cluster = cluster().await;
    lasting(&cluster).await;
    let before = in_force(&cluster, "$").await;
    cluster.delete("EntitlementInstance", "entitlements", "$").await;
    kept(&cluster, "$").await;
    let next = format!("{}-next", cluster.name);
    cluster.create(grant(&next, &cluster.name, &cluster.name, json!({"amount": 7}))).await.unwrap();
    let after = in_force(&cluster, "$-next").await;
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(after["data"], json!({"seats": format!("{next}: 7")}));
    assert_eq!(after["metadata"]["annotations"]["entitlements.dev/instance"], format!("entitlements/{next}"));
    cluster.condition("EntitlementInstance", "$-next", "Ready", "True", "Active").await;
}

#[tokio::test]
async fn a_suspension_keeps_it_and_its_end_brings_it_back() {
    let cluster = cluster().await;
    lasting(&cluster).await;
    let before = in_force(&cluster, "$").await;
    cluster.merge("Organization", "", "$", json!({"spec": {"suspended": true}})).await.unwrap();
    kept(&cluster, "$").await;
    cluster.merge("Organization", "", "$", json!({"spec": {"suspended": false}})).await.unwrap();
    let after = in_force(&cluster, "$").await;
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(after["metadata"]["labels"], before["metadata"]["labels"]);
}

#[tokio::test]
async fn a_hand_that_labels_or_unlabels_is_put_right() {
    let cluster = cluster().await;
    lasting(&cluster).await;
    let labelled = |value: Value| json!({"metadata": {"labels": {LABEL: value}}});
    cluster.merge("ConfigMap", "$", "$-config", labelled("false".into())).await.unwrap();
    in_force(&cluster, "$").await;
    cluster.delete("EntitlementInstance", "entitlements", "$").await;
    kept(&cluster, "$").await;
    cluster.merge("ConfigMap", "$", "$-config", labelled(Value::Null)).await.unwrap();
    kept(&cluster, "$").await;
}

#[tokio::test]
async fn what_is_kept_and_deleted_by_hand_is_not_made_again() {
    let cluster = cluster().await;
    lasting(&cluster).await;
    cluster.delete("EntitlementInstance", "entitlements", "$").await;
    kept(&cluster, "$").await;
    let summary = cluster.object("ConfigMap", "$", "entitlements").await;
    cluster.delete("ConfigMap", "$", "$-config").await;
    // What the operator does next shows that it has seen this.
    cluster.delete("ConfigMap", "$", "entitlements").await;
    let is_new = |seen: &Value| !seen.is_null() && seen["metadata"]["uid"] != summary["metadata"]["uid"];
    cluster.until("ConfigMap", "$", "entitlements", "is made again", is_new).await;
    assert_eq!(cluster.get("ConfigMap", "$", "$-config").await, None);
}

#[tokio::test]
async fn a_dropped_output_a_new_name_and_a_lost_definition_keep_it_too() {
    let cluster = cluster().await;
    lasting(&cluster).await;
    let renamed = json!([{
        "name": "config", "kind": "ConfigMap", "objectName": format!("{}-new", cluster.name), "onEnd": "Retain",
        "items": [{"key": "seats", "template": "{{ instance.name }}"}],
    }]);
    cluster.merge("EntitlementDefinition", "", "$", json!({"spec": {"outputs": renamed}})).await.unwrap();
    cluster.object("ConfigMap", "$", "$-new").await;
    kept(&cluster, "$").await;
    cluster.gone("ConfigMap", "$", "$-other").await;
    cluster.delete("EntitlementDefinition", "", "$").await;
    cluster.condition("EntitlementInstance", "$", "Ready", "False", "DefinitionNotFound").await;
    cluster.delete("EntitlementInstance", "entitlements", "$").await;
    let is_over = |seen: &Value| seen["metadata"]["labels"][LABEL] == "false";
    cluster.until("ConfigMap", "$", "$-new", "is kept", is_over).await;
}

#[tokio::test]
async fn a_namespace_that_is_removed_keeps_it_for_the_next_organization() {
    let cluster = cluster().await;
    lasting(&cluster).await;
    let before = in_force(&cluster, "$").await;
    let elsewhere = json!({"spec": {"namespaces": [format!("{}-elsewhere", cluster.name)]}});
    cluster.merge("Organization", "", "$", elsewhere).await.unwrap();
    assert_kept_as_it_was(&before, &kept(&cluster, "$").await);
    cluster.gone("ConfigMap", "$", "$-other").await;
    let next = "
apiVersion: entitlements.dev/v1alpha1
kind: Organization
metadata: {name: $-next}
spec: {namespaces: [$]}
";
    cluster.apply(next).await;
    let name = format!("{}-next", cluster.name);
    cluster.create(grant(&name, &name, &cluster.name, json!({}))).await.unwrap();
    let after = in_force(&cluster, "$-next").await;
    let organization = cluster.get("Organization", "", &name).await.unwrap();
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(after["metadata"]["labels"]["entitlements.dev/organization"], name);
    assert_eq!(after["metadata"]["ownerReferences"].as_array().unwrap().len(), 1);
    assert_eq!(after["metadata"]["ownerReferences"][0]["uid"], organization["metadata"]["uid"]);
    cluster.condition("EntitlementInstance", &name, "Ready", "True", "Active").await;
}

#[tokio::test]
async fn a_deleted_organization_takes_along_what_was_kept() {
    let cluster = cluster().await;
    lasting(&cluster).await;
    cluster.delete("EntitlementInstance", "entitlements", "$").await;
    kept(&cluster, "$").await;
    cluster.delete("Organization", "", "$").await;
    cluster.gone("ConfigMap", "$", "$-config").await;
    cluster.gone("Secret", "$", "$-login").await;
    // Made anew, it finds the name free.
    cluster.apply(crate::harness::ORGANIZATION).await;
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    in_force(&cluster, "$").await;
}

#[tokio::test]
async fn what_ends_while_the_operator_is_down_is_kept_and_then_left_alone() {
    let options = PlaneOptions { audit: true, ..PlaneOptions::default() };
    let stage = tokio::task::spawn_blocking(|| Stage::start_with(options)).await.unwrap();
    let log = stage.plane.audit_log().unwrap().to_owned();
    let operator = stage.operator(&[]);
    let cluster = stage.cluster().await;
    lasting(&cluster).await;
    let before = in_force(&cluster, "$").await;
    cluster.object("Secret", "$", "$-login").await;
    cluster.phase("$", "Active").await;
    tokio::task::spawn_blocking(move || operator.kill()).await.unwrap();
    // All that could say what is to become of the objects goes as well.
    cluster.delete("EntitlementInstance", "entitlements", "$").await;
    cluster.delete("EntitlementDefinition", "", "$").await;
    for revision in cluster.list("ControllerRevision", "entitlement-operator").await {
        let name = revision["metadata"]["name"].as_str().unwrap();
        cluster.delete("ControllerRevision", "entitlement-operator", name).await;
    }
    let operator = stage.operator(&[]);
    cluster.gone("ConfigMap", "$", "$-other").await;
    assert_kept_as_it_was(&before, &kept(&cluster, "$").await);
    let resting = at_rest(&log).await;
    tokio::task::spawn_blocking(move || operator.stop()).await.unwrap();
    let operator = stage.operator(&[]);
    // What it does about the summary shows that it is at work.
    cluster.delete("ConfigMap", "$", "entitlements").await;
    cluster.object("ConfigMap", "$", "entitlements").await;
    at_rest(&log).await;
    let since: Vec<String> = writes(&log).split_off(resting);
    assert_eq!(since.iter().filter(|write| !write.contains("/events")).count(), 1, "{since:#?}");
    tokio::task::spawn_blocking(move || drop((operator, stage))).await.unwrap();
}
