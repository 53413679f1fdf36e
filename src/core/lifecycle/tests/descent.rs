//! A record of a renewal is believed as far as the grant that it renews can have given it.

use super::{World, at};
use crate::core::{
    belief::{Durations, History},
    calendar::format_instant,
};
use rstest::rstest;
use serde_json::{Value, json};
use std::sync::Arc;

/// A grant of two months in Berlin and its renewal, as they were made and accepted.
fn world() -> World {
    let mut world = World::new().zone("Europe/Berlin").with("a", "2027-01-01", "{start: 2027-01-01, end: 2027-02-28}");
    world.add("b", "2027-01-02", "{renews: a}");
    as_made(&mut world);
    assert_eq!(
        world.at("2027-01-02"),
        [
            "a: Active from 2026-12-31T23:00:00Z to 2027-02-28T23:00:00Z, renewed by b; next 2027-02-28T23:00:00Z Expired",
            "b: Waiting from 2027-02-28T23:00:00Z to 2027-04-30T22:00:00Z; next 2027-02-28T23:00:00Z Active",
        ]
    );
    world
}

fn as_made(world: &mut World) {
    world.instances.iter_mut().for_each(|instance| instance.metadata.generation = Some(1));
}

/// Writes fields into a record.
fn forge(world: &mut World, name: &str, fields: &Value) {
    let mut record = serde_json::to_value(world.record(name)).unwrap();
    for (key, value) in fields.as_object().unwrap() {
        record[key] = value.clone();
    }
    world.set_record(name, serde_json::from_value(record).unwrap());
}

#[rstest]
#[case::an_early_start(json!({"follows": "2027-01-02T00:00:00Z"}))]
#[case::a_start_long_ago(json!({"follows": "2020-01-01T00:00:00Z"}))]
#[case::none(json!({"follows": null}))]
#[case::a_late_start(json!({"follows": "2028-01-01T00:00:00Z"}))]
#[case::never(json!({"follows": "9999-12-31T00:00:00Z"}))]
#[case::a_hundred_years(json!({"length": "P100Y"}))]
#[case::two_weeks_more(json!({"length": "P10W"}))]
#[case::no_length(json!({"length": null}))]
#[case::another_chain(json!({"chain": {"name": "z", "uid": "uid-a", "since": "2027-01-01T00:00:00Z", "day": 1}}))]
#[case::all(json!({"follows": "2020-01-01T00:00:00Z", "length": "P100Y"}))]
fn what_it_cannot_have_given_is_not_believed(#[case] forged: Value) {
    let mut world = world();
    let (honest, expected) = (world.record("b"), world.line("2027-03-01", "b"));
    assert_eq!(
        expected,
        "b: Active from 2027-02-28T23:00:00Z to 2027-04-30T22:00:00Z; next 2027-04-30T22:00:00Z Expired"
    );
    for now in ["2027-01-15", "2027-03-01"] {
        forge(&mut world, "b", &forged);
        world.at(now);
        assert_eq!(world.record("b"), honest, "{forged} at {now}");
    }
    assert_eq!(world.line("2027-03-01", "b"), expected);
}

#[test]
fn what_was_agreed_in_another_time_zone_is_believed() {
    let mut world = world();
    world.at("2027-03-01");
    // As it was recorded while the organization was in Auckland; `a` was accepted anew after that.
    let recorded = json!({"timeZone": "Pacific/Auckland", "follows": "2027-02-28T11:00:00Z", "length": "P59D"});
    forge(&mut world, "b", &recorded);
    world.at("2027-03-01");
    let after = serde_json::to_value(world.record("b")).unwrap();
    for (field, value) in recorded.as_object().unwrap() {
        assert_eq!(&after[field], value);
    }
}

#[rstest]
#[case::edited(|world: &mut World| world.instance("a").metadata.generation = Some(2))]
#[case::edited_itself(|world: &mut World| world.instance("b").metadata.generation = Some(2))]
#[case::from_a_file(|world: &mut World| world.instance("a").metadata.generation = None)]
#[case::gone(|world: &mut World| world.delete("a"))]
#[case::restored(|world: &mut World| {
    let annotations = [("entitlements.dev/granted-at".to_owned(), "2027-01-01T00:00:00Z".to_owned())];
    world.instance("a").metadata.annotations = Some(annotations.into());
})]
#[case::made_anew(|world: &mut World| {
    world.delete("a");
    world.add("a", "2027-02-01", "{start: 2027-01-01, end: 2027-02-28}");
    world.instance("a").metadata.generation = Some(1);
})]
fn where_it_cannot_be_told_what_was_agreed_stays_agreed(#[case] change: fn(&mut World)) {
    let mut world = world();
    // That `a` once ended on the 15th, and was five weeks shorter.
    forge(&mut world, "b", &json!({"follows": "2027-01-15T23:00:00Z", "length": "P15D"}));
    change(&mut world);
    assert_eq!(
        world.line("2027-01-20", "b"),
        "b: Active from 2027-01-15T23:00:00Z to 2027-01-30T23:00:00Z; next 2027-01-30T23:00:00Z Expired"
    );
}

#[test]
fn amendments_that_it_was_made_with_give_other_ends() {
    let mut world = World::new().with(
        "a",
        "2027-01-01",
        "{start: 2027-01-01, end: 2027-02-28, amendments: [{name: more, effective: 2027-02-01, end: 2027-05-31}]}",
    );
    world.add("b", "2027-01-02", "{renews: a}");
    as_made(&mut world);
    world.at("2027-01-02");
    assert_eq!(world.record("b").unwrap().follows.as_deref(), Some("2027-06-01T00:00:00Z"));
    for (follows, expected) in
        [("2027-03-01T00:00:00Z", "2027-03-01T00:00:00Z"), ("2027-01-10T00:00:00Z", "2027-06-01T00:00:00Z")]
    {
        forge(&mut world, "b", &json!({"follows": follows}));
        world.at("2027-04-01");
        assert_eq!(world.record("b").unwrap().follows.as_deref(), Some(expected));
    }
}

#[rstest]
#[case::what_the_catalogue_gave_once("2027-04-01T00:00:00Z", true)]
#[case::what_it_gives("2028-01-01T00:00:00Z", true)]
#[case::what_it_never_gave("2027-02-01T00:00:00Z", false)]
fn an_end_that_the_catalogue_gave_is_one_that_it_gave_at_any_time(#[case] follows: &str, #[case] is_believed: bool) {
    let state = |term: &str| Durations { term: Some(term.parse().unwrap()), grace: None };
    let history =
        History { states: vec![state("P1Y"), state("P3M")], amounts: Vec::new(), since: Some(at("2026-01-01")) };
    let mut world = World::new().term("P1Y").with("a", "2027-01-01", "{start: 2027-01-01}");
    world.history = Some(Arc::new(history));
    world.add("b", "2027-01-02", "{renews: a}");
    as_made(&mut world);
    world.at("2027-01-02");
    forge(&mut world, "b", &json!({"follows": follows}));
    world.at("2028-02-01");
    let expected = if is_believed { follows.to_owned() } else { format_instant(at("2028-01-01")) };
    assert_eq!(world.record("b").unwrap().follows, Some(expected));
}
