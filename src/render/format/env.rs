//! Dotenv files that `sh` reads as well.
//!
//! There is no standard for dotenv files, and their readers agree on little. This module writes only what a POSIX `sh`,
//! python-dotenv (with its interpolation), Node's dotenv, Go's godotenv, and Compose all read as the same value:
//!
//! | spelling | `sh` | python-dotenv | Node's dotenv | godotenv | Compose |
//! |---|---|---|---|---|---|
//! | bare | splits, expands, unescapes | cuts at ` #` | cuts at `#` | cuts at ` #`, expands `$` | cuts at ` #`, expands `$` |
//! | `'…'` | keeps all | unescapes `\\` and `\'` | keeps all | keeps all, but a `\` before the end | unescapes `\'` |
//! | `"…"` | expands `$` and backticks, unescapes `\` before `$`, backtick, `"`, `\` and a line end | unescapes `\` before `\'"abfnrtv` | unescapes `\n` and `\r` only | expands `$`, drops any other `\` than that of `\n`, `\r` and `\$` | expands `$`, unescapes `\` before `\"$abcfnrtv0` |
//!
//! Beyond that, a carriage return becomes a line feed in some of them, and python-dotenv replaces `${name}` and
//! `${name:-default}` after all quoting.

use super::leaves::{self, Leaf, LeafValue};
use super::variables::variable_name;
use super::{FacetValues, FormatError, Obstacle};

pub(super) const FORMAT: &str = "Env";

pub(super) fn render(facets: &FacetValues) -> Result<String, FormatError> {
    let mut text = String::new();
    for (name, leaf) in leaves::by_name(FORMAT, facets, variable_name)? {
        text.push_str(&name);
        text.push('=');
        text.push_str(&value(leaf)?);
        text.push('\n');
    }
    Ok(text)
}

fn value(leaf: Leaf<'_>) -> Result<String, FormatError> {
    match leaf.value {
        LeafValue::Plain(text) => Ok(text),
        LeafValue::List(json) => Ok(format!("'{}'", escape_json(&json))),
        LeafValue::Text(text) => {
            spell(text).map_err(|obstacle| FormatError::Unwritable { format: FORMAT, field: leaf.path, obstacle })
        }
    }
}

/// The same JSON without anything that a reader takes for its own within single quotes.
fn escape_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\'' => escaped.push_str(r"\u0027"),
            '$' if characters.peek() == Some(&'{') => escaped.push_str(r"\u0024"),
            '\\' if characters.next_if_eq(&'\\').is_some() => escaped.push_str(r"\u005c"),
            _ => escaped.push(character),
        }
    }
    escaped
}

fn spell(text: &str) -> Result<String, Obstacle> {
    if text.contains('\0') {
        return Err(Obstacle::Nul);
    }
    if text.contains('\r') {
        return Err(Obstacle::CarriageReturn);
    }
    if is_interpolated(text) {
        return Err(Obstacle::Interpolation);
    }
    if text.ends_with('\\') || text.contains(r"\\") {
        return Err(Obstacle::Backslash);
    }
    if text.chars().all(is_bare) {
        return Ok(text.to_owned());
    }
    if !text.contains('\'') {
        return Ok(format!("'{text}'"));
    }
    if is_literal_in_double_quotes(text) {
        return Ok(format!("\"{text}\""));
    }
    Err(Obstacle::Quotes)
}

/// Characters without a meaning in any reader, wherever they stand.
fn is_bare(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.' | '/' | ':' | ',' | '@' | '%' | '+' | '=')
}

/// Whether python-dotenv finds a variable: `${name}` without `:` in the name, or `${name:-default}`.
fn is_interpolated(text: &str) -> bool {
    text.match_indices("${").any(|(start, opening)| {
        let Some(inside) = text.get(start + opening.len()..) else {
            return false;
        };
        let Some(end) = inside.find([':', '}']) else {
            return false;
        };
        inside.get(end..).is_some_and(|rest| {
            rest.starts_with('}') || rest.strip_prefix(":-").is_some_and(|default| default.contains('}'))
        })
    })
}

/// Whether none of the readers changes anything between double quotes. There is no backslash that all of them keep.
fn is_literal_in_double_quotes(text: &str) -> bool {
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let literal = match character {
            '"' | '`' | '\\' => false,
            '$' => !characters.peek().copied().is_some_and(may_expand),
            _ => true,
        };
        if !literal {
            return false;
        }
    }
    true
}

/// What a `$` before it may expand to in some `sh` or library: names, special parameters, braces, substitutions (`$[` in bash).
/// Letters beyond ASCII are names in some shells and locales.
fn may_expand(next: char) -> bool {
    next.is_ascii_alphanumeric()
        || matches!(next, '_' | '{' | '(' | '[' | '@' | '*' | '#' | '?' | '-' | '$' | '!')
        || !next.is_ascii()
}
