use super::{apply, definition, entry, facet, instance, metadata, organization, read, two_organizations};
use crate::{
    api::{EntitlementInstance, Organization},
    controller::world::{NotReady, Reference, SourceObject, World},
    core::source::SourceId,
    evaluation::catalogue::Served,
};
use kube::runtime::watcher::Event;
use serde_json::{Value, json};
use std::sync::Arc;

fn serving() -> World {
    let mut world = two_organizations();
    world.serve(&"backup".into(), Served { entry: entry(), hash: None, beside: None }, 0);
    world
}

fn names(world: &World, id: &str, grant: Option<Value>) -> Vec<String> {
    let source = grant.map(|object| read::<EntitlementInstance>(object).source());
    let candidate =
        world.with_source(&"acme".into(), &"backup".into(), &SourceId::instance("entitlements", id), source).unwrap();
    candidate.snapshot().grants.iter().map(|grant| format!("{}: {}", grant.id.source.name, grant.priority)).collect()
}

#[test]
fn a_grant_is_there_as_it_would_be() {
    let mut world = serving();
    apply(&mut world, instance("a", "acme", 1, Value::Null));
    apply(&mut world, instance("b", "acme", 1, Value::Null));
    let mut changed = instance("a", "acme", 1, Value::Null);
    changed["spec"]["priority"] = json!(7);
    assert_eq!(names(&world, "a", Some(changed)), ["b: 0", "a: 7"]);
    assert_eq!(names(&world, "a", None), ["b: 0"]);
    assert_eq!(names(&world, "c", Some(instance("c", "acme", 1, Value::Null))), ["a: 0", "b: 0", "c: 0"]);
}

#[test]
fn nothing_is_told_before_a_definition_is_read() {
    let mut world = two_organizations();
    world.observe_definition(Event::Apply(definition("backup", "f", 1)));
    let source = read::<EntitlementInstance>(instance("a", "acme", 1, Value::Null)).source();
    let told = |world: &World| {
        world.with_source(&"acme".into(), &"backup".into(), &source.id(), Some(source.clone())).map(drop)
    };
    assert_eq!(told(&world), Err(NotReady::Waits));
    let version = world.definition(&"backup".into()).0.kept.version;
    world.serve(&"backup".into(), Served { entry: entry(), hash: None, beside: None }, version);
    assert_eq!(told(&world), Ok(()));
    // Nor while what serves is not of what there is now.
    world.observe_definition(Event::Apply(definition("backup", "f", 2)));
    assert_eq!(told(&world), Err(NotReady::Waits));
    // An organization alone is told of without it.
    assert!(world.with_organization(&"acme".into(), None).is_ok());
}

#[test]
fn the_state_of_what_is_named_is_known() {
    let mut world = serving();
    apply(&mut world, instance("a", "acme", 3, Value::Null));
    world.observe_facet(Event::Apply(facet("f", 1)));
    let known = |reference| world.state(&reference).is_some();
    assert!(known(Reference::Organization("acme".into())) && !known(Reference::Organization("other".into())));
    assert!(known(Reference::Facet("f".into())) && !known(Reference::Facet("g".into())));
    assert!(!known(Reference::Definition("other".into())));
    assert!(known(Reference::Grant(SourceId::instance("entitlements", "a"))));
    assert!(!known(Reference::Grant(SourceId::instance("entitlements", "b"))));
}

/// Whose the namespaces are with the organization `new`, which lists them.
fn claims(created: &str) -> Vec<(String, Option<String>)> {
    let world = serving();
    let mut metadata = metadata(None, "new", 1);
    metadata["creationTimestamp"] = json!(created);
    metadata["annotations"] = json!({"entitlements.dev/granted-at": "2000-01-01T00:00:00Z"});
    let organization: Organization = read(json!({"metadata": metadata, "spec": {"namespaces": ["one", "three"]}}));
    let candidate = world.with_organization(&"new".into(), Some(organization)).unwrap();
    candidate.snapshot().namespaces.iter().map(|(name, facts)| (name.to_string(), facts.claimed_by.clone())).collect()
}

#[test]
fn a_namespace_is_of_the_oldest_with_the_one_that_would_be() {
    let owners = |one: &str| [("one".to_owned(), Some(one.to_owned())), ("three".to_owned(), Some("new".to_owned()))];
    assert_eq!(claims("2026-06-01T00:00:00Z"), owners("acme"));
    assert_eq!(claims("2025-01-01T00:00:00Z"), owners("new"));
}

#[test]
fn what_an_organization_claims_already_does_not_count_twice() {
    let mut world = serving();
    world.observe_organization(Event::Apply(organization("globex", &["one", "two"], 2)));
    let mut metadata = metadata(None, "acme", 2);
    metadata["creationTimestamp"] = json!("2026-12-01T00:00:00Z");
    let younger: Organization = read(json!({"metadata": metadata, "spec": {"namespaces": ["one"]}}));
    let candidate = world.with_organization(&"acme".into(), Some(younger)).unwrap();
    assert_eq!(candidate.snapshot().namespaces["one"].claimed_by.as_deref(), Some("globex"));
}

#[test]
fn what_is_in_force_or_to_be_counts_as_depending_on_a_definition() {
    let mut world = serving();
    for (name, phase) in [("a", "Expired"), ("b", "Waiting"), ("c", "Active"), ("d", "Rejected"), ("e", "Suspended")] {
        apply(&mut world, instance(name, "acme", 1, json!({"phase": phase})));
    }
    apply(&mut world, instance("new", "globex", 1, Value::Null));
    let mut draft = instance("draft", "globex", 1, Value::Null);
    draft["spec"]["state"] = json!("Draft");
    apply(&mut world, draft);
    let (used, organizations) = world.definition_use(&"backup".into());
    assert_eq!((used.live, used.example), (4, Some(SourceId::instance("entitlements", "b"))));
    let holder = |organization| {
        let (holder, live) = world.definition_holder(organization, &"backup".into()).unwrap();
        (holder.snapshot().name.to_string(), holder.snapshot().grants.len(), live)
    };
    let holders: Vec<_> = organizations.iter().map(holder).collect();
    assert_eq!(holders, [("acme".to_owned(), 5, 3), ("globex".to_owned(), 2, 1)]);
    let (other, organizations) = world.definition_use(&"other".into());
    assert_eq!((other.live, other.example, organizations.len()), (0, None, 0));
}

#[test]
fn definitions_that_use_a_facet_are_found() {
    let mut world = serving();
    world.observe_facet(Event::Apply(facet("f", 1)));
    world.observe_definition(Event::Apply(definition("backup", "f", 1)));
    world.observe_definition(Event::Apply(definition("other", "g", 1)));
    assert_eq!(world.facet_users("f").into_iter().collect::<Vec<_>>(), ["backup".into()]);
    let (_, schemas) = world.facet_user(&"backup".into()).unwrap();
    // It is shared with the index, and not copied for each who asks.
    let known = &world.definition(&"backup".into()).0.facets["f"].spec.schema;
    assert!(Arc::ptr_eq(&schemas["f"], known));
    let schemas: Vec<_> = schemas.into_iter().collect();
    assert_eq!(schemas, [("f".to_owned(), Arc::new(json!({"type": "object"})))]);
    assert!(world.facet_user(&"other".into()).unwrap().1.is_empty());
}
