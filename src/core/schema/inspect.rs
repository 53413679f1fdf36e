//! What a facet schema must be before anything is built from it.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value};

use super::checker::{self, PatternUse};
use super::invalid::{InvalidSchema, Problem, Problems};
use super::keyword::{self, REFERENCES};
use super::measure::{MAX_DEPTH, MAX_NAME, measure};
use super::message;
use super::phrase;

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
const MAX_BYTES: u64 = 256 * 1024;
const MAX_VALUES: u64 = 10_000;
const MAX_PATTERNS: usize = 256;
const MAX_PATTERN_BYTES: usize = 1024;

/// Keywords of other dialects that a 2020-12 validator does not apply, with what to write instead.
const FOREIGN: [(&str, &str); 3] = [
    ("$recursiveRef", "write $ref"),
    ("$recursiveAnchor", "write $anchor"),
    ("dependencies", "write dependentRequired or dependentSchemas"),
];

/// The formats that are checked: those of JSON Schema 2020-12, and `password`, which `OpenAPI` uses to say that a text
/// is not to be shown and which allows every text.
pub(super) const FORMATS: [&str; 20] = [
    "date",
    "date-time",
    "duration",
    "email",
    "hostname",
    "idn-email",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "iri",
    "iri-reference",
    "json-pointer",
    "password",
    "regex",
    "relative-json-pointer",
    "time",
    "uri",
    "uri-reference",
    "uri-template",
    "uuid",
];

/// The JSON pointer of the schema that each reference text means.
pub(super) type Targets = BTreeMap<String, String>;

/// Checks size, dialect, meta-schema, references, formats, patterns and the place of `writeOnly`.
pub(super) fn inspect(schema: &Value) -> Result<Targets, InvalidSchema> {
    limits(schema)?;
    let mut problems = Problems::default();
    root(schema, &mut problems);
    against_meta_schema(schema, &mut problems);
    let mut walk = Walk { problems, ..Walk::default() };
    walk.schema(schema, 0, None);
    let targets = walk.resolve(schema);
    walk.problems.into_result()?;
    Ok(targets)
}

fn limits(schema: &Value) -> Result<(), InvalidSchema> {
    let size = measure(schema);
    let message = if size.depth > MAX_DEPTH {
        format!("nested more than {MAX_DEPTH} levels deep; flatten it, or use $defs and $ref")
    } else if size.long_name {
        format!("a name in it is longer than {MAX_NAME} bytes; shorten it")
    } else if size.bytes > MAX_BYTES {
        format!("{} bytes of text, at most {MAX_BYTES} are allowed", size.bytes)
    } else if size.values > MAX_VALUES {
        format!("{} values, at most {MAX_VALUES} are allowed", size.values)
    } else {
        return Ok(());
    };
    Err(Problem::new("", message).into())
}

fn root(schema: &Value, problems: &mut Problems) {
    let Some(fields) = schema.as_object() else {
        let message = "must be an object with `type: object`, as a facet is a set of fields";
        return problems.add(Problem::new("", message));
    };
    if fields.get("type").and_then(Value::as_str) != Some("object") {
        let message = "must be `object` at the root, as a facet is a set of fields";
        problems.add(Problem::new("/type", message));
    }
    let dialect = fields.get("$schema").and_then(Value::as_str);
    if dialect.is_some_and(|dialect| dialect.trim_end_matches('#') != DIALECT) {
        let message = format!("only JSON Schema 2020-12 is understood; remove it or write {DIALECT}");
        problems.add(Problem::new("/$schema", message));
    }
}

fn against_meta_schema(schema: &Value, problems: &mut Problems) {
    let meta_schema = jsonschema::draft202012::meta::validator();
    if meta_schema.is_valid(schema) {
        return;
    }
    for error in meta_schema.iter_errors(schema) {
        let text = message::describe(&error, phrase::Subject::Shown);
        problems.add(Problem::new(error.instance_path().as_str(), text));
    }
}

#[derive(Default)]
struct Walk<'a> {
    /// Pointer of the schema that the walk is at.
    pointer: String,
    problems: Problems,
    /// Addresses of all schemas, to tell a reference to one from a reference into an `enum` or an annotation.
    schemas: HashSet<*const Value>,
    anchors: BTreeMap<&'a str, String>,
    references: Vec<(String, &'a str)>,
    patterns: HashSet<String>,
}

impl<'a> Walk<'a> {
    fn problem(&mut self, keyword: &str, message: impl Into<String>) {
        let mut pointer = self.pointer.clone();
        keyword::push_token(&mut pointer, keyword);
        self.problems.add(Problem::new(pointer, message));
    }

    /// `level` is 0 for the root; `parent` the keyword that holds this schema.
    fn schema(&mut self, schema: &'a Value, level: usize, parent: Option<&str>) {
        self.schemas.insert(std::ptr::from_ref(schema));
        let Some(fields) = schema.as_object() else {
            return;
        };
        self.identity(fields, level);
        self.vocabulary(fields);
        if fields.get("writeOnly") == Some(&Value::Bool(true)) && !(level == 1 && parent == Some("properties")) {
            self.problem("writeOnly", "only a field of the facet itself can be secret; move it to the top level");
        }
        for inner in keyword::subschemas(fields) {
            let length = self.pointer.len();
            inner.push_pointer(&mut self.pointer);
            if inner.keyword == "patternProperties" {
                self.pattern(inner.token.as_deref().unwrap_or_default(), None);
            }
            self.schema(inner.schema, level + 1, Some(inner.keyword));
            self.pointer.truncate(length);
        }
    }

    fn identity(&mut self, fields: &'a Map<String, Value>, level: usize) {
        for keyword in ["$id", "$schema"] {
            if level > 0 && fields.contains_key(keyword) {
                self.problem(keyword, "is allowed at the root only; remove it");
            }
        }
        for keyword in ["$anchor", "$dynamicAnchor"] {
            let Some(anchor) = fields.get(keyword).and_then(Value::as_str) else {
                continue;
            };
            let earlier = self.anchors.insert(anchor, self.pointer.clone());
            if earlier.is_some_and(|earlier| earlier != self.pointer) {
                self.problem(keyword, format!("`{anchor}` is used twice; rename one"));
            }
        }
        for keyword in REFERENCES {
            if let Some(text) = fields.get(keyword).and_then(Value::as_str) {
                let mut pointer = self.pointer.clone();
                keyword::push_token(&mut pointer, keyword);
                self.references.push((pointer, text));
            }
        }
    }

    fn vocabulary(&mut self, fields: &'a Map<String, Value>) {
        for (keyword, instead) in FOREIGN {
            if fields.contains_key(keyword) {
                self.problem(keyword, format!("is not of JSON Schema 2020-12; {instead}"));
            }
        }
        if let Some(format) = fields.get("format").and_then(Value::as_str)
            && !FORMATS.contains(&format)
        {
            let message = format!(
                "unknown format `{}`; known are {}. For numbers state minimum and maximum instead",
                phrase::shorten(format),
                FORMATS.join(", ")
            );
            self.problem("format", message);
        }
        if let Some(pattern) = fields.get("pattern").and_then(Value::as_str) {
            self.pattern(pattern, Some("pattern"));
        }
    }

    /// Checks a pattern that stands under `keyword`, or is itself what the pointer ends with.
    fn pattern(&mut self, pattern: &str, keyword: Option<&str>) {
        let Some(message) = self.pattern_message(pattern) else {
            return;
        };
        match keyword {
            Some(keyword) => self.problem(keyword, message),
            None => self.problems.add(Problem::new(self.pointer.clone(), message)),
        }
    }
}

impl Walk<'_> {
    /// What is wrong with a pattern. Each is checked once.
    fn pattern_message(&mut self, pattern: &str) -> Option<String> {
        if !self.patterns.insert(pattern.to_owned()) {
            return None;
        }
        if self.patterns.len() > MAX_PATTERNS {
            return Some(format!("more than {MAX_PATTERNS} patterns in one schema; split it"));
        }
        if pattern.len() > MAX_PATTERN_BYTES {
            return Some(format!("the pattern has {} bytes, at most {MAX_PATTERN_BYTES} are allowed", pattern.len()));
        }
        let shown = phrase::shorten(pattern);
        match checker::pattern_use(pattern) {
            PatternUse::Fit => None,
            PatternUse::TooLarge => Some(format!(
                "the pattern `{shown}` is too large once its counted repetitions are written out; lower the counts, or \
                 state the length by maxLength"
            )),
            PatternUse::Unreadable if looks_around(pattern) => Some(format!(
                "the pattern `{shown}` uses look-around or a back-reference, which cannot be matched in linear time; \
                 write it without"
            )),
            PatternUse::Unreadable => Some(format!("the pattern `{shown}` is not a regular expression; correct it")),
        }
    }

    /// The pointer that each reference means; a problem for each that leads nowhere or out of the schema.
    fn resolve(&mut self, schema: &Value) -> Targets {
        let mut targets = Targets::new();
        for (pointer, text) in std::mem::take(&mut self.references) {
            let shown = phrase::shorten(text);
            let Some(fragment) = text.strip_prefix('#') else {
                let message = format!(
                    "`{shown}` is outside of this schema, and nothing is fetched; copy it under $defs and refer to \
                     `#/$defs/…`"
                );
                self.problems.add(Problem::new(pointer, message));
                continue;
            };
            if let Some(target) = self.target(schema, fragment) {
                targets.insert(text.to_owned(), target);
            } else {
                let message = format!("`{shown}` is no schema in here; correct it");
                self.problems.add(Problem::new(pointer, message));
            }
        }
        targets
    }

    fn target(&self, schema: &Value, fragment: &str) -> Option<String> {
        let decoded = percent_decode(fragment)?;
        if !decoded.is_empty() && !decoded.starts_with('/') {
            return self.anchors.get(decoded.as_str()).cloned();
        }
        let target = std::ptr::from_ref(schema.pointer(&decoded)?);
        self.schemas.contains(&target).then_some(decoded)
    }
}

fn looks_around(pattern: &str) -> bool {
    let back_reference = pattern.as_bytes().windows(2).any(|pair| matches!(pair, [b'\\', b'1'..=b'9' | b'k']));
    back_reference || ["(?=", "(?!", "(?<=", "(?<!"].iter().any(|group| pattern.contains(group))
}

/// Decodes `%2F` and the like (RFC 3986, section 2.1); `None` if it is malformed or no UTF-8.
fn percent_decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'%' {
            decoded.push(first);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2)?;
        let digits = digits.iter().map(|&digit| char::from(digit).to_digit(16));
        let byte = digits.reduce(|high, low| Some(high? * 16 + low?))??;
        decoded.push(u8::try_from(byte).ok()?);
        rest = tail;
    }
    String::from_utf8(decoded).ok()
}
