//! Where JSON Schema 2020-12 keeps schemas inside of schemas.
//!
//! Everything that walks a schema goes through this table. So no code mistakes an `enum` option or an unknown annotation for
//! a schema because it looks like one. Source: the applicator, unevaluated, content, and core vocabularies of
//! <https://json-schema.org/draft/2020-12/json-schema-core>.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::{Map, Value};

/// The keywords that refer to another schema.
pub(super) const REFERENCES: [&str; 2] = ["$ref", "$dynamicRef"];

/// Which value a subschema is applied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeywordReach {
    /// The same value as the schema that it stands in.
    SameValue,
    /// A field, an item or a field name of that value.
    Part,
    /// None: it is only there to be referred to, or is an annotation.
    Nothing,
}

/// What stands under a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeywordShape {
    /// One schema.
    Single,
    /// A list of schemas.
    List,
    /// Schemas by name.
    Named,
}

const APPLICATORS: [(&str, KeywordShape, KeywordReach); 21] = [
    ("allOf", KeywordShape::List, KeywordReach::SameValue),
    ("anyOf", KeywordShape::List, KeywordReach::SameValue),
    ("oneOf", KeywordShape::List, KeywordReach::SameValue),
    ("not", KeywordShape::Single, KeywordReach::SameValue),
    ("if", KeywordShape::Single, KeywordReach::SameValue),
    ("then", KeywordShape::Single, KeywordReach::SameValue),
    ("else", KeywordShape::Single, KeywordReach::SameValue),
    ("dependentSchemas", KeywordShape::Named, KeywordReach::SameValue),
    ("properties", KeywordShape::Named, KeywordReach::Part),
    ("patternProperties", KeywordShape::Named, KeywordReach::Part),
    ("additionalProperties", KeywordShape::Single, KeywordReach::Part),
    ("unevaluatedProperties", KeywordShape::Single, KeywordReach::Part),
    ("propertyNames", KeywordShape::Single, KeywordReach::Part),
    ("prefixItems", KeywordShape::List, KeywordReach::Part),
    ("items", KeywordShape::Single, KeywordReach::Part),
    ("contains", KeywordShape::Single, KeywordReach::Part),
    ("unevaluatedItems", KeywordShape::Single, KeywordReach::Part),
    ("contentSchema", KeywordShape::Single, KeywordReach::Nothing),
    ("$defs", KeywordShape::Named, KeywordReach::Nothing),
    // The old name of `$defs`, which the 2020-12 meta-schema still knows.
    ("definitions", KeywordShape::Named, KeywordReach::Nothing),
    // Refused by `inspect`, but walked so that its content is checked as well.
    ("dependencies", KeywordShape::Named, KeywordReach::Nothing),
];

/// What the keyword applies to and how its schemas stand under it; `None` if it holds no schema.
pub(super) fn applicator(keyword: &str) -> Option<(KeywordShape, KeywordReach)> {
    APPLICATORS.iter().find(|(name, ..)| *name == keyword).map(|&(_, shape, reach)| (shape, reach))
}

/// A schema directly inside of another one.
pub(super) struct Subschema<'a> {
    pub(super) keyword: &'static str,
    /// Its index or name under the keyword, where the keyword holds several.
    pub(super) token: Option<Cow<'a, str>>,
    pub(super) schema: &'a Value,
    pub(super) reach: KeywordReach,
}

impl Subschema<'_> {
    /// Appends its place to the JSON pointer of the schema that it stands in.
    pub(super) fn push_pointer(&self, pointer: &mut String) {
        push_token(pointer, self.keyword);
        if let Some(token) = &self.token {
            push_token(pointer, token);
        }
    }
}

/// Appends a reference token to a JSON pointer (RFC 6901).
pub(super) fn push_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
}

/// What a reference token of a JSON pointer stands for.
pub(super) fn unescape_token(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

/// The schemas directly inside of `schema`; what has not the shape that its keyword asks for is skipped.
pub(super) fn subschemas(schema: &Map<String, Value>) -> impl Iterator<Item = Subschema<'_>> {
    APPLICATORS.iter().flat_map(move |&(keyword, shape, reach)| {
        let entries: Vec<(Option<Cow<'_, str>>, &Value)> = match (shape, schema.get(keyword)) {
            (KeywordShape::Single, Some(single)) => vec![(None, single)],
            (KeywordShape::List, Some(Value::Array(list))) => {
                list.iter().enumerate().map(|(index, item)| (Some(Cow::Owned(index.to_string())), item)).collect()
            }
            (KeywordShape::Named, Some(Value::Object(named))) => {
                named.iter().map(|(name, item)| (Some(Cow::Borrowed(name.as_str())), item)).collect()
            }
            _ => Vec::new(),
        };
        entries.into_iter().map(move |(token, schema)| Subschema { keyword, token, schema, reach })
    })
}

/// The schema that a normalized reference (`#` and a JSON pointer) points at.
pub(super) fn resolve<'a>(document: &'a Value, reference: &str) -> Option<&'a Value> {
    document.pointer(reference.strip_prefix('#')?)
}

/// The targets of the references that stand directly in `schema`.
pub(super) fn targets<'a>(document: &'a Value, schema: &'a Map<String, Value>) -> impl Iterator<Item = &'a Value> {
    REFERENCES.iter().filter_map(move |keyword| resolve(document, schema.get(*keyword)?.as_str()?))
}

/// `start` and every schema that may be applied to the same value, references included. The first is `start`.
pub(super) fn same_value<'a>(document: &'a Value, start: &'a Map<String, Value>) -> Vec<&'a Map<String, Value>> {
    let mut seen = HashSet::from([std::ptr::from_ref(start)]);
    let mut found = vec![start];
    let mut next = 0;
    while let Some(schema) = found.get(next).copied() {
        next += 1;
        let inner = subschemas(schema).filter(|inner| inner.reach == KeywordReach::SameValue).map(|inner| inner.schema);
        for applied in targets(document, schema).chain(inner).filter_map(Value::as_object) {
            if seen.insert(std::ptr::from_ref(applied)) {
                found.push(applied);
            }
        }
    }
    found
}
