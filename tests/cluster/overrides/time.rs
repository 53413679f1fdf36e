//! It is approved in time or never, begins and ends at its seconds.

use super::{
    desk::{desk, is_so_old, made, moment},
    effect::members_at,
};
use crate::harness::seconds_from_now;
use chrono::{SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

#[tokio::test]
async fn what_nobody_approves_in_time_is_over() {
    let desk = desk().await;
    desk.sells(json!({"approvals": 2, "expiresAfter": "PT6S"})).await;
    let (alice, bob, dave) = (desk.requester("alice").await, desk.approver("bob").await, desk.approver("dave").await);
    let asked = alice.asks("extra", json!({"amount": 10})).await;
    let yes = bob.approves(&asked).await;
    assert!(made(&yes) < made(&asked) + TimeDelta::seconds(6), "this machine is too slow for six seconds");
    let seen = desk.phase(&asked, "Rejected").await;
    let over = made(&asked) + TimeDelta::seconds(6);
    assert!(Utc::now() >= over);
    assert!(desk.refuses(&asked, "ApprovalExpired").await.contains("1 of 2"));
    let text = over.to_rfc3339_opts(SecondsFormat::Secs, true);
    assert_eq!(seen["status"]["accepted"], Value::Null);
    let is_final = |seen: &Value| seen["status"]["expired"] == json!({"at": text});
    desk.cluster.until("EntitlementOverride", "entitlements", "$-extra", "is over for good", is_final).await;
    // Later there is no yes, and no more time.
    let late = dave.approves(&asked).await;
    desk.has_seen(&late).await;
    desk.edits(json!({"overrides": {"expiresAfter": "P1D", "approvals": 1}})).await;
    desk.cluster.operator_has_acted().await;
    desk.refuses(&asked, "ApprovalExpired").await;
    desk.phase(&asked, "Rejected").await;
    desk.delivers_nothing().await;
}

/// The last yes came in time, though it is settled only later.
#[tokio::test]
async fn in_time_is_when_the_last_approval_was_made() {
    let desk = desk().await;
    desk.sells(json!({"expiresAfter": "PT5S"})).await;
    let (alice, bob) = (desk.requester("alice").await, desk.approver("bob").await);
    let (mut number, last) = (0, TimeDelta::seconds(4));
    let (asked, yes) = loop {
        number += 1;
        let asked = alice.asks(&format!("extra-{number}"), json!({"amount": 10})).await;
        is_so_old(&asked, last).await;
        let yes = bob.approves(&asked).await;
        if made(&yes) == made(&asked) + last {
            break (asked, yes);
        }
        assert!(number < 10, "this machine is too slow for a second");
    };
    desk.is_granted(&asked, &[&yes]).await;
    desk.delivers(10).await;
}

#[tokio::test]
async fn approved_before_its_start_it_begins_with_its_start() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    desk.holds("base", 25).await;
    let (alice, bob) = (desk.requester("alice").await, desk.approver("bob").await);
    let (start, end) = (seconds_from_now(20), seconds_from_now(28));
    let asked = alice.asks("extra", json!({"amount": 10, "start": start, "end": end})).await;
    let seen = desk.waits(&asked, "0/1").await;
    assert_eq!((&seen["status"]["start"], &seen["status"]["end"]), (&json!(start), &json!(end)));
    let yes = bob.approves(&asked).await;
    let seen = desk.phase(&asked, "Waiting").await;
    assert_eq!(seen["status"]["nextTransition"], json!({"at": start, "phase": "Active"}));
    assert_eq!(seen["status"]["accepted"]["at"], yes["metadata"]["creationTimestamp"]);
    desk.delivers(25).await;
    // The flags know all of it beforehand.
    let (start, end) = (moment(&json!(start)), moment(&json!(end)));
    let second = TimeDelta::seconds(1);
    for (at, members) in [(start - second, 25), (start, 35), (end - second, 35), (end, 25)] {
        assert_eq!(members_at(&desk.cluster, at).await, members, "{at}");
    }
    desk.is_granted(&asked, &[&yes]).await;
    assert!(Utc::now() >= start);
    desk.delivers(35).await;
    desk.phase(&asked, "Expired").await;
    assert!(Utc::now() >= end);
    desk.delivers(25).await;
}

#[tokio::test]
async fn approved_after_its_start_it_begins_with_the_approval() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let (alice, bob) = (desk.requester("alice").await, desk.approver("bob").await);
    let (start, end) = (seconds_from_now(-3600), seconds_from_now(3600));
    let asked = alice.asks("extra", json!({"amount": 10, "start": start, "end": end})).await;
    let seen = desk.waits(&asked, "0/1").await;
    assert_eq!(seen["status"]["start"], start);
    let yes = bob.approves(&asked).await;
    let seen = desk.is_granted(&asked, &[&yes]).await;
    assert_eq!(
        (&seen["status"]["start"], &seen["status"]["end"]),
        (&yes["metadata"]["creationTimestamp"], &json!(end))
    );
    desk.delivers(10).await;
    let begin = made(&yes);
    assert_eq!(members_at(&desk.cluster, begin - TimeDelta::seconds(1)).await, 0);
    assert_eq!(members_at(&desk.cluster, begin).await, 10);
}

/// Not a second early, and soon after.
#[tokio::test]
async fn it_ends_to_the_second() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let (alice, bob) = (desk.requester("alice").await, desk.approver("bob").await);
    let end = seconds_from_now(20);
    let asked = alice.asks("extra", json!({"amount": 10, "end": end})).await;
    let yes = bob.approves(&asked).await;
    desk.is_granted(&asked, &[&yes]).await;
    desk.delivers(10).await;
    let end = moment(&json!(end));
    // Nobody takes it away before.
    while desk.cluster.get("ConfigMap", "$", "members").await.is_some() {
        assert!(Utc::now() < end + TimeDelta::seconds(30), "it does not end");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(Utc::now() >= end, "it ended early");
    let seen = desk.phase(&asked, "Expired").await;
    assert_eq!(seen["status"]["end"], asked["spec"]["end"]);
    assert_eq!(seen["status"]["accepted"]["by"], json!([bob.user]));
    desk.delivers_nothing().await;
}

/// What is approved after its own end was never in force.
#[tokio::test]
async fn approved_after_its_end_it_is_never_in_force() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let (alice, bob) = (desk.requester("alice").await, desk.approver("bob").await);
    let asked = alice.asks("extra", json!({"amount": 10, "end": seconds_from_now(4)})).await;
    desk.waits(&asked, "0/1").await;
    is_so_old(&asked, TimeDelta::seconds(6)).await;
    let yes = bob.approves(&asked).await;
    desk.has_seen(&yes).await;
    let seen = desk.phase(&asked, "Expired").await;
    assert_eq!(seen["status"]["accepted"]["at"], yes["metadata"]["creationTimestamp"]);
    desk.delivers_nothing().await;
}
