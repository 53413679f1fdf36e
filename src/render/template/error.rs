//! What can be wrong with a template, told without any of the values that it was given.

use std::fmt;

use minijinja::ErrorKind;
use minijinja::machinery::Span;

use super::names::NamePath;
use super::{MAX_OUTPUT, TemplateContext};

/// A place in a template's source; both numbers count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TemplateLocation {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl TemplateLocation {
    /// The place of a byte offset. An offset beyond the end is the end.
    pub(super) fn of(source: &str, offset: usize) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
        }
    }

    /// Where the engine says that it failed; of some steps it knows the line only.
    fn reported(error: &minijinja::Error, source: &str) -> Option<Self> {
        let exact = error.range().map(|range| Self::of(source, range.start));
        exact.or_else(|| error.line().map(|line| Self { line, column: 1 }))
    }

    /// Where a part of the parsed source begins.
    pub(super) fn start(span: Span) -> Self {
        Self { line: span.start_line.into(), column: usize::from(span.start_col) + 1 }
    }
}

impl fmt::Display for TemplateLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a template was refused, or why it gave no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateErrorKind {
    /// The source cannot be read as a template, or uses something that is not available, such as an argument.
    Syntax,
    /// A name, or a part of one, does not exist in what the template was given.
    UnknownName,
    /// A filter, test or function of that name does not exist.
    UnknownFilter,
    /// The template would do more work, or go deeper, than is allowed.
    TooMuchWork,
    /// The source, the output or a value on the way is larger than is allowed.
    TooLarge,
    /// An operation or a filter was given a type of value that it cannot work with.
    Misused,
    /// An operation or a filter was given a value of the right type that it cannot work with.
    Failed,
}

/// A template that was refused or failed: what is wrong, where, and what to do. It holds names and source text of the
/// template, never a value of its context, as that may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    kind: TemplateErrorKind,
    location: Option<TemplateLocation>,
    message: String,
    missing: Option<Missing>,
}

/// A name that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// A name that the template should have been given, by its parts.
    Given(Vec<String>),
    /// One that the template sets itself.
    Own {
        /// Whether it is a part of it that was asked for.
        has_parts: bool,
    },
}

impl TemplateError {
    pub(super) fn new(kind: TemplateErrorKind, location: Option<TemplateLocation>, message: impl Into<String>) -> Self {
        Self { kind, location, message: message.into(), missing: None }
    }

    /// Why.
    #[must_use]
    pub fn kind(&self) -> TemplateErrorKind {
        self.kind
    }

    /// Where; absent where the fault is that of the template as a whole (its length, or that of its output).
    #[must_use]
    pub fn location(&self) -> Option<TemplateLocation> {
        self.location
    }

    /// The name that does not exist, if it is one.
    #[must_use]
    pub fn missing(&self) -> Option<&Missing> {
        self.missing.as_ref()
    }

    /// What is wrong and what to do, without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// A source that the parser refuses, behind the place `near` if it does not say where. Its words are about the source alone, as nothing else exists yet.
    pub(super) fn unreadable(error: &minijinja::Error, source: &str, near: Option<TemplateLocation>) -> Self {
        let location = TemplateLocation::reported(error, source).or(near);
        let detail = error.detail().unwrap_or("a text has an escape sequence that does not exist");
        Self::new(TemplateErrorKind::Syntax, location, format!("syntax error: {detail}"))
    }

    /// The output grew beyond [`MAX_OUTPUT`].
    pub(super) fn output_too_large() -> Self {
        let message =
            format!("the output is larger than {MAX_OUTPUT} bytes: write less, or split it over several items");
        Self::new(TemplateErrorKind::TooLarge, None, message)
    }

    /// A failure while rendering. Of the engine's own error only its kind and place are used: its words may quote values.
    pub(super) fn rendering(
        error: &minijinja::Error,
        source: &str,
        names: &[NamePath],
        context: &TemplateContext,
    ) -> Self {
        let location = TemplateLocation::reported(error, source);
        if let Some(failure) = OperationFailure::of(error) {
            return Self::new(failure.kind, location, failure.message.clone());
        }
        if error.kind() == ErrorKind::UndefinedError {
            let found = super::names::explain(names, source, error.range().unwrap_or_default(), context);
            let location = Some(TemplateLocation::of(source, found.offset));
            let missing = found.missing;
            return Self { missing, ..Self::new(TemplateErrorKind::UnknownName, location, found.message) };
        }
        let (kind, message) = general(error);
        Self::new(kind, location, message)
    }
}

/// What an error of the engine itself means.
fn general(error: &minijinja::Error) -> (TemplateErrorKind, &'static str) {
    match error.kind() {
        ErrorKind::OutOfFuel => (
            TemplateErrorKind::TooMuchWork,
            "the template does more work than is allowed: loop over less, or split it over several items",
        ),
        ErrorKind::InvalidOperation if error.detail() == Some("recursion limit exceeded") => (
            TemplateErrorKind::TooMuchWork,
            "loops and macros go deeper than is allowed: a macro may call itself only a few times",
        ),
        ErrorKind::TooManyArguments | ErrorKind::MissingArgument => (
            TemplateErrorKind::Syntax,
            "an argument is missing, is one too many or has an unknown name: see what the filter or macro takes",
        ),
        ErrorKind::CannotUnpack => {
            (TemplateErrorKind::Failed, "the value does not hold as many parts as there are names for them")
        }
        _ => (
            TemplateErrorKind::Misused,
            "the value here is of a type that cannot be used like this: loop over lists and maps, call only macros, \
             negate only numbers, and give filters the types of arguments that they take",
        ),
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = self.location {
            write!(f, "{location}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for TemplateError {}

/// What one of the project's own filters or operators found wrong; carried through the engine as the source of its error.
#[derive(Debug)]
pub(super) struct OperationFailure {
    kind: TemplateErrorKind,
    message: String,
}

impl OperationFailure {
    fn of(error: &minijinja::Error) -> Option<&Self> {
        std::error::Error::source(error)?.downcast_ref()
    }
}

impl fmt::Display for OperationFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for OperationFailure {}

/// A filter or operator that was given a type of value that it is not for. The message must not hold a value.
pub(super) fn misused(message: impl Into<String>) -> minijinja::Error {
    failure(TemplateErrorKind::Misused, message.into())
}

/// A failed filter or operator. The message must not hold a value.
pub(super) fn failed(message: impl Into<String>) -> minijinja::Error {
    failure(TemplateErrorKind::Failed, message.into())
}

/// A value that grew too large. The message must not hold a value.
pub(super) fn too_large(message: impl Into<String>) -> minijinja::Error {
    failure(TemplateErrorKind::TooLarge, message.into())
}

fn failure(kind: TemplateErrorKind, message: String) -> minijinja::Error {
    minijinja::Error::from(ErrorKind::InvalidOperation).with_source(OperationFailure { kind, message })
}
