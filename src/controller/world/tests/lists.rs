//! An object that can't be read is neither forgotten nor taken for a deleted one, at no point of a list.

use super::{
    apply, definition, facet, instance, metadata, namespace, organization, organizations, output, read, revision,
    two_organizations,
};
use crate::{
    api::{
        EntitlementDefinition, EntitlementInstance, FacetDefinition, Organization, entitlement_definition::OutputKind,
    },
    controller::{
        guarded::Guarded,
        world::{NotReady, World},
    },
    core::source::SourceId,
    evaluation::object::ObjectKey,
};
use k8s_openapi::api::{
    apps::v1::ControllerRevision,
    core::v1::{ConfigMap, Secret},
};
use kube::runtime::watcher::Event;
use rstest::rstest;
use serde_json::{Value, json};

/// Lists that name the object: one that breaks off, one that starts over after it, and one in which another stands before it.
/// What is known holds before, amid and after them, and no more after a list that does not name it.
fn holds_throughout<K: Clone>(
    world: &mut World,
    observe: fn(&mut World, Event<K>),
    object: &K,
    other: &K,
    is_known: impl Fn(&mut World) -> bool,
) {
    let list = [Event::Init, Event::InitApply(other.clone()), Event::InitApply(object.clone())];
    let broken_off = || list.clone().into_iter().take(2);
    let whole = || list.clone().into_iter().chain([Event::InitDone]);
    assert!(is_known(world), "before any list");
    for (at, event) in broken_off().chain(whole()).chain(whole()).enumerate() {
        observe(world, event);
        assert!(is_known(world), "after event {at}");
    }
    for event in [Event::Init, Event::InitApply(other.clone())] {
        observe(world, event);
        assert!(is_known(world), "amid the list that does not name it");
    }
    observe(world, Event::InitDone);
    assert!(!is_known(world), "after the list that does not name it");
}

/// An object whose spec can't be read.
fn spoilt<K: serde::de::DeserializeOwned>(namespace: Option<&str>, name: &str, version: u64) -> Guarded<K> {
    let object: Guarded<K> = read(json!({"metadata": metadata(namespace, name, version), "spec": 7, "revision": "x"}));
    assert!(object.0.is_err());
    object
}

#[rstest]
#[case::never_readable(false)]
#[case::readable_once(true)]
fn an_organization(#[case] was_readable: bool) {
    let mut world = two_organizations();
    if was_readable {
        world.observe_organization(Event::Apply(organization("new", &["three"], 2)));
    }
    let object = spoilt::<Organization>(None, "new", 3);
    world.observe_organization(Event::Apply(object.clone()));
    let is_known = |world: &mut World| match world.view(&"new".into()) {
        Ok(view) => view.owner.is_some_and(|owner| owner.namespaces() == &["three".into()].into()),
        Err(not_ready) => !was_readable && not_ready == NotReady::Unreadable,
    };
    let other = organization("acme", &["one"], 1);
    holds_throughout(&mut world, World::observe_organization, &object, &other, is_known);
}

#[rstest]
#[case::never_readable(false)]
#[case::readable_once(true)]
fn an_instance(#[case] was_readable: bool) {
    let mut world = two_organizations();
    if was_readable {
        apply(&mut world, instance("a", "acme", 2, Value::Null));
    }
    let object = spoilt::<EntitlementInstance>(Some("entitlements"), "a", 3);
    world.observe_instance(Event::Apply(object.clone()));
    let is_known = |world: &mut World| {
        let view = world.view(&"acme".into()).unwrap();
        let is_there = view.snapshot.grants.iter().any(|grant| &*grant.id.source.name == "a");
        let is_unreadable =
            view.scene.unreadable == std::sync::Arc::new([SourceId::instance("entitlements", "a")].into());
        if was_readable { is_there && !is_unreadable } else { is_unreadable && !is_there }
    };
    let other: Guarded<EntitlementInstance> = read(instance("b", "globex", 2, Value::Null));
    holds_throughout(&mut world, World::observe_instance, &object, &other, is_known);
    // Whose it was can't be told where it was never read.
    let work = world.take_work();
    let concerned = if was_readable { organizations(&["acme"]) } else { organizations(&["acme", "globex"]) };
    assert!(work.is_superset(&concerned), "{work:?}");
}

#[rstest]
#[case::never_readable(false)]
#[case::readable_once(true)]
fn a_definition(#[case] was_readable: bool) {
    let mut world = two_organizations();
    apply(&mut world, instance("a", "acme", 2, Value::Null));
    if was_readable {
        world.observe_definition(Event::Apply(definition("backup", "policy", 2)));
    }
    let object = spoilt::<EntitlementDefinition>(None, "backup", 3);
    world.observe_definition(Event::Apply(object.clone()));
    let is_known = |world: &mut World| {
        let (view, ..) = world.definition(&"backup".into());
        let is_known = view.definition.is_some() == was_readable && view.unreadable.is_some() != was_readable;
        // Its grants wait for what is made of it.
        let waits = world.view(&"acme".into()).err() == Some(NotReady::Waits);
        assert_eq!(is_known, waits);
        is_known
    };
    let other = definition("other", "policy", 1);
    holds_throughout(&mut world, World::observe_definition, &object, &other, is_known);
    assert!(world.take_work().is_superset(&super::definitions(&["backup"])));
}

#[rstest]
#[case::never_readable(false)]
#[case::readable_once(true)]
fn a_facet_definition(#[case] was_readable: bool) {
    let mut world = two_organizations();
    world.observe_definition(Event::Apply(definition("backup", "policy", 1)));
    if was_readable {
        world.observe_facet(Event::Apply(facet("policy", 2)));
    }
    let object: Guarded<FacetDefinition> = read(json!({"metadata": metadata(None, "policy", 3)}));
    world.observe_facet(Event::Apply(object.clone()));
    world.take_work();
    let is_known = |world: &mut World| {
        let (view, ..) = world.definition(&"backup".into());
        if was_readable { view.facets.contains_key("policy") } else { view.unreadable_facets.contains_key("policy") }
    };
    holds_throughout(&mut world, World::observe_facet, &object, &facet("other", 1), is_known);
    let touches_its_definition = world.take_work().is_superset(&super::definitions(&["backup"]));
    assert!(touches_its_definition || !was_readable);
}

#[rstest]
#[case::cannot_be_read(spoilt(Some("operator"), "backup-1", 3))]
#[case::has_lost_its_labels(Guarded(Ok(read(json!({"metadata": metadata(Some("operator"), "backup-1", 3), "revision": 1})))))]
fn a_revision(#[case] object: Guarded<ControllerRevision>) {
    let mut world = two_organizations();
    world.observe_revision(Event::Apply(Guarded(Ok(revision("backup", 1)))));
    world.observe_revision(Event::Apply(object.clone()));
    let is_known = |world: &mut World| world.definition(&"backup".into()).0.kept.revisions.len() == 1;
    let other = Guarded(Ok(revision("other", 1)));
    holds_throughout(&mut world, World::observe_revision, &object, &other, is_known);
    assert!(world.take_work().is_superset(&super::definitions(&["backup"])));
}

/// In the namespace `one`, of `acme`.
fn secret(name: &str, version: u64) -> Guarded<Secret> {
    let mut metadata = metadata(Some("one"), name, version);
    metadata["labels"] =
        json!({"app.kubernetes.io/managed-by": "entitlement-operator", "entitlements.dev/organization": "acme"});
    read(json!({ "metadata": metadata }))
}

fn is_observed(world: &World, kind: OutputKind) -> bool {
    let key = ObjectKey { kind, namespace: "one".into(), name: "a".into() };
    world.view(&"acme".into()).unwrap().scene.observed.contains_key(&key)
}

#[test]
fn an_output() {
    let mut world = two_organizations();
    world.observe_output(Event::Apply(output("a", "acme", 2)));
    let object: Guarded<ConfigMap> = read(json!({"metadata": metadata(Some("one"), "a", 3), "data": 7}));
    world.observe_output(Event::Apply(object.clone()));
    let is_known = |world: &mut World| is_observed(world, OutputKind::ConfigMap);
    holds_throughout(&mut world, World::observe_output, &object, &output("b", "acme", 2), is_known);
    assert!(world.take_work().is_superset(&organizations(&["acme"])));

    world.observe_output(Event::Apply(secret("a", 2)));
    let object: Guarded<Secret> = read(json!({"metadata": metadata(Some("one"), "a", 3), "data": 7}));
    world.observe_output(Event::Apply(object.clone()));
    let is_known = |world: &mut World| is_observed(world, OutputKind::Secret);
    holds_throughout(&mut world, World::observe_output, &object, &secret("b", 2), is_known);
}

#[test]
fn a_namespace() {
    let mut world = two_organizations();
    let object = namespace("one", 2, None);
    world.observe_namespace(Event::Apply(object.clone()));
    let is_known =
        |world: &mut World| world.view(&"acme".into()).unwrap().snapshot.namespaces.get("one").unwrap().present;
    holds_throughout(&mut world, World::observe_namespace, &object, &namespace("two", 2, None), is_known);
}

#[test]
fn an_unreadable_organization_leaves_its_namespace_and_sources_to_itself_once_it_is_gone() {
    let mut world = two_organizations();
    world.observe_organization(Event::Apply(organization("younger", &["one"], 9)));
    world.observe_organization(Event::Apply(spoilt::<Organization>(None, "acme", 10)));
    let owned = |world: &World| world.view(&"younger".into()).unwrap().owner.unwrap().namespaces().clone();
    assert_eq!(owned(&world), [].into());
    world.take_work();
    world.observe_organization(Event::Delete(spoilt::<Organization>(None, "acme", 11)));
    assert_eq!(owned(&world), ["one".into()].into());
    assert!(world.take_work().is_superset(&organizations(&["acme", "younger"])));
}
