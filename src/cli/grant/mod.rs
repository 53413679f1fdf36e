//! `grant`, `suspend`, `resume`, `cancel`, `extend`, `renew`, `change`: more or less for a client, in one line.
//!
//! | file | what it knows |
//! |---|---|
//! | `arguments` | arguments, and how they are read |
//! | `named` | which grant or subscription is meant |
//! | `plan_change` | another plan for a subscription |
//! | `renewal` | what follows a grant or a subscription |
//! | `equal` | an equal grant that was made just now |
//! | `preview` | what a manifest would bring |
//! | `desk` | what is said, and in which order: what is there, the manifest, what it brings, the result |
//! | `writer` | the only requests by which the command writes |

mod arguments;
mod change;
mod desk;
mod equal;
mod named;
mod plan_change;
mod preview;
mod renewal;
mod writer;

pub use change::{
    CancelArguments, ExtendArguments, ResumeArguments, SuspendArguments, cancel, extend, resume, suspend,
};
pub use named::is_called;
pub use plan_change::{PlanChangeArguments, change as change_plan};
pub use preview::standing;
pub use renewal::{RenewArguments, renew};
pub use writer::FIELD_MANAGER;

use super::{
    completion::names::{definitions, grants, organizations},
    documents::document,
    outcome::{CommandFailure, Outcome},
    say,
    suggestions::{organization, unknown},
};
use crate::{
    api::AmountField,
    core::source::SourceId,
    offline::{GrantRequest, Inventory, TermDate},
};
use arguments::{DeskArguments, amount, end, object_name, secret, setting, when};
use clap::Args;
use clap_complete::ArgValueCompleter;
use desk::{Desk, Proposed, Write};
use serde_json::Value;
use std::collections::BTreeSet;
use writer::Refused;

/// How often another name is tried if somebody else was faster.
const ATTEMPTS: usize = 10;

/// Grants an organization something: prints the manifest, and what the client gets that it has not now
///
/// Only the manifest goes to standard output, for kubectl apply or a repository; all else to standard error. Without --apply
/// nothing is written. What the operator would refuse is said, and neither printed nor made.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entitlement-operator grant acme storage --amount 50 --to 2080-03-31 --apply
  entitlement-operator grant acme storage --amount 50 --from 2080-01-01 --to 2080-03-31 -f clients/ -f catalogue.yaml
  entitlement-operator grant acme archive --set backup.retention=90 --from 2080-01-01 -f clients/ -f catalogue.yaml > archive.yaml
  entitlement-operator grant acme seats --renews acme-seats | kubectl apply -f -

Dates mean the client's day, and --to includes its day. +90d is the day in 90 days; never is an end, too.

Exit codes: 0 it can be granted (with --apply: the operator has accepted it), 1 it would be refused, or was, 2 usage or \
unreadable input.")]
pub struct GrantArguments {
    /// The organization: with --apply its name, else also its display name, or the beginning of either
    #[arg(add = ArgValueCompleter::new(organizations))]
    organization: String,
    /// The definition: what is granted
    #[arg(add = ArgValueCompleter::new(definitions))]
    definition: String,
    /// When it starts [default: today; with --renews, when that one ends]
    #[arg(long, value_name = "DATE", value_parser = when, allow_hyphen_values = true)]
    from: Option<TermDate>,
    /// When it ends [default: by the definition's term]
    #[arg(long, value_name = "DATE", value_parser = end, allow_hyphen_values = true)]
    to: Option<TermDate>,
    /// How much [default: by the definition]
    #[arg(long, value_name = "NUMBER", value_parser = amount, allow_hyphen_values = true)]
    amount: Option<AmountField>,
    /// The value of a facet's field, such as backup.retention=90, of the type that its schema wants; lists and objects as JSON;
    /// may be given several times
    #[arg(long, value_name = "FACET.FIELD=VALUE")]
    set: Vec<String>,
    /// Where the value of a secret field comes from: a key of a Secret beside the grant; may be given several times
    #[arg(long, value_name = "FACET.FIELD=SECRET/KEY")]
    secret: Vec<String>,
    /// The grant that this one follows without a gap
    #[arg(long, value_name = "NAME", add = ArgValueCompleter::new(grants))]
    renews: Option<String>,
    /// Why, for people: the annotation entitlements.dev/reason
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// As a Draft, which is checked and gives nothing
    #[arg(long)]
    draft: bool,
    /// What the grant is called [default: ORGANIZATION-DEFINITION, with a number where that is taken]
    #[arg(long, value_name = "NAME", value_parser = object_name)]
    name: Option<String>,
    #[command(flatten)]
    desk: DeskArguments,
}

/// Grants an organization something.
pub fn grant(arguments: &GrantArguments) -> Result<Outcome, CommandFailure> {
    let request = arguments.request()?;
    let desk = Desk { arguments: &arguments.desk };
    let mut attempts = 0;
    loop {
        attempts += 1;
        match desk.go(|there| propose(there, &request, arguments.desk.apply)) {
            Err(Refused::Exists(_)) if request.name.is_none() && attempts < ATTEMPTS => {
                say("somebody else has just made a grant of that name: looking again");
            }
            Err(refused) => return Err(refused.into()),
            Ok(outcome) => return outcome,
        }
    }
}

impl GrantArguments {
    fn request(&self) -> Result<GrantRequest, CommandFailure> {
        let settings =
            self.set.iter().map(|text| setting(text).map_err(|error| CommandFailure::Usage(format!("--set: {error}"))));
        let secrets = self
            .secret
            .iter()
            .map(|text| secret(text).map_err(|error| CommandFailure::Usage(format!("--secret: {error}"))));
        Ok(GrantRequest {
            organization: self.organization.clone(),
            definition: self.definition.clone(),
            namespace: self.desk.namespace.clone(),
            name: self.name.clone(),
            from: self.from,
            to: self.to,
            amount: self.amount.clone(),
            settings: settings.collect::<Result<_, _>>()?,
            secrets: secrets.collect::<Result<_, _>>()?,
            renews: self.renews.clone(),
            reason: self.reason.clone(),
            is_draft: self.draft,
        })
    }
}

fn propose(there: &desk::There, request: &GrantRequest, is_written: bool) -> Result<Proposed, CommandFailure> {
    let inventory = &there.manifests.inventory;
    let organization = meant(inventory, &request.organization, is_written)?;
    check_definition(inventory, &request.definition)?;
    let request = GrantRequest { organization, ..request.clone() };
    let manifest = inventory.propose_grant(&request, there.now(&request.organization))?;
    let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let id = SourceId::instance(text("/metadata/namespace"), text("/metadata/name"));
    let remarks = equal::just_made(there, &manifest).into_iter().collect();
    Ok(Proposed::Write(Write {
        organization: request.organization,
        definition: Some(request.definition),
        text: document(&manifest),
        change: None,
        manifest,
        id,
        remarks,
    }))
}

/// The definition has to be there, or to be held by somebody: then its last valid state may serve.
fn check_definition(inventory: &Inventory, definition: &str) -> Result<(), CommandFailure> {
    let handles: BTreeSet<&str> = inventory.handles().into_iter().map(AsRef::as_ref).collect();
    if handles.contains(definition) {
        return Ok(());
    }
    Err(unknown("definition", definition, &handles.into_iter().collect::<Vec<_>>()))
}

/// The organization that is meant. What is written is written for one that is named as it is.
fn meant(inventory: &Inventory, called: &str, is_written: bool) -> Result<String, CommandFailure> {
    let directory = inventory.directory();
    let name = organization(&directory, called)?;
    if is_written && name != called {
        return Err(CommandFailure::Usage(format!("with --apply give the organization's own name: {name}")));
    }
    Ok(name.to_owned())
}
