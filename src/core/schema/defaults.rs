//! Values that a schema gives if none are stated, and how layers of values combine.

use serde_json::{Map, Value, map::Entry};
use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::invalid::SchemaProblem;
use super::keyword::{self, KeywordReach};
use super::measure::{MAX_DEPTH, measure};
use super::normalize::Normal;

/// Work of filling one facet: values looked at and units inserted.
const MAX_WORK: u64 = 500_000;
/// The same for all defaults that stand in one schema, when it is compiled.
const MAX_SCHEMA_WORK: u64 = 100_000;

/// The defaults need more than the budget: they repeat in a large list, or go on without end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMuch;

/// Lays `over` upon `base`: objects merge field by field, anything else (lists as well) is replaced whole, and null is a
/// value like any other.
///
/// The empty object changes nothing. The order in which several layers are merged does not matter, as long as none of
/// them has an object where another has something else.
pub fn merge(base: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (name, value) in over {
        match (base.get_mut(name), value) {
            (Some(Value::Object(below)), Value::Object(above)) => merge(below, above),
            (Some(below), _) => below.clone_from(value),
            (None, _) => drop(base.insert(name.clone(), value.clone())),
        }
    }
}

/// Fills `values` with the defaults of the normalized `document` for what is absent inside objects that are there.
/// Fields in `secrets` have none.
pub(super) fn fill(
    document: &Value,
    secrets: &BTreeSet<String>,
    values: &mut Map<String, Value>,
) -> Result<(), TooMuch> {
    let mut filler = DefaultFiller { document, budget: MAX_WORK };
    let root: Vec<&Value> = vec![document];
    let schemas = filler.referred(&root)?;
    filler.fields(&schemas, values, secrets, 1)
}

/// A default that stands in a schema.
pub(super) struct StatedDefault {
    /// Pointer, in the schema as it was given, of the schema that has it.
    pub(super) pointer: String,
    pub(super) value: Value,
    /// The same with the defaults inside of it.
    pub(super) filled: Value,
    /// Whether it is filled in anywhere.
    pub(super) is_taken: bool,
}

/// All defaults that stand in a schema, each once; refuses those that fill themselves without end or to an enormous size.
pub(super) fn stated(normal: &Normal) -> Result<Vec<StatedDefault>, SchemaProblem> {
    let taken = taken(normal);
    let mut filler = DefaultFiller { document: &normal.document, budget: MAX_SCHEMA_WORK };
    let mut found = BTreeMap::new();
    let mut pending = vec![(String::new(), &normal.document)];
    while let Some((pointer, schema)) = pending.pop() {
        let Some(fields) = schema.as_object() else {
            continue;
        };
        let origin = normal.origin(&pointer);
        if let Some(value) = fields.get("default").filter(|_| !found.contains_key(&origin)) {
            let mut whole = value.clone();
            let outcome = filler.referred(&[schema]).and_then(|schemas| filler.value(&schemas, &mut whole, 1));
            outcome.map_err(|TooMuch| {
                let message = "fills itself with defaults without end, or to an enormous size; remove a default inside \
                               of what it refers to";
                SchemaProblem::new(format!("{origin}/default"), message)
            })?;
            let is_taken = taken.contains(&origin);
            found.insert(
                origin.clone(),
                StatedDefault { pointer: origin, value: value.clone(), filled: whole, is_taken },
            );
        }
        for inner in keyword::subschemas(fields) {
            let is_definition = inner.keyword == "$defs";
            if inner.reach != KeywordReach::Nothing || is_definition {
                let mut pointer = pointer.clone();
                inner.push_pointer(&mut pointer);
                pending.push((pointer, inner.schema));
            }
        }
    }
    Ok(found.into_values().collect())
}

/// The places, in the schema as it was given, of the schemas whose defaults are filled in.
fn taken(normal: &Normal) -> HashSet<String> {
    let mut taken = HashSet::new();
    let mut seen = HashSet::new();
    // Of each schema, whether it is that of a field: nothing else has a default.
    let mut pending = vec![(String::new(), &normal.document, false)];
    while let Some((pointer, schema, is_field)) = pending.pop() {
        let Some(fields) = schema.as_object().filter(|_| seen.insert((std::ptr::from_ref(schema), is_field))) else {
            continue;
        };
        if is_field && fields.contains_key("default") {
            taken.insert(normal.origin(&pointer));
        }
        let reference = fields.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
        if let Some((target, schema)) = reference.and_then(|target| Some((target, normal.document.pointer(target)?))) {
            pending.push((target.to_owned(), schema, is_field));
        }
        for inner in keyword::subschemas(fields).filter(|inner| matches!(inner.keyword, "properties" | "items")) {
            let mut pointer = pointer.clone();
            inner.push_pointer(&mut pointer);
            pending.push((pointer, inner.schema, inner.keyword == "properties"));
        }
    }
    taken
}

struct DefaultFiller<'a> {
    document: &'a Value,
    budget: u64,
}

impl<'a> DefaultFiller<'a> {
    fn charge(&mut self, work: u64) -> Result<(), TooMuch> {
        self.budget = self.budget.checked_sub(work).ok_or(TooMuch)?;
        Ok(())
    }

    /// The schemas with those that they refer to, each once, nearest first.
    fn referred(&mut self, schemas: &[&'a Value]) -> Result<Vec<&'a Map<String, Value>>, TooMuch> {
        let mut found: Vec<&'a Map<String, Value>> = Vec::new();
        let mut pending: Vec<&'a Value> = schemas.iter().rev().copied().collect();
        while let Some(schema) = pending.pop() {
            self.charge(1 + found.len() as u64)?;
            let Some(fields) = schema.as_object() else {
                continue;
            };
            if found.iter().any(|known| std::ptr::eq(*known, fields)) {
                continue;
            }
            found.push(fields);
            let reference = fields.get("$ref").and_then(Value::as_str);
            pending.extend(reference.and_then(|reference| keyword::resolve(self.document, reference)));
        }
        Ok(found)
    }

    fn value(&mut self, schemas: &[&'a Map<String, Value>], value: &mut Value, depth: usize) -> Result<(), TooMuch> {
        if schemas.is_empty() {
            return Ok(());
        }
        if depth > MAX_DEPTH {
            return Err(TooMuch);
        }
        self.charge(1)?;
        match value {
            Value::Object(fields) => self.fields(schemas, fields, &BTreeSet::new(), depth),
            Value::Array(items) => self.items(schemas, items, depth),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        }
    }

    fn fields(
        &mut self,
        schemas: &[&'a Map<String, Value>],
        values: &mut Map<String, Value>,
        secrets: &BTreeSet<String>,
        depth: usize,
    ) -> Result<(), TooMuch> {
        let named: Vec<&'a Map<String, Value>> =
            schemas.iter().filter_map(|schema| schema.get("properties")?.as_object()).collect();
        for (name, schema) in named.iter().flat_map(|named| named.iter()) {
            self.charge(1)?;
            if secrets.contains(name) {
                continue;
            }
            if let Entry::Vacant(absent) = values.entry(name.as_str())
                && let Some(default) = self.default(schema)?
            {
                self.charge(measure(default).units())?;
                absent.insert(default.clone());
            }
        }
        for (name, value) in values.iter_mut() {
            let inner: Vec<&'a Value> = named.iter().filter_map(|named| named.get(name)).collect();
            let schemas = self.referred(&inner)?;
            self.value(&schemas, value, depth + 1)?;
        }
        Ok(())
    }

    fn default(&mut self, schema: &'a Value) -> Result<Option<&'a Value>, TooMuch> {
        let schemas = self.referred(&[schema])?;
        Ok(schemas.into_iter().find_map(|schema| schema.get("default")))
    }

    fn items(&mut self, schemas: &[&'a Map<String, Value>], items: &mut [Value], depth: usize) -> Result<(), TooMuch> {
        let rules: Vec<(usize, &'a Value)> = schemas
            .iter()
            .filter_map(|schema| {
                let leading = schema.get("prefixItems").and_then(Value::as_array);
                Some((leading.map_or(0, Vec::len), schema.get("items")?))
            })
            .collect();
        if rules.is_empty() {
            return Ok(());
        }
        for (index, item) in items.iter_mut().enumerate() {
            let applied: Vec<&'a Value> =
                rules.iter().filter(|(leading, _)| index >= *leading).map(|(_, schema)| *schema).collect();
            let schemas = self.referred(&applied)?;
            self.value(&schemas, item, depth + 1)?;
        }
        Ok(())
    }
}
