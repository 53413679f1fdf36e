//! Which work comes of which event.

use super::{
    apply, as_written, definition, definitions, empty, facet, finish_lists, instance, namespace, organization,
    organizations, output, read, revision, source, two_organizations,
};
use crate::controller::guarded::Guarded;
use crate::{
    api::{EntitlementInstance, entitlement_definition::OutputKind},
    controller::world::{WorkItem, World, kinds::named},
    evaluation::{Limits, object::ObjectKey},
};
use kube::{Resource, runtime::watcher::Event};
use serde_json::json;
use std::collections::BTreeSet;

fn in_force() -> serde_json::Value {
    json!({"phase": "Active", "accepted": {"timeZone": "UTC"}})
}

#[test]
fn nothing_is_done_before_all_is_listed_and_everything_then() {
    let mut world = World::new("operator", Limits::DEFAULT);
    world.observe_organization(Event::Init);
    world.observe_organization(Event::InitApply(organization("acme", &["one"], 1)));
    world.observe_facet(Event::Init);
    world.observe_facet(Event::InitApply(facet("policy", 2)));
    assert_eq!(world.take_work(), BTreeSet::new());
    finish_lists(&mut world);
    assert_eq!(world.take_work(), &organizations(&["acme"]) | &[WorkItem::Facet("policy".into())].into());
    assert_eq!(world.take_work(), BTreeSet::new());
}

#[test]
fn an_instance_touches_its_organization_and_the_counts_of_its_definition() {
    let mut world = two_organizations();
    apply(&mut world, instance("a", "acme", 2, json!(null)));
    assert_eq!(world.take_work(), &organizations(&["acme"]) | &definitions(&["backup"]));
    apply(&mut world, instance("a", "acme", 3, json!(null)));
    assert_eq!(world.take_work(), organizations(&["acme"]));
    apply(&mut world, instance("a", "acme", 3, json!(null)));
    assert_eq!(world.take_work(), BTreeSet::new());
}

#[test]
fn a_gone_instance_touches_its_organization() {
    let mut world = two_organizations();
    apply(&mut world, instance("a", "acme", 2, json!(null)));
    world.take_work();
    world.observe_instance(Event::Delete(read::<Guarded<EntitlementInstance>>(instance("a", "acme", 5, json!(null)))));
    assert_eq!(world.take_work(), &organizations(&["acme"]) | &definitions(&["backup"]));
    assert_eq!(world.definition(&"backup".into()).1.total, 0);
}

#[test]
fn the_answer_to_a_write_does_not_bring_back_an_instance_that_went_meanwhile() {
    let mut world = two_organizations();
    apply(&mut world, instance("a", "acme", 2, json!(null)));
    let gone = instance("a", "acme", 5, json!(null));
    world.observe_instance(Event::Delete(read::<Guarded<EntitlementInstance>>(gone)));
    world.take_work();
    world.wrote_source(as_written(instance("a", "acme", 3, json!({"phase": "Active"}))));
    assert_eq!(world.take_work(), BTreeSet::new());
    assert!(world.view(&"acme".into()).unwrap().snapshot.grants.is_empty());
}

#[test]
fn the_answer_to_a_write_does_not_bring_back_what_a_list_has_not_named() {
    for is_amid_the_list in [true, false] {
        let mut world = two_organizations();
        apply(&mut world, instance("a", "acme", 2, json!(null)));
        let written = as_written(instance("a", "acme", 3, json!({"phase": "Active"})));
        world.observe_instance(Event::Init);
        if is_amid_the_list {
            world.wrote_source(written);
            world.observe_instance(Event::InitDone);
        } else {
            world.observe_instance(Event::InitDone);
            world.wrote_source(written);
        }
        assert!(world.view(&"acme".into()).unwrap().snapshot.grants.is_empty(), "{is_amid_the_list}");
    }
    let mut world = two_organizations();
    world.observe_definition(Event::Apply(definition("backup", "policy", 1)));
    world.observe_facet(Event::Apply(facet("policy", 1)));
    for end in [Event::Init, Event::InitDone] {
        world.observe_organization(end);
    }
    for end in [Event::Init, Event::InitDone] {
        world.observe_definition(end);
    }
    for end in [Event::Init, Event::InitDone] {
        world.observe_facet(end);
    }
    world.wrote_organization(named(organization("acme", &["one"], 2).0.unwrap()), Some(&["one".to_owned()]));
    world.wrote_definition(named(definition("backup", "policy", 2).0.unwrap()));
    world.wrote_facet(named(facet("policy", 2).0.unwrap()));
    assert!(world.view(&"acme".into()).unwrap().owner.is_none());
    assert!(world.definition(&"backup".into()).0.definition.is_none());
    assert!(world.facet(&"policy".into()).is_none());
}

#[test]
fn an_instance_that_a_list_does_not_name_is_gone() {
    let mut world = two_organizations();
    apply(&mut world, instance("a", "acme", 2, json!(null)));
    apply(&mut world, instance("b", "globex", 3, json!(null)));
    world.take_work();
    world.observe_instance(Event::Init);
    world.observe_instance(Event::InitApply(read(instance("b", "globex", 3, json!(null)))));
    assert_eq!(world.take_work(), BTreeSet::new());
    world.observe_instance(Event::InitDone);
    let work = world.take_work();
    assert!(work.is_superset(&(&organizations(&["acme"]) | &definitions(&["backup"]))), "{work:?}");
}

/// What somebody else writes into a status is looked at, but cuts no delay short; what the operator writes itself, and any change
/// of a spec, is no such thing.
#[test]
fn a_status_of_somebody_elses_is_no_hurry() {
    let mut world = empty();
    let item = WorkItem::Organization("acme".into());
    let only = |item: &WorkItem| BTreeSet::from([item.clone()]);
    let all = [1, 2, 3, 4].map(|version| {
        let mut seen = organization("acme", &["one"], version);
        seen.meta_mut().generation = Some(if version < 4 { 1 } else { 2 });
        seen
    });
    let [first, foreign, own, spec] = all.map(Event::Apply);
    world.observe_organization(first);
    assert_eq!((world.take_work(), world.take_nudges().0), (only(&item), BTreeSet::new()));
    world.observe_organization(foreign);
    assert_eq!((world.take_work(), world.take_nudges().0), (BTreeSet::new(), only(&item)));
    {
        let writing = world.writing();
        let _write = writing.begin(item.clone());
        world.observe_organization(own);
    }
    assert_eq!((world.take_work(), world.take_nudges().0), (only(&item), BTreeSet::new()));
    world.observe_organization(spec);
    assert_eq!((world.take_work(), world.take_nudges().0), (only(&item), BTreeSet::new()));
}

#[test]
fn its_own_status_touches_no_organization_and_its_echo_nothing() {
    let mut world = two_organizations();
    apply(&mut world, instance("a", "acme", 2, json!(null)));
    world.take_work();
    let mut written = instance("a", "acme", 3, json!({"phase": "Active"}));
    written["metadata"]["generation"] = json!(2);
    world.wrote_source(as_written(written.clone()));
    assert_eq!(world.take_work(), definitions(&["backup"]));
    assert_eq!(world.definition(&"backup".into()).1.active, 1);
    apply(&mut world, written);
    assert_eq!(world.take_work(), BTreeSet::new());
}

/// Of a held grant with something wrong in its facet `f`.
fn invalid() -> serde_json::Value {
    json!({"phase": "Active", "violations": [{"facet": "f", "pointer": "/a", "rule": "type", "message": "facets.f.a: wrong"}]})
}

#[test]
fn a_grant_that_states_what_is_not_valid_counts_for_its_definition_and_the_facet() {
    let mut world = two_organizations();
    world.observe_facet(Event::Apply(facet("policy", 1)));
    world.observe_facet(Event::Apply(facet("other", 1)));
    world.observe_definition(Event::Apply(definition("backup", "policy", 1)));
    apply(&mut world, instance("a", "acme", 2, json!({"phase": "Active"})));
    apply(&mut world, instance("b", "globex", 2, json!({"phase": "Active"})));
    world.take_work();
    let counted = |world: &mut World| {
        let facet = |name: &str| world.facet(&name.into()).unwrap().1.count;
        let facets = (facet("policy"), facet("other"));
        let (_, counts, invalid) = world.definition(&"backup".into());
        (counts.invalid, invalid.count, facets)
    };
    assert_eq!(counted(&mut world), (0, 0, (0, 0)));
    let both = &definitions(&["backup"]) | &[WorkItem::Facet("policy".into())].into();
    world.wrote_source(as_written(instance("a", "acme", 3, invalid())));
    assert!(world.take_work().is_superset(&both));
    assert_eq!(counted(&mut world), (1, 1, (1, 0)));
    let mut of_other_facet = invalid();
    of_other_facet["violations"][0]["facet"] = json!("g");
    apply(&mut world, instance("b", "globex", 3, of_other_facet));
    assert!(world.take_work().is_superset(&both));
    assert_eq!(counted(&mut world), (2, 2, (1, 0)));
    // The definition takes the fields from another facet definition now.
    world.observe_definition(Event::Apply(definition("backup", "other", 2)));
    let facets = [WorkItem::Facet("policy".into()), WorkItem::Facet("other".into())].into();
    assert_eq!(world.take_work(), &definitions(&["backup"]) | &facets);
    assert_eq!(counted(&mut world), (2, 2, (0, 1)));
    // What is over is nobody's concern any more.
    let mut over = invalid();
    over["phase"] = json!("Expired");
    apply(&mut world, instance("a", "acme", 4, over));
    assert!(world.take_work().contains(&WorkItem::Facet("other".into())));
    assert_eq!(counted(&mut world), (1, 1, (0, 0)));
    world.observe_definition(Event::Delete(definition("backup", "other", 3)));
    assert_eq!(world.take_work(), &definitions(&["backup"]) | &[WorkItem::Facet("other".into())].into());
}

#[test]
fn a_spec_that_comes_with_the_answer_to_a_status_is_not_missed() {
    let mut world = two_organizations();
    apply(&mut world, instance("a", "acme", 2, json!(null)));
    world.take_work();
    world.wrote_source(as_written(instance("a", "acme", 4, json!({"phase": "Active"}))));
    assert!(world.take_work().contains(&WorkItem::Organization("acme".into())));
}

#[test]
fn the_first_accepted_grant_of_a_namespace_touches_all_who_see_it() {
    let mut world = two_organizations();
    world.observe_organization(Event::Apply(organization("greedy", &["entitlements"], 2)));
    apply(&mut world, instance("a", "acme", 3, json!(null)));
    world.take_work();
    apply(&mut world, instance("a", "acme", 4, in_force()));
    assert_eq!(world.take_work(), &organizations(&["acme", "greedy"]) | &definitions(&["backup"]));
    apply(&mut world, instance("b", "globex", 5, in_force()));
    assert_eq!(world.take_work(), &organizations(&["globex"]) | &definitions(&["backup"]));
}

#[test]
fn the_oldest_grant_of_a_namespace_concerns_others_only_when_it_is_the_first_or_the_last() {
    let mut world = two_organizations();
    let names: Vec<String> = (0..100).map(|number| format!("acme-{number:03}")).collect();
    for (version, name) in (3..).zip(&names) {
        apply(&mut world, instance(name, "acme", version, in_force()));
    }
    apply(&mut world, instance("of-globex", "globex", 200, in_force()));
    world.take_work();
    let gone = |world: &mut World, name: &str, organization: &str, version: u64| {
        let instance = instance(name, organization, version, in_force());
        world.observe_instance(Event::Delete(read::<Guarded<EntitlementInstance>>(instance)));
        world.take_work()
    };
    let of_acme = &organizations(&["acme"]) | &definitions(&["backup"]);
    for (version, name) in (300..).zip(&names) {
        assert_eq!(gone(&mut world, name, "acme", version), of_acme, "{name}");
    }
    // Who lists the namespace is told which grant stands in the way.
    world.observe_organization(Event::Apply(organization("greedy", &["entitlements"], 500)));
    apply(&mut world, instance("younger", "acme", 501, in_force()));
    world.take_work();
    let others = &organizations(&["globex", "greedy"]) | &definitions(&["backup"]);
    assert_eq!(gone(&mut world, "of-globex", "globex", 502), others);
    let others = &organizations(&["acme", "greedy"]) | &definitions(&["backup"]);
    assert_eq!(gone(&mut world, "younger", "acme", 503), others);
}

#[test]
fn a_namespace_touches_those_that_list_it_and_those_with_grants_in_it() {
    let mut world = two_organizations();
    apply(&mut world, instance("a", "acme", 2, json!(null)));
    world.take_work();
    world.observe_namespace(Event::Apply(namespace("two", 3, None)));
    assert_eq!(world.take_work(), organizations(&["globex"]));
    world.observe_namespace(Event::Apply(namespace("entitlements", 4, None)));
    assert_eq!(world.take_work(), organizations(&["acme"]));
    world.observe_namespace(Event::Apply(namespace("two", 5, None)));
    assert_eq!(world.take_work(), BTreeSet::new());
    world.observe_namespace(Event::Apply(namespace("two", 6, Some("2026-01-02T00:00:00Z"))));
    assert_eq!(world.take_work(), organizations(&["globex"]));
}

#[test]
fn an_organization_touches_those_that_share_its_namespaces_before_and_after() {
    let mut world = two_organizations();
    world.observe_organization(Event::Apply(organization("acme", &["two"], 3)));
    assert_eq!(world.take_work(), organizations(&["acme", "globex"]));
    world.observe_organization(Event::Apply(organization("acme", &["three"], 4)));
    assert_eq!(world.take_work(), organizations(&["acme", "globex"]));
    world.observe_organization(Event::Delete(organization("acme", &["three"], 5)));
    assert_eq!(world.take_work(), organizations(&["acme"]));
}

#[test]
fn a_facet_touches_the_definitions_that_refer_to_it() {
    let mut world = empty();
    world.observe_definition(Event::Apply(definition("backup", "policy", 1)));
    world.observe_definition(Event::Apply(definition("other", "else", 2)));
    let facets = ["policy", "else"].map(|name| WorkItem::Facet(name.into())).into();
    assert_eq!(world.take_work(), &definitions(&["backup", "other"]) | &facets);
    world.observe_facet(Event::Apply(facet("policy", 3)));
    assert_eq!(world.take_work(), &definitions(&["backup"]) | &[WorkItem::Facet("policy".into())].into());
    world.observe_definition(Event::Apply(definition("backup", "else", 4)));
    world.take_work();
    world.observe_facet(Event::Delete(facet("policy", 5)));
    assert_eq!(world.take_work(), BTreeSet::new());
}

#[test]
fn a_revision_that_is_gone_touches_its_definition() {
    let mut world = empty();
    world.observe_revision(Event::Apply(Guarded(Ok(revision("backup", 1)))));
    assert_eq!(world.take_work(), definitions(&["backup"]));
    world.observe_revision(Event::Delete(Guarded(Ok(revision("backup", 1)))));
    assert_eq!(world.take_work(), definitions(&["backup"]));
}

#[test]
fn an_output_touches_the_organization_that_its_label_names_before_and_after() {
    let mut world = two_organizations();
    world.observe_output(Event::Apply(output("config", "acme", 2)));
    assert_eq!(world.take_work(), organizations(&["acme"]));
    world.observe_output(Event::Apply(output("config", "globex", 3)));
    assert_eq!(world.take_work(), organizations(&["acme", "globex"]));
    world.observe_output(Event::Delete(output("config", "globex", 4)));
    assert_eq!(world.take_work(), organizations(&["globex"]));
}

#[test]
fn sources_are_read_when_they_are_named_and_when_they_change() {
    let named = |version: u64| {
        let mut instance = instance("a", "acme", version, json!(null));
        instance["spec"]["secretFacets"] =
            json!([{"facet": "f", "field": "p", "secretKeyRef": {"name": "password", "key": "k"}}]);
        instance
    };
    let read_it: BTreeSet<_> = [WorkItem::Source(source("password"))].into();
    let mut world = two_organizations();
    apply(&mut world, named(2));
    assert_eq!(world.take_work(), &(&organizations(&["acme"]) | &definitions(&["backup"])) | &read_it);
    assert!(world.take_source_namespaces_changed());
    assert_eq!(world.source_namespaces(), ["entitlements".into()].into());

    world.fetched(&source("password"), 7, [].into());
    assert_eq!(world.take_work(), organizations(&["acme"]));
    let namespace = "entitlements".into();
    world.saw_source(&namespace, "password".into(), "7");
    world.saw_source(&namespace, "unrelated".into(), "8");
    world.lost_source(&namespace, "unrelated".into());
    assert_eq!(world.take_work(), BTreeSet::new());
    world.saw_source(&namespace, "password".into(), "9");
    assert_eq!(world.take_work(), read_it);
    world.lost_source(&namespace, "password".into());
    assert_eq!(world.take_work(), read_it);
    world.began_sources(&"elsewhere".into());
    assert_eq!(world.take_work(), BTreeSet::new());
    world.began_sources(&namespace);
    assert_eq!(world.take_work(), read_it);
    world.source_is_missing(&source("password"));
    assert_eq!(world.take_work(), organizations(&["acme"]));

    apply(&mut world, instance("a", "acme", 10, json!(null)));
    assert!(world.take_work().contains(&WorkItem::Source(source("password"))));
    assert!(world.source_permission(&source("password")).is_none());
    assert_eq!(world.source_namespaces(), BTreeSet::new());
}

#[test]
fn who_wants_a_name_hears_when_another_leaves_it() {
    let mut world = two_organizations();
    world.observe_output(Event::Apply(output("config", "globex", 2)));
    world.take_work();
    let key = ObjectKey { kind: OutputKind::ConfigMap, namespace: "one".into(), name: "config".into() };
    let stranger = world.stranger_at(&"acme".into(), &key).unwrap();
    assert_eq!(stranger.organization.as_deref(), Some("globex"));
    world.output_is_gone(&"globex".into(), &key, &stranger.uid);
    assert_eq!(world.take_work(), organizations(&["acme"]));
    assert!(world.stranger_at(&"acme".into(), &key).is_none());
}
