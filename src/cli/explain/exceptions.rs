//! Who asked for an override and why, and what others say to it, in sentences.

use super::{moment, row::Note};
use crate::{
    api::Phase,
    cli::{
        moment::{last_day, shown},
        timeline::source_name,
    },
    core::calendar::Tz,
    evaluation::explanation::{ExceptionExplanation, GrantExplanation},
};

/// What led to how it stands, a sentence for each thing.
pub fn details(exception: &ExceptionExplanation, zone: Tz) -> Vec<String> {
    let ExceptionExplanation { requested_by, reason, .. } = exception;
    let asked = format!("asked for by {requested_by} on {}: {reason}", time(&exception.requested_at, zone));
    let ticket = exception.ticket.as_ref().map(|ticket| format!("its ticket is {ticket}"));
    let restored = exception.restored_by.as_ref().map(|by| format!("restored by {by}"));
    [Some(asked), ticket, restored, said(exception, zone)].into_iter().flatten().collect()
}

/// What others say to it.
fn said(exception: &ExceptionExplanation, zone: Tz) -> Option<String> {
    let by = people(exception);
    if let Some(denied) = &exception.denied_by {
        let on = exception.denied_at.as_ref().map(|at| format!(" on {}", time(at, zone))).unwrap_or_default();
        let why = exception.denied_because.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        return Some(format!("denied by {denied}{on}{why}"));
    }
    if let Some(expired) = &exception.expired_at {
        return Some(format!("not approved by {}: it had {} approvals", time(expired, zone), exception.approvals));
    }
    match (&exception.approved_at, exception.missing) {
        (Some(_), _) if exception.approved_by.is_empty() => Some("it needs no approval".to_owned()),
        (Some(at), _) => Some(format!("approved by {by} on {}", time(at, zone))),
        (None, 0) => None,
        (None, missing) if exception.approved_by.is_empty() => {
            Some(format!("approved by nobody yet; {}", lacks(missing)))
        }
        (None, missing) => Some(format!("approved by {by} so far; {}", lacks(missing))),
    }
}

fn lacks(missing: u32) -> String {
    if missing == 1 { "1 approval is missing".to_owned() } else { format!("{missing} approvals are missing") }
}

fn people(exception: &ExceptionExplanation) -> String {
    let names: Vec<&str> = exception.approved_by.iter().map(AsRef::as_ref).collect();
    match names.as_slice() {
        [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        names => names.concat(),
    }
}

/// What a table says of it: what it gives for now, or who has to do something.
pub fn note(grant: &GrantExplanation, exception: &ExceptionExplanation, quantity: &str, zone: Tz) -> Option<Note> {
    let name = source_name(&grant.source);
    let ExceptionExplanation { requested_by, reason, .. } = exception;
    if grant.phase == Phase::Requested {
        let text = format!(
            "override {name} ({quantity}), asked for by {requested_by}, is not approved yet ({}): {reason}",
            exception.approvals
        );
        return Some(Note { is_trouble: true, text });
    }
    if !grant.phase.is_in_force() {
        return None;
    }
    let to =
        grant.end.as_deref().and_then(moment).map(|end| format!(" to {}", last_day(end, zone))).unwrap_or_default();
    let by = people(exception);
    let by = if by.is_empty() { String::new() } else { format!(", approved by {by}") };
    let text = format!("{quantity}{to} by override {name}, asked for by {requested_by}{by}: {reason}");
    Some(Note { is_trouble: false, text })
}

fn time(text: &str, zone: Tz) -> String {
    moment(text).map_or_else(|| text.to_owned(), |at| shown(at, zone))
}
