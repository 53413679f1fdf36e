//! One entry of a plan, as it is written in a group.

use super::{PlanAmount, PlanContext};
use crate::{
    api::{entitlement_definition::EntitlementType, entitlement_plan::PlanEntitlement, facet_fields::FacetFields},
    core::{
        amount::Amount,
        definition::Definition,
        facets::unknown_facet,
        problem::Problem,
        reason::ReasonCode,
        schema::Violation,
        usage::caps::{self, ChannelCaps},
    },
};
use std::sync::Arc;

/// What an entry gives, beside facets.
pub struct EntitlementTerms {
    /// How much.
    pub amount: PlanAmount,
    /// How much of it can be used by each channel.
    pub channels: Option<Arc<ChannelCaps>>,
}

/// What is wrong with an entry, each problem with its place in the entry, or else what it gives.
pub fn read(entitlement: &PlanEntitlement, context: &impl PlanContext) -> Result<EntitlementTerms, Vec<Problem>> {
    let definition = known(&entitlement.definition, context).map_err(|problem| vec![problem.at("/definition")])?;
    let mut problems = check_values(definition, &entitlement.facets);
    let terms = amount(definition, entitlement)
        .and_then(|amount| Ok(EntitlementTerms { amount, channels: channels(entitlement)? }));
    match terms {
        Ok(terms) if problems.is_empty() => Ok(terms),
        Ok(_) => Err(problems),
        Err(problem) => {
            problems.insert(0, problem);
            Err(problems)
        }
    }
}

fn known<'a>(name: &str, context: &'a impl PlanContext) -> Result<&'a Definition, Problem> {
    match context.definition(name) {
        Some(Ok(definition)) => Ok(definition),
        Some(Err(reason)) => {
            let message = format!("{name}: the definition is not ready ({reason}): mend it first");
            Err(Problem::new(ReasonCode::DefinitionNotReady, message))
        }
        None => {
            let message = format!("{name}: there is no definition of that name: make it, or take the entitlement out");
            Err(Problem::new(ReasonCode::DefinitionNotFound, message))
        }
    }
}

fn amount(definition: &Definition, entitlement: &PlanEntitlement) -> Result<PlanAmount, Problem> {
    let name = &definition.name;
    let invalid = |message: String| Problem::new(ReasonCode::InvalidAmount, format!("{name}: {message}")).at("/amount");
    let is_feature = definition.type_ == EntitlementType::Feature;
    match (&entitlement.amount, definition.amount) {
        (Some(_), _) if is_feature => Err(invalid("it is a Feature, which is on or off: remove amount".to_owned())),
        (Some(stated), _) => Amount::read(stated).map(PlanAmount::Stated).map_err(|error| invalid(error.to_string())),
        (None, Some(amount)) => Ok(PlanAmount::Preset(amount)),
        (None, None) => Ok(PlanAmount::None),
    }
}

fn channels(entitlement: &PlanEntitlement) -> Result<Option<Arc<ChannelCaps>>, Problem> {
    caps::stated(&entitlement.channels).transpose().map_err(|error| {
        Problem::new(ReasonCode::InvalidAmount, format!("{}: {error}", entitlement.definition)).at("/channels")
    })
}

/// They are checked as a definition's own presets are, over which they stand.
fn check_values(definition: &Definition, facets: &FacetFields) -> Vec<Problem> {
    let faults = facets.iter().flat_map(|(name, fields)| match definition.facets.get(name.as_str()) {
        Some(facet) => facet.faults(fields),
        None => vec![unknown_facet(definition, name)],
    });
    let problem = |fault: Violation| {
        Problem::new(ReasonCode::InvalidFacets, format!("{}: {fault}", definition.name))
            .at(format!("/facets{}", fault.pointer_in_facets()))
    };
    faults.map(problem).collect()
}
