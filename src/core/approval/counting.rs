//! Which decisions on an override count, and what they come to.

use super::{ExceptionRequest, Protection, Settlement, StatedDecision};
use crate::{
    api::override_decision::Ruling,
    core::calendar::{Bound, Instant},
};
use chrono::TimeDelta;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// How long after a decision it is settled what it comes to, so that none of the same second can come before it.
const SETTLES_AFTER: TimeDelta = TimeDelta::seconds(2);

/// All that is known of approvals of an organization's overrides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Approvals {
    /// Whether it can be believed.
    pub protection: Protection,
    /// The decisions, by the UID of the override that they are about.
    pub decisions: BTreeMap<Arc<str>, Arc<[StatedDecision]>>,
    /// The overrides, by their UID, of which whoever knows the policies says that nothing can be believed of them, and why.
    pub unprotected: BTreeMap<Arc<str>, Arc<str>>,
}

/// An override whose decisions are counted.
#[derive(Clone, Copy, Debug)]
pub struct CountedRequest<'a> {
    /// Who asked for it.
    pub request: &'a ExceptionRequest,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its UID.
    pub uid: &'a str,
    /// Its definition.
    pub definition: &'a str,
    /// Its `creationTimestamp`.
    pub created: Instant,
    /// How many approvals it needs.
    pub needed: u32,
    /// Until when it can be approved.
    pub deadline: Bound,
}

/// How far an override is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// What it comes to.
    pub outcome: ApprovalOutcome,
    /// How many approvals it needs.
    pub needed: u32,
    /// The approvals that count, in their order, as far as they are needed.
    pub approvals: Vec<StatedDecision>,
    /// The denial, where there is one that counts.
    pub denial: Option<StatedDecision>,
    /// When more is known without anybody deciding anything.
    pub next: Option<Instant>,
}

/// What the decisions on an override come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApprovalOutcome {
    /// It may be given.
    Approved {
        /// Since when.
        at: Instant,
        /// Who approved, in the order of their decisions.
        by: Vec<Arc<str>>,
    },
    /// It may not.
    Denied {
        /// Since when.
        at: Instant,
        /// By whom.
        by: Arc<str>,
    },
    /// It was not approved in time.
    Expired {
        /// Until when it could have been.
        at: Instant,
        /// Whether no approval can come to light any more that was given in time.
        is_certain: bool,
    },
    /// It is not decided yet.
    Open,
    /// It cannot be told who decided what. Why.
    Unprotected(String),
}

impl Approval {
    /// The same of an override that was decided for good before: nothing that is decided later changes that.
    #[must_use]
    pub fn settled_as(self, settlement: &Settlement) -> Self {
        let outcome = ApprovalOutcome::of(settlement);
        let needed = match &outcome {
            ApprovalOutcome::Approved { by, .. } => u32::try_from(by.len()).unwrap_or(u32::MAX),
            _ => self.needed,
        };
        Self { outcome, needed, next: None, ..self }
    }

    /// Who approved it, as the beginning of a sentence. None where it is not approved.
    #[must_use]
    pub fn approved_by(&self) -> Option<String> {
        let ApprovalOutcome::Approved { by, .. } = &self.outcome else { return None };
        Some(match by.as_slice() {
            [] => "it needs no approval".to_owned(),
            [one] => format!("{one} approved it"),
            [others @ .., last] => format!("{} and {last} approved it", others.join(", ")),
        })
    }

    /// How many approvals count.
    #[must_use]
    pub fn given(&self) -> usize {
        match &self.outcome {
            ApprovalOutcome::Approved { by, .. } => by.len(),
            _ => self.approvals.len(),
        }
    }

    /// How many of how many, such as `1/2`.
    #[must_use]
    pub fn tally(&self) -> String {
        format!("{}/{}", self.given(), self.needed)
    }

    /// How many approvals it still lacks.
    #[must_use]
    pub fn missing(&self) -> u32 {
        self.needed.saturating_sub(u32::try_from(self.given()).unwrap_or(u32::MAX))
    }

    /// Who has approved so far, in the order of their decisions.
    #[must_use]
    pub fn approvers(&self) -> Vec<Arc<str>> {
        match &self.outcome {
            ApprovalOutcome::Approved { by, .. } => by.clone(),
            _ => self.approvals.iter().map(|one| Arc::clone(&one.by)).collect(),
        }
    }
}

impl ApprovalOutcome {
    fn of(settlement: &Settlement) -> Self {
        match settlement {
            Settlement::Accepted { at, by, .. } => Self::Approved { at: *at, by: by.clone() },
            Settlement::Denied { at, by } => Self::Denied { at: *at, by: Arc::clone(by) },
            Settlement::Expired { at } => Self::Expired { at: *at, is_certain: true },
        }
    }
}

impl Approvals {
    /// What there is of an override's decisions.
    fn of(&self, uid: &str) -> &[StatedDecision] {
        self.decisions.get(uid).map_or(&[], AsRef::as_ref)
    }

    /// How far an override is that was not decided before.
    #[must_use]
    pub fn count(&self, counting: &CountedRequest, now: Instant) -> Approval {
        if let Some(why) = self.unprotected(counting) {
            return counting.approval(ApprovalOutcome::Unprotected(why), Vec::new(), None, None);
        }
        if counting.needed == 0 {
            let outcome = ApprovalOutcome::Approved { at: counting.created, by: Vec::new() };
            return counting.approval(outcome, Vec::new(), None, None);
        }
        let approval = self.decided(counting, now);
        let coming = self.of(counting.uid).iter().map(|decision| decision.created).filter(|at| *at > now);
        Approval { next: approval.next.into_iter().chain(coming).min(), ..approval }
    }

    fn decided(&self, counting: &CountedRequest, now: Instant) -> Approval {
        let mut approvals: Vec<StatedDecision> = Vec::new();
        for decision in self.counting(counting).filter(|decision| decision.created <= now) {
            if counting.deadline.has_come(decision.created) {
                break;
            }
            if decision.ruling == Ruling::Deny {
                let outcome = ApprovalOutcome::Denied { at: decision.created, by: Arc::clone(&decision.by) };
                return counting.settled(outcome, approvals, Some(decision), now);
            }
            approvals.push(decision.clone());
            if approvals.len() == counting.needed as usize {
                let by = approvals.iter().map(|one| Arc::clone(&one.by)).collect();
                return counting.settled(ApprovalOutcome::Approved { at: decision.created, by }, approvals, None, now);
            }
        }
        let (outcome, next) = counting.undecided(now);
        counting.approval(outcome, approvals, None, next)
    }

    /// The decisions that count, in the order in which they do.
    fn counting<'a>(&'a self, counting: &'a CountedRequest) -> impl Iterator<Item = &'a StatedDecision> {
        let mut decisions: Vec<&StatedDecision> = self
            .of(counting.uid)
            .iter()
            .filter(|decision| counting.is_about(decision) && self.protection.covers(decision.created))
            .filter(|decision| counting.request.objection_to(&decision.by).is_none())
            .collect();
        decisions.sort_by_key(|decision| (decision.created, decision.ruling, &decision.by, &decision.name));
        let mut people = BTreeSet::new();
        decisions.into_iter().filter(move |decision| people.insert(&decision.by))
    }

    /// Why nothing that is said of an override can be believed.
    fn unprotected(&self, counting: &CountedRequest) -> Option<String> {
        if let Some(why) = self.unprotected.get(counting.uid) {
            return Some(why.to_string());
        }
        match &self.protection {
            Protection::Lacking(why) => Some(why.clone()),
            Protection::Since(_) if self.protection.covers(counting.created) => None,
            Protection::Since(_) => Some(
                "it was made before the policies that check who asks and who approves had been there for a minute: make it anew"
                    .to_owned(),
            ),
        }
    }
}

impl CountedRequest<'_> {
    fn is_about(&self, decision: &StatedDecision) -> bool {
        (&*decision.namespace, &*decision.definition) == (self.namespace, self.definition)
    }

    fn approval(
        &self,
        outcome: ApprovalOutcome,
        approvals: Vec<StatedDecision>,
        denial: Option<&StatedDecision>,
        next: Option<Instant>,
    ) -> Approval {
        Approval { outcome, needed: self.needed, approvals, denial: denial.cloned(), next }
    }

    /// What the deciding one of the decisions comes to, once none can come before it any more.
    fn settled(
        &self,
        outcome: ApprovalOutcome,
        approvals: Vec<StatedDecision>,
        denial: Option<&StatedDecision>,
        now: Instant,
    ) -> Approval {
        let decided = denial.or(approvals.last()).map(|decision| decision.created);
        let pending = decided.and_then(settles).filter(|at| *at > now);
        match pending {
            Some(at) => self.approval(ApprovalOutcome::Open, approvals, denial, Some(at)),
            None => self.approval(outcome, approvals, denial, None),
        }
    }

    fn undecided(&self, now: Instant) -> (ApprovalOutcome, Option<Instant>) {
        let Bound::At(deadline) = self.deadline else { return (ApprovalOutcome::Open, None) };
        if now < deadline {
            return (ApprovalOutcome::Open, Some(deadline));
        }
        let certain = settles(deadline).filter(|at| *at > now);
        (ApprovalOutcome::Expired { at: deadline, is_certain: certain.is_none() }, certain)
    }
}

fn settles(decided: Instant) -> Option<Instant> {
    decided.checked_add_signed(SETTLES_AFTER)
}

#[cfg(test)]
mod tests;
