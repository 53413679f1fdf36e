//! What one organization holds of each definition, what was before, and what comes next, for somebody who answers a call.

use super::{
    Inventory, OperatorsCount, When,
    by_hand::{ByHand, by_hand},
    inventory::Named,
    lane::{Lane, parts},
    namespace_owners::NamespaceOwners,
    simulation::differences,
    step::TimelineStep,
    subscription_change, zone_of,
};
use crate::{
    core::{
        calendar::{Instant, parse_instant},
        grant::Grant,
        reason::ReasonCode,
        source::SourceKind,
    },
    evaluation::{
        Snapshot,
        catalogue::CatalogueEntry,
        evaluate,
        explanation::{self, Entitlement, Explanation, GrantExplanation},
        status::metered::METERED,
    },
    render::flags::Offers,
};
use chrono::TimeDelta;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// How much is looked at.
#[derive(Clone, Copy, Debug)]
pub struct AccountEffort {
    /// How many coming steps of each definition are enough.
    pub steps: usize,
    /// After what costs so many evaluations of a grant it is enough.
    pub work: usize,
}

/// What happens to the grants of one definition before and after a moment.
#[derive(Clone, Debug, Default)]
pub struct Passage {
    /// What happened up to that moment, from the beginning on, as the present objects tell it. Empty where that would be too
    /// much.
    pub past: Vec<TimelineStep>,
    /// Whether `past` is all.
    pub is_past_told: bool,
    /// What was done by hand last.
    pub by_hand: Option<ByHand>,
    /// What comes next.
    pub future: Vec<TimelineStep>,
    /// Where more comes than that, from this moment on.
    pub more: Option<Instant>,
}

/// An organization's account.
#[derive(Clone, Debug)]
pub struct Account {
    /// The moment, by its calendar.
    pub now: Instant,
    /// What it holds, and why.
    pub explanation: Explanation,
    /// The passages by definition.
    pub passages: BTreeMap<Arc<str>, Passage>,
    /// The definitions of the catalogue that it has no grant of, with their names for people.
    pub without_grant: BTreeMap<Arc<str>, Option<String>>,
}

impl Inventory {
    /// The account of an organization at one moment, of one definition alone if one is named; absent where nothing names the
    /// organization.
    #[must_use]
    pub fn account(
        &self,
        organization: &str,
        definition: Option<&str>,
        when: impl Into<When>,
        effort: AccountEffort,
    ) -> Option<Account> {
        let snapshot = self.snapshot_of(organization)?;
        let now = when.into().first(zone_of(snapshot.organization.as_deref()));
        let since = |name: &str| self.record(name);
        let mut explanation = explanation::explain(&evaluate(&snapshot, now), definition, &since);
        explanation.entitlements.iter_mut().for_each(|told| self.tell_count(told, &snapshot, now));
        let mut left = effort.work;
        let passages = parts(&snapshot).into_iter().flat_map(|part| {
            let told: Vec<&Entitlement> =
                explanation.entitlements.iter().filter(|told| is_told_by(&part, told)).collect();
            let Some(beginning) = told.iter().map(|told| beginning(told).unwrap_or(now)).min() else {
                return Vec::new();
            };
            let whole = passage(&part, beginning, now, effort.steps.saturating_mul(told.len()), &mut left);
            let own = told.into_iter().map(|told| {
                let name: Arc<str> = told.definition.as_str().into();
                let by_hand = by_hand(&part, told, &mut left);
                let passage = if part.subscriptions.is_empty() { whole.clone() } else { whole.of(&name) };
                (name, Passage { by_hand, ..passage })
            });
            own.collect()
        });
        let passages = passages.collect();
        let has_grant: BTreeSet<&str> = explanation.entitlements.iter().map(|told| told.definition.as_str()).collect();
        let has_grant = |name: &Arc<str>| match definition {
            // Of the others nothing is explained.
            Some(chosen) if chosen != &**name => snapshot.grants.iter().any(|grant| grant.id.definition == *name),
            _ => has_grant.contains(&**name),
        };
        let without_grant = self.definitions.iter().filter(|(name, _)| !has_grant(name));
        let without_grant =
            without_grant.map(|(name, definition)| (Arc::clone(name), definition.spec.display_name.clone())).collect();
        Some(Account { now, explanation, passages, without_grant })
    }

    /// Leaves the numbers to the operator, where it counts more than is reported.
    fn tell_count(&self, told: &mut Entitlement, snapshot: &Snapshot, now: Instant) {
        let name: Arc<str> = told.definition.as_str().into();
        let Some(said) = OperatorsCount::of(snapshot.organization.as_deref(), &name, now) else { return };
        told.usage = told.usage.take().map(|usage| said.explained(usage, snapshot, &name, now));
        if let Some(counted) = told.usage.as_mut().and_then(|usage| usage.counted.as_mut()) {
            counted.notice = self.store_notice(&name);
        }
    }

    /// What the operator says of its store, where it is another one than it was.
    pub(super) fn store_notice(&self, definition: &str) -> Option<String> {
        let conditions = &self.definitions.get(definition)?.status.as_ref()?.conditions;
        let metered = conditions.iter().find(|condition| condition.type_ == METERED)?;
        (metered.reason == ReasonCode::StoreReplaced.as_str()).then(|| metered.message.clone())
    }

    fn catalogue_of(&self, grants: &[Arc<Grant>]) -> Named<CatalogueEntry> {
        let definitions: BTreeSet<&Arc<str>> = grants.iter().map(|grant| &grant.id.definition).collect();
        let known = definitions.into_iter().filter(|name| self.knows_definition(name));
        known.map(|name| (Arc::clone(name), self.entry(name))).collect()
    }

    /// What an organization holds is evaluated from this. Of the catalogue it has what the organization's grants need.
    pub(super) fn snapshot_of(&self, organization: &str) -> Option<Snapshot> {
        let grants: Vec<Arc<Grant>> =
            self.grants.values().filter(|grant| &*grant.organization == organization).map(Arc::clone).collect();
        let has_subscriptions = self.subscriptions.values().any(|one| &*one.organization == organization);
        if grants.is_empty() && !has_subscriptions && !self.organizations.contains_key(organization) {
            return None;
        }
        let catalogue = if has_subscriptions { self.catalogue() } else { self.catalogue_of(&grants) };
        let plans = if has_subscriptions { self.plans(&catalogue) } else { Named::new() };
        // What it could have besides is told by its flags alone.
        let offers = Arc::new(Offers::new());
        Some(self.snapshot(&organization.into(), grants, &catalogue, &plans, &offers, &NamespaceOwners::of(self)))
    }
}

/// Whether a part of a snapshot has the grants of a definition.
fn is_told_by(part: &Snapshot, told: &Entitlement) -> bool {
    let is_given = |grant: &GrantExplanation| grant.source.kind == SourceKind::Subscription;
    part.grants.iter().any(|grant| *grant.id.definition == *told.definition)
        || (!part.subscriptions.is_empty() && told.grants.iter().any(is_given))
}

impl Passage {
    /// What of it concerns a definition.
    fn of(&self, definition: &str) -> Self {
        let concerns = |step: &&TimelineStep| {
            step.holdings.contains_key(definition)
                || step.resets.contains_key(definition)
                || step.grants.iter().any(|change| &*change.definition == definition)
        };
        let of = |steps: &[TimelineStep]| steps.iter().filter(concerns).cloned().collect();
        Self { past: of(&self.past), future: of(&self.future), ..self.clone() }
    }
}

/// Before the first of its grants begins.
fn beginning(entitlement: &Entitlement) -> Option<Instant> {
    let starts = entitlement.grants.iter().filter_map(|grant| parse_instant(grant.start.as_deref()?).ok());
    starts.min()?.checked_sub_signed(TimeDelta::seconds(1))
}

/// What happens to the grants of one definition, which a snapshot has alone.
fn passage(snapshot: &Snapshot, beginning: Instant, now: Instant, steps: usize, left: &mut usize) -> Passage {
    // What was used when is told by the present alone, so resets are of interest ahead of it.
    let past = walk(snapshot, beginning, left, Lane::next_right, |at, _| at <= now);
    let future = walk(snapshot, now, left, Lane::next_with_resets, |_, found| found < steps);
    let is_past_told = past.is_complete();
    Passage {
        past: if is_past_told { past.steps } else { Vec::new() },
        is_past_told,
        by_hand: None,
        future: future.steps,
        more: future.next,
    }
}

/// A way through time.
struct Way {
    steps: Vec<TimelineStep>,
    /// The next moment, if it was not gone on to.
    next: Option<Instant>,
    /// Whether it was left off for want of effort.
    is_left_off: bool,
}

impl Way {
    fn is_complete(&self) -> bool {
        !self.is_left_off
    }
}

/// Evaluates at one moment after the other, as `next_of` tells them, while `goes_on` says so of the next moment and the number of steps found.
fn walk(
    snapshot: &Snapshot,
    from: Instant,
    left: &mut usize,
    next_of: impl Fn(&Lane) -> Option<Instant>,
    goes_on: impl Fn(Instant, usize) -> bool,
) -> Way {
    let mut lane = Lane::start(snapshot.clone(), from);
    let mut steps = Vec::new();
    lane.remember();
    loop {
        let Some(next) = next_of(&lane).filter(|next| goes_on(*next, steps.len())) else {
            return Way { steps, next: next_of(&lane), is_left_off: false };
        };
        let Some(rest) = left.checked_sub(lane.cost()) else {
            return Way { steps, next: Some(next), is_left_off: true };
        };
        *left = rest;
        let held_before = lane.held().collect();
        let before = lane.go_on(next);
        let grants = lane.changes_since(&before).collect();
        let subscriptions = subscription_change::changes(&before.decision, lane.decision());
        let holdings = differences(&held_before, &lane.held().collect());
        let resets = lane.resets_since(&before).collect();
        let step =
            TimelineStep { grants, subscriptions, holdings, resets, ..TimelineStep::empty(&snapshot.name, next) };
        if !step.is_empty() {
            steps.push(step);
        }
        lane.remember();
    }
}
