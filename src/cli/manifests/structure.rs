//! What the API server does to an object by the structure of its schema, before it checks any value: it refuses fields that the
//! schema does not know, takes nulls that the schema does not allow for absent, and fills in defaults.

use super::{
    node::{Content, Field, Node},
    path::{Aim, Path, PathStep},
    text::boolean_word,
};
use crate::core::schema::wording::{closest, unknown_field};
use serde_json::{Map, Value};
use std::collections::HashSet;

/// Something that is wrong, or worth a warning, in a part of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Which part.
    pub path: Path,
    /// What of it.
    pub aim: Aim,
    /// What is wrong there and what to do.
    pub message: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

impl Remark {
    /// A remark on the value of a part.
    #[must_use]
    pub fn new(path: Path, message: impl Into<String>) -> Self {
        Self { path, aim: Aim::Value, message: message.into(), suggestion: None }
    }

    /// The remark that a field has no name that there is.
    fn unknown(path: Path, name: &str, known: &[&str]) -> Self {
        let suggestion = closest(name, known).map(str::to_owned);
        Self { path, aim: Aim::Name, message: unknown_field(name, known), suggestion }
    }
}

/// What came of an object.
#[derive(Clone, Debug, Default)]
pub struct Structured {
    /// The object as the API server would keep it.
    pub value: Value,
    /// Fields that the schema does not know, and items that a list has twice.
    pub errors: Vec<Remark>,
    /// Text that YAML 1.1 takes for a boolean, where the schema leaves open what it should be.
    pub warnings: Vec<Remark>,
    /// Nulls where the schema leaves open what there is.
    pub nulls: Vec<Remark>,
}

/// Structures an object by a schema of a CustomResourceDefinition. `text` is what the object was read from.
#[must_use]
pub fn structure(schema: &Value, object: &Node, text: &str) -> Structured {
    let mut walk = StructureWalk { text, path: Path::default(), structured: Structured::default() };
    let mut value = walk.value(schema, object);
    fill_defaults(schema, &mut value);
    walk.structured.value = value;
    walk.structured
}

struct StructureWalk<'a> {
    text: &'a str,
    /// The way to where the walk is.
    path: Path,
    structured: Structured,
}

impl StructureWalk<'_> {
    fn value(&mut self, schema: &Value, node: &Node) -> Value {
        let type_ = schema.get("type").and_then(Value::as_str);
        match (&node.content, schema.get("items")) {
            (Content::Fields(fields), _) if type_ == Some("object") => self.object(schema, fields),
            (Content::List(items), Some(schema_of_item)) => {
                self.refuse_twins(schema, items);
                let items = items.iter().enumerate();
                let value = |(index, item)| self.within(PathStep::Item(index), |walk| walk.value(schema_of_item, item));
                items.map(value).collect()
            }
            // Whatever has another type than the schema asks for is refused for that.
            _ => node.to_value(),
        }
    }

    fn object(&mut self, schema: &Value, fields: &[Field]) -> Value {
        let properties = schema.get("properties").and_then(Value::as_object);
        let additional = schema.get("additionalProperties").filter(|schema| schema.is_object());
        let mut kept = Map::new();
        for field in fields {
            let name = &field.key.name;
            let schema_of_field = properties.and_then(|properties| properties.get(name)).or(additional);
            let value = self.within(PathStep::Field(name.clone()), |walk| match schema_of_field {
                Some(schema) if is_absent(schema, &field.value) => None,
                Some(schema) => Some(walk.value(schema, &field.value)),
                None if is_true(schema, "x-kubernetes-preserve-unknown-fields") => Some(walk.open_field(field)),
                None => {
                    let known: Vec<&str> = properties.into_iter().flat_map(Map::keys).map(String::as_str).collect();
                    walk.structured.errors.push(Remark::unknown(walk.path.clone(), name, &known));
                    None
                }
            });
            if let Some(value) = value {
                kept.insert(name.clone(), value);
            }
        }
        Value::Object(kept)
    }

    fn within<T>(&mut self, step: PathStep, walk: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(step);
        let result = walk(self);
        self.path.pop();
        result
    }

    fn refuse(&mut self, message: String) {
        self.structured.errors.push(Remark::new(self.path.clone(), message));
    }

    /// A field that the schema does not mention.
    fn open_field(&mut self, field: &Field) -> Value {
        if matches!(field.value.content, Content::Null) {
            let message = "kubectl apply drops a null, unless it is run with --server-side: what lies below it, such as a default, would then be there instead";
            self.structured.nulls.push(Remark::new(self.path.clone(), message));
        }
        if field.key.is_boolean {
            self.warn_of_word(field.key.name == "true", field.key.offset, Aim::Name);
        }
        self.warn_of_words(&field.value);
        field.value.to_value()
    }

    fn warn_of_words(&mut self, node: &Node) {
        match &node.content {
            Content::Boolean(boolean) => self.warn_of_word(*boolean, node.offset, Aim::Value),
            Content::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.within(PathStep::Item(index), |walk| walk.warn_of_words(item));
                }
            }
            Content::Fields(fields) => {
                for field in fields {
                    self.within(PathStep::Field(field.key.name.clone()), |walk| drop(walk.open_field(field)));
                }
            }
            Content::Null | Content::Number(_) | Content::Text(_) => {}
        }
    }

    fn warn_of_word(&mut self, boolean: bool, offset: u32, aim: Aim) {
        let Some(word) = boolean_word(self.text, offset) else { return };
        let part = match aim {
            Aim::Name => "name",
            Aim::Value => "value",
        };
        let message = format!(
            "the {part} {word} is the boolean {boolean} to kubectl: put it in quotes if it is a text, or write {boolean}"
        );
        self.structured.warnings.push(Remark { aim, ..Remark::new(self.path.clone(), message) });
    }

    /// Items that have the same keys (`x-kubernetes-list-type: map`), or are the same (`set`).
    fn refuse_twins(&mut self, schema: &Value, items: &[Node]) {
        let list_type = schema.get("x-kubernetes-list-type").and_then(Value::as_str);
        let keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
        let identity = |item: &Node| match (list_type, keys) {
            (Some("set"), _) => Some(item.to_value().to_string()),
            (Some("map"), Some(keys)) => {
                let keys = keys.iter().filter_map(Value::as_str);
                let values = keys.map(|key| Some(item.get(key)?.to_value().to_string()));
                values.collect::<Option<Vec<_>>>().map(|values| values.join(", "))
            }
            _ => None,
        };
        let mut seen = HashSet::new();
        for (index, item) in items.iter().enumerate() {
            let Some(identity) = identity(item) else { continue };
            if !seen.insert(identity.clone()) {
                let message = format!("{identity} is in the list twice: remove or rename one of the two");
                self.within(PathStep::Item(index), |walk| walk.refuse(message));
            }
        }
    }
}

/// A null counts as absent where the schema does not allow it.
fn is_absent(schema: &Value, node: &Node) -> bool {
    matches!(node.content, Content::Null) && !is_true(schema, "nullable")
}

fn is_true(schema: &Value, keyword: &str) -> bool {
    schema.get(keyword) == Some(&Value::Bool(true))
}

fn fill_defaults(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let properties = schema.get("properties").and_then(Value::as_object);
            for (name, schema) in properties.into_iter().flatten() {
                if let (Some(default), false) = (schema.get("default"), fields.contains_key(name)) {
                    fields.insert(name.clone(), default.clone());
                }
            }
            let additional = schema.get("additionalProperties").filter(|schema| schema.is_object());
            for (name, value) in fields {
                let schema = properties.and_then(|properties| properties.get(name)).or(additional);
                if let Some(schema) = schema {
                    fill_defaults(schema, value);
                }
            }
        }
        Value::Array(items) => {
            let Some(schema) = schema.get("items") else { return };
            for item in items {
                fill_defaults(schema, item);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
