//! Renewal notices: given once, some time before an end that nothing follows.

use super::holding::{Member, is_held};
use crate::{
    api::lifecycle::Notice,
    core::{
        calendar::{Bound, Instant, Nominal, format_instant, format_until, subtract},
        definition::Definition,
    },
};

/// What is said before the end of a grant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reminders {
    /// What the status should show as given, what is due now included.
    pub given: Vec<Notice>,
    /// The text of what is to be said now.
    pub due: Vec<String>,
    /// When the next one is due.
    pub next: Option<Instant>,
}

impl Reminders {
    /// Those of a grant of that definition.
    #[must_use]
    pub fn of(definition: Option<&Definition>, member: &Member, now: Instant) -> Self {
        let (given, due) = notices(definition, member, now);
        Self { given, due, next: next_notice(definition, member, now) }
    }
}

/// The notices that the status should show as given, and the text of the one to be given now. When several were missed,
/// only the latest is given.
fn notices(definition: Option<&Definition>, member: &Member, now: Instant) -> (Vec<Notice>, Vec<String>) {
    let Some(ending) = ending(member) else { return (member.grant.remembered.notices.clone(), Vec::new()) };
    let end = format_instant(ending.instant());
    let mut given: Vec<Notice> =
        member.grant.remembered.notices.iter().filter(|notice| notice.end == end).cloned().collect();
    let due = moments(definition, member, ending).filter(|(at, _)| *at <= now).max_by_key(|(at, _)| *at);
    let Some((at, before)) = due.filter(|_| member.renewed_by.is_none() && now < ending.instant()) else {
        return (given, Vec::new());
    };
    let at = format_instant(at);
    // Times of one form and zone compare as texts; a later notice makes up for the earlier ones.
    if given.iter().any(|notice| notice.at >= at) {
        return (given, Vec::new());
    }
    given.push(Notice { before, end: end.clone(), at });
    let until = format_until(ending);
    let preposition = if until.contains('T') { "at" } else { "on" };
    let text = format!(
        "{} of organization {} ends {preposition} {until}, and nothing renews it: make an instance with renews: {}, or move its end by an amendment",
        member.grant.id.definition, member.grant.organization, member.grant.id.source.name
    );
    (given, vec![text])
}

/// The next moment at which a notice is due.
fn next_notice(definition: Option<&Definition>, member: &Member, now: Instant) -> Option<Instant> {
    let ending = ending(member).filter(|_| member.renewed_by.is_none())?;
    moments(definition, member, ending).map(|(at, _)| at).filter(|at| *at > now).min()
}

/// The end that the notices warn of, all pending amendments counted.
fn ending(member: &Member) -> Option<Nominal> {
    let Bound::At(end) = member.verdict.final_end else { return None };
    is_held(member.verdict.phase).then_some(end)
}

/// When notices are due. One that would lie before the grant's own start is not given: of a short grant everybody knows then
/// when it ends.
fn moments(
    definition: Option<&Definition>,
    member: &Member,
    ending: Nominal,
) -> impl Iterator<Item = (Instant, String)> {
    let day = member.verdict.term.map_or(1, |term| term.day);
    let start = member.start();
    let notices = definition.map(|definition| definition.notices.as_slice()).unwrap_or_default();
    let moments = notices.iter().map(move |before| (subtract(ending, *before, day), before.to_string()));
    moments.filter(move |(at, _)| start.is_none_or(|start| start <= *at))
}
