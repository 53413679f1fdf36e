//! A definition, and the grants that it serves.

use super::{
    AdmissionVerdict, Candidate, Findings,
    effects::{Effects, budget},
    plan::{PlanSurroundings, broken_by_definition},
    some_of,
    unused::unused,
};
use crate::{
    api::EntitlementDefinitionSpec,
    core::{
        calendar::Instant, definition::Schemas, problem::Problem, reason::ReasonCode, schema::idle_defaults,
        source::SourceId,
    },
    evaluation::{
        catalogue::{CatalogueEntry, CompiledDefinition, DefinitionState, Present},
        impact::impacts,
    },
    render::work::Budget,
};
use std::sync::Arc;

/// The grants of one definition.
#[derive(Clone, Debug, Default)]
pub struct DefinitionUse {
    /// How many are in force, or to be.
    pub live: usize,
    /// One of these.
    pub example: Option<SourceId>,
    /// Organizations with grants of it, each with these alone: as many as can be looked at while someone waits.
    pub holders: Vec<Candidate>,
    /// How many of those that are in force, or to be, are not among these.
    pub unseen: usize,
    /// The plans that give it.
    pub plans: PlanSurroundings,
}

/// What is said of a change of a definition: absent before where it is made, after where it is deleted. `schemas` are those
/// of the FacetDefinitions.
#[must_use]
pub fn review_definition(
    name: &Arc<str>,
    before: Option<&EntitlementDefinitionSpec>,
    after: Option<&EntitlementDefinitionSpec>,
    schemas: &Schemas,
    used: &DefinitionUse,
    now: Instant,
) -> AdmissionVerdict {
    let Some(after) = after else { return deletion(name, used) };
    if before == Some(after) {
        return AdmissionVerdict::default();
    }
    let known = before.map(|before| findings(before, &compile(name, before, schemas)));
    let compiled = compile(name, after, schemas);
    let mut found = findings(after, &compiled);
    if let Ok(compiled) = compiled {
        found.warnings.extend(broken_by_definition(name, Some(&compiled), &used.plans));
        let has_other_outputs = before.is_none_or(|before| before.outputs != after.outputs);
        let mut effects = Effects::of(used.live, used.unseen);
        affect(&mut effects, name, compiled, used, has_other_outputs, &mut budget(), now);
        found.warnings.extend(effects.warnings());
    }
    found.since(&known.unwrap_or_default())
}

/// A definition as it would be made.
pub fn compile(name: &str, spec: &EntitlementDefinitionSpec, schemas: &Schemas) -> Result<CompiledDefinition, Problem> {
    CompiledDefinition::compile(name, &DefinitionState::gather(spec, |facet| schemas.get(facet).cloned())?)
}

fn findings(spec: &EntitlementDefinitionSpec, compiled: &Result<CompiledDefinition, Problem>) -> Findings {
    let mut findings = Findings::default();
    match compiled {
        Ok(compiled) => findings.warnings = unused(compiled).into_iter().chain(idle(spec)).collect(),
        Err(problem) => findings.flaw(problem.clone()),
    }
    findings
}

/// Defaults in its own schemas that are never filled in. Those of facet definitions are said of these.
fn idle(spec: &EntitlementDefinitionSpec) -> impl Iterator<Item = String> {
    let inline = spec.facets.iter().filter_map(|facet| Some((&facet.name, facet.schema.as_deref()?)));
    inline.flat_map(|(name, schema)| {
        idle_defaults(schema).into_iter().map(move |problem| format!("facet {name}: {problem}"))
    })
}

/// What the grants of a definition get otherwise by it as it would be made, added to what else is known.
pub fn affect(
    effects: &mut Effects,
    name: &Arc<str>,
    compiled: CompiledDefinition,
    used: &DefinitionUse,
    has_other_outputs: bool,
    budget: &mut Budget,
    now: Instant,
) {
    let compiled = Arc::new(compiled);
    for holder in &used.holders {
        let snapshot = holder.snapshot();
        let Some(before) = snapshot.catalogue.get(name) else { continue };
        // What it gave before it gave still: records of that are believed as ever.
        let after = Arc::new(CatalogueEntry {
            present: Present::Valid,
            serving: Some(Arc::clone(&compiled)),
            ..CatalogueEntry::clone(before)
        });
        let mut none = Budget::of(0);
        let budget = if effects.may_fill(snapshot.grants.len()) { &mut *budget } else { &mut none };
        let impacts = impacts(snapshot, name, [before, &after], now, budget);
        effects.add(&snapshot.name, compiled.terms.unit.as_deref(), impacts, has_other_outputs);
    }
}

fn deletion(name: &Arc<str>, used: &DefinitionUse) -> AdmissionVerdict {
    let Some(example) = &used.example else {
        let warnings = broken_by_definition(name, None, &used.plans).into_iter().collect();
        return AdmissionVerdict { refused: None, warnings };
    };
    let those = some_of(used.live, example.kind.noun(), example);
    let message = format!("definition {name} is still held, by {those}: cancel or delete what depends on it first");
    AdmissionVerdict { refused: Some(Problem::new(ReasonCode::InUse, message)), warnings: Vec::new() }
}
