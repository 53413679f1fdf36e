//! From a text to its documents, as kubectl reads them.
//!
//! kubectl reads YAML 1.1: unquoted `yes`, `no`, `on`, `off`, `y` and `n` are booleans, and `0777` is octal. JSON documents
//! may follow each other without a separator.

use super::node::{Content, Node, Part, Place};
use serde::de::IgnoredAny;
use serde_saphyr::{MessageFormatter, UserMessageFormatter};
use std::thread;

/// Why a text cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Where, if that can be told.
    pub place: Option<Place>,
    /// What is wrong there.
    pub message: String,
}

/// The most documents in one text.
const MAX_DOCUMENTS: usize = 1_000_000;
/// The deepest nesting: what the JSON reader of the operator's client takes.
const MAX_DEPTH: usize = 127;
/// The stack of the thread that reads. Each level of nesting takes some of it.
const STACK_BYTES: usize = 32 * 1024 * 1024;
/// The most that aliases may stand for, in parts of documents: a text of some lines can ask for billions.
const MAX_REPLAYED: usize = 100_000;
/// More parts than a text of the greatest size can have.
const UNBOUNDED: usize = usize::MAX;

/// All documents of a text. Empty documents are left out.
///
/// # Errors
/// The first place where the text is neither YAML nor JSON, has a key twice, or asks for too much.
pub fn documents(text: &str) -> Result<Vec<Node>, Unreadable> {
    let failed = || Unreadable { place: None, message: "the reader of YAML failed on it".to_owned() };
    thread::scope(|scope| {
        let reader = thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, || read(text));
        reader.map_err(|_| failed()).and_then(|reader| reader.join().map_err(|_| failed())).and_then(|read| read)
    })
}

fn read(text: &str) -> Result<Vec<Node>, Unreadable> {
    let Some(parts) = json_documents(text) else { return yaml_documents(text) };
    let mut documents = Vec::with_capacity(parts.len());
    for (offset, part) in parts {
        let before = text.get(..offset).unwrap_or_default();
        let lines = u64::try_from(before.matches('\n').count()).unwrap_or(u64::MAX);
        let below = |mut error: Unreadable| {
            error.place = error.place.map(|place| Place { line: place.line + lines, ..place });
            error
        };
        for mut document in yaml_documents(part).map_err(below)? {
            document.visit(&mut |part| {
                let (place, begin) = match part {
                    Part::Value(node) => (&mut node.place, &mut node.offset),
                    Part::Key(key) => (&mut key.place, &mut key.offset),
                };
                place.line += lines;
                *begin += u64::try_from(offset).unwrap_or(u64::MAX);
            });
            documents.push(document);
        }
    }
    Ok(documents)
}

/// The byte offset and text of each of several JSON documents, where the text consists of such.
fn json_documents(text: &str) -> Option<Vec<(usize, &str)>> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let mut parts = Vec::new();
    let mut begin = 0;
    while let Some(document) = stream.next() {
        document.ok()?;
        let end = stream.byte_offset();
        parts.push((begin, text.get(begin..end)?));
        begin = end;
    }
    Some(parts).filter(|parts| parts.len() > 1)
}

fn yaml_documents(text: &str) -> Result<Vec<Node>, Unreadable> {
    let options = serde_saphyr::options! {
        legacy_octal_numbers: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_events: UNBOUNDED,
            max_nodes: UNBOUNDED,
            max_documents: MAX_DOCUMENTS,
            max_depth: MAX_DEPTH,
            max_total_scalar_bytes: UNBOUNDED,
            max_total_comment_bytes: UNBOUNDED,
            // One anchor that many aliases name is no attack: what they stand for is bounded below.
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_REPLAYED },
    };
    let read = serde_saphyr::from_multiple_with_options(text, options);
    let mut documents: Vec<Node> = read.map_err(|error| unreadable(&error))?;
    for document in &mut documents {
        document.visit(&mut |part| keep_odd_words(text, part));
    }
    Ok(documents)
}

/// kubectl knows `yes`, `Yes` and `YES`, but takes `yEs` for a text.
fn keep_odd_words(text: &str, part: Part) {
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

fn unreadable(error: &serde_saphyr::Error) -> Unreadable {
    let place = error.location().map(|location| Place { line: location.line(), column: location.column() });
    Unreadable { place, message: message(error.without_snippet()) }
}

fn message(error: &serde_saphyr::Error) -> String {
    match error {
        serde_saphyr::Error::AliasError { error, .. } => message(error),
        serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the field {key:?} is given twice: remove one of the two")
        }
        serde_saphyr::Error::AliasReplayLimitExceeded { .. } => {
            format!("its aliases (*name) stand for more than {MAX_REPLAYED} values: write fewer")
        }
        error => UserMessageFormatter.format_message(error).into_owned(),
    }
}

/// The letters that stand there.
fn word(text: &str, offset: u64) -> Option<&str> {
    let written = usize::try_from(offset).ok().and_then(|offset| text.get(offset..))?;
    let end = written.find(|character: char| !character.is_ascii_alphabetic()).unwrap_or(written.len());
    written.get(..end)
}

/// The word that a boolean is written as, if people rather take it for text.
#[must_use]
pub fn boolean_word(text: &str, offset: u64) -> Option<&str> {
    let words = ["y", "n", "yes", "no", "on", "off"];
    word(text, offset).filter(|word| words.iter().any(|known| known.eq_ignore_ascii_case(word)))
}
