//! What is taken over from the evaluation before is what would be made anew, whatever happens in between; and it is taken over.

mod remade;

use crate::evaluation::{
    Evaluation, Limits, Snapshot,
    catalogue::{CatalogueEntry, CompiledDefinition, DefinitionState},
    decision::{Decision, decide},
    delivery::deliver_after,
    evaluate,
    memo::Memo,
    object::{ObjectContent, ObjectKey, Wish},
    status::{ideal, ideal_overrides, statuses},
};
use crate::{
    api::{EntitlementDefinition, EntitlementInstance, Organization, lifecycle::AmendmentState},
    core::{
        approval::{Approvals, Protection, StatedDecision},
        authority::ApiAuthority,
        calendar::{Instant, format_instant, parse_instant},
        grant::Grant,
        namespace::NamespaceFacts,
        secret::Secret,
        source::{self, SourceKind},
    },
    evaluation::plan::Outcomes,
    render::work::Budget,
};
use chrono::TimeDelta;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

const BEGINNING: &str = "2026-07-01T00:00:00Z";
const DEFINITIONS: [&str; 2] = ["seats", "support"];
const GRANTS: usize = 5;
/// An organization can hold this one only once.
const UNIQUE: &str = "desks";
/// With those of that one.
const ALL_GRANTS: usize = 8;
/// The one of them that comes from no instance.
const TOP_UP: usize = 7;
/// One of what there may be several of, and one of what there is once.
const OVERRIDES: usize = 2;

fn definition_of(index: usize) -> &'static str {
    if index < GRANTS { DEFINITIONS[index % 2] } else { UNIQUE }
}

fn definition(index: usize) -> &'static str {
    DEFINITIONS.get(index).copied().unwrap_or(UNIQUE)
}

fn now() -> Instant {
    parse_instant(BEGINNING).unwrap()
}

/// One of some states of a definition.
fn entry(name: &str, state: usize) -> Arc<CatalogueEntry> {
    let schema = |most: u64| {
        json!({"type": "object", "properties": {
            "depth": {"type": "integer", "maximum": most, "default": 3},
            "token": {"type": "string", "writeOnly": true},
        }})
    };
    let per = if state == 1 { "Definition" } else { "Instance" };
    let object = if state == 1 { "{{ definition.name }}" } else { "{{ definition.name }}-{{ instance.name }}" };
    let output = |name: &str, kind: &str, template: &str| {
        json!({
            "name": name, "kind": kind, "per": per, "objectName": format!("{object}-{name}"),
            "items": [{"key": "k", "template": template}],
        })
    };
    let approvals = [1, 2, 0, 1][state];
    let spec = json!({
        "type": "Quantity", "unit": "seat", "amount": 5 + state, "allowMultiple": name != UNIQUE,
        "aggregation": if state == 2 { "Max" } else { "Sum" },
        "rollout": if state == 3 { "Everyone" } else { "Agreed" },
        "gracePeriod": "P1D", "renewalNotices": ["P2D"],
        "overrides": {"approvals": approvals, "expiresAfter": "P2D", "refused": state == 3},
        "facets": [{"name": "limits", "schema": schema(if state == 2 { 5 } else { 10 })}],
        "outputs": [
            output("plain", "ConfigMap", "{{ total.amount }} {{ organization.displayName }} {{ facets.limits.depth }}"),
            output("secret", "Secret", "{{ facets.limits.token }}"),
        ],
    });
    compiled(name, &spec)
}

fn compiled(name: &str, spec: &Value) -> Arc<CatalogueEntry> {
    let definition: EntitlementDefinition =
        serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap();
    let state = DefinitionState::gather(&definition.spec, |_| None).unwrap();
    Arc::new(CatalogueEntry::valid(CompiledDefinition::compile(name, &state).unwrap()))
}

fn instance(index: usize, change: usize) -> EntitlementInstance {
    let mut spec = json!({
        "organization": "acme", "definition": definition_of(index), "end": format!("2026-07-{:02}", 3 + index),
        "facets": {"limits": {"depth": index + 1}},
        "secretFacets": [{"facet": "limits", "field": "token", "secretKeyRef": {"name": "tokens", "key": "t"}}],
        "amendments": [{
            "name": "more", "effective": format!("2026-07-02T{:02}:00:00Z", 5 * index), "amount": 20,
            "facets": {"limits": {"depth": 4}},
        }],
    });
    let others = [
        json!({}),
        json!({"amount": 9}),
        json!({"facets": {"limits": {"depth": 8}}}),
        json!({"facets": {"limits": {"depth": "x"}}}),
        json!({"suspended": true}),
        json!({"state": "Cancelled"}),
        json!({"state": "Draft"}),
        json!({"amendments": []}),
        json!({"priority": 3, "secretFacets": []}),
    ];
    spec.as_object_mut().unwrap().extend(others[change % others.len()].as_object().unwrap().clone());
    serde_json::from_value(json!({
        "metadata": {
            "namespace": "entitlements", "name": format!("g{index}"), "uid": format!("u{index}"),
            "generation": 1 + change, "creationTimestamp": "2026-06-01T00:00:00Z",
        },
        "spec": spec,
    }))
    .unwrap()
}

fn grant(index: usize, change: usize) -> Grant {
    let mut grant = source::instance::grant(&instance(index, change));
    if index == TOP_UP {
        grant.id.source.kind = SourceKind::Bundle;
        grant.age.kind = SourceKind::Bundle;
    }
    grant
}

/// The definition of an override.
fn excepted(index: usize) -> &'static str {
    if index == 0 { DEFINITIONS[0] } else { UNIQUE }
}

fn exception(index: usize, change: usize) -> Grant {
    let mut spec = json!({
        "organization": "acme", "definition": excepted(index), "amount": 7, "end": "2026-07-04",
        "facets": {"limits": {"depth": 2}}, "reason": "there are more guests", "requestedBy": "alice",
    });
    let others = [
        json!({}),
        json!({"cancelled": true}),
        json!({"start": "2026-07-02"}),
        json!({"amount": "0.5"}),
        json!({"facets": {"limits": {"depth": 9}}}),
        json!({"requestedBy": "system:serviceaccount:ci:bot"}),
    ];
    spec.as_object_mut().unwrap().extend(others[change % others.len()].as_object().unwrap().clone());
    let metadata = json!({
        "namespace": "entitlements", "name": format!("o{index}"), "uid": format!("uo{index}"),
        "generation": 1 + change, "creationTimestamp": "2026-06-30T12:00:00Z",
    });
    source::overrides::grant(&serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap())
}

/// What somebody decides on an override.
fn decided(index: usize, by: &str, approves: bool, at: Instant) -> StatedDecision {
    let spec = json!({
        "override": {"name": format!("o{index}"), "uid": format!("uo{index}")},
        "definition": excepted(index), "decision": if approves { "Approve" } else { "Deny" },
        "decidedBy": by,
    });
    let metadata = json!({"namespace": "entitlements", "name": by, "creationTimestamp": format_instant(at)});
    source::overrides::decision(&serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap())
}

fn organization(change: usize) -> Organization {
    let mut spec = json!({"namespaces": ["one", "two"], "timeZone": "Europe/Berlin", "displayName": "Acme"});
    let others = [
        json!({}),
        json!({"suspended": true}),
        json!({"displayName": "Acme Ltd"}),
        json!({"namespaces": ["two"]}),
        json!({"timeZone": "UTC"}),
        json!({"summary": {"sources": true}}),
        json!({"assignableFrom": ["elsewhere"]}),
    ];
    spec.as_object_mut().unwrap().extend(others[change % others.len()].as_object().unwrap().clone());
    let metadata = json!({
        "name": "acme", "uid": "u-acme", "generation": 1 + change, "creationTimestamp": "2026-01-01T00:00:00Z",
    });
    serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
}

fn tokens(text: &str) -> Arc<BTreeMap<String, Secret<Vec<u8>>>> {
    Arc::new(BTreeMap::from([("t".to_owned(), Secret::new(text.as_bytes().to_vec()))]))
}

fn snapshot() -> Snapshot {
    let own = NamespaceFacts { present: true, claimed_by: Some("acme".to_owned()), ..NamespaceFacts::default() };
    let granting = NamespaceFacts { present: true, ..NamespaceFacts::default() };
    Snapshot {
        approvals: Arc::default(),
        barred: BTreeMap::new(),
        limits: Limits::DEFAULT,
        offers: Arc::default(),
        authority: ApiAuthority::Absent,
        name: "acme".into(),
        organization: Some(Arc::new(organization(0))),
        grants: (0..GRANTS).map(|index| Arc::new(source::instance::grant(&instance(index, 0)))).collect(),
        plans: BTreeMap::new(),
        subscriptions: Vec::new(),
        meters: BTreeMap::new(),
        knows_revisions: true,
        catalogue: DEFINITIONS.into_iter().map(|name| (name.into(), entry(name, 0))).collect(),
        secrets: BTreeMap::from([(("entitlements".into(), "tokens".into()), tokens("a"))]),
        unseen: Arc::default(),
        namespaces: BTreeMap::from([
            ("one".into(), own.clone()),
            ("two".into(), own),
            ("entitlements".into(), granting),
        ]),
    }
}

/// With the definition that it can hold only once, and with overrides.
fn whole_snapshot() -> Snapshot {
    let mut snapshot = snapshot();
    snapshot.grants.extend((GRANTS..ALL_GRANTS).map(|index| Arc::new(grant(index, 0))));
    snapshot.grants.extend((0..OVERRIDES).map(|index| Arc::new(exception(index, 0))));
    snapshot.grants.sort_by(|one, other| one.id.cmp(&other.id));
    snapshot.catalogue.insert(UNIQUE.into(), entry(UNIQUE, 0));
    snapshot
}

#[derive(Clone, Debug)]
enum Event {
    /// So many hours later, or earlier.
    Time(i64),
    EditGrant(usize, usize),
    RemoveGrant(usize),
    /// What is decided is written into the statuses.
    Remember,
    EditDefinition(usize, usize),
    LoseDefinition(usize),
    EditOrganization(usize),
    LoseOrganization,
    /// A namespace comes or goes.
    Namespace(bool),
    Secret(Option<u8>),
    Unsee(bool),
    /// So many seconds later.
    Moment(i64),
    EditOverride(usize, usize),
    Decide(usize, &'static str, bool),
    /// The decisions on an override are deleted.
    Undecide(usize),
    /// The policies were made so many minutes ago; or one of them is missing.
    Protect(Option<i64>),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (-5..40i64).prop_map(Event::Time),
        4 => (0..ALL_GRANTS, 0..9usize).prop_map(|(grant, change)| Event::EditGrant(grant, change)),
        1 => (0..ALL_GRANTS).prop_map(Event::RemoveGrant),
        3 => Just(Event::Remember),
        2 => (0..3usize, 0..4usize).prop_map(|(name, state)| Event::EditDefinition(name, state)),
        1 => (0..3usize).prop_map(Event::LoseDefinition),
        2 => (0..7usize).prop_map(Event::EditOrganization),
        1 => Just(Event::LoseOrganization),
        1 => any::<bool>().prop_map(Event::Namespace),
        2 => prop::option::of(0..3u8).prop_map(Event::Secret),
        1 => any::<bool>().prop_map(Event::Unsee),
        2 => (1..4i64).prop_map(Event::Moment),
        3 => (0..OVERRIDES, 0..6usize).prop_map(|(index, change)| Event::EditOverride(index, change)),
        6 => (0..OVERRIDES, prop::sample::select(vec!["bob", "carol"]), prop::bool::weighted(0.8))
            .prop_map(|(index, by, approves)| Event::Decide(index, by, approves)),
        1 => (0..OVERRIDES).prop_map(Event::Undecide),
        2 => prop::option::weighted(0.7, 0..2000i64).prop_map(Event::Protect),
    ]
}

/// Another state of a grant, with what its status remembers.
fn edit(snapshot: &mut Snapshot, mut grant: Grant) {
    snapshot.grants.retain(|known| {
        let is_it = known.id == grant.id;
        if is_it {
            grant.remembered = known.remembered.clone();
        }
        !is_it
    });
    snapshot.grants.push(Arc::new(grant.settled()));
    snapshot.grants.sort_by(|one, other| one.id.cmp(&other.id));
}

fn happen(snapshot: &mut Snapshot, decision: &Decision, now: &mut Instant, event: &Event) {
    let source = ("entitlements".into(), "tokens".into());
    let id = |index: usize| grant(index, 0).id.clone();
    match event {
        Event::Time(hours) => *now += TimeDelta::hours(*hours),
        Event::EditGrant(index, change) => edit(snapshot, grant(*index, *change)),
        Event::RemoveGrant(index) => snapshot.grants.retain(|grant| grant.id != id(*index)),
        Event::Remember => {
            let decided = decision.grants().map(|(_, member)| (member.grant.id.clone(), member.remembering()));
            let decided: BTreeMap<_, _> = decided.collect();
            for grant in &mut snapshot.grants {
                if let Some(remembering) = decided.get(&grant.id).filter(|one| one.generation == grant.generation) {
                    *grant = Arc::new(remembering.clone());
                }
            }
        }
        Event::EditDefinition(name, state) => {
            snapshot.catalogue.insert(definition(*name).into(), entry(definition(*name), *state));
        }
        Event::LoseDefinition(name) => drop(snapshot.catalogue.remove(definition(*name))),
        Event::EditOrganization(change) => snapshot.organization = Some(Arc::new(organization(*change))),
        Event::LoseOrganization => snapshot.organization = None,
        Event::Namespace(present) => {
            snapshot.namespaces.entry("one".into()).and_modify(|facts| facts.present = *present);
        }
        Event::Secret(None) => drop(snapshot.secrets.remove(&source)),
        Event::Secret(Some(value)) => drop(snapshot.secrets.insert(source, tokens(&value.to_string()))),
        Event::Unsee(true) => snapshot.unseen = Arc::new(BTreeSet::from([source])),
        Event::Unsee(false) => snapshot.unseen = Arc::default(),
        Event::Moment(seconds) => *now += TimeDelta::seconds(*seconds),
        Event::EditOverride(index, change) => edit(snapshot, exception(*index, *change)),
        approval => approve(Arc::make_mut(&mut snapshot.approvals), *now, approval),
    }
}

fn approve(approvals: &mut Approvals, now: Instant, event: &Event) {
    let uid = |index: &usize| Arc::from(format!("uo{index}"));
    match event {
        Event::Decide(index, by, approves) => {
            let known = approvals.decisions.remove(&uid(index));
            let known = known.iter().flat_map(|decisions| decisions.iter()).filter(|one| &*one.name != *by).cloned();
            let all = known.chain([decided(*index, by, *approves, now)]).collect();
            approvals.decisions.insert(uid(index), all);
        }
        Event::Undecide(index) => drop(approvals.decisions.remove(&uid(index))),
        Event::Protect(Some(minutes)) => approvals.protection = Protection::Since(now - TimeDelta::minutes(*minutes)),
        Event::Protect(None) => approvals.protection = Protection::Lacking("a policy is missing".to_owned()),
        _ => {}
    }
}

/// All that can be told from an evaluation. The content hash stands for what an object holds.
fn told(evaluation: &Evaluation) -> Value {
    let Evaluation { decision, desired } = evaluation;
    let wish = |wish: &Wish| match wish {
        Wish::Write(content) => json!([content.labels, content.annotations]),
        Wish::Keep => json!("keep"),
        Wish::Refuse(bytes) => json!(bytes),
    };
    let objects = desired.objects.iter();
    let objects: Vec<Value> = objects
        .map(|(key, object)| {
            json!([key.to_string(), format!("{:?}", object.grant), wish(&object.wish), object.is_retained])
        })
        .collect();
    let due: Vec<_> = decision.grants().map(|(_, member)| member.reminders.due.clone()).collect();
    json!({
        "objects": objects,
        "statuses": ideal(evaluation),
        "overrides": ideal_overrides(evaluation),
        "organization": statuses(evaluation, &Outcomes::default()).organization,
        "summary": desired.summary.as_ref().map(|summary| summary.data()),
        "due": due,
        "next": decision.next.map(|next| next.to_string()),
        "kept": format!("{:?} {:?} {:?}", desired.kept, desired.resume, desired.grants),
        "shared": format!("{:?} {:?}", desired.shared, desired.kept_shared),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_taken_over_is_what_would_be_made_anew(events in prop::collection::vec(event(), 1..16)) {
        let (mut snapshot, mut now, mut memo) = (whole_snapshot(), now(), Memo::default());
        let mut last = Evaluation::after(None, &mut memo, &snapshot, now, None);
        for event in events {
            happen(&mut snapshot, &last.decision, &mut now, &event);
            last = Evaluation::after(Some(&last.decision), &mut memo, &snapshot, now, None);
            prop_assert_eq!(told(&last), told(&evaluate(&snapshot, now)), "{:?}", event);
        }
    }
}

/// Nobody waits for what takes effect in a grant that is not in force, but whoever looks then sees it.
#[rstest]
#[case::cancelled(5)]
#[case::draft(6)]
fn an_amendment_takes_effect_where_nobody_waits_for_it(#[case] change: usize) {
    let mut snapshot = snapshot();
    snapshot.grants = vec![Arc::new(source::instance::grant(&instance(1, change)))];
    let mut memo = Memo::default();
    let first = Evaluation::after(None, &mut memo, &snapshot, now(), None);
    assert_eq!(first.decision.next, None);
    let later = now() + TimeDelta::hours(40);
    let second = Evaluation::after(Some(&first.decision), &mut memo, &snapshot, later, None);
    let state = |evaluation: &Evaluation| ideal(evaluation)[0].amendments[0].state;
    assert_eq!((state(&first), state(&second)), (AmendmentState::Pending, AmendmentState::Effective));
    assert_eq!(told(&second), told(&evaluate(&snapshot, later)));
}
