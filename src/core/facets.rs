//! The facets of grants: layers, precedence, and where each value comes from.

use super::{
    definition::{Definition, FacetSet},
    grant::Grant,
    schema::{Violation, merge},
    secret::Secret,
};
use crate::api::entitlement_instance::FacetFields;
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The fields of one facet.
pub type Fields = Map<String, Value>;

/// Secret values by facet and field.
pub type SecretFields = BTreeMap<String, BTreeMap<String, Secret<String>>>;

/// What gave a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layer {
    /// The schema's default.
    Default,
    /// The definition's preset.
    Preset,
    /// The instance's `spec.facets`, or its last valid ones.
    Instance,
    /// An amendment of the instance, by name.
    Amendment(String),
}

/// What one grant states, layer by layer, the last one on top.
#[derive(Clone, Debug, Default)]
pub struct Statement {
    layers: Vec<(Layer, Arc<FacetFields>)>,
}

impl Statement {
    /// The grant's own facets with the amendments (by index) that are in force, in their order.
    #[must_use]
    pub fn of(grant: &Grant, amendments: &[usize]) -> Self {
        let amended = amendments.iter().filter_map(|index| {
            let amendment = grant.amendments.get(*index)?;
            Some((Layer::Amendment(amendment.name.clone()), Arc::new(amendment.facets.clone()?)))
        });
        let own = (!grant.facets.is_empty()).then(|| (Layer::Instance, grant.facets.clone()));
        Self { layers: own.into_iter().chain(amended).collect() }
    }

    /// What was stated last and was valid.
    #[must_use]
    pub fn remembered(facets: &FacetFields) -> Self {
        Self { layers: vec![(Layer::Instance, Arc::new(facets.clone()))] }
    }

    /// All layers merged into one.
    #[must_use]
    pub fn merged(&self) -> FacetFields {
        let mut merged = FacetFields::new();
        for (_, facets) in &self.layers {
            for (name, fields) in facets.iter() {
                merge(merged.entry(name.clone()).or_default(), fields);
            }
        }
        merged
    }

    fn layer_of(&self, facet: &str, path: &[&str]) -> Option<&Layer> {
        self.layers
            .iter()
            .rev()
            .find(|(_, facets)| facets.get(facet).is_some_and(|fields| has(fields, path)))
            .map(|(layer, _)| layer)
    }
}

fn has(fields: &Fields, path: &[&str]) -> bool {
    let Some((first, rest)) = path.split_first() else { return true };
    match (fields.get(*first), rest) {
        (Some(_), []) => true,
        (Some(Value::Object(inner)), rest) => has(inner, rest),
        _ => false,
    }
}

/// The whole values of a definition's facets for what is stated: defaults, presets, statements (the last one on top), and
/// defaults once more inside the objects that are there.
///
/// # Errors
/// Where the values are too large to be filled with defaults.
pub fn complete<'a>(
    definition: &Definition,
    stated: &(impl Iterator<Item = &'a FacetFields> + Clone),
) -> Result<FacetFields, Vec<Violation>> {
    let whole = |facet: &FacetSet| {
        let mut fields = facet.base();
        for statement in stated.clone() {
            if let Some(over) = statement.get(&*facet.name) {
                merge(&mut fields, over);
            }
        }
        let filled = facet.schema.fill_defaults(&facet.name, &mut fields);
        filled.map(|()| fields).map_err(|violation| vec![violation])
    };
    definition.facets.values().map(|facet| Ok((facet.name.to_string(), whole(facet)?))).collect()
}

/// Which secret fields have a value, or a source that should give one.
pub type SuppliedSecrets = BTreeMap<String, BTreeSet<String>>;

/// The secret fields that a grant names a source for.
#[must_use]
pub fn supplied_secrets(grant: &Grant) -> SuppliedSecrets {
    let mut supplied = SuppliedSecrets::new();
    for source in &grant.secret_facets {
        supplied.entry(source.facet.clone()).or_default().insert(source.field.clone());
    }
    supplied
}

/// Checks whole values against the definition's schemas.
///
/// # Errors
/// What is wrong.
pub fn check_values(
    definition: &Definition,
    values: &FacetFields,
    supplied: &SuppliedSecrets,
) -> Result<(), Vec<Violation>> {
    let none = BTreeSet::new();
    let mut problems = Vec::new();
    for facet in definition.facets.values() {
        let Some(fields) = values.get(&*facet.name) else { continue };
        let supplied = supplied.get(&*facet.name).unwrap_or(&none);
        if let Err(violations) = facet.schema.validate(&facet.name, fields, supplied) {
            problems.extend(violations);
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Bytes of JSON that a grant may state: its status keeps a copy of it, and the API server stores 1.5 MiB of both together.
pub const MAX_STATED: usize = 640 * 1024;
/// The most bytes of JSON that a byte of text takes (`\u0000`).
const LONGEST_ESCAPE: u64 = 6;

/// Checks that what a grant states is not too large to be remembered.
///
/// # Errors
/// That it is, said of the largest facet.
pub fn check_size(stated: &FacetFields) -> Result<(), Vec<Violation>> {
    let roughly: u64 = stated.values().map(rough_size).sum();
    if roughly.saturating_mul(LONGEST_ESCAPE) <= MAX_STATED as u64 {
        return Ok(());
    }
    let size = |fields: &Fields| serde_json::to_vec(fields).map_or(usize::MAX, |json| json.len());
    let sizes: Vec<(&String, usize)> = stated.iter().map(|(name, fields)| (name, size(fields))).collect();
    let total =
        sizes.iter().fold(0_usize, |total, (name, size)| total.saturating_add(name.len()).saturating_add(*size));
    let largest = sizes.into_iter().max_by_key(|(_, size)| *size);
    let Some((facet, _)) = largest.filter(|_| total > MAX_STATED) else { return Ok(()) };
    let message = format!(
        "facets.{facet}: what the grant states comes to {total} bytes, and at most {MAX_STATED} can be kept: state less, or leave large texts to the workload"
    );
    Err(vec![Violation::beyond_schema(facet, None, "limit", message)])
}

/// A bound of the bytes of JSON, but for escapes.
fn rough_size(fields: &Fields) -> u64 {
    fn of_value(value: &Value) -> u64 {
        match value {
            Value::String(text) => text.len() as u64 + 3,
            Value::Array(items) => items.iter().map(of_value).sum::<u64>() + 3,
            Value::Object(fields) => rough_size(fields),
            Value::Null | Value::Bool(_) | Value::Number(_) => 26,
        }
    }
    fields.iter().map(|(name, value)| name.len() as u64 + 4 + of_value(value)).sum::<u64>() + 3
}

/// Checks that what a grant states names facets and secret fields that its definition has.
///
/// # Errors
/// What is wrong.
pub fn check_names(definition: &Definition, stated: &FacetFields, grant: &Grant) -> Result<(), Vec<Violation>> {
    let mut problems = Vec::new();
    for name in stated.keys().filter(|name| !definition.facets.contains_key(name.as_str())) {
        problems.push(unknown_facet(definition, name));
    }
    for source in &grant.secret_facets {
        let Some(facet) = definition.facets.get(source.facet.as_str()) else {
            problems.push(unknown_facet(definition, &source.facet));
            continue;
        };
        if !facet.schema.secret_fields().contains(&source.field) {
            let message = format!(
                "secretFacets: facets.{}.{} is not a secret field: state it under facets, or mark it writeOnly in the schema",
                source.facet, source.field
            );
            problems.push(Violation::beyond_schema(&source.facet, Some(&source.field), "writeOnly", message));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// What is valid in what a grant states, but hardly meant.
#[must_use]
pub fn doubts(definition: &Definition, stated: &FacetFields) -> Vec<Violation> {
    let facets = stated.iter().filter_map(|(name, fields)| Some((definition.facets.get(name.as_str())?, fields)));
    facets.flat_map(|(facet, fields)| facet.schema.stray_booleans(&facet.name, fields)).collect()
}

fn unknown_facet(definition: &Definition, name: &str) -> Violation {
    let known: Vec<&str> = definition.facets.keys().map(AsRef::as_ref).collect();
    let message = if known.is_empty() {
        format!("facets.{name}: definition {} has no facets", definition.name)
    } else {
        format!("facets.{name}: definition {} has no such facet; it has {}", definition.name, known.join(", "))
    };
    Violation::beyond_schema(name, None, "facets", message)
}

/// Where each value of merged facets comes from: facet → field path (joined by dots) → layer, and the index of the grant
/// that gave it. `statements` stand in the order of precedence, the first one wins.
#[must_use]
pub fn provenance(
    definition: &Definition,
    values: &FacetFields,
    statements: &[&Statement],
) -> BTreeMap<String, BTreeMap<String, (Layer, Option<usize>)>> {
    let mut all = BTreeMap::new();
    for (facet, fields) in values {
        let preset = definition.facets.get(facet.as_str()).map(|facet| &facet.preset);
        let mut of_facet = BTreeMap::new();
        leaves(fields, &mut Vec::new(), &mut |path| {
            let stated = statements
                .iter()
                .enumerate()
                .find_map(|(index, one)| Some((one.layer_of(facet, path)?.clone(), Some(index))));
            let preset = || preset.filter(|preset| has(preset, path)).map(|_| (Layer::Preset, None));
            of_facet.insert(path.join("."), stated.or_else(preset).unwrap_or((Layer::Default, None)));
        });
        all.insert(facet.clone(), of_facet);
    }
    all
}

fn leaves<'a>(fields: &'a Fields, path: &mut Vec<&'a str>, each: &mut impl FnMut(&[&str])) {
    for (name, value) in fields {
        path.push(name);
        match value {
            Value::Object(inner) if !inner.is_empty() => leaves(inner, path, each),
            _ => each(path),
        }
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::{FacetFields, MAX_STATED, check_size};
    use serde_json::json;

    fn stated(text: &str) -> FacetFields {
        serde_json::from_value(json!({"small": {"a": 1}, "large": {"text": text}})).unwrap()
    }

    #[test]
    fn what_is_stated_may_come_to_a_limit_to_the_byte() {
        let around = "small".len() + r#"{"a":1}"#.len() + "large".len() + r#"{"text":""}"#.len();
        assert_eq!(check_size(&stated(&"x".repeat(MAX_STATED - around))), Ok(()));
        let refused = check_size(&stated(&"x".repeat(MAX_STATED - around + 1))).unwrap_err();
        assert_eq!(
            refused[0].to_string(),
            "facets.large: what the grant states comes to 655361 bytes, and at most 655360 can be kept: state less, or leave large \
             texts to the workload"
        );
        assert_eq!((refused[0].facet.as_str(), refused[0].rule.as_str()), ("large", "limit"));
    }

    #[test]
    fn escapes_count_as_they_are_written() {
        assert_eq!(check_size(&stated(&"\0".repeat(MAX_STATED / 6 - 20))), Ok(()));
        assert!(check_size(&stated(&"\0".repeat(MAX_STATED / 6))).is_err());
    }
}
