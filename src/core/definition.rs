//! What a definition says about its grants: type, amounts, durations, and facets. (Its outputs are `render`'s.)

use super::{
    amount::{Allotment, Amount},
    approval::Requirements,
    calendar::CalendarDuration,
    facets::Fields,
    problem::Problem,
    reason::ReasonCode,
    schema::{InvalidSchema, Schema, Violation, merge},
    usage::rules::UsageRules,
};
use crate::api::{
    EntitlementDefinitionSpec,
    entitlement_definition::{Aggregation, EntitlementType, Facet, Rollout},
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// The schemas of FacetDefinitions, by name. Whoever needs one shares it.
pub type Schemas = BTreeMap<String, Arc<Value>>;

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
    /// How an edit of that reaches the grants that state none.
    pub rollout: Rollout,
    /// Whether an organization may hold several chains.
    pub allow_multiple: bool,
    /// How amounts add up.
    pub aggregation: Aggregation,
    /// What gives an absent end.
    pub term: Option<CalendarDuration>,
    /// How long configuration stays after the end.
    pub grace: Option<CalendarDuration>,
    /// How long before the end notices are given, as the definition lists them.
    pub notices: Vec<CalendarDuration>,
    /// What its overrides need.
    pub overrides: Requirements,
    /// How it is metered, where it is.
    pub usage: Option<Arc<UsageRules>>,
    /// The facets, by name.
    pub facets: BTreeMap<Arc<str>, FacetSet>,
}

impl Definition {
    /// Reads a definition with the schemas of the FacetDefinitions that it refers to.
    ///
    /// # Errors
    /// The first problem, as a condition's reason and message.
    pub fn read(name: &str, spec: &EntitlementDefinitionSpec, schemas: &Schemas) -> Result<Self, Problem> {
        Self::read_by(name, spec, schemas, Schema::compile)
    }

    /// Reads a definition that was valid once, and serves for as long as nothing newer does.
    ///
    /// # Errors
    /// The first problem, as a condition's reason and message.
    pub fn read_kept(name: &str, spec: &EntitlementDefinitionSpec, schemas: &Schemas) -> Result<Self, Problem> {
        Self::read_by(name, spec, schemas, Schema::compile_kept)
    }

    /// What it says of the amount of the grants that state none.
    #[must_use]
    pub fn allotment(&self) -> Allotment {
        match (self.amount, self.rollout) {
            (None, _) => Allotment::None,
            (Some(amount), Rollout::Agreed) => Allotment::Agreed(amount),
            (Some(amount), Rollout::Everyone) => Allotment::Everyone(amount),
        }
    }

    fn read_by(
        name: &str,
        spec: &EntitlementDefinitionSpec,
        schemas: &Schemas,
        compile: Compile,
    ) -> Result<Self, Problem> {
        check_shape(spec)?;
        let amount = spec.amount.as_ref().map(Amount::read).transpose();
        let facets = spec.facets.iter().map(|facet| FacetSet::read_by(facet, schemas, compile));
        let facets = facets.collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            name: name.into(),
            display_name: spec.display_name.clone(),
            type_: spec.type_,
            unit: spec.unit.clone(),
            amount: amount.map_err(|error| Problem::new(ReasonCode::InvalidAmount, error.to_string()))?,
            rollout: spec.rollout,
            allow_multiple: spec.allow_multiple,
            aggregation: spec.aggregation,
            term: read_term(spec.term.as_deref())?,
            grace: read_grace(spec.grace_period.as_deref())?,
            notices: read_notices(&spec.renewal_notices)?,
            overrides: Requirements::read(&spec.overrides)?,
            usage: read_usage(spec)?,
            facets: facets.into_iter().map(|facet| (facet.name.clone(), facet)).collect(),
        })
    }
}

/// How schemas are compiled: by the rules of now, or those of what was valid once.
type Compile = fn(&Value) -> Result<Schema, InvalidSchema>;

/// A grace period of no time is none.
#[must_use]
pub fn grace_of(stated: Option<CalendarDuration>) -> Option<CalendarDuration> {
    stated.filter(|grace| !grace.is_zero())
}

/// What the CRD's rules refuse too: manifests that are read from files have not passed them.
fn check_shape(spec: &EntitlementDefinitionSpec) -> Result<(), Problem> {
    let is_feature = spec.type_ == EntitlementType::Feature;
    match (is_feature, spec.amount.is_some(), spec.unit.is_some()) {
        (true, false, false) | (false, true, true) => Ok(()),
        (true, _, _) => Err(Problem::new(
            ReasonCode::InvalidAmount,
            "a Feature is on or off: remove amount and unit, or use type Quantity or Credit",
        )),
        (false, _, _) => {
            Err(Problem::new(ReasonCode::InvalidAmount, "a Quantity or Credit needs both amount and unit"))
        }
    }
}

fn read_usage(spec: &EntitlementDefinitionSpec) -> Result<Option<Arc<UsageRules>>, Problem> {
    let Some(usage) = &spec.usage else { return Ok(None) };
    if spec.type_ == EntitlementType::Feature {
        let message = "usage: a Feature is on or off and is not metered: remove usage, or use type Quantity or Credit";
        return Err(Problem::new(ReasonCode::InvalidUsage, message));
    }
    UsageRules::read(usage).map(Arc::new).map(Some)
}

/// Reads what gives an absent end.
///
/// # Errors
/// `InvalidDuration`, where it is unreadable or no time.
pub fn read_term(text: Option<&str>) -> Result<Option<CalendarDuration>, Problem> {
    let term = duration("term", text)?;
    if term.is_some_and(|term| term.is_zero()) {
        return Err(Problem::new(
            ReasonCode::InvalidDuration,
            "term: a term of no time would never be in force; leave it out for a perpetual grant",
        ));
    }
    Ok(term)
}

/// Reads how long everything stays after the end.
///
/// # Errors
/// `InvalidDuration`, where it is unreadable.
pub fn read_grace(text: Option<&str>) -> Result<Option<CalendarDuration>, Problem> {
    Ok(grace_of(duration("gracePeriod", text)?))
}

/// Reads how long before the end notices are given.
///
/// # Errors
/// `InvalidDuration`, where one is unreadable.
pub fn read_notices(texts: &[String]) -> Result<Vec<CalendarDuration>, Problem> {
    texts.iter().filter_map(|text| duration("renewalNotices", Some(text)).transpose()).collect()
}

fn duration(field: &str, text: Option<&str>) -> Result<Option<CalendarDuration>, Problem> {
    let read = |text: &str| text.parse::<CalendarDuration>();
    text.map(read).transpose().map_err(|error| Problem::new(ReasonCode::InvalidDuration, format!("{field}: {error}")))
}

impl FacetSet {
    /// Reads a facet of a definition with the schemas of the FacetDefinitions that it may refer to.
    ///
    /// # Errors
    /// The first problem, as a condition's reason and message.
    pub fn read(facet: &Facet, schemas: &Schemas) -> Result<Self, Problem> {
        Self::read_by(facet, schemas, Schema::compile)
    }

    fn read_by(facet: &Facet, schemas: &Schemas, compile: Compile) -> Result<Self, Problem> {
        let schema = match (&facet.definition, &facet.schema) {
            (Some(definition), None) => schemas.get(definition).ok_or_else(|| {
                let message = format!(
                    "facet {}: there is no FacetDefinition {definition}: make it, or give a schema here",
                    facet.name
                );
                Problem::new(ReasonCode::FacetNotFound, message)
            })?,
            (None, Some(schema)) => schema,
            _ => {
                let message = format!("facet {} needs exactly one of definition and schema", facet.name);
                return Err(Problem::new(ReasonCode::InvalidSchema, message));
            }
        };
        let schema = compile(schema)
            .map_err(|error| Problem::new(ReasonCode::InvalidSchema, format!("facet {}: {error}", facet.name)))?;
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

    /// What is wrong with values that stand over the presets for everybody who gets them: what is missing, each may still state.
    /// None of them may be a secret field.
    #[must_use]
    pub fn faults(&self, stated: &Fields) -> Vec<Violation> {
        let secrets: Vec<_> = secrets_in(&self.schema, stated).map(|field| self.secret_in_plain(field)).collect();
        if !secrets.is_empty() {
            return secrets;
        }
        let mut over = self.preset.clone();
        merge(&mut over, stated);
        check_partial(&self.name, &self.schema, over).err().unwrap_or_default()
    }

    fn secret_in_plain(&self, field: &str) -> Violation {
        let message =
            format!("facets.{}.{field} is a secret field: each client gives it under secretFacets", self.name);
        Violation::beyond_schema(&self.name, Some(field), ReasonCode::SecretInPlain.as_str(), message)
    }
}

fn secrets_in<'a>(schema: &'a Schema, fields: &'a Fields) -> impl Iterator<Item = &'a String> {
    fields.keys().filter(|field| schema.secret_fields().contains(*field))
}

/// Checks values that are not all there yet.
fn check_partial(facet: &str, schema: &Schema, mut fields: Fields) -> Result<(), Vec<Violation>> {
    schema.fill_defaults(facet, &mut fields).map_err(|violation| vec![violation])?;
    schema.validate_partial(facet, &fields)
}

fn check_preset(facet: &str, schema: &Schema, preset: &Fields) -> Result<(), Problem> {
    if let Some(secret) = secrets_in(schema, preset).next() {
        let message = format!(
            "facets.{facet}.{secret} is a secret field and cannot be preset: instances give it under secretFacets"
        );
        return Err(Problem::new(ReasonCode::SecretInPlain, message));
    }
    check_partial(facet, schema, preset.clone()).map_err(|violations| {
        let all: Vec<String> = violations.iter().map(ToString::to_string).collect();
        Problem::new(ReasonCode::InvalidPreset, all.join("; "))
    })
}

#[cfg(test)]
mod tests {
    use super::{Definition, Problem};
    use crate::{
        api::EntitlementDefinitionSpec,
        core::{amount::Amount, reason::ReasonCode},
    };
    use rstest::rstest;
    use serde_json::{Value, json};
    use std::{collections::BTreeMap, sync::Arc};

    fn read(spec: Value) -> Result<Definition, Problem> {
        let spec: EntitlementDefinitionSpec = serde_json::from_value(spec).unwrap();
        let schemas = BTreeMap::from([(
            "backup".to_owned(),
            Arc::new(json!({"type": "object", "properties": {
                "retention": {"type": "integer", "maximum": 365, "default": 30},
                "region": {"type": "string"},
                "password": {"type": "string", "writeOnly": true},
            }})),
        )]);
        Definition::read("storage", &spec, &schemas)
    }

    #[test]
    fn several_problems_are_told_as_one() {
        assert_eq!(Problem::all(vec![]), None);
        let problem = |number: usize| {
            Problem::new(ReasonCode::InvalidOutput, format!("p{number}")).at(format!("/outputs/{number}"))
        };
        assert_eq!(Problem::all(vec![problem(3)]), Some(problem(3)));
        let told = Problem::all((0..12).map(problem).collect()).unwrap();
        assert_eq!(told.message, "p0; p1; p2; p3; p4; p5; p6; p7; p8; p9; and 2 more");
        assert_eq!((told.reason.as_str(), told.pointer.as_str()), ("InvalidOutput", "/outputs/0"));
        let secret = Problem::new(ReasonCode::SecretInConfigMap, "secret").at("/outputs/1/items/0/template");
        let told = Problem::all(vec![problem(0), secret.clone()]).unwrap();
        assert_eq!((told.reason, told.message.as_str(), told.pointer), (secret.reason, "p0; secret", secret.pointer));
    }

    #[test]
    fn a_definition_is_read_as_it_is_written() {
        let definition = read(json!({
            "type": "Quantity", "unit": "seats", "amount": "2.50", "term": "P1Y", "gracePeriod": "P14D",
            "renewalNotices": ["P7D", "P30D"],
            "facets": [{"name": "backup", "definition": "backup", "values": {"region": "eu"}}],
        }))
        .unwrap();
        assert_eq!(definition.amount.map(|amount: Amount| amount.to_string()).as_deref(), Some("2.5"));
        assert_eq!(definition.unit.as_deref(), Some("seats"));
        let text = |duration: Option<crate::core::calendar::CalendarDuration>| duration.map(|one| one.to_string());
        assert_eq!(text(definition.term).as_deref(), Some("P1Y"));
        assert_eq!(text(definition.grace).as_deref(), Some("P14D"));
        assert_eq!(definition.notices.iter().map(ToString::to_string).collect::<Vec<_>>(), ["P7D", "P30D"]);
        let base = definition.facets["backup"].base();
        assert_eq!(Value::Object(base), json!({"retention": 30, "region": "eu"}));
    }

    #[test]
    fn a_grace_period_of_no_time_is_none() {
        assert_eq!(read(json!({"type": "Feature", "gracePeriod": "PT0S"})).unwrap().grace, None);
    }

    #[rstest]
    #[case::no_unit(json!({"type": "Quantity", "amount": 1}), "InvalidAmount: a Quantity or Credit needs both amount and unit")]
    #[case::no_amount(json!({"type": "Credit", "unit": "hours"}), "InvalidAmount: a Quantity or Credit needs both amount and unit")]
    #[case::an_amount(
        json!({"type": "Feature", "amount": 1}),
        "InvalidAmount: a Feature is on or off: remove amount and unit, or use type Quantity or Credit"
    )]
    #[case::a_unit(
        json!({"type": "Feature", "unit": "hours"}),
        "InvalidAmount: a Feature is on or off: remove amount and unit, or use type Quantity or Credit"
    )]
    #[case::no_term(
        json!({"type": "Feature", "term": "PT0S"}),
        "InvalidDuration: term: a term of no time would never be in force; leave it out for a perpetual grant"
    )]
    #[case::both(
        json!({"type": "Feature", "facets": [{"name": "a", "definition": "backup", "schema": {"type": "object"}}]}),
        "InvalidSchema: facet a needs exactly one of definition and schema"
    )]
    #[case::unknown(
        json!({"type": "Feature", "facets": [{"name": "a", "definition": "restore"}]}),
        "FacetNotFound: facet a: there is no FacetDefinition restore: make it, or give a schema here"
    )]
    #[case::a_secret_preset(
        json!({"type": "Feature", "facets": [{"name": "a", "definition": "backup", "values": {"password": "x"}}]}),
        "SecretInPlain: facets.a.password is a secret field and cannot be preset: instances give it under secretFacets"
    )]
    #[case::an_invalid_preset(
        json!({"type": "Feature", "facets": [{"name": "a", "definition": "backup", "values": {"retention": 400}}]}),
        "InvalidPreset: facets.a.retention: 400 is more than the maximum 365"
    )]
    fn what_cannot_be_granted_says_why(#[case] spec: Value, #[case] problem: &str) {
        assert_eq!(read(spec).unwrap_err().to_string(), problem);
    }

    /// What it was valid with goes on, whatever is asked of schemas since.
    #[test]
    fn a_definition_that_was_valid_once_is_read_by_the_rules_of_then() {
        let spec = json!({"type": "Feature", "facets": [{"name": "a", "schema": {"type": "object", "properties": {
            "disk": {"properties": {"size": {"type": "integer", "maximum": 10, "default": 30}}},
            "token": {"type": "string", "writeOnly": true, "pattern": "^a"},
        }}}]});
        let problem = read(spec.clone()).unwrap_err();
        assert_eq!(problem.reason, "InvalidSchema");
        let spec: EntitlementDefinitionSpec = serde_json::from_value(spec).unwrap();
        let kept = Definition::read_kept("storage", &spec, &BTreeMap::new()).unwrap();
        let secrets: Vec<&String> = kept.facets["a"].schema.secret_fields().iter().collect();
        assert_eq!(secrets, ["token"]);
    }

    #[test]
    fn unreadable_durations_are_named_by_their_field() {
        for (field, value) in
            [("term", json!("1 year")), ("gracePeriod", json!("1 year")), ("renewalNotices", json!(["P1D", "1 year"]))]
        {
            let problem = read(json!({"type": "Feature", field: value})).unwrap_err();
            assert_eq!(problem.reason, "InvalidDuration");
            assert!(problem.message.starts_with(&format!("{field}: ")), "{problem}");
        }
    }
}
