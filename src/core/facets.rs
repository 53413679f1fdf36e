//! The facets of grants: layers, precedence, and the origin of each value.

mod origin;

pub use origin::{Claim, claims, each_value, joined, provenance, split, unstated};

use super::{
    definition::{Definition, FacetSet},
    grant::Grant,
    name::{data_key, dns_subdomain},
    schema::{Violation, merge},
    secret::Secret,
};
use crate::api::facet_fields::{FacetFields, SecretFacet};
use serde::Serialize;
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use utoipa::ToSchema;

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
    /// What the source states itself, or the last of it that was valid.
    Source,
    /// The plan in force of a subscription.
    Plan(Arc<str>),
    /// An add-on of a subscription, by the entry's name.
    AddOn(Arc<str>),
    /// What a subscription configures.
    Configure,
    /// What a subscription adds, by the entry's name.
    Add(Arc<str>),
    /// An amendment of the grant, by name.
    Amendment(String),
}

/// What of a source a layer is, where it has several of a kind: its name in the field of its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SourcePart)]
pub struct LayerNames {
    /// The plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    pub plan: Option<Arc<str>>,
    /// The entry of an add-on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    pub entry: Option<Arc<str>>,
    /// The name of what is added.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    pub name: Option<Arc<str>>,
    /// The amendment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    pub amendment: Option<Arc<str>>,
}

impl Layer {
    /// What of its source it is.
    #[must_use]
    pub fn names(&self) -> LayerNames {
        let mut names = LayerNames::default();
        match self {
            Self::Default | Self::Preset | Self::Source | Self::Configure => {}
            Self::Plan(plan) => names.plan = Some(Arc::clone(plan)),
            Self::AddOn(entry) => names.entry = Some(Arc::clone(entry)),
            Self::Add(name) => names.name = Some(Arc::clone(name)),
            Self::Amendment(amendment) => names.amendment = Some(amendment.as_str().into()),
        }
        names
    }
}

/// What one grant states, layer by layer, the last one on top.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statement {
    layers: Box<[(Layer, Arc<FacetFields>)]>,
}

impl Statement {
    /// The grant's own facets with the amendments (by index) that are in force, in their order.
    #[must_use]
    pub fn of(grant: &Grant, amendments: &[usize]) -> Self {
        let amended = amendments.iter().filter_map(|index| {
            let amendment = grant.amendments.get(*index)?;
            Some((Layer::Amendment(amendment.name.clone()), Arc::new(amendment.facets.clone()?)))
        });
        let own = (!grant.facets.is_empty()).then(|| (Layer::Source, grant.facets.clone()));
        Self { layers: own.into_iter().chain(amended).collect() }
    }

    /// Layers as they stand, the last one on top. Those that state nothing are left out.
    #[must_use]
    pub fn layered(layers: impl Iterator<Item = (Layer, Arc<FacetFields>)>) -> Self {
        Self { layers: layers.filter(|(_, facets)| !facets.is_empty()).collect() }
    }

    /// What was stated last and was valid.
    #[must_use]
    pub fn remembered(facets: Arc<FacetFields>) -> Self {
        Self { layers: [(Layer::Source, facets)].into() }
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

    /// The layers that state a value, from the topmost on, and the value.
    fn states<'a>(&'a self, facet: &'a str, path: &'a [&'a str]) -> impl Iterator<Item = (&'a Layer, &'a Value)> {
        let layers = self.layers.iter().rev();
        layers.filter_map(move |(layer, facets)| Some((layer, find(facets.get(facet)?, path)?)))
    }
}

fn find<'a>(fields: &'a Fields, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    let value = fields.get(*first)?;
    if rest.is_empty() { Some(value) } else { find(value.as_object()?, rest) }
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
    let whole = |facet: &FacetSet| complete_facet(facet, stated.clone()).map_err(|violation| vec![violation]);
    definition.facets.values().map(|facet| Ok((facet.name.to_string(), whole(facet)?))).collect()
}

/// The same of one facet.
///
/// # Errors
/// Where the values are too large to be filled with defaults.
pub fn complete_facet<'a>(
    facet: &FacetSet,
    stated: impl Iterator<Item = &'a FacetFields>,
) -> Result<Fields, Violation> {
    let mut fields = facet.base();
    for statement in stated {
        if let Some(over) = statement.get(&*facet.name) {
            merge(&mut fields, over);
        }
    }
    facet.schema.fill_defaults(&facet.name, &mut fields)?;
    Ok(fields)
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

/// How many bytes of JSON that is.
#[must_use]
pub fn stated_bytes(stated: &FacetFields) -> usize {
    serde_json::to_vec(stated).map_or(usize::MAX, |json| json.len())
}

/// That what several grants of one source state is too large together, said of the one with which it is.
#[must_use]
pub fn too_large_together(stated: &FacetFields) -> Violation {
    let facet = stated.keys().next().map_or("", String::as_str);
    let message = format!(
        "facets.{facet}: with it, what the subscription states comes to more than {MAX_STATED} bytes, and at most so many can be kept: state less, or leave large texts to the workload"
    );
    Violation::beyond_schema(facet, None, "limit", message)
}

/// A bound of the bytes of JSON, not counting escapes.
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
            problems.push(Violation::of_secret_source(&source.facet, &source.field, "writeOnly", message));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Checks that a Secret can have the name and the key that a secret field is taken from.
///
/// # Errors
/// What is wrong.
pub fn check_source(source: &SecretFacet) -> Result<(), Violation> {
    let reference = &source.secret_key_ref;
    let name = dns_subdomain(&reference.name).map_err(|fault| ("name", fault));
    let wrong = name.and_then(|()| data_key(&reference.key).map_err(|fault| ("key", fault)));
    wrong.map_err(|(part, fault)| {
        let message = format!("secretFacets: facets.{}.{}: secretKeyRef.{part} {fault}", source.facet, source.field);
        Violation::of_secret_source(&source.facet, &source.field, "secretKeyRef", message)
    })
}

/// The Secrets, by namespace and name, that a grant takes values from. One that no Secret can be called is none.
pub fn sources(grant: &Grant) -> impl Iterator<Item = (Arc<str>, Arc<str>)> {
    grant.secret_facets.iter().filter_map(|source| possible_source(&grant.id.source.namespace, source))
}

/// The Secret that a source in a namespace names; none where no Secret can be called that.
#[must_use]
pub fn possible_source(namespace: &Arc<str>, source: &SecretFacet) -> Option<(Arc<str>, Arc<str>)> {
    check_source(source).ok()?;
    Some((Arc::clone(namespace), source.secret_key_ref.name.as_str().into()))
}

/// What is valid in what a grant states, but hardly meant.
#[must_use]
pub fn doubts(definition: &Definition, stated: &FacetFields) -> Vec<Violation> {
    let facets = stated.iter().filter_map(|(name, fields)| Some((definition.facets.get(name.as_str())?, fields)));
    facets.flat_map(|(facet, fields)| facet.schema.stray_booleans(&facet.name, fields)).collect()
}

/// What is wrong with naming a facet that a definition has not.
#[must_use]
pub fn unknown_facet(definition: &Definition, name: &str) -> Violation {
    let known: Vec<&str> = definition.facets.keys().map(AsRef::as_ref).collect();
    let message = if known.is_empty() {
        format!("facets.{name}: definition {} has no facets", definition.name)
    } else {
        format!("facets.{name}: definition {} has no such facet; it has {}", definition.name, known.join(", "))
    };
    Violation::of_unknown_facet(name, message)
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
