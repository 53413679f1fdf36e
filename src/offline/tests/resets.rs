//! Tests of when allotments are new.

use crate::{
    core::calendar::{format_instant, parse_instant},
    offline::{Bounds, EntitlementKind, Inventory, Timeline},
};
use rstest::rstest;
use serde_json::{Value, json};

/// Each reset from 2027-01-01 to 2027-06-30 with what was used before and after it.
fn resets(registers: &[(&str, u32)]) -> Vec<String> {
    let told = timeline(registers, &json!({})).steps.into_iter().flat_map(|step| {
        let at = format_instant(step.at);
        step.resets.into_values().map(move |(before, after)| {
            let [before, after] = [before, after].map(|state| format!("{} of {}", state.used, state.allotted));
            format!("{at} {before}, {after}")
        })
    });
    told.collect()
}

/// All of that time, where the organization has such a status.
fn timeline(registers: &[(&str, u32)], status: &Value) -> Timeline {
    let from = parse_instant("2027-01-01T00:00:00Z").unwrap();
    let mut inventory = Inventory::new(from, "operator");
    let organization = json!({"metadata": {"name": "acme"}, "spec": {"namespaces": ["shop"]}, "status": status});
    inventory.add(EntitlementKind::Organization, &organization).unwrap();
    let definition = json!({"metadata": {"name": "calls"}, "spec": {
        "type": "Quantity", "unit": "calls", "amount": 100, "usage": {"mode": "Consumed", "period": "P1M"},
    }});
    inventory.add(EntitlementKind::EntitlementDefinition, &definition).unwrap();
    let instance = json!({"metadata": {"name": "acme", "namespace": "entitlements"}, "spec": {
        "organization": "acme", "definition": "calls", "start": "2027-01-10",
        "amendments": [{"name": "more", "effective": "2027-05-05", "amount": 200}],
    }});
    inventory.add(EntitlementKind::EntitlementInstance, &instance).unwrap();
    let registers: Vec<_> = registers
        .iter()
        .enumerate()
        .map(|(index, (at, amount))| json!({"key": index.to_string(), "at": at, "amount": amount}))
        .collect();
    let report = json!({"metadata": {"name": "all", "namespace": "entitlements"}, "spec": {
        "organization": "acme", "definition": "calls", "registers": registers,
    }});
    inventory.add(EntitlementKind::EntitlementUsage, &report).unwrap();
    let to = parse_instant("2027-06-30T00:00:00Z").unwrap();
    let bounds = Bounds { from: from.into(), to: Some(to.into()), steps: 1000, work: 1_000_000 };
    inventory.timeline(&bounds, |_| true)
}

#[rstest]
#[case::nothing_is_used(&[], &[])]
#[case::while_nothing_is_held(&[("2027-01-05", 7)], &[])]
#[case::in_the_first_period(&[("2027-01-15", 30), ("2027-01-20", 40)], &["2027-02-10T00:00:00Z 70 of 100, 0 of 100"])]
#[case::in_later_ones(
    &[("2027-03-09", 5), ("2027-05-09T23:59:59Z", 120), ("2027-05-10", 1)],
    &[
        "2027-03-10T00:00:00Z 5 of 100, 0 of 100",
        "2027-05-10T00:00:00Z 120 of 200, 1 of 200",
        "2027-06-10T00:00:00Z 1 of 200, 0 of 200",
    ],
)]
fn each_is_told_with_what_is_used_by_then(#[case] registers: &[(&str, u32)], #[case] expected: &[&str]) {
    assert_eq!(resets(registers), expected);
}

#[rstest]
#[case::nothing(&[], &[])]
#[case::while_nothing_is_held(&[("2027-01-05", 7)], &[])]
#[case::each_at_its_time(
    &[("2027-01-15", 30), ("2027-01-20", 40), ("2027-01-20T00:00:01Z", 0), ("2027-02-10", 1)],
    &["2027-01-15T00:00:00Z 30 of 100", "2027-01-20T00:00:00Z 70 of 100", "2027-02-10T00:00:00Z 1 of 100"],
)]
fn a_use_that_lies_ahead_is_told_at_its_time(#[case] registers: &[(&str, u32)], #[case] expected: &[&str]) {
    let told = timeline(registers, &json!({})).steps.into_iter().flat_map(|step| {
        let at = format_instant(step.at);
        step.uses.into_values().map(move |state| format!("{at} {} of {}", state.used, state.allotted))
    });
    assert_eq!(told.collect::<Vec<String>>(), expected);
}

/// Services count by the API, which no report says.
#[test]
fn the_reset_that_the_operator_has_said_is_told_where_nothing_is_reported() {
    let said = json!({
        "definition": "calls", "state": "Warning", "since": "2026-12-15T00:00:00Z", "resetsAt": "2027-03-10T00:00:00Z",
    });
    let steps = timeline(&[], &json!({"usage": [said]})).steps;
    let resets = steps.iter().flat_map(|step| step.resets.iter().map(|(name, states)| (step.at, name, states)));
    let told = resets.map(|(at, name, (before, after))| {
        (format_instant(at), name.to_string(), before.is_reported, before.used, after.used)
    });
    let expected = ("2027-03-10T00:00:00Z".to_owned(), "calls".to_owned(), true, 0.into(), 0.into());
    assert_eq!(told.collect::<Vec<_>>(), [expected]);
}
