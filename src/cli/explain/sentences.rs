//! The explanation of an entitlement, in sentences.

use super::{exceptions, moment, subscriptions::removed};
use crate::{
    api::{Phase, lifecycle::AmendmentState},
    cli::{
        moment::shown,
        timeline::{amount, approved, entry_name, lapsed, named, source_name},
    },
    core::{
        calendar::{Instant, Tz},
        source::SourceKind,
    },
    evaluation::explanation::{
        AmendmentExplanation, Entitlement, FacetValue, GrantExplanation, Origin, OriginKind, PartExplanation,
        PartStanding,
    },
    offline::{GrantChange, HoldingState, SubscriptionChange, TimelineStep},
    render::summary::PartSource,
};

/// What happens to a definition in a step, in one sentence.
pub fn happens(step: &TimelineStep, definition: &str, zone: Tz) -> String {
    let changes = || step.grants.iter().filter(|change| &*change.definition == definition);
    let mut clauses: Vec<String> = changes().flat_map(|change| changed(step, change, zone)).collect();
    // Where no phase changes, the subscription alone has something to tell.
    let is_told = |whole: &&SubscriptionChange| changes().any(|change| change.grant.source == whole.source);
    let others = step.subscriptions.iter().filter(|whole| step.holdings.contains_key(definition) && !is_told(whole));
    let others =
        others.filter(|whole| whole.before.plan != whole.after.plan || whole.entries_of(definition).next().is_some());
    clauses.extend(others.flat_map(|whole| given(whole, definition)));
    if let Some((before, after)) = step.holdings.get(definition) {
        clauses.extend(gained(before, after));
    }
    clauses.extend(step.resets.get(definition).map(|(before, _)| format!("the allotment is new{}", lapsed(before))));
    clauses.join("; ")
}

/// What happens to a grant, a clause for each thing.
fn changed(step: &TimelineStep, change: &GrantChange, zone: Tz) -> Vec<String> {
    let source = &change.grant.source;
    if source.kind == SourceKind::Subscription && step.subscription(source).is_none_or(|one| !one.is_transition()) {
        return step.subscription(source).map(|whole| given(whole, &change.definition)).unwrap_or_default();
    }
    let name = if source.kind == SourceKind::Override { named(source) } else { source_name(source) };
    let time = |at: Option<Instant>| at.map_or_else(|| "never".to_owned(), |at| shown(at, zone));
    let mut clauses: Vec<String> =
        change.amendments.iter().map(|amendment| format!("amendment {amendment} of {name} takes effect")).collect();
    clauses.extend(change.approved_by.iter().map(|by| format!("{name} is {}", approved(by))));
    if change.is_transition() {
        clauses.push(match (change.before.phase, change.after.phase, step.successor(change)) {
            (Phase::Active | Phase::Grace, Phase::Expired, Some(renewal)) => format!("{name} passes to {renewal}"),
            (Phase::Active, Phase::Grace, _) => format!("{name} ends, and its grace period begins"),
            (Phase::Grace, Phase::Expired, None) => format!("the grace period of {name} is over"),
            (_, Phase::Expired, _) => format!("{name} ends"),
            (_, Phase::Active, _) => format!("{name} comes into force"),
            (before, after, _) => format!("{name} goes from {} to {}", before.as_str(), after.as_str()),
        });
    }
    if change.before.end != change.after.end {
        clauses.push(format!("{name} ends {} instead of {}", time(change.after.end), time(change.before.end)));
    }
    let reminder =
        |end: &str| format!("a reminder is given that {name} ends on {}, and nothing renews it", time(moment(end)));
    clauses.extend(change.notices.iter().map(|notice| reminder(&notice.end)));
    clauses
}

/// What changes of what a subscription gives of a definition while it goes on, a clause for each thing.
fn given(change: &SubscriptionChange, definition: &str) -> Vec<String> {
    let name = source_name(&change.source);
    let amendments = change.amendments.iter().map(|amendment| format!("amendment {amendment} of {name} takes effect"));
    let (before, after) = (&change.before.plan, &change.after.plan);
    let plan = (before != after).then(|| format!("{name} goes from the plan {before} to {after}"));
    let entries = change
        .entries_of(definition)
        .map(|(entry, begins)| format!("{} of {name} {}", entry_name(entry), if begins { "begins" } else { "ends" }));
    amendments.chain(plan).chain(entries).collect()
}

/// What the client has then, a clause for each thing.
fn gained(before: &HoldingState, after: &HoldingState) -> Vec<String> {
    let (old, new) = (amount(before), amount(after));
    match (before.entitled, after.entitled) {
        (true, false) => vec!["the client loses it".to_owned()],
        (false, true) if after.amount.is_none() => vec!["the client gets it".to_owned()],
        (false, true) => vec![format!("the client gets {new}")],
        _ => {
            let amount = (old != new).then(|| format!("the client has {new} instead of {old}"));
            amount
                .into_iter()
                .chain((before.facets != after.facets).then(|| "its settings change".to_owned()))
                .collect()
        }
    }
}

/// Whether a grant is in force.
pub fn is_in_force(grant: &GrantExplanation) -> bool {
    grant.phase.is_in_force()
}

/// What led to how a grant stands, a sentence for each thing.
pub fn details(grant: &GrantExplanation, entitlement: &Entitlement, zone: Tz) -> Vec<String> {
    let mut details: Vec<String> = grant.exception.iter().flat_map(|one| exceptions::details(one, zone)).collect();
    if let Some(renews) = &grant.renews {
        details.push(format!("it renews {renews}"));
    }
    let is_told = |origin: &&Origin| !matches!(origin.kind, OriginKind::Source(_) | OriginKind::Approval);
    if let Some(origin) = grant.start_origin.as_ref().filter(is_told) {
        details.push(format!("its start is {}", start_origin(origin)));
    }
    if let Some(origin) = grant.end_origin.as_ref().filter(|origin| !matches!(origin.kind, OriginKind::Source(_))) {
        details.push(format!("its end is {}", end_origin(origin)));
    }
    details.extend(grant.amendments.iter().map(amendment));
    if grant.priority != 0 {
        details.push(format!("its priority is {}", grant.priority));
    }
    let has_settings = !entitlement.facets.is_empty();
    if is_in_force(grant) && has_settings && !grant.takes_part {
        details
            .push("its settings are left out: they do not go together with those of the grants before it".to_owned());
    }
    details
}

fn amendment(amendment: &AmendmentExplanation) -> String {
    let name = &amendment.name;
    let when = amendment.effective.as_deref().unwrap_or("a time that cannot be read");
    let what = [
        amendment.plan.as_ref().map(|plan| format!("plan {plan}")),
        amendment.amount.as_ref().map(|amount| format!("amount {amount}")),
        amendment.end.as_ref().map(|end| format!("end {end}")),
        amendment.facets.then(|| "settings".to_owned()),
    ];
    let what: Vec<String> = what.into_iter().flatten().collect();
    let reason = amendment.reason.as_ref().map_or_else(String::new, |reason| format!("; reason: {reason}"));
    let state = match (amendment.state, &amendment.message) {
        (AmendmentState::Pending, _) => "takes effect on",
        (AmendmentState::Effective, _) => "in effect since",
        (AmendmentState::Revoked, _) => "taken back; was meant for",
        (AmendmentState::Ignored, _) => "ignored; was meant for",
    };
    let why = match (amendment.state, &amendment.message) {
        (AmendmentState::Ignored, Some(message)) => format!("; {message}"),
        _ => String::new(),
    };
    format!("amendment {name} ({}), {state} {when}{reason}{why}", what.join(", "))
}

/// What gave a setting, and what was passed over.
pub fn setting_origin(value: &FacetValue) -> String {
    let overridden: Vec<String> =
        value.overridden.iter().map(|one| format!("{} ({})", one.value, origin(&one.origin))).collect();
    let instead = if overridden.is_empty() { String::new() } else { format!("; instead of {}", overridden.join(", ")) };
    format!("{}{instead}", origin(&value.origin))
}

/// What gave a value of several grants together.
fn origin(origin: &Origin) -> String {
    let by = origin.source.as_ref().map(source_name).unwrap_or_default();
    match (&origin.kind, &origin.names.amendment) {
        (OriginKind::Plan | OriginKind::AddOn | OriginKind::Configure | OriginKind::Add, _) => {
            format!("by {}{by}", part_name(origin))
        }
        (OriginKind::Amendment, Some(amendment)) => format!("by amendment {amendment} of {by}"),
        (OriginKind::Definition, _) => "as the catalogue presets it".to_owned(),
        (OriginKind::Default, _) => "by default".to_owned(),
        _ => format!("by {by}"),
    }
}

/// `plan business of `, `add-on seats of `, `what is configured in `.
fn part_name(origin: &Origin) -> String {
    let names = &origin.names;
    match origin.kind {
        OriginKind::Plan => format!("plan {} of ", names.plan.as_deref().unwrap_or_default()),
        OriginKind::AddOn => format!("add-on {} of ", names.entry.as_deref().unwrap_or_default()),
        OriginKind::Add => format!("addition {} of ", names.name.as_deref().unwrap_or_default()),
        _ => "what is configured in ".to_owned(),
    }
}

/// What gave a grant's amount: its origin, or the parts that it is made of.
pub fn amount_told(grant: &GrantExplanation) -> String {
    let parts = grant.parts.iter().filter(|part| part.standing == PartStanding::InForce);
    let names: Vec<String> = parts.map(|part| entry_of(&part.part)).collect();
    if names.is_empty() {
        return grant.amount_origin.as_ref().map(amount_origin).unwrap_or_default();
    }
    names.join(", ")
}

/// `plan business`, `add-on seats (extra-seats x 3)`, `addition summer`.
fn entry_of(part: &PartSource) -> String {
    let plan = part.plan.as_deref().unwrap_or_default();
    let name = part.name.as_deref().unwrap_or_default();
    let times = part.quantity.filter(|times| *times > 1).map(|times| format!(" x {times}")).unwrap_or_default();
    match part.kind {
        "Plan" => format!("plan {plan}"),
        "AddOn" => format!("add-on {name} ({plan}{times})"),
        _ => format!("addition {name}"),
    }
}

/// What a subscription's grant is made of: what comes with plan and add-ons, and then what was agreed with this client alone; a
/// sentence for each. What is over is left out.
pub fn parts(grant: &GrantExplanation, unit: Option<&str>, zone: Tz) -> Vec<String> {
    let time = |text: &String| moment(text).map_or_else(|| text.clone(), |at| shown(at, zone));
    let part = |one: &PartExplanation| {
        let amount = one.part.amount.as_ref().map(|amount| match unit {
            Some(unit) => format!("{amount} {unit} "),
            None => format!("{amount} "),
        });
        let group = one.part.group.as_ref().map(|group| format!(", group {group}")).unwrap_or_default();
        let start = one.part.start.as_ref().map(|start| format!(", from {}", time(start))).unwrap_or_default();
        let end = one.part.end.as_ref().map(|end| format!(", until {}", time(end))).unwrap_or_default();
        let removed = if one.standing == PartStanding::Removed { ", but it is removed" } else { "" };
        let reason = one.reason.as_ref().map(|reason| format!("; reason: {reason}")).unwrap_or_default();
        let how = if one.explicit { "agreed with this client alone" } else { "inherited" };
        let amount = amount.unwrap_or_default();
        format!("{how}: {amount}by {}{group}{start}{end}{removed}{reason}", entry_of(&one.part))
    };
    let told = grant.parts.iter().filter(|part| part.standing != PartStanding::Expired);
    let removal = grant.removed_by.iter().map(|removal| removed(removal, zone));
    told.map(part).chain(removal).collect()
}

/// What gave a grant's amount.
fn amount_origin(origin: &Origin) -> String {
    match (&origin.kind, &origin.names.amendment) {
        (OriginKind::Amendment, Some(amendment)) => format!("by its amendment {amendment}"),
        (OriginKind::Agreement, _) => "as it was agreed".to_owned(),
        (OriginKind::Definition, _) => "as the catalogue has it for everyone".to_owned(),
        (OriginKind::Source(SourceKind::Override), _) => "on top, as the override states".to_owned(),
        _ => "as the grant states".to_owned(),
    }
}

fn start_origin(origin: &Origin) -> &'static str {
    match origin.kind {
        OriginKind::Renewal => "the end of the grant that it renews",
        OriginKind::Creation => "the moment at which the grant was made",
        _ => "as the grant states",
    }
}

fn end_origin(origin: &Origin) -> String {
    match (&origin.kind, &origin.names.amendment) {
        (OriginKind::Amendment, Some(amendment)) => format!("that of its amendment {amendment}"),
        (OriginKind::Renewal, _) => "its start plus the length of the grant that it renews".to_owned(),
        (OriginKind::Definition, _) => "its start plus the term that the catalogue gives".to_owned(),
        _ => "as the grant states".to_owned(),
    }
}
