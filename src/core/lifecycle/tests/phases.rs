//! "`status.phase`; the first row that applies"

use super::World;
use crate::core::refusal::Reason;

/// In force from 2027-02-01 to 2027-03-01, then ten days of grace.
fn month() -> World {
    World::new().grace("P10D").with("a", "2027-01-01", "{start: 2027-02-01, end: 2027-02-28}")
}

#[test]
fn each_phase_begins_at_its_boundary_itself() {
    let term = "from 2027-02-01 to 2027-03-01";
    for (now, phase, next) in [
        ("2027-01-01", "Waiting", "; next 2027-02-01 Active"),
        ("2027-01-31T23:59:59Z", "Waiting", "; next 2027-02-01 Active"),
        ("2027-02-01", "Active", "; next 2027-03-01 Grace"),
        ("2027-02-28T23:59:59Z", "Active", "; next 2027-03-01 Grace"),
        ("2027-03-01", "Grace", "; next 2027-03-11 Expired"),
        ("2027-03-10T23:59:59Z", "Grace", "; next 2027-03-11 Expired"),
        ("2027-03-11", "Expired", ""),
        ("2127-03-11", "Expired", ""),
    ] {
        assert_eq!(month().at(now), [format!("a: {phase} {term}{next}")]);
    }
}

#[test]
fn without_a_grace_period_it_is_expired_at_its_end() {
    let mut world = World::new().with("a", "2027-01-01", "{end: 2027-01-31}");
    assert_eq!(world.at("2027-01-31T23:59:59Z"), ["a: Active from 2027-01-01 to 2027-02-01; next 2027-02-01 Expired"]);
    assert_eq!(world.at("2027-02-01"), ["a: Expired from 2027-01-01 to 2027-02-01"]);
}

#[test]
fn without_an_end_it_is_active_for_good() {
    let mut world = World::new().grace("P1D").with("a", "2027-01-01", "{}");
    assert_eq!(world.at("2027-01-01"), ["a: Active from 2027-01-01 to never"]);
    assert_eq!(world.at("9998-12-31"), ["a: Active from 2027-01-01 to never"]);
}

#[test]
fn draft_goes_before_all() {
    let mut world = month();
    world.edit("a", "{state: Draft, suspended: true}");
    for now in ["2027-01-01", "2027-02-01", "2027-03-01", "2027-03-11"] {
        assert_eq!(world.at(now), ["a: Draft from 2027-02-01 to 2027-03-01"]);
    }
    world.barred = Some(("entitlements", Reason::OrganizationNotFound));
    assert_eq!(world.at("2027-02-01"), ["a: Draft OrganizationNotFound"]);
}

#[test]
fn cancelled_goes_before_rejected_and_before_all_that_time_does() {
    let mut world = month();
    world.edit("a", "{state: Cancelled, suspended: true}");
    for now in ["2027-01-01", "2027-02-01", "2027-03-01", "2027-03-11"] {
        assert_eq!(world.at(now), ["a: Cancelled from 2027-02-01 to 2027-03-01"]);
    }
    world.barred = Some(("entitlements", Reason::OrganizationNotFound));
    assert_eq!(world.at("2027-02-01"), ["a: Cancelled OrganizationNotFound"]);
}

#[test]
fn rejected_goes_before_expired() {
    let mut world = month();
    world.at("2027-01-01");
    world.barred = Some(("entitlements", Reason::NamespaceNotAllowed));
    for now in ["2027-01-01", "2027-02-01", "2027-03-11"] {
        assert_eq!(world.at(now), ["a: Rejected NamespaceNotAllowed"]);
    }
}

#[test]
fn suspended_comes_after_expired_and_waiting_and_before_active_and_grace() {
    let term = "from 2027-02-01 to 2027-03-01";
    for of_organization in [false, true] {
        let mut world = month();
        world.suspended = of_organization;
        world.edit("a", if of_organization { "{}" } else { "{suspended: true}" });
        assert_eq!(world.at("2027-01-01"), [format!("a: Waiting {term}; next 2027-02-01 Suspended")]);
        assert_eq!(world.at("2027-02-01"), [format!("a: Suspended {term}; next 2027-03-11 Expired")]);
        assert_eq!(world.at("2027-03-01"), [format!("a: Suspended {term}; next 2027-03-11 Expired")]);
        assert_eq!(world.at("2027-03-11"), [format!("a: Expired {term}")]);
    }
}

#[test]
fn expired_at_its_end_once_an_accepted_renewal_has_come_to_its_start() {
    let mut world = month().with("b", "2027-02-01", "{renews: a}");
    assert_eq!(
        world.line("2027-02-28", "a"),
        "a: Active from 2027-02-01 to 2027-03-01, renewed by b; next 2027-03-01 Expired"
    );
    assert_eq!(
        world.at("2027-03-01"),
        [
            "a: Expired from 2027-02-01 to 2027-03-01, renewed by b",
            "b: Active from 2027-03-01 to 2027-04-01; next 2027-04-01 Grace",
        ]
    );
}

#[test]
fn grace_lasts_until_a_renewal_that_starts_later() {
    let mut world = month().with("b", "2027-02-01", "{renews: a, start: 2027-03-04, end: 2027-03-31}");
    assert_eq!(
        world.line("2027-03-01", "a"),
        "a: Grace from 2027-02-01 to 2027-03-01, renewed by b; next 2027-03-04 Expired"
    );
    assert_eq!(
        world.line("2027-03-03T23:59:59Z", "a"),
        "a: Grace from 2027-02-01 to 2027-03-01, renewed by b; next 2027-03-04 Expired"
    );
    assert_eq!(world.line("2027-03-04", "a"), "a: Expired from 2027-02-01 to 2027-03-01, renewed by b");
}

#[test]
fn a_renewal_that_starts_after_the_grace_changes_nothing() {
    let mut world = month().with("b", "2027-02-01", "{renews: a, start: 2027-03-12, end: 2027-03-31}");
    assert_eq!(
        world.line("2027-03-01", "a"),
        "a: Grace from 2027-02-01 to 2027-03-01, renewed by b; next 2027-03-11 Expired"
    );
    assert_eq!(world.line("2027-03-11", "a"), "a: Expired from 2027-02-01 to 2027-03-01, renewed by b");
}

#[test]
fn a_renewal_made_in_grace_follows_the_end_and_ends_the_grace() {
    let mut world = month();
    assert_eq!(world.at("2027-03-05"), ["a: Grace from 2027-02-01 to 2027-03-01; next 2027-03-11 Expired"]);
    world.add("b", "2027-03-05", "{renews: a}");
    assert_eq!(
        world.at("2027-03-05"),
        [
            "a: Expired from 2027-02-01 to 2027-03-01, renewed by b",
            "b: Active from 2027-03-01 to 2027-04-01; next 2027-04-01 Grace",
        ]
    );
}

#[test]
fn only_an_accepted_renewal_in_state_active_ends_the_grace() {
    for spec in ["{renews: a, state: Draft}", "{renews: a, state: Cancelled}", "{renews: a, end: 2027-01-01}"] {
        let mut world = month();
        world.at("2027-02-01");
        world.add("b", "2027-03-01", spec);
        assert_eq!(
            world.line("2027-03-01", "a"),
            "a: Grace from 2027-02-01 to 2027-03-01; next 2027-03-11 Expired",
            "{spec}"
        );
    }
    let mut suspended = month().with("b", "2027-02-01", "{renews: a, suspended: true}");
    assert_eq!(suspended.line("2027-03-01", "a"), "a: Expired from 2027-02-01 to 2027-03-01, renewed by b");
}

#[test]
fn what_was_missed_is_derived_from_the_time_alone() {
    let mut watched = month().with("b", "2027-02-01", "{renews: a, start: 2027-03-04, end: 2027-03-31}");
    let mut missed = watched.clone();
    watched.at("2027-02-01");
    missed.at("2027-02-01");
    for now in ["2027-03-01", "2027-03-04", "2027-04-01", "2027-04-11"] {
        watched.at(now);
    }
    assert_eq!(missed.at("2027-05-01"), watched.at("2027-05-01"));
    assert_eq!(missed.at("2027-03-01"), watched.at("2027-03-01"), "also where the clock goes back");
}

#[test]
fn boundaries_lie_two_hundred_years_ahead() {
    let mut world =
        World::new().term("P200Y").grace("P1D").zone("Europe/Berlin").with("a", "2027-07-01", "{start: 2027-07-01}");
    assert_eq!(
        world.at("2027-07-01"),
        ["a: Active from 2027-06-30T22:00:00Z to 2227-06-30T22:00:00Z; next 2227-06-30T22:00:00Z Grace"]
    );
    assert_eq!(world.line("2227-06-30T23:00:00Z", "a").split(' ').nth(1), Some("Grace"));
}
