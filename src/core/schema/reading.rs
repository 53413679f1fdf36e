//! What a text stands for if the schema says which types are possible, for example on a command line.

use super::keyword::same_value;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The value that a text stands for at a place in what the normalized `document` describes.
///
/// Where the schema wants a text it is that text; where it wants something else it is read as JSON. What is neither stays a
/// text, of which the schema says what is wrong.
pub(super) fn read(document: &Value, path: &[String], text: &str) -> Value {
    let schemas = schemas(document, path);
    let named = schemas.iter().flat_map(|schema| options(schema));
    if let Some(option) = named.into_iter().find(|option| is_written(option, text)) {
        return option.clone();
    }
    let types: BTreeSet<&str> = schemas.iter().flat_map(|schema| types(schema)).collect();
    let plain = || Value::String(text.to_owned());
    let parsed = serde_json::from_str::<Value>(text);
    match parsed {
        Ok(value) if types.is_empty() => value,
        Ok(value) if types.contains("string") => {
            if types.iter().any(|type_| *type_ != "string" && is_of(&value, type_)) { value } else { plain() }
        }
        Ok(value) => value,
        Err(_) => plain(),
    }
}

/// The schemas that may be applied to the value at a place.
fn schemas<'a>(document: &'a Value, path: &[String]) -> Vec<&'a Map<String, Value>> {
    let all = |schema: &'a Value| schema.as_object().map(|schema| same_value(document, schema)).unwrap_or_default();
    let mut schemas = all(document);
    for name in path {
        let inner = schemas.iter().filter_map(|schema| {
            let named = schema.get("properties").and_then(|properties| properties.get(name));
            named.or_else(|| schema.get("additionalProperties"))
        });
        schemas = inner.flat_map(all).collect();
    }
    schemas
}

fn types(schema: &Map<String, Value>) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(type_)) => vec![type_],
        Some(Value::Array(types)) => types.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The values that a schema names.
fn options(schema: &Map<String, Value>) -> Vec<&Value> {
    let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    listed.chain(schema.get("const")).collect()
}

fn is_written(option: &Value, text: &str) -> bool {
    match option {
        Value::String(option) => option == text,
        option => serde_json::from_str::<Value>(text).is_ok_and(|value| value == *option),
    }
}

fn is_of(value: &Value, type_: &str) -> bool {
    match value {
        Value::Null => type_ == "null",
        Value::Bool(_) => type_ == "boolean",
        Value::Number(_) => matches!(type_, "integer" | "number"),
        Value::String(_) => type_ == "string",
        Value::Array(_) => type_ == "array",
        Value::Object(_) => type_ == "object",
    }
}

#[cfg(test)]
mod tests {
    use super::read;
    use rstest::rstest;
    use serde_json::{Value, json};

    #[rstest]
    #[case(json!({"type": "string"}), "30", json!("30"))]
    #[case(json!({"type": "string"}), "true", json!("true"))]
    #[case(json!({"type": "string"}), "\"a\"", json!("\"a\""))]
    #[case(json!({"type": "integer"}), "30", json!(30))]
    #[case(json!({"type": "integer"}), "many", json!("many"))]
    #[case(json!({"type": "integer"}), "1.5", json!(1.5))]
    #[case(json!({"type": "number"}), "1.5", json!(1.5))]
    #[case(json!({"type": "boolean"}), "true", json!(true))]
    #[case(json!({"type": "boolean"}), "yes", json!("yes"))]
    #[case(json!({"type": "array"}), "[1, \"a\"]", json!([1, "a"]))]
    #[case(json!({"type": "array"}), "a,b", json!("a,b"))]
    #[case(json!({"type": "object"}), "{\"a\": {}}", json!({"a": {}}))]
    #[case(json!({"type": ["string", "null"]}), "null", json!(null))]
    #[case(json!({"type": ["string", "integer"]}), "3", json!(3))]
    #[case(json!({"type": ["string", "integer"]}), "3a", json!("3a"))]
    #[case(json!({}), "3", json!(3))]
    #[case(json!({}), "a b", json!("a b"))]
    #[case(json!({"enum": ["1", 2]}), "1", json!("1"))]
    #[case(json!({"enum": ["1", 2]}), "2", json!(2))]
    #[case(json!({"const": true}), "true", json!(true))]
    #[case(json!({"$ref": "#/$defs/0"}), "30", json!("30"))]
    #[case(json!({"anyOf": [{"type": "integer"}, {"type": "string"}]}), "30", json!(30))]
    #[case(json!(true), "x", json!("x"))]
    fn a_text_is_of_the_type_that_the_schema_wants(#[case] schema: Value, #[case] text: &str, #[case] expected: Value) {
        let document = json!({"properties": {"f": schema}, "$defs": {"0": {"type": "string"}}});
        assert_eq!(read(&document, &["f".to_owned()], text), expected);
        let inner = json!({"properties": {"o": {"properties": {"f": document["properties"]["f"]}}}, "$defs": document["$defs"]});
        assert_eq!(read(&inner, &["o".to_owned(), "f".to_owned()], text), expected);
        let open = json!({"additionalProperties": document["properties"]["f"], "$defs": document["$defs"]});
        assert_eq!(read(&open, &["any".to_owned()], text), expected);
    }
}
