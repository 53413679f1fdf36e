//! The words for a value that fits none or several of the alternatives of `anyOf` and `oneOf`.

use std::cmp::Reverse;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::paths::LocationSegment;
use jsonschema::{JsonType, ValidationError};

use super::message;
use super::phrase::{MAX_LISTED, Visibility, none_of_types, push_field, push_item};

/// Levels of alternatives inside of alternatives that are explained.
const MAX_EXPLAINED: usize = 3;

/// Says which alternatives fit at once.
pub(super) fn several(context: &[Vec<ValidationError<'static>>]) -> String {
    let fitting: Vec<String> = (1..)
        .zip(context)
        .filter(|(_, errors)| errors.is_empty())
        .map(|(number, _): (usize, _)| number.to_string())
        .take(MAX_LISTED)
        .collect();
    format!("fits alternatives {} at once, but exactly one is allowed", fitting.join(" and "))
}

/// If all alternatives are of other types, those; else what the alternative says that got furthest into the value.
pub(super) fn none(
    error: &ValidationError<'_>,
    context: &[Vec<ValidationError<'static>>],
    subject: Visibility,
    level: usize,
) -> String {
    let types: Option<Vec<JsonType>> =
        context.iter().map(|errors| only_type(errors, error.instance_path().as_str())).collect();
    if let Some(mut types) = types {
        types.dedup();
        let value = error.instance();
        return none_of_types(value, &subject.show(value), &types);
    }
    let fits = format!("fits none of the {} alternatives", context.len());
    let closest = (1..)
        .zip(context)
        .filter_map(|(number, errors): (usize, _)| Some((number, errors, errors.first()?)))
        .max_by_key(|(number, errors, first)| {
            let depth = first.instance_path().segments().count();
            (depth, Reverse(errors.len()), Reverse(*number))
        });
    match closest {
        Some((number, _, first)) if level < MAX_EXPLAINED => {
            let text = message::explain(first, subject, level + 1);
            let place = relative(error, first);
            format!("{fits}; number {number} comes closest: {place}{text}")
        }
        _ => fits,
    }
}

/// The type that all errors of an alternative ask for, if that is all that they say.
fn only_type(errors: &[ValidationError<'static>], path: &str) -> Option<JsonType> {
    let [error] = errors else {
        return None;
    };
    match error.kind() {
        ValidationErrorKind::Type { kind: TypeKind::Single(single) } if error.instance_path().as_str() == path => {
            Some(*single)
        }
        _ => None,
    }
}

/// `field.name: ` of an inner error below an outer one; empty if both are about the same value.
fn relative(outer: &ValidationError<'_>, inner: &ValidationError<'_>) -> String {
    let above = outer.instance_path().segments().count();
    let mut path = String::new();
    for segment in inner.instance_path().segments().skip(above) {
        match segment {
            LocationSegment::Property(name) => push_field(&mut path, &name),
            LocationSegment::Index(index) => push_item(&mut path, index),
        }
    }
    if path.is_empty() {
        return path;
    }
    format!("{}: ", path.trim_start_matches('.'))
}
