//! A number within limits.

use rust_decimal::Decimal;
use serde_json::{Number, Value};

use super::rules::ValueRules;

/// Zero, or the nearest number that the limits allow.
pub(super) fn number(rules: &ValueRules, is_whole: bool, turn: usize) -> Value {
    let limits = NumberLimits::of(rules);
    let found = if is_whole || limits.multiple.is_some() { limits.step(is_whole, turn) } else { limits.between(turn) };
    found.and_then(written).map_or_else(|| Value::from(turn), Value::Number)
}

struct NumberLimits {
    low: Option<(Decimal, bool)>,
    high: Option<(Decimal, bool)>,
    multiple: Option<Decimal>,
}

impl NumberLimits {
    fn of(rules: &ValueRules) -> Self {
        let limits = |keyword: &'static str| rules.each(keyword).filter_map(read);
        let closed = limits("minimum").map(|limit| (limit, false));
        let low = closed.chain(limits("exclusiveMinimum").map(|limit| (limit, true))).max();
        // Of two equal upper limits the exclusive one counts.
        let closed = limits("maximum").map(|limit| (limit, true));
        let high = closed.chain(limits("exclusiveMaximum").map(|limit| (limit, false))).min();
        Self {
            low,
            high: high.map(|(limit, is_closed)| (limit, !is_closed)),
            multiple: limits("multipleOf").find(|multiple| multiple.is_sign_positive() && !multiple.is_zero()),
        }
    }

    fn allows(&self, number: Decimal) -> bool {
        let above = self.low.is_none_or(|(low, is_open)| if is_open { number > low } else { number >= low });
        above && self.high.is_none_or(|(high, is_open)| if is_open { number < high } else { number <= high })
    }

    fn nearest_to_zero(&self) -> Decimal {
        let low = self.low.map(|(low, _)| low).filter(Decimal::is_sign_positive);
        let high = self.high.map(|(high, _)| high).filter(Decimal::is_sign_negative);
        low.or(high).unwrap_or(Decimal::ZERO)
    }

    /// A multiple of the step that is asked for.
    fn step(&self, is_whole: bool, turn: usize) -> Option<Decimal> {
        let step = self.multiple.unwrap_or(Decimal::ONE);
        let start = self.nearest_to_zero().checked_div(step)?;
        let first = if start.is_sign_negative() { start.floor() } else { start.ceil() };
        let direction = if first.is_sign_negative() && !first.is_zero() { -Decimal::ONE } else { Decimal::ONE };
        let mut fitting = (0..200_u32).filter_map(|count| {
            let number = first.checked_add(direction * Decimal::from(count))?.checked_mul(step)?;
            (self.allows(number) && (!is_whole || number.is_integer())).then_some(number)
        });
        fitting.nth(turn)
    }

    /// Any number, as simple as it may be.
    fn between(&self, turn: usize) -> Option<Decimal> {
        let near = self.nearest_to_zero();
        let half = Decimal::new(5, 1);
        let middle = self.low.zip(self.high).and_then(|((low, _), (high, _))| Some(low.checked_add(high)? * half));
        let shift = Decimal::from(turn as u64);
        let choices = [
            near.checked_add(shift),
            near.checked_add(half)?.checked_add(shift),
            near.checked_sub(half)?.checked_sub(shift),
            middle,
        ];
        choices.into_iter().flatten().find(|number| self.allows(*number))
    }
}

fn read(value: &Value) -> Option<Decimal> {
    let digits = value.as_number()?.to_string();
    Decimal::from_str_exact(&digits).or_else(|_| Decimal::from_scientific(&digits)).ok()
}

/// An integer without `.0`.
fn written(number: Decimal) -> Option<Number> {
    let digits = number.normalize().to_string();
    let whole = digits.parse::<i64>().map(Number::from).or_else(|_| digits.parse::<u64>().map(Number::from));
    whole.ok().or_else(|| Number::from_f64(digits.parse().ok()?))
}
