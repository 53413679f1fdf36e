use super::announced;
use crate::{
    api::{Condition, ConditionStatus, EntitlementOverride, EntitlementOverrideStatus, Phase, lifecycle::SourceStatus},
    core::{
        approval::{Approval, ApprovalOutcome, StatedDecision},
        calendar::parse_instant,
        grant::Grant,
        source::overrides,
    },
};
use rstest::rstest;
use serde_json::{Value, json};

/// The one that is waited for, and how it is said.
const ONE_MORE: &str = "1 more approval is needed";
const TWO_MORE: &str = "2 more approvals are needed";
const IN_A_MOMENT: &str = "it has all approvals, which count in a moment";
const DECIDED: &str = "2026-11-02T08:00:00Z";

fn condition(type_: &str, status: ConditionStatus, reason: &str, message: &str) -> Condition {
    Condition {
        type_: type_.to_owned(),
        status,
        observed_generation: Some(1),
        last_transition_time: String::new(),
        reason: reason.to_owned(),
        message: message.to_owned(),
    }
}

fn refused(phase: Phase, reason: &str, message: &str) -> EntitlementOverrideStatus {
    let conditions = vec![condition("Accepted", ConditionStatus::False, reason, message)];
    EntitlementOverrideStatus { phase: Some(phase), conditions, ..EntitlementOverrideStatus::default() }
}

fn requested(message: &str) -> EntitlementOverrideStatus {
    refused(Phase::Requested, "ApprovalRequired", message)
}

fn accepted(phase: Phase) -> EntitlementOverrideStatus {
    let record = json!({"at": DECIDED, "by": ["bob"], "timeZone": "Europe/Berlin"});
    EntitlementOverrideStatus {
        phase: Some(phase),
        start: Some(DECIDED.to_owned()),
        until: Some("2026-12-31".to_owned()),
        accepted: serde_json::from_value(record).unwrap(),
        conditions: vec![condition("Accepted", ConditionStatus::True, "Accepted", "the override may be held")],
        ..EntitlementOverrideStatus::default()
    }
}

fn denied(reason: &str) -> EntitlementOverrideStatus {
    let record = json!({"at": DECIDED, "by": "bob"});
    let message = if reason == "Denied" { "bob denied it, for good reason" } else { "about the catalogue" };
    let denied = serde_json::from_value(record).unwrap();
    EntitlementOverrideStatus { denied, ..refused(Phase::Rejected, reason, message) }
}

fn lapsed(is_certain: bool) -> EntitlementOverrideStatus {
    let record: Value = if is_certain { json!({"at": DECIDED}) } else { Value::Null };
    let expired = serde_json::from_value(record).unwrap();
    EntitlementOverrideStatus { expired, ..refused(Phase::Rejected, "ApprovalExpired", "it was not approved in time") }
}

fn cancelled() -> EntitlementOverrideStatus {
    EntitlementOverrideStatus { phase: Some(Phase::Cancelled), ..EntitlementOverrideStatus::default() }
}

/// An override with that status.
fn grant(status: Option<&EntitlementOverrideStatus>) -> Grant {
    let one = json!({
        "metadata": {"name": "a", "namespace": "entitlements"},
        "spec": {
            "organization": "acme", "definition": "seats", "end": "2026-12-31", "reason": "a migration",
            "requestedBy": "alice",
        },
        "status": status,
    });
    overrides::grant(&serde_json::from_value::<EntitlementOverride>(one).unwrap())
}

fn open(given: usize, needed: u32) -> Approval {
    let one = StatedDecision {
        name: "a".into(),
        namespace: "entitlements".into(),
        override_name: "a".into(),
        override_uid: "u".into(),
        definition: "seats".into(),
        ruling: crate::api::override_decision::Ruling::Approve,
        by: "bob".into(),
        comment: None,
        created: parse_instant(DECIDED).unwrap(),
    };
    Approval { outcome: ApprovalOutcome::Open, needed, approvals: vec![one; given], denial: None, next: None }
}

fn with(outcome: ApprovalOutcome) -> Approval {
    Approval { outcome, ..open(0, 1) }
}

fn by(names: &[&str]) -> Approval {
    let by = names.iter().map(|name| (*name).into()).collect();
    with(ApprovalOutcome::Approved { at: parse_instant(DECIDED).unwrap(), by })
}

fn by_nobody_else(is_denied: bool) -> Approval {
    let at = parse_instant(DECIDED).unwrap();
    with(if is_denied {
        ApprovalOutcome::Denied { at, by: "bob".into() }
    } else {
        ApprovalOutcome::Expired { at, is_certain: true }
    })
}

/// What is told of what follows on a status, and that it is not told again.
fn told(
    before: Option<&EntitlementOverrideStatus>,
    approval: &Approval,
    after: &EntitlementOverrideStatus,
) -> Vec<String> {
    let of = |before: Option<&EntitlementOverrideStatus>| {
        let grant = grant(before);
        let notices = announced(grant.accepted.is_some(), &grant.remembered, approval, after.lifecycle());
        let type_ = |is_warning| if is_warning { "Warning" } else { "Normal" };
        let lines = notices.iter().map(|one| format!("{} {}: {}", type_(one.is_warning), one.reason, one.note));
        lines.collect::<Vec<_>>()
    };
    assert_eq!(of(Some(after)), Vec::<String>::new(), "it is told again");
    of(before)
}

#[rstest]
#[case::first(None, open(0, 1), requested(ONE_MORE), &["Normal Requested: 1 more approval is needed"])]
#[case::after_a_refusal(
    Some(refused(Phase::Rejected, "DefinitionNotFound", "there is none")), open(0, 1), requested(ONE_MORE),
    &["Normal Requested: 1 more approval is needed"]
)]
#[case::one_of_two(
    Some(requested(TWO_MORE)), open(1, 2), requested(ONE_MORE), &["Normal Requested: 1 more approval is needed"]
)]
#[case::one_is_taken_back(
    Some(requested(ONE_MORE)), open(0, 2), requested(TWO_MORE), &["Normal Requested: 2 more approvals are needed"]
)]
#[case::all_in_a_moment(Some(requested(ONE_MORE)), open(1, 1), requested(IN_A_MOMENT), &[])]
#[case::all_at_once(
    None, open(1, 1), requested(IN_A_MOMENT), &["Normal Requested: it has all approvals, which count in a moment"]
)]
#[case::a_status_that_says_nothing_yet(
    Some(EntitlementOverrideStatus::default()), open(0, 1), requested(ONE_MORE),
    &["Normal Requested: 1 more approval is needed"]
)]
fn what_is_asked_for_is_told_with_what_it_lacks(
    #[case] before: Option<EntitlementOverrideStatus>,
    #[case] approval: Approval,
    #[case] after: EntitlementOverrideStatus,
    #[case] expected: &[&str],
) {
    assert_eq!(told(before.as_ref(), &approval, &after), expected);
}

#[rstest]
#[case::now(
    &["bob"], Phase::Active,
    &[
        "Normal Approved: bob approved it: in force from 2026-11-02T09:00:00+01:00 until 2026-12-31",
        "Normal Activated: the override is in force until 2026-12-31",
    ]
)]
#[case::by_several(
    &["bob", "carol", "dave"], Phase::Waiting,
    &["Normal Approved: bob, carol and dave approved it: in force from 2026-11-02T09:00:00+01:00 until 2026-12-31"]
)]
#[case::by_nobody(
    &[], Phase::Suspended,
    &["Normal Approved: it needs no approval: in force from 2026-11-02T09:00:00+01:00 until 2026-12-31, but suspended now"]
)]
#[case::too_late(
    &["bob"], Phase::Expired,
    &["Normal Approved: bob approved it: in force from 2026-11-02T09:00:00+01:00 until 2026-12-31, which is over already, so nothing is delivered"]
)]
fn an_approval_is_told_with_who_gave_it(#[case] names: &[&str], #[case] phase: Phase, #[case] expected: &[&str]) {
    let before = [None, Some(requested(ONE_MORE)), Some(refused(Phase::Rejected, "ApprovalsUnprotected", "no policy"))];
    for before in before {
        assert_eq!(told(before.as_ref(), &by(names), &accepted(phase)), expected);
    }
}

#[rstest]
#[case::it_begins(Phase::Waiting, Phase::Active, &["Normal Activated: the override is in force until 2026-12-31"])]
#[case::it_ends(Phase::Active, Phase::Expired, &["Normal Expired: the term is over, and the configuration withdrawn"])]
#[case::it_is_cancelled(Phase::Active, Phase::Cancelled, &["Normal Cancelled: the configuration is withdrawn for good"])]
fn what_was_accepted_goes_through_its_phases(#[case] before: Phase, #[case] after: Phase, #[case] expected: &[&str]) {
    assert_eq!(told(Some(&accepted(before)), &by(&["bob"]), &accepted(after)), expected);
}

#[test]
fn a_denial_is_a_warning_whatever_else_refuses_it() {
    let message = ["Warning Denied: bob denied it, for good reason"];
    for before in [None, Some(requested(ONE_MORE))] {
        assert_eq!(told(before.as_ref(), &by_nobody_else(true), &denied("Denied")), message);
    }
    let hidden = denied("DefinitionNotFound");
    let expected =
        ["Warning Denied: bob denied it at 2026-11-02T08:00:00Z", "Warning DefinitionNotFound: about the catalogue"];
    assert_eq!(told(Some(&requested(ONE_MORE)), &by_nobody_else(true), &hidden), expected);
    assert_eq!(told(Some(&hidden), &by_nobody_else(true), &denied("Denied")), Vec::<String>::new());
}

#[test]
fn that_it_was_not_approved_in_time_is_told_once_it_is_certain() {
    let uncertain = with(ApprovalOutcome::Expired { at: parse_instant(DECIDED).unwrap(), is_certain: false });
    assert_eq!(told(Some(&requested(ONE_MORE)), &uncertain, &lapsed(false)), Vec::<String>::new());
    let expected = ["Warning ApprovalExpired: it was not approved in time"];
    for before in [requested(ONE_MORE), lapsed(false)] {
        assert_eq!(told(Some(&before), &by_nobody_else(false), &lapsed(true)), expected);
    }
}

#[test]
fn other_refusals_are_told_as_of_all_sources() {
    let unprotected = refused(Phase::Rejected, "ApprovalsUnprotected", "a policy is missing");
    let approval = with(ApprovalOutcome::Unprotected("a policy is missing".to_owned()));
    let expected = ["Warning ApprovalsUnprotected: a policy is missing"];
    assert_eq!(told(None, &approval, &unprotected), expected);
    assert_eq!(told(Some(&requested(ONE_MORE)), &approval, &unprotected), expected);
}

#[test]
fn what_is_taken_back_before_it_is_approved_was_never_in_force() {
    let expected = ["Normal Cancelled: it is taken back for good, and was never in force"];
    assert_eq!(told(Some(&requested(ONE_MORE)), &open(0, 1), &cancelled()), expected);
    assert_eq!(told(None, &open(0, 1), &cancelled()), Vec::<String>::new());
}
