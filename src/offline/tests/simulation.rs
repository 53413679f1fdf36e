//! A timeline, in which each definition goes its way by itself, is the same as one by evaluating the whole organization at each
//! moment.

use super::{
    definition,
    entangled::{grants, hour, inventory},
    organization,
};
use crate::{
    api::{
        EntitlementInstanceStatus,
        entitlement_definition::OutputKind,
        lifecycle::AmendmentState,
        organization::{Flags, Summary},
    },
    core::{
        calendar::{Instant, format_instant},
        grant::{Grant, GrantId},
        source::{SourceKind, instance},
    },
    evaluation::{
        Evaluation, Snapshot, evaluate,
        holding::{Holding, Member},
        object::{
            CONTENT_HASH, DEFINITION, MANAGED_BY, MANAGER, ON_END, ORGANIZATION, ObjectContent, ObjectKey, RETAIN, Wish,
        },
        plan::{
            Owner,
            tests::cluster::{Cluster, Object, Pairs},
        },
        status::{Delivered, instance_status},
    },
    offline::simulation::Simulation,
    offline::{Bounds, GrantState, Inventory, ObjectAction, Timeline, TimelineStep, survey::owner},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// An organization that is evaluated as a whole, and whose objects an operator brings up to date at each moment.
struct Whole {
    snapshot: Snapshot,
    evaluation: Evaluation,
    owner: Owner,
    cluster: Cluster,
    /// What of each object is told: an operator knows no more of what it has not written itself.
    contents: BTreeMap<ObjectKey, Option<Arc<ObjectContent>>>,
}

impl Whole {
    fn start(snapshot: Snapshot, now: Instant) -> Self {
        Self::follow(snapshot, Cluster::default(), BTreeMap::new(), now)
    }

    /// It comes after another one, which has left objects behind.
    fn after(snapshot: Snapshot, old: Self, now: Instant) -> Self {
        Self::follow(snapshot, old.cluster, old.contents, now)
    }

    fn follow(
        snapshot: Snapshot,
        cluster: Cluster,
        contents: BTreeMap<ObjectKey, Option<Arc<ObjectContent>>>,
        now: Instant,
    ) -> Self {
        let owner = owner(&snapshot, cluster.objects.keys().map(|key| Arc::clone(&key.namespace)));
        let evaluation = evaluate(&snapshot, now);
        let mut whole = Self { snapshot, evaluation, owner, cluster, contents };
        whole.deliver();
        whole.remember();
        whole
    }

    fn remember(&mut self) {
        for (grant, status) in self.snapshot.grants.iter_mut().zip(statuses(&self.evaluation)) {
            *grant = Arc::new(instance::remembering(Grant::clone(grant), &status));
        }
    }

    /// What is there, and whether it is kept as no longer in force.
    fn present(&self) -> Vec<(&ObjectKey, bool)> {
        self.cluster.objects.iter().map(|(key, object)| (key, object.is_over())).collect()
    }

    fn deliver(&mut self) -> Vec<String> {
        let before = self.cluster.objects.clone();
        self.suppose();
        while self.cluster.reconcile(&self.evaluation.desired, &self.owner).0 {}
        let keys: BTreeSet<ObjectKey> = before.keys().chain(self.cluster.objects.keys()).cloned().collect();
        let mut told: Vec<String> = keys
            .iter()
            .filter_map(|key| self.difference(key, before.get(key), self.cluster.objects.get(key)))
            .collect();
        for (key, object) in &self.cluster.objects {
            if let Some(Wish::Write(content)) = self.evaluation.desired.objects.get(key).map(|desired| &desired.wish)
                && object.observed().is_as(content)
            {
                self.contents.insert(key.clone(), Some(Arc::clone(content)));
            }
        }
        told.sort();
        told
    }

    /// What should stay as it is may be there already, for all that is known.
    fn suppose(&mut self) {
        for (key, desired) in &self.evaluation.desired.objects {
            if !matches!(desired.wish, Wish::Keep) || self.cluster.objects.contains_key(key) {
                continue;
            }
            let mut annotations = Pairs::new();
            let mut labels = Pairs::from(
                [(MANAGED_BY, MANAGER), (ORGANIZATION, &**self.owner.name())]
                    .map(|(key, value)| (key.to_owned(), value.to_owned())),
            );
            if let Some(GrantId { source, definition }) = &desired.grant {
                annotations.insert(source.kind.annotation().to_owned(), source.to_string());
                labels.insert(DEFINITION.to_owned(), definition.to_string());
            }
            if desired.is_retained {
                annotations.insert(ON_END.to_owned(), RETAIN.to_owned());
            }
            let object = Object {
                uid: 0,
                version: 0,
                controller: Some(self.owner.uid().to_string()),
                labels,
                annotations,
                data: BTreeMap::new(),
                secret_type: (key.kind == OutputKind::Secret).then(|| "Opaque".into()),
                is_labelled_by_hand: false,
            };
            self.cluster.objects.insert(key.clone(), object);
            self.contents.insert(key.clone(), None);
        }
    }

    fn difference(&self, key: &ObjectKey, before: Option<&Object>, after: Option<&Object>) -> Option<String> {
        let action = match (before.map(Object::is_over), after.map(Object::is_over)) {
            (None | Some(true), Some(false)) => ObjectAction::Delivered,
            (Some(false), Some(true)) => ObjectAction::Retained,
            (Some(_), None) => ObjectAction::Withdrawn,
            (Some(false), Some(false)) if held_by(before) != held_by(after) => ObjectAction::Changed,
            _ => return None,
        };
        let former = self.contents.get(key).cloned().flatten();
        let (content, object) = match action {
            ObjectAction::Withdrawn | ObjectAction::Retained => (former, before),
            ObjectAction::Delivered | ObjectAction::Changed => match &self.evaluation.desired.objects[key].wish {
                Wish::Write(content) => (Some(Arc::clone(content)), after),
                Wish::Keep | Wish::Refuse(_) => (None, after),
            },
        };
        let grant = object
            .and_then(|object| object.observed().made_for)
            .and_then(|made_for| Some(GrantId { source: made_for.source, definition: made_for.definition? }));
        Some(self::object(key, action, grant.as_ref(), content.as_deref()))
    }

    fn go_on(&mut self, now: Instant) -> Vec<String> {
        let before = std::mem::replace(&mut self.evaluation, evaluate(&self.snapshot, now));
        let mut told = Vec::new();
        let statuses = statuses(&before).into_iter().zip(statuses(&self.evaluation));
        let members = before.decision.grants().zip(self.evaluation.decision.grants());
        for ((grant, (before, after)), ((_, earlier), (_, later))) in
            self.snapshot.grants.iter().zip(statuses).zip(members)
        {
            let (old, new) = (GrantState::of(earlier), GrantState::of(later));
            let effective = |status: &EntitlementInstanceStatus| -> BTreeSet<String> {
                let all = status.amendments.iter().filter(|one| one.state == AmendmentState::Effective);
                all.map(|one| one.name.clone()).collect()
            };
            let amendments: Vec<String> = effective(&after).difference(&effective(&before)).cloned().collect();
            let given = &grant.remembered.notices;
            let notices: Vec<_> = after.notices.iter().filter(|one| !given.contains(one)).collect();
            let notices = if later.reminders.due.is_empty() { Vec::new() } else { notices };
            if old != new || !amendments.is_empty() || !notices.is_empty() {
                told.push(format!("{} {old:?} {new:?} {:?} {amendments:?} {notices:?}", grant.id, after.renewed_by));
            }
        }
        let entry = |evaluation: &Evaluation, name: &str| {
            let entry = evaluation.desired.summary.as_ref().and_then(|summary| summary.entitlements.get(name).cloned());
            entry.map_or((false, None, None), |entry| {
                let facets = entry.entitled.then(|| entry.facets.clone());
                (entry.entitled, entry.amount.clone().filter(|_| entry.entitled), facets)
            })
        };
        for name in self.snapshot.catalogue.keys() {
            let (old, new) = (entry(&before, name), entry(&self.evaluation, name));
            if old != new {
                told.push(format!("{name} {old:?} {new:?}"));
            }
        }
        told.extend(self.deliver());
        self.remember();
        told
    }
}

/// Of each grant, whatever its source is.
fn statuses(evaluation: &Evaluation) -> Vec<EntitlementInstanceStatus> {
    let Evaluation { decision, desired } = evaluation;
    let status = |(holding, member): (&Holding, &Member)| {
        let delivered = Delivered::ideally(desired.grants.get(&member.grant.id));
        instance_status(holding, member, &delivered, decision.at)
    };
    decision.grants().map(status).collect()
}

/// What an object holds, whichever write it is from.
fn held_by(object: Option<&Object>) -> Option<Object> {
    object.map(|object| Object { uid: 0, version: 0, ..object.clone() })
}

fn object(key: &ObjectKey, action: ObjectAction, grant: Option<&GrantId>, content: Option<&ObjectContent>) -> String {
    let marks = content.map(|content| {
        let mut annotations = content.annotations.clone();
        if grant.is_none() {
            annotations.remove(CONTENT_HASH);
        }
        (content.labels.clone(), annotations)
    });
    format!("{key} {action:?} {grant:?} {marks:?}")
}

fn told(step: &TimelineStep) -> Vec<String> {
    let grants = step.grants.iter().map(|change| {
        let notices: Vec<_> = change.notices.iter().collect();
        format!(
            "{} {:?} {:?} {:?} {:?} {notices:?}",
            change.grant, change.before, change.after, change.renewed_by, change.amendments
        )
    });
    let held = |held: &super::super::HoldingState| {
        let facets = held.entitled.then(|| held.facets.clone());
        (held.entitled, held.amount.clone().filter(|_| held.entitled), facets)
    };
    let holdings =
        step.holdings.iter().map(|(name, (before, after))| format!("{name} {:?} {:?}", held(before), held(after)));
    let mut objects: Vec<String> = step
        .objects
        .iter()
        .map(|change| object(&change.key, change.action, change.grant.as_ref(), change.content.as_deref()))
        .collect();
    objects.sort();
    grants.chain(holdings).chain(objects).collect()
}

fn bounds() -> Bounds {
    Bounds { from: hour(0).into(), to: None, steps: 10_000, work: 1_000_000 }
}

fn whole(inventory: &Inventory) -> Snapshot {
    inventory.snapshots(&inventory.catalogue()).into_iter().next().unwrap()
}

/// Both ways, moment by moment.
fn compare(inventory: &Inventory) -> Result<usize, TestCaseError> {
    let timeline = inventory.timeline(&bounds(), |_| true);
    go_together(&timeline, Whole::start(whole(inventory), hour(0)))
}

/// The same of objects that come after others.
fn compare_after(old: &Inventory, new: &Inventory) -> Result<usize, TestCaseError> {
    let mut new = new.clone();
    new.follow(old, hour(0));
    let before = old.timeline(&bounds(), |_| true);
    let timeline = new.timeline_after(&before, &bounds(), |_| true, &mut |_| {});
    go_together(&timeline, Whole::after(whole(&new), Whole::start(whole(old), hour(0)), hour(0)))
}

fn go_together(timeline: &Timeline, mut whole: Whole) -> Result<usize, TestCaseError> {
    let mut steps = timeline.steps.iter().filter(|step| step.at > hour(0)).peekable();
    let departure = timeline.departures["acme"].objects.iter();
    let departure: Vec<(&ObjectKey, bool)> = departure.map(|(key, object)| (key, object.is_over())).collect();
    prop_assert_eq!(departure, whole.present());
    let mut moments = 0;
    while let Some(next) = whole.evaluation.decision.next {
        let expected = whole.go_on(next);
        let found = steps.next_if(|step| step.at == next).map(told).unwrap_or_default();
        prop_assert_eq!(found, expected, "{}", next);
        moments += 1;
    }
    prop_assert!(steps.next().is_none());
    Ok(moments)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn each_definition_by_itself_gives_the_same_as_all_together(
        grants in grants(),
        sources in any::<bool>(),
        flags in prop::sample::select(vec![Flags::Held, Flags::All]),
    ) {
        compare(&inventory(&grants, &Summary { sources, flags, ..Summary::default() }))?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn so_it_does_after_others(old in grants(), new in grants(), name in prop::sample::select(vec!["entitlements", "other"])) {
        let summary = Summary { name: name.to_owned(), ..Summary::default() };
        compare_after(&inventory(&old, &Summary::default()), &inventory(&new, &summary))?;
    }
}

/// Every other grant comes from another source, and has its objects together with the instances of its definition where an
/// organization can hold that only once.
fn with_other_sources(inventory: &Inventory) -> Snapshot {
    let mut snapshot = whole(inventory);
    for grant in snapshot.grants.iter_mut().step_by(2) {
        let grant = Arc::make_mut(grant);
        grant.id.source.kind = SourceKind::Bundle;
        grant.age.kind = SourceKind::Bundle;
    }
    snapshot.grants.sort_by(|one, other| one.id.cmp(&other.id));
    snapshot
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn so_it_does_with_other_sources_beside_instances(grants in grants()) {
        let snapshot = with_other_sources(&inventory(&grants, &Summary::default()));
        let (mut simulation, _) = Simulation::start(&snapshot, BTreeMap::new(), hour(0));
        let mut whole = Whole::start(snapshot, hour(0));
        let there: Vec<_> = simulation.objects().iter().map(|(key, object)| (key, object.is_over())).collect();
        prop_assert_eq!(there, whole.present());
        while let Some(next) = whole.evaluation.decision.next {
            let is_due = simulation.next() == Some(next);
            let found = if is_due { told(&simulation.go_on(next)) } else { Vec::new() };
            prop_assert_eq!(found, whole.go_on(next), "{}", next);
        }
        prop_assert_eq!(simulation.next(), None);
    }
}

/// Grants of definitions of their own: one with a text of that length, and 20 that begin one after the other; and definitions
/// that are not held.
fn growing(length: usize, flags: Flags) -> Inventory {
    let mut inventory = Inventory::new(super::now(), "entitlement-operator");
    let mut acme = organization("acme", &["acme"], &json!({}));
    acme.spec.summary.flags = flags;
    inventory.add_organization(acme);
    for name in ["e", "f"] {
        inventory.add_definition(definition(name, &json!({"type": "Feature"})));
    }
    let schema = json!({"type": "object", "properties": {"text": {"type": "string"}}});
    let feature = json!({"type": "Feature", "facets": [{"name": "f", "schema": schema}]});
    for (index, length) in [length, 300_000, 300_000].into_iter().chain((0..20).map(|index| index % 3)).enumerate() {
        let name = format!("d{index}");
        inventory.add_definition(definition(&name, &feature));
        let facets = json!({"f": {"text": "x".repeat(length)}});
        let start = format_instant(hour(i64::try_from(index).unwrap() - 2));
        let spec = json!({"organization": "acme", "definition": name, "start": start, "facets": facets});
        inventory.add_instance(super::instance("entitlements", &name, &spec, &Value::Null));
    }
    inventory
}

/// The size decides whether a summary is written, so it is known to the byte without writing it.
#[rstest::rstest]
fn a_summary_is_too_large_at_the_same_moment(#[values(Flags::Held, Flags::All)] flags: Flags) {
    // So long that it has no flag.
    let base = 100_000;
    let bytes = |at: Instant| {
        let inventory = growing(base, flags);
        let snapshot = inventory.snapshots(&inventory.catalogue()).into_iter().next().unwrap();
        let evaluation = evaluate(&snapshot, at);
        let Wish::Write(content) = &evaluation.desired.objects.values().next().unwrap().wish else { panic!() };
        crate::evaluation::plan::data_bytes(&content.data)
    };
    // The limit is passed somewhere on the way, each time at another byte.
    let middle = usize::midpoint(bytes(hour(0)), bytes(hour(30)));
    for more in 0..2 {
        let length = base + crate::evaluation::plan::MAX_DATA_BYTES - middle + more;
        assert_eq!(compare(&growing(length, flags)).unwrap(), 20);
        let timeline = growing(length, flags).timeline(&bounds(), |_| true);
        let told = timeline.steps.iter().filter(|step| !step.objects.is_empty()).count();
        assert!((5..15).contains(&told), "{told}");
    }
}

#[test]
fn the_work_is_that_of_what_changes() {
    let mut inventory = Inventory::new(super::now(), "entitlement-operator");
    inventory.add_organization(organization("acme", &["acme"], &json!({})));
    let count = 300;
    for index in 0..count {
        let name = format!("d{index}");
        inventory.add_definition(definition(&name, &json!({"type": "Feature", "renewalNotices": []})));
        let end = format_instant(hour(2 + index));
        let spec = json!({"organization": "acme", "definition": name, "start": format_instant(hour(1)), "end": end});
        inventory.add_instance(super::instance("entitlements", &name, &spec, &Value::Null));
    }
    // All begin at once, and each ends by itself: so many evaluations of a grant, and no more.
    let work = 21 * 2 * usize::try_from(count).unwrap();
    let timeline = |work| inventory.timeline(&Bounds { work, ..bounds() }, |_| true);
    assert_eq!((timeline(work).steps.len(), timeline(work).end), (301, super::super::End::Nothing));
    assert!(matches!(timeline(work - 1).end, super::super::End::TooMuch(_, super::super::Limit::Work)));
}
