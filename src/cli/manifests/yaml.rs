//! YAML as kubectl reads it.
//!
//! kubectl's reader is a port of libyaml, and so is ours. Words, numbers, and merge keys are made from its events in the same
//! way as in kubectl. If kubectl would read something that people do not expect, the text is refused.

use super::{
    node::{Content, Field, FieldKey, Node, TextSpan, TextStyle},
    places::{Places, small},
    scalar,
    text::{MAX_DEPTH, MAX_REPLAYED, MAX_VALUES, UnreadableText, too_deep},
};
use libyaml_safer::{Encoding, Error, Event, EventData, Mark, Parser, ScalarStyle};
use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
    panic::{self, AssertUnwindSafe},
    sync::Once,
};

const LEFT_OUT: &str = "kubectl leaves out what follows here: write --- in the line before it";

/// The documents of a text. Empty ones are left out.
///
/// # Errors
/// The first place where kubectl could not read it, or would read something else than stands there; or where it has a key twice,
/// or asks for too much.
pub fn read(text: &str) -> Result<Vec<Node>, YamlProblem> {
    let places = Places::of(text);
    // kubectl, too, ends the last line where nobody else has.
    let ended = (!text.ends_with('\n')).then(|| format!("{text}\n"));
    let mut bytes = ended.as_deref().unwrap_or(text).as_bytes();
    let mut parser = Parser::new();
    parser.set_encoding(Encoding::Utf8);
    parser.set_input_string(&mut bytes);
    let mut builder = TreeBuilder::new(text, &places);
    loop {
        let event = next(&mut parser).ok_or_else(|| stuck(&places, builder.end))?.map_err(|error| {
            match grammar(&error, &places) {
                problem if builder.has_ended => {
                    YamlProblem::Meant(UnreadableText { message: LEFT_OUT.to_owned(), ..problem })
                }
                problem => YamlProblem::Grammar(problem),
            }
        })?;
        let is_last = matches!(event.data, EventData::StreamEnd);
        builder.take(event).map_err(YamlProblem::Meant)?;
        if is_last {
            return Ok(builder.documents);
        }
    }
}

/// Why YAML cannot be read.
pub enum YamlProblem {
    /// It is no YAML to kubectl; perhaps another reader says better why.
    Grammar(UnreadableText),
    /// It is, but is refused for what it means.
    Meant(UnreadableText),
}

fn grammar(error: &Error, places: &Places) -> UnreadableText {
    let span = error.problem_mark().map(|mark| places.span(byte(mark), byte(mark) + 1));
    let context = error.context().map(|context| format!(" {context}")).unwrap_or_default();
    UnreadableText { span, message: format!("kubectl cannot read this: {}{context}", error.problem()) }
}

thread_local! {
    static IS_READING: Cell<bool> = const { Cell::new(false) };
}
static QUIET: Once = Once::new();

/// The next event. None if the library panics instead of refusing a text (as at `[!,`); nobody is to hear of that.
fn next(parser: &mut Parser<&mut &[u8]>) -> Option<Result<Event, Error>> {
    QUIET.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_READING.get() {
                usual(info);
            }
        }));
    });
    IS_READING.set(true);
    let event = panic::catch_unwind(AssertUnwindSafe(|| parser.parse()));
    IS_READING.set(false);
    event.ok()
}

fn stuck(places: &Places, end: usize) -> YamlProblem {
    let message = "what follows here cannot be read: write it in another way, such as without tags (!)";
    YamlProblem::Meant(unreadable(places.span(end, end + 1), message))
}

/// A container that has begun.
struct Open {
    span: TextSpan,
    offset: u32,
    anchor: Option<String>,
    /// How many values there were before it.
    count: usize,
    content: Opened,
}

enum Opened {
    List(Vec<Node>),
    Fields(OpenMapping),
}

#[derive(Default)]
struct OpenMapping {
    entries: Vec<(MappingKey, Node)>,
    next: Option<MappingKey>,
}

/// What stands before the colon.
enum MappingKey {
    Field(FieldKey),
    /// `<<`, which takes over the fields of others.
    Merge(TextSpan),
}

/// What an alias may stand for.
struct Anchored {
    node: Node,
    count: usize,
}

struct TreeBuilder<'a> {
    text: &'a str,
    places: &'a Places<'a>,
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<String, Anchored>,
    /// How many values there are.
    count: usize,
    /// How many of them stand for others.
    replayed: usize,
    /// Where the last event ended.
    end: usize,
    /// A document of this text has ended: kubectl reads none behind it.
    has_ended: bool,
}

/// A value, with what may have to be known of it as the name of a field.
struct Scalar {
    node: Node,
    /// The text of a number or a word.
    written: Option<String>,
}

impl<'a> TreeBuilder<'a> {
    fn new(text: &'a str, places: &'a Places<'a>) -> Self {
        Self {
            text,
            places,
            documents: Vec::new(),
            open: Vec::new(),
            anchors: HashMap::new(),
            count: 0,
            replayed: 0,
            end: 0,
            has_ended: false,
        }
    }

    fn take(&mut self, event: Event) -> Result<(), UnreadableText> {
        let (begin, end) = (byte(event.start_mark), byte(event.end_mark));
        self.end = end;
        let (span, offset) = (self.places.span(begin, end), small(begin));
        match event.data {
            EventData::StreamStart { .. } | EventData::StreamEnd => Ok(()),
            EventData::DocumentStart { version_directive, tag_directives, .. } => {
                if version_directive.is_some() || !tag_directives.is_empty() {
                    let message = "kubectl reads no directives (the lines that begin with %): remove them";
                    return Err(unreadable(span, message));
                }
                if self.has_ended {
                    return Err(unreadable(span, LEFT_OUT));
                }
                self.anchors.clear();
                Ok(())
            }
            EventData::DocumentEnd { .. } => {
                self.has_ended = true;
                Ok(())
            }
            EventData::Alias { anchor } => self.alias(&anchor, span),
            EventData::Scalar { anchor, tag, value, plain_implicit, style, .. } => {
                if style == ScalarStyle::DoubleQuoted
                    && has_escaped_slash(self.text.get(begin..end).unwrap_or_default())
                {
                    return Err(unreadable(span, "kubectl does not know \\/ within quotes: write / alone"));
                }
                let is_plain = tag.is_none() && plain_implicit && style == ScalarStyle::Plain;
                let has_properties = anchor.is_some() || tag.is_some();
                let (span, offset) = match has_properties {
                    true => self.without_properties(begin, end),
                    false => (span, offset),
                };
                let content = match &tag {
                    Some(tag) => scalar::tagged(tag, &value),
                    None if is_plain => scalar::plain(&value),
                    None => Some(Content::Text(value.clone())),
                };
                let content = content.ok_or_else(|| unfit(span, tag.as_deref(), &value))?;
                let written = is_plain.then_some(value);
                let style = written_as(style, span);
                let scalar = Scalar { node: Node { span, offset, style, content }, written };
                self.count(1, span)?;
                self.anchor(anchor, &scalar.node, 1);
                self.put(scalar)
            }
            EventData::SequenceStart { anchor, .. } => self.begin(span, offset, anchor, Opened::List(Vec::new())),
            EventData::MappingStart { anchor, .. } => {
                self.begin(span, offset, anchor, Opened::Fields(OpenMapping::default()))
            }
            EventData::SequenceEnd | EventData::MappingEnd => self.end(),
        }
    }

    /// Where a scalar stands behind its anchor and its tag.
    fn without_properties(&self, begin: usize, end: usize) -> (TextSpan, u32) {
        let mut written = self.text.get(begin..end).unwrap_or_default();
        while written.starts_with(['&', '!']) {
            let after = written.find(char::is_whitespace).and_then(|blank| written.get(blank..)).unwrap_or_default();
            written = after.trim_start();
        }
        let begin = end - written.len().min(end);
        (self.places.span(begin, end), small(begin))
    }

    fn count(&mut self, more: usize, span: TextSpan) -> Result<(), UnreadableText> {
        self.count += more;
        if self.count > MAX_VALUES {
            return Err(unreadable(span, &format!("it has more than {MAX_VALUES} values: split it")));
        }
        Ok(())
    }

    fn anchor(&mut self, name: Option<String>, node: &Node, count: usize) {
        if let Some(name) = name {
            self.anchors.insert(name, Anchored { node: node.clone(), count });
        }
    }

    fn alias(&mut self, name: &str, span: TextSpan) -> Result<(), UnreadableText> {
        let Some(anchored) = self.anchors.get(name) else {
            return Err(unreadable(span, &format!("there is no &{name} before it that *{name} could stand for")));
        };
        self.replayed += anchored.count;
        if self.replayed > MAX_REPLAYED {
            let message = format!("its aliases (*name) stand for more than {MAX_REPLAYED} values: write fewer");
            return Err(unreadable(span, &message));
        }
        let node = Node { span, style: TextStyle::Plain, ..anchored.node.clone() };
        let count = anchored.count;
        self.count(count, span)?;
        self.put(Scalar { node, written: None })
    }

    fn begin(
        &mut self,
        span: TextSpan,
        offset: u32,
        anchor: Option<String>,
        content: Opened,
    ) -> Result<(), UnreadableText> {
        if self.open.len() >= MAX_DEPTH {
            return Err(unreadable(span, &too_deep()));
        }
        if self.awaits_name() {
            return Err(no_name(span));
        }
        let before = self.count;
        self.count(1, span)?;
        self.open.push(Open { span, offset, anchor, count: before, content });
        Ok(())
    }

    fn awaits_name(&self) -> bool {
        matches!(self.open.last(), Some(Open { content: Opened::Fields(OpenMapping { next: None, .. }), .. }))
    }

    fn end(&mut self) -> Result<(), UnreadableText> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let content = match open.content {
            Opened::List(items) => Content::List(items),
            Opened::Fields(fields) => Content::Fields(merged(fields.entries)?),
        };
        let node = Node { span: open.span, offset: open.offset, style: TextStyle::Other, content };
        self.anchor(open.anchor, &node, self.count - open.count);
        self.put(Scalar { node, written: None })
    }

    fn put(&mut self, scalar: Scalar) -> Result<(), UnreadableText> {
        let is_name = self.awaits_name();
        let Scalar { node, written } = scalar;
        match self.open.last_mut().map(|open| &mut open.content) {
            // Empty documents are none.
            None if matches!(node.content, Content::Null) => {}
            None => self.documents.push(node),
            Some(Opened::List(items)) => items.push(node),
            Some(Opened::Fields(fields)) if is_name => {
                fields.next = Some(match written.as_deref() {
                    Some("<<") => MappingKey::Merge(node.span),
                    written => MappingKey::Field(name(node, written)?),
                });
            }
            Some(Opened::Fields(fields)) => {
                let Some(name) = fields.next.take() else { return Ok(()) };
                fields.entries.push((name, node));
            }
        }
        Ok(())
    }
}

/// JSON and YAML 1.2 have the escape `\/`, which kubectl's reader does not know.
fn has_escaped_slash(written: &str) -> bool {
    let mut characters = written.chars();
    while let Some(character) = characters.next() {
        if character == '\\' && characters.next() == Some('/') {
            return true;
        }
    }
    false
}

fn written_as(style: ScalarStyle, span: TextSpan) -> TextStyle {
    match style {
        ScalarStyle::SingleQuoted => TextStyle::Single,
        ScalarStyle::DoubleQuoted => TextStyle::Double,
        ScalarStyle::Plain if span.begin.line == span.end.line => TextStyle::Plain,
        _ => TextStyle::Other,
    }
}

/// The library counts bytes.
fn byte(mark: Mark) -> usize {
    usize::try_from(mark.index).unwrap_or(usize::MAX)
}

fn unreadable(span: TextSpan, message: &str) -> UnreadableText {
    UnreadableText { span: Some(span), message: message.to_owned() }
}

fn no_name(span: TextSpan) -> UnreadableText {
    unreadable(span, "the name of a field must be a text: put it in quotes")
}

fn unfit(span: TextSpan, tag: Option<&str>, value: &str) -> UnreadableText {
    match tag {
        None => unreadable(span, &format!("{value} is a number that is not finite, which Kubernetes does not have")),
        Some(_) => unreadable(span, "the tag does not fit what it stands before: remove it"),
    }
}

/// Names that are booleans or numbers become text.
fn name(node: Node, written: Option<&str>) -> Result<FieldKey, UnreadableText> {
    let (name, is_boolean) = match node.content {
        Content::Text(name) => (name, false),
        Content::Boolean(boolean) => (boolean.to_string(), true),
        Content::Number(number) => {
            let name = written.and_then(|written| scalar::name_of_number(written, &number));
            (name.ok_or_else(|| no_name(node.span))?, false)
        }
        Content::Null | Content::List(_) | Content::Fields(_) => return Err(no_name(node.span)),
    };
    Ok(FieldKey { span: node.span, offset: node.offset, style: node.style, name, is_boolean })
}

/// The fields of an object, those among them that `<<` takes over from others.
///
/// To kubectl `<<` overwrites what stands before it, to all other readers never. So it is refused where that makes a difference.
fn merged(entries: Vec<(MappingKey, Node)>) -> Result<Vec<Field>, UnreadableText> {
    let mut fields: Vec<Field> = Vec::with_capacity(entries.len());
    let mut places: HashMap<String, (usize, bool)> = HashMap::new();
    for (named, value) in entries {
        match named {
            MappingKey::Field(key) => match places.insert(key.name.clone(), (fields.len(), false)) {
                None => fields.push(Field { key, value }),
                Some((index, true)) => {
                    places.insert(key.name.clone(), (index, false));
                    if let Some(field) = fields.get_mut(index) {
                        *field = Field { key, value };
                    }
                }
                Some((_, false)) => {
                    let message = format!("the field {:?} is given twice: remove one of the two", key.name);
                    return Err(unreadable(key.span, &message));
                }
            },
            MappingKey::Merge(span) => {
                for field in taken_over(&value, span)? {
                    if places.insert(field.key.name.clone(), (fields.len(), true)).is_some() {
                        let message = format!(
                            "to kubectl, << overwrites the field {:?} that stands before it: put << first",
                            field.key.name
                        );
                        return Err(unreadable(span, &message));
                    }
                    fields.push(field);
                }
            }
        }
    }
    Ok(fields)
}

/// The fields that `<<` takes over: of the first of a list where several have one.
fn taken_over(value: &Node, span: TextSpan) -> Result<Vec<Field>, UnreadableText> {
    let objects = match &value.content {
        Content::Fields(_) => std::slice::from_ref(value),
        Content::List(items) if items.iter().all(|item| matches!(item.content, Content::Fields(_))) => items.as_slice(),
        _ => {
            return Err(unreadable(span, "<< takes an object, or a list of objects: put it in quotes if it is a name"));
        }
    };
    let mut known = HashSet::new();
    let fields = objects.iter().flat_map(Node::fields);
    Ok(fields.filter(|field| known.insert(field.key.name.clone())).cloned().collect())
}
