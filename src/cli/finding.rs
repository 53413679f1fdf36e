//! What is wrong with a manifest, and how that is said.

use super::manifests::{Origin, Path, Place};
use std::{fmt, sync::Arc};

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The object is refused or invalid.
    Error,
    /// It may not mean what was meant.
    Warning,
}

/// Something that is wrong with an object, or worth a warning.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The number of the file, in the order in which they were read.
    pub source: usize,
    /// The file.
    pub path: Arc<str>,
    /// Where in it.
    pub place: Place,
    /// How grave it is.
    pub severity: Severity,
    /// Kind and name of the object.
    pub subject: String,
    /// One word.
    pub reason: String,
    /// A sentence that says what to do.
    pub message: String,
}

impl Finding {
    /// A finding about a part of an object.
    #[must_use]
    pub fn new(origin: &Origin, part: &Path, severity: Severity, subject: &str, reason: &str, message: &str) -> Self {
        Self {
            source: origin.source,
            path: Arc::clone(&origin.path),
            place: part.place(&origin.object),
            severity,
            subject: subject.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
        }
    }
}

impl fmt::Display for Finding {
    /// `path:line: kind name: reason: message`, on one line.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, place, subject, reason, message, .. } = self;
        let severity = match self.severity {
            Severity::Error => "",
            Severity::Warning => "warning: ",
        };
        let message = message.replace('\n', " ");
        write!(formatter, "{path}:{}: {severity}{subject}: {reason}: {message}", place.line)
    }
}
