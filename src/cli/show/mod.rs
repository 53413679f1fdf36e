//! `show`: what an organization holds, from its summary, with a tenant's own rights.
//!
//! | file | what it knows |
//! |---|---|
//! | `finding` | where the summary is, and whether the operator has made it |
//! | `coming` | which amounts come next, from the flags beside it |
//! | `summary` | its content, once it is valid by its schema |
//! | `table` | the same for people |

mod coming;
mod finding;
mod summary;
mod table;

use super::{
    connection::ConnectionArguments,
    offline::namespace,
    outcome::{CommandFailure, Outcome},
    print, say,
    terminal::{Palette, columns_of_standard_output},
};
use crate::core::{
    calendar::{Instant, Tz, parse_zone},
    name::{InvalidName, dns_subdomain},
};
use chrono::Utc;
use clap::{Args, ValueEnum, ValueHint};
use finding::SummaryPlace;
use std::{env, path::PathBuf};
use summary::ReadSummary;

/// Shows what the organization of a namespace is entitled to, as its workloads read it: from the summary ConfigMap there
///
/// It needs only the right to read that: `get` on the ConfigMap, or `list` on those of the namespace, to find one that is not
/// called `entitlements`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entitlement-operator show
  entitlement-operator show --namespace acme-prod
  entitlement-operator show 4k-streaming --namespace globex && echo streaming
  entitlement-operator show seats -o json
  entitlement-operator show -f entitlements.json

Days and times are those of this machine's time zone, or of TZ.

Exit codes: 0 shown, and HANDLE, if given, is in force now, 1 HANDLE is not in force, 2 usage, a cluster that cannot be \
looked at, no summary, or one that the operator has not made.")]
pub struct ShowArguments {
    /// The entitlement to show alone: the name of its definition, which is the handle that applications check
    handle: Option<String>,
    /// The namespace [default: that of the kubeconfig's context]
    #[arg(short, long, value_name = "NAMESPACE", value_parser = namespace, conflicts_with = "file")]
    namespace: Option<String>,
    /// The name of the summary ConfigMap [default: found by its labels, else entitlements]
    #[arg(long, value_name = "NAME", value_parser = config_map, conflicts_with = "file")]
    summary: Option<String>,
    /// A file entitlements.json, as pods mount it, instead of a cluster; - is standard input
    #[arg(short, long = "filename", id = "file", value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["kubeconfig", "context", "user", "groups"])]
    file: Option<PathBuf>,
    #[command(flatten)]
    connection: ConnectionArguments,
    /// The format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "table")]
    output: ShowFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ShowFormat {
    Table,
    Json,
}

/// Shows a summary.
pub fn show(arguments: &ShowArguments) -> Result<Outcome, CommandFailure> {
    let (summary, place) = read(arguments)?;
    let handle = arguments.handle.as_deref();
    let is_entitled = handle.is_none_or(|handle| summary.is_entitled(handle));
    let text = match arguments.output {
        ShowFormat::Json => format!("{}\n", serde_json::to_string_pretty(&summary.json(handle))?),
        ShowFormat::Table => on_paper(&summary, place.as_ref(), handle),
    };
    print(&text).map_err(|error| CommandFailure::System { action: "standard output", error })?;
    if let Some(handle) = summary.outdated(Utc::now()) {
        say(&format!(
            "warning: the summary is older than the last start or end of {handle}, so it may be wrong: the operator has not brought it up to date; ask whoever runs it"
        ));
    }
    Ok(if is_entitled { Outcome::Valid } else { Outcome::Refused })
}

fn config_map(name: &str) -> Result<String, InvalidName> {
    dns_subdomain(name).map(|()| name.to_owned())
}

fn read(arguments: &ShowArguments) -> Result<(ReadSummary, Option<SummaryPlace>), CommandFailure> {
    if let Some(path) = &arguments.file {
        let summary = ReadSummary::read(&finding::file(path)?, &path.display().to_string())?;
        return Ok((summary.with_flags(finding::flags_beside(path).as_deref()), None));
    }
    let connection = arguments.connection.connection();
    let found = finding::find(&connection, arguments.namespace.as_deref(), arguments.summary.as_deref())?;
    Ok((found.summary()?, Some(found.place)))
}

fn on_paper(summary: &ReadSummary, place: Option<&SummaryPlace>, handle: Option<&str>) -> String {
    let now = (Utc::now(), zone());
    table::table(summary, place, handle, now, columns_of_standard_output(), Palette::of_standard_output())
}

/// The time zone of whoever reads: that of `TZ`, else of the machine, else UTC.
fn zone() -> Tz {
    let asked = env::var("TZ").ok().map(|zone| zone.trim_start_matches(':').to_owned()).filter(|zone| !zone.is_empty());
    let name = asked.or_else(|| iana_time_zone::get_timezone().ok());
    name.and_then(|name| parse_zone(&name).ok()).unwrap_or(Tz::UTC)
}

/// A moment of a summary that is valid, which always is one.
fn moment(text: &str) -> Option<Instant> {
    crate::core::calendar::parse_instant(text).ok()
}
