//! A timeline as JSON.

use crate::{
    api::{entitlement_subscription::EntryList, lifecycle::Notice},
    core::{
        calendar::{Instant, Tz, format_instant, format_local},
        source::SourceKind,
    },
    offline::{
        End, EntryInForce, GrantChange, GrantState, HoldingState, ObjectAction, ObjectChange, SubscriptionChange,
        Timeline, TimelineStep, UseState, When,
    },
};
use serde_json::{Map, Value, json};

/// The timeline as one object.
pub fn json(timeline: &Timeline, not_seen: &[String]) -> Value {
    let steps: Vec<Value> = timeline
        .steps
        .iter()
        .map(|value| {
            let zone = timeline.departures.get(&value.organization).map_or(Tz::UTC, |departure| departure.zone);
            step(value, zone)
        })
        .collect();
    let organizations: Map<String, Value> = timeline
        .departures
        .iter()
        .map(|(name, departure)| {
            let from = format_instant(departure.from);
            (name.to_string(), json!({ "timeZone": departure.zone.name(), "from": from }))
        })
        .collect();
    json!({
        "from": from(timeline.from, timeline.departures.values().map(|departure| departure.from)),
        "end": end(timeline.end, timeline.departures.values().map(|departure| departure.zone)),
        "organizations": organizations,
        "notSeen": not_seen,
        "steps": steps,
    })
}

/// The first moment: one for all, or the day that begins at another moment for each.
pub fn from(from: When, mut each: impl Iterator<Item = Instant>) -> String {
    let first = each.next().unwrap_or_else(|| from.first(Tz::UTC));
    let is_one = each.all(|other| other == first);
    from.day().filter(|_| !is_one).map_or_else(|| format_instant(first), |day| day.to_string())
}

/// Why it ends, and where: of a day, its last second where the day ends last.
pub fn end(end: End, zones: impl Iterator<Item = Tz>) -> Value {
    match end {
        End::Nothing => json!({ "reason": "NothingElse" }),
        End::Asked(to) => {
            let at = zones.map(|zone| to.last(zone)).max().unwrap_or_else(|| to.last(Tz::UTC));
            let mut fields = Map::new();
            fields.insert("reason".to_owned(), "Asked".into());
            fields.insert("at".to_owned(), format_instant(at).into());
            fields.extend(to.day().map(|day| ("day".to_owned(), day.to_string().into())));
            Value::Object(fields)
        }
        End::TooMuch(at, _) => json!({ "reason": "TooMuch", "at": format_instant(at) }),
    }
}

fn step(step: &TimelineStep, zone: Tz) -> Value {
    let holdings: Vec<Value> = step
        .holdings
        .iter()
        .map(|(definition, (before, after))| {
            json!({ "definition": &**definition, "before": held(before), "after": held(after) })
        })
        .collect();
    let mut told = json!({
        "at": format_instant(step.at),
        "localTime": format_local(step.at, zone),
        "organization": &*step.organization,
        "instances": step.grants_of(SourceKind::Instance).map(grant).collect::<Vec<_>>(),
        "entitlements": holdings,
        "objects": step.objects.iter().map(object).collect::<Vec<_>>(),
    });
    if !step.resets.is_empty() {
        told["resets"] = step.resets.iter().map(|(definition, states)| reset(definition, states)).collect();
    }
    if !step.uses.is_empty() {
        told["uses"] = step.uses.iter().map(|(definition, state)| used(definition, state)).collect();
    }
    if !step.subscriptions.is_empty() {
        told["subscriptions"] = step.subscriptions.iter().map(subscription).collect();
    }
    let overrides: Vec<Value> = step.grants_of(SourceKind::Override).map(grant).collect();
    if !overrides.is_empty() {
        told["overrides"] = overrides.into();
    }
    told
}

fn used(definition: &str, state: &UseState) -> Value {
    let mut said = json!({ "definition": definition, "after": use_state(state) });
    if state.is_reported {
        said["stale"] = true.into();
    }
    said
}

fn use_state(state: &UseState) -> Value {
    let numbers = json!({ "used": state.used.normalize().to_string(), "allotted": state.allotted.to_string() });
    if state.is_reported { json!({ "used": null, "allotted": null, "reported": numbers }) } else { numbers }
}

fn reset(definition: &str, (before, after): &(UseState, UseState)) -> Value {
    let mut said = json!({ "definition": definition, "before": use_state(before), "after": use_state(after) });
    if before.is_reported {
        said["stale"] = true.into();
        return said;
    }
    if !before.carried.is_zero() {
        said["lapsed"] = before.carried.normalize().to_string().into();
    }
    said
}

fn subscription(change: &SubscriptionChange) -> Value {
    let mut fields = Map::new();
    fields.insert("subscription".to_owned(), change.source.to_string().into());
    for (name, state) in [("before", &change.before), ("after", &change.after)] {
        let mut standing = standing(&state.standing);
        standing["plan"] = state.plan.as_ref().into();
        fields.insert(name.to_owned(), standing);
    }
    for (name, entries) in [("begun", &change.begun), ("ended", &change.ended)] {
        if !entries.is_empty() {
            fields.insert(name.to_owned(), entries.iter().map(entry).collect());
        }
    }
    tell(&mut fields, change.renewed_by.as_deref(), &change.amendments, &change.notices);
    Value::Object(fields)
}

fn entry(entry: &EntryInForce) -> Value {
    let mut told = json!({ "list": entry.list, "name": &*entry.name });
    let of = if entry.list == EntryList::AddOns { "plan" } else { "definition" };
    told[of] = entry.of.as_ref().into();
    if let Some(quantity) = entry.quantity {
        told["quantity"] = quantity.into();
    }
    told
}

fn grant(change: &GrantChange) -> Value {
    let mut fields = Map::new();
    let source = &change.grant.source;
    fields.insert(source.kind.field().to_owned(), source.to_string().into());
    fields.insert("definition".to_owned(), change.definition.as_ref().into());
    fields.insert("before".to_owned(), standing(&change.before));
    fields.insert("after".to_owned(), standing(&change.after));
    if let Some(by) = &change.approved_by {
        fields.insert("approvedBy".to_owned(), by.iter().map(|name| Value::from(&**name)).collect());
    }
    tell(&mut fields, change.renewed_by.as_deref(), &change.amendments, &change.notices);
    Value::Object(fields)
}

/// What is told of every source of grants, where there is any of it.
fn tell(fields: &mut Map<String, Value>, renewed_by: Option<&str>, amendments: &[String], notices: &[Notice]) {
    if let Some(renewal) = renewed_by {
        fields.insert("renewedBy".to_owned(), renewal.into());
    }
    if !amendments.is_empty() {
        fields.insert("amendments".to_owned(), amendments.to_vec().into());
    }
    if !notices.is_empty() {
        let notices: Vec<Value> =
            notices.iter().map(|notice| json!({ "before": notice.before, "end": notice.end })).collect();
        fields.insert("notices".to_owned(), notices.into());
    }
}

fn standing(standing: &GrantState) -> Value {
    let mut fields = Map::new();
    fields.insert("phase".to_owned(), standing.phase.as_str().into());
    if let Some(reason) = standing.reason {
        fields.insert("reason".to_owned(), reason.as_str().into());
    }
    for (name, at) in [("start", standing.start), ("end", standing.end)] {
        if let Some(at) = at {
            fields.insert(name.to_owned(), format_instant(at).into());
        }
    }
    Value::Object(fields)
}

fn held(held: &HoldingState) -> Value {
    json!({ "entitled": held.entitled, "amount": held.amount, "unit": held.unit, "facets": held.facets })
}

fn object(change: &ObjectChange) -> Value {
    let action = match change.action {
        ObjectAction::Delivered => "Delivered",
        ObjectAction::Changed => "Changed",
        ObjectAction::Withdrawn => "Withdrawn",
        ObjectAction::Retained => "Retained",
    };
    json!({
        "action": action,
        "kind": change.key.kind.as_str(),
        "namespace": &*change.key.namespace,
        "name": &*change.key.name,
        source_field(change): change.grant.as_ref().map(ToString::to_string),
        "certain": change.content.is_some(),
    })
}

/// The field by which the source is named that an object is made for.
fn source_field(change: &ObjectChange) -> &'static str {
    change.grant.as_ref().map_or(SourceKind::Instance, |grant| grant.source.kind).field()
}
