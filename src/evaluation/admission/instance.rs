//! A grant among those of its organization and definition.

use super::{AdmissionVerdict, Candidate, Findings, costs, harmed, some_of};
use crate::{
    api::{
        Phase,
        lifecycle::{AmendmentState, State},
    },
    core::{
        calendar::{Instant, format_instant},
        grant::{Grant, GrantId},
        lifecycle::AmendmentOutcome,
        problem::Problem,
        reason::ReasonCode,
        refusal::{Reason, Refusal},
        source::SourceId,
    },
    evaluation::{
        Snapshot,
        decision::{Decision, decide_alone},
        doubts::{doubts, is_renewed_by},
        facets::{Validity, sentences},
        holding::{Holding, Member, is_held},
        standing::Standing,
        status::NEVER_IN_FORCE,
    },
};
use std::collections::BTreeSet;

/// What is said of a change of one grant. Both candidates are of its organization, with the grant as it is before and after
/// the change: absent from the first where it is made, from the second where it is deleted.
#[must_use]
pub fn review_instance(before: &Candidate, after: &Candidate, id: &SourceId, now: Instant) -> AdmissionVerdict {
    let (before, after) = (before.snapshot(), after.snapshot());
    let find = |snapshot: &'_ Snapshot| snapshot.grants.iter().find(|grant| grant.id.source == *id).cloned();
    let (old, new) = (find(before), find(after));
    let Some(definition) = new.as_ref().or(old.as_ref()).map(|grant| &grant.id.definition) else {
        return AdmissionVerdict::default();
    };
    let (earlier, later) = (decide_alone(before, definition, now), decide_alone(after, definition, now));
    let mut others = harmed(&earlier, &later);
    others.retain(|(other, _)| other.source != *id);
    if new.is_none() {
        let is_terminating = !before.namespaces.get(&id.namespace).is_some_and(|facts| facts.present);
        // Whoever deletes a whole namespace means all of it, and must not be kept from it.
        return if is_terminating { AdmissionVerdict::default() } else { deletion(&earlier, id, &others) };
    }
    let known = findings(&earlier, id, &Amendments::Warn);
    let added = old.as_ref().map_or(Amendments::Warn, |old| Amendments::RefuseAllBut(names(old)));
    let mut found = findings(&later, id, &added);
    found.warnings.extend(costs(&others));
    found.since(&known)
}

/// What is said of amendments that cannot count.
enum Amendments {
    /// The grant is made with them, perhaps anew: they are ignored.
    Warn,
    /// One that is not among these is being added, and could never be taken away again.
    RefuseAllBut(BTreeSet<String>),
}

fn names(grant: &Grant) -> BTreeSet<String> {
    grant.amendments.iter().map(|amendment| amendment.name.clone()).collect()
}

fn find<'a>(decision: &'a Decision, source: &SourceId) -> Option<(&'a Holding, &'a Member)> {
    decision.grants().find(|(_, member)| member.grant.id.source == *source)
}

fn findings(decision: &Decision, id: &SourceId, amendments: &Amendments) -> Findings {
    let mut findings = Findings::default();
    let Some((holding, member)) = find(decision, id) else { return findings };
    match member.grant.state {
        // Taking something back is always right.
        State::Cancelled => {}
        State::Draft => of_draft(&mut findings, member),
        State::Active => of_active(&mut findings, member, amendments, decision.at),
    }
    if !matches!(member.verdict.phase, Phase::Cancelled | Phase::Expired) {
        of_meaning(&mut findings, &decision.standing, holding, member);
    }
    findings
}

/// What is legal, but hardly meant.
fn of_meaning(findings: &mut Findings, standing: &Standing, holding: &Holding, member: &Member) {
    let mut grants = holding.members.iter().map(|member| &member.grant);
    let renewed = grants.find(|grant| is_renewed_by(grant, &member.grant));
    let preset = holding.definition().and_then(|definition| definition.amount);
    let doubts = doubts(&member.grant, renewed.map(AsRef::as_ref), preset, standing.zone);
    findings.warnings.extend(doubts.into_iter().map(|doubt| doubt.message));
}

/// A draft is not wrong for what activating it would give; but nothing can make a text readable.
fn of_draft(findings: &mut Findings, member: &Member) {
    if let Some(refusal) = &member.verdict.refusal {
        match is_unreadable(&member.grant, refusal) {
            true => findings.flaw(refusal.into()),
            false => findings.warn(format!("activating it would be refused: {}", Problem::from(refusal))),
        }
    }
    if let Validity::Invalid(violations) = &member.facets.validity {
        findings.warn(format!("its facets are invalid: {}", sentences(violations)));
    }
    of_doubts(findings, member);
}

fn of_doubts(findings: &mut Findings, member: &Member) {
    if let Validity::Valid(doubts) = &member.facets.validity {
        findings.warnings.extend(doubts.iter().map(ToString::to_string));
    }
}

fn is_unreadable(grant: &Grant, refusal: &Refusal) -> bool {
    match refusal.reason {
        Reason::InvalidAmount => matches!(grant.amount, Some(Err(_))),
        Reason::InvalidTerm => [&grant.start, &grant.end].into_iter().any(|moment| matches!(moment, Some(Err(_)))),
        _ => false,
    }
}

fn of_active(findings: &mut Findings, member: &Member, amendments: &Amendments, now: Instant) {
    let verdict = &member.verdict;
    if let Some(refusal) = &verdict.refusal {
        findings.flaw(refusal.into());
    }
    if let Validity::Invalid(violations) = &member.facets.validity {
        findings.flaw(Problem::new(ReasonCode::FacetsInvalid, sentences(violations)));
    }
    of_doubts(findings, member);
    if verdict.is_never_in_force() && verdict.refusal.is_none() {
        findings.warn(NEVER_IN_FORCE);
    }
    let end = verdict.end.instant().at().filter(|end| verdict.term.is_some() && *end <= now).map(format_instant);
    match (end, verdict.phase, member.change) {
        (Some(end), Phase::Expired, _) => findings.warn(format!("it ended at {end} already, so nothing is delivered")),
        (Some(end), Phase::Grace, Some(change)) => {
            let over = format_instant(change.at);
            findings
                .warn(format!("it ended at {end} already, and is delivered until {over} only, for its grace period"));
        }
        _ => {}
    }
    for outcome in verdict.amendments.iter().filter(|outcome| outcome.state == AmendmentState::Ignored) {
        of_amendment(findings, &member.grant, outcome, amendments);
    }
}

fn of_amendment(findings: &mut Findings, grant: &Grant, outcome: &AmendmentOutcome, amendments: &Amendments) {
    let name = grant.amendments.get(outcome.index).map_or("", |amendment| amendment.name.as_str());
    let message = format!("amendment {name}: {}", outcome.message.as_deref().unwrap_or("it cannot count"));
    match amendments {
        Amendments::RefuseAllBut(known) if !known.contains(name) => {
            findings.flaw(Problem::new(ReasonCode::AmendmentIgnored, message));
        }
        _ => findings.warn(format!("it is ignored: {message}")),
    }
}

fn deletion(decision: &Decision, id: &SourceId, others: &[(&GrantId, Problem)]) -> AdmissionVerdict {
    let refused = |message| AdmissionVerdict {
        refused: Some(Problem::new(ReasonCode::InUse, message)),
        ..AdmissionVerdict::default()
    };
    if let Some((other, harm)) = others.first() {
        let those = some_of(others.len(), "grant", other);
        return refused(format!(
            "without {id}, {those}, would be refused ({harm}): cancel or delete what depends on it first"
        ));
    }
    let Some((holding, member)) = find(decision, id) else {
        return AdmissionVerdict::default();
    };
    let Some(renewal) = member.renewed_by.as_deref().filter(|_| is_held(member.verdict.phase)) else {
        return AdmissionVerdict::default();
    };
    let next = id.beside(renewal.into());
    let takes_over = holding
        .members
        .iter()
        .find(|member| member.grant.id.source == next)
        .and_then(Member::start)
        .map(format_instant);
    let from = takes_over.map(|start| format!(" from {start} on")).unwrap_or_default();
    refused(format!(
        "{id} is renewed by {next}, which counts{from}, and until then this one holds {}: delete it after that, or cancel it first if it is to end now",
        holding.name
    ))
}
