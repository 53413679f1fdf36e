//! Edits of definitions since their organizations were brought up to date.

use crate::evaluation::catalogue::CatalogueEntry;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// What served before, by definition.
pub type Edits = BTreeMap<Arc<str>, Arc<CatalogueEntry>>;

/// What served before, of each organization.
#[derive(Default)]
pub struct PendingEdits(HashMap<Arc<str>, Edits>);

impl PendingEdits {
    /// A definition of which an organization has grants was edited. Of several edits that come together, what served before the
    /// first of them counts.
    pub fn add(&mut self, organization: &Arc<str>, definition: &Arc<str>, before: &Arc<CatalogueEntry>) {
        let edits = self.0.entry(Arc::clone(organization)).or_default();
        edits.entry(Arc::clone(definition)).or_insert_with(|| Arc::clone(before));
    }

    /// All of an organization, which are told of now.
    pub fn take(&mut self, organization: &str) -> Edits {
        self.0.remove(organization).unwrap_or_default()
    }
}
