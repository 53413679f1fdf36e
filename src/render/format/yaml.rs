//! YAML in block style that every reader of YAML 1.1 and 1.2 reads alike.
//!
//! The scalars are those of JSON, which both versions share. A text is in double quotes, so its type does not depend on what a
//! reader resolves (`no`, `1e3`, `12:30:45`, `e1`). Only keys that every reader keeps as text go without. In a template's
//! output, plain texts go without as well, if they begin as no number, date, or sign does, and are no word that some reader
//! knows. A general serializer is not used, because it leaves unquoted the spellings that it knows, and readers differ in
//! theirs: `e1` is a number to some, and `-_` an error.

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

/// How a document is laid out.
#[derive(Clone, Copy)]
struct YamlStyle {
    /// Whether texts go without quotes where that is safe.
    plain_texts: bool,
    /// How far the items of a list stand to the right of the key that they belong to.
    list_indent: usize,
}

/// A whole document: every text is quoted.
const DOCUMENT: YamlStyle = YamlStyle { plain_texts: false, list_indent: INDENT };

/// A part of a document that somebody else writes, in the way of Kubernetes' manifests.
const PART: YamlStyle = YamlStyle { plain_texts: true, list_indent: 0 };

pub(super) fn render(facets: &FacetValues) -> String {
    let root = facets.iter().map(|(facet, fields)| (facet.clone(), Value::Object(fields.clone()))).collect();
    let mut writer = YamlWriter { text: String::new(), style: DOCUMENT };
    writer.mapping(&root, 0);
    writer.text.push('\n');
    writer.text
}

/// A value as a part of a document, without a newline behind it.
pub(in crate::render) fn node(value: &Value) -> String {
    let mut writer = YamlWriter { text: String::new(), style: PART };
    writer.node(value, 0);
    writer.text
}

struct YamlWriter {
    text: String,
    style: YamlStyle,
}

impl YamlWriter {
    /// Writes from the current column, which is `indent`, and without the last line end.
    fn node(&mut self, value: &Value, indent: usize) {
        match value {
            Value::Null => self.text.push_str("null"),
            Value::Bool(true) => self.text.push_str("true"),
            Value::Bool(false) => self.text.push_str("false"),
            Value::Number(number) => self.text.push_str(&spell_number(number)),
            Value::String(string) => self.scalar(string, indent),
            Value::Array(items) => self.sequence(items, indent),
            Value::Object(members) => self.mapping(members, indent),
        }
    }

    fn scalar(&mut self, string: &str, indent: usize) {
        if self.style.plain_texts && is_plain_text(string) {
            self.text.push_str(string);
        } else if self.style.plain_texts && is_literal(string) {
            self.literal(string, indent);
        } else {
            write_quoted(&mut self.text, string);
        }
    }

    /// The lines as they are.
    fn literal(&mut self, string: &str, indent: usize) {
        self.text.push_str("|-");
        for line in string.split('\n') {
            if line.is_empty() {
                self.text.push('\n');
            } else {
                self.start_line(indent.max(INDENT));
                self.text.push_str(line);
            }
        }
    }

    fn sequence(&mut self, items: &[Value], indent: usize) {
        if items.is_empty() {
            self.text.push_str("[]");
        }
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.start_line(indent);
            }
            self.text.push_str("- ");
            self.node(item, indent + INDENT);
        }
    }

    fn mapping(&mut self, members: &Map<String, Value>, indent: usize) {
        if members.is_empty() {
            self.text.push_str("{}");
        }
        for (index, (key, value)) in members.iter().enumerate() {
            if index > 0 {
                self.start_line(indent);
            }
            self.key(key, indent);
            let inner = indent + if value.is_array() { self.style.list_indent } else { INDENT };
            if is_block(value) {
                self.start_line(inner);
            } else {
                self.text.push(' ');
            }
            self.node(value, inner);
        }
    }

    fn key(&mut self, key: &str, indent: usize) {
        if is_plain_key(key) || (self.style.plain_texts && is_plain_path(key)) {
            self.text.push_str(key);
            self.text.push(':');
            return;
        }
        let mut quoted = String::new();
        write_quoted(&mut quoted, key);
        if quoted.len() <= SIMPLE_KEY_MAX {
            self.text.push_str(&quoted);
        } else {
            self.text.push_str("? ");
            self.text.push_str(&quoted);
            self.start_line(indent);
        }
        self.text.push(':');
    }

    fn start_line(&mut self, indent: usize) {
        self.text.push('\n');
        self.text.extend(std::iter::repeat_n(' ', indent));
    }
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

/// A key such as `example.com/team`.
fn is_plain_path(key: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
    key.len() <= SIMPLE_KEY_MAX && key.bytes().all(is_part) && is_plain_text(key)
}

/// Whether every reader takes a text as one without quotes: it begins with a letter, `/`, `(` or `$`, or with a digit if something
/// in it is in no number and no date; it is no word that is resolved; and nothing in it ends or parts it.
fn is_plain_text(text: &str) -> bool {
    let begins_well = text.starts_with(|first: char| {
        first.is_alphabetic() || matches!(first, '/' | '(' | '$') || (first.is_ascii_digit() && has_plain_mark(text))
    });
    begins_well
        && !text.ends_with([' ', ':'])
        && [": ", " #"].iter().all(|apart| !text.contains(apart))
        && text.chars().all(|character| character != '\t' && is_printable(character))
        && !RESOLVED.iter().any(|word| text.eq_ignore_ascii_case(word))
        && !is_bare_exponent(text)
}

/// Whether a character stands in the text that is in no number or date of any reader, such as the slash of `53/udp`.
fn has_plain_mark(text: &str) -> bool {
    let is_of_numbers = |character: char| {
        character.is_ascii_hexdigit()
            || matches!(
                character,
                'x' | 'X' | 'o' | 'O' | 't' | 'T' | 'z' | 'Z' | '_' | '+' | '-' | '.' | ':' | ',' | ' '
            )
    };
    text.chars().any(|character| character.is_ascii() && !is_of_numbers(character))
}

/// Whether the lines of a text can stand as they are, whoever reads or indents them.
fn is_literal(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with([' ', '\n'])
        && !text.ends_with('\n')
        && text.split('\n').all(|line| {
            line.chars().all(is_printable)
                && !line.ends_with(' ')
                && !line.starts_with("---")
                && !line.starts_with("...")
        })
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
