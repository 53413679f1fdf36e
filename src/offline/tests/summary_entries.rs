//! What the entry of a handle in a summary tells, and how many bytes it takes.

use super::{
    definition, organization,
    summary::{at, file, schema::problems},
};
use crate::{api::organization::Flags, evaluation::object::ObjectData, offline::Inventory};
use serde_json::{Value, json};

/// The entry of `d` at noon of the 1st of December 2025, with grants of those specs.
fn entry(definition_spec: &Value, grants: &[Value]) -> Value {
    let mut inventory = Inventory::new(super::now(), "entitlement-operator");
    inventory.add_organization(organization("acme", &["acme"], &json!({})));
    inventory.add_definition(definition("d", definition_spec));
    for (index, spec) in grants.iter().enumerate() {
        let mut spec = spec.clone();
        spec["organization"] = "acme".into();
        spec["definition"] = "d".into();
        inventory.add_instance(super::instance("entitlements", &format!("g{index}"), &spec, &Value::Null));
    }
    let summary = file(&inventory.survey(at("2025-12-01T12:00:00Z")), "entitlements.json");
    assert_eq!(problems(&summary), Vec::<String>::new(), "{summary:#}");
    summary["entitlements"]["d"].clone()
}

#[rstest::rstest]
// Grace is in validUntil alone.
#[case(json!([{"start": "2025-01-01", "end": "2025-12-31"}]), "2025-01-01", "2026-01-15", "2026-01-01")]
#[case(json!([{"start": "2025-01-01", "end": "2025-11-30"}]), "2025-01-01", "2025-12-15", "2025-12-01")]
// Of several the one that lasts longest, be it one to come that follows without a gap.
#[case(json!([{"start": "2025-01-01", "end": "2025-12-31"}, {"start": "2025-06-01", "end": "2026-03-31"}]), "2025-01-01", "2026-04-15", "2026-04-01")]
#[case(json!([{"start": "2025-01-01", "end": "2025-12-31"}, {"start": "2026-01-05", "end": "2026-12-31"}]), "2025-01-01", "2027-01-15", "2027-01-01")]
#[case(json!([{"start": "2025-01-01", "end": "2025-12-31"}, {"start": "2026-01-01"}]), "2025-01-01", "", "")]
// What begins after a gap, is suspended or over is another matter.
#[case(json!([{"start": "2025-01-01", "end": "2025-12-31"}, {"start": "2026-06-01", "end": "2026-12-31"}]), "2025-01-01", "2026-01-15", "2026-01-01")]
#[case(json!([{"start": "2025-01-01", "end": "2025-12-31"}, {"start": "2025-01-01", "end": "2026-12-31", "suspended": true}]), "2025-01-01", "2026-01-15", "2026-01-01")]
// Where nothing is held now: of the next run, or, where none is to come, of all that is suspended.
#[case(json!([{"start": "2026-06-01", "end": "2026-12-31"}, {"start": "2028-01-01"}]), "2026-06-01", "2027-01-15", "2027-01-01")]
#[case(json!([{"start": "2025-01-01", "end": "2025-12-31", "suspended": true}, {"start": "2025-01-01", "end": "2026-12-31", "suspended": true}]), "", "", "2027-01-01")]
#[case(json!([{"start": "2025-01-01", "suspended": true}]), "", "", "")]
// An amendment to come counts for both.
#[case(json!([{"start": "2025-01-01", "end": "2025-12-31", "amendments": [{"name": "a", "effective": "2025-12-20", "end": "2026-06-30"}]}]), "2025-01-01", "2026-07-15", "2026-07-01")]
fn the_end_is_that_of_the_term(#[case] grants: Value, #[case] from: &str, #[case] until: &str, #[case] end: &str) {
    let spec = json!({"type": "Quantity", "unit": "seats", "amount": 1, "allowMultiple": true, "gracePeriod": "P14D"});
    let entry = entry(&spec, grants.as_array().unwrap());
    let expected = [from, until, end].map(|day| match day {
        "" => Value::Null,
        day => format!("{day}T00:00:00Z").into(),
    });
    assert_eq!([&entry["validFrom"], &entry["validUntil"], &entry["end"]], expected.each_ref());
}

#[test]
fn a_renewal_that_takes_over_in_the_grace_period_ends_where_it_ends() {
    let spec = json!({"type": "Feature", "term": "P1Y", "gracePeriod": "P14D"});
    let entry = entry(&spec, &[json!({"start": "2024-12-25"}), json!({"renews": "g0"})]);
    assert_eq!(entry["validUntil"], "2027-01-08T00:00:00Z");
    assert_eq!(entry["end"], "2026-12-25T00:00:00Z");
}

#[test]
fn the_name_for_people_is_the_handle_where_there_is_none() {
    for (display_name, expected) in [(json!("Seats of all"), "Seats of all"), (json!(""), "d"), (Value::Null, "d")] {
        let entry = entry(&json!({"type": "Feature", "displayName": display_name}), &[json!({"start": "2025-01-01"})]);
        assert_eq!(entry["displayName"], expected);
    }
}

/// The sizes that the page on workloads tells: what one handle more adds to each file.
#[rstest::rstest]
#[case("a Feature without end", json!({"type": "Feature"}), Some(json!({})), 403)]
#[case("a Quantity without end", json!({"type": "Quantity", "unit": "members", "amount": 250}), Some(json!({})), 441)]
#[case("a Feature with an end", json!({"type": "Feature"}), Some(json!({"end": "2026-12-31"})), 500)]
#[case("a Quantity with an end", json!({"type": "Quantity", "unit": "members", "amount": 250}), Some(json!({"end": "2026-12-31"})), 536)]
#[case("a Quantity with an end and 100 bytes of facets", json!({"type": "Quantity", "unit": "members", "amount": 250, "facets": [{"name": "f", "schema": {"type": "object"}}]}), Some(json!({"end": "2026-12-31", "facets": {"f": {"text": "x".repeat(83)}}})), 994)]
#[case("not held, with `flags: All`: a Feature", json!({"type": "Feature"}), None, 87)]
fn a_handle_takes_as_many_bytes_as_the_page_on_workloads_says(
    #[case] held: &str,
    #[case] definition_spec: Value,
    #[case] grant: Option<Value>,
    #[case] together: usize,
) {
    let files = ["entitlements.json", "entitlements.env", "flags.json"];
    let sizes = |count: usize| {
        let mut inventory = Inventory::new(super::now(), "entitlement-operator");
        let mut acme = organization("acme", &["acme"], &json!({}));
        acme.spec.summary.flags = if grant.is_none() { Flags::All } else { Flags::Held };
        inventory.add_organization(acme);
        for index in 0..count {
            let name = format!("max-members-{index:04}");
            let mut spec = definition_spec.clone();
            spec["displayName"] = format!("Members of team {index:04}").into();
            inventory.add_definition(definition(&name, &spec));
            let Some(mut grant) = grant.clone() else { continue };
            grant["organization"] = "acme".into();
            grant["definition"] = name.clone().into();
            grant["start"] = "2026-01-01".into();
            inventory.add_instance(super::instance("entitlements", &name, &grant, &Value::Null));
        }
        let survey = inventory.survey(super::now());
        let ObjectData::ConfigMap(data) = &survey.objects.values().next().unwrap().content.data else { panic!() };
        files.map(|file| data[file].len())
    };
    let (few, more) = (sizes(10), sizes(11));
    let [json, env, flags] = std::array::from_fn(|index| more[index] - few[index]);
    let row = format!("| {held} | {json} | {env} | {flags} | {together} |\n");
    assert_eq!(json + env + flags, together);
    assert!(include_str!("../../../docs/workloads.md").contains(&row), "{row}");
}
