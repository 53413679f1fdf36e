//! What is told of an override beside its grant: who asked for it and why, and what others say to it.

use crate::{
    core::{
        approval::{Approval, ApprovalOutcome},
        calendar::format_instant,
    },
    evaluation::holding::Member,
};
use serde::Serialize;
use std::sync::Arc;

/// Who asked for an override, why, and what others say to it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionExplanation {
    /// The user name of who asked for it.
    pub requested_by: Arc<str>,
    /// The user name of who restored it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored_by: Option<Arc<str>>,
    /// When it was asked for.
    pub requested_at: String,
    /// Why.
    pub reason: Arc<str>,
    /// The ticket that it belongs to.
    pub ticket: Option<Arc<str>>,
    /// How many approvals count, of how many it needs: `1/2`.
    pub approvals: String,
    /// How many approvals are missing.
    pub missing: u32,
    /// Who approved, in the order of their decisions.
    pub approved_by: Vec<Arc<str>>,
    /// When the last approval that it needed was given.
    pub approved_at: Option<String>,
    /// Who denied it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denied_by: Option<Arc<str>>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denied_at: Option<String>,
    /// Why, if whoever denied it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denied_because: Option<Arc<str>>,
    /// Until when it could have been approved, where it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expired_at: Option<String>,
}

impl ExceptionExplanation {
    /// Whether it was denied, or not approved in time: it stays as it is.
    #[must_use]
    pub fn is_turned_down(&self) -> bool {
        self.denied_by.is_some() || self.expired_at.is_some()
    }
}

/// What there is to tell of an override; None for other grants.
pub fn explain(member: &Member) -> Option<ExceptionExplanation> {
    let request = member.grant.request.as_deref()?;
    let approval = member.approval.as_deref()?;
    let (approved_at, denied, expired_at) = match &approval.outcome {
        ApprovalOutcome::Approved { at, .. } => (Some(*at), None, None),
        ApprovalOutcome::Denied { at, by } => (None, Some((*at, by)), None),
        ApprovalOutcome::Expired { at, .. } => (None, None, Some(*at)),
        ApprovalOutcome::Open | ApprovalOutcome::Unprotected(_) => (None, None, None),
    };
    let is_open = matches!(approval.outcome, ApprovalOutcome::Open);
    Some(ExceptionExplanation {
        requested_by: Arc::clone(&request.by),
        restored_by: request.restored_by.clone(),
        requested_at: format_instant(member.grant.created),
        reason: Arc::clone(&request.reason),
        ticket: request.ticket.clone(),
        approvals: approval.tally(),
        missing: if is_open { approval.missing() } else { 0 },
        approved_by: approval.approvers(),
        approved_at: approved_at.map(format_instant),
        denied_by: denied.map(|(_, by)| Arc::clone(by)),
        denied_at: denied.map(|(at, _)| format_instant(at)),
        denied_because: denied.and_then(|_| comment(approval)),
        expired_at: expired_at.map(format_instant),
    })
}

/// What whoever denied it says to that.
fn comment(approval: &Approval) -> Option<Arc<str>> {
    approval.denial.as_ref()?.comment.clone()
}
