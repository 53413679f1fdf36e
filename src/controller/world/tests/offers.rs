use super::{definition, entry, finish_lists, metadata, organization, organizations, read, two_organizations};
use crate::{
    api::organization::Flags,
    controller::world::{NotReady, World},
    core::{problem::Problem, reason::ReasonCode},
    evaluation::{
        Limits,
        catalogue::{CatalogueEntry, Present, Served},
    },
};
use kube::runtime::watcher::Event;
use serde_json::json;
use std::{collections::BTreeSet, sync::Arc};

/// A world in which `acme` asks for all flags, and `globex` does not, with nothing left to do.
fn world() -> World {
    let mut world = two_organizations();
    ask_for(&mut world, Flags::All, 2);
    world.take_work();
    world
}

fn ask_for(world: &mut World, flags: Flags, version: u64) {
    let mut acme = organization("acme", &["one"], version);
    if let Ok(organization) = &mut acme.0 {
        organization.spec.summary.flags = flags;
    }
    world.observe_organization(Event::Apply(acme));
}

fn serve(world: &mut World, name: &str, entry: Arc<CatalogueEntry>, hash: &str) {
    world.serve(&name.into(), Served { entry, hash: Some(hash.into()), beside: None }, 1);
}

fn invalid() -> Arc<CatalogueEntry> {
    let present = Present::Invalid(Problem::new(ReasonCode::InvalidSchema, "it is wrong"));
    Arc::new(CatalogueEntry { present, ..CatalogueEntry::clone(&entry()) })
}

fn offered(world: &World, organization: &str) -> Vec<String> {
    let view = world.view(&organization.into()).unwrap();
    view.snapshot.offers.keys().map(ToString::to_string).collect()
}

#[test]
fn who_asks_for_all_flags_is_touched_when_a_definition_comes_or_goes_or_is_ready_or_not() {
    let mut world = world();
    serve(&mut world, "backup", entry(), "1");
    assert_eq!(world.take_work(), organizations(&["acme"]));
    assert_eq!((offered(&world, "acme"), offered(&world, "globex")), (vec!["backup".to_owned()], Vec::new()));
    // Another state of it has the same flags.
    serve(&mut world, "backup", entry(), "2");
    assert_eq!(world.take_work(), BTreeSet::new());
    serve(&mut world, "backup", invalid(), "2");
    assert_eq!(world.take_work(), organizations(&["acme"]));
    assert_eq!(offered(&world, "acme"), Vec::<String>::new());
    serve(&mut world, "backup", entry(), "2");
    assert_eq!(world.take_work(), organizations(&["acme"]));
    world.drop_definition(&"backup".into());
    assert_eq!(world.take_work(), organizations(&["acme"]));
    assert_eq!(offered(&world, "acme"), Vec::<String>::new());
    world.drop_definition(&"backup".into());
    assert_eq!(world.take_work(), BTreeSet::new());
}

#[test]
fn who_asks_no_longer_is_left_alone() {
    let mut world = world();
    ask_for(&mut world, Flags::Held, 3);
    world.take_work();
    serve(&mut world, "backup", entry(), "1");
    assert_eq!(world.take_work(), BTreeSet::new());
    assert_eq!(offered(&world, "acme"), Vec::<String>::new());
    ask_for(&mut world, Flags::All, 4);
    world.take_work();
    world.observe_organization(Event::Delete(organization("acme", &["one"], 5)));
    world.take_work();
    serve(&mut world, "seats", entry(), "1");
    assert_eq!(world.take_work(), BTreeSet::new());
}

/// What is not read yet would look like what was taken out of the catalogue.
#[test]
fn after_the_start_all_definitions_are_looked_at_before_all_flags_are_told() {
    let mut world = World::new("operator", Limits::DEFAULT);
    for name in ["backup", "seats"] {
        world.observe_definition(Event::InitApply(definition(name, "f", 1)));
    }
    world.observe_definition(Event::InitApply(read(
        json!({"metadata": metadata(None, "unreadable", 1), "spec": {"type": 7}}),
    )));
    ask_for(&mut world, Flags::All, 1);
    world.observe_organization(Event::Apply(organization("globex", &["two"], 1)));
    finish_lists(&mut world);
    world.take_work();
    serve(&mut world, "backup", entry(), "1");
    serve(&mut world, "seats", entry(), "1");
    assert_eq!(world.view(&"acme".into()).unwrap_err(), NotReady::Waits);
    assert!(world.view(&"globex".into()).is_ok());
    assert_eq!(world.take_work(), BTreeSet::new());
    serve(&mut world, "unreadable", invalid(), "1");
    assert_eq!(world.take_work(), organizations(&["acme"]));
    assert_eq!(offered(&world, "acme"), ["backup", "seats"]);
    // What comes later is told once it is read, and holds up nothing until then.
    world.observe_definition(Event::Apply(definition("new", "f", 2)));
    assert_eq!(offered(&world, "acme"), ["backup", "seats"]);
}
