//! `explain`: what an organization holds, and why.

mod sentences;
mod text;

use super::{
    offline::{Examination, MomentArguments, SourceArguments, gather},
    outcome::{Failure, Outcome},
    print,
    suggestions::{organization, unknown},
    terminal::Palette,
};
use crate::{
    core::calendar::{Instant, format_instant},
    evaluation::explanation::Explanation,
    offline::{Bounds, End, Inventory, Step, Timeline},
};
use chrono::TimeDelta;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// So far back is looked to say what has changed.
const PAST: TimeDelta = TimeDelta::days(400);
/// So many moments are looked at to say what comes next.
const STEPS: usize = 1000;
/// So many evaluations of a grant take about a second.
const WORK: usize = 50_000;

/// Says what an organization holds at a moment, and why: what it is entitled to, since when and until when, how the amount
/// and every setting came about, which grants count and which do not, and what comes next
///
/// Secret values are never shown.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entitlement-operator explain acme
  entitlement-operator explain acme seats --at -30d
  entitlement-operator explain acme -f clients/ --at 2026-07-01
  entitlement-operator explain acme backup -f clients/ --at 2026-07-01 -o json

TIME is an RFC 3339 time, a date (00:00 UTC), or a time from now such as +90d, -12h, +1y or -P1M.

Exit codes: 0 it was explained, 1 too, but part of the input was refused, 2 usage, unreadable input, a cluster that cannot \
be looked at, or no such organization or definition.")]
pub struct ExplainArguments {
    /// The organization: its name, its display name, or the beginning of either, in any case
    organization: String,
    /// The definition's name, which is the handle that applications check; without it, all that the organization holds
    definition: Option<String>,
    #[command(flatten)]
    source: SourceArguments,
    #[command(flatten)]
    moment: MomentArguments,
    /// The format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "text")]
    output: OutputFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OutputFormat {
    Text,
    Json,
}

/// Says what an organization holds, and why.
pub fn explain(arguments: &ExplainArguments) -> Result<Outcome, Failure> {
    let now = arguments.moment.moment();
    let examination = Examination::of_reading(gather(&arguments.source, now)?);
    examination.say();
    let outcome = examination.outcome();
    if outcome == Outcome::Unreadable {
        return Ok(outcome);
    }
    let inventory = &examination.manifests.inventory;
    let organization = organization(&inventory.directory(), &arguments.organization)?;
    check_definition(arguments, inventory)?;
    let definition = arguments.definition.as_deref();
    let Some(explanation) = inventory.explain(organization, definition, now) else {
        return Err(unknown("organization", organization, &[]));
    };
    let timeline =
        |from, to| inventory.timeline(&Bounds { from, to, steps: STEPS, work: WORK }, |name| name == organization);
    let course = Course { past: timeline(now - PAST, Some(now)), future: timeline(now, None) };
    let text = match arguments.output {
        OutputFormat::Text => text::text(&explanation, &course, definition, now, Palette::of_standard_output()),
        OutputFormat::Json => format!("{}\n", serde_json::to_string_pretty(&with_course(&explanation, &course)?)?),
    };
    print(&text).map_err(|error| Failure::System { action: "standard output", error })?;
    Ok(outcome)
}

fn check_definition(arguments: &ExplainArguments, inventory: &Inventory) -> Result<(), Failure> {
    let Some(definition) = &arguments.definition else { return Ok(()) };
    let handles: BTreeSet<&str> = inventory.handles().into_iter().map(AsRef::as_ref).collect();
    if handles.contains(definition.as_str()) {
        return Ok(());
    }
    Err(unknown("definition", definition, &handles.into_iter().collect::<Vec<_>>()))
}

/// What was before the moment that is explained, as the present objects tell it, and what comes after it.
struct Course {
    past: Timeline,
    future: Timeline,
}

impl Course {
    /// The last changes of what is held of a definition, the latest first; none where it was too much to get there.
    fn last<'a>(&'a self, definition: &'a str) -> impl Iterator<Item = &'a Step> {
        let is_complete = !matches!(self.past.end, End::TooMuch(..));
        let steps = self.past.steps.iter().rev().filter(move |_| is_complete);
        steps.filter(move |step| step.holdings.contains_key(definition))
    }

    /// What happens to a definition and its grants next.
    fn next<'a>(&'a self, definition: &'a str) -> impl Iterator<Item = &'a Step> {
        let is_about = move |step: &&Step| {
            let mut grants = step.grants.iter();
            step.holdings.contains_key(definition) || grants.any(|change| &*change.definition == definition)
        };
        let now = self.future.from;
        self.future.steps.iter().filter(move |step| step.at > now).filter(is_about)
    }
}

fn with_course(explanation: &Explanation, course: &Course) -> Result<Value, serde_json::Error> {
    let mut value = serde_json::to_value(explanation)?;
    let entitlements = value.get_mut("entitlements").and_then(Value::as_array_mut);
    for (entitlement, told) in entitlements.into_iter().flatten().zip(&explanation.entitlements) {
        let definition = &told.definition;
        let tell = |step: &Step| {
            json!({
                "at": format_instant(step.at),
                "what": sentences::happens(step, definition, explanation.time_zone),
            })
        };
        let Some(fields) = entitlement.as_object_mut() else { continue };
        let last: Vec<Value> = course.last(definition).take(text::LAST).map(tell).collect();
        let next: Vec<Value> = course.next(definition).take(text::NEXT).map(tell).collect();
        fields.insert("last".to_owned(), last.into());
        fields.insert("next".to_owned(), next.into());
    }
    Ok(value)
}

/// A moment that an explanation tells, which is always one.
fn moment(text: &str) -> Option<Instant> {
    crate::core::calendar::parse_instant(text).ok()
}
