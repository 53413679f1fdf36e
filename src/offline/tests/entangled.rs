//! Made-up grants of one organization, of definitions that get into each other's way.

use super::{definition, organization};
use crate::{
    api::{EntitlementInstance, organization::Summary},
    core::{
        calendar::{Instant, format_instant},
        secret::Secret,
    },
    offline::Inventory,
};
use chrono::TimeDelta;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

pub(super) fn hour(number: i64) -> Instant {
    super::now() + TimeDelta::hours(number)
}

/// A catalogue whose definitions ask for the same names now and then.
fn catalogue(inventory: &mut Inventory) {
    let output = |name: &str, object_name: &str, more: &Value| {
        let mut output = json!({
            "name": name, "kind": "ConfigMap", "objectName": object_name,
            "items": [{"key": "k", "template": "{{ facets.f.size }} {{ total.amount }}"}],
        });
        output.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        output
    };
    let schema = json!({"type": "object", "properties": {
        "size": {"type": "integer", "default": 3, "maximum": 10},
        "password": {"type": "string", "writeOnly": true},
    }});
    let secret = json!({
        "name": "s", "kind": "Secret", "objectName": "s-{{ definition.name }}",
        "items": [{"key": "k", "template": "{{ facets.f.password }}"}],
    });
    for (name, allow_multiple, outputs) in [
        ("one", false, json!([output("o", "shared", &json!({})), output("p", "own-{{ instance.name }}", &json!({}))])),
        ("two", true, json!([output("o", "shared", &json!({"per": "Definition"})), secret])),
        (
            "three",
            true,
            json!([output(
                "o",
                "own-{{ total.amount }}",
                &json!({
                    "per": "Definition", "onEnd": "Retain",
                    "items": [{"key": "k", "template": "{{ 6 // (8 - facets.f.size) }}"}],
                })
            )]),
        ),
        // Names that several ask for, and that some of them cannot tell any more when a facet has become larger.
        (
            "five",
            true,
            json!([
                output("o", "n-{{ 6 // (7 - facets.f.size) }}", &json!({})),
                output("p", "beside-{{ instance.name }}-{{ facets.f.size }}", &json!({"onEnd": "Retain"})),
                {
                    "name": "s", "kind": "Secret", "objectName": "t-{{ instance.name }}", "onEnd": "Retain",
                    "items": [{"key": "k", "template": "{{ facets.f.password }}"}],
                },
            ]),
        ),
        // A name of the summary, and one that cannot be made when a facet is large.
        (
            "four",
            false,
            json!([
                output("o", "entitlements", &json!({})),
                output("p", "{{ 'x' * facets.f.size }}-{{ 6 // (7 - facets.f.size) }}", &json!({}))
            ]),
        ),
    ] {
        let spec = json!({
            "type": "Quantity", "unit": "seats", "amount": 1, "allowMultiple": allow_multiple, "gracePeriod": "PT3H",
            "renewalNotices": ["PT5H", "PT2H"], "facets": [{"name": "f", "schema": schema}], "outputs": outputs,
        });
        inventory.add_definition(definition(name, &spec));
    }
}

/// An amendment: from when on, and an amount, an end and a facet.
type Amended = (i64, Option<u32>, Option<i64>, Option<u32>);

#[derive(Clone, Debug)]
pub(super) struct Told {
    definition: &'static str,
    start: i64,
    length: Option<i64>,
    amount: u32,
    size: Option<u32>,
    renews: bool,
    is_suspended: bool,
    secret: Option<&'static str>,
    changes: Vec<Amended>,
}

pub(super) fn grants() -> impl Strategy<Value = Vec<Told>> {
    let change = (0..40i64, prop::option::of(0u32..9), prop::option::of(1..40i64), prop::option::of(1u32..12));
    let which = prop::sample::select(vec!["one", "two", "three", "four", "five"]);
    let term = (which, -9..30i64, prop::option::weighted(0.9, 1i64..20));
    let source = prop::option::of(prop::sample::select(vec!["there", "absent"]));
    let what = (0u32..9, prop::option::of(1u32..12), prop::bool::weighted(0.3), prop::bool::weighted(0.1), source);
    let told =
        (term, what, prop::collection::vec(change, 0..3)).prop_map(|((definition, start, length), what, changes)| {
            let (amount, size, renews, is_suspended, secret) = what;
            Told { definition, start, length, amount, size, renews, is_suspended, secret, changes }
        });
    prop::collection::vec(told, 1..9)
}

pub(super) fn inventory(grants: &[Told], summary: &Summary) -> Inventory {
    let mut inventory = Inventory::new(super::now(), "entitlement-operator");
    let mut acme = organization("acme", &["acme", "acme-staging"], &json!({}));
    acme.spec.summary = summary.clone();
    inventory.add_organization(acme);
    catalogue(&mut inventory);
    let data = BTreeMap::from([("k".to_owned(), Secret::new(b"hunter2".to_vec()))]);
    inventory.add_secrets(BTreeMap::from([(("entitlements".into(), "there".into()), Arc::new(data))]));
    let facets = |size: Option<u32>| size.map_or(json!({}), |size| json!({"f": {"size": size}}));
    for (index, told) in grants.iter().enumerate() {
        let amendments = told.changes.iter().enumerate().map(|(number, (at, amount, end, size))| {
            json!({
                "name": format!("a{number}"), "effective": format_instant(hour(*at)), "amount": amount,
                "end": end.map(|end| format_instant(hour(end))), "facets": facets(*size),
            })
        });
        let mut spec = json!({
            "organization": "acme", "definition": told.definition, "start": format_instant(hour(told.start)),
            "amount": told.amount, "suspended": told.is_suspended, "facets": facets(told.size),
            "amendments": amendments.collect::<Vec<_>>(),
        });
        if let Some(length) = told.length {
            spec["end"] = format_instant(hour(told.start + length)).into();
        }
        if let Some(secret) = told.secret {
            spec["secretFacets"] =
                json!([{"facet": "f", "field": "password", "secretKeyRef": {"name": secret, "key": "k"}}]);
        }
        let before = grants[..index].iter().rposition(|other| other.definition == told.definition);
        if let Some(before) = before.filter(|_| told.renews) {
            spec["renews"] = format!("g{before}").into();
        }
        // The younger ones have the earlier names.
        let made = format_instant(hour(-20 - i64::try_from(index).unwrap() % 3));
        let metadata = json!({"namespace": "entitlements", "name": format!("g{index}"), "creationTimestamp": made});
        let object = json!({"metadata": metadata, "spec": spec});
        inventory.add_instance(serde_json::from_value::<EntitlementInstance>(object).unwrap());
    }
    inventory
}
