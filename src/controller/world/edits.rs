//! Edits of definitions and plans since their organizations were brought up to date.

use crate::{core::plan::Plan, evaluation::catalogue::CatalogueEntry};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// What served before, by name.
#[derive(Debug, Default)]
pub struct Edits {
    /// Of definitions.
    pub definitions: BTreeMap<Arc<str>, Arc<CatalogueEntry>>,
    /// Of plans and add-ons.
    pub plans: BTreeMap<Arc<str>, Arc<CatalogueEntry<Plan>>>,
}

impl Edits {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.definitions.is_empty() && self.plans.is_empty()
    }
}

/// What served before, of each organization. Of several edits that come together, what served before the first of them counts.
#[derive(Default)]
pub struct PendingEdits(HashMap<Arc<str>, Edits>);

impl PendingEdits {
    /// A definition of which an organization has grants was edited.
    pub fn add(&mut self, organization: &Arc<str>, definition: &Arc<str>, before: &Arc<CatalogueEntry>) {
        let edits = self.0.entry(Arc::clone(organization)).or_default();
        edits.definitions.entry(Arc::clone(definition)).or_insert_with(|| Arc::clone(before));
    }

    /// A plan to which an organization has subscriptions was edited.
    pub fn add_plan(&mut self, organization: &Arc<str>, plan: &Arc<str>, before: &Arc<CatalogueEntry<Plan>>) {
        let edits = self.0.entry(Arc::clone(organization)).or_default();
        edits.plans.entry(Arc::clone(plan)).or_insert_with(|| Arc::clone(before));
    }

    /// All of an organization, which are told of now.
    pub fn take(&mut self, organization: &str) -> Edits {
        self.0.remove(organization).unwrap_or_default()
    }
}
