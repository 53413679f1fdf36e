//! What was decided of a source of grants, as far as it is told of: in its status, in events, and in the log.

use crate::{
    core::{
        grant::Remembered,
        lifecycle::Verdict,
        source::{SourceId, SourceKind, stated::StatedSource},
    },
    evaluation::{decision::Decision, holding::Member},
};
use std::sync::Arc;

/// What was decided of a source.
#[derive(Clone, Copy, Debug)]
pub struct DecidedSource<'a> {
    /// What it states of its own lifecycle.
    pub stated: &'a StatedSource,
    /// The definition of an instance, the plan of a subscription.
    pub subject: &'a Arc<str>,
    /// Whether its status has a record of acceptance that belongs to its spec.
    pub was_accepted: bool,
    /// What its status remembers.
    pub remembered: &'a Remembered,
    /// What this moment gives.
    pub verdict: &'a Verdict,
    /// The source that renews it validly.
    pub renewed_by: Option<&'a str>,
    /// Reminders that are due.
    pub due: &'a [String],
}

impl<'a> DecidedSource<'a> {
    /// All that a decision is about.
    pub fn all(decision: &'a Decision) -> impl Iterator<Item = Self> {
        let instances = decision.grants().filter(|(_, member)| member.grant.id.source.kind == SourceKind::Instance);
        instances.map(|(_, member)| member.into())
    }

    /// Which source it is.
    pub fn id(&self) -> SourceId {
        self.stated.age.id()
    }

    /// Its kind.
    pub fn kind(&self) -> SourceKind {
        self.stated.age.kind
    }
}

impl<'a> From<&'a Member> for DecidedSource<'a> {
    fn from(member: &'a Member) -> Self {
        let grant = &member.grant;
        Self {
            stated: &grant.source,
            subject: &grant.id.definition,
            was_accepted: grant.accepted.is_some(),
            remembered: &grant.remembered,
            verdict: &member.verdict,
            renewed_by: member.renewed_by.as_deref(),
            due: &member.reminders.due,
        }
    }
}

/// What events and sentences for people call a source.
pub fn noun(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Subscription => "subscription",
        _ => "grant",
    }
}
