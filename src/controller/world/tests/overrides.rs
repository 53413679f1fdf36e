//! What is counted of overrides.

use super::{definition, metadata, organization, read, two_organizations};
use crate::{
    controller::world::World,
    core::calendar::{Instant, parse_instant},
};
use kube::runtime::watcher::Event;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const NOW: &str = "2026-01-11T00:00:00Z";

fn now() -> Instant {
    parse_instant(NOW).unwrap()
}

/// An override made on that day of January.
fn override_of(name: &str, definition: &str, version: u64, made: u32, phase: Option<&str>) -> Value {
    let mut metadata = metadata(Some("entitlements"), name, version);
    metadata["creationTimestamp"] = json!(format!("2026-01-{made:02}T00:00:00Z"));
    let status = phase.map(|phase| json!({"observedGeneration": 1, "phase": phase, "end": "2026-01-14T00:00:00Z"}));
    let spec = json!({
        "organization": "acme", "definition": definition, "end": "2026-01-13", "reason": "a migration",
        "requestedBy": "alice",
    });
    json!({"metadata": metadata, "spec": spec, "status": status})
}

fn apply(world: &mut World, one: Value) {
    world.observe_override(Event::Apply(read(one)));
}

/// By definition: the phases in which there are any.
fn told(world: &World) -> BTreeMap<String, Vec<(&'static str, u64)>> {
    let some = |phases: BTreeMap<&'static str, u64>| phases.into_iter().filter(|(_, count)| *count > 0).collect();
    world.figures(now()).overrides.into_iter().map(|(definition, phases)| (definition, some(phases))).collect()
}

fn age_in_days(world: &World) -> String {
    format!("{} days", world.figures(now()).oldest_request / 86400.0)
}

#[test]
fn overrides_are_counted_by_definition_and_phase_as_their_statuses_come() {
    let mut world = two_organizations();
    world.observe_definition(Event::Apply(definition("seats", "quota", 2)));
    world.observe_definition(Event::Apply(definition("unused", "quota", 3)));
    assert_eq!((told(&world), &*age_in_days(&world)), (BTreeMap::new(), "0 days"));
    apply(&mut world, override_of("a", "seats", 4, 1, None));
    apply(&mut world, override_of("b", "seats", 5, 3, Some("Requested")));
    apply(&mut world, override_of("c", "seats", 6, 2, Some("Requested")));
    assert_eq!(told(&world), [("seats".to_owned(), vec![("Requested", 2), ("Undecided", 1)])].into());
    assert_eq!(age_in_days(&world), "9 days");
    apply(&mut world, override_of("a", "seats", 7, 1, Some("Active")));
    apply(&mut world, override_of("c", "seats", 8, 2, Some("Rejected")));
    assert_eq!(told(&world), [("seats".to_owned(), vec![("Active", 1), ("Rejected", 1), ("Requested", 1)])].into());
    assert_eq!(age_in_days(&world), "8 days");
    let figures = world.figures(now());
    assert_eq!(figures.overrides_ending, [("1d", 0), ("7d", 1), ("30d", 1)]);
    assert_eq!(figures.overrides["seats"].len(), 8, "each phase that there can be is told, and those without");
    world.observe_override(Event::Delete(read(override_of("b", "seats", 9, 3, Some("Requested")))));
    assert_eq!(age_in_days(&world), "0 days");
}

#[test]
fn names_that_are_made_up_are_one_series() {
    let mut world = two_organizations();
    world.observe_definition(Event::Apply(definition("seats", "quota", 2)));
    for number in 0..20 {
        apply(&mut world, override_of(&format!("a{number}"), &format!("b{number}"), 10 + number, 1, Some("Rejected")));
    }
    apply(&mut world, override_of("b", "seats", 40, 1, Some("Active")));
    let expected = [("<unknown>".to_owned(), vec![("Rejected", 20)]), ("seats".to_owned(), vec![("Active", 1)])];
    assert_eq!(told(&world), expected.into());
    world.observe_definition(Event::Delete(definition("seats", "quota", 41)));
    assert_eq!(told(&world), [("<unknown>".to_owned(), vec![("Active", 1), ("Rejected", 20)])].into());
}

#[test]
fn one_that_may_not_name_its_organization_waits_for_nobody() {
    let mut world = two_organizations();
    world.observe_definition(Event::Apply(definition("seats", "quota", 2)));
    let mut barred = override_of("a", "seats", 3, 1, Some("Requested"));
    barred["metadata"]["namespace"] = json!("elsewhere");
    apply(&mut world, barred);
    assert_eq!((told(&world).len(), &*age_in_days(&world)), (1, "0 days"));
    world.observe_organization(Event::Delete(organization("acme", &["one"], 4)));
    apply(&mut world, override_of("b", "seats", 5, 1, Some("Requested")));
    assert_eq!(age_in_days(&world), "0 days");
}
