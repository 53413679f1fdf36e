//! The first minute of a cluster, and what is decided while no operator is there to see it.

use super::desk::{Desk, desk, give_roles, is_so_old, made, moment, name_of};
use crate::harness::{Operator, Stage};
use chrono::TimeDelta;
use serde_json::{Value, json};
use tokio::task::block_in_place;

/// One of several, which takes over soon after another is gone.
fn operator(stage: &Stage, name: &str) -> Operator {
    stage.operator(&[&format!("--identity={name}"), "--lease-duration=2s"])
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_the_first_minute_nor_the_death_of_an_operator_changes_what_counts() {
    let stage = tokio::task::spawn_blocking(Stage::start).await.unwrap();
    let first = operator(&stage, "first");
    block_in_place(|| give_roles(&stage.plane));
    let desk = Desk::of(&stage.plane, stage.cluster().await);
    desk.sells(json!({})).await;
    what_is_made_too_early_never_counts(&desk).await;
    what_was_decided_before_a_crash_counts(&desk, &stage, first).await;
}

async fn what_is_made_too_early_never_counts(desk: &Desk<'_>) {
    let (alice, bob) = (desk.requester("alice").await, desk.approver("bob").await);
    let early = alice.asks("early", json!({"amount": 10})).await;
    let said = "it was made before the policies that check who asks and who approves had been there for a minute: make it anew";
    assert_eq!(desk.refuses(&early, "ApprovalsUnprotected").await, said);
    bob.approves(&early).await;
    desk.cluster.until_protected().await;
    // Nor does it count later, whoever says so then.
    let late = desk.approver("dave").await.approves(&early).await;
    desk.has_seen(&late).await;
    assert_eq!(desk.refuses(&early, "ApprovalsUnprotected").await, said);
    let seen = desk.phase(&early, "Rejected").await;
    assert_eq!(seen["status"]["accepted"], Value::Null);
    desk.delivers_nothing().await;
}

async fn what_was_decided_before_a_crash_counts(desk: &Desk<'_>, stage: &Stage, first: Operator) {
    let (alice, bob, dave) = (desk.requester("alice").await, desk.approver("bob").await, desk.approver("dave").await);
    let limited = json!({"type": "Quantity", "unit": "hours", "amount": 1, "overrides": {"expiresAfter": "PT12S"}});
    desk.defines("limited", limited).await;
    let approved = alice.asks("approved", json!({"amount": 10})).await;
    let denied = alice.asks("denied", json!({"amount": 100})).await;
    let disputed = alice.asks("disputed", json!({"amount": 1000})).await;
    for asked in [&approved, &denied, &disputed] {
        desk.waits(asked, "0/1").await;
    }
    let [in_time, too_late] =
        ["in-time", "too-late"].map(|name| (name, json!({"definition": "$-limited", "amount": 1})));
    let in_time = alice.asks(in_time.0, in_time.1).await;
    let too_late = alice.asks(too_late.0, too_late.1).await;
    // It is killed between the decision and the acceptance.
    let yes = bob.approves(&approved).await;
    block_in_place(|| first.kill());
    let seen = desk.cluster.get("EntitlementOverride", "entitlements", name_of(&approved)).await.unwrap();
    assert_eq!(seen["status"]["accepted"], Value::Null, "this machine is too slow for two seconds");
    // Decided while nobody looks; what comes later comes too late.
    let no = dave.denies(&denied).await;
    let yes_to_disputed = bob.approves(&disputed).await;
    let yes_in_time = bob.approves(&in_time).await;
    assert!(made(&yes_in_time) < made(&in_time) + TimeDelta::seconds(12), "this machine is too slow for this");
    is_so_old(&yes_to_disputed, TimeDelta::seconds(1)).await;
    is_so_old(&too_late, TimeDelta::seconds(13)).await;
    dave.denies(&disputed).await;
    bob.approves(&denied).await;
    bob.approves(&too_late).await;

    let second = operator(stage, "second");
    desk.is_granted(&approved, &[&yes]).await;
    desk.is_denied(&denied, &no).await;
    desk.is_granted(&disputed, &[&yes_to_disputed]).await;
    desk.is_granted(&in_time, &[&yes_in_time]).await;
    desk.refuses(&too_late, "ApprovalExpired").await;
    let seen = desk.phase(&too_late, "Rejected").await;
    assert_eq!(moment(&seen["status"]["expired"]["at"]), made(&too_late) + TimeDelta::seconds(12));
    desk.delivers(1010).await;

    // Another one stands by, and takes over between a decision and its acceptance.
    let third = operator(stage, "third");
    let taken_over = alice.asks("taken-over", json!({"amount": 5})).await;
    desk.waits(&taken_over, "0/1").await;
    let yes = bob.approves(&taken_over).await;
    block_in_place(|| second.kill());
    desk.is_granted(&taken_over, &[&yes]).await;
    desk.delivers(1015).await;
    drop(third);
}

/// The shared one has been there for longer: what is made now counts.
#[tokio::test]
async fn a_minute_later_all_that_is_made_counts() {
    let desk = desk().await;
    desk.sells(json!({"approvals": 0})).await;
    let asked = desk.requester("alice").await.asks("extra", json!({"amount": 10})).await;
    desk.is_granted(&asked, &[]).await;
}
