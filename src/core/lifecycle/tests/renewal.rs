//! `RenewalInvalid`, and what a renewal takes from the grant that it renews.

use super::World;
use crate::core::refusal::Reason;

/// A month from 2027-01-01 on, in force.
fn january() -> World {
    let mut world = World::new().with("a", "2027-01-01", "{end: 2027-01-31}");
    world.at("2027-01-01");
    world
}

fn refused(world: &mut World, name: &str, message: &str) {
    assert_eq!(world.line("2027-01-02", name), format!("{name}: Rejected RenewalInvalid"));
    assert_eq!(world.message("2027-01-02", name), message);
}

#[test]
fn invalid_where_the_renewed_instance_does_not_exist() {
    let message = "there is no instance nobody of organization acme and definition seats in namespace entitlements that this could renew";
    refused(&mut january().with("b", "2027-01-02", "{renews: nobody}"), "b", message);
}

#[test]
fn invalid_where_the_renewed_instance_is_in_another_namespace() {
    let mut world = january().with("b", "2027-01-02", "{renews: a}");
    world.instance("b").metadata.namespace = Some("elsewhere".to_owned());
    let message =
        "there is no instance a of organization acme and definition seats in namespace elsewhere that this could renew";
    refused(&mut world, "b", message);
}

#[test]
fn invalid_where_the_renewed_instance_is_in_draft() {
    let mut world = january().with("b", "2027-01-02", "{renews: a}");
    world.edit("a", "{state: Draft}");
    refused(&mut world, "b", "a is a Draft, which has nothing to renew: activate it first");
}

#[test]
fn invalid_where_the_renewed_instance_is_refused_itself() {
    let message = "a is refused itself: its condition Accepted says what to mend first";
    for spec in ["{start: 2027-02-01, end: 2027-01-01}", "{renews: nobody}", "{start: soon}"] {
        refused(&mut World::new().with("a", "2027-01-01", spec).with("b", "2027-01-02", "{renews: a}"), "b", message);
    }
    let mut cancelled =
        World::new().with("a", "2027-01-01", "{state: Cancelled, start: soon}").with("b", "2027-01-02", "{renews: a}");
    refused(&mut cancelled, "b", message);
}

#[test]
fn valid_where_the_renewed_instance_is_refused_as_duplicate() {
    let mut world = january().with("c", "2027-01-02", "{end: 2027-02-28}").with("d", "2027-01-03", "{renews: c}");
    assert_eq!(
        world.line("2027-01-03", "c"),
        "c: Rejected Duplicate from 2027-01-02 to 2027-03-01; next 2027-02-01 Active"
    );
    assert_eq!(
        world.line("2027-01-03", "d"),
        "d: Rejected Duplicate from 2027-03-01 to 2027-04-28; next 2027-02-01 Waiting"
    );
}

#[test]
fn invalid_where_the_renewed_instance_has_no_end_pending_amendments_counted() {
    let mut world = World::new().with("a", "2027-01-01", "{}").with("b", "2027-01-02", "{renews: a}");
    refused(&mut world, "b", "a has no end, so nothing can follow it: give it an end by an amendment first");
    world.edit("a", "{amendments: [{name: close, effective: 2027-06-01, end: 2027-06-30}]}");
    let world = &mut world.term("P1Y");
    assert_eq!(world.line("2027-01-02", "b"), "b: Waiting from 2027-07-01 to 2028-07-01; next 2027-07-01 Active");
    let mut opened = january();
    opened.edit("a", "{amendments: [{name: open, effective: 2027-01-20, end: 9999-12-31}]}").add(
        "b",
        "2027-01-02",
        "{renews: a}",
    );
    refused(&mut opened, "b", "a has no end, so nothing can follow it: give it an end by an amendment first");
    let mut cancelled = World::new().with("a", "2027-01-01", "{state: Cancelled}").with(
        "b",
        "2027-01-02",
        "{renews: a, end: 2027-06-30}",
    );
    assert_eq!(cancelled.line("2027-01-02", "b"), "b: Active from 2027-01-02 to 2027-07-01; next 2027-07-01 Expired");
}

#[test]
fn invalid_where_it_is_renewed_already_by_one_that_is_accepted() {
    let mut world = january().with("c", "2027-01-02", "{renews: a}");
    world.at("2027-01-02");
    world.add("b", "2027-01-01", "{renews: a}").add("d", "2027-01-01", "{renews: a, state: Draft}");
    let message = "a is renewed already by c: renew that one instead, or cancel it first";
    refused(&mut world, "b", message);
    assert_eq!(world.line("2027-01-02", "d"), "d: Draft RenewalInvalid");
    assert_eq!(
        world.line("2027-01-02", "a"),
        "a: Active from 2027-01-01 to 2027-02-01, renewed by c; next 2027-02-01 Expired"
    );
    world.edit("c", "{state: Cancelled}");
    assert_eq!(world.line("2027-01-02", "b"), "b: Waiting from 2027-02-01 to 2027-03-01; next 2027-02-01 Active");
    assert_eq!(
        world.line("2027-01-02", "a"),
        "a: Active from 2027-01-01 to 2027-02-01, renewed by b; next 2027-02-01 Expired"
    );
}

#[test]
fn invalid_while_none_is_accepted_where_an_older_one_renews_it() {
    let mut world = january().with("c", "2027-01-02", "{renews: a}").with("b", "2027-01-03", "{renews: a}");
    world.add("d", "2027-01-04", "{renews: a, state: Draft}").add("e", "2027-01-04", "{renews: a, start: soon}");
    let lines = [
        "a: Active from 2027-01-01 to 2027-02-01, renewed by c; next 2027-02-01 Expired",
        "b: Rejected RenewalInvalid",
        "c: Waiting from 2027-02-01 to 2027-03-01; next 2027-02-01 Active",
        "d: Draft RenewalInvalid",
        "e: Rejected RenewalInvalid",
    ];
    assert_eq!(world.at("2027-01-05"), lines);
}

#[test]
fn an_older_one_that_is_refused_for_another_reason_or_a_draft_does_not_count() {
    for spec in [
        "{renews: a, start: soon}",
        "{renews: a, end: 2026-01-01}",
        "{renews: a, state: Draft}",
        "{renews: a, state: Cancelled}",
    ] {
        let mut world = january().with("b", "2027-01-02", spec).with("c", "2027-01-03", "{renews: a}");
        assert_eq!(
            world.line("2027-01-03", "c"),
            "c: Waiting from 2027-02-01 to 2027-03-01; next 2027-02-01 Active",
            "{spec}"
        );
        assert!(
            world.line("2027-01-03", "b").ends_with(" RenewalInvalid"),
            "c is accepted: {}",
            world.line("2027-01-03", "b")
        );
    }
}

#[test]
fn an_older_one_without_a_valid_term_loses_once_the_younger_is_accepted() {
    let mut world = World::new().with("first", "2027-01-01", "{end: 2027-01-31}");
    world.at("2027-01-01");
    world.add("a", "2027-01-01", "{end: 2027-02-28}").add("b", "2027-01-02", "{renews: a, start: soon}");
    world.add("c", "2027-01-03", "{renews: a}").add("d", "2027-01-02", "{renews: a, state: Draft}");
    assert_eq!(
        world.at("2027-01-03"),
        [
            "a: Rejected Duplicate from 2027-01-01 to 2027-03-01; next 2027-02-01 Active",
            "b: Rejected InvalidTerm; next 2027-02-01 Rejected",
            "c: Rejected Duplicate from 2027-03-01 to 2027-05-01; next 2027-02-01 Waiting",
            "d: Draft from 2027-03-01 to 2027-05-01",
            "first: Active from 2027-01-01 to 2027-02-01; next 2027-02-01 Expired",
        ]
    );
    assert_eq!(
        world.at("2027-02-01"),
        [
            "a: Active from 2027-01-01 to 2027-03-01, renewed by c; next 2027-03-01 Expired",
            "b: Rejected RenewalInvalid",
            "c: Waiting from 2027-03-01 to 2027-05-01; next 2027-03-01 Active",
            "d: Draft RenewalInvalid",
            "first: Expired from 2027-01-01 to 2027-02-01",
        ]
    );
}

#[test]
fn a_cancelled_one_that_was_never_accepted_cannot_be_renewed_beside_the_one_that_was() {
    let mut world =
        january().with("b", "2027-01-02", "{renews: a, state: Cancelled}").with("c", "2027-01-03", "{renews: a}");
    world.add("d", "2027-01-03", "{renews: b}");
    assert_eq!(
        world.at("2027-01-03"),
        [
            "a: Active from 2027-01-01 to 2027-02-01, renewed by c; next 2027-02-01 Expired",
            "b: Cancelled RenewalInvalid",
            "c: Waiting from 2027-02-01 to 2027-03-01; next 2027-02-01 Active",
            "d: Rejected RenewalInvalid",
        ]
    );
}

#[test]
fn an_older_one_counts_though_its_chain_waits_for_the_seat() {
    let mut world =
        World::new().with("x", "2027-01-01", "{end: 2027-12-31}").with("a", "2027-01-02", "{end: 2027-01-31}");
    world.add("b", "2027-01-03", "{renews: a}").add("c", "2027-01-04", "{renews: a}");
    assert_eq!(world.line("2027-01-05", "b").split(" from ").next(), Some("b: Rejected Duplicate"));
    assert_eq!(world.line("2027-01-05", "c"), "c: Rejected RenewalInvalid");
}

#[test]
fn those_that_were_accepted_both_stay() {
    let mut world = january().with("b", "2027-01-01", "{renews: a}");
    world.at("2027-01-01");
    let record = world.record("b");
    world.add("c", "2027-01-02", "{renews: a}");
    world.set_record("c", record);
    for name in ["b", "c"] {
        assert_eq!(
            world.line("2027-01-03", name),
            format!("{name}: Waiting from 2027-02-01 to 2027-03-01; next 2027-02-01 Active")
        );
    }
}

#[test]
fn an_earlier_reason_goes_before_that_it_is_renewed_already() {
    let mut world = january().with("b", "2027-01-01", "{renews: a}");
    world.at("2027-01-01");
    world.add("c", "2027-01-02", "{renews: a}");
    world.unready = Some(crate::core::refusal::Reason::DefinitionNotReady);
    assert_eq!(world.line("2027-01-02", "c"), "c: Rejected DefinitionNotReady");
    world.unready = None;
    assert_eq!(
        world.message("2027-01-02", "c"),
        "a is renewed already by b: renew that one instead, or cancel it first"
    );
    world.edit("a", "{amendments: [{name: open, effective: 2027-01-02, end: 9999-12-31}]}");
    assert_eq!(
        world.message("2027-01-03", "c"),
        "a has no end, so nothing can follow it: give it an end by an amendment first"
    );
}

#[test]
fn invalid_where_the_chain_is_a_cycle() {
    let message = "renews a is part of a cycle of renewals: let the first grant of the chain renew none";
    refused(&mut World::new().with("a", "2027-01-01", "{renews: a}"), "a", message);
    let mut two = World::new().with("a", "2027-01-01", "{renews: b}").with("b", "2027-01-01", "{renews: a}");
    refused(&mut two, "b", message);
    let mut three = World::new().with("a", "2027-01-01", "{renews: b}").with("b", "2027-01-01", "{renews: c}");
    three.add("c", "2027-01-01", "{renews: a}").add("on", "2027-01-01", "{renews: a}").add(
        "off",
        "2027-01-01",
        "{end: 2027-01-31}",
    );
    assert_eq!(
        three.at("2027-01-01"),
        [
            "a: Rejected RenewalInvalid",
            "b: Rejected RenewalInvalid",
            "c: Rejected RenewalInvalid",
            "off: Active from 2027-01-01 to 2027-02-01; next 2027-02-01 Expired",
            "on: Rejected RenewalInvalid",
        ]
    );
    assert_eq!(
        three.message("2027-01-01", "on"),
        "a is refused itself: its condition Accepted says what to mend first"
    );
}

#[test]
fn an_accepted_one_is_not_refused_by_a_cycle_that_is_made_later() {
    let mut world = january().with("b", "2027-01-01", "{renews: a}");
    world.at("2027-01-01");
    world.edit("a", "{state: Draft, renews: b}");
    world.at("2027-01-02");
    world.edit("a", "{state: Active}");
    assert_eq!(
        world.at("2027-01-02"),
        [
            "a: Rejected RenewalInvalid, renewed by b",
            "b: Waiting from 2027-02-01 to 2027-03-01; next 2027-02-01 Active"
        ]
    );
}

#[test]
fn start_absent_is_follows_and_otherwise_the_later_counts() {
    for (start, line) in [
        ("", "b: Waiting from 2027-02-01 to 2027-03-01; next 2027-02-01 Active"),
        ("start: 2027-01-15", "b: Waiting from 2027-02-01 to 2027-03-01; next 2027-02-01 Active"),
        ("start: 2027-02-01", "b: Waiting from 2027-02-01 to 2027-03-01; next 2027-02-01 Active"),
        (
            "start: '2027-02-01T00:00:01Z'",
            "b: Waiting from 2027-02-01T00:00:01Z to 2027-03-01T00:00:01Z; next 2027-02-01T00:00:01Z Active",
        ),
        ("start: 2027-02-10", "b: Waiting from 2027-02-10 to 2027-03-10; next 2027-02-10 Active"),
    ] {
        let mut world = january().with("b", "2027-01-20", &format!("{{renews: a, {start}}}"));
        assert_eq!(world.line("2027-01-20", "b"), line);
    }
}

#[test]
fn end_absent_is_start_plus_the_length_of_the_renewed_term_before_amendments() {
    for (spec, line) in [
        ("{start: 2027-01-01, end: 2027-12-31}", "b: Waiting from 2028-01-01 to 2029-01-01; next 2028-01-01 Active"),
        ("{start: 2027-01-31, end: 2027-02-27}", "b: Waiting from 2027-02-28 to 2027-03-31; next 2027-02-28 Active"),
        ("{start: 2027-01-01, end: 2027-01-10}", "b: Waiting from 2027-01-11 to 2027-01-21; next 2027-01-11 Active"),
        (
            "{start: 2027-01-01, end: '2027-01-01T06:30:00Z'}",
            "b: Waiting from 2027-01-01T06:30:00Z to 2027-01-01T13:00:00Z; next 2027-01-01T06:30:00Z Active",
        ),
        (
            "{start: 2027-01-01, end: 2027-01-31, amendments: [{name: more, effective: 2027-01-05, end: 2027-03-09}]}",
            "b: Waiting from 2027-03-10 to 2027-04-10; next 2027-03-10 Active",
        ),
    ] {
        let mut world = World::new().term("P5Y").with("a", "2027-01-01", spec).with("b", "2027-01-01", "{renews: a}");
        assert_eq!(world.line("2027-01-01", "b"), line, "{spec}");
    }
}

#[test]
fn years_and_months_come_back_to_the_chain_day() {
    let mut world = World::new().with("a", "2027-01-01", "{start: 2027-01-31, end: 2027-02-27}");
    world.add("b", "2027-01-01", "{renews: a}").add("c", "2027-01-01", "{renews: b}").add(
        "d",
        "2027-01-01",
        "{renews: c}",
    );
    assert_eq!(
        world.at("2027-01-31"),
        [
            "a: Active from 2027-01-31 to 2027-02-28, renewed by b; next 2027-02-28 Expired",
            "b: Waiting from 2027-02-28 to 2027-03-31, renewed by c; next 2027-02-28 Active",
            "c: Waiting from 2027-03-31 to 2027-04-30, renewed by d; next 2027-03-31 Active",
            "d: Waiting from 2027-04-30 to 2027-05-31; next 2027-04-30 Active",
        ]
    );
}

#[test]
fn where_the_renewed_one_has_an_end_by_amendment_only_the_definition_gives_the_length() {
    let spec = "{amendments: [{name: close, effective: 2027-01-01, end: 2027-06-30}]}";
    let mut world = World::new().with("a", "2027-01-01", spec).with("b", "2027-01-01", "{renews: a}");
    assert_eq!(world.line("2027-01-01", "b"), "b: Waiting from 2027-07-01 to never; next 2027-07-01 Active");
    let mut world = World::new().with("a", "2027-01-01", spec);
    world.at("2027-01-01");
    let mut world = world.term("P1M").with("b", "2027-01-01", "{renews: a}");
    assert_eq!(world.line("2027-01-01", "b"), "b: Waiting from 2027-07-01 to 2027-08-01; next 2027-07-01 Active");
}

#[test]
fn follows_is_kept_current_until_that_moment_is_reached() {
    let mut world = january().with("b", "2027-01-01", "{renews: a}");
    assert_eq!(world.line("2027-01-20", "b"), "b: Waiting from 2027-02-01 to 2027-03-01; next 2027-02-01 Active");
    world.edit("a", "{amendments: [{name: later, effective: 2027-01-20, end: 2027-02-09}]}");
    assert_eq!(world.line("2027-01-20", "b"), "b: Waiting from 2027-02-10 to 2027-03-10; next 2027-02-10 Active");
    assert_eq!(world.record("b").unwrap().follows.as_deref(), Some("2027-02-10T00:00:00Z"));
    world.edit("a", "{amendments: [{name: later, effective: 2027-01-20, end: 2027-02-09, revoked: true}]}");
    assert_eq!(
        world.line("2027-01-31T23:59:59Z", "b"),
        "b: Waiting from 2027-02-01 to 2027-03-01; next 2027-02-01 Active"
    );
    world.edit("a", "{amendments: [{name: late, effective: 2027-01-20, end: 2027-02-09}]}");
    assert_eq!(
        world.at("2027-02-01"),
        [
            "a: Active from 2027-01-01 to 2027-02-10, late Effective, renewed by b; next 2027-02-10 Expired",
            "b: Active from 2027-02-01 to 2027-03-01; next 2027-03-01 Expired",
        ],
        "reached: what has come to its start is not sent back to Waiting"
    );
}

#[test]
fn a_cancellation_of_the_renewed_instance_afterwards_does_not_pull_it_forward() {
    for end in ["{state: Cancelled}", "{state: Draft}"] {
        let mut world = january().with("b", "2027-01-01", "{renews: a}");
        world.at("2027-01-01");
        world.edit("a", end);
        assert_eq!(
            world.line("2027-01-02", "b"),
            "b: Waiting from 2027-02-01 to 2027-03-01; next 2027-02-01 Active",
            "{end}"
        );
    }
    let mut world = january().with("b", "2027-01-01", "{renews: a}");
    world.at("2027-01-01");
    world.delete("a");
    assert_eq!(world.at("2027-01-02"), ["b: Waiting from 2027-02-01 to 2027-03-01; next 2027-02-01 Active"]);
}

#[test]
fn follows_is_none_if_the_renewed_is_cancelled_when_the_renewal_is_accepted() {
    let mut world = january();
    world.edit("a", "{state: Cancelled}").add("b", "2027-01-10", "{renews: a}");
    assert_eq!(
        world.at("2027-01-10"),
        [
            "a: Cancelled from 2027-01-01 to 2027-02-01, renewed by b",
            "b: Active from 2027-01-10 to 2027-02-10; next 2027-02-10 Expired",
        ]
    );
    let record = world.record("b").unwrap();
    assert_eq!((record.follows, record.since.as_deref()), (None, Some("2027-01-10T00:00:00Z")));
    assert_eq!(record.length.as_deref(), Some("P1M"));
    assert_eq!(record.chain.unwrap().name, "a");
}

#[test]
fn a_new_renewal_with_an_end_not_after_follows_has_an_invalid_term() {
    let mut world = january().with("b", "2027-01-01", "{renews: a, end: 2027-01-31}");
    assert_eq!(world.line("2027-01-01", "b"), "b: Rejected InvalidTerm");
    assert_eq!(
        world.message("2027-01-01", "b"),
        "the end 2027-01-31 is not after the start 2027-02-01T00:00:00Z: give a later end or an earlier start"
    );
}

#[test]
fn never_in_force_where_the_renewed_comes_to_end_no_earlier() {
    let mut world = january().with("b", "2027-01-01", "{renews: a, end: 2027-02-28}").grace("P60D");
    world.at("2027-01-01");
    world.edit("a", "{amendments: [{name: more, effective: 2027-01-05, end: 2027-02-28}]}");
    assert_eq!(
        world.line("2027-01-05", "b"),
        "b: Waiting from 2027-03-01 to 2027-03-01, never in force; next 2027-03-01 Expired"
    );
    let (_, spans) = world.decide(super::at("2027-01-05"));
    assert_eq!(spans.len(), 1, "an empty span is none: {spans:?}");
    world.edit("a", "{amendments: [{name: more, effective: 2027-01-05, end: 2027-03-31}]}");
    assert_eq!(
        world.line("2027-02-28", "b"),
        "b: Waiting from 2027-04-01 to 2027-03-01, never in force; next 2027-03-01 Expired"
    );
    assert_eq!(world.line("2027-03-01", "b"), "b: Expired from 2027-04-01 to 2027-03-01, never in force");
    assert_eq!(
        world.line("2027-04-02", "b"),
        "b: Expired from 2027-04-01 to 2027-03-01, never in force",
        "nor in grace"
    );
}

#[test]
fn of_what_has_no_time_in_force_no_length_is_taken() {
    let mut world = january().with("b", "2027-01-01", "{renews: a, end: 2027-02-28}");
    world.at("2027-01-01");
    world.edit("a", "{amendments: [{name: more, effective: 2027-01-05, end: 2027-03-31}]}");
    world.at("2027-01-05");
    world.add("c", "2027-01-06", "{renews: b}").add("d", "2027-01-05", "{renews: b, end: 2027-12-31}");
    assert_eq!(world.line("2027-01-06", "c"), "c: Rejected RenewalInvalid");
    assert_eq!(world.line("2027-01-06", "d"), "d: Waiting from 2027-03-01 to 2028-01-01; next 2027-03-01 Active");
    assert_eq!(world.record("d").unwrap().length.as_deref(), Some("PT0S"));
    world.delete("d");
    assert_eq!(world.line("2027-01-06", "c"), "c: Rejected InvalidTerm", "start plus no time at all");
}

#[test]
fn renewed_by_names_the_one_that_renews_it_validly() {
    for (spec, renewed) in [
        ("{renews: a}", ", renewed by b"),
        ("{renews: a, suspended: true}", ", renewed by b"),
        ("{renews: a, state: Draft}", ""),
        ("{renews: a, state: Cancelled}", ""),
        ("{renews: a, end: 2026-01-01}", ""),
    ] {
        let mut world = january().with("b", "2027-01-01", spec);
        let line = format!("a: Active from 2027-01-01 to 2027-02-01{renewed}; next 2027-02-01 Expired");
        assert_eq!(world.line("2027-01-01", "a"), line, "{spec}");
    }
    let mut barred = january().with("b", "2027-01-01", "{renews: a}");
    barred.at("2027-01-01");
    barred.barred = Some(("entitlements", Reason::NamespaceNotAllowed));
    assert_eq!(barred.line("2027-01-01", "a"), "a: Rejected NamespaceNotAllowed");
}

#[test]
fn there_is_neither_a_gap_nor_an_overlap_between_a_grant_and_its_renewal() {
    let mut world =
        World::new().term("P1M").grace("P10D").with("a", "2027-01-01", "{}").with("b", "2027-01-01", "{renews: a}");
    let phases = |world: &mut World, now: &str| -> Vec<String> {
        world.at(now).iter().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect()
    };
    assert_eq!(phases(&mut world, "2027-01-31T23:59:59Z"), ["Active", "Waiting"]);
    assert_eq!(phases(&mut world, "2027-02-01"), ["Expired", "Active"]);
}
