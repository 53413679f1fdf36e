//! What happens, in words.

use crate::{
    api::{
        ASSIGNMENT_NAMESPACE, Phase, entitlement_subscription::EntryList, facet_fields::FacetFields, lifecycle::Notice,
    },
    cli::moment::shown,
    core::{
        calendar::{Instant, Tz, parse_instant},
        facets::{each_value, joined},
        source::{SourceId, SourceKind},
    },
    evaluation::object::{DEFINITION, ObjectKey},
    offline::{
        EntryInForce, GrantChange, GrantState, HoldingState, ObjectAction, ObjectChange, SubscriptionChange,
        TimelineStep, UseState,
    },
};
use rust_decimal::Decimal;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

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
    let subscriptions = step.subscriptions.iter().flat_map(|change| subscription(change, zone));
    let mut lines: Vec<Line<'_>> = subscriptions.map(|text| Line { definition: None, text }).collect();
    let of_grants = step.own_grants().map(|change| &change.definition);
    let definitions: BTreeSet<_> =
        of_grants.chain(step.holdings.keys()).chain(step.resets.keys()).chain(step.uses.keys()).collect();
    for definition in definitions {
        let line = |text| Line { definition: Some(definition), text };
        let changes = step.own_grants().filter(|change| change.definition == *definition);
        lines.extend(changes.flat_map(|change| grant(change, zone)).map(line));
        let holding = step.holdings.get(definition);
        lines.extend(holding.iter().flat_map(|(before, after)| held(before, after)).map(line));
        let reset = step.resets.get(definition);
        lines.extend(reset.map(|(before, after)| renewed(before, after)).map(line));
        lines.extend(step.uses.get(definition).map(counted).map(line));
    }
    lines.extend(objects(&step.objects));
    lines
}

/// That an allotment is new, with what was used of it.
fn renewed(before: &UseState, after: &UseState) -> String {
    if before.is_reported {
        return format!(
            "the allotment is new; reported by EntitlementUsage objects: {before} used → {after}; what services have counted by the \
             API stands in the operator's store: ask its API"
        );
    }
    format!("the allotment is new: {before} used → {after}{}", lapsed(before))
}

/// That a use counts that lay ahead, with all that is used then.
fn counted(now: &UseState) -> String {
    let by = if now.is_reported { ", by EntitlementUsage objects alone" } else { "" };
    format!("a use that is dated now counts from here on: {now} used{by}")
}

/// What of a period's allotment lapses at its end, where that can be told.
pub fn lapsed(before: &UseState) -> String {
    match before.carried {
        _ if before.is_reported => String::new(),
        nothing if nothing.is_zero() => String::new(),
        one if one == Decimal::ONE => "; 1 carried over lapses".to_owned(),
        some => format!("; {} carried over lapse", some.normalize()),
    }
}

/// What happens to a grant, a sentence for each.
fn grant(change: &GrantChange, zone: Tz) -> Vec<String> {
    let name = named(&change.grant.source);
    let mut sentences = amended(&name, &change.amendments);
    sentences.extend(change.approved_by.iter().map(|by| format!("{name}: {}", approved(by))));
    sentences.extend(moved(&name, &change.before, &change.after, change.renewed_by.as_deref(), zone));
    sentences.extend(noticed(&name, &change.notices, zone));
    sentences
}

/// A source by its name; what is no instance with its kind.
pub fn named(source: &SourceId) -> String {
    let name = source_name(source);
    if source.kind == SourceKind::Instance { name } else { format!("{} {name}", source.kind.field()) }
}

/// `approved by bob, carol`
pub fn approved(by: &[Arc<str>]) -> String {
    let names: Vec<&str> = by.iter().map(AsRef::as_ref).collect();
    if names.is_empty() {
        "approved, as it needs no approval".to_owned()
    } else {
        format!("approved by {}", names.join(", "))
    }
}

/// What happens to a subscription as a whole, a sentence for each.
fn subscription(change: &SubscriptionChange, zone: Tz) -> Vec<String> {
    let name = format!("subscription {}", source_name(&change.source));
    let mut sentences = amended(&name, &change.amendments);
    let (before, after) = (&change.before.standing, &change.after.standing);
    sentences.extend(moved(&name, before, after, change.renewed_by.as_deref(), zone));
    if change.before.plan != change.after.plan {
        sentences.push(format!("{name}: plan {} → {}", change.before.plan, change.after.plan));
    }
    sentences.extend(change.ended.iter().map(|entry| format!("{name}: {} ends", entry_name(entry))));
    sentences.extend(change.begun.iter().map(|entry| format!("{name}: {} begins", entry_name(entry))));
    sentences.extend(noticed(&name, &change.notices, zone));
    sentences
}

/// `add-on seats (extra-seats x 3)`, `addition fourk (4k-streaming)`, `removal no-sso (sso)`.
pub fn entry_name(entry: &EntryInForce) -> String {
    let times = entry.quantity.filter(|times| *times > 1).map(|times| format!(" x {times}")).unwrap_or_default();
    format!("{} {} ({}{times})", entry_word(entry.list), entry.name, entry.of)
}

/// What an entry of a list is, in a word.
fn entry_word(list: EntryList) -> &'static str {
    match list {
        EntryList::AddOns => "add-on",
        EntryList::Add => "addition",
        EntryList::Remove => "removal",
        EntryList::Configure => "configuration",
    }
}

fn amended(name: &str, amendments: &[String]) -> Vec<String> {
    amendments.iter().map(|amendment| format!("{name}: amendment {amendment} takes effect")).collect()
}

fn moved(name: &str, before: &GrantState, after: &GrantState, renewed_by: Option<&str>, zone: Tz) -> Vec<String> {
    let mut sentences = Vec::new();
    if before.phase != after.phase || before.reason != after.reason {
        let standing_after = match (&after.phase, renewed_by) {
            (Phase::Expired, Some(renewal)) => format!("Expired, renewed by {renewal}"),
            _ => standing(after),
        };
        sentences.push(format!("{name}: {} → {standing_after}", standing(before)));
    }
    // Until an override is approved, its start is but asked for.
    if before.start != after.start && before.phase != Phase::Requested {
        sentences.push(format!("{name}: starts {} instead of {}", time(after.start, zone), time(before.start, zone)));
    }
    if before.end != after.end {
        sentences.push(format!("{name}: ends {} instead of {}", time(after.end, zone), time(before.end, zone)));
    }
    sentences
}

fn noticed(name: &str, notices: &[Notice], zone: Tz) -> Vec<String> {
    let notice =
        |end: &str| format!("{name}: notice: ends {}, and nothing renews it", time(parse_instant(end).ok(), zone));
    notices.iter().map(|given| notice(&given.end)).collect()
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
