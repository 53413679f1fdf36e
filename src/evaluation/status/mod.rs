//! The statuses of the kinds: projections of the decision, and of the result of the delivery.
//!
//! | file | what it knows |
//! |---|---|
//! | `definition`, `facet_definition` | the statuses of the catalogue |
//! | `grants` | what these say about the grants that they serve |
//! | `delivered` | the result of the delivery of each grant, and of the summary |
//! | `lifecycle` | what conditions say of the life of a source, of whichever kind |
//! | `metered` | what a definition says of the store that its usage is kept in |
//! | `instance` | the status of an instance |
//! | `subscription` | the status of a subscription |
//! | `overrides` | the status of an override |
//! | `organization` | the status of an organization |
//! | `usage` | the status of a report of usage |

pub mod definition;
mod delivered;
pub mod facet_definition;
pub mod grants;
mod instance;
mod lifecycle;
pub mod metered;
pub mod organization;
mod overrides;
pub mod plan;
mod subscription;
#[cfg(test)]
mod tests;
pub mod usage;

pub use delivered::{Delivered, Report};
pub use instance::{NEVER_IN_FORCE, instance_status, not_ready, told_violations};
pub use organization::organization_status;
pub use overrides::override_status;
pub use subscription::{definitions_problem, subscription_status, unready_subscription};

use super::{
    Evaluation,
    conditions::unready,
    holding::{Holding, Member},
    plan::Outcomes,
    subscriptions::SubscriptionDecision,
};
use crate::{
    api::{
        EntitlementInstanceStatus, EntitlementOverrideStatus, EntitlementSubscriptionStatus, OrganizationStatus,
        lifecycle::SourceStatus,
    },
    core::{calendar::Instant, problem::Problem, source::SourceKind},
};
use std::sync::Arc;

/// The statuses of an organization and its grants.
#[derive(Clone, Debug)]
pub struct Statuses {
    /// Of each grant of an instance, in the snapshot's order; None for those of other sources, and where the delivery was not
    /// tried to the end, so that nothing can be said yet.
    pub grants: Vec<Option<EntitlementInstanceStatus>>,
    /// The same of each grant of an override.
    pub overrides: Vec<Option<EntitlementOverrideStatus>>,
    /// Of each subscription, in the snapshot's order; None where the delivery was not tried to the end.
    pub subscriptions: Vec<Option<EntitlementSubscriptionStatus>>,
    /// Of the organization, where it exists.
    pub organization: Option<OrganizationStatus>,
}

/// The status of a source of grants, which has that generation, of an organization of which everything stays as it is, and why.
/// Nothing else is said of it than before.
#[must_use]
pub fn untouched_status<S: SourceStatus>(before: Option<&S>, generation: i64, problem: &Problem, now: Instant) -> S {
    let mut status = before.cloned().unwrap_or_default();
    *status.conditions_mut() = unready(status.lifecycle().conditions, generation, problem, now);
    status.observing(generation)
}

/// The statuses, once it is known what came of each object.
#[must_use]
pub fn statuses(evaluation: &Evaluation, outcomes: &Outcomes) -> Statuses {
    let Evaluation { decision, desired } = evaluation;
    let report = Report::of(decision, desired, outcomes);
    let of_kind = |member: &Member, kind: SourceKind| {
        report.of_grant(&member.grant.id).filter(|_| member.grant.id.source.kind == kind)
    };
    let grants = decision.grants().map(|(holding, member)| {
        let delivered = of_kind(member, SourceKind::Instance)?;
        Some(instance_status(holding, member, &delivered, decision.at))
    });
    let overrides = decision.grants().map(|(holding, member)| {
        let delivered = of_kind(member, SourceKind::Override)?;
        Some(override_status(holding, member, &delivered, decision.at))
    });
    let subscriptions = decision.subscriptions.iter().map(|one| {
        let delivered = report.of_grants(one.members().map(|member| &member.grant.id))?;
        Some(subscription_status(decision, one, &delivered))
    });
    let problem = report.of_summary(decision);
    Statuses {
        grants: grants.collect(),
        overrides: overrides.collect(),
        subscriptions: subscriptions.collect(),
        organization: organization_status(decision, desired.hindered.as_ref(), problem.as_ref(), &outcomes.left),
    }
}

/// The statuses of subscriptions as they would be had everything been delivered that can be.
#[must_use]
pub fn ideal_subscriptions(evaluation: &Evaluation) -> Vec<EntitlementSubscriptionStatus> {
    let Evaluation { decision, desired } = evaluation;
    let status = |one: &Arc<SubscriptionDecision>| {
        let grants = one.members().map(|member| Delivered::ideally(desired.grants.get(&member.grant.id)));
        subscription_status(decision, one, &grants.fold(Delivered::default(), Delivered::and))
    };
    decision.subscriptions.iter().map(status).collect()
}

/// The statuses of instances as they would be had everything been delivered that can be.
#[must_use]
pub fn ideal(evaluation: &Evaluation) -> Vec<EntitlementInstanceStatus> {
    ideally(evaluation, SourceKind::Instance, instance_status)
}

/// The statuses of overrides as they would be had everything been delivered that can be.
#[must_use]
pub fn ideal_overrides(evaluation: &Evaluation) -> Vec<EntitlementOverrideStatus> {
    ideally(evaluation, SourceKind::Override, override_status)
}

fn ideally<S>(
    evaluation: &Evaluation,
    kind: SourceKind,
    status: fn(&Holding, &Member, &Delivered, Instant) -> S,
) -> Vec<S> {
    let Evaluation { decision, desired } = evaluation;
    let of_kind = decision.grants().filter(|(_, member)| member.grant.id.source.kind == kind);
    let status = |(holding, member): (&Holding, &Member)| {
        status(holding, member, &Delivered::ideally(desired.grants.get(&member.grant.id)), decision.at)
    };
    of_kind.map(status).collect()
}
