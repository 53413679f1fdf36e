//! `validate`: whether the operator would take manifests.

use super::{
    diagnostics::{json, sarif},
    offline::{Examination, InputArguments, examine, examine_since},
    outcome::{CommandFailure, Outcome},
    print,
};
use clap::{Args, ValueEnum};
use std::{mem::ManuallyDrop, path::PathBuf};

/// Checks manifests, or a cluster's objects, as the API server and the operator would
///
/// Reports on standard error what would be refused or is invalid: path:line:column: kind name: reason: message. Warns of grants
/// whose start depends on when they are made, and of what is legal, but hardly meant.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entitlement-operator validate -f catalogue.yaml clients/
  kubectl kustomize overlays/production | entitlement-operator validate -f -
  entitlement-operator validate -f clients/ -o sarif > entitlements.sarif
  entitlement-operator validate -f clients/ --since main/clients/

Exit codes: 0 all accepted (or Draft) and valid, 1 something was refused or invalid, 2 usage, unreadable input, or a \
cluster that cannot be looked at.")]
pub struct ValidateArguments {
    #[command(flatten)]
    input: InputArguments,
    /// Checks the manifests as a change of OLD, a file or a folder: what the API server would refuse is reported as Locked, and
    /// grants that are accepted in OLD are not decided anew
    #[arg(long, value_name = "OLD", requires = "filename")]
    since: Option<PathBuf>,
    /// The format: text for people, on standard error; or json, or sarif for a forge, on standard output
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "text")]
    output: ValidateFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ValidateFormat {
    Text,
    Json,
    Sarif,
}

/// Checks manifests.
pub fn validate(arguments: &ValidateArguments) -> Result<Outcome, CommandFailure> {
    // The process ends behind this: taking everything apart would take a tenth of its time.
    let examination = ManuallyDrop::new(match &arguments.since {
        Some(old) => examine_since(&arguments.input, old)?,
        None => examine(&arguments.input)?,
    });
    let outcome = examination.outcome();
    let Examination { manifests, findings, left_out, .. } = &*examination;
    let value = match arguments.output {
        ValidateFormat::Text => {
            examination.say();
            arguments.input.say_days(&examination);
            return Ok(outcome);
        }
        ValidateFormat::Json => json(findings, *left_out, manifests),
        ValidateFormat::Sarif => sarif(findings, outcome.code()),
    };
    let text = format!("{}\n", serde_json::to_string_pretty(&value)?);
    print(&text).map_err(|error| CommandFailure::System { action: "standard output", error })?;
    Ok(outcome)
}
