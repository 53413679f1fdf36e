//! The compiled form of a normalized schema, and what it finds wrong with a value.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use jsonschema::{Draft, EmailOptions, PatternCache, PatternOptions, ValidationError, ValidationOptions, Validator};
use serde_json::{Value, json};

use super::extent::SchemaExtent;
use super::invalid::SchemaProblem;
use super::measure::{MAX_DEPTH, MAX_NAME, Measure, measure};
use super::message;
use super::normalize::Normal;
use super::pattern::SchemaPatterns;
use super::phrase::Visibility;
use super::violation::{self, FieldPlace, Violation};
use super::work::{self, CheckWork, ErrorDetail};

/// Compiled size of one pattern, in bytes. The engine's time is at worst the product of this and the text's length.
const PATTERN_SIZE: usize = 64 * 1024;
/// Memory for the states of one pattern that the engine keeps from match to match, in bytes.
const PATTERN_STATES: usize = 1024 * 1024;

static BOUNDED: LazyLock<ValidationOptions<'static>> = LazyLock::new(|| {
    let patterns = PatternOptions::regex().size_limit(PATTERN_SIZE).dfa_size_limit(PATTERN_STATES);
    options().with_pattern_options(patterns)
});

fn options() -> ValidationOptions<'static> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .should_validate_formats(true)
        .should_ignore_unknown_formats(false)
        .with_format("password", |_: &str| true)
        .with_email_options(EmailOptions::default().without_display_text())
}

/// A counted pattern by itself; none if it is larger than it may be.
pub(super) fn matcher(pattern: &str, compiled: &PatternCache) -> Option<Matcher> {
    let options = BOUNDED.clone().with_pattern_cache(compiled.clone());
    build(&options, &json!({ "pattern": pattern })).ok().map(Matcher)
}

/// A pattern to match names with.
pub(super) struct Matcher(Validator);

impl Matcher {
    pub(super) fn matches(&self, name: &str) -> bool {
        self.0.is_valid(&json!(name))
    }
}

fn build(options: &ValidationOptions<'static>, schema: &Value) -> Result<Validator, CheckerFailure> {
    let built = contained(|| options.build(schema)).ok_or(CheckerFailure::Panic)?;
    built.map_err(|error| CheckerFailure::Schema(Box::new(error)))
}

enum CheckerFailure {
    Schema(Box<ValidationError<'static>>),
    Panic,
}

/// Runs the library so that a panic in it is an outcome like any other, which harms only the schema at hand.
pub(super) fn contained<T>(run: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(run)).ok()
}

/// A compiled schema with the document that it was compiled from.
pub(super) struct Checker {
    validator: Validator,
    document: Value,
    extent: SchemaExtent,
    patterns: Arc<SchemaPatterns>,
}

impl Checker {
    /// Compiles a measured schema. `patterns` are those of the schema that it is a part of.
    pub(super) fn new(
        normal: Normal,
        extent: SchemaExtent,
        patterns: &Arc<SchemaPatterns>,
    ) -> Result<Self, SchemaProblem> {
        let options = BOUNDED.clone().with_pattern_cache(patterns.compiled.clone());
        let validator = build(&options, &normal.document).map_err(|failure| match failure {
            CheckerFailure::Schema(error) => {
                let text = message::describe(&error, Visibility::Shown);
                SchemaProblem::new(normal.origin(error.instance_path().as_str()), text)
            }
            CheckerFailure::Panic => SchemaProblem::new("", "cannot be compiled; simplify it"),
        })?;
        Ok(Self { validator, document: normal.document, extent, patterns: Arc::clone(patterns) })
    }

    /// What is wrong with `value`, which stands at `place`; at least one violation if anything is.
    pub(super) fn check(&self, place: &FieldPlace, value: &Value, subject: Visibility) -> Result<(), Vec<Violation>> {
        let size = measure(value);
        refuse_size(place, size)?;
        let Some(work) = self.work(value, size) else {
            let message = format!("too large to check: {} values with this schema", size.values);
            return Err(vec![place.violation("limit", &message)]);
        };
        contained(|| self.run(place, value, subject, work)).unwrap_or_else(|| {
            let message = "could not be checked, as its schema made the validator fail";
            Err(vec![place.violation("limit", message)])
        })
    }

    /// Whether nothing is wrong with `value`, without looking for what is.
    pub(super) fn accepts(&self, place: &FieldPlace, value: &Value) -> bool {
        let size = measure(value);
        let is_within = refuse_size(place, size).is_ok() && self.work(value, size).is_some();
        is_within && contained(|| self.validator.is_valid(value)).unwrap_or(false)
    }

    fn work(&self, value: &Value, size: Measure) -> Option<CheckWork> {
        let patterns = &self.patterns;
        work::estimate(self.extent, patterns, size).or_else(|| work::count(&self.document, patterns, value))
    }

    fn run(
        &self,
        place: &FieldPlace,
        value: &Value,
        subject: Visibility,
        work: CheckWork,
    ) -> Result<(), Vec<Violation>> {
        if self.validator.is_valid(value) {
            return Ok(());
        }
        let errors: Vec<ValidationError<'_>> = match work.effort() {
            ErrorDetail::All => self.validator.iter_errors(value).collect(),
            ErrorDetail::First => self.validator.validate(value).err().into_iter().collect(),
            ErrorDetail::None => Vec::new(),
        };
        let found = violation::from_errors(place, &self.document, &errors, subject);
        if found.is_empty() {
            let message = "does not fit its schema, and is too large to say where";
            return Err(vec![place.violation("limit", message)]);
        }
        Err(found)
    }
}

fn refuse_size(place: &FieldPlace, size: Measure) -> Result<(), Vec<Violation>> {
    let message = if size.depth > MAX_DEPTH {
        format!("nested more than {MAX_DEPTH} levels deep; flatten it")
    } else if size.long_name {
        format!("a field name in it is longer than {MAX_NAME} bytes; shorten it")
    } else {
        return Ok(());
    };
    Err(vec![place.violation("limit", &message)])
}
