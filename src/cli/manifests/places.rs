//! Where a byte of a text stands: its line, and its column in characters.

use super::node::{Place, Span};

/// The places of a text.
pub struct Places<'a> {
    text: &'a str,
    /// The byte at which each line begins.
    lines: Vec<usize>,
}

impl<'a> Places<'a> {
    /// Goes through the text once.
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        let after_breaks = text.match_indices('\n').map(|(offset, _)| offset + 1);
        Self { text, lines: std::iter::once(0).chain(after_breaks).collect() }
    }

    /// Where a byte stands.
    #[must_use]
    pub fn place(&self, byte: usize) -> Place {
        let line = self.lines.partition_point(|begin| *begin <= byte);
        let begin = line.checked_sub(1).and_then(|index| self.lines.get(index)).copied().unwrap_or_default();
        Place { line: small(line), column: small(self.characters(begin, byte)).saturating_add(1) }
    }

    /// The piece from one byte to before another.
    #[must_use]
    pub fn span(&self, begin: usize, end: usize) -> Span {
        Span { begin: self.place(begin), end: self.place(end), length: small(self.characters(begin, end)) }
    }

    fn characters(&self, begin: usize, end: usize) -> usize {
        let end = end.min(self.text.len());
        self.text.get(begin..end).map_or_else(|| end.saturating_sub(begin), |part| part.chars().count())
    }
}

/// No text that is read is so long that the number would not do.
pub fn small<T: TryInto<u32>>(count: T) -> u32 {
    count.try_into().unwrap_or(u32::MAX)
}
