//! One TOML document, a table for each facet.

use serde_json::{Map, Number, Value};

use super::{FacetValues, FieldPath, FormatError, Obstacle};

pub(super) const FORMAT: &str = "Toml";

/// 2^63: TOML's whole numbers are signed and of 64 bits, <https://toml.io/en/v1.0.0#integer>.
const BEYOND_INTEGERS: f64 = 9_223_372_036_854_775_808.0;

pub(super) fn render(facets: &FacetValues) -> Result<String, FormatError> {
    let mut document = ::toml::Table::new();
    for (facet, fields) in facets {
        let fields = table(&FieldPath::of_facet(facet), fields)?;
        document.insert(facet.clone(), ::toml::Value::Table(fields));
    }
    // What the library says could quote a value.
    ::toml::to_string_pretty(&document).map_err(|_| FormatError::Writer { format: FORMAT })
}

fn table(path: &FieldPath, members: &Map<String, Value>) -> Result<::toml::Table, FormatError> {
    members
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| Ok((name.clone(), convert(&path.member(name), value)?)))
        .collect()
}

fn convert(path: &FieldPath, value: &Value) -> Result<::toml::Value, FormatError> {
    match value {
        Value::Null => Err(refusal(path, Obstacle::NullInList)),
        Value::Bool(flag) => Ok(::toml::Value::Boolean(*flag)),
        Value::Number(number) => convert_number(path, number),
        Value::String(text) => Ok(::toml::Value::String(text.clone())),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| convert(&path.item(index), item))
            .collect::<Result<_, _>>()
            .map(::toml::Value::Array),
        Value::Object(members) => table(path, members).map(::toml::Value::Table),
    }
}

/// One rule, whether it was written as an integer or not: JSON has no such difference, and a number beyond 64 bits is a
/// float to the one reader and a whole number to the other, so what TOML would make of it is luck.
fn convert_number(path: &FieldPath, number: &Number) -> Result<::toml::Value, FormatError> {
    if let Some(integer) = number.as_i64() {
        return Ok(::toml::Value::Integer(integer));
    }
    match number.as_f64() {
        // All floats from there on are whole.
        Some(float) if float.abs() < BEYOND_INTEGERS => Ok(::toml::Value::Float(float)),
        _ => Err(refusal(path, Obstacle::BeyondIntegers)),
    }
}

fn refusal(path: &FieldPath, obstacle: Obstacle) -> FormatError {
    FormatError::Unwritable { format: FORMAT, field: path.clone(), obstacle }
}
