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
//! | `descent` | what the record of a renewal cannot have taken from the grant that it renews |
//! | `settle` | terms and refusals along the lineage, and who may renew whom |
//! | `span` | the moments at which the phase of a grant changes |
//! | `seat` | which chain has the only seat, and which gets it next |
//! | `phase` | verdicts, with the phase at a moment |
//! | `outlook` | the next change of each grant, and the time in force |

mod amendments;
mod descent;
mod lineage;
mod outlook;
mod phase;
mod seat;
mod settle;
mod span;
mod term;
#[cfg(test)]
mod tests;

pub use amendments::{AmendmentOutcome, PreparedAmendment};
pub use lineage::{Lineage, groups};
pub use outlook::{Change, Outlook};
pub use span::Span;
pub use term::Term;

use super::{
    acceptance::Acceptance,
    amount::{Allotment, Amount},
    belief::History,
    calendar::{Bound, CalendarDuration, Instant, Nominal, Tz},
    grant::Grant,
    refusal::Refusal,
    source::stated::StatedSource,
    usage::caps::ChannelCaps,
};
use crate::api::{
    Phase,
    lifecycle::{AmendmentState, State},
};
use seat::{Contest, Contestant, Seat};
use settle::Settled;
use std::{fmt, sync::Arc};

/// One grant, with what decides on it from outside its group. None of it depends on the moment.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// What its source states of itself.
    pub source: &'a StatedSource,
    /// What it took from elsewhere when it was accepted, as it is recorded.
    pub accepted: Option<&'a Arc<Acceptance>>,
    /// What it took from elsewhere when it was accepted, as far as that is believed.
    pub record: Option<Arc<Acceptance>>,
    /// What the definition has given, where all that it can have given to the grant is known.
    pub history: Option<Arc<History>>,
    /// A reason that refuses also what was accepted once.
    pub barred: Option<Refusal>,
    /// A reason that refuses what was not accepted yet.
    pub unready: Option<Refusal>,
    /// The organization's time zone, where it can be read.
    pub zone: Option<Tz>,
    /// What it takes over from the grant that it renews.
    pub takes_over: TakesOver,
    /// The present definition's term and grace period.
    pub catalogue_term: Option<CalendarDuration>,
    /// The present definition's grace period.
    pub catalogue_grace: Option<CalendarDuration>,
    /// What the present definition says of the amount of grants that state none; absent where no definition is known.
    pub allotment: Option<Allotment>,
    /// The grant's own or its organization's suspension.
    pub suspended: bool,
    /// The grant's amendments, in the order in which they count.
    pub amendments: Arc<[PreparedAmendment]>,
    /// What the approval of others comes to, where that is needed.
    pub permission: Option<Permission>,
}

/// What the approval of a source by others comes to.
#[derive(Clone, Debug)]
pub struct Permission {
    /// The longest that its term may be, from its stated start, else from its creation.
    pub longest: CalendarDuration,
    /// It was approved at that time, and is not in force before; or it is not approved, and why.
    pub approved: Result<Instant, Refusal>,
}

impl Case<'_> {
    /// The start where nothing gives one. What others have to approve counts from its creation: whoever makes it could say of
    /// himself that it was made at another time.
    fn since(&self) -> Instant {
        if self.permission.is_some() { self.source.created } else { self.source.made() }
    }
}

/// What a renewal takes over from the grant that it renews, beside its end and its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakesOver {
    /// The length of its term, where it states no end.
    Length,
    /// That, and its plan, which nothing refuses any more.
    Plan,
    /// Neither: it is of another plan.
    Nothing,
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
    /// The phase.
    pub phase: Phase,
    /// The grant (index in the group) that renews it validly.
    pub renewed_by: Option<usize>,
    /// When its phase changes, and the record that it has or would have if its chain got the seat.
    prospect: Option<(Span, Arc<Acceptance>)>,
    /// The grant that renews what this one renews, should that one get the seat.
    rival: Option<usize>,
}

impl Verdict {
    /// What the grant comes to now, where its definition has amounts: by an amendment, else by its spec, else as it took it from
    /// its definition.
    #[must_use]
    pub fn amount(&self, grant: &Grant) -> Option<Amount> {
        let stated = grant.amount.as_ref().and_then(|amount| amount.as_ref().ok().copied());
        let taken = self.prospect.as_ref().map(|(_, acceptance)| acceptance).or(self.acceptance.as_ref());
        self.amended_amount(grant).or(stated).or_else(|| taken?.amount)
    }

    /// How much of the grant can be used by each channel now, where it says so.
    #[must_use]
    pub fn channels<'a>(&self, grant: &'a Grant) -> Option<&'a Arc<ChannelCaps>> {
        let amended = self.effective().rev().find_map(|index| grant.amendments.get(index)?.channels());
        amended.or_else(|| grant.channels.as_ref()?.as_ref().ok())
    }

    /// What becomes of each amendment of the source, in the order of its list, which says of each whether it is revoked: its state,
    /// and why it is ignored. `what` is what the source is called.
    #[must_use]
    pub fn amendments_told(
        &self,
        what: &str,
        revoked: impl Iterator<Item = bool>,
    ) -> Vec<(AmendmentState, Option<String>)> {
        let outcome = |(index, is_revoked): (usize, bool)| {
            let decided = self.amendments.iter().find(|one| one.index == index);
            match decided {
                Some(one) => (one.state, one.message.clone()),
                None if is_revoked => (AmendmentState::Revoked, None),
                None => (
                    AmendmentState::Ignored,
                    Some(format!("the {what} is refused, so it has no term that this could change")),
                ),
            }
        };
        revoked.enumerate().map(outcome).collect()
    }

    /// The amendments in force (by index in the source's list), in the order in which they count: the last one goes before.
    #[must_use]
    pub fn effective(&self) -> impl DoubleEndedIterator<Item = usize> {
        let effective = self.amendments.iter().filter(|outcome| outcome.state == AmendmentState::Effective);
        effective.map(|outcome| outcome.index)
    }

    /// The amount that an amendment in force gives.
    fn amended_amount(&self, grant: &Grant) -> Option<Amount> {
        self.effective().rev().find_map(|index| grant.amendments.get(index)?.amount())
    }

    /// The same in another phase: a grant is not always in that of its source.
    #[must_use]
    pub fn in_phase(&self, phase: Phase) -> Self {
        Self { phase, ..self.clone() }
    }

    /// When its phase changes, where it has a term.
    #[must_use]
    pub fn span(&self) -> Option<Span> {
        self.prospect.as_ref().map(|(span, _)| *span)
    }

    /// Whether its term leaves it no time in force at all.
    #[must_use]
    pub fn is_never_in_force(&self) -> bool {
        self.prospect.as_ref().is_some_and(|(span, _)| span.end <= span.start)
    }
}

/// What the sources of a group are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupSubject<'a> {
    /// A definition.
    Definition(&'a str),
    /// A line of plans: those of one product, or one that has none.
    Line(&'a str),
    /// One plan that an organization may have several times.
    Plan(&'a str),
}

impl fmt::Display for GroupSubject<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Definition(name) => write!(formatter, "definition {name}"),
            Self::Line(name) => write!(formatter, "line {name}"),
            Self::Plan(name) => write!(formatter, "plan {name}"),
        }
    }
}

/// A group of grants of one definition and organization that bear on each other.
#[derive(Debug)]
pub struct Group<'a> {
    /// What all of them are of.
    pub subject: GroupSubject<'a>,
    /// The grants.
    pub cases: Vec<Case<'a>>,
    /// Who renews whom.
    pub lineage: Lineage,
    /// Whether only one chain of them can be accepted.
    pub unique: bool,
}

impl Group<'_> {
    /// Settles the group at one moment.
    #[must_use]
    pub fn decide(&self, now: Instant) -> Vec<Verdict> {
        let mut settled = settle::settle(self, now);
        if settled.len() > 1 {
            self.refuse_unseated(&mut settled, now);
            settle::refuse_outrun(self, &mut settled);
        }
        phase::conclude(self, settled, now)
    }

    /// Refuses as `Duplicate` the living members of every chain but that which has the seat.
    fn refuse_unseated(&self, settled: &mut [Settled], now: Instant) {
        if !self.unique {
            return;
        }
        let contestants = settled.iter().enumerate().map(|(index, one)| self.contestant(index, one)).collect();
        let refusals = Seat::of(&Contest::new(self, contestants)).refusals(now);
        for (loser, refusal) in refusals {
            if let Some(settled) = settled.get_mut(loser) {
                settled.refusal = Some(refusal);
            }
        }
    }

    fn contestant<'b>(&self, index: usize, settled: &'b Settled) -> Option<Contestant<'b>> {
        let running = settled.running.as_ref().filter(|_| self.is_active(index))?;
        let is_recorded = self.record(index).is_some();
        Some(Contestant { span: running.span, chain: &running.acceptance.chain, is_recorded })
    }

    /// What a member took when it was accepted before.
    fn record(&self, index: usize) -> Option<&Arc<Acceptance>> {
        self.cases.get(index).and_then(|case| case.record.as_ref())
    }

    fn is_active(&self, index: usize) -> bool {
        self.cases.get(index).is_some_and(|case| case.source.state == State::Active)
    }
}
