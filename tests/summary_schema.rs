//! The published JSON Schema of `entitlements.json`.

use serde_json::Value;
use std::sync::LazyLock;

static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/entitlements.schema.json"));
    let schema: Value = serde_json::from_str(text).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap()
});

/// What is wrong with a summary.
pub fn problems(summary: &Value) -> Vec<String> {
    SCHEMA.iter_errors(summary).map(|error| format!("{}: {error}", error.instance_path())).collect()
}
