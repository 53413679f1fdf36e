//! The overrides that there are, and how many of each definition.

use super::{Inventory, When, zone_of};
use crate::{
    api::{Phase, entitlement_definition::Aggregation},
    core::{
        amount::Amount,
        approval::{Approval, ApprovalOutcome, ExceptionRequest},
        calendar::{Instant, Tz},
        source::SourceId,
    },
    evaluation::{
        decision::decide,
        holding::{Holding, Member},
    },
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// An override, as it stands at a moment.
#[derive(Clone, Debug)]
pub struct StandingException {
    /// Which one.
    pub id: SourceId,
    /// Its organization.
    pub organization: Arc<str>,
    /// The time zone in which that reckons.
    pub zone: Tz,
    /// Its definition.
    pub definition: Arc<str>,
    /// What is counted.
    pub unit: Option<String>,
    /// How much it adds; absent for a Feature.
    pub amount: Option<Amount>,
    /// When it was asked for.
    pub created: Instant,
    /// Who asks, and why.
    pub request: Arc<ExceptionRequest>,
    /// Its phase.
    pub phase: Phase,
    /// How far it is with its approvals.
    pub approval: Arc<Approval>,
    /// Whether it was approved, and not refused for another reason.
    pub is_accepted: bool,
}

/// How many overrides there are of a definition.
#[derive(Clone, Debug, PartialEq)]
pub struct ExceptionTally {
    /// The definition.
    pub definition: Arc<str>,
    /// How many were asked for in that time.
    pub asked: usize,
    /// How many were approved in that time.
    pub approved: usize,
    /// How many were denied in that time.
    pub denied: usize,
    /// How many were not approved in time, where that time ran out then.
    pub expired: usize,
    /// How many wait for approval now.
    pub waiting: usize,
    /// How many are in force now.
    pub in_force: usize,
    /// How many organizations all of these are of.
    pub clients: usize,
    /// What those in force add in all; absent for a Feature.
    pub amount: Option<Amount>,
    /// What is counted.
    pub unit: Option<String>,
}

impl Inventory {
    /// All overrides that were made by a moment, the oldest first.
    #[must_use]
    pub fn exceptions(&self, when: When) -> Vec<StandingException> {
        let catalogue = self.catalogue();
        let mut all = Vec::new();
        for snapshot in self.snapshots(&catalogue) {
            if snapshot.grants.iter().all(|grant| grant.request.is_none()) {
                continue;
            }
            let zone = zone_of(snapshot.organization.as_deref());
            let now = when.first(zone);
            let decision = decide(&snapshot, now);
            let members = decision.grants().filter(|(_, member)| member.grant.created <= now);
            all.extend(members.filter_map(|(holding, member)| exception(holding, member, &snapshot.name, zone)));
        }
        all.sort_by(|one, other| (one.created, &one.id).cmp(&(other.created, &other.id)));
        all
    }
}

fn exception(holding: &Holding, member: &Member, organization: &Arc<str>, zone: Tz) -> Option<StandingException> {
    let grant = &member.grant;
    Some(StandingException {
        id: grant.id.source.clone(),
        organization: Arc::clone(organization),
        zone,
        definition: Arc::clone(&grant.id.definition),
        unit: holding.definition().and_then(|definition| definition.unit.clone()),
        amount: member.amount,
        created: grant.created,
        request: grant.request.clone()?,
        phase: member.verdict.phase,
        approval: member.approval.clone()?,
        is_accepted: member.verdict.acceptance.is_some(),
    })
}

/// How many of each definition, those of which most were asked for first: what was asked for and decided from `since` to `now`, and
/// what is in force or waits now.
#[must_use]
pub fn tally(all: &[StandingException], since: When, now: When) -> Vec<ExceptionTally> {
    let mut by_definition: BTreeMap<&Arc<str>, Vec<&StandingException>> = BTreeMap::new();
    for one in all.iter().filter(|one| one.is_told(since, now)) {
        by_definition.entry(&one.definition).or_default().push(one);
    }
    let mut tallies: Vec<ExceptionTally> =
        by_definition.into_iter().map(|(definition, told)| of_definition(definition, &told, since, now)).collect();
    tallies.sort_by_key(|one| (Reverse((one.asked, one.in_force)), Arc::clone(&one.definition)));
    tallies
}

fn of_definition(definition: &Arc<str>, told: &[&StandingException], since: When, now: When) -> ExceptionTally {
    let count = |is: &dyn Fn(&StandingException) -> bool| told.iter().filter(|one| is(one)).count();
    let in_force = told.iter().filter(|one| one.phase.is_in_force());
    let amounts = in_force.filter_map(|one| one.amount);
    let has_amount = told.iter().any(|one| one.amount.is_some());
    let sum = amounts.reduce(|one, other| one.together(other, Aggregation::Sum));
    let clients: BTreeSet<&Arc<str>> = told.iter().map(|one| &one.organization).collect();
    ExceptionTally {
        definition: Arc::clone(definition),
        asked: count(&|one| one.is_within(one.created, since, now)),
        approved: count(&|one| one.approved().is_some_and(|at| one.is_within(at, since, now))),
        denied: count(&|one| one.denied().is_some_and(|at| one.is_within(at, since, now))),
        expired: count(&|one| one.expired().is_some_and(|at| one.is_within(at, since, now))),
        waiting: count(&|one| one.phase == Phase::Requested),
        in_force: count(&|one| one.phase.is_in_force()),
        clients: clients.len(),
        amount: sum.or(has_amount.then_some(Amount::ZERO)),
        unit: told.iter().find_map(|one| one.unit.clone()),
    }
}

impl StandingException {
    fn is_told(&self, since: When, now: When) -> bool {
        let moments = [Some(self.created), self.approved(), self.denied(), self.expired()];
        self.phase.is_in_force()
            || self.phase == Phase::Requested
            || moments.into_iter().flatten().any(|at| self.is_within(at, since, now))
    }

    fn is_within(&self, at: Instant, since: When, now: When) -> bool {
        since.first(self.zone) <= at && at <= now.first(self.zone)
    }

    fn approved(&self) -> Option<Instant> {
        match self.approval.outcome {
            ApprovalOutcome::Approved { at, .. } if self.is_accepted => Some(at),
            _ => None,
        }
    }

    fn denied(&self) -> Option<Instant> {
        match self.approval.outcome {
            ApprovalOutcome::Denied { at, .. } => Some(at),
            _ => None,
        }
    }

    fn expired(&self) -> Option<Instant> {
        match self.approval.outcome {
            ApprovalOutcome::Expired { at, .. } => Some(at),
            _ => None,
        }
    }
}
