//! A grant that time has ended is looked at once more, before anything of it is withdrawn.
//!
//! What is remembered may be behind: the operator was stopped for a while and wakes at the end, another operator has worked
//! meanwhile, or the watch is slow. A grant that was extended in the last moment would lose what it has, and get it anew.

use super::{
    context::ControllerContext,
    failure::{ReconcileFailure, RequestRefusal},
    grant_source,
    world::OrganizationView,
};
use crate::{
    api::{EntitlementInstance, EntitlementOverride, EntitlementSubscription},
    core::source::{SourceId, SourceKind},
    evaluation::Evaluation,
};
use kube::Resource;
use std::sync::Arc;

/// Reads the sources again whose grants were in force when something was last said of them, and are over by now.
///
/// # Errors
/// `Outdated` where one of them is another by now, which is known from then on; and where one could not be read.
pub async fn confirm(
    context: &ControllerContext,
    view: &OrganizationView,
    evaluation: &Evaluation,
) -> Result<(), ReconcileFailure> {
    let ended = evaluation.decision.sources().filter(|decided| decided.is_ending);
    let seen = ended.filter_map(|decided| {
        let id = decided.id();
        Some((Arc::clone(&view.facts.get(&id)?.uid), decided.stated.generation, id))
    });
    let reads = seen.map(|(uid, generation, id)| async move {
        let answer = grant_source::is_as_seen(context, &id, &uid, generation).await;
        (id, answer)
    });
    let mut is_current = true;
    for (id, answer) in context.gate.run_all(reads.collect()).await {
        is_current &= answer.map_err(|refusal| unread(&id, &refusal))?;
    }
    if is_current { Ok(()) } else { Err(ReconcileFailure::Outdated) }
}

fn unread(id: &SourceId, refusal: &RequestRefusal) -> ReconcileFailure {
    let kind = match id.kind {
        SourceKind::Subscription => EntitlementSubscription::kind(&()),
        SourceKind::Instance => EntitlementInstance::kind(&()),
        SourceKind::Override => EntitlementOverride::kind(&()),
        #[cfg(test)]
        SourceKind::Bundle => id.kind.as_str().into(),
    };
    ReconcileFailure::of(format!("the {kind} {id} could not be read, so nothing of it is withdrawn"), refusal)
}
