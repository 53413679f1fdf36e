//! `store adopt`: confirms that another store, or an older copy of it, is the right one from now on.

use super::{
    cluster::{ClusterError, connect, explain, runtime},
    connection::ConnectionArguments,
    grant::FIELD_MANAGER,
    offline::{OPERATOR_NAMESPACE, namespace},
    outcome::{CommandFailure, Outcome},
    print,
    terminal::harmless,
    text::on_one_line,
};
use crate::{installation::STORE_NOTE, store::note::StoreNote};
use clap::{Args, Subcommand};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long is waited for an operator that starts to compare its store.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long is waited between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// Looks after the store in which the operator keeps metered usage
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Examples:
  entitlement-operator store adopt
  entitlement-operator store adopt --yes"
)]
pub struct StoreArguments {
    #[command(subcommand)]
    command: StoreCommand,
}

#[derive(Debug, Subcommand)]
enum StoreCommand {
    Adopt(AdoptArguments),
}

/// Confirms that another store, or an older copy, is the right one from now on
///
/// The operator notes in the ConfigMap entitlement-operator-store which store it uses, and how often that was written. Where it finds
/// another store, or one that was restored from a backup, it goes on counting in that and says so, until the right one is
/// back or this command has confirmed what was found. It says first what is confirmed, and what is lost.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entitlement-operator store adopt
  entitlement-operator store adopt --yes

It takes the verbs get and patch on the ConfigMap entitlement-operator-store in the operator's namespace.

Exit codes: 0 it is confirmed, 1 it is not (without --yes, or there is nothing to confirm, or that was refused), 2 usage, or a cluster \
that cannot be looked at.")]
struct AdoptArguments {
    /// Confirms it; without this, it only says what would be confirmed
    #[arg(long)]
    yes: bool,
    /// The operator's own namespace
    #[arg(short, long, value_name = "NAMESPACE", default_value = OPERATOR_NAMESPACE, value_parser = namespace)]
    namespace: String,
    #[command(flatten)]
    connection: ConnectionArguments,
}

/// What of it can be had again, and what cannot.
const LOST: &str = "What EntitlementUsage objects report is counted again by itself, and what Prometheus still knows. Lost is what was counted otherwise, when allotments began, and what was held when, as far as this store does not have it: periods of such allotments begin anew.";

/// Does what is asked for with the store.
pub fn store(arguments: &StoreArguments) -> Result<Outcome, CommandFailure> {
    let StoreCommand::Adopt(arguments) = &arguments.command;
    let runtime = runtime().map_err(ClusterError::from)?;
    runtime.block_on(arguments.adopt())
}

impl AdoptArguments {
    async fn adopt(&self) -> Result<Outcome, CommandFailure> {
        let (client, url) = connect(&self.connection.connection()).await?;
        let api: Api<ConfigMap> = Api::namespaced(client, &self.namespace);
        let (version, note) = self.noted(&api, &url).await?;
        let (Some(complaint), Some(adoption)) = (note.complaint(), note.adoption()) else {
            return Err(CommandFailure::Impossible(format!(
                "there is nothing to adopt: the store {} is the one that it was, with {} commits when that was noted. An operator that has only just started has not compared its store yet: then look again in a minute",
                harmless(&note.known.id),
                note.known.commits
            )));
        };
        tell([format!("Found: {complaint}."), LOST.to_owned()])?;
        if note.is_adopted() {
            tell(["It is confirmed already: the operator takes that in within a minute, if it runs.".to_owned()])?;
            return Ok(Outcome::Valid);
        }
        if !self.yes {
            return Err(CommandFailure::Impossible(
                "nothing is confirmed yet: put the right store back, or give --yes to go on with this one for good"
                    .to_owned(),
            ));
        }
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let patch = json!({ "metadata": {"resourceVersion": version}, "data": adoption });
        api.patch(STORE_NOTE, &parameters, &Patch::Merge(patch))
            .await
            .map_err(|error| self.refused(&error, "patch", &url))?;
        tell(["Confirmed: the operator goes on with this store, and says StoreReplaced no more within a minute."
            .to_owned()])?;
        Ok(Outcome::Valid)
    }

    /// The version of the note, and what it says. An operator that starts compares its store once it works: that is waited for a
    /// little.
    async fn noted(&self, api: &Api<ConfigMap>, url: &str) -> Result<(Option<String>, StoreNote), CommandFailure> {
        let started = Instant::now();
        loop {
            let object = api.get_opt(STORE_NOTE).await.map_err(|error| self.refused(&error, "get", url))?;
            let version = object.as_ref().and_then(|object| object.metadata.resource_version.clone());
            let note = self.note(object)?;
            if note.found.is_some() || started.elapsed() >= PATIENCE {
                return Ok((version, note));
            }
            sleep(PAUSE).await;
        }
    }

    fn note(&self, object: Option<ConfigMap>) -> Result<StoreNote, CommandFailure> {
        let place = format!("{}/{STORE_NOTE}", self.namespace);
        let Some(object) = object else {
            return Err(CommandFailure::Impossible(format!(
                "there is no ConfigMap {place}, in which the operator notes which store it uses: does it run there (--namespace), and with --store?"
            )));
        };
        object.data.as_ref().and_then(StoreNote::read).ok_or_else(|| {
            CommandFailure::Impossible(format!(
                "the ConfigMap {place} says of no store: the operator writes it anew within a minute, if it runs with --store"
            ))
        })
    }

    fn refused(&self, error: &kube::Error, verb: &str, url: &str) -> CommandFailure {
        match error {
            kube::Error::Api(status) if status.code == 403 => CommandFailure::Impossible(format!(
                "you may not {verb} the ConfigMap {STORE_NOTE} in namespace {0}: that is for whoever runs the operator; see kubectl auth can-i {verb} configmaps/{STORE_NOTE} --namespace {0}",
                self.namespace
            )),
            kube::Error::Api(status) if status.code == 409 => CommandFailure::Impossible(
                "the operator has found something else meanwhile: look again at what it is".to_owned(),
            ),
            _ => explain(error, "configmaps", "ask whoever runs the operator", url).into(),
        }
    }
}

fn tell(sentences: impl IntoIterator<Item = String>) -> Result<(), CommandFailure> {
    let lines: String = sentences.into_iter().map(|sentence| on_one_line(&sentence) + "\n").collect();
    print(&lines).map_err(|error| CommandFailure::System { action: "standard output", error })
}
