//! Effective-dated changes of a source: when each counts, and what it makes of the end. What else one changes, its source knows.

use super::Term;
use crate::{
    api::lifecycle::AmendmentState,
    core::{
        calendar::{Bound, Instant, Nominal, Tz, format_instant},
        source::stated::StatedAmendment,
    },
};
use std::ops::Deref;

/// An amendment with all that does not depend on the grant's term. In a [`super::Case`] they stand in the order in which they
/// count: by their moment, then by name.
#[derive(Clone, Debug)]
pub struct PreparedAmendment {
    /// Its place in the spec's list.
    pub index: usize,
    /// From when on it counts; absent where that cannot be read.
    pub effective: Option<Instant>,
    /// The new end.
    pub end: Option<Bound<Nominal>>,
    /// Taken back.
    pub revoked: bool,
    /// Why it cannot count, whatever the term.
    pub fault: Option<String>,
}

/// What becomes of an amendment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmendmentOutcome {
    /// Its place in the spec's list.
    pub index: usize,
    /// Whether it counts.
    pub state: AmendmentState,
    /// Why it is ignored.
    pub message: Option<String>,
}

impl PreparedAmendment {
    /// A source's amendments, read in its time zone. `fault_of` says what else is wrong with one, such as an amount that its
    /// definition does not allow, or facets that do not validate; it is asked in the order in which they count, for those
    /// that have no other fault.
    pub fn prepare<A: Deref<Target = StatedAmendment>>(
        amendments: &[A],
        zone: Tz,
        mut fault_of: impl FnMut(usize, &A) -> Option<String>,
    ) -> Vec<Self> {
        let mut prepared: Vec<Self> =
            amendments.iter().enumerate().map(|(index, amendment)| Self::read(index, amendment, zone)).collect();
        let name = |amendment: &Self| amendments.get(amendment.index).map(|amendment| amendment.name.as_str());
        prepared.sort_by(|one, other| (one.effective, name(one)).cmp(&(other.effective, name(other))));
        for one in &mut prepared {
            let Some(amendment) = amendments.get(one.index) else { continue };
            if !one.revoked && one.fault.is_none() {
                one.fault = fault_of(one.index, amendment);
            }
        }
        prepared
    }

    fn read(index: usize, amendment: &StatedAmendment, zone: Tz) -> Self {
        let effective = amendment.effective.as_ref().ok().map(|moment| Nominal::of_start(*moment, zone).instant());
        let end = amendment.end.as_ref().and_then(|end| end.as_ref().ok()).map(|moment| Nominal::of_end(*moment, zone));
        Self {
            index,
            effective,
            end,
            revoked: amendment.revoked,
            fault: unreadable(amendment).or_else(|| ends_too_early(end, effective)),
        }
    }
}

fn unreadable(amendment: &StatedAmendment) -> Option<String> {
    if let Err(error) = &amendment.effective {
        return Some(format!("effective: {error}"));
    }
    if let Some(Err(error)) = &amendment.end {
        return Some(format!("end: {error}"));
    }
    None
}

fn ends_too_early(end: Option<Bound<Nominal>>, effective: Option<Instant>) -> Option<String> {
    let (end, effective) = (end?.instant(), effective?);
    end.has_come(effective).then(|| {
        format!("its end {end} is not after its effective moment {}: give a later end", format_instant(effective))
    })
}

/// What a grant's amendments make of its term.
#[derive(Clone, Debug)]
pub struct Amended {
    /// The end that holds now.
    pub end: Bound<Nominal>,
    /// The end once all pending ones count.
    pub final_end: Bound<Nominal>,
    /// What becomes of each.
    pub outcomes: Vec<AmendmentOutcome>,
}

/// Applies amendments, which stand in the order in which they count, to a term.
pub fn amend(term: &Term, amendments: &[PreparedAmendment], now: Instant) -> Amended {
    let mut amended = Amended { end: term.end, final_end: term.end, outcomes: Vec::with_capacity(amendments.len()) };
    for amendment in amendments {
        let (state, message) = match hindrance(term, amended.final_end, amendment) {
            _ if amendment.revoked => (AmendmentState::Revoked, None),
            Some(message) => (AmendmentState::Ignored, Some(message)),
            None => (amended.take(amendment, now), None),
        };
        amended.outcomes.push(AmendmentOutcome { index: amendment.index, state, message });
    }
    amended
}

impl Amended {
    fn take(&mut self, amendment: &PreparedAmendment, now: Instant) -> AmendmentState {
        self.final_end = amendment.end.unwrap_or(self.final_end);
        if amendment.effective.is_none_or(|effective| effective > now) {
            return AmendmentState::Pending;
        }
        self.end = self.final_end;
        AmendmentState::Effective
    }
}

/// Why an amendment does not count for a grant with that start and that end before it.
fn hindrance(term: &Term, end_before: Bound<Nominal>, amendment: &PreparedAmendment) -> Option<String> {
    if let Some(fault) = &amendment.fault {
        return Some(fault.clone());
    }
    let start = term.start.instant();
    if amendment.end.is_some_and(|end| end.instant().has_come(start)) {
        return Some(format!("its end is not after the grant's start {}: give a later end", format_instant(start)));
    }
    let effective = amendment.effective?;
    let end_before = end_before.instant();
    end_before.has_come(effective).then(|| {
        format!("the grant has ended at {end_before}, before this would count: date it before that end, or renew the grant instead")
    })
}
