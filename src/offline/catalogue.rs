//! The catalogue of an inventory: the serving state of each definition and each plan.

use super::{Inventory, inventory::Named};
use crate::{
    core::{plan::Plan, problem::Problem},
    evaluation::{
        catalogue::{
            CatalogueEntry, CatalogueIngredients, CatalogueKind, Catalogued, CompiledDefinition, DefinitionState,
            PlanCatalogue, PlanState, Present,
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
        let ingredients: CatalogueIngredients<CompiledDefinition> =
            CatalogueIngredients { object: &object, metadata, revisions: &revisions, served: None, guard: uncontained };
        ingredients.entry(self.present(name))
    }

    /// All that a definition is made of now, or why that cannot be told.
    pub(super) fn present(&self, name: &str) -> Result<DefinitionState, Present> {
        let Some(definition) = self.definitions.get(name) else { return Err(Present::Missing) };
        let schema_of = |facet: &str| self.facets.get(facet).map(|facet| Arc::clone(&facet.spec.schema));
        DefinitionState::gather(&definition.spec, schema_of).map_err(Present::Invalid)
    }

    /// What there is of plans, with the catalogue's definitions: an entry for each plan, and for each that was lost but has kept
    /// revisions.
    #[must_use]
    pub fn plans(&self, definitions: &Named<CatalogueEntry>) -> Named<CatalogueEntry<Plan>> {
        let kept = self.revisions.objects().filter(|object| object.kind == CatalogueKind::Plan);
        let names: BTreeSet<&Arc<str>> = self.plans.keys().chain(kept.map(|object| &object.name)).collect();
        names.into_iter().map(|name| (Arc::clone(name), self.plan_entry(name, definitions))).collect()
    }

    fn plan_entry(&self, name: &str, definitions: &Named<CatalogueEntry>) -> Arc<CatalogueEntry<Plan>> {
        let object = CatalogueKind::Plan.named(name);
        let revisions = self.revisions.of(&object);
        let metadata = self.plans.get(name).map(|plan| &plan.metadata);
        let ingredients: CatalogueIngredients<Plan> =
            CatalogueIngredients { object: &object, metadata, revisions: &revisions, served: None, guard: uncontained };
        ingredients.entry(self.present_plan(name, definitions))
    }

    /// A plan as it is now, resolved, or why that cannot be done.
    pub(super) fn present_plan(&self, name: &str, definitions: &Named<CatalogueEntry>) -> Result<PlanState, Present> {
        let Some(plan) = self.plans.get(name) else { return Err(Present::Missing) };
        PlanState::gather(name, &plan.spec, &self.plan_catalogue(definitions)).map_err(Present::Invalid)
    }

    /// What plans are resolved with.
    pub(super) fn plan_catalogue<'a>(&'a self, definitions: &'a Named<CatalogueEntry>) -> PlanCatalogue<'a> {
        static NONE: BTreeSet<Arc<str>> = BTreeSet::new();
        PlanCatalogue { plans: &self.plans, unreadable: &NONE, definitions }
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
