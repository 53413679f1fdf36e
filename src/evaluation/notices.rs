//! Renewal notices: given once, some time before an end that nothing follows.

use super::holding::is_held;
use crate::{
    api::lifecycle::Notice,
    core::{
        calendar::{Bound, CalendarDuration, Instant, Nominal, format_instant, format_until, subtract},
        lifecycle::Verdict,
        source::stated::StatedSource,
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
    /// Those of a source, as they are due before its end.
    #[must_use]
    pub fn of(notices: &[CalendarDuration], of: &Reminded, now: Instant) -> Self {
        let (given, due) = due(notices, of, now);
        Self { given, due, next: next_notice(notices, of, now) }
    }
}

/// Of whose end is warned.
#[derive(Clone, Copy)]
pub struct Reminded<'a> {
    /// What it states of its lifecycle.
    pub source: &'a StatedSource,
    /// What this moment gives for it.
    pub verdict: &'a Verdict,
    /// The notices that were given.
    pub given: &'a [Notice],
    /// Whether something follows.
    pub is_renewed: bool,
    /// What ends, in a message.
    pub what: &'a str,
}

/// The notices that the status should show as given, and the text of the one to be given now. When several were missed,
/// only the latest is given.
fn due(notices: &[CalendarDuration], of: &Reminded, now: Instant) -> (Vec<Notice>, Vec<String>) {
    let Some(ending) = ending(of) else { return (of.given.to_vec(), Vec::new()) };
    let end = format_instant(ending.instant());
    let mut given: Vec<Notice> = of.given.iter().filter(|notice| notice.end == end).cloned().collect();
    let due = moments(notices, of, ending).filter(|(at, _)| *at <= now).max_by_key(|(at, _)| *at);
    let Some((at, before)) = due.filter(|_| !of.is_renewed && now < ending.instant()) else {
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
    let kind = of.source.age.kind.field();
    let article = if kind.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
    let text = format!(
        "{} of organization {} ends {preposition} {until}, and nothing renews it: make {article} {kind} with renews: {}, or move its end by an amendment",
        of.what, of.source.organization, of.source.age.name
    );
    (given, vec![text])
}

/// The next moment at which a notice is due.
fn next_notice(notices: &[CalendarDuration], of: &Reminded, now: Instant) -> Option<Instant> {
    let ending = ending(of).filter(|_| !of.is_renewed)?;
    moments(notices, of, ending).map(|(at, _)| at).filter(|at| *at > now).min()
}

/// The end that the notices warn of, all pending amendments counted.
fn ending(of: &Reminded) -> Option<Nominal> {
    let Bound::At(end) = of.verdict.final_end else { return None };
    is_held(of.verdict.phase).then_some(end)
}

/// When notices are due. One that would lie before the grant's own start is not given: of a short grant everybody knows then
/// when it ends.
fn moments(notices: &[CalendarDuration], of: &Reminded, ending: Nominal) -> impl Iterator<Item = (Instant, String)> {
    let day = of.verdict.term.map_or(1, |term| term.day);
    let start = of.verdict.term.map(|term| term.start.instant());
    let moments = notices.iter().map(move |before| (subtract(ending, *before, day), before.to_string()));
    moments.filter(move |(at, _)| start.is_none_or(|start| start <= *at))
}
