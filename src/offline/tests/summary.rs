//! Summaries are valid by their published schema, and the flags of one moment tell what those of later ones will say.

#[path = "../../../tests/summary_schema.rs"]
pub(super) mod schema;

use super::{definition, organization};
use crate::{
    api::{EntitlementInstance, entitlement_definition::OutputKind, organization::Flags},
    core::{
        calendar::{Instant, format_instant, parse_instant},
        source::SourceId,
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

/// `much` is how likely an amendment changes an amount or a facet, and `changes` how many there are.
fn told(much: f64, changes: std::ops::Range<usize>) -> impl Strategy<Value = Told> {
    let part = move |values: std::ops::Range<u32>| prop::option::weighted(much, values);
    let change = (0..HOURS, part(0..9), prop::option::of(0..HOURS), part(1..12));
    let term = (-5..HOURS, prop::option::weighted(0.9, 1i64..20));
    let what = (0u32..9, 0..3, prop::option::of(1u32..12), prop::bool::weighted(0.1), prop::bool::weighted(0.3));
    (term, what, prop::collection::vec(change, changes)).prop_map(|((start, length), what, changes)| Told {
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
fn survey(definition_spec: &Value, grants: &[Told], statuses: &mut BTreeMap<SourceId, Value>, now: Instant) -> Survey {
    let mut inventory = Inventory::new(super::now(), "entitlement-operator");
    let mut acme = organization("acme", &["acme"], &json!({}));
    acme.spec.summary.sources = true;
    inventory.add_organization(acme);
    inventory.add_definition(definition("d", definition_spec));
    for (index, told) in grants.iter().enumerate() {
        let id = SourceId::instance("entitlements", &format!("g{index}"));
        let metadata =
            json!({"namespace": "entitlements", "name": id.name, "creationTimestamp": format_instant(hour(-9))});
        let object = json!({"metadata": metadata, "spec": told.spec(index), "status": statuses.get(&id)});
        inventory.add_instance(serde_json::from_value::<EntitlementInstance>(object).unwrap());
    }
    let survey = inventory.survey(now);
    for index in 0..grants.len() {
        let id = SourceId::instance("entitlements", &format!("g{index}"));
        let Status::Instance(status) = &survey.statuses[&Subject::source(&id)] else { panic!() };
        statuses.insert(id, serde_json::to_value(status).unwrap());
    }
    survey
}

pub(super) fn file(survey: &Survey, name: &str) -> Value {
    let key = ObjectKey { kind: OutputKind::ConfigMap, namespace: "acme".into(), name: "entitlements".into() };
    let ObjectData::ConfigMap(data) = &survey.objects[&key].content.data else { panic!() };
    serde_json::from_str(&data[name]).unwrap()
}

/// What a flag is at a moment.
pub(super) fn flag<'a>(flags: &'a Value, name: &str, at: Instant) -> &'a Value {
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
    let mut seen = [Seen::default(), Seen::default()];
    for number in 0..HOURS * 2 {
        for moment in [hour(number), hour(number + 1) - TimeDelta::seconds(1)] {
            let summary = file(&survey(&spec, grants, &mut statuses, moment), "entitlements.json");
            prop_assert_eq!(problems(&summary), Vec::<String>::new(), "{:#}", summary);
            let entry = &summary["entitlements"]["d"];
            let is_entitled = entry["entitled"] == true;
            if flags["flags"].get("d").is_none() {
                prop_assert!(!is_entitled);
                continue;
            }
            let amount: Value = if is_entitled { entry["amount"].as_str().unwrap().parse().unwrap() } else { json!(0) };
            let facets = if is_entitled { entry["facets"].clone() } else { json!({}) };
            let [of_amount, of_facets] = &mut seen;
            let shown = of_amount.shown(amount, is_entitled, json!(0));
            prop_assert_eq!(flag(&flags, "d", moment), &shown, "{}", moment);
            let shown = of_facets.shown(facets, is_entitled, json!({}));
            prop_assert_eq!(flag(&flags, "d.facets", moment), &shown, "{}", moment);
        }
    }
    Ok(())
}

/// What a flag has to show, as told by what is held at one moment after the other: sixteen changes are looked ahead to, and
/// what the last of them gives lasts until the end of its run.
#[derive(Default)]
struct Seen {
    value: Option<Value>,
    changes: usize,
    is_over: bool,
}

impl Seen {
    fn shown(&mut self, value: Value, is_entitled: bool, nothing: Value) -> Value {
        let known = self.value.get_or_insert_with(|| value.clone());
        if *known != value && self.changes <= 16 {
            self.changes += 1;
            if self.changes <= 16 {
                *known = value;
            }
        }
        self.is_over |= self.changes > 16 && !is_entitled;
        if self.is_over { nothing } else { known.clone() }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn flags_foretell_the_summary(
        allow_multiple in any::<bool>(),
        grace in prop::option::of(Just("PT3H")),
        grants in prop::collection::vec(told(0.5, 0..3), 1..4),
    ) {
        check(allow_multiple, grace, &grants)?;
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn flags_foretell_the_summary_of_grants_with_many_amendments(
        allow_multiple in any::<bool>(),
        busy in (0.05..0.9).prop_flat_map(|much| prop::collection::vec(told(much, 10..40), 1..3)),
    ) {
        check(allow_multiple, None, &busy)?;
    }
}

/// What the flags show of a grant with those amendments, of which a moment is looked at before any counts.
fn amended(amendments: &Value) -> Value {
    let mut inventory = Inventory::new(super::now(), "entitlement-operator");
    inventory.add_organization(organization("acme", &["acme"], &json!({})));
    let schema = json!({"type": "object", "properties": {"size": {"type": "integer"}}});
    let spec = json!({"type": "Quantity", "unit": "seats", "amount": 250, "facets": [{"name": "f", "schema": schema}]});
    inventory.add_definition(definition("d", &spec));
    let spec = json!({"organization": "acme", "definition": "d", "start": "2025-01-01", "amendments": amendments});
    inventory.add_instance(super::instance("entitlements", "a", &spec, &Value::Null));
    file(&inventory.survey(at("2025-12-01T00:00:00Z")), "flags.json")
}

pub(super) fn at(text: &str) -> Instant {
    parse_instant(text).unwrap()
}

#[test]
fn what_changes_nothing_for_the_client_uses_up_no_change() {
    let ends = [
        "2027-06-10",
        "2027-06-11",
        "2027-06-12",
        "2027-06-13",
        "2027-06-14",
        "2027-06-15",
        "2027-06-16",
        "2027-06-17",
    ];
    let mut amendments: Vec<Value> = (1..=48)
        .map(|number| {
            let effective = format!("2026-{:02}-{:02}", 1 + number / 16, 1 + number % 16);
            json!({"name": format!("a{number}"), "effective": effective, "end": ends[number % 8]})
        })
        .collect();
    // What is stated again changes nothing either.
    amendments.extend((1..=12).map(
        |number| json!({"name": format!("b{number}"), "effective": format!("2026-05-{number:02}"), "amount": 250}),
    ));
    amendments.push(json!({"name": "less", "effective": "2026-09-01", "amount": 50}));
    amendments.push(json!({"name": "facet", "effective": "2026-10-01", "facets": {"f": {"size": 3}}}));
    let flags = amended(&json!(amendments));
    for (moment, amount, facets) in [
        ("2024-12-31T23:59:59Z", 0, json!({})),
        ("2025-01-01T00:00:00Z", 250, json!({"f": {}})),
        ("2026-08-31T23:59:59Z", 250, json!({"f": {}})),
        ("2026-09-01T00:00:00Z", 50, json!({"f": {}})),
        ("2026-10-01T00:00:00Z", 50, json!({"f": {"size": 3}})),
        ("2027-06-10T23:59:59Z", 50, json!({"f": {"size": 3}})),
        ("2027-06-11T00:00:00Z", 0, json!({})),
    ] {
        assert_eq!(*flag(&flags, "d", at(moment)), amount, "{moment}");
        assert_eq!(*flag(&flags, "d.facets", at(moment)), facets, "{moment}");
    }
}

/// The changes of one flag use up none of another's.
#[test]
fn each_flag_looks_ahead_for_itself() {
    let mut amendments: Vec<Value> = (1..=20)
        .map(|number| {
            let effective = format!("2026-01-{number:02}");
            json!({"name": format!("a{number}"), "effective": effective, "facets": {"f": {"size": number}}})
        })
        .collect();
    amendments.push(json!({"name": "less", "effective": "2026-09-01", "amount": 50}));
    let flags = amended(&json!(amendments));
    for (moment, amount, size) in [
        ("2026-01-16T00:00:00Z", 250, 16),
        ("2026-01-20T00:00:00Z", 250, 16),
        ("2026-08-31T23:59:59Z", 250, 16),
        ("2026-09-01T00:00:00Z", 50, 16),
    ] {
        assert_eq!(*flag(&flags, "d", at(moment)), amount, "{moment}");
        assert_eq!(*flag(&flags, "d.facets", at(moment)), json!({"f": {"size": size}}), "{moment}");
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
    let mistakes: [(&str, Value); 15] = [
        ("/organization", json!("")),
        ("/entitlements", json!([])),
        ("/entitlements/d/displayName", json!("")),
        ("/entitlements/d/end", json!("2026-01-01")),
        ("/entitlements/d/validUntil", json!("2027-01-01T00:00:00Z")),
        ("/entitlements/d/facets", json!({"f": 4})),
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
    for place in ["/organization", "/entitlements"] {
        assert_ne!(problems(&without(&valid, place)), Vec::<String>::new(), "without {place}");
    }
    for name in valid["entitlements"]["d"].as_object().unwrap().keys() {
        let changed = without(&valid, &format!("/entitlements/d/{name}"));
        assert_eq!(problems(&changed).is_empty(), name == "sources", "without {name}");
    }
}

fn without(value: &Value, place: &str) -> Value {
    let mut changed = value.clone();
    let (parent, name) = place.rsplit_once('/').unwrap();
    changed.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
    changed
}

/// The flags of `acme`, which asks for all, with what it holds and does not hold.
#[test]
fn all_flags_are_those_of_every_ready_definition() {
    let facets = json!([{"name": "f", "schema": {"type": "object"}}]);
    let mut inventory = Inventory::new(super::now(), "entitlement-operator");
    let mut acme = organization("acme", &["acme"], &json!({}));
    acme.spec.summary.flags = Flags::All;
    inventory.add_organization(acme);
    inventory.add_organization(organization("held", &["held"], &json!({})));
    for (name, spec) in [
        ("on", json!({"type": "Feature", "facets": facets})),
        ("off", json!({"type": "Feature", "facets": facets})),
        ("over", json!({"type": "Quantity", "unit": "u", "amount": 1})),
        ("unready", json!({"type": "Quantity", "unit": "u"})),
    ] {
        inventory.add_definition(definition(name, &spec));
    }
    for (organization, definition, end) in [("acme", "on", "2199-12-31"), ("acme", "over", "2025-01-31")] {
        let spec = json!({"organization": organization, "definition": definition, "start": "2025-01-01", "end": end});
        inventory.add_instance(super::instance("entitlements", definition, &spec, &Value::Null));
    }
    let survey = inventory.survey(super::now());
    let flags = file(&survey, "flags.json");
    let names: Vec<&String> = flags["flags"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["off", "off.facets", "on", "on.facets", "over"]);
    for (name, value) in [
        ("on", json!(true)),
        ("on.facets", json!({"f": {}})),
        ("off", json!(false)),
        ("off.facets", json!({})),
        ("over", json!(0)),
    ] {
        assert_eq!(*flag(&flags, name, super::now()), value, "{name}");
    }
    let held = ObjectKey { kind: OutputKind::ConfigMap, namespace: "held".into(), name: "entitlements".into() };
    let ObjectData::ConfigMap(data) = &survey.objects[&held].content.data else { panic!() };
    assert_eq!(data["flags.json"], "{\"$schema\":\"https://flagd.dev/schema/v0/flags.json\",\"flags\":{}}\n");
}
