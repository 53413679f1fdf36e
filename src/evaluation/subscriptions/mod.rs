//! Subscriptions: which of an organization's are accepted, and what each gives.
//!
//! The lifecycle is that of every source (`core::lifecycle`); here is what only subscriptions have.
//!
//! | file | what it knows |
//! |---|---|
//! | `plans` | which revision of a plan counts, and why a plan cannot be taken anew |
//! | `line` | which subscriptions bear on each other |
//! | `course` | which plan a subscription is to, from when on |
//! | `entries` | which entries of its lists count, and in which form |
//! | `rights` | what it gives of each definition over its time |
//! | `members` | the same as grants |
//! | `settled` | the decision about one subscription, and the record that it leaves |

mod course;
mod entries;
mod line;
mod members;
mod plans;
mod rights;
mod settled;

pub use entries::EntryNote;
pub use rights::{Right, Rights};
pub use settled::SubscriptionDecision;

use super::{Snapshot, before::Before, catalogue::CatalogueEntry, standing::Standing};
use crate::core::{calendar::Instant, plan::Plan, source::subscription::Subscription};
use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

/// What decides from outside on all subscriptions of an organization.
pub struct Surroundings<'a> {
    snapshot: &'a Snapshot,
    standing: &'a Standing,
    before: Option<&'a Before<'a>>,
    plans: plans::Plans<'a>,
    /// The UIDs of all of them.
    uids: HashSet<&'a str>,
    now: Instant,
}

/// The definitions that a subscription may give: those that it names, and those of its plans, as they are and as they were agreed.
pub fn definitions<'a>(
    subscription: &'a Subscription,
    plan: impl Fn(&str) -> Option<&'a Arc<CatalogueEntry<Plan>>>,
) -> BTreeSet<Arc<str>> {
    let entries = subscription.plans().filter_map(|name| Some((plan(name)?, subscription.agreed.plans.get(name))));
    let plans = entries.flat_map(|(entry, agreed)| {
        let agreed = agreed.and_then(|revision| entry.history.agreed(revision)).map(|(_, plan)| plan);
        entry.serving.iter().chain(agreed)
    });
    let of_plans = plans.flat_map(|plan| plan.entries.iter().map(|entry| &entry.definition));
    of_plans.chain(subscription.definitions()).cloned().collect()
}

/// Decides all subscriptions of an organization, in the snapshot's order.
#[must_use]
pub fn decide<'a>(
    snapshot: &'a Snapshot,
    standing: &'a Standing,
    before: Option<&'a Before<'a>>,
    now: Instant,
) -> Vec<SubscriptionDecision> {
    if snapshot.subscriptions.is_empty() {
        return Vec::new();
    }
    let uids = snapshot.subscriptions.iter().map(|subscription| &*subscription.age.uid).collect();
    let plans = plans::Plans::of(snapshot);
    let surroundings = Surroundings { snapshot, standing, before, plans, uids, now };
    let mut decided: Vec<(usize, SubscriptionDecision)> =
        line::groups(&surroundings).iter().flat_map(|group| group.decide(&surroundings)).collect();
    decided.sort_by_key(|(index, _)| *index);
    decided.into_iter().map(|(_, decision)| decision).collect()
}
