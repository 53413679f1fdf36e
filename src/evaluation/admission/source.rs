//! What is said of every source of grants, whatever it gives: its term, its amendments, and its deletion.

use super::{AdmissionVerdict, Findings, some_of};
use crate::{
    api::{Phase, lifecycle::AmendmentState},
    core::{
        calendar::{Instant, format_instant},
        problem::Problem,
        reason::ReasonCode,
        refusal::{Reason, Refusal},
        source::{
            SourceId, SourceKind,
            stated::{StatedAmendment, StatedSource},
        },
    },
    evaluation::{Snapshot, decided::DecidedSource, decision::Decision, holding::is_held, status::NEVER_IN_FORCE},
};
use std::collections::BTreeSet;

/// What is said of parts of a source that cannot count.
pub enum IgnoredParts {
    /// It is made with them, perhaps anew: they are ignored.
    Warn,
    /// One that is not among these is being added, and could never be taken away again.
    RefuseAllBut(BTreeSet<String>),
}

impl IgnoredParts {
    /// Of amendments, where those were there before.
    pub fn added_to<'a, T: AsRef<StatedAmendment> + 'a>(known: impl Iterator<Item = &'a T>) -> Self {
        Self::RefuseAllBut(known.map(|amendment| amendment.as_ref().name.clone()).collect())
    }
}

/// A source in a decision.
pub fn find<'a>(decision: &'a Decision, id: &SourceId) -> Option<DecidedSource<'a>> {
    decision.sources().find(|source| source.id() == *id)
}

/// Why one in state Active is refused.
pub fn of_refusal(findings: &mut Findings, source: &DecidedSource) {
    match &source.verdict.refusal {
        // What waits for others is as it should be.
        None | Some(Refusal { reason: Reason::ApprovalRequired, .. }) => {}
        Some(refusal) if refusal.reason == Reason::ApprovalsUnprotected => {
            findings.warn(format!("it will not be accepted: {}", Problem::from(refusal)));
        }
        Some(refusal) => findings.flaw(refusal.into()),
    }
}

/// Why one in state Active comes to nothing, or to little.
pub fn of_term(findings: &mut Findings, source: &DecidedSource, now: Instant) {
    let verdict = source.verdict;
    if verdict.is_never_in_force() && verdict.refusal.is_none() {
        findings.warn(NEVER_IN_FORCE);
    }
    let end = verdict.end.instant().at().filter(|end| verdict.term.is_some() && *end <= now).map(format_instant);
    match (end, verdict.phase, source.change) {
        (Some(end), Phase::Expired, _) => findings.warn(format!("it ended at {end} already, so nothing is delivered")),
        (Some(end), Phase::Grace, Some(change)) => {
            let over = format_instant(change.at);
            findings
                .warn(format!("it ended at {end} already, and is delivered until {over} only, for its grace period"));
        }
        _ => {}
    }
}

/// A draft is not wrong for what activating it would give; but nothing can make a text readable.
pub fn of_draft(findings: &mut Findings, source: &DecidedSource, is_amount_readable: bool) {
    let Some(refusal) = &source.verdict.refusal else { return };
    let is_unreadable = match refusal.reason {
        Reason::InvalidAmount => !is_amount_readable,
        Reason::InvalidTerm => has_unreadable_moment(source.stated),
        _ => false,
    };
    match is_unreadable {
        true => findings.flaw(refusal.into()),
        false => findings.warn(format!("activating it would be refused: {}", Problem::from(refusal))),
    }
}

fn has_unreadable_moment(stated: &StatedSource) -> bool {
    [&stated.start, &stated.end].into_iter().any(|moment| matches!(moment, Some(Err(_))))
}

/// Amendments that cannot count.
pub fn of_amendments<T: AsRef<StatedAmendment>>(
    findings: &mut Findings,
    source: &DecidedSource,
    amendments: &[T],
    added: &IgnoredParts,
) {
    let ignored = source.verdict.amendments.iter().filter(|outcome| outcome.state == AmendmentState::Ignored);
    for outcome in ignored {
        let name = amendments.get(outcome.index).map_or("", |amendment| amendment.as_ref().name.as_str());
        let message = format!("amendment {name}: {}", outcome.message.as_deref().unwrap_or("it cannot count"));
        match added {
            IgnoredParts::RefuseAllBut(known) if !known.contains(name) => {
                findings.flaw(Problem::new(ReasonCode::AmendmentIgnored, message));
            }
            _ => findings.warn(format!("it is ignored: {message}")),
        }
    }
}

/// What is said of a deletion, where these others would be harmed.
pub fn deletion(
    before: &Snapshot,
    decision: &Decision,
    id: &SourceId,
    others: &[(SourceId, Problem)],
) -> AdmissionVerdict {
    let is_terminating = !before.namespaces.get(&id.namespace).is_some_and(|facts| facts.present);
    // Whoever deletes a whole namespace means all of it, and must not be kept from it.
    if is_terminating {
        return AdmissionVerdict::default();
    }
    let refused = |message| AdmissionVerdict {
        refused: Some(Problem::new(ReasonCode::InUse, message)),
        ..AdmissionVerdict::default()
    };
    if let Some((other, harm)) = others.first() {
        let those = some_of(others.len(), other.kind.noun(), other);
        return refused(format!(
            "without {id}, {those}, would be refused ({harm}): cancel or delete what depends on it first"
        ));
    }
    let Some(source) = find(decision, id) else { return AdmissionVerdict::default() };
    let Some(renewal) = source.renewed_by.filter(|_| is_held(source.verdict.phase)) else {
        return AdmissionVerdict::default();
    };
    let next = id.beside(renewal.into());
    let takes_over = find(decision, &next).and_then(|next| next.verdict.term);
    let takes_over = takes_over.map(|term| format_instant(term.start.instant()));
    let from = takes_over.map(|start| format!(" from {start} on")).unwrap_or_default();
    let holds = match id.kind {
        SourceKind::Subscription => format!("gives plan {}", source.subject),
        SourceKind::Instance | SourceKind::Override => format!("holds {}", source.subject),
        #[cfg(test)]
        SourceKind::Bundle => format!("holds {}", source.subject),
    };
    refused(format!(
        "{id} is renewed by {next}, which counts{from}, and until then this one {holds}: delete it after that, or cancel it first if it is to end now"
    ))
}
