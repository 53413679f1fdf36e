//! Two kinds of the catalogue with objects of one name: what is heard of one says nothing of the other.

use super::{apply, definition, empty, entry, instance, metadata, read, revision, two_organizations};
use crate::{
    controller::{
        guarded::Guarded,
        world::{
            NotReady,
            kept_revisions::KeptRevisions,
            section::{CatalogueSection, NotYetRead},
            store::Reading,
        },
    },
    evaluation::{
        Snapshot,
        catalogue::{
            CatalogueKind, Made, Served,
            dummy::{Dummy, DummyState},
        },
    },
};
use k8s_openapi::api::{apps::v1::ControllerRevision, core::v1::ConfigMap};
use kube::runtime::watcher::Event;
use serde_json::json;
use std::{collections::BTreeSet, sync::Arc};

/// Of the dummy kind, and of an object of that name.
fn dummy_revision(of: &str, number: i64, word: &str) -> ControllerRevision {
    let version = u64::try_from(number).unwrap();
    let mut metadata = metadata(Some("operator"), &format!("dummy.{of}-{number}"), version);
    metadata["labels"] = json!({"app.kubernetes.io/managed-by": "entitlement-operator", "entitlements.dev/dummy": of});
    read(json!({"metadata": metadata, "revision": number, "data": {"word": word}}))
}

fn heard(number: i64) -> Guarded<ControllerRevision> {
    Guarded(Ok(dummy_revision("backup", number, "word")))
}

#[test]
fn revisions_of_another_kind_touch_no_definition_of_their_name() {
    let mut world = empty();
    world.observe_definition(Event::Apply(definition("backup", "policy", 1)));
    world.observe_revision(Event::Apply(Guarded(Ok(revision("backup", 1)))));
    let name = Arc::from("backup");
    assert!(world.definition(&name).0.kept.is_stale);
    world.take_work();
    let untouched = |world: &mut super::World| {
        assert_eq!(world.take_work(), BTreeSet::new());
        let view = world.definition(&name).0;
        assert_eq!(view.kept.revisions.iter().map(|kept| &*kept.name).collect::<Vec<_>>(), ["backup-1"]);
    };
    world.observe_revision(Event::Apply(heard(2)));
    untouched(&mut world);
    world.observe_revision(Event::Delete(heard(2)));
    untouched(&mut world);
    world.observe_revision(Event::Apply(heard(3)));
    // A list that does not name it any more.
    world.observe_revision(Event::Init);
    world.observe_revision(Event::InitApply(Guarded(Ok(revision("backup", 1)))));
    world.observe_revision(Event::InitDone);
    untouched(&mut world);
    // Nor is a definition looked for where only another kind has such an object.
    world.observe_revision(Event::Apply(Guarded(Ok(dummy_revision("other", 4, "word")))));
    assert!(!world.catalogue.definitions().contains("other"));
    assert!(matches!(world.catalogue.entry(&"other".into()), Ok(None)));
}

#[test]
fn who_only_asks_is_answered_by_what_served_while_all_is_made_anew() {
    let mut world = two_organizations();
    let (acme, backup) = (Arc::from("acme"), Arc::from("backup"));
    world.observe_definition(Event::Apply(definition("backup", "policy", 1)));
    apply(&mut world, instance("a", "acme", 1, json!({})));
    let serve = |world: &mut super::World| {
        world.serve(&backup, Served { entry: entry(), hash: Some("1".into()), beside: None }, 1);
    };
    let named = |snapshot: Result<Snapshot, NotReady>| {
        let named = snapshot.map(|snapshot| snapshot.catalogue.keys().map(ToString::to_string).collect::<Vec<_>>());
        named.map_err(|why| matches!(why, NotReady::Waits))
    };
    let known = |name: &str| Ok(vec![name.to_owned()]);
    // Nothing was made yet, so nothing is known.
    assert_eq!(named(world.known_snapshot(&acme)), Err(true));
    serve(&mut world);
    assert_eq!((named(world.snapshot(&acme)), named(world.known_snapshot(&acme))), (known("backup"), known("backup")));
    world.take_work();
    world.begin_anew(true);
    assert_eq!((named(world.snapshot(&acme)), named(world.known_snapshot(&acme))), (Err(true), known("backup")));
    assert!(world.definition_entry(&backup).is_some());
    serve(&mut world);
    assert_eq!(named(world.snapshot(&acme)), known("backup"));
    // What is gone meanwhile is not known any more.
    world.begin_anew(true);
    world.observe_definition(Event::Delete(definition("backup", "policy", 2)));
    world.drop_definition(&backup);
    assert_eq!(named(world.known_snapshot(&acme)), Ok(Vec::new()));
}

#[test]
fn a_kind_keeps_and_serves_its_own() {
    let mut revisions = KeptRevisions::default();
    for kept in [revision("backup", 1), dummy_revision("backup", 1, "first"), dummy_revision("backup", 2, "second")] {
        revisions.put(Reading::of_revision(kept)).unwrap();
    }
    let mut dummies: CatalogueSection<ConfigMap, Dummy> = CatalogueSection::default();
    let name = Arc::from("backup");
    assert!(matches!(dummies.entry(&name, &revisions), Err(NotYetRead)));
    assert_eq!(dummies.names(&revisions), [Arc::clone(&name)].into());
    let object: Arc<ConfigMap> = Arc::new(read(json!({"metadata": metadata(None, "backup", 1)})));
    let put = dummies.put(crate::controller::world::kinds::named(ConfigMap::clone(&object)));
    assert!(matches!(put, Some((None, true))));

    let view = dummies.view(&name, &revisions);
    assert_eq!((view.object.kind, view.version, view.is_stale), (CatalogueKind::Dummy, 1, true));
    assert_eq!(view.revisions.iter().map(|kept| &*kept.name).collect::<Vec<_>>(), ["dummy.backup-1", "dummy.backup-2"]);
    let made = view.ingredients(Some(&object.metadata)).make(Ok(DummyState { word: "third".to_owned() }));
    let Made::Present(valid) = made else { panic!() };
    let served = view.ingredients(Some(&object.metadata)).served(*valid, false);
    let change = dummies.serve(&name, served, view.version);
    assert!(change.is_any && change.replaced.is_none());
    let entry = dummies.current_entry(&name, &revisions).unwrap().unwrap();
    assert_eq!((entry.serving.as_deref(), *entry.history), (Some(&Dummy("third".to_owned())), 2));
    // What was made of it is no longer current once it has changed.
    dummies.change(Arc::clone(&name));
    assert!(matches!(dummies.current_entry(&name, &revisions), Err(NotYetRead)));
    assert!(dummies.drop_served(&name));
}
