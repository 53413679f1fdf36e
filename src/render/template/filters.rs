//! Filters on single values. Each is described, with an example, in `docs/templates.md`.
#![expect(clippy::needless_pass_by_value, reason = "the engine hands options over by value")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, State, Value};
use sha2::{Digest, Sha256};

use super::error::failed;
use super::numbers::{Exact, Number};
use super::values::{bounded, charge, charge_bytes, charge_search, fits, kind, noun, text, weigh};

/// How far `indent` moves text at most.
const MAX_INDENT: usize = 64;

/// `b64encode`: the value's text in base64 (RFC 4648, with padding).
pub(super) fn b64encode(value: &Value) -> Result<Value, Error> {
    bounded(STANDARD.encode(text(value)?.as_bytes()))
}

/// `b64decode`: the text behind base64 (RFC 4648, with padding), which must be UTF-8.
pub(super) fn b64decode(value: &Value) -> Result<Value, Error> {
    let bytes =
        STANDARD.decode(text(value)?.trim()).map_err(|_| failed("`b64decode` needs base64 text, and this is none"))?;
    let decoded = String::from_utf8(bytes).map_err(|_| failed("what `b64decode` found is not UTF-8 text"))?;
    bounded(decoded)
}

/// `default(other)`: the value, or another one where it is absent or null; with `true` as second argument also where
/// it is empty, zero or false.
pub(super) fn default(value: Value, other: Option<Value>, also_empty: Option<bool>) -> Value {
    let absent = value.is_undefined() || value.is_none();
    if absent || (also_empty.unwrap_or_default() && !value.is_true()) {
        return other.unwrap_or_else(|| Value::from(""));
    }
    value
}

/// `float`: a number with a fraction, also from text.
pub(super) fn float(value: &Value) -> Result<Value, Error> {
    Ok(number(value, "float")?.with_fraction().into_value())
}

/// `int`: a whole number, also from text; a fraction is cut off.
pub(super) fn int(value: &Value) -> Result<Value, Error> {
    if value.kind() == ValueKind::Bool {
        return Ok(Value::from(i64::from(value.is_true())));
    }
    let whole = number(value, "int")?.truncated();
    whole
        .map(|whole| Number::Whole(whole).into_value())
        .ok_or_else(|| failed("`int` cannot hold a number of this size"))
}

/// The number that a value is, or that its text says.
fn number(value: &Value, filter: &str) -> Result<Number, Error> {
    let number = match Number::of(value) {
        Some(number) => Some(number),
        None => Number::read(&text(value)?),
    };
    number.ok_or_else(|| failed(format!("`{filter}` cannot read {} as a number", noun(kind(value)))))
}

/// `indent(width=4, first=false)`: spaces before each line but empty ones; before the first only if asked.
pub(super) fn indent(
    value: &Value,
    width: Option<usize>,
    first: Option<bool>,
    options: Kwargs,
) -> Result<Value, Error> {
    let width = width.or(options.get("width")?).unwrap_or(4);
    let first = first.or(options.get("first")?).unwrap_or_default();
    options.assert_all_used()?;
    if width > MAX_INDENT {
        return Err(failed(format!("`indent` moves text by {MAX_INDENT} spaces at most")));
    }
    let (text, spaces) = (text(value)?, " ".repeat(width));
    let most = text.len() + (text.matches('\n').count() + 1) * width;
    fits(most)?;
    let mut moved = String::with_capacity(most);
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            moved.push('\n');
        }
        if !line.is_empty() && (first || number > 0) {
            moved.push_str(&spaces);
        }
        moved.push_str(line);
    }
    bounded(moved)
}

/// `lower`: in lower case.
pub(super) fn lower(value: &Value) -> Result<Value, Error> {
    bounded(text(value)?.to_lowercase())
}

/// `upper`: in upper case.
pub(super) fn upper(value: &Value) -> Result<Value, Error> {
    bounded(text(value)?.to_uppercase())
}

/// `trim`: without white space around it.
pub(super) fn trim(value: &Value) -> Result<Value, Error> {
    bounded(text(value)?.trim().to_owned())
}

/// `quote`: in double quotes, readable as JSON, YAML and TOML alike.
pub(super) fn quote(state: &State, value: &Value) -> Result<Value, Error> {
    charge_bytes(state, text(value)?.len().saturating_mul(4))?;
    let json = serde_json::Value::from(text(value)?.as_ref()).to_string();
    // YAML and TOML allow fewer characters as they are than JSON does.
    let escaped = json.chars().fold(String::with_capacity(json.len()), |mut quoted, character| {
        match character {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                quoted.extend(format!("\\u{:04x}", u32::from(character)).chars());
            }
            _ => quoted.push(character),
        }
        quoted
    });
    bounded(escaped)
}

/// `replace(from, to)`: with each part that is `from` written as `to`.
pub(super) fn replace(state: &State, value: &Value, from: &Value, to: &Value) -> Result<Value, Error> {
    let (text, from, to) = (text(value)?, text(from)?, text(to)?);
    charge_search(state, &from)?;
    if from.is_empty() {
        return Err(failed("`replace` needs a text to look for, and it is empty"));
    }
    let count = text.matches(from.as_ref()).count();
    fits(text.len().saturating_add(count.saturating_mul(to.len())))?;
    charge(state, count)?;
    bounded(text.replace(from.as_ref(), &to))
}

/// `round(digits=0)`: to so many digits behind the point, halves away from zero.
pub(super) fn round(value: &Value, digits: Option<u8>) -> Result<Value, Error> {
    if value.is_integer() {
        return Ok(value.clone());
    }
    Ok(number(value, "round")?.with_fraction().rounded(digits.unwrap_or_default()).into_value())
}

/// `sha256`: the SHA-256 of the value's text, in hexadecimal.
pub(super) fn sha256(state: &State, value: &Value) -> Result<String, Error> {
    let text = text(value)?;
    charge_bytes(state, text.len().saturating_mul(4))?;
    Ok(hex::encode(Sha256::digest(text.as_bytes())))
}

/// `tojson(indent=none)`: any value as JSON, on one line or indented; keys in alphabetical order.
pub(super) fn tojson(state: &State, value: &Value, options: Kwargs) -> Result<Value, Error> {
    let width: Option<usize> = options.get("indent")?;
    options.assert_all_used()?;
    let plain = plain(state, value)?;
    let Some(width) = width else {
        return bounded(plain.to_string());
    };
    if width > MAX_INDENT {
        return Err(failed(format!("`tojson` indents by {MAX_INDENT} spaces at most")));
    }
    fits(indentation(&plain, 0, width))?;
    bounded(indented(&plain, width)?)
}

/// `toyaml`: any value as YAML that YAML 1.1 and 1.2 readers take alike, without a newline behind it.
pub(super) fn toyaml(state: &State, value: &Value) -> Result<Value, Error> {
    bounded(crate::render::format::yaml::node(&plain(state, value)?))
}

/// The value as plain data. Writing it takes more than looking at it.
fn plain(state: &State, value: &Value) -> Result<serde_json::Value, Error> {
    let parts = weigh(state, value)?;
    charge(state, parts)?;
    data(value)
}

fn data(value: &Value) -> Result<serde_json::Value, Error> {
    if let Some(exact) = value.downcast_object_ref::<Exact>() {
        return Ok(exact.nearest().into());
    }
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => value.try_iter()?.map(|item| data(&item)).collect(),
        ValueKind::Map => {
            let entry = |key: Value| Ok((text(&key)?.into_owned(), data(&value.get_item(&key)?)?));
            let entries: Result<serde_json::Map<_, _>, Error> = value.try_iter()?.map(entry).collect();
            entries.map(serde_json::Value::Object)
        }
        _ => {
            serde_json::to_value(value).map_err(|_| failed("this value cannot be written: a number in it is too large"))
        }
    }
}

/// The spaces that [`indented`] writes, which can be far more than all else.
fn indentation(value: &serde_json::Value, depth: usize, width: usize) -> usize {
    let within = |items: &mut dyn Iterator<Item = &serde_json::Value>| {
        let mut spaces = depth * width;
        for item in items {
            spaces = spaces.saturating_add((depth + 1) * width).saturating_add(indentation(item, depth + 1, width));
        }
        spaces
    };
    match value {
        serde_json::Value::Array(items) if !items.is_empty() => within(&mut items.iter()),
        serde_json::Value::Object(entries) if !entries.is_empty() => within(&mut entries.values()),
        _ => 0,
    }
}

fn indented(value: &serde_json::Value, width: usize) -> Result<String, Error> {
    let unwritable = || failed("this value cannot be written as JSON");
    let mut bytes = Vec::new();
    let spaces = " ".repeat(width);
    let formatter = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    serde::Serialize::serialize(value, &mut serializer).map_err(|_| unwritable())?;
    String::from_utf8(bytes).map_err(|_| unwritable())
}
