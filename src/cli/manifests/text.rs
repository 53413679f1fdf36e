//! From a text to its documents, as kubectl reads them.
//!
//! kubectl reads YAML 1.1: unquoted `yes`, `no`, `on`, `off`, `y` and `n` are booleans, and `0777` is octal. JSON documents
//! may follow each other without a separator.

use super::node::{Content, Node, Part, Place, Span, span};
use serde::de::IgnoredAny;
use serde_saphyr::{MessageFormatter, UserMessageFormatter, budget::BudgetBreach};

/// Why a text cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Where, if that can be told.
    pub span: Option<Span>,
    /// What is wrong there.
    pub message: String,
}

/// A part of a text that is read by itself, so that what is wrong in it harms nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// The part.
    pub text: &'a str,
    /// Lines of the whole text before it.
    lines: u32,
    /// Characters before it in its first line.
    columns: u32,
}

/// The most values in all manifests: what is in lists and objects, these among them.
pub const MAX_VALUES: usize = 1_000_000;
/// The deepest nesting: what the JSON reader of the operator's client takes.
pub const MAX_DEPTH: usize = 127;
/// The most that the aliases of a document may stand for: a text of some lines can ask for billions.
const MAX_REPLAYED: usize = 100_000;
/// More parts than a text of the greatest size can have.
const UNBOUNDED: usize = usize::MAX;

/// The parts of a text: where it can be told without reading it, one for each document.
#[must_use]
pub fn chunks(text: &str) -> Vec<Chunk<'_>> {
    let offsets = json_offsets(text).unwrap_or_else(|| yaml_offsets(text));
    let mut chunks = Vec::with_capacity(offsets.len());
    let (mut lines, mut line_start) = (0, 0);
    for (index, begin) in offsets.iter().enumerate() {
        let end = offsets.get(index + 1).copied().unwrap_or(text.len());
        let Some(part) = text.get(*begin..end) else { continue };
        let before = text.get(line_start..*begin).unwrap_or_default();
        chunks.push(Chunk { text: part, lines, columns: number(before.chars().count()) });
        lines += number(part.matches('\n').count());
        line_start = part.rfind('\n').map_or(line_start, |last| begin + last + 1);
    }
    chunks
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Where each of several JSON documents begins, where the text consists of such.
fn json_offsets(text: &str) -> Option<Vec<usize>> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let mut offsets = vec![0];
    while let Some(document) = stream.next() {
        document.ok()?;
        offsets.push(stream.byte_offset());
    }
    let is_end = |offset: &usize| text.get(*offset..).is_none_or(|rest| rest.trim().is_empty());
    while offsets.len() > 1 && offsets.last().is_some_and(is_end) {
        offsets.pop();
    }
    Some(offsets)
}

/// Where each document of a YAML stream begins: at the lines that begin with `---`, in which nothing else can lie. A
/// directive belongs to what follows it, so a text with one is not taken apart.
fn yaml_offsets(text: &str) -> Vec<usize> {
    if text.starts_with('%') || text.contains("\n%") {
        return vec![0];
    }
    let markers = text.match_indices("\n---").map(|(offset, _)| offset + 1);
    let is_marker = |offset: &usize| {
        let after = text.get(offset + 3..).and_then(|rest| rest.chars().next());
        after.is_none_or(char::is_whitespace)
    };
    std::iter::once(0).chain(markers.filter(is_marker)).collect()
}

/// The documents of a part. Empty ones are left out.
///
/// # Errors
/// The first place where it is neither YAML nor JSON, has a key twice, or asks for too much.
pub fn read(chunk: Chunk) -> Result<Vec<Node>, Unreadable> {
    let options = serde_saphyr::options! {
        legacy_octal_numbers: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_events: UNBOUNDED,
            max_nodes: MAX_VALUES,
            max_documents: MAX_VALUES,
            max_depth: MAX_DEPTH,
            max_total_scalar_bytes: UNBOUNDED,
            max_total_comment_bytes: UNBOUNDED,
            // One anchor that many aliases name is no attack: what they stand for is bounded below.
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_REPLAYED },
    };
    let read = serde_saphyr::from_multiple_with_options(chunk.text, options);
    let mut documents: Vec<Node> = read.map_err(|error| unreadable(&error, chunk))?;
    for document in &mut documents {
        document.visit(&mut |mut part| {
            keep_odd_words(chunk.text, &mut part);
            let span = match part {
                Part::Value(node) => &mut node.span,
                Part::Key(key) => &mut key.span,
            };
            span.begin = chunk.place(span.begin);
        });
    }
    Ok(documents)
}

impl Chunk<'_> {
    /// A place of the part, in the whole text.
    fn place(self, place: Place) -> Place {
        let columns = if place.line == 1 { self.columns } else { 0 };
        Place { line: place.line + self.lines, column: place.column + columns }
    }
}

/// kubectl knows `yes`, `Yes` and `YES`, but takes `yEs` for a text.
fn keep_odd_words(text: &str, part: &mut Part) {
    let odd = |offset| word(text, offset).filter(|word| !is_usual(word) && !word.is_empty());
    match part {
        Part::Value(node) => {
            if let (Content::Boolean(_), Some(word)) = (&node.content, odd(node.offset)) {
                node.content = Content::Text(word.to_owned());
            }
        }
        Part::Key(key) => {
            if let (true, Some(word)) = (key.is_boolean, odd(key.offset)) {
                word.clone_into(&mut key.name);
                key.is_boolean = false;
            }
        }
    }
}

/// All letters are small, or all are great, or the first one is.
fn is_usual(word: &str) -> bool {
    let is_great = |letter: char| letter.is_ascii_uppercase();
    let rest = word.get(1..).unwrap_or_default();
    !rest.contains(is_great) || word.chars().all(is_great)
}

fn unreadable(error: &serde_saphyr::Error, chunk: Chunk) -> Unreadable {
    let span = error.location().map(span).map(|span| Span { begin: chunk.place(span.begin), ..span });
    Unreadable { span, message: message(error.without_snippet()) }
}

fn message(error: &serde_saphyr::Error) -> String {
    match error {
        serde_saphyr::Error::AliasError { error, .. } => message(error),
        serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the field {key:?} is given twice: remove one of the two")
        }
        serde_saphyr::Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => too_deep(),
        serde_saphyr::Error::Budget { breach: BudgetBreach::Nodes { .. }, .. } => {
            format!("it has more than {MAX_VALUES} values: split it")
        }
        serde_saphyr::Error::AliasReplayLimitExceeded { .. } => {
            format!("its aliases (*name) stand for more than {MAX_REPLAYED} values: write fewer")
        }
        error => match UserMessageFormatter.format_message(error) {
            // So says the scanner, which has a limit of its own before any depth is counted.
            message if message == "recursion limit exceeded" => too_deep(),
            message => message.into_owned(),
        },
    }
}

fn too_deep() -> String {
    format!("it is nested more than {MAX_DEPTH} levels deep: nest less")
}

/// The letters that stand there.
fn word(text: &str, offset: u32) -> Option<&str> {
    let written = usize::try_from(offset).ok().and_then(|offset| text.get(offset..))?;
    let end = written.find(|character: char| !character.is_ascii_alphabetic()).unwrap_or(written.len());
    written.get(..end)
}

/// The word that a boolean is written as, if people rather take it for text.
#[must_use]
pub fn boolean_word(text: &str, offset: u32) -> Option<&str> {
    let words = ["y", "n", "yes", "no", "on", "off"];
    word(text, offset).filter(|word| words.iter().any(|known| known.eq_ignore_ascii_case(word)))
}
