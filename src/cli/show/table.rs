//! A summary for people.

use super::{
    finding::SummaryPlace,
    moment,
    summary::{ReadEntry, ReadSummary},
};
use crate::{
    cli::{
        columns::{Cell, cell, columns},
        moment::{first_day, last_day},
        terminal::{Palette, Tone},
        text::{COLUMNS, Paper},
    },
    core::{
        calendar::{Instant, Tz},
        excerpt::within_columns,
    },
};
use serde_json::Value;

/// What is made narrower where there is no room: the dates, so that one stands on a line, a long quantity, a long name.
const NARROWING: [(usize, usize); 3] = [(2, 21), (1, 21), (0, 24)];
const NARROWING_WITH_NEXT: [(usize, usize); 5] = [(2, 21), (1, 21), (0, 24), (3, 16), (2, 11)];

/// A name for people is cut, so that the handle behind it, which programs check, can be seen.
const MOST_OF_NAME: usize = 32;

/// The summary as text; of one handle with its facets.
pub fn table(
    summary: &ReadSummary,
    place: Option<&SummaryPlace>,
    handle: Option<&str>,
    (now, zone): (Instant, Tz),
    room: Option<usize>,
    palette: Palette,
) -> String {
    let mut paper = Paper::new(palette, room.unwrap_or(COLUMNS));
    paper.paragraph(0, Some(Tone::Strong), &title(summary, place));
    paper.paragraph(0, Some(Tone::Quiet), &format!("days and times are those of {}", zone.name()));
    paper.gap();
    let is_asked_for = |name: &str| handle.is_none_or(|handle| handle == name);
    let shown: Vec<(&String, &ReadEntry)> =
        summary.entitlements.iter().filter(|(name, _)| is_asked_for(name)).collect();
    if shown.is_empty() {
        let nothing = match handle {
            Some(handle) => format!("{handle} is not held: there is no grant of it, or its grants are over."),
            None => "Nothing is held.".to_owned(),
        };
        paper.paragraph(0, Some(Tone::Bad), &nothing);
        return paper.into_text();
    }
    let rows = shown.iter().map(|(name, entry)| row(name, entry, zone));
    let next: Vec<String> = shown.iter().map(|(name, entry)| next(summary, name, entry, (now, zone))).collect();
    if next.iter().all(String::is_empty) {
        let rows: Vec<[Cell; 3]> = rows.collect();
        columns(&mut paper, ["ENTITLEMENT", "HAS", "UNTIL"], &rows, (room, &NARROWING));
    } else {
        let rows: Vec<[Cell; 4]> =
            rows.zip(&next).map(|([name, has, until], next)| [name, has, until, cell(next, None)]).collect();
        columns(&mut paper, ["ENTITLEMENT", "HAS", "UNTIL", "NEXT"], &rows, (room, &NARROWING_WITH_NEXT));
    }
    if let (Some(_), [(_, entry)]) = (handle, shown.as_slice()) {
        facets(&mut paper, entry);
    }
    paper.into_text()
}

fn title(summary: &ReadSummary, place: Option<&SummaryPlace>) -> String {
    let place = place.map_or_else(String::new, |place| format!(", by {place}"));
    format!("{}{place}", summary.organization)
}

fn row(handle: &str, entry: &ReadEntry, zone: Tz) -> [Cell; 3] {
    let name = if entry.display_name == handle {
        handle.to_owned()
    } else {
        format!("{} ({handle})", within_columns(&entry.display_name, MOST_OF_NAME))
    };
    let tone = if entry.entitled { Tone::Good } else { Tone::Bad };
    [cell(&name, None), cell(&has(entry, zone), Some(tone)), cell(&until(entry, zone), None)]
}

fn has(entry: &ReadEntry, zone: Tz) -> String {
    if !entry.entitled {
        let start = entry.valid_from.as_deref().and_then(moment);
        return start.map_or_else(|| "not now".to_owned(), |start| format!("from {}", first_day(start, zone)));
    }
    entry.amount.as_deref().map_or_else(|| "yes".to_owned(), |amount| quantity(amount, entry))
}

fn quantity(amount: &str, entry: &ReadEntry) -> String {
    format!("{} {}", amount.to_lowercase(), entry.unit.as_deref().unwrap_or_default())
}

/// What comes while it is held: UNTIL tells nothing of how much there is until then.
fn next(summary: &ReadSummary, handle: &str, entry: &ReadEntry, (now, zone): (Instant, Tz)) -> String {
    let coming = summary.coming(handle, now);
    coming.map_or_else(String::new, |coming| {
        format!("{} from {}", quantity(&coming.amount, entry), first_day(coming.at, zone))
    })
}

/// The end of the contract, and that of the delivery where this is later.
fn until(entry: &ReadEntry, zone: Tz) -> String {
    let day = |text: &Option<String>| text.as_deref().and_then(moment).map(|at| last_day(at, zone));
    let has_run = entry.valid_from.is_some();
    match (day(&entry.end), day(&entry.valid_until)) {
        (None, _) => "no end".to_owned(),
        (Some(end), Some(until)) if end != until => format!("{end}, delivered to {until}"),
        (Some(end), None) if has_run => format!("{end}, delivered for good"),
        (Some(end), _) => end,
    }
}

fn facets(paper: &mut Paper, entry: &ReadEntry) {
    let fields = entry.facets.iter().flat_map(|(facet, fields)| fields.iter().map(move |field| (facet, field)));
    let mut is_first = true;
    for (facet, (field, value)) in fields {
        if std::mem::take(&mut is_first) {
            paper.gap();
        }
        let value = value.as_str().map_or_else(|| Value::to_string(value), str::to_owned);
        paper.paragraph(0, None, &format!("{facet}.{field}: {value}"));
    }
}
