//! The size of a JSON value, in the unit in which all work on values is budgeted.

use serde_json::Value;

/// Values nested deeper than this are refused, in schemas and in facets alike. Walks over them may recurse.
pub(super) const MAX_DEPTH: usize = 64;
/// Names of fields longer than this (in bytes) are refused: they end up in pointers and messages.
pub(super) const MAX_NAME: usize = 256;

/// Bytes of text that count as much as one value.
const BYTES_PER_UNIT: u64 = 16;

/// What was found in a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Measure {
    /// Values of any type, itself included.
    pub(super) values: u64,
    /// Bytes of texts and field names.
    pub(super) bytes: u64,
    /// Levels of nesting; 1 for a scalar.
    pub(super) depth: usize,
    /// Whether a field name is longer than [`MAX_NAME`].
    pub(super) long_name: bool,
}

impl Measure {
    /// One for each value, and one for each 16 bytes of text.
    pub(super) fn units(self) -> u64 {
        self.values + self.bytes / BYTES_PER_UNIT
    }
}

/// Measures a value. Below [`MAX_DEPTH`] it looks no further, but `depth` says that there is more.
pub(super) fn measure(value: &Value) -> Measure {
    let mut found = Measure::default();
    add(&mut found, value, 1);
    found
}

fn add(found: &mut Measure, value: &Value, depth: usize) {
    found.values += 1;
    found.depth = found.depth.max(depth);
    if depth > MAX_DEPTH {
        return;
    }
    match value {
        Value::String(text) => found.bytes += text.len() as u64,
        Value::Array(items) => {
            for item in items {
                add(found, item, depth + 1);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                found.bytes += name.len() as u64;
                found.long_name |= name.len() > MAX_NAME;
                add(found, field, depth + 1);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
