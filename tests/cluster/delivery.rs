//! What a grant delivers into its organization's namespaces.

use crate::harness::{Cluster, cluster, condition, grant};
use serde_json::{Value, json};

/// A definition with a schema, presets, a secret field, and outputs of both kinds.
const BACKUP: &str = r#"
apiVersion: entitlements.dev/v1alpha1
kind: FacetDefinition
metadata: {name: $}
spec:
  schema:
    type: object
    additionalProperties: false
    properties:
      schedule: {type: string, default: "0 3 * * *"}
      retention: {type: integer, minimum: 1, maximum: 365, default: 30}
      region: {type: string}
      password: {type: string, writeOnly: true}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $}
spec:
  type: Feature
  facets: [{name: backup, definition: $, values: {region: eu-central}}]
  outputs:
    - name: config
      kind: ConfigMap
      labels: {example.com/team: storage}
      annotations: {example.com/reload: "true"}
      items:
        - {key: backup.env, format: Env}
        - {key: backup.json, format: Json}
        - {key: banner, template: "{{ facets.backup.retention }} days for {{ organization.displayName }}"}
    - name: credentials
      kind: Secret
      items: [{key: PASSWORD, template: "{{ facets.backup.password }}"}]
"#;

const PASSWORD: &str = "
apiVersion: v1
kind: Secret
metadata: {name: $, namespace: entitlements}
stringData: {password: hunter2 hunter2}
";

async fn backup(cluster: &Cluster) {
    cluster.apply(crate::harness::ORGANIZATION).await;
    cluster.apply(BACKUP).await;
    cluster.apply(PASSWORD).await;
    let spec = json!({
        "facets": {"backup": {"retention": 90}},
        "secretFacets": [{"facet": "backup", "field": "password", "secretKeyRef": {"name": cluster.name, "key": "password"}}],
    });
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, spec)).await.unwrap();
}

#[tokio::test]
async fn a_grant_arrives_as_config_map_and_secret() {
    let cluster = cluster().await;
    backup(&cluster).await;
    let config = cluster.object("ConfigMap", "$", "$-config").await;
    assert_eq!(
        config["data"]["backup.env"],
        "BACKUP_REGION=eu-central\nBACKUP_RETENTION=90\nBACKUP_SCHEDULE='0 3 * * *'\n"
    );
    let json: Value = serde_json::from_str(config["data"]["backup.json"].as_str().unwrap()).unwrap();
    assert_eq!(json, json!({"backup": {"region": "eu-central", "retention": 90, "schedule": "0 3 * * *"}}));
    assert_eq!(config["data"]["banner"], "90 days for The Client");
    let secret = cluster.object("Secret", "$", "$-credentials").await;
    assert_eq!(secret["data"], json!({"PASSWORD": "aHVudGVyMiBodW50ZXIy"}));
    assert_eq!(secret["type"], "Opaque");
    let seen = cluster.phase("$", "Active").await;
    assert_eq!(seen["status"]["outputs"], json!({"desired": 2, "delivered": 2}));
    for type_ in ["Accepted", "FacetsValid", "Delivered", "Entitled", "Ready"] {
        assert_eq!(condition(&seen, type_)["status"], "True", "{type_}");
    }
}

#[tokio::test]
async fn an_object_says_whose_it_is() {
    let cluster = cluster().await;
    backup(&cluster).await;
    let config = cluster.object("ConfigMap", "$", "$-config").await;
    let organization = cluster.get("Organization", "", "$").await.unwrap();
    let labels = json!({
        "app.kubernetes.io/managed-by": "entitlement-operator",
        "entitlements.dev/organization": cluster.name,
        "entitlements.dev/definition": cluster.name,
        "example.com/team": "storage",
    });
    assert_eq!(config["metadata"]["labels"], labels);
    let annotations = &config["metadata"]["annotations"];
    assert_eq!(annotations["entitlements.dev/instance"], format!("entitlements/{}", cluster.name));
    assert_eq!(annotations["example.com/reload"], "true");
    assert_eq!(annotations["entitlements.dev/content-hash"].as_str().unwrap().len(), 64);
    let owner = json!([{
        "apiVersion": "entitlements.dev/v1alpha1",
        "kind": "Organization",
        "name": cluster.name,
        "uid": organization["metadata"]["uid"],
        "controller": true,
    }]);
    assert_eq!(config["metadata"]["ownerReferences"], owner);
}

#[tokio::test]
async fn the_summary_tells_what_the_organization_holds_and_where_it_comes_from() {
    let cluster = cluster().await;
    backup(&cluster).await;
    let instance = format!("entitlements/{}", cluster.name);
    let entry = cluster.summary("$", "$", "is entitled", |entry| entry["entitled"] == true).await;
    assert_eq!(entry.get("sources"), None);
    cluster.merge("Organization", "", "$", json!({"spec": {"summary": {"sources": true}}})).await.unwrap();
    let entry = cluster.summary("$", "$", "has sources", |entry| entry.get("sources").is_some()).await;
    assert_eq!(entry["type"], "Feature");
    assert_eq!(entry["amount"], Value::Null);
    assert_eq!(entry["facets"], json!({"backup": {"region": "eu-central", "retention": 90, "schedule": "0 3 * * *"}}));
    assert_eq!((&entry["validUntil"], &entry["end"]), (&Value::Null, &Value::Null));
    assert_eq!(entry["sources"]["grants"], json!([{"instance": instance, "phase": "Active", "amount": null}]));
    let origins = json!({
        "region": {"layer": "Preset"},
        "retention": {"layer": "Instance", "instance": instance},
        "schedule": {"layer": "Default"},
    });
    assert_eq!(entry["sources"]["facets"]["backup"], origins);
    let summary = cluster.object("ConfigMap", "$", "entitlements").await;
    let variable = cluster.name.to_uppercase();
    assert_eq!(summary["data"]["entitlements.env"], format!("ENTITLEMENT_{variable}=true\n"));
}

#[tokio::test]
async fn drift_is_put_back_at_once() {
    let cluster = cluster().await;
    cluster.feature().await;
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    cluster.object("ConfigMap", "$", "$").await;
    let edits = [
        json!({"data": {"who": "Somebody Else"}}),
        json!({"data": {"who": null}}),
        json!({"data": {"more": "than was granted"}}),
        json!({"binaryData": {"more": "AAAA"}}),
        json!({"metadata": {"annotations": {"entitlements.dev/content-hash": "none"}}}),
        json!({"metadata": {"labels": {"entitlements.dev/definition": "other"}}}),
    ];
    let is_as_made = |seen: &Value| {
        seen["data"] == json!({"who": "The Client"})
            && seen["binaryData"].is_null()
            && seen["metadata"]["annotations"]["entitlements.dev/content-hash"] != "none"
            && seen["metadata"]["labels"]["entitlements.dev/definition"] == cluster.name
    };
    for edit in edits {
        cluster.merge("ConfigMap", "$", "$", edit.clone()).await.unwrap();
        cluster.until("ConfigMap", "$", "$", &format!("is put back after {edit}"), is_as_made).await;
    }
    cluster.merge("ConfigMap", "$", "$", json!({"immutable": true, "data": {"who": "for ever"}})).await.unwrap();
    cluster.until("ConfigMap", "$", "$", "is put back after it was made immutable", is_as_made).await;
}

#[tokio::test]
async fn foreign_labels_and_annotations_stay() {
    let cluster = cluster().await;
    cluster.feature().await;
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    cluster.object("ConfigMap", "$", "$").await;
    let metadata = json!({"labels": {"cost-centre": "42"}, "annotations": {"note": "mine"}});
    cluster.merge("ConfigMap", "$", "$", json!({"metadata": metadata, "data": {"who": "drift"}})).await.unwrap();
    let back = cluster.until("ConfigMap", "$", "$", "is put back", |seen| seen["data"]["who"] == "The Client").await;
    assert_eq!(back["metadata"]["labels"]["cost-centre"], "42");
    assert_eq!(back["metadata"]["annotations"]["note"], "mine");
}

#[tokio::test]
async fn a_deleted_object_is_made_again_at_once() {
    let cluster = cluster().await;
    backup(&cluster).await;
    cluster.summary("$", "$", "tells of the grant", |entry| entry["entitled"] == true).await;
    for (kind, name) in [("ConfigMap", "$-config"), ("Secret", "$-credentials"), ("ConfigMap", "entitlements")] {
        let before = cluster.object(kind, "$", name).await;
        cluster.delete(kind, "$", name).await;
        let uid = before["metadata"]["uid"].clone();
        let again = |seen: &Value| !seen.is_null() && seen["metadata"]["uid"] != uid;
        let after = cluster.until(kind, "$", name, "is made again", again).await;
        assert_eq!(after["data"], before["data"]);
    }
}

#[tokio::test]
async fn what_others_made_is_never_touched_and_the_conflict_ends_with_it() {
    let cluster = cluster().await;
    cluster.feature().await;
    let foreign = "{apiVersion: v1, kind: ConfigMap, metadata: {name: $, namespace: $}, data: {who: me}}";
    cluster.apply(foreign).await;
    let before = cluster.get("ConfigMap", "$", "$").await.unwrap();
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    let conflict = cluster.condition("EntitlementInstance", "$", "Delivered", "False", "Conflict").await;
    let message = conflict["message"].as_str().unwrap();
    assert!(message.contains(&format!("ConfigMap {0}/{0}", cluster.name)), "{message}");
    cluster.condition("EntitlementInstance", "$", "Ready", "False", "Conflict").await;
    assert_eq!(cluster.get("ConfigMap", "$", "$").await.unwrap(), before);
    assert_eq!(cluster.phase("$", "Active").await["status"]["outputs"], json!({"desired": 1, "delivered": 0}));
    cluster.delete("ConfigMap", "$", "$").await;
    cluster.until("ConfigMap", "$", "$", "is delivered", |seen| seen["data"]["who"] == "The Client").await;
    cluster.condition("EntitlementInstance", "$", "Ready", "True", "Active").await;
}

#[tokio::test]
async fn a_conflict_over_the_summary_says_which_name_to_change() {
    let cluster = cluster().await;
    cluster.apply("{apiVersion: v1, kind: Namespace, metadata: {name: $}}").await;
    cluster
        .apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: entitlements, namespace: $}, data: {who: me}}")
        .await;
    cluster.feature().await;
    let conflict = cluster.condition("Organization", "$", "Ready", "False", "Conflict").await;
    assert_eq!(
        conflict["message"],
        format!(
            "ConfigMap {}/entitlements is not the operator's, and is left alone: delete or rename it, or give the summary another name (spec.summary.name of the organization)",
            cluster.name
        )
    );
    assert_eq!(cluster.get("ConfigMap", "$", "entitlements").await.unwrap()["data"], json!({"who": "me"}));
    cluster.merge("Organization", "", "$", json!({"spec": {"summary": {"name": "held"}}})).await.unwrap();
    cluster.object("ConfigMap", "$", "held").await;
    cluster.condition("Organization", "$", "Ready", "True", "Served").await;
}

#[tokio::test]
async fn an_object_that_loses_its_label_and_its_content_at_once_is_put_right() {
    let cluster = cluster().await;
    cluster.feature().await;
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    let made = cluster.object("ConfigMap", "$", "$").await;
    let labels = json!({"app.kubernetes.io/managed-by": null});
    let data = json!({"who": "me", "more": "mine"});
    cluster.merge("ConfigMap", "$", "$", json!({"metadata": {"labels": labels}, "data": data})).await.unwrap();
    let is_right =
        |seen: &Value| seen["data"] == made["data"] && seen["metadata"]["labels"] == made["metadata"]["labels"];
    let after = cluster.until("ConfigMap", "$", "$", "is put right", is_right).await;
    assert_eq!(after["metadata"]["uid"], made["metadata"]["uid"]);
}

#[tokio::test]
async fn a_changed_source_secret_reaches_the_output_and_a_vanished_one_takes_nothing_away() {
    let cluster = cluster().await;
    backup(&cluster).await;
    cluster.object("Secret", "$", "$-credentials").await;
    cluster.merge("Secret", "entitlements", "$", json!({"stringData": {"password": "rotated"}})).await.unwrap();
    let is_rotated = |seen: &Value| seen["data"]["PASSWORD"] == "cm90YXRlZA==";
    cluster.until("Secret", "$", "$-credentials", "is rotated", is_rotated).await;
    cluster.delete("Secret", "entitlements", "$").await;
    let condition = cluster.condition("EntitlementInstance", "$", "Delivered", "False", "SecretNotFound").await;
    let message = condition["message"].as_str().unwrap();
    assert_eq!(
        message,
        format!("facets.backup.password: there is no Secret {} in namespace entitlements: make it", cluster.name)
    );
    assert!(is_rotated(&cluster.get("Secret", "$", "$-credentials").await.unwrap()));
    cluster.apply(PASSWORD).await;
    cluster.condition("EntitlementInstance", "$", "Ready", "True", "Active").await;
}

#[tokio::test]
async fn the_older_of_two_grants_gets_an_object_that_both_ask_for() {
    let cluster = cluster().await;
    cluster.feature().await;
    cluster
        .apply(
            "
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $-other}
spec:
  type: Feature
  outputs: [{name: config, kind: ConfigMap, objectName: $, items: [{key: who, template: other}]}]
",
        )
        .await;
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    cluster.phase("$", "Active").await;
    let mut other =
        grant(&format!("{}-other", cluster.name), &cluster.name, &format!("{}-other", cluster.name), json!({}));
    // Made later, but granted earlier.
    other["metadata"]["annotations"] = json!({"entitlements.dev/granted-at": "2020-01-01T00:00:00Z"});
    cluster.create(other).await.unwrap();
    cluster.until("ConfigMap", "$", "$", "is the older grant's", |seen| seen["data"]["who"] == "other").await;
    let condition = cluster.condition("EntitlementInstance", "$", "Delivered", "False", "Conflict").await;
    let message = condition["message"].as_str().unwrap();
    assert!(message.contains(&format!("belongs to entitlements/{}-other", cluster.name)), "{message}");
}

#[tokio::test]
async fn a_deleted_organization_takes_its_objects_along() {
    let cluster = cluster().await;
    backup(&cluster).await;
    cluster.object("Secret", "$", "$-credentials").await;
    cluster.delete("Organization", "", "$").await;
    cluster.condition("EntitlementInstance", "$", "Accepted", "False", "OrganizationNotFound").await;
    for (kind, name) in [("ConfigMap", "$-config"), ("Secret", "$-credentials"), ("ConfigMap", "entitlements")] {
        cluster.gone(kind, "$", name).await;
    }
}

#[tokio::test]
async fn a_definition_that_drops_an_output_takes_its_objects_along() {
    let cluster = cluster().await;
    backup(&cluster).await;
    cluster.object("Secret", "$", "$-credentials").await;
    let outputs = json!([{"name": "config", "kind": "ConfigMap", "items": [{"key": "a", "template": "b"}]}]);
    cluster.merge("EntitlementDefinition", "", "$", json!({"spec": {"outputs": outputs}})).await.unwrap();
    // With one output left, its name has no suffix any more.
    cluster.object("ConfigMap", "$", "$").await;
    cluster.gone("Secret", "$", "$-credentials").await;
    cluster.gone("ConfigMap", "$", "$-config").await;
}
