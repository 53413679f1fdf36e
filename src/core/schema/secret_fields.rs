//! Which fields of a facet are secret.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::checker;
use super::invalid::{InvalidSchema, Problem, Problems};
use super::keyword;
use super::normalize::Normal;

/// The top-level properties with `writeOnly: true`, and the rules that they must keep so that no value of theirs stands
/// in the schema and everything that is asked of it stands in one place.
pub(super) fn secret_fields(normal: &Normal) -> Result<BTreeSet<String>, InvalidSchema> {
    let Some(root) = normal.document.as_object() else {
        return Ok(BTreeSet::new());
    };
    let properties = root.get("properties").and_then(Value::as_object);
    let secrets: Vec<(&String, &Map<String, Value>)> = properties
        .into_iter()
        .flatten()
        .filter_map(|(name, schema)| Some((name, schema.as_object()?)))
        .filter(|(_, schema)| schema.get("writeOnly") == Some(&Value::Bool(true)))
        .collect();
    let mut problems = Problems::default();
    for (name, schema) in &secrets {
        own_rules(normal, name, schema, &mut problems);
        references(normal, name, &mut problems);
        for (index, other) in keyword::same_value(&normal.document, root).iter().enumerate() {
            if let Some(keyword) = other_rule(other, name, index == 0) {
                let message = format!(
                    "`{keyword}` elsewhere in the schema applies to this secret field as well; state all that is asked \
                     of it here"
                );
                problems.add(Problem::new(property(name), message));
            }
        }
    }
    problems.into_result()?;
    Ok(secrets.into_iter().map(|(name, _)| name.clone()).collect())
}

fn property(name: &str) -> String {
    let mut pointer = "/properties".to_owned();
    keyword::push_token(&mut pointer, name);
    pointer
}

fn own_rules(normal: &Normal, name: &str, schema: &Map<String, Value>, problems: &mut Problems) {
    if schema.get("type").and_then(Value::as_str) != Some("string") {
        let message = "a secret field must have `type: string`";
        problems.add(Problem::new(property(name), message));
    }
    for applied in keyword::same_value(&normal.document, schema) {
        for keyword in ["default", "const"] {
            if applied.contains_key(keyword) {
                let message = format!(
                    "a secret field cannot have `{keyword}`, as everyone who reads the schema would know the value"
                );
                problems.add(Problem::new(property(name), message));
            }
        }
    }
}

/// A reference to the field, or to all of the schema, would put a secret where it is not known for one.
fn references(normal: &Normal, name: &str, problems: &mut Problems) {
    let pointer = property(name);
    let inside = format!("{pointer}/");
    let is_referred =
        normal.origins.iter().any(|origin| origin.is_empty() || *origin == pointer || origin.starts_with(&inside));
    if is_referred {
        let message =
            "a `$ref` elsewhere leads to this secret field; keep what both need under $defs, without writeOnly";
        problems.add(Problem::new(pointer, message));
    }
}

/// The keyword with which a schema for the whole facet asks something of the secret field's value.
fn other_rule(schema: &Map<String, Value>, name: &str, is_root: bool) -> Option<&'static str> {
    let asks = |schema: &Value| schema.as_object().is_some_and(|fields| !fields.is_empty());
    let own = schema.get("properties").and_then(|named| named.get(name));
    if !is_root && own.is_some_and(asks) {
        return Some("properties");
    }
    let patterns = schema.get("patternProperties").and_then(Value::as_object);
    let matched =
        patterns.into_iter().flatten().any(|(pattern, inner)| asks(inner) && checker::pattern_matches(pattern, name));
    if matched {
        return Some("patternProperties");
    }
    if own.is_some() {
        return None;
    }
    ["additionalProperties", "unevaluatedProperties"].into_iter().find(|keyword| schema.get(*keyword).is_some_and(asks))
}
