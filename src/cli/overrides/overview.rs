//! How many exceptions there are of each definition, and which wait for approval.

use crate::{
    api::Phase,
    cli::{
        columns::{Cell, cell, columns},
        moment::{MomentArgument, relative, shown},
        offline::{Examination, MomentArguments, SourceArguments, gather},
        outcome::{CommandFailure, Outcome},
        print,
        terminal::{Palette, Tone, columns_of_standard_output},
        text::{COLUMNS, Paper, on_one_line},
        timeline::source_name,
    },
    core::{
        calendar::{Tz, format_instant},
        reason::ReasonCode,
    },
    offline::{ExceptionTally, StandingException, When, tally},
};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

/// Shows how many exceptions there are of each definition, the most frequent first, and which wait for approval
///
/// ASKED, APPROVED and DENIED count what was asked for and decided since then; IN FORCE is what is in force now, AMOUNT what that adds
/// in all, and CLIENTS how many organizations all of these are of. What many clients need an exception of is wrong in the catalogue:
/// its presets or plans are too small, or it lacks an add-on. Overrides that were deleted are not known any more.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entitlement-operator overrides
  entitlement-operator overrides --since P1Y -o json
  entitlement-operator overrides -f clients/ -f catalogue.yaml --at 2026-12-01

Since when is a length of time before --at, such as P90D or -90d, an RFC 3339 time, or a date (00:00 where each client is).

Exit codes: 0 shown, 1 shown, but part of the input was refused, 2 usage, unreadable input, or a cluster that cannot be looked at.")]
pub struct OverridesArguments {
    /// Since when: a length of time before --at, a date, or an RFC 3339 time
    #[arg(long, value_name = "TIME", default_value = "P90D", value_parser = since, allow_hyphen_values = true)]
    since: MomentArgument,
    #[command(flatten)]
    source: SourceArguments,
    #[command(flatten)]
    moment: MomentArguments,
    /// The format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "table")]
    output: OverviewFormat,
}

/// What is no mistake of anybody who asks how many exceptions there are.
const BESIDE_THE_POINT: [ReasonCode; 5] = [
    ReasonCode::ApprovalExpired,
    ReasonCode::ApprovalRequired,
    ReasonCode::DecisionIgnored,
    ReasonCode::Denied,
    ReasonCode::NoStart,
];

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OverviewFormat {
    Table,
    Json,
}

/// Reads since when.
fn since(text: &str) -> Result<MomentArgument, String> {
    let told = if text.starts_with('P') { format!("-{text}") } else { text.to_owned() };
    match MomentArgument::read(&told)? {
        MomentArgument::Later(_) => {
            Err("that is yet to come: give a length of time such as P90D, or a date".to_owned())
        }
        moment => Ok(moment),
    }
}

/// Shows how many exceptions there are of each definition.
pub fn overrides(arguments: &OverridesArguments) -> Result<Outcome, CommandFailure> {
    let now = arguments.moment.moment();
    let examination = Examination::of(gather(&arguments.source, now)?, now);
    // What has become of each is what is asked for.
    let examination = BESIDE_THE_POINT.into_iter().fold(examination, Examination::without);
    examination.say();
    let outcome = examination.outcome();
    if outcome == Outcome::Unreadable {
        return Ok(outcome);
    }
    let since = arguments.since.when(now.first(Tz::UTC));
    let all = examination.manifests.inventory.exceptions(now);
    let overview = Overview {
        tallies: tally(&all, since, now),
        waiting: all.iter().filter(|one| one.phase == Phase::Requested).collect(),
        not_seen: examination.not_seen(),
        since,
        now,
    };
    let text = match arguments.output {
        OverviewFormat::Json => format!("{}\n", serde_json::to_string_pretty(&overview.json())?),
        OverviewFormat::Table => overview.table(),
    };
    print(&text).map_err(|error| CommandFailure::System { action: "standard output", error })?;
    Ok(outcome)
}

struct Overview<'a> {
    tallies: Vec<ExceptionTally>,
    /// The oldest first.
    waiting: Vec<&'a StandingException>,
    not_seen: Vec<String>,
    since: When,
    now: When,
}

impl Overview<'_> {
    fn table(&self) -> String {
        let room = columns_of_standard_output();
        let mut paper = Paper::new(Palette::of_standard_output(), room.unwrap_or(COLUMNS));
        if self.tallies.is_empty() {
            paper.raw_line(&format!("There is no override since {}, and none in force.", told(self.since)));
        } else {
            let rows: Vec<[Cell; 7]> = self.tallies.iter().map(row).collect();
            let headings = ["DEFINITION", "ASKED", "APPROVED", "DENIED", "IN FORCE", "CLIENTS", "AMOUNT"];
            columns(&mut paper, headings, &rows, (room, &[(0, 24)]));
            paper.raw_line(&format!("Asked, approved and denied since {}.", told(self.since)));
        }
        if !self.waiting.is_empty() {
            paper.gap();
            let rows: Vec<[Cell; 6]> = self.waiting.iter().map(|one| waiting_row(one, self.now)).collect();
            let headings = ["WAITS FOR APPROVAL", "ORGANIZATION", "WHAT", "APPROVALS", "ASKED FOR BY", "WHEN"];
            columns(&mut paper, headings, &rows, (room, &[(0, 24), (1, 16), (4, 16)]));
            paper.raw_line("entitlement-operator approve NAME, or deny NAME, decides.");
        }
        for sentence in &self.not_seen {
            paper.paragraph(0, None, &format!("Not seen: {}.", on_one_line(sentence)));
        }
        paper.into_text()
    }

    fn json(&self) -> Value {
        json!({
            "since": told(self.since),
            "at": told(self.now),
            "definitions": self.tallies.iter().map(definition_json).collect::<Vec<_>>(),
            "waiting": self.waiting.iter().map(|one| waiting_json(one)).collect::<Vec<_>>(),
            "notSeen": self.not_seen,
        })
    }
}

/// The moment, or the day that begins at another moment for each client.
fn told(when: When) -> String {
    when.day().map_or_else(|| format_instant(when.first(Tz::UTC)), |day| day.to_string())
}

fn row(tally: &ExceptionTally) -> [Cell; 7] {
    let number = |number: usize| cell(&number.to_string(), None);
    [
        cell(&tally.definition, None),
        number(tally.asked),
        number(tally.approved),
        number(tally.denied),
        number(tally.in_force),
        number(tally.clients),
        cell(&quantity(tally.amount.map(|amount| amount.to_string()), tally.unit.as_deref()), None),
    ]
}

fn waiting_row(one: &StandingException, now: When) -> [Cell; 6] {
    let amount = one.amount.map(|amount| amount.to_string());
    let what = match amount {
        None => one.definition.to_string(),
        Some(amount) => format!("{} of {}", quantity(Some(amount), one.unit.as_deref()), one.definition),
    };
    [
        cell(&source_name(&one.id), Some(Tone::Strong)),
        cell(&one.organization, None),
        cell(&what, None),
        cell(&one.approval.tally(), None),
        cell(&one.request.by, None),
        cell(&relative(one.created, now.first(one.zone), one.zone), None),
    ]
}

/// `10 seats`; `-` where nothing is counted.
fn quantity(amount: Option<String>, unit: Option<&str>) -> String {
    match (amount, unit) {
        (Some(amount), Some(unit)) => format!("{amount} {unit}"),
        (Some(amount), None) => amount,
        (None, _) => "-".to_owned(),
    }
}

fn definition_json(tally: &ExceptionTally) -> Value {
    json!({
        "definition": &*tally.definition,
        "asked": tally.asked,
        "approved": tally.approved,
        "denied": tally.denied,
        "expired": tally.expired,
        "waiting": tally.waiting,
        "inForce": tally.in_force,
        "clients": tally.clients,
        "amount": tally.amount.map(|amount| amount.to_string()),
        "unit": tally.unit,
    })
}

fn waiting_json(one: &StandingException) -> Value {
    json!({
        "override": one.id.to_string(),
        "organization": &*one.organization,
        "definition": &*one.definition,
        "amount": one.amount.map(|amount| amount.to_string()),
        "unit": one.unit,
        "requestedBy": &*one.request.by,
        "requestedAt": format_instant(one.created),
        "requestedAtLocal": shown(one.created, one.zone),
        "reason": &*one.request.reason,
        "ticket": one.request.ticket.as_deref(),
        "approvals": one.approval.tally(),
        "missing": one.approval.missing(),
        "approvedBy": one.approval.approvers().iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
