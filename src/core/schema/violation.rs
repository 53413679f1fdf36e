//! What is wrong with a facet's values, and where.

use std::fmt;

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use jsonschema::paths::LocationSegment;
use serde_json::{Map, Value};

use super::keyword;
use super::message;
use super::phrase::{self, Visibility};
use super::unknown_field;

/// At most so many violations are reported for one check.
pub(super) const MAX_VIOLATIONS: usize = 20;
/// The rule of a secret field that was given in plain.
const SECRET_IN_PLAIN: &str = "SecretInPlain";

/// The rule of a facet that the definition has not.
const UNKNOWN_FACET: &str = "facets";
/// The rules by which a name is wrong, and not what stands under it.
const RULES_OF_NAMES: [&str; 3] = [UNKNOWN_FACET, "additionalProperties", "unevaluatedProperties"];

/// The field of a grant in which something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantField {
    /// `facets`, its own or those of an amendment.
    Facets,
    /// `secretFacets`.
    SecretFacets,
}

/// One thing that is wrong in the values of a facet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The facet.
    pub facet: String,
    /// JSON pointer into the facet's values; empty for the facet itself.
    pub pointer: String,
    /// The keyword of the schema that was not met; `SecretInPlain` where a secret field was given among the values, and
    /// `limit` where the values are too large to be checked.
    pub rule: String,
    /// `facets.<facet>.<field>: <what is wrong>`, with the value shortened, and never that of a secret field.
    pub message: String,
    /// Which field of the grant has it.
    pub field: GrantField,
}

impl Violation {
    /// Something that the schema alone does not say about a field of a facet, or about the facet where no field is given.
    /// The message is a sentence that begins with the place.
    #[must_use]
    pub fn beyond_schema(facet: &str, field: Option<&str>, rule: &str, message: String) -> Self {
        let facet = FieldPlace::facet(facet);
        let place = field.into_iter().fold(facet, FieldPlace::field);
        Self { facet: place.facet, pointer: place.pointer, rule: rule.to_owned(), message, field: GrantField::Facets }
    }

    /// A facet that the definition has not.
    #[must_use]
    pub fn of_unknown_facet(facet: &str, message: String) -> Self {
        Self::beyond_schema(facet, None, UNKNOWN_FACET, message)
    }

    /// What is wrong with where a secret field is taken from.
    #[must_use]
    pub fn of_secret_source(facet: &str, field: &str, rule: &str, message: String) -> Self {
        Self { field: GrantField::SecretFacets, ..Self::beyond_schema(facet, Some(field), rule, message) }
    }

    /// JSON pointer into the facets by name.
    #[must_use]
    pub fn pointer_in_facets(&self) -> String {
        let mut pointer = String::new();
        keyword::push_token(&mut pointer, &self.facet);
        pointer.push_str(&self.pointer);
        pointer
    }

    /// Whether the name is wrong, and not what stands under it.
    #[must_use]
    pub fn is_of_name(&self) -> bool {
        RULES_OF_NAMES.contains(&self.rule.as_str())
    }

    /// Whether a secret field was given among the plain values.
    #[must_use]
    pub fn is_secret_in_plain(&self) -> bool {
        self.rule == SECRET_IN_PLAIN
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

/// A place in a facet's values, in the two forms in which it is reported.
#[derive(Debug, Clone)]
pub(super) struct FieldPlace {
    facet: String,
    path: String,
    pointer: String,
}

impl FieldPlace {
    pub(super) fn facet(name: &str) -> Self {
        Self { facet: name.to_owned(), path: format!("facets.{}", phrase::shorten(name)), pointer: String::new() }
    }

    /// A value by itself, as it stands in a schema.
    pub(super) fn value() -> Self {
        Self { facet: String::new(), path: String::new(), pointer: String::new() }
    }

    pub(super) fn field(mut self, name: &str) -> Self {
        keyword::push_token(&mut self.pointer, name);
        phrase::push_field(&mut self.path, name);
        self
    }

    pub(super) fn item(mut self, index: usize) -> Self {
        keyword::push_token(&mut self.pointer, &index.to_string());
        phrase::push_item(&mut self.path, index);
        self
    }

    fn of(&self, error: &ValidationError<'_>) -> Self {
        error.instance_path().segments().fold(self.clone(), |place, segment| match segment {
            LocationSegment::Property(name) => place.field(&name),
            LocationSegment::Index(index) => place.item(index),
        })
    }

    pub(super) fn violation(&self, rule: &str, text: &str) -> Violation {
        Violation {
            facet: self.facet.clone(),
            pointer: self.pointer.clone(),
            rule: rule.to_owned(),
            message: match self.path.trim_start_matches('.') {
                "" => text.to_owned(),
                path => format!("{path}: {text}"),
            },
            field: GrantField::Facets,
        }
    }

    pub(super) fn secret_in_plain(&self) -> Violation {
        let text = "is secret and must not stand here; put the value into a Secret and name that under secretFacets";
        self.violation(SECRET_IN_PLAIN, text)
    }
}

/// The violations that errors of a validator of `document` stand for, each once.
pub(super) fn from_errors(
    place: &FieldPlace,
    document: &Value,
    errors: &[ValidationError<'_>],
    subject: Visibility,
) -> Vec<Violation> {
    let mut found = Vec::new();
    for violation in errors.iter().flat_map(|error| from_error(place, document, error, subject)) {
        if found.len() == MAX_VIOLATIONS {
            break;
        }
        if !found.contains(&violation) {
            found.push(violation);
        }
    }
    found
}

fn from_error(
    place: &FieldPlace,
    document: &Value,
    error: &ValidationError<'_>,
    subject: Visibility,
) -> Vec<Violation> {
    let place = place.of(error);
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let known = known_fields(document, error);
            let rule = message::rule(error);
            unexpected
                .iter()
                .take(MAX_VIOLATIONS)
                .map(|name| {
                    let text = unknown_field::explain(name, &known);
                    place.clone().field(name).violation(&rule, &text)
                })
                .collect()
        }
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let text = message::missing_field(error, name);
            vec![place.field(name).violation(&message::rule(error), &text)]
        }
        _ => {
            let text = message::describe(error, subject);
            vec![place.violation(&message::rule(error), &text)]
        }
    }
}

/// The fields that the schema names where an unknown one was found.
fn known_fields<'a>(document: &'a Value, error: &ValidationError<'_>) -> Vec<&'a str> {
    let keyword = error.schema_path().as_str();
    let schema = keyword.rsplit_once('/').and_then(|(parent, _)| document.pointer(parent)?.as_object());
    let Some(schema) = schema else {
        return Vec::new();
    };
    let speaking =
        if keyword.ends_with("/unevaluatedProperties") { keyword::same_value(document, schema) } else { vec![schema] };
    let mut known: Vec<&str> = speaking
        .into_iter()
        .filter_map(|schema| schema.get("properties")?.as_object())
        .flat_map(Map::keys)
        .map(String::as_str)
        .collect();
    known.sort_unstable();
    known.dedup();
    known
}
