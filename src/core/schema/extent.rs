//! How much work a schema can ask for on one value.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::invalid::SchemaProblem;
use super::keyword::{self, KeywordReach, REFERENCES};
use super::measure::measure;
use super::normalize::Normal;

/// Schemas that one value and its parts may meet, with every reference written out, as validators do.
const MAX_UNFOLDED: u64 = 10_000;
/// Levels of schemas inside of schemas, with every reference written out; validators recurse that deep.
const MAX_HEIGHT: usize = 64;

/// The work that a schema can ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SchemaExtent {
    /// Schemas and `enum` options with every reference written out; recursion counts once.
    pub(super) unfolded: u64,
    /// Whether a schema refers to itself for parts of its values, so that the depth of a value counts as well.
    pub(super) recursive: bool,
    /// What is asked of texts.
    pub(super) texts: Texts,
    /// Whether the items of a list are compared with each other.
    pub(super) unique: bool,
}

/// What a schema asks of texts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Texts {
    /// They are matched against patterns.
    pub(super) patterned: bool,
    /// They are read by their format.
    pub(super) formatted: bool,
}

/// Measures a normalized schema; refuses what would make validators run without end, exponentially or out of stack.
pub(super) fn extent(normal: &Normal) -> Result<SchemaExtent, SchemaProblem> {
    let mut survey = ExtentWalk {
        normal,
        pointer: String::new(),
        open: Vec::new(),
        closed: HashMap::new(),
        circled: HashSet::new(),
        found: SchemaExtent::default(),
    };
    let root = survey.unfold(&normal.document)?;
    Ok(SchemaExtent { unfolded: root.unfolded, ..survey.found })
}

#[derive(Debug, Clone, Copy, Default)]
struct SchemaSize {
    unfolded: u64,
    height: usize,
}

struct ExtentWalk<'a> {
    normal: &'a Normal,
    /// Where the walk is in the normalized document.
    pointer: String,
    /// The schemas that the walk is inside of, outermost first.
    open: Vec<*const Value>,
    closed: HashMap<*const Value, SchemaSize>,
    /// Schemas from which no circle on one value starts.
    circled: HashSet<*const Value>,
    found: SchemaExtent,
}

struct Edge<'a> {
    schema: &'a Value,
    reach: KeywordReach,
    pointer: String,
}

impl<'a> ExtentWalk<'a> {
    fn problem(&self, message: impl Into<String>) -> SchemaProblem {
        SchemaProblem::new(self.normal.origin(&self.pointer), message)
    }

    fn edges(&self, fields: &'a Map<String, Value>) -> Vec<Edge<'a>> {
        let references = REFERENCES.iter().filter_map(|keyword| {
            let reference = fields.get(*keyword)?.as_str()?;
            Some(Edge {
                schema: keyword::resolve(&self.normal.document, reference)?,
                reach: KeywordReach::SameValue,
                pointer: reference.strip_prefix('#')?.to_owned(),
            })
        });
        let inner = keyword::subschemas(fields).filter(|inner| inner.reach != KeywordReach::Nothing).map(|inner| {
            let mut pointer = self.pointer.clone();
            inner.push_pointer(&mut pointer);
            Edge { schema: inner.schema, reach: inner.reach, pointer }
        });
        references.chain(inner).collect()
    }

    /// Size of the schema at the present pointer, by depth-first search.
    fn unfold(&mut self, schema: &'a Value) -> Result<SchemaSize, SchemaProblem> {
        let address = std::ptr::from_ref(schema);
        if let Some(size) = self.closed.get(&address) {
            return Ok(*size);
        }
        if self.open.contains(&address) {
            self.found.recursive = true;
            return Ok(SchemaSize::default());
        }
        let Some(fields) = schema.as_object() else {
            return Ok(SchemaSize { unfolded: 1, height: 1 });
        };
        if self.open.len() >= MAX_HEIGHT {
            return Err(self.problem(format!(
                "schemas are nested more than {MAX_HEIGHT} levels deep here, references included; flatten them"
            )));
        }
        self.circle(schema, &mut Vec::new())?;
        self.open.push(address);
        let size = self.add_up(fields)?;
        self.open.pop();
        self.closed.insert(address, size);
        Ok(size)
    }

    fn add_up(&mut self, fields: &'a Map<String, Value>) -> Result<SchemaSize, SchemaProblem> {
        let has = |keyword| fields.contains_key(keyword);
        self.found.texts.patterned |= has("pattern") || has("patternProperties");
        self.found.texts.formatted |= has("format");
        self.found.unique |= has("uniqueItems");
        let repeats = same_value_repeats(fields);
        let mut size = SchemaSize { unfolded: 1 + own_values(fields), height: 0 };
        for edge in self.edges(fields) {
            let here = std::mem::replace(&mut self.pointer, edge.pointer);
            let inner = self.unfold(edge.schema)?;
            self.pointer = here;
            let times = if edge.reach == KeywordReach::SameValue { repeats } else { 1 };
            size.unfolded += inner.unfolded * times;
            size.height = size.height.max(inner.height);
        }
        size.height += 1;
        if size.unfolded > MAX_UNFOLDED {
            return Err(self.problem(format!(
                "comes to more than {MAX_UNFOLDED} schemas once its references are written out; refer to each part once \
                 rather than from every alternative"
            )));
        }
        if size.height > MAX_HEIGHT {
            return Err(self.problem(format!(
                "schemas are nested more than {MAX_HEIGHT} levels deep below here, references included; flatten them"
            )));
        }
        Ok(size)
    }

    /// Refuses a schema that applies itself to the same value, for which 2020-12 defines no result (core, 9.4.1).
    fn circle(&mut self, schema: &'a Value, path: &mut Vec<*const Value>) -> Result<(), SchemaProblem> {
        let address = std::ptr::from_ref(schema);
        if path.contains(&address) {
            return Err(self.problem(
                "refers back to itself for the same value, which never ends; refer to it from a field or an item",
            ));
        }
        let Some(fields) = schema.as_object() else {
            return Ok(());
        };
        if self.circled.contains(&address) || path.len() > MAX_HEIGHT {
            return Ok(());
        }
        path.push(address);
        for edge in self.edges(fields) {
            if edge.reach != KeywordReach::SameValue {
                continue;
            }
            let here = std::mem::replace(&mut self.pointer, edge.pointer);
            self.circle(edge.schema, path)?;
            self.pointer = here;
        }
        path.pop();
        self.circled.insert(address);
        Ok(())
    }
}

/// How often validators apply the schemas inside of one to the same value: `unevaluated…` has them applied once more.
pub(super) fn same_value_repeats(fields: &Map<String, Value>) -> u64 {
    let again = fields.contains_key("unevaluatedProperties") || fields.contains_key("unevaluatedItems");
    if again { 2 } else { 1 }
}

/// Values that a validator compares with, and those of a schema that an error of `not` repeats.
fn own_values(fields: &Map<String, Value>) -> u64 {
    ["enum", "const", "not"].iter().filter_map(|keyword| fields.get(*keyword)).map(|value| measure(value).units()).sum()
}
