//! How much of a text is shown, or kept: so many characters, bytes, or columns of a terminal. And which characters are not shown
//! as they are.
//!
//! `first_…` keeps the beginning alone. `elided_after_…` has `…` behind it for what is left out. `within_…` has that, too, and
//! with it is no longer than what is given.

use std::borrow::Cow;
use unicode_width::UnicodeWidthStr;

const ELLIPSIS: char = '…';

/// The first characters.
#[must_use]
pub fn first_characters(text: &str, most: usize) -> &str {
    let end = text.char_indices().nth(most).map_or(text.len(), |(end, _)| end);
    text.get(..end).unwrap_or(text)
}

/// The first bytes, as far as they are whole characters.
#[must_use]
pub fn first_bytes(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

/// The first columns, of one character at least.
#[must_use]
pub fn first_columns(text: &str, most: usize) -> &str {
    let ends = text.char_indices().map(|(start, character)| start + character.len_utf8());
    let beginnings = ends.map_while(|end| text.get(..end));
    let fitting = beginnings.enumerate().take_while(|(index, beginning)| *index == 0 || beginning.width() <= most);
    fitting.last().map_or("", |(_, beginning)| beginning)
}

/// The first characters, and `…` where there are more.
pub fn elided_after_characters<'a>(text: impl Into<Cow<'a, str>>, most: usize) -> String {
    let text = text.into();
    let kept = first_characters(&text, most).len();
    elided(text, kept)
}

/// The first bytes, and `…` where there are more.
pub fn elided_after_bytes<'a>(text: impl Into<Cow<'a, str>>, most: usize) -> String {
    let text = text.into();
    let kept = first_bytes(&text, most).len();
    elided(text, kept)
}

/// At most so many characters.
pub fn within_characters<'a>(text: impl Into<Cow<'a, str>>, most: usize) -> String {
    let text = text.into();
    let fits = first_characters(&text, most).len() == text.len();
    let kept = if fits { text.len() } else { first_characters(&text, most.saturating_sub(1)).len() };
    elided(text, kept)
}

/// At most so many bytes.
pub fn within_bytes<'a>(text: impl Into<Cow<'a, str>>, most: usize) -> String {
    let text = text.into();
    let fits = text.len() <= most;
    let kept = if fits { text.len() } else { first_bytes(&text, most.saturating_sub(ELLIPSIS.len_utf8())).len() };
    elided(text, kept)
}

/// At most so many columns.
pub fn within_columns<'a>(text: impl Into<Cow<'a, str>>, most: usize) -> String {
    let text = text.into();
    if text.width() <= most {
        return text.into_owned();
    }
    let first = first_columns(&text, most.saturating_sub(1));
    let kept = if first.width() < most { first.len() } else { 0 };
    elided(text, kept)
}

/// Whether a character steers a terminal, or turns the direction of what follows (UAX #9), or is not seen: shown as it is, it
/// could make a text look like another (CVE-2021-42574).
#[must_use]
pub fn steers(character: char) -> bool {
    let is_control = character.is_control() && !matches!(character, '\t' | '\n');
    is_control
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

fn elided(text: Cow<str>, kept: usize) -> String {
    if kept == text.len() {
        return text.into_owned();
    }
    let mut text = match text {
        Cow::Borrowed(text) => text.get(..kept).unwrap_or(text).to_owned(),
        Cow::Owned(text) => text,
    };
    text.truncate(kept);
    text.push(ELLIPSIS);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn characters_are_counted_and_never_torn() {
        let texts = ["", "abc", "abcd", "äöüß"];
        assert_eq!(texts.map(|text| first_characters(text, 3)), ["", "abc", "abc", "äöü"]);
        assert_eq!(texts.map(|text| elided_after_characters(text, 3)), ["", "abc", "abc…", "äöü…"]);
        assert_eq!(texts.map(|text| within_characters(text, 3)), ["", "abc", "ab…", "äö…"]);
    }

    #[test]
    fn bytes_are_counted_and_end_with_a_character() {
        let texts = ["", "abcde", "abcdef", "aäöü"];
        assert_eq!(texts.map(|text| first_bytes(text, 4)), ["", "abcd", "abcd", "aä"]);
        assert_eq!(texts.map(|text| elided_after_bytes(text, 5)), ["", "abcde", "abcde…", "aäö…"]);
        assert_eq!(texts.map(|text| within_bytes(text, 5)), ["", "abcde", "ab…", "a…"]);
    }

    #[test]
    fn columns_are_those_of_a_terminal() {
        let texts = ["abc", "abcd", "全角文字", "e\u{301}e\u{301}e\u{301}e\u{301}"];
        assert_eq!(texts.map(|text| first_columns(text, 3)), ["abc", "abc", "全", "e\u{301}e\u{301}e\u{301}"]);
        assert_eq!(texts.map(|text| within_columns(text, 3)), ["abc", "ab…", "全…", "e\u{301}e\u{301}…"]);
        assert_eq!((first_columns("文", 1), within_columns("全角", 2)), ("文", "…".to_owned()));
    }

    proptest! {
        #[test]
        fn what_is_kept_is_the_beginning_and_no_longer_than_allowed(text in "[a-zäß全\u{301}🦀]{0,20}", most in 0_usize..24) {
            prop_assert_eq!(first_characters(&text, most), text.chars().take(most).collect::<String>());
            prop_assert!(within_characters(text.as_str(), most.max(1)).chars().count() <= most.max(1));
            prop_assert!(within_bytes(text.as_str(), most.max(3)).len() <= most.max(3));
            prop_assert!(within_columns(text.as_str(), most.max(1)).width() <= most.max(1));
            for (elided, first) in [
                (elided_after_characters(text.clone(), most), first_characters(&text, most)),
                (elided_after_bytes(text.clone(), most), first_bytes(&text, most)),
            ] {
                let ellipsis = if first.len() < text.len() { "…" } else { "" };
                prop_assert_eq!(elided, format!("{first}{ellipsis}"));
            }
        }
    }
}
