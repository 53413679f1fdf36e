//! `suspend`, `resume`, `cancel`, `extend`.

use super::{
    arguments::{DeskArguments, end, when},
    desk::{Desk, ManifestDifference, Proposed, There, Write},
    named::{SOURCES, find},
};
use crate::{
    cli::{
        completion::names::sources,
        documents::document,
        outcome::{CommandFailure, Outcome},
    },
    offline::{ChangeRequest, Proposal, RequestedChange, Status, Subject, TermDate},
};
use clap::Args;
use clap_complete::ArgValueCompleter;
use serde_json::Value;

/// Which grant or subscription, and why.
#[derive(Debug, Args)]
struct ChangeArguments {
    /// The grant or subscription: its name, or NAMESPACE/NAME; where there are both, instance/NAME or subscription/NAME
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(sources))]
    source: String,
    /// Why, for people: the annotation entitlements.dev/reason, or the reason of the amendment
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    desk: DeskArguments,
}

/// Suspends a grant or a subscription: its configuration is withdrawn, and its term runs on
///
/// Prints the changed manifest on standard output, and on standard error what the client gets otherwise. Without --apply nothing
/// is written.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entitlement-operator suspend acme-seats -f clients/
  entitlement-operator suspend acme-seats --reason 'unpaid since March' --apply

Exit codes: 0 it can be done (with --apply: the operator has taken it), or is so already, 1 it would be refused, or was, \
2 usage or unreadable input.")]
pub struct SuspendArguments {
    #[command(flatten)]
    change: ChangeArguments,
}

/// Ends the suspension of a grant or a subscription
///
/// Prints the changed manifest on standard output, and on standard error what the client gets otherwise. Without --apply nothing
/// is written.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entitlement-operator resume acme-seats -f clients/
  entitlement-operator resume acme-seats --apply

Exit codes: 0 it can be done (with --apply: the operator has taken it), or is so already, 1 it would be refused, or was, \
2 usage or unreadable input.")]
pub struct ResumeArguments {
    #[command(flatten)]
    change: ChangeArguments,
}

/// Cancels a grant or a subscription, for good: its configuration is withdrawn, and what is cancelled stays so
///
/// Prints the changed manifest on standard output, and on standard error what the client gets otherwise. Without --apply nothing
/// is written.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entitlement-operator cancel acme-seats -f clients/
  entitlement-operator cancel acme-seats --reason 'contract ended' --apply

Exit codes: 0 it can be done (with --apply: the operator has taken it), or is so already, 1 it would be refused, or was, \
2 usage or unreadable input.")]
pub struct CancelArguments {
    #[command(flatten)]
    change: ChangeArguments,
}

/// Lets a grant or a subscription end later, by an amendment; one that has ended already comes back
///
/// Prints the changed manifest on standard output, and on standard error what the client gets otherwise. Without --apply nothing
/// is written. A Draft gets another end.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entitlement-operator extend initech-support --to 2081-03-31 --reason 'order 4711' -f ending/
  entitlement-operator extend acme-seats --to 2027-03-31 --apply

Dates mean the client's day, and --to includes its day. +90d is the day in 90 days; never is an end, too.

Exit codes: 0 it can be done (with --apply: the operator has taken it), 1 it would be refused, or was, 2 usage or \
unreadable input.")]
pub struct ExtendArguments {
    #[command(flatten)]
    change: ChangeArguments,
    /// When it ends
    #[arg(long, value_name = "DATE", value_parser = end, allow_hyphen_values = true)]
    to: TermDate,
    /// From when on that counts [default: now; for what has ended, its last day]
    #[arg(long, value_name = "DATE", value_parser = when, allow_hyphen_values = true)]
    from: Option<TermDate>,
}

/// Suspends a grant or a subscription.
pub fn suspend(arguments: &SuspendArguments) -> Result<Outcome, CommandFailure> {
    arguments.change.make(RequestedChange::Suspend)
}

/// Ends its suspension.
pub fn resume(arguments: &ResumeArguments) -> Result<Outcome, CommandFailure> {
    arguments.change.make(RequestedChange::Resume)
}

/// Cancels a grant or a subscription.
pub fn cancel(arguments: &CancelArguments) -> Result<Outcome, CommandFailure> {
    arguments.change.make(RequestedChange::Cancel)
}

/// Lets a grant or a subscription end later.
pub fn extend(arguments: &ExtendArguments) -> Result<Outcome, CommandFailure> {
    arguments.change.make(RequestedChange::Extend { to: arguments.to, from: arguments.from })
}

impl ChangeArguments {
    fn make(&self, change: RequestedChange) -> Result<Outcome, CommandFailure> {
        let request = ChangeRequest { change, reason: self.reason.clone() };
        let desk = Desk { arguments: &self.desk };
        desk.go(|there| self.propose(there, &request)).map_err(CommandFailure::from)?
    }

    fn propose(&self, there: &There, request: &ChangeRequest) -> Result<Proposed, CommandFailure> {
        let id = find(&there.manifests, &SOURCES, &self.source, self.desk.namespace.as_deref())?;
        let subject = Subject::source(&id);
        let survey = there.manifests.inventory.survey(there.when);
        let status = survey.statuses.get(&subject).and_then(Status::lifecycle);
        let (Some(document_of), Some(status)) = (there.manifests.documents.get(&subject), status) else {
            return Err(CommandFailure::Usage(format!("the {} {id} cannot be read: mend it first", id.kind.noun())));
        };
        let object = &document_of.value;
        let organization = object.pointer("/spec/organization").and_then(Value::as_str).unwrap_or_default();
        let now = there.now(organization);
        let proposal = there.manifests.inventory.propose_change(&id, object, status, request, now)?;
        let (manifest, patch, remarks) = match proposal {
            Proposal::Nothing(sentence) => return Ok(Proposed::Nothing(sentence)),
            Proposal::Change { manifest, patch, remarks } => (manifest, patch, remarks),
        };
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Proposed::Write(Write {
            organization: text("/spec/organization"),
            definition: object.pointer("/spec/definition").and_then(Value::as_str).map(str::to_owned),
            text: document(&manifest),
            change: Some(ManifestDifference { patch, resource_version: text("/metadata/resourceVersion") }),
            manifest,
            id,
            remarks,
        }))
    }
}
