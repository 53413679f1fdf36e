//! The next change of each grant by time alone, and the runs of time in which a group is in force.

use super::{Group, Ledger, Verdict, amendments::boundaries, ledger_after};
use crate::{
    api::{
        Phase,
        entitlement_instance::{AmendmentState, State},
    },
    core::{
        calendar::{Bound, Instant},
        refusal::Reason,
    },
};
use std::collections::BTreeSet;

/// A change to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: Instant,
    /// The phase from then on.
    pub phase: Phase,
}

/// What is to come for a group.
#[derive(Clone, Debug, Default)]
pub struct Outlook {
    /// The next change of each grant, by index.
    pub changes: Vec<Option<Change>>,
}

/// What of a grant a transition changes: its phase, reason, start, end or an amendment.
type Face = (Phase, Option<Reason>, Option<Instant>, Bound, Vec<AmendmentState>);

fn face(verdict: &Verdict) -> Face {
    (
        verdict.phase,
        verdict.refusal.as_ref().map(|refusal| refusal.reason),
        verdict.term.map(|term| term.start.instant()),
        verdict.end.instant(),
        verdict.amendments.iter().map(|amendment| amendment.state).collect(),
    )
}

impl Outlook {
    /// Follows the group from `now` on, through each of its boundaries in turn with the records as they are by then, until
    /// the next change of every grant is known.
    #[must_use]
    pub fn of(group: &Group, verdicts: &[Verdict], now: Instant) -> Self {
        let mut changes = vec![None; verdicts.len()];
        let mut open: Vec<(usize, Face)> =
            verdicts.iter().enumerate().filter(|(index, _)| is_watched(group, *index)).map(|(index, one)| (index, face(one))).collect();
        let mut ledger = ledger_after(verdicts);
        let mut boundaries = all_boundaries(group, verdicts);
        let mut at = now;
        while let Some(next) = boundaries.range((std::ops::Bound::Excluded(at), std::ops::Bound::Unbounded)).next().copied() {
            if open.is_empty() {
                break;
            }
            at = next;
            let verdicts = group.decide(&ledger, at);
            open.retain(|(index, before)| {
                let Some(verdict) = verdicts.get(*index).filter(|verdict| face(verdict) != *before) else { return true };
                if let Some(slot) = changes.get_mut(*index) {
                    *slot = Some(Change { at, phase: verdict.phase });
                }
                false
            });
            ledger = ledger_after(&verdicts);
            boundaries.extend(all_boundaries(group, &verdicts));
        }
        Self { changes }
    }
}

/// A Draft or cancelled grant does not change by time.
fn is_watched(group: &Group, index: usize) -> bool {
    group.cases.get(index).is_some_and(|case| case.grant.state == State::Active)
}

fn all_boundaries(group: &Group, verdicts: &[Verdict]) -> BTreeSet<Instant> {
    let mut all = BTreeSet::new();
    for (case, verdict) in group.cases.iter().zip(verdicts) {
        if let Some(term) = &verdict.term {
            boundaries(term, &case.amendments, |instant| {
                all.insert(instant);
            });
        }
    }
    all
}

/// The runs of time, in order and apart from each other, in which a member of the group is in force, by the present specs
/// with the records of `ledger`: from the first moment to that after the last. A run without beginning starts at the least
/// instant.
#[must_use]
pub fn runs_in_force(group: &Group, verdicts: &[Verdict], ledger: &Ledger) -> Vec<(Instant, Bound)> {
    let mut runs: Vec<(Instant, Bound)> = Vec::new();
    let mut open: Option<Instant> = None;
    for at in all_boundaries(group, verdicts) {
        let in_force = group.decide(ledger, at).iter().any(|verdict| verdict.phase.is_in_force());
        match (open, in_force) {
            (None, true) => open = Some(at),
            (Some(since), false) => {
                runs.push((since, Bound::At(at)));
                open = None;
            }
            _ => {}
        }
    }
    if let Some(since) = open {
        runs.push((since, Bound::Never));
    }
    runs
}
