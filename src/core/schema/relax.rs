//! A schema that was valid once, by rules that have become stricter since.
//!
//! What a definition had when it was valid serves its grants until there is something newer that is valid. So checks that are
//! no longer allowed are dropped, and the rest of the schema goes on.

use serde_json::{Map, Value};

use super::keyword;
use super::pattern::SchemaPatterns;
use super::secret_fields;

/// The schema without the checks of secret values, and without patterns that are too much work.
pub(super) fn relax(schema: &Value) -> Value {
    let mut relaxed = schema.clone();
    let secrets = secret_fields::names(schema);
    let properties = relaxed.get_mut("properties").and_then(Value::as_object_mut);
    for (_, field) in properties.into_iter().flatten().filter(|(name, _)| secrets.contains(*name)) {
        if let Value::Object(field) = field {
            let unwanted: Vec<String> = secret_fields::unwanted(field).cloned().collect();
            for keyword in &unwanted {
                field.remove(keyword);
            }
        }
    }
    let mut patterns = SchemaPatterns::default();
    drop_patterns(&mut relaxed, &mut patterns);
    relaxed
}

fn drop_patterns(schema: &mut Value, patterns: &mut SchemaPatterns) {
    let Value::Object(fields) = schema else { return };
    if fields.get("pattern").and_then(Value::as_str).is_some_and(|pattern| patterns.add(pattern).is_err()) {
        fields.remove("pattern");
    }
    drop_names(fields, patterns);
    for (keyword, value) in fields.iter_mut() {
        match (keyword::applicator(keyword), value) {
            (Some((keyword::KeywordShape::Single, _)), inner) => drop_patterns(inner, patterns),
            (Some((keyword::KeywordShape::List, _)), Value::Array(list)) => {
                for inner in list {
                    drop_patterns(inner, patterns);
                }
            }
            (Some((keyword::KeywordShape::Named, _)), Value::Object(named)) => {
                for inner in named.values_mut() {
                    drop_patterns(inner, patterns);
                }
            }
            _ => {}
        }
    }
}

/// A field whose name is not matched any more is not to be taken for an unknown one.
fn drop_names(fields: &mut Map<String, Value>, patterns: &mut SchemaPatterns) {
    let Some(Value::Object(named)) = fields.get_mut("patternProperties") else { return };
    let before = named.len();
    named.retain(|pattern, _| patterns.add(pattern).is_ok());
    if named.len() < before {
        fields.remove("additionalProperties");
        fields.remove("unevaluatedProperties");
    }
}
