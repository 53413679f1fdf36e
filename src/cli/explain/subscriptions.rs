//! The subscriptions of an organization: how each stands, and what has to be known of it.

use super::{moment, row::Note};
use crate::{
    api::{Phase, lifecycle::AmendmentState},
    cli::{
        columns::{Cell, cell},
        moment::{first_day, last_day, relative, shown},
        terminal::Tone,
        timeline::source_name,
    },
    core::calendar::{Instant, Tz},
    evaluation::explanation::{AmendmentExplanation, RemovalExplanation, SubscriptionExplanation},
};

/// The headings of a table of subscriptions.
pub const HEADINGS: [&str; 5] = ["SUBSCRIPTION", "PLAN", "PHASE", "CONTRACT TO", "NEXT"];

/// A subscription as a row of that table.
pub fn cells(subscription: &SubscriptionExplanation, zone: Tz) -> [Cell; 5] {
    let is_in_trouble = notes(subscription, zone).iter().any(|note| note.is_trouble);
    let mark = if is_in_trouble { " !" } else { "" };
    let tone = if subscription.phase.is_in_force() { Tone::Good } else { Tone::Bad };
    [
        cell(&format!("{}{mark}", source_name(&subscription.source)), is_in_trouble.then_some(Tone::Bad)),
        cell(&subscription.plan, None),
        cell(subscription.phase.as_str(), Some(tone)),
        cell(&contract_to(subscription, zone), None),
        cell(&next(subscription, zone), None),
    ]
}

fn contract_to(subscription: &SubscriptionExplanation, zone: Tz) -> String {
    match (&subscription.until, subscription.end.as_deref().and_then(moment), &subscription.start) {
        (Some(until), ..) => until.clone(),
        (None, Some(end), _) => last_day(end, zone),
        (None, None, Some(_)) => "no end".to_owned(),
        (None, None, None) => "-".to_owned(),
    }
}

/// The amendments that change the plan later, in their order.
fn plan_changes(subscription: &SubscriptionExplanation) -> impl Iterator<Item = &AmendmentExplanation> {
    let pending = subscription.amendments.iter().filter(|one| one.state == AmendmentState::Pending);
    pending.filter(|one| one.plan.is_some())
}

fn next(subscription: &SubscriptionExplanation, zone: Tz) -> String {
    if subscription.phase == Phase::Suspended {
        return "until it is resumed".to_owned();
    }
    if subscription.phase == Phase::Rejected {
        return "refused, see below".to_owned();
    }
    let change = plan_changes(subscription).next();
    let change = change.and_then(|one| Some(format!("{} from {}", one.plan.as_ref()?, one.effective.as_ref()?)));
    let transition = || {
        let next = subscription.next.as_ref()?;
        let at = moment(&next.at)?;
        Some(match (subscription.phase, next.phase) {
            (Phase::Waiting, Phase::Active) => format!("in force from {}", first_day(at, zone)),
            (_, Phase::Expired) => match &subscription.renewed_by {
                Some(renewal) => format!("renewed by {renewal}"),
                None => "ends, not renewed".to_owned(),
            },
            (_, Phase::Grace) => "ends, with a grace period".to_owned(),
            (now, then) if now == then => format!("other rights from {}", first_day(at, zone)),
            (_, then) => format!("{} from {}", then.as_str(), first_day(at, zone)),
        })
    };
    change.or_else(transition).unwrap_or_else(|| "-".to_owned())
}

/// What has to be known of a subscription.
pub fn notes(subscription: &SubscriptionExplanation, zone: Tz) -> Vec<Note> {
    let name = source_name(&subscription.source);
    let note = |is_trouble: bool, text: String| Note { is_trouble, text };
    let mut notes = Vec::new();
    match (subscription.phase, &subscription.refusal) {
        (Phase::Rejected, Some(refusal)) => notes.push(note(true, format!("{name} is refused: {refusal}"))),
        (Phase::Draft, Some(refusal)) => {
            notes.push(note(false, format!("{name} is a draft, and could not be activated: {refusal}")));
        }
        (Phase::Draft, None) => notes.push(note(false, format!("{name} is a draft that was not activated"))),
        _ => {}
    }
    notes.extend(subscription.problem.iter().map(|problem| note(true, format!("{name}: {problem}"))));
    notes.extend(subscription.notes.iter().map(|entry| {
        let left_out = if entry.ignored { "left out: " } else { "" };
        note(entry.ignored, format!("{name}: {left_out}{}", entry.message))
    }));
    let is_over = matches!(subscription.phase, Phase::Cancelled | Phase::Expired | Phase::Rejected);
    let ignored = subscription.amendments.iter().filter(|one| !is_over && one.state == AmendmentState::Ignored);
    notes.extend(ignored.map(|one| {
        let why = one.message.as_deref().unwrap_or("it cannot count");
        note(true, format!("{name}: its amendment {} is ignored: {why}", one.name))
    }));
    notes.extend(subscription.removed.iter().map(|removal| note(false, format!("{name}: {}", removed(removal, zone)))));
    notes
}

/// What keeps a definition away, in a clause.
pub fn removed(removal: &RemovalExplanation, zone: Tz) -> String {
    let until = removal.until.as_deref().and_then(moment);
    let until = until.map_or_else(String::new, |until| format!(" until {}", shown(until, zone)));
    let reason = removal.reason.as_ref().map_or_else(String::new, |reason| format!("; reason: {reason}"));
    format!(
        "its removal {} keeps away what plan and add-ons would give of {}{until}{reason}",
        removal.name, removal.definition
    )
}

/// How a subscription stands, in sentences.
pub fn standing(subscription: &SubscriptionExplanation, zone: Tz, now: Instant) -> Vec<String> {
    let name = source_name(&subscription.source);
    let time = |text: &Option<String>| {
        let at = text.as_deref().and_then(moment)?;
        Some(format!("{} ({})", shown(at, zone), relative(at, now, zone)))
    };
    let start = time(&subscription.start).unwrap_or_default();
    let end = time(&subscription.end).map_or_else(|| "with no end".to_owned(), |end| format!("until {end}"));
    let stands = match subscription.phase {
        Phase::Active => format!("is in force since {start}, {end}"),
        Phase::Grace => format!("ended on {}, and is in its grace period", time(&subscription.end).unwrap_or_default()),
        Phase::Waiting => format!("starts on {start}, {end}"),
        Phase::Suspended => format!("is suspended; its term runs {end}"),
        Phase::Expired => format!("ended on {}", time(&subscription.end).unwrap_or_default()),
        Phase::Cancelled => "was cancelled".to_owned(),
        Phase::Draft => "is a draft".to_owned(),
        Phase::Rejected | Phase::Requested => "is refused".to_owned(),
    };
    let mut sentences = vec![format!("{name}, to the plan {}, {stands}", subscription.plan)];
    for change in plan_changes(subscription) {
        let (Some(plan), Some(effective)) = (&change.plan, &change.effective) else { continue };
        let reason = change.reason.as_ref().map_or_else(String::new, |reason| format!("; reason: {reason}"));
        sentences
            .push(format!("it changes to the plan {plan} on {effective}, by its amendment {}{reason}", change.name));
    }
    if let Some(at) = subscription.next.as_ref().and_then(|next| moment(&next.at)) {
        sentences.push(format!("it changes next on {} ({})", shown(at, zone), relative(at, now, zone)));
    }
    sentences
}
