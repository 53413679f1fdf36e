//! Which fields of a facet are secret.
//!
//! Whoever can edit schemas and see statuses can read a verdict on a secret's value: a pattern that is made longer, letter by
//! letter, tells all of it. So a schema may ask nothing of it but its length, and all of that in one place.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::checker::{self, Matcher};
use super::invalid::{InvalidSchema, Problems, SchemaProblem};
use super::keyword;
use super::normalize::Normal;
use super::pattern::SchemaPatterns;

/// All that the schema of a secret field can have.
const ALLOWED: [&str; 7] = ["type", "writeOnly", "title", "description", "minLength", "maxLength", "examples"];

/// The top-level properties of a schema with `writeOnly: true`.
fn marked(schema: &Value) -> impl Iterator<Item = (&String, &Map<String, Value>)> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties
        .into_iter()
        .flatten()
        .filter_map(|(name, schema)| Some((name, schema.as_object()?)))
        .filter(|(_, schema)| schema.get("writeOnly") == Some(&Value::Bool(true)))
}

/// The names of the secret fields.
pub(super) fn names(schema: &Value) -> BTreeSet<String> {
    marked(schema).map(|(name, _)| name.clone()).collect()
}

/// Keywords of the schema of a field that is secret that it cannot have.
pub(super) fn unwanted(schema: &Map<String, Value>) -> impl Iterator<Item = &String> {
    schema.keys().filter(|keyword| !ALLOWED.contains(&keyword.as_str()))
}

/// Refuses all by which a schema (`normal` once it is normalized) asks more of a secret than its length.
pub(super) fn check(schema: &Value, normal: &Normal, patterns: &SchemaPatterns) -> Result<(), InvalidSchema> {
    let mut problems = Problems::default();
    let mut others = None;
    for (name, own) in marked(schema) {
        own_rules(name, own, &mut problems);
        references(normal, name, &mut problems);
        let others = others.get_or_insert_with(|| others_of(normal, patterns));
        for keyword in others.iter().filter_map(|other| other.asks(name)) {
            let message = format!(
                "`{keyword}` elsewhere in the schema asks something of this secret field as well; take it out there: a secret \
                 is checked by its own minLength and maxLength alone"
            );
            problems.add(SchemaProblem::new(property(name), message));
        }
        if problems.is_full() {
            break;
        }
    }
    problems.into_result()
}

fn property(name: &str) -> String {
    let mut pointer = "/properties".to_owned();
    keyword::push_token(&mut pointer, name);
    pointer
}

fn own_rules(name: &str, schema: &Map<String, Value>, problems: &mut Problems) {
    if schema.get("type").and_then(Value::as_str) != Some("string") {
        let message = "a secret field must have `type: string`";
        problems.add(SchemaProblem::new(property(name), message));
    }
    for keyword in unwanted(schema) {
        let mut pointer = property(name);
        keyword::push_token(&mut pointer, keyword);
        let message = "a secret field has nothing but `type: string`, `title`, `description`, `minLength`, `maxLength` and \
                       `examples`; remove this: it would tell the value, bit by bit, to whoever may edit schemas";
        problems.add(SchemaProblem::new(pointer, message));
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
        problems.add(SchemaProblem::new(pointer, message));
    }
}

/// A schema for the whole facet, with its patterns of field names that ask something.
struct Other<'a> {
    schema: &'a Map<String, Value>,
    is_root: bool,
    asking: Vec<Matcher>,
}

fn others_of<'a>(normal: &'a Normal, patterns: &SchemaPatterns) -> Vec<Other<'a>> {
    let root = normal.document.as_object();
    let all = root.map(|root| keyword::same_value(&normal.document, root)).unwrap_or_default();
    let other = |(index, schema): (usize, &'a Map<String, Value>)| {
        let named = schema.get("patternProperties").and_then(Value::as_object);
        let asking = named.into_iter().flatten().filter(|(_, inner)| asks(inner));
        let asking = asking.filter_map(|(pattern, _)| checker::matcher(pattern, &patterns.compiled)).collect();
        Other { schema, is_root: index == 0, asking }
    };
    all.into_iter().enumerate().map(other).collect()
}

/// Whether a schema may refuse one value and accept another.
fn asks(schema: &Value) -> bool {
    schema.as_object().is_some_and(|fields| !fields.is_empty())
}

impl Other<'_> {
    /// The keyword with which it asks something of the secret field's value.
    fn asks(&self, name: &str) -> Option<&'static str> {
        let states = |value: &Value| value.get(name).is_some();
        if self.schema.get("const").is_some_and(states) {
            return Some("const");
        }
        if self.schema.get("enum").and_then(Value::as_array).is_some_and(|options| options.iter().any(states)) {
            return Some("enum");
        }
        let own = self.schema.get("properties").and_then(|named| named.get(name));
        if !self.is_root && own.is_some_and(asks) {
            return Some("properties");
        }
        if self.asking.iter().any(|pattern| pattern.matches(name)) {
            return Some("patternProperties");
        }
        if own.is_some() {
            return None;
        }
        ["additionalProperties", "unevaluatedProperties"]
            .into_iter()
            .find(|keyword| self.schema.get(*keyword).is_some_and(asks))
    }
}
