//! `schema`: prints the JSON Schema of the summary, or the description of the API.

use super::{
    outcome::{CommandFailure, Outcome},
    print,
};
use crate::{checks, yaml};
use clap::Args;
use std::borrow::Cow;

/// The schema that `entitlements.json` is valid by. This file is what the documentation publishes.
pub const SUMMARY: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/entitlements.schema.json"));

/// Prints the JSON Schema (2020-12) of entitlements.json, the summary of what an organization holds, for programs that read it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entitlement-operator schema > entitlements.schema.json")]
pub struct SchemaArguments {
    /// Prints openapi.yaml instead, which describes the API for checks, for programs that ask it
    #[arg(long)]
    api: bool,
}

/// Prints the schema.
pub fn schema(arguments: &SchemaArguments) -> Result<Outcome, CommandFailure> {
    let schema = if arguments.api { Cow::Owned(yaml::to_string(&checks::description())) } else { SUMMARY.into() };
    print(&*schema).map_err(|error| CommandFailure::System { action: "standard output", error })?;
    Ok(Outcome::Valid)
}
