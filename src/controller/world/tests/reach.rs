//! An operator that serves some namespaces only.

use super::{instance, metadata, organization, organizations, read};
use crate::{
    api::{EntitlementInstance, EntitlementOverride, EntitlementSubscription, EntitlementUsage, OverrideDecision},
    controller::world::{
        NotReady, World,
        kinds::{News, WatchedKind},
    },
    core::{
        namespace::{Lack, NamespaceAccess},
        served::ServedNamespaces,
        source::SourceId,
    },
    evaluation::Limits,
};
use k8s_openapi::api::{
    admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding},
    apps::v1::ControllerRevision,
    core::v1::{ConfigMap, Namespace, Secret},
};
use kube::runtime::watcher::Event;
use serde_json::json;
use std::sync::Arc;

fn list_within<K: WatchedKind>(world: &mut World, namespace: &str, objects: Vec<K::Object>) {
    let namespace: Arc<str> = namespace.into();
    world.hear_within::<K>(&namespace, News::ListBegins);
    for object in objects {
        world.hear_within::<K>(&namespace, K::read(Event::InitApply(object)));
    }
    world.hear_within::<K>(&namespace, News::ListEnds);
}

fn served(namespaces: &[&str], secrets: &[&str]) -> World {
    let served = ServedNamespaces::new(namespaces, secrets, "operator").unwrap();
    let mut world = World::new("operator", Limits::DEFAULT).serving(&served);
    world.observe_organization(Event::InitApply(organization("acme", &["one", "two"], 1)));
    world.observe_organization(Event::InitDone);
    for name in ["one", "two", "entitlements"] {
        world.hear::<Namespace>(Namespace::read(Event::InitApply(read(json!({"metadata": metadata(None, name, 1)})))));
    }
    world.hear::<Namespace>(News::ListEnds);
    world.observe_definition(Event::InitDone);
    world.observe_facet(Event::InitDone);
    world.observe_plan(Event::InitDone);
    world.hear::<ControllerRevision>(News::ListEnds);
    world.hear::<ValidatingAdmissionPolicy>(News::ListEnds);
    world.hear::<ValidatingAdmissionPolicyBinding>(News::ListEnds);
    world
}

fn access(world: &World, namespace: &str) -> NamespaceAccess {
    world.namespace_facts(&namespace.into()).access
}

#[test]
fn one_that_may_not_be_listed_keeps_nobody_waiting() {
    let mut world = served(&["one", "two", "entitlements"], &[]);
    for namespace in ["one", "entitlements"] {
        list_within::<ConfigMap>(&mut world, namespace, vec![]);
        list_within::<Secret>(&mut world, namespace, vec![]);
        list_within::<EntitlementInstance>(&mut world, namespace, vec![]);
        list_within::<EntitlementSubscription>(&mut world, namespace, vec![]);
        list_within::<EntitlementOverride>(&mut world, namespace, vec![]);
        list_within::<OverrideDecision>(&mut world, namespace, vec![]);
        list_within::<EntitlementUsage>(&mut world, namespace, vec![]);
    }
    assert!(!world.is_ready(), "nobody knows yet whether it may be listed");
    let two: Arc<str> = "two".into();
    world.may_not_list::<ConfigMap>(&two);
    world.may_not_list::<Secret>(&two);
    assert!(!world.is_ready());
    list_within::<EntitlementInstance>(&mut world, "two", vec![]);
    list_within::<EntitlementSubscription>(&mut world, "two", vec![]);
    list_within::<EntitlementOverride>(&mut world, "two", vec![]);
    list_within::<OverrideDecision>(&mut world, "two", vec![]);
    list_within::<EntitlementUsage>(&mut world, "two", vec![]);
    assert!(world.is_ready());
    world.take_work();
    assert_eq!(
        [access(&world, "one"), access(&world, "two"), access(&world, "three")],
        [NamespaceAccess::Full, NamespaceAccess::Nothing(Lack::NotListed), NamespaceAccess::Nothing(Lack::NotServed)]
    );
    // With each right that comes, who has the namespace is looked at again.
    list_within::<ConfigMap>(&mut world, "two", vec![]);
    assert_eq!(access(&world, "two"), NamespaceAccess::NoSecrets(Lack::NotListed));
    assert_eq!(world.take_work(), organizations(&["acme"]));
    list_within::<Secret>(&mut world, "two", vec![]);
    assert_eq!(access(&world, "two"), NamespaceAccess::Full);
    assert_eq!(world.take_work(), organizations(&["acme"]));
    // A later list is no news by itself.
    list_within::<Secret>(&mut world, "two", vec![]);
    assert!(world.take_work().is_empty());
}

#[test]
fn an_organization_with_grants_that_are_not_seen_is_not_decided() {
    let mut world = served(&["one", "two"], &["two"]);
    for namespace in ["one", "two"] {
        list_within::<ConfigMap>(&mut world, namespace, vec![]);
        list_within::<EntitlementInstance>(&mut world, namespace, vec![]);
        list_within::<EntitlementSubscription>(&mut world, namespace, vec![]);
        list_within::<EntitlementOverride>(&mut world, namespace, vec![]);
        list_within::<OverrideDecision>(&mut world, namespace, vec![]);
        list_within::<EntitlementUsage>(&mut world, namespace, vec![]);
    }
    list_within::<Secret>(&mut world, "two", vec![]);
    assert!(world.is_ready());
    assert_eq!(access(&world, "one"), NamespaceAccess::NoSecrets(Lack::NotServed));
    let Err(NotReady::Unseen(_, problem)) = world.view(&"acme".into()) else { unreachable!("it is decided") };
    assert_eq!(problem.reason, "NamespaceNotServed");
    assert!(problem.message.contains("grants from namespace entitlements, which"), "{}", problem.message);
    assert!(!world.sees_all_grants());
    // Where there is no such namespace, there are no grants.
    world.observe_namespace(Event::Delete(read(json!({"metadata": metadata(None, "entitlements", 2)}))));
    assert!(world.view(&"acme".into()).is_ok() && world.sees_all_grants());
}

#[test]
fn a_list_of_one_namespace_takes_nothing_from_others() {
    let mut world = served(&["one", "two", "entitlements", "partner"], &[]);
    let at = |namespace: &str, name: &str| {
        let mut instance = instance(name, "acme", 1, json!(null));
        instance["metadata"]["namespace"] = namespace.into();
        read(instance)
    };
    let count = |world: &World| world.census().grants;
    list_within::<EntitlementInstance>(
        &mut world,
        "entitlements",
        vec![at("entitlements", "a"), at("entitlements", "b")],
    );
    list_within::<EntitlementInstance>(&mut world, "partner", vec![at("partner", "c")]);
    assert_eq!(count(&world), 3);
    list_within::<EntitlementInstance>(&mut world, "entitlements", vec![at("entitlements", "b")]);
    assert_eq!(count(&world), 2);
    list_within::<EntitlementInstance>(&mut world, "partner", vec![]);
    assert_eq!(count(&world), 1);
}

/// All that is served is listed, with nothing in it.
fn list_all(world: &mut World, namespaces: &[&str]) {
    for namespace in namespaces {
        list_within::<ConfigMap>(world, namespace, vec![]);
        list_within::<Secret>(world, namespace, vec![]);
        list_within::<EntitlementInstance>(world, namespace, vec![]);
        list_within::<EntitlementSubscription>(world, namespace, vec![]);
        list_within::<EntitlementOverride>(world, namespace, vec![]);
        list_within::<OverrideDecision>(world, namespace, vec![]);
        list_within::<EntitlementUsage>(world, namespace, vec![]);
    }
    assert!(world.is_ready());
    world.take_work();
}

#[test]
fn what_may_be_listed_no_more_is_not_known_until_it_is_listed_anew() {
    let mut world = served(&["one", "two", "entitlements"], &[]);
    list_all(&mut world, &["one", "two", "entitlements"]);
    let [two, entitlements]: [Arc<str>; 2] = ["two".into(), "entitlements".into()];
    assert!(world.may_not_list::<Secret>(&two));
    assert_eq!(access(&world, "two"), NamespaceAccess::NoSecrets(Lack::NotListed));
    assert_eq!(world.take_work(), organizations(&["acme"]));
    // That is no news the second time.
    assert!(!world.may_not_list::<Secret>(&two));
    assert!(world.take_work().is_empty() && world.is_ready());
    list_within::<Secret>(&mut world, "two", vec![]);
    assert_eq!(access(&world, "two"), NamespaceAccess::Full);
    assert_eq!(world.take_work(), organizations(&["acme"]));
    assert!(world.may_not_list::<EntitlementInstance>(&entitlements));
    assert_eq!(world.take_work(), organizations(&["acme"]));
    assert!(matches!(world.view(&"acme".into()), Err(NotReady::Unseen(..))));
}

#[test]
fn who_had_objects_in_a_namespace_hears_that_it_is_listed() {
    let mut world = served(&["one", "two", "entitlements"], &[]);
    let mut listing_one = serde_json::to_value(organization("acme", &["one"], 2).0.unwrap()).unwrap();
    listing_one["status"] = json!({"namespaces": ["one", "two"]});
    world.observe_organization(Event::Apply(read(listing_one)));
    let two: Arc<str> = "two".into();
    world.may_not_list::<ConfigMap>(&two);
    world.may_not_list::<Secret>(&two);
    list_within::<EntitlementInstance>(&mut world, "two", vec![]);
    list_within::<EntitlementSubscription>(&mut world, "two", vec![]);
    list_within::<EntitlementOverride>(&mut world, "two", vec![]);
    list_within::<OverrideDecision>(&mut world, "two", vec![]);
    list_within::<EntitlementUsage>(&mut world, "two", vec![]);
    list_all(&mut world, &["one", "entitlements"]);
    let owner = world.view(&"acme".into()).unwrap().owner.unwrap();
    world.searched(&owner);
    world.take_work();
    assert!(!world.view(&"acme".into()).unwrap().is_unsearched);
    list_within::<ConfigMap>(&mut world, "two", vec![]);
    assert_eq!(world.take_work(), organizations(&["acme"]));
    assert!(world.view(&"acme".into()).unwrap().is_unsearched, "what lost its label there was not looked for");
    assert_eq!(world.places(&owner), ["one".into(), "two".into()].into());
}

#[test]
fn grants_of_an_organization_that_cannot_be_read_may_be_anywhere() {
    let mut world = served(&["one", "two", "entitlements"], &[]);
    list_all(&mut world, &["one", "two", "entitlements"]);
    assert!(world.sees_all_grants());
    let unreadable = json!({"metadata": metadata(None, "globex", 5), "spec": {"namespaces": 3}});
    world.observe_organization(Event::Apply(read(unreadable)));
    assert!(!world.sees_all_grants());
}

#[test]
fn what_is_seen_of_an_organization_that_is_not_decided_says_so_once() {
    let mut world = served(&["one", "two"], &[]);
    let at = |version: u64, conditions: serde_json::Value| {
        let mut seen = instance("a", "acme", version, json!({"observedGeneration": version, "conditions": conditions}));
        seen["metadata"]["namespace"] = "two".into();
        seen
    };
    let mut acme = serde_json::to_value(organization("acme", &["one"], 2).0.unwrap()).unwrap();
    acme["spec"]["assignableFrom"] = json!(["entitlements", "two"]);
    world.observe_organization(Event::Apply(read(acme)));
    list_all(&mut world, &["one", "two"]);
    world.observe_instance(Event::Apply(read(at(1, json!([])))));
    let Err(NotReady::Unseen(_, problem)) = world.view(&"acme".into()) else { unreachable!("it is decided") };
    let id = SourceId::instance("two", "a");
    assert_eq!(world.unaware("acme", &problem), std::slice::from_ref(&id));
    let says = |generation: u64, message: &str| {
        json!([{"type": "Ready", "status": "False", "reason": "NamespaceNotServed", "message": message,
            "observedGeneration": generation, "lastTransitionTime": "2026-01-01T00:00:00Z"}])
    };
    for (version, conditions, is_aware) in [
        (2, says(2, &problem.message), true),
        (3, says(2, &problem.message), false),
        (4, says(4, "another"), false),
        (5, says(5, &problem.message), true),
    ] {
        world.observe_instance(Event::Apply(read(at(version, conditions))));
        assert_eq!(world.unaware("acme", &problem).is_empty(), is_aware, "{version}");
    }
    // Where it may not be read, nothing can be said of it.
    world.observe_instance(Event::Apply(read(at(6, json!([])))));
    assert_eq!(world.unaware("acme", &problem), [id]);
    world.may_not_list::<EntitlementInstance>(&"two".into());
    assert!(world.unaware("acme", &problem).is_empty());
}
