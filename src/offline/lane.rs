//! The grants of one definition on their way through time.
//!
//! The grants of an organization bear on each other only within one definition, or by a subscription that gives several; only the
//! summary and the names of objects are shared. So each definition is evaluated by itself, and those that subscriptions give
//! together, and again only when something about it changes.

use super::{
    OperatorsCount,
    simulation::change,
    step::{GrantChange, HoldingState, UseState},
    subscription_change::{SubscriptionChange, due},
};
use crate::{
    core::{
        age::GrantAge,
        calendar::Instant,
        facets,
        grant::{Grant, GrantId},
        namespace::concerned,
    },
    evaluation::{
        Evaluation, Snapshot,
        decision::Decision,
        delivery::Desired,
        evaluate,
        holding::Member,
        object::{DesiredObject, ObjectKey},
        subscriptions::definitions,
        usage::MeterFacts,
    },
    render::{flags::Offers, summary::EntitlementSummary},
};
use chrono::TimeDelta;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What an evaluation costs beside that of its grants, in evaluations of a grant.
pub(super) const EVALUATION: usize = 20;

/// The grants of one definition on their way; or the organization without any.
pub struct Lane {
    snapshot: Snapshot,
    evaluation: Evaluation,
    /// How it stood right before that, where an allotment is new with it.
    eve: Option<Evaluation>,
    ages: BTreeMap<GrantId, GrantAge>,
}

impl Lane {
    /// At its first moment.
    #[must_use]
    pub fn start(snapshot: Snapshot, now: Instant) -> Self {
        let evaluation = evaluate(&snapshot, now);
        let mut lane = Self { snapshot, evaluation, eve: None, ages: BTreeMap::new() };
        lane.note_ages();
        lane
    }

    /// A subscription may come to give what it did not give before.
    fn note_ages(&mut self) {
        for (_, member) in self.evaluation.decision.grants() {
            self.ages.entry(member.grant.id.clone()).or_insert_with(|| member.grant.grant_age());
        }
    }

    /// Goes on to a later moment, and returns the evaluation before. What the next one reads of the statuses was written
    /// into them by then.
    #[must_use]
    pub fn go_on(&mut self, now: Instant) -> Evaluation {
        self.eve = self.eve_of_reset(now);
        let evaluation = evaluate(&self.snapshot, now);
        let before = std::mem::replace(&mut self.evaluation, evaluation);
        self.note_ages();
        before
    }

    /// How it stands right before an allotment is new: what is used since the last evaluation counts, too.
    fn eve_of_reset(&self, now: Instant) -> Option<Evaluation> {
        let eve = now.checked_sub_signed(TimeDelta::seconds(1)).filter(|eve| *eve > self.evaluation.decision.at)?;
        self.next_reset().is_some_and(|at| at <= now).then(|| evaluate(&self.snapshot, eve))
    }

    /// What an evaluation costs, in evaluations of a grant.
    #[must_use]
    pub fn cost(&self) -> usize {
        let held = self.evaluation.decision.holdings.iter().map(|holding| holding.members.len());
        held.sum::<usize>() + EVALUATION
    }

    /// The next moment at which anything of what is held changes.
    #[must_use]
    pub fn next_right(&self) -> Option<Instant> {
        self.evaluation.decision.next_right
    }

    /// The same, with the moments at which allotments are new of which something is used.
    #[must_use]
    pub fn next_with_resets(&self) -> Option<Instant> {
        self.next_right().into_iter().chain(self.next_reset()).min()
    }

    /// The same, with the moments of uses that lie ahead.
    #[must_use]
    pub fn next_with_uses(&self) -> Option<Instant> {
        let Decision { meters, at, .. } = &*self.evaluation.decision;
        let dated = meters.values().filter_map(|meter| meter.facts.as_ref()?.ledger.first_after(*at));
        self.next_with_resets().into_iter().chain(dated).min()
    }

    fn next_reset(&self) -> Option<Instant> {
        let Decision { meters, at, .. } = &*self.evaluation.decision;
        let said = |definition| self.said_reset(definition, *at);
        let resets = meters
            .iter()
            .filter_map(|(name, meter)| meter.next_reset_foreseen(*at).into_iter().chain(said(name)).min());
        resets.min()
    }

    /// When the operator has said that an allotment is new of which it counts more than is reported.
    fn said_reset(&self, definition: &str, at: Instant) -> Option<Instant> {
        OperatorsCount::of(self.snapshot.organization.as_deref(), definition, at)?.resets_at
    }

    /// The definitions of which something is dated since an earlier evaluation that lay ahead then, with how much is used now.
    pub fn uses_since<'a>(&'a self, before: &'a Evaluation) -> impl Iterator<Item = (Arc<str>, UseState)> + 'a {
        let (from, now) = (before.decision.at, self.evaluation.decision.at);
        self.evaluation.decision.meters.iter().filter_map(move |(definition, meter)| {
            meter.facts.as_ref()?.ledger.first_after(from).filter(|at| *at <= now)?;
            let is_reported = OperatorsCount::is_kept(self.snapshot.organization.as_deref());
            Some((Arc::clone(definition), UseState::of(meter.balance.as_ref()?, is_reported)))
        })
    }

    /// The definitions whose allotments are new since an earlier evaluation.
    pub fn resets_since<'a>(
        &'a self,
        before: &'a Evaluation,
    ) -> impl Iterator<Item = (Arc<str>, (UseState, UseState))> + 'a {
        let now = self.evaluation.decision.at;
        let before = self.eve.as_ref().unwrap_or(before);
        before.decision.meters.iter().filter_map(move |(definition, meter)| {
            let said = self.said_reset(definition, before.decision.at);
            meter.next_reset().into_iter().chain(said).find(|at| *at <= now)?;
            let after = self.evaluation.decision.meters.get(definition)?.balance.as_ref()?;
            let is_reported = OperatorsCount::is_kept(self.snapshot.organization.as_deref());
            let state = |balance| UseState::of(balance, is_reported);
            Some((Arc::clone(definition), (state(meter.balance.as_ref()?), state(after))))
        })
    }

    /// Its grants, decided.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.evaluation.decision.grants().map(|(_, member)| member)
    }

    /// What is decided of them.
    #[must_use]
    pub fn decision(&self) -> &Decision {
        &self.evaluation.decision
    }

    /// What has happened to its grants since an earlier evaluation. One that a subscription did not give then is none of these.
    pub fn changes_since<'a>(&'a self, before: &'a Evaluation) -> impl Iterator<Item = GrantChange> + 'a {
        let known: BTreeMap<&GrantId, &Member> =
            before.decision.grants().map(|(_, member)| (&member.grant.id, member)).collect();
        self.members().filter_map(move |after| change(known.get(&after.grant.id)?, after))
    }

    /// The notices of its subscriptions that are due.
    pub fn due_subscriptions(&self) -> impl Iterator<Item = SubscriptionChange> {
        due(&self.evaluation.decision)
    }

    /// What the summary says of it; absent where that cannot be told.
    #[must_use]
    pub fn summary(&self) -> Option<&EntitlementSummary> {
        self.evaluation.desired.summary.as_deref()
    }

    /// What it holds, by definition.
    pub fn held(&self) -> impl Iterator<Item = (Arc<str>, HoldingState)> {
        let entries = self.summary().into_iter().flat_map(|summary| &summary.entitlements);
        entries.map(|(definition, entry)| (definition.as_str().into(), HoldingState::of(entry)))
    }

    /// The same, with what is in force by a definition that was lost.
    #[must_use]
    pub fn held_or_untold(&self) -> BTreeMap<Arc<str>, HoldingState> {
        if self.summary().is_some() {
            return self.held().collect();
        }
        let in_force = self.members().filter(|member| member.verdict.phase.is_in_force());
        in_force.map(|member| (Arc::clone(&member.grant.id.definition), HoldingState::untold())).collect()
    }

    /// The objects that its grants ask for, with the age of the grant that does so.
    pub fn claims(&self) -> impl Iterator<Item = (&ObjectKey, &GrantAge)> {
        let objects = self.evaluation.desired.objects.iter();
        objects.filter_map(|(key, desired)| Some((key, self.ages.get(desired.grant.as_ref()?)?)))
    }

    /// The summary in each namespace.
    pub fn summaries(&self) -> impl Iterator<Item = (&ObjectKey, &DesiredObject)> {
        self.evaluation.desired.objects.iter().filter(|(_, desired)| desired.grant.is_none())
    }

    /// What an object should be that it asks for.
    #[must_use]
    pub fn desired(&self, key: &ObjectKey) -> Option<&DesiredObject> {
        self.evaluation.desired.objects.get(key)
    }

    /// Whether what is present for a grant stays, whatever it is.
    #[must_use]
    pub fn keeps(&self, grant: &GrantId) -> bool {
        self.evaluation.desired.kept.contains(grant)
    }

    /// The definitions of which its grants have their objects together, and those of them whose present objects stay as they are.
    #[must_use]
    pub fn shared(&self) -> [&BTreeSet<Arc<str>>; 2] {
        let Desired { shared, kept_shared, .. } = &self.evaluation.desired;
        [shared, kept_shared]
    }

    /// Writes into the statuses what the next evaluation reads of them.
    pub fn remember(&mut self) {
        for (grant, (_, member)) in self.snapshot.grants.iter_mut().zip(self.evaluation.decision.grants()) {
            let remembering = member.remembering();
            if remembering.accepted != grant.accepted || remembering.remembered != grant.remembered {
                *grant = Arc::new(remembering);
            }
        }
        for (definition, facts) in &mut self.snapshot.meters {
            if let Some(meter) = self.evaluation.decision.meters.get(definition) {
                let memory = Arc::new(meter.memory.clone());
                *facts = Arc::new(MeterFacts { memory, ..MeterFacts::clone(facts) });
            }
        }
        let decided = self.evaluation.decision.subscriptions.iter();
        self.snapshot.subscriptions = decided.map(|subscription| Arc::new(subscription.remembering())).collect();
    }
}

/// The snapshot taken apart: first the organization without anything, then what it could hold and has no grant of, if its
/// summary tells that, then what its subscriptions may give, if there are any, and one for each other definition.
#[must_use]
pub fn parts(snapshot: &Snapshot) -> Vec<Snapshot> {
    let mut by_definition: BTreeMap<&Arc<str>, Vec<Arc<Grant>>> = BTreeMap::new();
    for grant in &snapshot.grants {
        by_definition.entry(&grant.id.definition).or_default().push(Arc::clone(grant));
    }
    let plan = |name: &str| snapshot.plans.get(name);
    let given = snapshot.subscriptions.iter().flat_map(|subscription| definitions(subscription, plan));
    let given: BTreeSet<Arc<str>> = given.collect();
    let others = snapshot.offers.iter().filter(|(name, _)| !by_definition.contains_key(name) && !given.contains(*name));
    let others: Offers = others.map(|(name, offer)| (Arc::clone(name), *offer)).collect();
    let others = (!others.is_empty()).then(|| part(snapshot, Vec::new(), others));
    let of_subscriptions = (!snapshot.subscriptions.is_empty()).then(|| {
        let grants = given.iter().filter_map(|name| by_definition.remove(name)).flatten().collect();
        let offers = snapshot.offers.iter().filter(|(name, _)| given.contains(*name));
        let own = part(snapshot, grants, offers.map(|(name, offer)| (Arc::clone(name), *offer)).collect());
        Snapshot {
            subscriptions: snapshot.subscriptions.clone(),
            plans: snapshot.plans.clone(),
            catalogue: snapshot.catalogue.clone(),
            meters: snapshot.meters.clone(),
            secrets: snapshot.secrets.clone(),
            namespaces: snapshot.namespaces.clone(),
            ..own
        }
    });
    let definitions = by_definition.into_iter().map(|(name, grants)| {
        let offer = snapshot.offers.get(name).map(|offer| (Arc::clone(name), *offer));
        part(snapshot, grants, offer.into_iter().collect())
    });
    std::iter::once(part(snapshot, Vec::new(), Offers::new()))
        .chain(others)
        .chain(of_subscriptions)
        .chain(definitions)
        .collect()
}

fn part(snapshot: &Snapshot, grants: Vec<Arc<Grant>>, offers: Offers) -> Snapshot {
    let namespaces = concerned(snapshot.organization.as_deref(), grants.iter().map(|grant| &grant.age.namespace));
    let facts = |namespace: &str| snapshot.namespaces.get_key_value(namespace);
    let entry = |grant: &Arc<Grant>| snapshot.catalogue.get_key_value(&grant.id.definition);
    let meter = |grant: &Arc<Grant>| snapshot.meters.get_key_value(&grant.id.definition);
    let sources = grants.iter().flat_map(|grant| facets::sources(grant));
    Snapshot {
        name: Arc::clone(&snapshot.name),
        barred: BTreeMap::new(),
        limits: snapshot.limits,
        approvals: Arc::clone(&snapshot.approvals),
        offers: Arc::new(offers),
        authority: snapshot.authority.clone(),
        organization: snapshot.organization.clone(),
        plans: BTreeMap::new(),
        subscriptions: Vec::new(),
        meters: grants.iter().filter_map(meter).map(|(name, meter)| (Arc::clone(name), Arc::clone(meter))).collect(),
        knows_revisions: snapshot.knows_revisions,
        catalogue: grants.iter().filter_map(entry).map(|(name, entry)| (Arc::clone(name), Arc::clone(entry))).collect(),
        secrets: sources.filter_map(|key| Some((key.clone(), Arc::clone(snapshot.secrets.get(&key)?)))).collect(),
        unseen: Arc::clone(&snapshot.unseen),
        namespaces: namespaces
            .into_iter()
            .filter_map(facts)
            .map(|(name, facts)| (Arc::clone(name), facts.clone()))
            .collect(),
        grants,
    }
}
