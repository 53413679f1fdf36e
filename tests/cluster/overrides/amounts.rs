//! What an exception adds to what the client holds otherwise, where workloads read it.

use super::{
    desk::{Desk, OVERRIDE, desk, moment},
    effect::{flag_at, members_at},
};
use crate::{
    harness::{entry, grant, seconds_from_now},
    subscriptions::{sold, subscribe},
};
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

const MOST: u64 = 9_007_199_254_740_991;

/// A definition of which there may be several, each with an object of its own that says whose it is.
fn several(aggregation: &str) -> Value {
    json!({
        "type": "Quantity", "unit": "seats", "amount": 1, "allowMultiple": true, "aggregation": aggregation,
        "outputs": [{"name": "config", "kind": "ConfigMap", "items": [
            {"key": "amount", "template": "{{ instance.amount }}"},
            {"key": "of", "template": "{{ instance.kind }} {{ instance.name }}"},
        ]}],
    })
}

impl Desk<'_> {
    /// Waits until the summary, and the flags beside it, say so much of a definition.
    async fn tells(&self, definition: &str, amount: u32) {
        let (handle, text) = (format!("{}-{definition}", self.cluster.name), amount.to_string());
        let is_it =
            |seen: &Value| entry(seen, &handle)["amount"] == text && flag_at(seen, &handle, Utc::now()) == amount;
        self.cluster.until("ConfigMap", "$", "entitlements", &text, is_it).await;
    }

    /// A grant of so much of a definition.
    async fn grants(&self, definition: &str, name: &str, amount: u32) {
        let (name, definition) =
            (format!("{}-{name}", self.cluster.name), format!("{}-{definition}", self.cluster.name));
        self.cluster.create(grant(&name, &self.cluster.name, &definition, json!({ "amount": amount }))).await.unwrap();
    }
}

#[tokio::test]
async fn ten_beside_twenty_five_are_thirty_five() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let (alice, bob) = (desk.requester("alice").await, desk.approver("bob").await);
    let told = json!({"spec": {"summary": {"sources": true}}});
    desk.cluster.merge("Organization", "", "$", told).await.unwrap();
    desk.holds("base", 25).await;
    desk.delivers(25).await;
    let before = desk.cluster.object("ConfigMap", "$", "members").await;
    let asked = alice.asks("extra", json!({"amount": 10})).await;
    desk.waits(&asked, "0/1").await;
    desk.delivers(25).await;
    let yes = bob.approves(&asked).await;
    desk.is_granted(&asked, &[&yes]).await;
    desk.delivers(35).await;
    // It is the same object, of the same grant: the exception changes what is in it.
    let after = desk.cluster.object("ConfigMap", "$", "members").await;
    let identity = |object: &Value| {
        let metadata = &object["metadata"];
        [&metadata["uid"], &metadata["ownerReferences"], &metadata["annotations"]["entitlements.dev/instance"]]
            .map(Value::clone)
    };
    assert_eq!(identity(&before), identity(&after));
    assert_eq!(after["metadata"]["annotations"]["entitlements.dev/override"], Value::Null);
    let told = desk.cluster.summary("$", "$-members", "says of whom", |told| told["amount"] == "35").await;
    let of = |kind: &str| {
        let grants = told["sources"]["grants"].as_array().unwrap().iter();
        let named = grants.filter(|grant| !grant[kind].is_null());
        named.map(|grant| json!([grant[kind], grant["amount"]])).collect::<Vec<_>>()
    };
    let name = &desk.cluster.name;
    assert_eq!(of("override"), [json!([format!("entitlements/{name}-extra"), "10"])]);
    assert_eq!(of("instance"), [json!([format!("entitlements/{name}-base"), "25"])]);
    // The flags know its end by themselves, even if no operator is there then.
    let end = moment(&asked["spec"]["end"]);
    assert_eq!(members_at(&desk.cluster, end - TimeDelta::seconds(1)).await, 35);
    assert_eq!(members_at(&desk.cluster, end).await, 25);
    let counts = |seen: &Value| {
        seen["status"]["overrides"] == json!({"Active": 1}) && seen["status"]["instances"] == json!({"Active": 1})
    };
    desk.cluster.until("Organization", "", "$", "counts them apart", counts).await;
}

/// Whatever becomes of the subscription, the exception is its own.
#[tokio::test]
async fn beside_a_subscription_it_comes_on_top_and_outlives_it() {
    let desk = desk().await;
    let (cluster, name) = (&desk.cluster, desk.cluster.name.clone());
    sold(cluster).await;
    subscribe(cluster, &name, "business", json!({"start": "2020-01-01"})).await;
    desk.delivers(25).await;
    let before = cluster.object("ConfigMap", "$", "members").await;
    let (alice, bob) = (desk.requester("alice").await, desk.approver("bob").await);
    let asked = alice.asks("extra", json!({"amount": 10})).await;
    let yes = bob.approves(&asked).await;
    desk.is_granted(&asked, &[&yes]).await;
    desk.delivers(35).await;
    let after = cluster.object("ConfigMap", "$", "members").await;
    assert_eq!(before["metadata"]["uid"], after["metadata"]["uid"]);
    assert_eq!(after["metadata"]["annotations"]["entitlements.dev/subscription"], format!("entitlements/{name}"));
    let change = async |spec: Value| {
        cluster.merge("EntitlementSubscription", "entitlements", "$", json!({ "spec": spec })).await.unwrap();
    };
    let definition = format!("{name}-members");
    change(json!({"remove": [{"name": "none", "definition": definition}]})).await;
    desk.delivers(10).await;
    change(json!({"remove": [], "add": [{"name": "favour", "definition": definition, "amount": 5}]})).await;
    desk.delivers(40).await;
    change(json!({"state": "Cancelled"})).await;
    desk.delivers(10).await;
    let alone = cluster.object("ConfigMap", "$", "members").await;
    assert_eq!(alone["metadata"]["annotations"]["entitlements.dev/override"], format!("entitlements/{name}-extra"));
    assert_eq!(alone["metadata"]["annotations"]["entitlements.dev/subscription"], Value::Null);
}

#[tokio::test]
async fn it_takes_no_seat_from_anybody() {
    let desk = desk().await;
    desk.sells(json!({"approvals": 0})).await;
    let alice = desk.requester("alice").await;
    let first = alice.asks("first", json!({"amount": 10})).await;
    let second = alice.asks("second", json!({"amount": 4})).await;
    for asked in [&first, &second] {
        desk.is_granted(asked, &[]).await;
    }
    desk.delivers(14).await;
    desk.holds("base", 25).await;
    desk.delivers(39).await;
}

/// Over `Max` of 5 and 25, too: it comes on top of what that comes to, and does not compete with it.
#[tokio::test]
async fn it_comes_on_top_also_where_the_greatest_counts() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let (alice, bob) = (desk.requester("alice").await, desk.approver("bob").await);
    for (definition, aggregation, [before, after, again]) in
        [("greatest", "Max", [25, 35, 36]), ("all", "Sum", [30, 40, 41])]
    {
        let name = desk.cluster.name.clone();
        desk.defines(definition, several(aggregation)).await;
        desk.grants(definition, &format!("{definition}-five"), 5).await;
        desk.grants(definition, &format!("{definition}-most"), 25).await;
        desk.tells(definition, before).await;
        let top = format!("{definition}-top");
        let asked = alice.asks(&top, json!({"definition": format!("$-{definition}"), "amount": 10})).await;
        let yes = bob.approves(&asked).await;
        desk.is_granted(&asked, &[&yes]).await;
        desk.tells(definition, after).await;
        // Each has an object of its own. That of the exception has a name of its own kind, and says whose it is.
        for (object, data) in [
            (format!("{name}-{definition}-{name}-{definition}-five"), ["5", "Instance", "five"]),
            (format!("{name}-{definition}-{name}-{definition}-most"), ["25", "Instance", "most"]),
            (format!("{name}-{definition}-{name}-{top}-override"), ["10", "Override", "top"]),
        ] {
            let seen = desk.cluster.object("ConfigMap", "$", &object).await;
            let [amount, kind, of] = data;
            assert_eq!(seen["data"], json!({"amount": amount, "of": format!("{kind} {name}-{definition}-{of}")}));
            let of = format!("entitlements/{name}-{definition}-{of}");
            let field = format!("entitlements.dev/{}", kind.to_lowercase());
            let kinds = ["instance", "subscription", "override"].map(|kind| format!("entitlements.dev/{kind}"));
            let annotations = &seen["metadata"]["annotations"];
            let told: Vec<&String> = kinds.iter().filter(|kind| !annotations[kind.as_str()].is_null()).collect();
            assert_eq!((told, &annotations[&field]), (vec![&field], &json!(of)));
        }
        let more = alice
            .asks(&format!("{definition}-more"), json!({"definition": format!("$-{definition}"), "amount": 1}))
            .await;
        let yes = bob.approves(&more).await;
        desk.is_granted(&more, &[&yes]).await;
        desk.tells(definition, again).await;
    }
}

#[tokio::test]
async fn what_nobody_holds_it_gives_alone_and_takes_away_again() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let (alice, bob) = (desk.requester("alice").await, desk.approver("bob").await);
    desk.delivers_nothing().await;
    let asked = alice.asks("extra", json!({"amount": 10})).await;
    desk.waits(&asked, "0/1").await;
    desk.delivers_nothing().await;
    let yes = bob.approves(&asked).await;
    desk.is_granted(&asked, &[&yes]).await;
    desk.delivers(10).await;
    let object = desk.cluster.object("ConfigMap", "$", "members").await;
    let annotations = &object["metadata"]["annotations"];
    let of = format!("entitlements/{}-extra", desk.cluster.name);
    assert_eq!(
        [&annotations["entitlements.dev/override"], &annotations["entitlements.dev/instance"]],
        [&json!(of), &Value::Null]
    );
    let is_it = |seen: &Value| seen["status"]["outputs"] == json!({"desired": 1, "delivered": 1});
    desk.cluster.until(OVERRIDE, "entitlements", "$-extra", "is delivered", is_it).await;
    // Its object goes with it, and so it does if the override itself is deleted.
    desk.cluster.delete(OVERRIDE, "entitlements", "$-extra").await;
    desk.delivers_nothing().await;
}

#[tokio::test]
async fn a_feature_is_on_while_it_lasts() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let outputs = json!([{"name": "config", "kind": "ConfigMap", "objectName": "uhd", "items": [{"key": "by", "template": "{{ instance.kind }}"}]}]);
    desk.defines("uhd", json!({"type": "Feature", "outputs": outputs})).await;
    let (alice, bob) = (desk.requester("alice").await, desk.approver("bob").await);
    let end = seconds_from_now(20);
    let asked = alice.asks("extra", json!({"definition": "$-uhd", "end": end})).await;
    let yes = bob.approves(&asked).await;
    desk.is_granted(&asked, &[&yes]).await;
    let handle = format!("{}-uhd", desk.cluster.name);
    let seen = desk.cluster.object("ConfigMap", "$", "uhd").await;
    assert_eq!(seen["data"]["by"], "Override");
    let is_on = |seen: &Value| {
        let end = moment(&asked["spec"]["end"]);
        entry(seen, &handle)["entitled"] == true
            && flag_at(seen, &handle, end - TimeDelta::seconds(1)) == true
            && flag_at(seen, &handle, end) == false
    };
    desk.cluster.until("ConfigMap", "$", "entitlements", "is on", is_on).await;
    desk.cluster.gone("ConfigMap", "$", "uhd").await;
    assert!(Utc::now() >= moment(&asked["spec"]["end"]));
    let is_off = |seen: &Value| !seen.is_null() && entry(seen, &handle)["entitled"] != true;
    desk.cluster.until("ConfigMap", "$", "entitlements", "is off", is_off).await;
    desk.phase(&asked, "Expired").await;
}

#[tokio::test]
async fn unlimited_is_unlimited() {
    let desk = desk().await;
    desk.sells(json!({"approvals": 0})).await;
    desk.holds("base", 25).await;
    let alice = desk.requester("alice").await;
    let asked = alice.asks("extra", json!({"amount": "Unlimited"})).await;
    desk.is_granted(&asked, &[]).await;
    let handle = format!("{}-members", desk.cluster.name);
    let is_it =
        |seen: &Value| entry(seen, &handle)["amount"] == "Unlimited" && flag_at(seen, &handle, Utc::now()) == MOST;
    desk.cluster.until("ConfigMap", "$", "entitlements", "has no end", is_it).await;
}

/// Which says nothing of the approval: it lasts on, and its end comes nearer.
#[tokio::test]
async fn a_suspended_organization_has_no_exceptions_meanwhile() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let (alice, bob) = (desk.requester("alice").await, desk.approver("bob").await);
    desk.holds("base", 25).await;
    let asked = alice.asks("extra", json!({"amount": 10})).await;
    let yes = bob.approves(&asked).await;
    desk.is_granted(&asked, &[&yes]).await;
    desk.delivers(35).await;
    let suspend = async |suspended: bool| {
        let spec = json!({"spec": {"suspended": suspended}});
        desk.cluster.merge("Organization", "", "$", spec).await.unwrap();
    };
    suspend(true).await;
    let seen = desk.phase(&asked, "Suspended").await;
    assert_eq!(seen["status"]["accepted"]["by"], json!([bob.user]));
    desk.delivers_nothing().await;
    // What is asked for and approved meanwhile waits for the end of the suspension.
    let more = alice.asks("more", json!({"amount": 4})).await;
    desk.waits(&more, "0/1").await;
    let yes_too = bob.approves(&more).await;
    desk.phase(&more, "Suspended").await;
    suspend(false).await;
    desk.is_granted(&asked, &[&yes]).await;
    desk.is_granted(&more, &[&yes_too]).await;
    desk.delivers(39).await;
}
