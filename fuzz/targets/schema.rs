//! Schemas and values under them: `{"schema": …, "values": …}`.

use super::Target;
use entitlement_operator::core::{schema::Schema, secret::Secret};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

pub const TARGET: Target = Target {
    name: "schema",
    run,
    tokens: &[
        "type",
        "object",
        "string",
        "integer",
        "array",
        "null",
        "properties",
        "items",
        "prefixItems",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "if",
        "then",
        "else",
        "$ref",
        "$defs",
        "#/$defs/a",
        "#",
        "$dynamicRef",
        "$anchor",
        "$id",
        "default",
        "required",
        "pattern",
        "^(a+)+$",
        "(?=a)",
        "format",
        "date",
        "duration",
        "uuid",
        "writeOnly",
        "const",
        "enum",
        "additionalProperties",
        "unevaluatedProperties",
        "patternProperties",
        "propertyNames",
        "dependentSchemas",
        "dependentRequired",
        "uniqueItems",
        "contains",
        "minContains",
        "multipleOf",
        "minimum",
        "maximum",
        "minLength",
        "https://example.com/schema.json",
        "file:///etc/passwd",
        "$schema",
        "a",
        "b",
        "secret",
        "true",
        "false",
    ],
};

/// In no schema or value by chance.
const SECRET: &str = "zq-never-shown-7f3a";

fn run(input: &[u8]) -> String {
    let Ok(Value::Object(input)) = serde_json::from_slice::<Value>(input) else { return "no input".to_owned() };
    let schema = match Schema::compile(input.get("schema").unwrap_or(&Value::Null)) {
        Ok(schema) => schema,
        Err(error) => return error.to_string(),
    };
    let mut values = match input.get("values") {
        Some(Value::Object(values)) => values.clone(),
        _ => Map::new(),
    };
    let stated = values.clone();
    if schema.fill_defaults("f", &mut values).is_err() {
        return "too large for defaults".to_owned();
    }
    let filled = values.clone();
    schema.fill_defaults("f", &mut values).unwrap();
    assert_eq!(values, filled, "defaults are filled in once");
    for (name, value) in &stated {
        assert!(values.contains_key(name), "{value} of {name} is lost to defaults");
    }
    let supplied: BTreeSet<String> = schema.secret_fields().clone();
    let whole = schema.validate("f", &values, &supplied);
    if whole.is_ok() {
        assert_eq!(schema.validate_partial("f", &values), Ok(()), "what is valid as a whole is valid in part");
    }
    let mut shown: Vec<String> = Vec::new();
    for violation in whole.err().into_iter().flatten().chain(schema.stray_booleans("f", &values)) {
        assert!(violation.message.starts_with("facets.f"), "{violation}");
        assert!(violation.message.len() < 20_000, "a message of {} bytes", violation.message.len());
        shown.push(violation.rule.clone());
    }
    for field in schema.secret_fields() {
        for violation in schema.validate_secret("f", field, &Secret::new(SECRET.to_owned())).err().into_iter().flatten()
        {
            assert!(!violation.message.contains(SECRET), "{violation}");
        }
    }
    let sample = schema.sample().values;
    let _ = schema.validate("f", &sample, &supplied);
    shown.join(" ")
}
