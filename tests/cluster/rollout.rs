//! How an edit of a definition reaches the grants that it has.

use crate::harness::{Cluster, DEADLINE, Stage, cluster, grant, is_current};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// An organization `$`, and a definition `$` of ten seats that writes a ConfigMap with the amount.
async fn seats(cluster: &Cluster) {
    cluster.apply(crate::harness::ORGANIZATION).await;
    cluster
        .apply(
            r#"
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $}
spec:
  type: Quantity
  unit: seats
  amount: 10
  allowMultiple: true
  outputs:
    - name: config
      kind: ConfigMap
      items: [{key: seats, template: "{{ instance.amount }}"}]
"#,
        )
        .await;
}

async fn edit(cluster: &Cluster, spec: Value) {
    cluster.merge("EntitlementDefinition", "", "$", json!({"spec": spec})).await.unwrap();
    cluster.until("EntitlementDefinition", "", "$", "is seen", is_current).await;
}

/// Waits until the ConfigMap of a grant has an amount, and its record one.
async fn has(cluster: &Cluster, name: &str, amount: &str, agreed: &str) {
    let object = format!("{}-{name}", cluster.name);
    cluster.until("ConfigMap", "$", &object, amount, |seen| seen["data"]["seats"] == amount).await;
    let recorded = |seen: &Value| seen["status"]["accepted"]["amount"] == agreed;
    cluster.until("EntitlementInstance", "entitlements", name, agreed, recorded).await;
}

#[tokio::test]
async fn an_amount_is_agreed_unless_it_is_for_everyone() {
    let cluster = cluster().await;
    seats(&cluster).await;
    let name = cluster.name.clone();
    let [first, stated, later] = ["first", "stated", "later"].map(|which| format!("{name}-{which}"));
    cluster.create(grant(&first, &name, &name, json!({}))).await.unwrap();
    cluster.create(grant(&stated, &name, &name, json!({"amount": 7}))).await.unwrap();
    has(&cluster, &first, "10", "10").await;
    has(&cluster, &stated, "7", "10").await;
    cluster.condition("EntitlementInstance", &first, "Ready", "True", "Active").await;
    let object = format!("{name}-{first}");
    let before = cluster.get("EntitlementInstance", "entitlements", &first).await.unwrap();
    let delivered = cluster.get("ConfigMap", "$", &object).await.unwrap();
    edit(&cluster, json!({"amount": 4})).await;
    cluster.create(grant(&later, &name, &name, json!({}))).await.unwrap();
    has(&cluster, &later, "4", "4").await;
    cluster.operator_has_acted().await;
    assert_eq!(cluster.get("ConfigMap", "$", &object).await, Some(delivered), "nothing is written anew");
    let after = cluster.get("EntitlementInstance", "entitlements", &first).await.unwrap();
    assert_eq!(after["status"], before["status"]);
    edit(&cluster, json!({"amount": 5, "rollout": "Everyone"})).await;
    for (grant, amount) in [(&first, "5"), (&stated, "7"), (&later, "5")] {
        has(&cluster, grant, amount, "5").await;
    }
    edit(&cluster, json!({"amount": 6, "rollout": "Agreed"})).await;
    cluster.delete("EntitlementInstance", "entitlements", &later).await;
    cluster.create(grant(&later, &name, &name, json!({}))).await.unwrap();
    has(&cluster, &later, "6", "6").await;
    has(&cluster, &first, "5", "5").await;
}

/// As a former version leaves it.
#[tokio::test]
async fn a_record_without_an_amount_gets_the_present_one_once() {
    let cluster = cluster().await;
    seats(&cluster).await;
    let name = cluster.name.clone();
    cluster.create(grant(&name, &name, &name, json!({}))).await.unwrap();
    has(&cluster, &name, "10", "10").await;
    let patch = Patch::Merge(json!({"status": {"accepted": {"amount": null}}}));
    let api = cluster.api("EntitlementInstance", "entitlements");
    let former = api.patch_status(&name, &PatchParams::default(), &patch).await.unwrap();
    has(&cluster, &name, "10", "10").await;
    let seen = cluster.get("EntitlementInstance", "entitlements", &name).await.unwrap();
    assert_ne!(former.metadata.resource_version.as_deref(), seen["metadata"]["resourceVersion"].as_str());
    cluster.operator_has_acted().await;
    let after = cluster.get("EntitlementInstance", "entitlements", &name).await.unwrap();
    assert_eq!(seen["metadata"]["resourceVersion"], after["metadata"]["resourceVersion"]);
}

/// The notes of the events `CatalogueChanged` of a grant.
async fn told(cluster: &Cluster, name: &str) -> Vec<String> {
    let events = cluster.events(name).await.into_iter();
    events.filter(|(reason, _)| reason == "CatalogueChanged").map(|(_, note)| note).collect()
}

#[tokio::test]
async fn what_an_edit_changes_for_a_grant_is_told_once() {
    let cluster = cluster().await;
    seats(&cluster).await;
    let name = cluster.name.clone();
    let [first, stated] = ["first", "stated"].map(|which| format!("{name}-{which}"));
    cluster.create(grant(&first, &name, &name, json!({}))).await.unwrap();
    cluster.create(grant(&stated, &name, &name, json!({"amount": 7}))).await.unwrap();
    has(&cluster, &first, "10", "10").await;
    has(&cluster, &stated, "7", "10").await;
    edit(&cluster, json!({"amount": 4})).await;
    edit(&cluster, json!({"rollout": "Everyone"})).await;
    has(&cluster, &first, "4", "4").await;
    cluster.event(&first, "CatalogueChanged").await;
    let schema = json!({"type": "object", "properties": {"depth": {"type": "integer", "default": 3}}});
    edit(&cluster, json!({"facets": [{"name": "limits", "schema": schema}]})).await;
    cluster.event(&stated, "CatalogueChanged").await;
    // What changes nothing for a grant, its own edits and whatever else makes it be looked at again is not told.
    edit(&cluster, json!({"description": "Seats"})).await;
    cluster.merge("EntitlementInstance", "entitlements", &first, json!({"spec": {"priority": 3}})).await.unwrap();
    cluster.delete("ConfigMap", "$", &format!("{name}-{first}")).await;
    has(&cluster, &first, "4", "4").await;
    cluster.operator_has_acted().await;
    let of_facet = format!("definition {name} was edited: facets.limits.depth comes as 3");
    let of_amount = format!("definition {name} was edited: the amount changes from 10 to 4 seats; 1 object changes");
    let before = Instant::now();
    while told(&cluster, &first).await.len() < 2 && before.elapsed() < DEADLINE {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut notes = told(&cluster, &first).await;
    notes.sort();
    assert_eq!(notes, [of_facet.clone(), of_amount]);
    assert_eq!(told(&cluster, &stated).await, [of_facet]);
}

/// What was edited while the operator was down is told when it is back, and what it finds as it left it is not.
#[tokio::test]
async fn what_was_edited_meanwhile_is_told() {
    let stage = tokio::task::spawn_blocking(Stage::start).await.unwrap();
    let operator = stage.operator(&[]);
    let cluster = stage.cluster().await;
    seats(&cluster).await;
    let name = cluster.name.clone();
    cluster.create(grant(&name, &name, &name, json!({}))).await.unwrap();
    has(&cluster, &name, "10", "10").await;
    cluster.condition("EntitlementInstance", &name, "Ready", "True", "Active").await;
    operator.stop();
    let again = stage.operator(&[]);
    cluster.operator_has_acted().await;
    assert_eq!(told(&cluster, &name).await, [""; 0]);
    again.stop();
    let edited = json!({"spec": {"amount": 4, "rollout": "Everyone"}});
    cluster.merge("EntitlementDefinition", "", "$", edited).await.unwrap();
    let _last = stage.operator(&[]);
    cluster.event(&name, "CatalogueChanged").await;
    let expected = format!("definition {name} was edited: the amount changes from 10 to 4 seats; 1 object changes");
    assert_eq!(told(&cluster, &name).await, [expected]);
}
