//! What an organization held of a definition before people, and not time, last put its grants in force or withdrew them.

use super::{HoldingState, lane::EVALUATION};
use crate::{
    api::{Organization, lifecycle::State},
    core::{calendar::Instant, grant::Grant, source::subscription::Subscription},
    evaluation::{
        Evaluation, Snapshot, evaluate,
        explanation::{Entitlement, GrantExplanation, Suspension},
    },
};
use chrono::TimeDelta;
use std::sync::Arc;

/// What was done by hand: resumed, suspended, cancelled.
#[derive(Clone, Debug)]
pub struct ByHand {
    /// When, as the statuses remember it.
    pub at: Instant,
    /// What was held until then; absent where that cannot be told.
    pub before: Option<HoldingState>,
    /// What was held from then on.
    pub after: HoldingState,
}

/// What was done last to the grants of one definition, which a snapshot has alone.
pub fn by_hand(snapshot: &Snapshot, told: &Entitlement, left: &mut usize) -> Option<ByHand> {
    let at = told.grants.iter().filter_map(|grant| grant.turned).max()?;
    let turned: Vec<&GrantExplanation> = told.grants.iter().filter(|grant| grant.turned == Some(at)).collect();
    *left = left.checked_sub(2 * (snapshot.grants.len() + EVALUATION))?;
    let earlier = undone(snapshot, &turned);
    let evaluation = evaluate(&earlier, at.checked_sub_signed(TimeDelta::seconds(1))?);
    // Where they would not have stood otherwise then, more has been changed than that.
    let is_undone = evaluation.decision.grants().all(|(_, member)| {
        let then = member.verdict.phase.is_in_force();
        find(&turned, &member.grant).is_none_or(|now| now.phase.is_in_force() != then)
    });
    let before = held(&evaluation, &told.definition).filter(|_| is_undone);
    let after = held(&evaluate(snapshot, at), &told.definition)?;
    Some(ByHand { at, before, after })
}

/// As it was before: what was withdrawn is in force, and what was put in force is not.
fn undone(snapshot: &Snapshot, turned: &[&GrantExplanation]) -> Snapshot {
    let mut earlier = snapshot.clone();
    for grant in &mut earlier.grants {
        let Some(now) = find(turned, grant) else { continue };
        let mut before = Grant::clone(grant);
        before.suspended = now.phase.is_in_force();
        if !before.suspended {
            before.state = State::Active;
        }
        *grant = Arc::new(before);
    }
    for subscription in &mut earlier.subscriptions {
        let Some(now) = turned.iter().find(|one| one.source == subscription.id()) else { continue };
        let mut before = Subscription::clone(subscription);
        before.suspended = now.phase.is_in_force();
        if !before.suspended {
            before.state = State::Active;
        }
        *subscription = Arc::new(before);
    }
    let is_whole = turned.iter().any(|grant| grant.suspended_by == Some(Suspension::Organization));
    if let Some(organization) = earlier.organization.as_mut().filter(|_| is_whole) {
        let mut before = Organization::clone(organization);
        before.spec.suspended = false;
        *organization = Arc::new(before);
    }
    earlier
}

fn find<'a>(turned: &[&'a GrantExplanation], grant: &Grant) -> Option<&'a GrantExplanation> {
    turned.iter().copied().find(|one| one.source == grant.id.source)
}

fn held(evaluation: &Evaluation, definition: &str) -> Option<HoldingState> {
    Some(
        evaluation
            .desired
            .summary
            .as_ref()?
            .entitlements
            .get(definition)
            .map(|entry| HoldingState::of(entry))
            .unwrap_or_default(),
    )
}
