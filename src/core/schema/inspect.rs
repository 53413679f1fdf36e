//! The conditions that a facet schema must meet before anything is built from it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::checker;
use super::invalid::{InvalidSchema, Problems, SchemaProblem};
use super::keyword::{self, REFERENCES};
use super::measure::{MAX_DEPTH, MAX_NAME, measure};
use super::message;
use super::pattern::{Fault, SchemaPatterns};
use super::phrase;
use super::unknown_field::closest;
use crate::core::percent::percent_decode;

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
const MAX_BYTES: u64 = 256 * 1024;
const MAX_VALUES: u64 = 10_000;

/// Keywords of other dialects that a 2020-12 validator does not apply, with what to write instead.
const FOREIGN: [(&str, &str); 3] = [
    ("$recursiveRef", "write $ref"),
    ("$recursiveAnchor", "write $anchor"),
    ("dependencies", "write dependentRequired or dependentSchemas"),
];

/// Keywords that stand at the root only, with what to do elsewhere.
const AT_THE_ROOT: [(&str, &str); 2] = [
    ("$id", "is allowed at the root only; remove it, and refer to this part by its place, such as `#/$defs/…`"),
    ("$schema", "is allowed at the root only; remove it"),
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

/// Formats of numbers that `OpenAPI` knows.
const NUMBER_FORMATS: [&str; 8] = ["int8", "int16", "int32", "int64", "uint32", "uint64", "float", "double"];

/// The JSON pointer of the schema that each reference text means.
pub(super) type Targets = BTreeMap<String, String>;

/// What later work on a schema needs of its inspection.
pub(super) struct Inspected {
    pub(super) targets: Targets,
    /// All of them counted, and compiled.
    pub(super) patterns: Arc<SchemaPatterns>,
}

/// Checks dialect, meta-schema, references, formats, patterns and the place of `writeOnly`, of a schema within the
/// [`limits`].
pub(super) fn inspect(schema: &Value) -> Result<Inspected, InvalidSchema> {
    let mut problems = Problems::default();
    root(schema, &mut problems);
    let mut walk = InspectionWalk { problems, ..InspectionWalk::default() };
    walk.schema(schema, 0, None);
    let targets = walk.resolve(schema);
    against_meta_schema(schema, &mut walk.problems);
    if walk.problems.is_empty() {
        walk.compile_patterns();
    }
    walk.problems.into_result()?;
    Ok(Inspected { targets, patterns: Arc::new(walk.patterns) })
}

/// Refuses what is too large to be looked at.
pub(super) fn limits(schema: &Value) -> Result<(), InvalidSchema> {
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
    Err(SchemaProblem::new("", message).into())
}

fn root(schema: &Value, problems: &mut Problems) {
    let Some(fields) = schema.as_object() else {
        let message = "must be an object with `type: object`, as a facet is a set of fields";
        return problems.add(SchemaProblem::new("", message));
    };
    if fields.get("type").and_then(Value::as_str) != Some("object") {
        let message = "must be `object` at the root, as a facet is a set of fields";
        problems.add(SchemaProblem::new("/type", message));
    }
    let dialect = fields.get("$schema").and_then(Value::as_str);
    if dialect.is_some_and(|dialect| dialect.trim_end_matches('#') != DIALECT) {
        let message = format!("only JSON Schema 2020-12 is understood; remove it or write {DIALECT}");
        problems.add(SchemaProblem::new("/$schema", message));
    }
}

/// What is known to be wrong already is not said once more in the words of the meta-schema.
fn against_meta_schema(schema: &Value, problems: &mut Problems) {
    let meta_schema = jsonschema::draft202012::meta::validator();
    if meta_schema.is_valid(schema) {
        return;
    }
    for error in meta_schema.iter_errors(schema) {
        let pointer = error.instance_path().as_str();
        if !problems.cover(pointer) {
            let text = message::describe(&error, phrase::Visibility::Shown);
            problems.add(SchemaProblem::new(pointer, text));
        }
    }
}

#[derive(Default)]
struct InspectionWalk<'a> {
    /// Pointer of the schema that the walk is at.
    pointer: String,
    problems: Problems,
    /// Addresses of all schemas, to tell a reference to one from a reference into an `enum` or an annotation.
    schemas: HashSet<*const Value>,
    anchors: BTreeMap<&'a str, String>,
    /// Each reference with its resource, as it is identified within the schema; empty for the schema itself.
    references: Vec<(String, &'a str, &'a str)>,
    /// The innermost `$id` around the present schema; empty for that of the root.
    resource: &'a str,
    /// Each `$id` within the schema.
    resources: HashSet<&'a str>,
    patterns: SchemaPatterns,
    /// Where each pattern stands first.
    places: BTreeMap<&'a str, String>,
}

impl<'a> InspectionWalk<'a> {
    fn problem(&mut self, keyword: &str, message: impl Into<String>) {
        let mut pointer = self.pointer.clone();
        keyword::push_token(&mut pointer, keyword);
        self.problems.add(SchemaProblem::new(pointer, message));
    }

    /// `level` is 0 for the root; `parent` the keyword that holds this schema.
    fn schema(&mut self, schema: &'a Value, level: usize, parent: Option<&str>) {
        self.schemas.insert(std::ptr::from_ref(schema));
        let Some(fields) = schema.as_object() else {
            return;
        };
        let resource = self.resource;
        self.identity(fields, level);
        self.vocabulary(fields);
        if fields.get("writeOnly") == Some(&Value::Bool(true)) && !(level == 1 && parent == Some("properties")) {
            self.problem("writeOnly", "only a field of the facet itself can be secret; move it to the top level");
        }
        for inner in keyword::subschemas(fields) {
            let length = self.pointer.len();
            inner.push_pointer(&mut self.pointer);
            self.schema(inner.schema, level + 1, Some(inner.keyword));
            self.pointer.truncate(length);
        }
        self.resource = resource;
    }

    fn identity(&mut self, fields: &'a Map<String, Value>, level: usize) {
        for (keyword, message) in AT_THE_ROOT {
            if level > 0 && fields.contains_key(keyword) {
                self.problem(keyword, message);
            }
        }
        if let Some(id) = fields.get("$id").and_then(Value::as_str).filter(|_| level > 0) {
            self.resource = id;
            self.resources.insert(id);
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
                self.references.push((pointer, text, self.resource));
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
            self.problem("format", unknown_format(format));
        }
        if let Some(pattern) = fields.get("pattern").and_then(Value::as_str) {
            self.pattern(pattern, &["pattern"]);
        }
        for pattern in fields.get("patternProperties").and_then(Value::as_object).into_iter().flat_map(Map::keys) {
            self.pattern(pattern, &["patternProperties", pattern]);
        }
    }

    /// Counts a pattern. Each is spoken of once.
    fn pattern(&mut self, pattern: &'a str, tokens: &[&str]) {
        if self.places.contains_key(pattern) {
            return;
        }
        let mut pointer = self.pointer.clone();
        for token in tokens {
            keyword::push_token(&mut pointer, token);
        }
        if let Err(fault) = self.patterns.add(pattern) {
            self.problems.add(SchemaProblem::new(pointer.clone(), fault.message(pattern)));
        }
        self.places.insert(pattern, pointer);
    }

    /// Compiles the patterns, each once, as soon as they are known to be within bounds together.
    fn compile_patterns(&mut self) {
        for (pattern, pointer) in &self.places {
            if checker::matcher(pattern, &self.patterns.compiled).is_none() {
                self.problems.add(SchemaProblem::new(pointer.clone(), Fault::TooLarge.message(pattern)));
            }
        }
    }
}

fn unknown_format(format: &str) -> String {
    let shown = phrase::shorten(format);
    if NUMBER_FORMATS.contains(&format) {
        return format!("`{shown}` is no format of texts; for numbers state minimum and maximum instead");
    }
    let meant = closest(format, &FORMATS).map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
    format!(
        "unknown format `{shown}`{meant}; known are {}: correct it, or remove it and state a pattern",
        FORMATS.join(", ")
    )
}

impl InspectionWalk<'_> {
    /// The pointer that each reference means; a problem for each that leads nowhere or out of the schema.
    fn resolve(&mut self, schema: &Value) -> Targets {
        let mut targets = Targets::new();
        let own =
            schema.get("$id").and_then(Value::as_str).map(|id| id.trim_end_matches('#')).filter(|id| !id.is_empty());
        for (pointer, text, resource) in std::mem::take(&mut self.references) {
            let shown = phrase::shorten(text);
            let (base, _) = text.split_once('#').unwrap_or((text, ""));
            // Both go by an `$id` within, of which is said already that it cannot stand there.
            if !resource.is_empty() || self.resources.contains(base) {
                continue;
            }
            let local =
                own.and_then(|own| text.strip_prefix(own)).filter(|rest| rest.is_empty() || rest.starts_with('#'));
            let Some(fragment) = local.unwrap_or(text).strip_prefix('#').or_else(|| local.map(|_| "")) else {
                let message = format!(
                    "`{shown}` is outside of this schema, and nothing is fetched; copy it under $defs and refer to \
                     `#/$defs/…`"
                );
                self.problems.add(SchemaProblem::new(pointer, message));
                continue;
            };
            if let Some(target) = self.target(schema, fragment) {
                targets.insert(text.to_owned(), target);
            } else {
                let message = format!("`{shown}` is no schema in here; correct it");
                self.problems.add(SchemaProblem::new(pointer, message));
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
