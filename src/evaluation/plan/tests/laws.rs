//! What holds of the objects whatever happens to them: two organizations, whose grants and namespaces come and go, plan until
//! nothing changes any more, while hands meddle with what is there.

use super::{
    cluster::{Cluster, Object, Pairs, bytes},
    grant, key, texts,
};
use crate::{
    core::{grant::GrantId, source::SourceKind},
    evaluation::{
        delivery::Desired,
        object::{
            DesiredObject, IN_FORCE, MANAGED_BY, MANAGER, ON_END, ORGANIZATION, OVER, ObjectContent, ObjectData,
            ObjectKey, RETAIN, Wish,
        },
        plan::{Delivery, Fate, Owner},
    },
};
use proptest::prelude::*;
use std::{collections::BTreeMap, sync::Arc};

const ORGANIZATIONS: [&str; 2] = ["acme", "globex"];
const NAMESPACES: [&str; 2] = ["one", "two"];
const NAMES: [&str; 3] = ["a", "b", "c"];
/// More rounds than it takes.
const ROUNDS: usize = 5;

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
    cluster: Cluster,
    wanted: BTreeMap<(usize, usize), Wanted>,
    holders: BTreeMap<usize, usize>,
}

impl World {
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

    fn reconcile(&mut self, organization: usize) -> (bool, BTreeMap<ObjectKey, Delivery>) {
        self.cluster.reconcile(&self.desired(organization), &self.owner(organization))
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
        let version = self.cluster.tick();
        if let Meddling::Make = how {
            let by_hand = Object {
                uid: version,
                version,
                controller: None,
                labels: Pairs::new(),
                annotations: Pairs::new(),
                data: bytes(&[("by", "hand")]),
                secret_type: None,
                is_labelled_by_hand: false,
            };
            self.cluster.objects.entry(key.clone()).or_insert(by_hand);
            return;
        }
        let Some(object) = self.cluster.objects.get_mut(key) else { return };
        object.version = version;
        match how {
            Meddling::Delete => drop(self.cluster.objects.remove(key)),
            Meddling::ChangeData => object.data = bytes(&[("by", "hand")]),
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

/// The organization that has an object, where nobody took it over.
fn holder(object: &Object) -> Option<usize> {
    let observed = object.observed();
    (0..ORGANIZATIONS.len()).find(|index| {
        observed.organization.as_deref() == Some(ORGANIZATIONS[*index])
            && observed.controller.as_deref() == Some(&uid(*index))
    })
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
            let object = &world.cluster.objects[&key];
            match &deliveries[&key] {
                Delivery::Done => {
                    assert!(object.observed().is_as(content), "{key}: {object:?}");
                    assert_eq!(holder(object), Some(organization), "{key}");
                }
                // Not its own, and not one that was kept: it is as it was found.
                Delivery::Conflict => {
                    assert_ne!(holder(object), Some(organization), "{key}");
                    assert!(!object.observed().yields(), "{key}");
                    assert_eq!(before.get(&key), Some(object), "{key}");
                }
                other => panic!("{key}: {other:?}"),
            }
        }
    }
    for (key, object) in &world.cluster.objects {
        let is_wanted = deliveries.get(key) == Some(&Delivery::Done);
        match holder(object) {
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
            assert!(world.cluster.objects.get(key).is_some_and(|after| after.uid == object.uid), "{key} was lost");
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_it_settles_and_nothing_is_lost_or_left_over(events in prop::collection::vec(event(), 1..40)) {
        let mut world = World { holders: [(0, 0), (1, 1)].into(), ..World::default() };
        for event in events {
            world.happen(event);
            let before = world.cluster.objects.clone();
            let deliveries = settle(&mut world);
            check(&world, &before, &deliveries);
        }
    }
}
