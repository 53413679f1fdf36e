//! The line of a manifest that a finding is about, and which lines are hidden.

use super::finding::{Excerpt, Finding};
use crate::cli::manifests::{Content, Manifests, Node};
use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
};

/// Lines of what was read. A line that may hold a secret value is none of them.
pub struct Excerpts<'a> {
    manifests: &'a Manifests,
    /// The names of all secret fields that the schemas know.
    secret_fields: BTreeSet<String>,
    /// Where the lines of each file begin, as far as that was asked for.
    beginnings: RefCell<HashMap<usize, Vec<usize>>>,
}

impl<'a> Excerpts<'a> {
    /// The lines of manifests.
    #[must_use]
    pub fn of(manifests: &'a Manifests) -> Self {
        let secret_fields = manifests.inventory.secret_fields();
        Self { manifests, secret_fields, beginnings: RefCell::default() }
    }

    /// The line that a finding is about.
    #[must_use]
    pub fn line(&self, finding: &Finding) -> Option<&'a str> {
        let line = finding.location.span?.begin.line;
        let may_show = match &finding.excerpt {
            Excerpt::Nothing => false,
            Excerpt::Line => true,
            Excerpt::LineOf(object) => self.may_show(object, line),
        };
        if !may_show {
            return None;
        }
        let text = self.manifests.sources.get(finding.location.source)?.text.as_str();
        let mut beginnings = self.beginnings.borrow_mut();
        let beginnings = beginnings.entry(finding.location.source).or_insert_with(|| line_beginnings(text));
        let index = usize::try_from(line).ok()?.checked_sub(1)?;
        let end = beginnings.get(index + 1).copied().unwrap_or(text.len());
        text.get(*beginnings.get(index)?..end).map(|line| line.trim_end_matches(['\n', '\r']))
    }

    /// Whether a line of an object has no secret value in it. Where the schemas are known, so are their secret fields; what
    /// is stated for a definition that is not there could be anything.
    fn may_show(&self, object: &Node, line: u32) -> bool {
        let Some(spec) = object.get("spec") else { return true };
        if names(object).any(|name| self.secret_fields.contains(name)) {
            return false;
        }
        // A value may stand there by mistake, in place of where it is to be read.
        if spec.get("secretFacets").into_iter().flat_map(values).any(|value| value.span.begin.line == line) {
            return false;
        }
        let definition = spec.get("definition").and_then(Node::text);
        let is_known = definition.is_none_or(|name| self.manifests.inventory.has_definition(name));
        let facets = spec.get("facets").into_iter().chain(amended_facets(spec));
        is_known || facets.flat_map(values).all(|value| value.span.begin.line != line)
    }
}

fn amended_facets(spec: &Node) -> impl Iterator<Item = &Node> {
    let amendments = match spec.get("amendments").map(|amendments| &amendments.content) {
        Some(Content::List(items)) => items.as_slice(),
        _ => &[],
    };
    amendments.iter().filter_map(|amendment| amendment.get("facets"))
}

/// All names of fields in a value.
fn names(node: &Node) -> impl Iterator<Item = &str> {
    values(node).into_iter().flat_map(Node::fields).map(|field| field.key.name.as_str())
}

/// A value, and all that is in it.
fn values(node: &Node) -> Vec<&Node> {
    let mut all = vec![node];
    let mut next = 0;
    while let Some(node) = all.get(next).copied() {
        next += 1;
        match &node.content {
            Content::List(items) => all.extend(items),
            Content::Fields(fields) => all.extend(fields.iter().map(|field| &field.value)),
            Content::Null | Content::Boolean(_) | Content::Number(_) | Content::Text(_) => {}
        }
    }
    all
}

fn line_beginnings(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(offset, _)| offset + 1)).collect()
}
