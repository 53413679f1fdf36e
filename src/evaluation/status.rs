//! The statuses that an evaluation leaves.

pub mod definition;
pub mod facet_definition;
pub mod grants;

use super::{
    GrantOutcome,
    catalogue::{CatalogueEntry, Present},
    conditions::Conditions,
    delivery::GrantDelivery,
    facets::{Validity, sentences},
    holding::{Holding, Member},
    notices,
    standing::{Standing, Trouble},
};
use crate::{
    api::{
        EntitlementInstanceStatus, OrganizationStatus, Phase,
        conditions::{ACCEPTED, DELIVERED, ENTITLED, FACETS_VALID, READY},
        entitlement_instance::{AmendmentState, AmendmentStatus, FacetViolation, OutputCounts, State, Transition},
        organization::OrganizationTransition,
    },
    core::{
        calendar::{Instant, Nominal, Tz, format_instant, format_local, format_until},
        excerpt::first_characters,
        grant::Grant,
        lifecycle::Verdict,
        refusal::Reason,
    },
};
use std::collections::BTreeMap;

/// What is said of a grant whose term leaves it no time in force.
pub const NEVER_IN_FORCE: &str =
    "the grant that this renews ends no earlier than this one: give it a later end by an amendment";

/// The reason of facets that cannot be used.
const FACETS_INVALID: &str = "FacetsInvalid";
/// Why it cannot be told what should be delivered for a grant that never stated facets that can be used.
const NO_VALID_FACETS: &str = "the grant has stated no facets yet that can be used, see FacetsValid";

/// Violations that a status lists.
const MAX_VIOLATIONS: usize = 20;
/// Characters of a facet's name that it shows: one that no definition has may be of any length.
const MAX_NAME: usize = 256;

/// What becomes of one grant, as though all that it should have were delivered.
#[must_use]
pub fn grant_outcome(holding: &Holding, member: &Member, delivery: GrantDelivery, now: Instant) -> GrantOutcome {
    let grant = member.grant;
    let verdict = &member.verdict;
    let (given, due) = notices::notices(holding, member, now);
    let delivered = if delivery.hindered.is_none() { delivery.desired } else { 0 };
    let status = EntitlementInstanceStatus {
        observed_generation: grant.generation,
        phase: Some(verdict.phase),
        start: member.start().map(format_instant),
        end: verdict.term.and_then(|_| verdict.end.instant().at()).map(format_instant),
        amount: amount(holding, member),
        until: verdict.term.and(verdict.end.at()).map(format_until),
        next_transition: member.change.map(|change| Transition { at: format_instant(change.at), phase: change.phase }),
        accepted: verdict.acceptance.as_ref().map(|accepted| accepted.record()),
        facets: member.facets.remembered.clone(),
        renewed_by: member.renewed_by.as_deref().map(str::to_owned),
        violations: violations(&member.facets.validity),
        amendments: amendments(grant, verdict),
        notices: given,
        outputs: Some(OutputCounts { desired: delivery.desired, delivered }),
        conditions: conditions(holding, member, &delivery, now),
    };
    GrantOutcome { id: grant.id.clone(), status, notices: due, desired: delivery.desired, hindered: delivery.hindered }
}

/// What a grant comes to, where that can be told: what was agreed, else what its present definition gives.
fn amount(holding: &Holding, member: &Member) -> Option<String> {
    let is_agreed = member.verdict.acceptance.is_some();
    let is_there = holding.entry.is_some_and(|entry| entry.present != Present::Missing);
    let is_readable = !matches!(member.grant.amount, Some(Err(_)));
    member.amount.filter(|_| is_agreed || (is_there && is_readable)).map(|amount| amount.to_string())
}

fn violations(validity: &Validity) -> Vec<FacetViolation> {
    let Validity::Invalid(violations) = validity else { return Vec::new() };
    violations
        .iter()
        .take(MAX_VIOLATIONS)
        .map(|violation| FacetViolation {
            facet: first_characters(&violation.facet, MAX_NAME).to_owned(),
            pointer: violation.pointer.clone(),
            rule: violation.rule.clone(),
            message: violation.message.clone(),
        })
        .collect()
}

fn amendments(grant: &Grant, verdict: &Verdict) -> Vec<AmendmentStatus> {
    let decided: BTreeMap<usize, (AmendmentState, Option<String>)> =
        verdict.amendments.iter().map(|outcome| (outcome.index, (outcome.state, outcome.message.clone()))).collect();
    let undecided = |revoked: bool| {
        let state = if revoked { AmendmentState::Revoked } else { AmendmentState::Ignored };
        (state, (!revoked).then(|| "the grant is refused, so it has no term that this could change".to_owned()))
    };
    grant
        .amendments
        .iter()
        .enumerate()
        .map(|(index, amendment)| {
            let (state, message) = decided.get(&index).cloned().unwrap_or_else(|| undecided(amendment.revoked));
            AmendmentStatus { name: amendment.name.clone(), state, message }
        })
        .collect()
}

fn conditions(
    holding: &Holding,
    member: &Member,
    delivery: &GrantDelivery,
    now: Instant,
) -> Vec<crate::api::Condition> {
    let grant = member.grant;
    let phase = member.verdict.phase;
    let mut conditions = Conditions::after(&grant.remembered.conditions, grant.generation, now);
    accepted(&mut conditions, grant, &member.verdict);
    facets_valid(&mut conditions, holding, &member.facets.validity);
    delivered(&mut conditions, holding, phase, delivery);
    conditions.set(ENTITLED, phase.is_in_force(), phase.as_str(), entitled_message(member));
    let (is_ready, reason, message) = match not_ready(holding.entry, member, delivery) {
        Some((reason, message)) => (false, reason, message),
        None => (true, phase.as_str(), entitled_message(member)),
    };
    conditions.set(READY, is_ready, reason, message);
    conditions.into_vec()
}

fn accepted(conditions: &mut Conditions, grant: &Grant, verdict: &Verdict) {
    match (&verdict.refusal, grant.state) {
        (Some(refusal), _) => conditions.set(ACCEPTED, false, refusal.reason.as_str(), refusal.message.clone()),
        (None, State::Draft) => {
            conditions.set(
                ACCEPTED,
                true,
                "Draft",
                "activating it would be accepted, if no other grant is a duplicate",
            );
        }
        (None, _) => conditions.set(ACCEPTED, true, "Accepted", "the grant may be held"),
    }
}

fn facets_valid(conditions: &mut Conditions, holding: &Holding, validity: &Validity) {
    match validity {
        Validity::Valid(doubts) if doubts.is_empty() => {
            conditions.set(FACETS_VALID, true, "Valid", "what the grant states can be used");
        }
        Validity::Valid(doubts) => {
            let message = format!("what the grant states can be used, but may not be meant: {}", sentences(doubts));
            conditions.set(FACETS_VALID, true, "Valid", message);
        }
        Validity::Invalid(violations) => conditions.set(FACETS_VALID, false, "Invalid", sentences(violations)),
        Validity::Unknown if matches!(holding.entry.map(|entry| &entry.present), Some(Present::Invalid(_))) => {
            let message = format!(
                "no valid state of definition {} is known that says which facets there are: mend the definition",
                holding.name
            );
            conditions.set_unknown(FACETS_VALID, Reason::DefinitionNotReady.as_str(), message);
        }
        Validity::Unknown => conditions.set_unknown(
            FACETS_VALID,
            Reason::DefinitionNotFound.as_str(),
            "there is no definition that says which facets there are",
        ),
    }
}

fn delivered(conditions: &mut Conditions, holding: &Holding, phase: Phase, delivery: &GrantDelivery) {
    match &delivery.hindered {
        Some((reason, message)) => conditions.set(DELIVERED, false, reason, message.clone()),
        None if delivery.is_untold => {
            let (reason, why) = holding.lost().unwrap_or_else(|| (FACETS_INVALID, NO_VALID_FACETS.to_owned()));
            let message = format!("what was delivered stays as it is, as it cannot be told what should be: {why}");
            conditions.set_unknown(DELIVERED, reason, message);
        }
        None if phase.is_in_force() => {
            conditions.set(DELIVERED, true, "Delivered", "all objects are in the organization's namespaces");
        }
        None => conditions.set(DELIVERED, true, "NothingToDeliver", "a grant that is not in force delivers nothing"),
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
fn not_ready(entry: Option<&CatalogueEntry>, member: &Member, delivery: &GrantDelivery) -> Option<Trouble> {
    let verdict = &member.verdict;
    if matches!(verdict.phase, Phase::Draft | Phase::Cancelled | Phase::Expired) {
        return None;
    }
    if let Some(refusal) = &verdict.refusal {
        return Some((refusal.reason.as_str(), refusal.message.clone()));
    }
    if verdict.is_never_in_force() {
        return Some(("NeverInForce", NEVER_IN_FORCE.to_owned()));
    }
    if let Some(trouble) = definition_trouble(entry, member.grant) {
        return Some(trouble);
    }
    if let Validity::Invalid(violations) = &member.facets.validity {
        return Some((FACETS_INVALID, sentences(violations)));
    }
    delivery.hindered.clone()
}

fn definition_trouble(entry: Option<&CatalogueEntry>, grant: &Grant) -> Option<Trouble> {
    let definition = &grant.definition;
    let serves = match entry.and_then(|entry| entry.serving.as_ref()) {
        Some(_) => "its last valid revision serves",
        None => "what was delivered stays as it is",
    };
    match entry.map(|entry| &entry.present) {
        Some(Present::Valid) => None,
        Some(Present::Invalid(problem)) => {
            Some(("DefinitionNotReady", format!("definition {definition} is invalid now ({problem}); {serves}")))
        }
        Some(Present::Missing) | None => Some((
            "DefinitionNotFound",
            format!("definition {definition} does not exist any more; {serves}: make it again, or cancel the grant"),
        )),
    }
}

/// The organization's status, where it exists.
#[must_use]
pub fn organization_status(
    standing: &Standing,
    holdings: &[Holding],
    barred: &BTreeMap<Phase, u64>,
    hindered: Option<&Trouble>,
    now: Instant,
) -> Option<OrganizationStatus> {
    let organization = standing.organization?;
    let generation = organization.metadata.generation.unwrap_or(1);
    let before = organization.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let mut conditions = Conditions::after(before, generation, now);
    let troubles: Vec<&Trouble> = standing.troubles.iter().chain(hindered).collect();
    match troubles.first() {
        None => conditions.set(READY, true, "Served", "all namespaces are served"),
        Some((reason, _)) => {
            let all: Vec<&str> = troubles.iter().map(|(_, message)| message.as_str()).collect();
            conditions.set(READY, false, reason, all.join("; "));
        }
    }
    let members = || holdings.iter().flat_map(|holding| &holding.members);
    let mut instances: BTreeMap<String, u64> =
        barred.iter().map(|(phase, count)| (phase.as_str().to_owned(), *count)).collect();
    for member in members() {
        *instances.entry(member.verdict.phase.as_str().to_owned()).or_default() += 1;
    }
    let next = members().filter_map(|member| Some((member.change?, &member.grant.id)));
    let next = next.min_by(|(one, first), (other, second)| (one.at, first).cmp(&(other.at, second)));
    Some(OrganizationStatus {
        observed_generation: generation,
        conditions: conditions.into_vec(),
        instances,
        next_transition: next.map(|(change, grant)| OrganizationTransition {
            at: format_instant(change.at),
            instance: grant.to_string(),
            phase: change.phase,
        }),
        namespaces: Some(standing.served.iter().map(ToString::to_string).collect()),
    })
}
