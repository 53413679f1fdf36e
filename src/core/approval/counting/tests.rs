use super::{Approval, ApprovalOutcome, Approvals, CountedRequest};
use crate::{
    api::{entitlement_definition::OverrideRules, override_decision::Ruling},
    core::{
        approval::{ExceptionRequest, Protection, Requirements, StatedDecision},
        calendar::{Bound, Instant, parse_instant},
    },
};
use proptest::prelude::*;
use rstest::rstest;
use std::sync::Arc;

fn at(second: u32) -> Instant {
    parse_instant("2027-03-01T09:00:00Z").unwrap() + chrono::TimeDelta::seconds(second.into())
}

fn request(by: &str) -> ExceptionRequest {
    ExceptionRequest { by: by.into(), restored_by: None, reason: "a launch next week".into(), ticket: None }
}

/// `bob+5`: bob approves in second 5; `bob-5`: he denies.
fn decision(text: &str) -> StatedDecision {
    let place = text.find(['+', '-']).unwrap();
    let (by, second) = (&text[..place], &text[place + 1..]);
    StatedDecision {
        name: text.into(),
        namespace: "entitlements".into(),
        override_name: "more-seats".into(),
        override_uid: "u".into(),
        definition: "seats".into(),
        ruling: if text.as_bytes()[place] == b'+' { Ruling::Approve } else { Ruling::Deny },
        by: by.into(),
        comment: None,
        created: at(second.parse().unwrap()),
    }
}

fn approvals(decisions: impl IntoIterator<Item = StatedDecision>) -> Approvals {
    let all: Arc<[StatedDecision]> = decisions.into_iter().collect();
    Approvals { decisions: [("u".into(), all)].into(), ..Approvals::default() }
}

fn counting(request: &ExceptionRequest, needed: u32) -> CountedRequest<'_> {
    CountedRequest {
        request,
        namespace: "entitlements",
        uid: "u",
        definition: "seats",
        created: at(0),
        needed,
        deadline: Bound::At(at(100)),
    }
}

fn told(approval: &Approval) -> String {
    let since = at(0);
    let seconds = |at: &Instant| (*at - since).num_seconds();
    let outcome = match &approval.outcome {
        ApprovalOutcome::Approved { at, by } => format!("approved at {} by {}", seconds(at), by.join(", ")),
        ApprovalOutcome::Denied { at, by } => format!("denied at {} by {by}", seconds(at)),
        ApprovalOutcome::Expired { at, is_certain: true } => format!("expired at {}", seconds(at)),
        ApprovalOutcome::Expired { at, is_certain: false } => format!("expired at {} as it seems", seconds(at)),
        ApprovalOutcome::Open => format!("open {}/{}", approval.given(), approval.needed),
        ApprovalOutcome::Unprotected(_) => "unprotected".to_owned(),
    };
    let next = approval.next.map(|next| format!(", next at {}", seconds(&next))).unwrap_or_default();
    format!("{outcome}{next}")
}

#[rstest]
#[case::nobody(1, "", 50, "open 0/1, next at 100")]
#[case::one(1, "bob+5", 50, "approved at 5 by bob")]
#[case::not_settled_yet(1, "bob+5", 6, "open 1/1, next at 7")]
#[case::settled(1, "bob+5", 7, "approved at 5 by bob")]
#[case::to_come(1, "bob+5", 3, "open 0/1, next at 5")]
#[case::who_asked(1, "alice+5", 50, "open 0/1, next at 100")]
#[case::a_service_account(1, "system:serviceaccount:ci:bot+5", 50, "open 0/1, next at 100")]
#[case::one_of_two(2, "bob+5", 50, "open 1/2, next at 100")]
#[case::one_person_twice(2, "bob+5 bob+6", 50, "open 1/2, next at 100")]
#[case::two(2, "carol+6 bob+5", 50, "approved at 6 by bob, carol")]
#[case::more_than_enough(1, "carol+6 bob+5", 50, "approved at 5 by bob")]
#[case::denied(1, "bob-5", 50, "denied at 5 by bob")]
#[case::denied_before(2, "bob+5 carol-6 dave+7", 50, "denied at 6 by carol")]
#[case::denied_afterwards(1, "bob+5 carol-6", 50, "approved at 5 by bob")]
#[case::denied_in_the_same_second(1, "bob+5 carol-5", 50, "denied at 5 by carol")]
#[case::approved_after_a_denial(1, "bob-5 carol+6", 50, "denied at 5 by bob")]
#[case::one_who_changes_his_mind(2, "bob+5 bob-6 carol+7", 50, "approved at 7 by bob, carol")]
#[case::one_who_says_both_at_once(1, "bob+5 bob-5", 50, "denied at 5 by bob")]
#[case::denied_by_who_asked(1, "alice-5 bob+6", 50, "approved at 6 by bob")]
#[case::nobody_needed(0, "bob-5", 0, "approved at 0 by ")]
#[case::in_the_last_second(1, "bob+99", 100, "open 1/1, next at 101")]
#[case::still_in_time(1, "bob+99", 101, "approved at 99 by bob")]
#[case::too_late(1, "bob+100", 200, "expired at 100")]
#[case::denied_too_late(1, "bob-100", 200, "expired at 100")]
#[case::over(1, "", 100, "expired at 100 as it seems, next at 102")]
#[case::over_for_certain(1, "", 102, "expired at 100")]
fn what_decisions_come_to(#[case] needed: u32, #[case] decisions: &str, #[case] now: u32, #[case] expected: &str) {
    let request = request("alice");
    let approvals = approvals(decisions.split_whitespace().map(decision));
    assert_eq!(told(&approvals.count(&counting(&request, needed), at(now))), expected);
}

#[rstest]
#[case::another_override(|decision: &mut StatedDecision| decision.override_uid = "v".into(), "open 0/1, next at 100")]
#[case::another_definition(|decision: &mut StatedDecision| decision.definition = "sso".into(), "open 0/1, next at 100")]
#[case::another_namespace(|decision: &mut StatedDecision| decision.namespace = "acme".into(), "open 0/1, next at 100")]
#[case::another_name(|decision: &mut StatedDecision| decision.override_name = "other".into(), "approved at 5 by bob")]
fn what_a_decision_has_to_name(#[case] change: fn(&mut StatedDecision), #[case] expected: &str) {
    let request = request("alice");
    let mut decision = decision("bob+5");
    change(&mut decision);
    let all: Arc<[StatedDecision]> = [decision.clone()].into();
    let approvals = Approvals { decisions: [(Arc::clone(&decision.override_uid), all)].into(), ..Approvals::default() };
    assert_eq!(told(&approvals.count(&counting(&request, 1), at(50))), expected);
}

#[test]
fn what_is_older_than_the_policies_never_counts() {
    let request = request("alice");
    let since = |second: i64| Protection::Since(at(0) + chrono::TimeDelta::seconds(second));
    let told = |protection: Protection, decisions: &str| {
        let approvals = Approvals { protection, ..approvals(decisions.split_whitespace().map(decision)) };
        told(&approvals.count(&counting(&request, 1), at(99)))
    };
    assert_eq!(told(Protection::Lacking("one is missing".to_owned()), "bob+5"), "unprotected");
    assert_eq!(told(since(-59), "bob+5"), "unprotected");
    assert_eq!(told(since(-60), "bob+5"), "approved at 5 by bob");
    // Nobody's no counts then either.
    assert_eq!(told(Protection::Lacking("one is missing".to_owned()), "bob-5"), "unprotected");
}

#[test]
fn who_restores_asks_too() {
    let mut request = ExceptionRequest { restored_by: Some("bob".into()), ..request("alice") };
    let approvals = approvals(["bob+5", "carol+6"].map(decision));
    assert_eq!(told(&approvals.count(&counting(&request, 1), at(50))), "approved at 6 by carol");
    let requirements = Requirements::read(&OverrideRules { approvals: 2, ..OverrideRules::default() }).unwrap();
    assert_eq!(requirements.approvals_of(&request), 2);
    request.restored_by = Some("system:serviceaccount:velero:velero".into());
    assert_eq!(requirements.approvals_of(&request), 3);
}

#[rstest]
#[case::none(0, "system:serviceaccount:ci:bot", 0)]
#[case::a_person(2, "alice", 2)]
#[case::a_service_account(2, "system:serviceaccount:ci:bot", 3)]
fn what_a_service_account_asks_for_needs_one_more(#[case] approvals: u32, #[case] by: &str, #[case] expected: u32) {
    let requirements = Requirements { approvals, ..Requirements::default() };
    assert_eq!(requirements.approvals_of(&request(by)), expected);
}

#[test]
fn what_is_demanded_where_nothing_is_said() {
    assert_eq!(Requirements::read(&OverrideRules::default()).unwrap(), Requirements::default());
}

#[rstest]
#[case::unreadable("P1", "InvalidDuration: overrides.maxTerm: ")]
#[case::nothing(
    "PT0S",
    "InvalidDuration: overrides.maxTerm: there is no override of no time; to have none at all, set overrides.refused to true"
)]
fn durations_have_to_be_some(#[case] max_term: &str, #[case] expected: &str) {
    let rules = OverrideRules { max_term: max_term.to_owned(), ..OverrideRules::default() };
    let told = Requirements::read(&rules).unwrap_err().to_string();
    assert!(told.starts_with(expected), "{told}");
}

fn some_decision() -> impl Strategy<Value = String> {
    ("(alice|bob|carol|dave|system:serviceaccount:a:b)", prop_oneof!["[+]", "-"], 0u32..12)
        .prop_map(|(by, ruling, second)| format!("{by}{ruling}{second}"))
}

proptest! {
    /// Once settled, what is decided later, in whatever order it is told, changes nothing.
    #[test]
    fn what_is_settled_stays(
        decisions in prop::collection::vec(some_decision(), 0..8),
        later in prop::collection::vec(some_decision(), 0..8),
        needed in 0u32..3,
        is_reversed in any::<bool>(),
    ) {
        let request = request("alice");
        let decisions: Vec<StatedDecision> = decisions.iter().map(|text| decision(text)).collect();
        let counting = counting(&request, needed);
        for now in 0..14 {
            let before = approvals(decisions.clone()).count(&counting, at(now));
            if before.outcome == ApprovalOutcome::Open {
                continue;
            }
            let later = later.iter().map(|text| decision(text)).map(|one| StatedDecision { created: one.created.max(at(now)), ..one });
            let mut all: Vec<StatedDecision> = decisions.iter().cloned().chain(later).collect();
            if is_reversed {
                all.reverse();
            }
            let after = approvals(all).count(&counting, at(40));
            prop_assert_eq!(before.outcome, after.outcome);
            break;
        }
    }

    /// Nobody counts twice, nobody who asks counts, and no service account.
    #[test]
    fn who_approves_is_a_person_of_his_own(
        decisions in prop::collection::vec(some_decision(), 0..12),
        needed in 1u32..4,
    ) {
        let request = request("alice");
        let approval = approvals(decisions.iter().map(|text| decision(text))).count(&counting(&request, needed), at(50));
        if let ApprovalOutcome::Approved { by, .. } = approval.outcome {
            let people: std::collections::BTreeSet<_> = by.iter().collect();
            prop_assert_eq!(people.len(), needed as usize);
            prop_assert_eq!(by.len(), needed as usize);
            prop_assert!(by.iter().all(|name| **name != *"alice" && !name.starts_with("system:serviceaccount:")));
        }
    }
}
