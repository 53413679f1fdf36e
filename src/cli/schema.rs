//! `schema`: prints the JSON Schema of the summary.

use super::{
    outcome::{CommandFailure, Outcome},
    print,
};
use clap::Args;

/// The schema that `entitlements.json` is valid by. This file is what the documentation publishes.
pub const SUMMARY: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/entitlements.schema.json"));

/// Prints the JSON Schema (2020-12) of entitlements.json, the summary of what an organization holds, for programs that read it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entitlement-operator schema > entitlements.schema.json")]
pub struct SchemaArguments {}

/// Prints the schema.
pub fn schema(_: &SchemaArguments) -> Result<Outcome, CommandFailure> {
    print(SUMMARY).map_err(|error| CommandFailure::System { action: "standard output", error })?;
    Ok(Outcome::Valid)
}
