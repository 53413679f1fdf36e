//! What is worth telling about a status that has changed. What the status showed before is never told again.

use super::events::Notice;
use crate::api::{
    Condition, ConditionStatus, EntitlementInstanceStatus, Phase,
    conditions::{ACCEPTED, DELIVERED, FACETS_VALID, READY},
};

/// Of a grant: a transition of its phase, what has gone wrong since the last status, and notices that are due.
///
/// A grant's first phase is no transition, unless it is refused: everything else a new grant does is what was asked for.
pub fn of_grant(
    phase_before: Option<Phase>,
    conditions_before: &[Condition],
    status: &EntitlementInstanceStatus,
    due: &[String],
) -> Vec<Notice> {
    let mut notices = Vec::new();
    notices.extend(
        status.phase.filter(|phase| Some(*phase) != phase_before).and_then(|phase| of_phase(phase_before, phase)),
    );
    let is_draft = status.phase == Some(Phase::Draft);
    let failures = [(ACCEPTED, "Refuse"), (FACETS_VALID, "Check"), (DELIVERED, "Deliver")];
    for (type_, action) in failures.into_iter().filter(|_| !is_draft) {
        notices.extend(newly_false(conditions_before, &status.conditions, type_, action));
    }
    notices.extend(due.iter().map(|note| Notice {
        is_warning: false,
        reason: "RenewalDue".to_owned(),
        action: "Remind",
        note: note.clone(),
    }));
    notices
}

/// Of any other object: that it is not ready any more, or for another reason than before.
pub fn of_readiness(conditions_before: &[Condition], conditions: &[Condition]) -> Option<Notice> {
    newly_false(conditions_before, conditions, READY, "Check")
}

/// Of the catalogue's objects: the same, and that grants state what is not valid (any more).
pub fn of_catalogue(conditions_before: &[Condition], conditions: &[Condition]) -> Vec<Notice> {
    let invalid = newly_false(conditions_before, conditions, FACETS_VALID, "Check");
    of_readiness(conditions_before, conditions).into_iter().chain(invalid).collect()
}

/// Of an organization: what it lists is another namespace than before.
pub fn of_namespace_made_anew(namespace: &str) -> Notice {
    Notice {
        is_warning: true,
        reason: "NamespaceMadeAnew".to_owned(),
        action: "Deliver",
        note: format!(
            "namespace {namespace} was deleted and made anew, and whoever has it now gets what is delivered there: if that is not the client, take it out of spec.namespaces"
        ),
    }
}

/// A refusal is told with its reason, as a condition.
fn of_phase(before: Option<Phase>, phase: Phase) -> Option<Notice> {
    before?;
    let (reason, note) = match phase {
        Phase::Rejected => return None,
        Phase::Draft => ("ReturnedToDraft", "the configuration is withdrawn until state is Active again"),
        Phase::Waiting => ("Waiting", "the term has not started: the configuration comes with its start"),
        Phase::Active => ("Activated", "the entitlement is in force"),
        Phase::Grace => ("GraceStarted", "the term is over: the configuration stays until the grace period is over"),
        Phase::Suspended => {
            ("Suspended", "the configuration is withdrawn while the entitlement or its organization is suspended")
        }
        Phase::Expired => ("Expired", "the term is over, and the configuration withdrawn"),
        Phase::Cancelled => ("Cancelled", "the configuration is withdrawn for good"),
    };
    Some(Notice { is_warning: false, reason: reason.to_owned(), action: "Transition", note: note.to_owned() })
}

fn newly_false(before: &[Condition], after: &[Condition], type_: &str, action: &'static str) -> Option<Notice> {
    let find = |conditions: &[Condition]| {
        let found = conditions.iter().find(|condition| condition.type_ == type_);
        found.filter(|condition| condition.status == ConditionStatus::False).cloned()
    };
    let failure = find(after)?;
    if find(before).is_some_and(|known| known.reason == failure.reason) {
        return None;
    }
    Some(Notice { is_warning: true, reason: failure.reason, action, note: failure.message })
}

#[cfg(test)]
mod tests {
    use super::{of_grant, of_readiness};
    use crate::{
        api::{Condition, ConditionStatus, EntitlementInstanceStatus, Phase},
        controller::events::Notice,
    };
    use rstest::rstest;

    fn condition(type_: &str, status: ConditionStatus, reason: &str) -> Condition {
        Condition {
            type_: type_.to_owned(),
            status,
            observed_generation: Some(1),
            last_transition_time: String::new(),
            reason: reason.to_owned(),
            message: format!("about {reason}"),
        }
    }

    fn status(phase: Phase, conditions: Vec<Condition>) -> EntitlementInstanceStatus {
        EntitlementInstanceStatus { phase: Some(phase), conditions, ..EntitlementInstanceStatus::default() }
    }

    fn reasons(notices: &[Notice]) -> Vec<(bool, &str)> {
        notices.iter().map(|notice| (notice.is_warning, notice.reason.as_str())).collect()
    }

    #[rstest]
    #[case::a_first_phase(None, Phase::Active, &[])]
    #[case::no_transition(Some(Phase::Active), Phase::Active, &[])]
    #[case::a_start(Some(Phase::Waiting), Phase::Active, &[(false, "Activated")])]
    #[case::an_end(Some(Phase::Active), Phase::Expired, &[(false, "Expired")])]
    #[case::grace(Some(Phase::Active), Phase::Grace, &[(false, "GraceStarted")])]
    fn phases(#[case] before: Option<Phase>, #[case] phase: Phase, #[case] expected: &[(bool, &str)]) {
        assert_eq!(reasons(&of_grant(before, &[], &status(phase, vec![]), &[])), expected);
    }

    #[test]
    fn a_refusal_is_told_once_and_again_with_another_reason() {
        let refused = |reason| condition("Accepted", ConditionStatus::False, reason);
        let duplicate = status(Phase::Rejected, vec![refused("Duplicate")]);
        assert_eq!(reasons(&of_grant(None, &[], &duplicate, &[])), [(true, "Duplicate")]);
        assert_eq!(reasons(&of_grant(Some(Phase::Rejected), &[refused("Duplicate")], &duplicate, &[])), []);
        assert_eq!(
            reasons(&of_grant(Some(Phase::Rejected), &[refused("InvalidTerm")], &duplicate, &[])),
            [(true, "Duplicate")]
        );
    }

    #[test]
    fn what_activating_a_draft_would_give_is_no_failure() {
        let draft = status(Phase::Draft, vec![condition("Accepted", ConditionStatus::False, "InvalidTerm")]);
        assert_eq!(of_grant(None, &[], &draft, &[]), []);
    }

    #[test]
    fn conflicts_and_notices_are_told() {
        let conflict = status(Phase::Active, vec![condition("Delivered", ConditionStatus::False, "Conflict")]);
        let told = of_grant(Some(Phase::Active), &[], &conflict, &["ends soon".to_owned()]);
        assert_eq!(reasons(&told), [(true, "Conflict"), (false, "RenewalDue")]);
        assert_eq!((told[0].note.as_str(), told[1].note.as_str()), ("about Conflict", "ends soon"));
    }

    #[test]
    fn readiness_that_comes_back_is_not_told() {
        let ready = condition("Ready", ConditionStatus::True, "Valid");
        let invalid = condition("Ready", ConditionStatus::False, "InvalidSchema");
        assert_eq!(of_readiness(std::slice::from_ref(&invalid), std::slice::from_ref(&ready)), None);
        assert_eq!(of_readiness(&[ready], &[invalid]).map(|notice| notice.reason), Some("InvalidSchema".to_owned()));
    }
}
