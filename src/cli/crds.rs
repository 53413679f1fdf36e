//! `crds`: prints the CustomResourceDefinitions, and what protects approvals of overrides.

use super::{
    outcome::{CommandFailure, Outcome},
    print,
};
use crate::{api::crd, core::approval::ApprovalGuard, yaml};
use clap::Args;
use std::{fs, path::PathBuf};

/// Prints the CustomResourceDefinitions of the kinds as YAML, with the policies that protect approvals
///
/// The ValidatingAdmissionPolicies and their bindings see to it that nobody asks for an exception, or approves one, in another's name.
/// Without them, no exception is accepted.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entitlement-operator crds | kubectl apply -f -
  entitlement-operator crds --output crds/")]
pub struct CrdsArguments {
    /// Writes a file for each into this folder, instead of printing them
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

/// Prints or writes them.
pub fn crds(arguments: &CrdsArguments) -> Result<Outcome, CommandFailure> {
    let mut manifests = crd::manifests()?;
    manifests.extend(ApprovalGuard::all().map(|guard| (guard.file(), yaml::to_string(&guard.object()))));
    let Some(folder) = &arguments.output else {
        let documents: Vec<String> = manifests.into_iter().map(|(_, text)| text).collect();
        print(documents.join("---\n")).map_err(|error| CommandFailure::System { action: "standard output", error })?;
        return Ok(Outcome::Valid);
    };
    fs::create_dir_all(folder).map_err(|error| CommandFailure::Write { path: folder.clone(), error })?;
    for (name, text) in manifests {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| CommandFailure::Write { path, error })?;
    }
    Ok(Outcome::Valid)
}
