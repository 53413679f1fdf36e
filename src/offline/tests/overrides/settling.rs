//! What decisions come to, and why an override is refused.

use super::{
    desk::{ASKED, ExceptionDesk, accepted, denied},
    model::ExceptionOutcome,
    plain::at,
};
use rstest::rstest;
use serde_json::{Value, json};

const REQUESTED: (&str, Option<&str>) = ("Requested", Some("ApprovalRequired"));
const ACTIVE: (&str, Option<&str>) = ("Active", None);

const DENIED: (&str, Option<&str>) = ("Rejected", Some("Denied"));
const BOT: &str = "system:serviceaccount:ci:bot";

/// What makes one reason go away.
type Mend<'a> = &'a dyn Fn(&mut ExceptionDesk);

/// "Reasons, in order", each of which hides all that come after it; "denied whatever else refuses the override".
#[rstest]
#[case::open(None, "2027-03-11T09:00:00Z", REQUESTED)]
#[case::too_late(None, "2027-03-24T09:00:00Z", ("Rejected", Some("ApprovalExpired")))]
#[case::denied(Some("Deny"), "2027-03-11T09:00:00Z", DENIED)]
#[case::denied_long_ago(Some("Deny"), "2027-03-24T09:00:00Z", DENIED)]
#[case::approved(Some("Approve"), "2027-03-24T09:00:00Z", ACTIVE)]
fn each_reason_goes_before_those_behind_it(
    #[case] decision: Option<&str>,
    #[case] now: &str,
    #[case] last: (&str, Option<&str>),
) {
    let mut desk = ExceptionDesk::bare();
    let unusable = json!({"amount": null, "start": "2027-04-01"});
    desk.ask("x", &unusable);
    if let Some(decision) = decision {
        desk.decide("x", "bob", decision, "2027-03-10T10:00:00Z");
    }
    let broken = json!([{"name": "f", "definition": "nowhere"}]);
    let nowhere = json!({"timeZone": "Mars/Olympus"});
    let refused = json!({"overrides": {"refused": true}});
    let mends: [(&str, Mend); 8] = [
        ("OrganizationNotFound", &|desk| {
            desk.organize(&json!({"timeZone": "Mars/Olympus", "assignableFrom": ["elsewhere"]}));
        }),
        ("NamespaceNotAllowed", &|desk| {
            desk.organize(&nowhere);
        }),
        ("OrganizationNotReady", &|desk| {
            desk.organize(&json!({}));
        }),
        ("DefinitionNotFound", &|desk| {
            desk.define("seats", &json!({"facets": broken, "overrides": {"refused": true}}));
        }),
        ("DefinitionNotReady", &|desk| {
            desk.define("seats", &refused);
        }),
        ("OverridesRefused", &|desk| {
            desk.define("seats", &json!({}));
        }),
        ("InvalidAmount", &|desk| {
            desk.ask("x", &json!({"start": "2027-04-01"}));
        }),
        ("InvalidTerm", &|desk| {
            desk.ask("x", &json!({}));
        }),
    ];
    for (reason, mend) in mends {
        let verdict = desk.clone().verdict(now);
        assert_eq!((verdict.phase, verdict.reason), ("Rejected", Some(reason)));
        let is_denied = matches!(verdict.settled, Some(ExceptionOutcome::Denied { .. }));
        assert_eq!(is_denied, decision == Some("Deny"), "{reason}");
        mend(&mut desk);
    }
    assert_eq!(desk.phase(now), last);
}

/// "It is decided two seconds after the deciding one's creation at the earliest"
#[rstest]
#[case::yes("Approve", "Active", Some(accepted("2027-03-10T10:00:00Z", &["bob"])))]
#[case::no("Deny", "Rejected", Some(denied("2027-03-10T10:00:00Z", "bob")))]
fn it_is_decided_two_seconds_later(
    #[case] decision: &str,
    #[case] phase: &str,
    #[case] settled: Option<ExceptionOutcome>,
) {
    let mut desk = ExceptionDesk::new();
    desk.ask("x", &json!({})).decide("x", "bob", decision, "2027-03-10T10:00:00Z");
    for early in ["2027-03-10T10:00:00Z", "2027-03-10T10:00:01Z"] {
        let verdict = desk.verdict(early);
        assert_eq!((verdict.phase, verdict.settled), ("Requested", None));
        let next = json!({"at": "2027-03-10T10:00:02Z", "phase": phase});
        assert_eq!(desk.status("x")["nextTransition"], next);
        assert_eq!(desk.operator.next, Some(at("2027-03-10T10:00:02Z")));
    }
    let verdict = desk.verdict("2027-03-10T10:00:02Z");
    assert_eq!((verdict.phase, verdict.settled), (phase, settled));
}

/// "in the order of creationTimestamp (never `granted-at`), Deny before Approve within a second"
#[rstest]
#[case::a_second_before("2027-03-10T10:00:00Z", "2027-03-10T09:59:59Z", false)]
#[case::in_the_same_second("2027-03-10T10:00:00Z", "2027-03-10T10:00:00Z", false)]
#[case::a_second_later("2027-03-10T10:00:00Z", "2027-03-10T10:00:01Z", true)]
fn who_decides_first_decides(#[case] yes: &str, #[case] no: &str, #[case] is_given: bool) {
    let mut desk = ExceptionDesk::new();
    desk.ask("x", &json!({})).approve("x", yes).decide("x", "carol", "Deny", no);
    // A date that anybody can write counts for nothing.
    desk.last()["metadata"]["annotations"] = json!({"entitlements.dev/granted-at": "2027-03-10T09:30:00Z"});
    let expected = if is_given { Some(accepted(yes, &["bob"])) } else { Some(denied(no, "carol")) };
    assert_eq!(desk.verdict("2027-03-12T00:00:00Z").settled, expected);
}

/// "A decision counts if `uid` and `definition` are the override's and `decidedBy` is a person (no `ServiceAccount`) other than
/// who asked; one for each person, the first"
#[rstest]
#[case::of_another(&[("bob", "Approve")], "1/2")]
#[case::of_two(&[("bob", "Approve"), ("carol", "Approve")], "")]
#[case::of_one_twice(&[("bob", "Approve"), ("bob", "Approve")], "1/2")]
#[case::of_one_who_thinks_again(&[("bob", "Approve"), ("bob", "Deny"), ("carol", "Approve")], "")]
#[case::of_who_asked(&[("alice", "Approve"), ("bob", "Approve")], "1/2")]
#[case::no_of_who_asked(&[("alice", "Deny"), ("bob", "Approve")], "1/2")]
#[case::of_a_bot(&[(BOT, "Approve"), ("bob", "Approve")], "1/2")]
#[case::no_of_a_bot(&[(BOT, "Deny")], "0/2")]
fn one_counts_for_each_person_who_did_not_ask(#[case] decisions: &[(&str, &str)], #[case] approvals: &str) {
    let mut desk = ExceptionDesk::new();
    desk.define("seats", &json!({"overrides": {"approvals": 2}})).ask("x", &json!({}));
    for (minute, (by, decision)) in decisions.iter().enumerate() {
        desk.decide("x", by, decision, &format!("2027-03-10T10:0{minute}:00Z"));
    }
    let verdict = desk.verdict("2027-03-11T00:00:00Z");
    match approvals {
        "" => assert_eq!((verdict.phase, desk.status("x")["approvals"].as_str()), ("Active", Some("2/2"))),
        _ => assert_eq!((verdict.phase, verdict.approvals.as_deref()), ("Requested", Some(approvals))),
    }
}

#[rstest]
#[case::of_one_made_anew(json!({"override": {"name": "x", "uid": "u-of-before"}}), false)]
#[case::under_another_name(json!({"override": {"name": "y", "uid": "u-x"}}), true)]
#[case::of_another_definition(json!({"definition": "chairs"}), false)]
fn a_decision_is_for_one_object(#[case] more: Value, #[case] counts: bool) {
    let mut desk = ExceptionDesk::new();
    desk.ask("x", &json!({})).decide_with("x", "bob", "Approve", "2027-03-10T10:00:00Z", &more);
    assert_eq!(desk.phase("2027-03-11T00:00:00Z"), if counts { ACTIVE } else { REQUESTED });
}

/// Who may write into another namespace has no say in this one.
#[test]
fn a_decision_lies_beside_its_override() {
    let mut desk = ExceptionDesk::new();
    desk.ask("x", &json!({})).approve("x", "2027-03-10T10:00:00Z");
    desk.last()["metadata"]["namespace"] = "elsewhere".into();
    assert_eq!(desk.phase("2027-03-11T00:00:00Z"), REQUESTED);
}

/// "An override that a `ServiceAccount` asked for needs one approval more, unless none is needed"; who restores "counts as asking,
/// too".
#[rstest]
#[case::a_person(1, "alice", None, Some("1/1"))]
#[case::a_bot(1, BOT, None, Some("1/2"))]
#[case::a_bot_of_two(2, BOT, None, Some("1/3"))]
#[case::a_bot_that_needs_none(0, BOT, None, Some("0/0"))]
#[case::restored_by_a_person(1, "alice", Some("dave"), Some("1/1"))]
#[case::restored_by_a_bot(1, "alice", Some(BOT), Some("1/2"))]
#[case::restored_by_who_approves(1, "alice", Some("bob"), Some("0/1"))]
fn who_asks_decides_how_many_are_needed(
    #[case] approvals: u32,
    #[case] by: &str,
    #[case] restored_by: Option<&str>,
    #[case] told: Option<&str>,
) {
    let mut desk = ExceptionDesk::new();
    desk.define("seats", &json!({"overrides": {"approvals": approvals}})).ask("x", &json!({"requestedBy": by}));
    if let Some(by) = restored_by {
        desk.last()["metadata"]["annotations"] = json!({"entitlements.dev/restored-by": by});
    }
    desk.approve("x", "2027-03-10T10:00:00Z").held("2027-03-11T00:00:00Z");
    assert_eq!(desk.status("x")["approvals"].as_str(), told);
}

/// "none needed: of the override"
#[test]
fn where_nobody_has_to_approve_it_is_there_at_once() {
    let mut desk = ExceptionDesk::new();
    desk.define("seats", &json!({"overrides": {"approvals": 0}}))
        .ask("x", &json!({}))
        .decide("x", "bob", "Deny", ASKED);
    let verdict = desk.verdict(ASKED);
    assert_eq!((verdict.phase, verdict.settled), ("Active", Some(accepted(ASKED, &[]))));
    let (start, _) = verdict.term.unwrap();
    assert_eq!(start, at(ASKED));
}

/// "Enough Approves within `expiresAfter` of its creation", by the calendar of the client: the clocks go forward that night.
#[rstest]
#[case::in_the_last_second("2027-03-28T11:59:59Z", true)]
#[case::with_the_end("2027-03-28T12:00:00Z", false)]
#[case::later("2027-03-28T12:30:00Z", false)]
fn it_can_be_approved_for_so_long(#[case] approved: &str, #[case] counts: bool) {
    let mut desk = ExceptionDesk::new();
    desk.define("seats", &json!({"overrides": {"expiresAfter": "P1D"}}));
    desk.ask_at("x", "2027-03-27T13:00:00Z", &json!({"end": "2027-03-31"})).approve("x", approved);
    let expired = ExceptionOutcome::Expired { at: at("2027-03-28T12:00:00Z") };
    let expected = if counts { Some(accepted(approved, &["bob"])) } else { Some(expired) };
    assert_eq!(desk.clone().verdict("2027-03-28T12:00:01Z").settled, expected.clone().filter(|_| counts));
    assert_eq!(desk.clone().verdict("2027-03-29T00:00:00Z").settled, expected);
}

/// How long it can be approved is up to its definition: where that is not known, nobody can say that its time is over.
#[test]
fn for_want_of_a_definition_nothing_expires() {
    let mut desk = ExceptionDesk::bare();
    desk.organize(&json!({}))
        .ask_at("x", "2027-03-01T09:00:00Z", &json!({"end": "2027-03-25"}))
        .approve("x", "2027-03-20T10:00:00Z");
    let verdict = desk.verdict("2027-03-22T00:00:00Z");
    assert_eq!((verdict.reason, verdict.settled), (Some("DefinitionNotFound"), None));
    desk.define("seats", &json!({"overrides": {"expiresAfter": "P1M"}}));
    assert_eq!(desk.verdict("2027-03-22T00:00:00Z").settled, Some(accepted("2027-03-20T10:00:00Z", &["bob"])));
}

/// Once it can't be approved any more that is said at once, and for good once nothing can come to light.
#[test]
fn its_time_is_over_on_the_second() {
    let mut desk = ExceptionDesk::new();
    desk.ask("x", &json!({}));
    let next = |desk: &ExceptionDesk| desk.status("x")["nextTransition"].clone();
    let late = ("Rejected", Some("ApprovalExpired"));
    // The clocks do not go forward in between.
    assert_eq!(desk.phase("2027-03-24T08:59:59Z"), REQUESTED);
    assert_eq!(next(&desk), json!({"at": "2027-03-24T09:00:00Z", "phase": "Rejected"}));
    assert_eq!(desk.phase("2027-03-24T09:00:01Z"), late);
    assert_eq!((&desk.status("x")["expired"], desk.operator.next), (&Value::Null, Some(at("2027-03-24T09:00:02Z"))));
    assert_eq!(desk.phase("2027-03-24T09:00:02Z"), late);
    assert_eq!(desk.status("x")["expired"], json!({"at": "2027-03-24T09:00:00Z"}));
    // More time comes too late.
    desk.define("seats", &json!({"overrides": {"expiresAfter": "P1Y", "approvals": 0}}));
    assert_eq!(desk.phase("2027-03-25T00:00:00Z"), late);
}

/// "are final: later decisions, deletions and edits of the definition change nothing"
#[rstest]
#[case::accepted("Approve", "Deny", ACTIVE)]
#[case::denied("Deny", "Approve", DENIED)]
fn what_is_decided_stays_decided(
    #[case] first: &str,
    #[case] later: &str,
    #[case] phase: (&str, Option<&str>),
    #[values(0, 1, 2, 3, 4)] change: usize,
) {
    let mut desk = ExceptionDesk::new();
    desk.ask("x", &json!({})).decide("x", "bob", first, "2027-03-10T10:00:00Z");
    assert_eq!(desk.phase("2027-03-11T00:00:00Z"), phase);
    let settled = desk.verdict("2027-03-11T00:00:00Z").settled;
    match change {
        0 => desk.remove("OverrideDecision"),
        1 => desk.decide("x", "carol", later, "2027-03-10T09:30:00Z"),
        2 => desk.define("seats", &json!({"overrides": {"approvals": 3, "expiresAfter": "PT1S"}})),
        3 => desk.organize(&json!({"timeZone": "UTC"})),
        _ => desk.remove("OverrideDecision").decide("x", "carol", later, "2027-03-12T00:00:00Z"),
    };
    let verdict = desk.verdict("2027-03-13T00:00:00Z");
    assert_eq!(((verdict.phase, verdict.reason), verdict.settled), (phase, settled));
}

/// "An accepted one is refused only by the first two": errors of the catalogue take nothing away.
#[rstest]
#[case::definition_gone(|desk: &mut ExceptionDesk| { desk.remove("EntitlementDefinition"); }, "Active", true)]
#[case::definition_invalid(
    |desk: &mut ExceptionDesk| { desk.define("seats", &json!({"facets": [{"name": "f", "definition": "nowhere"}]})); },
    "Active",
    true
)]
#[case::refused_from_now_on(
    |desk: &mut ExceptionDesk| { desk.define("seats", &json!({"overrides": {"refused": true, "maxTerm": "PT1S"}})); },
    "Active",
    true
)]
#[case::zone_unknown(
    |desk: &mut ExceptionDesk| { desk.organize(&json!({"timeZone": "Mars/Olympus"})); },
    "Active",
    true
)]
#[case::suspended(|desk: &mut ExceptionDesk| { desk.organize(&json!({"suspended": true})); }, "Suspended", false)]
#[case::not_allowed_there(
    |desk: &mut ExceptionDesk| { desk.organize(&json!({"assignableFrom": ["elsewhere"]})); },
    "Rejected",
    false
)]
#[case::organization_gone(|desk: &mut ExceptionDesk| { desk.remove("Organization"); }, "Rejected", false)]
fn only_the_lifecycle_takes_it_away(
    #[case] change: fn(&mut ExceptionDesk),
    #[case] phase: &str,
    #[case] is_held: bool,
) {
    let mut desk = ExceptionDesk::new();
    desk.ask("x", &json!({})).approve("x", "2027-03-10T10:00:00Z");
    assert_eq!(
        (desk.phase("2027-03-11T00:00:00Z"), desk.held("2027-03-11T00:00:00Z").as_deref()),
        (ACTIVE, Some("10"))
    );
    change(&mut desk);
    let verdict = desk.verdict("2027-03-12T00:00:00Z");
    assert_eq!((verdict.phase, verdict.settled), (phase, Some(accepted("2027-03-10T10:00:00Z", &["bob"]))));
    assert_eq!(desk.held("2027-03-12T00:00:00Z").is_some(), is_held);
    // And back.
    desk.organize(&json!({})).define("seats", &json!({}));
    assert_eq!(
        (desk.phase("2027-03-13T00:00:00Z"), desk.held("2027-03-13T00:00:00Z").as_deref()),
        (ACTIVE, Some("10"))
    );
}

/// One who takes it back before has it never given; afterwards it is over, and what was decided stays written.
#[rstest]
#[case::before("2027-03-10T09:30:00Z", None)]
#[case::after("2027-03-10T11:00:00Z", Some(accepted("2027-03-10T10:00:00Z", &["bob"])))]
fn what_is_cancelled_is_over(#[case] looked: &str, #[case] settled: Option<ExceptionOutcome>) {
    let mut desk = ExceptionDesk::new();
    desk.ask("x", &json!({}));
    if settled.is_some() {
        desk.approve("x", "2027-03-10T10:00:00Z");
    }
    desk.held(looked);
    desk.ask("x", &json!({"cancelled": true})).approve("x", "2027-03-10T12:00:00Z");
    let verdict = desk.verdict("2027-03-11T00:00:00Z");
    assert_eq!((verdict.phase, verdict.settled), ("Cancelled", settled));
    assert_eq!((desk.held("2027-03-11T00:00:00Z"), &desk.status("x")["nextTransition"]), (None, &Value::Null));
    assert_eq!(desk.condition("x", "Ready").0, "True");
}

/// A backup brings the status with it; decisions are never restored, and those of before are of another object.
#[test]
fn one_that_is_restored_with_its_status_goes_on() {
    let mut desk = ExceptionDesk::new();
    desk.ask("x", &json!({})).approve("x", "2027-03-10T10:00:00Z").held("2027-03-11T00:00:00Z");
    let status = desk.status("x").clone();
    let mut restored = ExceptionDesk::new();
    restored.ask_at("x", "2027-03-15T00:00:00Z", &json!({}));
    restored.last()["metadata"]["uid"] = "u-anew".into();
    restored.last()["metadata"]["annotations"] = json!({"entitlements.dev/restored-by": "bob"});
    assert_eq!(restored.clone().phase("2027-03-15T00:00:00Z"), REQUESTED);
    restored.operator.statuses.insert("\"EntitlementOverride\"/\"u-anew\"".to_owned(), status);
    let verdict = restored.verdict("2027-03-15T00:00:00Z");
    assert_eq!((verdict.phase, verdict.settled), ("Active", Some(accepted("2027-03-10T10:00:00Z", &["bob"]))));
    assert_eq!(verdict.term, Some((at("2027-03-10T10:00:00Z"), at("2027-03-31T22:00:00Z"))));
}

/// Where the status is lost, the decisions that are still there say the same again.
#[test]
fn without_its_status_it_is_what_decisions_still_say() {
    let mut desk = ExceptionDesk::new();
    desk.ask("x", &json!({})).approve("x", "2027-03-10T10:00:00Z");
    let before = desk.verdict("2027-03-11T00:00:00Z");
    desk.operator.forget();
    assert_eq!(desk.verdict("2027-03-11T00:00:00Z"), before);
    desk.operator.forget();
    assert_eq!(desk.remove("OverrideDecision").phase("2027-03-11T00:00:00Z"), REQUESTED);
}
