//! All that an organization holds as one table.

use super::row::{Row, Stand};
use crate::{
    cli::{
        moment::{last_day, shown},
        terminal::{Palette, Tone},
        text::{Paper, cut, on_one_line, padded, width, wrapped},
    },
    core::calendar::{Instant, Tz},
    evaluation::explanation::Explanation,
};

/// Columns are that far apart where there is room.
const WIDE_GAP: usize = 3;
/// And that far where there is not.
const GAP: usize = 2;
/// Names and quantities are not cut shorter than this.
const LEAST: usize = 12;
/// Which columns are made narrower where there is no room, in this order, and to what width: a long name, the time after a date,
/// a long quantity, the last column so that it holds a date and a word.
const NARROWING: [(usize, usize); 7] = [(0, 24), (2, 11), (3, 11), (1, 20), (4, 18), (1, 15), (0, 16)];
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
pub struct Statement<'a> {
    /// Of whom.
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
pub fn table(statement: &Statement<'_>, room: Room, palette: Palette) -> String {
    let zone = statement.explanation.time_zone;
    let mut paper = Paper::new(palette, room.text);
    heading(&mut paper, statement.explanation, statement.now);
    let (held, over): (Vec<&Row>, Vec<&Row>) = statement.rows.iter().partition(|row| row.stand != Stand::Over);
    paper.gap();
    if statement.rows.is_empty() {
        paper.paragraph(0, Some(Tone::Bad), "It has no grant at all.");
    } else if held.is_empty() {
        paper.paragraph(0, Some(Tone::Bad), "It holds nothing now.");
    } else {
        let headings = ["ENTITLEMENT", "HAS", "SINCE", "CONTRACT TO", "NEXT"];
        let cells: Vec<[Cell; 5]> = held.iter().map(|row| cells(row, zone)).collect();
        columns(&mut paper, headings, &cells, (room.table, &NARROWING));
    }
    notes(&mut paper, &held, &statement.explanation.organization);
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

#[derive(Clone)]
struct Cell {
    text: String,
    tone: Option<Tone>,
}

fn cell(text: &str, tone: Option<Tone>) -> Cell {
    Cell { text: on_one_line(text), tone }
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

fn columns<const N: usize>(
    paper: &mut Paper,
    headings: [&str; N],
    rows: &[[Cell; N]],
    (room, narrowing): (Option<usize>, &[(usize, usize)]),
) {
    let titles = headings.map(|heading| cell(heading, None));
    let all = || std::iter::once(&titles).chain(rows);
    let widths = std::array::from_fn(|column| {
        all().filter_map(|row| row.get(column)).map(|cell| width(&cell.text)).max().unwrap_or(0)
    });
    let layout = Layout::of(widths, room, narrowing);
    let label = headings.last().map(|heading| heading.to_lowercase()).unwrap_or_default();
    for (index, row) in all().enumerate() {
        layout.row(paper, row, &label, index == 0);
    }
}

/// Where the cells of a table stand.
struct Layout<const N: usize> {
    widths: [usize; N],
    gap: usize,
    /// The last cell has a line of its own.
    is_stacked: bool,
}

impl<const N: usize> Layout<N> {
    /// What is too wide is made narrower, one column after the other; the last may take several lines.
    fn of(natural: [usize; N], room: Option<usize>, narrowing: &[(usize, usize)]) -> Self {
        let is_wide_enough = |widths: &[usize], gap: usize| {
            room.is_none_or(|room| widths.iter().sum::<usize>() + gap * (widths.len() - 1) <= room)
        };
        if is_wide_enough(&natural, WIDE_GAP) {
            return Self { widths: natural, gap: WIDE_GAP, is_stacked: false };
        }
        let room = room.unwrap_or(usize::MAX);
        let mut widths = natural;
        for (column, least) in narrowing {
            shrink(&mut widths, *column, *least, room.saturating_sub(GAP * (N - 1)));
        }
        if is_wide_enough(&widths, GAP) {
            return Self { widths, gap: GAP, is_stacked: false };
        }
        let mut widths = natural;
        if let Some(last) = widths.last_mut() {
            *last = 0;
        }
        for (column, least) in narrowing.iter().copied().chain([(0, LEAST), (1, LEAST)]) {
            shrink(&mut widths, column, least, room.saturating_sub(GAP * (N - 2)));
        }
        Self { widths, gap: GAP, is_stacked: true }
    }

    fn row(&self, paper: &mut Paper, row: &[Cell; N], label: &str, is_heading: bool) {
        let palette = paper.palette();
        let mut line = String::new();
        let (Some(last), Some(room)) = (row.last(), self.widths.last()) else { return };
        for (cell, width) in row.iter().zip(self.widths).take(N - 1) {
            line.push_str(&painted(palette, cell.tone, &padded(&cut(&cell.text, width), width)));
            line.extend(std::iter::repeat_n(' ', self.gap));
        }
        let before: usize = self.widths.iter().take(N - 1).map(|width| width + self.gap).sum();
        if self.is_stacked {
            paper.raw_line(line.trim_end());
            if !is_heading && last.text != "-" {
                paper.paragraph(2, last.tone, &format!("{label}: {}", last.text));
            }
            return;
        }
        for text in wrapped(&last.text, *room, *room) {
            line.push_str(&painted(palette, last.tone, &text));
            paper.raw_line(line.trim_end());
            line = " ".repeat(before);
        }
    }
}

fn painted(palette: Palette, tone: Option<Tone>, text: &str) -> String {
    tone.map_or_else(|| text.to_owned(), |tone| palette.paint(tone, text))
}

/// Makes a column narrower by what all are too wide, but not below its least width.
fn shrink(widths: &mut [usize], column: usize, least: usize, room: usize) {
    let excess = widths.iter().sum::<usize>().saturating_sub(room);
    if let Some(width) = widths.get_mut(column) {
        *width = (*width).min(least.max(width.saturating_sub(excess)));
    }
}

/// What is refused or undelivered, and what else has to be known.
fn notes(paper: &mut Paper, rows: &[&Row], organization: &str) {
    let mut notes: Vec<_> = rows.iter().flat_map(|row| &row.notes).collect();
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
