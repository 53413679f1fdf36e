//! A value made up from a schema, to try templates on before there is any grant.

mod number;
mod pattern;
mod rules;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{defaults::merge, keyword};
use rules::ValueRules;

/// Levels that are made up; deeper objects and lists are left empty.
const MAX_DEPTH: usize = 8;
/// Values that are made up; what comes after is null or empty.
const MAX_VALUES: usize = 2_000;
/// How often a field is made up anew, otherwise, where it is not valid.
pub(super) const MAX_TRIES: usize = 8;
/// The name of an entry that the schema does not name.
const NAME: &str = "sample";

/// Values that are made up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// Every field that the schema names or requires, with its default, its constant or first option, else a simple value
    /// of its type that meets the pattern, the format and the limits.
    ///
    /// Best effort: they need not be valid, e.g. where `not` is asked for; [`super::Schema::doubts`] tells.
    pub values: Map<String, Value>,
    /// The fields, by their names at the top, of which the schema leaves open what type some part of them is of. A valid
    /// value of such a field may look quite different.
    pub open: BTreeSet<String>,
    /// The fields, by their names at the top, that are or hold an object which may have entries of other names than are here.
    pub free: BTreeSet<String>,
}

/// How a facet's values are made up.
#[derive(Clone, Copy, Debug)]
pub(super) struct SamplePlan<'a> {
    /// What the schema says by way of defaults and examples is left aside, so that all is as small as it may be.
    pub(super) is_bare: bool,
    /// How often each field has been made up without success.
    pub(super) tries: &'a BTreeMap<String, usize>,
}

/// Makes up values of a facet.
pub(super) fn sample(document: &Value, plan: SamplePlan) -> Sample {
    let Some(root) = document.as_object() else { return Sample::default() };
    let mut sampler =
        Sampler { document, is_bare: plan.is_bare, left: MAX_VALUES, tries: 0, is_open: false, is_free: false };
    let mut sample = Sample::default();
    let rules = ValueRules::of(document, root, 0);
    for (name, schemas) in named(&rules) {
        sampler.is_open = false;
        sampler.is_free = false;
        sampler.tries = plan.tries.get(&name).copied().unwrap_or_default();
        let value = sampler.value(&schemas, 1, 0);
        if sampler.is_open {
            sample.open.insert(name.clone());
        }
        if sampler.is_free {
            sample.free.insert(name.clone());
        }
        sample.values.insert(name, value);
    }
    sample
}

struct Sampler<'a> {
    document: &'a Value,
    is_bare: bool,
    left: usize,
    /// How often the field at hand has been made up without success.
    tries: usize,
    /// Whether something with an open type was met.
    is_open: bool,
    /// Whether an object was met that may have other entries.
    is_free: bool,
}

/// Subschemas that one value has to meet.
type Subschemas<'a> = Vec<&'a Value>;

impl<'a> Sampler<'a> {
    /// A value that meets all schemas; `turn` tells it apart from others in one list.
    fn value(&mut self, schemas: &[&'a Value], depth: usize, turn: usize) -> Value {
        let objects: Vec<&'a Map<String, Value>> = schemas.iter().filter_map(|schema| schema.as_object()).collect();
        if objects.is_empty() || self.left == 0 {
            self.is_open = true;
            return Value::Null;
        }
        self.left -= 1;
        let rules = ValueRules::of_all(self.document, &objects, self.tries);
        self.is_open |= rules.types().len() != 1;
        match rules.stated(self.is_bare, self.tries, turn) {
            // What is inside of it is named too, and may be there.
            Some(Value::Object(stated)) => {
                let mut fields = self.fields(&rules, depth + 1);
                merge(&mut fields, &stated);
                Value::Object(fields)
            }
            Some(Value::Array(stated)) if stated.is_empty() => Value::Array(self.items(&rules, depth + 1)),
            Some(stated) => stated,
            None => self.made_up(&rules, depth, turn),
        }
    }

    fn made_up(&mut self, rules: &ValueRules<'a>, depth: usize, turn: usize) -> Value {
        match rules.type_() {
            Some("object") => Value::Object(self.fields(rules, depth + 1)),
            Some("array") => Value::Array(self.items(rules, depth + 1)),
            Some("boolean") => Value::Bool(turn % 2 == 1),
            Some("integer") => number::number(rules, true, turn),
            Some("number") => number::number(rules, false, turn),
            Some("string") => Value::String(text::text(rules, self.tries, turn)),
            _ => Value::Null,
        }
    }

    fn fields(&mut self, rules: &ValueRules<'a>, depth: usize) -> Map<String, Value> {
        if depth > MAX_DEPTH {
            self.is_open = true;
            return Map::new();
        }
        self.is_free |= rules.has_free_names();
        let named = named(rules);
        let mut fields: Map<String, Value> =
            named.into_iter().map(|(name, schemas)| (name, self.value(&schemas, depth, 0))).collect();
        self.fill_up(rules, depth, &mut fields);
        fields
    }

    /// Adds entries until there are as many as are asked for.
    fn fill_up(&mut self, rules: &ValueRules<'a>, depth: usize, fields: &mut Map<String, Value>) {
        let wanted = rules.most("minProperties").unwrap_or_default();
        let Some((pattern, schema)) = rules.of_other_names() else { return };
        let mut turn = 0;
        while (fields.len() as u64) < wanted && turn < MAX_VALUES && self.left > 0 {
            let name = self.name(rules, pattern, turn);
            turn += 1;
            if !fields.contains_key(&name) {
                let value = self.value(&[schema], depth, 0);
                fields.insert(name, value);
            }
        }
    }

    fn name(&mut self, rules: &ValueRules<'a>, pattern: Option<&str>, turn: usize) -> String {
        if let Some(pattern) = pattern {
            return text::matching(pattern, turn).unwrap_or_else(|| NAME.to_owned());
        }
        match rules.find("propertyNames").map(|names| self.value(&[names], MAX_DEPTH, turn)) {
            Some(Value::String(name)) => name,
            _ if turn == 0 => NAME.to_owned(),
            _ => format!("{NAME}{turn}"),
        }
    }

    /// One item, or as many as are asked for, so that a loop over them is tried.
    fn items(&mut self, rules: &ValueRules<'a>, depth: usize) -> Vec<Value> {
        if depth > MAX_DEPTH {
            self.is_open = true;
            return Vec::new();
        }
        let leading = rules.find("prefixItems").and_then(Value::as_array);
        let mut items: Vec<Value> =
            leading.into_iter().flatten().map(|schema| self.value(&[schema], depth, 0)).collect();
        let schema = rules.find("items");
        let wanted = rules.most("minItems").unwrap_or_default().max(1);
        let wanted = wanted.min(rules.least("maxItems").unwrap_or(u64::MAX));
        if let Some(contained) = rules.find("contains") {
            let count = rules.most("minContains").unwrap_or(1);
            let schemas: Subschemas<'a> = [contained].into_iter().chain(schema).collect();
            self.push_until(&mut items, rules, &schemas, depth, count.max(leading.map_or(0, Vec::len) as u64 + count));
        }
        let Some(schema) = schema.filter(|schema| **schema != Value::Bool(false)) else {
            self.is_open |= items.is_empty() && schema.is_none();
            return items;
        };
        self.push_until(&mut items, rules, &[schema], depth, wanted);
        items
    }

    fn push_until(
        &mut self,
        items: &mut Vec<Value>,
        rules: &ValueRules<'a>,
        schemas: &[&'a Value],
        depth: usize,
        wanted: u64,
    ) {
        let are_unique = rules.each("uniqueItems").any(|unique| *unique == Value::Bool(true));
        while (items.len() as u64) < wanted && self.left > 0 {
            let turn = if are_unique { items.len() } else { 0 };
            let value = self.value(schemas, depth, turn);
            items.push(value);
        }
    }
}

/// The fields that are named or required, each with the schemas that it has to meet.
fn named<'a>(rules: &ValueRules<'a>) -> BTreeMap<String, Subschemas<'a>> {
    let mut named: BTreeMap<String, Subschemas<'a>> = BTreeMap::new();
    for (name, schema) in rules.properties() {
        named.entry(name.clone()).or_default().push(schema);
    }
    named.retain(|_, schemas| !schemas.contains(&&Value::Bool(false)));
    for name in rules.required() {
        if !named.contains_key(name) && named.len() < MAX_VALUES {
            named.insert(name.to_owned(), rules.of_other_names().map_or_else(Vec::new, |(_, schema)| vec![schema]));
        }
    }
    named
}

/// Whether an object of this schema may have entries that it does not name.
pub(super) fn has_free_names(document: &Value) -> bool {
    document.as_object().is_some_and(|root| ValueRules::of(document, root, 0).has_free_names())
}

/// The field that a JSON pointer leads into; nothing for the root.
pub(super) fn field_of(pointer: &str) -> Option<String> {
    let first = pointer.strip_prefix('/')?.split('/').next()?;
    Some(keyword::unescape_token(first))
}
