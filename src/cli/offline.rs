//! What the subcommands that work on manifests have in common.

use super::{
    diagnostics::{Excerpts, Finding, MAX_FINDINGS, Severity, say_all},
    judgement::judge,
    manifests::{self, Manifests, ReadOptions},
    outcome::{Failure, Outcome},
    progress::Progress,
    say,
    terminal::Palette,
};
use crate::{
    api::GROUP,
    core::calendar::{Instant, parse_instant},
    offline::Survey,
};
use chrono::{DurationRound, NaiveDate, NaiveTime, TimeDelta, Utc};
use clap::Args;
use std::{
    io::{self, BufWriter, Write},
    mem,
    path::PathBuf,
};

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

/// Manifests, with all that is wrong with them.
pub struct Examination {
    /// What was read.
    pub manifests: Manifests,
    /// What is wrong, in the order of the files and lines.
    pub findings: Vec<Finding>,
    /// How many findings there are beyond those.
    pub left_out: usize,
    /// What it comes to; absent where something could not be read.
    pub survey: Option<Survey>,
}

impl Examination {
    /// How the subcommand ends.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self.findings.iter().map(|finding| finding.severity).min() {
            Some(Severity::Unreadable) => Outcome::Unreadable,
            Some(Severity::Error) => Outcome::Refused,
            Some(Severity::Warning) | None => Outcome::Valid,
        }
    }

    /// Says on standard error what is wrong, and what was ignored.
    pub fn say(&self) {
        let excerpts = Excerpts::of(&self.manifests);
        let palette = Palette::of_standard_error();
        let mut output = BufWriter::new(io::stderr().lock());
        // Nothing can be done about a standard error that is closed.
        let _ = say_all(&mut output, &self.findings, self.left_out, &excerpts, palette);
        let _ = output.flush();
        drop(output);
        if self.survey.is_some() {
            say_ignored(&self.manifests, &self.findings);
        }
    }
}

/// Reads the manifests and evaluates them, and says on standard error what is wrong.
///
/// # Errors
/// When that cannot be done, whatever the manifests are.
pub fn survey(arguments: &InputArguments) -> Result<(Outcome, Option<Surveyed>), Failure> {
    let examination = examine(arguments)?;
    examination.say();
    let outcome = examination.outcome();
    let Examination { manifests, survey, .. } = examination;
    Ok((outcome, survey.map(|survey| Surveyed { manifests, survey })))
}

/// Reads the manifests and evaluates them.
///
/// # Errors
/// When that cannot be done, whatever the manifests are.
pub fn examine(arguments: &InputArguments) -> Result<Examination, Failure> {
    let now = arguments.at.unwrap_or_else(this_second);
    let options = ReadOptions {
        created: now,
        namespace: arguments.namespace.as_str().into(),
        operator_namespace: arguments.operator_namespace.clone(),
    };
    let mut manifests = manifests::read(&arguments.filename, &mut io::stdin().lock(), &options)?;
    let mut findings = mem::take(&mut manifests.findings);
    let is_readable = findings.iter().all(|finding| finding.severity != Severity::Unreadable);
    let survey = is_readable.then(|| {
        let mut progress = Progress::on_terminal("evaluating organizations");
        manifests.inventory.survey_watched(now, &mut |done, total| progress.step(done, total))
    });
    if let Some(survey) = &survey {
        findings.extend(judge(&manifests, survey, now));
    }
    let left_out = manifests.left_out + findings.len().saturating_sub(MAX_FINDINGS);
    sort(&mut findings);
    findings.truncate(MAX_FINDINGS);
    Ok(Examination { manifests, findings, left_out, survey })
}

/// In the order of the files and lines.
fn sort(findings: &mut [Finding]) {
    findings.sort_by(|one, other| {
        let order = |finding: &Finding| (finding.location.source, finding.location.span, finding.severity);
        order(one).cmp(&order(other)).then_with(|| one.message.cmp(&other.message))
    });
}

fn say_ignored(manifests: &Manifests, findings: &[Finding]) {
    if manifests.documents.is_empty() && findings.is_empty() {
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
