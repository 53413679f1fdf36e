//! `usage`: what can be done about metered usage. The operator alone reaches its store, so a request stands on the definition, where
//! it looks, and says in a condition what became of it.

use super::{
    cluster::{ClusterError, connect, explain, runtime},
    completion::names::definitions,
    connection::ConnectionArguments,
    grant::FIELD_MANAGER,
    moment::MomentArgument,
    offline::this_second,
    outcome::{CommandFailure, Outcome},
    print,
    suggestions::unknown,
    terminal::harmless,
    text::on_one_line,
};
use crate::{
    api::{Condition, ConditionStatus, EntitlementDefinition},
    connection::Connection,
    core::{
        calendar::{Instant, Tz, format_instant},
        name,
        reason::ReasonCode,
        usage::{
            recount::{RECOUNT, RecountSpan},
            rules::UsageRules,
        },
    },
    evaluation::status::metered::{METERED, RECOUNTED},
};
use clap::{Args, Subcommand};
use clap_complete::ArgValueCompleter;
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::json;
use std::time::Duration;
use tokio::time;

/// How long is waited between two looks at what the operator says.
const PAUSE: Duration = Duration::from_millis(200);
const ASK: &str = "ask for the role entitlements-catalogue-author";
/// More names nobody reads.
const MOST: u32 = 1_000;

/// Sees to what is counted of metered definitions
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Examples:
  entitlement-operator usage recount api-calls --from 2027-07-01 --to 2027-07-02"
)]
pub struct UsageArguments {
    #[command(subcommand)]
    command: UsageCommand,
}

#[derive(Debug, Subcommand)]
enum UsageCommand {
    Recount(RecountArguments),
}

/// Has the operator ask Prometheus anew what was used of a definition in a span of time
///
/// For when Prometheus has been told something else of the past since, or the query was mended. What it answers counts in the place of
/// what was counted; what it knows no longer stays as it is.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entitlement-operator usage recount api-calls --from 2027-07-01 --to 2027-07-02
  entitlement-operator usage recount api-calls --from -6h --to -1h

Days are those of UTC, and --to is the last one. It takes the right to patch the definition, which the ClusterRole \
entitlements-catalogue-author has: the request is the annotation entitlements.dev/recount, and the condition Recounted says what \
became of it.

Exit codes: 0 it is counted anew, 1 it could not be, or the operator did not say in time, 2 usage, no such definition, or a cluster \
that cannot be looked at.")]
struct RecountArguments {
    /// The definition
    #[arg(value_name = "DEFINITION", add = ArgValueCompleter::new(definitions))]
    definition: String,
    /// The first moment
    #[arg(long, value_name = "TIME", value_parser = MomentArgument::read, allow_hyphen_values = true)]
    from: MomentArgument,
    /// The last moment, which has to be over
    #[arg(long, value_name = "TIME", value_parser = MomentArgument::read, allow_hyphen_values = true)]
    to: MomentArgument,
    /// How many seconds the operator is waited for
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = clap::value_parser!(u32).range(1..=3600))]
    wait: u32,
    /// Does not wait for the operator
    #[arg(long, conflicts_with = "wait")]
    no_wait: bool,
    #[command(flatten)]
    connection: ConnectionArguments,
}

/// Sees to what is counted.
pub fn usage(arguments: &UsageArguments) -> Result<Outcome, CommandFailure> {
    let UsageCommand::Recount(recount) = &arguments.command;
    let runtime = runtime().map_err(ClusterError::from)?;
    runtime.block_on(recount.make())
}

/// The definitions of a cluster.
struct DefinitionDesk {
    api: Api<EntitlementDefinition>,
    url: String,
}

impl RecountArguments {
    async fn make(&self) -> Result<Outcome, CommandFailure> {
        let called = &self.definition;
        if let Err(fault) = name::dns_subdomain(called) {
            return Err(CommandFailure::Usage(format!("{} is no name of a definition: it {fault}", harmless(called))));
        }
        let now = this_second();
        let span = RecountSpan { from: self.from.when(now).first(Tz::UTC), to: self.end(now) };
        let desk = DefinitionDesk::open(&self.connection.connection()).await?;
        let definition = desk.find(called).await?;
        check(&definition, span, now)?;
        let request = span.text(now);
        desk.ask(called, &request).await?;
        if self.no_wait {
            tell(&format!("The operator is asked to count {called} anew from {}.", told(span)))?;
            return Ok(Outcome::Valid);
        }
        match desk.answer(called, &request, Duration::from_secs(self.wait.into())).await {
            Some((ConditionStatus::True, said)) => {
                tell(&format!("{called} from {}: {said}.", told(span))).map(|()| Outcome::Valid)
            }
            Some((_, said)) => Err(CommandFailure::Impossible(said)),
            None => Err(CommandFailure::Impossible(format!(
                "nothing is seen of what became of it within {} seconds: is the operator at work? kubectl describe edef {called}",
                self.wait
            ))),
        }
    }

    /// A day is over with its last second.
    fn end(&self, now: Instant) -> Instant {
        let last = self.to.when(now).last(Tz::UTC);
        if matches!(self.to, MomentArgument::On(_)) { last + chrono::TimeDelta::seconds(1) } else { last }
    }
}

/// Whether the operator could count it anew; it says the same itself, of what was written by hand.
fn check(definition: &EntitlementDefinition, span: RecountSpan, now: Instant) -> Result<(), CommandFailure> {
    let usage = definition.spec.usage.as_ref();
    let rules = usage.map(UsageRules::read).transpose();
    let rules = rules.map_err(|problem| CommandFailure::Impossible(problem.message))?;
    span.check(rules.as_ref(), now).map_err(|refusal| CommandFailure::Usage(refusal.to_string()))?;
    let metered = condition(definition, METERED).filter(|one| one.status == ConditionStatus::False);
    let is_hopeless = |one: &&Condition| {
        [ReasonCode::NoStore, ReasonCode::NoPrometheus].iter().any(|reason| one.reason == reason.to_string())
    };
    match metered.filter(is_hopeless) {
        Some(one) => Err(CommandFailure::Impossible(one.message.clone())),
        None => Ok(()),
    }
}

fn condition<'a>(definition: &'a EntitlementDefinition, type_: &str) -> Option<&'a Condition> {
    definition.status.as_ref()?.conditions.iter().find(|one| one.type_ == type_)
}

fn told(span: RecountSpan) -> String {
    format!("{} to {}", format_instant(span.from), format_instant(span.to))
}

fn tell(sentence: &str) -> Result<(), CommandFailure> {
    print(on_one_line(sentence) + "\n").map_err(|error| CommandFailure::System { action: "standard output", error })
}

impl DefinitionDesk {
    async fn open(connection: &Connection) -> Result<Self, CommandFailure> {
        let (client, url) = connect(connection).await?;
        Ok(Self { api: Api::all(client), url })
    }

    async fn find(&self, called: &str) -> Result<EntitlementDefinition, CommandFailure> {
        let found = self.api.get_opt(called).await;
        let found = found.map_err(|error| explain(&error, "entitlementdefinitions", ASK, &self.url))?;
        if let Some(found) = found {
            return Ok(found);
        }
        let seen = self.api.list(&ListParams::default().limit(MOST)).await;
        let names: Vec<String> = seen.into_iter().flatten().filter_map(|one| one.metadata.name).collect();
        Err(unknown("definition", called, &names.iter().map(String::as_str).collect::<Vec<_>>()))
    }

    async fn ask(&self, called: &str, request: &str) -> Result<(), CommandFailure> {
        let patch = json!({"metadata": {"annotations": {RECOUNT: request}}});
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let patched = self.api.patch(called, &params, &Patch::Merge(&patch)).await;
        let what = format!("the definition {called}");
        patched.map(drop).map_err(|error| explain(&error, &what, ASK, &self.url).into())
    }

    /// What the operator says of that request, once it is final, or the time is over.
    async fn answer(&self, called: &str, request: &str, patience: Duration) -> Option<(ConditionStatus, String)> {
        let (started, mut last) = (time::Instant::now(), None);
        while started.elapsed() < patience {
            let seen = self.api.get_opt(called).await.ok().flatten();
            let said = seen.as_ref().and_then(|seen| condition(seen, RECOUNTED)).and_then(|one| {
                let said = one.message.strip_prefix(request)?.strip_prefix(": ")?;
                Some((one.status, said.to_owned()))
            });
            match said {
                Some((status, said)) if said.ends_with("; it is tried again") => last = Some((status, said)),
                Some(said) => return Some(said),
                None => {}
            }
            time::sleep(PAUSE).await;
        }
        last
    }
}
