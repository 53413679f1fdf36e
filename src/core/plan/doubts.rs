//! What is legal in a plan, but hardly meant.

use super::PlanContext;
use crate::{
    api::{EntitlementPlanSpec, entitlement_plan::PlanType},
    core::{problem::Problem, reason::ReasonCode},
};

/// Add-ons that it names and that are none, each with its place in the spec.
pub fn doubts(spec: &EntitlementPlanSpec, context: &impl PlanContext) -> Vec<Problem> {
    let doubt = |(index, name): (usize, &String)| {
        let (reason, message) = match context.plan(name) {
            None => (
                ReasonCode::PlanNotFound,
                format!("addOns: there is no plan {name}: it can be added as soon as it is there"),
            ),
            Some(Ok(plan)) if plan.type_ == PlanType::Plan => (
                ReasonCode::PlanNotReady,
                format!("addOns: {name} is of type Plan, and can be added to no subscription: name one of type AddOn"),
            ),
            Some(_) => return None,
        };
        Some(Problem::new(reason, message).at(format!("/addOns/{index}")))
    };
    spec.add_ons.iter().enumerate().filter_map(doubt).collect()
}
