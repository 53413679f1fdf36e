//! A timeline as a table.

use super::words::lines;
use crate::{
    cli::{
        days::whose_days,
        moment::{relative, shown},
        text::{on_one_line, padded, width},
    },
    core::calendar::{Instant, Tz},
    offline::{Bounds, Departure, End, Limit, Timeline, When},
};

/// What relative times are told from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The present.
    Now(Instant),
    /// The first moment that was asked for.
    Start,
}

impl Anchor {
    fn heading(self) -> &'static str {
        match self {
            Self::Now(_) => "FROM NOW",
            Self::Start => "FROM START",
        }
    }

    fn relative(self, at: Instant, departure: &Departure) -> String {
        match self {
            Self::Start if departure.from == at => "at start".to_owned(),
            Self::Start => relative(at, departure.from, departure.zone),
            Self::Now(now) => relative(at, now, departure.zone),
        }
    }
}

/// The table, and a line about how far it goes.
pub fn table(timeline: &Timeline, bounds: &Bounds, anchor: Anchor, not_seen: &[String]) -> String {
    let mut rows: Vec<[String; 5]> = Vec::new();
    for step in &timeline.steps {
        let Some(departure) = timeline.departures.get(&step.organization) else { continue };
        let zone = departure.zone;
        let mut before: Option<[String; 4]> = None;
        for line in lines(step, zone) {
            let key = [
                shown(step.at, zone),
                anchor.relative(step.at, departure),
                step.organization.to_string(),
                line.definition.unwrap_or_default().to_owned(),
            ];
            let cells = match &before {
                Some(before) => without_repetition(before, &key),
                None => key.clone(),
            };
            let [when, from_now, organization, definition] = cells;
            rows.push([when, from_now, organization, definition, on_one_line(&line.text)]);
            before = Some(key);
        }
    }
    let mut text = if rows.is_empty() { String::new() } else { columns(&rows, anchor) };
    text.push_str(&footer(timeline));
    let clients = timeline.departures.iter().map(|(name, departure)| (&**name, departure.zone));
    if let Some(days) = whose_days(&[Some(bounds.from), bounds.to], clients) {
        text.push(' ');
        text.push_str(&days);
    }
    text.push('\n');
    for sentence in not_seen {
        text.extend(["Not seen: ", &on_one_line(sentence), ".\n"]);
    }
    text
}

/// What stands in the row above is not said again.
fn without_repetition(before: &[String; 4], key: &[String; 4]) -> [String; 4] {
    let mut cells = [const { String::new() }; 4];
    if before != key {
        cells[3].clone_from(&key[3]);
    }
    cells
}

fn columns(rows: &[[String; 5]], anchor: Anchor) -> String {
    let headings = ["WHEN", anchor.heading(), "ORGANIZATION", "ENTITLEMENT", "WHAT"].map(str::to_owned);
    let all = || std::iter::once(&headings).chain(rows);
    let widths: Vec<usize> = (0..4)
        .map(|column| all().map(|row| row.get(column).map_or(0, |cell| width(cell))).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in all() {
        for (cell, width) in row.iter().zip(&widths) {
            text.push_str(&padded(cell, width + 3));
        }
        text.push_str(row.last().map(String::as_str).unwrap_or_default());
        text.push('\n');
    }
    text
}

/// How far the timeline goes.
pub fn footer(timeline: &Timeline) -> String {
    let zone = single_zone(timeline);
    let nothing = if timeline.steps.is_empty() { "Nothing" } else { "Nothing else" };
    match timeline.end {
        End::Nothing => format!("{nothing} changes by time alone."),
        End::Asked(to) => format!("{nothing} changes by time alone up to {}.", up_to(to, zone)),
        End::TooMuch(at, limit) => format!(
            "This is not all: what happens from {} on is left out, as it is too much. Ask for {}.",
            shown(at, zone),
            advice(limit, timeline.departures.len())
        ),
    }
}

/// The last moment that was looked at.
pub fn up_to(to: When, zone: Tz) -> String {
    to.day().map_or_else(|| shown(to.last(zone), zone), |day| format!("the end of {day}"))
}

/// What gives more.
fn advice(limit: Limit, organizations: usize) -> String {
    let one = (organizations > 1).then_some("one --organization");
    let more = (limit == Limit::Steps).then_some("more with --limit");
    let all: Vec<&str> = [one, Some("what is before --to TIME"), more].into_iter().flatten().collect();
    match all.as_slice() {
        [rest @ .., last] if rest.len() > 1 => format!("{}, or for {last}", rest.join(", for ")),
        [one, last] => format!("{one}, or for {last}"),
        all => all.concat(),
    }
}

/// The time zone of all organizations, if they share one.
fn single_zone(timeline: &Timeline) -> Tz {
    let mut zones = timeline.departures.values().map(|departure| departure.zone);
    let first = zones.next().unwrap_or(Tz::UTC);
    if zones.all(|zone| zone == first) { first } else { Tz::UTC }
}
