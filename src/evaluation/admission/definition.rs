//! A definition, and the grants that it serves.

use super::{Candidate, Findings, IN_USE, Refused, Verdict, holding, some_of, unused::unused};
use crate::{
    api::EntitlementDefinitionSpec,
    core::{calendar::Instant, grant::GrantId},
    evaluation::{
        catalogue::{CatalogueEntry, CompiledDefinition, Problem, Source},
        catalogue_status::idle_defaults,
        facets::Validity,
        standing::Standing,
    },
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// The grants of one definition.
#[derive(Clone, Debug, Default)]
pub struct DefinitionUse {
    /// How many are in force, or to be.
    pub live: usize,
    /// One of these.
    pub example: Option<GrantId>,
    /// Organizations with grants of it, each with these alone: as many as can be looked at while someone waits.
    pub holders: Vec<Candidate>,
}

/// What is said of a change of a definition: absent before where it is made, after where it is deleted. `schemas` are those
/// of the FacetDefinitions.
#[must_use]
pub fn review_definition(
    name: &Arc<str>,
    before: Option<&EntitlementDefinitionSpec>,
    after: Option<&EntitlementDefinitionSpec>,
    schemas: &BTreeMap<String, Value>,
    used: &DefinitionUse,
    now: Instant,
) -> Verdict {
    let Some(after) = after else { return deletion(name, used) };
    if before == Some(after) {
        return Verdict::default();
    }
    let known = before.map(|before| findings(before, &compile(name, before, schemas)));
    let compiled = compile(name, after, schemas);
    let mut found = findings(after, &compiled);
    if let Ok(compiled) = compiled {
        found.warnings.extend(invalidated(name, compiled, used, now));
    }
    found.since(&known.unwrap_or_default())
}

/// A definition as it would be made.
pub fn compile(
    name: &str,
    spec: &EntitlementDefinitionSpec,
    schemas: &BTreeMap<String, Value>,
) -> Result<CompiledDefinition, Problem> {
    CompiledDefinition::compile(name, &Source::gather(spec, |facet| schemas.get(facet).cloned())?)
}

fn findings(spec: &EntitlementDefinitionSpec, compiled: &Result<CompiledDefinition, Problem>) -> Findings {
    let mut findings = Findings::default();
    match compiled {
        Ok(compiled) => findings.warnings = unused(compiled).into_iter().chain(idle(spec)).collect(),
        Err(problem) => findings.flaw(problem.into()),
    }
    findings
}

/// Defaults in its own schemas that are never filled in. Those of facet definitions are said of these.
fn idle(spec: &EntitlementDefinitionSpec) -> impl Iterator<Item = String> {
    let inline = spec.facets.iter().filter_map(|facet| Some((&facet.name, facet.schema.as_ref()?)));
    inline.flat_map(|(name, schema)| {
        idle_defaults(schema).into_iter().map(move |problem| format!("facet {name}: {problem}"))
    })
}

/// A warning if grants whose facets are valid now would have invalid ones.
pub fn invalidated(
    name: &Arc<str>,
    compiled: CompiledDefinition,
    used: &DefinitionUse,
    now: Instant,
) -> Option<String> {
    let entry = Arc::new(CatalogueEntry::valid(compiled));
    let mut grants = 0;
    let mut first: Option<(GrantId, String)> = None;
    for holder in &used.holders {
        let changed = holder.with_definition(name, &entry);
        let before = invalid(holder, name, now);
        let mut invalid = invalid(&changed, name, now);
        invalid.retain(|id, _| !before.contains_key(id));
        grants += invalid.len();
        first = first.or_else(|| invalid.pop_first());
    }
    let (grant, problem) = first?;
    let those = some_of(grants, "grant", &grant);
    Some(format!("this makes facets invalid, whose last valid values go on, of {those}: {problem}"))
}

/// Grants whose facets are invalid.
fn invalid(holder: &Candidate, name: &Arc<str>, now: Instant) -> BTreeMap<GrantId, String> {
    let snapshot = holder.snapshot();
    let holding = holding(snapshot, &Standing::of(snapshot), name, now);
    let problem = |validity: &Validity| match validity {
        Validity::Invalid(violations) => violations.first().map(ToString::to_string),
        _ => None,
    };
    holding
        .members
        .iter()
        .filter_map(|member| Some((member.grant.id.clone(), problem(&member.facets.validity)?)))
        .collect()
}

fn deletion(name: &str, used: &DefinitionUse) -> Verdict {
    let Some(example) = &used.example else { return Verdict::default() };
    let those = some_of(used.live, "grant", example);
    let message = format!("definition {name} is still held, by {those}: cancel or delete what depends on it first");
    Verdict { refused: Some(Refused::new(IN_USE, message)), warnings: Vec::new() }
}
