//! `render`: what the operator makes of manifests, or of a cluster's objects.

use super::{
    documents::{OutputFormat, write_seen},
    objects::{Secrets, objects},
    offline::{InputArguments, survey},
    outcome::{CommandFailure, Outcome},
    print,
};
use clap::Args;

/// Prints what the operator makes of manifests or of a cluster's objects: every status, and every object that it would write
///
/// It prints every entitlement object with its status first, then every object that the operator would write. It ignores
/// objects of other kinds, except Secrets, from which grants take values. It reports on standard error what is refused or
/// invalid: path:line: kind name: reason: message.
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

/// Prints what the operator would make of manifests.
pub fn render(arguments: &RenderArguments) -> Result<Outcome, CommandFailure> {
    let (outcome, surveyed) = survey(&arguments.input)?;
    let Some(surveyed) = surveyed else { return Ok(outcome) };
    let secrets = if arguments.show_secrets { Secrets::Shown } else { Secrets::Masked };
    let objects = objects(&surveyed.manifests, &surveyed.survey, secrets)?;
    let text = write_seen(&objects, &surveyed.not_seen, arguments.output)?;
    print(&text).map_err(|error| CommandFailure::System { action: "standard output", error })?;
    Ok(outcome)
}
