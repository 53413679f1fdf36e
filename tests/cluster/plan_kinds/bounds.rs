//! How large each field of plans and subscriptions may be.

use super::{PLAN, SUBSCRIPTION, judge, object};
use crate::harness::cluster;
use serde_json::{Value, json};

/// A spec with one field as large as it is told.
type Sized = fn(usize) -> Value;

fn text(length: usize) -> String {
    "a".repeat(length)
}

fn many(count: usize, one: impl Fn(usize) -> Value) -> Value {
    (0..count).map(one).collect()
}

fn facets(count: usize) -> Value {
    (0..count).map(|number| (format!("f{number}"), json!({}))).collect::<serde_json::Map<_, _>>().into()
}

fn group(field: &str, value: Value) -> Value {
    json!({"groups": [{"name": "g", field: value}]})
}

fn entitlement(field: &str, value: Value) -> Value {
    let mut entitlement = json!({"definition": "d"});
    entitlement[field] = value;
    group("entitlements", json!([entitlement]))
}

/// A subscription with one entry of a list.
fn entry(list: &str, field: &str, value: Value) -> Value {
    let mut entry = match list {
        "addOns" => json!({"name": "n", "plan": "p"}),
        "configure" => json!({"definition": "d"}),
        "amendments" => json!({"name": "n", "effective": "2027-01-01"}),
        _ => json!({"name": "n", "definition": "d"}),
    };
    entry[field] = value;
    json!({ list: [entry] })
}

fn secret(field: &str, value: Value) -> Value {
    let mut secret = json!({"facet": "f", "field": "x", "secretKeyRef": {"name": "n", "key": "k"}});
    *secret.pointer_mut(field).unwrap() = value;
    entry("configure", "secretFacets", json!([secret]))
}

/// How large each field may be.
const BOUNDS: &[(&str, usize, Sized)] = &[
    (PLAN, 256, |size| json!({"displayName": text(size)})),
    (PLAN, 4096, |size| json!({"description": text(size)})),
    (PLAN, 256, |size| json!({"product": text(size)})),
    (PLAN, 16, |size| json!({"includes": many(size, |number| json!(format!("p{number}")))})),
    (PLAN, 63, |size| json!({"includes": [text(size)]})),
    (PLAN, 64, |size| json!({"addOns": many(size, |number| json!(format!("p{number}")))})),
    (PLAN, 63, |size| json!({"addOns": [text(size)]})),
    (PLAN, 16, |size| json!({"renewalNotices": many(size, |number| json!(format!("P{number}D")))})),
    (PLAN, 64, |size| json!({"groups": many(size, |number| json!({"name": format!("g{number}")}))})),
    (PLAN, 63, |size| json!({"groups": [{"name": text(size)}]})),
    (PLAN, 256, |size| group("displayName", json!(text(size)))),
    (PLAN, 4096, |size| group("description", json!(text(size)))),
    (PLAN, 1024, |size| group("entitlements", many(size, |number| json!({"definition": format!("d{number}")})))),
    (PLAN, 63, |size| entitlement("definition", json!(text(size)))),
    (PLAN, 15, |size| entitlement("amount", json!("9".repeat(size)))),
    (PLAN, 64, |size| entitlement("facets", facets(size))),
    (SUBSCRIPTION, 63, |size| json!({"organization": text(size)})),
    (SUBSCRIPTION, 63, |size| json!({"plan": text(size)})),
    (SUBSCRIPTION, 253, |size| json!({"renews": text(size)})),
    (SUBSCRIPTION, 256, |size| json!({"agreement": text(size)})),
    (
        SUBSCRIPTION,
        64,
        |size| json!({"addOns": many(size, |number| json!({"name": format!("n{number}"), "plan": "p"}))}),
    ),
    (SUBSCRIPTION, 63, |size| entry("addOns", "name", json!(text(size)))),
    (SUBSCRIPTION, 63, |size| entry("addOns", "plan", json!(text(size)))),
    (SUBSCRIPTION, 1_000_000, |size| entry("addOns", "quantity", json!(size))),
    (SUBSCRIPTION, 1024, |size| entry("addOns", "reason", json!(text(size)))),
    (
        SUBSCRIPTION,
        64,
        |size| json!({"add": many(size, |number| json!({"name": format!("n{number}"), "definition": "d"}))}),
    ),
    (SUBSCRIPTION, 63, |size| entry("add", "name", json!(text(size)))),
    (SUBSCRIPTION, 63, |size| entry("add", "definition", json!(text(size)))),
    (SUBSCRIPTION, 15, |size| entry("add", "amount", json!("9".repeat(size)))),
    (SUBSCRIPTION, 64, |size| entry("add", "facets", facets(size))),
    (SUBSCRIPTION, 1024, |size| entry("add", "reason", json!(text(size)))),
    (
        SUBSCRIPTION,
        64,
        |size| json!({"remove": many(size, |number| json!({"name": format!("n{number}"), "definition": "d"}))}),
    ),
    (SUBSCRIPTION, 63, |size| entry("remove", "name", json!(text(size)))),
    (SUBSCRIPTION, 63, |size| entry("remove", "definition", json!(text(size)))),
    (SUBSCRIPTION, 1024, |size| entry("remove", "reason", json!(text(size)))),
    (SUBSCRIPTION, 64, |size| json!({"configure": many(size, |number| json!({"definition": format!("d{number}")}))})),
    (SUBSCRIPTION, 63, |size| entry("configure", "definition", json!(text(size)))),
    (SUBSCRIPTION, 64, |size| entry("configure", "facets", facets(size))),
    (SUBSCRIPTION, 64, |size| {
        let one =
            |number| json!({"facet": "f", "field": format!("x{number}"), "secretKeyRef": {"name": "n", "key": "k"}});
        entry("configure", "secretFacets", many(size, one))
    }),
    (SUBSCRIPTION, 63, |size| secret("/facet", json!(text(size)))),
    (SUBSCRIPTION, 256, |size| secret("/field", json!(text(size)))),
    (SUBSCRIPTION, 253, |size| secret("/secretKeyRef/name", json!(text(size)))),
    (SUBSCRIPTION, 253, |size| secret("/secretKeyRef/key", json!(text(size)))),
    (
        SUBSCRIPTION,
        64,
        |size| json!({"amendments": many(size, |number| json!({"name": format!("n{number}"), "effective": "2027-01-01"}))}),
    ),
    (SUBSCRIPTION, 63, |size| entry("amendments", "name", json!(text(size)))),
    (SUBSCRIPTION, 63, |size| entry("amendments", "plan", json!(text(size)))),
    (SUBSCRIPTION, 1024, |size| entry("amendments", "reason", json!(text(size)))),
];

#[tokio::test]
async fn every_field_of_plans_and_subscriptions_has_its_bound() {
    let cluster = cluster().await;
    for (kind, most, sized) in BOUNDS {
        let fits = judge(&cluster, kind, &sized(*most)).await;
        assert!(fits.is_ok(), "{kind} {most} {:.300}: {fits:?}", sized(1).to_string());
        let refused = judge(&cluster, kind, &sized(most + 1)).await;
        assert!(refused.is_err(), "{kind} {:.300} has no bound at {most}", sized(1).to_string());
    }
    // As large as all lists together may be: the rules are affordable for it.
    let full = |list: &str, one: fn(usize) -> Value| (list.to_owned(), many(64, one));
    let spec: serde_json::Map<String, Value> = [
        full("addOns", |number| json!({"name": format!("n{number}"), "plan": "p", "start": "2027-01-01", "reason": text(1024)})),
        full("add", |number| json!({"name": format!("n{number}"), "definition": "d", "amount": "2.5", "end": "2027-01-01"})),
        full("remove", |number| json!({"name": format!("n{number}"), "definition": "d", "end": "2027-01-01"})),
        full("configure", |number| json!({"definition": format!("d{number}"), "facets": {"f": {"a": 1}}})),
        full("amendments", |number| json!({"name": format!("n{number}"), "effective": "2027-01-01", "plan": "p", "reason": text(1024)})),
    ]
    .into_iter()
    .collect();
    let full = object(SUBSCRIPTION, &cluster.name, &Value::Object(spec.clone()));
    cluster.create(full).await.unwrap();
    let mut later = spec["amendments"].clone();
    later.as_array_mut().unwrap().reverse();
    let merged = cluster.merge(SUBSCRIPTION, "entitlements", "$", json!({"spec": {"amendments": later}})).await;
    assert_eq!(merged, Ok(()));
}
