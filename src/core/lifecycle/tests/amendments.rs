//! Effective-dated changes.

use super::{World, at};
use crate::{api::AmountField, core::amount::Amount};

/// The whole of 2027.
fn year(amendments: &str) -> World {
    World::new().with("a", "2027-01-01", &format!("{{end: 2027-12-31, amendments: {amendments}}}"))
}

fn ignored(amendments: &str, now: &str) -> String {
    let world = year(amendments);
    let row = world.decide(at(now)).0.remove(0);
    row.amendments
        .into_iter()
        .find(|(name, _, _)| name == "x")
        .map(|(_, state, message)| format!("{state:?}: {message}"))
        .unwrap()
}

#[test]
fn one_counts_from_its_effective_moment_on() {
    let mut world = year("[{name: x, effective: 2027-06-01, end: 2028-06-30}]");
    let before = "a: Active from 2027-01-01 to 2028-01-01, x Pending; next 2027-06-01 Active";
    assert_eq!(world.at("2027-01-01"), [before], "until it is effective, status shows the end that holds now");
    assert_eq!(world.at("2027-05-31T23:59:59Z"), [before]);
    assert_eq!(
        world.at("2027-06-01"),
        ["a: Active from 2027-01-01 to 2028-07-01, x Effective; next 2028-07-01 Expired"]
    );
}

#[test]
fn a_date_is_midnight_of_that_day_in_the_time_zone() {
    let mut world = World::new().zone("Europe/Berlin").with(
        "a",
        "2027-01-01",
        "{end: 2027-12-31, amendments: [{name: x, effective: 2027-06-01, end: 2027-07-31}]}",
    );
    assert_eq!(
        world.at("2027-05-31T21:59:59Z"),
        ["a: Active from 2027-01-01 to 2027-12-31T23:00:00Z, x Pending; next 2027-05-31T22:00:00Z Active"]
    );
    assert_eq!(
        world.at("2027-05-31T22:00:00Z"),
        ["a: Active from 2027-01-01 to 2027-07-31T22:00:00Z, x Effective; next 2027-07-31T22:00:00Z Expired"]
    );
}

#[test]
fn they_are_applied_in_the_order_of_effective_then_name() {
    let both = "[{name: xy, effective: 2027-06-01, end: 2028-06-30}, {name: x, effective: '2027-06-01T00:00:00Z', end: 2029-06-30}]";
    assert_eq!(
        year(both).at("2027-06-01"),
        ["a: Active from 2027-01-01 to 2028-07-01, x Effective, xy Effective; next 2028-07-01 Expired"]
    );
    let first = "[{name: xy, effective: '2027-05-31T23:59:59Z', end: 2028-06-30}, {name: x, effective: 2027-06-01, end: 2029-06-30}]";
    assert_eq!(
        year(first).at("2027-06-01"),
        ["a: Active from 2027-01-01 to 2029-07-01, x Effective, xy Effective; next 2029-07-01 Expired"]
    );
}

#[test]
fn amount_and_end_replace_what_holds_before_them() {
    let amount = |amendments: &str, now: &str| {
        let world = year(amendments);
        let grants = world.grants();
        let group = world.group(&grants);
        group.decide(at(now)).remove(0).amended_amount(&grants[0]).map(|amount| amount.to_string())
    };
    let two = "[{name: x, effective: 2027-02-01, amount: 20}, {name: xy, effective: 2027-03-01, amount: 5}, {name: z, effective: 2027-04-01, end: 2027-06-30}]";
    assert_eq!(amount(two, "2027-01-31"), None);
    assert_eq!(amount(two, "2027-02-01").as_deref(), Some("20"));
    assert_eq!(amount(two, "2027-03-01").as_deref(), Some("5"));
    assert_eq!(amount(two, "2027-04-01").as_deref(), Some("5"), "an amendment without an amount leaves it");
    assert_eq!(amount("[{name: x, effective: 2027-02-01, amount: 20, revoked: true}]", "2027-02-01"), None);
    assert!(Amount::read(&AmountField::Text("many".to_owned())).is_err());
    assert_eq!(amount("[{name: x, effective: 2027-02-01, amount: many}]", "2027-02-01"), None);
}

#[test]
fn revoked_takes_it_back_as_though_it_had_never_been() {
    let mut world = year(
        "[{name: x, effective: 2027-06-01, end: 2027-06-30, revoked: true}, {name: xy, effective: 2027-08-01, end: 2028-03-31}]",
    );
    assert_eq!(
        world.at("2027-08-01"),
        ["a: Active from 2027-01-01 to 2028-04-01, x Revoked, xy Effective; next 2028-04-01 Expired"]
    );
    let mut unreadable = year("[{name: x, effective: soon, revoked: true}]");
    assert_eq!(
        unreadable.at("2027-08-01"),
        ["a: Active from 2027-01-01 to 2028-01-01, x Revoked; next 2028-01-01 Expired"]
    );
}

#[test]
fn it_never_refuses_an_instance_and_is_ignored_with_a_message() {
    for (amendment, message) in [
        (
            "effective: soon",
            "Ignored: effective: \"soon\" is no date or time: it does not have the form of one; write a date such as 2027-01-31, or an RFC 3339 time of whole seconds with its offset, such as 2027-01-31T09:00:00Z",
        ),
        (
            "effective: 2027-02-01, end: 2027-02-30",
            "Ignored: end: \"2027-02-30\" is no date or time: there is no such day, time of day or offset; write a date such as 2027-01-31, or an RFC 3339 time of whole seconds with its offset, such as 2027-01-31T09:00:00Z",
        ),
        ("effective: 2027-02-01, facets: {}", "Ignored: facets do not validate"),
        (
            "effective: 2027-02-01, end: '2027-02-01T00:00:00Z'",
            "Ignored: its end 2027-02-01T00:00:00Z is not after its effective moment 2027-02-01T00:00:00Z: give a later end",
        ),
        (
            "effective: 2026-02-01, end: '2027-01-01T00:00:00Z'",
            "Ignored: its end is not after the grant's start 2027-01-01T00:00:00Z: give a later end",
        ),
        (
            "effective: 2028-01-01, end: 2028-06-30",
            "Ignored: the grant has ended at 2028-01-01T00:00:00Z, before this would count: date it before that end, or renew the grant instead",
        ),
    ] {
        let amendments = format!("[{{name: x, {amendment}}}]");
        assert_eq!(ignored(&amendments, "2027-06-01"), message);
        assert_eq!(
            year(&amendments).at("2027-06-01"),
            ["a: Active from 2027-01-01 to 2028-01-01, x Ignored; next 2028-01-01 Expired"]
        );
    }
    assert!(
        ignored("[{name: x, effective: 2027-02-01, amount: many}]", "2027-06-01")
            .starts_with("Ignored: amount \"many\" cannot be read: ")
    );
}

#[test]
fn the_last_moment_before_the_end_still_amends() {
    let mut world = year("[{name: x, effective: '2027-12-31T23:59:59Z', end: 2028-06-30}]");
    assert_eq!(
        world.at("2028-01-01"),
        ["a: Active from 2027-01-01 to 2028-07-01, x Effective; next 2028-07-01 Expired"]
    );
}

#[test]
fn what_is_ignored_holds_for_none_after_it() {
    let chain =
        "[{name: v, effective: 2028-02-01, end: 2028-12-31}, {name: x, effective: 2028-03-01, end: 2029-12-31}]";
    assert_eq!(
        year(chain).at("2027-06-01"),
        ["a: Active from 2027-01-01 to 2028-01-01, v Ignored, x Ignored; next 2028-01-01 Expired"]
    );
    let carried =
        "[{name: v, effective: 2027-12-01, end: 2028-12-31}, {name: x, effective: 2028-03-01, end: 2029-12-31}]";
    assert_eq!(
        year(carried).at("2027-06-01"),
        ["a: Active from 2027-01-01 to 2028-01-01, v Pending, x Pending; next 2027-12-01 Active"]
    );
    assert_eq!(
        year(carried).at("2028-02-01"),
        ["a: Active from 2027-01-01 to 2029-01-01, v Effective, x Pending; next 2028-03-01 Active"]
    );
}

#[test]
fn a_pending_shorter_end_leaves_later_ones_ended() {
    let shorter =
        "[{name: v, effective: 2027-03-01, end: 2027-06-30}, {name: x, effective: 2027-08-01, end: 2029-12-31}]";
    assert_eq!(
        year(shorter).at("2027-01-01"),
        ["a: Active from 2027-01-01 to 2028-01-01, v Pending, x Ignored; next 2027-03-01 Active"]
    );
    assert_eq!(
        year(shorter).at("2027-03-01"),
        ["a: Active from 2027-01-01 to 2027-07-01, v Effective, x Ignored; next 2027-07-01 Expired"]
    );
}

#[test]
fn one_dated_back_brings_an_ended_grant_back() {
    let mut world = year("[]");
    world.at("2027-06-01");
    assert_eq!(world.at("2028-02-01"), ["a: Expired from 2027-01-01 to 2028-01-01"]);
    world.edit("a", "{amendments: [{name: x, effective: 2028-01-01, end: 2028-12-31}]}");
    assert_eq!(world.at("2028-02-01"), ["a: Expired from 2027-01-01 to 2028-01-01, x Ignored"]);
    world.edit("a", "{amendments: [{name: xy, effective: 2027-12-31, end: 2028-12-31}]}");
    assert_eq!(
        world.at("2028-02-01"),
        ["a: Active from 2027-01-01 to 2029-01-01, xy Effective; next 2029-01-01 Expired"]
    );
}

#[test]
fn one_dated_back_brings_it_back_beside_the_runner_up() {
    let mut world = year("[]").with("b", "2027-02-01", "{end: 2030-12-31}");
    world.at("2027-06-01");
    assert_eq!(world.line("2028-01-01", "b"), "b: Active from 2027-02-01 to 2031-01-01; next 2031-01-01 Expired");
    world.edit("a", "{amendments: [{name: xy, effective: 2027-12-31, end: 2028-12-31}]}");
    assert_eq!(
        world.at("2028-02-01"),
        [
            "a: Active from 2027-01-01 to 2029-01-01, xy Effective; next 2029-01-01 Expired",
            "b: Active from 2027-02-01 to 2031-01-01; next 2031-01-01 Expired",
        ],
        "should there be several such, all stay"
    );
}

#[test]
fn an_end_is_extended_to_never() {
    let mut world =
        year("[{name: x, effective: 2027-06-01, end: 9999-12-31}, {name: z, effective: 2200-01-01, end: 2200-12-31}]");
    assert_eq!(
        world.at("2027-01-01"),
        ["a: Active from 2027-01-01 to 2028-01-01, x Pending, z Pending; next 2027-06-01 Active"]
    );
    assert_eq!(
        world.at("2027-06-01"),
        ["a: Active from 2027-01-01 to never, x Effective, z Pending; next 2200-01-01 Active"]
    );
    assert_eq!(
        world.at("2200-01-01"),
        ["a: Active from 2027-01-01 to 2201-01-01, x Effective, z Effective; next 2201-01-01 Expired"]
    );
}

#[test]
fn before_its_start_an_amendment_counts_already() {
    let mut world = World::new().with(
        "a",
        "2027-01-01",
        "{start: 2027-06-01, end: 2027-12-31, amendments: [{name: x, effective: 2027-02-01, end: 2027-08-31}]}",
    );
    assert_eq!(
        world.at("2027-01-01"),
        ["a: Waiting from 2027-06-01 to 2028-01-01, x Pending; next 2027-02-01 Waiting"]
    );
    assert_eq!(
        world.at("2027-02-01"),
        ["a: Waiting from 2027-06-01 to 2027-09-01, x Effective; next 2027-06-01 Active"]
    );
}

#[test]
fn the_start_comes_first_where_an_amendment_counts_no_earlier() {
    for effective in ["2027-07-01", "2027-06-01"] {
        let amendments = format!("[{{name: x, effective: {effective}, end: 2028-01-31}}]");
        let spec = format!("{{start: 2027-06-01, end: 2027-12-31, amendments: {amendments}}}");
        let mut world = World::new().with("a", "2027-01-01", &spec);
        assert_eq!(
            world.at("2027-01-01"),
            ["a: Waiting from 2027-06-01 to 2028-01-01, x Pending; next 2027-06-01 Active"],
            "{effective}"
        );
    }
}

#[test]
fn grace_begins_at_the_amended_end() {
    let mut world = year("[{name: x, effective: 2027-02-01, end: 2027-06-30}]").grace("P10D");
    assert_eq!(
        world.at("2027-07-01"),
        ["a: Grace from 2027-01-01 to 2027-07-01, x Effective; next 2027-07-11 Expired"]
    );
}

#[test]
fn a_refused_duplicate_shows_its_amendments_too() {
    let mut world = year("[]");
    world.at("2027-01-01");
    world.add("b", "2027-01-02", "{end: 2028-12-31, amendments: [{name: x, effective: 2027-02-01, end: 2029-12-31}]}");
    assert_eq!(
        world.line("2027-01-02", "b"),
        "b: Rejected Duplicate from 2027-01-02 to 2029-01-01, x Pending; next 2027-02-01 Rejected"
    );
    assert_eq!(
        world.line("2027-02-01", "b"),
        "b: Rejected Duplicate from 2027-01-02 to 2030-01-01, x Effective; next 2028-01-01 Active"
    );
}
