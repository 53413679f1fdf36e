//! Findings in the Static Analysis Results Interchange Format, version 2.1.0
//! (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>), which forges show beside the lines of a change.

use super::finding::{Finding, Severity, SourceLocation};
use crate::cli::manifests::{STANDARD_INPUT, TextSpan};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt::Write};

/// The format's schema, as its readers know it.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// One run of `validate`, with all findings.
#[must_use]
pub fn sarif(findings: &[Finding], exit_code: u8) -> Value {
    let mut rules: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in findings {
        rules.insert(&finding.reason, 0);
    }
    for (index, place) in rules.values_mut().enumerate() {
        *place = index;
    }
    let results: Vec<Value> = findings.iter().map(|finding| result(finding, &rules)).collect();
    let is_complete = findings.iter().all(|finding| finding.severity != Severity::Unreadable);
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "entitlement-operator",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.keys().map(|reason| json!({
                    "id": reason,
                    "name": reason,
                    "shortDescription": { "text": words(reason) },
                })).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{ "executionSuccessful": is_complete, "exitCode": exit_code }],
            "results": results,
        }],
    })
}

fn result(finding: &Finding, rules: &BTreeMap<&str, usize>) -> Value {
    let level = if finding.severity == Severity::Warning { "warning" } else { "error" };
    let mut result = json!({
        "ruleId": finding.reason,
        "ruleIndex": rules.get(finding.reason.as_str()),
        "level": level,
        "message": { "text": message(finding) },
        "locations": [location(finding)],
    });
    if let (Some(fix), Some(fields)) = (fix(finding), result.as_object_mut()) {
        fields.insert("fixes".to_owned(), json!([fix]));
    }
    result
}

fn message(finding: &Finding) -> String {
    match &finding.label {
        Some(label) => format!("{label}: {}", finding.message),
        None => finding.message.clone(),
    }
}

fn location(finding: &Finding) -> Value {
    let mut place = json!({ "physicalLocation": { "artifactLocation": artifact(&finding.location) } });
    if let (Some(span), Some(physical)) = (finding.location.span, place.pointer_mut("/physicalLocation")) {
        physical["region"] = region(span);
    }
    if let Some(label) = &finding.label {
        let name = label.to_string();
        let qualified = match finding.field.as_str() {
            "" => name.clone(),
            field => format!("{name}: {field}"),
        };
        place["logicalLocations"] = json!([{ "name": name, "fullyQualifiedName": qualified, "kind": "object" }]);
    }
    place
}

fn artifact(location: &SourceLocation) -> Value {
    json!({ "uri": uri(&location.path) })
}

/// A path as a reference of the kind that the format asks for: relative paths stay relative, so that a forge finds the file.
fn uri(path: &str) -> String {
    if path == STANDARD_INPUT {
        return "stdin".to_owned();
    }
    let relative = path.strip_prefix("./").unwrap_or(path);
    let mut uri = if relative.starts_with('/') { "file://".to_owned() } else { String::new() };
    for byte in relative.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

fn region(span: TextSpan) -> Value {
    let TextSpan { begin, end, .. } = span;
    if begin.line == end.line {
        let end = end.column.max(begin.column + 1);
        return json!({ "startLine": begin.line, "startColumn": begin.column, "endColumn": end });
    }
    json!({ "startLine": begin.line, "startColumn": begin.column, "endLine": end.line, "endColumn": end.column })
}

/// What was probably meant, as a change of the file.
fn fix(finding: &Finding) -> Option<Value> {
    let (suggestion, rewrite) = (finding.suggestion.as_ref()?, finding.rewrite.as_ref()?);
    Some(json!({
        "description": { "text": format!("Write {suggestion}") },
        "artifactChanges": [{
            "artifactLocation": artifact(&finding.location),
            "replacements": [{ "deletedRegion": region(rewrite.span), "insertedContent": { "text": rewrite.text } }],
        }],
    }))
}

/// A reason as words: `InvalidTimeZone` is an invalid time zone.
fn words(reason: &str) -> String {
    let mut words = String::new();
    for (index, letter) in reason.chars().enumerate() {
        if index > 0 && letter.is_uppercase() {
            words.push(' ');
            words.extend(letter.to_lowercase());
        } else {
            words.push(letter);
        }
    }
    words
}
