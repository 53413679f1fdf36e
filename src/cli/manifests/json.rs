//! JSON, which allows characters in its texts that YAML does not, and line breaks where YAML has none.

use super::{
    node::{Content, Field, FieldKey, Node, TextStyle, number},
    places::{Places, small},
    text::{MAX_DEPTH, UnreadableText, too_deep},
};
use jsonc_parser::{
    CollectOptions, ParseOptions,
    ast::{ObjectPropName, Value},
    common::{Range, Ranged},
    parse_to_ast,
};
use std::collections::HashSet;

const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// The document that a text is.
///
/// # Errors
/// The first place where it is no JSON, or has a key twice.
pub fn read(text: &str) -> Result<Node, UnreadableText> {
    let places = Places::of(text);
    let parsed = parse_to_ast(text, &CollectOptions::default(), &STRICT).map_err(|error| {
        let range = error.range();
        unreadable(&places, range, &format!("it is no JSON: {}", error.kind()))
    })?;
    match parsed.value {
        Some(value) => node(&places, value, 1),
        None => Err(UnreadableText { span: None, message: "it is empty".to_owned() }),
    }
}

fn node(places: &Places, value: Value, depth: usize) -> Result<Node, UnreadableText> {
    let range = value.range();
    if depth > MAX_DEPTH + 1 {
        return Err(unreadable(places, range, &too_deep()));
    }
    let content = match value {
        Value::NullKeyword(_) => Content::Null,
        Value::BooleanLit(literal) => Content::Boolean(literal.value),
        Value::StringLit(literal) => Content::Text(literal.value.into_owned()),
        Value::NumberLit(literal) => {
            numeric(literal.value).ok_or_else(|| unreadable(places, range, "the number is too great for Kubernetes"))?
        }
        Value::Array(array) => {
            let items = array.elements.into_iter().map(|item| node(places, item, depth + 1));
            Content::List(items.collect::<Result<_, _>>()?)
        }
        Value::Object(object) => {
            let mut fields = Vec::with_capacity(object.properties.len());
            let mut known = HashSet::new();
            for property in object.properties {
                let range = property.name.range();
                let name = match property.name {
                    ObjectPropName::String(literal) => literal.value.into_owned(),
                    ObjectPropName::Word(word) => word.value.to_owned(),
                };
                if !known.insert(name.clone()) {
                    let message = format!("the field {name:?} is given twice: remove one of the two");
                    return Err(unreadable(places, range, &message));
                }
                let span = places.span(range.start, range.end);
                let key =
                    FieldKey { span, offset: small(range.start), style: TextStyle::Double, name, is_boolean: false };
                fields.push(Field { key, value: node(places, property.value, depth + 1)? });
            }
            Content::Fields(fields)
        }
    };
    let style = if matches!(content, Content::Text(_)) { TextStyle::Double } else { TextStyle::Other };
    Ok(Node { span: places.span(range.start, range.end), offset: small(range.start), style, content })
}

fn numeric(written: &str) -> Option<Content> {
    let whole = || written.parse::<i64>().ok().map(Into::into);
    whole().or_else(|| number(written.parse().ok()?)).map(Content::Number)
}

fn unreadable(places: &Places, range: Range, message: &str) -> UnreadableText {
    let span = places.span(range.start, range.end);
    UnreadableText { span: Some(span), message: message.to_owned() }
}
