//! What holds of the objects whatever happens to them: two organizations, whose grants and namespaces come and go, plan until
//! nothing changes any more, while hands meddle with what is there.

use super::{grant, key, texts};
use crate::{
    api::entitlement_definition::OnEnd,
    core::{grant::GrantId, source::SourceKind},
    evaluation::{
        delivery::Desired,
        object::{
            Attribution, DesiredObject, IN_FORCE, MANAGED_BY, MANAGER, ON_END, ORGANIZATION, OVER, ObjectContent,
            ObjectData, ObjectKey, RETAIN, Wish,
        },
        plan::{
            Authorship, Change, Delivery, Fate, Marks, Naming, Observed, Owner, Scene, observed::fingerprint,
            withdrawals, writes,
        },
    },
};
use proptest::prelude::*;
use std::{collections::BTreeMap, sync::Arc};

const ORGANIZATIONS: [&str; 2] = ["acme", "globex"];
const NAMESPACES: [&str; 2] = ["one", "two"];
const NAMES: [&str; 3] = ["a", "b", "c"];
/// More rounds than it takes.
const ROUNDS: usize = 5;

type Pairs = BTreeMap<String, String>;

/// An object as the API server holds it.
#[derive(Clone, Debug, PartialEq)]
struct Object {
    uid: u64,
    version: u64,
    controller: Option<String>,
    labels: Pairs,
    annotations: Pairs,
    data: Pairs,
    /// Whether somebody else has labelled it as no longer in force.
    is_labelled_by_hand: bool,
}

/// What a grant asks of a name.
#[derive(Clone, Debug)]
struct Wanted {
    grant: usize,
    data: u8,
    lasts: bool,
}

#[derive(Clone, Debug)]
enum Meddling {
    Delete,
    ChangeData,
    TakeManager,
    TakeOwner,
    Label,
    Unlabel,
    Make,
}

#[derive(Clone, Debug)]
enum Event {
    /// The organization's grants ask for the name, or no longer, in all its namespaces.
    Ask(usize, usize, Option<Wanted>),
    /// The namespace goes to an organization, or to none.
    Move(usize, Option<usize>),
    Meddle(usize, usize, Meddling),
}

fn event() -> impl Strategy<Value = Event> {
    let wanted = (0..3usize, 0..3u8, any::<bool>()).prop_map(|(grant, data, lasts)| Wanted { grant, data, lasts });
    let meddling = prop::sample::select(vec![
        Meddling::Delete,
        Meddling::ChangeData,
        Meddling::TakeManager,
        Meddling::TakeOwner,
        Meddling::Label,
        Meddling::Unlabel,
        Meddling::Make,
    ]);
    prop_oneof![
        5 => (0..2usize, 0..3usize, prop::option::weighted(0.7, wanted)).prop_map(|(one, name, wanted)| Event::Ask(one, name, wanted)),
        1 => (0..2usize, prop::option::weighted(0.8, 0..2usize)).prop_map(|(namespace, to)| Event::Move(namespace, to)),
        2 => (0..2usize, 0..3usize, meddling).prop_map(|(namespace, name, how)| Event::Meddle(namespace, name, how)),
    ]
}

#[derive(Default)]
struct World {
    objects: BTreeMap<ObjectKey, Object>,
    wanted: BTreeMap<(usize, usize), Wanted>,
    holders: BTreeMap<usize, usize>,
    clock: u64,
}

impl World {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn owner(&self, organization: usize) -> Owner {
        let namespaces = self.holders.iter().filter(|(_, holder)| **holder == organization);
        Owner::new(
            ORGANIZATIONS[organization].into(),
            uid(organization).into(),
            namespaces.map(|(namespace, _)| NAMESPACES[*namespace].into()),
            NAMESPACES.map(Into::into),
            "operator",
        )
    }

    fn desired(&self, organization: usize) -> Desired {
        let owner = self.owner(organization);
        let mut objects = BTreeMap::new();
        for ((_, name), wanted) in self.wanted.iter().filter(|((of, _), _)| *of == organization) {
            for namespace in owner.namespaces() {
                let wish = Wish::Write(Arc::new(content(organization, wanted)));
                objects.insert(
                    key(namespace, NAMES[*name]),
                    DesiredObject { grant: Some(id(organization, wanted)), wish, is_retained: false },
                );
            }
        }
        super::all(objects)
    }

    fn scene(&self, organization: usize, desired: &Desired) -> Scene {
        let has_label = |object: &Object| object.labels.get(MANAGED_BY).is_some_and(|manager| manager == MANAGER);
        let concerns = |key: &ObjectKey, object: &Object| {
            object.labels.get(ORGANIZATION).is_some_and(|of| of == ORGANIZATIONS[organization])
                || desired.objects.contains_key(key)
        };
        let (known, foreign): (Vec<_>, Vec<_>) = self.objects.iter().partition(|(_, object)| has_label(object));
        let observed = known.into_iter().filter(|(key, object)| concerns(key, object));
        Scene {
            observed: observed.map(|(key, object)| (key.clone(), Arc::new(object.observed()))).collect(),
            foreign: foreign.into_iter().map(|(key, _)| key.clone()).collect(),
            ..Scene::default()
        }
    }

    /// Plans and carries out for one organization, as the shell does. Whether anything changed.
    fn reconcile(&mut self, organization: usize) -> (bool, BTreeMap<ObjectKey, Delivery>) {
        let owner = self.owner(organization);
        let desired = self.desired(organization);
        let scene = self.scene(organization, &desired);
        let planned = writes(&desired, &owner, &scene);
        let mut deliveries = planned.settled;
        let mut changed = !planned.changes.is_empty();
        for (key, change, content) in planned.changes {
            self.carry_out(&owner, &key, &change, &content);
            deliveries.insert(key, Delivery::Done);
        }
        for withdrawal in withdrawals(&desired, &owner, &scene, &deliveries) {
            changed = true;
            match withdrawal.on_end() {
                OnEnd::Delete => drop(self.objects.remove(withdrawal.key())),
                OnEnd::Retain => {
                    let version = self.tick();
                    let object = self.objects.get_mut(withdrawal.key()).unwrap();
                    object.is_labelled_by_hand = false;
                    object.labels.insert(IN_FORCE.to_owned(), OVER.to_owned());
                    object.version = version;
                }
            }
        }
        (changed, deliveries)
    }

    fn carry_out(&mut self, owner: &Owner, key: &ObjectKey, change: &Change, content: &ObjectContent) {
        let version = self.tick();
        let ObjectData::ConfigMap(data) = &content.data else { panic!() };
        match change {
            Change::Create => {
                let object = Object {
                    uid: version,
                    version,
                    controller: Some(owner.uid().to_string()),
                    is_labelled_by_hand: false,
                    labels: content.labels.clone(),
                    annotations: content.annotations.clone(),
                    data: data.clone(),
                };
                assert_eq!(self.objects.insert(key.clone(), object), None, "{key}");
            }
            Change::Update(edit) => {
                let object = self.objects.get_mut(key).unwrap();
                assert_eq!((object.uid.to_string().as_str(), object.version), (&*edit.uid, edit.version));
                object.version = version;
                object.labels.retain(|key, _| !edit.drop_labels.contains(key));
                object.labels.extend(content.labels.clone());
                object.annotations.retain(|key, _| !edit.drop_annotations.contains(key));
                object.annotations.extend(content.annotations.clone());
                object.data.retain(|key, _| !edit.drop_keys.contains(key));
                object.data.extend(data.clone());
                if edit.takes_over {
                    object.controller = Some(owner.uid().to_string());
                }
            }
            Change::Recreate(_) => panic!("nothing here is immutable"),
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Ask(organization, name, Some(wanted)) => drop(self.wanted.insert((organization, name), wanted)),
            Event::Ask(organization, name, None) => drop(self.wanted.remove(&(organization, name))),
            Event::Move(namespace, Some(organization)) => drop(self.holders.insert(namespace, organization)),
            Event::Move(namespace, None) => drop(self.holders.remove(&namespace)),
            Event::Meddle(namespace, name, how) => self.meddle(&key(NAMESPACES[namespace], NAMES[name]), &how),
        }
    }

    fn meddle(&mut self, key: &ObjectKey, how: &Meddling) {
        let version = self.tick();
        if let Meddling::Make = how {
            let by_hand = Object {
                uid: version,
                version,
                controller: None,
                labels: Pairs::new(),
                annotations: Pairs::new(),
                data: texts(&[("by", "hand")]),
                is_labelled_by_hand: false,
            };
            self.objects.entry(key.clone()).or_insert(by_hand);
            return;
        }
        let Some(object) = self.objects.get_mut(key) else { return };
        object.version = version;
        match how {
            Meddling::Delete => drop(self.objects.remove(key)),
            Meddling::ChangeData => object.data = texts(&[("by", "hand")]),
            Meddling::TakeManager => drop(object.labels.remove(MANAGED_BY)),
            Meddling::TakeOwner => object.controller = None,
            Meddling::Label => {
                let before = object.labels.insert(IN_FORCE.to_owned(), OVER.to_owned());
                object.is_labelled_by_hand |= before.is_none();
            }
            Meddling::Unlabel => drop(object.labels.remove(IN_FORCE)),
            Meddling::Make => {}
        }
    }
}

impl Object {
    fn observed(&self) -> Observed {
        let marks = |pairs: &Pairs| {
            Marks::new(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())), pairs.keys().cloned())
        };
        Observed {
            uid: self.uid.to_string().into(),
            version: self.version,
            organization: Observed::organization_in(&self.labels).map(Into::into),
            controller: self.controller.as_deref().map(Into::into),
            made_for: Attribution::of(Some(&self.labels), Some(&self.annotations), |_| true),
            fate: Fate::of(Some(&self.labels), Some(&self.annotations), |key| {
                key != IN_FORCE || !self.is_labelled_by_hand
            }),
            naming: Naming::Itself,
            authorship: Authorship::Whole,
            labels: marks(&self.labels),
            annotations: marks(&self.annotations),
            data: fingerprint(&ObjectData::ConfigMap(self.data.clone())),
            keys: self.data.keys().map(|key| key.as_str().into()).collect(),
            has_binary_data: false,
            secret_type: None,
            is_fixed: false,
            is_terminating: false,
            finalizer: None,
        }
    }

    /// The organization that has it, where nobody took it over.
    fn organization(&self) -> Option<usize> {
        let observed = self.observed();
        (0..ORGANIZATIONS.len()).find(|index| {
            observed.organization.as_deref() == Some(ORGANIZATIONS[*index])
                && observed.controller.as_deref() == Some(&uid(*index))
        })
    }
}

fn uid(organization: usize) -> String {
    format!("uid-{}", ORGANIZATIONS[organization])
}

fn id(organization: usize, wanted: &Wanted) -> GrantId {
    grant(&format!("{}-{}", ORGANIZATIONS[organization], wanted.grant))
}

fn content(organization: usize, wanted: &Wanted) -> ObjectContent {
    let mut annotations = Pairs::new();
    annotations.insert(SourceKind::Instance.annotation().to_owned(), id(organization, wanted).to_string());
    if wanted.lasts {
        annotations.insert(ON_END.to_owned(), RETAIN.to_owned());
    }
    ObjectContent {
        labels: texts(&[(MANAGED_BY, MANAGER), (ORGANIZATION, ORGANIZATIONS[organization])]),
        annotations,
        data: ObjectData::ConfigMap(texts(&[("value", &wanted.data.to_string())])),
    }
}

/// Reconciles both organizations until nothing changes, and returns what came of what they want.
fn settle(world: &mut World) -> BTreeMap<ObjectKey, Delivery> {
    for _ in 0..ROUNDS {
        let rounds = [world.reconcile(0), world.reconcile(1)];
        if rounds.iter().all(|(changed, _)| !changed) {
            return rounds.into_iter().flat_map(|(_, deliveries)| deliveries).collect();
        }
    }
    panic!("they go on writing");
}

fn check(world: &World, before: &BTreeMap<ObjectKey, Object>, deliveries: &BTreeMap<ObjectKey, Delivery>) {
    for organization in 0..ORGANIZATIONS.len() {
        for (key, desired) in world.desired(organization).objects {
            let Wish::Write(content) = &desired.wish else { panic!() };
            let object = &world.objects[&key];
            match &deliveries[&key] {
                Delivery::Done => {
                    assert!(object.observed().is_as(content), "{key}: {object:?}");
                    assert_eq!(object.organization(), Some(organization), "{key}");
                }
                // Not its own, and not one that was kept: it is as it was found.
                Delivery::Conflict => {
                    assert_ne!(object.organization(), Some(organization), "{key}");
                    assert!(!object.observed().yields(), "{key}");
                    assert_eq!(before.get(&key), Some(object), "{key}");
                }
                other => panic!("{key}: {other:?}"),
            }
        }
    }
    for (key, object) in &world.objects {
        let is_wanted = deliveries.get(key) == Some(&Delivery::Done);
        match object.organization() {
            // Its name may be another's in whose way it stands, but only as long as its grant wants another name there.
            Some(_) if !is_wanted && object.observed().fate != Fate::Retained => {
                let blocked = deliveries
                    .iter()
                    .any(|(other, delivery)| *delivery == Delivery::Conflict && other.namespace == key.namespace);
                assert!(blocked, "{key} is left over: {object:?}");
            }
            // What nobody asks for keeps its data.
            _ if !is_wanted => {
                assert_eq!(before.get(key).map(|before| &before.data), Some(&object.data), "{key}");
            }
            _ => {}
        }
    }
    // What was to last is there, unless a hand deleted it.
    for (key, object) in before {
        if object.observed().fate != Fate::Delete {
            assert!(world.objects.get(key).is_some_and(|after| after.uid == object.uid), "{key} was lost");
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_it_settles_and_nothing_is_lost_or_left_over(events in prop::collection::vec(event(), 1..40)) {
        let mut world = World { holders: [(0, 0), (1, 1)].into(), ..World::default() };
        for event in events {
            world.happen(event);
            let before = world.objects.clone();
            let deliveries = settle(&mut world);
            check(&world, &before, &deliveries);
        }
    }
}
