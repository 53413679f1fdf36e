//! What a plan gives, with all that it includes: entitlements with their amounts and facets, and how it is sold.
//!
//! | file | what it knows |
//! |---|---|
//! | `inclusion` | which plans one includes, in which order they are read, and which include themselves |
//! | `entitlement` | one entry as it is written in a group |
//! | `doubts` | what is legal in a plan, but hardly meant |
//! | `resolve` | the entries of a plan with those of the plans that it includes, and all that is wrong with them |

mod doubts;
mod entitlement;
mod inclusion;
mod resolve;
#[cfg(test)]
mod tests;

pub use doubts::doubts;
pub use resolve::resolve;

use super::{
    amount::Amount, calendar::CalendarDuration, definition::Definition, reason::ReasonCode, usage::caps::ChannelCaps,
};
use crate::api::{
    EntitlementPlanSpec, entitlement_definition::Rollout, entitlement_plan::PlanType, facet_fields::FacetFields,
};
use std::{collections::BTreeSet, sync::Arc};

/// How deep plans may include others: a plan, the plan that it includes, the one that this includes, and so on.
pub const MAX_DEPTH: usize = 8;

/// How many definitions a plan may give.
pub const MAX_ENTITLEMENTS: usize = 512;

/// How many bytes of JSON its entries may have together.
pub const MAX_SIZE: usize = 512 * 1024;

/// How much of a definition a plan gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanAmount {
    /// The definition is a Feature, which has no amount.
    None,
    /// As the plan says.
    Stated(Amount),
    /// The plan leaves it out: what the definition said when the plan was resolved.
    Preset(Amount),
}

impl PlanAmount {
    /// The amount that was taken with the plan.
    #[must_use]
    pub fn taken(self) -> Option<Amount> {
        match self {
            Self::None => None,
            Self::Stated(amount) | Self::Preset(amount) => Some(amount),
        }
    }
}

/// A definition that a plan gives.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanEntry {
    /// The definition's name.
    pub definition: Arc<str>,
    /// The plan in which it is written: itself, or one that it includes.
    pub plan: Arc<str>,
    /// The group of that plan.
    pub group: Arc<str>,
    /// How much.
    pub amount: PlanAmount,
    /// How much of it can be used by each channel.
    pub channels: Option<Arc<ChannelCaps>>,
    /// What the definition's facets are set to.
    pub facets: Arc<FacetFields>,
}

/// A plan or an add-on, with the entries of all plans that it includes.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Its name.
    pub name: Arc<str>,
    /// Its name, for people.
    pub display_name: Option<String>,
    /// Whether it is subscribed to, or added.
    pub type_: PlanType,
    /// What it is a plan of.
    pub product: Option<Arc<str>>,
    /// What it gives, each definition once: what the plans that it includes give, in their order, then its own. One that
    /// replaces another stands where that one stood.
    pub entries: Vec<PlanEntry>,
    /// The add-ons that may be added to it.
    pub add_ons: BTreeSet<Arc<str>>,
    /// What gives a subscription its end.
    pub term: Option<CalendarDuration>,
    /// How long everything stays after the end.
    pub grace: Option<CalendarDuration>,
    /// How long before the end notices are given, as the plan lists them.
    pub notices: Vec<CalendarDuration>,
    /// Whether an organization may have several subscriptions to it.
    pub allow_multiple: bool,
    /// How an edit reaches those who have it.
    pub rollout: Rollout,
    /// Whether it is sold no longer.
    pub retired: bool,
}

impl Plan {
    /// What it gives of a definition.
    #[must_use]
    pub fn entry(&self, definition: &str) -> Option<&PlanEntry> {
        self.entries.iter().find(|entry| *entry.definition == *definition)
    }

    /// Of which line it is: an organization has at most one chain of subscriptions alive for each. None of those of which it may
    /// have several is of any.
    #[must_use]
    pub fn line(&self) -> Option<&Arc<str>> {
        (!self.allow_multiple).then(|| self.product.as_ref().unwrap_or(&self.name))
    }
}

/// The rest of the catalogue, as it is now: what a plan is resolved with.
pub trait PlanContext {
    /// Another plan; None where there is none of that name, and a reason where it cannot be read.
    fn plan(&self, name: &str) -> Option<Result<&EntitlementPlanSpec, ReasonCode>>;

    /// A definition; None where there is none of that name, and a reason where it is not ready.
    fn definition(&self, name: &str) -> Option<Result<&Definition, ReasonCode>>;
}
