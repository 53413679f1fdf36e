//! What is answered, for every reason.

use super::scene::{CheckScene, told};
use crate::{
    core::{calendar::parse_instant, secret::Secret},
    evaluation::{check::CheckReason, usage::Heard},
    offline::EntitlementKind,
};
use rstest::rstest;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

const AT: &str = "2027-01-20";

fn channels() -> Value {
    json!([{"name": "phone", "amount": 8}, {"name": "email", "amount": 2}])
}

fn metered(more: &Value) -> CheckScene {
    let mut usage = json!({"mode": "Consumed", "period": "P1M"});
    usage.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    CheckScene::metered(&usage).grant("a", &json!({"amount": 10})).used(&["2027-01-10 3"])
}

#[rstest]
#[case::all_that_is_left(metered(&json!({})), "7", "yes: Allowed")]
#[case::more_than_that(metered(&json!({})), "7.000000001", "no: Exhausted")]
#[case::of_the_buffer(metered(&json!({"buffer": "20%"})), "9", "yes: Allowed")]
#[case::beyond_the_buffer(metered(&json!({"buffer": "20%"})), "9.01", "no: Exhausted")]
#[case::soft(metered(&json!({"limit": "Soft"})), "7", "yes: Allowed")]
#[case::beyond_a_soft_limit(metered(&json!({"limit": "Soft"})), "8", "yes: Overage")]
#[case::without_the_channel_that_it_takes(
    metered(&json!({"channels": channels(), "otherChannels": "Refuse"})),
    "1",
    "no: ChannelNotCovered"
)]
#[case::nothing_granted(CheckScene::monthly(), "1", "no: NotHeld")]
#[case::cancelled(CheckScene::monthly().grant("a", &json!({"state": "Cancelled"})), "1", "no: NotHeld")]
#[case::a_draft(CheckScene::monthly().grant("a", &json!({"state": "Draft"})), "1", "no: NotHeld")]
#[case::later(CheckScene::monthly().grant("a", &json!({"start": "2027-01-21"})), "1", "no: Waiting")]
#[case::over(CheckScene::monthly().grant("a", &json!({"end": "2027-01-19"})), "1", "no: Expired")]
#[case::over_and_later(
    CheckScene::monthly()
        .grant("a", &json!({"end": "2027-01-10"}))
        .grant("b", &json!({"start": "2027-02-01"})),
    "1",
    "no: Waiting"
)]
#[case::suspended(CheckScene::monthly().grant("a", &json!({"suspended": true})), "1", "no: Suspended")]
#[case::suspended_beside_another(
    CheckScene::monthly().grant("a", &json!({"suspended": true})).grant("b", &json!({})),
    "1",
    "yes: Allowed"
)]
#[case::in_grace(
    CheckScene::of(&json!({"gracePeriod": "P10D", "usage": {"mode": "Consumed"}}))
        .grant("a", &json!({"amount": 10, "end": "2027-01-15"})),
    "10",
    "yes: Allowed"
)]
#[case::a_feature(CheckScene::of(&json!({"type": "Feature"})).grant("a", &json!({})), "100", "yes: Allowed")]
#[case::a_feature_that_is_over(
    CheckScene::of(&json!({"type": "Feature"})).grant("a", &json!({"end": "2027-01-10"})),
    "1",
    "no: Expired"
)]
#[case::not_metered(CheckScene::of(&json!({})).grant("a", &json!({"amount": 5})), "6", "yes: Allowed")]
#[case::nobody_is_asked(
    CheckScene::metered(&json!({"mode": "Consumed", "period": "P1M", "prometheus": {"query": "increase(u[$bucket])"}}))
        .grant("a", &json!({})),
    "1",
    "yes: UsageUnknown"
)]
#[case::nobody_is_asked_and_that_is_a_no(
    CheckScene::metered(&json!({
        "mode": "Consumed", "period": "P1M", "prometheus": {"query": "increase(u[$bucket])"}, "onUnknown": "Deny",
    }))
    .grant("a", &json!({})),
    "1",
    "no: UsageUnknown"
)]
fn a_request_is_answered(#[case] scene: CheckScene, #[case] amount: &str, #[case] expected: &str) {
    assert_eq!(scene.ask(AT, amount), expected);
}

#[rstest]
#[case::within("phone", "4", "yes: Allowed")]
#[case::beyond_the_total("phone", "7.5", "no: Exhausted")]
#[case::beyond_the_channel("email", "2.5", "no: ChannelExhausted")]
#[case::of_the_total_alone("chat", "7", "yes: Allowed")]
fn channels_are_caps_inside_the_total(#[case] channel: &str, #[case] amount: &str, #[case] expected: &str) {
    let scene = metered(&json!({"channels": channels()}));
    assert_eq!(scene.ask_by(channel, AT, amount), expected);
}

/// The cases above leave none out.
#[test]
fn every_reason_has_a_name() {
    let names = CheckReason::ALL.map(|reason| serde_json::to_value(reason).unwrap());
    assert_eq!(names, CheckReason::ALL.map(|reason| Value::from(reason.to_string())));
    let expected =
        "Allowed Overage NotHeld Waiting Expired Suspended Exhausted ChannelExhausted ChannelNotCovered UsageUnknown";
    assert_eq!(CheckReason::ALL.map(CheckReason::as_str).join(" "), expected);
}

const NOON: &str = "2027-01-20T12:00:00Z";

fn heard(at: &str) -> Heard {
    Heard::At(parse_instant(at).unwrap())
}

#[rstest]
#[case::just_now("LastKnown", Some(heard("2027-01-20T11:59:00Z")), "yes: Allowed", false)]
#[case::long_ago("LastKnown", Some(heard("2027-01-20T11:45:00Z")), "yes: Allowed", true)]
#[case::long_ago_and_that_is_a_no("Deny", Some(heard("2027-01-20T11:45:00Z")), "no: UsageUnknown", true)]
#[case::nearly_so("Deny", Some(heard("2027-01-20T11:45:01Z")), "yes: Allowed", false)]
#[case::never("LastKnown", None, "yes: UsageUnknown", false)]
#[case::never_and_that_is_a_no("Deny", None, "no: UsageUnknown", false)]
fn what_was_heard_long_ago_counts_as_the_definition_says(
    #[case] on_unknown: &str,
    #[case] heard: Option<Heard>,
    #[case] expected: &str,
    #[case] stale: bool,
) {
    let answer = metered(&json!({ "onUnknown": on_unknown })).ask_hearing(NOON, heard, &json!([]));
    assert_eq!((told(&answer), answer.usage.unwrap().stale), (expected.to_owned(), stale));
    assert!(answer.entitled);
}

#[rstest]
#[case("Ok", "yes: Allowed")]
#[case("Warning", "yes: Allowed")]
#[case("Overage", "yes: Overage")]
#[case("Exhausted", "no: Exhausted")]
#[case("Exceeded", "no: Exhausted")]
#[case("Unknown", "yes: UsageUnknown")]
fn after_a_restart_the_state_counts_that_was_said_last(#[case] state: &str, #[case] expected: &str) {
    let status = json!([{
        "definition": "units", "state": state, "since": "2027-01-05T00:00:00Z", "resetsAt": "2027-02-01T00:00:00Z",
    }]);
    let silent = Some(Heard::NotSince(parse_instant("2027-01-20T11:59:30Z").unwrap()));
    let answer = metered(&json!({})).ask_hearing(NOON, silent, &status);
    assert_eq!(told(&answer), expected);
    let usage = serde_json::to_value(answer.usage.unwrap()).unwrap();
    let expected = json!({
        "allotted": null, "used": null, "remaining": null, "overage": null, "excess": null,
        "resetsAt": "2027-02-01T00:00:00Z", "state": state, "stale": true,
    });
    assert_eq!(usage, expected);
}

#[rstest]
#[case::all_of_it("Ok", "Hard", "10", "yes: Allowed")]
#[case::more_than_all_of_it("Ok", "Hard", "11", "no: Exhausted")]
#[case::of_which_nobody_knows("Unknown", "Hard", "10", "yes: UsageUnknown")]
#[case::more_of_which_nobody_knows("Unknown", "Hard", "11", "no: Exhausted")]
#[case::what_may_go_beyond("Ok", "Soft", "11", "yes: Allowed")]
fn more_than_there_is_in_all_is_too_much_whatever_is_used(
    #[case] state: &str,
    #[case] limit: &str,
    #[case] amount: &str,
    #[case] expected: &str,
) {
    let status = json!([{
        "definition": "units", "state": state, "since": "2027-01-05T00:00:00Z", "resetsAt": "2027-02-01T00:00:00Z",
    }]);
    let silent = Some(Heard::NotSince(parse_instant("2027-01-20T11:59:30Z").unwrap()));
    let answer = metered(&json!({ "limit": limit })).ask_much_hearing(NOON, amount, silent, &status);
    assert_eq!(told(&answer), expected);
}

#[test]
fn programs_read_all_of_it() {
    let scene = metered(&json!({"channels": channels()}));
    let answer = scene.ask_for("units", AT, "2.5", Some("email"));
    let expected = json!({
        "organization": "acme", "entitlement": "units", "entitled": true, "allowed": false, "reason": "ChannelExhausted",
        "type": "Quantity", "unit": "units", "amount": "10", "validFrom": "2027-01-01T00:00:00Z", "validUntil": null,
        "facets": {},
        "usage": {
            "allotted": "10", "used": "3", "remaining": "7", "overage": "0", "excess": "0",
            "resetsAt": "2027-02-01T00:00:00Z", "state": "Ok",
            "channel": {"name": "email", "used": "0", "cap": "2", "remaining": "2"},
        },
        "at": "2027-01-20T00:00:00Z",
    });
    assert_eq!(serde_json::to_value(answer).unwrap(), expected);
}

#[rstest]
#[case::a_quantity(&json!({}), "Quantity", json!("units"), json!("0"))]
#[case::a_feature(&json!({"type": "Feature"}), "Feature", Value::Null, Value::Null)]
fn what_is_not_held_is_told_by_the_catalogue(
    #[case] definition: &Value,
    #[case] type_: &str,
    #[case] unit: Value,
    #[case] amount: Value,
) {
    let answer = CheckScene::of(definition).ask_for("units", AT, "1", None);
    let expected = json!({
        "organization": "acme", "entitlement": "units", "entitled": false, "allowed": false, "reason": "NotHeld",
        "type": type_, "unit": unit, "amount": amount, "validFrom": null, "validUntil": null, "facets": {},
        "usage": null, "at": "2027-01-20T00:00:00Z",
    });
    assert_eq!(serde_json::to_value(answer).unwrap(), expected);
}

#[rstest]
#[case::later(json!({"start": "2027-02-01", "end": "2027-02-28"}), Some("2027-02-01T00:00:00Z"), Some("2027-03-01T00:00:00Z"))]
#[case::over(json!({"start": "2027-01-01", "end": "2027-01-10"}), Some("2027-01-01T00:00:00Z"), Some("2027-01-11T00:00:00Z"))]
fn what_is_not_in_force_says_when_it_was_or_will_be(
    #[case] term: Value,
    #[case] from: Option<&str>,
    #[case] until: Option<&str>,
) {
    let answer = CheckScene::monthly().grant("a", &term).ask_for("units", AT, "1", None);
    assert_eq!((answer.valid_from.as_deref(), answer.valid_until.as_deref()), (from, until));
    assert_eq!((answer.amount.as_deref(), answer.usage), (Some("0"), None));
}

#[test]
fn secret_values_are_not_told() {
    let schema = json!({"type": "object", "properties": {
        "user": {"type": "string"}, "password": {"type": "string", "writeOnly": true},
    }});
    let mut scene = CheckScene::of(&json!({"type": "Feature", "facets": [{"name": "login", "schema": schema}]})).grant(
        "a",
        &json!({
            "facets": {"login": {"user": "ann"}},
            "secretFacets": [{"facet": "login", "field": "password", "secretKeyRef": {"name": "s", "key": "k"}}],
        }),
    );
    let data = BTreeMap::from([("k".to_owned(), Secret::new(b"hunter2".to_vec()))]);
    scene.0.add_secrets(BTreeMap::from([(("entitlements".into(), "s".into()), Arc::new(data))]));
    let answer = serde_json::to_value(scene.ask_for("units", AT, "1", None)).unwrap();
    assert_eq!((&answer["allowed"], &answer["facets"]), (&true.into(), &json!({"login": {"user": "ann"}})));
}

/// An organization whose objects are all wrong holds nothing, and is nobody's who asks for another.
#[test]
fn nobody_is_answered_for_who_is_not_there() {
    let scene = CheckScene::monthly();
    let request = crate::core::usage::allowance::UsageRequest { amount: 1.into(), channel: None };
    let now = parse_instant(NOON).unwrap();
    assert!(scene.0.check("globex", &"units".into(), request, now, true).is_none());
    let mut other = scene;
    other.add(EntitlementKind::Organization, "globex", &json!({"namespaces": ["globex"]}));
    assert_eq!(other.0.check("globex", &"units".into(), request, now, true).unwrap().answer.options, Some(Vec::new()));
}
