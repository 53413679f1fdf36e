//! The phases of a grant, on time, with their events.

use crate::harness::{cluster, condition, grant, seconds_from_now};
use serde_json::json;

#[tokio::test]
async fn a_term_begins_and_ends_by_itself() {
    let cluster = cluster().await;
    cluster.feature().await;
    let (start, end) = (seconds_from_now(6), seconds_from_now(14));
    cluster
        .create(grant(&cluster.name, &cluster.name, &cluster.name, json!({"start": start, "end": end})))
        .await
        .unwrap();
    let waiting = cluster.phase("$", "Waiting").await;
    assert_eq!(waiting["status"]["nextTransition"], json!({"at": start, "phase": "Active"}));
    assert_eq!(waiting["status"]["start"], start);
    assert_eq!(waiting["status"]["end"], end);
    assert_eq!(condition(&waiting, "Entitled")["status"], "False");
    assert!(cluster.get("ConfigMap", "$", "$").await.is_none());
    let entry = cluster.summary("$", "$", "is not entitled yet", |entry| entry["entitled"] == false).await;
    assert_eq!(entry["validFrom"], start);

    cluster.object("ConfigMap", "$", "$").await;
    assert!(seconds_from_now(0) >= start, "delivered before its start");
    let active = cluster.phase("$", "Active").await;
    assert_eq!(active["status"]["nextTransition"], json!({"at": end, "phase": "Expired"}));

    cluster.gone("ConfigMap", "$", "$").await;
    assert!(seconds_from_now(0) >= end, "withdrawn before its end");
    let expired = cluster.phase("$", "Expired").await;
    assert_eq!(condition(&expired, "Ready")["status"], "True");
    assert_eq!(condition(&expired, "Entitled")["reason"], "Expired");
    assert!(expired["status"]["nextTransition"].is_null());
    cluster.summary("$", "$", "is gone", serde_json::Value::is_null).await;
    cluster.event("$", "Expired").await;
    let reasons: Vec<String> = cluster.events("$").await.into_iter().map(|(reason, _)| reason).collect();
    for reason in ["Activated", "Expired"] {
        assert_eq!(reasons.iter().filter(|one| *one == reason).count(), 1, "{reason} in {reasons:?}");
    }
}

#[tokio::test]
async fn a_draft_is_checked_and_delivers_nothing() {
    let cluster = cluster().await;
    cluster.feature().await;
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({"state": "Draft"}))).await.unwrap();
    let draft = cluster.phase("$", "Draft").await;
    assert_eq!(condition(&draft, "Ready")["status"], "True");
    assert_eq!(condition(&draft, "Accepted")["status"], "True");
    assert!(draft["status"]["accepted"].is_null());
    cluster.merge("EntitlementInstance", "entitlements", "$", json!({"spec": {"state": "Active"}})).await.unwrap();
    cluster.object("ConfigMap", "$", "$").await;
    cluster.merge("EntitlementInstance", "entitlements", "$", json!({"spec": {"state": "Draft"}})).await.unwrap();
    cluster.gone("ConfigMap", "$", "$").await;
    cluster.phase("$", "Draft").await;
}

#[tokio::test]
async fn a_cancelled_grant_is_withdrawn_for_good() {
    let cluster = cluster().await;
    cluster.feature().await;
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    cluster.object("ConfigMap", "$", "$").await;
    cluster.merge("EntitlementInstance", "entitlements", "$", json!({"spec": {"state": "Cancelled"}})).await.unwrap();
    cluster.gone("ConfigMap", "$", "$").await;
    cluster.phase("$", "Cancelled").await;
    let back = cluster.merge("EntitlementInstance", "entitlements", "$", json!({"spec": {"state": "Active"}})).await;
    assert!(back.unwrap_err().contains("a cancelled grant stays cancelled: make a new one"));
}

#[tokio::test]
async fn suspension_withdraws_and_comes_back() {
    let cluster = cluster().await;
    cluster.feature().await;
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    cluster.object("ConfigMap", "$", "$").await;
    for (kind, namespace) in [("EntitlementInstance", "entitlements"), ("Organization", "")] {
        cluster.merge(kind, namespace, "$", json!({"spec": {"suspended": true}})).await.unwrap();
        cluster.gone("ConfigMap", "$", "$").await;
        cluster.phase("$", "Suspended").await;
        cluster.merge(kind, namespace, "$", json!({"spec": {"suspended": false}})).await.unwrap();
        cluster.object("ConfigMap", "$", "$").await;
        cluster.phase("$", "Active").await;
    }
}

#[tokio::test]
async fn dates_and_terms_are_reckoned_in_the_organizations_time_zone() {
    let cluster = cluster().await;
    cluster.feature().await;
    cluster.merge("Organization", "", "$", json!({"spec": {"timeZone": "America/Sao_Paulo"}})).await.unwrap();
    cluster.condition("Organization", "$", "Ready", "True", "Served").await;
    let spec = json!({"start": "2100-01-31", "end": "2100-03-31"});
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, spec)).await.unwrap();
    let waiting = cluster.phase("$", "Waiting").await;
    assert_eq!(waiting["status"]["start"], "2100-01-31T03:00:00Z");
    assert_eq!(waiting["status"]["end"], "2100-04-01T03:00:00Z");
    assert_eq!(waiting["status"]["accepted"]["timeZone"], "America/Sao_Paulo");
}

#[tokio::test]
async fn amounts_add_up() {
    let cluster = cluster().await;
    cluster.apply(crate::harness::ORGANIZATION).await;
    let definition = "
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $}
spec: {type: Quantity, unit: seats, amount: 25, allowMultiple: true}
";
    cluster.apply(definition).await;
    for (name, spec) in [("a", json!({})), ("b", json!({"amount": 100})), ("c", json!({"amount": "0.50"}))] {
        cluster.create(grant(&format!("{}-{name}", cluster.name), &cluster.name, &cluster.name, spec)).await.unwrap();
    }
    cluster.summary("$", "$", "adds up", |entry| entry["amount"] == "125.5").await;
    let summary = cluster.object("ConfigMap", "$", "entitlements").await;
    let variable = cluster.name.to_uppercase();
    let lines = format!("ENTITLEMENT_{variable}=true\nENTITLEMENT_{variable}_AMOUNT=125.5\n");
    assert_eq!(summary["data"]["entitlements.env"], lines);
    let unlimited = grant(&format!("{}-d", cluster.name), &cluster.name, &cluster.name, json!({"amount": "Unlimited"}));
    cluster.create(unlimited).await.unwrap();
    cluster.summary("$", "$", "is unlimited", |entry| entry["amount"] == "Unlimited").await;
}
