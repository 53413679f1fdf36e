//! What the operators of a template do. With the engine's own, a short template could fill the memory: they write lists out as
//! text, repeat them, and compare them as often as they contain one another, before any limit is looked at.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};
use rust_decimal::Decimal;

use super::error::{failed, misused};
use super::numbers::{self, Number, same};
use super::values::{bounded, charge_bytes, charge_search, fits, kind, list as items, measure, noun, text, undefined};

/// Fuel for counting in decimals.
const DECIMAL: u64 = 4;

/// One operation on numbers, in each form that they have. Where it has no result in whole numbers or decimals, that in binary
/// fractions counts.
struct Calculation {
    operator: &'static str,
    whole: fn(i128, i128) -> Option<i128>,
    decimal: fn(Decimal, Decimal) -> Option<Decimal>,
    binary: fn(f64, f64) -> f64,
    /// Whether whole numbers alone give a whole number or nothing.
    stays_whole: bool,
}

impl Calculation {
    fn run(&self, state: &State, left: &Value, right: &Value) -> Result<Value, Error> {
        if left.is_undefined() || right.is_undefined() {
            return Err(undefined());
        }
        let (Some(a), Some(b)) = (Number::of(left), Number::of(right)) else {
            let (left, right) = (noun(kind(left)), noun(kind(right)));
            return Err(misused(format!("`{}` needs numbers, and these are {left} and {right}", self.operator)));
        };
        let result = match (a, b) {
            (Number::Whole(a), Number::Whole(b)) if self.stays_whole => (self.whole)(a, b).map(Number::Whole),
            _ => {
                state.consume_fuel(DECIMAL)?;
                self.fraction(a, b)
            }
        };
        result.map(Number::into_value).ok_or_else(|| {
            let operator = self.operator;
            failed(format!("`{operator}` has no result here: a divisor is zero, or the result is too large"))
        })
    }

    fn fraction(&self, a: Number, b: Number) -> Option<Number> {
        let exact = a.decimal().zip(b.decimal()).and_then(|(a, b)| (self.decimal)(a, b));
        exact.map(Number::Decimal).or_else(|| {
            let binary = (self.binary)(a.binary(), b.binary());
            binary.is_finite().then_some(Number::Binary(binary))
        })
    }
}

/// `a + b` of numbers, texts or lists.
pub(super) fn add(state: &State, left: &Value, right: &Value) -> Result<Value, Error> {
    if left.kind() == ValueKind::String && right.kind() == ValueKind::String {
        return concatenate(left, right);
    }
    if left.kind() == ValueKind::Seq && right.kind() == ValueKind::Seq {
        let mut all = items(state, left, "+")?;
        all.extend(items(state, right, "+")?);
        return list(state, Value::from(all));
    }
    let (whole, decimal) = (i128::checked_add, numbers::sum);
    Calculation { operator: "+", whole, decimal, binary: |a, b| a + b, stays_whole: true }.run(state, left, right)
}

/// `a - b`.
pub(super) fn subtract(state: &State, left: &Value, right: &Value) -> Result<Value, Error> {
    let decimal = |a, b: Decimal| numbers::sum(a, -b);
    let whole = i128::checked_sub;
    Calculation { operator: "-", whole, decimal, binary: |a, b| a - b, stays_whole: true }.run(state, left, right)
}

/// `a * b`, of numbers only.
pub(super) fn multiply(state: &State, left: &Value, right: &Value) -> Result<Value, Error> {
    let (whole, decimal) = (i128::checked_mul, numbers::product);
    Calculation { operator: "*", whole, decimal, binary: |a, b| a * b, stays_whole: true }.run(state, left, right)
}

/// `a / b`, always with a fraction.
pub(super) fn divide(state: &State, left: &Value, right: &Value) -> Result<Value, Error> {
    let decimal = numbers::quotient;
    Calculation { operator: "/", whole: |_, _| None, decimal, binary: |a, b| a / b, stays_whole: false }
        .run(state, left, right)
}

/// `a // b`, rounded down.
pub(super) fn divide_whole(state: &State, left: &Value, right: &Value) -> Result<Value, Error> {
    let decimal = |a, b| numbers::divided(a, b).map(|(whole, _)| whole);
    Calculation { operator: "//", whole: floor, decimal, binary: |a, b| (a / b).floor(), stays_whole: true }
        .run(state, left, right)
}

/// `a % b`, with the sign of `b`, so that `a // b * b + a % b` is `a`.
pub(super) fn remainder(state: &State, left: &Value, right: &Value) -> Result<Value, Error> {
    let whole = |a: i128, b| a.checked_sub(floor(a, b)?.checked_mul(b)?);
    let decimal = |a, b| numbers::divided(a, b).map(|(_, rest)| rest);
    Calculation { operator: "%", whole, decimal, binary: |a, b| a - (a / b).floor() * b, stays_whole: true }
        .run(state, left, right)
}

fn floor(a: i128, b: i128) -> Option<i128> {
    let quotient = a.checked_div(b)?;
    let rounded_up = quotient.checked_mul(b)? != a && (a < 0) != (b < 0);
    Some(if rounded_up { quotient - 1 } else { quotient })
}

/// `a ** b`.
pub(super) fn power(state: &State, left: &Value, right: &Value) -> Result<Value, Error> {
    let whole = |a: i128, b| a.checked_pow(u32::try_from(b).ok()?);
    let has_whole_power = Number::of(right).is_some_and(|power| matches!(power, Number::Whole(0..)));
    Calculation { operator: "**", whole, decimal: decimal_power, binary: f64::powf, stays_whole: has_whole_power }
        .run(state, left, right)
}

/// How often a decimal with a fraction can be multiplied by itself at most before digits are lost.
const MOST_POWERS: u32 = 28;

fn decimal_power(base: Decimal, power: Decimal) -> Option<Decimal> {
    let power = power.is_integer().then(|| u32::try_from(power).ok())?.filter(|power| *power <= MOST_POWERS)?;
    (0..power).try_fold(Decimal::ONE, |product, _| numbers::product(product, base))
}

/// `-a`.
pub(super) fn negate(value: &Value) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(undefined());
    }
    let number =
        Number::of(value).ok_or_else(|| misused(format!("`-` needs a number, and this is {}", noun(kind(value)))))?;
    number.negated().map(Number::into_value).ok_or_else(|| failed("`-` has no result here: it is too large"))
}

/// `a ~ b`: the texts of both, one after the other.
pub(super) fn concatenate(left: &Value, right: &Value) -> Result<Value, Error> {
    let (left, right) = (text(left)?, text(right)?);
    fits(left.len() + right.len())?;
    Ok(Value::from([left, right].concat()))
}

/// `a == b`.
pub(super) fn equal(state: &State, left: &Value, right: &Value) -> Result<bool, Error> {
    measure(state, left)?;
    measure(state, right)?;
    Ok(same(left, right))
}

/// `a != b`.
pub(super) fn unequal(state: &State, left: &Value, right: &Value) -> Result<bool, Error> {
    equal(state, left, right).map(|equal| !equal)
}

fn ordered(state: &State, operator: &str, left: &Value, right: &Value) -> Result<Ordering, Error> {
    if left.is_undefined() || right.is_undefined() {
        return Err(undefined());
    }
    if let (Some(a), Some(b)) = (left.as_str(), right.as_str()) {
        charge_bytes(state, a.len().min(b.len()))?;
        return Ok(a.cmp(b));
    }
    if let (Some(a), Some(b)) = (Number::of(left), Number::of(right)) {
        state.consume_fuel(if matches!((a, b), (Number::Whole(_), Number::Whole(_))) { 0 } else { DECIMAL })?;
        return Ok(a.cmp(&b));
    }
    let (left, right) = (noun(kind(left)), noun(kind(right)));
    Err(misused(format!("`{operator}` needs two numbers or two texts, and these are {left} and {right}")))
}

/// `a < b`, of two numbers or two texts.
pub(super) fn less(state: &State, left: &Value, right: &Value) -> Result<bool, Error> {
    ordered(state, "<", left, right).map(Ordering::is_lt)
}

/// `a <= b`.
pub(super) fn less_or_equal(state: &State, left: &Value, right: &Value) -> Result<bool, Error> {
    ordered(state, "<=", left, right).map(Ordering::is_le)
}

/// `a > b`.
pub(super) fn greater(state: &State, left: &Value, right: &Value) -> Result<bool, Error> {
    ordered(state, ">", left, right).map(Ordering::is_gt)
}

/// `a >= b`.
pub(super) fn greater_or_equal(state: &State, left: &Value, right: &Value) -> Result<bool, Error> {
    ordered(state, ">=", left, right).map(Ordering::is_ge)
}

/// `a in b`: a key of a map, an item of a list, a part of a text.
pub(super) fn contained(state: &State, part: &Value, whole: &Value) -> Result<bool, Error> {
    if part.is_undefined() || whole.is_undefined() {
        return Err(undefined());
    }
    match whole.kind() {
        ValueKind::String => {
            let (part, whole) = (text(part)?, text(whole)?);
            charge_search(state, &part)?;
            charge_bytes(state, whole.len())?;
            Ok(whole.contains(part.as_ref()))
        }
        ValueKind::Map => Ok(part.as_str().is_some() && !whole.get_item(part)?.is_undefined()),
        ValueKind::Seq | ValueKind::Iterable => {
            measure(state, part)?;
            Ok(items(state, whole, "in")?.iter().any(|item| same(item, part)))
        }
        _ => Err(misused(format!("`in` needs a list, a map or a text, and this is {}", noun(kind(whole))))),
    }
}

/// `a[start:stop]` of a text (in characters) or a list; negative places count from the end.
pub(super) fn slice(state: &State, value: &Value, start: Option<i64>, stop: Option<i64>) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        charge_bytes(state, text.len())?;
        let (from, count) = part(text.chars().count(), start, stop);
        return bounded(text.chars().skip(from).take(count).collect());
    }
    let items = items(state, value, "[:]")?;
    let (from, count) = part(items.len(), start, stop);
    Ok(items.into_iter().skip(from).take(count).collect())
}

fn part(length: usize, start: Option<i64>, stop: Option<i64>) -> (usize, usize) {
    let place = |given: i64| {
        let distance = usize::try_from(given.unsigned_abs()).unwrap_or(usize::MAX);
        if given < 0 { length.saturating_sub(distance) } else { distance.min(length) }
    };
    let from = start.map_or(0, place);
    (from, stop.map_or(length, place).saturating_sub(from))
}

/// `[a, b]`, which must not be too large.
pub(super) fn list(state: &State, items: Value) -> Result<Value, Error> {
    measure(state, &items)?;
    Ok(items)
}

/// `{"a": b}`, which must not be too large; `entries` are its keys, which are texts, each with its value behind it.
pub(super) fn map(state: &State, entries: &Value) -> Result<Value, Error> {
    let mut keys = Vec::new();
    let mut values = Vec::new();
    for (place, part) in entries.try_iter()?.enumerate() {
        if place % 2 == 0 { keys.push(part) } else { values.push(part) }
    }
    let mut all = BTreeMap::new();
    for (key, value) in keys.into_iter().zip(values) {
        let Some(name) = key.as_str() else {
            return Err(misused("a key of a map must be a text: put it in quotes"));
        };
        // It may be compared with each that is there already.
        charge_bytes(state, name.len().saturating_mul(1 + all.len().checked_ilog2().unwrap_or_default() as usize))?;
        all.insert(Arc::<str>::from(name), value);
    }
    list(state, Value::from(all))
}

/// `a[b]`: an item of a list, an entry of a map or a character of a text; nothing where there is none.
pub(super) fn item(state: &State, whole: &Value, place: &Value) -> Result<Value, Error> {
    if whole.is_undefined() {
        return Err(undefined());
    }
    charge_bytes(state, place.as_str().map_or(0, str::len))?;
    // A character is found by counting all those before it, or, from the end, all there are.
    charge_bytes(state, whole.as_str().map_or(0, str::len).saturating_mul(2))?;
    whole.get_item(place)
}

/// What a test looks at, which must be there.
pub(super) fn present(value: Value) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(undefined());
    }
    Ok(value)
}
