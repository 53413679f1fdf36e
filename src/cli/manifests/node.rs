//! A YAML or JSON value that remembers the place of each part.

use super::scalar;
use serde_json::{Map, Number, Value};

/// Where something stands in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TextPosition {
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
}

/// A piece of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TextSpan {
    /// Where it begins.
    pub begin: TextPosition,
    /// Where the next thing begins.
    pub end: TextPosition,
    /// In characters, line breaks among them.
    pub length: u32,
}

/// A value, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it stands; for an alias, where that stands.
    pub span: TextSpan,
    /// Byte offset of where it is written; for an alias, of what that stands for.
    pub offset: u32,
    /// How it is written.
    pub style: TextStyle,
    /// What it is.
    pub content: Content,
}

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextStyle {
    /// Without quotes, in one line.
    Plain,
    /// In single quotes.
    Single,
    /// In double quotes, also in JSON.
    Double,
    /// Over several lines, or not by itself; also lists and objects.
    Other,
}

impl TextStyle {
    /// A text written in this way, so that it can stand where another stood.
    #[must_use]
    pub fn write(self, text: &str) -> Option<String> {
        let is_safe = |character: char| character.is_ascii_alphanumeric() || matches!(character, '/' | '_' | '-' | '.');
        let is_plain = text.starts_with(|first: char| first.is_ascii_alphabetic())
            && text.chars().all(is_safe)
            && scalar::plain(text) == Some(Content::Text(text.to_owned()));
        match self {
            Self::Plain if is_plain => Some(text.to_owned()),
            Self::Plain | Self::Double => Some(Value::from(text).to_string()),
            Self::Single => Some(format!("'{}'", text.replace('\'', "''"))),
            Self::Other => None,
        }
    }
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// `null`, or nothing.
    Null,
    /// A boolean, also one of YAML 1.1 such as `yes`.
    Boolean(bool),
    /// A number as the API server keeps it.
    Number(Number),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// An object, in the order of the text.
    Fields(Vec<Field>),
}

/// A field of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name, and where that stands.
    pub key: FieldKey,
    /// Its value.
    pub value: Node,
}

/// The name of a field. YAML 1.1 takes some names for booleans or numbers, which become text again.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldKey {
    /// Where it stands.
    pub span: TextSpan,
    /// Byte offset of where it is written.
    pub offset: u32,
    /// How it is written.
    pub style: TextStyle,
    /// The name.
    pub name: String,
    /// The reader took it for a boolean.
    pub is_boolean: bool,
}

impl Node {
    /// What stands for an object that was not read from a text.
    #[must_use]
    pub fn nowhere() -> Self {
        let begin = TextPosition { line: 0, column: 0 };
        Self {
            span: TextSpan { begin, end: begin, length: 0 },
            offset: 0,
            style: TextStyle::Other,
            content: Content::Null,
        }
    }

    /// Whether it stands for an object that was not read from a text: lines are counted from 1.
    #[must_use]
    pub fn is_nowhere(&self) -> bool {
        self.span.begin.line == 0
    }

    /// The value of a field of an object.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.fields().iter().find(|field| field.key.name == name).map(|field| &field.value)
    }

    /// The fields of an object; of anything else, none.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        match &self.content {
            Content::Fields(fields) => fields,
            _ => &[],
        }
    }

    /// How many items a list has; anything else has none.
    #[must_use]
    pub fn length(&self) -> usize {
        match &self.content {
            Content::List(items) => items.len(),
            _ => 0,
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The same without places.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Boolean(boolean) => Value::Bool(*boolean),
            Content::Number(number) => Value::Number(number.clone()),
            Content::Text(text) => Value::String(text.clone()),
            Content::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Content::Fields(fields) => {
                let fields = fields.iter().map(|field| (field.key.name.clone(), field.value.to_value()));
                Value::Object(fields.collect::<Map<_, _>>())
            }
        }
    }

    /// How many values it is made of, itself among them.
    #[must_use]
    pub fn count(&self) -> usize {
        let inner: usize = match &self.content {
            Content::List(items) => items.iter().map(Self::count).sum(),
            Content::Fields(fields) => fields.iter().map(|field| field.value.count()).sum(),
            Content::Null | Content::Boolean(_) | Content::Number(_) | Content::Text(_) => 0,
        };
        inner + 1
    }

    /// Goes through all places that the value remembers, its own and those in it.
    pub fn visit_spans(&mut self, visit: &mut impl FnMut(&mut TextSpan)) {
        visit(&mut self.span);
        match &mut self.content {
            Content::List(items) => items.iter_mut().for_each(|item| item.visit_spans(visit)),
            Content::Fields(fields) => {
                for field in fields {
                    visit(&mut field.key.span);
                    field.value.visit_spans(visit);
                }
            }
            Content::Null | Content::Boolean(_) | Content::Number(_) | Content::Text(_) => {}
        }
    }
}

/// Kubernetes' JSON reader keeps whole numbers that a signed integer of 64 bits holds as such, and all others as binary
/// double precision; and a double that is whole is written without fraction or exponent, to be read as whole again. None if the
/// number is not finite.
#[must_use]
pub fn number(float: f64) -> Option<Number> {
    // 2^63, beyond which a signed integer has nothing.
    const WHOLE_BELOW: f64 = 9_223_372_036_854_775_808.0;
    if float.fract() == 0.0 && float.abs() < WHOLE_BELOW {
        #[allow(clippy::cast_possible_truncation, reason = "it is whole and within bounds")]
        return Some((float as i64).into());
    }
    // The API server hands on such a double with its shortest digits, filled up with zeros, which the operator reads as a
    // whole number as long as it fits.
    if let (true, Ok(whole)) = (float.fract() == 0.0, float.to_string().parse::<u64>()) {
        return Some(whole.into());
    }
    Number::from_f64(float)
}
