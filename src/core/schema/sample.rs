//! A value made up from a schema, to try templates on before there is any grant.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Number, Value};

use super::{defaults::merge, keyword};

/// Levels that are made up; deeper objects and lists are left empty.
const MAX_DEPTH: usize = 8;
/// Values that are made up; what comes after is null or empty.
const MAX_VALUES: usize = 2_000;
/// Characters that a minimum length is followed up to.
const MAX_LENGTH: u64 = 256;

/// Values that are made up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// Every field that the schema names, with its default, its constant or first option, else the least value of its type.
    ///
    /// Best effort: they need not be valid, e.g. where a pattern or `not` is asked for.
    pub values: Map<String, Value>,
    /// The fields, by their names at the top, of which the schema leaves open what type some part of them is of. A valid
    /// value of such a field may look quite different.
    pub open: BTreeSet<String>,
}

/// Makes up values of a facet.
pub(super) fn sample(document: &Value) -> Sample {
    let Some(root) = document.as_object() else { return Sample::default() };
    let mut sampler = Sampler { document, left: MAX_VALUES, is_open: false };
    let mut sample = Sample::default();
    for (name, schema) in named_fields(&keyword::same_value(document, root)) {
        sampler.is_open = false;
        let value = sampler.value(schema, 1);
        sample.values.insert(name.clone(), value);
        if sampler.is_open {
            sample.open.insert(name.clone());
        }
    }
    sample
}

/// The fields that schemas of one object name, but for those that they forbid.
fn named_fields<'a>(schemas: &[&'a Map<String, Value>]) -> BTreeMap<&'a String, &'a Value> {
    let mut named = BTreeMap::new();
    for (name, schema) in schemas.iter().filter_map(|schema| schema.get("properties")?.as_object()).flatten() {
        named.entry(name).or_insert(schema);
    }
    named.retain(|_, schema| **schema != Value::Bool(false));
    named
}

struct Sampler<'a> {
    document: &'a Value,
    left: usize,
    /// Whether something was met of which the type is open.
    is_open: bool,
}

impl<'a> Sampler<'a> {
    fn value(&mut self, schema: &'a Value, depth: usize) -> Value {
        let Some(schema) = schema.as_object().filter(|_| self.left > 0) else {
            self.is_open = true;
            return Value::Null;
        };
        self.left -= 1;
        let schemas = keyword::same_value(self.document, schema);
        self.is_open |= types(&schemas).len() != 1;
        match stated(&schemas) {
            // What is inside of it is named too, and may be there.
            Some(Value::Object(stated)) => {
                let mut fields = self.fields(&schemas, depth + 1);
                merge(&mut fields, &stated);
                Value::Object(fields)
            }
            Some(Value::Array(stated)) if stated.is_empty() => Value::Array(self.items(&schemas, depth + 1)),
            Some(stated) => stated,
            None => self.made_up(&schemas, depth),
        }
    }

    fn made_up(&mut self, schemas: &[&'a Map<String, Value>], depth: usize) -> Value {
        match type_of(schemas) {
            Some("object") => Value::Object(self.fields(schemas, depth + 1)),
            Some("array") => Value::Array(self.items(schemas, depth + 1)),
            Some("boolean") => Value::Bool(false),
            Some("integer") => number(schemas, 1.0),
            Some("number") => number(schemas, 0.0),
            Some("string") => Value::String(text(schemas)),
            _ => Value::Null,
        }
    }

    fn fields(&mut self, schemas: &[&'a Map<String, Value>], depth: usize) -> Map<String, Value> {
        if depth > MAX_DEPTH {
            self.is_open = true;
            return Map::new();
        }
        named_fields(schemas).into_iter().map(|(name, schema)| (name.clone(), self.value(schema, depth))).collect()
    }

    /// One item, or as many as are asked for, so that a loop over them is tried.
    fn items(&mut self, schemas: &[&'a Map<String, Value>], depth: usize) -> Vec<Value> {
        if depth > MAX_DEPTH {
            self.is_open = true;
            return Vec::new();
        }
        let leading = find(schemas, "prefixItems").and_then(Value::as_array);
        let mut items: Vec<Value> = leading.into_iter().flatten().map(|schema| self.value(schema, depth)).collect();
        let wanted = find(schemas, "minItems").and_then(Value::as_u64).unwrap_or(0).max(1);
        let Some(schema) = find(schemas, "items").filter(|schema| **schema != Value::Bool(false)) else {
            self.is_open |= items.is_empty();
            return items;
        };
        while (items.len() as u64) < wanted && self.left > 0 {
            items.push(self.value(schema, depth));
        }
        items
    }
}

fn find<'a>(schemas: &[&'a Map<String, Value>], keyword: &str) -> Option<&'a Value> {
    schemas.iter().find_map(|schema| schema.get(keyword))
}

/// A value that stands in the schema.
fn stated(schemas: &[&Map<String, Value>]) -> Option<Value> {
    let first = |keyword| find(schemas, keyword).and_then(|list| list.as_array()?.first());
    find(schemas, "default")
        .or_else(|| find(schemas, "const"))
        .or_else(|| first("enum"))
        .or_else(|| first("examples"))
        .cloned()
}

/// The types that schemas of one value allow, each by itself, but for null: a template says what it writes instead of that.
fn types<'a>(schemas: &[&'a Map<String, Value>]) -> BTreeSet<&'a str> {
    let given = schemas.iter().filter_map(|schema| schema.get("type"));
    let names = given.flat_map(|given| -> Vec<&'a str> {
        match given {
            Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
            single => single.as_str().into_iter().collect(),
        }
    });
    let mut types: BTreeSet<&str> = names.filter(|name| *name != "null").collect();
    if types.is_empty() {
        types.extend(implied_type(schemas));
    }
    if types.is_empty() {
        let options = find(schemas, "enum").and_then(Value::as_array);
        let options = find(schemas, "const").into_iter().chain(options.into_iter().flatten());
        types.extend(options.filter_map(|option| -> Option<&'a str> { type_name(option) }));
    }
    types
}

fn type_name(value: &Value) -> Option<&'static str> {
    match value {
        Value::Null => None,
        Value::Bool(_) => Some("boolean"),
        Value::Number(_) => Some("number"),
        Value::String(_) => Some("string"),
        Value::Array(_) => Some("array"),
        Value::Object(_) => Some("object"),
    }
}

fn type_of<'a>(schemas: &[&'a Map<String, Value>]) -> Option<&'a str> {
    match find(schemas, "type") {
        Some(Value::String(single)) => Some(single.as_str()),
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        _ => implied_type(schemas),
    }
}

fn implied_type(schemas: &[&Map<String, Value>]) -> Option<&'static str> {
    const SIGNS: [(&str, &str); 8] = [
        ("properties", "object"),
        ("items", "array"),
        ("pattern", "string"),
        ("format", "string"),
        ("minLength", "string"),
        ("maxLength", "string"),
        ("minimum", "number"),
        ("maximum", "number"),
    ];
    SIGNS.into_iter().find(|(keyword, _)| find(schemas, keyword).is_some()).map(|(_, name)| name)
}

/// Zero, or the nearest number that the limits allow; `step` is the least distance to an exclusive limit.
fn number(schemas: &[&Map<String, Value>], step: f64) -> Value {
    let limit = |keyword| find(schemas, keyword).and_then(Value::as_f64);
    let multiple = limit("multipleOf");
    let step = multiple.unwrap_or(if step > 0.0 { step } else { 0.5 });
    let lowest = limit("minimum").or_else(|| limit("exclusiveMinimum").map(|limit| limit + step));
    let highest = limit("maximum").or_else(|| limit("exclusiveMaximum").map(|limit| limit - step));
    let near = 0.0_f64.max(lowest.unwrap_or(0.0)).min(highest.unwrap_or(f64::MAX));
    let value = multiple.map_or(near, |multiple| (near / multiple).ceil() * multiple);
    whole(value).or_else(|| Number::from_f64(value)).map_or(Value::Null, Value::Number)
}

/// The number as an integer, so that it is written without `.0`.
fn whole(value: f64) -> Option<Number> {
    format!("{value:.0}").parse::<i64>().ok().filter(|_| value.fract() == 0.0).map(Number::from)
}

fn text(schemas: &[&Map<String, Value>]) -> String {
    if let Some(example) = find(schemas, "format").and_then(|format| example(format.as_str()?)) {
        return example.to_owned();
    }
    let limit = |keyword| find(schemas, keyword).and_then(Value::as_u64);
    let least = limit("minLength").unwrap_or(0).min(MAX_LENGTH);
    let most = limit("maxLength").unwrap_or(MAX_LENGTH);
    let length = least.max("sample".len() as u64).min(most);
    "sample".chars().cycle().take(usize::try_from(length).unwrap_or(0)).collect()
}

fn example(format: &str) -> Option<&'static str> {
    let example = match format {
        "date" => "2027-01-31",
        "date-time" => "2027-01-31T12:00:00Z",
        "time" => "12:00:00Z",
        "duration" => "P1D",
        "email" | "idn-email" => "name@example.com",
        "hostname" | "idn-hostname" => "example.com",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "uri" | "iri" | "uri-reference" | "iri-reference" | "uri-template" => "https://example.com/",
        "uuid" => "123e4567-e89b-12d3-a456-426614174000",
        "json-pointer" => "/sample",
        "relative-json-pointer" => "0",
        "regex" => "sample",
        _ => return None,
    };
    Some(example)
}
