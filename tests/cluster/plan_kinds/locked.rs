//! What must not change in plans and subscriptions, and what may.

use super::{PLAN, SUBSCRIPTION, object};
use crate::{
    harness::cluster,
    schema::{locked, merged},
};
use serde_json::{Value, json};

#[tokio::test]
async fn what_is_locked_of_plans_and_subscriptions_says_what_to_do() {
    let cluster = cluster().await;
    cluster.create(object(PLAN, &cluster.name, &json!({}))).await.unwrap();
    let made = cluster.get(PLAN, "", "$").await.unwrap();
    for (spec, message) in [
        (json!({"type": "AddOn"}), "type is immutable: make a new plan under another name"),
        (json!({"allowMultiple": true}), "allowMultiple is immutable: make a new plan under another name"),
    ] {
        let told = locked(&made, &merged(&made, &spec)).join("; ");
        assert!(told.contains(message), "{told}");
        let refused = cluster.merge(PLAN, "", "$", json!({"spec": spec})).await.unwrap_err();
        assert!(refused.contains(message), "{refused}");
    }
    for spec in [
        json!({"product": "p", "term": "P1Y", "rollout": "Everyone", "retired": true, "includes": ["b"], "addOns": ["c"]}),
        json!({"product": null, "term": null, "retired": false, "groups": [{"name": "g"}]}),
    ] {
        assert_eq!(cluster.merge(PLAN, "", "$", json!({"spec": spec})).await, Ok(()), "{spec}");
    }

    let amendment = json!({"name": "up", "effective": "2100-01-01", "plan": "enterprise", "reason": "asked for"});
    let spec = json!({"start": "2099-01-01", "end": "2101-01-01", "amendments": [amendment]});
    cluster.create(object(SUBSCRIPTION, &cluster.name, &spec)).await.unwrap();
    let changed = |field: &str, value: Value| {
        let mut changed = amendment.clone();
        changed[field] = value;
        json!({"amendments": [changed]})
    };
    let made = cluster.get(SUBSCRIPTION, "entitlements", "$").await.unwrap();
    let never_changed = "amendments are never changed while the subscription is Active, but for revoked: true";
    let never_removed = "amendments are never removed while the subscription is Active: set revoked: true";
    for (spec, message) in [
        (json!({"organization": "other"}), "organization is immutable: cancel this subscription"),
        (json!({"plan": "other"}), "plan is locked while the subscription is Active: add an entry to amendments"),
        (json!({"start": "2099-01-02"}), "start is locked while the subscription is Active: set state to Draft first"),
        (json!({"start": null}), "start is locked while the subscription is Active"),
        (json!({"end": "2101-01-02"}), "end is locked while the subscription is Active: add an entry to amendments"),
        (json!({"end": null}), "end is locked while the subscription is Active"),
        (json!({"renews": "other"}), "renews is locked while the subscription is Active"),
        (json!({"amendments": []}), never_removed),
        (json!({"amendments": null}), never_removed),
        (changed("name", json!("other")), never_removed),
        (changed("effective", json!("2100-01-02")), never_changed),
        (changed("plan", json!("starter")), never_changed),
        (changed("plan", Value::Null), never_changed),
        (changed("end", json!("2102-01-01")), never_changed),
        (changed("reason", json!("why not")), never_changed),
        (changed("reason", Value::Null), never_changed),
    ] {
        let told = locked(&made, &merged(&made, &spec)).join("; ");
        assert!(told.contains(message), "{spec}: {told}");
        let refused = cluster.merge(SUBSCRIPTION, "entitlements", "$", json!({"spec": spec})).await;
        let refused = refused.expect_err(&format!("{spec} should be refused"));
        assert!(refused.contains(message), "{spec}: {refused}");
    }

    let mut revoked = amendment.clone();
    revoked["revoked"] = true.into();
    let further = json!({"name": "further", "effective": "2100-02-01", "end": "2103-01-01"});
    for spec in [
        json!({"priority": 3, "suspended": true, "agreement": "order 7"}),
        json!({"addOns": [{"name": "a", "plan": "extra"}], "add": [{"name": "a", "definition": "d"}]}),
        json!({"remove": [{"name": "a", "definition": "d"}], "configure": [{"definition": "d", "facets": {"f": {}}}]}),
        json!({"addOns": [{"name": "a", "plan": "other", "quantity": 3}], "add": null, "remove": [], "configure": null}),
        json!({"amendments": [amendment, further]}),
        json!({"amendments": [further, revoked]}),
        json!({"state": "Draft"}),
        json!({"plan": "other", "start": null, "end": null, "renews": "before", "amendments": null, "state": "Active"}),
        json!({"state": "Cancelled"}),
    ] {
        let made = cluster.get(SUBSCRIPTION, "entitlements", "$").await.unwrap();
        assert_eq!(locked(&made, &merged(&made, &spec)), [""; 0], "{spec}");
        let merged = cluster.merge(SUBSCRIPTION, "entitlements", "$", json!({"spec": spec})).await;
        assert_eq!(merged, Ok(()), "{spec}");
    }
    let mut back = changed("effective", json!("2100-01-02"));
    back["state"] = "Active".into();
    let refused = cluster.merge(SUBSCRIPTION, "entitlements", "$", json!({"spec": back})).await.unwrap_err();
    assert!(refused.contains("a cancelled subscription stays cancelled: make a new one"), "{refused}");
    // Nothing is amended any more, but there is nothing to protect either.
    let merged = cluster.merge(SUBSCRIPTION, "entitlements", "$", json!({"spec": {"plan": "starter"}})).await;
    assert_eq!(merged, Ok(()));
}
