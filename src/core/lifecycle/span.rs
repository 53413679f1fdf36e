//! The moments at which a grant's phase changes, with all its amendments counted.
//!
//! They do not depend on the moment of the decision. An amendment counts only if it takes effect before the end that holds
//! until then, so an end that has come is the last one.

use super::{amendments::Amended, term::Term};
use crate::{
    api::Phase,
    core::calendar::{Bound, Instant},
};

/// When a grant starts, ends, and is over at the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first moment in force.
    pub start: Bound,
    /// The first moment after it.
    pub end: Bound,
    /// The first moment after the grace period.
    pub over: Bound,
}

impl Span {
    /// The span of an amended term.
    #[must_use]
    pub fn of(term: &Term, amended: &Amended) -> Self {
        Self {
            // A renewal of what never ends never starts.
            start: Bound::from(term.start.instant()),
            end: amended.final_end.instant(),
            over: term.after_grace(amended.final_end),
        }
    }

    /// When a renewal makes the grant Expired: its end has come, and the renewal to its start.
    #[must_use]
    pub fn passes_to(self, renewal: Self) -> Bound {
        self.end.max(renewal.start)
    }

    /// The phase at a moment of a grant in state Active that is not refused and Expired from `expires` on.
    #[must_use]
    pub fn phase(self, expires: Bound, suspended: bool, now: Instant) -> Phase {
        if expires.has_come(now) {
            return Phase::Expired;
        }
        if !self.start.has_come(now) {
            return Phase::Waiting;
        }
        if suspended {
            return Phase::Suspended;
        }
        if self.end.has_come(now) { Phase::Grace } else { Phase::Active }
    }
}
