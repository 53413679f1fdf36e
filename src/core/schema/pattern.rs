//! How much work a pattern is, counted before any of it is done.
//!
//! The length of a pattern does not show what it takes to compile: `(?i)` looks up each letter of a class, and counted
//! repetitions are written out. So its parts are counted first, and a whole schema may have only so many of them.

use std::collections::HashMap;

use jsonschema::PatternCache;
use jsonschema_regex::{Search, search_form, to_rust_regex};
use regex_syntax::ast::{self, Ast, ClassSet, ClassSetItem, Flag, parse::Parser};
use regex_syntax::hir::{Class, Hir, HirKind, translate::Translator};
use regex_syntax::utf8::Utf8Sequences;

use super::phrase;

/// Patterns in one schema, each counted once.
const MAX_PATTERNS: usize = 256;
/// Bytes of one pattern.
const MAX_BYTES: usize = 1024;
/// Bytes of all patterns that are read; a pattern is read again for each `\c` in it.
const MAX_READ: u64 = 128 * 1024;
/// Letters of classes under `(?i)`, in all patterns.
const MAX_FOLDED: u64 = 4_000_000;
/// Steps of all patterns, repetitions written out.
const MAX_STEPS: u64 = 64 * 1024;
/// Ranges that a class such as `\pL` comes to, at most.
const UNICODE_RANGES: u64 = 1_000;
/// All characters that there are.
const ALL_CHARACTERS: u64 = 0x11_0000;

/// Why a pattern cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is no regular expression.
    Unreadable,
    /// It cannot be matched in linear time.
    LooksAround,
    /// Its own text is too long.
    TooLong,
    /// It is too large by itself.
    TooLarge,
    /// There are too many patterns.
    TooMany,
    /// Together with the patterns before it, it is too much to read.
    TooMuchText,
    /// Together with the patterns before it, it has too many letters under `(?i)`.
    TooManyLetters,
    /// Together with the patterns before it, it has too many steps.
    TooManySteps,
}

impl Fault {
    /// What is wrong with the pattern and what to do.
    pub(super) fn message(self, pattern: &str) -> String {
        let shown = phrase::shorten(pattern);
        match self {
            Self::Unreadable => format!("the pattern `{shown}` is not a regular expression; correct it"),
            Self::LooksAround => format!(
                "the pattern `{shown}` uses look-around or a back-reference, which cannot be matched in linear time; \
                 write it without"
            ),
            Self::TooLong => {
                format!(
                    "the pattern `{shown}` has {} bytes, at most {MAX_BYTES} are allowed; shorten it",
                    pattern.len()
                )
            }
            Self::TooLarge => format!(
                "the pattern `{shown}` is too large once its counted repetitions are written out; lower the counts, or \
                 state the length by maxLength"
            ),
            Self::TooMany => {
                format!("the pattern `{shown}` is one more than the {MAX_PATTERNS} of one schema; split it")
            }
            Self::TooMuchText => format!(
                "with the pattern `{shown}`, those of the schema come to more than {MAX_READ} bytes; shorten them, or split \
                 the schema"
            ),
            Self::TooManyLetters => format!(
                "with the pattern `{shown}`, those of the schema have more than {MAX_FOLDED} letters in classes under (?i); \
                 name fewer letters, or write both cases out"
            ),
            Self::TooManySteps => format!(
                "with the pattern `{shown}`, those of the schema come to more than {MAX_STEPS} steps once their counted \
                 repetitions are written out; lower the counts, or state lengths by maxLength"
            ),
        }
    }
}

/// The patterns of one schema.
#[derive(Debug, Default)]
pub(super) struct SchemaPatterns {
    weights: HashMap<String, Result<u64, Fault>>,
    read: u64,
    folded: u64,
    steps: u64,
    /// What is compiled of them.
    pub(super) compiled: PatternCache,
}

impl SchemaPatterns {
    /// Counts a pattern with those before it.
    pub(super) fn add(&mut self, pattern: &str) -> Result<(), Fault> {
        if let Some(known) = self.weights.get(pattern) {
            return known.map(|_| ());
        }
        let weight = self.weigh(pattern);
        self.weights.insert(pattern.to_owned(), weight);
        weight.map(|_| ())
    }

    /// Roughly the states that its automaton has. Those of patterns that were not counted are not known.
    pub(super) fn weight(&self, pattern: &str) -> u64 {
        self.weights.get(pattern).copied().and_then(Result::ok).unwrap_or(0)
    }

    /// The weight of the heaviest.
    pub(super) fn heaviest(&self) -> u64 {
        self.weights.values().filter_map(|weight| weight.ok()).max().unwrap_or(0)
    }

    fn weigh(&mut self, pattern: &str) -> Result<u64, Fault> {
        if self.weights.len() >= MAX_PATTERNS {
            return Err(Fault::TooMany);
        }
        if pattern.len() > MAX_BYTES {
            return Err(Fault::TooLong);
        }
        let readings = 1 + pattern.matches("\\c").count();
        self.read = within(self.read, (pattern.len() * readings) as u64, MAX_READ).ok_or(Fault::TooMuchText)?;
        let translated = to_rust_regex(pattern).map_err(|()| refers_back(pattern))?;
        let ast = Parser::new().parse(&translated).map_err(|error| unreadable(&error))?;
        self.folded = within(self.folded, letters(&ast), MAX_FOLDED).ok_or(Fault::TooManyLetters)?;
        let steps = steps_of(pattern, &translated, &ast)?;
        if steps > MAX_STEPS {
            return Err(Fault::TooLarge);
        }
        self.steps = within(self.steps, steps, MAX_STEPS).ok_or(Fault::TooManySteps)?;
        Ok(steps)
    }
}

fn within(spent: u64, more: u64, limit: u64) -> Option<u64> {
    spent.checked_add(more).filter(|sum| *sum <= limit)
}

/// References to groups by name have a syntax of their own.
fn refers_back(pattern: &str) -> Fault {
    if pattern.contains("\\k<") { Fault::LooksAround } else { Fault::Unreadable }
}

fn unreadable(error: &ast::Error) -> Fault {
    match error.kind() {
        ast::ErrorKind::UnsupportedLookAround | ast::ErrorKind::UnsupportedBackreference => Fault::LooksAround,
        _ => Fault::Unreadable,
    }
}

/// The steps of what is compiled for a pattern: the validator counts the letters of `^X{m,n}$`, and takes counts at the
/// edges for their minimum.
fn steps_of(pattern: &str, translated: &str, ast: &Ast) -> Result<u64, Fault> {
    let whole = || Translator::new().translate(translated, ast).map_err(|_| Fault::Unreadable);
    match search_form(pattern, translated) {
        Some(Search::RepeatedClass(_)) => Ok(1),
        Some(Search::Collapsed(collapsed)) => {
            let hir = regex_syntax::parse(&collapsed).map_err(|_| Fault::Unreadable)?;
            Ok(steps(&hir))
        }
        None => Ok(steps(&whole()?)),
    }
}

/// Steps of a pattern with its repetitions written out: roughly the states of its automaton.
fn steps(hir: &Hir) -> u64 {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(Class::Bytes(_)) => 1,
        HirKind::Literal(literal) => literal.0.len() as u64,
        HirKind::Class(Class::Unicode(class)) => {
            let ranges = class.ranges().iter();
            // One state tells all ASCII characters apart.
            let beyond = ranges.filter(|range| !range.end().is_ascii());
            1 + beyond.map(|range| Utf8Sequences::new(range.start(), range.end()).count() as u64).sum::<u64>()
        }
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min.saturating_add(1)).max(1);
            steps(&repetition.sub).saturating_mul(u64::from(times)).saturating_add(1)
        }
        HirKind::Capture(capture) => steps(&capture.sub).saturating_add(1),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().fold(1, |sum: u64, part| sum.saturating_add(steps(part)))
        }
    }
}

/// Letters that have to be looked up for `(?i)`, and ranges of classes. If it is set anywhere, it counts everywhere.
fn letters(ast: &Ast) -> u64 {
    let mut counter = Classes::default();
    // It meets no error of its own.
    let _ = ast::visit(ast, &mut counter);
    let folded = if counter.ignores_case { counter.letters } else { 0 };
    folded.saturating_add(counter.ranges)
}

#[derive(Default)]
struct Classes {
    ignores_case: bool,
    letters: u64,
    ranges: u64,
}

impl Classes {
    fn flags(&mut self, flags: &ast::Flags) {
        self.ignores_case |= flags.flag_state(Flag::CaseInsensitive) == Some(true);
    }

    fn unicode(&mut self) {
        self.letters = self.letters.saturating_add(ALL_CHARACTERS);
        self.ranges = self.ranges.saturating_add(UNICODE_RANGES);
    }
}

impl ast::Visitor for &mut Classes {
    type Output = ();
    type Err = std::convert::Infallible;

    fn finish(self) -> Result<(), Self::Err> {
        Ok(())
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Self::Err> {
        match ast {
            Ast::Flags(set) => self.flags(&set.flags),
            Ast::Group(group) => {
                if let Some(flags) = group.flags() {
                    self.flags(flags);
                }
            }
            Ast::ClassUnicode(_) => self.unicode(),
            Ast::ClassBracketed(class) => {
                // Behind a class that is an operation, both sides are looked up once more.
                if let ClassSet::BinaryOp(_) = class.kind {
                    self.unicode();
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), Self::Err> {
        match item {
            ClassSetItem::Range(range) => {
                let length = u64::from(u32::from(range.end.c)).saturating_sub(u64::from(u32::from(range.start.c)));
                self.letters = self.letters.saturating_add(length);
                self.ranges = self.ranges.saturating_add(1);
            }
            // What is negated has been looked up before that, and is looked up once more as a part of what it is in.
            ClassSetItem::Unicode(_) | ClassSetItem::Bracketed(_) => self.unicode(),
            ClassSetItem::Perl(class) if class.negated => self.unicode(),
            ClassSetItem::Ascii(class) if class.negated => self.unicode(),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, SchemaPatterns};
    use rstest::rstest;

    fn counted(pattern: &str) -> (u64, u64) {
        let mut patterns = SchemaPatterns::default();
        patterns.add(pattern).unwrap();
        (patterns.folded, patterns.steps)
    }

    #[rstest]
    #[case::a_text("^abc$", 0, 6)]
    #[case::a_class("^[a-z]+$", 1, 6)]
    #[case::a_name("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", 6, 70)]
    #[case::only_letters_are_counted("^[a-z]{1,2000}$", 1, 1)]
    #[case::an_edge_is_its_minimum("a{3,2000}", 0, 4)]
    #[case::repetitions_are_written_out("^(a{3}b){5}c$", 0, 40)]
    #[case::any_case("(?i)[a-z]", 26, 3)]
    #[case::any_case_of_everything("(?i)[!-\u{10ffff}]", 0x10_ffff - 0x21 + 1, 10)]
    fn work_is_counted(#[case] pattern: &str, #[case] folded: u64, #[case] steps: u64) {
        assert_eq!(counted(pattern), (folded, steps), "{pattern}");
    }

    #[rstest]
    #[case("[", Fault::Unreadable)]
    #[case("\\p{Nonsense}", Fault::Unreadable)]
    #[case("(?=a)", Fault::LooksAround)]
    #[case("(a)\\1", Fault::LooksAround)]
    #[case("(?<a>a)\\k<a>", Fault::LooksAround)]
    #[case("(?i)[!-\u{10ffff}](?i)[!-\u{10ffff}](?i)[!-\u{10ffff}](?i)[!-\u{10ffff}]", Fault::TooManyLetters)]
    #[case("(?i:\\pL\\pL\\pL\\pL)", Fault::TooManyLetters)]
    #[case("(a{1000}){1000}b", Fault::TooLarge)]
    #[case("((((a{1000}){1000}){1000}){1000}){1000}b", Fault::TooLarge)]
    fn what_is_too_much_is_refused(#[case] pattern: &str, #[case] fault: Fault) {
        assert_eq!(SchemaPatterns::default().add(pattern), Err(fault));
    }

    #[test]
    fn patterns_add_up() {
        let mut patterns = SchemaPatterns::default();
        for index in 0..3 {
            assert_eq!(patterns.add(&format!("(?i){index}[!-\u{10ffff}]")), Ok(()));
        }
        assert_eq!(patterns.add("(?i)3[!-\u{10ffff}]"), Err(Fault::TooManyLetters));
        assert_eq!(patterns.add("^a$"), Ok(()), "what is small still fits");
        assert_eq!(patterns.weight("^a$"), 4);
        assert_eq!(patterns.add("(?i)0[!-\u{10ffff}]"), Ok(()), "and what was counted is not counted again");
    }

    #[test]
    fn text_that_is_read_again_and_again_adds_up() {
        let mut patterns = SchemaPatterns::default();
        assert_eq!(patterns.add(&"\\cA".repeat(340)), Err(Fault::TooMuchText));
        assert_eq!(patterns.add(&"\\cA".repeat(50)), Ok(()));
    }
}
