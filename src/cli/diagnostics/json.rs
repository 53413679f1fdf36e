//! Findings as one JSON object.

use super::finding::{Finding, Severity};
use crate::cli::manifests::Manifests;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// All findings, and what was read and ignored, by kind.
#[must_use]
pub fn json(findings: &[Finding], left_out: usize, manifests: &Manifests) -> Value {
    let mut objects: BTreeMap<&str, u64> = BTreeMap::new();
    for subject in manifests.documents.keys() {
        *objects.entry(subject.kind.as_str()).or_default() += 1;
    }
    let is_error = |finding: &&Finding| finding.severity != Severity::Warning;
    let errors = findings.iter().filter(is_error).count();
    json!({
        "valid": errors == 0,
        "errors": errors,
        "warnings": findings.len() - errors,
        "notShown": left_out,
        "objects": objects,
        "ignored": manifests.ignored,
        "findings": findings.iter().map(one).collect::<Vec<_>>(),
    })
}

/// One finding.
#[must_use]
pub fn one(finding: &Finding) -> Value {
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    let severity = if finding.severity == Severity::Warning { "warning" } else { "error" };
    set("severity", severity.into());
    set("reason", finding.reason.as_str().into());
    set("message", finding.message.as_str().into());
    set("path", finding.location.path.as_ref().into());
    if let Some(span) = finding.location.span {
        set("line", span.begin.line.into());
        set("column", span.begin.column.into());
    }
    if let Some(label) = &finding.label {
        set("kind", label.kind.as_str().into());
        if let Some(name) = &label.name {
            label.namespace.iter().for_each(|namespace| set("namespace", namespace.as_ref().into()));
            set("name", name.as_str().into());
        }
    }
    if !finding.field.is_empty() {
        set("field", finding.field.as_str().into());
    }
    if let Some(suggestion) = &finding.suggestion {
        set("suggestion", suggestion.as_str().into());
    }
    Value::Object(fields)
}
