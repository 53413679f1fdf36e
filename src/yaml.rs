//! YAML as Kubernetes' tools write it: the one place that knows the YAML library.

use serde_json::Value;

/// A value as a YAML document. Strings that a YAML 1.1 reader would take for something else are quoted.
#[must_use]
pub fn to_string(value: &Value) -> String {
    // Writing plain JSON values to a string has no way to fail; JSON is YAML, should the library ever see one.
    serde_saphyr::to_string(value).unwrap_or_else(|_| value.to_string())
}
