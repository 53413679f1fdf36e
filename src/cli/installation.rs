//! `manifests`: prints everything that a cluster needs.

use super::{
    documents::{OutputFormat, write},
    outcome::{CommandFailure, Outcome},
    print,
    served::ServedArguments,
};
use crate::installation::{Installation, OPERATOR_NAMESPACE};
use clap::Args;

/// Where images of this version lie.
const IMAGE: &str = concat!("ghcr.io/entitlements-dev/entitlement-operator:", env!("CARGO_PKG_VERSION"));

/// Prints everything that a cluster needs for the operator
///
/// The namespaces, the CustomResourceDefinitions, the policies that protect approvals, a service account with only the rights that
/// the operator needs, its Deployment, and roles for people: entitlements-view, which is part of Kubernetes' role view (and so of
/// edit and admin), and entitlements-catalogue-author, entitlements-grant-author, entitlements-service-desk, entitlements-requester,
/// entitlements-approver, entitlements-reporter, entitlements-checker, entitlements-counter and entitlements-restorer, which nobody has
/// until you bind them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entitlement-operator manifests | kubectl apply -f -
  entitlement-operator manifests --webhook --api | kubectl apply -f -
  entitlement-operator manifests --secret-namespaces entitlements,acme | kubectl apply -f -
  entitlement-operator manifests --namespace billing --image registry.example/entitlement-operator:1 | kubectl apply -f -")]
pub struct ManifestsArguments {
    /// The operator's own namespace
    #[arg(long, value_name = "NAMESPACE", default_value = OPERATOR_NAMESPACE, value_parser = super::offline::namespace)]
    namespace: String,
    /// The operator's image
    #[arg(long, value_name = "IMAGE", default_value = IMAGE, value_parser = image)]
    image: String,
    /// With the admission webhook, which refuses at once what the operator would reject later
    #[arg(long)]
    webhook: bool,
    /// With the API by which services ask whether something may be used
    #[arg(long)]
    api: bool,
    #[command(flatten)]
    restriction: ServedArguments,
    /// The format: YAML documents, or one List in JSON
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "yaml")]
    output: OutputFormat,
}

/// A registry decides what is an image; what a pod cannot have is said here.
fn image(text: &str) -> Result<String, &'static str> {
    let is_one =
        !text.is_empty() && !text.contains(|character: char| character.is_whitespace() || character.is_control());
    is_one.then(|| text.to_owned()).ok_or("give the name of an image, such as registry.example/entitlement-operator:1")
}

/// Prints everything that a cluster needs.
pub fn manifests(arguments: &ManifestsArguments) -> Result<Outcome, CommandFailure> {
    let served = arguments.restriction.served(&arguments.namespace)?;
    let read_only = arguments.restriction.is_read_only(arguments.webhook)?;
    if read_only && arguments.api {
        return Err(CommandFailure::Usage(
            "--read-only: nothing is written, and so no certificate is made for the API: leave out --read-only or --api"
                .to_owned(),
        ));
    }
    let installation = Installation::new(&arguments.namespace, &arguments.image, arguments.webhook)
        .map_err(|invalid| CommandFailure::Usage(invalid.to_string()))?
        .answering_checks(arguments.api)
        .restricted(served, read_only);
    let text = write(&installation.objects()?, arguments.output)?;
    print(text).map_err(|error| CommandFailure::System { action: "standard output", error })?;
    Ok(Outcome::Valid)
}
