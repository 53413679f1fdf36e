//! The names that a template uses, to say which of them does not exist.

use crate::core::excerpt::first_characters;
use std::ops::Range;

use minijinja::Value;

use super::{TemplateContext, error::Missing};

/// How many known names an error lists.
const LISTED: usize = 12;

/// A dotted name in the source, such as `facets.backup.schedule`.
#[derive(Debug)]
pub(super) struct NamePath {
    /// Its bytes in the source.
    pub(super) range: Range<usize>,
    /// Its parts.
    pub(super) parts: Vec<String>,
    /// Whether its first part is a name that the template itself sets.
    pub(super) local: bool,
}

impl NamePath {
    /// The known names where this one goes astray; nothing if the context has it.
    fn missing_in(&self, context: &TemplateContext) -> Option<String> {
        let mut holder = context.value().clone();
        for (index, part) in self.parts.iter().enumerate() {
            let next = holder.get_attr(part).unwrap_or_default();
            if next.is_undefined() {
                return Some(known(&self.parts[..index], &holder));
            }
            holder = next;
        }
        None
    }

    fn quoted(&self) -> String {
        format!("unknown name \"{}\"", self.parts.join("."))
    }
}

/// What does not exist.
pub(super) struct NameExplanation {
    /// Where it begins.
    pub(super) offset: usize,
    pub(super) message: String,
    pub(super) missing: Option<Missing>,
}

/// Where and which of the names within the failed expression does not exist, and which do.
pub(super) fn explain(
    names: &[NamePath],
    source: &str,
    failed: Range<usize>,
    context: &TemplateContext,
) -> NameExplanation {
    let within = || names.iter().filter(|name| name.range.start < failed.end && failed.start < name.range.end);
    let missing = within().filter(|name| !name.local).find_map(|name| Some((name, name.missing_in(context)?)));
    if let Some((name, known)) = missing {
        return NameExplanation {
            offset: name.range.start,
            message: format!("{}{known}", name.quoted()),
            missing: Some(Missing::Given(name.parts.clone())),
        };
    }
    if let Some(name) = within().find(|name| name.local) {
        return NameExplanation {
            offset: name.range.start,
            message: format!("{}{OPTIONAL}", name.quoted()),
            missing: Some(Missing::Own { has_parts: name.parts.len() > 1 }),
        };
    }
    let text = first_characters(source.get(failed.clone()).unwrap_or_default(), 80);
    NameExplanation {
        offset: failed.start,
        message: format!("`{}` has no value{OPTIONAL}", text.trim()),
        missing: None,
    }
}

const OPTIONAL: &str = "; if it may be absent, use `default`";

fn known(path: &[String], holder: &Value) -> String {
    let keys: Vec<String> =
        holder.try_iter().into_iter().flatten().take(LISTED + 1).map(|key| key.to_string()).collect();
    let shown = keys.iter().take(LISTED).map(|key| format!("\"{key}\"")).collect::<Vec<_>>().join(", ");
    let more = if keys.len() > LISTED { ", …" } else { "" };
    let place = if path.is_empty() { "a template has".to_owned() } else { format!("{} has", path.join(".")) };
    if holder.kind() != minijinja::value::ValueKind::Map || keys.is_empty() {
        return format!(": {place} no names in it{OPTIONAL}");
    }
    format!(": {place} {shown}{more}{OPTIONAL}")
}
