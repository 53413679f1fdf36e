//! A timeline, in which each definition goes its way by itself, is the same as one by evaluating the whole organization at each
//! moment.

use super::{definition, organization};
use crate::{
    api::{
        EntitlementInstance, EntitlementInstanceStatus,
        entitlement_instance::AmendmentState,
        organization::{Flags, Summary},
    },
    core::{
        calendar::{Instant, format_instant},
        grant::{Grant, GrantId},
        secret::Secret,
        source::instance,
    },
    evaluation::{
        Evaluation, Snapshot, evaluate,
        object::{CONTENT_HASH, ON_END, ObjectContent, ObjectKey, Wish},
        plan::{Delivery, Scene, writes},
        status::ideal,
    },
    offline::{Bounds, Inventory, ObjectAction, Standing, Step, survey::owner},
};
use chrono::TimeDelta;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub(super) fn hour(number: i64) -> Instant {
    super::now() + TimeDelta::hours(number)
}

/// An organization that is evaluated as a whole.
struct Whole {
    snapshot: Snapshot,
    evaluation: Evaluation,
    present: BTreeMap<ObjectKey, (Option<GrantId>, Option<Arc<ObjectContent>>)>,
}

impl Whole {
    fn start(snapshot: Snapshot, now: Instant) -> Self {
        let evaluation = evaluate(&snapshot, now);
        let mut whole = Self { snapshot, evaluation, present: BTreeMap::new() };
        whole.deliver();
        whole.remember();
        whole
    }

    fn remember(&mut self) {
        for (grant, status) in self.snapshot.grants.iter_mut().zip(ideal(&self.evaluation)) {
            *grant = Arc::new(instance::remembering(Grant::clone(grant), &status));
        }
    }

    fn deliver(&mut self) -> Vec<String> {
        let owner = owner(&self.snapshot);
        let writes = writes(&self.evaluation.desired, &owner, &Scene::default());
        let mut told = Vec::new();
        let grant_of = |key: &ObjectKey| self.evaluation.desired.objects[key].grant.clone();
        for (key, _, content) in writes.changes {
            let action = match self.present.get(&key) {
                Some((_, Some(before)))
                    if before.labels == content.labels && before.annotations == content.annotations =>
                {
                    continue;
                }
                Some(_) => ObjectAction::Changed,
                None => ObjectAction::Delivered,
            };
            let grant = grant_of(&key);
            told.push(object(&key, action, grant.as_ref(), Some(&content)));
            self.present.insert(key, (grant, Some(content)));
        }
        let mut unfinished = BTreeSet::new();
        for (key, delivery) in writes.settled {
            let grant = grant_of(&key);
            unfinished.extend(grant.clone().map(|grant| (grant, Arc::clone(&key.namespace))));
            if delivery == Delivery::Kept && !self.present.contains_key(&key) {
                told.push(object(&key, ObjectAction::Delivered, grant.as_ref(), None));
                self.present.insert(key, (grant, None));
            }
        }
        let evaluation = &self.evaluation.desired;
        self.present.retain(|key, (grant, content)| {
            let is_kept = grant.as_ref().is_some_and(|grant| {
                evaluation.kept.contains(grant) || unfinished.contains(&(grant.clone(), Arc::clone(&key.namespace)))
            });
            let stays = evaluation.objects.contains_key(key) || is_kept && owner.namespaces().contains(&key.namespace);
            if !stays {
                let is_retained = content.as_ref().is_some_and(|content| content.annotations.contains_key(ON_END));
                let action = if is_retained { ObjectAction::Retained } else { ObjectAction::Withdrawn };
                told.push(object(key, action, grant.as_ref(), content.as_deref()));
            }
            stays
        });
        told.sort();
        told
    }

    fn go_on(&mut self, now: Instant) -> Vec<String> {
        let before = std::mem::replace(&mut self.evaluation, evaluate(&self.snapshot, now));
        let mut told = Vec::new();
        let statuses = ideal(&before).into_iter().zip(ideal(&self.evaluation));
        let members = before.decision.grants().zip(self.evaluation.decision.grants());
        for ((grant, (before, after)), ((_, earlier), (_, later))) in
            self.snapshot.grants.iter().zip(statuses).zip(members)
        {
            let (old, new) = (Standing::of(earlier), Standing::of(later));
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

fn told(step: &Step) -> Vec<String> {
    let grants = step.grants.iter().map(|change| {
        let notices: Vec<_> = change.notices.iter().collect();
        format!(
            "{} {:?} {:?} {:?} {:?} {notices:?}",
            change.grant, change.before, change.after, change.renewed_by, change.amendments
        )
    });
    let held = |held: &super::super::Held| {
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

/// Both ways, moment by moment.
fn compare(inventory: &Inventory) -> Result<usize, TestCaseError> {
    let timeline = inventory.timeline(&bounds(), |_| true);
    let snapshot = inventory.snapshots(&inventory.catalogue()).into_iter().next().unwrap();
    let mut whole = Whole::start(snapshot, hour(0));
    let mut steps = timeline.steps.iter().filter(|step| step.at > hour(0)).peekable();
    let departure: Vec<&ObjectKey> = timeline.departures["acme"].objects.keys().collect();
    prop_assert_eq!(departure, whole.present.keys().collect::<Vec<_>>());
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

/// A catalogue whose definitions ask for the same names now and then.
fn catalogue(inventory: &mut Inventory) {
    let output = |name: &str, object_name: &str, more: &Value| {
        let mut output = json!({
            "name": name, "kind": "ConfigMap", "objectName": object_name,
            "items": [{"key": "k", "template": "{{ facets.f.size }} {{ total.amount }}"}],
        });
        output.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        output
    };
    let schema = json!({"type": "object", "properties": {
        "size": {"type": "integer", "default": 3, "maximum": 10},
        "password": {"type": "string", "writeOnly": true},
    }});
    let secret = json!({
        "name": "s", "kind": "Secret", "objectName": "s-{{ definition.name }}",
        "items": [{"key": "k", "template": "{{ facets.f.password }}"}],
    });
    for (name, allow_multiple, outputs) in [
        ("one", false, json!([output("o", "shared", &json!({})), output("p", "own-{{ instance.name }}", &json!({}))])),
        ("two", true, json!([output("o", "shared", &json!({"per": "Definition"})), secret])),
        (
            "three",
            true,
            json!([output("o", "own-{{ total.amount }}", &json!({"per": "Definition", "onEnd": "Retain"}))]),
        ),
        // A name of the summary, and one that cannot be made when a facet is large.
        (
            "four",
            false,
            json!([
                output("o", "entitlements", &json!({})),
                output("p", "{{ 'x' * facets.f.size }}-{{ 6 // (7 - facets.f.size) }}", &json!({}))
            ]),
        ),
    ] {
        let spec = json!({
            "type": "Quantity", "unit": "seats", "amount": 1, "allowMultiple": allow_multiple, "gracePeriod": "PT3H",
            "renewalNotices": ["PT5H", "PT2H"], "facets": [{"name": "f", "schema": schema}], "outputs": outputs,
        });
        inventory.add_definition(definition(name, &spec));
    }
}

/// An amendment: from when on, and an amount, an end and a facet.
type Amended = (i64, Option<u32>, Option<i64>, Option<u32>);

#[derive(Clone, Debug)]
pub(super) struct Told {
    definition: &'static str,
    start: i64,
    length: Option<i64>,
    amount: u32,
    size: Option<u32>,
    renews: bool,
    is_suspended: bool,
    secret: Option<&'static str>,
    changes: Vec<Amended>,
}

pub(super) fn grants() -> impl Strategy<Value = Vec<Told>> {
    let change = (0..40i64, prop::option::of(0u32..9), prop::option::of(1..40i64), prop::option::of(1u32..12));
    let which = prop::sample::select(vec!["one", "two", "three", "four"]);
    let term = (which, -9..30i64, prop::option::weighted(0.9, 1i64..20));
    let source = prop::option::of(prop::sample::select(vec!["there", "absent"]));
    let what = (0u32..9, prop::option::of(1u32..12), prop::bool::weighted(0.3), prop::bool::weighted(0.1), source);
    let told =
        (term, what, prop::collection::vec(change, 0..3)).prop_map(|((definition, start, length), what, changes)| {
            let (amount, size, renews, is_suspended, secret) = what;
            Told { definition, start, length, amount, size, renews, is_suspended, secret, changes }
        });
    prop::collection::vec(told, 1..9)
}

pub(super) fn inventory(grants: &[Told], summary: &Summary) -> Inventory {
    let mut inventory = Inventory::new(super::now(), "entitlement-operator");
    let mut acme = organization("acme", &["acme", "acme-staging"], &json!({}));
    acme.spec.summary = summary.clone();
    inventory.add_organization(acme);
    catalogue(&mut inventory);
    let data = BTreeMap::from([("k".to_owned(), Secret::new(b"hunter2".to_vec()))]);
    inventory.add_secrets(BTreeMap::from([(("entitlements".into(), "there".into()), Arc::new(data))]));
    let facets = |size: Option<u32>| size.map_or(json!({}), |size| json!({"f": {"size": size}}));
    for (index, told) in grants.iter().enumerate() {
        let amendments = told.changes.iter().enumerate().map(|(number, (at, amount, end, size))| {
            json!({
                "name": format!("a{number}"), "effective": format_instant(hour(*at)), "amount": amount,
                "end": end.map(|end| format_instant(hour(end))), "facets": facets(*size),
            })
        });
        let mut spec = json!({
            "organization": "acme", "definition": told.definition, "start": format_instant(hour(told.start)),
            "amount": told.amount, "suspended": told.is_suspended, "facets": facets(told.size),
            "amendments": amendments.collect::<Vec<_>>(),
        });
        if let Some(length) = told.length {
            spec["end"] = format_instant(hour(told.start + length)).into();
        }
        if let Some(secret) = told.secret {
            spec["secretFacets"] =
                json!([{"facet": "f", "field": "password", "secretKeyRef": {"name": secret, "key": "k"}}]);
        }
        let before = grants[..index].iter().rposition(|other| other.definition == told.definition);
        if let Some(before) = before.filter(|_| told.renews) {
            spec["renews"] = format!("g{before}").into();
        }
        // The younger ones have the earlier names.
        let made = format_instant(hour(-20 - i64::try_from(index).unwrap() % 3));
        let metadata = json!({"namespace": "entitlements", "name": format!("g{index}"), "creationTimestamp": made});
        let object = json!({"metadata": metadata, "spec": spec});
        inventory.add_instance(serde_json::from_value::<EntitlementInstance>(object).unwrap());
    }
    inventory
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
