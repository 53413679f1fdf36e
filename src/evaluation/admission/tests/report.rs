//! Reports of usage.

use super::{entry, fine, now, organization, refused, warned};
use crate::{
    core::{
        amount::Amount,
        calendar::{Bound, Instant, parse_instant},
        namespace::NamespaceFacts,
        usage::{
            entitled::EntitledTime,
            memory::{Memory, PresentParts},
            part::{HeldPart, HeldSpan},
            report::StatedReport,
        },
    },
    evaluation::{
        admission::{AdmissionVerdict, KnownUsage, review_report},
        usage_report::{ReportPlace, ReportSurroundings},
    },
};
use rstest::rstest;
use serde_json::{Value, json};
use std::sync::Arc;

/// A report of `acme` in that namespace, of uses on the first of June.
fn report(namespace: &str, name: &str, registers: &[Value]) -> StatedReport {
    let register = |terms: &Value| {
        let mut register = json!({"key": "CASE-1", "at": "2026-06-01T00:00:00Z", "amount": 1});
        register.as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
        register
    };
    let registers: Value = registers.iter().map(register).collect();
    let report = json!({"metadata": {"name": name, "namespace": namespace}, "spec": {
        "organization": "acme", "definition": "support", "registers": registers,
    }});
    StatedReport::read(&serde_json::from_value(report).unwrap(), now())
}

/// Cases that are held from May on, with a channel.
fn known(usage: &Value, others: Vec<Arc<StatedReport>>) -> KnownUsage {
    let place =
        ReportPlace { organization: Some(Arc::new(organization(&json!({})))), facts: NamespaceFacts::default() };
    let entry = entry("support", &json!({"type": "Quantity", "unit": "cases", "amount": 10, "usage": usage}));
    let from: Instant = parse_instant("2026-05-01T00:00:00Z").unwrap();
    let spans = vec![HeldSpan { from, until: Bound::Never, amount: Some(Amount::ZERO) }];
    let part = HeldPart { name: "a".into(), priority: 0, start: from, end: Bound::Never, spans };
    let present = PresentParts { parts: vec![part], first: None };
    KnownUsage {
        around: ReportSurroundings { place, entry: Some(entry) },
        others,
        entitled: Some(EntitledTime::of(&Memory::default(), &present, now())),
    }
}

fn by_channel(other: &str) -> Value {
    json!({"mode": "Consumed", "channels": [{"name": "phone"}], "otherChannels": other})
}

fn review(usage: &Value, before: Option<&[Value]>, after: Option<&[Value]>) -> AdmissionVerdict {
    let state = |registers: Option<&[Value]>| registers.map(|all| report("entitlements", "june", all));
    review_report(state(before).as_ref(), state(after).as_ref(), &known(usage, Vec::new()), now())
}

#[rstest]
#[case::fine(json!({"channel": "phone"}), fine())]
#[case::amount(json!({"amount": "1e3"}), refused("RegistersRefused", "CASE-1: amount \"1e3\" cannot be read: write a whole number of at most 15 digits, or a decimal in quotes such as \"2.5\" with at most 9 digits behind the point"))]
#[case::channel(json!({"channel": "fax"}), refused("RegistersRefused", "CASE-1: channel \"fax\" is not covered: the definition has phone"))]
#[case::no_channel(json!({}), refused("RegistersRefused", "CASE-1: it names no channel: the definition has phone"))]
#[case::no_day(json!({"channel": "phone", "at": "2026-06-31"}), refused("RegistersRefused", "CASE-1: at: \"2026-06-31\" is no date or time: there is no such day, time of day or offset; write a date such as 2027-01-31, or an RFC 3339 time of whole seconds with its offset, such as 2027-01-31T09:00:00Z"))]
#[case::ahead(json!({"channel": "phone", "at": "2072-06-01"}), warned(&["CASE-1: it is dated 2072-06-01T00:00:00Z, which lies ahead: it counts from then on"]))]
#[case::not_held(json!({"channel": "phone", "at": "2026-04-30"}), warned(&["CASE-1 is dated when the organization did not hold it: it is kept, and counts once a grant covers that time"]))]
fn a_register_is_reviewed_by_itself(#[case] terms: Value, #[case] expected: AdmissionVerdict) {
    assert_eq!(review(&by_channel("Refuse"), None, Some(&[terms])), expected);
}

#[test]
fn what_was_wrong_before_is_no_reason_to_refuse_a_change() {
    let usage = by_channel("Refuse");
    let (wrong, good) = (json!({"channel": "fax"}), json!({"key": "CASE-2", "channel": "phone"}));
    assert_eq!(review(&usage, Some(std::slice::from_ref(&wrong)), Some(&[wrong.clone(), good.clone()])), fine());
    let more = json!({"key": "CASE-3", "channel": "fax"});
    let expected = refused("RegistersRefused", "CASE-3: channel \"fax\" is not covered: the definition has phone");
    assert_eq!(review(&usage, Some(std::slice::from_ref(&wrong)), Some(&[wrong.clone(), good, more])), expected);
}

#[test]
fn a_channel_that_is_not_listed_is_warned_of_once() {
    let (usage, fax) = (by_channel("Allow"), [json!({"channel": "fax"})]);
    let expected = warned(&["the definition does not list channel \"fax\": the total alone bounds it"]);
    assert_eq!(review(&usage, None, Some(&fax)), expected);
    assert_eq!(review(&usage, Some(&fax), Some(&fax)), fine());
}

#[test]
fn the_same_key_in_another_report_is_warned_of() {
    let usage = json!({"mode": "Consumed"});
    let other = Arc::new(report("entitlements", "may", &[json!({}), json!({"key": "CASE-2"})]));
    let known = known(&usage, vec![other]);
    let made = |all: &[Value]| review_report(None, Some(&report("entitlements", "june", all)), &known, now());
    assert_eq!(made(&[json!({"key": "CASE-3"})]), fine());
    let expected = "CASE-1 is in the report entitlements/may, too, and both count: give it another key, or take it out of one of them";
    assert_eq!(made(&[json!({})]), warned(&[expected]));
    let expected = "2 keys, such as CASE-1, are in other reports, such as entitlements/may, too, and both count: give them other keys, or take them out of one of these";
    assert_eq!(made(&[json!({}), json!({"key": "CASE-2"})]), warned(&[expected]));
}

#[rstest]
#[case::elsewhere("acme", json!({"mode": "Consumed"}), "NamespaceNotAllowed", "organization acme does not let its usage be reported from namespace acme: make the report in one of its reportableFrom (entitlements)")]
#[case::not_metered(
    "entitlements",
    Value::Null,
    "NotMetered",
    "definition support is not metered: give it the field usage, or make the report anew for one that has it"
)]
fn it_is_refused_for_what_its_condition_would_say(
    #[case] namespace: &str,
    #[case] usage: Value,
    #[case] reason: &'static str,
    #[case] message: &str,
) {
    let (report, known) = (report(namespace, "june", &[]), known(&usage, Vec::new()));
    assert_eq!(review_report(None, Some(&report), &known, now()), refused(reason, message));
    // What is there already can be labelled, and deleted.
    assert_eq!(review_report(Some(&report), Some(&report), &known, now()), fine());
    assert_eq!(review_report(Some(&report), None, &known, now()), fine());
}

#[test]
fn with_a_report_its_uses_are_given_back() {
    let usage = json!({"mode": "Consumed"});
    let both = [json!({}), json!({"key": "CASE-2"})];
    assert_eq!(
        review(&usage, Some(&both), None),
        warned(&["its 2 registers count no more: what they used is given back"])
    );
    let one = [json!({})];
    assert_eq!(review(&usage, Some(&one), None), warned(&["its register counts no more: what it used is given back"]));
}
