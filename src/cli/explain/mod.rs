//! `explain`: what an organization holds, and why.
//!
//! | file | what it knows |
//! |---|---|
//! | `afterwards` | what comes after a contract, if it does not come at once |
//! | `row` | an entitlement in one line |
//! | `before` | what the client had before, as far as it is on record |
//! | `table` | all entitlements as one table |
//! | `text` | everything there is to say about an entitlement |
//! | `history` | what happened to it, as far as it is on record, and what comes next |
//! | `exceptions` | who asked for an override and why, and what others say to it |
//! | `usage` | how much of it is used |
//! | `subscriptions` | how each subscription stands |
//! | `sentences` | each of these things in a sentence |

mod afterwards;
mod before;
mod exceptions;
mod history;
mod row;
mod sentences;
mod subscriptions;
mod table;
mod text;
pub(super) mod usage;

use super::{
    completion::names::{definitions, organizations},
    concern::CatalogueConcern,
    offline::{Examination, MomentArguments, SourceArguments},
    outcome::{CommandFailure, Outcome},
    print,
    suggestions::{known_definition, unknown},
    terminal::{Palette, columns_of_standard_output},
    text::COLUMNS,
};
use crate::{
    core::calendar::{Instant, format_instant},
    offline::{Account, AccountEffort, Passage},
};
use clap::{Args, ValueEnum};
use clap_complete::ArgValueCompleter;
use row::{Row, Stand};
use serde_json::{Map, Value, json};
use table::{ExplainedTable, NotHeld, Room};

/// How many moments of each definition are looked at to say what comes next.
const STEPS: usize = 1000;
/// How many are enough for a table.
const FEW_STEPS: usize = 12;
/// How many evaluations of a grant take about a second.
const WORK: usize = 100_000;

/// Shows what an organization holds at a moment, since when, until when its contract runs, and what comes next, as one table;
/// for one definition, or with --all for each, also why
///
/// HAS is what it has, USE how what is used of it stands where that is metered, SINCE since when it has had exactly that, and
/// CONTRACT TO the last day of its contract, without a grace period. Below the table you find what it had before, and what it
/// does not hold of the catalogue. The details say where the amount and every setting come from, which grants count and which do
/// not, and what happened last. Only what is on record is told. Secret values are never shown.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entitlement-operator explain acme
  entitlement-operator explain \"Acme GmbH\" --all
  entitlement-operator explain acme seats --at -30d
  entitlement-operator explain acme -f clients/ --at 2026-07-01
  entitlement-operator explain acme backup -f clients/ --at 2026-07-01 -o json

TIME is an RFC 3339 time, a date (00:00 where the client is), or a time from now such as +90d, -12h, +15min, +1mo, +1y or \
-P1M, by the client's calendar.

Exit codes: 0 explained, 1 explained, but part of the input was refused, 2 usage, unreadable input, a cluster that cannot \
be looked at, or no such organization or definition.")]
pub struct ExplainArguments {
    /// The organization: its name, its display name, or the beginning of either, in any case
    #[arg(add = ArgValueCompleter::new(organizations))]
    organization: String,
    /// The definition's name, which is the handle that applications check: tells its details; without it, a table of all that the
    /// organization holds
    #[arg(add = ArgValueCompleter::new(definitions))]
    definition: Option<String>,
    /// Tells the details of all that it holds
    #[arg(long, conflicts_with = "definition")]
    all: bool,
    #[command(flatten)]
    source: SourceArguments,
    #[command(flatten)]
    moment: MomentArguments,
    /// The format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "text")]
    output: ExplainFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ExplainFormat {
    Text,
    Json,
}

/// Says what an organization holds, and why.
pub fn explain(arguments: &ExplainArguments) -> Result<Outcome, CommandFailure> {
    let when = arguments.moment.moment();
    let Some((examination, organization)) =
        Examination::of_organization(&arguments.source, when, &arguments.organization, CatalogueConcern::Held)?
    else {
        return Ok(Outcome::Unreadable);
    };
    let outcome = examination.outcome();
    let inventory = &examination.manifests.inventory;
    let definition = arguments.definition.as_deref();
    definition.map(|definition| known_definition(inventory, definition)).transpose()?;
    let is_table = definition.is_none() && !arguments.all;
    let is_json = matches!(arguments.output, ExplainFormat::Json);
    let effort = AccountEffort { steps: if is_table && !is_json { FEW_STEPS } else { STEPS }, work: WORK };
    let Some(account) = inventory.account(&organization, definition, when, effort) else {
        return Err(unknown("organization", &organization, &[]));
    };
    let now = account.now;
    let rows = rows(&account, now);
    let statement = ExplainedTable {
        not_held: not_held(&account, &rows, definition),
        rows,
        explanation: &account.explanation,
        not_seen: examination.not_seen(),
        now,
    };
    let columns = columns_of_standard_output();
    let room = Room { table: columns, text: columns.unwrap_or(COLUMNS) };
    let palette = Palette::of_standard_output();
    let text = match arguments.output {
        ExplainFormat::Json => format!("{}\n", serde_json::to_string_pretty(&told(&account, &statement)?)?),
        ExplainFormat::Text if is_table => table::table(&statement, room, palette),
        ExplainFormat::Text => text::text(&account, &statement, definition, room, palette),
    };
    print(&text).map_err(|error| CommandFailure::System { action: "standard output", error })?;
    Ok(outcome)
}

fn rows(account: &Account, now: Instant) -> Vec<Row> {
    let zone = account.explanation.time_zone;
    let nothing = Passage::default();
    let entitlements = account.explanation.entitlements.iter();
    entitlements
        .map(|entitlement| {
            let passage = account.passages.get(entitlement.definition.as_str()).unwrap_or(&nothing);
            Row::of(entitlement, passage, now, zone)
        })
        .collect()
}

/// What was lost, and what was never granted.
fn not_held(account: &Account, rows: &[Row], definition: Option<&str>) -> Vec<NotHeld> {
    let lost = rows.iter().filter(|row| row.stand == Stand::Over).map(|row| NotHeld {
        definition: row.definition.clone(),
        until: row.before.as_ref().map(|before| before.until),
    });
    let never = account.without_grant.keys().filter(|name| definition.is_none_or(|chosen| chosen == &***name));
    let never = never.map(|name| NotHeld { definition: name.to_string(), until: None });
    let mut all: Vec<NotHeld> = lost.chain(never).collect();
    all.sort_by(|one, other| one.definition.cmp(&other.definition));
    all
}

/// Everything for programs: each entitlement with its row, what happened last, the latest first, and what comes next.
fn told(account: &Account, statement: &ExplainedTable<'_>) -> Result<Value, serde_json::Error> {
    let zone = account.explanation.time_zone;
    let mut value = serde_json::to_value(&account.explanation)?;
    let entitlements = value.get_mut("entitlements").and_then(Value::as_array_mut);
    let nothing = Passage::default();
    for ((entitlement, told), row) in
        entitlements.into_iter().flatten().zip(&account.explanation.entitlements).zip(&statement.rows)
    {
        let passage = account.passages.get(told.definition.as_str()).unwrap_or(&nothing);
        let Some(fields) = entitlement.as_object_mut() else { continue };
        let last = history::last(told, passage, zone, text::LAST);
        let last: Vec<Value> =
            last.into_iter().rev().map(|event| json!({ "at": format_instant(event.at), "what": event.what })).collect();
        let next = history::next(told, passage, statement.now).take(text::NEXT).map(
            |step| json!({ "at": format_instant(step.at), "what": sentences::happens(step, &told.definition, zone) }),
        );
        fields.insert("row".to_owned(), row.json(zone));
        fields.insert("last".to_owned(), last.into());
        fields.insert("next".to_owned(), next.collect());
    }
    if let Some(fields) = value.as_object_mut() {
        let not_held = statement.not_held.iter().map(|one| {
            let display_name = account.without_grant.get(one.definition.as_str()).cloned().flatten();
            let mut fields = Map::new();
            fields.insert("definition".to_owned(), one.definition.as_str().into());
            fields.insert("displayName".to_owned(), display_name.into());
            fields.insert("until".to_owned(), one.until.map(format_instant).into());
            Value::Object(fields)
        });
        fields.insert("notHeld".to_owned(), not_held.collect());
        fields.insert("notSeen".to_owned(), statement.not_seen.clone().into());
    }
    Ok(value)
}

/// A moment that an explanation tells, which is always one.
fn moment(text: &str) -> Option<Instant> {
    crate::core::calendar::parse_instant(text).ok()
}

#[cfg(test)]
mod tests;
