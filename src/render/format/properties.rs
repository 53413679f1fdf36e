//! Lines for `java.util.Properties`, <https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/util/Properties.html>.
//!
//! The text is ASCII, because one overload of `Properties.load` reads ISO-8859-1 and the other takes the encoding of its reader.

use std::fmt::Write as _;

use super::leaves::{self, LeafValue};
use super::{FacetValues, FieldPath, FormatError};

pub(super) const FORMAT: &str = "Properties";

pub(super) fn render(facets: &FacetValues) -> Result<String, FormatError> {
    let mut text = String::new();
    for (name, leaf) in leaves::by_name(FORMAT, facets, property_name)? {
        write_key(&mut text, &name);
        text.push('=');
        match leaf.value {
            LeafValue::Text(value) => write_value(&mut text, value),
            LeafValue::Plain(value) | LeafValue::List(value) => write_value(&mut text, &value),
        }
        text.push('\n');
    }
    Ok(text)
}

fn property_name(path: &FieldPath) -> String {
    path.names().collect::<Vec<_>>().join(".")
}

fn write_key(text: &mut String, key: &str) {
    for character in key.chars() {
        if matches!(character, ' ' | '=' | ':' | '#' | '!') {
            text.push('\\');
        }
        write_escaped(text, character);
    }
}

fn write_value(text: &mut String, value: &str) {
    if value.starts_with(' ') {
        text.push('\\');
    }
    for character in value.chars() {
        write_escaped(text, character);
    }
}

fn write_escaped(text: &mut String, character: char) {
    match character {
        '\\' => text.push_str("\\\\"),
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        '\u{c}' => text.push_str("\\f"),
        ' '..='~' => text.push(character),
        _ => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a String does not fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
}
