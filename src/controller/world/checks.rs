//! What checks ask the index.

use super::{World, view::NamedCatalogue};
use crate::{evaluation::catalogue::CatalogueEntry, render::flags::Offers};
use std::sync::Arc;

impl World {
    /// A definition as it is in the catalogue; None where there is none, or it has yet to be read.
    pub fn definition_entry(&self, name: &Arc<str>) -> Option<Arc<CatalogueEntry>> {
        self.catalogue.known_entry(name).ok()?
    }

    /// The organization that has a namespace: of those that list it, the oldest.
    pub fn holder_of_namespace(&self, namespace: &str) -> Option<Arc<str>> {
        self.tenancy.claimants(namespace).next().cloned()
    }

    /// All plans and definitions, as they are in the catalogue; without those that have yet to be read.
    pub fn whole_catalogue(&self) -> NamedCatalogue {
        let plan = |name: Arc<str>| Some((Arc::clone(&name), self.catalogue.known_plan_entry(&name).ok()??));
        let definition = |name: &Arc<str>| Some((Arc::clone(name), self.definition_entry(name)?));
        let plans = self.catalogue.plan_names().into_iter().filter_map(plan).collect();
        NamedCatalogue { plans, catalogue: self.catalogue.definition_names().filter_map(definition).collect() }
    }

    /// Every definition that is ready; None where not all have been looked at since the start.
    pub fn all_offers(&self) -> Option<Arc<Offers>> {
        self.catalogue.offers().ok()
    }
}
