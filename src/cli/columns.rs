//! Tables for people, as wide as there is room.

use super::{
    terminal::{Palette, Tone},
    text::{Paper, on_one_line, padded, width, wrapped},
};
use crate::core::excerpt::within_columns;

/// Columns are that far apart where there is room.
const WIDE_GAP: usize = 3;
/// And that far where there is not.
const GAP: usize = 2;
/// Names and quantities are not cut shorter than this.
const LEAST: usize = 12;

/// What stands in a column of a row.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    tone: Option<Tone>,
}

/// A text in a tone.
#[must_use]
pub fn cell(text: &str, tone: Option<Tone>) -> Cell {
    Cell { text: on_one_line(text), tone }
}

/// Writes rows under headings. In a room, the columns are made narrower in the order of `narrowing`, each to its width there and
/// not below; the last column may take several lines, or each of its cells one of its own.
pub fn columns<const N: usize>(
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
            line.push_str(&painted(palette, cell.tone, &padded(&within_columns(&cell.text, width), width)));
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
