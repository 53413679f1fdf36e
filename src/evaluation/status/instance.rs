//! The status of an instance: the decision about its grant, and the result of the delivery.

use super::{Delivered, lifecycle::Life};
use crate::{
    api::{
        EntitlementInstanceStatus, Phase,
        conditions::{FACETS_VALID, READY},
        facet_fields::FacetViolation,
        lifecycle::{AmendmentStatus, Transition},
        outputs::OutputCounts,
    },
    core::{
        calendar::{Instant, format_instant},
        excerpt::first_characters,
        problem::Problem,
        reason::ReasonCode,
        refusal::Reason,
        schema::Violation,
    },
    evaluation::{
        catalogue::{CatalogueEntry, Present},
        conditions::Conditions,
        facets::{Validity, sentences},
        holding::{Holding, Member},
    },
};

/// What is said of a grant whose term leaves it no time in force.
pub const NEVER_IN_FORCE: &str =
    "the grant that this renews ends no earlier than this one: give it a later end by an amendment";

/// Violations that a status lists.
pub(super) const MAX_VIOLATIONS: usize = 20;
/// Characters of a facet's name that it shows: one that no definition has may be of any length.
const MAX_NAME: usize = 256;

/// The status of the instance that a grant comes from.
#[must_use]
pub fn instance_status(
    holding: &Holding,
    member: &Member,
    delivered: &Delivered,
    now: Instant,
) -> EntitlementInstanceStatus {
    let grant = &member.grant;
    let verdict = &member.verdict;
    EntitlementInstanceStatus {
        observed_generation: grant.generation,
        phase: Some(verdict.phase),
        start: member.start().map(format_instant),
        end: verdict.term.and_then(|_| verdict.end.instant().at()).map(format_instant),
        amount: amount(holding, member),
        until: member.until(),
        next_transition: member.change.map(|change| Transition { at: format_instant(change.at), phase: change.phase }),
        accepted: verdict.acceptance.as_ref().map(|accepted| accepted.record()),
        facets: member.facets.remembered.as_deref().cloned(),
        renewed_by: member.renewed_by.as_deref().map(str::to_owned),
        violations: violations(&member.facets.validity),
        amendments: amendments(member),
        notices: member.reminders.given.clone(),
        outputs: Some(OutputCounts { desired: delivered.desired, delivered: delivered.delivered }),
        conditions: conditions(holding, member, delivered, now),
    }
}

/// What a grant comes to, where that can be told: what was agreed, else what its present definition gives.
fn amount(holding: &Holding, member: &Member) -> Option<String> {
    let is_agreed = member.verdict.acceptance.is_some();
    let is_there = holding.entry.as_ref().is_some_and(|entry| entry.present != Present::Missing);
    let is_readable = !matches!(member.grant.amount, Some(Err(_)));
    member.amount.filter(|_| is_agreed || (is_there && is_readable)).map(|amount| amount.to_string())
}

/// What is not valid, as far as a status lists it.
#[must_use]
pub fn told_violations(validity: &Validity) -> &[Violation] {
    let violations = validity.violations();
    violations.get(..MAX_VIOLATIONS).unwrap_or(violations)
}

pub(super) fn violations(validity: &Validity) -> Vec<FacetViolation> {
    told_violations(validity).iter().map(told_violation).collect()
}

/// A violation as a status shows it.
pub(super) fn told_violation(violation: &Violation) -> FacetViolation {
    FacetViolation {
        facet: first_characters(&violation.facet, MAX_NAME).to_owned(),
        pointer: violation.pointer.clone(),
        rule: violation.rule.clone(),
        message: violation.message.clone(),
    }
}

fn amendments(member: &Member) -> Vec<AmendmentStatus> {
    let amendments = member.grant.amendments.iter().zip(member.amendment_outcomes());
    amendments.map(|(one, (state, message))| AmendmentStatus { name: one.name.clone(), state, message }).collect()
}

pub(super) fn conditions(
    holding: &Holding,
    member: &Member,
    delivery: &Delivered,
    now: Instant,
) -> Vec<crate::api::Condition> {
    let grant = &member.grant;
    let phase = member.verdict.phase;
    let mut conditions = Conditions::of_grant(&grant.remembered.conditions, grant.generation, now);
    let life = Life { source: &grant.source, verdict: &member.verdict, change: member.change };
    life.accepted(&mut conditions);
    facets_valid(&mut conditions, holding, &member.facets.validity);
    life.delivered(&mut conditions, delivery, || holding.lost());
    life.entitled(&mut conditions);
    let (is_ready, reason, message) = match not_ready(holding, member, delivery) {
        Some(Problem { reason, message, .. }) => (false, reason, message),
        None => (true, phase.into(), life.sentence()),
    };
    conditions.set(READY, is_ready, reason, message);
    conditions.into_vec()
}

pub(super) fn facets_valid(conditions: &mut Conditions, holding: &Holding, validity: &Validity) {
    match validity {
        Validity::Valid(doubts) if doubts.is_empty() => {
            conditions.set(FACETS_VALID, true, ReasonCode::Valid, "what the grant states can be used");
        }
        Validity::Valid(doubts) => {
            let message = format!("what the grant states can be used, but may not be meant: {}", sentences(doubts));
            conditions.set(FACETS_VALID, true, ReasonCode::Valid, message);
        }
        Validity::Invalid(violations) => {
            conditions.set(FACETS_VALID, false, ReasonCode::Invalid, sentences(violations));
        }
        Validity::Unknown
            if matches!(holding.entry.as_ref().map(|entry| &entry.present), Some(Present::Invalid(_))) =>
        {
            let message = format!(
                "no valid state of definition {} is known that says which facets there are: mend the definition",
                holding.name
            );
            conditions.set_unknown(FACETS_VALID, ReasonCode::DefinitionNotReady, message);
        }
        Validity::Unknown => conditions.set_unknown(
            FACETS_VALID,
            ReasonCode::DefinitionNotFound,
            "there is no definition that says which facets there are",
        ),
    }
}

/// Why what the spec asks for has not been done.
#[must_use]
pub fn not_ready(holding: &Holding, member: &Member, delivered: &Delivered) -> Option<Problem> {
    undecided(holding, member).or_else(|| delivered.problem.clone())
}

/// The same but for the delivery.
fn undecided(holding: &Holding, member: &Member) -> Option<Problem> {
    let verdict = &member.verdict;
    if matches!(verdict.phase, Phase::Draft | Phase::Cancelled | Phase::Expired) {
        return None;
    }
    if let Some(refusal) = &verdict.refusal {
        return Some(refusal.into());
    }
    if verdict.is_never_in_force() {
        return Some(Problem::new(ReasonCode::NeverInForce, NEVER_IN_FORCE).at(Reason::InvalidTerm.pointer()));
    }
    if let Some(problem) = definition_problem(holding.entry.as_deref(), &member.grant.id.definition, "cancel the grant")
    {
        return Some(problem);
    }
    match &member.facets.validity {
        Validity::Invalid(violations) => {
            Some(Problem::new(ReasonCode::FacetsInvalid, sentences(violations)).at("/spec/facets"))
        }
        Validity::Valid(_) | Validity::Unknown => None,
    }
}

pub(super) fn definition_problem(entry: Option<&CatalogueEntry>, definition: &str, instead: &str) -> Option<Problem> {
    let serves = match entry.and_then(|entry| entry.serving.as_ref()) {
        Some(_) => "its last valid revision serves",
        None => "what was delivered stays as it is",
    };
    match entry.map(|entry| &entry.present) {
        Some(Present::Valid) => None,
        Some(Present::Invalid(problem)) => {
            let message = format!("definition {definition} is invalid now ({problem}); {serves}");
            Some(Problem::new(ReasonCode::DefinitionNotReady, message).at(Reason::DefinitionNotReady.pointer()))
        }
        Some(Present::Missing) | None => Some(
            Problem::new(
                ReasonCode::DefinitionNotFound,
                format!("definition {definition} does not exist any more; {serves}: make it again, or {instead}"),
            )
            .at(Reason::DefinitionNotFound.pointer()),
        ),
    }
}
