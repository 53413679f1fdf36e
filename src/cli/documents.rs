//! Objects as text that Kubernetes' tools read.

use super::{outcome::Failure, terminal::steers};
use clap::ValueEnum;
use serde_json::{Value, json};

/// How objects are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    Yaml,
    Json,
}

/// Writes objects.
///
/// # Errors
/// When one has no JSON, which plain data always has.
pub fn write(objects: &[Value], format: OutputFormat) -> Result<String, Failure> {
    Ok(match format {
        OutputFormat::Yaml => yaml(objects),
        OutputFormat::Json => {
            let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
            format!("{}\n", serde_json::to_string_pretty(&list)?)
        }
    })
}

fn yaml(objects: &[Value]) -> String {
    let documents: Vec<String> = objects.iter().map(document).collect();
    documents.join("---\n")
}

/// A document for people as well as for programs. JSON is YAML, and has escapes for what would steer a terminal.
pub fn document(object: &Value) -> String {
    let written = crate::yaml::to_string(object);
    if !written.contains(steers) {
        return written;
    }
    let mut escaped = String::with_capacity(written.len());
    for character in format!("{object:#}\n").chars() {
        if steers(character) {
            let mut units = [0; 2];
            escaped.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            escaped.push(character);
        }
    }
    escaped
}
