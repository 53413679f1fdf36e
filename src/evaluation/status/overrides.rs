//! The status of an override: the decision about its grant, its approval, and the result of the delivery.

use super::{
    Delivered,
    instance::{conditions, violations},
};
use crate::{
    api::{EntitlementOverrideStatus, lifecycle::Transition, outputs::OutputCounts},
    core::{
        approval::Approval,
        calendar::{Instant, format_instant},
    },
    evaluation::holding::{Holding, Member},
};

/// The status of the override that a grant comes from.
#[must_use]
pub fn override_status(
    holding: &Holding,
    member: &Member,
    delivered: &Delivered,
    now: Instant,
) -> EntitlementOverrideStatus {
    let verdict = &member.verdict;
    let settlement = member.settlement().or_else(|| member.grant.remembered.settlement.as_deref().cloned());
    let (accepted, denied, expired) = settlement.map(|settlement| settlement.records()).unwrap_or_default();
    EntitlementOverrideStatus {
        observed_generation: member.grant.generation,
        phase: Some(verdict.phase),
        start: member.start().map(format_instant),
        end: verdict.term.and_then(|_| verdict.end.instant().at()).map(format_instant),
        until: member.until(),
        approvals: member.approval.as_deref().map(Approval::tally),
        next_transition: member.change.map(|change| Transition { at: format_instant(change.at), phase: change.phase }),
        accepted,
        denied,
        expired,
        facets: member.facets.remembered.as_deref().cloned(),
        violations: violations(&member.facets.validity),
        outputs: Some(OutputCounts { desired: delivered.desired, delivered: delivered.delivered }),
        conditions: conditions(holding, member, delivered, now),
    }
}
