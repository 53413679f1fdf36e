//! Whether an output can be filled at all, found out with values made from the schemas before any grant needs it.
//!
//! What fails for certain makes the definition invalid. What may depend on the values that a grant states is left to it: a
//! number that is read from a text, a field of which the schema leaves the type open.

use super::{
    format::FormatError,
    output::{ChainNames, CompiledOutput, DefinitionNames, InstanceNames, Named, Names, OutputError, Total},
    template::{Template, TemplateError, TemplateErrorKind},
};
use crate::{
    api::{
        entitlement_definition::{OutputKind, Per},
        entitlement_instance::FacetFields,
    },
    core::{
        definition::{Definition, Problem},
        schema::merge,
    },
};
use std::collections::{BTreeMap, BTreeSet};

#[cfg(test)]
mod tests;

/// A name such as any object could have.
const SAMPLE: &str = "sample";

/// Values of a definition's facets as a grant could have them.
struct Samples {
    facets: FacetFields,
    /// By facet: the fields of which the schema leaves the type open.
    open: BTreeMap<String, BTreeSet<String>>,
}

impl Samples {
    /// Of a ConfigMap without the secret fields.
    fn of(definition: &Definition, kind: OutputKind) -> Self {
        let mut samples = Self { facets: FacetFields::new(), open: BTreeMap::new() };
        for facet in definition.facets.values() {
            let mut sample = facet.schema.sample();
            merge(&mut sample.values, &facet.preset);
            if kind == OutputKind::ConfigMap {
                sample.values.retain(|field, _| !facet.schema.secret_fields().contains(field));
            }
            samples.facets.insert(facet.name.to_string(), sample.values);
            samples.open.insert(facet.name.to_string(), sample.open);
        }
        samples
    }

    /// Whether the template could read a field that may look quite different.
    fn are_open_to(&self, template: &Template) -> bool {
        let references = template.facet_references();
        let mut open = self.open.iter().flat_map(|(facet, fields)| fields.iter().map(move |field| (facet, field)));
        open.any(|(facet, field)| references.reading(facet, field).is_some())
    }
}

fn names<'a>(definition: &'a Definition, output: &CompiledOutput) -> Names<'a> {
    let is_of_grant = output.per == Per::Instance;
    let amount = || definition.amount.map(|amount| amount.to_string());
    Names {
        organization: Named { name: SAMPLE, display_name: SAMPLE },
        definition: DefinitionNames::of(definition),
        instance: is_of_grant.then(|| InstanceNames {
            name: SAMPLE,
            namespace: SAMPLE,
            amount: amount(),
            start: "2027-01-01T00:00:00Z".to_owned(),
            end: Some("2028-01-01T00:00:00Z".to_owned()),
        }),
        chain: is_of_grant.then_some(ChainNames { name: SAMPLE }),
        total: Total { amount: amount() },
    }
}

/// Fills the output once.
///
/// # Errors
/// `InvalidTemplate` or `InvalidOutput` for what no grant could ever have filled.
pub fn try_out(definition: &Definition, output: &CompiledOutput) -> Result<(), Problem> {
    let samples = Samples::of(definition, output.kind);
    let names = names(definition, output);
    if !output.is_named_by_facets()
        && let Err(error @ OutputError::Reserved { .. }) = output.object_name(&names, &samples.facets)
    {
        return Err(Problem::new("InvalidOutput", error.to_string()));
    }
    let mut filled = BTreeSet::new();
    for attempt in output.attempt(&names, &samples.facets) {
        let problem = match attempt.keys {
            Ok(keys) => keys.into_iter().find_map(|key| taken(&mut filled, output, key)),
            Err(error) => problem(&samples, attempt.template, &error),
        };
        if let Some(problem) = problem {
            return Err(problem);
        }
    }
    Ok(())
}

fn taken(filled: &mut BTreeSet<String>, output: &CompiledOutput, key: String) -> Option<Problem> {
    if filled.insert(key.clone()) {
        return None;
    }
    let error = OutputError::KeyTaken { output: output.name.clone(), key };
    Some(Problem::new("InvalidOutput", error.to_string()))
}

fn problem(samples: &Samples, template: Option<&Template>, error: &OutputError) -> Option<Problem> {
    match error {
        OutputError::Template { error: cause, .. } => {
            let is_certain = template.is_none_or(|template| is_certain(samples, template, cause));
            is_certain.then(|| Problem::new("InvalidTemplate", error.to_string()))
        }
        OutputError::Format { error: cause, .. } => {
            let is_about_names = matches!(**cause, FormatError::NameTaken { .. } | FormatError::NameTooLong { .. });
            is_about_names.then(|| Problem::new("InvalidOutput", error.to_string()))
        }
        OutputError::KeyTaken { .. } | OutputError::Name { .. } | OutputError::Reserved { .. } => None,
    }
}

/// Whether the template fails whatever the values are.
fn is_certain(samples: &Samples, template: &Template, error: &TemplateError) -> bool {
    if template.facet_references().iter().next().is_none() {
        return true;
    }
    match error.kind() {
        TemplateErrorKind::Failed => false,
        TemplateErrorKind::UnknownName | TemplateErrorKind::Misused => !samples.are_open_to(template),
        TemplateErrorKind::Syntax
        | TemplateErrorKind::UnknownFilter
        | TemplateErrorKind::TooMuchWork
        | TemplateErrorKind::TooLarge => true,
    }
}
