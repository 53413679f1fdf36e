//! The status of an instance: the decision about its grant, and the result of the delivery.

use super::Delivered;
use crate::{
    api::{
        EntitlementInstanceStatus, Phase,
        conditions::{ACCEPTED, DELIVERED, ENTITLED, FACETS_VALID, READY},
        facet_fields::FacetViolation,
        lifecycle::{AmendmentStatus, State, Transition},
        outputs::OutputCounts,
    },
    core::{
        calendar::{Instant, Nominal, Tz, format_instant, format_local, format_until},
        excerpt::first_characters,
        grant::Grant,
        lifecycle::Verdict,
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

/// Why it cannot be told what should be delivered for a grant that never stated facets that can be used.
const NO_VALID_FACETS: &str = "the grant has stated no facets yet that can be used, see FacetsValid";

/// Violations that a status lists.
const MAX_VIOLATIONS: usize = 20;
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

fn violations(validity: &Validity) -> Vec<FacetViolation> {
    told_violations(validity)
        .iter()
        .map(|violation| FacetViolation {
            facet: first_characters(&violation.facet, MAX_NAME).to_owned(),
            pointer: violation.pointer.clone(),
            rule: violation.rule.clone(),
            message: violation.message.clone(),
        })
        .collect()
}

fn amendments(member: &Member) -> Vec<AmendmentStatus> {
    let amendments = member.grant.amendments.iter().zip(member.amendment_outcomes());
    amendments.map(|(one, (state, message))| AmendmentStatus { name: one.name.clone(), state, message }).collect()
}

fn conditions(holding: &Holding, member: &Member, delivery: &Delivered, now: Instant) -> Vec<crate::api::Condition> {
    let grant = &member.grant;
    let phase = member.verdict.phase;
    let mut conditions = Conditions::of_grant(&grant.remembered.conditions, grant.generation, now);
    accepted(&mut conditions, grant, &member.verdict);
    facets_valid(&mut conditions, holding, &member.facets.validity);
    delivered(&mut conditions, holding, phase, delivery);
    conditions.set(ENTITLED, phase.is_in_force(), phase.into(), entitled_message(member));
    let (is_ready, reason, message) = match not_ready(holding, member, delivery) {
        Some(Problem { reason, message, .. }) => (false, reason, message),
        None => (true, phase.into(), entitled_message(member)),
    };
    conditions.set(READY, is_ready, reason, message);
    conditions.into_vec()
}

fn accepted(conditions: &mut Conditions, grant: &Grant, verdict: &Verdict) {
    match (&verdict.refusal, grant.state) {
        (Some(refusal), _) => conditions.set(ACCEPTED, false, refusal.reason.code(), refusal.message.clone()),
        (None, State::Draft) => {
            conditions.set(
                ACCEPTED,
                true,
                ReasonCode::Draft,
                "activating it would be accepted, if no other grant is a duplicate",
            );
        }
        (None, _) => conditions.set(ACCEPTED, true, ReasonCode::Accepted, "the grant may be held"),
    }
}

fn facets_valid(conditions: &mut Conditions, holding: &Holding, validity: &Validity) {
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

fn delivered(conditions: &mut Conditions, holding: &Holding, phase: Phase, delivery: &Delivered) {
    match &delivery.problem {
        Some(Problem { reason, message, .. }) => conditions.set(DELIVERED, false, *reason, message.clone()),
        None if delivery.is_untold => {
            let Problem { reason, message: why, .. } =
                holding.lost().unwrap_or_else(|| Problem::new(ReasonCode::FacetsInvalid, NO_VALID_FACETS));
            let message = format!("what was delivered stays as it is, as it cannot be told what should be: {why}");
            conditions.set_unknown(DELIVERED, reason, message);
        }
        None if phase.is_in_force() => {
            conditions.set(DELIVERED, true, ReasonCode::Delivered, "all objects are in the organization's namespaces");
        }
        None => {
            let left = delivery
                .left
                .as_ref()
                .map(|Problem { message, .. }| format!(", but what it had may be left: {message}"));
            let message = format!("a grant that is not in force delivers nothing{}", left.unwrap_or_default());
            conditions.set(DELIVERED, true, ReasonCode::NothingToDeliver, message);
        }
    }
}

fn entitled_message(member: &Member) -> String {
    let verdict = &member.verdict;
    let start = verdict.term.map(|term| term.start);
    // Where the client is, as `status.until` tells it.
    let zone = start.map_or(Tz::UTC, Nominal::zone);
    let for_good = || "for good".to_owned();
    match verdict.phase {
        Phase::Draft => "the grant is a draft: set state to Active to activate it".to_owned(),
        Phase::Cancelled => "the grant is cancelled".to_owned(),
        Phase::Rejected => "the grant is refused: see Accepted".to_owned(),
        Phase::Expired => "the grant is over".to_owned(),
        Phase::Waiting => {
            let start = start.map(|start| format_local(start.instant(), zone));
            format!("the grant starts at {}", start.unwrap_or_default())
        }
        Phase::Suspended if member.grant.suspended => "the grant is suspended (its spec.suspended is true)".to_owned(),
        Phase::Suspended => {
            format!("organization {} is suspended (its spec.suspended is true)", member.grant.organization)
        }
        Phase::Active => {
            let end = verdict.end.at().map(|end| format!("until {}", format_until(end)));
            format!("in force {}", end.unwrap_or_else(for_good))
        }
        Phase::Grace => {
            let end = member.change.map(|change| format!("until {}", format_local(change.at, zone)));
            format!("past its end, still delivered {}", end.unwrap_or_else(for_good))
        }
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
    if let Some(problem) = definition_problem(holding.entry.as_deref(), &member.grant) {
        return Some(problem);
    }
    match &member.facets.validity {
        Validity::Invalid(violations) => {
            Some(Problem::new(ReasonCode::FacetsInvalid, sentences(violations)).at("/spec/facets"))
        }
        Validity::Valid(_) | Validity::Unknown => None,
    }
}

fn definition_problem(entry: Option<&CatalogueEntry>, grant: &Grant) -> Option<Problem> {
    let definition = &grant.id.definition;
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
                format!(
                    "definition {definition} does not exist any more; {serves}: make it again, or cancel the grant"
                ),
            )
            .at(Reason::DefinitionNotFound.pointer()),
        ),
    }
}
