//! How two timelines differ, as a comment on a pull request and as JSON.

use super::{
    json::{end, from},
    table::{Anchor, up_to},
    words::list,
};
use crate::{
    cli::{
        days::whose_days,
        diagnostics::{Finding, one},
        moment::shown,
        text::{on_one_line, padded, width},
    },
    core::calendar::{Bound, Instant, Tz, format_instant, format_local},
    evaluation::object::ObjectKey,
    offline::{Aspect, AspectState, Bounds, Difference, Differences, End, Limit, PlanEdit, PlanFate},
};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// More that is refused is counted.
const MOST_REFUSED: usize = 20;

/// The differences in Markdown, after what is refused of the new manifests.
pub fn markdown(differences: &Differences, refused: &[&Finding], bounds: &Bounds, anchor: Anchor) -> String {
    let mut text = refusals(refused);
    text.push_str(&plans(&differences.plans));
    if differences.all.is_empty() {
        let days = days(differences, bounds);
        text.extend([
            "Clients get the same as before",
            &reach(differences.end),
            ".",
            &days,
            "\n",
            &warning(differences.end),
        ]);
        return text;
    }
    for organization in names(differences) {
        let (zone, display_name) = differences.organizations.get(organization).cloned().unwrap_or((Tz::UTC, None));
        let of_organization = differences.all.iter().filter(|one| one.organization == *organization);
        let section = DifferenceSection {
            zone,
            anchor,
            end: differences.end,
            all: of_organization.collect(),
            style: DifferenceStyle::Markdown,
        };
        let title = display_name.map_or_else(String::new, |name| format!(" ({})", plain(&name)));
        text.extend(["### ", &plain(organization), &title, "\n\n"]);
        text.push_str(&section.table());
        text.push_str(&section.objects());
    }
    let days = days(differences, bounds);
    text.extend(["Nothing else that clients get changes", &reach(differences.end), ".", &days, "\n"]);
    text.push_str(&warning(differences.end));
    text
}

/// The differences of one organization for a terminal; empty where there are none.
pub fn text(differences: &Differences, anchor: Anchor, zone: Tz) -> String {
    if differences.all.is_empty() {
        return String::new();
    }
    let all = differences.all.iter().collect();
    let section = DifferenceSection { zone, anchor, end: differences.end, all, style: DifferenceStyle::Plain };
    [section.table(), section.objects(), warning(differences.end)].concat()
}

/// Who has an edited plan, and what becomes of each.
fn plans(edits: &[PlanEdit]) -> String {
    if edits.is_empty() {
        return String::new();
    }
    let lines = edits.iter().flat_map(|edit| {
        edit.holders.iter().map(|holder| {
            let (plan, subscription) = (code(&edit.plan), code(&holder.source.to_string()));
            format!("- {plan}, {} ({subscription}): {}\n", plain(&holder.organization), why(holder.fate))
        })
    });
    format!("### Edited plans\n\n{}\n", lines.collect::<String>())
}

fn why(fate: PlanFate) -> &'static str {
    match fate {
        PlanFate::Changed => "changes at once, as the plan's rollout is Everyone",
        PlanFate::AgreedAnew => "takes the edited plan, as its agreement is another one",
        PlanFate::Kept => "keeps the entitlements and amounts that were agreed, as the plan's rollout is Agreed",
        PlanFate::Unserved => "keeps what was agreed, as the plan is gone or invalid",
    }
}

fn plan(edit: &PlanEdit) -> Value {
    let holders: Vec<Value> = edit
        .holders
        .iter()
        .map(|holder| {
            json!({
                "organization": &*holder.organization,
                "subscription": holder.source.to_string(),
                "changes": matches!(holder.fate, PlanFate::Changed | PlanFate::AgreedAnew),
                "why": why(holder.fate),
            })
        })
        .collect();
    json!({ "plan": &*edit.plan, "rollout": edit.rollout, "holders": holders })
}

fn refusals(refused: &[&Finding]) -> String {
    if refused.is_empty() {
        return String::new();
    }
    let mut lines: Vec<String> = refused.iter().take(MOST_REFUSED).map(|finding| refusal(finding)).collect();
    let others = refused.len().saturating_sub(MOST_REFUSED);
    if others > 0 {
        lines.push(format!("- and {others} more\n"));
    }
    let lines = lines.concat();
    format!("### Refused\n\n{lines}\nWhat is refused is not applied. Without it, clients get this:\n\n")
}

fn refusal(finding: &Finding) -> String {
    let label = finding.label.as_ref().map_or_else(String::new, |label| code(&label.to_string()));
    let place = finding.location.to_string();
    let place = code(place.trim_end_matches([':', ' ']));
    format!("- {label} ({place}): {}: {}\n", plain(&finding.reason), plain(&finding.message))
}

fn names(differences: &Differences) -> Vec<&Arc<str>> {
    let mut names: Vec<&Arc<str>> = differences.all.iter().map(|one| &one.organization).collect();
    names.dedup();
    names
}

fn reach(end: End) -> String {
    match end {
        End::Nothing => String::new(),
        End::Asked(to) => format!(" until {}", up_to(to, Tz::UTC)),
        End::TooMuch(at, _) => format!(" until {}", shown(at, Tz::UTC)),
    }
}

/// Each moment is told with its zone; whose a day is has to be said where it is another moment for each.
fn days(differences: &Differences, bounds: &Bounds) -> String {
    let zones: BTreeSet<&str> = differences.organizations.values().map(|(zone, _)| zone.name()).collect();
    if zones.len() < 2 {
        return String::new();
    }
    let clients = differences.organizations.iter().map(|(name, (zone, _))| (&**name, *zone));
    let days = whose_days(&[Some(bounds.from), bounds.to], clients);
    days.map_or_else(String::new, |days| format!(" {}", plain(&days)))
}

fn warning(end: End) -> String {
    match end {
        End::TooMuch(_, limit) => {
            let greater = if limit == Limit::Steps { ", or a greater --limit" } else { "" };
            format!(
                "\nWhat happens later was not compared, as it is too much: compare with --to TIME, one --organization{greater}.\n"
            )
        }
        End::Nothing | End::Asked(_) => String::new(),
    }
}

/// How texts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DifferenceStyle {
    /// For a forge.
    Markdown,
    /// For a terminal.
    Plain,
}

impl DifferenceStyle {
    /// A text without any meaning to what shows it.
    fn plain(self, text: &str) -> String {
        if self == Self::Plain { on_one_line(text) } else { plain(text) }
    }

    /// A text as code.
    fn code(self, text: &str) -> String {
        if self == Self::Plain { on_one_line(text) } else { code(text) }
    }

    fn table(self, rows: &[[String; 5]]) -> String {
        let headings = ["entitlement", "from", "until", "before", "after"];
        if self == Self::Markdown {
            let row = |cells: &[String; 5]| format!("| {} |\n", cells.join(" | "));
            let rows: Vec<String> = rows.iter().map(row).collect();
            return format!("| {} |\n|---|---|---|---|---|\n{}\n", headings.join(" | "), rows.concat());
        }
        let headings = headings.map(str::to_uppercase);
        let all = || std::iter::once(&headings).chain(rows);
        let widths: Vec<usize> = (0..5)
            .map(|column| all().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0))
            .collect();
        let line = |row: &[String; 5]| {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| padded(cell, *width)).collect();
            format!("{}\n", cells.join("   ").trim_end())
        };
        all().map(line).collect()
    }
}

/// The differences of one organization.
struct DifferenceSection<'a> {
    zone: Tz,
    anchor: Anchor,
    end: End,
    all: Vec<&'a Difference>,
    style: DifferenceStyle,
}

impl DifferenceSection<'_> {
    fn table(&self) -> String {
        let rows: Vec<[String; 5]> = self.all.iter().filter_map(|difference| self.row(difference)).collect();
        if rows.is_empty() { String::new() } else { self.style.table(&rows) }
    }

    fn row(&self, difference: &Difference) -> Option<[String; 5]> {
        let style = self.style;
        let what = match &difference.aspect {
            Aspect::Holding(definition) => style.code(definition),
            Aspect::Value(definition, facet, field) => {
                format!("{} {}", style.code(definition), style.code(&format!("{facet}.{field}")))
            }
            Aspect::Object(_) => return None,
        };
        let (from, until) = (self.from(difference.from), self.until(difference.until));
        Some([what, from, until, self.state(&difference.before), self.state(&difference.after)])
    }

    fn from(&self, from: Instant) -> String {
        if self.anchor == Anchor::Now(from) { "now".to_owned() } else { shown(from, self.zone) }
    }

    fn until(&self, until: Bound) -> String {
        match (until, self.end) {
            (Bound::At(until), _) => shown(until, self.zone),
            (Bound::Never, End::Nothing) => "for good".to_owned(),
            (Bound::Never, End::Asked(to)) => format!("beyond {}", up_to(to, self.zone)),
            (Bound::Never, End::TooMuch(at, _)) => format!("beyond {}", shown(at, self.zone)),
        }
    }

    /// The objects whose content differs, those of several namespaces in one line.
    fn objects(&self) -> String {
        let mut groups: BTreeMap<(&str, &str, Instant, Bound, &str), Vec<&str>> = BTreeMap::new();
        for difference in &self.all {
            let Aspect::Object(ObjectKey { kind, namespace, name }) = &difference.aspect else { continue };
            let what = match (&difference.before, &difference.after) {
                (AspectState::Nothing, AspectState::Retained) => "kept, as no longer in force",
                (AspectState::Nothing, _) => "more",
                (_, AspectState::Nothing) => "missing",
                (_, AspectState::Retained) => "kept, as no longer in force",
                (AspectState::Retained, _) => "in force, not merely kept",
                _ => "with another content",
            };
            let key = (kind.as_str(), &**name, difference.from, difference.until, what);
            groups.entry(key).or_default().push(namespace);
        }
        if groups.is_empty() {
            return String::new();
        }
        let line = |((kind, name, from, until, what), namespaces): ((&str, &str, Instant, Bound, &str), Vec<&str>)| {
            let lasts = match until {
                Bound::Never if self.end == End::Nothing => self.until(until),
                _ => format!("until {}", self.until(until)),
            };
            let name = self.style.code(name);
            format!("- {kind} {name} in {}: {what}, from {}, {lasts}\n", list(&namespaces), self.from(from))
        };
        let lines = groups.into_iter().map(line).collect::<Vec<String>>().concat();
        match self.style {
            DifferenceStyle::Markdown => format!("Objects in the client's namespaces:\n\n{lines}\n"),
            DifferenceStyle::Plain => lines,
        }
    }

    fn state(&self, state: &AspectState) -> String {
        match state {
            AspectState::Nothing => "nothing".to_owned(),
            AspectState::Entitled(None) => "on".to_owned(),
            AspectState::Untold => "cannot be told".to_owned(),
            AspectState::Entitled(Some((amount, None))) => self.style.plain(amount),
            AspectState::Entitled(Some((amount, Some(unit)))) => format!("{amount} {}", self.style.plain(unit)),
            AspectState::Value(value) => self.style.code(&value.to_string()),
            AspectState::Content(_) => "there".to_owned(),
            AspectState::Retained => "kept".to_owned(),
        }
    }
}

/// A text without any meaning to Markdown, within a cell of a table.
fn plain(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in on_one_line(text).chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            // An invisible joiner keeps a forge from calling the person of that name.
            '@' => escaped.push_str("@\u{2060}"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' => {
                escaped.push('\\');
                escaped.push(character);
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

/// A text as code, within a cell of a table.
fn code(text: &str) -> String {
    let text = on_one_line(text).replace('|', "\\|");
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let gap = if text.starts_with('`') || text.ends_with('`') || text.is_empty() { " " } else { "" };
    format!("{fence}{gap}{text}{gap}{fence}")
}

/// The differences as one object, with what is refused of the new manifests as `validate` tells it.
pub fn json(differences: &Differences, refused: &[&Finding], bounds: &Bounds) -> Value {
    let all: Vec<Value> = differences
        .all
        .iter()
        .map(|difference| {
            let zone = differences.organizations.get(&difference.organization).map_or(Tz::UTC, |(zone, _)| *zone);
            entry(difference, zone)
        })
        .collect();
    let refused: Vec<Value> = refused.iter().map(|finding| one(finding)).collect();
    let zones = || differences.organizations.values().map(|(zone, _)| *zone);
    let organizations: Map<String, Value> = differences
        .organizations
        .iter()
        .map(|(name, (zone, _))| {
            let from = format_instant(bounds.from.first(*zone));
            (name.to_string(), json!({ "timeZone": zone.name(), "from": from }))
        })
        .collect();
    let mut told = json!({
        "from": from(bounds.from, zones().map(|zone| bounds.from.first(zone))),
        "end": end(differences.end, zones()),
        "organizations": organizations,
        "refused": refused,
        "differences": all,
    });
    if !differences.plans.is_empty() {
        told["plans"] = differences.plans.iter().map(plan).collect();
    }
    told
}

fn entry(difference: &Difference, zone: Tz) -> Value {
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    set("organization", difference.organization.as_ref().into());
    match &difference.aspect {
        Aspect::Holding(definition) => set("definition", definition.as_ref().into()),
        Aspect::Value(definition, facet, field) => {
            set("definition", definition.as_ref().into());
            set("facet", facet.as_str().into());
            set("field", field.as_str().into())
        }
        Aspect::Object(ObjectKey { kind, namespace, name }) => {
            set("object", json!({ "kind": kind.as_str(), "namespace": &**namespace, "name": &**name }))
        }
    };
    set("from", format_instant(difference.from).into());
    set("localFrom", format_local(difference.from, zone).into());
    set("until", difference.until.at().map(format_instant).into());
    set("before", value(&difference.before));
    set("after", value(&difference.after));
    Value::Object(fields)
}

fn value(state: &AspectState) -> Value {
    match state {
        AspectState::Nothing => Value::Null,
        AspectState::Entitled(None) => json!({ "entitled": true }),
        AspectState::Untold => json!({ "entitled": true, "certain": false }),
        AspectState::Entitled(Some((amount, unit))) => json!({ "entitled": true, "amount": amount, "unit": unit }),
        AspectState::Value(value) => json!({ "value": value }),
        AspectState::Content(content) => json!({ "present": true, "certain": content.is_some() }),
        AspectState::Retained => json!({ "present": true, "certain": true, "inForce": false }),
    }
}
