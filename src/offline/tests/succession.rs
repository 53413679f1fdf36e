//! What comes after the same brings nothing new.

use super::{
    definition,
    entangled::{Told, grants, hour, inventory},
    organization,
};
use crate::{
    api::{EntitlementInstance, organization::Summary},
    core::{calendar::format_instant, grant::Grant, source::instance},
    evaluation::catalogue::{CatalogueKind, DefinitionState, Revision, state_hash},
    offline::{Bounds, Difference, Differences, Inventory, Status, Subject},
};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};
use std::sync::Arc;

fn differences(old: &Inventory, new: &Inventory) -> Vec<Difference> {
    let from = hour(0).into();
    let bounds = Bounds { from, to: None, steps: 10_000, work: 1_000_000 };
    let mut new = new.clone();
    new.follow(old, from);
    let old = old.timeline(&bounds, |_| true);
    let new = new.timeline_after(&old, &bounds, |_| true, &mut |_| {});
    Differences::between(&old, &new).all
}

/// A grant that was accepted when the definition gave 10 for a year, and what has become of that definition.
fn agreed(metadata: &Value, amount: u32, term: &str) -> Inventory {
    let mut inventory = super::inventory();
    inventory.add_organization(organization("acme", &["acme"], &json!({"creationTimestamp": "2020-01-01T00:00:00Z"})));
    let spec = json!({"type": "Quantity", "unit": "seats", "amount": amount, "term": term, "gracePeriod": "P7D"});
    let mut seats = definition("seats", &spec);
    seats.metadata = serde_json::from_value(metadata.clone()).unwrap();
    seats.metadata.name = Some("seats".to_owned());
    inventory.add_definition(seats);
    let grant = json!({
        "metadata": {
            "name": "a", "namespace": "entitlements", "uid": "u-a", "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {"organization": "acme", "definition": "seats", "start": "2026-01-01"},
        "status": {"accepted": {
            "timeZone": "Asia/Tokyo", "start": "2026-01-01", "amount": "10", "term": "P1Y", "gracePeriod": "P1D",
            "chain": {"name": "a", "uid": "u-a", "since": "2026-01-01T00:00:00Z", "day": 1},
        }},
    });
    inventory.add_instance(serde_json::from_value::<EntitlementInstance>(grant).unwrap());
    inventory
}

#[rstest]
#[case::edited(json!({"generation": 2, "creationTimestamp": "2020-01-01T00:00:00Z"}))]
#[case::of_unknown_generation(json!({"creationTimestamp": "2020-01-01T00:00:00Z"}))]
#[case::undated(json!({}))]
#[case::younger(json!({"generation": 1, "creationTimestamp": "2026-06-01T00:00:00Z"}))]
// That it never gave what is recorded is known, and said by both.
#[case::never_edited(json!({"generation": 1, "creationTimestamp": "2020-01-01T00:00:00Z"}))]
fn what_is_on_record_stays_whatever_became_of_the_definition(#[case] metadata: Value) {
    let exported = agreed(&metadata, 4, "P2Y");
    assert_eq!(differences(&exported, &exported), []);
    // A file says nothing of what the API server gave.
    assert_eq!(differences(&exported, &agreed(&json!({}), 4, "P2Y")), []);
    // Neither does a further edit reach what was agreed.
    for edited in [&metadata, &json!({})] {
        assert_eq!(differences(&exported, &agreed(edited, 3, "P3Y")), []);
    }
}

#[rstest]
#[case::as_in_the_export(json!({"generation": 1, "creationTimestamp": "2020-01-01T00:00:00Z"}))]
#[case::of_a_file(json!({}))]
fn a_time_zone_that_is_edited_reaches_no_grant_that_was_accepted(#[case] metadata: Value) {
    let of = |zone: &str, metadata: &Value| {
        let mut inventory = agreed(&json!({"creationTimestamp": "2020-01-01T00:00:00Z"}), 10, "P1Y");
        let mut acme = organization("acme", &["acme"], metadata);
        acme.spec.time_zone = zone.to_owned();
        inventory.add_organization(acme);
        inventory
    };
    let old = of("Asia/Tokyo", &json!({"generation": 1, "creationTimestamp": "2020-01-01T00:00:00Z"}));
    assert_eq!(differences(&old, &of("Europe/Berlin", &metadata)), []);
}

#[test]
fn a_state_that_served_before_becomes_the_newest_revision_again() {
    let mut old = agreed(&json!({"generation": 3, "creationTimestamp": "2020-01-01T00:00:00Z"}), 10, "P1Y");
    for (number, amount) in [(1, 10), (2, 4)] {
        let of = agreed(&json!({}), amount, "P1Y");
        let source = DefinitionState::gather(&of.definitions["seats"].spec, |_| None).unwrap();
        old.add_revision(Revision {
            name: format!("seats-{}", &state_hash(&source)[..10]).into(),
            of: CatalogueKind::Definition.named("seats"),
            number,
            data: serde_json::to_value(&source).unwrap(),
            made: Some(hour(i64::from(amount))),
            beside: None,
            for_everyone: None,
        });
    }
    let mut new = agreed(&json!({}), 7, "P1Y");
    new.follow(&old, hour(0));
    let kept = |revision: &Arc<Revision>| (revision.number, revision.made, revision.data["spec"]["amount"].clone());
    let kept: Vec<_> = new.revisions.of(&CatalogueKind::Definition.named("seats")).iter().map(kept).collect();
    assert_eq!(kept, [(2, Some(hour(4)), json!(4)), (3, Some(hour(10)), json!(10))]);
}

/// What an operator leaves when it has run for some hours and the catalogue was edited then.
fn aged(grants: &[Told], hours: i64, generation: Option<i64>, made: Option<i64>) -> Inventory {
    let mut inventory = inventory(grants, &Summary::default());
    for (subject, status) in inventory.survey(hour(-hours)).statuses {
        let (Subject { .. }, Status::Instance(status)) = (&subject, status) else { continue };
        let id = inventory.grants.keys().find(|id| Subject::source(id) == subject).cloned().unwrap();
        let grant = instance::remembering(Grant::clone(&inventory.grants[&id]), &status);
        inventory.grants.insert(id, Arc::new(grant));
    }
    for definition in inventory.definitions.values_mut() {
        let mut edited = serde_json::to_value(&**definition).unwrap();
        edited["spec"]["amount"] = json!(5);
        edited["spec"]["gracePeriod"] = "PT1H".into();
        edited["metadata"]["generation"] = json!(generation);
        if let Some(made) = made {
            edited["metadata"]["creationTimestamp"] = format_instant(hour(-made)).into();
        }
        *definition = Arc::new(serde_json::from_value(edited).unwrap());
    }
    inventory
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn the_same_after_itself_changes_nothing(
        grants in grants(),
        hours in 0i64..30,
        generation in prop::option::of(1i64..4),
        made in prop::option::of(0i64..40),
        states_none in any::<bool>(),
    ) {
        let mut inventory = aged(&grants, hours, generation, made);
        if states_none {
            for grant in inventory.grants.values_mut() {
                Arc::make_mut(grant).amount = None;
            }
        }
        prop_assert_eq!(differences(&inventory, &inventory), []);
    }
}
