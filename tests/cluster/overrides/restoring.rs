//! Who restores what another asked for says so, counts as asking, and restores what was decided with the status.

use super::{
    asking::writes_status,
    desk::{APPROVERS, Desk, OVERRIDE, Person, REQUESTERS, RESTORERS, desk, exception, may, name_of},
};
use crate::harness::{DEADLINE, shared_plane};
use serde_json::{Value, json};
use std::time::Instant;

const RESTORED_BY: &str = "entitlements.dev/restored-by";

/// An exception as a backup has it, to be restored by that user.
fn from_backup(saved: &Value, restored_by: &str) -> Value {
    json!({
        "apiVersion": saved["apiVersion"], "kind": saved["kind"], "spec": saved["spec"],
        "metadata": {
            "name": saved["metadata"]["name"], "namespace": saved["metadata"]["namespace"],
            "annotations": {RESTORED_BY: restored_by},
        },
    })
}

/// What alice asked for and bob approved, as it was before it was lost.
async fn lost(desk: &Desk<'_>) -> Value {
    let (alice, bob) = (desk.requester("alice").await, desk.approver("bob").await);
    let asked = alice.asks("extra", json!({"amount": 10})).await;
    let yes = bob.approves(&asked).await;
    let saved = desk.is_granted(&asked, &[&yes]).await;
    desk.delivers(10).await;
    desk.cluster.delete(OVERRIDE, "entitlements", name_of(&asked)).await;
    desk.cluster.gone(OVERRIDE, "entitlements", name_of(&asked)).await;
    desk.delivers_nothing().await;
    saved
}

/// Writes what was decided until it stays: an operator that runs may be about to write what it has decided before.
async fn records(desk: &Desk<'_>, who: &Person, restored: &Value, saved: &Value) {
    let decided = |object: &Value| ["accepted", "denied", "expired"].map(|field| object["status"][field].clone());
    let started = Instant::now();
    loop {
        writes_status(who, name_of(restored), &saved["status"]).await.unwrap();
        desk.cluster.operator_has_acted().await;
        let seen = desk.cluster.get(OVERRIDE, "entitlements", name_of(restored)).await.unwrap();
        if decided(&seen) == decided(saved) {
            return;
        }
        assert!(started.elapsed() < DEADLINE, "what was decided does not stay: {:#}", seen["status"]);
    }
}

#[tokio::test]
async fn what_was_accepted_goes_on_from_its_record() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let saved = lost(&desk).await;
    let rita = desk.person("rita", &[RESTORERS]).await;
    let restored = rita.cluster.create(from_backup(&saved, &rita.user)).await.unwrap();
    desk.waits(&restored, "0/1").await;
    desk.delivers_nothing().await;
    records(&desk, &rita, &restored, &saved).await;
    let seen = desk.phase(&restored, "Active").await;
    assert_eq!(seen["status"]["accepted"], saved["status"]["accepted"]);
    assert_eq!(
        (&seen["status"]["start"], &seen["status"]["end"]),
        (&saved["status"]["start"], &saved["status"]["end"])
    );
    assert_eq!(seen["metadata"]["annotations"][RESTORED_BY], rita.user);
    desk.delivers(10).await;
}

/// The decisions were about another object. Who restores could have made it up, and so does not decide on it.
#[tokio::test]
async fn without_its_record_it_is_approved_anew_by_somebody_else() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let saved = lost(&desk).await;
    let rita = desk.person("rita", &[RESTORERS, APPROVERS]).await;
    let restored = rita.cluster.create(from_backup(&saved, &rita.user)).await.unwrap();
    let alice = desk.person("alice", &[REQUESTERS, APPROVERS]).await;
    let own = [rita.approves(&restored).await, alice.approves(&restored).await];
    desk.has_seen(&own[1]).await;
    desk.waits(&restored, "0/1").await;
    desk.delivers_nothing().await;
    let bob = desk.approver("bob").await;
    let yes = bob.approves(&restored).await;
    desk.is_granted(&restored, &[&yes]).await;
}

#[tokio::test]
async fn restoring_takes_the_verb_and_the_own_name() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let saved = lost(&desk).await;
    let (mallory, rita) = (desk.requester("mallory").await, desk.person("rita", &[RESTORERS]).await);
    let refused = mallory.cluster.create(from_backup(&saved, &mallory.user)).await.unwrap_err();
    let said = format!("'{}' may not restore exceptions here: leave the annotation {RESTORED_BY} out", mallory.user);
    assert!(refused.contains(&said), "{refused}");
    let refused = rita.cluster.create(from_backup(&saved, &mallory.user)).await.unwrap_err();
    let said =
        format!("the annotation {RESTORED_BY} has to be '{}', as you restore it, and is '{}'", rita.user, mallory.user);
    assert!(refused.contains(&said), "{refused}");
    // Without the annotation, it is asked for in another's name.
    let mut unnamed = from_backup(&saved, &rita.user);
    unnamed["metadata"].as_object_mut().unwrap().remove("annotations");
    let refused = rita.cluster.create(unnamed).await.unwrap_err();
    assert!(refused.contains("spec.requestedBy has to be"), "{refused}");
    assert!(desk.cluster.get(OVERRIDE, "entitlements", name_of(&saved)).await.is_none());
}

#[tokio::test]
async fn who_restored_it_stays_to_be_seen() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let saved = lost(&desk).await;
    let rita = desk.person("rita", &[RESTORERS]).await;
    let restored = rita.cluster.create(from_backup(&saved, &rita.user)).await.unwrap();
    let (name, annotate) =
        (name_of(&restored), |value: Value| json!({"metadata": {"annotations": {RESTORED_BY: value}}}));
    for who in [&rita.cluster, &desk.cluster] {
        for change in
            [annotate(Value::Null), annotate(json!("somebody-else")), json!({"metadata": {"annotations": null}})]
        {
            let refused = who.merge(OVERRIDE, "entitlements", name, change.clone()).await;
            let refused = refused.expect_err(&format!("{change} should have been refused"));
            assert!(refused.contains("is set when an exception is restored, and stays as it is"), "{refused}");
        }
        // Nor by the way of the status.
        let api = who.api(OVERRIDE, "entitlements");
        let patch = kube::api::Patch::Merge(annotate(Value::Null));
        let written = api.patch_status(name, &kube::api::PatchParams::default(), &patch).await;
        if let Ok(written) = written {
            let annotations = written.metadata.annotations.unwrap_or_default();
            assert_eq!(annotations.get(RESTORED_BY), Some(&rita.user));
        }
    }
    // Nor does what somebody asked for become something restored.
    let alice = desk.requester("alice").await;
    let own = alice.asks("own", json!({"amount": 1})).await;
    let change = annotate(json!(alice.user));
    let refused = alice.cluster.merge(OVERRIDE, "entitlements", name_of(&own), change).await.unwrap_err();
    assert!(refused.contains("is set when an exception is restored"), "{refused}");
    desk.waits(&restored, "0/1").await;
}

/// The status says what was approved: the right to write it is not enough.
#[tokio::test]
async fn what_was_decided_is_written_by_who_may_record_it_only() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let (alice, mallory) = (desk.requester("alice").await, desk.person("mallory", &[]).await);
    let asked = alice.asks("extra", json!({"amount": 10})).await;
    let name = format!("{}-status", desk.cluster.name);
    desk.kubectl(&[
        "create",
        "clusterrole",
        &name,
        "--verb=get,patch,update",
        "--resource=entitlementoverrides.entitlements.dev,entitlementoverrides.entitlements.dev/status",
    ]);
    let (role, user) = (format!("--clusterrole={name}"), format!("--user={}", mallory.user));
    desk.kubectl(&["create", "clusterrolebinding", &name, &role, &user]);
    let somebody = format!("--as={}", mallory.user);
    may(shared_plane(), &[&somebody, "--subresource=status"], "patch", "entitlementoverrides.entitlements.dev");
    for status in [
        json!({"accepted": {"at": "2020-01-01T00:00:00Z", "by": ["bob"], "timeZone": "UTC"}}),
        json!({"denied": {"at": "2020-01-01T00:00:00Z", "by": "bob"}}),
        json!({"expired": {"at": "2020-01-01T00:00:00Z"}}),
        json!({"phase": "Active"}),
    ] {
        let refused = writes_status(&mallory, name_of(&asked), &status).await.unwrap_err();
        let said = format!("'{}' may not write the status of exceptions, which says what was approved", mallory.user);
        assert!(refused.contains(&said), "{refused}");
    }
    desk.waits(&asked, "0/1").await;
    desk.delivers_nothing().await;
    // What is denied for good is restored as denied.
    let bob = desk.approver("bob").await;
    let no = bob.denies(&asked).await;
    let saved = desk.is_denied(&asked, &no).await;
    desk.cluster.delete(OVERRIDE, "entitlements", name_of(&asked)).await;
    let rita = desk.person("rita", &[RESTORERS]).await;
    let restored = rita.cluster.create(from_backup(&saved, &rita.user)).await.unwrap();
    records(&desk, &rita, &restored, &saved).await;
    desk.is_denied(&restored, &no).await;
    let yes = desk.approver("dave").await.approves(&restored).await;
    desk.has_seen(&yes).await;
    desk.is_denied(&restored, &no).await;
}

/// A service account that restores counts as asking: one person more has to approve.
#[tokio::test]
async fn what_a_bot_restores_needs_one_more() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let saved = lost(&desk).await;
    let bot = desk.bot().await;
    let (name, subject) =
        (format!("{}-restores", desk.cluster.name), format!("--serviceaccount=default:{}-bot", desk.cluster.name));
    let role = ["--clusterrole=entitlements-restorer", "--namespace=entitlements"];
    desk.kubectl(&[&["create", "rolebinding", &name][..], &role, &[&subject]].concat());
    may(shared_plane(), &[&format!("--as={}", bot.user)], "restore", "entitlementoverrides.entitlements.dev");
    let restored = bot.cluster.create(from_backup(&saved, &bot.user)).await.unwrap();
    desk.waits(&restored, "0/2").await;
    let (bob, dave) = (desk.approver("bob").await, desk.approver("dave").await);
    let first = bob.approves(&restored).await;
    desk.has_seen(&first).await;
    desk.waits(&restored, "1/2").await;
    let second = dave.approves(&restored).await;
    desk.is_granted(&restored, &[&first, &second]).await;
    // Nobody else's exception is in anybody's way.
    let own = exception(&desk.cluster, "own", "admin", &json!({"amount": 1}));
    assert!(desk.cluster.create(own).await.is_ok());
}
