//! From when to when a grant runs, before amendments.

use crate::core::{
    calendar::{Bound, CalendarDuration, Instant, InvalidMoment, Moment, NEVER, Nominal, Tz, add, parse_instant},
    grant::Stated,
    source::stated::StatedSource,
};

/// A half-open term, `[start, end)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// The first moment.
    pub start: Nominal,
    /// The first moment after it.
    pub end: Bound<Nominal>,
    /// The day of the month that calendar arithmetic comes back to: that of the chain's first start.
    pub day: u32,
    /// How long the configuration stays delivered after the end.
    pub grace: Option<CalendarDuration>,
}

impl Term {
    /// When an end with its grace period is over.
    #[must_use]
    pub fn after_grace(&self, end: Bound<Nominal>) -> Bound {
        let Bound::At(end) = end else { return Bound::Never };
        // A term without any time in force has no time of grace either.
        match self.grace.filter(|_| end.instant() > self.start.instant()) {
            Some(grace) => add(end, grace, self.day).instant().max(Bound::At(end.instant())),
            None => Bound::At(end.instant()),
        }
    }
}

/// What a term is reckoned from, beside the grant's own spec: recorded at acceptance, else taken from the present objects.
#[derive(Clone, Copy, Debug)]
pub struct TermSources {
    /// The time zone of dates and calendar durations.
    pub zone: Tz,
    /// The start where neither the spec nor `follows` gives one.
    pub since: Instant,
    /// The end of the renewed grant.
    pub follows: Option<Bound>,
    /// The length of the renewed grant's term.
    pub length: Option<CalendarDuration>,
    /// The definition's term.
    pub term: Option<CalendarDuration>,
    /// The definition's grace period.
    pub grace: Option<CalendarDuration>,
    /// The chain's day; absent for its first member, whose own start gives it.
    pub day: Option<u32>,
}

/// Why a term cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTerm {
    /// The start cannot be read.
    #[error("start: {0}")]
    Start(InvalidMoment),
    /// The end cannot be read.
    #[error("end: {0}")]
    End(InvalidMoment),
}

/// The term of a grant.
///
/// # Errors
/// Where the spec's start or end cannot be read.
pub fn term(stated: &StatedSource, sources: &TermSources) -> Result<Term, InvalidTerm> {
    let zone = sources.zone;
    let stated_start = read(&stated.start).map_err(InvalidTerm::Start)?;
    let stated_end = read(&stated.end).map_err(InvalidTerm::End)?;
    let start = start(stated_start, sources);
    let day = sources.day.unwrap_or_else(|| start.day());
    let end = match (stated_end, sources.length.or(sources.term)) {
        (Some(end), _) => Nominal::of_end(end, zone),
        (None, Some(duration)) => add(start, duration, day),
        (None, None) => Bound::Never,
    };
    Ok(Term { start, end, day, grace: sources.grace })
}

fn read(stated: &Stated<Moment, InvalidMoment>) -> Result<Option<Moment>, InvalidMoment> {
    stated.clone().transpose()
}

/// A renewal never starts before the end of what it renews: the later counts.
fn start(stated: Option<Moment>, sources: &TermSources) -> Nominal {
    let zone = sources.zone;
    let stated = stated.map(|moment| Nominal::of_start(moment, zone));
    let follows = sources.follows.map(|follows| Nominal::of_instant(follows.at().unwrap_or_else(never), zone));
    match (stated, follows) {
        (Some(stated), Some(follows)) if stated.instant() >= follows.instant() => stated,
        (_, Some(follows)) => follows,
        (Some(stated), None) => stated,
        (None, None) => Nominal::of_instant(sources.since, zone),
    }
}

/// How a status writes the start of what follows an end that never comes.
fn never() -> Instant {
    parse_instant(NEVER).unwrap_or(Instant::MAX_UTC)
}
