//! Fields that are named like a boolean and that a schema lets pass without knowing them.

use serde_json::{Map, Value};

use super::keyword;
use super::unknown_field;
use super::violation::{FieldPlace, MAX_VIOLATIONS, Violation};

/// Each field named `true` or `false` that no schema names where it stands. It is valid, and hardly meant.
pub(super) fn stray_booleans(document: &Value, place: &FieldPlace, values: &Map<String, Value>) -> Vec<Violation> {
    let mut found = Vec::new();
    if let Some(root) = document.as_object().filter(|_| has_boolean_name(values)) {
        StrayBooleanSearch { document, found: &mut found }.object(&keyword::same_value(document, root), place, values);
    }
    found
}

fn is_boolean_name(name: &str) -> bool {
    ["true", "false"].contains(&name)
}

/// Whether there is anything to look for; the schema is followed only then.
fn has_boolean_name(values: &Map<String, Value>) -> bool {
    let is_inside = |value: &Value| match value {
        Value::Object(fields) => has_boolean_name(fields),
        Value::Array(items) => items.iter().any(|item| item.as_object().is_some_and(has_boolean_name)),
        _ => false,
    };
    values.iter().any(|(name, value)| is_boolean_name(name) || is_inside(value))
}

struct StrayBooleanSearch<'a, 'f> {
    document: &'a Value,
    found: &'f mut Vec<Violation>,
}

impl<'a> StrayBooleanSearch<'a, '_> {
    fn object(&mut self, schemas: &[&'a Map<String, Value>], place: &FieldPlace, fields: &Map<String, Value>) {
        let named: Vec<&'a Map<String, Value>> =
            schemas.iter().filter_map(|schema| schema.get("properties")?.as_object()).collect();
        for (name, value) in fields {
            if self.found.len() == MAX_VIOLATIONS {
                return;
            }
            let of_field: Vec<&'a Value> = named.iter().filter_map(|named| named.get(name)).collect();
            let place = place.clone().field(name);
            if of_field.is_empty() && is_boolean_name(name) {
                self.found.push(place.violation("properties", &unknown_field::explain(name, &[])));
            }
            self.value(&of_field, &place, value);
        }
    }

    fn value(&mut self, schemas: &[&'a Value], place: &FieldPlace, value: &Value) {
        let schemas: Vec<&'a Map<String, Value>> = schemas
            .iter()
            .filter_map(|schema| schema.as_object())
            .flat_map(|schema| keyword::same_value(self.document, schema))
            .collect();
        match value {
            Value::Object(fields) => self.object(&schemas, place, fields),
            Value::Array(items) => {
                let of_items: Vec<&'a Value> = schemas.iter().filter_map(|schema| schema.get("items")).collect();
                for (index, item) in items.iter().enumerate().filter(|(_, item)| item.is_object()) {
                    self.value(&of_items, &place.clone().item(index), item);
                }
            }
            _ => {}
        }
    }
}
