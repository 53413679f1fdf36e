//! What the operators of a template do. The engine's own would let a short template fill the memory: they write lists
//! out as text, repeat them and compare them as often as they hold one another, before any limit is looked at.

use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};

use super::error::{failed, misused};
use super::values::{bounded, charge, charge_search, fits, list as items, measure, noun, text, undefined};

enum Number {
    Whole(i128),
    Fraction(f64),
}

impl Number {
    fn of(value: &Value) -> Option<Self> {
        if !value.is_number() {
            return None;
        }
        if value.is_integer() {
            return i128::try_from(value.clone()).ok().map(Self::Whole);
        }
        f64::try_from(value.clone()).ok().map(Self::Fraction)
    }

    fn fraction(&self) -> f64 {
        match self {
            Self::Whole(whole) => nearest(*whole),
            Self::Fraction(fraction) => *fraction,
        }
    }
}

/// The nearest number that can have a fraction; beyond 2^53 digits are lost, as in every JSON reader.
#[allow(clippy::cast_precision_loss)]
fn nearest(whole: i128) -> f64 {
    whole as f64
}

type Whole = fn(i128, i128) -> Option<Value>;
type Fraction = fn(f64, f64) -> f64;

fn calculate(operator: &str, left: &Value, right: &Value, whole: Whole, fraction: Fraction) -> Result<Value, Error> {
    if left.is_undefined() || right.is_undefined() {
        return Err(undefined());
    }
    let (Some(a), Some(b)) = (Number::of(left), Number::of(right)) else {
        let (left, right) = (noun(left.kind()), noun(right.kind()));
        return Err(misused(format!("`{operator}` needs numbers, and these are {left} and {right}")));
    };
    let result = match (&a, &b) {
        (Number::Whole(a), Number::Whole(b)) => whole(*a, *b),
        _ => from_fraction(fraction(a.fraction(), b.fraction())),
    };
    result.ok_or_else(|| {
        failed(format!("`{operator}` has no result here: a divisor is zero, or the result is too large"))
    })
}

fn from_whole(number: i128) -> Value {
    i64::try_from(number).map_or_else(|_| Value::from(number), Value::from)
}

fn from_fraction(number: f64) -> Option<Value> {
    number.is_finite().then(|| Value::from(number))
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
    calculate("+", left, right, |a, b| a.checked_add(b).map(from_whole), |a, b| a + b)
}

/// `a - b`.
pub(super) fn subtract(left: &Value, right: &Value) -> Result<Value, Error> {
    calculate("-", left, right, |a, b| a.checked_sub(b).map(from_whole), |a, b| a - b)
}

/// `a * b`, of numbers only.
pub(super) fn multiply(left: &Value, right: &Value) -> Result<Value, Error> {
    calculate("*", left, right, |a, b| a.checked_mul(b).map(from_whole), |a, b| a * b)
}

/// `a / b`, always with a fraction.
pub(super) fn divide(left: &Value, right: &Value) -> Result<Value, Error> {
    calculate("/", left, right, |a, b| from_fraction(nearest(a) / nearest(b)), |a, b| a / b)
}

/// `a // b`, rounded down.
pub(super) fn divide_whole(left: &Value, right: &Value) -> Result<Value, Error> {
    calculate("//", left, right, |a, b| floor(a, b).map(from_whole), |a, b| (a / b).floor())
}

/// `a % b`, with the sign of `b`, so that `a // b * b + a % b` is `a`.
pub(super) fn remainder(left: &Value, right: &Value) -> Result<Value, Error> {
    let whole: Whole = |a, b| a.checked_sub(floor(a, b)?.checked_mul(b)?).map(from_whole);
    calculate("%", left, right, whole, |a, b| a - (a / b).floor() * b)
}

fn floor(a: i128, b: i128) -> Option<i128> {
    let quotient = a.checked_div(b)?;
    let rounded_up = quotient.checked_mul(b)? != a && (a < 0) != (b < 0);
    Some(if rounded_up { quotient - 1 } else { quotient })
}

/// `a ** b`.
pub(super) fn power(left: &Value, right: &Value) -> Result<Value, Error> {
    let whole: Whole = |a, b| match u32::try_from(b) {
        Ok(exponent) => a.checked_pow(exponent).map(from_whole),
        Err(_) => from_fraction(nearest(a).powf(nearest(b))),
    };
    calculate("**", left, right, whole, f64::powf)
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
    Ok(left == right)
}

/// `a != b`.
pub(super) fn unequal(state: &State, left: &Value, right: &Value) -> Result<bool, Error> {
    equal(state, left, right).map(|equal| !equal)
}

fn ordered(state: &State, operator: &str, left: &Value, right: &Value) -> Result<std::cmp::Ordering, Error> {
    if left.is_undefined() || right.is_undefined() {
        return Err(undefined());
    }
    if let (Some(a), Some(b)) = (left.as_str(), right.as_str()) {
        charge(state, a.len().min(b.len()) / 64)?;
        return Ok(a.cmp(b));
    }
    if left.is_number() && right.is_number() {
        return Ok(left.cmp(right));
    }
    let (left, right) = (noun(left.kind()), noun(right.kind()));
    Err(misused(format!("`{operator}` needs two numbers or two texts, and these are {left} and {right}")))
}

/// `a < b`, of two numbers or two texts.
pub(super) fn less(state: &State, left: &Value, right: &Value) -> Result<bool, Error> {
    ordered(state, "<", left, right).map(std::cmp::Ordering::is_lt)
}

/// `a <= b`.
pub(super) fn less_or_equal(state: &State, left: &Value, right: &Value) -> Result<bool, Error> {
    ordered(state, "<=", left, right).map(std::cmp::Ordering::is_le)
}

/// `a > b`.
pub(super) fn greater(state: &State, left: &Value, right: &Value) -> Result<bool, Error> {
    ordered(state, ">", left, right).map(std::cmp::Ordering::is_gt)
}

/// `a >= b`.
pub(super) fn greater_or_equal(state: &State, left: &Value, right: &Value) -> Result<bool, Error> {
    ordered(state, ">=", left, right).map(std::cmp::Ordering::is_ge)
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
            charge(state, whole.len() / 16)?;
            Ok(whole.contains(part.as_ref()))
        }
        ValueKind::Map => Ok(part.as_str().is_some() && !whole.get_item(part)?.is_undefined()),
        ValueKind::Seq | ValueKind::Iterable => {
            measure(state, part)?;
            Ok(items(state, whole, "in")?.contains(part))
        }
        kind => Err(misused(format!("`in` needs a list, a map or a text, and this is {}", noun(kind)))),
    }
}

/// `a[start:stop]` of a text (in characters) or a list; negative places count from the end.
pub(super) fn slice(state: &State, value: &Value, start: Option<i64>, stop: Option<i64>) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        let (from, count) = part(text.chars().count(), start, stop);
        charge(state, text.len() / 16)?;
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

/// `{"a": b}`, which must not be too large; its keys are texts.
pub(super) fn map(state: &State, entries: Value) -> Result<Value, Error> {
    if entries.try_iter()?.any(|key| key.as_str().is_none()) {
        return Err(misused("a key of a map must be a text: put it in quotes"));
    }
    list(state, entries)
}

/// What a test looks at, which must be there.
pub(super) fn present(value: Value) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(undefined());
    }
    Ok(value)
}
