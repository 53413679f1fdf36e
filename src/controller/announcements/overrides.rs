//! Of an override: that it is asked for and what it lacks, who approved or denied it, and, as of all sources, a transition of its phase
//! and what has gone wrong.
//!
//! What is decided for good is told when it is remembered for good, whatever else refuses the override meanwhile.

use super::{Announcement, of_failures, of_phase, start_of};
use crate::{
    api::{Condition, Phase, conditions::ACCEPTED, lifecycle::LifecycleStatus},
    core::{
        approval::{Approval, ApprovalOutcome, Settlement},
        calendar::format_instant,
        grant::Remembered,
        reason::ReasonCode,
        source::SourceKind,
    },
};

/// What is told through none of the conditions: that approvals are awaited is no failure, and what is decided for good is told by itself.
const NO_FAILURES: [ReasonCode; 3] = [ReasonCode::ApprovalRequired, ReasonCode::Denied, ReasonCode::ApprovalExpired];

/// What is worth telling of an override since the last status.
pub(super) fn announced(
    was_accepted: bool,
    remembered: &Remembered,
    approval: &Approval,
    status: LifecycleStatus,
) -> Vec<Announcement> {
    let is_newly_accepted = !was_accepted && status.is_accepted;
    let mut notices = Vec::new();
    if is_newly_accepted {
        notices.push(approved(approval, status));
    }
    notices.extend(refused(remembered, approval, status));
    notices.extend(requested(remembered, approval, status));
    let phase = status.phase.filter(|phase| Some(*phase) != remembered.phase);
    notices.extend(phase.and_then(|phase| match phase {
        // What the approval tells already.
        Phase::Waiting | Phase::Suspended | Phase::Expired if is_newly_accepted => None,
        Phase::Cancelled if !was_accepted => remembered.phase.map(|_| taken_back()),
        _ => of_phase(SourceKind::Override.noun(), remembered.phase, phase, status.until),
    }));
    let is_failure = |notice: &Announcement| !NO_FAILURES.iter().any(|reason| *reason == *notice.reason);
    notices.extend(of_failures(remembered, status).filter(is_failure));
    notices
}

fn approved(approval: &Approval, status: LifecycleStatus) -> Announcement {
    let by = approval.approved_by().unwrap_or_else(|| "it is approved".to_owned());
    let start = start_of(status).map(|start| format!(" from {start}")).unwrap_or_default();
    let until = status.until.map(|until| format!(" until {until}")).unwrap_or_default();
    let more = match status.phase {
        Some(Phase::Suspended) => ", but suspended now",
        Some(Phase::Expired) => ", which is over already, so nothing is delivered",
        _ => "",
    };
    let note = format!("{by}: in force{start}{until}{more}");
    Announcement { is_warning: false, reason: ReasonCode::Approved.to_string(), action: "Approve", note }
}

/// That it was denied, or not approved in time, once that is settled.
fn refused(remembered: &Remembered, approval: &Approval, status: LifecycleStatus) -> Option<Announcement> {
    let known = remembered.settlement.as_deref();
    let (reason, note) = match &approval.outcome {
        ApprovalOutcome::Denied { .. } if matches!(known, Some(Settlement::Denied { .. })) => return None,
        ApprovalOutcome::Expired { .. } if matches!(known, Some(Settlement::Expired { .. })) => return None,
        ApprovalOutcome::Denied { at, by } => {
            (ReasonCode::Denied, format!("{by} denied it at {}", format_instant(*at)))
        }
        ApprovalOutcome::Expired { at, is_certain: true } => {
            (ReasonCode::ApprovalExpired, format!("it was not approved by {}", format_instant(*at)))
        }
        ApprovalOutcome::Expired { .. }
        | ApprovalOutcome::Approved { .. }
        | ApprovalOutcome::Open
        | ApprovalOutcome::Unprotected(_) => return None,
    };
    let accepted = accepted(status).filter(|accepted| reason == *accepted.reason);
    let note = accepted.map_or(note, |accepted| accepted.message.clone());
    Some(Announcement { is_warning: true, reason: reason.to_string(), action: "Refuse", note })
}

/// What it lacks, when it is first seen to be asked for, and whenever that is something else.
fn requested(remembered: &Remembered, approval: &Approval, status: LifecycleStatus) -> Option<Announcement> {
    let accepted = accepted(status).filter(|_| status.phase == Some(Phase::Requested))?;
    let is_known = |message: &str| {
        let mut observed = remembered.conditions.iter().map(|condition| &condition.observation);
        observed.any(|one| one.type_ == ACCEPTED && one.message == message)
    };
    // What counts in a moment is told then.
    let is_awaited = approval.denial.is_none() && approval.approvals.len() < approval.needed as usize;
    let is_news = is_awaited && !is_known(&accepted.message);
    (remembered.phase != Some(Phase::Requested) || is_news).then(|| Announcement {
        is_warning: false,
        reason: ReasonCode::Requested.to_string(),
        action: "Request",
        note: accepted.message.clone(),
    })
}

fn taken_back() -> Announcement {
    let note = "it is taken back for good, and was never in force".to_owned();
    Announcement { is_warning: false, reason: ReasonCode::Cancelled.to_string(), action: "Transition", note }
}

fn accepted(status: LifecycleStatus<'_>) -> Option<&Condition> {
    status.conditions.iter().find(|condition| condition.type_ == ACCEPTED)
}

#[cfg(test)]
mod tests;
