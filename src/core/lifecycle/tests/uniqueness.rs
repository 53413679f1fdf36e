//! "An organization has at most one chain of a definition alive."

use super::{World, at, text};
use crate::core::{calendar::Bound, refusal::Reason};

fn accepted(world: &mut World, now: &str) -> Vec<String> {
    let rows = world.step(at(now));
    rows.into_iter().filter(|row| row.reason.is_none()).map(|row| row.name).collect()
}

#[test]
fn a_free_seat_goes_to_the_oldest() {
    let mut world =
        World::new().with("c", "2027-01-02", "{}").with("b", "2027-01-01", "{}").with("a", "2027-01-03", "{}");
    assert_eq!(
        world.at("2027-01-03"),
        [
            "a: Rejected Duplicate from 2027-01-03 to never",
            "b: Active from 2027-01-01 to never",
            "c: Rejected Duplicate from 2027-01-02 to never"
        ]
    );
    assert_eq!(
        world.message("2027-01-03", "a"),
        "organization acme holds seats already by entitlements/b: this takes over when that one is over; renew it, amend it, or cancel one of the two"
    );
}

#[test]
fn the_order_of_age_is_granted_at_or_creation_then_uid_then_namespace_then_name() {
    let names = |world: &mut World| accepted(world, "2027-01-03");
    let same = World::new().with("a", "2027-01-01", "{}").with("b", "2027-01-01", "{}");
    let granted = |world: &World, moment: &str| {
        let mut world = world.clone();
        world.instance("b").metadata.annotations =
            Some([("entitlements.dev/granted-at".to_owned(), moment.to_owned())].into());
        world
    };
    assert_eq!(names(&mut granted(&same, "2026-12-31T23:59:59Z")), ["b"]);
    assert_eq!(names(&mut granted(&same, "2027-01-01T00:00:01Z")), ["a"]);
    assert_eq!(names(&mut granted(&same, "2026-12-31T23:59:59.5+00:00")), ["b"]);
    assert_eq!(names(&mut granted(&same, "yesterday")), ["a"], "an unreadable annotation is none");
    let mut uid = same.clone();
    uid.instance("b").metadata.uid = Some("uid-0".to_owned());
    assert_eq!(names(&mut uid), ["b"]);
    let equal = |namespace: &str| {
        let mut world = same.clone();
        for name in ["a", "b"] {
            world.instance(name).metadata.uid = Some("same".to_owned());
        }
        world.instance("b").metadata.namespace = Some(namespace.to_owned());
        world
    };
    assert_eq!(names(&mut equal("aardvark")), ["b"]);
    assert_eq!(names(&mut equal("zebra")), ["a"]);
    assert_eq!(names(&mut equal("entitlements")), ["a"]);
}

#[test]
fn one_that_has_an_accepted_member_keeps_the_seat() {
    let mut world = World::new().with("young", "2027-01-02", "{}");
    world.at("2027-01-02");
    world.add("old", "2020-01-01", "{}");
    assert_eq!(
        world.at("2027-01-03"),
        ["old: Rejected Duplicate from 2020-01-01 to never", "young: Active from 2027-01-02 to never"]
    );
    world.set_record("young", None);
    assert_eq!(accepted(&mut world, "2027-01-03"), ["old"], "without records the present objects decide");
}

#[test]
fn should_there_be_several_such_all_stay() {
    let mut world = World::new()
        .with("a", "2027-01-01", "{end: 2027-12-31}")
        .with("b", "2027-01-02", "{end: 2028-12-31}")
        .allow_multiple();
    world.at("2027-01-02");
    world.unique = true;
    world.add("c", "2026-01-01", "{end: 2029-12-31}");
    assert_eq!(accepted(&mut world, "2027-01-03"), ["a", "b"]);
    assert_eq!(accepted(&mut world, "2028-01-01"), ["a", "b"], "a is Expired, and b holds it");
    assert_eq!(accepted(&mut world, "2029-01-01"), ["a", "b", "c"]);
}

#[test]
fn unless_the_definition_says_allow_multiple() {
    let mut world = World::new().with("a", "2027-01-01", "{}").with("b", "2027-01-02", "{}").allow_multiple();
    assert_eq!(accepted(&mut world, "2027-01-02"), ["a", "b"]);
}

#[test]
fn the_runner_up_comes_up_by_itself_at_that_second() {
    let mut world = World::new().with("a", "2027-01-01", "{end: '2027-03-04T05:06:07Z'}").with(
        "b",
        "2027-01-02",
        "{end: 2030-12-31}",
    );
    world.add("c", "2027-01-03", "{end: 2029-12-31}").add("d", "2027-01-04", "{end: 2031-12-31}").add(
        "e",
        "2027-01-05",
        "{start: 2032-02-01}",
    );
    assert_eq!(
        world.at("2027-03-04T05:06:06Z"),
        [
            "a: Active from 2027-01-01 to 2027-03-04T05:06:07Z; next 2027-03-04T05:06:07Z Expired",
            "b: Rejected Duplicate from 2027-01-02 to 2031-01-01; next 2027-03-04T05:06:07Z Active",
            "c: Rejected Duplicate from 2027-01-03 to 2030-01-01; next 2030-01-01 Expired",
            "d: Rejected Duplicate from 2027-01-04 to 2032-01-01; next 2031-01-01 Active",
            "e: Rejected Duplicate from 2032-02-01 to never; next 2032-01-01 Waiting",
        ]
    );
    assert_eq!(
        world.at("2027-03-04T05:06:07Z"),
        [
            "a: Expired from 2027-01-01 to 2027-03-04T05:06:07Z",
            "b: Active from 2027-01-02 to 2031-01-01; next 2031-01-01 Expired",
            "c: Rejected Duplicate from 2027-01-03 to 2030-01-01; next 2030-01-01 Expired",
            "d: Rejected Duplicate from 2027-01-04 to 2032-01-01; next 2031-01-01 Active",
            "e: Rejected Duplicate from 2032-02-01 to never; next 2032-01-01 Waiting",
        ]
    );
}

#[test]
fn alive_be_it_only_waiting() {
    let mut world =
        World::new().with("a", "2027-01-01", "{start: 2030-01-01}").with("b", "2027-01-02", "{end: 2027-12-31}");
    assert_eq!(
        world.at("2027-01-02"),
        [
            "a: Waiting from 2030-01-01 to never; next 2030-01-01 Active",
            "b: Rejected Duplicate from 2027-01-02 to 2028-01-01; next 2028-01-01 Expired",
        ]
    );
}

#[test]
fn alive_while_suspended_or_in_grace() {
    let mut world = World::new().grace("P10D").with("a", "2027-01-01", "{end: 2027-01-31, suspended: true}").with(
        "b",
        "2027-01-02",
        "{}",
    );
    assert_eq!(accepted(&mut world, "2027-01-02"), ["a"]);
    world.edit("a", "{suspended: false}");
    assert_eq!(accepted(&mut world, "2027-02-10T23:59:59Z"), ["a"]);
    assert_eq!(
        world.line("2027-02-10T23:59:59Z", "b"),
        "b: Rejected Duplicate from 2027-01-02 to never; next 2027-02-11 Active"
    );
    assert_eq!(accepted(&mut world, "2027-02-11"), ["a", "b"]);
}

#[test]
fn what_is_draft_cancelled_or_refused_for_another_reason_does_not_keep_a_chain_alive() {
    for spec in ["{state: Draft}", "{state: Cancelled}", "{start: soon}", "{renews: nobody}"] {
        let mut world = World::new().with("a", "2027-01-01", spec).with("b", "2027-01-02", "{}");
        assert_eq!(world.line("2027-01-02", "b"), "b: Active from 2027-01-02 to never", "{spec}");
    }
    for change in ["{state: Draft}", "{state: Cancelled}"] {
        let mut world = World::new().with("a", "2027-01-01", "{}").with("b", "2027-01-02", "{}");
        world.at("2027-01-02");
        world.edit("a", change);
        assert_eq!(world.line("2027-01-02", "b"), "b: Active from 2027-01-02 to never", "{change}");
    }
    let mut barred = World::new().with("a", "2027-01-01", "{}").with("b", "2027-01-02", "{}");
    barred.instance("a").metadata.namespace = Some("elsewhere".to_owned());
    barred.at("2027-01-02");
    barred.barred = Some(("elsewhere", Reason::NamespaceNotAllowed));
    assert_eq!(accepted(&mut barred, "2027-01-02"), ["b"]);
    barred.barred = None;
    assert_eq!(accepted(&mut barred, "2027-01-02"), ["a", "b"], "both were accepted by now");
}

#[test]
fn a_chain_is_as_old_as_its_first_member() {
    let mut world = World::new().with("a", "2027-01-01", "{end: 2027-01-31}").with(
        "b",
        "2027-01-20",
        "{renews: a, start: 2027-02-10}",
    );
    world.add("c", "2027-01-10", "{}");
    assert_eq!(accepted(&mut world, "2027-02-05"), ["a", "b"], "without records: b's chain is older than c");
}

#[test]
fn clearing_away_old_members_changes_nothing() {
    let mut world = World::new().with("a", "2027-01-01", "{end: 2027-01-31}").with("b", "2027-01-20", "{renews: a}");
    world.at("2027-01-20");
    world.delete("a");
    world.add("c", "2027-01-10", "{}");
    assert_eq!(accepted(&mut world, "2027-02-01"), ["b"]);
    world.add("d", "2027-02-01", "{renews: b}");
    assert_eq!(accepted(&mut world, "2027-02-01"), ["b", "d"]);
    let chain = world.record("d").unwrap().chain.unwrap();
    assert_eq!((chain.name.as_str(), chain.uid.as_str(), chain.since.as_str()), ("a", "uid-a", "2027-01-01T00:00:00Z"));
    world.delete("b");
    assert_eq!(accepted(&mut world, "2027-03-01"), ["d"]);
}

#[test]
fn a_chain_in_grace_keeps_the_seat_with_a_renewal_made_then() {
    let mut world = World::new().grace("P10D").with("a", "2027-01-02", "{end: 2027-01-31}");
    world.at("2027-01-02");
    world.add("c", "2027-01-01", "{}");
    assert_eq!(accepted(&mut world, "2027-02-05"), ["a"]);
    world.add("b", "2027-02-05", "{renews: a}");
    assert_eq!(
        world.at("2027-02-05"),
        [
            "a: Expired from 2027-01-02 to 2027-02-01, renewed by b",
            "b: Active from 2027-02-01 to 2027-03-03; next 2027-03-03 Grace",
            "c: Rejected Duplicate from 2027-01-01 to never; next 2027-03-13 Active",
        ],
        "what b would end is what keeps the seat for it"
    );
}

#[test]
fn a_renewal_that_is_refused_ends_no_grace() {
    let mut world = World::new().grace("P10D").with("c", "2027-01-01", "{}");
    world.at("2027-01-01");
    world.add("a", "2027-01-02", "{end: 2027-01-31}").add("b", "2027-01-03", "{renews: a, end: 2027-12-31}");
    assert_eq!(
        world.at("2027-02-05"),
        [
            "a: Rejected Duplicate from 2027-01-02 to 2027-02-01; next 2027-02-11 Expired",
            "b: Rejected Duplicate from 2027-02-01 to 2028-01-01; next 2028-01-11 Expired",
            "c: Active from 2027-01-01 to never",
        ],
        "so that neither of the two comes beside c"
    );
}

#[test]
fn a_chain_that_was_over_before_another_took_the_seat_renews_in_vain() {
    let mut world = World::new().with("a", "2027-01-02", "{end: 2027-01-31}");
    world.at("2027-01-02");
    world.add("c", "2027-02-10", "{}");
    assert_eq!(accepted(&mut world, "2027-02-10"), ["a", "c"]);
    world.add("b", "2027-02-11", "{renews: a}");
    assert_eq!(accepted(&mut world, "2027-02-11"), ["a", "c"]);
}

#[test]
fn ten_made_in_the_same_second_have_one_winner_in_any_order() {
    let mut world = World::new();
    for number in 0..10 {
        world.add(&format!("g{number}"), "2027-01-01", "{}");
        world.instance(&format!("g{number}")).metadata.uid = Some(format!("{}", (number * 7 + 3) % 10));
    }
    for turn in 0..10 {
        let mut turned = world.clone();
        turned.instances.rotate_left(turn);
        assert_eq!(accepted(&mut turned, "2027-01-01"), ["g1"]);
    }
}

#[test]
fn in_force_are_the_instants_at_which_the_records_give_active_or_grace() {
    let mut world = World::new().grace("P1D").with("a", "2027-01-01", "{end: 2027-01-31}").with(
        "b",
        "2027-01-02",
        "{end: 2027-03-31}",
    );
    world.add("c", "2027-01-03", "{end: 2027-06-30, start: 2027-06-01}").add("d", "2027-01-04", "{suspended: true}");
    world.at("2027-01-10");
    let spans: Vec<(String, String)> = world
        .decide(at("2027-01-10"))
        .1
        .into_iter()
        .map(|(start, end)| (text(start), end.at().map_or("never".to_owned(), text)))
        .collect();
    let expected = [("2027-01-01", "2027-02-02"), ("2027-02-02", "2027-04-02"), ("2027-06-01", "2027-07-02")];
    assert_eq!(spans, expected.map(|(start, end)| (start.to_owned(), end.to_owned())));
    let open = World::new().with("a", "2027-01-01", "{}").decide(at("2026-01-01")).1;
    assert_eq!(open, [(at("2027-01-01"), Bound::Never)]);
}
