//! Who may ask for an exception: who has the role, and in the own name only.

use super::desk::{Person, desk, exception};
use serde_json::{Value, json};

#[tokio::test]
async fn nobody_asks_in_anothers_name() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let (alice, mallory) = (desk.requester("alice").await, desk.requester("mallory").await);
    let spec = json!({"amount": 10, "requestedBy": alice.user});
    let refused = mallory.tries_to_ask("extra", spec.clone()).await.unwrap_err();
    let said = format!("spec.requestedBy has to be '{}', as you ask for it, and is '{}'", mallory.user, alice.user);
    assert!(refused.contains(&said), "{refused}");
    let of_admin = exception(&desk.cluster, "extra", &alice.user, &json!({"amount": 10}));
    let refused = desk.cluster.create(of_admin).await.unwrap_err();
    assert!(refused.contains("spec.requestedBy has to be 'admin'"), "{refused}");
    // Nor by applying it, which may create it.
    let applied = exception(&desk.cluster, "applied", &alice.user, &json!({"amount": 10})).to_string();
    let refused = mallory.cluster.refused(&applied).await;
    assert!(refused.contains("spec.requestedBy has to be"), "{refused}");
    let asked = alice.asks("extra", json!({"amount": 10})).await;
    desk.waits(&asked, "0/1").await;
}

#[tokio::test]
async fn asking_takes_the_role() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let (bob, carol) = (desk.approver("bob").await, desk.person("carol", &[]).await);
    for person in [&bob, &carol] {
        let refused = person.tries_to_ask("extra", json!({"amount": 10})).await.unwrap_err();
        assert!(refused.contains(r#"cannot create resource "entitlementoverrides""#), "{refused}");
    }
}

/// Who may ask writes no status: neither that it was approved, nor anything else.
#[tokio::test]
async fn who_asks_does_not_say_what_was_decided() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let alice = desk.requester("alice").await;
    let mut born =
        exception(&desk.cluster, &format!("{}-born", desk.cluster.name), &alice.user, &json!({"amount": 10}));
    let accepted = json!({"accepted": {"at": "2020-01-01T00:00:00Z", "by": ["bob"], "timeZone": "UTC"}});
    born["status"] = accepted.clone();
    let asked = alice.cluster.create(born).await.unwrap();
    let seen = desk.waits(&asked, "0/1").await;
    assert_eq!(seen["status"]["accepted"], Value::Null);
    let refused = writes_status(&alice, super::desk::name_of(&asked), &accepted).await.unwrap_err();
    assert!(refused.contains(r#"cannot patch resource "entitlementoverrides/status""#), "{refused}");
    desk.waits(&asked, "0/1").await;
    desk.delivers_nothing().await;
}

/// Writes the status of an exception.
pub async fn writes_status(person: &Person, name: &str, status: &Value) -> Result<(), String> {
    use kube::api::{Patch, PatchParams};
    let api = person.cluster.api(super::desk::OVERRIDE, "entitlements");
    let patch = Patch::Merge(json!({ "status": status }));
    api.patch_status(name, &PatchParams::default(), &patch).await.map(drop).map_err(|error| error.to_string())
}
