//! The catalogue of an inventory: the serving state of each definition.

use super::{Inventory, inventory::Named};
use crate::{
    core::problem::Problem,
    evaluation::{
        catalogue::{
            CatalogueEntry, CatalogueKind, Catalogued, CompiledDefinition, DefinitionState, Ingredients, Present,
        },
        explanation::{Part, Record, told_since},
    },
};
use std::{collections::BTreeSet, sync::Arc};

/// What brings a library down ends the command.
fn uncontained<C: Catalogued>(compile: &dyn Fn() -> Result<C, Problem>) -> Result<C, Problem> {
    compile()
}

impl Inventory {
    /// The catalogue: an entry for each definition, and for each that was lost but has kept revisions.
    #[must_use]
    pub fn catalogue(&self) -> Named<CatalogueEntry> {
        let kept = self.revisions.objects().filter(|object| object.kind == CatalogueKind::Definition);
        let names: BTreeSet<&Arc<str>> = self.definitions.keys().chain(kept.map(|object| &object.name)).collect();
        names.into_iter().map(|name| (Arc::clone(name), self.entry(name))).collect()
    }

    pub(super) fn entry(&self, name: &str) -> Arc<CatalogueEntry> {
        let object = CatalogueKind::Definition.named(name);
        let revisions = self.revisions.of(&object);
        let metadata = self.definitions.get(name).map(|definition| &definition.metadata);
        let ingredients: Ingredients<CompiledDefinition> =
            Ingredients { object: &object, metadata, revisions: &revisions, served: None, guard: uncontained };
        ingredients.entry(self.present(name))
    }

    /// All that a definition is made of now, or why that cannot be told.
    pub(super) fn present(&self, name: &str) -> Result<DefinitionState, Present> {
        let Some(definition) = self.definitions.get(name) else { return Err(Present::Missing) };
        let schema_of = |facet: &str| self.facets.get(facet).map(|facet| Arc::clone(&facet.spec.schema));
        DefinitionState::gather(&definition.spec, schema_of).map_err(Present::Invalid)
    }

    /// Whether anything is known of a definition: it exists, or it has kept revisions.
    pub(super) fn knows_definition(&self, name: &str) -> bool {
        self.definitions.contains_key(name) || self.revisions.has(&CatalogueKind::Definition.named(name))
    }

    /// Since when a definition says what it says of amounts.
    pub(super) fn record(&self, name: &str) -> Record {
        let definition = self.definitions.get(name).map(AsRef::as_ref);
        let revisions = self.revisions.of(&CatalogueKind::Definition.named(name));
        let told = |part| told_since(definition, revisions.iter().map(AsRef::as_ref), part);
        Record { amount: told(Part::Amount), aggregation: told(Part::Aggregation) }
    }
}
