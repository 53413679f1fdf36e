//! The next change of each grant by time alone, and the runs of time in which a group is in force.
//!
//! Both follow from the decision for one moment, without deciding again for others. Terms, ends, and renewals do not change by
//! time alone, and the seat passes from chain to chain in the order of their age (see `seat`).

use super::{
    Case, Group, Verdict,
    seat::{Contest, Contestant, Seat},
    span::Span,
};
use crate::{
    api::{Phase, lifecycle::AmendmentState},
    core::{
        calendar::{Bound, Instant},
        refusal::Reason,
    },
};

/// A change to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: Instant,
    /// The phase from then on.
    pub phase: Phase,
}

/// What is to come for a group, and what was.
#[derive(Clone, Debug, Default)]
pub struct Outlook {
    /// The next change of each grant, by index: of its phase, reason, start, end or an amendment.
    pub changes: Vec<Option<Change>>,
    /// When each grant is Expired at the latest, by index, should nothing refuse it.
    pub expires: Vec<Bound>,
    /// The spans of time of each grant, by index, in no order and possibly overlapping, at whose instants the present specs
    /// with the records after the decision put it in force.
    pub in_force: Vec<Box<[(Instant, Bound)]>>,
}

impl Outlook {
    /// What follows from the verdicts of a group at `now`.
    #[must_use]
    pub fn of(group: &Group, verdicts: &[Verdict], now: Instant) -> Self {
        let contest = Contest::new(
            group,
            verdicts.iter().enumerate().map(|(index, one)| contestant(group, one, index)).collect(),
        );
        let is_contested = verdicts.iter().any(is_duplicate);
        let seat = is_contested.then(|| Seat::of(&contest));
        let view = View { group, verdicts, contest: &contest, seat: seat.as_ref(), now };
        Self {
            changes: (0..verdicts.len()).map(|index| view.change(index)).collect(),
            expires: (0..verdicts.len()).map(|index| view.contest.expires(index, |_| true)).collect(),
            in_force: (0..verdicts.len()).map(|index| view.in_force(index).collect()).collect(),
        }
    }
}

fn is_duplicate(verdict: &Verdict) -> bool {
    verdict.refusal.as_ref().is_some_and(|refusal| refusal.reason == Reason::Duplicate)
}

fn contestant<'a>(group: &Group, verdict: &'a Verdict, index: usize) -> Option<Contestant<'a>> {
    let may_run = verdict.refusal.is_none() || is_duplicate(verdict);
    let (span, prospect) = verdict.prospect.as_ref().filter(|_| may_run && group.is_active(index))?;
    Some(Contestant { span: *span, chain: &prospect.chain, is_recorded: verdict.acceptance.is_some() })
}

struct View<'a> {
    group: &'a Group<'a>,
    verdicts: &'a [Verdict],
    contest: &'a Contest<'a>,
    /// Absent where nobody is refused the seat, so that all keep what they have until they are over.
    seat: Option<&'a Seat<'a>>,
    now: Instant,
}

impl View<'_> {
    fn change(&self, index: usize) -> Option<Change> {
        let (case, verdict) =
            self.group.cases.get(index).zip(self.verdicts.get(index)).filter(|_| self.group.is_active(index))?;
        let turn = match self.contest.contestant(index) {
            Some(_) if is_duplicate(verdict) => self.seating(index),
            Some(contestant) => self.turn(case, contestant.span, index),
            // That what it renews is renewed already goes before its own term.
            None => verdict
                .rival
                .and_then(|rival| self.seating(rival))
                .map(|change| Change { phase: Phase::Rejected, ..change }),
        };
        let amended = self
            .contest
            .contestant(index)
            .and_then(|_| pending(case, verdict))
            .map(|at| Change { at, phase: verdict.phase });
        match (amended, turn) {
            (Some(amended), Some(turn)) if amended.at < turn.at => Some(amended),
            (amended, turn) => turn.or(amended),
        }
    }

    /// The first moment at which the phase of a grant that is not refused is another.
    fn turn(&self, case: &Case, span: Span, index: usize) -> Option<Change> {
        let expires = self.contest.expires(index, |_| true);
        let phase = |at: Instant| span.phase(expires, case.suspended, at);
        let before = phase(self.now);
        let moments = [span.start, span.end, expires].into_iter().filter_map(Bound::at).filter(|at| *at > self.now);
        moments
            .map(|at| Change { at, phase: phase(at) })
            .filter(|change| change.phase != before)
            .min_by_key(|change| change.at)
    }

    /// When a grant that is refused as `Duplicate` gets the seat with its chain, or is over before.
    fn seating(&self, index: usize) -> Option<Change> {
        let seat = self.seat?;
        let span = self.contest.contestant(index)?.span;
        let case = self.group.cases.get(index)?;
        let (_, seated) = seat.times(index);
        let expires = seat.expires_unseated(index);
        if expires <= seated {
            return expires.at().map(|at| Change { at, phase: Phase::Expired });
        }
        let at = seated.at()?;
        Some(Change { at, phase: span.phase(self.contest.expires(index, |_| true), case.suspended, at) })
    }

    fn in_force(&self, index: usize) -> impl Iterator<Item = (Instant, Bound)> + use<> {
        let contestant =
            self.contest.contestant(index).filter(|_| self.group.cases.get(index).is_some_and(|case| !case.suspended));
        let term = contestant.map(|contestant| (contestant.span.start, self.contest.expires(index, |_| true)));
        let (kept_until, takes_over) = self.seat.map_or((Bound::Never, Bound::Never), |seat| seat.times(index));
        let kept = term.map(|(start, end)| (start, end.min(kept_until)));
        let taken = term.map(|(start, end)| (start.max(takes_over), end));
        [kept, taken]
            .into_iter()
            .flatten()
            .filter(|(start, end)| start < end)
            .filter_map(|(start, end)| Some((start.at()?, end)))
    }
}

/// The moment of the first amendment that is to come.
fn pending(case: &Case, verdict: &Verdict) -> Option<Instant> {
    let mut amendments = case.amendments.iter().zip(&verdict.amendments);
    amendments.find(|(_, outcome)| outcome.state == AmendmentState::Pending)?.0.effective
}
