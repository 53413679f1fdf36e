//! What the statuses say of the delivery.

use super::{Delivery, Outcomes, Stuck, known};
use crate::{
    api::{
        Condition, ConditionStatus, EntitlementInstanceStatus, OrganizationStatus,
        conditions::{DELIVERED, READY},
        entitlement_instance::OutputCounts,
        organization::Flags,
    },
    core::{
        calendar::{Instant, format_instant},
        excerpt::first_characters,
        grant::{Grant, GrantId},
    },
    evaluation::{Evaluation, GrantOutcome, Snapshot, object::ObjectKey},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Longer than any message that is written here, and far below what the schema allows.
const MAX_MESSAGE_CHARS: usize = 2048;

/// The final statuses.
#[derive(Clone, Debug)]
pub struct Statuses {
    /// Of each grant, in the snapshot's order; None where the delivery was not tried to the end, so that nothing can be
    /// said yet.
    pub grants: Vec<Option<EntitlementInstanceStatus>>,
    /// The organization's status, if it exists.
    pub organization: Option<OrganizationStatus>,
}

/// The statuses, once it is known what came of each object. `snapshot` is the one that was evaluated: it has the conditions
/// that were last written, and with them the times of their last transitions.
#[must_use]
pub fn statuses(evaluation: &Evaluation, snapshot: &Snapshot, outcomes: &Outcomes, now: Instant) -> Statuses {
    let deliveries = by_grant(evaluation, outcomes);
    let stuck = first_stuck(evaluation, outcomes);
    let grants = evaluation
        .grants
        .iter()
        .zip(&snapshot.grants)
        .map(|(outcome, grant)| {
            let stuck = stuck.get(&Some(&outcome.id)).copied();
            grant_status(outcome, grant, deliveries.get(&Some(&outcome.id)), stuck, now)
        })
        .collect();
    let organization = evaluation.organization.as_ref().map(|status| {
        let previous = snapshot.organization.as_ref().and_then(|organization| organization.status.as_ref());
        let previous = previous.map_or(&[][..], |status| &status.conditions);
        let mut status = status.clone();
        let left = outcomes.left.iter().map(ToString::to_string);
        let all: BTreeSet<String> = status.namespaces.take().unwrap_or_default().into_iter().chain(left).collect();
        status.namespaces = Some(all.into_iter().collect());
        let summary = deliveries.get(&None);
        let problem = summary.and_then(|summary| too_large(summary, snapshot).or_else(|| summary.problem()));
        if let Some(problem) = problem.or_else(|| stuck.get(&None).copied().map(problem_of)) {
            let generation = status.observed_generation;
            falsify(&mut status.conditions, READY, &problem, previous, generation, now);
        }
        status
    });
    Statuses { grants, organization }
}

/// A reason and a message.
type Problem = (&'static str, String);

fn problem_of(stuck: &Stuck) -> Problem {
    (stuck.reason, stuck.message.clone())
}

/// The first object of each grant that could not be withdrawn. One of a grant that is gone is the organization's.
fn first_stuck<'a>(evaluation: &'a Evaluation, outcomes: &'a Outcomes) -> BTreeMap<Option<&'a GrantId>, &'a Stuck> {
    let mut first = BTreeMap::new();
    if outcomes.stuck.is_empty() {
        return first;
    }
    let known = known(evaluation);
    for stuck in &outcomes.stuck {
        let grant = stuck.made_for.as_ref().and_then(|made_for| made_for.among(&known).first().copied());
        first.entry(grant).or_insert(stuck);
    }
    first
}

/// What came of the objects of one grant, or of the organization's own.
#[derive(Default)]
struct GrantDelivery<'a> {
    done: u64,
    unknown: bool,
    /// Each with how the object gets another name.
    failures: Vec<(&'a ObjectKey, &'a Delivery, &'static str)>,
}

impl GrantDelivery<'_> {
    fn problem(&self) -> Option<Problem> {
        let (key, delivery, rename) = self.failures.first()?;
        let (reason, mut message) = describe(key, delivery, rename)?;
        let others = self.failures.len() - 1;
        if others > 0 {
            message = format!("{message} (and {others} more)");
        }
        Some((reason, message))
    }
}

/// What is said of a summary that Kubernetes would not store.
fn too_large(summary: &GrantDelivery, snapshot: &Snapshot) -> Option<Problem> {
    let (key, Delivery::TooLarge(bytes), _) = summary.failures.first()? else { return None };
    let asked = &snapshot.organization.as_ref()?.spec.summary;
    let advice = [
        asked.sources.then_some("set spec.summary.sources to false"),
        (asked.flags == Flags::All).then_some("set spec.summary.flags to Held"),
        Some("shorten the facets of what the organization holds, or let it hold less"),
    ];
    let message = format!(
        "the summary {} would have {bytes} bytes, more than the {} that Kubernetes allows, so it stays as it is in every namespace, while all else is delivered: {}",
        key.name,
        super::MAX_DATA_BYTES,
        advice.into_iter().flatten().collect::<Vec<_>>().join(", or ")
    );
    Some(("SummaryTooLarge", message))
}

fn by_grant<'a>(
    evaluation: &'a Evaluation,
    outcomes: &'a Outcomes,
) -> BTreeMap<Option<&'a GrantId>, GrantDelivery<'a>> {
    let mut grants: BTreeMap<_, GrantDelivery<'a>> = BTreeMap::new();
    for (key, desired) in &evaluation.objects {
        let grant = grants.entry(desired.grant.as_ref()).or_default();
        let rename = if desired.grant.is_some() { RENAME_OUTPUT } else { RENAME_SUMMARY };
        match outcomes.deliveries.get(key) {
            None => grant.unknown = true,
            Some(Delivery::Done) => grant.done += 1,
            Some(Delivery::Kept) => {}
            Some(failure) => grant.failures.push((key, failure, rename)),
        }
    }
    grants
}

/// How an output gets another name.
const RENAME_OUTPUT: &str = "give the output another objectName";
/// How a summary does.
const RENAME_SUMMARY: &str = "give the summary another name (spec.summary.name of the organization)";

fn describe(key: &ObjectKey, delivery: &Delivery, rename: &str) -> Option<Problem> {
    match delivery {
        Delivery::Done | Delivery::Kept => None,
        Delivery::Conflict => Some((
            "Conflict",
            format!("{key} is not the operator's, and is left alone: delete or rename it, or {rename}"),
        )),
        Delivery::Contested => Some((
            "Contested",
            format!(
                "others change {key} again and again, and it is let go for some minutes: find out who writes it (kubectl get --show-managed-fields), or {rename}"
            ),
        )),
        Delivery::NamespaceMissing => Some((
            "NamespaceMissing",
            format!("{key} is delivered as soon as the namespace {} is there and not terminating", key.namespace),
        )),
        Delivery::TooLarge(bytes) => Some((
            "TooLarge",
            format!(
                "the data of {key} would have {bytes} bytes, more than the {} that Kubernetes allows: write less, or split it over several outputs",
                super::MAX_DATA_BYTES
            ),
        )),
        Delivery::Failed(error) => Some(("WriteFailed", format!("{key} could not be written: {error}"))),
    }
}

fn grant_status(
    outcome: &GrantOutcome,
    grant: &Arc<Grant>,
    delivery: Option<&GrantDelivery<'_>>,
    stuck: Option<&Stuck>,
    now: Instant,
) -> Option<EntitlementInstanceStatus> {
    if delivery.is_some_and(|delivery| delivery.unknown) {
        return None;
    }
    let mut status = outcome.status.clone();
    let delivered = delivery.map_or(0, |delivery| delivery.done);
    if outcome.desired > 0 || status.outputs.is_some() {
        status.outputs = Some(OutputCounts { desired: outcome.desired, delivered });
    }
    if let Some(problem) = grant_problem(outcome, delivery, stuck) {
        let previous = &grant.remembered.conditions;
        let generation = status.observed_generation;
        falsify(&mut status.conditions, DELIVERED, &problem, previous, generation, now);
        falsify(&mut status.conditions, READY, &problem, previous, generation, now);
    }
    Some(status)
}

fn grant_problem(
    outcome: &GrantOutcome,
    delivery: Option<&GrantDelivery<'_>>,
    stuck: Option<&Stuck>,
) -> Option<Problem> {
    let problem = delivery.and_then(GrantDelivery::problem).or_else(|| outcome.hindered.clone());
    problem.or_else(|| stuck.map(problem_of))
}

/// Makes a condition False, unless it is that already for a reason of its own.
fn falsify(
    conditions: &mut Vec<Condition>,
    type_: &str,
    (reason, message): &Problem,
    previous: &[Condition],
    generation: i64,
    now: Instant,
) {
    let position = conditions.iter().position(|condition| condition.type_ == type_);
    if position
        .and_then(|position| conditions.get(position))
        .is_some_and(|condition| condition.status == ConditionStatus::False)
    {
        return;
    }
    let unchanged =
        previous.iter().find(|condition| condition.type_ == type_ && condition.status == ConditionStatus::False);
    let condition = Condition {
        type_: type_.to_owned(),
        status: ConditionStatus::False,
        observed_generation: Some(generation),
        last_transition_time: unchanged
            .map_or_else(|| format_instant(now), |condition| condition.last_transition_time.clone()),
        reason: (*reason).to_owned(),
        message: first_characters(message, MAX_MESSAGE_CHARS).to_owned(),
    };
    match position.and_then(|position| conditions.get_mut(position)) {
        Some(present) => *present = condition,
        None => conditions.push(condition),
    }
}
