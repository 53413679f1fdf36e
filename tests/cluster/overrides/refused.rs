//! What cannot be asked for, whoever approves it.

use super::desk::{desk, name_of};
use crate::harness::seconds_from_now;
use serde_json::{Value, json};

const DAY: i64 = 24 * 60 * 60;

#[tokio::test]
async fn what_cannot_be_asked_for_is_refused_with_a_remedy() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    desk.defines("uhd", json!({"type": "Feature", "outputs": []})).await;
    let (alice, bob) = (desk.requester("alice").await, desk.approver("bob").await);
    let days = |days: i64| json!(seconds_from_now(days * DAY));
    for (name, spec, reason, said) in [
        (
            "long",
            json!({"amount": 1, "end": days(31)}),
            "InvalidTerm",
            "it lasts longer than P30D, which its definition allows (spec.overrides.maxTerm): let it end by ",
        ),
        (
            "long-later",
            json!({"amount": 1, "start": days(40), "end": days(71)}),
            "InvalidTerm",
            "it lasts longer than P30D, which its definition allows (spec.overrides.maxTerm): let it end by ",
        ),
        ("backwards", json!({"amount": 1, "start": days(2), "end": days(1)}), "InvalidTerm", "the end "),
        ("over-already", json!({"amount": 1, "end": days(-1)}), "InvalidTerm", "the end "),
        ("unreadable", json!({"amount": 1, "end": "2027-02-30"}), "InvalidTerm", "end: "),
        (
            "uncounted",
            json!({}),
            "InvalidAmount",
            "$-members is counted: ask for another override that says in spec.amount how much it adds",
        ),
        (
            "counted",
            json!({"definition": "$-uhd", "amount": 1}),
            "InvalidAmount",
            "$-uhd is a Feature, which is on or off: remove amount",
        ),
        (
            "of-nothing",
            json!({"definition": "$-none", "amount": 1}),
            "DefinitionNotFound",
            "there is no definition $-none",
        ),
        (
            "of-nobody",
            json!({"organization": "$-none", "amount": 1}),
            "OrganizationNotFound",
            "there is no organization $-none",
        ),
    ] {
        let asked = alice.asks(name, spec).await;
        assert!(desk.refuses(&asked, reason).await.starts_with(said), "{name}: {}", desk.refuses(&asked, reason).await);
        // Nobody's approval changes that.
        let yes = bob.approves(&asked).await;
        desk.has_seen(&yes).await;
        desk.refuses(&asked, reason).await;
        let seen = desk.phase(&asked, "Rejected").await;
        assert_eq!(seen["status"]["accepted"], Value::Null, "{name}");
    }
    // As long as is allowed, from its start.
    let asked = alice.asks("as-long-as-allowed", json!({"amount": 1, "start": days(40), "end": days(70)})).await;
    let yes = bob.approves(&asked).await;
    desk.phase(&asked, "Waiting").await;
    let seen = desk.cluster.get("EntitlementOverride", "entitlements", name_of(&asked)).await.unwrap();
    assert_eq!(seen["status"]["accepted"]["at"], yes["metadata"]["creationTimestamp"]);
    desk.delivers_nothing().await;
}

/// A no counts whatever else there is to say.
#[tokio::test]
async fn what_is_refused_can_be_denied_all_the_same() {
    let desk = desk().await;
    desk.sells(json!({"refused": true})).await;
    let (alice, bob, dave) = (desk.requester("alice").await, desk.approver("bob").await, desk.approver("dave").await);
    let asked = alice.asks("extra", json!({"amount": 10})).await;
    assert_eq!(
        desk.refuses(&asked, "OverridesRefused").await,
        "there are no overrides of $-members: its spec.overrides.refused is true"
    );
    let no = bob.denies(&asked).await;
    let denied = json!({"at": no["metadata"]["creationTimestamp"], "by": bob.user});
    let is_it = |seen: &Value| seen["status"]["denied"] == denied;
    desk.cluster.until("EntitlementOverride", "entitlements", name_of(&asked), "is denied", is_it).await;
    // That it could be given later does not help.
    desk.edits(json!({"overrides": {"refused": false}})).await;
    desk.is_denied(&asked, &no).await;
    let yes = dave.approves(&asked).await;
    desk.has_seen(&yes).await;
    desk.is_denied(&asked, &no).await;
}

#[tokio::test]
async fn a_definition_that_refuses_exceptions_leaves_those_that_were_accepted() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let (alice, bob) = (desk.requester("alice").await, desk.approver("bob").await);
    let asked = alice.asks("extra", json!({"amount": 10})).await;
    let yes = bob.approves(&asked).await;
    desk.is_granted(&asked, &[&yes]).await;
    desk.edits(json!({"overrides": {"refused": true}})).await;
    let later = alice.asks("later", json!({"amount": 4})).await;
    desk.refuses(&later, "OverridesRefused").await;
    let yes_too = bob.approves(&later).await;
    desk.has_seen(&yes_too).await;
    desk.refuses(&later, "OverridesRefused").await;
    desk.is_granted(&asked, &[&yes]).await;
    desk.delivers(10).await;
    // Approved in time, it is given since then once there are exceptions again.
    desk.edits(json!({"overrides": {"refused": false}})).await;
    desk.is_granted(&later, &[&yes_too]).await;
    desk.delivers(14).await;
}

/// What the API server itself refuses.
#[tokio::test]
async fn what_says_too_little_is_refused_at_the_door() {
    let desk = desk().await;
    let alice = desk.requester("alice").await;
    for (what, spec, said) in [
        ("reason", json!({"reason": "just so"}), "spec.reason"),
        ("end", json!({"end": null}), "spec.end"),
        ("amount", json!({"amount": -1}), "spec.amount"),
        ("organization", json!({"organization": "No Name"}), "spec.organization"),
    ] {
        let refused = alice.tries_to_ask("extra", spec).await.unwrap_err();
        assert!(refused.contains(said), "{what}: {refused}");
    }
}
