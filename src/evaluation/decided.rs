//! What was decided of a source of grants, of whichever kind: as far as it is told of in statuses, in events, and in the log.

use super::{decision::Decision, holding::Member, subscriptions::SubscriptionDecision};
use crate::{
    api::Phase,
    core::{
        approval::Approval,
        grant::Remembered,
        lifecycle::{Change, Verdict},
        source::{SourceId, SourceKind, stated::StatedSource, subscription::RememberedRight},
    },
};
use std::{collections::BTreeMap, sync::Arc};

/// What was decided of a source.
#[derive(Clone, Copy, Debug)]
pub struct DecidedSource<'a> {
    /// What it states of its own lifecycle.
    pub stated: &'a StatedSource,
    /// The definition of an instance or an override, the plan in force of a subscription.
    pub subject: &'a Arc<str>,
    /// Whether its status has a record of acceptance that belongs to its spec.
    pub was_accepted: bool,
    /// What its status remembers.
    pub remembered: &'a Remembered,
    /// What this moment gives.
    pub verdict: &'a Verdict,
    /// Its next change by time alone.
    pub change: Option<Change>,
    /// The source that renews it validly.
    pub renewed_by: Option<&'a str>,
    /// Reminders that are due.
    pub due: &'a [String],
    /// What it gave when something was last said of it, where it may give several definitions.
    pub rights: Option<&'a BTreeMap<Arc<str>, RememberedRight>>,
    /// How far it is, where others have to approve it.
    pub approval: Option<&'a Approval>,
    /// Something of it was in force when something was last said of it, and is over by now.
    pub is_ending: bool,
}

impl DecidedSource<'_> {
    /// Which source it is.
    #[must_use]
    pub fn id(&self) -> SourceId {
        self.stated.age.id()
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> SourceKind {
        self.stated.age.kind
    }
}

impl Decision {
    /// All sources that it is about, each once.
    pub fn sources(&self) -> impl Iterator<Item = DecidedSource<'_>> {
        let own = self.grants().filter(|(_, member)| member.right.is_none());
        let own = own.map(|(_, member)| DecidedSource::from(member));
        own.chain(self.subscriptions.iter().map(|decision| DecidedSource::from(decision.as_ref())))
    }
}

impl<'a> From<&'a Member> for DecidedSource<'a> {
    /// Of the grant of an instance or an override.
    fn from(member: &'a Member) -> Self {
        let grant = &member.grant;
        Self {
            stated: &grant.source,
            subject: &grant.id.definition,
            was_accepted: grant.accepted.is_some(),
            remembered: &grant.remembered,
            verdict: &member.verdict,
            change: member.change,
            renewed_by: member.renewed_by.as_deref(),
            due: &member.reminders.due,
            rights: None,
            approval: member.approval.as_deref(),
            is_ending: was_in_force(&grant.remembered) && member.verdict.phase == Phase::Expired,
        }
    }
}

impl<'a> From<&'a SubscriptionDecision> for DecidedSource<'a> {
    fn from(decision: &'a SubscriptionDecision) -> Self {
        let subscription = &decision.subscription;
        Self {
            stated: &subscription.source,
            subject: &decision.plan,
            was_accepted: subscription.accepted.is_some(),
            remembered: &subscription.remembered,
            verdict: &decision.verdict,
            change: decision.change,
            renewed_by: decision.renewed_by.as_deref(),
            due: &decision.reminders.due,
            rights: Some(&subscription.rights),
            approval: None,
            is_ending: was_in_force(&subscription.remembered)
                && (decision.verdict.phase == Phase::Expired || takes_away(decision)),
        }
    }
}

fn was_in_force(remembered: &Remembered) -> bool {
    remembered.phase.is_some_and(Phase::is_in_force)
}

/// Whether a subscription gives something no more that it gave when something was last said of it.
fn takes_away(decision: &SubscriptionDecision) -> bool {
    let given = decision.told_rights();
    let is_given = |definition: &Arc<str>| given.get(definition).is_some_and(|right| right.entitled);
    let before = decision.subscription.rights.iter().filter(|(_, right)| right.entitled);
    before.map(|(definition, _)| definition).any(|definition| !is_given(definition))
}
