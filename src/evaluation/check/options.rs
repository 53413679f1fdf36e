//! With what a request would be allowed: the add-ons that this client's subscriptions could have, and the plans that they could
//! change to. Each is found by evaluating the snapshot with that change from the moment on, so the rules of subscriptions hold
//! whatever they are.

use super::CheckReason;
use crate::{
    api::entitlement_plan::PlanType,
    core::{
        amount::Amount,
        calendar::{Instant, Moment},
        plan::Plan,
        source::{
            stated::StatedAmendment,
            subscription::{AddOn, PlanAmendment, StatedWindow, Subscription},
        },
        usage::allowance::UsageRequest,
    },
    evaluation::{
        Snapshot,
        catalogue::{CatalogueEntry, Present},
        decision::{Decision, decide_alone},
    },
};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};
use utoipa::ToSchema;

/// How often a snapshot is evaluated at most: what is found by then is told.
const MOST_EVALUATIONS: usize = 256;

/// How many times an add-on can be had at most.
const MOST_TIMES: u32 = 1_000_000;

/// The name of the entry and the amendment that are tried, which no object can have.
const TRIED: &str = "tried by a check";

/// The catalogue, of which something may be sold.
#[derive(Clone, Copy, Debug)]
pub struct SoldCatalogue<'a> {
    /// The plans and add-ons.
    pub plans: &'a BTreeMap<Arc<str>, Arc<CatalogueEntry<Plan>>>,
    /// The definitions.
    pub definitions: &'a BTreeMap<Arc<str>, Arc<CatalogueEntry>>,
}

/// What would help: an add-on or a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckOption {
    /// What it is.
    pub kind: OptionKind,
    /// The add-on or the plan.
    #[schema(value_type = String)]
    pub plan: Arc<str>,
    /// Its name for people.
    #[schema(required = true)]
    pub display_name: Option<String>,
    /// How many times the add-on has to be there, at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1)]
    pub quantity: Option<u32>,
    /// The subscription that could have it: `namespace/name`.
    pub subscription: String,
    /// How much would be held then; null for a Feature.
    #[schema(required = true, value_type = Option<Amount>)]
    pub amount: Option<String>,
}

/// In which way something would help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub enum OptionKind {
    /// It is added to the plan.
    AddOn,
    /// It takes the place of the plan.
    Plan,
}

/// The add-ons and plans with which a request would be allowed from a moment on, the smallest amount first. The snapshot knows the
/// definition and its meter, also where nothing of it is held.
#[must_use]
pub fn options(
    snapshot: &Snapshot,
    sold: SoldCatalogue,
    entitlement: &Arc<str>,
    request: UsageRequest,
    now: Instant,
) -> Vec<CheckOption> {
    let decision = decide_alone(snapshot, entitlement, now);
    let mut search = OptionSearch { snapshot, sold, entitlement, request, now, left: MOST_EVALUATIONS };
    let mut found: Vec<(Option<Amount>, CheckOption)> = Vec::new();
    for (index, decided) in decision.subscriptions.iter().enumerate() {
        if decided.verdict.phase.is_in_force() {
            let place = ChangeableSubscription { index, subscription: &decided.subscription, plan: &decided.plan };
            found.extend(search.add_ons(place));
            found.extend(search.plans(place));
        }
    }
    let order = |(amount, option): &(Option<Amount>, CheckOption)| {
        (*amount, option.kind, Arc::clone(&option.plan), option.subscription.clone())
    };
    found.sort_by_key(order);
    found.into_iter().map(|(_, option)| option).collect()
}

/// A subscription to be changed.
#[derive(Clone, Copy)]
struct ChangeableSubscription<'a> {
    /// Its place in the snapshot.
    index: usize,
    subscription: &'a Subscription,
    /// The plan in force.
    plan: &'a Arc<str>,
}

/// What is tried.
struct OptionSearch<'a> {
    snapshot: &'a Snapshot,
    sold: SoldCatalogue<'a>,
    entitlement: &'a Arc<str>,
    request: UsageRequest<'a>,
    now: Instant,
    /// How many evaluations are left.
    left: usize,
}

/// How much would be held, where the request would be allowed.
type Helps = Option<Option<Amount>>;

impl<'a> OptionSearch<'a> {
    fn add_ons(&mut self, place: ChangeableSubscription) -> Vec<(Option<Amount>, CheckOption)> {
        let serving = self.sold.plans.get(place.plan).and_then(|entry| entry.serving.clone());
        let names = serving.iter().flat_map(|plan| &plan.add_ons);
        let add_ons: Vec<&Arc<Plan>> = names.filter_map(|name| self.sold(name, PlanType::AddOn)).collect();
        let found = add_ons.into_iter().filter_map(|plan| {
            let (quantity, amount) = self.fewest(place, plan)?;
            Some((amount, option(place, plan, OptionKind::AddOn, Some(quantity), amount)))
        });
        found.collect()
    }

    fn plans(&mut self, place: ChangeableSubscription) -> Vec<(Option<Amount>, CheckOption)> {
        let others = self.sold.plans.keys().filter(|name| *name != place.plan);
        let plans: Vec<&Arc<Plan>> = others.filter_map(|name| self.sold(name, PlanType::Plan)).collect();
        let found = plans.into_iter().filter_map(|plan| {
            let amount = self.tried(place, plan, |subscription, now| change_to(subscription, plan, now))?;
            Some((amount, option(place, plan, OptionKind::Plan, None, amount)))
        });
        found.collect()
    }

    /// A plan of a type that is sold and gives the entitlement.
    fn sold(&self, name: &str, type_: PlanType) -> Option<&'a Arc<Plan>> {
        let entry = self.sold.plans.get(name).filter(|entry| entry.present == Present::Valid)?;
        let plan = entry.serving.as_ref().filter(|plan| plan.type_ == type_ && !plan.retired)?;
        plan.entry(self.entitlement).is_some().then_some(plan)
    }

    /// How many times an add-on has to be there at least, and how much would be held then.
    fn fewest(&mut self, place: ChangeableSubscription, plan: &Arc<Plan>) -> Option<(u32, Option<Amount>)> {
        let mut helps = |times: u32| self.tried(place, plan, |subscription, now| add(subscription, plan, times, now));
        if let Some(amount) = helps(1) {
            return Some((1, amount));
        }
        let gives_more = plan.entry(self.entitlement)?.amount.taken().is_some_and(|amount| amount > Amount::ZERO);
        if !gives_more {
            return None;
        }
        let mut helps = |times: u32| self.tried(place, plan, |subscription, now| add(subscription, plan, times, now));
        let (mut too_few, mut enough, mut amount) = (1, MOST_TIMES, helps(MOST_TIMES)?);
        while enough - too_few > 1 {
            let between = too_few + (enough - too_few) / 2;
            match helps(between) {
                Some(less) => (enough, amount) = (between, less),
                None => too_few = between,
            }
        }
        Some((enough, amount))
    }

    /// What a subscription with a change comes to, where the request is allowed with it.
    fn tried(
        &mut self,
        place: ChangeableSubscription,
        plan: &Plan,
        change: impl FnOnce(&mut Subscription, Instant),
    ) -> Helps {
        self.left = self.left.checked_sub(1)?;
        let decision = self.with(place, plan, change)?;
        let holding = decision.holding(self.entitlement).map(AsRef::as_ref);
        let meter = decision.meters.get(self.entitlement).map(AsRef::as_ref);
        let reason = CheckReason::of(holding, meter, self.request, self.now);
        reason.is_allowed(meter).then(|| holding?.total())
    }

    fn with(
        &self,
        place: ChangeableSubscription,
        plan: &Plan,
        change: impl FnOnce(&mut Subscription, Instant),
    ) -> Option<Decision> {
        let mut snapshot = self.snapshot.clone();
        let mut subscription = place.subscription.clone();
        change(&mut subscription, self.now);
        *snapshot.subscriptions.get_mut(place.index)? = Arc::new(subscription);
        let entry = self.sold.plans.get_key_value(&plan.name)?;
        snapshot.plans.insert(Arc::clone(entry.0), Arc::clone(entry.1));
        for given in &plan.entries {
            if let Some((name, entry)) = self.sold.definitions.get_key_value(&given.definition) {
                snapshot.catalogue.entry(Arc::clone(name)).or_insert_with(|| Arc::clone(entry));
            }
        }
        Some(decide_alone(&snapshot, self.entitlement, self.now))
    }
}

fn add(subscription: &mut Subscription, plan: &Plan, quantity: u32, now: Instant) {
    subscription.add_ons.push(AddOn {
        name: TRIED.into(),
        plan: Arc::clone(&plan.name),
        quantity,
        window: StatedWindow { start: Some(Ok(Moment::Time(now))), end: None },
        reason: None,
    });
}

fn change_to(subscription: &mut Subscription, plan: &Plan, now: Instant) {
    subscription.amendments.push(PlanAmendment {
        stated: StatedAmendment {
            name: TRIED.to_owned(),
            effective: Ok(Moment::Time(now)),
            end: None,
            written_end: None,
            reason: None,
            revoked: false,
        },
        plan: Some(Arc::clone(&plan.name)),
    });
}

fn option(
    place: ChangeableSubscription,
    plan: &Plan,
    kind: OptionKind,
    quantity: Option<u32>,
    amount: Option<Amount>,
) -> CheckOption {
    let id = place.subscription.id();
    CheckOption {
        kind,
        plan: Arc::clone(&plan.name),
        display_name: plan.display_name.clone(),
        quantity,
        subscription: format!("{}/{}", id.namespace, id.name),
        amount: amount.map(|amount| amount.to_string()),
    }
}
