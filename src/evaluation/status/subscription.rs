//! The status of a subscription: the decision about it, and the result of the delivery of all that it gives.

use super::{
    Delivered, NEVER_IN_FORCE,
    instance::{MAX_VIOLATIONS, definition_problem, told_violation},
    lifecycle::Life,
};
use crate::{
    api::{
        Condition, EntitlementSubscriptionStatus, Phase,
        conditions::{FACETS_VALID, READY},
        entitlement_subscription::{EntitlementStatus, EntryStatus, SubscriptionViolation},
        lifecycle::{AmendmentStatus, Transition},
        outputs::OutputCounts,
    },
    core::{
        calendar::{format_instant, format_until},
        problem::Problem,
        reason::ReasonCode,
        refusal::Reason,
    },
    evaluation::{
        conditions::Conditions,
        decision::Decision,
        facets::{Validity, sentences},
        subscriptions::{EntryNote, SubscriptionDecision},
    },
};
use std::{collections::BTreeMap, sync::Arc};

/// The status of a subscription.
#[must_use]
pub fn subscription_status(
    decision: &Decision,
    one: &SubscriptionDecision,
    delivered: &Delivered,
) -> EntitlementSubscriptionStatus {
    let SubscriptionDecision { subscription, verdict, .. } = one;
    let is_refused = verdict.refusal.is_some();
    let rights = one.told_rights();
    let facets = one.remembered_facets();
    EntitlementSubscriptionStatus {
        observed_generation: subscription.generation,
        phase: Some(verdict.phase),
        start: verdict.term.map(|term| format_instant(term.start.instant())),
        end: verdict.term.and_then(|_| verdict.end.instant().at()).map(format_instant),
        until: verdict.term.and(verdict.end.at()).map(format_until),
        plan: Some(one.plan.to_string()),
        add_ons: add_ons(one),
        entitlement_count: (!is_refused).then(|| rights.values().filter(|right| right.entitled).count() as u64),
        next_transition: one.change.map(|change| Transition { at: format_instant(change.at), phase: change.phase }),
        accepted: one.record(),
        facets: (!facets.is_empty()).then(|| {
            facets.into_iter().map(|(name, facets)| (name.to_string(), Arc::unwrap_or_clone(facets))).collect()
        }),
        renewed_by: one.renewed_by.as_deref().map(str::to_owned),
        violations: violations(one),
        amendments: amendments(one),
        entitlements: rights
            .into_iter()
            .map(|(definition, right)| EntitlementStatus {
                definition: definition.to_string(),
                entitled: right.entitled,
                amount: right.amount.map(|amount| amount.to_string()),
                removed: right.removed,
            })
            .collect(),
        entries: one.notes.iter().map(entry).collect(),
        notices: one.reminders.given.clone(),
        outputs: Some(OutputCounts { desired: delivered.desired, delivered: delivered.delivered }),
        conditions: conditions(decision, one, delivered),
    }
}

fn entry(note: &EntryNote) -> EntryStatus {
    EntryStatus { list: note.list, name: note.name.to_string(), message: Some(note.message.clone()) }
}

/// The add-ons in force now, for people: each plan once, with its quantity where that is not 1.
fn add_ons(one: &SubscriptionDecision) -> Option<String> {
    let is_in_force = one.verdict.phase.is_in_force() && !one.add_ons.is_empty();
    let mut quantities: BTreeMap<&Arc<str>, u64> = BTreeMap::new();
    for (plan, quantity) in &one.add_ons {
        *quantities.entry(plan).or_default() += u64::from(*quantity);
    }
    let told = quantities.into_iter().map(|(plan, quantity)| match quantity {
        1 => plan.to_string(),
        _ => format!("{plan} x {quantity}"),
    });
    is_in_force.then(|| told.collect::<Vec<_>>().join(", "))
}

fn amendments(one: &SubscriptionDecision) -> Vec<AmendmentStatus> {
    let amendments = one.subscription.amendments.iter().zip(one.amendment_outcomes());
    amendments.map(|(one, (state, message))| AmendmentStatus { name: one.name.clone(), state, message }).collect()
}

fn violations(one: &SubscriptionDecision) -> Vec<SubscriptionViolation> {
    let all = one.facets.iter().flat_map(|(definition, facets)| {
        let later = one.later_faults.get(definition).into_iter().flatten();
        facets.validity.violations().iter().chain(later).map(move |violation| SubscriptionViolation {
            definition: definition.to_string(),
            violation: told_violation(violation),
        })
    });
    all.take(MAX_VIOLATIONS).collect()
}

fn conditions(decision: &Decision, one: &SubscriptionDecision, delivered: &Delivered) -> Vec<Condition> {
    let SubscriptionDecision { subscription, verdict, .. } = one;
    let before = &subscription.remembered.conditions;
    let mut conditions = Conditions::of_grant(before, subscription.generation, decision.at);
    let life = Life { source: &subscription.stated.source, verdict, change: one.change };
    life.accepted(&mut conditions);
    facets_valid(&mut conditions, one);
    life.delivered(&mut conditions, delivered, || {
        one.rights.keys().find_map(|definition| decision.holding(definition)?.lost())
    });
    life.entitled(&mut conditions);
    if let Some(Problem { reason, message, .. }) = unready_subscription(decision, one, delivered) {
        conditions.set(READY, false, reason, message);
    } else {
        // Nothing is agreed before it is accepted.
        let notes = one.plan_note.iter().filter(|_| verdict.acceptance.is_some()).cloned();
        let notes = notes.chain(one.notes.iter().map(EntryNote::to_string));
        let all: Vec<String> = std::iter::once(life.sentence()).chain(notes).collect();
        conditions.set(READY, true, verdict.phase.into(), all.join("; "));
    }
    conditions.into_vec()
}

fn facets_valid(conditions: &mut Conditions, one: &SubscriptionDecision) {
    let invalid = invalid_facets(one);
    if !invalid.is_empty() {
        return conditions.set(FACETS_VALID, false, ReasonCode::Invalid, invalid);
    }
    let unknown = one.facets.iter().find(|(_, facets)| facets.validity == Validity::Unknown);
    if let Some((definition, _)) = unknown {
        let message = format!("no valid state of definition {definition} is known that says which facets there are");
        return conditions.set_unknown(FACETS_VALID, ReasonCode::DefinitionNotReady, message);
    }
    let doubts = one.facets.iter().filter_map(|(definition, facets)| match &facets.validity {
        Validity::Valid(doubts) if !doubts.is_empty() => Some(format!("{definition}: {}", sentences(doubts))),
        _ => None,
    });
    let doubts: Vec<String> = doubts.collect();
    let message = if doubts.is_empty() {
        "what the subscription states can be used".to_owned()
    } else {
        format!("what the subscription states can be used, but may not be meant: {}", doubts.join("; "))
    };
    conditions.set(FACETS_VALID, true, ReasonCode::Valid, message);
}

/// What is not valid, definition by definition; empty where all is.
fn invalid_facets(one: &SubscriptionDecision) -> String {
    let invalid = one.facets.iter().filter_map(|(definition, facets)| match &facets.validity {
        Validity::Invalid(violations) => Some(format!("{definition}: {}", sentences(violations))),
        Validity::Valid(_) | Validity::Unknown => {
            let later = one.later_faults.get(definition)?;
            Some(format!("{definition}: what is stated for later cannot be used: {}", sentences(later)))
        }
    });
    invalid.collect::<Vec<_>>().join("; ")
}

/// Why what a subscription asks for has not been done.
#[must_use]
pub fn unready_subscription(decision: &Decision, one: &SubscriptionDecision, delivered: &Delivered) -> Option<Problem> {
    let verdict = &one.verdict;
    if matches!(verdict.phase, Phase::Draft | Phase::Cancelled | Phase::Expired) {
        return None;
    }
    if let Some(refusal) = &verdict.refusal {
        return Some(refusal.into());
    }
    if verdict.is_never_in_force() {
        return Some(Problem::new(ReasonCode::NeverInForce, NEVER_IN_FORCE).at(Reason::InvalidTerm.pointer()));
    }
    one.lost
        .clone()
        .or_else(|| one.ignored_entry().map(EntryNote::problem))
        .or_else(|| definitions_problem(decision, one))
        .or_else(|| {
            let invalid = invalid_facets(one);
            (!invalid.is_empty()).then(|| Problem::new(ReasonCode::FacetsInvalid, invalid).at("/spec/configure"))
        })
        .or_else(|| delivered.problem.clone())
}

/// What is wrong with the first definition that it gives now or later and that cannot be granted as it is.
#[must_use]
pub fn definitions_problem(decision: &Decision, one: &SubscriptionDecision) -> Option<Problem> {
    let held = one.members().filter(|member| member.verdict.phase != Phase::Expired);
    held.map(|member| &member.grant.id.definition).find_map(|definition| {
        let entry = decision.holding(definition)?.entry.as_deref();
        definition_problem(entry, definition, "take it out of the plan or the subscription")
            .map(|problem| problem.placeless().at(Reason::PlanNotReady.pointer()))
    })
}
