//! What an unquoted word or number of YAML is to kubectl.
//!
//! kubectl reads YAML with a Go library that mixes YAML 1.1 and 1.2 in its own way: `yes` is a boolean, `0777` and `0o17` are
//! octal, `1_000.5` is a number, and `12:30` and dates are texts (the function `resolve` of gopkg.in/yaml.v2).

use super::node::{Content, number};
use serde_json::Number;

/// A tag in full.
const TAGS: &str = "tag:yaml.org,2002:";

/// What a scalar without a tag and without quotes is. None if it is a number that is not finite, which JSON does not have.
#[must_use]
pub fn plain(text: &str) -> Option<Content> {
    if is_not_finite(text) {
        return None;
    }
    Some(word(text).unwrap_or_else(|| numeric(text)))
}

/// What a scalar with a tag is. None if the tag does not fit the text.
#[must_use]
pub fn tagged(tag: &str, text: &str) -> Option<Content> {
    let Some(name) = tag.strip_prefix(TAGS) else { return Some(Content::Text(text.to_owned())) };
    let fits = |content: &Content| match name {
        "null" => matches!(content, Content::Null),
        "bool" => matches!(content, Content::Boolean(_)),
        "int" => matches!(content, Content::Number(number) if !number.is_f64()) && !text.contains('.'),
        "float" => matches!(content, Content::Number(_)),
        _ => false,
    };
    match name {
        "null" | "bool" | "int" | "float" => plain(text).filter(fits),
        "binary" => None,
        _ => Some(Content::Text(text.to_owned())),
    }
}

/// The name of a field that a number is to kubectl, which makes text of numbers with a fraction or an exponent by single
/// precision. None where that would be another number.
#[must_use]
pub fn name_of_number(text: &str, number: &Number) -> Option<String> {
    if whole(&text.replace('_', "")).is_some() {
        return number.is_i64().then(|| number.to_string());
    }
    let float = number.as_f64()?;
    #[allow(clippy::cast_possible_truncation, reason = "so does kubectl")]
    let single = float as f32;
    let is_short = float == 0.0 || (1e-4..1e6).contains(&float.abs());
    (is_short && single.to_string() == float.to_string()).then(|| single.to_string())
}

fn word(text: &str) -> Option<Content> {
    let content = match text {
        "" | "~" | "null" | "Null" | "NULL" => Content::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Content::Boolean(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Content::Boolean(false),
        _ => return None,
    };
    Some(content)
}

fn is_not_finite(text: &str) -> bool {
    matches!(text, ".nan" | ".NaN" | ".NAN")
        || matches!(text.trim_start_matches(['+', '-']), ".inf" | ".Inf" | ".INF")
            && text.len() - text.trim_start_matches(['+', '-']).len() <= 1
}

fn numeric(text: &str) -> Content {
    let as_text = || Content::Text(text.to_owned());
    let number = match text.chars().next() {
        Some('.') => between_digits(text).then(|| float(&text.replace('_', ""))).flatten(),
        Some('0'..='9' | '+' | '-') => {
            let digits = text.replace('_', "");
            whole(&digits).or_else(|| float(&digits)).or_else(|| signed_binary(&digits))
        }
        _ => None,
    };
    number.map_or_else(as_text, Content::Number)
}

/// A whole number in Go's syntax: 0x, 0b, 0o and a leading 0 give the base.
fn whole(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (base, digits) = base(unsigned);
    if !digits.chars().all(|digit| digit.is_digit(base)) {
        return None;
    }
    let sign = if text.starts_with('-') { "-" } else { "" };
    if let Ok(whole) = i64::from_str_radix(&format!("{sign}{digits}"), base) {
        return Some(whole.into());
    }
    // What is greater than a signed integer is kept as binary double precision; without a sign alone.
    let beyond = u64::from_str_radix(digits, base).ok().filter(|_| unsigned.len() == text.len())?;
    #[allow(clippy::cast_precision_loss, reason = "what no signed integer holds is kept as a double")]
    number(beyond as f64)
}

/// Whether each underscore stands between two digits.
fn between_digits(text: &str) -> bool {
    let is_digit = |part: Option<&u8>| part.is_some_and(u8::is_ascii_digit);
    let parts: Vec<&[u8]> = text.as_bytes().split(|byte| *byte == b'_').collect();
    parts.windows(2).all(|pair| matches!(pair, [before, after] if is_digit(before.last()) && is_digit(after.first())))
}

/// `0b-1`, which is a number to kubectl alone.
fn signed_binary(text: &str) -> Option<Number> {
    i64::from_str_radix(text.strip_prefix("0b")?, 2).ok().map(Into::into)
}

fn base(text: &str) -> (u32, &str) {
    let prefixed = |prefixes: [&str; 2]| prefixes.iter().find_map(|prefix| text.strip_prefix(prefix));
    if let Some(digits) = prefixed(["0x", "0X"]) {
        (16, digits)
    } else if let Some(digits) = prefixed(["0b", "0B"]) {
        (2, digits)
    } else if let Some(digits) = prefixed(["0o", "0O"]) {
        (8, digits)
    } else {
        match text.strip_prefix('0').filter(|rest| !rest.is_empty()) {
            Some(digits) => (8, digits),
            None => (10, text),
        }
    }
}

/// `[-+]?([.][0-9]+|[0-9]+([.][0-9]*)?)([eE][-+]?[0-9]+)?`, unless it is too great for binary double precision.
fn float(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |part: &str| part.chars().all(|character| character.is_ascii_digit());
    let is_number = all_digits(before)
        && all_digits(after)
        && !(before.is_empty() && after.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && all_digits(exponent));
    let float = is_number.then(|| text.parse::<f64>().ok()).flatten()?;
    if float.is_finite() { number(float) } else { None }
}
