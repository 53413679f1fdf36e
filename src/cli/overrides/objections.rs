//! Why somebody's decision would count for nothing, said before it is written.

use super::exception::Exception;
use crate::{
    api::{ConditionStatus, GROUP, Phase, conditions::ACCEPTED, override_decision::Ruling},
    cli::moment::shown,
    core::{
        approval::{Objection, Settlement},
        reason::ReasonCode,
    },
};

/// Why a decision of that user would count for nothing, and what to do instead; None where it would count.
pub fn objection(exception: &Exception, user: &str) -> Option<String> {
    settled(exception).or_else(|| of_person(exception, user)).or_else(|| unprotected(exception))
}

/// It is decided already, or over.
fn settled(exception: &Exception) -> Option<String> {
    let Exception { id, object, zone, .. } = exception;
    if object.spec.cancelled {
        return Some(format!("{id} is cancelled, and stays so: there is nothing to decide"));
    }
    let again = "ask for another if it is needed after all";
    match exception.grant.remembered.settlement.as_deref() {
        Some(Settlement::Accepted { at, by, .. }) => {
            let by: Vec<&str> = by.iter().map(AsRef::as_ref).collect();
            let by = if by.is_empty() { String::new() } else { format!(" by {}", by.join(", ")) };
            let at = shown(*at, *zone);
            let over = object.status.as_ref().is_some_and(|status| status.phase == Some(Phase::Expired));
            let then = if over {
                format!("it is over by now: {again}")
            } else {
                format!("that is final: {}", cancel(exception))
            };
            Some(format!("{id} was approved on {at}{by}, and {then}"))
        }
        Some(Settlement::Denied { at, by }) => {
            Some(format!("{id} was denied on {} by {by}, and that is final: {again}", shown(*at, *zone)))
        }
        Some(Settlement::Expired { at }) => {
            Some(format!("{id} was not approved by {}, and that is final: {again}", shown(*at, *zone)))
        }
        None => None,
    }
}

/// How to take it back.
pub fn cancel(exception: &Exception) -> String {
    let id = &exception.id;
    format!(
        "to take it back, cancel it: kubectl patch entitlementoverrides.{GROUP} {} --namespace {} --type merge --patch '{{\"spec\":{{\"cancelled\":true}}}}'",
        id.name, id.namespace
    )
}

fn of_person(exception: &Exception, user: &str) -> Option<String> {
    let Exception { id, zone, .. } = exception;
    match exception.request().objection_to(user) {
        Some(Objection::ServiceAccount) => {
            return Some(format!(
                "you are {user}, and what a service account decides does not count: a person has to, with a login of their own"
            ));
        }
        Some(Objection::Asker) => return Some(format!("you, {user}, asked for {id}: somebody else has to decide")),
        None => {}
    }
    let before = exception.decision_of(user)?;
    let verb = match before.ruling {
        Ruling::Approve => "approved",
        Ruling::Deny => "denied",
    };
    Some(format!(
        "you, {user}, {verb} {id} on {} already (OverrideDecision {}), and the first decision of each person counts{}",
        shown(before.created, *zone),
        before.name,
        missing(exception)
    ))
}

fn missing(exception: &Exception) -> String {
    let others = exception.missing().filter(|missing| *missing > 0);
    others
        .map(|missing| format!("; {missing} more of other people {} needed", if missing == 1 { "is" } else { "are" }))
        .unwrap_or_default()
}

/// The operator does not count it, as what protects approvals is not there.
fn unprotected(exception: &Exception) -> Option<String> {
    let status = exception.object.status.as_ref()?;
    let is_it = |reason: &str| ReasonCode::ApprovalsUnprotected == *reason;
    let condition = status
        .conditions
        .iter()
        .find(|one| one.type_ == ACCEPTED && one.status == ConditionStatus::False && is_it(&one.reason))?;
    Some(format!("{} cannot be decided now: {}", exception.id, condition.message))
}
