//! How far an organization's overrides are with the approvals that they need.

use super::{Snapshot, cases::CaseSurroundings};
use crate::core::{
    approval::{Approval, ApprovalOutcome, CountedRequest, ExceptionRequest, Requirements, Settlement},
    calendar::{Bound, Instant, Nominal, Tz, add, format_local},
    definition::Definition,
    grant::Grant,
    lifecycle::{Permission, Verdict},
    refusal::{Reason, Refusal},
};

/// How far an override is; None for a grant that others need not approve.
#[must_use]
pub fn approval(surroundings: &CaseSurroundings, grant: &Grant, now: Instant) -> Option<Approval> {
    let request = grant.request.as_deref()?;
    let zone = surroundings.standing.zone;
    let definition = surroundings.definition();
    let requirements = requirements(definition);
    // Until when it can be approved is up to its definition: while none is known, nobody can say that its time is over.
    let deadline = zone.filter(|_| definition.is_some()).map(|zone| deadline(grant.created, &requirements, zone));
    let counting = CountedRequest {
        request,
        namespace: &grant.id.source.namespace,
        uid: &grant.age.uid,
        definition: &grant.id.definition,
        created: grant.created,
        needed: requirements.approvals_of(request),
        deadline: deadline.unwrap_or(Bound::Never),
    };
    let Snapshot { approvals, .. } = surroundings.snapshot;
    let counted = approvals.count(&counting, now);
    Some(match grant.remembered.settlement.as_deref() {
        Some(settlement) => counted.settled_as(settlement),
        None => counted,
    })
}

/// What a definition demands of its overrides; of one of which nothing valid is known, what is demanded where nothing is said.
fn requirements(definition: Option<&Definition>) -> Requirements {
    definition.map(|definition| definition.overrides.clone()).unwrap_or_default()
}

fn deadline(created: Instant, requirements: &Requirements, zone: Tz) -> Bound {
    let created = Nominal::of_instant(created, zone);
    add(created, requirements.expires_after, created.day()).instant()
}

/// What that comes to for the lifecycle.
#[must_use]
pub fn permission(surroundings: &CaseSurroundings, grant: &Grant, approval: &Approval) -> Option<Permission> {
    let request = grant.request.as_deref()?;
    let zone = surroundings.standing.zone.unwrap_or(Tz::UTC);
    let approved = match &approval.outcome {
        ApprovalOutcome::Approved { at, .. } => Ok(*at),
        other => Err(refusal(grant, request, approval, other, zone)),
    };
    Some(Permission { longest: requirements(surroundings.definition()).max_term, approved })
}

fn refusal(
    grant: &Grant,
    request: &ExceptionRequest,
    approval: &Approval,
    outcome: &ApprovalOutcome,
    zone: Tz,
) -> Refusal {
    match outcome {
        ApprovalOutcome::Denied { at, by } => {
            let comment = approval.denial.as_ref().and_then(|denial| denial.comment.as_deref());
            let comment = comment.map(|comment| format!(" ({comment})")).unwrap_or_default();
            let message = format!(
                "{by} denied it on {}{comment}: ask for another if it is needed after all",
                format_local(*at, zone)
            );
            Refusal::new(Reason::Denied, message)
        }
        ApprovalOutcome::Expired { at, .. } => {
            let message = format!(
                "it was not approved by {}, {} of {}: ask for another, and have it approved in time",
                format_local(*at, zone),
                approval.approvals.len(),
                approval.needed
            );
            Refusal::new(Reason::ApprovalExpired, message)
        }
        ApprovalOutcome::Unprotected(why) => Refusal::new(Reason::ApprovalsUnprotected, why.clone()),
        ApprovalOutcome::Open | ApprovalOutcome::Approved { .. } => {
            Refusal::new(Reason::ApprovalRequired, required(grant, request, approval))
        }
    }
}

fn required(grant: &Grant, request: &ExceptionRequest, approval: &Approval) -> String {
    if let Some(denial) = &approval.denial {
        return format!("{} denies it, which counts in a moment", denial.by);
    }
    let missing = approval.missing();
    if missing == 0 {
        return "it has all approvals, which count in a moment".to_owned();
    }
    let (source, noun) = (&grant.id.source, if missing == 1 { "approval is" } else { "approvals are" });
    let askers: Vec<&str> = request.askers().collect();
    format!(
        "{missing} more {noun} needed, of {} in all, by people other than {}: entitlement-operator approve {} --namespace {}",
        approval.needed,
        askers.join(" and "),
        source.name,
        source.namespace
    )
}

/// What is decided of an override for good, to be remembered from now on.
#[must_use]
pub fn settlement(approval: &Approval, verdict: &Verdict) -> Option<Settlement> {
    match &approval.outcome {
        ApprovalOutcome::Approved { at, by } => {
            let acceptance = verdict.acceptance.as_ref()?;
            Some(Settlement::Accepted { at: *at, by: by.clone(), zone: acceptance.zone })
        }
        ApprovalOutcome::Denied { at, by } => Some(Settlement::Denied { at: *at, by: by.clone() }),
        ApprovalOutcome::Expired { at, is_certain: true } => Some(Settlement::Expired { at: *at }),
        ApprovalOutcome::Expired { .. } | ApprovalOutcome::Open | ApprovalOutcome::Unprotected(_) => None,
    }
}
