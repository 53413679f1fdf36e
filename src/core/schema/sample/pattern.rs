//! A text along a pattern: of each part the simplest text that it matches.
//!
//! This module does not know whether the whole text then matches, because it passes over assertions (`^`, `\b`). Its caller
//! checks that.

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

/// Bytes that such a text may have.
const MAX_BYTES: usize = 16 * 1024;
/// Levels of a pattern that are followed.
const MAX_NESTING: u32 = 100;
/// Characters that are taken first, where they are allowed.
const PREFERRED: &str = "a0b1c2A.-_/: @";

/// Which of the texts.
#[derive(Clone, Copy)]
pub(super) struct TextVariant {
    /// How often parts that may be repeated are repeated beyond what they must, all of them together.
    pub(super) spare: usize,
    /// Whether parts that may be left out are there.
    pub(super) optional: bool,
    /// Which of alternatives is taken.
    pub(super) choice: usize,
}

/// A text along the pattern; nothing if it is written as no other engine reads it, or too long.
pub(super) fn along(pattern: &str, course: TextVariant) -> Option<String> {
    let hir = regex_syntax::ParserBuilder::new().nest_limit(MAX_NESTING).build().parse(pattern).ok()?;
    let mut walk = TextWalk { course, text: String::new() };
    walk.part(&hir)?;
    Some(walk.text)
}

struct TextWalk {
    course: TextVariant,
    text: String,
}

impl TextWalk {
    fn part(&mut self, hir: &Hir) -> Option<()> {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => Some(()),
            HirKind::Literal(literal) => {
                self.text.push_str(std::str::from_utf8(&literal.0).ok()?);
                (self.text.len() <= MAX_BYTES).then_some(())
            }
            HirKind::Class(class) => {
                self.text.push(self.character(class)?);
                (self.text.len() <= MAX_BYTES).then_some(())
            }
            HirKind::Repetition(repetition) => self.repeated(repetition),
            HirKind::Capture(capture) => self.part(&capture.sub),
            HirKind::Concat(parts) => parts.iter().try_for_each(|part| self.part(part)),
            HirKind::Alternation(parts) => self.part(parts.get(self.course.choice % parts.len().max(1))?),
        }
    }

    fn repeated(&mut self, repetition: &Repetition) -> Option<()> {
        let most = repetition.max.unwrap_or(u32::MAX);
        let usual = if self.course.optional { repetition.min.max(1).min(most) } else { repetition.min };
        let room = usize::try_from(most - usual).unwrap_or(usize::MAX);
        let more = self.course.spare.min(room);
        self.course.spare -= more;
        let count = usize::try_from(usual).ok()? + more;
        // Of parts that match nothing there could be any number.
        if count > MAX_BYTES {
            return None;
        }
        (0..count).try_for_each(|_| self.part(&repetition.sub))
    }

    fn character(&self, class: &Class) -> Option<char> {
        let mut preferred = PREFERRED.chars().cycle().skip(self.course.choice).take(PREFERRED.len());
        match class {
            Class::Unicode(class) => {
                let has = |wanted: char| class.iter().any(|range| (range.start()..=range.end()).contains(&wanted));
                preferred.find(|wanted| has(*wanted)).or_else(|| Some(class.iter().next()?.start()))
            }
            Class::Bytes(class) => class.iter().next().map(|range| char::from(range.start())),
        }
    }
}
