//! What still holds of an earlier decision: what the same inputs gave, they give again.
//!
//! Whatever is taken over is compared by its inputs, and never by what changed: shared objects by their address, which no two
//! have at a time, and the rest by value.

use super::{
    SecretName, Snapshot,
    catalogue::CompiledDefinition,
    course::Later,
    decision::Decision,
    facets::{GrantFacets, Validity, effective},
    holding::{Holding, Member},
};
use crate::{
    api::{Organization, lifecycle::AmendmentState},
    core::{
        amount::Amount,
        calendar::{Instant, Tz},
        facets::{self, Statement},
        grant::{Grant, GrantId},
        lifecycle::{PreparedAmendment, Verdict},
        namespace::NamespaceFacts,
    },
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// An earlier decision of the same organization, as the next one looks at it.
#[derive(Debug)]
pub struct Before<'a> {
    decision: &'a Decision,
    /// Whether all is the same by which grants of any definition are decided, but for the grants themselves.
    is_same_frame: bool,
    members: HashMap<&'a GrantId, (&'a Holding, &'a Member)>,
}

impl<'a> Before<'a> {
    /// What an earlier decision is for one on that snapshot.
    #[must_use]
    pub fn of(decision: &'a Decision, snapshot: &Snapshot) -> Self {
        let members = decision.grants().map(|(holding, member)| (&member.grant.id, (holding, member)));
        Self { decision, is_same_frame: is_same_frame(decision, snapshot), members: members.collect() }
    }

    /// What is held of a definition, if it is what a decision on these grants (by index in the snapshot) would come to now.
    #[must_use]
    pub fn holding(
        &self,
        snapshot: &Snapshot,
        definition: &Arc<str>,
        indices: &[usize],
        now: Instant,
    ) -> Option<Arc<Holding>> {
        let holding = self.decision.holding(definition).filter(|_| self.is_same_frame)?;
        let is_of_now = self.decision.at <= now
            && holding.next.is_none_or(|next| next > now)
            && !holding.members.iter().any(|member| takes_effect(member, self.decision.at, now));
        let is_same_entry = is_same_object(holding.entry.as_ref(), snapshot.catalogue.get(definition));
        if !is_of_now || !is_same_entry || holding.members.len() != indices.len() {
            return None;
        }
        let mut grants = indices.iter().map(|index| snapshot.grants.get(*index)).zip(&holding.members);
        let is_same = grants.all(|(grant, member)| {
            grant.is_some_and(|grant| Arc::ptr_eq(grant, &member.grant) && self.has_same_sources(snapshot, grant))
        });
        is_same.then(|| Arc::clone(holding))
    }

    /// The facets of a grant with the amendments (by index) that are in force, if nothing by which they are checked is another.
    #[must_use]
    pub fn facets(
        &self,
        snapshot: &Snapshot,
        compiled: Option<&Arc<CompiledDefinition>>,
        grant: &Grant,
        counting: &[usize],
    ) -> Option<Arc<GrantFacets>> {
        let (holding, member) = self.members.get(&grant.id)?;
        let checked_by = holding.entry.as_ref().and_then(|entry| entry.serving.as_ref())?;
        let is_same = Arc::ptr_eq(checked_by, compiled?)
            && states_the_same(&member.grant, grant)
            && falls_back_on_the_same(member, grant)
            && effective(&member.grant, &member.verdict) == counting
            && self.has_same_sources(snapshot, grant);
        is_same.then(|| Arc::clone(&member.facets))
    }

    /// The facets of a grant of a subscription, if it states the same, and nothing by which that is checked is another.
    #[must_use]
    pub fn stated_facets(
        &self,
        snapshot: &Snapshot,
        compiled: Option<&Arc<CompiledDefinition>>,
        grant: &Grant,
        stated: &Statement,
    ) -> Option<Arc<GrantFacets>> {
        let (holding, member) = self.members.get(&grant.id)?;
        let checked_by = holding.entry.as_ref().and_then(|entry| entry.serving.as_ref())?;
        let is_same = Arc::ptr_eq(checked_by, compiled?)
            && matches!(member.facets.validity, Validity::Valid(_))
            && member.facets.statement.as_ref() == Some(stated)
            && member.grant.secret_facets == grant.secret_facets
            && self.has_same_sources(snapshot, grant);
        is_same.then(|| Arc::clone(&member.facets))
    }

    /// A grant's amendments, read in a time zone, if nothing by which they are checked is another.
    #[must_use]
    pub fn amendments(
        &self,
        compiled: Option<&Arc<CompiledDefinition>>,
        grant: &Grant,
        zone: Tz,
    ) -> Option<Arc<[PreparedAmendment]>> {
        let (holding, member) = self.members.get(&grant.id)?;
        let is_same_definition = is_same_object(holding.compiled(), compiled);
        let zone_then = member.verdict.term.map(|term| term.start.zone())?;
        let is_same = is_same_definition && zone_then == zone && states_the_same(&member.grant, grant);
        is_same.then(|| Arc::clone(&member.amendments))
    }

    /// What the pending amendments of a grant make of it, if they count as before and it is the same now.
    #[must_use]
    pub fn later(
        &self,
        grant: &Grant,
        verdict: &Verdict,
        amendments: &Arc<[PreparedAmendment]>,
        amount: Option<Amount>,
        facets: &Arc<GrantFacets>,
    ) -> Option<Arc<[Later]>> {
        let (_, member) = self.members.get(&grant.id)?;
        let is_same = Arc::ptr_eq(&member.amendments, amendments)
            && Arc::ptr_eq(&member.facets, facets)
            && member.amount == amount
            && member.verdict.amendments == verdict.amendments
            && (!has_pending_facets(member) || member.grant.remembered.facets == grant.remembered.facets);
        is_same.then(|| Arc::clone(&member.later))
    }

    fn has_same_sources(&self, snapshot: &Snapshot, grant: &Grant) -> bool {
        let inputs = &self.decision.inputs;
        let is_same_data =
            |source: &SecretName| is_same_object(inputs.secrets.get(source), snapshot.secrets.get(source));
        let is_as_seen = |source: &SecretName| inputs.unseen.contains(source) == snapshot.unseen.contains(source);
        facets::sources(grant).all(|source| is_same_data(&source) && is_as_seen(&source))
    }
}

impl Decision {
    /// Whether nothing has begun or ended by a later moment. What is used, and what is to be remembered, may be another by then.
    #[must_use]
    pub fn lasts_until(&self, now: Instant) -> bool {
        let takes_effect = |member: &Member| takes_effect(member, self.at, now);
        // What is used may have been reckoned anew since.
        let mut nexts = self.meters.values().filter_map(|meter| meter.next).chain(self.next);
        self.at <= now
            && nexts.all(|next| next > now)
            && !self.holdings.iter().any(|holding| holding.members.iter().any(takes_effect))
    }
}

impl Snapshot {
    /// Whether another one says the same, but for what is used.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        // Whoever adds a field decides here whether it is compared.
        let Self {
            name,
            organization,
            grants,
            subscriptions,
            knows_revisions,
            barred,
            catalogue,
            plans,
            offers,
            authority,
            secrets,
            unseen,
            limits,
            approvals,
            meters: _,
            namespaces,
        } = self;
        let are_same_offers = Arc::ptr_eq(offers, &other.offers) || (offers.is_empty() && other.offers.is_empty());
        is_same_object(organization.as_ref(), other.organization.as_ref())
            && are_same(grants, &other.grants)
            && are_same(subscriptions, &other.subscriptions)
            && are_same_by_name(catalogue, &other.catalogue)
            && are_same_by_name(plans, &other.plans)
            && are_same_by_name(secrets, &other.secrets)
            && are_same_offers
            && (name, knows_revisions, barred) == (&other.name, &other.knows_revisions, &other.barred)
            && (authority, limits, unseen) == (&other.authority, &other.limits, &other.unseen)
            && (approvals, namespaces) == (&other.approvals, &other.namespaces)
    }
}

/// Whether it is one and the same shared object, or none.
fn is_same_object<T>(one: Option<&Arc<T>>, other: Option<&Arc<T>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    }
}

fn are_same<T>(one: &[Arc<T>], other: &[Arc<T>]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| Arc::ptr_eq(one, other))
}

fn are_same_by_name<K: PartialEq, T>(one: &BTreeMap<K, Arc<T>>, other: &BTreeMap<K, Arc<T>>) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|(one, other)| one.0 == other.0 && Arc::ptr_eq(one.1, other.1))
}

fn is_same_frame(decision: &Decision, snapshot: &Snapshot) -> bool {
    let is_same_organization = match (&decision.standing.organization, &snapshot.organization) {
        (Some(one), Some(other)) => is_as_specified(one, other),
        (None, None) => true,
        _ => false,
    };
    let uids = decision.grants().filter(|(_, member)| member.right.is_none()).map(|(_, member)| &member.grant.age.uid);
    is_same_organization
        && decision.inputs.approvals == snapshot.approvals
        && are_same_namespaces(&decision.inputs.namespaces, &snapshot.namespaces)
        && uids.eq(snapshot.grants.iter().map(|grant| &grant.age.uid))
}

/// Which grant a namespace holds matters only where an organization lists it.
fn are_same_namespaces(one: &[(Arc<str>, NamespaceFacts)], other: &BTreeMap<Arc<str>, NamespaceFacts>) -> bool {
    let is_same = |one: &NamespaceFacts, other: &NamespaceFacts| match (&one.claimed_by, &other.claimed_by) {
        (None, None) => (one.present, one.is_operators) == (other.present, other.is_operators),
        _ => one == other,
    };
    one.len() == other.len()
        && one.iter().zip(other).all(|((name, facts), (of, known))| name == of && is_same(facts, known))
}

/// Whatever its status says.
pub(super) fn is_as_specified(one: &Organization, other: &Organization) -> bool {
    let (old, new) = (&one.metadata, &other.metadata);
    one.spec == other.spec
        && (&old.uid, old.generation, &old.creation_timestamp) == (&new.uid, new.generation, &new.creation_timestamp)
}

/// Whether an amendment takes effect in between: of a grant that is not in force, nobody waits for that.
fn takes_effect(member: &Member, since: Instant, now: Instant) -> bool {
    member.amendments.iter().filter_map(|amendment| amendment.effective).any(|at| since < at && at <= now)
}

fn has_pending_facets(member: &Member) -> bool {
    let pending = member.verdict.amendments.iter().filter(|outcome| outcome.state == AmendmentState::Pending);
    pending.filter_map(|outcome| member.grant.amendments.get(outcome.index)).any(|amendment| amendment.facets.is_some())
}

/// What was remembered matters only where what is stated cannot be used.
fn falls_back_on_the_same(member: &Member, grant: &Grant) -> bool {
    matches!(member.facets.validity, Validity::Valid(_)) || member.grant.remembered.facets == grant.remembered.facets
}

/// Whether two states of a grant state the same facets and amendments.
fn states_the_same(one: &Grant, other: &Grant) -> bool {
    if Arc::ptr_eq(&one.stated, &other.stated) {
        return true;
    }
    (&one.facets, &one.secret_facets, &one.amendments) == (&other.facets, &other.secret_facets, &other.amendments)
}
