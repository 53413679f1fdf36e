//! Which plan a subscription is to, from when on.

use super::plans::Plans;
use crate::{
    api::{entitlement_plan::PlanType, lifecycle::AmendmentState},
    core::{
        calendar::{Bound, Instant},
        lifecycle::{AmendmentOutcome, PreparedAmendment},
        source::subscription::{PlanAmendment, Subscription},
        subscription::{OwnTime, Window},
    },
};
use std::sync::Arc;

/// The plan of the spec, and those of the amendments that count, in the order in which they do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanCourse {
    first: Arc<str>,
    changes: Vec<(Instant, Arc<str>)>,
}

impl PlanCourse {
    /// As the amendments are decided: those that count, pending ones among them.
    pub fn of(subscription: &Subscription, amendments: &[PreparedAmendment], outcomes: &[AmendmentOutcome]) -> Self {
        let counts =
            |outcome: &AmendmentOutcome| matches!(outcome.state, AmendmentState::Effective | AmendmentState::Pending);
        let counting = amendments.iter().zip(outcomes).filter(|(_, outcome)| counts(outcome));
        Self::with(subscription, counting.map(|(amendment, _)| amendment))
    }

    /// As it is before the term is known: without those that cannot count whatever it is.
    pub fn foreseen(subscription: &Subscription, amendments: &[PreparedAmendment]) -> Self {
        Self::with(subscription, amendments.iter().filter(|one| !one.revoked && one.fault.is_none()))
    }

    fn with<'a>(subscription: &Subscription, amendments: impl Iterator<Item = &'a PreparedAmendment>) -> Self {
        let change = |amendment: &PreparedAmendment| {
            Some((amendment.effective?, subscription.amendments.get(amendment.index)?.plan.clone()?))
        };
        Self { first: Arc::clone(&subscription.plan), changes: amendments.filter_map(change).collect() }
    }

    /// The plan at a moment.
    pub fn at(&self, at: Instant) -> &Arc<str> {
        let come = self.changes.iter().rev().find(|(from, _)| *from <= at);
        come.map_or(&self.first, |(_, plan)| plan)
    }

    /// The plan that it comes to.
    pub fn last(&self) -> &Arc<str> {
        self.changes.last().map_or(&self.first, |(_, plan)| plan)
    }

    /// Whether it is ever to that plan.
    pub fn has(&self, plan: &str) -> bool {
        *self.first == *plan || self.changes.iter().any(|(_, change)| **change == *plan)
    }

    /// Each plan with when it is in force.
    pub fn windows(&self, own: OwnTime) -> Vec<(Arc<str>, Window)> {
        let Some(own) = own.window() else { return Vec::new() };
        let moments = std::iter::once(own.from)
            .chain(self.changes.iter().map(|(at, _)| *at).filter(|at| *at > own.from && !own.until.has_come(*at)));
        let moments: Vec<Instant> = moments.collect();
        let mut windows: Vec<(Arc<str>, Window)> = Vec::new();
        for (index, from) in moments.iter().enumerate() {
            let until = moments.get(index + 1).map_or(own.until, |next| Bound::At(*next));
            let plan = self.at(*from);
            match windows.last_mut() {
                Some((last, window)) if last == plan => window.until = until,
                _ => windows.push((Arc::clone(plan), Window { from: *from, until })),
            }
        }
        windows
    }
}

/// Why the plan of an amendment keeps it from counting: it cannot be taken anew, or is of another line.
pub fn fault(
    plans: Plans,
    line: Option<&Arc<str>>,
    subscription: &Subscription,
    renewed: Option<&Subscription>,
    amendment: &PlanAmendment,
) -> Option<String> {
    let plan = amendment.plan.as_ref()?;
    let has_taken = |one: &Subscription| one.agreed.seen.contains(plan) && !is_its_add_on(plans, one, plan);
    // A renewal takes over what the renewed one has under the same agreement.
    let takes_over = |renewed: &Subscription| {
        renewed.agreement == subscription.agreement
            && renewed.agreed.plans.contains_key(plan)
            && !is_its_add_on(plans, renewed, plan)
    };
    let renewed = renewed.filter(|_| subscription.accepted.is_none());
    if *plan == subscription.plan || has_taken(subscription) || renewed.is_some_and(takes_over) {
        return None;
    }
    if let Some(fault) = plans.fault(plan, PlanType::Plan) {
        return Some(fault.message);
    }
    // One that is of no line takes nobody's seat. A renewal may be of the line that it renews, and its plan of another.
    let own = plans.serving(&subscription.plan).and_then(|plan| plan.line());
    let other = plans.serving(plan)?.line().filter(|other| Some(*other) != line && Some(*other) != own)?;
    let own = line.map_or("no line".to_owned(), |line| format!("line {line}"));
    Some(format!(
        "plan {plan} is of line {other}, and this subscription of {own}: change to a plan of the same product, or make a new subscription"
    ))
}

/// What one has as an add-on it has not taken as its plan.
fn is_its_add_on(plans: Plans, subscription: &Subscription, plan: &Arc<str>) -> bool {
    plans.serving(plan).is_some_and(|serving| serving.type_ == PlanType::AddOn)
        && subscription.agreed.add_ons().any(|add_on| add_on.plan == *plan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::calendar::parse_instant;

    fn at(text: &str) -> Instant {
        parse_instant(&format!("{text}T00:00:00Z")).unwrap()
    }

    #[test]
    fn the_last_change_that_has_come_holds() {
        let course = PlanCourse {
            first: "starter".into(),
            changes: vec![
                (at("2027-02-01"), "business".into()),
                (at("2027-03-01"), "business".into()),
                (at("2027-04-01"), "enterprise".into()),
                (at("2029-01-01"), "starter".into()),
            ],
        };
        assert_eq!(&**course.at(at("2027-01-31")), "starter");
        assert_eq!(&**course.at(at("2027-02-01")), "business");
        assert_eq!(&**course.at(at("2030-01-01")), "starter");
        assert_eq!(&**course.last(), "starter");
        let own = OwnTime { start: at("2027-02-15").into(), over: at("2028-01-01").into() };
        let windows = course.windows(own);
        let told: Vec<_> = windows.iter().map(|(plan, window)| (&**plan, window.from, window.until)).collect();
        assert_eq!(
            told,
            [
                ("business", at("2027-02-15"), Bound::At(at("2027-04-01"))),
                ("enterprise", at("2027-04-01"), Bound::At(at("2028-01-01"))),
            ]
        );
    }
}
