//! What the subcommands that work on manifests have in common.

use super::{
    finding::{Finding, Severity},
    judgement::judge,
    manifests::{self, Manifests, ReadOptions},
    outcome::{Failure, Outcome},
    say,
};
use crate::{
    api::GROUP,
    core::calendar::{Instant, parse_instant},
    offline::Survey,
};
use chrono::{DurationRound, NaiveDate, NaiveTime, TimeDelta, Utc};
use clap::Args;
use std::{io, path::PathBuf};

/// The operator's own namespace, unless it is told otherwise.
pub const OPERATOR_NAMESPACE: &str = "entitlement-operator";

/// Which manifests, and how they are read.
#[derive(Debug, Args)]
pub struct InputArguments {
    /// A file, a folder (its *.yaml, *.yml and *.json, and those of the folders in it), or - for standard input
    #[arg(short, long, value_name = "PATH", required = true, num_args = 1..)]
    filename: Vec<PathBuf>,
    /// The moment that is looked at: an RFC 3339 time, or a date, which means 00:00 UTC [default: now]
    ///
    /// Objects without a creationTimestamp count as made at it.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Instant>,
    /// The namespace of objects that name none
    #[arg(short, long, value_name = "NAMESPACE", default_value = "default")]
    namespace: String,
    /// The operator's own namespace, as its run has it
    #[arg(long, value_name = "NAMESPACE", default_value = OPERATOR_NAMESPACE)]
    operator_namespace: String,
}

/// What came of the manifests.
pub struct Surveyed {
    /// What was read.
    pub manifests: Manifests,
    /// What it comes to.
    pub survey: Survey,
}

/// Reads the manifests and evaluates them, and says on standard error what is wrong.
///
/// # Errors
/// When that cannot be done, whatever the manifests are.
pub fn survey(arguments: &InputArguments) -> Result<(Outcome, Option<Surveyed>), Failure> {
    let now = arguments.at.unwrap_or_else(this_second);
    let options = ReadOptions {
        created: now,
        namespace: arguments.namespace.as_str().into(),
        operator_namespace: arguments.operator_namespace.clone(),
    };
    let mut manifests = manifests::read(&arguments.filename, &mut io::stdin().lock(), &options)?;
    if !manifests.unreadable.is_empty() {
        say_all(&mut manifests.findings);
        manifests.unreadable.iter().for_each(|problem| say(problem));
        return Ok((Outcome::Unreadable, None));
    }
    let survey = manifests.inventory.survey(now);
    let mut findings = judge(&manifests, &survey);
    say_all(&mut findings);
    say_ignored(&manifests);
    let is_refused = findings.iter().any(|finding| finding.severity == Severity::Error);
    let outcome = if is_refused { Outcome::Refused } else { Outcome::Valid };
    Ok((outcome, Some(Surveyed { manifests, survey })))
}

/// In the order of the files and lines.
fn say_all(findings: &mut [Finding]) {
    findings.sort_by(|one, other| {
        let order = |finding: &Finding| (finding.source, finding.place, finding.severity);
        order(one).cmp(&order(other)).then_with(|| one.message.cmp(&other.message))
    });
    for finding in findings {
        say(&finding.to_string());
    }
}

fn say_ignored(manifests: &Manifests) {
    if manifests.documents.is_empty() && manifests.findings.is_empty() {
        say(&format!("there is no object of {GROUP} in what was read"));
    }
    let ignored: Vec<String> = manifests.ignored.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    if !ignored.is_empty() {
        say(&format!("ignored: {}", ignored.join(", ")));
    }
}

/// Objects carry times of whole seconds, so an evaluation of now looks at one.
fn this_second() -> Instant {
    let now = Utc::now();
    now.duration_trunc(TimeDelta::seconds(1)).unwrap_or(now)
}

fn parse_time(text: &str) -> Result<Instant, String> {
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(day.and_time(NaiveTime::MIN).and_utc());
    }
    parse_instant(text).map_err(|error| error.to_string())
}
