//! `change`: another plan for a subscription.

use super::{arguments::when, named::find, preview::Preview};
use crate::{
    cli::{
        completion::names::{plans, subscriptions},
        connection::ConnectionArguments,
        documents::document,
        offline::{Examination, SourceArguments, gather, namespace, this_second},
        outcome::{CommandFailure, Outcome},
        print, say,
    },
    offline::{EntitlementKind, PlanRequest, Proposal, Status, Subject, TermDate, When},
};
use clap::Args;
use clap_complete::ArgValueCompleter;
use serde_json::Value;
use std::path::PathBuf;

/// Changes a subscription to another plan, by an amendment: prints it, and what the client gains and loses
///
/// Prints a patch on standard output, which kubectl patch and kubectl apply --server-side take, and on standard error what the client
/// gets otherwise. Nothing is written.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entitlement-operator change acme-platform --plan enterprise --at 2080-01-01
  entitlement-operator change acme-platform --plan enterprise --at +1mo > change.yaml
  kubectl patch esub acme-platform --namespace entitlements --type merge --patch-file change.yaml

Dates mean the client's day. +90d is the day in 90 days.

Exit codes: 0 it can be done, 1 it would be refused, 2 usage or unreadable input.")]
pub struct PlanChangeArguments {
    /// The subscription: its name, or NAMESPACE/NAME
    #[arg(value_name = "SUBSCRIPTION", add = ArgValueCompleter::new(subscriptions))]
    subscription: String,
    /// The plan, of the same product as the present one
    #[arg(long, value_name = "PLAN", add = ArgValueCompleter::new(plans))]
    plan: String,
    /// From when on [default: now]
    #[arg(long, value_name = "TIME", value_parser = when, allow_hyphen_values = true)]
    at: Option<TermDate>,
    /// Why, for people: the reason of the amendment
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// A file, a folder, or - for standard input, instead of a cluster; may be given several times
    #[arg(short, long, value_name = "PATH", num_args = 1, conflicts_with_all = ["kubeconfig", "context", "user", "groups"])]
    filename: Vec<PathBuf>,
    /// The namespace of the subscription [default: any]
    #[arg(short, long, value_name = "NAMESPACE", value_parser = namespace)]
    namespace: Option<String>,
    /// The operator's own namespace, as its run has it [default: entitlement-operator; in a cluster, where the operator that
    /// works on it runs]
    #[arg(long, value_name = "NAMESPACE", value_parser = namespace)]
    operator_namespace: Option<String>,
    #[command(flatten)]
    connection: ConnectionArguments,
}

/// Changes a subscription to another plan.
pub fn change(arguments: &PlanChangeArguments) -> Result<Outcome, CommandFailure> {
    let now = this_second();
    let moment = When::At(now);
    let namespaces =
        if arguments.filename.is_empty() { Vec::new() } else { arguments.namespace.iter().cloned().collect() };
    let operator_namespace = arguments.operator_namespace.as_deref();
    let source = SourceArguments::of(&arguments.filename, namespaces, operator_namespace, &arguments.connection);
    let examination = Examination::of_reading(gather(&source, moment)?);
    examination.say();
    if examination.outcome() == Outcome::Unreadable {
        return Ok(Outcome::Unreadable);
    }
    let manifests = examination.manifests;
    let kind = EntitlementKind::EntitlementSubscription;
    let id = find(&manifests, &[kind], &arguments.subscription, arguments.namespace.as_deref())?;
    let subject = Subject::source(&id);
    let survey = manifests.inventory.survey(moment);
    let (Some(read), Some(Status::Subscription(status))) =
        (manifests.documents.get(&subject), survey.statuses.get(&subject))
    else {
        return Err(CommandFailure::Usage(format!("the subscription {id} cannot be read: mend it first")));
    };
    let request = PlanRequest { plan: arguments.plan.clone(), at: arguments.at, reason: arguments.reason.clone() };
    let proposal = manifests.inventory.propose_plan(&id, &read.value, status, &request, now)?;
    let Proposal::Change { manifest, patch, .. } = proposal else { return Ok(Outcome::Valid) };
    let organization = manifest.pointer("/spec/organization").and_then(Value::as_str).unwrap_or_default();
    let preview = Preview::of(&manifests, &id, organization, &document(&manifest), moment)?;
    if !preview.errors.is_empty() {
        say(&format!("the change of {id} would be refused, so it is not printed:"));
        for error in &preview.errors {
            say(&format!("  {error}"));
        }
        return Ok(Outcome::Refused);
    }
    print(document(&patch)).map_err(|error| CommandFailure::System { action: "standard output", error })?;
    for warning in &preview.warnings {
        say(&format!("warning: {warning}"));
    }
    if preview.table.is_empty() {
        say(&format!("{organization} gets nothing else than now by this."));
    } else {
        say(&format!("What {organization} gets otherwise (times of {}):", preview.zone.name()));
        say(preview.table.trim_end());
    }
    say(&format!(
        "Nothing is written yet: kubectl patch esub {} --namespace {} --type merge --patch-file FILE, with this in the file.",
        id.name, id.namespace
    ));
    Ok(Outcome::Valid)
}
