//! What is delivered for subscriptions, alone and beside instances.

use super::inventory;
use crate::{
    core::{calendar::parse_instant, source::SourceKind},
    evaluation::{
        Evaluation, evaluate,
        object::{ObjectData, Wish},
    },
    offline::{EntitlementKind, Inventory},
};
use rstest::rstest;
use serde_json::{Value, json};

const TEMPLATE: &str =
    "{{ instance.kind }} {{ instance.name }} {{ chain.name }} {{ instance.amount }} {{ facets.limits.depth }}";

/// Plan `business` gives 25 seats that are held once, and 3 desks, of which there may be several; `small` gives desks alone.
fn offered() -> Inventory {
    let mut inventory = inventory();
    let mut add = |kind, name: &str, spec: Value| {
        let metadata = json!({"name": name, "creationTimestamp": "2026-01-01T00:00:00Z"});
        inventory.add(kind, &json!({"metadata": metadata, "spec": spec})).unwrap();
    };
    add(EntitlementKind::Organization, "acme", json!({"namespaces": ["acme"]}));
    for (name, allow_multiple) in [("seats", false), ("desks", true)] {
        let schema = json!({"type": "object", "properties": {"depth": {"type": "integer", "default": 1}}});
        let spec = json!({
            "type": "Quantity", "unit": "pieces", "amount": 1, "allowMultiple": allow_multiple,
            "facets": [{"name": "limits", "schema": schema}],
            "outputs": [{"name": "o", "kind": "ConfigMap", "items": [{"key": "k", "template": TEMPLATE}]}],
        });
        add(EntitlementKind::EntitlementDefinition, name, spec);
    }
    let seats = json!({"definition": "seats", "amount": 25, "facets": {"limits": {"depth": 7}}});
    let desks = json!({"definition": "desks", "amount": 3});
    let plan = |entries: Value| json!({"product": "office", "groups": [{"name": "all", "entitlements": entries}]});
    add(EntitlementKind::EntitlementPlan, "business", plan(json!([seats, desks])));
    add(EntitlementKind::EntitlementPlan, "small", plan(json!([desks])));
    inventory
}

fn grant(inventory: &mut Inventory, kind: EntitlementKind, name: &str, made: &str, spec: &Value) {
    let metadata = json!({
        "name": name, "namespace": "entitlements", "uid": format!("u-{name}"),
        "creationTimestamp": format!("{made}T00:00:00Z"),
    });
    let mut spec = spec.clone();
    spec["organization"] = "acme".into();
    inventory.add(kind, &json!({"metadata": metadata, "spec": spec})).unwrap();
}

fn subscription(inventory: &mut Inventory, name: &str, made: &str, spec: &Value) {
    grant(inventory, EntitlementKind::EntitlementSubscription, name, made, spec);
}

/// Of 2 seats.
fn instance(inventory: &mut Inventory, made: &str, definition: &str) {
    let spec = json!({"definition": definition, "amount": 2, "facets": {"limits": {"depth": 5}}});
    grant(inventory, EntitlementKind::EntitlementInstance, "x", made, &spec);
}

fn at(inventory: &Inventory, now: &str) -> Evaluation {
    evaluate(&inventory.snapshots(&inventory.catalogue())[0], parse_instant(now).unwrap())
}

/// Each object but the summary: its name, the kind of its source by its only annotation, and its value.
fn objects(evaluation: &Evaluation) -> Vec<String> {
    let own = evaluation.desired.objects.iter().filter(|(_, object)| object.grant.is_some());
    own.map(|(key, object)| {
        let Wish::Write(content) = &object.wish else { panic!("{key}") };
        let sources = SourceKind::ALL.iter().filter_map(|kind| content.annotations.get_key_value(kind.annotation()));
        let sources: Vec<String> = sources.map(|(key, value)| format!("{key}={value}")).collect();
        let ObjectData::ConfigMap(data) = &content.data else { panic!("{key}") };
        format!("{} [{}] {}", key.name, sources.join(" "), data["k"])
    })
    .collect()
}

const NOW: &str = "2026-07-01T00:00:00Z";
const DESKS: &str = "desks-s-subscription [entitlements.dev/subscription=entitlements/s] Subscription s s 3 1";

#[rstest]
#[case::alone(None, "seats [entitlements.dev/subscription=entitlements/s] Subscription s s 25 7")]
#[case::beside_an_older_instance(
    Some("2026-02-01"),
    "seats [entitlements.dev/instance=entitlements/x] Instance x x 27 7"
)]
#[case::beside_a_younger_one(
    Some("2026-04-01"),
    "seats [entitlements.dev/subscription=entitlements/s] Subscription s s 27 5"
)]
#[case::beside_one_as_old(Some("2026-03-01"), "seats [entitlements.dev/instance=entitlements/x] Instance x x 27 7")]
fn what_is_held_once_is_one_object(#[case] made: Option<&str>, #[case] seats: &str) {
    let mut inventory = offered();
    subscription(&mut inventory, "s", "2026-03-01", &json!({"plan": "business"}));
    if let Some(made) = made {
        instance(&mut inventory, made, "seats");
    }
    assert_eq!(objects(&at(&inventory, NOW)), [DESKS, seats]);
}

/// Both have the same name.
#[test]
fn of_what_there_may_be_several_each_has_its_own() {
    let mut inventory = offered();
    subscription(&mut inventory, "x", "2026-03-01", &json!({"plan": "small"}));
    instance(&mut inventory, "2026-04-01", "desks");
    let expected = [
        "desks-x [entitlements.dev/instance=entitlements/x] Instance x x 2 5",
        "desks-x-subscription [entitlements.dev/subscription=entitlements/x] Subscription x x 3 1",
    ];
    assert_eq!(objects(&at(&inventory, NOW)), expected);
}

#[test]
fn a_renewal_keeps_the_names_of_its_chain() {
    let mut inventory = offered();
    subscription(&mut inventory, "s", "2026-03-01", &json!({"plan": "business", "end": "2026-07-31"}));
    subscription(&mut inventory, "t", "2026-05-01", &json!({"plan": "business", "renews": "s"}));
    instance(&mut inventory, "2026-04-01", "seats");
    let named = |now: &str| objects(&at(&inventory, now));
    let expected = [DESKS, "seats [entitlements.dev/subscription=entitlements/s] Subscription s s 27 5"];
    assert_eq!(named(NOW), expected);
    let renewed = [
        "desks-s-subscription [entitlements.dev/subscription=entitlements/t] Subscription t s 3 1",
        "seats [entitlements.dev/subscription=entitlements/t] Subscription t s 27 7",
    ];
    assert_eq!(named("2026-08-15T00:00:00Z"), renewed);
}

/// The instance bears what is left.
#[test]
fn a_plan_that_gives_it_no_more_leaves_the_object_to_the_others() {
    let mut inventory = offered();
    let change = json!({"name": "less", "effective": "2026-08-01", "plan": "small"});
    subscription(&mut inventory, "s", "2026-03-01", &json!({"plan": "business", "amendments": [change]}));
    instance(&mut inventory, "2026-04-01", "seats");
    let bearing = "seats [entitlements.dev/subscription=entitlements/s] Subscription s s 27 5";
    assert_eq!(objects(&at(&inventory, NOW)), [DESKS, bearing]);
    let left = "seats [entitlements.dev/instance=entitlements/x] Instance x x 2 5";
    assert_eq!(objects(&at(&inventory, "2026-08-15T00:00:00Z")), [DESKS, left]);
}

/// The first worked example, as templates see it.
#[rstest]
#[case::all(json!([]), "Instance x x 52")]
#[case::removed(json!([{"name": "r", "definition": "seats"}]), "Instance x x 12")]
fn templates_see_what_all_come_to(#[case] remove: Value, #[case] expected: &str) {
    let mut inventory = offered();
    let add =
        json!([{"name": "a", "definition": "seats", "amount": 10}, {"name": "b", "definition": "seats", "amount": 15}]);
    let add = if remove == json!([]) { add } else { json!([add[0]]) };
    let spec = json!({"plan": "business", "add": add, "remove": remove});
    subscription(&mut inventory, "s", "2026-03-01", &spec);
    instance(&mut inventory, "2026-02-01", "seats");
    let told = objects(&at(&inventory, NOW));
    assert!(told[1].contains(expected), "{told:?}");
}
