//! What an event costs does not grow with how many organizations there are, nor with the grants of a definition: exact counts
//! of what comes of it, and a time that is printed on request.

use super::{definitions, empty, instance, metadata, organization, organizations, read, two_organizations};
use crate::{
    api::EntitlementInstance,
    controller::{
        guarded::Guarded,
        world::{WorkItem, World},
    },
    core::{calendar::parse_instant, source::SourceKind},
};
use chrono::{SecondsFormat, TimeDelta};
use kube::runtime::watcher::Event;
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Instant};

/// An accepted grant of an organization; the lower its number, the older it is.
fn grant(number: usize, version: u64) -> Guarded<EntitlementInstance> {
    let accepted = json!({"phase": "Active", "accepted": {"at": "2026-01-01T00:00:00Z"}});
    let mut grant = instance(&format!("g{number:06}"), &of(number), version, accepted);
    let (minutes, seconds) = (number / 60, number % 60);
    grant["metadata"]["creationTimestamp"] =
        json!(format!("2026-01-{:02}T{:02}:{:02}:{seconds:02}Z", 1 + minutes / 1440, minutes / 60 % 24, minutes % 60));
    read(grant)
}

/// Ten grants each.
fn of(number: usize) -> String {
    format!("o{:05}", number / 10)
}

/// So many accepted grants in one namespace, of a tenth as many organizations, with nothing left to do; and an organization that
/// lists their namespace, so that it hears of the oldest.
fn with_grants(count: usize) -> World {
    let mut world = empty();
    for name in (0..count.div_ceil(10)).map(|number| of(number * 10)).chain(["lister".to_owned()]) {
        let namespaces: &[&str] = if name == "lister" { &["entitlements"] } else { &[] };
        let mut organization = organization(&name, namespaces, 1);
        organization.0.as_mut().unwrap().spec.assignable_from = vec!["entitlements".to_owned()];
        world.observe_organization(Event::Apply(organization));
    }
    for number in 0..count {
        world.observe_instance(Event::Apply(grant(number, 1)));
    }
    world.take_work();
    assert_eq!(world.grants.count(SourceKind::Instance), count);
    assert_eq!(world.grants.holder("entitlements").map(|id| id.name.to_string()).as_deref(), Some("g000000"));
    world
}

/// Deletes them, the oldest first. What comes of each.
fn delete_oldest_first(world: &mut World, count: usize) -> Vec<BTreeSet<WorkItem>> {
    let delete = |number| {
        world.observe_instance(Event::Delete(grant(number, 2)));
        world.take_work()
    };
    (0..count).map(delete).collect()
}

fn items(names: &[&str]) -> BTreeSet<WorkItem> {
    organizations(names).into_iter().chain(definitions(&["backup"])).collect()
}

#[test]
fn deleting_the_oldest_grant_touches_its_organization_its_definition_and_who_lists_the_namespace() {
    let mut world = with_grants(200);
    let work = delete_oldest_first(&mut world, 200);
    for (number, work) in work.iter().enumerate() {
        assert_eq!(*work, items(&[&of(number), "lister"]), "{number}");
    }
    assert!(world.grants.holder("entitlements").is_none());
}

#[test]
fn a_list_that_leaves_out_grants_touches_those_alone() {
    let mut world = with_grants(100);
    world.observe_instance(Event::Init);
    for number in (0..100).filter(|number| number / 10 != 3) {
        world.observe_instance(Event::InitApply(grant(number, 1)));
    }
    world.observe_instance(Event::InitDone);
    assert_eq!(world.take_work(), items(&[&of(30)]));
}

#[test]
fn a_source_touches_its_own_namespace_alone() {
    let mut world = two_organizations();
    let with_source = |namespace: &str, version: u64| {
        let secret = json!([{"facet": "f", "field": "password", "secretKeyRef": {"name": "password", "key": "k"}}]);
        read(json!({
            "metadata": metadata(Some(namespace), "a", version),
            "spec": {"organization": "acme", "definition": "backup", "secretFacets": secret},
        }))
    };
    let mut acme = organization("acme", &["one"], 2);
    acme.0.as_mut().unwrap().spec.assignable_from = vec!["here".to_owned(), "there".to_owned()];
    world.observe_organization(Event::Apply(acme));
    for namespace in ["here", "there"] {
        world.observe_instance(Event::Apply(with_source(namespace, 2)));
    }
    assert_eq!(world.take_source_namespaces(), [("here".into(), true), ("there".into(), true)].into());
    let without = json!({
        "metadata": metadata(Some("there"), "a", 3), "spec": {"organization": "acme", "definition": "backup"},
    });
    world.observe_instance(Event::Apply(read(without)));
    assert_eq!(world.take_source_namespaces(), [("there".into(), false)].into());
    assert_eq!(world.source_namespaces(), ["here".into()].into());
    world.observe_instance(Event::Apply(read(instance("b", "acme", 4, Value::Null))));
    assert!(world.take_source_namespaces().is_empty());
}

/// `cargo test --release --lib -- --ignored --nocapture a_hundred_thousand`
#[test]
#[ignore = "it prints how long what takes, which depends on the machine"]
fn a_hundred_thousand_grants_are_deleted_in_a_time_that_grows_with_their_number() {
    for count in [25_000, 50_000, 100_000] {
        let mut world = with_grants(count);
        let events: Vec<_> = (0..count).map(|number| grant(number, 2)).collect();
        let begun = Instant::now();
        let mut touched = 0;
        for event in events {
            world.observe_instance(Event::Delete(event));
            touched += world.take_work().len();
        }
        let took = begun.elapsed();
        assert_eq!(touched, count * 3);
        println!("{count} grants deleted oldest first: {took:?}, {:?} each", took / u32::try_from(count).unwrap());
    }
}

/// `cargo test --release --lib -- --ignored --nocapture a_scrape`
#[test]
#[ignore = "it prints how long what takes, which depends on the machine"]
fn a_scrape_holds_the_index_for_a_moment() {
    for count in [1_000, 10_000, 100_000] {
        let mut world = with_grants(count);
        let first = parse_instant("2027-01-01T00:00:00Z").unwrap();
        let end = |number: usize| first + TimeDelta::seconds(i64::try_from(number).unwrap() * 20);
        for number in 0..count {
            let mut grant = grant(number, 2);
            let status = grant.0.as_mut().unwrap().status.as_mut().unwrap();
            let end = end(number).to_rfc3339_opts(SecondsFormat::Secs, true);
            status.end = Some(end.clone());
            status.next_transition = read(json!({"at": end, "phase": "Expired"}));
            world.observe_instance(Event::Apply(grant));
        }
        for (what, now) in [("all are to come", first - TimeDelta::days(1)), ("all are overdue", end(count))] {
            let begun = Instant::now();
            let figures = world.figures(now);
            let took = begun.elapsed();
            println!(
                "{count} grants, {what}: {took:?} for {} that end soon, {} overdue",
                figures.ending[2].1, figures.overdue
            );
        }
        let begun = Instant::now();
        let ends: usize = world.holders().iter().map(|name| world.ends(name).len()).sum();
        println!("{count} grants, each told by itself: {:?} for {ends}", begun.elapsed());
    }
}
