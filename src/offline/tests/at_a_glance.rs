//! What a status says at a glance: the amount, and until when.

use super::{definition, instance, inventory};
use crate::{
    api::Phase,
    core::{
        calendar::{Instant, parse_instant},
        source::SourceId,
    },
    evaluation::evaluate,
    offline::{Inventory, Status, Subject},
};
use rstest::rstest;
use serde_json::{Value, json};

/// With a grant of which `spec` and `status` say more.
fn told(spec: &Value, status: &Value) -> Inventory {
    let mut inventory = inventory();
    let organization =
        json!({"metadata": {"name": "acme"}, "spec": {"timeZone": "Europe/Berlin", "namespaces": ["acme"]}});
    inventory.add_organization(serde_json::from_value(organization).unwrap());
    let quantity =
        json!({"type": "Quantity", "unit": "seats", "amount": "10.50", "term": "P1Y", "gracePeriod": "P14D"});
    inventory.add_definition(definition("seats", &quantity));
    inventory
        .add_definition(definition("perpetual", &json!({"type": "Credit", "unit": "hours", "amount": "Unlimited"})));
    inventory.add_definition(definition("feature", &json!({"type": "Feature"})));
    inventory.add_definition(definition("broken", &json!({"type": "Quantity", "unit": "seats", "amount": "1e9"})));
    let mut whole = json!({"organization": "acme", "definition": "seats", "start": "2026-01-01"});
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    inventory.add_instance(instance("entitlements", "a", &whole, status));
    inventory
}

fn noon() -> Instant {
    parse_instant("2026-07-01T12:00:00Z").unwrap()
}

/// The phase, amount and `until` of a grant of which `spec` and `status` say more, as of noon in UTC of 2026-07-01.
fn glance(spec: &Value, status: &Value) -> (Phase, Option<String>, Option<String>) {
    let survey = told(spec, status).survey(noon());
    let id = SourceId::instance("entitlements", "a");
    let Status::Instance(status) = &survey.statuses[&Subject::source(&id)] else { panic!() };
    (status.phase.unwrap(), status.amount.clone(), status.until.clone())
}

#[rstest]
#[case::by_the_definition(json!({}), Phase::Active, Some("10.5"), Some("2026-12-31"))]
#[case::stated(json!({"amount": 250}), Phase::Active, Some("250"), Some("2026-12-31"))]
#[case::a_fraction(json!({"amount": "007.2500"}), Phase::Active, Some("7.25"), Some("2026-12-31"))]
#[case::unlimited(json!({"amount": "Unlimited"}), Phase::Active, Some("Unlimited"), Some("2026-12-31"))]
#[case::perpetual(json!({"definition": "perpetual"}), Phase::Active, Some("Unlimited"), None)]
#[case::never(json!({"end": "9999-12-31"}), Phase::Active, Some("10.5"), None)]
#[case::a_feature(json!({"definition": "feature", "end": "2026-12-31"}), Phase::Active, None, Some("2026-12-31"))]
#[case::a_time_of_day(
    json!({"end": "2026-12-31T18:00:00+01:00"}), Phase::Active, Some("10.5"), Some("2026-12-31T18:00:00+01:00")
)]
#[case::midnight_elsewhere(
    json!({"end": "2027-01-01T00:00:00Z"}), Phase::Active, Some("10.5"), Some("2027-01-01T01:00:00+01:00")
)]
#[case::draft(json!({"state": "Draft"}), Phase::Draft, Some("10.5"), Some("2026-12-31"))]
#[case::cancelled(json!({"state": "Cancelled"}), Phase::Cancelled, Some("10.5"), Some("2026-12-31"))]
#[case::waiting(json!({"start": "2027-01-01"}), Phase::Waiting, Some("10.5"), Some("2027-12-31"))]
#[case::suspended(json!({"suspended": true}), Phase::Suspended, Some("10.5"), Some("2026-12-31"))]
#[case::grace_comes_after_it(json!({"end": "2026-06-30"}), Phase::Grace, Some("10.5"), Some("2026-06-30"))]
#[case::expired(json!({"end": "2026-03-31"}), Phase::Expired, Some("10.5"), Some("2026-03-31"))]
#[case::no_such_definition(json!({"definition": "nothing", "amount": 5, "end": "2026-12-31"}), Phase::Rejected, None, None)]
#[case::a_definition_that_was_never_valid(json!({"definition": "broken", "amount": 5}), Phase::Rejected, None, None)]
#[case::unreadable(json!({"amount": "1e3"}), Phase::Rejected, None, None)]
#[case::of_a_feature(json!({"definition": "feature", "amount": 5}), Phase::Rejected, None, None)]
#[case::no_such_organization(json!({"organization": "nobody"}), Phase::Rejected, Some("10.5"), None)]
#[case::unreadable_and_no_such_organization(
    json!({"organization": "nobody", "amount": "many"}), Phase::Rejected, None, None
)]
#[case::no_term(json!({"end": "2025-12-31"}), Phase::Rejected, Some("10.5"), None)]
fn in_every_phase(
    #[case] spec: Value,
    #[case] phase: Phase,
    #[case] amount: Option<&str>,
    #[case] until: Option<&str>,
) {
    let expected = (phase, amount.map(str::to_owned), until.map(str::to_owned));
    assert_eq!(glance(&spec, &Value::Null), expected);
}

#[test]
fn amendments_count_from_their_moment_on() {
    let more = json!({"name": "more", "effective": "2026-07-01", "amount": 20, "end": "2027-06-30"});
    let most = json!({"name": "most", "effective": "2026-07-01T12:00:01Z", "amount": 30, "end": "2027-12-31"});
    let (_, amount, until) = glance(&json!({"amendments": [more, most]}), &Value::Null);
    assert_eq!((amount.as_deref(), until.as_deref()), (Some("20"), Some("2027-06-30")));
}

#[test]
fn the_zone_is_the_one_that_was_agreed() {
    let accepted = json!({"accepted": {
        "timeZone": "America/New_York", "start": "2026-01-01", "term": "P1Y",
        "chain": {"name": "a", "uid": "", "since": "2026-01-01T00:00:00Z", "day": 1},
    }});
    let (_, _, until) = glance(&json!({}), &accepted);
    assert_eq!(until.as_deref(), Some("2026-12-31"));
    let mut later = accepted;
    later["accepted"]["end"] = "2027-01-01T00:00:00+01:00".into();
    let (_, _, until) = glance(&json!({"end": "2027-01-01T00:00:00+01:00"}), &later);
    assert_eq!(until.as_deref(), Some("2026-12-31T18:00:00-05:00"));
}

#[test]
fn the_amount_is_the_one_that_was_agreed() {
    let mut agreed = json!({"accepted": {
        "timeZone": "Europe/Berlin", "start": "2026-01-01", "term": "P1Y", "amount": "7.0",
        "chain": {"name": "a", "uid": "", "since": "2026-01-01T00:00:00Z", "day": 1},
    }});
    assert_eq!(glance(&json!({}), &agreed).1.as_deref(), Some("7"));
    // It is agreed even where the definition is gone; what it was is not known then.
    agreed["accepted"]["amount"] = Value::Null;
    assert_eq!(glance(&json!({"definition": "nothing"}), &agreed).1, None);
}

#[test]
fn what_a_status_said_is_no_input() {
    let said = json!({"amount": "9000", "until": "2099-12-31", "phase": "Active"});
    assert_eq!(glance(&json!({}), &said), glance(&json!({}), &Value::Null));
}

#[rstest]
#[case::a_day("2026-07-31", "on 2026-07-31")]
#[case::a_time_of_day("2026-07-31T18:00:00Z", "at 2026-07-31T20:00:00+02:00")]
fn a_notice_tells_until_when(#[case] end: &str, #[case] expected: &str) {
    let inventory = told(&json!({"end": end}), &Value::Null);
    let catalogue = inventory.catalogue();
    let evaluation = evaluate(&inventory.snapshots(&catalogue)[0], noon());
    let text = format!(
        "seats of organization acme ends {expected}, and nothing renews it: make an instance with renews: a, or move its end by an amendment"
    );
    let (_, member) = evaluation.decision.grants().next().unwrap();
    assert_eq!(member.reminders.due, [text]);
}

#[rstest]
#[case::in_force(json!({}), "in force until 2026-12-31")]
#[case::for_good(json!({"end": "9999-12-31"}), "in force for good")]
#[case::waiting(json!({"start": "2027-01-01"}), "the grant starts at 2027-01-01T00:00:00+01:00")]
#[case::grace(json!({"end": "2026-06-30"}), "past its end, still delivered until 2026-07-15T00:00:00+02:00")]
#[case::suspended(json!({"suspended": true}), "the grant is suspended (its spec.suspended is true)")]
fn conditions_tell_until_when(#[case] spec: Value, #[case] expected: &str) {
    let survey = told(&spec, &Value::Null).survey(noon());
    let status = &survey.statuses[&Subject::source(&SourceId::instance("entitlements", "a"))];
    for type_ in ["Entitled", "Ready"] {
        assert_eq!(status.condition(type_).unwrap().message, expected);
    }
}
