//! The lifecycle: which grants are accepted, their terms, their phases, and when these change.
//!
//! Grants of one definition and organization bear on each other by renewal and, unless the definition allows several, by the
//! one seat that they compete for. [`decide`] settles such a group at one moment:
//!
//! | file | what it knows |
//! |---|---|
//! | `lineage` | which grant renews which, parents before children, and cycles |
//! | `term` | from when to when a grant runs, before amendments |
//! | `amendments` | what effective-dated changes make of that |
//! | `settle` | terms and refusals along the lineage, and who may renew whom |
//! | `seat` | which chain has the only seat |
//! | `phase` | the phase at a moment |
//! | `outlook` | the next change of each grant, and the runs of time in force |

mod amendments;
mod lineage;
mod outlook;
mod phase;
mod seat;
mod settle;
mod term;

pub use amendments::{AmendmentOutcome, PreparedAmendment};
pub use lineage::{Lineage, groups};
pub use outlook::{Change, Outlook, runs_in_force};
pub use term::Term;

use super::{
    acceptance::Acceptance,
    amount::Amount,
    calendar::{Bound, CalendarDuration, Instant, Nominal, Tz},
    grant::Grant,
    refusal::Refusal,
};
use crate::api::Phase;
use std::sync::Arc;

/// One grant, with what decides on it from outside its group. None of it depends on the moment.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// The grant.
    pub grant: &'a Grant,
    /// A reason that refuses also what was accepted once.
    pub barred: Option<Refusal>,
    /// A reason that refuses what was not accepted yet.
    pub unready: Option<Refusal>,
    /// The organization's time zone, where it can be read.
    pub zone: Option<Tz>,
    /// The present definition's term and grace period.
    pub catalogue_term: Option<CalendarDuration>,
    /// The present definition's grace period.
    pub catalogue_grace: Option<CalendarDuration>,
    /// The grant's own or its organization's suspension.
    pub suspended: bool,
    /// The grant's amendments, in the order in which they count.
    pub amendments: Vec<PreparedAmendment>,
}

/// What one moment gives for one grant.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Why it is refused.
    pub refusal: Option<Refusal>,
    /// The record that it leaves.
    pub acceptance: Option<Arc<Acceptance>>,
    /// Its term before amendments; absent where it is refused for `InvalidTerm` or an earlier reason.
    pub term: Option<Term>,
    /// The end that holds now.
    pub end: Bound<Nominal>,
    /// The end once all pending amendments count.
    pub final_end: Bound<Nominal>,
    /// What becomes of each amendment, in the order of the case's.
    pub amendments: Vec<AmendmentOutcome>,
    /// The amount that an amendment in force gives.
    pub amended_amount: Option<Amount>,
    /// The phase.
    pub phase: Phase,
    /// The grant (index in the group) that renews it validly.
    pub renewed_by: Option<usize>,
}

impl Verdict {
    /// Whether its term leaves it no time in force at all.
    #[must_use]
    pub fn is_never_in_force(&self) -> bool {
        let Some(term) = &self.term else { return false };
        self.final_end.instant() <= Bound::from(term.start.instant())
    }
}

/// A group of grants of one definition and organization that bear on each other.
#[derive(Debug)]
pub struct Group<'a> {
    /// The grants.
    pub cases: Vec<Case<'a>>,
    /// Who renews whom.
    pub lineage: Lineage,
    /// Whether only one chain of them can be accepted.
    pub unique: bool,
}

/// The records that the members of a group have, by index.
pub type Ledger = Vec<Option<Arc<Acceptance>>>;

impl Group<'_> {
    /// The records that the grants come with.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.cases.iter().map(|case| case.grant.accepted.clone()).collect()
    }

    /// Settles the group at one moment, with the records that its members have by then.
    #[must_use]
    pub fn decide(&self, ledger: &Ledger, now: Instant) -> Vec<Verdict> {
        let mut settled = settle::settle(self, ledger, now);
        if self.unique {
            seat::assign(self, ledger, &mut settled, now);
        }
        phase::conclude(self, ledger, settled, now)
    }
}

/// The records after a decision.
#[must_use]
pub fn ledger_after(verdicts: &[Verdict]) -> Ledger {
    verdicts.iter().map(|verdict| verdict.acceptance.clone()).collect()
}
