//! Which parts of a renewal's record cannot come from the grant that it renews.
//!
//! This can be told only if both are as they were made: a spec that was edited, or that comes from a backup, may have said
//! something else when the renewal was accepted. The time zone may have been another then, so nothing is held to the hour.

use super::{Case, settle::Running};
use crate::{
    api::lifecycle::State,
    core::{
        acceptance::{Acceptance, Chain},
        calendar::{Bound, CalendarDuration, Instant, Nominal, add, length},
        source::stated::StatedSource,
    },
};
use chrono::TimeDelta;
use std::sync::Arc;

/// How far apart the midnights of one date are in all time zones, and a bit.
const ANY_ZONE: TimeDelta = TimeDelta::days(2);
/// How far apart the ends of one length are, counted from the last day of a month or from the day before.
const ANY_MONTH: TimeDelta = TimeDelta::days(4);

/// A grant that is renewed and is as it was made.
pub struct Renewed<'a> {
    parent: &'a Case<'a>,
    running: &'a Running,
    /// All ends that its spec and the catalogue can have given it, before amendments.
    ends: Vec<Bound>,
}

impl<'a> Renewed<'a> {
    /// The grant that `child` renews, if it can be told what it was when that was accepted.
    pub fn of(child: &StatedSource, parent: &'a Case<'a>, running: &'a Running) -> Option<Self> {
        let grant = parent.source;
        let is_told = grant.is_as_made && child.is_as_made && grant.created <= child.created;
        if !is_told || grant.state == State::Draft {
            return None;
        }
        let term = &running.term;
        let ends = if grant.end.is_some() {
            vec![term.end.instant()]
        } else if grant.renews.is_none() {
            let states = parent.history.as_ref()?.states.iter();
            states.map(|state| ends(term.start, state.term, term.day)).collect()
        } else {
            return None;
        };
        Some(Self { parent, running, ends })
    }

    /// A record of a renewal without what this grant cannot have given it.
    pub fn believed(&self, record: &Arc<Acceptance>) -> Arc<Acceptance> {
        let follows = if self.can_be_followed(record.follows) { record.follows } else { self.end() };
        let length = if self.can_be_as_long(record.length) { record.length } else { self.length() };
        let name = &self.running.acceptance.chain.name;
        if (follows, length, name) == (record.follows, record.length, &record.chain.name) {
            return Arc::clone(record);
        }
        let chain = Chain { name: Arc::clone(name), ..record.chain.clone() };
        Arc::new(Acceptance { length, follows, chain, ..record.as_ref().clone() })
    }

    fn can_be_followed(&self, follows: Option<Bound>) -> bool {
        let Some(follows) = follows else { return self.parent.source.state == State::Cancelled };
        let amended = self.parent.amendments.iter().filter_map(|amendment| Some(amendment.end?.instant()));
        let mut ends = self.ends.iter().copied().chain(amended);
        self.parent.source.state == State::Active && ends.any(|end| are_near(end, follows, ANY_ZONE))
    }

    fn can_be_as_long(&self, length: Option<CalendarDuration>) -> bool {
        let term = &self.running.term;
        let end = ends(term.start, length, term.day);
        self.ends.iter().any(|known| are_near(*known, end, ANY_MONTH))
    }

    /// What a renewal takes over that is accepted now.
    fn end(&self) -> Option<Bound> {
        (self.parent.source.state == State::Active).then_some(self.running.span.end)
    }

    fn length(&self) -> Option<CalendarDuration> {
        let term = &self.running.term;
        term.end.at().map(|end| length(term.start, end, term.day))
    }
}

fn ends(start: Nominal, duration: Option<CalendarDuration>, day: u32) -> Bound {
    duration.map_or(Bound::Never, |duration| add(start, duration, day).instant())
}

fn are_near(one: Bound, other: Bound, distance: TimeDelta) -> bool {
    let apart = |one: Instant, other: Instant| one.signed_duration_since(other).abs();
    match (one, other) {
        (Bound::At(one), Bound::At(other)) => apart(one, other) <= distance,
        (Bound::Never, Bound::Never) => true,
        _ => false,
    }
}
