//! An override by itself, as it bears on no other grant, and a decision on one.

use super::{AdmissionVerdict, Candidate, instance::review_instance};
use crate::{
    api::lifecycle::State,
    core::{
        approval::{ApprovalOutcome, Objection, Protection, StatedDecision},
        calendar::Instant,
        grant::Grant,
        source::{SourceId, SourceKind},
    },
    evaluation::{Snapshot, decision::decide_alone, holding::is_held},
};

/// What is said of a change of one override. Both candidates are of its organization, with the override as it is before and after the
/// change: absent from the first where it is made, from the second where it is deleted.
#[must_use]
pub fn review_override(before: &Candidate, after: &Candidate, id: &SourceId, now: Instant) -> AdmissionVerdict {
    if find(after.snapshot(), id).is_some() {
        return review_instance(before, after, id, now);
    }
    let warnings = loss(before.snapshot(), id, now).into_iter().collect();
    AdmissionVerdict { refused: None, warnings }
}

fn find<'a>(snapshot: &'a Snapshot, id: &SourceId) -> Option<&'a Grant> {
    snapshot.grants.iter().map(AsRef::as_ref).find(|grant| grant.id.source == *id)
}

/// What goes with an override that is deleted while it is held.
fn loss(snapshot: &Snapshot, id: &SourceId, now: Instant) -> Option<String> {
    // Whoever deletes a whole namespace means all of it.
    if !snapshot.namespaces.get(&id.namespace).is_some_and(|facts| facts.present) {
        return None;
    }
    let decision = decide_alone(snapshot, &find(snapshot, id)?.id.definition, now);
    let (_, member) = decision.grants().find(|(_, member)| member.grant.id.source == *id)?;
    let approved = member.approval.as_ref()?.approved_by()?;
    is_held(member.verdict.phase).then(|| {
        format!(
            "{approved}, and that goes with it: to end it now, and keep who asked and who approved, set spec.cancelled to true instead"
        )
    })
}

/// What is said of a decision that is being made: why it cannot count, if it cannot. The candidate is the override that it names, as
/// far as it is known.
#[must_use]
pub fn review_decision(known: Option<&Candidate>, decision: &StatedDecision, now: Instant) -> AdmissionVerdict {
    let id = SourceId::new(SourceKind::Override, &decision.namespace, &decision.override_name);
    let asked = known.map(Candidate::snapshot).and_then(|snapshot| Some((snapshot, find(snapshot, &id)?)));
    let fault = match asked {
        Some((snapshot, grant)) => of_names(grant, decision)
            .or_else(|| of_person(snapshot, grant, decision))
            .or_else(|| of_time(snapshot, grant, decision, now)),
        None => Some(format!("no override {id} is known that could be decided")),
    };
    let warnings = fault.map(|fault| format!("it will not count: {fault}")).into_iter().collect();
    AdmissionVerdict { refused: None, warnings }
}

fn of_names(grant: &Grant, decision: &StatedDecision) -> Option<String> {
    let (id, uid, definition) = (&grant.id.source, &grant.age.uid, &grant.id.definition);
    if *uid != decision.override_uid {
        return Some(format!(
            "{id} has the UID {uid}, and is not the one that this is about: look at what it asks for, and decide on that"
        ));
    }
    (*definition != decision.definition).then(|| format!("{id} is of definition {definition}: name that"))
}

fn of_person(snapshot: &Snapshot, grant: &Grant, decision: &StatedDecision) -> Option<String> {
    let by = &decision.by;
    match grant.request.as_ref().and_then(|request| request.objection_to(by)) {
        Some(Objection::ServiceAccount) => return Some(format!("{by} is a service account, and people decide")),
        Some(Objection::Asker) => return Some(format!("{by} asked for it, so others have to decide")),
        None => {}
    }
    let known = snapshot.approvals.decisions.get(&decision.override_uid).map_or(&[][..], AsRef::as_ref);
    let is_another = |one: &&StatedDecision| one.by == *by && one.name != decision.name;
    let first = known.iter().find(is_another)?;
    Some(format!("{by} has decided on it already, by {}, and the first decision of each person counts", first.name))
}

fn of_time(snapshot: &Snapshot, grant: &Grant, decision: &StatedDecision, now: Instant) -> Option<String> {
    if grant.state == State::Cancelled {
        return Some("it is cancelled".to_owned());
    }
    let decided = decide_alone(snapshot, &grant.id.definition, now);
    let (_, member) = decided.grants().find(|(_, member)| member.grant.id.source == grant.id.source)?;
    match &member.approval.as_ref()?.outcome {
        ApprovalOutcome::Approved { by, .. } if by.is_empty() => Some("it needs no approval".to_owned()),
        ApprovalOutcome::Approved { by, .. } => Some(format!("it is approved already, by {}", by.join(" and "))),
        ApprovalOutcome::Denied { by, .. } => Some(format!("it is denied already, by {by}")),
        ApprovalOutcome::Expired { .. } => Some("it was not approved in time".to_owned()),
        ApprovalOutcome::Unprotected(why) => Some(why.clone()),
        ApprovalOutcome::Open => of_protection(&snapshot.approvals.protection, decision),
    }
}

/// What is made by now is younger than the policies; what is decided within a minute need not be.
fn of_protection(protection: &Protection, decision: &StatedDecision) -> Option<String> {
    (!protection.covers(decision.created)).then(|| {
        "the policies that check who decides have not been there for a minute: decide anew a minute later".to_owned()
    })
}
