//! The result of the delivery of each grant, and of the summary.

use crate::{
    api::organization::Flags,
    core::{grant::GrantId, problem::Problem, reason::ReasonCode},
    evaluation::{
        decision::Decision,
        delivery::{Desired, Outputs},
        object::ObjectKey,
        plan::{Delivery, MAX_DATA_BYTES, Outcomes, Stuck},
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// What came of the delivery of one grant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Objects that it should have.
    pub desired: u64,
    /// Those that are there as they should be.
    pub delivered: u64,
    /// What is wrong with the others.
    pub problem: Option<Problem>,
    /// Nothing valid says what it should have, so that what is present for it stays.
    pub is_untold: bool,
    /// Where the operator does not see what it had.
    pub left: Option<Problem>,
}

impl Delivered {
    /// As though everything was delivered that can be.
    #[must_use]
    pub fn ideally(outputs: Option<&Outputs>) -> Self {
        let Some(outputs) = outputs else { return Self::default() };
        Self {
            desired: outputs.desired,
            delivered: if outputs.hindered.is_none() { outputs.desired } else { 0 },
            problem: outputs.hindered.clone(),
            is_untold: outputs.is_untold,
            left: outputs.left.clone(),
        }
    }

    /// Together with what came of the delivery of another grant.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            desired: self.desired + other.desired,
            delivered: self.delivered + other.delivered,
            problem: self.problem.or(other.problem),
            is_untold: self.is_untold || other.is_untold,
            left: self.left.or(other.left),
        }
    }
}

/// What came of everything that should be there.
#[derive(Debug)]
pub struct Report<'a> {
    desired: &'a Desired,
    objects: BTreeMap<Option<&'a GrantId>, ObjectOutcomes<'a>>,
    stuck: BTreeMap<Option<&'a GrantId>, &'a Stuck>,
}

impl<'a> Report<'a> {
    /// What came of the objects of those grants and of the summary.
    #[must_use]
    pub fn of(decision: &'a Decision, desired: &'a Desired, outcomes: &'a Outcomes) -> Self {
        Self { desired, objects: by_grant(desired, outcomes), stuck: first_stuck(decision, outcomes) }
    }

    /// Of one grant; None where it was not tried to the end, so that nothing can be said yet.
    #[must_use]
    pub fn of_grant(&self, id: &GrantId) -> Option<Delivered> {
        let outputs = self.desired.grants.get(id);
        let bearer = outputs.and_then(|outputs| outputs.bearer.as_ref());
        let [objects, borne] = [Some(id), bearer].map(|grant| self.objects.get(&Some(grant?)));
        let mut all = objects.into_iter().chain(borne);
        if all.clone().any(|objects| objects.unknown) {
            return None;
        }
        let hindered = outputs.and_then(|outputs| outputs.hindered.clone());
        let problem = hindered.or_else(|| all.find_map(ObjectOutcomes::problem));
        Some(Delivered {
            desired: outputs.map_or(0, |outputs| outputs.desired),
            delivered: objects.map_or(0, |objects| objects.done),
            problem: problem.or_else(|| self.stuck(Some(id))),
            is_untold: outputs.is_some_and(|outputs| outputs.is_untold),
            left: outputs.and_then(|outputs| outputs.left.clone()),
        })
    }

    /// Of several grants together; None where one was not tried to the end.
    #[must_use]
    pub fn of_grants<'b>(&self, mut ids: impl Iterator<Item = &'b GrantId>) -> Option<Delivered> {
        ids.try_fold(Delivered::default(), |all, id| Some(all.and(self.of_grant(id)?)))
    }

    /// What is wrong with the summary, or with what is left of grants that are gone.
    #[must_use]
    pub fn of_summary(&self, decision: &Decision) -> Option<Problem> {
        let summary = self.objects.get(&None);
        let problem = summary.and_then(|summary| too_large(summary, decision).or_else(|| summary.problem()));
        problem.or_else(|| self.stuck(None))
    }

    fn stuck(&self, grant: Option<&GrantId>) -> Option<Problem> {
        self.stuck.get(&grant).map(|stuck| stuck.problem.clone())
    }
}

/// The first object of each grant that could not be withdrawn. One of a grant that is gone is the organization's.
fn first_stuck<'a>(decision: &'a Decision, outcomes: &'a Outcomes) -> BTreeMap<Option<&'a GrantId>, &'a Stuck> {
    let mut first = BTreeMap::new();
    if outcomes.stuck.is_empty() {
        return first;
    }
    let known: BTreeSet<&GrantId> = decision.grants().map(|(_, member)| &member.grant.id).collect();
    for stuck in &outcomes.stuck {
        let grant = stuck.made_for.as_ref().and_then(|made_for| made_for.among(&known).first().copied());
        first.entry(grant).or_insert(stuck);
    }
    first
}

/// What came of the objects of one grant, or of the organization's own.
#[derive(Debug, Default)]
struct ObjectOutcomes<'a> {
    done: u64,
    unknown: bool,
    /// Each with how the object gets another name.
    failures: Vec<(&'a ObjectKey, &'a Delivery, &'static str)>,
}

impl ObjectOutcomes<'_> {
    fn problem(&self) -> Option<Problem> {
        let (key, delivery, rename) = self.failures.first()?;
        let mut problem = describe(key, delivery, rename)?;
        let others = self.failures.len() - 1;
        if others > 0 {
            problem.message = format!("{} (and {others} more)", problem.message);
        }
        Some(problem)
    }
}

/// What is said of a summary that Kubernetes would not store.
fn too_large(summary: &ObjectOutcomes, decision: &Decision) -> Option<Problem> {
    let (key, Delivery::TooLarge(bytes), _) = summary.failures.first()? else { return None };
    let asked = &decision.standing.organization.as_ref()?.spec.summary;
    let advice = [
        asked.sources.then_some("set spec.summary.sources to false"),
        (asked.flags == Flags::All).then_some("set spec.summary.flags to Held"),
        Some("shorten the facets of what the organization holds, or let it hold less"),
    ];
    let message = format!(
        "the summary {} would have {bytes} bytes, more than the {MAX_DATA_BYTES} that Kubernetes allows, so it stays as it is in every namespace, while all else is delivered: {}",
        key.name,
        advice.into_iter().flatten().collect::<Vec<_>>().join(", or ")
    );
    Some(Problem::new(ReasonCode::SummaryTooLarge, message))
}

fn by_grant<'a>(desired: &'a Desired, outcomes: &'a Outcomes) -> BTreeMap<Option<&'a GrantId>, ObjectOutcomes<'a>> {
    let mut grants: BTreeMap<_, ObjectOutcomes<'a>> = BTreeMap::new();
    for (key, object) in &desired.objects {
        let grant = grants.entry(object.grant.as_ref()).or_default();
        let rename = if object.grant.is_some() { RENAME_OUTPUT } else { RENAME_SUMMARY };
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
        Delivery::Conflict => Some(Problem::new(
            ReasonCode::Conflict,
            format!("{key} is not the operator's, and is left alone: delete or rename it, or {rename}"),
        )),
        Delivery::Contested => Some(Problem::new(
            ReasonCode::Contested,
            format!(
                "others change {key} again and again, and it is let go for some minutes: find out who writes it (kubectl get --show-managed-fields), or {rename}"
            ),
        )),
        Delivery::NamespaceMissing => Some(Problem::new(
            ReasonCode::NamespaceMissing,
            format!("{key} is delivered as soon as the namespace {} is there and not terminating", key.namespace),
        )),
        Delivery::TooLarge(bytes) => Some(Problem::new(
            ReasonCode::TooLarge,
            format!(
                "the data of {key} would have {bytes} bytes, more than the {MAX_DATA_BYTES} that Kubernetes allows: write less, or split it over several outputs"
            ),
        )),
        Delivery::Failed(error) => {
            Some(Problem::new(ReasonCode::WriteFailed, format!("{key} could not be written: {error}")))
        }
    }
}
