//! Which changes of a status, and which repairs of outputs, are worth reporting. What the status showed before is never reported
//! again.

mod overrides;

use super::events::Announcement;
use crate::{
    api::{
        Condition, ConditionStatus, Phase,
        conditions::{ACCEPTED, DELIVERED, FACETS_VALID, READY},
        entitlement_subscription::EntitlementStatus,
        lifecycle::{LifecycleStatus, SourceStatus},
    },
    core::{
        calendar::{Tz, format_local, parse_instant, parse_zone},
        grant::Remembered,
        reason::ReasonCode,
        source::{SourceKind, subscription::RememberedRight},
    },
    evaluation::{decided::DecidedSource, object::ObjectKey, plan::Meddling},
};
use std::{collections::BTreeMap, sync::Arc};

/// Definitions that one announcement names.
const MOST_CHANGES: usize = 8;

/// Of a source of grants: that it is accepted, a transition of its phase, what has gone wrong since the last status, and notices that are
/// due.
///
/// A grant's first phase is no transition, unless it is in force or refused: everything else a new grant does is what was asked
/// for, and its acceptance tells.
pub fn of_source(decided: &DecidedSource, status: &impl SourceStatus) -> Vec<Announcement> {
    let DecidedSource { was_accepted, remembered, due, .. } = decided;
    let said = status.lifecycle();
    if let Some(approval) = decided.approval {
        return overrides::announced(*was_accepted, remembered, approval, said);
    }
    let mut notices = announced(decided.kind().noun(), *was_accepted, remembered, said, due);
    if decided.kind() == SourceKind::Subscription {
        notices.extend(of_catalogue_trouble(remembered, said));
    }
    notices
}

/// Of a subscription that goes on: that what it was to give otherwise has begun, ended, or changed.
pub fn of_entitlements(decided: &DecidedSource, status: &impl SourceStatus) -> Option<Announcement> {
    of_rights(decided.remembered.phase, status.lifecycle().phase, decided.rights?, status.entitlements())
}

fn of_rights(
    before: Option<Phase>,
    phase: Option<Phase>,
    rights: &BTreeMap<Arc<str>, RememberedRight>,
    entitlements: &[EntitlementStatus],
) -> Option<Announcement> {
    let goes_on = |phase: Option<Phase>| phase.is_some_and(Phase::is_in_force);
    if !goes_on(before) || !goes_on(phase) {
        return None;
    }
    let given = entitlements.iter().filter(|one| one.entitled);
    let given: BTreeMap<&str, Option<&str>> =
        given.map(|one| (one.definition.as_str(), one.amount.as_deref())).collect();
    let was_given = |definition: &str| rights.get(definition).filter(|right| right.entitled);
    let mut changes = Vec::new();
    for (definition, amount) in &given {
        let amount = amount.map(|amount| format!(" {amount}")).unwrap_or_default();
        match was_given(definition) {
            None => changes.push(format!("{definition}{amount} is given")),
            Some(RememberedRight { amount: Some(before), .. }) if amount.trim_start() != before.to_string() => {
                changes.push(format!("{definition} becomes{amount} instead of {before}"));
            }
            Some(_) => {}
        }
    }
    let before = rights.iter().filter(|(_, right)| right.entitled).map(|(definition, _)| definition);
    let gone = before.filter(|definition| !given.contains_key(&***definition));
    changes.extend(gone.map(|definition| format!("{definition} is not given any more")));
    let count = changes.len();
    if count == 0 {
        return None;
    }
    changes.truncate(MOST_CHANGES);
    let more = count.checked_sub(MOST_CHANGES).filter(|more| *more > 0);
    changes.extend(more.map(|more| format!("and {more} more")));
    let reason = ReasonCode::EntitlementsChanged.to_string();
    Some(Announcement { is_warning: false, reason, action: "Change", note: changes.join("; ") })
}

/// That an entry is left out, or that what was agreed of a plan is lost or missing: what no other condition tells.
fn of_catalogue_trouble(remembered: &Remembered, status: LifecycleStatus) -> Option<Announcement> {
    let is_told_alone = |reason: &str| {
        [ReasonCode::EntryIgnored, ReasonCode::RevisionLost].iter().any(|alone| alone.as_str() == reason)
    };
    let told = newly_false(known_false(remembered, READY), status.conditions, READY, "Check")?;
    is_told_alone(&told.reason).then_some(told)
}

fn announced(
    noun: &str,
    was_accepted: bool,
    remembered: &Remembered,
    status: LifecycleStatus,
    due: &[String],
) -> Vec<Announcement> {
    let phase_before = remembered.phase;
    let mut notices = Vec::new();
    if !was_accepted && status.is_accepted {
        notices.push(of_acceptance(noun, status));
    }
    notices.extend(
        status
            .phase
            .filter(|phase| Some(*phase) != phase_before)
            .and_then(|phase| of_phase(noun, phase_before, phase, status.until)),
    );
    if status.phase != Some(Phase::Draft) {
        notices.extend(of_failures(remembered, status));
    }
    notices.extend(due.iter().map(|note| Announcement {
        is_warning: false,
        reason: ReasonCode::RenewalDue.to_string(),
        action: "Remind",
        note: note.clone(),
    }));
    notices
}

/// What has gone wrong since the last status.
fn of_failures(remembered: &Remembered, status: LifecycleStatus) -> impl Iterator<Item = Announcement> {
    let failures = [(ACCEPTED, "Refuse"), (FACETS_VALID, "Check"), (DELIVERED, "Deliver")];
    failures.into_iter().filter_map(move |(type_, action)| {
        newly_false(known_false(remembered, type_), status.conditions, type_, action)
    })
}

/// Why a condition of that type was False before, if it was.
fn known_false<'a>(remembered: &'a Remembered, type_: &str) -> Option<&'a str> {
    let mut observed = remembered.conditions.iter().map(|condition| &condition.observation);
    let known = observed.find(|one| one.type_ == type_).filter(|one| one.status == ConditionStatus::False);
    known.map(|one| one.reason.as_str())
}

/// The announcement that it is accepted, and what about it may surprise.
fn of_acceptance(noun: &str, status: LifecycleStatus) -> Announcement {
    let start = start_of(status).unwrap_or_default();
    let more = match status.phase {
        Some(Phase::Waiting) => format!(", and comes into force at {start}"),
        Some(Phase::Suspended) => ", and suspended".to_owned(),
        Some(Phase::Grace) => ", though its term is over: it is delivered for its grace period only".to_owned(),
        Some(Phase::Expired) => ", but its term is over already, so nothing is delivered".to_owned(),
        _ => String::new(),
    };
    let note = format!("the {noun} is accepted{more}");
    Announcement { is_warning: false, reason: ReasonCode::Accepted.to_string(), action: "Accept", note }
}

/// As the clocks of the client show it.
fn start_of(status: LifecycleStatus) -> Option<String> {
    let start = parse_instant(status.start?).ok()?;
    let zone = status.time_zone.and_then(|zone| parse_zone(zone).ok());
    Some(format_local(start, zone.unwrap_or(Tz::UTC)))
}

/// The announcement that somebody else has changed or deleted an output or the summary.
pub fn of_put_back(key: &ObjectKey, meddling: Meddling) -> Announcement {
    let what = match meddling {
        Meddling::Changed => "changed",
        Meddling::Deleted => "deleted",
    };
    Announcement {
        is_warning: true,
        reason: ReasonCode::PutBack.to_string(),
        action: "Correct",
        note: format!(
            "{key} was {what} by somebody else, and is put back: it follows what is granted, so change the grant or its definition instead"
        ),
    }
}

/// The announcement that any other object is no longer ready, or for another reason than before.
pub fn of_readiness(conditions_before: &[Condition], conditions: &[Condition]) -> Option<Announcement> {
    newly_false(reason_of_false(conditions_before, READY), conditions, READY, "Check")
}

/// The same for the catalogue's objects, and the announcement that grants state something invalid.
pub fn of_catalogue(conditions_before: &[Condition], conditions: &[Condition]) -> Vec<Announcement> {
    let known = reason_of_false(conditions_before, FACETS_VALID);
    let invalid = newly_false(known, conditions, FACETS_VALID, "Check");
    of_readiness(conditions_before, conditions).into_iter().chain(invalid).collect()
}

/// The announcement of what an edit of its definition has changed for a grant.
pub fn of_catalogue_change(note: String) -> Announcement {
    Announcement { is_warning: false, reason: ReasonCode::CatalogueChanged.to_string(), action: "Change", note }
}

/// The announcement that a namespace that an organization lists is another one than before.
pub fn of_namespace_made_anew(namespace: &str) -> Announcement {
    Announcement {
        is_warning: true,
        reason: ReasonCode::NamespaceMadeAnew.to_string(),
        action: "Deliver",
        note: format!(
            "namespace {namespace} was deleted and made anew, and whoever has it now gets what is delivered there: if that is not the client, take it out of spec.namespaces"
        ),
    }
}

/// A refusal is told with its reason, as a condition, and a request with what it lacks.
fn of_phase(noun: &str, before: Option<Phase>, phase: Phase, until: Option<&str>) -> Option<Announcement> {
    before.or((phase == Phase::Active).then_some(phase))?;
    let what = if noun == "grant" { "entitlement" } else { noun };
    let until = until.map(|until| format!(" until {until}")).unwrap_or_default();
    let in_force = format!("the {what} is in force{until}");
    let suspended = format!("the configuration is withdrawn while the {what} or its organization is suspended");
    let (reason, note) = match phase {
        Phase::Rejected | Phase::Requested => return None,
        Phase::Draft => (ReasonCode::ReturnedToDraft, "the configuration is withdrawn until state is Active again"),
        Phase::Waiting => (ReasonCode::Waiting, "the term has not started: the configuration comes with its start"),
        Phase::Active => (ReasonCode::Activated, &*in_force),
        Phase::Grace => {
            (ReasonCode::GraceStarted, "the term is over: the configuration stays until the grace period is over")
        }
        Phase::Suspended => (ReasonCode::Suspended, &*suspended),
        Phase::Expired => (ReasonCode::Expired, "the term is over, and the configuration withdrawn"),
        Phase::Cancelled => (ReasonCode::Cancelled, "the configuration is withdrawn for good"),
    };
    Some(Announcement { is_warning: false, reason: reason.to_string(), action: "Transition", note: note.to_owned() })
}

fn newly_false(known: Option<&str>, after: &[Condition], type_: &str, action: &'static str) -> Option<Announcement> {
    let failure = find_false(after, type_).filter(|failure| known != Some(failure.reason.as_str()))?;
    let (reason, note) = (failure.reason.clone(), failure.message.clone());
    Some(Announcement { is_warning: true, reason, action, note })
}

fn find_false<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    let found = conditions.iter().find(|condition| condition.type_ == type_);
    found.filter(|condition| condition.status == ConditionStatus::False)
}

fn reason_of_false<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a str> {
    find_false(conditions, type_).map(|condition| condition.reason.as_str())
}

#[cfg(test)]
mod tests {
    use super::{announced, of_put_back, of_readiness};
    use crate::{
        api::{
            Condition, ConditionStatus, EntitlementInstance, EntitlementInstanceStatus, Phase,
            accepted_record::AcceptedRecord, entitlement_definition::OutputKind, lifecycle::SourceStatus,
        },
        controller::events::Announcement,
        core::{grant::Grant, source::instance},
        evaluation::{object::ObjectKey, plan::Meddling},
    };
    use rstest::rstest;
    use serde_json::json;

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

    fn of_grant(grant: &Grant, status: &EntitlementInstanceStatus, due: &[String]) -> Vec<Announcement> {
        announced("grant", grant.accepted.is_some(), &grant.remembered, status.lifecycle(), due)
    }

    /// A grant with what its status was before.
    fn grant(phase: Option<Phase>, conditions: &[Condition]) -> Grant {
        let instance = json!({
            "metadata": {"name": "a", "namespace": "entitlements"},
            "spec": {"organization": "acme", "definition": "seats"},
            "status": {"phase": phase, "conditions": conditions},
        });
        instance::grant(&serde_json::from_value::<EntitlementInstance>(instance).unwrap())
    }

    fn record() -> AcceptedRecord {
        let chain = json!({"name": "a", "uid": "", "since": "2026-01-01T00:00:00Z", "day": 1});
        serde_json::from_value(json!({"timeZone": "Europe/Berlin", "since": "2026-01-01T00:00:00Z", "chain": chain}))
            .unwrap()
    }

    /// The same grant, accepted before.
    fn accepted(phase: Option<Phase>) -> Grant {
        let status =
            EntitlementInstanceStatus { phase, accepted: Some(record()), ..EntitlementInstanceStatus::default() };
        instance::remembering(grant(phase, &[]), &status)
    }

    fn reasons(notices: &[Announcement]) -> Vec<(bool, &str)> {
        notices.iter().map(|notice| (notice.is_warning, notice.reason.as_str())).collect()
    }

    fn told(notices: &[Announcement]) -> Vec<String> {
        notices.iter().map(|notice| format!("{}: {}", notice.reason, notice.note)).collect()
    }

    #[rstest]
    #[case::no_transition(Some(Phase::Active), Phase::Active, &[])]
    #[case::a_start(Some(Phase::Waiting), Phase::Active, &["Activated: the entitlement is in force until 2026-12-31"])]
    #[case::a_seat(Some(Phase::Rejected), Phase::Active, &["Activated: the entitlement is in force until 2026-12-31"])]
    #[case::suspended(
        Some(Phase::Active), Phase::Suspended,
        &["Suspended: the configuration is withdrawn while the entitlement or its organization is suspended"]
    )]
    #[case::an_end(
        Some(Phase::Active), Phase::Expired, &["Expired: the term is over, and the configuration withdrawn"]
    )]
    #[case::grace(
        Some(Phase::Active), Phase::Grace,
        &["GraceStarted: the term is over: the configuration stays until the grace period is over"]
    )]
    #[case::a_status_that_was_lost(None, Phase::Active, &["Activated: the entitlement is in force until 2026-12-31"])]
    #[case::another_first_phase(None, Phase::Expired, &[])]
    fn phases(#[case] before: Option<Phase>, #[case] phase: Phase, #[case] expected: &[&str]) {
        let status = EntitlementInstanceStatus {
            until: Some("2026-12-31".to_owned()),
            accepted: Some(record()),
            ..status(phase, vec![])
        };
        assert_eq!(told(&of_grant(&accepted(before), &status, &[])), expected);
    }

    #[rstest]
    #[case::at_once(
        None, Phase::Active, &["Accepted: the grant is accepted", "Activated: the entitlement is in force"]
    )]
    #[case::a_draft(
        Some(Phase::Draft), Phase::Active,
        &["Accepted: the grant is accepted", "Activated: the entitlement is in force"]
    )]
    #[case::a_refused_one(
        Some(Phase::Rejected), Phase::Active,
        &["Accepted: the grant is accepted", "Activated: the entitlement is in force"]
    )]
    #[case::later(
        None, Phase::Waiting, &["Accepted: the grant is accepted, and comes into force at 2027-01-01T00:00:00+01:00"]
    )]
    #[case::suspended(None, Phase::Suspended, &["Accepted: the grant is accepted, and suspended"])]
    #[case::past_its_end(
        None, Phase::Grace,
        &["Accepted: the grant is accepted, though its term is over: it is delivered for its grace period only"]
    )]
    #[case::over(
        None, Phase::Expired,
        &["Accepted: the grant is accepted, but its term is over already, so nothing is delivered"]
    )]
    fn an_acceptance_is_told_once(#[case] before: Option<Phase>, #[case] phase: Phase, #[case] expected: &[&str]) {
        let status = EntitlementInstanceStatus {
            start: Some("2026-12-31T23:00:00Z".to_owned()),
            accepted: Some(record()),
            ..status(phase, vec![])
        };
        assert_eq!(told(&of_grant(&grant(before, &[]), &status, &[])), expected);
        assert_eq!(told(&of_grant(&accepted(Some(phase)), &status, &[])), Vec::<String>::new());
    }

    #[test]
    fn a_refusal_is_told_once_and_again_with_another_reason() {
        let refused = |reason| condition("Accepted", ConditionStatus::False, reason);
        let duplicate = status(Phase::Rejected, vec![refused("Duplicate")]);
        assert_eq!(reasons(&of_grant(&grant(None, &[]), &duplicate, &[])), [(true, "Duplicate")]);
        let before = |reason| grant(Some(Phase::Rejected), &[refused(reason)]);
        assert_eq!(reasons(&of_grant(&before("Duplicate"), &duplicate, &[])), []);
        assert_eq!(reasons(&of_grant(&before("InvalidTerm"), &duplicate, &[])), [(true, "Duplicate")]);
    }

    #[test]
    fn what_activating_a_draft_would_give_is_no_failure() {
        let draft = status(Phase::Draft, vec![condition("Accepted", ConditionStatus::False, "InvalidTerm")]);
        assert_eq!(of_grant(&grant(None, &[]), &draft, &[]), []);
    }

    #[test]
    fn conflicts_and_notices_are_told() {
        let conflict = status(Phase::Active, vec![condition("Delivered", ConditionStatus::False, "Conflict")]);
        let told = of_grant(&grant(Some(Phase::Active), &[]), &conflict, &["ends soon".to_owned()]);
        assert_eq!(reasons(&told), [(true, "Conflict"), (false, "RenewalDue")]);
        assert_eq!((told[0].note.as_str(), told[1].note.as_str()), ("about Conflict", "ends soon"));
    }

    #[test]
    fn what_is_put_back_is_named() {
        let key = ObjectKey { kind: OutputKind::ConfigMap, namespace: "acme".into(), name: "storage".into() };
        let told = [Meddling::Changed, Meddling::Deleted].map(|meddling| of_put_back(&key, meddling));
        assert_eq!(reasons(&told), [(true, "PutBack"), (true, "PutBack")]);
        assert_eq!(
            told.map(|notice| notice.note),
            [
                "ConfigMap acme/storage was changed by somebody else, and is put back: it follows what is granted, so change the grant or its definition instead",
                "ConfigMap acme/storage was deleted by somebody else, and is put back: it follows what is granted, so change the grant or its definition instead",
            ]
        );
    }

    #[test]
    fn readiness_that_comes_back_is_not_told() {
        let ready = condition("Ready", ConditionStatus::True, "Valid");
        let invalid = condition("Ready", ConditionStatus::False, "InvalidSchema");
        assert_eq!(of_readiness(std::slice::from_ref(&invalid), std::slice::from_ref(&ready)), None);
        assert_eq!(of_readiness(&[ready], &[invalid]).map(|notice| notice.reason), Some("InvalidSchema".to_owned()));
    }
}
