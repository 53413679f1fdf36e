//! Names that somebody else keeps, and objects that others change again and again.

use crate::harness::{cluster, grant};
use serde_json::{Value, json};

/// A ConfigMap whose name the grant gives.
const NAMED: &str = r#"
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $}
spec:
  type: Feature
  facets: [{name: f, schema: {type: object, properties: {name: {type: string, default: $}}}}]
  outputs: [{name: config, kind: ConfigMap, objectName: "{{ facets.f.name }}", items: [{key: who, template: us}]}]
"#;

#[tokio::test]
async fn a_name_that_the_cluster_keeps_is_refused_and_what_has_it_left_alone() {
    let cluster = cluster().await;
    cluster.feature().await;
    let publishers = cluster.object("ConfigMap", "$", "kube-root-ca.crt").await;
    let outputs = |name: &str| json!({"spec": {"outputs": [{"name": "config", "kind": "ConfigMap", "objectName": name, "items": [{"key": "a", "template": "b"}]}]}});
    cluster.merge("EntitlementDefinition", "", "$", outputs("kube-root-ca.crt")).await.unwrap();
    let refused = cluster.condition("EntitlementDefinition", "$", "Ready", "False", "InvalidOutput").await;
    assert!(refused["message"].as_str().unwrap().contains("that Kubernetes keeps in every namespace"), "{refused}");
    cluster.apply(NAMED).await;
    let facets = json!({"facets": {"f": {"name": "kube-root-ca.crt"}}});
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, facets)).await.unwrap();
    let refused = cluster.condition("EntitlementInstance", "$", "Delivered", "False", "ReservedName").await;
    assert!(refused["message"].as_str().unwrap().contains("kube-root-ca.crt"), "{refused}");
    let summary = json!({"spec": {"summary": {"name": "kube-root-ca.crt"}}});
    cluster.merge("Organization", "", "$", summary).await.unwrap();
    let refused = cluster.condition("Organization", "$", "Ready", "False", "ReservedName").await;
    assert!(refused["message"].as_str().unwrap().contains("spec.summary.name"), "{refused}");
    assert_eq!(cluster.get("ConfigMap", "$", "kube-root-ca.crt").await, Some(publishers));
    // Under another name it is served again.
    cluster.merge("Organization", "", "$", json!({"spec": {"summary": {"name": "entitlements"}}})).await.unwrap();
    cluster.merge("EntitlementInstance", "entitlements", "$", json!({"spec": {"facets": null}})).await.unwrap();
    cluster.condition("Organization", "$", "Ready", "True", "Served").await;
    cluster.condition("EntitlementInstance", "$", "Ready", "True", "Active").await;
}

#[tokio::test]
async fn an_object_that_another_changes_again_and_again_is_let_go() {
    let cluster = cluster().await;
    cluster.feature().await;
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    cluster.condition("EntitlementInstance", "$", "Ready", "True", "Active").await;
    let tenant = cluster.tenant("$").await;
    let theirs = json!({"data": {"who": "them"}});
    for _ in 0..11 {
        tenant.merge("ConfigMap", "$", "$", theirs.clone()).await.unwrap();
        cluster.until("ConfigMap", "$", "$", "is put right", |seen| seen["data"]["who"] == "The Client").await;
    }
    tenant.merge("ConfigMap", "$", "$", theirs.clone()).await.unwrap();
    let delivered = cluster.condition("EntitlementInstance", "$", "Delivered", "False", "Contested").await;
    let expected = format!("others change ConfigMap {0}/{0} again and again", cluster.name);
    assert!(delivered["message"].as_str().unwrap().starts_with(&expected), "{delivered}");
    cluster.condition("EntitlementInstance", "$", "Ready", "False", "Contested").await;
    // Whatever is done to it now, and whatever else the operator does.
    for disguise in [json!({"labels": null}), json!({"ownerReferences": null})] {
        tenant.merge("ConfigMap", "$", "$", json!({"metadata": disguise})).await.unwrap();
    }
    let left = cluster.get("ConfigMap", "$", "$").await;
    cluster.operator_has_acted().await;
    assert_eq!(cluster.get("ConfigMap", "$", "$").await, left);
    cluster.condition("EntitlementInstance", "$", "Ready", "False", "Contested").await;
}

#[tokio::test]
async fn an_object_that_another_deletes_again_and_again_is_let_go() {
    let cluster = cluster().await;
    cluster.feature().await;
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    let tenant = cluster.tenant("$").await;
    let mut uid = Value::Null;
    for _ in 0..12 {
        let is_new = |seen: &Value| !seen.is_null() && seen["metadata"]["uid"] != uid;
        let made = cluster.until("ConfigMap", "$", "$", "is made", is_new).await;
        uid = made["metadata"]["uid"].clone();
        tenant.delete("ConfigMap", "$", "$").await;
    }
    cluster.condition("EntitlementInstance", "$", "Delivered", "False", "Contested").await;
    assert_eq!(cluster.get("ConfigMap", "$", "$").await, None);
}
