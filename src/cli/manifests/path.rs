//! The way from an object to a part of it.

use super::node::{Content, FieldKey, Node, TextSpan};
use crate::core::schema::wording::{push_field, push_item};
use std::fmt;

pub use crate::offline::Aim;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathStep {
    /// Into a field of an object.
    Field(String),
    /// Into an item of a list, from 0.
    Item(usize),
}

/// What to write where something else stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// What is replaced, quotes among it.
    pub span: TextSpan,
    /// By what, quotes among it.
    pub text: String,
}

/// The way from an object to a part of it. Shown as `spec.facets[0].name`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(Vec<PathStep>);

impl Path {
    /// The way along those fields.
    #[must_use]
    pub fn fields(names: &[&str]) -> Self {
        Self(names.iter().map(|name| PathStep::Field((*name).to_owned())).collect())
    }

    /// Goes one step further.
    pub fn push(&mut self, step: PathStep) {
        self.0.push(step);
    }

    /// Goes one step back.
    pub fn pop(&mut self) {
        self.0.pop();
    }

    /// Reads a JSON pointer (RFC 6901) into that object.
    #[must_use]
    pub fn of_pointer(pointer: &str, object: &Node) -> Self {
        let mut path = Self::default();
        let mut node = Some(object);
        for token in pointer.split('/').skip(1) {
            let name = token.replace("~1", "/").replace("~0", "~");
            let step = match (node.map(|node| &node.content), name.parse()) {
                (Some(Content::List(_)), Ok(index)) => PathStep::Item(index),
                _ => PathStep::Field(name),
            };
            node = node.and_then(|node| step.take(node));
            path.0.push(step);
        }
        path
    }

    /// Reads a way as CEL rules write it: `spec.facets[0].name`. Where a name has a dot in it, what the object has decides.
    #[must_use]
    pub fn of_rule(written: &str, object: &Node) -> Self {
        let mut path = Self::default();
        let mut node = Some(object);
        let mut rest = written.trim_start_matches('.');
        while !rest.is_empty() {
            let (step, length) = next_step(rest, node);
            rest = rest.get(length..).unwrap_or_default().trim_start_matches('.');
            node = node.and_then(|node| step.take(node));
            path.0.push(step);
        }
        path
    }

    /// Where that part of the object stands, or else the nearest of what it lies in. A value that fills no more than a line
    /// stands for itself; anything larger, and what is aimed at by its name, is where its name is.
    #[must_use]
    pub fn span(&self, object: &Node, aim: Aim) -> TextSpan {
        let mut span = object.span;
        let mut node = object;
        for (index, step) in self.0.iter().enumerate() {
            let Some(next) = step.take(node) else { return span };
            let name = step.name(node);
            let is_last = index + 1 == self.0.len();
            span = match name {
                Some(name) if is_last && aim == Aim::Value && is_on_line_of(next, name) => next.span,
                Some(name) => name,
                None => next.span,
            };
            node = next;
        }
        span
    }

    /// How a part of the object can be written otherwise: where that is written, and the text in its form.
    #[must_use]
    pub fn rewrite(&self, object: &Node, aim: Aim, text: &str) -> Option<Rewrite> {
        let (last, way) = self.0.split_last()?;
        let parent = way.iter().try_fold(object, |node, step| step.take(node))?;
        let (span, style) = match aim {
            Aim::Name => last.key(parent).map(|key| (key.span, key.style))?,
            Aim::Value => last.take(parent).filter(|node| node.text().is_some()).map(|node| (node.span, node.style))?,
        };
        Some(Rewrite { span, text: style.write(text)? })
    }

    /// That part of the object.
    #[must_use]
    pub fn find<'a>(&self, object: &'a Node) -> Option<&'a Node> {
        self.0.iter().try_fold(object, |node, step| step.take(node))
    }
}

/// Whether a value that is neither a list nor an object begins in the line of its name.
fn is_on_line_of(value: &Node, name: TextSpan) -> bool {
    let is_plain = matches!(value.content, Content::Boolean(_) | Content::Number(_) | Content::Text(_));
    is_plain && value.span.begin.line == name.begin.line
}

fn next_step(rest: &str, node: Option<&Node>) -> (PathStep, usize) {
    if let Some((index, _)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'))
        && let Ok(item) = index.parse()
    {
        return (PathStep::Item(item), index.len() + 2);
    }
    let ends = |after: &str| after.is_empty() || after.starts_with(['.', '[']);
    let names = node.iter().flat_map(|node| node.fields()).map(|field| field.key.name.as_str());
    let known = names.filter(|name| rest.strip_prefix(name).is_some_and(ends)).max_by_key(|name| name.len());
    let name = known.unwrap_or_else(|| rest.split(['.', '[']).next().unwrap_or(rest));
    // A name of no characters would not bring the reader on.
    (PathStep::Field(name.to_owned()), name.len().max(1))
}

impl PathStep {
    fn take<'a>(&self, node: &'a Node) -> Option<&'a Node> {
        match (self, &node.content) {
            (Self::Field(name), _) => node.get(name),
            (Self::Item(index), Content::List(items)) => items.get(*index),
            (Self::Item(_), _) => None,
        }
    }

    /// Where the name of the field stands.
    fn name(&self, node: &Node) -> Option<TextSpan> {
        self.key(node).map(|key| key.span)
    }

    fn key<'a>(&self, node: &'a Node) -> Option<&'a FieldKey> {
        let Self::Field(name) = self else { return None };
        node.fields().iter().find(|field| field.key.name == *name).map(|field| &field.key)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for step in &self.0 {
            match step {
                PathStep::Field(name) => push_field(&mut text, name),
                PathStep::Item(index) => push_item(&mut text, *index),
            }
        }
        formatter.write_str(text.strip_prefix('.').unwrap_or(&text))
    }
}
