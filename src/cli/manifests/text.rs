//! From a text to its documents, as kubectl reads them.
//!
//! A text of JSON documents, which may follow each other without a separator, is read as such. Any other text is YAML, cut at
//! the lines that begin with `---`.

use super::{
    json,
    node::{Node, TextPosition, TextSpan},
    places::small,
    yaml::{self, YamlProblem},
};
use serde::de::IgnoredAny;
use serde_saphyr::{MessageFormatter, UserMessageFormatter};

/// Why a text cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableText {
    /// Where, if that can be told.
    pub span: Option<TextSpan>,
    /// What is wrong there.
    pub message: String,
}

/// A part of a text that is read by itself, so that what is wrong in it harms nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// The part.
    pub text: &'a str,
    /// It is JSON.
    is_json: bool,
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
pub const MAX_REPLAYED: usize = 100_000;
/// What a line that parts documents begins with.
const SEPARATOR: &str = "---";

/// The parts of a text, one for each document.
#[must_use]
pub fn chunks(text: &str) -> Vec<Chunk<'_>> {
    let json = json_parts(text);
    let is_json = json.is_some();
    let parts = json.unwrap_or_else(|| yaml_parts(text));
    let mut chunks = Vec::with_capacity(parts.len());
    let (mut lines, mut counted, mut line_start) = (0, 0, 0);
    for (begin, end) in parts {
        let (Some(part), Some(between)) = (text.get(begin..end), text.get(counted..begin)) else { continue };
        lines += small(between.matches('\n').count());
        line_start = between.rfind('\n').map_or(line_start, |last| counted + last + 1);
        counted = begin;
        let before = text.get(line_start..begin).unwrap_or_default();
        chunks.push(Chunk { text: part, is_json, lines, columns: small(before.chars().count()) });
    }
    chunks
}

/// Where each of several JSON documents begins and ends, where the text consists of such.
fn json_parts(text: &str) -> Option<Vec<(usize, usize)>> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let mut parts = Vec::new();
    let mut begin = 0;
    while let Some(document) = stream.next() {
        document.ok()?;
        let end = stream.byte_offset();
        parts.push((begin, end));
        begin = end;
    }
    Some(parts)
}

/// Where each document of a YAML stream begins and ends: between the lines that kubectl cuts at, whatever they lie in.
fn yaml_parts(text: &str) -> Vec<(usize, usize)> {
    let mut parts = Vec::new();
    let (mut begin, mut offset) = (0, 0);
    for line in text.split_inclusive('\n') {
        if is_separator(line) {
            parts.push((begin, offset));
            begin = offset + line.len();
        }
        offset += line.len();
    }
    parts.push((begin, text.len()));
    parts
}

fn is_separator(line: &str) -> bool {
    let rest = line.strip_prefix(SEPARATOR).map(str::trim);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('#'))
}

/// The documents of a part. Empty ones are left out.
///
/// # Errors
/// The first place where it is neither YAML nor JSON, has a key twice, or asks for too much.
pub fn read(chunk: Chunk) -> Result<Vec<Node>, UnreadableText> {
    let read = if chunk.is_json { json::read(chunk.text).map(|node| vec![node]) } else { read_yaml(chunk.text) };
    let placed = |error: UnreadableText| UnreadableText { span: error.span.map(|span| chunk.span(span)), ..error };
    let mut documents = read.map_err(placed)?;
    for document in &mut documents {
        document.visit_spans(&mut |span| *span = chunk.span(*span));
    }
    Ok(documents)
}

fn read_yaml(text: &str) -> Result<Vec<Node>, UnreadableText> {
    if let Some((line, written)) = (1..).zip(text.lines()).find(|(_, line)| line.starts_with(SEPARATOR)) {
        let length = small(written.chars().count());
        let span = TextSpan {
            begin: TextPosition { line, column: 1 },
            end: TextPosition { line, column: length + 1 },
            length,
        };
        let message = "kubectl takes nothing but a comment behind ---: write what follows in the next line".to_owned();
        return Err(UnreadableText { span: Some(span), message });
    }
    yaml::read(text).map_err(|problem| match problem {
        YamlProblem::Meant(problem) => problem,
        // Its words are better, where both readers find something wrong.
        YamlProblem::Grammar(problem) => objection(text).unwrap_or(problem),
    })
}

impl Chunk<'_> {
    fn span(self, span: TextSpan) -> TextSpan {
        TextSpan { begin: self.place(span.begin), end: self.place(span.end), ..span }
    }

    /// A place of the part, in the whole text.
    fn place(self, place: TextPosition) -> TextPosition {
        let columns = if place.line == 1 { self.columns } else { 0 };
        TextPosition { line: place.line + self.lines, column: place.column + columns }
    }
}

/// What the reader of YAML 1.2 finds wrong.
fn objection(text: &str) -> Option<UnreadableText> {
    let options = serde_saphyr::options! { with_snippet: false };
    let read: Result<Vec<IgnoredAny>, _> = serde_saphyr::from_multiple_with_options(text, options);
    let error = read.err()?;
    let span = error.location().map(|location| {
        let begin = TextPosition { line: small(location.line()), column: small(location.column()) };
        let length = small(location.span().len());
        TextSpan { begin, end: TextPosition { column: begin.column + length, ..begin }, length }
    });
    Some(UnreadableText { span, message: message(error.without_snippet()) })
}

fn message(error: &serde_saphyr::Error) -> String {
    match UserMessageFormatter.format_message(error) {
        // So says the scanner, which has a limit of its own.
        message if message == "recursion limit exceeded" => too_deep(),
        message => message.into_owned(),
    }
}

/// Says that something is nested too deep.
#[must_use]
pub fn too_deep() -> String {
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
