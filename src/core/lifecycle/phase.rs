//! The phase of a grant at a moment.

use super::{
    Group, Ledger, Verdict,
    settle::{Running, Settled},
};
use crate::{
    api::{Phase, entitlement_instance::State},
    core::calendar::{Bound, Instant},
};

/// Turns what was settled into verdicts.
pub fn conclude(group: &Group, ledger: &Ledger, settled: Vec<Settled>, now: Instant) -> Vec<Verdict> {
    let phases: Vec<Phase> = (0..settled.len()).map(|index| phase(group, &settled, index, now)).collect();
    let renewed: Vec<Option<usize>> = (0..settled.len()).map(|index| renewed_by(group, &settled, index)).collect();
    let outcomes = settled.into_iter().zip(phases).zip(renewed).enumerate();
    outcomes.map(|(index, ((settled, phase), renewed_by))| verdict(group, ledger, index, settled, phase, renewed_by)).collect()
}

fn verdict(
    group: &Group,
    ledger: &Ledger,
    index: usize,
    settled: Settled,
    phase: Phase,
    renewed_by: Option<usize>,
) -> Verdict {
    let before = ledger.get(index).cloned().flatten();
    let state = group.cases.get(index).map_or(State::Draft, |case| case.grant.state);
    let acceptance = match (state, &settled.running) {
        (State::Draft, _) => None,
        (State::Active, Some(running)) if settled.refusal.is_none() => Some(running.acceptance.clone()),
        _ => before,
    };
    let Some(Running { term, amended, .. }) = settled.running else {
        return Verdict {
            refusal: settled.refusal,
            acceptance,
            term: None,
            end: Bound::Never,
            final_end: Bound::Never,
            amendments: Vec::new(),
            amended_amount: None,
            phase,
            renewed_by,
        };
    };
    Verdict {
        refusal: settled.refusal,
        acceptance,
        term: Some(term),
        end: amended.end,
        final_end: amended.final_end,
        amendments: amended.outcomes,
        amended_amount: amended.amount,
        phase,
        renewed_by,
    }
}

/// The first row of the contract's table that applies.
fn phase(group: &Group, settled: &[Settled], index: usize, now: Instant) -> Phase {
    let (Some(case), Some(one)) = (group.cases.get(index), settled.get(index)) else { return Phase::Rejected };
    match case.grant.state {
        State::Draft => return Phase::Draft,
        State::Cancelled => return Phase::Cancelled,
        State::Active => {}
    }
    let Some(running) = one.running.as_ref().filter(|_| one.refusal.is_none()) else { return Phase::Rejected };
    if is_expired(group, settled, index, now) {
        return Phase::Expired;
    }
    if now < running.term.start.instant() {
        return Phase::Waiting;
    }
    if case.suspended {
        return Phase::Suspended;
    }
    if running.amended.end.instant().has_come(now) { Phase::Grace } else { Phase::Active }
}

/// Whether a grant's end with its grace period is over, or its end has come and a renewal of it has come to its start.
pub fn is_expired(group: &Group, settled: &[Settled], index: usize, now: Instant) -> bool {
    let Some(running) = settled.get(index).and_then(|settled| settled.running.as_ref()) else { return false };
    if !running.amended.end.instant().has_come(now) {
        return false;
    }
    running.term.after_grace(running.amended.end).has_come(now) || renewal_has_started(group, settled, index, now)
}

fn renewal_has_started(group: &Group, settled: &[Settled], index: usize, now: Instant) -> bool {
    renewals(group, settled, index)
        .filter_map(|renewal| settled.get(renewal)?.running.as_ref())
        .any(|running| running.term.start.instant() <= now)
}

/// The renewals of a grant in state Active that are not refused.
fn renewals<'a>(group: &'a Group, settled: &'a [Settled], index: usize) -> impl Iterator<Item = usize> + 'a {
    group.lineage.children_of(index).iter().copied().filter(move |child| {
        let is_active = group.cases.get(*child).is_some_and(|case| case.grant.state == State::Active);
        is_active && settled.get(*child).is_some_and(|settled| settled.refusal.is_none())
    })
}

fn renewed_by(group: &Group, settled: &[Settled], index: usize) -> Option<usize> {
    renewals(group, settled, index).next()
}
