//! Objects as text that Kubernetes' tools read.

use super::{outcome::CommandFailure, text::on_one_line};
use crate::core::excerpt::steers;
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
pub fn write(objects: &[Value], format: OutputFormat) -> Result<String, CommandFailure> {
    write_seen(objects, &[], format)
}

/// The same, with what could not be seen of them: a comment in YAML, a field of the List in JSON.
///
/// # Errors
/// When one has no JSON, which plain data always has.
pub fn write_seen(objects: &[Value], not_seen: &[String], format: OutputFormat) -> Result<String, CommandFailure> {
    Ok(match format {
        OutputFormat::Yaml => {
            let not_seen = not_seen.iter().map(|sentence| format!("# not seen: {}\n", on_one_line(sentence)));
            format!("{}{}", not_seen.collect::<String>(), yaml(objects))
        }
        OutputFormat::Json => {
            let mut list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
            if let Some(fields) = list.as_object_mut().filter(|_| !not_seen.is_empty()) {
                fields.insert("notSeen".to_owned(), not_seen.into());
            }
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
