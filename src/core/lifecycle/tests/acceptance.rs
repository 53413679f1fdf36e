//! "An instance in state Active is accepted when no reason below applies."

use super::World;
use crate::{
    api::{AmountField, accepted_record::AcceptedRecord},
    core::refusal::Reason,
};
use rstest::rstest;
use serde_json::json;

fn record(world: &World, name: &str) -> serde_json::Value {
    serde_json::to_value(world.record(name)).unwrap()
}

#[test]
fn accepted_records_what_it_took_from_elsewhere() {
    let mut world =
        World::new().term("P1Y").grace("P30D").zone("Europe/Berlin").with("a", "2027-01-30T23:30:00Z", "{}");
    assert_eq!(
        world.at("2027-01-31"),
        ["a: Active from 2027-01-30T23:30:00Z to 2028-01-30T23:30:00Z; next 2028-01-30T23:30:00Z Grace"]
    );
    let expected = json!({
        "timeZone": "Europe/Berlin",
        "term": "P1Y",
        "gracePeriod": "P30D",
        "since": "2027-01-30T23:30:00Z",
        "chain": { "name": "a", "uid": "uid-a", "since": "2027-01-30T23:30:00Z", "day": 31 },
    });
    assert_eq!(record(&world, "a"), expected);
}

#[test]
fn none_is_an_absent_field() {
    let mut world = World::new().with("a", "2027-01-01", "{start: 2027-02-03}");
    assert_eq!(world.at("2027-01-01"), ["a: Waiting from 2027-02-03 to never; next 2027-02-03 Active"]);
    let expected = json!({
        "timeZone": "UTC",
        "chain": { "name": "a", "uid": "uid-a", "since": "2027-01-01T00:00:00Z", "day": 3 },
        "start": "2027-02-03",
    });
    assert_eq!(record(&world, "a"), expected);
}

#[test]
fn accepted_records_length_and_follows_for_renewals_and_the_chain_of_the_first() {
    let mut world = World::new().with("a", "2027-01-01", "{start: 2027-01-31, end: 2027-02-28}");
    world.add("b", "2027-02-01", "{renews: a}");
    assert_eq!(
        world.at("2027-02-01"),
        [
            "a: Active from 2027-01-31 to 2027-03-01, renewed by b; next 2027-03-01 Expired",
            "b: Waiting from 2027-03-01 to 2027-03-30; next 2027-03-01 Active",
        ]
    );
    let expected = json!({
        "timeZone": "UTC",
        "length": "P29D",
        "follows": "2027-03-01T00:00:00Z",
        "chain": { "name": "a", "uid": "uid-a", "since": "2027-01-01T00:00:00Z", "day": 31 },
        "renews": "a",
    });
    assert_eq!(record(&world, "b"), expected);
}

#[test]
fn never_is_the_last_day_of_9999() {
    let mut world = World::new().with("a", "2027-01-01", "{end: 2027-12-31}").with("b", "2027-01-01", "{renews: a}");
    world.at("2027-01-01");
    world.edit("a", "{amendments: [{name: more, effective: 2027-02-01, end: 9999-12-31}]}");
    assert_eq!(
        world.at("2027-01-01"),
        [
            "a: Active from 2027-01-01 to 2028-01-01, more Pending, renewed by b; next 2027-02-01 Active",
            "b: Waiting from 9999-12-31 to never, never in force",
        ]
    );
    assert_eq!(world.record("b").unwrap().follows.as_deref(), Some("9999-12-31T00:00:00Z"));
}

#[test]
fn the_first_reason_that_applies_refuses_it() {
    let mut world = World::new().with("a", "2027-01-01", "{end: 2027-12-31}");
    world.at("2027-01-01");
    world.add("z", "2027-01-02", "{renews: nobody, start: 2027-02-01, end: 2027-01-01}");
    world.unready = Some(Reason::InvalidAmount);
    world.barred = Some(("entitlements", Reason::OrganizationNotFound));
    assert_eq!(world.line("2027-01-03", "z"), "z: Rejected OrganizationNotFound");
    world.barred = Some(("entitlements", Reason::NamespaceNotAllowed));
    assert_eq!(world.line("2027-01-03", "z"), "z: Rejected NamespaceNotAllowed");
    world.barred = None;
    for (unready, line) in [
        (Reason::OrganizationNotReady, "z: Rejected OrganizationNotReady"),
        (Reason::DefinitionNotFound, "z: Rejected DefinitionNotFound"),
        (Reason::DefinitionNotReady, "z: Rejected DefinitionNotReady"),
        (Reason::InvalidAmount, "z: Rejected InvalidAmount"),
    ] {
        world.unready = Some(unready);
        assert_eq!(world.line("2027-01-03", "z"), line);
    }
    world.unready = None;
    assert_eq!(world.line("2027-01-03", "z"), "z: Rejected RenewalInvalid");
    world.edit("z", "{renews: null}");
    assert_eq!(world.line("2027-01-03", "z"), "z: Rejected InvalidTerm");
    world.edit("z", "{start: null}");
    assert_eq!(world.line("2027-01-03", "z"), "z: Rejected InvalidTerm");
    world.edit("z", "{end: 2027-06-30}");
    assert_eq!(
        world.line("2027-01-03", "z"),
        "z: Rejected Duplicate from 2027-01-02 to 2027-07-01; next 2027-07-01 Expired"
    );
    world.delete("a");
    assert_eq!(world.line("2027-01-03", "z"), "z: Active from 2027-01-02 to 2027-07-01; next 2027-07-01 Expired");
}

#[test]
fn invalid_term_is_unreadable_or_end_not_after_start() {
    for (spec, message) in [
        ("{start: tomorrow}", "start: \"tomorrow\" is no date or time: it does not have the form of one; "),
        ("{end: 2027-02-30}", "end: \"2027-02-30\" is no date or time: there is no such day, time of day or offset; "),
        (
            "{start: '2027-01-01T12:00:00Z', end: '2027-01-01T12:00:00Z'}",
            "the end 2027-01-01T12:00:00Z is not after the start 2027-01-01T12:00:00Z: ",
        ),
        ("{start: 2027-01-02, end: 2027-01-01}", "the end 2027-01-01 is not after the start 2027-01-02: "),
        ("{start: 2027-01-03, end: 2027-01-01}", "the end 2027-01-01 is not after the start 2027-01-03: "),
    ] {
        let mut world = World::new().with("a", "2027-01-01", spec);
        assert_eq!(world.at("2027-01-01"), ["a: Rejected InvalidTerm"], "{spec}");
        let found = world.message("2027-01-01", "a");
        assert!(found.starts_with(message), "{found}");
        assert_eq!(world.record("a"), None);
    }
    let mut shortest =
        World::new().with("a", "2027-01-01", "{start: '2027-01-01T12:00:00Z', end: '2027-01-01T12:00:01Z'}");
    assert_eq!(
        shortest.at("2027-01-01T12:00:00Z"),
        ["a: Active from 2027-01-01T12:00:00Z to 2027-01-01T12:00:01Z; next 2027-01-01T12:00:01Z Expired"]
    );
}

#[test]
fn of_the_reasons_only_the_first_two_can_still_refuse_what_was_accepted() {
    let mut world =
        World::new().term("P1Y").with("z", "2027-01-01", "{end: 2027-01-31}").with("a", "2027-01-01", "{renews: z}");
    world.at("2027-01-01");
    let holds = "a: Active from 2027-02-01 to 2027-03-01; next 2027-03-01 Expired";
    assert_eq!(world.line("2027-02-01", "a"), holds);
    for reason in
        [Reason::OrganizationNotReady, Reason::DefinitionNotFound, Reason::DefinitionNotReady, Reason::InvalidAmount]
    {
        world.unready = Some(reason);
        assert_eq!(world.line("2027-02-01", "a"), holds, "{reason:?}");
    }
    world.zone = "Nowhere".to_owned();
    world.delete("z");
    world.add("older", "2020-01-01", "{}");
    assert_eq!(world.line("2027-02-01", "a"), holds, "neither RenewalInvalid nor Duplicate");
    for reason in [Reason::OrganizationNotFound, Reason::NamespaceNotAllowed] {
        let before = world.record("a");
        world.barred = Some(("entitlements", reason));
        assert_eq!(world.line("2027-02-01", "a"), format!("a: Rejected {}", reason.as_str()));
        assert_eq!(world.record("a"), before, "the record outlives the refusal");
    }
    world.barred = None;
    assert_eq!(world.line("2027-02-01", "a"), holds);
}

#[test]
fn from_then_on_those_recorded_values_are_used() {
    let mut world = World::new().term("P1Y").grace("P1M").zone("Europe/Berlin");
    world.add("a", "2027-01-15", "{start: 2027-02-01}");
    let agreed = "a: Active from 2027-01-31T23:00:00Z to 2028-01-31T23:00:00Z; next 2028-01-31T23:00:00Z Grace";
    assert_eq!(world.at("2027-02-01"), [agreed]);
    let mut world = world.term("P1D").grace("P1D").zone("Asia/Tokyo");
    assert_eq!(world.at("2027-02-01"), [agreed]);
    assert_eq!(
        world.at("2028-02-01"),
        ["a: Grace from 2027-01-31T23:00:00Z to 2028-01-31T23:00:00Z; next 2028-02-29T23:00:00Z Expired"]
    );
    assert_eq!(world.at("2028-02-29T23:00:00Z"), ["a: Expired from 2027-01-31T23:00:00Z to 2028-01-31T23:00:00Z"]);
    world.set_record("a", None);
    assert_eq!(
        world.at("2027-01-31T15:00:00Z"),
        ["a: Active from 2027-01-31T15:00:00Z to 2027-02-01T15:00:00Z; next 2027-02-01T15:00:00Z Grace"]
    );
}

#[test]
fn the_start_that_it_got_is_kept_where_it_is_made_anew() {
    let mut world = World::new().term("P1Y").with("a", "2027-01-01", "{}");
    world.at("2027-01-01");
    let record = world.record("a");
    let mut restored = World::new().term("P1Y").with("a", "2027-06-01", "{}");
    restored.set_record("a", record.clone());
    assert_eq!(restored.at("2027-06-01"), ["a: Active from 2027-01-01 to 2028-01-01; next 2028-01-01 Expired"]);
    assert_eq!(restored.record("a"), record);
    restored.set_record("a", None);
    assert_eq!(restored.at("2027-06-01"), ["a: Active from 2027-06-01 to 2028-06-01; next 2028-06-01 Expired"]);
}

#[test]
fn the_record_goes_when_the_state_is_draft() {
    let mut world = World::new().term("P1Y").with("a", "2027-01-01", "{}");
    world.at("2027-01-01");
    world.edit("a", "{state: Draft}");
    let mut world = world.term("P2Y");
    assert_eq!(world.at("2027-01-02"), ["a: Draft from 2027-01-01 to 2029-01-01"]);
    assert_eq!(world.record("a"), None);
    world.edit("a", "{state: Active}");
    assert_eq!(world.at("2027-01-02"), ["a: Active from 2027-01-01 to 2029-01-01; next 2029-01-01 Expired"]);
}

#[test]
fn the_record_goes_when_start_end_or_renews_are_no_longer_those_recorded() {
    for (edit, line) in [
        ("{start: 2027-01-02}", "b: Waiting from 2027-02-01 to 2027-03-01; next 2027-02-01 Active"),
        ("{end: 2027-03-31}", "b: Waiting from 2027-02-01 to 2027-04-01; next 2027-02-01 Active"),
        ("{renews: null}", "b: Rejected Duplicate from 2027-01-01 to 2027-03-01; next 2027-02-01 Active"),
        ("{renews: nobody}", "b: Rejected RenewalInvalid"),
    ] {
        let mut world = World::new().term("P1M").with("a", "2027-01-01", "{}").with("b", "2027-01-01", "{renews: a}");
        world.at("2027-01-01");
        assert_eq!(world.record("b").unwrap().chain.unwrap().name, "a");
        let mut world = world.term("P2M");
        world.edit("b", edit);
        assert_eq!(world.line("2027-01-01", "b"), line, "{edit}");
    }
}

#[test]
fn a_draft_is_checked_in_the_same_way_but_for_duplicate() {
    let mut world = World::new().term("P1M").with("a", "2027-01-01", "{}").with("b", "2027-01-02", "{state: Draft}");
    world.add("c", "2027-01-02", "{state: Draft, renews: nobody}").add(
        "d",
        "2027-01-02",
        "{state: Draft, end: 2026-01-01}",
    );
    world.add("e", "2027-01-02", "{state: Draft, renews: a}");
    assert_eq!(
        world.at("2027-01-02"),
        [
            "a: Active from 2027-01-01 to 2027-02-01; next 2027-02-01 Expired",
            "b: Draft from 2027-01-02 to 2027-02-02",
            "c: Draft RenewalInvalid",
            "d: Draft InvalidTerm",
            "e: Draft from 2027-02-01 to 2027-03-01",
        ]
    );
    world.barred = Some(("entitlements", Reason::NamespaceNotAllowed));
    assert_eq!(world.line("2027-01-02", "b"), "b: Draft NamespaceNotAllowed");
    world.barred = None;
    world.unready = Some(Reason::DefinitionNotReady);
    assert_eq!(world.line("2027-01-02", "b"), "b: Draft DefinitionNotReady");
}

#[test]
fn a_record_that_cannot_be_read_is_none() {
    let mut world = World::new().term("P1M").with("a", "2027-01-01", "{}");
    world.at("2027-01-01");
    let good = world.record("a").unwrap();
    let spoilt: [fn(&mut AcceptedRecord); 10] = [
        |record| record.time_zone = None,
        |record| record.time_zone = Some("Nowhere".to_owned()),
        |record| record.term = Some("a year".to_owned()),
        |record| record.grace_period = Some(String::new()),
        |record| record.since = Some("2027".to_owned()),
        |record| record.length = Some("P".to_owned()),
        |record| record.follows = Some("never".to_owned()),
        |record| record.chain = None,
        |record| record.chain.as_mut().unwrap().since = String::new(),
        |record| record.chain.as_mut().unwrap().day = 32,
    ];
    let world = world.term("P2M");
    for spoil in spoilt.into_iter().chain([(|record| *record = AcceptedRecord::default()) as fn(&mut AcceptedRecord)]) {
        let mut world = world.clone();
        let mut record = good.clone();
        spoil(&mut record);
        world.set_record("a", Some(record.clone()));
        assert_eq!(
            world.at("2027-01-01"),
            ["a: Active from 2027-01-01 to 2027-03-01; next 2027-03-01 Expired"],
            "{record:?}"
        );
    }
}

#[test]
fn where_there_is_no_record_the_present_objects_decide() {
    let mut world = World::new().term("P1M").with("b", "2027-01-02", "{}").with("a", "2027-01-01", "{}");
    world.set_record("b", None);
    world.at("2027-01-02");
    assert!(world.record("a").is_some(), "the older has it");
    for name in ["a", "b"] {
        world.set_record(name, None);
    }
    world.delete("a");
    assert_eq!(world.at("2027-01-02"), ["b: Active from 2027-01-02 to 2027-02-02; next 2027-02-02 Expired"]);
}

#[test]
fn a_cancelled_grant_keeps_its_record_and_never_gets_one() {
    let mut world =
        World::new().term("P1M").with("a", "2027-01-01", "{}").with("b", "2027-01-01", "{state: Cancelled}");
    world.at("2027-01-01");
    assert_eq!(world.record("b"), None);
    let before = world.record("a");
    world.edit("a", "{state: Cancelled}");
    assert_eq!(
        world.at("2027-01-02"),
        ["a: Cancelled from 2027-01-01 to 2027-02-01", "b: Cancelled from 2027-01-01 to 2027-02-01"]
    );
    assert_eq!(world.record("a"), before);
}

fn amount(world: &World, name: &str) -> (String, String) {
    amount_at(world, name, "2027-06-01")
}

fn amount_at(world: &World, name: &str, now: &str) -> (String, String) {
    let row = world.decide(super::at(now)).0.into_iter().find(|row| row.name == name).unwrap();
    let recorded = row.record.and_then(|record| record.amount);
    let text = |amount: Option<String>| amount.unwrap_or("-".to_owned());
    (text(row.amount.map(|amount| amount.to_string())), text(recorded.map(|amount| amount.to_string())))
}

/// What each of several amounts of the definition, one after the other, leaves as the amount of the grant and in its record.
#[rstest]
#[case::agreed("{}", &[("10", false), ("4", false), ("20", false)], &["10 10", "10 10", "10 10"])]
#[case::everyone("{}", &[("10", true), ("4", true), ("20", true)], &["10 10", "4 4", "20 20"])]
#[case::agreed_and_then_for_everyone("{}", &[("10", false), ("4", true), ("4", false), ("7", false)], &["10 10", "4 4", "4 4", "4 4"])]
#[case::for_everyone_and_then_agreed("{}", &[("10", true), ("4", false), ("4", true)], &["10 10", "10 10", "4 4"])]
#[case::stated("{amount: 7}", &[("10", false), ("4", false), ("4", true)], &["7 10", "7 10", "7 4"])]
#[case::unlimited("{}", &[("Unlimited", false), ("1", false), ("1", true)], &["Unlimited Unlimited", "Unlimited Unlimited", "1 1"])]
#[case::in_its_canonical_form("{}", &[("02.50", false), ("2.5", true)], &["2.5 2.5", "2.5 2.5"])]
#[case::amended("{amendments: [{name: a, effective: 2027-02-01, amount: 3}]}", &[("10", false), ("4", true)], &["3 10", "3 4"])]
#[case::cancelled("{state: Cancelled}", &[("10", false), ("4", false)], &["10 -", "4 -"])]
#[case::draft("{state: Draft}", &[("10", false), ("4", false)], &["10 -", "4 -"])]
fn an_amount_is_agreed_unless_it_is_for_everyone(
    #[case] spec: &str,
    #[case] presets: &[(&str, bool)],
    #[case] expected: &[&str],
) {
    let mut world = World::new().with("a", "2027-01-01", spec);
    let mut found = Vec::new();
    for (preset, everyone) in presets {
        world.preset(preset, *everyone).at("2027-06-01");
        let (amount, recorded) = amount(&world, "a");
        found.push(format!("{amount} {recorded}"));
    }
    assert_eq!(found, expected);
}

/// What was over was over with what it had then; what is refused may come back, and is kept current.
#[rstest]
#[case::in_force("{}", "2027-06-01", "4 4")]
#[case::waiting("{start: 2028-01-01}", "2027-06-01", "4 4")]
#[case::suspended("{suspended: true}", "2027-06-01", "4 4")]
#[case::in_grace("{end: 2027-05-31}", "2027-06-02", "4 4")]
#[case::expired("{end: 2027-05-31}", "2027-07-01", "10 10")]
#[case::expired_with_an_amount_of_its_own("{end: 2027-05-31, amount: 7}", "2027-07-01", "7 10")]
#[case::cancelled("{}", "Cancelled", "10 10")]
#[case::refused("{}", "refused", "- 4")]
fn a_record_is_kept_current_for_everyone_until_the_grant_is_over(
    #[case] spec: &str,
    #[case] then: &str,
    #[case] expected: &str,
) {
    let mut world = World::new().grace("P7D").with("a", "2027-01-01", spec);
    world.preset("10", true).at("2027-05-01");
    let now = match then {
        "Cancelled" => {
            world.edit("a", "{state: Cancelled}");
            "2027-06-01"
        }
        "refused" => {
            world.barred = Some(("entitlements", Reason::NamespaceNotAllowed));
            "2027-06-01"
        }
        now => now,
    };
    world.at(now);
    world.preset("4", true).at(now);
    let (amount, recorded) = amount_at(&world, "a", now);
    assert_eq!(format!("{amount} {recorded}"), expected);
}

#[test]
fn a_feature_has_no_amount_whatever_a_record_says() {
    let mut world = World::new().with("a", "2027-01-01", "{}");
    world.at("2027-06-01");
    assert_eq!(record(&world, "a")["amount"], json!(null));
    let forged = world.record("a").map(|record| AcceptedRecord { amount: Some(AmountField::Whole(9)), ..record });
    world.set_record("a", forged);
    world.at("2027-06-01");
    assert_eq!(record(&world, "a")["amount"], json!(null));
}

/// Such as one that a former version left.
#[rstest]
#[case::none(None)]
#[case::not_readable(Some(AmountField::Text("many".to_owned())))]
fn a_record_without_an_amount_takes_the_present_one(#[case] recorded: Option<AmountField>) {
    let mut world = World::new().term("P1Y").amount("10").with("a", "2027-01-01", "{}");
    world.at("2027-06-01");
    let former = world.record("a").map(|record| AcceptedRecord { amount: recorded, ..record });
    world.set_record("a", former);
    world.term = Some("P2Y".to_owned());
    world.preset("4", false).at("2027-06-01");
    assert_eq!(amount(&world, "a"), ("4".to_owned(), "4".to_owned()));
    assert_eq!(record(&world, "a")["term"], "P1Y", "the rest of the record stays");
    world.preset("20", false).at("2027-06-01");
    assert_eq!(amount(&world, "a"), ("4".to_owned(), "4".to_owned()), "from now on it is agreed");
}

#[test]
fn an_amount_is_agreed_anew_with_another_term_and_after_a_draft() {
    let mut world = World::new().amount("10").with("a", "2027-01-01", "{}");
    world.at("2027-06-01");
    world.preset("4", false).edit("a", "{state: Draft}").at("2027-06-01");
    world.edit("a", "{state: Active}").at("2027-06-01");
    assert_eq!(amount(&world, "a"), ("4".to_owned(), "4".to_owned()));
    world.preset("5", false).edit("a", "{end: 2028-01-01}").at("2027-06-01");
    assert_eq!(amount(&world, "a"), ("5".to_owned(), "5".to_owned()));
    world.preset("6", false).edit("a", "{priority: 7, facets: {limits: {x: 1}}}").at("2027-06-01");
    assert_eq!(amount(&world, "a"), ("5".to_owned(), "5".to_owned()));
    world.set_record("a", None);
    world.at("2027-06-01");
    assert_eq!(amount(&world, "a"), ("6".to_owned(), "6".to_owned()), "a lost record is agreed anew");
}

#[test]
fn a_renewal_takes_the_amount_of_its_own_acceptance() {
    let mut world = World::new().amount("10").with("a", "2027-01-01", "{end: 2027-12-31}");
    world.at("2027-06-01");
    world.preset("4", false).add("b", "2027-05-01", "{renews: a}").at("2027-06-01");
    world.preset("20", false).at("2027-06-01");
    assert_eq!(amount(&world, "a").0, "10");
    assert_eq!(amount(&world, "b").0, "4");
}

#[test]
fn what_is_barred_keeps_what_was_agreed() {
    let mut world = World::new().amount("10").with("a", "2027-01-01", "{}");
    world.at("2027-06-01");
    world.barred = Some(("entitlements", Reason::NamespaceNotAllowed));
    world.preset("4", false).at("2027-06-01");
    assert_eq!(record(&world, "a")["amount"], "10");
    world.barred = None;
    world.at("2027-06-01");
    assert_eq!(amount(&world, "a").0, "10");
}
