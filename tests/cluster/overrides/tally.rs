//! What several decisions come to, in which order they are made.

use super::desk::{Person, desk};
use serde_json::{Value, json};
use tokio::join;

#[tokio::test]
async fn two_approvals_are_of_two_people() {
    let desk = desk().await;
    desk.sells(json!({"approvals": 2})).await;
    let (alice, bob, dave) = (desk.requester("alice").await, desk.approver("bob").await, desk.approver("dave").await);
    let asked = alice.asks("extra", json!({"amount": 10})).await;
    desk.waits(&asked, "0/2").await;
    let first = bob.approves(&asked).await;
    let seen = desk.waits(&asked, "1/2").await;
    assert_eq!(seen["status"]["accepted"], Value::Null);
    let again = bob.approves(&asked).await;
    desk.has_seen(&again).await;
    desk.waits(&asked, "1/2").await;
    assert_eq!(
        desk.refuses(&asked, "ApprovalRequired").await,
        "1 more approval is needed, of 2 in all, by people other than $-alice: entitlement-operator approve $-extra --namespace entitlements"
    );
    // Of what he says later nothing counts, be it the contrary.
    let contrary = bob.denies(&asked).await;
    desk.has_seen(&contrary).await;
    desk.waits(&asked, "1/2").await;
    let second = dave.approves(&asked).await;
    desk.is_granted(&asked, &[&first, &second]).await;
    desk.delivers(10).await;
}

#[tokio::test]
async fn a_denial_before_there_are_enough_approvals_denies() {
    let desk = desk().await;
    desk.sells(json!({"approvals": 2})).await;
    let (alice, bob, dave, erin) = (
        desk.requester("alice").await,
        desk.approver("bob").await,
        desk.approver("dave").await,
        desk.approver("erin").await,
    );
    let asked = alice.asks("extra", json!({"amount": 10})).await;
    let yes = bob.approves(&asked).await;
    desk.has_seen(&yes).await;
    desk.waits(&asked, "1/2").await;
    let no = dave.denies(&asked).await;
    desk.is_denied(&asked, &no).await;
    // Too late.
    let late = erin.approves(&asked).await;
    desk.has_seen(&late).await;
    desk.is_denied(&asked, &no).await;
    desk.delivers_nothing().await;
}

#[tokio::test]
async fn a_denial_is_final() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let (alice, bob, dave) = (desk.requester("alice").await, desk.approver("bob").await, desk.approver("dave").await);
    let asked = alice.asks("extra", json!({"amount": 10})).await;
    let no = bob.denies(&asked).await;
    desk.is_denied(&asked, &no).await;
    let said = desk.refuses(&asked, "Denied").await;
    assert!(said.starts_with("$-bob denied it on "), "{said}");
    let yes = dave.approves(&asked).await;
    desk.has_seen(&yes).await;
    desk.is_denied(&asked, &no).await;
    // Not even its own end, by the hand of who may delete anything.
    desk.cluster.delete("OverrideDecision", "entitlements", super::desk::name_of(&no)).await;
    desk.cluster.operator_has_acted().await;
    desk.is_denied(&asked, &no).await;
    desk.delivers_nothing().await;
}

#[tokio::test]
async fn an_approval_is_final() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let (alice, bob, dave) = (desk.requester("alice").await, desk.approver("bob").await, desk.approver("dave").await);
    let asked = alice.asks("extra", json!({"amount": 10})).await;
    let yes = bob.approves(&asked).await;
    desk.is_granted(&asked, &[&yes]).await;
    let no = dave.denies(&asked).await;
    desk.has_seen(&no).await;
    desk.is_granted(&asked, &[&yes]).await;
    desk.cluster.delete("OverrideDecision", "entitlements", super::desk::name_of(&yes)).await;
    desk.cluster.operator_has_acted().await;
    desk.is_granted(&asked, &[&yes]).await;
    desk.delivers(10).await;
}

/// The order of two within a second is not known. In doubt it is no.
#[tokio::test]
async fn of_two_within_a_second_no_counts_before_yes() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let (alice, bob, dave) = (desk.requester("alice").await, desk.approver("bob").await, desk.approver("dave").await);
    let decide = async |asked: &Value, yes: &Person, no: &Person| {
        let yes = yes.approves(asked).await;
        (yes, no.denies(asked).await)
    };
    let mut number = 0;
    let (asked, no) = loop {
        number += 1;
        let asked = alice.asks(&format!("extra-{number}"), json!({"amount": 10})).await;
        let (yes, no) = decide(&asked, &bob, &dave).await;
        if yes["metadata"]["creationTimestamp"] == no["metadata"]["creationTimestamp"] {
            break (asked, no);
        }
        assert!(number < 10, "two decisions are never made within a second");
    };
    desk.is_denied(&asked, &no).await;
}

/// All at once, and several times over: what counts is the same as one after another.
#[tokio::test]
async fn a_crowd_that_decides_at_once_comes_to_one_answer() {
    let desk = desk().await;
    desk.sells(json!({"approvals": 3})).await;
    let alice = desk.requester("alice").await;
    let (bob, dave, erin, frank) = (
        desk.approver("bob").await,
        desk.approver("dave").await,
        desk.approver("erin").await,
        desk.approver("frank").await,
    );
    let asked = alice.asks("extra", json!({"amount": 10})).await;
    let all = join!(
        bob.approves(&asked),
        bob.approves(&asked),
        dave.approves(&asked),
        dave.approves(&asked),
        erin.approves(&asked),
        frank.approves(&asked)
    );
    let seen = desk.phase(&asked, "Active").await;
    let mut by: Vec<&str> =
        seen["status"]["accepted"]["by"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    assert_eq!(by.len(), 3, "{by:?}");
    by.dedup();
    assert_eq!(by.len(), 3, "{by:?}");
    assert_eq!(seen["status"]["approvals"], "3/3");
    let times = [&all.0, &all.1, &all.2, &all.3, &all.4, &all.5].map(|one| &one["metadata"]["creationTimestamp"]);
    assert!(times.contains(&&seen["status"]["accepted"]["at"]));
}
