//! One mistake, and its place.

use crate::cli::manifests::{Node, Rewrite, TextSpan};
use std::{fmt, sync::Arc};

/// In place of a file where an object is in a cluster.
pub const IN_CLUSTER: &str = "cluster";

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It cannot be read, so nothing can be said of the whole.
    Unreadable,
    /// The object is refused or invalid.
    Error,
    /// It may not mean what was meant.
    Warning,
}

/// Where something was found.
#[derive(Clone, Debug)]
pub struct SourceLocation {
    /// The number of the file, in the order in which they were read.
    pub source: usize,
    /// The file.
    pub path: Arc<str>,
    /// Where in it, if that can be told.
    pub span: Option<TextSpan>,
}

/// Which object is spoken of, as far as it says so itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its kind.
    pub kind: String,
    /// Its namespace, where the kind has such.
    pub namespace: Option<Arc<str>>,
    /// Its name.
    pub name: Option<String>,
}

impl fmt::Display for Label {
    /// `EntitlementInstance entitlements/acme-seats`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, &self.namespace) {
            (Some(name), Some(namespace)) => write!(formatter, "{} {namespace}/{name}", self.kind),
            (Some(name), None) => write!(formatter, "{} {name}", self.kind),
            (None, _) => write!(formatter, "{} without a name", self.kind),
        }
    }
}

/// What may be shown of the file.
#[derive(Clone, Debug)]
pub enum Excerpt {
    /// Nothing: there may be a secret value.
    Nothing,
    /// The line.
    Line,
    /// The line, unless the object has a secret value in plain.
    LineOf(Arc<Node>),
}

/// Something that is wrong with an object, or worth a warning.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Where.
    pub location: SourceLocation,
    /// How grave it is.
    pub severity: Severity,
    /// The object; absent where there is none.
    pub label: Option<Label>,
    /// One word.
    pub reason: String,
    /// The field, as `spec.facets[0].name`; empty for the whole object.
    pub field: String,
    /// A sentence that says what to do.
    pub message: String,
    /// What was probably meant instead of what stands there.
    pub suggestion: Option<String>,
    /// How that is written there, in the form of the file.
    pub rewrite: Option<Rewrite>,
    /// What may be shown of the file.
    pub excerpt: Excerpt,
}

impl Finding {
    /// What it says, wherever it stands.
    #[must_use]
    pub fn gist(&self) -> String {
        let label = self.label.as_ref().map(Label::to_string).unwrap_or_default();
        format!("{label}: {}: {}", self.reason, self.message)
    }
}

impl SourceLocation {
    /// Whether it is that of an object in a cluster, which stands in no file.
    #[must_use]
    pub fn is_in_cluster(&self) -> bool {
        self.span.is_none() && *self.path == *IN_CLUSTER
    }
}

impl fmt::Display for Finding {
    /// `path:line:column: kind name: reason: message`, on one line.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.location)?;
        if self.severity == Severity::Warning {
            formatter.write_str("warning: ")?;
        }
        if let Some(label) = &self.label {
            write!(formatter, "{label}: {}: ", self.reason)?;
        }
        formatter.write_str(&self.message.replace('\n', " "))
    }
}

impl fmt::Display for SourceLocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.span {
            Some(TextSpan { begin, .. }) => write!(formatter, "{}:{}:{}: ", self.path, begin.line, begin.column),
            None => write!(formatter, "{}: ", self.path),
        }
    }
}
