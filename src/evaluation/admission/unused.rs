//! Parts of a definition that no output shows.

use crate::{
    api::entitlement_definition::OutputKind, core::definition::FacetSet, evaluation::catalogue::CompiledDefinition,
};
use std::collections::BTreeSet;

/// Sentences about facets and presets that no output shows. A definition without outputs means its facets for the summary,
/// which shows all but secret fields.
pub fn unused(definition: &CompiledDefinition) -> Vec<String> {
    definition.terms.facets.values().flat_map(|facet| of_facet(definition, facet)).collect()
}

fn of_facet(definition: &CompiledDefinition, facet: &FacetSet) -> Vec<String> {
    let name = &facet.name;
    let secrets = facet.schema.secret_fields();
    let is_shown = |field: &str| {
        let mut outputs = definition.outputs.iter();
        outputs.any(|output| {
            (output.kind == OutputKind::Secret || !secrets.contains(field)) && output.could_show(name, field)
        })
    };
    let hidden = secrets.iter().filter(|field| !is_shown(field));
    let mut warnings: Vec<String> = hidden
        .map(|field| {
            format!("facets.{name}.{field} is secret, and no output of kind Secret shows it: nobody receives it")
        })
        .collect();
    if definition.outputs.is_empty() {
        return warnings;
    }
    let fields: BTreeSet<&str> = facet.schema.properties().map(|(field, _)| field).collect();
    if !fields.is_empty()
        && !fields.iter().any(|field| is_shown(field))
        && fields.iter().any(|field| !secrets.contains(*field))
    {
        warnings.push(format!("no output shows anything of facet {name}: only the summary does"));
        return warnings;
    }
    let presets = facet.preset.keys().filter(|field| !is_shown(field));
    warnings.extend(
        presets.map(|field| format!("facets.{name}.{field} is preset, and no output shows it: only the summary does")),
    );
    warnings
}
