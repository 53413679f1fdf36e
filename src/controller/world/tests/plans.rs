//! Which work comes of plans, and of what they are made of.

use super::{definitions, empty, entry, metadata, read};
use crate::{
    api::EntitlementPlan,
    controller::{
        guarded::Guarded,
        world::{Reading, WorkItem, World},
    },
    core::plan::Plan,
    evaluation::catalogue::{CatalogueEntry, CatalogueKind, Catalogued, PlanCatalogue, PlanState, Revision, Served},
};
use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::runtime::watcher::Event;
use serde_json::json;
use std::{collections::BTreeSet, sync::Arc};

fn plan(name: &str, includes: &[&str], gives: &[&str], version: u64) -> Guarded<EntitlementPlan> {
    let entitlements: Vec<_> = gives.iter().map(|name| json!({"definition": name})).collect();
    let groups = json!([{"name": "base", "entitlements": entitlements}]);
    read(json!({"metadata": metadata(None, name, version), "spec": {"includes": includes, "groups": groups}}))
}

fn plans(names: &[&str]) -> BTreeSet<WorkItem> {
    names.iter().map(|name| WorkItem::Plan((*name).into())).collect()
}

/// `max` includes `pro`, which includes `basic`, which gives `backup`; `other` is of none of these.
fn four() -> World {
    let mut world = empty();
    for (name, includes, gives) in
        [("max", &["pro"][..], &[][..]), ("pro", &["basic"], &[]), ("basic", &[], &["backup"]), ("other", &[], &[])]
    {
        world.observe_plan(Event::Apply(plan(name, includes, gives, 1)));
    }
    assert_eq!(world.take_work(), plans(&["max", "pro", "basic", "other"]));
    world
}

/// What serves of a plan that is valid as it is known.
fn served(world: &mut World, name: &str) -> Served<Plan> {
    let (view, _) = world.plan(&name.into()).unwrap();
    let catalogue =
        PlanCatalogue { plans: &view.plans, unreadable: &view.unreadable_plans, definitions: &view.definitions };
    let state = PlanState::gather(name, &view.plan.as_ref().unwrap().spec, &catalogue).unwrap();
    let serving = Arc::new(Plan::compile(name, &state).unwrap());
    let hash: Arc<str> = format!("{name}{}", serving.entries.len()).into();
    let entry = CatalogueEntry {
        revision: Some(Revision::name_of(&CatalogueKind::Plan.named(name), &hash)),
        history: Arc::new(Plan::history(None, Some((&serving, Some("it"))), &[] as &[Arc<Revision>])),
        ..CatalogueEntry::valid(Plan::clone(&serving))
    };
    Served { entry: Arc::new(entry), hash: Some(hash), beside: None }
}

fn serve_backup(world: &mut World) {
    world.serve(&"backup".into(), Served { entry: entry(), hash: Some("1".into()), beside: None }, 0);
}

#[test]
fn an_edit_touches_the_plan_and_all_that_include_it() {
    let mut world = four();
    world.observe_plan(Event::Apply(plan("basic", &[], &["backup"], 2)));
    assert_eq!(world.take_work(), plans(&["basic", "pro", "max"]));
    world.observe_plan(Event::Apply(plan("max", &["pro"], &[], 2)));
    assert_eq!(world.take_work(), plans(&["max"]));
    // It is included by none any more.
    world.observe_plan(Event::Apply(plan("pro", &[], &[], 2)));
    assert_eq!(world.take_work(), plans(&["pro", "max"]));
    world.observe_plan(Event::Delete(plan("basic", &[], &["backup"], 2)));
    assert_eq!(world.take_work(), plans(&["basic"]));
}

#[test]
fn plans_that_include_each_other_are_touched_once() {
    let mut world = empty();
    world.observe_plan(Event::Apply(plan("a", &["b"], &[], 1)));
    world.observe_plan(Event::Apply(plan("b", &["a"], &[], 1)));
    world.take_work();
    world.observe_plan(Event::Apply(plan("a", &["b"], &["backup"], 2)));
    assert_eq!(world.take_work(), plans(&["a", "b"]));
}

#[test]
fn the_answer_to_a_write_of_a_status_touches_nothing() {
    let mut world = four();
    let mut written: EntitlementPlan = plan("basic", &[], &["backup"], 1).0.unwrap();
    written.metadata.resource_version = Some("9".to_owned());
    world.wrote_plan(crate::controller::world::kinds::named(written));
    assert_eq!(world.take_work(), BTreeSet::new());
}

#[test]
fn what_a_definition_serves_touches_the_plans_that_give_it_and_those_that_include_them() {
    let mut world = four();
    serve_backup(&mut world);
    assert_eq!(world.take_work(), plans(&["basic", "pro", "max"]));
    // The same once more.
    serve_backup(&mut world);
    assert_eq!(world.take_work(), BTreeSet::new());
    world.drop_definition(&"backup".into());
    assert_eq!(world.take_work(), plans(&["basic", "pro", "max"]));
}

#[test]
fn a_plan_waits_for_its_definitions_to_be_made() {
    let mut world = four();
    world.observe_definition(Event::Apply(super::definition("backup", "policy", 1)));
    world.take_work();
    assert!(world.plan(&"max".into()).is_err());
    assert!(world.plan(&"other".into()).is_ok());
    serve_backup(&mut world);
    let (view, used) = world.plan(&"max".into()).unwrap();
    assert_eq!(view.plans.keys().map(AsRef::as_ref).collect::<Vec<&str>>(), ["basic", "max", "pro"]);
    assert_eq!(view.definitions.keys().map(AsRef::as_ref).collect::<Vec<&str>>(), ["backup"]);
    assert_eq!((used.counts.total, view.kept.is_stale), (0, true));
}

#[test]
fn a_definition_is_needed_as_long_as_a_plan_or_what_serves_of_it_gives_it() {
    let mut world = four();
    serve_backup(&mut world);
    let backup: Arc<str> = "backup".into();
    for name in ["basic", "pro", "max", "other"] {
        // Until all have been looked at, any may need anything.
        assert!(world.is_needed("nothing"));
        let served = served(&mut world, name);
        world.serve_plan(&name.into(), served, 0);
    }
    assert!(!world.is_needed("nothing") && world.is_needed(&backup));
    world.take_work();
    // No plan names it any more; what served still gives it.
    world.observe_plan(Event::Apply(plan("basic", &[], &[], 2)));
    assert!(world.is_needed(&backup));
    world.take_work();
    for name in ["basic", "pro"] {
        let served = served(&mut world, name);
        world.serve_plan(&name.into(), served, 0);
    }
    assert!(world.is_needed(&backup));
    let last = served(&mut world, "max");
    world.serve_plan(&"max".into(), last, 0);
    assert!(!world.is_needed(&backup));
    // It does not exist, and may be cleared away now.
    assert_eq!(world.take_work(), definitions(&["backup"]));
}

#[test]
fn a_revision_touches_its_plan_alone() {
    let mut world = four();
    let mut metadata = metadata(Some("operator"), "plan.basic-1", 1);
    metadata["labels"] =
        json!({"app.kubernetes.io/managed-by": "entitlement-operator", "entitlements.dev/plan": "basic"});
    let revision: ControllerRevision = read(json!({"metadata": metadata, "revision": 1, "data": {}}));
    world.observe_revision(Event::Apply(Guarded(Ok(revision.clone()))));
    assert_eq!(world.take_work(), plans(&["basic"]));
    let (view, _) = world.plan(&"basic".into()).unwrap();
    assert_eq!(view.kept.revisions.iter().map(|one| &*one.name).collect::<Vec<_>>(), ["plan.basic-1"]);
    assert!(Reading::of_revision(revision).value.is_some_and(|read| read.of.kind == CatalogueKind::Plan));
}
