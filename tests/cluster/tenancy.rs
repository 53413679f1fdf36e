//! Which namespaces an organization is served in, and where it may be granted something.

use crate::harness::{DEADLINE, cluster, grant, seconds_from_now};
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_missing_namespace_is_waited_for_and_served_when_it_appears() {
    let cluster = cluster().await;
    cluster.feature().await;
    let later = format!("{}-later", cluster.name);
    let namespaces = json!([cluster.name, later]);
    cluster.merge("Organization", "", "$", json!({"spec": {"namespaces": namespaces}})).await.unwrap();
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    cluster.condition("Organization", "$", "Ready", "False", "NamespaceMissing").await;
    cluster.condition("EntitlementInstance", "$", "Delivered", "False", "NamespaceMissing").await;
    cluster.object("ConfigMap", "$", "$").await;
    cluster.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": later}})).await.unwrap();
    cluster.object("ConfigMap", &later, "$").await;
    cluster.object("ConfigMap", &later, "entitlements").await;
    cluster.condition("Organization", "$", "Ready", "True", "Served").await;
    cluster.condition("EntitlementInstance", "$", "Ready", "True", "Active").await;
}

#[tokio::test]
async fn nothing_is_ready_without_a_namespace() {
    let cluster = cluster().await;
    cluster
        .apply(
            "
apiVersion: entitlements.dev/v1alpha1
kind: Organization
metadata: {name: $}
spec: {namespaces: [$-one, $-two]}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $}
spec: {type: Feature}
",
        )
        .await;
    // It has no outputs: what is delivered is the summary.
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    let delivered = cluster.condition("EntitlementInstance", "$", "Delivered", "False", "NamespaceMissing").await;
    assert_eq!(
        delivered["message"],
        format!(
            "organization {0} has no namespace to deliver to: make one that its spec.namespaces lists, or mend that list; namespace {0}-one does not exist or is terminating: it is served as soon as it is there (and 1 more)",
            cluster.name
        )
    );
    cluster.condition("EntitlementInstance", "$", "Ready", "False", "NamespaceMissing").await;
    let two = format!("{}-two", cluster.name);
    cluster.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": two}})).await.unwrap();
    cluster.object("ConfigMap", &two, "entitlements").await;
    cluster.condition("EntitlementInstance", "$", "Ready", "True", "Active").await;
    cluster.condition("Organization", "$", "Ready", "False", "NamespaceMissing").await;
    cluster.delete("Namespace", "", &two).await;
    cluster.condition("EntitlementInstance", "$", "Ready", "False", "NamespaceMissing").await;
}

#[tokio::test]
async fn a_namespace_that_is_deleted_and_made_again_is_served_again() {
    let cluster = cluster().await;
    cluster.feature().await;
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    cluster.object("ConfigMap", "$", "$").await;
    cluster.delete("Namespace", "", "$").await;
    cluster.gone("Namespace", "", "$").await;
    cluster.condition("Organization", "$", "Ready", "False", "NamespaceMissing").await;
    cluster.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": cluster.name}})).await.unwrap();
    cluster.object("ConfigMap", "$", "$").await;
    cluster.condition("Organization", "$", "Ready", "True", "Served").await;
    // It need not be who made the first that made the second.
    let told = |events: &[serde_json::Value]| {
        events.iter().any(|event| {
            event["regarding"]["name"] == *cluster.name
                && event["reason"] == "NamespaceMadeAnew"
                && event["type"] == "Warning"
        })
    };
    let begun = Instant::now();
    while !told(&cluster.list("Event", "default").await) {
        assert!(begun.elapsed() < DEADLINE, "nobody was told");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_namespace_that_is_removed_is_cleaned_up() {
    let cluster = cluster().await;
    cluster.feature().await;
    let other = format!("{}-other", cluster.name);
    cluster.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}})).await.unwrap();
    cluster.merge("Organization", "", "$", json!({"spec": {"namespaces": [cluster.name, other]}})).await.unwrap();
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    cluster.object("ConfigMap", &other, "$").await;
    cluster.merge("Organization", "", "$", json!({"spec": {"namespaces": [cluster.name]}})).await.unwrap();
    cluster.gone("ConfigMap", &other, "$").await;
    cluster.gone("ConfigMap", &other, "entitlements").await;
    cluster.object("ConfigMap", "$", "$").await;
}

#[tokio::test]
async fn the_clusters_own_namespaces_are_refused_and_the_others_served() {
    let cluster = cluster().await;
    cluster.feature().await;
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    for refused in ["kube-system", "entitlement-operator", "entitlements"] {
        cluster.merge("Organization", "", "$", json!({"spec": {"namespaces": [refused, cluster.name]}})).await.unwrap();
        let condition = cluster
            .until("Organization", "", "$", "names the namespace", |seen| {
                let ready = crate::harness::condition(seen, "Ready");
                ready["reason"] == "NamespaceRefused"
                    && ready["message"].as_str().is_some_and(|text| text.contains(refused))
            })
            .await;
        assert_eq!(crate::harness::condition(&condition, "Ready")["status"], "False");
        cluster.object("ConfigMap", "$", "$").await;
        assert!(cluster.get("ConfigMap", refused, "$").await.is_none());
    }
}

#[tokio::test]
async fn a_namespace_belongs_to_the_older_organization() {
    let cluster = cluster().await;
    cluster.feature().await;
    cluster.condition("Organization", "$", "Ready", "True", "Served").await;
    let older = cluster.get("Organization", "", "$").await.unwrap();
    let made = older["metadata"]["creationTimestamp"].as_str().unwrap();
    while *seconds_from_now(0) <= *made {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    // What somebody writes on it makes it no older.
    cluster
        .apply(
            "
apiVersion: v1
kind: Namespace
metadata: {name: $-own}
---
apiVersion: entitlements.dev/v1alpha1
kind: Organization
metadata: {name: $-younger, annotations: {entitlements.dev/granted-at: '2000-01-01T00:00:00Z'}}
spec: {namespaces: [$, $-own]}
",
        )
        .await;
    let younger = format!("{}-younger", cluster.name);
    let taken = cluster.condition("Organization", &younger, "Ready", "False", "NamespaceTaken").await;
    let message = taken["message"].as_str().unwrap();
    assert!(message.contains(&format!("belongs to the older organization {}", cluster.name)), "{message}");
    cluster.object("ConfigMap", &format!("{}-own", cluster.name), "entitlements").await;
    let summary = cluster.object("ConfigMap", "$", "entitlements").await;
    assert_eq!(summary["metadata"]["labels"]["entitlements.dev/organization"], cluster.name);
    // When the older one lets it go, the younger one takes it over.
    cluster
        .merge("Organization", "", "$", json!({"spec": {"namespaces": [format!("{}-none", cluster.name)]}}))
        .await
        .unwrap();
    cluster.condition("Organization", &younger, "Ready", "True", "Served").await;
    cluster
        .until("ConfigMap", "$", "entitlements", "is the younger one's", |seen| {
            seen["metadata"]["labels"]["entitlements.dev/organization"] == younger
        })
        .await;
}

#[tokio::test]
async fn a_tenant_cannot_grant_itself_anything() {
    let cluster = cluster().await;
    cluster.feature().await;
    let mut own = grant(&cluster.name, &cluster.name, &cluster.name, json!({}));
    own["metadata"]["namespace"] = cluster.name.clone().into();
    cluster.create(own).await.unwrap();
    let refused = cluster
        .until("EntitlementInstance", "$", "$", "is refused", |seen| seen["status"]["phase"] == "Rejected")
        .await;
    let accepted = crate::harness::condition(&refused, "Accepted");
    assert_eq!(accepted["reason"], "NamespaceNotAllowed");
    // Nor where an administrator lists the tenant's own namespace by mistake.
    cluster
        .merge("Organization", "", "$", json!({"spec": {"assignableFrom": ["entitlements", cluster.name]}}))
        .await
        .unwrap();
    cluster
        .until("EntitlementInstance", "$", "$", "is refused as it is a tenant's namespace", |seen| {
            let accepted = crate::harness::condition(seen, "Accepted");
            accepted["reason"] == "NamespaceNotAllowed"
                && accepted["message"]
                    .as_str()
                    .is_some_and(|text| text.contains("a tenant must not grant itself anything"))
        })
        .await;
    assert!(cluster.get("ConfigMap", "$", "$").await.is_none());
}

#[tokio::test]
async fn a_namespace_of_grants_is_never_a_tenants() {
    let cluster = cluster().await;
    cluster.feature().await;
    let grants = format!("{}-grants", cluster.name);
    cluster.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": grants}})).await.unwrap();
    cluster.merge("Organization", "", "$", json!({"spec": {"assignableFrom": [grants]}})).await.unwrap();
    let mut granted = grant(&cluster.name, &cluster.name, &cluster.name, json!({}));
    granted["metadata"]["namespace"] = grants.clone().into();
    cluster.create(granted).await.unwrap();
    cluster
        .until("EntitlementInstance", &grants, "$", "is accepted", |seen| !seen["status"]["accepted"].is_null())
        .await;
    cluster.merge("Organization", "", "$", json!({"spec": {"namespaces": [cluster.name, grants]}})).await.unwrap();
    cluster.condition("Organization", "$", "Ready", "False", "NamespaceRefused").await;
    cluster.object("ConfigMap", "$", "$").await;
    assert!(cluster.get("ConfigMap", &grants, "$").await.is_none());
}

#[tokio::test]
async fn a_namespace_that_is_allowed_again_finds_what_was_agreed() {
    let cluster = cluster().await;
    cluster.apply(crate::harness::ORGANIZATION).await;
    cluster
        .apply(
            r#"
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $}
spec:
  type: Feature
  term: P1Y
  facets: [{name: f, schema: {type: object, properties: {text: {type: string}}}}]
  outputs: [{name: config, kind: ConfigMap, items: [{key: end, template: "{{ instance.end }} {{ facets.f.text }}"}]}]
"#,
        )
        .await;
    let grants = format!("{}-grants", cluster.name);
    cluster.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": grants}})).await.unwrap();
    let mut granted =
        grant(&cluster.name, &cluster.name, &cluster.name, json!({"facets": {"f": {"text": "x".repeat(10_000)}}}));
    granted["metadata"]["namespace"] = grants.clone().into();
    cluster.create(granted).await.unwrap();
    let refused = |seen: &serde_json::Value| {
        crate::harness::condition(seen, "Accepted")["reason"] == "NamespaceNotAllowed"
            && seen["status"]["phase"] == "Rejected"
    };
    cluster.until("EntitlementInstance", &grants, "$", "is refused", refused).await;
    cluster
        .until("Organization", "", "$", "counts it", |seen| seen["status"]["instances"] == json!({"Rejected": 1}))
        .await;
    let allow = async |from: &[&str]| {
        cluster.merge("Organization", "", "$", json!({"spec": {"assignableFrom": from}})).await.unwrap();
    };
    allow(&[grants.as_str()]).await;
    let delivered = cluster.object("ConfigMap", "$", "$").await;
    let active = |seen: &serde_json::Value| seen["status"]["phase"] == "Active";
    let agreed = cluster.until("EntitlementInstance", &grants, "$", "is in force", active).await;
    allow(&["entitlements"]).await;
    cluster.gone("ConfigMap", "$", "$").await;
    let barred = cluster.until("EntitlementInstance", &grants, "$", "is refused again", refused).await;
    assert_eq!(barred["status"]["accepted"], agreed["status"]["accepted"]);
    // What is agreed later reaches grants that are accepted later.
    cluster.merge("EntitlementDefinition", "", "$", json!({"spec": {"term": "P2Y"}})).await.unwrap();
    cluster.condition("EntitlementDefinition", "$", "Ready", "True", "Valid").await;
    allow(&[grants.as_str()]).await;
    let is_as_agreed = cluster.object("ConfigMap", "$", "$").await["data"] == delivered["data"];
    assert!(is_as_agreed);
    cluster.until("EntitlementInstance", &grants, "$", "is in force again", active).await;
}
