//! What an organization's evaluation gets to read.

use super::{
    apply, definition, empty, entry, instance, metadata, namespace, organization, output, read, source,
    two_organizations,
};
use crate::controller::guarded::Guarded;
use crate::{
    api::EntitlementInstance,
    controller::world::{NotReady, World},
    core::{namespace::NamespaceFacts, source::SourceId},
    evaluation::catalogue::Served,
};
use k8s_openapi::api::core::v1::Namespace;
use kube::{api::PartialObjectMeta, runtime::watcher::Event};
use serde_json::json;
use std::{collections::BTreeSet, sync::Arc};

fn facts(world: &World, organization: &str, namespace: &str) -> NamespaceFacts {
    world.view(&organization.into()).unwrap().snapshot.namespaces.get(namespace).cloned().unwrap()
}

#[test]
fn a_namespace_belongs_to_the_oldest_that_lists_it() {
    let mut world = empty();
    let made = |name: &str, year: u32, version: u64| {
        let mut organization = organization(name, &["shared"], version);
        if let Ok(organization) = &mut organization.0 {
            let metadata = json!({"creationTimestamp": format!("{year}-01-01T00:00:00Z"), "name": name, "resourceVersion": version.to_string()});
            organization.metadata = read(metadata);
        }
        organization
    };
    world.observe_organization(Event::Apply(made("younger", 2026, 1)));
    assert_eq!(facts(&world, "younger", "shared").claimed_by.as_deref(), Some("younger"));
    world.observe_organization(Event::Apply(made("older", 2025, 2)));
    assert_eq!(facts(&world, "younger", "shared").claimed_by.as_deref(), Some("older"));
    let namespaces = |world: &World, name: &str| world.view(&name.into()).unwrap().owner.unwrap().namespaces().clone();
    assert_eq!(namespaces(&world, "younger"), BTreeSet::new());
    assert_eq!(namespaces(&world, "older"), ["shared".into()].into());
    world.observe_organization(Event::Delete(made("older", 2025, 3)));
    assert_eq!(namespaces(&world, "younger"), ["shared".into()].into());
}

#[test]
fn nothing_is_ever_written_where_no_tenant_may_be() {
    let mut world = empty();
    world.observe_organization(Event::Apply(organization(
        "greedy",
        &["kube-system", "operator", "entitlements", "mine"],
        1,
    )));
    assert_eq!(world.view(&"greedy".into()).unwrap().owner.unwrap().namespaces(), &["mine".into()].into());
    assert!(facts(&world, "greedy", "operator").is_operators);
}

#[test]
fn a_namespace_is_there_until_it_terminates() {
    let mut world = two_organizations();
    assert!(!facts(&world, "acme", "one").present);
    world.observe_namespace(Event::Apply(namespace("one", 2, None)));
    assert!(facts(&world, "acme", "one").present);
    world.observe_namespace(Event::Apply(namespace("one", 3, Some("2026-01-02T00:00:00Z"))));
    assert!(!facts(&world, "acme", "one").present);
}

#[test]
fn a_namespace_holds_the_oldest_accepted_grant_in_it() {
    let mut world = two_organizations();
    let accepted = json!({"phase": "Active", "accepted": {"timeZone": "UTC"}});
    apply(&mut world, instance("b", "acme", 2, accepted.clone()));
    apply(&mut world, instance("a", "acme", 3, accepted.clone()));
    apply(&mut world, instance("c", "acme", 4, json!(null)));
    let holder = |world: &World| facts(world, "acme", "entitlements").holds_grant;
    // All are of one second: the order of UIDs decides.
    assert_eq!(holder(&world).as_deref(), Some("entitlements/a"));
    let mut cancelled = instance("a", "acme", 5, accepted);
    cancelled["spec"]["state"] = json!("Cancelled");
    apply(&mut world, cancelled);
    assert_eq!(holder(&world).as_deref(), Some("entitlements/b"));
}

#[test]
fn an_organization_waits_for_the_definitions_that_exist() {
    let mut world = two_organizations();
    apply(&mut world, instance("a", "acme", 2, json!(null)));
    assert!(world.view(&"acme".into()).unwrap().snapshot.catalogue.is_empty());
    world.observe_definition(Event::Apply(definition("backup", "policy", 3)));
    assert_eq!(world.view(&"acme".into()).unwrap_err(), NotReady::Waits);
    world.take_work();
    world.serve(&"backup".into(), Served { entry: entry(), hash: Some("1".into()), beside: None }, 1);
    assert_eq!(world.take_work(), super::organizations(&["acme"]));
    assert_eq!(world.view(&"acme".into()).unwrap().snapshot.catalogue.len(), 1);
    world.serve(&"backup".into(), Served { entry: entry(), hash: Some("1".into()), beside: None }, 1);
    assert_eq!(world.take_work(), BTreeSet::new());
}

#[test]
fn an_organization_waits_for_its_sources_and_sees_only_those_that_it_may() {
    let mut world = two_organizations();
    for (name, of, version) in [("a", "acme", 2), ("g", "globex", 3)] {
        let mut instance = instance(name, of, version, json!(null));
        instance["spec"]["secretFacets"] =
            json!([{"facet": "f", "field": "p", "secretKeyRef": {"name": "password", "key": "k"}}]);
        apply(&mut world, instance);
    }
    let mut elsewhere = organization("globex", &["two"], 4);
    if let Ok(organization) = &mut elsewhere.0 {
        organization.spec.assignable_from = vec!["elsewhere".to_owned()];
    }
    world.observe_organization(Event::Apply(elsewhere));
    assert_eq!(world.view(&"acme".into()).unwrap_err(), NotReady::Waits);
    world.fetched(&source("password"), 5, [].into());
    assert!(world.view(&"acme".into()).unwrap().snapshot.secrets.contains_key(&source("password")));
    assert!(world.view(&"globex".into()).unwrap().snapshot.secrets.is_empty());
}

#[test]
fn an_unreadable_organization_is_not_taken_for_a_gone_one() {
    let mut world = empty();
    world.observe_organization(Event::Apply(read(
        json!({"metadata": super::metadata(None, "acme", 1), "spec": {"namespaces": 7}}),
    )));
    assert_eq!(world.view(&"acme".into()).unwrap_err(), NotReady::Unreadable);
    world.observe_organization(Event::Apply(organization("acme", &["one"], 2)));
    world.observe_organization(Event::Apply(read(
        json!({"metadata": super::metadata(None, "acme", 3), "spec": {"namespaces": 7}}),
    )));
    assert_eq!(world.view(&"acme".into()).unwrap().owner.unwrap().namespaces(), &["one".into()].into());
}

#[test]
fn an_unreadable_instance_is_known_by_name_or_by_its_last_state() {
    let mut world = two_organizations();
    let unreadable = |name, version| -> Guarded<EntitlementInstance> {
        read(json!({"metadata": super::metadata(Some("entitlements"), name, version), "spec": {}}))
    };
    apply(&mut world, instance("a", "acme", 2, json!(null)));
    world.observe_instance(Event::Apply(unreadable("a", 3)));
    world.observe_instance(Event::Apply(unreadable("b", 4)));
    let view = world.view(&"acme".into()).unwrap();
    assert_eq!(view.snapshot.grants.len(), 1);
    assert_eq!(view.scene.unreadable, Arc::new([SourceId::instance("entitlements", "b")].into()));
}

#[test]
fn outputs_are_found_by_their_label() {
    let mut world = two_organizations();
    world.observe_output(Event::Apply(output("a", "acme", 2)));
    world.observe_output(Event::Apply(output("b", "globex", 3)));
    let names = |world: &World, organization: &str| -> Vec<String> {
        world.view(&organization.into()).unwrap().scene.observed.keys().map(|key| key.name.to_string()).collect()
    };
    assert_eq!(names(&world, "acme"), ["a"]);
    let view = world.view(&"acme".into()).unwrap();
    let observed = view.scene.observed.values().next().unwrap();
    assert_eq!((observed.source().unwrap().to_string().as_str(), observed.keys.len()), ("entitlements/a", 1));
    world.observe_output(Event::Delete(output("a", "acme", 4)));
    assert_eq!(names(&world, "acme"), Vec::<String>::new());
}

/// Whose namespaces were made anew, once the one of that name is gone and there is another.
fn made_anew(name: &str, is_relisted: bool) -> Vec<(String, String)> {
    let mut world = two_organizations();
    let another = || {
        let mut metadata = metadata(None, name, 9);
        metadata["uid"] = json!("another");
        read::<Guarded<PartialObjectMeta<Namespace>>>(json!({"metadata": metadata}))
    };
    world.observe_namespace(Event::Apply(namespace(name, 3, None)));
    world.observe_namespace(Event::Apply(namespace(name, 4, Some("2026-01-02T00:00:00Z"))));
    assert!(world.take_made_anew().is_empty());
    if is_relisted {
        // Its deletion was missed.
        world.observe_namespace(Event::Init);
        world.observe_namespace(Event::InitApply(another()));
        world.observe_namespace(Event::InitDone);
    } else {
        world.observe_namespace(Event::Delete(namespace(name, 5, Some("2026-01-02T00:00:00Z"))));
        assert!(world.take_made_anew().is_empty());
        world.observe_namespace(Event::Apply(another()));
    }
    let made = world.take_made_anew();
    world.observe_namespace(Event::Apply(another()));
    assert!(world.take_made_anew().is_empty(), "it is told once");
    made.iter().map(|made| (made.organization.metadata.name.clone().unwrap(), made.namespace.to_string())).collect()
}

#[test]
fn an_organization_is_told_that_a_namespace_of_its_was_made_anew() {
    for is_relisted in [false, true] {
        assert_eq!(made_anew("two", is_relisted), [("globex".to_owned(), "two".to_owned())]);
        assert_eq!(made_anew("nobodys", is_relisted), []);
    }
}
