//! Limits on a template's source, checked on its tokens. The parser follows nesting and long chains of operators by recursion,
//! so its input decides how much stack it takes.

use minijinja::machinery::{Token, Tokenizer};

use super::environment::{NAME, syntax};
use super::error::{TemplateError, TemplateErrorKind, TemplateLocation};
use super::{MAX_EXPRESSION, MAX_NESTING, MAX_SOURCE};

/// Statements of Jinja that need other templates, or that this sandbox does without.
const UNAVAILABLE: [&str; 11] =
    ["autoescape", "block", "break", "call", "continue", "do", "extends", "from", "import", "include", "trans"];

/// How many steps an open bracket counts for: the parser descends through every kind of operator again.
const OPEN: usize = 16;

/// How many steps what was in brackets lies deeper than its own parts, once they are closed.
const CLOSED: usize = 4;

/// Refuses a source that is too long or too deep.
pub(super) fn check(source: &str) -> Result<(), TemplateError> {
    if source.len() > MAX_SOURCE {
        let message =
            format!("the template has {} bytes, {MAX_SOURCE} are allowed: split it over several items", source.len());
        return Err(TemplateError::new(TemplateErrorKind::TooLarge, None, message));
    }
    let mut tokenizer = Tokenizer::new(source, NAME, false, syntax());
    let mut scan = Scan::default();
    let mut near = None;
    loop {
        let next = tokenizer.next_token().map_err(|error| TemplateError::unreadable(&error, source, near))?;
        let Some((token, place)) = next else {
            return Ok(());
        };
        near = Some(TemplateLocation::start(place));
        scan.take(&token).map_err(|message| TemplateError::new(TemplateErrorKind::Syntax, near, message))?;
    }
}

#[derive(Default)]
struct Scan {
    /// The present expression as a whole.
    whole: Level,
    /// The brackets that are open in it.
    brackets: Vec<Level>,
    /// Tokens of the open levels: no part of the parsed expression can lie deeper.
    depth: usize,
    /// The open statements, each with how deep it is by itself: an `elif` lies within the `if` before it.
    statements: Vec<usize>,
    tag: Tag,
}

#[derive(Default)]
struct Level {
    run: usize,
    deepest: usize,
}

/// The statement that is being read.
#[derive(Default)]
enum Tag {
    #[default]
    None,
    Begun,
    Opens,
    Sets,
    Continues,
    Ends,
}

impl Scan {
    fn take(&mut self, token: &Token<'_>) -> Result<(), String> {
        match token {
            Token::VariableStart => self.begin(Tag::None),
            Token::BlockStart => self.begin(Tag::Begun),
            Token::TemplateData(_) | Token::VariableEnd => {}
            Token::BlockEnd => self.end_tag()?,
            Token::BracketOpen | Token::BraceOpen | Token::ParenOpen => {
                self.brackets.push(Level::default());
                self.depth += OPEN;
            }
            Token::BracketClose | Token::BraceClose | Token::ParenClose => self.close(),
            Token::Comma | Token::Colon => self.separate(),
            other => self.word(other)?,
        }
        if self.depth <= MAX_EXPRESSION {
            return Ok(());
        }
        Err(format!(
            "the expression is longer or deeper than {MAX_EXPRESSION} steps: set parts of it as variables before (`{{% set %}}`)"
        ))
    }

    fn begin(&mut self, tag: Tag) {
        self.whole = Level::default();
        self.brackets.clear();
        self.depth = 0;
        self.tag = tag;
    }

    fn word(&mut self, token: &Token<'_>) -> Result<(), String> {
        match (&self.tag, token) {
            (Tag::Begun, Token::Ident(keyword)) => self.tag = tag(keyword)?,
            (Tag::Sets, Token::Assign) => self.tag = Tag::None,
            _ => {}
        }
        self.add(1);
        Ok(())
    }

    fn innermost(&mut self) -> &mut Level {
        self.brackets.last_mut().unwrap_or(&mut self.whole)
    }

    fn add(&mut self, steps: usize) {
        let level = self.innermost();
        level.run += steps;
        level.deepest = level.deepest.max(level.run);
        self.depth += steps;
    }

    fn separate(&mut self) {
        self.depth -= std::mem::take(&mut self.innermost().run);
    }

    /// What follows a closing bracket goes around it, so its depth counts on.
    fn close(&mut self) {
        // One that was never opened is for the parser to refuse.
        let Some(level) = self.brackets.pop() else {
            return;
        };
        self.depth -= level.run + OPEN;
        self.add(level.deepest + CLOSED);
    }

    fn end_tag(&mut self) -> Result<(), String> {
        match std::mem::take(&mut self.tag) {
            Tag::Opens | Tag::Sets => self.statements.push(1),
            Tag::Continues => {
                if let Some(innermost) = self.statements.last_mut() {
                    *innermost += 1;
                }
            }
            Tag::Ends => {
                self.statements.pop();
            }
            Tag::None | Tag::Begun => {}
        }
        if self.statements.iter().sum::<usize>() <= MAX_NESTING {
            return Ok(());
        }
        Err(format!(
            "statements lie more than {MAX_NESTING} deep (each `elif` counts as one): use macros for inner parts"
        ))
    }
}

fn tag(keyword: &str) -> Result<Tag, String> {
    if UNAVAILABLE.contains(&keyword) {
        return Err(format!(
            "`{keyword}` is not available: a template stands alone, with if, for, set, with, filter, macro and raw"
        ));
    }
    Ok(match keyword {
        "if" | "for" | "with" | "filter" | "macro" => Tag::Opens,
        "set" => Tag::Sets,
        "elif" => Tag::Continues,
        _ if keyword.starts_with("end") => Tag::Ends,
        _ => Tag::None,
    })
}
