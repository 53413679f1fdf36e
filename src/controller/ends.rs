//! A grant that time has ended is looked at once more, before anything of it is withdrawn.
//!
//! What is remembered may be behind: the operator was stopped for a while and wakes at the end, another operator has worked
//! meanwhile, or the watch is slow. A grant that was extended in the last moment would lose what it has, and get it anew.

use super::{
    context::ControllerContext,
    failure::{ReconcileFailure, RequestRefusal},
    guarded::Guarded,
    instance,
    world::{GrantFacts, OrganizationView},
};
use crate::{
    api::{EntitlementInstance, Phase},
    core::grant::Grant,
    evaluation::Evaluation,
};
use kube::{Resource, ResourceExt};

/// Reads the grants again that were in force when something was last said of them, and are over by now.
///
/// # Errors
/// `Outdated` where one of them is another by now, which is known from then on; and where one could not be read.
pub async fn confirm(
    context: &ControllerContext,
    view: &OrganizationView,
    evaluation: &Evaluation,
) -> Result<(), ReconcileFailure> {
    let grants = evaluation.decision.grants().zip(&view.facts).map(|((_, member), facts)| (member, facts));
    let ended = grants.filter(|(member, _)| {
        member.grant.remembered.phase.is_some_and(Phase::is_in_force) && member.verdict.phase == Phase::Expired
    });
    let ended = ended.map(|(member, facts)| (&member.grant, facts));
    let reads =
        ended.map(|(grant, facts)| async move { (grant, facts, instance::read(context, &grant.id.source).await) });
    let mut is_current = true;
    for (grant, facts, answer) in context.gate.run_all(reads.collect()).await {
        let found = answer.map_err(|refusal| unread(grant, &refusal))?;
        if found.as_ref().is_some_and(|found| is_as_seen(found, grant, facts)) {
            continue;
        }
        is_current = false;
        instance::take_in(context, &grant.id.source, Some(&facts.uid), found);
    }
    if is_current { Ok(()) } else { Err(ReconcileFailure::Outdated) }
}

fn is_as_seen(found: &Guarded<EntitlementInstance>, grant: &Grant, facts: &GrantFacts) -> bool {
    let generation = found.meta().generation.unwrap_or(1);
    found.uid().as_deref() == Some(&*facts.uid) && generation == grant.generation
}

fn unread(grant: &Grant, refusal: &RequestRefusal) -> ReconcileFailure {
    let id = &grant.id;
    ReconcileFailure::of(
        format!("the EntitlementInstance {id} could not be read, so nothing of it is withdrawn"),
        refusal,
    )
}
