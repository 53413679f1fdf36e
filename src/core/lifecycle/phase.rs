//! Verdicts: what was settled, with a phase.

use super::{
    Case, Group, Verdict,
    settle::{Running, Settled},
    span::Span,
};
use crate::{
    api::{Phase, lifecycle::State},
    core::{
        acceptance::Acceptance,
        amount::{Allotment, Amount},
        calendar::{Bound, Instant},
        refusal::Reason,
    },
};
use std::sync::Arc;

/// Turns what was settled into verdicts.
#[must_use]
pub fn conclude(group: &Group, settled: Vec<Settled>, now: Instant) -> Vec<Verdict> {
    let conclude = |index: usize| {
        let renewed_by = renewals(group, &settled, index).next().map(|(renewal, _)| renewal);
        (phase(group, &settled, index, now), renewed_by)
    };
    let concluded: Vec<(Phase, Option<usize>)> = (0..settled.len()).map(conclude).collect();
    let parts = settled.into_iter().zip(concluded).zip(&group.cases);
    parts
        .map(|((mut settled, (phase, renewed_by)), case)| {
            if matches!(phase, Phase::Expired | Phase::Cancelled) {
                leave_amount(&mut settled, case);
            }
            let acceptance = acceptance(&settled, case);
            verdict(settled, acceptance, phase, renewed_by)
        })
        .collect()
}

fn verdict(settled: Settled, acceptance: Option<Arc<Acceptance>>, phase: Phase, renewed_by: Option<usize>) -> Verdict {
    let Settled { refusal, running, rival } = settled;
    let Some(Running { term, amended, acceptance: prospect, span }) = running else {
        return Verdict {
            refusal,
            acceptance,
            term: None,
            end: Bound::Never,
            final_end: Bound::Never,
            amendments: Vec::new(),
            phase,
            renewed_by,
            prospect: None,
            rival,
        };
    };
    Verdict {
        refusal,
        acceptance,
        term: Some(term),
        end: amended.end,
        final_end: amended.final_end,
        amendments: amended.outcomes,
        phase,
        renewed_by,
        prospect: Some((span, prospect)),
        rival,
    }
}

/// An amount that is for everyone reaches all grants that are not over: one that is, was over with what it had by then.
fn leave_amount(settled: &mut Settled, case: &Case) {
    let recorded = case.record.as_ref().and_then(|record| record.amount);
    let Some((running, recorded)) = settled.running.as_mut().zip(recorded) else { return };
    if for_everyone(case).is_some() && running.acceptance.amount != Some(recorded) {
        Arc::make_mut(&mut running.acceptance).amount = Some(recorded);
    }
}

/// The amount that each grant of the definition has, where it is for everyone.
fn for_everyone(case: &Case) -> Option<Amount> {
    match case.allotment? {
        Allotment::Everyone(amount) => Some(amount),
        Allotment::Agreed(_) | Allotment::None => None,
    }
}

/// A record is kept current while the grant is accepted or cancelled. While the grant is refused it is as it is, but for an
/// amount that is for everyone.
fn acceptance(settled: &Settled, case: &Case) -> Option<Arc<Acceptance>> {
    let accepted = case.accepted;
    let running = settled.running.as_ref().filter(|_| settled.refusal.is_none());
    match (case.source.state, running) {
        (State::Draft, _) => None,
        (State::Active, Some(running)) => Some(running.acceptance.clone()),
        (State::Cancelled, Some(running)) => accepted.map(|_| running.acceptance.clone()),
        (State::Cancelled, None) => accepted.cloned(),
        (State::Active, None) => {
            let mut accepted = accepted.cloned()?;
            let current = for_everyone(case).filter(|amount| accepted.amount != Some(*amount));
            if current.is_some() {
                Arc::make_mut(&mut accepted).amount = current;
            }
            Some(accepted)
        }
    }
}

/// The first row of the contract's table that applies.
fn phase(group: &Group, settled: &[Settled], index: usize, now: Instant) -> Phase {
    let Some((case, one)) = group.cases.get(index).zip(settled.get(index)) else { return Phase::Rejected };
    match case.source.state {
        State::Draft => return Phase::Draft,
        State::Cancelled => return Phase::Cancelled,
        State::Active => {}
    }
    if one.refusal.as_ref().is_some_and(|refusal| refusal.reason == Reason::ApprovalRequired) {
        return Phase::Requested;
    }
    let Some(running) = one.running.as_ref().filter(|_| one.refusal.is_none()) else { return Phase::Rejected };
    let span = running.span;
    let expires =
        renewals(group, settled, index).map(|(_, renewal)| span.passes_to(renewal)).fold(span.over, Bound::min);
    span.phase(expires, case.suspended, now)
}

/// The renewals of a grant in state Active that are not refused, oldest first.
fn renewals<'a>(group: &'a Group, settled: &'a [Settled], index: usize) -> impl Iterator<Item = (usize, Span)> + 'a {
    let children = group.lineage.children_of(index).iter().copied();
    children.filter(|child| group.is_active(*child)).filter_map(|child| {
        let settled = settled.get(child).filter(|settled| settled.refusal.is_none())?;
        Some((child, settled.running.as_ref()?.span))
    })
}
