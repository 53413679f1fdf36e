//! Everything that an organization holds, as one table.

use super::{
    row::{Note, Row, Stand},
    subscriptions,
};
use crate::{
    cli::{
        columns::{Cell, cell, columns},
        moment::{last_day, shown},
        terminal::{Palette, Tone},
        text::Paper,
    },
    core::calendar::{Instant, Tz},
    evaluation::explanation::Explanation,
};

/// Which columns are made narrower where there is no room, in this order, and to what width: a long name, the time after a date,
/// a long quantity, the last column so that it holds a date and a word.
const NARROWING: [(usize, usize); 7] = [(0, 24), (2, 11), (3, 11), (1, 20), (4, 18), (1, 15), (0, 16)];
const NARROWING_METERED: [(usize, usize); 8] = [(0, 24), (3, 11), (4, 11), (1, 20), (5, 18), (2, 12), (1, 15), (0, 16)];
const NARROWING_SUBSCRIPTIONS: [(usize, usize); 4] = [(0, 24), (1, 16), (3, 11), (4, 18)];
const NARROWING_BEFORE: [(usize, usize); 4] = [(0, 24), (2, 11), (3, 24), (1, 15)];
/// More notes are counted.
const MOST_NOTES: usize = 20;
/// More definitions that are not held are counted.
const MOST_NOT_HELD: usize = 60;

/// A definition that an organization does not hold.
#[derive(Clone, Debug)]
pub struct NotHeld {
    /// Its name.
    pub definition: String,
    /// Until when it was held.
    pub until: Option<Instant>,
}

/// What the table tells.
pub struct ExplainedTable<'a> {
    /// Whose table it is.
    pub explanation: &'a Explanation,
    /// A row of each entitlement.
    pub rows: Vec<Row>,
    /// What it does not hold.
    pub not_held: Vec<NotHeld>,
    /// What could not be seen.
    pub not_seen: Vec<String>,
    /// The moment.
    pub now: Instant,
}

/// How wide the answer may be.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// A table; None: as wide as it is.
    pub table: Option<usize>,
    /// A text.
    pub text: usize,
}

/// The statement as text.
pub fn table(statement: &ExplainedTable<'_>, room: Room, palette: Palette) -> String {
    let zone = statement.explanation.time_zone;
    let mut paper = Paper::new(palette, room.text);
    heading(&mut paper, statement.explanation, statement.now);
    let (held, over): (Vec<&Row>, Vec<&Row>) = statement.rows.iter().partition(|row| row.stand != Stand::Over);
    paper.gap();
    let told = &statement.explanation.subscriptions;
    if statement.rows.is_empty() && told.is_empty() {
        paper.paragraph(0, Some(Tone::Bad), "It has no grant at all.");
    } else if held.is_empty() {
        paper.paragraph(0, Some(Tone::Bad), "It holds nothing now.");
    } else {
        holdings(&mut paper, &held, room, zone);
    }
    let subscribed: Vec<[Cell; 5]> = told.iter().map(|one| subscriptions::cells(one, zone)).collect();
    if !subscribed.is_empty() {
        paper.gap();
        columns(&mut paper, subscriptions::HEADINGS, &subscribed, (room.table, &NARROWING_SUBSCRIPTIONS));
    }
    let of_rows = held.iter().flat_map(|row| row.notes.iter().cloned());
    let of_subscriptions = told.iter().flat_map(|one| subscriptions::notes(one, zone));
    notes(&mut paper, of_rows.chain(of_subscriptions).collect(), &statement.explanation.organization);
    let before: Vec<[Cell; 4]> = held.iter().chain(&over).filter_map(|row| before(row, zone)).collect();
    if !before.is_empty() {
        paper.gap();
        columns(&mut paper, ["HAD BEFORE", "WHAT", "TO", "WHY"], &before, (room.table, &NARROWING_BEFORE));
    }
    if !statement.not_held.is_empty() {
        paper.gap();
        paper.paragraph(0, None, &not_held(&statement.not_held, zone));
    }
    not_seen(&mut paper, &statement.not_seen);
    paper.into_text()
}

/// What is held; where any of it is metered, with how it stands.
fn holdings(paper: &mut Paper, held: &[&Row], room: Room, zone: Tz) {
    if held.iter().all(|row| row.usage.is_none()) {
        let cells: Vec<[Cell; 5]> = held.iter().map(|row| cells(row, zone)).collect();
        return columns(
            paper,
            ["ENTITLEMENT", "HAS", "SINCE", "CONTRACT TO", "NEXT"],
            &cells,
            (room.table, &NARROWING),
        );
    }
    let metered = |row: &&Row| {
        let [entitlement, has, since, contract, next] = cells(row, zone);
        let tone = row.usage.as_ref().filter(|usage| !usage.is_allowed).map(|_| Tone::Bad);
        let usage = row.usage.as_ref().map_or("-", |usage| &usage.standing);
        [entitlement, has, cell(usage, tone), since, contract, next]
    };
    let cells: Vec<[Cell; 6]> = held.iter().map(metered).collect();
    let headings = ["ENTITLEMENT", "HAS", "USE", "SINCE", "CONTRACT TO", "NEXT"];
    columns(paper, headings, &cells, (room.table, &NARROWING_METERED));
}

/// Whose account it is, of when, and what is wrong with the whole.
pub fn heading(paper: &mut Paper, explanation: &Explanation, now: Instant) {
    let name = &explanation.organization;
    let zone = explanation.time_zone;
    let title = explanation.display_name.as_ref().map_or_else(|| name.clone(), |shown| format!("{shown} ({name})"));
    paper.paragraph(0, Some(Tone::Strong), &title);
    let at = shown(now, zone);
    paper.paragraph(0, Some(Tone::Quiet), &format!("at {at}; all times are those of {}", zone.name()));
    if explanation.suspended {
        paper.paragraph(0, Some(Tone::Bad), "The whole client is suspended: it gets nothing of what it holds.");
    }
    for problem in &explanation.problems {
        paper.paragraph(0, Some(Tone::Bad), &format!("Problem: {problem}."));
    }
}

/// What could not be seen, which is a part of the answer.
pub fn not_seen(paper: &mut Paper, not_seen: &[String]) {
    if not_seen.is_empty() {
        return;
    }
    paper.gap();
    paper.paragraph(0, Some(Tone::Warning), "Not seen:");
    for sentence in not_seen {
        paper.paragraph(2, None, sentence);
    }
}

fn cells(row: &Row, zone: Tz) -> [Cell; 5] {
    let mark = if row.is_in_trouble() { " !" } else { "" };
    let tone = if row.stand == Stand::Entitled { Tone::Good } else { Tone::Bad };
    [
        cell(&format!("{}{mark}", row.definition), row.is_in_trouble().then_some(Tone::Bad)),
        cell(&row.has, Some(tone)),
        cell(&row.since_day(zone), None),
        cell(&row.contract_to(zone), None),
        cell(&row.next, None),
    ]
}

fn before(row: &Row, zone: Tz) -> Option<[Cell; 4]> {
    let before = row.before.as_ref()?;
    let to = last_day(before.until, zone);
    Some([cell(&row.definition, None), cell(&before.had, None), cell(&to, None), cell(&before.why, None)])
}

/// What is refused or undelivered, and what else has to be known.
fn notes(paper: &mut Paper, mut notes: Vec<Note>, organization: &str) {
    notes.sort_by_key(|note| !note.is_trouble);
    if notes.is_empty() {
        return;
    }
    paper.gap();
    for note in notes.iter().take(MOST_NOTES) {
        let (mark, tone) = if note.is_trouble { ("! ", Some(Tone::Bad)) } else { ("", None) };
        paper.paragraph(0, tone, &format!("{mark}{}", note.text));
    }
    if notes.len() > MOST_NOTES {
        let more = format!("and {} more: see explain {organization} --all", notes.len() - MOST_NOTES);
        paper.paragraph(0, None, &more);
    }
}

fn not_held(not_held: &[NotHeld], zone: Tz) -> String {
    let one = |one: &NotHeld| match one.until {
        Some(until) => format!("{} (had it to {})", one.definition, last_day(until, zone)),
        None => one.definition.clone(),
    };
    let few: Vec<String> = not_held.iter().take(MOST_NOT_HELD).map(one).collect();
    let more = not_held.len() - few.len();
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!("not held: {}{more}", few.join(", "))
}
