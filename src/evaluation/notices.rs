//! Renewal notices: said once, some time before an end that nothing follows.

use super::holding::{Holding, Member, is_held};
use crate::{
    api::entitlement_instance::Notice,
    core::calendar::{Bound, Instant, Nominal, format_instant, format_until, subtract},
};

/// The notices that the status should show as given, and the text of the one to be given now. When several were missed,
/// only the latest is given.
#[must_use]
pub fn notices(holding: &Holding, member: &Member, now: Instant) -> (Vec<Notice>, Vec<String>) {
    let Some(ending) = ending(member) else { return (member.grant.remembered.notices.clone(), Vec::new()) };
    let end = format_instant(ending.instant());
    let mut given: Vec<Notice> =
        member.grant.remembered.notices.iter().filter(|notice| notice.end == end).cloned().collect();
    let due = moments(holding, member, ending).filter(|(at, _)| *at <= now).max_by_key(|(at, _)| *at);
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
        holding.name, member.grant.organization, member.grant.id.source.name
    );
    (given, vec![text])
}

/// The next moment at which a notice is due.
#[must_use]
pub fn next_notice(holding: &Holding, member: &Member, now: Instant) -> Option<Instant> {
    let ending = ending(member).filter(|_| member.renewed_by.is_none())?;
    moments(holding, member, ending).map(|(at, _)| at).filter(|at| *at > now).min()
}

/// The end that the notices warn of, all pending amendments counted.
fn ending(member: &Member) -> Option<Nominal> {
    let Bound::At(end) = member.verdict.final_end else { return None };
    is_held(member.verdict.phase).then_some(end)
}

/// When notices are due. One that would lie before the grant's own start is not given: of a short grant everybody knows then
/// when it ends.
fn moments<'a>(holding: &'a Holding, member: &Member, ending: Nominal) -> impl Iterator<Item = (Instant, String)> + 'a {
    let day = member.verdict.term.map_or(1, |term| term.day);
    let start = member.start();
    let notices = holding.definition().map(|definition| definition.notices.as_slice()).unwrap_or_default();
    let moments = notices.iter().map(move |before| (subtract(ending, *before, day), before.to_string()));
    moments.filter(move |(at, _)| start.is_none_or(|start| start <= *at))
}
