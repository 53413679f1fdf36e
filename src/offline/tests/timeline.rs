//! Tests of evaluating at one moment after the other.

use super::{definition, instance, organization};
use crate::{
    api::Phase,
    core::calendar::{Bound, Instant, format_instant, parse_instant},
    offline::{
        Aspect, AspectState, Bounds, Differences, End, Inventory, Limit, ObjectAction, Status, Subject, Timeline,
    },
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn at(text: &str) -> Instant {
    parse_instant(text).unwrap()
}

fn from() -> Instant {
    at("2026-01-01T00:00:00Z")
}

fn bounds() -> Bounds {
    Bounds { from: from().into(), to: None, steps: 1000, work: 1_000_000 }
}

/// An organization in Tokyo; a definition of which one chain is held at a time, with terms, grace and notices.
fn empty() -> Inventory {
    let mut inventory = Inventory::new(from(), "entitlement-operator");
    let mut acme = organization("acme", &["acme"], &json!({}));
    acme.spec.time_zone = "Asia/Tokyo".to_owned();
    inventory.add_organization(acme);
    let output = json!({"name": "o", "kind": "ConfigMap", "items": [{"key": "k", "template": "{{ total.amount }}"}]});
    inventory.add_definition(definition(
        "seats",
        &json!({
            "type": "Quantity", "unit": "seats", "amount": 5, "term": "P1M", "gracePeriod": "P3D",
            "renewalNotices": ["P10D", "P5D"], "outputs": [output],
        }),
    ));
    inventory
}

/// A grant, a renewal of it with an amendment, one that waits for the seat, and one that is over when it gets it.
fn grants() -> BTreeMap<&'static str, Value> {
    let spec = |more: Value| {
        let mut spec = json!({"organization": "acme", "definition": "seats"});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    BTreeMap::from([
        ("a", spec(json!({"start": "2026-01-10", "end": "2026-02-09"}))),
        (
            "b",
            spec(json!({"renews": "a", "amendments": [
                {"name": "more", "effective": "2026-02-20", "amount": 9},
                {"name": "longer", "effective": "2026-02-25", "end": "2026-04-30"},
                {"name": "never", "effective": "2026-03-01", "amount": 99, "revoked": true},
            ]})),
        ),
        ("c", spec(json!({"start": "2026-01-20", "end": "2026-06-30"}))),
        ("d", spec(json!({"start": "2026-01-20", "end": "2026-03-31"}))),
    ])
}

fn inventory(statuses: &BTreeMap<&str, Value>) -> Inventory {
    let mut inventory = empty();
    for (name, spec) in grants() {
        inventory.add_instance(instance("entitlements", name, &spec, statuses.get(name).unwrap_or(&Value::Null)));
    }
    inventory
}

/// All statuses at a moment, as the operator writes them.
fn written(inventory: &Inventory, now: Instant) -> BTreeMap<&'static str, Value> {
    let survey = inventory.survey(now);
    let status = |name: &'static str| {
        let subject = Subject::source(&crate::core::source::SourceId::instance("entitlements", name));
        (name, survey.statuses[&subject].to_json().unwrap())
    };
    grants().into_keys().map(status).collect()
}

#[test]
fn every_step_is_what_the_operator_would_do_then() {
    let timeline = inventory(&BTreeMap::new()).timeline(&bounds(), |_| true);
    let mut statuses = written(&inventory(&BTreeMap::new()), from());
    let mut told: BTreeMap<&str, Phase> = BTreeMap::new();
    for step in &timeline.steps {
        statuses = written(&inventory(&statuses), step.at);
        for change in &step.grants {
            let name = *statuses.keys().find(|name| **name == &*change.grant.source.name).unwrap();
            told.insert(name, change.after.phase);
            let status = &statuses[name];
            assert_eq!(status["phase"], change.after.phase.as_str(), "{name} at {}", step.at);
            assert_eq!(
                status["end"].as_str(),
                change.after.end.map(format_instant).as_deref(),
                "{name} at {}",
                step.at
            );
            for notice in &change.notices {
                let given = status["notices"].as_array().unwrap();
                assert!(given.contains(&serde_json::to_value(notice).unwrap()), "{name} at {}", step.at);
            }
        }
        // Between two steps nothing changes.
        let before = step.at - chrono::TimeDelta::seconds(1);
        assert_eq!(timeline.steps.iter().filter(|other| other.at == before).count(), 0);
    }
    assert_eq!(timeline.end, End::Nothing);
    let expired = ["a", "b", "c", "d"].map(|name| (name, Phase::Expired));
    assert_eq!(told, BTreeMap::from(expired));
}

fn told(timeline: &Timeline) -> Vec<String> {
    let step = |step: &crate::offline::TimelineStep| {
        let grants = step.grants.iter().map(|change| {
            let phases = if change.is_transition() {
                format!(" {}>{}", change.before.phase.as_str(), change.after.phase.as_str())
            } else {
                String::new()
            };
            let notices: Vec<String> = change.notices.iter().map(|notice| format!(" -{}", notice.before)).collect();
            let amendments: Vec<String> = change.amendments.iter().map(|name| format!(" {name}")).collect();
            format!("{}{phases}{}{}", change.grant.source.name, amendments.concat(), notices.concat())
        });
        let held = step.holdings.values().map(|(_, after)| {
            let amount = after.amount.as_deref().filter(|_| after.entitled);
            format!("={}", amount.unwrap_or("nothing"))
        });
        let parts: Vec<String> = grants.chain(held).collect();
        format!("{} {}", format_instant(step.at), parts.join(", "))
    };
    timeline.steps.iter().map(step).collect()
}

#[test]
fn steps_come_in_order_and_say_what_happens() {
    let timeline = inventory(&BTreeMap::new()).timeline(&bounds(), |_| true);
    assert_eq!(
        told(&timeline),
        [
            "2026-01-09T15:00:00Z a Waiting>Active, =5",
            "2026-02-09T15:00:00Z a Active>Expired, b Waiting>Active",
            "2026-02-19T15:00:00Z b more, =9",
            "2026-02-24T15:00:00Z b longer",
            "2026-04-03T15:00:00Z d Rejected>Expired",
            "2026-04-20T15:00:00Z b -P10D",
            "2026-04-25T15:00:00Z b -P5D",
            "2026-04-30T15:00:00Z b Active>Grace",
            "2026-05-03T15:00:00Z b Grace>Expired, c Rejected>Active, =5",
            "2026-06-20T15:00:00Z c -P10D",
            "2026-06-25T15:00:00Z c -P5D",
            "2026-06-30T15:00:00Z c Active>Grace",
            "2026-07-03T15:00:00Z c Grace>Expired, =nothing"
        ]
    );
}

#[test]
fn a_timeline_is_bounded() {
    let inventory = inventory(&BTreeMap::new());
    let all = inventory.timeline(&bounds(), |_| true);
    let some = inventory.timeline(&Bounds { steps: 3, ..bounds() }, |_| true);
    assert_eq!((some.steps.len(), some.end), (3, End::TooMuch(all.steps[3].at, Limit::Steps)));
    // Four grants are looked at in each step, which costs as much as twenty others.
    let some = inventory.timeline(&Bounds { work: 24 * 3, ..bounds() }, |_| true);
    assert_eq!((some.steps.len(), some.end), (3, End::TooMuch(all.steps[3].at, Limit::Work)));
    let to = all.steps[3].at;
    let some = inventory.timeline(&Bounds { to: Some(to.into()), ..bounds() }, |_| true);
    assert_eq!((some.steps.len(), some.end), (4, End::Asked(to.into())));
    let none = inventory.timeline(&bounds(), |name| name != "acme");
    assert_eq!((none.steps.len(), none.departures.len(), none.end), (0, 0, End::Nothing));
}

#[test]
fn what_cannot_be_told_is_still_withdrawn() {
    let schema = json!({"type": "object", "properties": {"password": {"type": "string", "writeOnly": true}}});
    let output = json!({"name": "o", "kind": "Secret", "items": [{"key": "k", "template": "{{ facets.f.password }}"}]});
    let mut inventory = empty();
    inventory.add_definition(definition(
        "backup",
        &json!({"type": "Feature", "facets": [{"name": "f", "schema": schema}], "outputs": [output]}),
    ));
    let source = json!({"facet": "f", "field": "password", "secretKeyRef": {"name": "absent", "key": "k"}});
    let spec = json!({
        "organization": "acme", "definition": "backup", "start": "2026-01-10", "end": "2026-02-09",
        "secretFacets": [source],
    });
    inventory.add_instance(instance("entitlements", "a", &spec, &Value::Null));
    let timeline = inventory.timeline(&bounds(), |_| true);
    let objects: Vec<_> = timeline
        .steps
        .iter()
        .flat_map(|step| &step.objects)
        .filter(|change| change.grant.is_some())
        .map(|change| (change.action, change.key.to_string(), change.content.is_some()))
        .collect();
    let key = "Secret acme/backup".to_owned();
    assert_eq!(objects, [(ObjectAction::Delivered, key.clone(), false), (ObjectAction::Withdrawn, key, false)]);
}

#[test]
fn what_outlives_its_grant_is_kept_as_no_longer_in_force() {
    let output = json!({
        "name": "o", "kind": "ConfigMap", "onEnd": "Retain", "items": [{"key": "k", "template": "text"}],
    });
    let mut inventory = empty();
    inventory.add_definition(definition("archive", &json!({"type": "Feature", "outputs": [output]})));
    let spec = json!({"organization": "acme", "definition": "archive", "start": "2026-01-10", "end": "2026-02-09"});
    inventory.add_instance(instance("entitlements", "a", &spec, &Value::Null));
    let timeline = inventory.timeline(&bounds(), |_| true);
    let changes = timeline.steps.iter().flat_map(|step| &step.objects).filter(|change| change.grant.is_some());
    let actions: Vec<_> = changes.map(|change| change.action).collect();
    assert_eq!(actions, [ObjectAction::Delivered, ObjectAction::Retained]);
}

#[test]
fn differences_are_spans_of_time() {
    let with = |spec: &Value| {
        let mut inventory = empty();
        inventory.add_instance(instance("entitlements", "a", spec, &Value::Null));
        inventory.timeline(&bounds(), |_| true)
    };
    let spec = |end: &str, amount: u32| json!({"organization": "acme", "definition": "seats", "start": "2026-01-10", "end": end, "amount": amount});
    let (old, new) = (with(&spec("2026-02-06", 5)), with(&spec("2026-03-05", 7)));
    let differences = Differences::between(&old, &new);
    let entitled = |amount: &str| AspectState::Entitled(Some((amount.to_owned(), Some("seats".to_owned()))));
    let spans: Vec<_> = differences
        .all
        .iter()
        .filter(|one| matches!(one.aspect, Aspect::Holding(_)))
        .map(|one| (format_instant(one.from), one.until, one.before.clone(), one.after.clone()))
        .collect();
    let grace_is_over = at("2026-02-09T15:00:00Z");
    assert_eq!(
        spans,
        [
            ("2026-01-09T15:00:00Z".to_owned(), Bound::At(grace_is_over), entitled("5"), entitled("7")),
            (format_instant(grace_is_over), Bound::At(at("2026-03-08T15:00:00Z")), AspectState::Nothing, entitled("7")),
        ]
    );
    // The object differs as long as it is there in one of both, and the summary as long as either holds something.
    let objects: Vec<_> = differences
        .all
        .iter()
        .filter_map(|one| match &one.aspect {
            Aspect::Object(key) => Some((key.name.to_string(), format_instant(one.from), one.until)),
            _ => None,
        })
        .collect();
    let over = Bound::At(at("2026-03-08T15:00:00Z"));
    assert_eq!(
        objects,
        [
            ("entitlements".to_owned(), format_instant(from()), over),
            ("seats".to_owned(), "2026-01-09T15:00:00Z".to_owned(), Bound::At(grace_is_over)),
            ("seats".to_owned(), format_instant(grace_is_over), over),
        ]
    );
    assert!(Differences::between(&old, &old).all.is_empty());
}

#[test]
fn what_was_left_out_is_not_compared() {
    let old = inventory(&BTreeMap::new()).timeline(&Bounds { steps: 2, ..bounds() }, |_| true);
    let new = empty().timeline(&bounds(), |_| true);
    let differences = Differences::between(&old, &new);
    let End::TooMuch(limit, _) = old.end else { panic!("{:?}", old.end) };
    assert_eq!(differences.end, old.end);
    assert!(differences.all.iter().all(|one| one.from < limit && one.until == Bound::Never));
    assert!(!differences.all.is_empty());
}

/// A status says of every grant what a timeline says of it.
#[test]
fn the_first_step_is_the_next_transition() {
    let inventory = inventory(&BTreeMap::new());
    let timeline = inventory.timeline(&bounds(), |_| true);
    let survey = inventory.survey(from());
    for (subject, status) in &survey.statuses {
        let Status::Instance(status) = status else { continue };
        let of_grant = |change: &&crate::offline::GrantChange| *change.grant.source.name == *subject.name;
        let first = timeline.steps.iter().find_map(|step| {
            let change = step.grants.iter().find(of_grant)?;
            (change.notices.is_empty()).then(|| (format_instant(step.at), change.after.phase))
        });
        let next = status.next_transition.clone().map(|next| (next.at, next.phase));
        assert_eq!(next, first, "{subject}");
    }
}

#[test]
fn a_notice_that_would_lie_before_the_start_is_not_given() {
    let notices = |end: &str| {
        let mut inventory = empty();
        let spec = json!({"organization": "acme", "definition": "seats", "start": "2026-01-10", "end": end});
        inventory.add_instance(instance("entitlements", "a", &spec, &Value::Null));
        let timeline = inventory.timeline(&bounds(), |_| true);
        let given = |step: &crate::offline::TimelineStep| {
            let notices = step.grants.iter().flat_map(|change| &change.notices);
            notices.map(|notice| format!("{} {}", notice.before, format_instant(step.at))).collect::<Vec<_>>()
        };
        timeline.steps.iter().flat_map(given).collect::<Vec<_>>()
    };
    // The start is 2026-01-09T15:00Z; an end on the 19th means 2026-01-19T15:00Z.
    assert_eq!(notices("2026-01-19"), ["P10D 2026-01-09T15:00:00Z", "P5D 2026-01-14T15:00:00Z"]);
    assert_eq!(notices("2026-01-18"), ["P5D 2026-01-13T15:00:00Z"]);
    assert_eq!(notices("2026-01-14"), ["P5D 2026-01-09T15:00:00Z"]);
    assert_eq!(notices("2026-01-13"), Vec::<String>::new());
}
