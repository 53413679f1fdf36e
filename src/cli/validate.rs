//! `validate`: whether the operator would take manifests.

use super::{
    offline::{InputArguments, survey},
    outcome::{Failure, Outcome},
};
use clap::Args;

/// Checks manifests as the API server and the operator would, without a cluster
///
/// Says on standard error what would be refused or is invalid: path:line: kind name: reason: message. Warns of grants whose
/// start hangs on when they are made.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entitlement-operator validate -f .
  helm template clients/ | entitlement-operator validate -f -

Exit codes: 0 all accepted (or Draft) and valid, 1 something was refused or invalid, 2 usage or unreadable input.")]
pub struct ValidateArguments {
    #[command(flatten)]
    input: InputArguments,
}

/// Checks manifests.
pub fn validate(arguments: &ValidateArguments) -> Result<Outcome, Failure> {
    survey(&arguments.input).map(|(outcome, _)| outcome)
}
