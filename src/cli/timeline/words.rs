//! What happens, in words.

use crate::{
    api::{ASSIGNMENT_NAMESPACE, Phase, facet_fields::FacetFields},
    cli::moment::shown,
    core::{
        calendar::{Instant, Tz, parse_instant},
        facets::{each_value, joined},
        source::SourceId,
    },
    evaluation::object::{DEFINITION, ObjectKey},
    offline::{GrantChange, GrantState, HoldingState, ObjectAction, ObjectChange, TimelineStep},
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// More namespaces than this are counted.
const NAMED_NAMESPACES: usize = 3;

/// One line about a step: the definition that it is about, where it is about one, and what happens.
pub struct Line<'a> {
    /// The definition's name.
    pub definition: Option<&'a str>,
    /// What happens.
    pub text: String,
}

/// All that happens, definition by definition.
pub fn lines(step: &TimelineStep, zone: Tz) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    let of_grants = step.grants.iter().map(|change| &change.definition);
    let definitions: BTreeSet<_> = of_grants.chain(step.holdings.keys()).collect();
    for definition in definitions {
        let line = |text| Line { definition: Some(definition), text };
        let changes = step.grants.iter().filter(|change| change.definition == *definition);
        lines.extend(changes.flat_map(|change| grant(change, zone)).map(line));
        let holding = step.holdings.get(definition);
        lines.extend(holding.iter().flat_map(|(before, after)| held(before, after)).map(line));
    }
    lines.extend(objects(&step.objects));
    lines
}

/// What happens to a grant, a sentence for each.
fn grant(change: &GrantChange, zone: Tz) -> Vec<String> {
    let name = source_name(&change.grant.source);
    let mut sentences: Vec<String> =
        change.amendments.iter().map(|amendment| format!("{name}: amendment {amendment} takes effect")).collect();
    if change.is_transition() || change.before.reason != change.after.reason {
        let after = match (&change.after.phase, &change.renewed_by) {
            (Phase::Expired, Some(renewal)) => format!("Expired, renewed by {renewal}"),
            _ => standing(&change.after),
        };
        sentences.push(format!("{name}: {} → {after}", standing(&change.before)));
    }
    if change.before.start != change.after.start {
        let start = time(change.after.start, zone);
        sentences.push(format!("{name}: starts {start} instead of {}", time(change.before.start, zone)));
    }
    if change.before.end != change.after.end {
        let end = time(change.after.end, zone);
        sentences.push(format!("{name}: ends {end} instead of {}", time(change.before.end, zone)));
    }
    let notice =
        |end: &str| format!("{name}: notice: ends {}, and nothing renews it", time(parse_instant(end).ok(), zone));
    sentences.extend(change.notices.iter().map(|given| notice(&given.end)));
    sentences
}

fn standing(standing: &GrantState) -> String {
    match standing.reason {
        Some(reason) => format!("{} ({})", standing.phase.as_str(), reason.as_str()),
        None => standing.phase.as_str().to_owned(),
    }
}

fn time(at: Option<Instant>, zone: Tz) -> String {
    at.map_or_else(|| "never".to_owned(), |at| shown(at, zone))
}

/// A grant's name; with its namespace where that is not the usual one.
pub fn source_name(source: &SourceId) -> String {
    if &*source.namespace == ASSIGNMENT_NAMESPACE { source.name.to_string() } else { source.to_string() }
}

/// What is held before and after, a sentence for the amount and one for each value.
fn held(before: &HoldingState, after: &HoldingState) -> Vec<String> {
    let mut sentences = Vec::new();
    let (old, new) = (amount(before), amount(after));
    if old != new {
        sentences.push(format!("{old} → {new}"));
    }
    if before.entitled && after.entitled {
        let (old, new) = (values(&before.facets), values(&after.facets));
        let fields: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let changed = fields.into_iter().filter(|field| old.get(*field) != new.get(*field));
        let value =
            |values: &BTreeMap<String, Value>, field| values.get(field).map_or("nothing".to_owned(), Value::to_string);
        sentences.extend(changed.map(|field| format!("{field}: {} → {}", value(&old, field), value(&new, field))));
    }
    sentences
}

/// `250 seats`, `on`, `nothing`.
pub fn amount(held: &HoldingState) -> String {
    if held.is_untold {
        return "what cannot be told".to_owned();
    }
    match (held.entitled, &held.amount, &held.unit) {
        (false, ..) => "nothing".to_owned(),
        (true, Some(amount), Some(unit)) => format!("{amount} {unit}"),
        (true, Some(amount), None) => amount.clone(),
        (true, None, _) => "on".to_owned(),
    }
}

fn values(facets: &FacetFields) -> BTreeMap<String, Value> {
    let mut values = BTreeMap::new();
    for (facet, fields) in facets {
        each_value(fields, &mut |path, value| {
            values.insert(format!("{facet}.{}", joined(path)), value.clone());
        });
    }
    values
}

/// The objects, those of several namespaces in one line. The summary changes with everything, so it is told only where it
/// comes or goes.
fn objects(changes: &[ObjectChange]) -> Vec<Line<'_>> {
    let mut groups: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for change in changes.iter().filter(|change| change.grant.is_some() || change.action != ObjectAction::Changed) {
        let ObjectKey { kind, namespace, name } = &change.key;
        let definition = change.content.as_ref().and_then(|content| content.labels.get(DEFINITION));
        let key = (definition.map(String::as_str), change.action, kind.as_str(), &**name, change.content.is_some());
        groups.entry(key).or_default().push(namespace);
    }
    groups
        .into_iter()
        .map(|((definition, action, kind, name, is_known), namespaces)| {
            let sign = match action {
                ObjectAction::Delivered => '+',
                ObjectAction::Changed => '~',
                ObjectAction::Withdrawn | ObjectAction::Retained => '-',
            };
            let doubt = match (is_known, action) {
                (false, ObjectAction::Retained) => ": kept, as no longer in force, if it can be made",
                (false, _) => ", if it can be made",
                (true, ObjectAction::Retained) => ": kept, as no longer in force",
                (true, _) => "",
            };
            Line { definition, text: format!("{sign} {kind} {name} in {}{doubt}", list(&namespaces)) }
        })
        .collect()
}

/// Namespaces by name, or how many.
pub fn list(namespaces: &[&str]) -> String {
    if namespaces.len() > NAMED_NAMESPACES {
        return format!("{} namespaces", namespaces.len());
    }
    namespaces.join(", ")
}
