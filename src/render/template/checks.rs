//! Tests on values (`is …`) for which the engine's own would look at long texts for nothing, or misjudge decimals.

use std::borrow::Cow;

use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};

use super::numbers::{Number, divided};
use super::values::{charge_bytes, kind, text};

/// `divisibleby(n)`: a number that `n` divides.
pub(super) fn divisible_by(value: &Value, by: &Value) -> bool {
    let (Some(number), Some(by)) = (Number::of(value), Number::of(by)) else {
        return minijinja::tests::is_divisibleby(value, by);
    };
    match (number, by) {
        (Number::Whole(number), Number::Whole(by)) => number.checked_rem(by) == Some(0),
        (number, by) => {
            let rest = number.decimal().zip(by.decimal()).and_then(|(number, by)| divided(number, by));
            rest.is_some_and(|(_, rest)| rest.is_zero())
        }
    }
}

/// `number`: a number.
pub(super) fn number(value: &Value) -> bool {
    matches!(kind(value), ValueKind::Number | ValueKind::Bool)
}

/// `startingwith(x)`: a text with that beginning.
pub(super) fn starting_with(state: &State, value: &Value, part: &Value) -> Result<bool, Error> {
    parts(state, value, part, |whole, part| whole.starts_with(part))
}

/// `endingwith(x)`: a text with that end.
pub(super) fn ending_with(state: &State, value: &Value, part: &Value) -> Result<bool, Error> {
    parts(state, value, part, |whole, part| whole.ends_with(part))
}

fn parts(state: &State, value: &Value, part: &Value, holds: fn(&str, &str) -> bool) -> Result<bool, Error> {
    let (Some(whole), Some(part)) = (written(value), written(part)) else { return Ok(false) };
    charge_bytes(state, part.len())?;
    Ok(holds(&whole, &part))
}

fn written(value: &Value) -> Option<Cow<'_, str>> {
    text(value).ok()
}
