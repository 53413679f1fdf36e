//! Records of acceptance that somebody forges who may write statuses, but not specs.

use crate::harness::{Cluster, cluster, grant};
use serde_json::{Value, json};

async fn forge(cluster: &Cluster, name: &str, fields: &Value) {
    let patch = kube::api::Patch::Merge(json!({"status": {"accepted": fields}}));
    let api = cluster.api("EntitlementInstance", "entitlements");
    api.patch_status(name, &kube::api::PatchParams::default(), &patch).await.unwrap();
}

/// Forges a record, and waits until it is as it was before.
async fn forge_in_vain(cluster: &Cluster, name: &str, fields: &Value) -> Value {
    let before = cluster.get("EntitlementInstance", "entitlements", name).await.unwrap();
    forge(cluster, name, fields).await;
    let what = format!("is as before {fields}");
    let is_as_before = |seen: &Value| {
        seen["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]
            && seen["status"]["accepted"] == before["status"]["accepted"]
            && seen["status"]["phase"] == before["status"]["phase"]
    };
    cluster.until("EntitlementInstance", "entitlements", name, &what, is_as_before).await
}

#[tokio::test]
async fn a_forged_record_does_not_bring_back_what_has_ended() {
    let cluster = cluster().await;
    cluster.feature().await;
    let name = cluster.name.clone();
    let spec = json!({"start": "2020-01-01", "end": "2020-12-31"});
    cluster.create(grant(&name, &name, &name, spec)).await.unwrap();
    cluster.phase("$", "Expired").await;
    for fields in [
        json!({"gracePeriod": "P100Y"}),
        json!({"follows": "2099-01-01T00:00:00Z"}),
        json!({"length": "P100Y"}),
        json!({"gracePeriod": "P100Y", "follows": "2020-01-01T00:00:00Z", "length": "P100Y", "term": "P100Y"}),
    ] {
        forge_in_vain(&cluster, &name, &fields).await;
        assert_eq!(cluster.get("ConfigMap", "$", "$").await, None, "{fields}");
    }
}

#[tokio::test]
async fn a_forged_record_does_not_withdraw_what_is_in_force() {
    let cluster = cluster().await;
    cluster.feature().await;
    let name = cluster.name.clone();
    cluster.create(grant(&name, &name, &name, json!({}))).await.unwrap();
    cluster.phase("$", "Active").await;
    let delivered = cluster.object("ConfigMap", "$", "$").await;
    for fields in [
        json!({"term": "PT1S"}),
        json!({"follows": "2099-01-01T00:00:00Z", "length": "PT1S"}),
        json!({"since": "2099-01-01T00:00:00Z"}),
        json!({"timeZone": "Pacific/Kiritimati"}),
        json!({"chain": {"name": "another"}}),
    ] {
        forge_in_vain(&cluster, &name, &fields).await;
        assert_eq!(cluster.get("ConfigMap", "$", "$").await.as_ref(), Some(&delivered), "{fields}");
    }
}

#[tokio::test]
async fn a_forged_record_does_not_give_an_amount() {
    let cluster = cluster().await;
    cluster.feature().await;
    let name = cluster.name.clone();
    let seats = format!("{name}-seats");
    cluster
        .create(json!({
            "apiVersion": "entitlements.dev/v1alpha1",
            "kind": "EntitlementDefinition",
            "metadata": {"name": seats},
            "spec": {"type": "Quantity", "unit": "seats", "amount": 10},
        }))
        .await
        .unwrap();
    cluster.create(grant(&seats, &name, &seats, json!({}))).await.unwrap();
    cluster.phase(&seats, "Active").await;
    cluster.summary("$", &seats, "has 10", |entry| entry["amount"] == "10").await;
    let delivered = cluster.object("ConfigMap", "$", "entitlements").await;
    for fields in [json!({"amount": 1_000_000}), json!({"amount": "Unlimited"}), json!({"amount": "11"})] {
        forge_in_vain(&cluster, &seats, &fields).await;
        assert_eq!(cluster.get("ConfigMap", "$", "entitlements").await.as_ref(), Some(&delivered), "{fields}");
    }
}

#[tokio::test]
async fn a_forged_record_does_not_bring_a_renewal_forward() {
    let cluster = cluster().await;
    cluster.feature().await;
    let name = cluster.name.clone();
    cluster.create(grant(&name, &name, &name, json!({"start": "2020-01-01", "end": "2098-12-31"}))).await.unwrap();
    let renewal = format!("{name}-next");
    cluster.create(grant(&renewal, &name, &name, json!({"renews": name}))).await.unwrap();
    cluster.phase(&renewal, "Waiting").await;
    for fields in
        [json!({"follows": "2020-01-01T00:00:00Z"}), json!({"length": "P900Y"}), json!({"chain": {"name": "x"}})]
    {
        forge_in_vain(&cluster, &renewal, &fields).await;
    }
}
