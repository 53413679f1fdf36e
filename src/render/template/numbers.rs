//! Numbers as a person counts with them: whole ones, and decimals digit by digit.
//!
//! The engine knows only whole numbers and binary fractions. So a fraction is taken by its shortest decimal digits (`1.005` is
//! just that) and counted with as a decimal of up to 28 digits. The result becomes a binary fraction if one has the same
//! digits, otherwise an [`Exact`] one. Beyond that many digits binary fractions count, as in every JSON reader.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{DynObject, Object, ObjectRepr, ValueKind};
use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};

/// Digits that a decimal can have.
const DIGITS: usize = 28;

/// A decimal of more digits than a binary fraction keeps.
#[derive(Debug)]
pub(super) struct Exact(Decimal);

impl Exact {
    /// The nearest number that JSON's readers have.
    pub(super) fn nearest(&self) -> f64 {
        binary_of(self.0)
    }
}

impl Object for Exact {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        Some(self.0.cmp(&other.downcast_ref::<Self>()?.0))
    }

    /// Writes a fraction, as for any number that is not whole by its type.
    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.normalize();
        let point = if digits.scale() == 0 { ".0" } else { "" };
        write!(formatter, "{digits}{point}")
    }
}

/// A number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Whole(i128),
    Decimal(Decimal),
    Binary(f64),
}

impl Number {
    /// The number that a value is, if it is one.
    pub(super) fn of(value: &Value) -> Option<Self> {
        if let Some(exact) = value.downcast_object_ref::<Exact>() {
            return Some(Self::Decimal(exact.0));
        }
        if !value.is_number() {
            return None;
        }
        if value.is_integer() {
            return i128::try_from(value.clone()).ok().map(Self::Whole);
        }
        f64::try_from(value.clone()).ok().map(Self::of_fraction)
    }

    fn of_fraction(fraction: f64) -> Self {
        exactly(&fraction.to_string()).map_or(Self::Binary(fraction), Self::Decimal)
    }

    /// The number that a text says, white space around it aside.
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(whole) = text.parse() {
            return Some(Self::Whole(whole));
        }
        let nearest = text.parse().ok().filter(|number: &f64| number.is_finite())?;
        Some(decimal(text).map_or(Self::Binary(nearest), Self::Decimal))
    }

    /// As a value of the engine; what is whole stays so.
    pub(super) fn into_value(self) -> Value {
        match self {
            Self::Whole(whole) => i64::try_from(whole).map_or_else(|_| Value::from(whole), Value::from),
            Self::Decimal(decimal) => fraction_value(decimal),
            Self::Binary(binary) => Value::from(binary),
        }
    }

    /// The same number with a fraction, even if that is zero.
    pub(super) fn with_fraction(self) -> Self {
        match self {
            Self::Whole(_) => self.decimal().map_or(Self::Binary(self.binary()), Self::Decimal),
            other => other,
        }
    }

    /// Without its fraction.
    pub(super) fn truncated(self) -> Option<i128> {
        match self {
            Self::Whole(whole) => Some(whole),
            Self::Decimal(decimal) => decimal.trunc().to_i128(),
            Self::Binary(binary) => format!("{:.0}", binary.trunc()).parse().ok(),
        }
    }

    /// To so many digits behind the point, halves away from zero; a whole number stays one.
    pub(super) fn rounded(self, digits: u8) -> Self {
        match self {
            Self::Decimal(decimal) => {
                Self::Decimal(decimal.round_dp_with_strategy(digits.into(), RoundingStrategy::MidpointAwayFromZero))
            }
            // It is too large to have digits behind the point, or so small that there is nothing else.
            Self::Binary(binary) if binary.abs() < 1.0 => Self::Decimal(Decimal::ZERO),
            other => other,
        }
    }

    pub(super) fn negated(self) -> Option<Self> {
        Some(match self {
            Self::Whole(whole) => Self::Whole(whole.checked_neg()?),
            Self::Decimal(decimal) => Self::Decimal(-decimal),
            Self::Binary(binary) => Self::Binary(-binary),
        })
    }

    pub(super) fn decimal(&self) -> Option<Decimal> {
        match self {
            Self::Whole(whole) => Decimal::try_from_i128_with_scale(*whole, 0).ok(),
            Self::Decimal(decimal) => Some(*decimal),
            Self::Binary(_) => None,
        }
    }

    pub(super) fn binary(&self) -> f64 {
        match self {
            Self::Whole(whole) => nearest(*whole),
            Self::Decimal(decimal) => binary_of(*decimal),
            Self::Binary(binary) => *binary,
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    /// A binary fraction that is no decimal is beyond all of them, or so small that its sign decides, or not of this world.
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Whole(one), Self::Whole(other)) => one.cmp(other),
            (one, other) => match (one.decimal(), other.decimal()) {
                (Some(one), Some(other)) => one.cmp(&other),
                _ => one.binary().total_cmp(&other.binary()),
            },
        }
    }
}

/// The value of a decimal that has a fraction by its type.
fn fraction_value(decimal: Decimal) -> Value {
    let binary = binary_of(decimal);
    if exactly(&binary.to_string()) == Some(decimal) { Value::from(binary) } else { Value::from_object(Exact(decimal)) }
}

/// The nearest binary fraction.
pub(super) fn binary_of(decimal: Decimal) -> f64 {
    // Its digits are always those of a number.
    decimal.normalize().to_string().parse().unwrap_or_default()
}

/// The nearest number that can have a fraction; beyond 2^53 digits are lost, as in every JSON reader.
#[allow(clippy::cast_precision_loss)]
fn nearest(whole: i128) -> f64 {
    whole as f64
}

/// The same digits, if a decimal can hold them all.
fn exactly(digits: &str) -> Option<Decimal> {
    Decimal::from_str_exact(digits).ok()
}

/// The decimal of a text that reads as a number. Digits of a fraction beyond those that a decimal can have are cut off.
fn decimal(text: &str) -> Option<Decimal> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().ok()?;
    let decimal = exactly(mantissa).or_else(|| exactly(shortened(mantissa)?))?;
    let factor = exactly(&format!(
        "1{}",
        "0".repeat(usize::try_from(exponent.unsigned_abs()).ok().filter(|zeros| *zeros <= DIGITS)?)
    ))?;
    if exponent < 0 { quotient(decimal, factor) } else { product(decimal, factor) }
}

fn shortened(mantissa: &str) -> Option<&str> {
    let point = mantissa.find('.')?;
    let whole = mantissa.get(..point)?.trim_start_matches(['+', '-']).trim_start_matches('0').len();
    let kept = DIGITS.checked_sub(whole)?;
    mantissa.get(..mantissa.len().min(point + 1 + kept))
}

/// The sum, if no digit is lost.
pub(super) fn sum(one: Decimal, other: Decimal) -> Option<Decimal> {
    let (one, other) = (one.normalize(), other.normalize());
    one.checked_add(other).filter(|sum| sum.is_zero() || sum.scale() == one.scale().max(other.scale()))
}

/// The product, if no digit is lost.
pub(super) fn product(one: Decimal, other: Decimal) -> Option<Decimal> {
    let (one, other) = (one.normalize(), other.normalize());
    if one.is_zero() || other.is_zero() {
        return Some(Decimal::ZERO);
    }
    one.checked_mul(other).filter(|product| product.scale() == one.scale() + other.scale())
}

/// The quotient, if it ends.
pub(super) fn quotient(one: Decimal, other: Decimal) -> Option<Decimal> {
    let quotient = one.checked_div(other)?;
    (product(quotient, other)? == one).then_some(quotient)
}

/// The quotient rounded down, and what is left over, which has the sign of the divisor.
pub(super) fn divided(one: Decimal, other: Decimal) -> Option<(Decimal, Decimal)> {
    let rest = one.checked_rem(other)?;
    let has_other_sign = !rest.is_zero() && rest.is_sign_negative() != other.is_sign_negative();
    let rest = if has_other_sign { sum(rest, other)? } else { rest };
    Some((quotient(sum(one, -rest)?, other)?, rest))
}

/// Whether two values are the same; numbers are if they are worth the same.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    if let (Some(one), Some(other)) = (Number::of(one), Number::of(other)) {
        return one == other;
    }
    match (one.kind(), other.kind()) {
        (ValueKind::Seq | ValueKind::Iterable, ValueKind::Seq | ValueKind::Iterable) => same_items(one, other),
        (ValueKind::Map, ValueKind::Map) => same_entries(one, other),
        _ => one == other,
    }
}

fn same_items(one: &Value, other: &Value) -> bool {
    let (Ok(mut one), Ok(mut other)) = (one.try_iter(), other.try_iter()) else { return false };
    loop {
        match (one.next(), other.next()) {
            (None, None) => return true,
            (Some(one), Some(other)) if same(&one, &other) => {}
            _ => return false,
        }
    }
}

fn same_entries(one: &Value, other: &Value) -> bool {
    let Ok(mut keys) = one.try_iter() else { return false };
    one.len() == other.len()
        && keys.all(|key| match (one.get_item(&key), other.get_item(&key)) {
            (Ok(one), Ok(other)) => same(&one, &other),
            _ => false,
        })
}
