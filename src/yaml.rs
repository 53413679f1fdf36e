//! YAML as Kubernetes' tools write it: the one place that knows the YAML library.

use serde::Serialize;

/// A value as a YAML document. Strings that a YAML 1.1 reader would take for something else are quoted.
#[must_use]
pub fn to_string(value: &impl Serialize) -> String {
    // Writing what has the form of JSON to a string has no way to fail; JSON is YAML, should the library ever see one.
    serde_saphyr::to_string(value).unwrap_or_else(|_| serde_json::to_string(value).unwrap_or_default())
}
