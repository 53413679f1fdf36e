//! What the summary holds beside entitlements, and how large it may be.

use crate::harness::{Cluster, cluster, grant};
use serde_json::{Value, json};

/// What Kubernetes allows of a ConfigMap's data.
const LIMIT: usize = 1024 * 1024;

const LARGE: &str = r#"
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $-large}
spec:
  type: Feature
  allowMultiple: true
  facets:
    - name: f
      schema: {type: object, properties: {text: {type: string}}}
  outputs:
    - name: o
      kind: ConfigMap
      objectName: $-large
      per: Definition
      items: [{key: length, template: "{{ facets.f.text | length }}"}]
"#;

fn bytes(summary: &Value) -> usize {
    summary["data"].as_object().unwrap().values().map(|value| value.as_str().unwrap().len()).sum()
}

/// Gives the facet of grant `$-large` so many characters.
async fn lengthen(cluster: &Cluster, length: usize) {
    let facets = json!({"spec": {"facets": {"f": {"text": "x".repeat(length)}}}});
    cluster.merge("EntitlementInstance", "entitlements", "$-large", facets).await.unwrap();
    let length = length.to_string();
    cluster.until("ConfigMap", "$", "$-large", "is delivered", |seen| seen["data"]["length"] == length).await;
}

#[tokio::test]
async fn a_summary_as_large_as_kubernetes_allows_is_written_and_a_larger_one_is_a_condition() {
    let cluster = cluster().await;
    cluster.feature().await;
    cluster.apply(LARGE).await;
    cluster
        .apply(&LARGE.replace("name: $-large", "name: $-other").replace("objectName: $-large", "objectName: $-other"))
        .await;
    for (name, length) in [("large", 400_000), ("other", 500_000)] {
        let name = format!("{}-{name}", cluster.name);
        let facets = json!({"facets": {"f": {"text": "x".repeat(length)}}});
        cluster.create(grant(&name, &cluster.name, &name, facets)).await.unwrap();
    }
    let has_both = |seen: &Value| {
        let text = seen["data"]["entitlements.json"].as_str().unwrap_or_default();
        text.len() > 900_000
    };
    let first = cluster.until("ConfigMap", "$", "entitlements", "has both", has_both).await;
    let length = 400_000 + LIMIT - bytes(&first);
    lengthen(&cluster, length).await;
    let largest = cluster
        .until("ConfigMap", "$", "entitlements", "is as large as it may be", |seen| {
            seen["data"].is_object() && bytes(seen) == LIMIT
        })
        .await;
    cluster.condition("Organization", "$", "Ready", "True", "Served").await;
    lengthen(&cluster, length + 1).await;
    let ready = cluster.condition("Organization", "$", "Ready", "False", "SummaryTooLarge").await;
    assert_eq!(
        ready["message"],
        format!(
            "the summary entitlements would have {} bytes, more than the {LIMIT} that Kubernetes allows, so it stays as it is in every namespace, while all else is delivered: shorten the facets of what the organization holds, or let it hold less",
            LIMIT + 1
        )
    );
    assert_eq!(cluster.get("ConfigMap", "$", "entitlements").await.unwrap(), largest);
    lengthen(&cluster, 100).await;
    cluster.condition("Organization", "$", "Ready", "True", "Served").await;
    cluster.until("ConfigMap", "$", "entitlements", "is small again", |seen| bytes(seen) < bytes(&first)).await;
}

fn flag(summary: &Value, name: &str) -> Value {
    let text = summary["data"]["flags.json"].as_str().unwrap_or("{}");
    let flags: Value = serde_json::from_str(text).unwrap();
    let flag = &flags["flags"][name];
    flag["variants"].get(flag["defaultVariant"].as_str().unwrap_or_default()).cloned().unwrap_or_default()
}

#[tokio::test]
async fn all_flags_follow_the_catalogue_and_leave_those_who_did_not_ask_alone() {
    let cluster = cluster().await;
    cluster.feature().await;
    cluster.apply(&crate::harness::ORGANIZATION.replace('$', "$-all")).await;
    cluster.merge("Organization", "", "$-all", json!({"spec": {"summary": {"flags": "All"}}})).await.unwrap();
    let (name, all) = (cluster.name.clone(), format!("{}-all", cluster.name));
    let flags = async |what: &str, handle: &str, expected: Value| {
        cluster.until("ConfigMap", &all, "entitlements", what, |seen| flag(seen, handle) == expected).await
    };
    flags("has what nobody holds", &name, json!(false)).await;
    let untouched = cluster.object("ConfigMap", "$", "entitlements").await;
    assert_eq!(flag(&untouched, &name), Value::Null);
    let schema = json!({"type": "object"});
    let spec = json!({"type": "Quantity", "unit": "seats", "amount": 5, "facets": [{"name": "f", "schema": schema}]});
    let more = format!("{name}-more");
    cluster
        .create(json!({
            "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementDefinition",
            "metadata": {"name": more}, "spec": spec,
        }))
        .await
        .unwrap();
    let seen = flags("has what is new", &more, json!(0)).await;
    assert_eq!(flag(&seen, &format!("{more}.facets")), json!({}));
    let broken = json!({"spec": {"facets": [{"name": "f", "definition": format!("{name}-none")}]}});
    cluster.merge("EntitlementDefinition", "", "$-more", broken).await.unwrap();
    flags("has nothing that is not ready", &more, Value::Null).await;
    let mended = json!({"spec": {"facets": null}});
    cluster.merge("EntitlementDefinition", "", "$-more", mended).await.unwrap();
    let seen = flags("has what is ready again", &more, json!(0)).await;
    assert_eq!(flag(&seen, &format!("{more}.facets")), Value::Null);
    cluster.create(grant(&more, &all, &more, json!({}))).await.unwrap();
    let is_held = |seen: &Value| {
        let text = seen["data"]["flags.json"].as_str().unwrap_or_default();
        text.contains("$flagd.timestamp")
    };
    cluster.until("ConfigMap", &all, "entitlements", "holds it", is_held).await;
    cluster.delete("EntitlementInstance", "entitlements", &more).await;
    flags("holds it no longer", &more, json!(0)).await;
    cluster.delete("EntitlementDefinition", "", "$-more").await;
    flags("has nothing that is gone", &more, Value::Null).await;
    assert_eq!(cluster.get("ConfigMap", "$", "entitlements").await.unwrap(), untouched);
}
