//! A schema rewritten so that all later work on it is simple.
//!
//! In a normalized document every reference is `#/$defs/<number>`, `$defs` holds only schemas that are referred to, and
//! everything that names or annotates (`$id`, anchors, comments) is gone.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::inspect::Targets;
use super::invalid::SchemaProblem;
use super::keyword::{self, KeywordReach, KeywordShape, REFERENCES};
use super::measure::measure;

/// Values that a normalized document may have: a referred schema is in it once more, with all that it holds.
const MAX_VALUES: u64 = 50_000;

/// What the document is to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    /// Whole values.
    Whole,
    /// Values of which other layers may still state fields: accepts every object that can be completed to one that the
    /// schema accepts. Lists are replaced whole, so what is inside of them is checked as a whole.
    Stated,
}

/// A normalized schema.
pub(super) struct Normal {
    pub(super) document: Value,
    /// Pointer, in the schema as it was given, of the schema at `#/$defs/<index>`.
    pub(super) origins: Vec<String>,
    start: String,
}

impl Normal {
    /// The pointer in the schema as it was given.
    pub(super) fn origin(&self, pointer: &str) -> String {
        self.definition(pointer).unwrap_or_else(|| format!("{}{pointer}", self.start))
    }

    fn definition(&self, pointer: &str) -> Option<String> {
        let inner = pointer.strip_prefix("/$defs/")?;
        let (number, rest) = inner.split_at(inner.find('/').unwrap_or(inner.len()));
        let origin = self.origins.get(number.parse::<usize>().ok()?)?;
        Some(format!("{origin}{rest}"))
    }
}

/// Normalizes the schema at the pointer `start` of an inspected `schema`.
pub(super) fn normalize(schema: &Value, targets: &Targets, start: &str, mode: Mode) -> Result<Normal, SchemaProblem> {
    let mut rewriter = Rewriter { targets, numbers: BTreeMap::new(), pending: Vec::new() };
    let mut document = rewriter.schema(schema.pointer(start).unwrap_or(schema), mode);
    let mut definitions = Map::new();
    let mut origins = Vec::new();
    let mut values = 0;
    while let Some((pointer, mode)) = rewriter.pending.get(origins.len()).copied() {
        let definition = rewriter.schema(schema.pointer(pointer).unwrap_or(&Value::Null), mode);
        values += measure(&definition).values;
        if values > MAX_VALUES {
            let message = "its references repeat too much of it; refer to smaller parts under $defs";
            return Err(SchemaProblem::new("", message));
        }
        definitions.insert(origins.len().to_string(), definition);
        origins.push(pointer.to_owned());
    }
    if let Value::Object(fields) = &mut document
        && !definitions.is_empty()
    {
        fields.insert("$defs".to_owned(), Value::Object(definitions));
    }
    Ok(Normal { document, origins, start: start.to_owned() })
}

struct Rewriter<'a> {
    targets: &'a Targets,
    numbers: BTreeMap<(&'a str, Mode), usize>,
    pending: Vec<(&'a str, Mode)>,
}

impl Rewriter<'_> {
    fn schema(&mut self, schema: &Value, mode: Mode) -> Value {
        let Value::Object(fields) = schema else {
            return schema.clone();
        };
        let mut written = Map::new();
        for (keyword, value) in fields {
            if is_identity(keyword) || (mode == Mode::Stated && is_of_whole(keyword, value)) {
                continue;
            }
            let inner = self.keyword(keyword, value, mode);
            written.insert(keyword.clone(), inner);
        }
        if mode == Mode::Stated {
            self.loosen(fields, &mut written);
        }
        Value::Object(written)
    }

    fn keyword(&mut self, keyword: &str, value: &Value, mode: Mode) -> Value {
        if REFERENCES.contains(&keyword) {
            return self.reference(value, mode);
        }
        let Some((shape, _)) = keyword::applicator(keyword) else {
            return value.clone();
        };
        let mode = if mode == Mode::Stated && is_of_complete_parts(keyword) { Mode::Whole } else { mode };
        match (shape, value) {
            (KeywordShape::List, Value::Array(list)) => list.iter().map(|item| self.schema(item, mode)).collect(),
            (KeywordShape::Named, Value::Object(named)) => {
                named.iter().map(|(name, item)| (name.clone(), self.schema(item, mode))).collect()
            }
            _ => self.schema(value, mode),
        }
    }

    fn reference(&mut self, text: &Value, mode: Mode) -> Value {
        let target = text.as_str().and_then(|text| self.targets.get(text));
        let Some(pointer) = target else {
            return text.clone();
        };
        let next = self.pending.len();
        let number = *self.numbers.entry((pointer, mode)).or_insert(next);
        if number == next {
            self.pending.push((pointer, mode));
        }
        Value::String(format!("#/$defs/{number}"))
    }

    /// Puts what can be said of a part of an object in place of the keywords that speak of the whole.
    ///
    /// `oneOf` becomes `anyOf`: a second alternative may be ruled out by a field that is yet to come. Conditions refuse
    /// nothing any more, but the fields that they speak of still count as known to `unevaluatedProperties`.
    fn loosen(&mut self, fields: &Map<String, Value>, written: &mut Map<String, Value>) {
        let mut loose = Vec::new();
        if let Some(alternatives) = fields.get("oneOf") {
            loose.push(json!({"anyOf": self.keyword("oneOf", alternatives, Mode::Stated)}));
        }
        let conditional: Vec<Value> = keyword::subschemas(fields)
            .filter(|inner| inner.reach == KeywordReach::SameValue && is_condition(inner.keyword))
            .map(|inner| self.schema(inner.schema, Mode::Stated))
            .chain([Value::Bool(true)])
            .collect();
        if conditional.len() > 1 {
            loose.push(json!({ "anyOf": conditional }));
        }
        if loose.is_empty() {
            return;
        }
        let all = written.entry("allOf").or_insert_with(|| json!([]));
        if let Value::Array(all) = all {
            all.append(&mut loose);
        }
    }
}

fn is_identity(keyword: &str) -> bool {
    matches!(
        keyword,
        "$id"
            | "$schema"
            | "$vocabulary"
            | "$anchor"
            | "$dynamicAnchor"
            | "$defs"
            | "definitions"
            | "$comment"
            | "contentSchema"
    )
}

fn is_condition(keyword: &str) -> bool {
    matches!(keyword, "if" | "then" | "else" | "dependentSchemas")
}

/// Keywords that the rest of an object may still satisfy, or that [`Rewriter::loosen`] rewrites.
fn is_of_whole(keyword: &str, value: &Value) -> bool {
    match keyword {
        "required" | "minProperties" | "dependentRequired" | "not" | "oneOf" => true,
        "const" => value.is_object(),
        "enum" => value.as_array().is_some_and(|options| options.iter().any(Value::is_object)),
        _ => is_condition(keyword),
    }
}

/// Keywords whose subschemas see list items and field names, which are stated as a whole.
fn is_of_complete_parts(keyword: &str) -> bool {
    matches!(keyword, "items" | "prefixItems" | "contains" | "unevaluatedItems" | "propertyNames")
}
