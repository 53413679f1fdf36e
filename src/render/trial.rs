//! Whether an output can be filled at all, tried on values made from the schemas before any grant needs it.
//!
//! If it fails for certain, the definition is invalid. If the failure may depend on the values that a grant states, it is left
//! to the grant: a number that is read from a text, an item of a list that may be longer, a field whose type or names the
//! schema leaves open, or one for which no valid value could be made up.

use super::{
    demands,
    filling::Filling,
    format::FormatError,
    names::{ChainNames, DefinitionNames, DisplayedName, InstanceNames, Names, Total},
    output::{Attempt, CompiledOutput, OutputError},
    template::{Missing, Template, TemplateError, TemplateErrorKind},
    work::Work,
};
use crate::{
    api::{
        entitlement_definition::{OutputKind, Per},
        facet_fields::FacetFields,
    },
    core::{
        definition::Definition,
        facets::SecretFields,
        problem::Problem,
        reason::ReasonCode,
        schema::{Sample, merge},
        source::SourceKind,
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
    /// By facet: the fields whose type the schema leaves open, or whose values are not valid.
    open: FieldNames,
    /// By facet: the fields whose names of entries the schema leaves open.
    free: FieldNames,
}

type FieldNames = BTreeMap<String, BTreeSet<String>>;

impl Samples {
    /// The samples for an output; for a ConfigMap without the secret fields.
    fn of(definition: &Definition, kind: OutputKind, is_bare: bool) -> Self {
        let mut samples = Self { facets: FacetFields::new(), open: FieldNames::new(), free: FieldNames::new() };
        for facet in definition.facets.values() {
            let Sample { mut values, mut open, free } =
                if is_bare { facet.schema.bare_sample() } else { facet.schema.sample() };
            merge(&mut values, &facet.preset);
            open.extend(facet.schema.doubts(&values));
            if kind == OutputKind::ConfigMap {
                values.retain(|field, _| !facet.schema.secret_fields().contains(field));
            }
            samples.facets.insert(facet.name.to_string(), values);
            samples.open.insert(facet.name.to_string(), open);
            samples.free.insert(facet.name.to_string(), free);
        }
        samples
    }

    /// Whether the template could read a field that may look quite different.
    fn are_open_to(&self, template: &Template) -> bool {
        reads_any(template, &self.open)
    }

    /// Whether it could read a field that may have other entries, or look quite different.
    fn are_free_to(&self, template: &Template) -> bool {
        self.are_open_to(template) || reads_any(template, &self.free)
    }

    /// Whether what a name leads to may be there all the same.
    fn may_have(&self, definition: &Definition, path: &[String]) -> bool {
        let [facets, facet, field, ..] = path else {
            return false;
        };
        let has = |fields: &FieldNames| fields.get(facet).is_some_and(|fields| fields.contains(field));
        let is_known = self.facets.get(facet).is_some_and(|fields| fields.contains_key(field));
        let allows_others =
            || definition.facets.get(facet.as_str()).is_some_and(|facet| facet.schema.allows_other_fields());
        facets == FACETS && (has(&self.open) || has(&self.free) || (!is_known && allows_others()))
    }
}

/// The variable that holds the facets.
const FACETS: &str = "facets";

fn reads_any(template: &Template, fields: &FieldNames) -> bool {
    let references = template.facet_references();
    let mut all = fields.iter().flat_map(|(facet, fields)| fields.iter().map(move |field| (facet, field)));
    all.any(|(facet, field)| references.reading(facet, field).is_some())
}

fn names<'a>(definition: &'a Definition, output: &CompiledOutput) -> Names<'a> {
    let is_of_grant = output.per == Per::Instance || !definition.allow_multiple;
    let amount = || definition.amount.map(|amount| amount.to_string());
    Names {
        organization: DisplayedName { name: SAMPLE, display_name: SAMPLE },
        definition: DefinitionNames::of(definition),
        instance: is_of_grant.then(|| InstanceNames {
            kind: SourceKind::Instance,
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

/// Fills one of `count` outputs once.
///
/// Gives what is wrong with it, each with its place in the output: `InvalidTemplate` or `InvalidOutput` for what no grant
/// could ever have filled.
pub fn try_out(definition: &Definition, output: &CompiledOutput, count: usize) -> Vec<Problem> {
    let samples = Samples::of(definition, output.kind, false);
    let trial = Trial { definition, output, names: names(definition, output), samples };
    let mut taken = BTreeSet::new();
    let mut problems = Vec::new();
    let none = SecretFields::new();
    let filling = Filling::new(&trial.names, &trial.samples.facets, &none);
    for Attempt { pointer, template, filled } in output.attempt(&filling, &mut Work::of_trial(count)) {
        let found = match filled {
            Ok(entries) => entries.iter().find_map(|entry| refused(output, template, &mut taken, entry)),
            Err(error) => problem(&trial, template, &error),
        };
        problems.extend(found.map(|problem| problem.at(pointer)));
    }
    problems
}

/// What is wrong with what was filled, as far as no grant could make it otherwise.
fn refused(
    output: &CompiledOutput,
    template: Option<&Template>,
    taken: &mut BTreeSet<String>,
    (key, value): &(String, String),
) -> Option<Problem> {
    if !taken.insert(key.clone()) {
        let error = OutputError::KeyTaken { output: output.name.clone(), key: key.clone() };
        return Some(Problem::new(ReasonCode::InvalidOutput, error.to_string()));
    }
    let certain = template.filter(|template| is_known(template)).map(|_| value.clone());
    let error = if key.is_empty() {
        let hangs_on_facets = template?.facet_references().iter().next().is_some();
        output.check_name(value).err().filter(|error| match error {
            OutputError::Reserved { .. } => !hangs_on_facets,
            _ => certain.is_some(),
        })
    } else {
        let text = certain.or_else(|| quoted_text(template?))?;
        let unmet = demands::wrong(&output.type_, key, text.as_bytes());
        unmet.map(|unmet| OutputError::Unmet { output: output.name.clone(), unmet })
    };
    Some(Problem::new(ReasonCode::InvalidOutput, error?.to_string()))
}

/// Whether the template gives the same for all grants.
fn is_known(template: &Template) -> bool {
    template.roots().all(|root| ["definition", "output"].contains(&root))
}

/// What a template of JSON writes, where all that is not known stands between double quotes, so that it matters to nothing
/// but a text.
fn quoted_text(template: &Template) -> Option<String> {
    let mut text = String::new();
    let (mut is_quoted, mut is_escaped) = (false, false);
    for part in template.outline() {
        let Some(part) = part else {
            if !is_quoted || is_escaped {
                return None;
            }
            text.push('a');
            continue;
        };
        for character in part.chars() {
            is_quoted ^= character == '"' && !is_escaped;
            is_escaped = character == '\\' && is_quoted && !is_escaped;
        }
        text.push_str(part);
    }
    Some(text)
}

/// A problem if an output's object would have the name of another's, whatever the grant is.
pub fn same_object(definition: &Definition, others: &[CompiledOutput], output: &CompiledOutput) -> Option<Problem> {
    let other = others.iter().find(|other| other.kind == output.kind && have_one_name(definition, other, output))?;
    let message = format!(
        "output {}: its {} would have the same name as that of output {}: give one of the two another objectName",
        output.name,
        output.kind.as_str(),
        other.name
    );
    Some(Problem::new(ReasonCode::InvalidOutput, message).at("/objectName"))
}

fn have_one_name(definition: &Definition, one: &CompiledOutput, other: &CompiledOutput) -> bool {
    let (first, second) = (one.name_template(), other.name_template());
    if first.source() == second.source() && one.per == other.per {
        return !first.roots().any(|root| root == "output");
    }
    let (facets, secrets) = (FacetFields::new(), SecretFields::new());
    let known = |output: &CompiledOutput| {
        let names = names(definition, output);
        output.attempt_name(&Filling::new(&names, &facets, &secrets), &mut Work::alone()).ok()
    };
    is_known(first)
        && is_known(second)
        && known(one).is_some_and(|name| known(other).is_some_and(|other| other == name))
}

fn problem(trial: &Trial, template: Option<&Template>, error: &OutputError) -> Option<Problem> {
    match error {
        OutputError::Template { error: cause, .. } => {
            let is_certain = template.is_none_or(|template| is_certain(trial, template, cause));
            is_certain.then(|| Problem::new(ReasonCode::InvalidTemplate, error.to_string()))
        }
        OutputError::Format { error: cause, .. } => {
            let is_about_names = matches!(**cause, FormatError::NameTaken { .. } | FormatError::NameTooLong { .. });
            is_about_names.then(|| Problem::new(ReasonCode::InvalidOutput, error.to_string()))
        }
        OutputError::KeyTaken { .. }
        | OutputError::Name { .. }
        | OutputError::Reserved { .. }
        | OutputError::Unmet { .. }
        | OutputError::Secret { .. }
        | OutputError::TooMuchWork { .. } => None,
    }
}

/// Whether the template fails whatever the values are.
fn is_certain(trial: &Trial, template: &Template, error: &TemplateError) -> bool {
    match error.kind() {
        _ if is_known(template) => true,
        TemplateErrorKind::Failed => false,
        TemplateErrorKind::Misused => !trial.samples.are_open_to(template),
        TemplateErrorKind::UnknownName => match error.missing() {
            Some(Missing::Given(path)) => !trial.samples.may_have(trial.definition, path),
            Some(Missing::Own { has_parts }) => {
                *has_parts && !template.takes_parts() && !trial.samples.are_free_to(template)
            }
            // A part of a text, or an item of a list, that there may be.
            None => false,
        },
        TemplateErrorKind::Syntax | TemplateErrorKind::UnknownFilter => true,
        TemplateErrorKind::TooMuchWork | TemplateErrorKind::TooLarge => trial.is_too_much_of_anything(template),
    }
}

/// A trial of one output.
struct Trial<'a> {
    definition: &'a Definition,
    output: &'a CompiledOutput,
    names: Names<'a>,
    samples: Samples,
}

impl Trial<'_> {
    /// Whether the smallest values are too much, too.
    fn is_too_much_of_anything(&self, template: &Template) -> bool {
        let bare = Samples::of(self.definition, self.output.kind, true);
        let mut names = self.names.clone();
        let least = |amount: &mut Option<String>| *amount = amount.take().map(|_| "0".to_owned());
        least(&mut names.total.amount);
        names.instance.iter_mut().for_each(|instance| least(&mut instance.amount));
        let tried = self.output.render(template, &Filling::new(&names, &bare.facets, &SecretFields::new()));
        matches!(tried.map_err(|error| error.kind()), Err(TemplateErrorKind::TooMuchWork | TemplateErrorKind::TooLarge))
    }
}
