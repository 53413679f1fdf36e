//! `render`: what the operator makes of manifests, or of a cluster's objects.

use super::{
    objects::{Secrets, objects},
    offline::{InputArguments, survey},
    outcome::{Failure, Outcome},
    print,
    terminal::steers,
};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

/// Prints what the operator makes of manifests or of a cluster's objects: every status, and every object that it would write
///
/// First every entitlement object with its status, then every object that would be written. Objects of other kinds are
/// ignored, but for Secrets, which grants take values from. What is refused or invalid is said on standard error:
/// path:line: kind name: reason: message.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entitlement-operator render -f clients/
  entitlement-operator render -f catalogue.yaml clients/ --at 2027-01-01
  kubectl kustomize overlays/production | entitlement-operator render -f - -o json

Exit codes: 0 all accepted (or Draft) and valid, 1 something was refused or invalid, 2 usage, unreadable input, or a \
cluster that cannot be looked at.")]
pub struct RenderArguments {
    #[command(flatten)]
    input: InputArguments,
    /// The format: YAML documents, or one List in JSON
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "yaml")]
    output: OutputFormat,
    /// Shows the values of Secrets, in base64, instead of ***
    #[arg(long)]
    show_secrets: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OutputFormat {
    Yaml,
    Json,
}

/// Prints what the operator would make of manifests.
pub fn render(arguments: &RenderArguments) -> Result<Outcome, Failure> {
    let (outcome, surveyed) = survey(&arguments.input)?;
    let Some(surveyed) = surveyed else { return Ok(outcome) };
    let secrets = if arguments.show_secrets { Secrets::Shown } else { Secrets::Masked };
    let objects = objects(&surveyed.manifests, &surveyed.survey, secrets)?;
    let text = match arguments.output {
        OutputFormat::Yaml => yaml(&objects),
        OutputFormat::Json => {
            let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
            format!("{}\n", serde_json::to_string_pretty(&list)?)
        }
    };
    print(&text).map_err(|error| Failure::System { action: "standard output", error })?;
    Ok(outcome)
}

fn yaml(objects: &[Value]) -> String {
    let documents: Vec<String> = objects.iter().map(document).collect();
    documents.join("---\n")
}

/// A document for people as well as for programs. JSON is YAML, and has escapes for what would steer a terminal.
fn document(object: &Value) -> String {
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
