//! `renew`: what follows a grant or a subscription.

use super::{
    ATTEMPTS,
    arguments::{DeskArguments, end, object_name},
    desk::{Desk, Proposed, There, Write},
    named::{SOURCES, find},
    writer::Refused,
};
use crate::{
    cli::{
        completion::names::{plans, sources},
        documents::document,
        outcome::{CommandFailure, Outcome},
        say,
    },
    offline::{RenewalRequest, Subject, TermDate},
};
use clap::Args;
use clap_complete::ArgValueCompleter;

/// Renews a grant or a subscription: prints a new one that follows it without a gap, with all that it states now
///
/// Amendments and what was added are in it; entries that are over by then are left out. It lasts as long as the one that it follows. Only
/// the manifest goes to standard output; what the client gets by it, and from when to when, to standard error. Without --apply
/// nothing is written.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entitlement-operator renew initech-support -f ending/
  entitlement-operator renew acme-platform --plan enterprise --reason 'order 4711' --apply
  entitlement-operator renew subscription/acme-platform | kubectl apply -f -

Dates mean the client's day, and --to includes its day. +90d is the day in 90 days; never is an end, too.

Exit codes: 0 it can be renewed (with --apply: the operator has accepted it), 1 it cannot, or would be refused, or was, 2 \
usage or unreadable input.")]
pub struct RenewArguments {
    /// The grant or subscription: its name, or NAMESPACE/NAME; where there are both, instance/NAME or subscription/NAME
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(sources))]
    source: String,
    /// Another plan of the same product, for a subscription [default: the one that it had last]
    #[arg(long, value_name = "PLAN", add = ArgValueCompleter::new(plans))]
    plan: Option<String>,
    /// When the renewal ends [default: after as long as what it follows; with --plan, by that plan's term]
    #[arg(long, value_name = "DATE", value_parser = end, allow_hyphen_values = true)]
    to: Option<TermDate>,
    /// Why, for people: the annotation entitlements.dev/reason
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// What the renewal is called [default: NAME with the year in which it begins, and a number where that is taken]
    #[arg(long = "name", value_name = "NAME", value_parser = object_name)]
    called: Option<String>,
    #[command(flatten)]
    desk: DeskArguments,
}

/// Renews a grant or a subscription.
pub fn renew(arguments: &RenewArguments) -> Result<Outcome, CommandFailure> {
    let request = RenewalRequest {
        plan: arguments.plan.clone(),
        to: arguments.to,
        name: arguments.called.clone(),
        reason: arguments.reason.clone(),
    };
    let desk = Desk { arguments: &arguments.desk };
    let mut attempts = 0;
    loop {
        attempts += 1;
        match desk.go(|there| arguments.propose(there, &request)) {
            Err(Refused::Exists(_)) if request.name.is_none() && attempts < ATTEMPTS => {
                say("somebody else has just made one of that name: looking again");
            }
            Err(refused) => return Err(refused.into()),
            Ok(outcome) => return outcome,
        }
    }
}

impl RenewArguments {
    fn propose(&self, there: &There, request: &RenewalRequest) -> Result<Proposed, CommandFailure> {
        let id = find(&there.manifests, &SOURCES, &self.source, self.desk.namespace.as_deref())?;
        let Some(read) = there.manifests.documents.get(&Subject::source(&id)) else {
            return Err(CommandFailure::Usage(format!("the {} {id} cannot be read: mend it first", id.kind.noun())));
        };
        let text = |field: &str| read.value["spec"][field].as_str().map(str::to_owned);
        let organization = text("organization").unwrap_or_default();
        let now = there.now(&organization);
        let renewal = there.manifests.inventory.propose_renewal(&id, &read.value, request, now)?;
        Ok(Proposed::Write(Write {
            organization,
            definition: text("definition"),
            text: document(&renewal.manifest),
            change: None,
            manifest: renewal.manifest,
            id: renewal.id,
            remarks: renewal.remarks,
        }))
    }
}
