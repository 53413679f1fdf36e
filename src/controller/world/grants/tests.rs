//! What is kept of grants while events come is what looking through all of them gives, whatever comes, in whatever order.

use super::Grants;
use crate::{
    api::{EntitlementInstance, GRANTED_AT, Organization},
    controller::{
        guarded::Guarded,
        world::{
            WorkItem, World,
            tests::{as_written, empty, fetched, organization, read},
        },
    },
    core::{
        calendar::parse_instant,
        source::{SourceId, SourceKind},
    },
};
use kube::runtime::watcher::Event;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    fmt::Debug,
    sync::Arc,
};

const PLACES: usize = 4;
const NAMESPACES: [&str; 2] = ["entitlements", "elsewhere"];
const ORGANIZATIONS: [&str; 3] = ["acme", "globex", "nobody"];
const NOW: &str = "2027-01-01T00:00:00Z";

#[derive(Clone, Debug)]
enum Step {
    /// Somebody makes or edits an instance.
    Edit(usize, usize),
    /// Somebody writes what the operator cannot read.
    Spoil(usize),
    /// The operator writes a status, and knows it before its watch does.
    Write(usize, usize),
    Delete(usize),
    /// An organization lets itself be named from these of the namespaces, or is gone.
    Allow(usize, Option<usize>),
    /// The operator asks for an instance; the answer comes later.
    Ask(usize),
    Answer,
    /// The operator may not read an instance again.
    Refuse(usize),
    /// The watch tells of so many changes.
    Hear(usize),
    /// The watch breaks off, lists anew, and something happens before it is through.
    List(Option<(usize, usize)>, Option<usize>),
}

fn step() -> impl Strategy<Value = Step> {
    let place = || 0..PLACES;
    prop_oneof![
        4 => (place(), 0..SPECS).prop_map(|(place, spec)| Step::Edit(place, spec)),
        1 => place().prop_map(Step::Spoil),
        4 => (place(), 0..STATUSES).prop_map(|(place, status)| Step::Write(place, status)),
        2 => place().prop_map(Step::Delete),
        2 => (0..2_usize, prop::option::weighted(0.8, 0..4_usize)).prop_map(|(of, from)| Step::Allow(of, from)),
        1 => place().prop_map(Step::Ask),
        1 => Just(Step::Answer),
        1 => place().prop_map(Step::Refuse),
        6 => (1..5_usize).prop_map(Step::Hear),
        1 => (prop::option::of((place(), 0..STATUSES)), prop::option::of(place()))
            .prop_map(|(write, delete)| Step::List(write, delete)),
    ]
}

const SPECS: usize = 72;

fn spec(number: usize) -> Value {
    let of = |all: &[&str], at: usize| all[at % all.len()].to_owned();
    let secrets =
        json!([{"facet": "f", "field": "p", "secretKeyRef": {"name": of(&["a", "b"], number / 36), "key": "k"}}]);
    json!({
        "organization": of(&ORGANIZATIONS, number),
        "definition": of(&["backup", "seats"], number / 3),
        "state": of(&["Active", "Draft", "Cancelled"], number / 6),
        "secretFacets": if (number / 18).is_multiple_of(2) { json!([]) } else { secrets },
    })
}

const STATUSES: usize = 8;

fn status(number: usize) -> Value {
    let accepted = json!({"timeZone": "UTC"});
    let refused = |reason: &str| {
        json!([{
            "type": "Accepted", "status": "False", "reason": reason, "message": "no", "observedGeneration": 1,
            "lastTransitionTime": NOW,
        }])
    };
    let wrong = |facet: &str| json!({"facet": facet, "pointer": "", "rule": "type", "message": "no"});
    let next = |at: &str| json!({"at": at, "phase": "Expired"});
    match number {
        0 => Value::Null,
        1 => json!({"phase": "Rejected", "conditions": refused("Duplicate")}),
        2 => json!({"phase": "Rejected", "conditions": refused("NamespaceNotAllowed")}),
        3 => json!({"phase": "Waiting", "accepted": accepted, "nextTransition": next("2027-02-01T00:00:00Z")}),
        4 => json!({"phase": "Expired", "accepted": accepted}),
        5 => json!({"phase": "Suspended", "accepted": accepted, "violations": [wrong("f")]}),
        _ => json!({
            "phase": "Active", "accepted": accepted, "end": "2027-01-03T00:00:00Z",
            "nextTransition": next(if number == 6 { "2026-12-31T23:00:00Z" } else { "2027-01-03T00:00:00Z" }),
            "violations": if number == 6 { json!([wrong("f"), wrong("g")]) } else { json!([]) },
        }),
    }
}

fn id(place: usize) -> SourceId {
    SourceId::instance(NAMESPACES[place % 2], &format!("g{place}"))
}

/// An API server, the watch of its instances, and who watches.
struct Cluster {
    version: u64,
    made: u64,
    instances: BTreeMap<usize, Value>,
    organizations: BTreeMap<usize, Guarded<Organization>>,
    /// What the watch has not told yet.
    untold: VecDeque<Event<Value>>,
    /// Answers that are under way: of which instance, of which UID the operator knew when it asked, and what was found.
    answers: VecDeque<(SourceId, Option<Arc<str>>, Option<Value>)>,
    world: World,
}

impl Cluster {
    fn new() -> Self {
        Self {
            version: 10,
            made: 0,
            instances: BTreeMap::new(),
            organizations: BTreeMap::new(),
            untold: VecDeque::new(),
            answers: VecDeque::new(),
            world: empty(),
        }
    }

    fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// An instance, or a new one.
    fn take(&mut self, place: usize) -> Value {
        self.instances.remove(&place).unwrap_or_else(|| {
            self.made += 1;
            let SourceId { namespace, name, .. } = id(place);
            json!({"metadata": {
                "namespace": &*namespace, "name": &*name, "uid": format!("uid-{}", self.made), "generation": 0,
                "creationTimestamp": format!("2026-01-01T00:00:{:02}Z", self.made % 3),
            }})
        })
    }

    fn store(&mut self, place: usize, mut instance: Value) -> Value {
        instance["metadata"]["resourceVersion"] = self.next_version().to_string().into();
        self.untold.push_back(Event::Apply(instance.clone()));
        self.instances.insert(place, instance.clone());
        instance
    }

    fn edit(&mut self, place: usize, spec: Value) {
        let mut instance = self.take(place);
        instance["metadata"]["generation"] = (instance["metadata"]["generation"].as_u64().unwrap() + 1).into();
        instance["metadata"]["annotations"] =
            json!({GRANTED_AT: format!("2026-01-0{}T00:00:00Z", 1 + self.version % 3)});
        instance["spec"] = spec;
        self.store(place, instance);
    }

    fn write(&mut self, place: usize, status: Value) {
        let Some(mut instance) = self.instances.get(&place).filter(|instance| instance["spec"].is_object()).cloned()
        else {
            return;
        };
        instance["status"] = status;
        let written = self.store(place, instance);
        self.world.wrote_source(as_written(written));
    }

    fn delete(&mut self, place: usize) {
        let Some(mut instance) = self.instances.remove(&place) else { return };
        instance["metadata"]["resourceVersion"] = self.next_version().to_string().into();
        self.untold.push_back(Event::Delete(instance));
    }

    fn allow(&mut self, of: usize, from: Option<usize>) {
        let version = self.next_version();
        let mut changed = organization(ORGANIZATIONS[of], &[], version);
        match from {
            Some(from) => {
                let allowed = NAMESPACES.iter().enumerate().filter(|(bit, _)| from >> bit & 1 == 1);
                let allowed = allowed.map(|(_, namespace)| (*namespace).to_owned()).collect();
                changed.0.as_mut().unwrap().spec.assignable_from = allowed;
                self.organizations.insert(of, changed.clone());
                self.world.observe_organization(Event::Apply(changed));
            }
            None if self.organizations.remove(&of).is_some() => {
                self.world.observe_organization(Event::Delete(changed));
            }
            None => {}
        }
    }

    fn ask(&mut self, id: SourceId, place: usize) {
        let known = self.world.uid_of(&id);
        self.answers.push_back((id, known, self.instances.get(&place).cloned()));
    }

    fn answer(&mut self) {
        let Some((id, known, found)) = self.answers.pop_front() else { return };
        self.world.fetched_source::<EntitlementInstance>(&id, known.as_ref(), found.map(fetched));
    }

    fn hear_answers(&mut self) {
        while !self.answers.is_empty() {
            self.answer();
        }
    }

    fn hear(&mut self, count: usize) {
        for event in self.untold.drain(..count.min(self.untold.len())).collect::<Vec<_>>() {
            self.world.observe_instance(match event {
                Event::Apply(instance) => Event::Apply(read(instance)),
                Event::Delete(instance) => Event::Delete(read(instance)),
                _ => unreachable!(),
            });
        }
    }

    /// The list that is under way has these.
    fn name(&mut self, listed: &[Value]) {
        for instance in listed {
            self.world.observe_instance(Event::InitApply(read(instance.clone())));
        }
    }

    fn list(&mut self, write: Option<(usize, usize)>, delete: Option<usize>) {
        self.untold.clear();
        let listed: Vec<Value> = self.instances.values().cloned().collect();
        let (first, rest) = listed.split_at(listed.len() / 2);
        // One that is cut off says nothing of what it has not named.
        self.world.observe_instance(Event::Init);
        self.world.observe_instance(Event::Init);
        self.name(first);
        if let Some((place, number)) = write {
            self.write(place, status(number));
        }
        if let Some(place) = delete {
            self.delete(place);
        }
        self.name(rest);
        self.world.observe_instance(Event::InitDone);
    }

    fn happen(&mut self, step: &Step) {
        match *step {
            Step::Edit(place, number) => self.edit(place, spec(number)),
            Step::Spoil(place) => self.edit(place, json!(7)),
            Step::Write(place, number) => self.write(place, status(number)),
            Step::Delete(place) => self.delete(place),
            Step::Allow(of, from) => self.allow(of, from),
            Step::Ask(place) => self.ask(id(place), place),
            Step::Answer => self.answer(),
            Step::Refuse(place) => self.world.source_is_unreadable(&id(place), "it may not be read"),
            Step::Hear(count) => self.hear(count),
            Step::List(write, delete) => self.list(write, delete),
        }
    }

    /// All is told, and what is to be read again is.
    fn settle(&mut self) {
        self.hear_answers();
        self.hear(usize::MAX);
        for item in self.world.take_work() {
            if let WorkItem::GrantSource(id) = item
                && self.world.awaits_source(&id)
            {
                let place = (0..PLACES).find(|place| self::id(*place) == id).unwrap();
                self.ask(id, place);
                self.answer();
            }
        }
    }

    /// How many instances of the API server are in each phase.
    fn phases(&self) -> BTreeMap<String, u64> {
        let mut phases = BTreeMap::new();
        for instance in self.instances.values() {
            let phase = instance["status"]["phase"].as_str().unwrap_or("Undecided");
            *phases.entry(phase.to_owned()).or_default() += 1;
        }
        phases
    }
}

/// The same grants, each taken in anew.
fn anew(grants: &Grants) -> Grants {
    let mut anew = Grants::default();
    let stores = [&grants.stores.instances, &grants.stores.subscriptions];
    for (id, kept) in stores.iter().flat_map(|store| store.iter()) {
        anew.link(id, kept);
    }
    let unreadable = stores.iter().flat_map(|store| store.unreadable_keys());
    anew.unreadable = unreadable.cloned().collect::<BTreeSet<_>>().into();
    anew
}

/// All that is kept beside the grants themselves.
fn kept(grants: &Grants) -> Vec<String> {
    fn sorted<K: Ord + Debug, V: Debug>(all: &HashMap<K, V>) -> String {
        format!("{:?}", all.iter().collect::<BTreeMap<_, _>>())
    }
    vec![
        sorted(&grants.by_organization),
        sorted(&grants.barred),
        sorted(&grants.barred_with),
        sorted(&grants.barred_to),
        sorted(&grants.by_definition),
        sorted(&grants.by_plan),
        sorted(&grants.by_namespace),
        format!("{:?}", grants.by_secret),
        ["backup", "seats"].map(|name| format!("{:?}", grants.invalid.all(name))).concat(),
        format!("{:?}", SourceKind::ALL.iter().map(|kind| grants.agenda(*kind)).collect::<Vec<_>>()),
        NAMESPACES.map(|namespace| format!("{:?}", grants.holders.to(namespace).collect::<Vec<_>>())).concat(),
        format!("{:?}", grants.unreadable),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_counted_is_what_there_is(steps in prop::collection::vec(step(), 1..40)) {
        let mut cluster = Cluster::new();
        for step in &steps {
            cluster.happen(step);
            let grants = &cluster.world.grants;
            prop_assert_eq!(kept(grants), kept(&anew(grants)), "{:?}", step);
        }
        // What can't be read is known by its last state, if at all: so all can be in the end.
        for place in 0..PLACES {
            let is_spoilt = cluster.instances.get(&place).is_some_and(|instance| !instance["spec"].is_object());
            if is_spoilt || cluster.world.grants.is_unreadable(&id(place)) {
                cluster.edit(place, spec(0));
            }
        }
        cluster.settle();
        let figures = cluster.world.figures(parse_instant(NOW).unwrap());
        let told = figures.phases.into_iter().filter(|(_, grants)| *grants > 0);
        prop_assert_eq!(told.map(|(phase, grants)| (phase.to_owned(), grants)).collect::<BTreeMap<_, _>>(), cluster.phases());
    }
}
