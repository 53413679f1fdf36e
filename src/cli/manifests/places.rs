//! The place of a byte of a text: its line, and its column in characters.

use super::node::{TextPosition, TextSpan};

/// The places of a text.
pub struct Places<'a> {
    text: &'a str,
    /// The byte at which each line begins.
    lines: Vec<usize>,
    /// How many characters begin before each block of bytes: a line may be as long as a file.
    before: Vec<usize>,
}

/// Bytes of a block.
const BLOCK: usize = 64;

fn begins_character(byte: u8) -> bool {
    byte & 0b1100_0000 != 0b1000_0000
}

impl<'a> Places<'a> {
    /// Goes through the text once.
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        let after_breaks = text.match_indices('\n').map(|(offset, _)| offset + 1);
        let lines = std::iter::once(0).chain(after_breaks).collect();
        let blocks = text.as_bytes().chunks(BLOCK);
        let before = blocks.scan(0, |sum, block| {
            let before = *sum;
            *sum += block.iter().filter(|byte| begins_character(**byte)).count();
            Some(before)
        });
        Self { text, lines, before: before.collect() }
    }

    /// Where a byte stands.
    #[must_use]
    pub fn place(&self, byte: usize) -> TextPosition {
        let line = self.lines.partition_point(|begin| *begin <= byte);
        let begin = line.checked_sub(1).and_then(|index| self.lines.get(index)).copied().unwrap_or_default();
        TextPosition { line: small(line), column: small(self.characters(begin, byte)).saturating_add(1) }
    }

    /// The piece from one byte to before another.
    #[must_use]
    pub fn span(&self, begin: usize, end: usize) -> TextSpan {
        TextSpan { begin: self.place(begin), end: self.place(end), length: small(self.characters(begin, end)) }
    }

    fn characters(&self, begin: usize, end: usize) -> usize {
        self.characters_before(end).saturating_sub(self.characters_before(begin))
    }

    /// How many characters begin before a byte.
    fn characters_before(&self, byte: usize) -> usize {
        let byte = byte.min(self.text.len());
        let block = byte / BLOCK;
        let within = self.text.as_bytes().get(block * BLOCK..byte).unwrap_or_default();
        let before = self.before.get(block).copied();
        // Behind the last block there is nothing of which there would be a count.
        before.unwrap_or_else(|| self.text.chars().count())
            + within.iter().filter(|byte| begins_character(**byte)).count()
    }
}

/// No text that is read is so long that the number would not do.
pub fn small<T: TryInto<u32>>(count: T) -> u32 {
    count.try_into().unwrap_or(u32::MAX)
}
