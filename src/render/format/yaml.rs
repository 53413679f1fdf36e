//! One YAML mapping in block style that no reader, be it of YAML 1.1 or 1.2, takes for anything else.
//!
//! The scalars are those of JSON, which both versions share: a text is always in double quotes, so that its type
//! does not hang on what a reader resolves (`no`, `1e3`, `12:30:45`, `e1`). Only keys that every reader keeps as
//! text go without. A general serializer is not used, because what it leaves unquoted are the spellings that it
//! knows of, and readers differ in theirs: `e1` is a number to some, and `-_` an error.

use std::fmt::Write as _;

use serde_json::{Map, Number, Value};

use super::FacetValues;

pub(super) const FORMAT: &str = "Yaml";

/// Words that YAML 1.1 (<https://yaml.org/type/bool.html>, `null.html`, `merge.html`) or some reader resolves.
const RESOLVED: [&str; 11] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"];

/// Most characters of a key that stands on one line with its colon, <https://yaml.org/spec/1.2.2/#742-flow-mappings>.
/// Some readers count the quotes and escapes.
const SIMPLE_KEY_MAX: usize = 1000;

const INDENT: usize = 2;

pub(super) fn render(facets: &FacetValues) -> String {
    let root = facets.iter().map(|(facet, fields)| (facet.clone(), Value::Object(fields.clone()))).collect();
    let mut text = String::new();
    write_mapping(&mut text, &root, 0);
    text.push('\n');
    text
}

/// Writes from the current column, which is `indent`, and without the last line end.
fn write_node(text: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::Number(number) => text.push_str(&spell_number(number)),
        Value::String(string) => write_quoted(text, string),
        Value::Array(items) => write_sequence(text, items, indent),
        Value::Object(members) => write_mapping(text, members, indent),
    }
}

fn write_sequence(text: &mut String, items: &[Value], indent: usize) {
    if items.is_empty() {
        text.push_str("[]");
    }
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            start_line(text, indent);
        }
        text.push_str("- ");
        write_node(text, item, indent + INDENT);
    }
}

fn write_mapping(text: &mut String, members: &Map<String, Value>, indent: usize) {
    if members.is_empty() {
        text.push_str("{}");
    }
    for (index, (key, value)) in members.iter().enumerate() {
        if index > 0 {
            start_line(text, indent);
        }
        write_key(text, key, indent);
        if is_block(value) {
            start_line(text, indent + INDENT);
        } else {
            text.push(' ');
        }
        write_node(text, value, indent + INDENT);
    }
}

fn write_key(text: &mut String, key: &str, indent: usize) {
    if is_plain_key(key) {
        text.push_str(key);
        text.push(':');
        return;
    }
    let mut quoted = String::new();
    write_quoted(&mut quoted, key);
    if quoted.len() <= SIMPLE_KEY_MAX {
        text.push_str(&quoted);
    } else {
        text.push_str("? ");
        text.push_str(&quoted);
        start_line(text, indent);
    }
    text.push(':');
}

fn start_line(text: &mut String, indent: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n(' ', indent));
}

fn is_block(value: &Value) -> bool {
    match value {
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => false,
    }
}

fn is_plain_key(key: &str) -> bool {
    key.len() <= SIMPLE_KEY_MAX
        && key.starts_with(|first: char| first.is_ascii_alphabetic())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && !RESOLVED.iter().any(|word| key.eq_ignore_ascii_case(word))
        && !is_bare_exponent(key)
}

/// `e1`, which some readers of YAML 1.1 take for a float without a mantissa.
fn is_bare_exponent(key: &str) -> bool {
    key.strip_prefix(['e', 'E']).is_some_and(|exponent| !exponent.contains(|digit: char| digit.is_ascii_alphabetic()))
}

/// A float of YAML 1.1 needs a point in the mantissa and a sign in the exponent, <https://yaml.org/type/float.html>.
fn spell_number(number: &Number) -> String {
    let json = number.to_string();
    let Some((mantissa, exponent)) = json.split_once('e') else {
        return json;
    };
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['-', '+']) { "" } else { "+" };
    format!("{mantissa}{point}e{sign}{exponent}")
}

/// Writes a text between double quotes, on one line, with the escapes that JSON and YAML share.
fn write_quoted(text: &mut String, string: &str) {
    text.push('"');
    for character in string.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            _ if is_printable(character) => text.push(character),
            _ => {
                // Writing to a String does not fail.
                let _ = write!(text, "\\u{:04x}", u32::from(character));
            }
        }
    }
    text.push('"');
}

/// Whether every reader keeps the character as it is: printable by <https://yaml.org/spec/1.2.2/#51-character-set>, and
/// neither a line end of YAML 1.1 nor a byte order mark. All that are not lie below U+10000.
fn is_printable(character: char) -> bool {
    !character.is_control() && !matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}
