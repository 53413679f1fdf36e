//! Text for people: lines that fit, and colours if a terminal shows them.

use super::terminal::{self, Palette, Tone};
use crate::core::excerpt::first_columns;
use unicode_width::UnicodeWidthStr;

/// The columns of a line where nothing says otherwise.
pub const COLUMNS: usize = 80;
/// On a narrower terminal words would be torn apart.
const FEWEST_COLUMNS: usize = 40;

/// Lines of text, broken so that they fit.
#[derive(Debug)]
pub struct Paper {
    palette: Palette,
    columns: usize,
    text: String,
}

impl Paper {
    /// Nothing yet, in lines of so many columns.
    #[must_use]
    pub fn new(palette: Palette, columns: usize) -> Self {
        Self { palette, columns: columns.max(FEWEST_COLUMNS), text: String::new() }
    }

    /// A line as it is, however long.
    pub fn raw_line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Its colours, or none.
    #[must_use]
    pub fn palette(&self) -> Palette {
        self.palette
    }

    /// An empty line.
    pub fn gap(&mut self) {
        self.text.push('\n');
    }

    /// A text that begins at a column; what does not fit goes on two columns to the right of it.
    pub fn paragraph(&mut self, indent: usize, tone: Option<Tone>, text: &str) {
        self.hanging(indent, indent + 2, tone, text);
    }

    /// A text that begins at one column and goes on at another.
    pub fn hanging(&mut self, indent: usize, further: usize, tone: Option<Tone>, text: &str) {
        for (index, line) in wrapped(text, self.room(indent), self.room(further)).iter().enumerate() {
            self.line(if index == 0 { indent } else { further }, tone, line);
        }
    }

    /// A text whose first spaces are kept, as those of a column of numbers.
    pub fn verbatim(&mut self, indent: usize, further: usize, text: &str) {
        let words = text.trim_start_matches(' ');
        let gap = text.len() - words.len();
        self.hanging(indent + gap, indent + further, None, words);
    }

    /// Long numbers may have a deep indent.
    fn room(&self, indent: usize) -> usize {
        self.columns.saturating_sub(indent).max(8)
    }

    fn line(&mut self, indent: usize, tone: Option<Tone>, line: &str) {
        self.text.extend(std::iter::repeat_n(' ', indent));
        match tone {
            Some(tone) => self.text.push_str(&self.palette.paint(tone, line)),
            None => self.text.push_str(line),
        }
        self.text.push('\n');
    }

    /// All of it.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }
}

/// A text on one line that cannot steer a terminal: a break is a space.
#[must_use]
pub fn on_one_line(text: &str) -> String {
    terminal::harmless(&text.replace(['\n', '\r', '\t'], " "))
}

/// Breaks a text between words, and a word that is too long within it.
#[must_use]
pub fn wrapped(text: &str, first: usize, further: usize) -> Vec<String> {
    let text = on_one_line(text);
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let mut rest = word;
        loop {
            let room = if lines.len() == 1 { first } else { further };
            let Some(line) = lines.last_mut() else { return lines };
            let used = line.width();
            let separator = usize::from(used > 0);
            if used + separator + rest.width() <= room {
                line.extend(std::iter::repeat_n(' ', separator));
                line.push_str(rest);
                break;
            }
            if used > 0 {
                lines.push(String::new());
                continue;
            }
            let head = first_columns(rest, room);
            line.push_str(head);
            rest = rest.get(head.len()..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
        }
    }
    lines
}

/// A text filled up with spaces to a width.
#[must_use]
pub fn padded(text: &str, width: usize) -> String {
    let spaces = width.saturating_sub(text.width());
    format!("{text}{}", " ".repeat(spaces))
}

/// The columns that a text takes.
#[must_use]
pub fn width(text: &str) -> usize {
    text.width()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words() {
        let mut paper = Paper::new(Palette::Plain, COLUMNS);
        paper.hanging(70, 72, Some(Tone::Good), "one two three four");
        let gap = |columns| " ".repeat(columns);
        assert_eq!(paper.into_text(), format!("{}one two\n{}three\n{}four\n", gap(70), gap(72), gap(72)));
    }

    #[test]
    fn a_word_that_is_too_long_is_broken_within() {
        assert_eq!(wrapped("aa bbbbbbb c", 3, 4), ["aa", "bbbb", "bbb", "c"]);
        assert_eq!(wrapped("全角文字", 4, 3), ["全角", "文", "字"]);
        assert_eq!(wrapped("文", 1, 1), ["文"]);
        assert_eq!(wrapped("", 5, 5), [""]);
    }

    #[test]
    fn it_is_broken_for_the_line_on_which_it_comes() {
        assert_eq!(wrapped("a bbbb c", 6, 3), ["a bbbb", "c"]);
        assert_eq!(wrapped("bbbb", 2, 4), ["bb", "bb"]);
        assert_eq!(wrapped("bbbb", 3, 2), ["bbb", "b"]);
        assert_eq!(wrapped("👩‍🚀👩‍🚀", 2, 2), ["👩‍🚀", "👩‍🚀"]);
    }

    #[test]
    fn styles_are_shown_around_each_line() {
        let mut paper = Paper::new(Palette::Colours, COLUMNS);
        paper.paragraph(2, Some(Tone::Strong), "a");
        paper.paragraph(0, None, "b");
        assert_eq!(paper.into_text(), "  \u{1b}[1ma\u{1b}[0m\nb\n");
    }

    #[test]
    fn a_text_cannot_drive_a_terminal() {
        assert_eq!(on_one_line("a\u{1b}[31mb\nc\u{202e}d\u{7f}"), "a\\u{1b}[31mb c\\u{202e}d\\u{7f}");
    }
}
