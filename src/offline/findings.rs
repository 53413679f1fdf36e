//! What is wrong with a source of grants, as it is decided and would be delivered.

use crate::{
    api::{
        Phase,
        lifecycle::{AmendmentState, State},
    },
    core::{
        problem::Problem, reason::ReasonCode, refusal::Reason, source::subscription::StatedSubscription,
        subscription::GrantPart,
    },
    evaluation::{
        decision::Decision,
        holding::{Holding, Member},
        status::{Delivered, NEVER_IN_FORCE, definitions_problem, not_ready},
        subscriptions::{EntryNote, SubscriptionDecision},
    },
};
use std::sync::Arc;

/// What is wrong with a source of grants, as it is decided and would be delivered. What is wrong with facets is told one by one, as
/// flaws.
#[derive(Clone, Debug)]
pub struct SourceFindings {
    /// What its owner wants.
    pub state: State,
    /// Its phase.
    pub phase: Phase,
    /// Why it would be refused, be it a draft.
    pub refusal: Option<Problem>,
    /// Why what the spec asks for is not done.
    pub unready: Vec<Problem>,
    /// Amendments and entries that do not count, each with its place.
    pub ignored: Vec<Problem>,
    /// What else there is to say, that is no error.
    pub remarks: Vec<Problem>,
}

impl SourceFindings {
    /// Of the grant of an instance or an override, with what came of its delivery.
    #[must_use]
    pub fn of_grant(holding: &Holding, member: &Member, delivered: &Delivered) -> Self {
        let amendments = member.grant.amendments.iter().map(|one| one.name.as_str());
        let refusal = member.verdict.refusal.as_ref().map(Problem::from);
        // That others have yet to approve it is nothing that is wrong with it.
        let is_requested = member.verdict.phase == Phase::Requested;
        let (refusal, remarks) = if is_requested { (None, refusal) } else { (refusal, None) };
        let unready = not_ready(holding, member, delivered).filter(|_| !is_requested);
        Self {
            state: member.grant.state,
            phase: member.verdict.phase,
            refusal,
            unready: unready.into_iter().collect(),
            ignored: ignored(amendments, member.amendment_outcomes()),
            remarks: remarks.into_iter().collect(),
        }
    }

    /// Of a subscription, with what is wrong with the delivery of each definition that it gives: the same is told once.
    #[must_use]
    pub fn of_subscription(
        decision: &Decision,
        decided: &SubscriptionDecision,
        undelivered: impl Iterator<Item = (Arc<str>, Problem)>,
    ) -> Self {
        let stated = &decided.subscription;
        let verdict = &decided.verdict;
        let refusal = verdict.refusal.as_ref().map(Problem::from);
        let is_asked = !matches!(verdict.phase, Phase::Draft | Phase::Cancelled | Phase::Expired);
        let unready = match &refusal {
            _ if !is_asked => Vec::new(),
            Some(refusal) => vec![refusal.clone()],
            None => {
                let never = || Problem::new(ReasonCode::NeverInForce, NEVER_IN_FORCE).at(Reason::InvalidTerm.pointer());
                let never = verdict.is_never_in_force().then(never);
                let definition = definitions_problem(decision, decided);
                never
                    .into_iter()
                    .chain(decided.lost.clone())
                    .chain(definition)
                    .chain(delivery(stated, undelivered))
                    .collect()
            }
        };
        let amendments = stated.amendments.iter().map(|one| one.name.as_str());
        let (left_out, kept): (Vec<_>, Vec<_>) = decided.notes.iter().partition(|note| note.is_ignored);
        let left_out = left_out.into_iter().map(EntryNote::problem);
        let kept = kept.into_iter().map(|note| {
            let problem = note.problem();
            if stated.state == State::Draft {
                let message = format!("activating it would leave this out: {}", problem.message);
                return Problem { message, ..problem };
            }
            Problem { reason: ReasonCode::EntryKept, ..problem }
        });
        let is_agreed = refusal.is_none() && stated.state != State::Draft;
        let plan = decided.plan_note.iter().filter(|_| is_agreed);
        let plan = plan.map(|note| Problem::new(ReasonCode::PlanKept, note.clone()).at(Reason::PlanNotFound.pointer()));
        let ignored = ignored(amendments, decided.amendment_outcomes()).into_iter().chain(left_out);
        Self {
            state: stated.state,
            phase: verdict.phase,
            ignored: ignored.collect(),
            remarks: plan.chain(kept).chain(without_effect(decided)).collect(),
            unready,
            refusal,
        }
    }

    /// Whether it is over, so that nothing needs to be said of it any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Expired | Phase::Cancelled)
    }
}

fn ignored<'a>(names: impl Iterator<Item = &'a str>, outcomes: Vec<(AmendmentState, Option<String>)>) -> Vec<Problem> {
    let amendments = names.zip(outcomes).enumerate();
    let ignored = amendments.filter(|(_, (_, (state, _)))| *state == AmendmentState::Ignored);
    let problem = |(index, (name, (_, message))): (usize, (&str, (_, Option<String>)))| {
        let why = message.unwrap_or_else(|| "it cannot count".to_owned());
        Problem::new(ReasonCode::AmendmentIgnored, format!("amendment {name}: {why}"))
            .at(format!("/spec/amendments/{index}/name"))
    };
    ignored.map(problem).collect()
}

/// What is wrong with the delivery of definitions, with its place in the subscription, each once.
fn delivery(stated: &StatedSubscription, undelivered: impl Iterator<Item = (Arc<str>, Problem)>) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    for (definition, problem) in undelivered {
        let configured = stated.configure.get(&definition);
        let place = configured.map(|entry| format!("/spec/configure/{}", entry.index)).unwrap_or_default();
        let rest = problem.pointer.strip_prefix("/spec").unwrap_or_default().to_owned();
        let pointer = if rest.is_empty() || place.is_empty() { String::new() } else { format!("{place}{rest}") };
        let message = format!("{definition}: {}", problem.message);
        if !problems.iter().any(|known| known.reason == problem.reason && known.message.ends_with(&problem.message)) {
            problems.push(Problem::new(problem.reason, message).at(pointer));
        }
    }
    problems
}

/// Entries that change nothing, which are hardly meant: a misspelt name is not refused where no definition needs to exist.
fn without_effect(decided: &SubscriptionDecision) -> Vec<Problem> {
    let stated = &decided.subscription;
    // Of one that is refused it is not known what it would give.
    if decided.verdict.phase == Phase::Rejected {
        return Vec::new();
    }
    let is_removable = |definition: &str| {
        decided.rights.get(definition).is_some_and(|right| right.parts.iter().any(GrantPart::is_removable))
    };
    let removed = stated.remove.iter().enumerate().filter(|(_, entry)| !is_removable(&entry.definition));
    let removed = removed.map(|(index, entry)| {
        let message = format!("neither plan nor add-ons give {}, so there is nothing to remove", entry.definition);
        Problem::new(ReasonCode::EntryWithoutEffect, message).at(format!("/spec/remove/{index}/definition"))
    });
    let configured = stated.configure.iter().filter(|(definition, _)| !decided.rights.contains_key(*definition));
    let configured = configured.map(|(definition, entry)| {
        let message = format!("this subscription never gives {definition}, so nothing is configured by this");
        Problem::new(ReasonCode::EntryWithoutEffect, message).at(format!("/spec/configure/{}/definition", entry.index))
    });
    removed.chain(configured).collect()
}
