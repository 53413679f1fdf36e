//! What several schemas that apply to one value ask of it together.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::{Map, Value};

use super::super::keyword::{self, KeywordReach};

/// The schemas of one value.
pub(super) struct ValueRules<'a> {
    /// All that could apply to it.
    all: Vec<&'a Map<String, Value>>,
    /// Those that it has to meet, where alternatives count together or, once that was in vain, one by one.
    binding: Vec<&'a Map<String, Value>>,
}

impl<'a> ValueRules<'a> {
    pub(super) fn of(document: &'a Value, schema: &'a Map<String, Value>, tries: usize) -> Self {
        Self::of_all(document, &[schema], tries)
    }

    pub(super) fn of_all(document: &'a Value, schemas: &[&'a Map<String, Value>], tries: usize) -> Self {
        let mut all = Vec::new();
        let mut binding = Vec::new();
        for schema in schemas {
            all.extend(keyword::same_value(document, schema));
            bind(document, schema, tries, &mut binding);
        }
        Self { all, binding }
    }

    pub(super) fn find(&self, keyword: &str) -> Option<&'a Value> {
        self.binding.iter().find_map(|schema| schema.get(keyword))
    }

    pub(super) fn each(&self, keyword: &str) -> impl Iterator<Item = &'a Value> {
        self.binding.iter().filter_map(move |schema| schema.get(keyword))
    }

    /// The greatest of a lower limit.
    pub(super) fn most(&self, keyword: &str) -> Option<u64> {
        self.each(keyword).filter_map(Value::as_u64).max()
    }

    /// The least of an upper limit.
    pub(super) fn least(&self, keyword: &str) -> Option<u64> {
        self.each(keyword).filter_map(Value::as_u64).min()
    }

    /// The fields that are named, with their schemas; those that bind come first.
    pub(super) fn properties(&self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        let bound: BTreeSet<&'a String> = named(&self.binding).map(|(name, _)| name).collect();
        named(&self.binding).chain(named(&self.all).filter(move |(name, _)| !bound.contains(name)))
    }

    /// The names that have to be there, those among them that come with another field.
    pub(super) fn required(&self) -> BTreeSet<&'a str> {
        let lists = self.each("required").filter_map(Value::as_array);
        let dependent = self.each("dependentRequired").filter_map(Value::as_object).flat_map(Map::values);
        let all = lists.chain(dependent.filter_map(Value::as_array));
        all.flatten().filter_map(Value::as_str).collect()
    }

    /// What entries of other names than the fields have to meet, with the pattern of their names; nothing where there can be none.
    pub(super) fn of_other_names(&self) -> Option<(Option<&'a str>, &'a Value)> {
        const ANY: &Value = &Value::Bool(true);
        let patterns = self.each("patternProperties").filter_map(Value::as_object).flatten();
        let mut patterns = patterns.map(|(pattern, schema)| (Some(pattern.as_str()), schema));
        match self.find("additionalProperties") {
            Some(Value::Bool(false)) => patterns.next(),
            Some(schema) => patterns.next().or(Some((None, schema))),
            None => patterns.next().or(Some((None, ANY))),
        }
    }

    /// Whether the schemas speak of entries of other names than the fields, or of no names at all.
    pub(super) fn has_free_names(&self) -> bool {
        const OTHERS: [&str; 3] = ["additionalProperties", "patternProperties", "unevaluatedProperties"];
        let mut others =
            OTHERS.into_iter().flat_map(|keyword| self.all.iter().filter_map(move |rule| rule.get(keyword)));
        let is_closed = |rule: &Value| *rule == Value::Bool(false);
        let speaks_of_none = || {
            let closed = OTHERS.into_iter().any(|keyword| self.each(keyword).any(is_closed));
            !closed && named(&self.all).next().is_none()
        };
        others.any(|rule| !is_closed(rule)) || speaks_of_none()
    }

    /// A value that stands in the schemas.
    pub(super) fn stated(&self, is_bare: bool, tries: usize, turn: usize) -> Option<Value> {
        let options: Vec<&Value> = self.find("enum").and_then(Value::as_array).into_iter().flatten().collect();
        let some = options.iter().copied().filter(|option| !option.is_null());
        let options: Vec<&Value> = if some.clone().next().is_some() { some.collect() } else { options };
        let choices: Vec<&Value> = self.find("const").into_iter().chain(options).collect();
        let hints = ["default", "examples"].map(|keyword| self.find(keyword).filter(|_| !is_bare));
        let hints = hints.into_iter().flatten().flat_map(|hint| match hint {
            Value::Array(several) if self.find("examples") == Some(hint) => several.iter().collect(),
            single => vec![single],
        });
        let default_first: Vec<&Value> = match (self.find("default").filter(|_| !is_bare), choices.is_empty()) {
            (Some(default), false) => [default].into_iter().chain(choices.iter().copied()).collect(),
            (_, false) => choices.clone(),
            (_, true) => hints.collect(),
        };
        let place = tries + turn;
        match default_first.get(place) {
            Some(stated) => Some((*stated).clone()),
            None if choices.is_empty() => None,
            None => choices.get(place % choices.len()).map(|choice| (*choice).clone()),
        }
    }

    /// The types that the schemas allow, each by itself, without null: a template says what it writes instead of null.
    pub(super) fn types(&self) -> BTreeSet<&'a str> {
        let given = self.all.iter().filter_map(|schema| schema.get("type"));
        let mut types: BTreeSet<&str> = given.flat_map(type_names).filter(|name| *name != "null").collect();
        if types.is_empty() {
            types.extend(implied_type(&self.all));
        }
        if types.is_empty() {
            let options = self.find("enum").and_then(Value::as_array);
            let options = self.find("const").into_iter().chain(options.into_iter().flatten());
            types.extend(options.filter_map(|option| -> Option<&'a str> { type_name(option) }));
        }
        types
    }

    /// The type of what is made up.
    pub(super) fn type_(&self) -> Option<&'a str> {
        let given = self.each("type").flat_map(type_names).find(|name| *name != "null");
        // A number that has to be whole is stated as both.
        let whole = self.each("type").any(|given| given == "integer");
        if whole { Some("integer") } else { given.or_else(|| implied_type(&self.binding)) }
    }
}

fn bind<'a>(
    document: &'a Value,
    schema: &'a Map<String, Value>,
    tries: usize,
    bound: &mut Vec<&'a Map<String, Value>>,
) {
    let mut seen: HashSet<*const Map<String, Value>> = bound.iter().map(|known| std::ptr::from_ref(*known)).collect();
    let mut pending = vec![schema];
    while let Some(schema) = pending.pop() {
        if !seen.insert(std::ptr::from_ref(schema)) {
            continue;
        }
        bound.push(schema);
        let mut next: Vec<&'a Value> = keyword::targets(document, schema).collect();
        let mut alternatives: BTreeMap<&str, Vec<&'a Value>> = BTreeMap::new();
        for inner in keyword::subschemas(schema).filter(|inner| inner.reach == KeywordReach::SameValue) {
            match inner.keyword {
                "not" | "if" => {}
                "anyOf" | "oneOf" if tries > 0 => alternatives.entry(inner.keyword).or_default().push(inner.schema),
                "then" | "else" if tries > 0 => alternatives.entry("if").or_default().push(inner.schema),
                _ => next.push(inner.schema),
            }
        }
        next.extend(alternatives.values().filter_map(|several| several.get((tries - 1) % several.len())));
        pending.extend(next.into_iter().rev().filter_map(Value::as_object));
    }
}

fn named<'a>(schemas: &[&'a Map<String, Value>]) -> impl Iterator<Item = (&'a String, &'a Value)> {
    schemas.iter().filter_map(|schema| schema.get("properties")?.as_object()).flatten()
}

fn type_names(given: &Value) -> Vec<&str> {
    match given {
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        single => single.as_str().into_iter().collect(),
    }
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

fn implied_type(schemas: &[&Map<String, Value>]) -> Option<&'static str> {
    const SIGNS: [(&str, &str); 17] = [
        ("properties", "object"),
        ("required", "object"),
        ("additionalProperties", "object"),
        ("patternProperties", "object"),
        ("minProperties", "object"),
        ("items", "array"),
        ("prefixItems", "array"),
        ("minItems", "array"),
        ("contains", "array"),
        ("pattern", "string"),
        ("format", "string"),
        ("minLength", "string"),
        ("maxLength", "string"),
        ("minimum", "number"),
        ("maximum", "number"),
        ("exclusiveMinimum", "number"),
        ("multipleOf", "number"),
    ];
    let has = |keyword: &str| schemas.iter().any(|schema| schema.contains_key(keyword));
    SIGNS.into_iter().find(|(keyword, _)| has(keyword)).map(|(_, name)| name)
}
