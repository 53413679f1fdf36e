//! Filters on single values. Each is described, with an example, in `docs/templates.md`.
#![expect(clippy::needless_pass_by_value, reason = "the engine hands options over by value")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, State, Value};
use sha2::{Digest, Sha256};

use super::error::failed;
use super::values::{bounded, charge_search, fits, noun, text};

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
pub(super) fn float(value: &Value) -> Result<f64, Error> {
    let number = text(value)?.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    number.ok_or_else(|| failed(format!("`float` cannot read {} as a number", noun(value.kind()))))
}

/// `int`: a whole number, also from text; a fraction is cut off.
pub(super) fn int(value: &Value) -> Result<i64, Error> {
    if value.kind() == ValueKind::Bool {
        return Ok(i64::from(value.is_true()));
    }
    if let Ok(whole) = text(value)?.trim().parse::<i64>() {
        return Ok(whole);
    }
    let fraction = float(value).map_err(|_| failed(format!("`int` cannot read {} as a number", noun(value.kind()))))?;
    // Parsing a float of this size is exact to the last whole digit, or it was no i64 to begin with.
    format!("{:.0}", fraction.trunc()).parse().map_err(|_| failed("`int` cannot hold a number of this size"))
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
    fits(text.len() + (text.matches('\n').count() + 1) * width)?;
    let lines = text.split('\n').enumerate().map(|(number, line)| {
        let moved = !line.is_empty() && (first || number > 0);
        [if moved { spaces.as_str() } else { "" }, line].concat()
    });
    bounded(lines.collect::<Vec<_>>().join("\n"))
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
pub(super) fn quote(value: &Value) -> Result<Value, Error> {
    let json = json(&Value::from(text(value)?.as_ref()), None)?;
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
    fits(text.len().saturating_add(text.matches(from.as_ref()).count().saturating_mul(to.len())))?;
    bounded(text.replace(from.as_ref(), &to))
}

/// `round(digits=0)`: to so many digits behind the point, halves away from zero.
pub(super) fn round(value: &Value, digits: Option<u8>) -> Result<Value, Error> {
    if value.is_integer() {
        return Ok(value.clone());
    }
    let factor = 10_f64.powi(i32::from(digits.unwrap_or_default().min(15)));
    let scaled = float(value)? * factor;
    // A number too large to scale has no digits behind the point.
    Ok(if scaled.is_finite() { Value::from(scaled.round() / factor) } else { Value::from(float(value)?) })
}

/// `sha256`: the SHA-256 of the value's text, in hexadecimal.
pub(super) fn sha256(value: &Value) -> Result<String, Error> {
    Ok(hex::encode(Sha256::digest(text(value)?.as_bytes())))
}

/// `tojson(indent=none)`: any value as JSON, on one line or indented; keys in alphabetical order.
pub(super) fn tojson(value: &Value, options: Kwargs) -> Result<Value, Error> {
    let width: Option<usize> = options.get("indent")?;
    options.assert_all_used()?;
    bounded(json(value, width)?)
}

/// `toyaml`: any value as YAML that YAML 1.1 and 1.2 readers take alike, without a newline behind it.
pub(super) fn toyaml(value: &Value) -> Result<Value, Error> {
    let yaml = crate::yaml::to_string(&plain(value)?);
    bounded(yaml.trim_end_matches('\n').to_owned())
}

fn plain(value: &Value) -> Result<serde_json::Value, Error> {
    serde_json::to_value(value).map_err(|_| failed("this value cannot be written: a number in it is too large"))
}

fn json(value: &Value, indent: Option<usize>) -> Result<String, Error> {
    let value = plain(value)?;
    let Some(width) = indent else {
        return Ok(value.to_string());
    };
    if width > MAX_INDENT {
        return Err(failed(format!("`tojson` indents by {MAX_INDENT} spaces at most")));
    }
    let mut bytes = Vec::new();
    let spaces = " ".repeat(width);
    let formatter = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    serde::Serialize::serialize(&value, &mut serializer).map_err(|_| failed("this value cannot be written as JSON"))?;
    String::from_utf8(bytes).map_err(|_| failed("this value cannot be written as JSON"))
}
