//! What a definition says of its grants: type, amounts, durations and facets. (What is written downstream is `render`'s.)

use super::{
    amount::Amount,
    calendar::CalendarDuration,
    facets::Fields,
    schema::{Schema, merge},
};
use crate::api::{
    EntitlementDefinitionSpec,
    entitlement_definition::{Aggregation, EntitlementType, Facet},
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// Why a definition cannot be granted, as a condition's reason and message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct Problem {
    /// One word.
    pub reason: &'static str,
    /// A sentence that says what to do.
    pub message: String,
}

impl Problem {
    /// A problem for that reason.
    #[must_use]
    pub fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// A facet of a definition: its schema, and what it is preset to.
#[derive(Clone, Debug)]
pub struct FacetSet {
    /// Its name in the definition.
    pub name: Arc<str>,
    /// Its schema.
    pub schema: Schema,
    /// The definition's presets.
    pub preset: Fields,
    /// The schema's defaults for an empty object.
    pub defaults: Fields,
}

/// A definition, read.
#[derive(Clone, Debug)]
pub struct Definition {
    /// The handle.
    pub name: Arc<str>,
    /// For people.
    pub display_name: Option<String>,
    /// What kind of thing is granted.
    pub type_: EntitlementType,
    /// What is counted; absent for a Feature.
    pub unit: Option<String>,
    /// The default allotment; absent for a Feature.
    pub amount: Option<Amount>,
    /// Whether an organization may hold several chains.
    pub allow_multiple: bool,
    /// How amounts add up.
    pub aggregation: Aggregation,
    /// What gives an absent end.
    pub term: Option<CalendarDuration>,
    /// How long configuration stays after the end.
    pub grace: Option<CalendarDuration>,
    /// How long before the end notices are given, the longest first.
    pub notices: Vec<CalendarDuration>,
    /// The facets, by name.
    pub facets: BTreeMap<Arc<str>, FacetSet>,
}

impl Definition {
    /// Reads a definition with the schemas of the FacetDefinitions that it refers to.
    ///
    /// # Errors
    /// The first problem, as a condition's reason and message.
    pub fn read(
        name: &str,
        spec: &EntitlementDefinitionSpec,
        schemas: &BTreeMap<String, Value>,
    ) -> Result<Self, Problem> {
        check_shape(spec)?;
        let amount = spec.amount.as_ref().map(Amount::read).transpose();
        let facets = spec.facets.iter().map(|facet| FacetSet::read(facet, schemas)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            name: name.into(),
            display_name: spec.display_name.clone(),
            type_: spec.type_,
            unit: spec.unit.clone(),
            amount: amount.map_err(|error| Problem::new("InvalidAmount", error.to_string()))?,
            allow_multiple: spec.allow_multiple,
            aggregation: spec.aggregation,
            term: term(spec)?,
            grace: duration("gracePeriod", spec.grace_period.as_deref())?.filter(|grace| !grace.is_zero()),
            notices: notices(spec)?,
            facets: facets.into_iter().map(|facet| (facet.name.clone(), facet)).collect(),
        })
    }
}

/// What the CRD's rules refuse too: manifests that are read from files have not passed them.
fn check_shape(spec: &EntitlementDefinitionSpec) -> Result<(), Problem> {
    let is_feature = spec.type_ == EntitlementType::Feature;
    match (is_feature, spec.amount.is_some(), spec.unit.is_some()) {
        (true, false, false) | (false, true, true) => Ok(()),
        (true, _, _) => Err(Problem::new(
            "InvalidAmount",
            "a Feature is on or off: remove amount and unit, or use type Quantity or Credit",
        )),
        (false, _, _) => Err(Problem::new("InvalidAmount", "a Quantity or Credit needs both amount and unit")),
    }
}

fn term(spec: &EntitlementDefinitionSpec) -> Result<Option<CalendarDuration>, Problem> {
    let term = duration("term", spec.term.as_deref())?;
    if term.is_some_and(|term| term.is_zero()) {
        return Err(Problem::new(
            "InvalidDuration",
            "term: a term of no time would never be in force; leave it out for a perpetual grant",
        ));
    }
    Ok(term)
}

fn notices(spec: &EntitlementDefinitionSpec) -> Result<Vec<CalendarDuration>, Problem> {
    spec.renewal_notices.iter().filter_map(|text| duration("renewalNotices", Some(text)).transpose()).collect()
}

fn duration(field: &str, text: Option<&str>) -> Result<Option<CalendarDuration>, Problem> {
    let read = |text: &str| text.parse::<CalendarDuration>();
    text.map(read).transpose().map_err(|error| Problem::new("InvalidDuration", format!("{field}: {error}")))
}

impl FacetSet {
    /// Reads a facet of a definition with the schemas of the FacetDefinitions that it may refer to.
    ///
    /// # Errors
    /// The first problem, as a condition's reason and message.
    pub fn read(facet: &Facet, schemas: &BTreeMap<String, Value>) -> Result<Self, Problem> {
        let schema = match (&facet.definition, &facet.schema) {
            (Some(definition), None) => schemas.get(definition).ok_or_else(|| {
                let message = format!(
                    "facet {}: there is no FacetDefinition {definition}: make it, or give a schema here",
                    facet.name
                );
                Problem::new("FacetNotFound", message)
            })?,
            (None, Some(schema)) => schema,
            _ => {
                let message = format!("facet {} needs exactly one of definition and schema", facet.name);
                return Err(Problem::new("InvalidSchema", message));
            }
        };
        let schema = Schema::compile(schema)
            .map_err(|error| Problem::new("InvalidSchema", format!("facet {}: {error}", facet.name)))?;
        let preset = facet.values.clone().unwrap_or_default();
        check_preset(&facet.name, &schema, &preset)?;
        Ok(Self { name: facet.name.as_str().into(), defaults: schema.empty_defaults().clone(), schema, preset })
    }

    /// The schema's defaults with the presets over them.
    #[must_use]
    pub fn base(&self) -> Fields {
        let mut base = self.defaults.clone();
        merge(&mut base, &self.preset);
        base
    }
}

fn check_preset(facet: &str, schema: &Schema, preset: &Fields) -> Result<(), Problem> {
    if let Some(secret) = preset.keys().find(|field| schema.secret_fields().contains(*field)) {
        let message = format!(
            "facets.{facet}.{secret} is a secret field and cannot be preset: instances give it under secretFacets"
        );
        return Err(Problem::new("SecretInPlain", message));
    }
    let mut filled = preset.clone();
    let violations = match schema.fill_defaults(facet, &mut filled) {
        Ok(()) => schema.validate_partial(facet, &filled),
        Err(violation) => Err(vec![violation]),
    };
    violations.map_err(|violations| {
        let all: Vec<String> = violations.iter().map(ToString::to_string).collect();
        Problem::new("InvalidPreset", all.join("; "))
    })
}
