//! How much work it is to check one value against one schema, known before it is done.
//!
//! Alternatives that overlap make validation of a recursive schema exponential in the depth of the value, and errors inside
//! alternatives copy the values that they are about. So the visits are counted first, without doing the work. Whatever
//! exceeds the budget is refused with a message instead of holding up everyone else.

use serde_json::{Map, Value};

use super::extent::{SchemaExtent, same_value_repeats};
use super::keyword;
use super::measure::{Measure, measure};
use super::pattern::SchemaPatterns;

/// Visits of a schema at a value.
const MAX_VISITS: u64 = 2_000_000;
/// Visits, and units of values copied, up to which all errors are collected.
const MAX_REPORTED: u64 = 200_000;
/// Levels that the validator recurses.
const MAX_LEVELS: usize = 512;
/// Bytes that are matched against patterns. At worst an engine follows all states of a pattern at each, which takes
/// nanoseconds for each state.
const MAX_MATCHED: u64 = 256 * 1024;
/// A pattern with more states counts as several.
const STATES: u64 = 256;
/// Bytes of text that are read for a format as fast as they are visited. The names of groups in a regular expression are
/// compared with each other, so longer ones take more than their length.
const READ_AT_ONCE: u64 = 1024;
/// Bytes of text in which the characters are counted in the time of one visit.
const COUNTED_AT_ONCE: u64 = 64;
/// Bytes of text that are read for formats without counting what each takes.
const MAX_READ: u64 = 32 * 1024;

/// The work of one check.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct CheckWork {
    visits: u64,
    /// Units of values that errors inside of alternatives would copy.
    copied: u64,
    /// Bytes matched against patterns, as often as a pattern counts.
    matched: u64,
}

/// What may be asked of the validator about an invalid value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorDetail {
    /// Every error.
    All,
    /// The first error.
    First,
    /// Nothing more.
    None,
}

impl CheckWork {
    pub(super) fn effort(self) -> ErrorDetail {
        if self.copied > MAX_REPORTED {
            return ErrorDetail::None;
        }
        if self.visits > MAX_REPORTED {
            return ErrorDetail::First;
        }
        ErrorDetail::All
    }
}

/// A bound from the sizes alone, if they are small enough for that.
pub(super) fn estimate(extent: SchemaExtent, patterns: &SchemaPatterns, size: Measure) -> Option<CheckWork> {
    let depth = u64::try_from(size.depth).unwrap_or(u64::MAX);
    let units = size.units();
    let compared = if extent.unique { units.saturating_mul(units) } else { 0 };
    let visits = extent.unfolded.saturating_mul(units).saturating_mul(depth).max(compared);
    let bytes = extent.unfolded.saturating_mul(size.bytes);
    let matched = if extent.texts.patterned { bytes.saturating_mul(times(patterns.heaviest())) } else { 0 };
    let read = if extent.texts.formatted { bytes } else { 0 };
    let small = !extent.recursive && visits <= MAX_REPORTED && matched <= MAX_MATCHED && read <= MAX_READ;
    small.then_some(CheckWork { visits, copied: visits, matched })
}

/// How often the bytes that are matched against a pattern of that weight count.
fn times(weight: u64) -> u64 {
    weight.div_ceil(STATES).max(1)
}

/// Counts the work on a value; `None` if it is beyond the budget.
pub(super) fn count(document: &Value, patterns: &SchemaPatterns, value: &Value) -> Option<CheckWork> {
    let mut meter = WorkMeter { document, patterns, work: CheckWork::default() };
    meter.visit(document, value, 0)?;
    Some(meter.work)
}

struct WorkMeter<'a> {
    document: &'a Value,
    patterns: &'a SchemaPatterns,
    work: CheckWork,
}

impl WorkMeter<'_> {
    fn charge(&mut self, visits: u64) -> Option<()> {
        self.work.visits = self.work.visits.saturating_add(visits);
        (self.work.visits <= MAX_VISITS).then_some(())
    }

    fn matching(&mut self, pattern: &str, text: &str) -> Option<()> {
        let counted = (text.len() as u64).saturating_mul(times(self.patterns.weight(pattern)));
        self.work.matched = self.work.matched.saturating_add(counted);
        (self.work.matched <= MAX_MATCHED).then_some(())
    }

    fn visit(&mut self, schema: &Value, value: &Value, level: usize) -> Option<()> {
        self.charge(1)?;
        let Some(fields) = schema.as_object() else {
            return Some(());
        };
        if level > MAX_LEVELS {
            return None;
        }
        for _ in 0..same_value_repeats(fields) {
            self.same_value(fields, value, level + 1)?;
        }
        self.options(fields)?;
        match value {
            Value::String(text) => self.text(fields, text),
            Value::Array(items) => self.items(fields, items, level + 1),
            Value::Object(parts) => self.fields(fields, parts, level + 1),
            Value::Null | Value::Bool(_) | Value::Number(_) => Some(()),
        }
    }

    fn same_value(&mut self, fields: &Map<String, Value>, value: &Value, level: usize) -> Option<()> {
        for target in keyword::targets(self.document, fields) {
            self.visit(target, value, level)?;
        }
        for keyword in ["allOf", "anyOf", "oneOf"] {
            for inner in fields.get(keyword).and_then(Value::as_array).into_iter().flatten() {
                if keyword != "allOf" {
                    self.copy(value)?;
                }
                self.visit(inner, value, level)?;
            }
        }
        for keyword in ["not", "if", "then", "else"] {
            if let Some(inner) = fields.get(keyword) {
                self.visit(inner, value, level)?;
            }
        }
        let dependent = fields.get("dependentSchemas").and_then(Value::as_object);
        for inner in dependent.into_iter().flat_map(Map::values) {
            self.visit(inner, value, level)?;
        }
        Some(())
    }

    /// An alternative that fails copies at least the value that it is about; measuring it is work as well.
    fn copy(&mut self, value: &Value) -> Option<()> {
        let units = measure(value).units();
        self.work.copied = self.work.copied.saturating_add(units);
        self.charge(units)
    }

    fn options(&mut self, fields: &Map<String, Value>) -> Option<()> {
        let options = fields.get("enum").and_then(Value::as_array).map_or(0, Vec::len);
        self.charge(options as u64)?;
        // An error of `not` repeats the schema.
        if let Some(negated) = fields.get("not") {
            self.copy(negated)?;
        }
        Some(())
    }

    fn text(&mut self, fields: &Map<String, Value>, text: &str) -> Option<()> {
        if let Some(pattern) = fields.get("pattern").and_then(Value::as_str) {
            self.matching(pattern, text)?;
        }
        let length = text.len() as u64;
        let has = |keyword| fields.contains_key(keyword);
        if has("format") {
            self.charge(length.saturating_add(length.saturating_mul(length) / READ_AT_ONCE))?;
        }
        if has("minLength") || has("maxLength") {
            self.charge(length / COUNTED_AT_ONCE)?;
        }
        Some(())
    }

    fn items(&mut self, fields: &Map<String, Value>, items: &[Value], level: usize) -> Option<()> {
        let leading = fields.get("prefixItems").and_then(Value::as_array);
        for (inner, item) in leading.into_iter().flatten().zip(items) {
            self.visit(inner, item, level)?;
        }
        for keyword in ["items", "contains", "unevaluatedItems"] {
            let Some(inner) = fields.get(keyword) else {
                continue;
            };
            for item in items {
                self.visit(inner, item, level)?;
            }
        }
        if fields.get("uniqueItems") == Some(&Value::Bool(true)) {
            self.charge(comparisons(items))?;
        }
        Some(())
    }

    fn fields(&mut self, fields: &Map<String, Value>, parts: &Map<String, Value>, level: usize) -> Option<()> {
        let named = fields.get("properties").and_then(Value::as_object);
        let patterns = fields.get("patternProperties").and_then(Value::as_object);
        for (name, part) in parts {
            let own = named.and_then(|named| named.get(name));
            if let Some(inner) = own {
                self.visit(inner, part, level)?;
            }
            for (pattern, inner) in patterns.into_iter().flatten() {
                self.matching(pattern, name)?;
                self.visit(inner, part, level)?;
            }
            for keyword in ["additionalProperties", "unevaluatedProperties"] {
                if let (None, Some(inner)) = (own, fields.get(keyword)) {
                    self.visit(inner, part, level)?;
                }
            }
            if let Some(inner) = fields.get("propertyNames") {
                self.visit(inner, &Value::String(name.clone()), level)?;
            }
        }
        Some(())
    }
}

/// Scalars are told apart by hash; lists and objects may be made to collide, so each pair of those counts.
fn comparisons(items: &[Value]) -> u64 {
    let length = items.len() as u64;
    if items.iter().any(|item| item.is_array() || item.is_object()) {
        return length.saturating_mul(length);
    }
    length
}
