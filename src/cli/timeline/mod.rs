//! `timeline`: everything that time alone will bring, and how that differs between two sets of manifests.

mod calendar;
mod difference;
mod json;
mod table;
mod words;

pub use difference::text as difference_text;
pub use table::Anchor;
pub use words::{amount, approved, entry_name, lapsed, named, source_name};

use super::{
    change::{Comparison, change},
    completion::names::organizations,
    concern::CatalogueConcern,
    diagnostics::{Finding, Severity},
    moment::MomentArgument,
    offline::{Examination, SourceArguments, gather, this_second},
    outcome::{CommandFailure, Outcome},
    print,
    progress::Progress,
    suggestions::organization,
};
use crate::{
    core::{calendar::Tz, reason::ReasonCode},
    offline::{Bounds, Differences, Directory, Inventory, Listing, Timeline, When},
};
use clap::{Args, ValueEnum, builder::RangedU64ValueParser};
use clap_complete::ArgValueCompleter;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// How many evaluations of a grant take some seconds.
pub const MOST_WORK: usize = 5_000_000;

/// Shows everything that time alone will bring: starts, ends, amendments, notices, and what is delivered or withdrawn
///
/// Each organization is evaluated at one moment after the other, as the operator will do it. Objects without a
/// creationTimestamp count as made at the first moment.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entitlement-operator timeline --to +90d
  entitlement-operator timeline -f clients/ --from 2026-07-01
  entitlement-operator timeline -f clients/ --from 2026-07-01 --to 2027-07-01 --organization acme -o json
  entitlement-operator timeline -f clients/ --from 2026-07-01 -o ics > ends.ics && cat ends.ics
  entitlement-operator timeline --diff main/clients/ clients/ --from 2026-07-01

TIME is an RFC 3339 time, a date (00:00 where each client is; as the last moment its whole day), or a time from now such as \
+90d, -12h, +15min, +1mo, +1y or -P1M, by each client's calendar.

With --diff, NEW comes after OLD, as if you applied it over OLD at the first moment: OLD's grants keep the records that OLD \
leaves, plans keep what was agreed, but where their \
rollout is Everyone, an invalid definition or plan leaves OLD's in service, and what the API server would refuse (Locked) stays as it is in OLD.

Exit codes: 0 all accepted (or Draft) and valid (with --diff: in NEW), 1 something was refused or invalid, 2 usage, \
unreadable input, or a cluster that cannot be looked at.")]
pub struct TimelineArguments {
    #[command(flatten)]
    source: SourceArguments,
    /// Says how two sets of manifests differ in what clients get, and when
    #[arg(long, num_args = 2, value_names = ["OLD", "NEW"], conflicts_with = "filename")]
    diff: Option<Vec<PathBuf>>,
    /// The first moment [default: now]
    #[arg(long, value_name = "TIME", value_parser = MomentArgument::read, allow_hyphen_values = true)]
    from: Option<MomentArgument>,
    /// The last moment [default: as long as anything changes]
    #[arg(long, value_name = "TIME", value_parser = MomentArgument::read, allow_hyphen_values = true)]
    to: Option<MomentArgument>,
    /// Looks at this organization alone, by its name, its display name, or the beginning of either; may be given several times
    #[arg(long, value_name = "NAME", add = ArgValueCompleter::new(organizations))]
    organization: Vec<String>,
    /// How many moments are shown at most
    #[arg(long, value_name = "NUMBER", default_value = "10000", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    limit: usize,
    /// The format: a table for people (with --diff: Markdown), JSON, or an iCalendar of ends and notices
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "table")]
    output: TimelineFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TimelineFormat {
    Table,
    Json,
    Ics,
}

/// Shows everything that time alone will bring.
pub fn timeline(arguments: &TimelineArguments) -> Result<Outcome, CommandFailure> {
    let now = this_second();
    let from = arguments.from.map_or(When::At(now), |from| from.when(now));
    let to = arguments.to.map(|to| to.when(now));
    if to.is_some_and(|to| to.last(Tz::UTC) < from.first(Tz::UTC)) {
        return Err(CommandFailure::Usage(
            "--to is before --from, or before now: give a later --to or an earlier --from".to_owned(),
        ));
    }
    let bounds = Bounds { from, to, steps: arguments.limit, work: MOST_WORK };
    let anchor = match arguments.from {
        Some(MomentArgument::At(_) | MomentArgument::On(_)) => Anchor::Start,
        _ => Anchor::Now(now),
    };
    match arguments.diff.as_deref() {
        Some([old, new]) => difference(arguments, old, new, &bounds, anchor),
        _ => course(arguments, &bounds, anchor),
    }
}

fn course(arguments: &TimelineArguments, bounds: &Bounds, anchor: Anchor) -> Result<Outcome, CommandFailure> {
    let examination =
        Examination::of(gather(&arguments.source, bounds.from)?, bounds.from).without(ReasonCode::NoStart);
    if examination.outcome() == Outcome::Unreadable {
        examination.say();
        return Ok(Outcome::Unreadable);
    }
    let chosen = arguments.chosen(&[&examination.manifests.inventory])?;
    let examination = examination.limited_to(&chosen, CatalogueConcern::Held);
    examination.say();
    let outcome = examination.outcome();
    let timeline = timeline_of(&examination.manifests.inventory, bounds, &chosen, None);
    let not_seen = examination.not_seen();
    let text = match arguments.output {
        TimelineFormat::Table => table::table(&timeline, bounds, anchor, &not_seen),
        TimelineFormat::Json => format!("{}\n", serde_json::to_string_pretty(&json::json(&timeline, &not_seen))?),
        TimelineFormat::Ics => calendar::calendar(&timeline),
    };
    print(&text).map_err(|error| CommandFailure::System { action: "standard output", error })?;
    Ok(outcome)
}

fn difference(
    arguments: &TimelineArguments,
    old: &Path,
    new: &Path,
    bounds: &Bounds,
    anchor: Anchor,
) -> Result<Outcome, CommandFailure> {
    if arguments.output == TimelineFormat::Ics {
        return Err(CommandFailure::Usage(
            "a difference is no calendar: use --diff with -o table or -o json".to_owned(),
        ));
    }
    let (old, new) = match change(old, &[new.to_owned()], &arguments.source, bounds.from)? {
        Comparison::Unreadable(old) => {
            old.say();
            return Ok(Outcome::Unreadable);
        }
        Comparison::Read { old, new } => (old, new),
    };
    if new.outcome() == Outcome::Unreadable {
        new.say();
        return Ok(Outcome::Unreadable);
    }
    let chosen = arguments.chosen(&[&old.inventory, &new.manifests.inventory])?;
    let new = new.limited_to(&chosen, CatalogueConcern::Held);
    new.say();
    let outcome = new.outcome();
    let before = timeline_of(&old.inventory, bounds, &chosen, None);
    let after = timeline_of(&new.manifests.inventory, bounds, &chosen, Some(&before));
    let is_chosen = |name: &str| chosen.is_empty() || chosen.contains(name);
    let plans = new.manifests.inventory.plan_edits(&old.inventory, bounds.from, is_chosen);
    let differences = Differences { plans, ..Differences::between(&before, &after) };
    let refused: Vec<&Finding> = new.findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
    let text = match arguments.output {
        TimelineFormat::Json => {
            let json = difference::json(&differences, &refused, bounds);
            format!("{}\n", serde_json::to_string_pretty(&json)?)
        }
        TimelineFormat::Table | TimelineFormat::Ics => difference::markdown(&differences, &refused, bounds, anchor),
    };
    print(&text).map_err(|error| CommandFailure::System { action: "standard output", error })?;
    Ok(outcome)
}

impl TimelineArguments {
    /// The organizations that are looked at; empty: all.
    fn chosen(&self, inventories: &[&Inventory]) -> Result<BTreeSet<String>, CommandFailure> {
        let mut directory: BTreeMap<&str, Listing> = BTreeMap::new();
        for inventory in inventories {
            directory.extend(inventory.directory().listings().iter().map(|listing| (listing.name, *listing)));
        }
        let directory = Directory::new(directory.into_values());
        self.organization.iter().map(|called| organization(&directory, called).map(str::to_owned)).collect()
    }
}

/// What comes after `old`, if that is given.
fn timeline_of(inventory: &Inventory, bounds: &Bounds, chosen: &BTreeSet<String>, old: Option<&Timeline>) -> Timeline {
    let is_chosen = |name: &str| chosen.is_empty() || chosen.contains(name);
    let mut progress = Progress::on_terminal("evaluations made");
    let mut watch = |done| progress.count(done);
    match old {
        Some(old) => inventory.timeline_after(old, bounds, is_chosen, &mut watch),
        None => inventory.timeline_watched(bounds, is_chosen, &mut watch),
    }
}
