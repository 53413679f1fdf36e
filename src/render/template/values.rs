//! Values as text, and their sizes.

use std::borrow::Cow;

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Output, State, Value};

use super::error::{misused, too_large};
use super::numbers::Exact;
use super::{MAX_LITERAL, MAX_LITERAL_DEPTH, MAX_OUTPUT};

/// How many parts of a value are looked at for one unit of fuel; about what one instruction takes.
const PARTS_PER_FUEL: usize = 2;

/// What an entry of a map counts for beyond its value: it is looked up.
const ENTRY: usize = 3;

/// What a fraction counts for beyond one: it is read as a decimal, digit by digit.
const FRACTION: usize = 5;

/// How many bytes of a text are looked at for one unit of fuel.
const BYTES_PER_FUEL: usize = 64;

/// Writes a value into the output: text as it is, numbers in plain digits, `true` and `false`.
pub(super) fn print(out: &mut Output, _: &mut State, value: &Value) -> Result<(), Error> {
    out.write_str(&text(value)?).map_err(Error::from)
}

/// The text of a text, number or boolean. Nothing else has one.
pub(super) fn text(value: &Value) -> Result<Cow<'_, str>, Error> {
    if let Some(text) = value.as_str() {
        return Ok(Cow::Borrowed(text));
    }
    match kind(value) {
        ValueKind::Undefined => Err(undefined()),
        ValueKind::Bool => Ok(Cow::Borrowed(if value.is_true() { "true" } else { "false" })),
        ValueKind::Number => Ok(Cow::Owned(value.to_string())),
        ValueKind::None => Err(misused("null has no text: say what to write instead with `default`")),
        kind => Err(misused(format!("{} has no text: use `tojson`, `toyaml` or `join`, or loop over it", noun(kind)))),
    }
}

/// A value's type. Numbers are of one, be they the engine's or our own.
pub(super) fn kind(value: &Value) -> ValueKind {
    if value.downcast_object_ref::<Exact>().is_some() { ValueKind::Number } else { value.kind() }
}

/// A type by the name that a template's author knows.
pub(super) fn noun(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Undefined => "an absent value",
        ValueKind::None => "null",
        ValueKind::Bool => "a boolean",
        ValueKind::Number => "a number",
        ValueKind::String => "a text",
        ValueKind::Seq | ValueKind::Iterable => "a list",
        ValueKind::Map => "a map",
        _ => "a value of this type",
    }
}

/// The error of a name without a value.
pub(super) fn undefined() -> Error {
    Error::from(ErrorKind::UndefinedError)
}

/// The items of a list. Looking at them as a whole costs fuel.
pub(super) fn list(state: &State, value: &Value, filter: &str) -> Result<Vec<Value>, Error> {
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            measure(state, value)?;
            Ok(value.try_iter()?.collect())
        }
        _ => Err(misused(format!("`{filter}` needs a list, and this is {}", noun(kind(value))))),
    }
}

/// Takes fuel for looking at so many parts.
pub(super) fn charge(state: &State, parts: usize) -> Result<(), Error> {
    state.consume_fuel((parts / PARTS_PER_FUEL) as u64)
}

/// Takes fuel for looking at so many bytes of text.
pub(super) fn charge_bytes(state: &State, bytes: usize) -> Result<(), Error> {
    state.consume_fuel((bytes / BYTES_PER_FUEL) as u64)
}

/// A text that may not grow beyond what can be written.
pub(super) fn bounded(text: String) -> Result<Value, Error> {
    fits(text.len())?;
    Ok(Value::from(text))
}

/// Refuses a text before it is made.
pub(super) fn fits(bytes: usize) -> Result<(), Error> {
    if bytes <= MAX_OUTPUT {
        return Ok(());
    }
    Err(too_large(format!("a text would be larger than {MAX_OUTPUT} bytes")))
}

/// Looks at a value as a whole, written out: lists that hold one another can stand for far more than they take in
/// memory. Refuses what is too large or too deep, or holds an absent value; tells how much work it is to look at it.
pub(super) fn measure(state: &State, value: &Value) -> Result<usize, Error> {
    look(state, value, MAX_LITERAL)
}

/// The same for a value that is only read, of whatever size.
pub(super) fn weigh(state: &State, value: &Value) -> Result<usize, Error> {
    look(state, value, usize::MAX)
}

fn look(state: &State, value: &Value, most: usize) -> Result<usize, Error> {
    let mut extent = ValueExtent { most, parts: 0, extra: 0 };
    extent.add(value, 0)?;
    let work = extent.parts + extent.extra;
    charge(state, work)?;
    Ok(work)
}

/// Takes fuel for a text that is looked for: a search prepares for the whole of it, which is slow.
pub(super) fn charge_search(state: &State, wanted: &str) -> Result<(), Error> {
    charge_bytes(state, wanted.len().saturating_mul(8))
}

/// How much a value holds.
struct ValueExtent {
    most: usize,
    parts: usize,
    /// What looking at them takes beyond that.
    extra: usize,
}

impl ValueExtent {
    fn add(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        // A long text counts like the list of its lines.
        self.parts += 1 + value.as_str().map_or(0, |text| text.len() / BYTES_PER_FUEL);
        if self.parts > self.most || depth > MAX_LITERAL_DEPTH {
            return Err(too_large(format!(
                "a list or map in a template may hold {MAX_LITERAL} values in all, {MAX_LITERAL_DEPTH} deep: this one holds more"
            )));
        }
        match value.kind() {
            ValueKind::Undefined => Err(undefined()),
            ValueKind::Seq | ValueKind::Iterable => value.try_iter()?.try_for_each(|item| self.add(&item, depth + 1)),
            ValueKind::Map => value.try_iter()?.try_for_each(|key| {
                self.extra += ENTRY + key.as_str().map_or(0, |name| name.len() / BYTES_PER_FUEL);
                self.add(&value.get_item(&key)?, depth + 1)
            }),
            _ => {
                self.extra += if value.is_number() && !value.is_integer() { FRACTION } else { 0 };
                Ok(())
            }
        }
    }
}
