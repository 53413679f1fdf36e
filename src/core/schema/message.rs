//! The words for what is wrong.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::Value;

use super::alternatives;
use super::phrase::{Visibility, count, format_words, given, list, none_of_types, quote, shorten, show, type_words};
use super::unknown_field;

/// The keyword that an error is about; `false` for the schema `false`.
pub(super) fn rule(error: &ValidationError<'_>) -> String {
    let last = error.schema_path().as_str().rsplit('/').next();
    let rule = match (error.kind(), last) {
        (Kind::Required { .. }, Some(last @ "dependentRequired"))
        | (Kind::Contains, Some(last @ ("minContains" | "maxContains"))) => last,
        (Kind::FalseSchema, _) => "false",
        (kind, _) => kind.keyword(),
    };
    rule.to_owned()
}

/// What is wrong, without the place.
pub(crate) fn describe(error: &ValidationError<'_>, subject: Visibility) -> String {
    explain(error, subject, 0)
}

/// [`describe`] inside of `level` alternatives.
pub(super) fn explain(error: &ValidationError<'_>, subject: Visibility, level: usize) -> String {
    let value = error.instance();
    let shown = subject.show(value);
    match error.kind() {
        Kind::Type { kind } => wrong_type(value, &shown, kind),
        Kind::Enum { options } => no_option(&shown, options, subject),
        Kind::Constant { expected_value } => not_constant(&shown, expected_value, subject),
        Kind::Pattern { pattern } => {
            format!("{shown} does not match the pattern {}", shorten(pattern))
        }
        Kind::Format { format } => format!("{shown} is not {}", format_words(format)),
        Kind::UniqueItems => "has the same item more than once".to_owned(),
        Kind::Contains => contains(&rule(error)).to_owned(),
        Kind::UnevaluatedItems { .. } | Kind::AdditionalItems { .. } => {
            "has items that the schema does not allow".to_owned()
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            unknown_fields(unexpected)
        }
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            format!("{} {}", show(property), missing_field(error, name))
        }
        Kind::PropertyNames { error } => {
            let name = explain(error, Visibility::Shown, level);
            format!("has a field whose name is not allowed: {name}")
        }
        Kind::FalseSchema => "is not allowed here; remove it".to_owned(),
        Kind::Not { .. } => format!("{shown} is what the schema rules out with `not`"),
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => alternatives::none(error, context, subject, level),
        Kind::OneOfMultipleValid { context } => alternatives::several(context),
        kind => number(kind, &shown)
            .or_else(|| size(kind, value, &shown, subject))
            .unwrap_or_else(|| format!("{shown} does not satisfy `{}`", rule(error))),
    }
}

/// The words for a field that is not there. It may be required by another field's presence only.
pub(super) fn missing_field(error: &ValidationError<'_>, name: &str) -> String {
    let mut text = "is required".to_owned();
    if rule(error) != "required" {
        text.push_str(", as a field that depends on it is given");
    }
    if let Some(hint) = unknown_field::read_as_boolean(error.instance(), name) {
        text.push_str(&hint);
    }
    text
}

fn number(kind: &Kind, shown: &str) -> Option<String> {
    let text = match kind {
        Kind::Minimum { limit } => format!("{shown} is less than the minimum {limit}"),
        Kind::Maximum { limit } => format!("{shown} is more than the maximum {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("{shown} is not more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("{shown} is not less than {limit}"),
        Kind::MultipleOf { multiple_of } => format!("{shown} is not a multiple of {multiple_of}"),
        _ => return None,
    };
    Some(text)
}

fn size(kind: &Kind, value: &Value, shown: &str, subject: Visibility) -> Option<String> {
    let (compared, limit) = match kind {
        Kind::MinLength { limit } | Kind::MinItems { limit } | Kind::MinProperties { limit } => {
            ("fewer than the minimum", limit)
        }
        Kind::MaxLength { limit } | Kind::MaxItems { limit } | Kind::MaxProperties { limit } => {
            ("more than the maximum", limit)
        }
        _ => return None,
    };
    if subject == Visibility::Hidden {
        return Some(format!("{shown} has {compared} of {limit} characters"));
    }
    let has = match value {
        Value::Array(items) => format!("has {}", count(items.len(), "item")),
        Value::Object(fields) => format!("has {}", count(fields.len(), "field")),
        Value::String(text) => {
            format!("{shown} has {}", count(text.chars().count(), "character"))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => return None,
    };
    Some(format!("{has}, {compared} {limit}"))
}

fn wrong_type(value: &Value, shown: &str, expected: &TypeKind) -> String {
    match expected {
        TypeKind::Single(single) => format!("{}, expected {}", given(value, shown), type_words(*single)),
        TypeKind::Multiple(several) => none_of_types(value, shown, &several.iter().collect::<Vec<_>>()),
    }
}

fn no_option(shown: &str, options: &Value, subject: Visibility) -> String {
    let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
    if subject == Visibility::Hidden {
        return format!("{shown} is none of those that the schema allows");
    }
    format!("{shown} is none of {}", list(options.iter().map(show)))
}

fn not_constant(shown: &str, expected: &Value, subject: Visibility) -> String {
    if subject == Visibility::Hidden {
        return format!("{shown} is not the one that the schema allows");
    }
    format!("{shown} is not {}, the only value allowed", show(expected))
}

fn contains(rule: &str) -> &'static str {
    match rule {
        "minContains" => "has too few of the items that it must contain",
        "maxContains" => "has too many of the items that are limited",
        _ => "has no item such as it must contain",
    }
}

fn unknown_fields(names: &[String]) -> String {
    let fields = if names.len() == 1 { "unknown field" } else { "unknown fields" };
    format!("has the {fields} {}", list(names.iter().map(|name| quote(name))))
}
