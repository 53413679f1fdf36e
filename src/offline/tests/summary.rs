//! Summaries are valid by their published schema, and the flags of one moment tell what those of later ones will say.

#[path = "../../../tests/summary_schema.rs"]
mod schema;

use super::{definition, organization};
use crate::{
    api::{EntitlementInstance, entitlement_definition::OutputKind},
    core::{
        calendar::{Instant, format_instant},
        grant::GrantId,
    },
    evaluation::object::{ObjectData, ObjectKey},
    offline::{Inventory, Status, Subject, Survey},
};
use chrono::TimeDelta;
use proptest::prelude::*;
use schema::problems;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The hours that are told of.
const HOURS: i64 = 40;

fn hour(number: i64) -> Instant {
    super::now() + TimeDelta::hours(number)
}

/// An amendment: from when on, and what it changes.
type Change = (i64, Option<u32>, Option<i64>, Option<u32>);

/// A grant: start, length, grace period, amount, priority, a facet, suspension, whether it renews the one before, amendments.
#[derive(Clone, Debug)]
struct Told {
    start: i64,
    end: Option<i64>,
    amount: u32,
    priority: i32,
    size: Option<u32>,
    is_suspended: bool,
    renews: bool,
    changes: Vec<Change>,
}

fn told() -> impl Strategy<Value = Told> {
    let change = (0..HOURS, prop::option::of(0u32..9), prop::option::of(0..HOURS), prop::option::of(1u32..12));
    let term = (-5..HOURS, prop::option::weighted(0.9, 1i64..20));
    let what = (0u32..9, 0..3, prop::option::of(1u32..12), prop::bool::weighted(0.1), prop::bool::weighted(0.3));
    (term, what, prop::collection::vec(change, 0..3)).prop_map(|((start, length), what, changes)| Told {
        start,
        end: length.map(|length| start + length),
        amount: what.0,
        priority: what.1,
        size: what.2,
        is_suspended: what.3,
        renews: what.4,
        changes,
    })
}

impl Told {
    fn spec(&self, index: usize) -> Value {
        let facets = |size: Option<u32>| size.map_or(json!({}), |size| json!({"f": {"size": size}}));
        let amendment = |(number, (at, amount, end, size)): (usize, &Change)| {
            let mut amendment = json!({"name": format!("a{number}"), "effective": format_instant(hour(*at))});
            if let Some(amount) = amount {
                amendment["amount"] = json!(amount);
            }
            if let Some(end) = end {
                amendment["end"] = format_instant(hour(*end)).into();
            }
            if size.is_some() {
                amendment["facets"] = facets(*size);
            }
            amendment
        };
        let mut spec = json!({
            "organization": "acme",
            "definition": "d",
            "start": format_instant(hour(self.start)),
            "amount": self.amount,
            "priority": self.priority,
            "facets": facets(self.size),
            "suspended": self.is_suspended,
            "amendments": self.changes.iter().enumerate().map(amendment).collect::<Vec<_>>(),
        });
        if let Some(end) = self.end {
            spec["end"] = format_instant(hour(end)).into();
        }
        if self.renews && index > 0 {
            spec["renews"] = format!("g{}", index - 1).into();
        }
        spec
    }
}

/// What the operator makes of the grants at a moment, whose only memory are the statuses; these are written.
fn survey(definition_spec: &Value, grants: &[Told], statuses: &mut BTreeMap<GrantId, Value>, now: Instant) -> Survey {
    let mut inventory = Inventory::new(super::now(), "entitlement-operator");
    inventory.add_organization(organization("acme", &["acme"], &json!({})));
    inventory.add_definition(definition("d", definition_spec));
    for (index, told) in grants.iter().enumerate() {
        let id = GrantId::new("entitlements", &format!("g{index}"));
        let metadata =
            json!({"namespace": "entitlements", "name": id.name, "creationTimestamp": format_instant(hour(-9))});
        let object = json!({"metadata": metadata, "spec": told.spec(index), "status": statuses.get(&id)});
        inventory.add_instance(serde_json::from_value::<EntitlementInstance>(object).unwrap());
    }
    let survey = inventory.survey(now);
    for index in 0..grants.len() {
        let id = GrantId::new("entitlements", &format!("g{index}"));
        let Status::Instance(status) = &survey.statuses[&Subject::instance(&id)] else { panic!() };
        statuses.insert(id, serde_json::to_value(status).unwrap());
    }
    survey
}

fn file(survey: &Survey, name: &str) -> Value {
    let key = ObjectKey { kind: OutputKind::ConfigMap, namespace: "acme".into(), name: "entitlements".into() };
    let ObjectData::ConfigMap(data) = &survey.objects[&key].content.data else { panic!() };
    serde_json::from_str(&data[name]).unwrap()
}

/// What a flag is at a moment.
fn flag<'a>(flags: &'a Value, name: &str, at: Instant) -> &'a Value {
    let flag = &flags["flags"][name];
    let mut rule = flag.get("targeting").unwrap_or(&flag["defaultVariant"]);
    while let Some(parts) = rule.get("if") {
        let end = parts[0]["<"][1].as_i64().unwrap();
        rule = &parts[if at.timestamp() < end { 1 } else { 2 }];
    }
    &flag["variants"][rule.as_str().unwrap()]
}

fn check(allow_multiple: bool, grace: Option<&str>, grants: &[Told]) -> Result<(), TestCaseError> {
    let mut spec = json!({
        "type": "Quantity",
        "unit": "seats",
        "amount": 1,
        "allowMultiple": allow_multiple,
        "facets": [{"name": "f", "schema": {"type": "object", "properties": {"size": {"type": "integer", "maximum": 10, "default": 3}}}}],
    });
    if let Some(grace) = grace {
        spec["gracePeriod"] = grace.into();
    }
    let mut statuses = BTreeMap::new();
    let flags = file(&survey(&spec, grants, &mut statuses, hour(0)), "flags.json");
    for number in 0..HOURS * 2 {
        for moment in [hour(number), hour(number + 1) - TimeDelta::seconds(1)] {
            let summary = file(&survey(&spec, grants, &mut statuses, moment), "entitlements.json");
            prop_assert_eq!(problems(&summary), Vec::<String>::new(), "{:#}", summary);
            let entry = &summary["entitlements"]["d"];
            let is_entitled = entry["entitled"] == true;
            let amount = if is_entitled { entry["amount"].as_str().unwrap() } else { "0" };
            let facets = if is_entitled { entry["facets"].clone() } else { json!({}) };
            if flags["flags"].get("d").is_none() {
                prop_assert!(!is_entitled);
                continue;
            }
            prop_assert_eq!(flag(&flags, "d", moment).to_string(), amount, "{}", moment);
            prop_assert_eq!(flag(&flags, "d.facets", moment), &facets, "{}", moment);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn flags_foretell_the_summary(
        allow_multiple in any::<bool>(),
        grace in prop::option::of(Just("PT3H")),
        grants in prop::collection::vec(told(), 1..4),
    ) {
        check(allow_multiple, grace, &grants)?;
    }
}

#[test]
fn of_more_changes_than_are_looked_ahead_to_the_last_lasts_and_the_end_holds() {
    let told = Told {
        start: -1,
        end: Some(30),
        amount: 100,
        priority: 0,
        size: None,
        is_suspended: false,
        renews: false,
        changes: (1..=20).map(|number| (i64::from(number), Some(number), None, None)).collect(),
    };
    let spec = json!({"type": "Quantity", "unit": "seats", "amount": 1});
    let flags = file(&survey(&spec, &[told], &mut BTreeMap::new(), hour(0)), "flags.json");
    for (number, amount) in
        [(-2, 0), (-1, 100), (0, 100), (1, 1), (15, 15), (16, 16), (17, 16), (29, 16), (30, 0), (50, 0)]
    {
        assert_eq!(flag(&flags, "d", hour(number)), amount, "{number}");
    }
}

#[test]
fn the_schema_refuses_what_no_summary_holds() {
    let told = Told {
        start: -1,
        end: None,
        amount: 7,
        priority: 0,
        size: Some(4),
        is_suspended: false,
        renews: false,
        changes: vec![(-1, None, None, Some(5))],
    };
    let spec = json!({"type": "Quantity", "unit": "seats", "amount": 1, "facets": [{"name": "f", "schema": {"type": "object", "properties": {"size": {"type": "integer"}}}}]});
    let valid = file(&survey(&spec, &[told], &mut BTreeMap::new(), hour(0)), "entitlements.json");
    assert_eq!(problems(&valid), Vec::<String>::new(), "{valid:#}");
    let mistakes: [(&str, Value); 10] = [
        ("/entitlements", json!([])),
        ("/entitlements/d/amount", json!(7)),
        ("/entitlements/d/amount", json!("7.10")),
        ("/entitlements/d/amount", Value::Null),
        ("/entitlements/d/unit", Value::Null),
        ("/entitlements/d/entitled", json!(false)),
        ("/entitlements/d/validFrom", json!("2026-01-01")),
        ("/entitlements/d/sources/grants/0/phase", json!("Expired")),
        ("/entitlements/d/sources/facets/f/size/layer", json!("Default")),
        ("/entitlements/d/sources/facets/f/size/amendment", Value::Null),
    ];
    for (place, value) in mistakes {
        let mut changed = valid.clone();
        *changed.pointer_mut(place).unwrap() = value;
        assert_ne!(problems(&changed), Vec::<String>::new(), "{place}");
    }
}
