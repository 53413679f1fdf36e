//! Nothing that happens later changes what was decided; only its own cancellation, its end, and what bars all grants take it away.

use super::desk::{OVERRIDE, desk, name_of};
use crate::harness::{ORGANIZATION, is_current};
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

#[tokio::test]
async fn no_edit_of_the_definition_reaches_what_was_accepted() {
    let desk = desk().await;
    desk.sells(json!({"approvals": 0})).await;
    let alice = desk.requester("alice").await;
    let asked = alice.asks("extra", json!({"amount": 10})).await;
    let accepted = desk.is_granted(&asked, &[]).await["status"]["accepted"].take();
    let edits = [
        json!({"overrides": {"approvals": 3}}),
        json!({"overrides": {"maxTerm": "PT1S", "expiresAfter": "PT1S"}}),
        json!({"overrides": {"refused": true}}),
        json!({"amount": 3, "aggregation": "Max", "gracePeriod": "P1D", "term": "PT1S"}),
        // It is invalid from here on.
        json!({"facets": [{"name": "f", "definition": format!("{}-none", desk.cluster.name)}]}),
    ];
    for edit in edits {
        desk.edits(edit.clone()).await;
        desk.cluster.operator_has_acted().await;
        let seen = desk.is_granted(&asked, &[]).await;
        assert_eq!(seen["status"]["accepted"], accepted, "{edit}");
        assert_eq!(seen["status"]["end"], asked["spec"]["end"], "{edit}");
        desk.delivers(10).await;
    }
    desk.cluster.delete("EntitlementDefinition", "", "$-members").await;
    let is_told = |seen: &Value| crate::harness::condition(seen, "Ready")["reason"] == "DefinitionNotFound";
    desk.cluster.until(OVERRIDE, "entitlements", name_of(&asked), "its definition is gone", is_told).await;
    let seen = desk.is_granted(&asked, &[]).await;
    assert_eq!(seen["status"]["accepted"], accepted);
    desk.delivers(10).await;
    // A new one of the same definition has nothing to be of.
    let later = alice.asks("later", json!({"amount": 4})).await;
    desk.refuses(&later, "DefinitionNotFound").await;
    desk.delivers(10).await;
}

/// Until then, what the definition says now is what is needed.
#[tokio::test]
async fn an_edit_reaches_what_is_not_decided_yet() {
    let desk = desk().await;
    desk.sells(json!({"approvals": 2})).await;
    let (alice, bob) = (desk.requester("alice").await, desk.approver("bob").await);
    let asked = alice.asks("extra", json!({"amount": 10})).await;
    let yes = bob.approves(&asked).await;
    desk.waits(&asked, "1/2").await;
    desk.edits(json!({"overrides": {"approvals": 3}})).await;
    desk.waits(&asked, "1/3").await;
    desk.edits(json!({"overrides": {"approvals": 1}})).await;
    desk.is_granted(&asked, &[&yes]).await;
    desk.delivers(10).await;
}

#[tokio::test]
async fn cancelled_is_cancelled_for_good() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let (alice, bob) = (desk.requester("alice").await, desk.approver("bob").await);
    let asked = alice.asks("extra", json!({"amount": 10})).await;
    let undecided = alice.asks("undecided", json!({"amount": 100})).await;
    let yes = bob.approves(&asked).await;
    desk.is_granted(&asked, &[&yes]).await;
    desk.delivers(10).await;
    let cancel = async |asked: &Value, cancelled: bool| {
        let spec = json!({"spec": {"cancelled": cancelled}});
        alice.cluster.merge(OVERRIDE, "entitlements", name_of(asked), spec).await
    };
    for asked in [&asked, &undecided] {
        cancel(asked, true).await.unwrap();
        desk.phase(asked, "Cancelled").await;
        let refused = cancel(asked, false).await.unwrap_err();
        assert!(refused.contains("a cancelled override stays cancelled: ask for another"), "{refused}");
    }
    desk.delivers_nothing().await;
    // Nobody's approval brings it back, or makes it anything.
    let late = bob.approves(&undecided).await;
    desk.has_seen(&late).await;
    let seen = desk.phase(&undecided, "Cancelled").await;
    assert_eq!(seen["status"]["accepted"], Value::Null);
    let seen = desk.phase(&asked, "Cancelled").await;
    assert_eq!(seen["status"]["accepted"]["by"], json!([bob.user]));
    desk.delivers_nothing().await;
}

/// What was approved is what was asked for.
#[tokio::test]
async fn nothing_else_of_it_ever_changes() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let (alice, bob) = (desk.requester("alice").await, desk.approver("bob").await);
    let asked = alice.asks("extra", json!({"amount": 10, "ticket": "SD-1"})).await;
    let yes = bob.approves(&asked).await;
    desk.is_granted(&asked, &[&yes]).await;
    for (field, value) in [
        ("amount", json!(1000)),
        ("amount", json!("Unlimited")),
        ("amount", Value::Null),
        ("organization", json!("another")),
        ("definition", json!("another")),
        ("start", json!("2020-01-01")),
        ("end", json!("2199-12-31")),
        ("facets", json!({"f": {"a": 1}})),
        ("reason", json!("another reason altogether")),
        ("ticket", Value::Null),
        ("requestedBy", json!(bob.user)),
    ] {
        // Nor does who may do anything.
        for who in [&alice.cluster, &desk.cluster] {
            let refused = who
                .merge(OVERRIDE, "entitlements", name_of(&asked), json!({"spec": {field: value}}))
                .await
                .unwrap_err();
            let said = "an override is immutable, but for cancelled: cancel this one and ask for another";
            assert!(refused.contains(said), "{field}: {refused}");
        }
    }
    desk.is_granted(&asked, &[&yes]).await;
}

/// What bars every grant bars those that were accepted, too; as it does, so it goes by.
#[tokio::test]
async fn without_its_organization_or_its_namespace_it_is_refused_until_they_are_back() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let (alice, bob) = (desk.requester("alice").await, desk.approver("bob").await);
    let asked = alice.asks("extra", json!({"amount": 10})).await;
    let yes = bob.approves(&asked).await;
    desk.is_granted(&asked, &[&yes]).await;
    desk.delivers(10).await;
    let allow = async |namespaces: &[&str]| {
        let spec = json!({"spec": {"assignableFrom": namespaces}});
        desk.cluster.merge("Organization", "", "$", spec).await.unwrap();
        desk.cluster.until("Organization", "", "$", "is seen", is_current).await;
    };
    allow(&["elsewhere"]).await;
    desk.refuses(&asked, "NamespaceNotAllowed").await;
    let seen = desk.phase(&asked, "Rejected").await;
    assert_eq!(seen["status"]["accepted"]["at"], yes["metadata"]["creationTimestamp"]);
    desk.delivers_nothing().await;
    allow(&["entitlements"]).await;
    desk.is_granted(&asked, &[&yes]).await;
    desk.delivers(10).await;

    desk.cluster.delete("Organization", "", "$").await;
    desk.refuses(&asked, "OrganizationNotFound").await;
    desk.phase(&asked, "Rejected").await;
    desk.cluster.gone("ConfigMap", "$", "members").await;
    desk.cluster.apply(ORGANIZATION).await;
    desk.is_granted(&asked, &[&yes]).await;
    desk.delivers(10).await;
}

/// An end that is a day stays that day where the client was when it was approved.
#[tokio::test]
async fn a_client_that_moves_keeps_its_end() {
    let desk = desk().await;
    desk.sells(json!({"approvals": 0})).await;
    let moves = async |zone: &str| {
        desk.cluster.merge("Organization", "", "$", json!({"spec": {"timeZone": zone}})).await.unwrap();
        desk.cluster.until("Organization", "", "$", "is seen", is_current).await;
    };
    moves("Asia/Tokyo").await;
    let day = (Utc::now() + TimeDelta::days(3)).date_naive();
    let alice = desk.requester("alice").await;
    let asked = alice.asks("extra", json!({"amount": 10, "end": day.to_string()})).await;
    let before = desk.is_granted(&asked, &[]).await["status"].take();
    assert_eq!(before["accepted"]["timeZone"], "Asia/Tokyo");
    assert_eq!((&before["end"], &before["until"]), (&json!(format!("{day}T15:00:00Z")), &json!(day.to_string())));
    moves("America/New_York").await;
    desk.cluster.operator_has_acted().await;
    let after = desk.is_granted(&asked, &[]).await["status"].take();
    for field in ["accepted", "start", "end", "until"] {
        assert_eq!(before[field], after[field], "{field}");
    }
    let later = alice.asks("later", json!({"amount": 1, "end": day.to_string()})).await;
    let there = desk.is_granted(&later, &[]).await["status"].take();
    assert_eq!(there["accepted"]["timeZone"], "America/New_York");
    assert_ne!(there["end"], after["end"]);
}

/// Only from where its organization allows it, and never from a tenant's own namespace.
#[tokio::test]
async fn a_tenant_gives_itself_no_exceptions() {
    let desk = desk().await;
    desk.sells(json!({"approvals": 0})).await;
    let asked = super::desk::exception(&desk.cluster, "own", "admin", &json!({"amount": 10}));
    let mut own = asked.clone();
    own["metadata"]["namespace"] = desk.cluster.name.clone().into();
    desk.cluster.create(own).await.unwrap();
    let is_refused = |seen: &Value| {
        crate::harness::condition(seen, "Accepted")["reason"] == "NamespaceNotAllowed"
            && seen["status"]["phase"] == "Rejected"
    };
    desk.cluster.until(OVERRIDE, "$", "own", "is refused", is_refused).await;
    let allowed = json!({"spec": {"assignableFrom": ["entitlements", desk.cluster.name]}});
    desk.cluster.merge("Organization", "", "$", allowed).await.unwrap();
    desk.cluster.until("Organization", "", "$", "is seen", is_current).await;
    desk.cluster.operator_has_acted().await;
    desk.cluster.until(OVERRIDE, "$", "own", "is refused", is_refused).await;
    desk.delivers_nothing().await;
}
