//! Values, names, and places as messages show them: shortened, and quoted if they are text.

use std::fmt::Write;

use jsonschema::JsonType;
use serde_json::Value;

use crate::core::excerpt::elided_after_characters;

/// Characters of a value or a name that are shown.
const MAX_SHOWN: usize = 60;
/// Options and names that are listed.
pub(super) const MAX_LISTED: usize = 10;

/// Whether the values that a message speaks of may be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visibility {
    Shown,
    /// Those of secret fields.
    Hidden,
}

impl Visibility {
    pub(super) fn show(self, value: &Value) -> String {
        match self {
            Self::Shown => show(value),
            Self::Hidden => "the value".to_owned(),
        }
    }
}

/// The first characters of a text, with an ellipsis if there are more.
pub(super) fn shorten(text: &str) -> String {
    elided_after_characters(text, MAX_SHOWN)
}

/// Appends a field to a path such as `facets.backup`.
pub(crate) fn push_field(path: &mut String, name: &str) {
    let is_identifier = !name.is_empty()
        && name.chars().all(|character| character.is_ascii_alphanumeric() || "_-$".contains(character));
    if is_identifier {
        path.push('.');
        path.push_str(&shorten(name));
    } else {
        path.push('[');
        path.push_str(&quote(name));
        path.push(']');
    }
}

/// Appends an item to a path such as `facets.backup.hosts`.
pub(crate) fn push_item(path: &mut String, index: usize) {
    // Writing to a String does not fail.
    let _ = write!(path, "[{index}]");
}

pub(super) fn quote(text: &str) -> String {
    Value::String(shorten(text)).to_string()
}

pub(super) fn show(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text),
        Value::Array(_) => "the list".to_owned(),
        Value::Object(_) => "the object".to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

pub(super) fn list(items: impl ExactSizeIterator<Item = String>) -> String {
    let total = items.len();
    let mut listed: Vec<String> = items.take(MAX_LISTED).collect();
    if total > MAX_LISTED {
        listed.push(format!("… ({total} in all)"));
    }
    listed.join(", ")
}

/// `1 item`, `2 items`.
pub(super) fn count(number: usize, one: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {one}{plural}")
}

pub(super) fn type_words(of: JsonType) -> &'static str {
    match of {
        JsonType::Array => "a list",
        JsonType::Boolean => "a boolean",
        JsonType::Integer => "an integer",
        JsonType::Null => "null",
        JsonType::Number => "a number",
        JsonType::Object => "an object",
        JsonType::String => "a string",
    }
}

/// What a value is, as against what is expected.
pub(super) fn given(value: &Value, shown: &str) -> String {
    match value {
        Value::Null => "null is given".to_owned(),
        Value::Bool(_) => format!("{shown} is a boolean"),
        Value::Number(_) => format!("{shown} is a number"),
        Value::String(_) => format!("{shown} is a string"),
        Value::Array(_) => "a list is given".to_owned(),
        Value::Object(_) => "an object is given".to_owned(),
    }
}

/// A value of none of several types. Where a text may stand, a number is one in quotes.
pub(super) fn none_of_types(value: &Value, shown: &str, types: &[JsonType]) -> String {
    let remedy = if value.is_number() && types.contains(&JsonType::String) { ": put it in quotes" } else { "" };
    let words: Vec<&str> = types.iter().copied().map(type_words).collect();
    format!("{}, expected {}{remedy}", given(value, shown), words.join(" or "))
}

/// What a text of a format looks like; an example says it faster than the standard behind it.
pub(super) fn format_words(format: &str) -> String {
    let words = match format {
        "date" => "a date such as 2027-01-31",
        "date-time" => "a date and time such as 2027-01-31T12:00:00Z",
        "time" => "a time with offset such as 12:00:00Z",
        "duration" => "a duration such as P3D or PT12H",
        "email" | "idn-email" => "an email address such as name@example.com",
        "hostname" | "idn-hostname" => "a host name such as db.example.com",
        "ipv4" => "an IPv4 address such as 192.0.2.1",
        "ipv6" => "an IPv6 address such as 2001:db8::1",
        "uri" | "iri" => "an absolute URI such as https://example.com/path",
        "uri-reference" | "iri-reference" => "a URI or a relative reference",
        "uri-template" => "a URI template such as /users/{id}",
        "uuid" => "a UUID such as 123e4567-e89b-12d3-a456-426614174000",
        "json-pointer" => "a JSON pointer such as /a/b",
        "relative-json-pointer" => "a relative JSON pointer such as 1/a",
        "regex" => "a regular expression",
        other => return format!("of the format {}", shorten(other)),
    };
    words.to_owned()
}
