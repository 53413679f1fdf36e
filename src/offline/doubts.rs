//! What is legal in the catalogue, but hardly meant.

use super::Flaw;
use crate::{
    api::{EntitlementDefinition, FacetDefinition},
    core::{
        reason::ReasonCode,
        schema::{SchemaProblem, idle_defaults},
    },
};
use serde_json::Value;

/// What is doubtful in a facet definition.
pub fn of_facet(facet: &FacetDefinition) -> Vec<Flaw> {
    of_schema("/spec/schema", "", &facet.spec.schema)
}

/// What is doubtful in a definition. The facet definitions that it uses have their own.
pub fn of_definition(definition: &EntitlementDefinition) -> Vec<Flaw> {
    let facets = definition.spec.facets.iter().enumerate();
    let inline = facets.filter_map(|(index, facet)| Some((index, facet, facet.schema.as_deref()?)));
    let doubts = inline.flat_map(|(index, facet, schema)| {
        of_schema(&format!("/spec/facets/{index}/schema"), &format!("facet {}: ", facet.name), schema)
    });
    doubts.collect()
}

fn of_schema(within: &str, whose: &str, schema: &Value) -> Vec<Flaw> {
    let flaw = |problem: SchemaProblem| {
        Flaw::new(format!("{within}{}", problem.pointer), ReasonCode::DefaultNeverFilled, format!("{whose}{problem}"))
    };
    idle_defaults(schema).into_iter().map(flaw).collect()
}
