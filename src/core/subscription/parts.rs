//! What plan, add-ons and the subscription itself give of a definition, and when.

use super::window::Window;
use crate::{
    api::facet_fields::FacetFields,
    core::{amount::Amount, source::subscription::Beginning, usage::caps::ChannelCaps},
};
use std::sync::Arc;

/// Where a part comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartOrigin {
    /// The plan in force.
    Plan {
        /// The plan in force.
        plan: Arc<str>,
        /// The group in which the plan, or one that it includes, has it.
        group: Arc<str>,
    },
    /// An add-on.
    AddOn {
        /// The entry's name.
        name: Arc<str>,
        /// The plan of type AddOn.
        plan: Arc<str>,
        /// The group in which that has it.
        group: Arc<str>,
        /// How many times.
        quantity: u32,
    },
    /// The subscription itself.
    Add {
        /// The entry's name.
        name: Arc<str>,
    },
    /// What was given before the revision was lost that says what is given.
    Remembered,
}

/// What is given of one definition by one entry.
#[derive(Clone, Debug, PartialEq)]
pub struct GrantPart {
    /// Where it comes from.
    pub origin: PartOrigin,
    /// How much, all of it; absent for a Feature.
    pub amount: Option<Amount>,
    /// How much of it can be used by each channel.
    pub channels: Option<Arc<ChannelCaps>>,
    /// Values of facets that go with it.
    pub facets: Arc<FacetFields>,
    /// When.
    pub window: Window,
    /// Who says from when on.
    pub beginning: Beginning,
}

impl GrantPart {
    /// Whether a removal of the definition takes it away.
    #[must_use]
    pub fn is_removable(&self) -> bool {
        !matches!(self.origin, PartOrigin::Add { .. } | PartOrigin::Remembered)
    }
}
