//! Instances that their organizations do not let be named.

use super::{apply, as_written, entry, fetched, instance, organization, organizations, read, two_organizations};
use crate::{
    api::{EntitlementInstance, Organization, Phase},
    controller::{
        guarded::Guarded,
        world::{NotReady, WorkItem, World, kept::GrantSource},
    },
    core::{
        calendar::Instant,
        source::{SourceId, instance},
    },
    evaluation::{
        Limits,
        catalogue::Served,
        evaluate,
        plan::Outcomes,
        status::{ideal, statuses},
    },
};
use kube::runtime::watcher::Event;
use rstest::rstest;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// Of `acme`, in the namespace `elsewhere`.
fn elsewhere(name: &str, version: u64) -> Value {
    let mut instance = instance(name, "acme", version, Value::Null);
    instance["metadata"]["namespace"] = json!("elsewhere");
    instance["spec"]["secretFacets"] =
        json!([{"facet": "f", "field": "p", "secretKeyRef": {"name": "password", "key": "k"}}]);
    instance
}

fn id(name: &str) -> SourceId {
    SourceId::instance("elsewhere", name)
}

/// `acme`, which lets instances of these namespaces name it.
fn acme(assignable_from: &[&str], version: u64) -> Guarded<Organization> {
    let mut organization = organization("acme", &["one"], version);
    if let Ok(organization) = &mut organization.0 {
        organization.spec.assignable_from = assignable_from.iter().map(ToString::to_string).collect();
    }
    organization
}

fn grants(world: &World) -> Vec<String> {
    let view = world.view(&"acme".into()).unwrap();
    view.snapshot.grants.iter().map(|grant| grant.id.to_string()).collect()
}

/// What is told of an instance, with its status as it is in the object.
fn told(world: &World, object: &Value) -> Option<(Phase, String)> {
    let grant = instance::grant(&read::<EntitlementInstance>(object.clone()));
    let snapshot = world.barred_view(&GrantSource::Instance(Arc::new(grant)))?;
    let evaluation = evaluate(&snapshot, Instant::UNIX_EPOCH);
    let status = ideal(&evaluation).remove(0);
    let accepted = status.conditions.iter().find(|condition| condition.type_ == "Accepted").unwrap();
    Some((status.phase.unwrap(), accepted.reason.clone()))
}

#[test]
fn it_is_told_and_its_organization_has_no_work_with_it() {
    let mut world = two_organizations();
    let object = elsewhere("a", 2);
    apply(&mut world, object.clone());
    assert!(world.take_work().is_disjoint(&organizations(&["acme", "globex"])));
    assert_eq!(world.take_barred(), ([id("a")].into(), ["acme".into()].into()));
    assert_eq!(grants(&world), Vec::<String>::new());
    assert_eq!(told(&world, &object), Some((Phase::Rejected, "NamespaceNotAllowed".to_owned())));
    assert!(world.source_namespaces().is_empty());
    // Its own status is no news, and what another writes there is.
    let mut written = object.clone();
    written["metadata"]["resourceVersion"] = json!("3");
    written["status"] = json!({"phase": "Rejected"});
    world.wrote_source(as_written(written.clone()));
    apply(&mut world, written.clone());
    assert_eq!(world.take_barred(), Default::default());
    written["metadata"]["resourceVersion"] = json!("4");
    apply(&mut world, written);
    assert_eq!((world.take_barred(), world.take_nudges().1), (Default::default(), [id("a")].into()));
}

#[test]
fn an_organization_that_does_not_exist_gets_no_work_with_it() {
    let mut world = two_organizations();
    let mut object = elsewhere("a", 2);
    object["spec"]["organization"] = json!("nobody");
    apply(&mut world, object.clone());
    assert!(world.take_work().is_disjoint(&organizations(&["nobody"])));
    assert_eq!(world.take_barred(), ([id("a")].into(), [].into()));
    assert_eq!(told(&world, &object), Some((Phase::Rejected, "OrganizationNotFound".to_owned())));
}

#[test]
fn it_counts_by_its_phase() {
    let mut world = two_organizations();
    for (name, state) in [("a", "Active"), ("b", "Draft"), ("c", "Cancelled"), ("d", "Active")] {
        let mut object = elsewhere(name, 2);
        object["spec"]["state"] = json!(state);
        apply(&mut world, object);
    }
    let counted = |world: &World| -> BTreeMap<Phase, u64> {
        let barred = world.view(&"acme".into()).unwrap().snapshot.barred;
        barred.into_iter().map(|((_, phase), count)| (phase, count)).collect()
    };
    let all = BTreeMap::from([(Phase::Draft, 1), (Phase::Cancelled, 1), (Phase::Rejected, 2)]);
    assert_eq!(counted(&world), all);
    let evaluation = evaluate(&world.view(&"acme".into()).unwrap().snapshot, Instant::UNIX_EPOCH);
    let instances = statuses(&evaluation, &Outcomes::default()).organization.unwrap().instances;
    assert_eq!(serde_json::to_value(instances).unwrap(), json!({"Draft": 1, "Cancelled": 1, "Rejected": 2}));
    assert_eq!(world.definition(&"backup".into()).1.total, 4);
    world.take_barred();
    for name in ["b", "d"] {
        world.observe_instance(Event::Delete(read(elsewhere(name, 3))));
    }
    assert_eq!(counted(&world), BTreeMap::from([(Phase::Cancelled, 1), (Phase::Rejected, 1)]));
    assert_eq!(world.take_barred(), ([].into(), ["acme".into()].into()));
    assert_eq!(world.definition(&"backup".into()).1.total, 2);
}

#[test]
fn it_is_whole_as_soon_as_it_is_allowed_and_nothing_is_decided_before() {
    let mut world = two_organizations();
    apply(&mut world, elsewhere("a", 2));
    world.take_work();
    world.observe_organization(Event::Apply(acme(&["entitlements", "elsewhere"], 3)));
    assert!(world.take_work().is_superset(&[WorkItem::GrantSource(id("a"))].into()));
    assert!(world.awaits_source(&id("a")));
    assert_eq!(world.view(&"acme".into()).unwrap_err(), NotReady::Waits);
    assert_eq!(told(&world, &elsewhere("a", 2)), None);

    world.fetched_source::<EntitlementInstance>(&id("a"), None, Some(fetched(elsewhere("a", 2))));
    let work = world.take_work();
    let source = WorkItem::Source(("elsewhere".into(), "password".into()));
    assert!(work.is_superset(&(&organizations(&["acme"]) | &[source].into())), "{work:?}");
    world.source_is_missing(&("elsewhere".into(), "password".into()));
    assert_eq!(grants(&world), ["elsewhere/a"]);
    assert!(!world.awaits_source(&id("a")));
}

#[rstest]
#[case::disallowed(Event::Apply(acme(&["entitlements"], 4)), "NamespaceNotAllowed")]
#[case::without_organization(Event::Delete(acme(&["entitlements", "elsewhere"], 4)), "OrganizationNotFound")]
fn it_is_no_longer_whole_once_it_is_not_allowed(#[case] event: Event<Guarded<Organization>>, #[case] reason: &str) {
    let mut world = two_organizations();
    world.observe_organization(Event::Apply(acme(&["entitlements", "elsewhere"], 2)));
    let mut object = elsewhere("a", 3);
    object["status"] = json!({"phase": "Active", "accepted": {"timeZone": "UTC"}, "violations":
        [{"facet": "f", "pointer": "/a", "rule": "type", "message": "wrong"}]});
    apply(&mut world, object.clone());
    let (_, counts, invalid) = world.definition(&"backup".into());
    assert_eq!((counts.total, counts.active, invalid.count), (1, 1, 1));
    world.take_barred();
    world.take_work();
    world.observe_organization(event);
    let work = world.take_work();
    assert!(work.is_superset(&organizations(&["acme"])), "{work:?}");
    assert!(world.take_barred().0.contains(&id("a")));
    assert_eq!(grants(&world), Vec::<String>::new());
    assert_eq!(told(&world, &object), Some((Phase::Rejected, reason.to_owned())));
    let (_, counts, invalid) = world.definition(&"backup".into());
    assert_eq!((counts.total, counts.active, invalid.count), (1, 0, 0));
    // The namespace is of grants still.
    world.observe_organization(Event::Apply(organization("greedy", &["elsewhere"], 5)));
    let facts = world.view(&"greedy".into()).unwrap().snapshot.namespaces.remove("elsewhere").unwrap();
    assert_eq!(facts.holds_grant.as_deref(), Some("elsewhere/a"));
}

#[test]
fn a_list_makes_it_whole_as_well() {
    let mut world = two_organizations();
    apply(&mut world, elsewhere("a", 2));
    world.observe_organization(Event::Apply(acme(&["elsewhere"], 3)));
    world.observe_instance(Event::Init);
    world.observe_instance(Event::InitApply(read(elsewhere("a", 2))));
    world.observe_instance(Event::InitDone);
    world.source_is_missing(&("elsewhere".into(), "password".into()));
    assert_eq!(grants(&world), ["elsewhere/a"]);
}

#[test]
fn nobody_waits_for_one_that_is_gone_or_cannot_be_read_again() {
    for is_gone in [true, false] {
        let mut world = two_organizations();
        apply(&mut world, elsewhere("a", 2));
        world.observe_organization(Event::Apply(acme(&["elsewhere"], 3)));
        world.take_barred();
        if is_gone {
            let uid = world.uid_of(&id("a"));
            world.fetched_source::<EntitlementInstance>(&id("a"), uid.as_ref(), None);
        } else {
            world.source_is_unreadable(&id("a"), "forbidden");
        }
        // The organization is evaluated again.
        assert_eq!(world.take_barred(), ([].into(), ["acme".into()].into()));
        let view = world.view(&"acme".into()).unwrap();
        assert_eq!((view.snapshot.grants.len(), view.scene.unreadable.len()), (0, usize::from(!is_gone)));
        // It is tried again, until it can be read.
        assert_eq!(world.awaits_source(&id("a")), !is_gone);
        if !is_gone {
            world.fetched_source::<EntitlementInstance>(&id("a"), None, Some(fetched(elsewhere("a", 2))));
            world.source_is_missing(&("elsewhere".into(), "password".into()));
            assert_eq!(grants(&world), ["elsewhere/a"]);
        }
    }
}

/// It was asked for, was gone, and was made anew before the answer came that there is none.
#[test]
fn that_one_is_gone_says_nothing_of_another_of_its_name() {
    let mut world = two_organizations();
    world.observe_organization(Event::Apply(acme(&["elsewhere"], 2)));
    apply(&mut world, elsewhere("a", 3));
    let uid = world.uid_of(&id("a"));
    world.observe_instance(Event::Delete(read(elsewhere("a", 4))));
    let mut another = elsewhere("a", 5);
    another["metadata"]["uid"] = json!("another");
    apply(&mut world, another.clone());
    world.fetched_source::<EntitlementInstance>(&id("a"), uid.as_ref(), None);
    world.source_is_missing(&("elsewhere".into(), "password".into()));
    assert_eq!(grants(&world), ["elsewhere/a"]);
    another["metadata"]["resourceVersion"] = json!("6");
    another["spec"]["organization"] = json!("globex");
    apply(&mut world, another);
    assert_eq!(grants(&world), Vec::<String>::new());
}

#[test]
fn of_an_organization_that_cannot_be_read_nothing_is_said() {
    let mut world = super::empty();
    world.observe_organization(Event::Apply(read(
        json!({"metadata": super::metadata(None, "acme", 1), "spec": {"namespaces": 7}}),
    )));
    apply(&mut world, elsewhere("a", 2));
    assert_eq!(told(&world, &elsewhere("a", 2)), None);
    world.observe_organization(Event::Apply(acme(&["entitlements"], 3)));
    assert!(told(&world, &elsewhere("a", 2)).is_some());
    assert!(world.take_barred().0.contains(&id("a")));
}

#[test]
fn it_is_told_anew_once_its_definition_is_another() {
    let mut world = two_organizations();
    apply(&mut world, elsewhere("a", 2));
    world.take_barred();
    world.serve(&"backup".into(), Served { entry: entry(), hash: None, beside: None }, 0);
    assert_eq!(world.take_barred().0, [id("a")].into());
}

#[test]
fn all_are_told_when_everything_is_known() {
    let mut world = World::new("operator", Limits::DEFAULT);
    world.observe_organization(Event::InitApply(acme(&["entitlements"], 1)));
    assert!(!world.listed.contains("organizations"));
    world.observe_organization(Event::InitDone);
    assert!(world.listed.contains("organizations"));
    apply(&mut world, elsewhere("a", 2));
    assert_eq!(world.take_barred(), Default::default());
    super::finish_lists(&mut world);
    world.take_work();
    assert_eq!(world.take_barred().0, [id("a")].into());
}

/// How many bytes the index keeps of so many instances, each of that size.
fn kept_bytes(count: usize, size: usize, of: impl Fn(&str) -> Value) -> u64 {
    let mut world = two_organizations();
    let mut object = of("");
    object["spec"]["facets"] = json!({"f": {"text": "x".repeat(size)}});
    let object: EntitlementInstance = read(object);
    let measured = allocation_counter::measure(|| {
        for number in 0..count {
            let mut object = object.clone();
            object.metadata.name = Some(format!("instance-{number:06}"));
            object.metadata.uid = Some(format!("00000000-0000-0000-0000-{number:012}"));
            // What several state alike is kept once.
            object.spec.facets.get_mut("f").unwrap().insert("number".to_owned(), number.into());
            world.observe_instance(Event::Apply(Guarded(Ok(object))));
        }
        world.take_work();
        world.take_barred();
    });
    assert_eq!(world.definition(&"backup".into()).1.total, count as u64);
    u64::try_from(measured.bytes_current).unwrap()
}

#[test]
fn nothing_of_what_it_says_is_kept() {
    // Fifty megabytes of those that may name it are kept, ...
    assert!(kept_bytes(50, 1_000_000, |name| instance(name, "acme", 2, Value::Null)) > 50_000_000);
    // ... and of others not even a hundred kilobytes,
    let large = kept_bytes(50, 1_000_000, |name| elsewhere(name, 2));
    assert!(large < 100_000, "{large}");
    // nor of small ones more than a kilobyte each, which is less than they are in the API server.
    let small = kept_bytes(5000, 10, |name| elsewhere(name, 2));
    assert!(small < 5000 * 1000, "{small}");
}
