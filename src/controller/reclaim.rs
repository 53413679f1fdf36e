//! Marks objects anew that the operator made, and that say so no longer.
//!
//! After that they are like any other: they are put right where a grant asks for them, and withdrawn where none does.

use super::{
    context::ControllerContext,
    failure::{ReconcileFailure, RequestRefusal},
    put_back,
    scope::{OrganizationScope, UnlabelledObject},
    warnings::warn_of,
    world::{FormerMarks, OrganizationView},
};
use crate::evaluation::{
    delivery::Desired,
    object::{Attribution, ObjectKey, Wish},
    plan::{Fingerprint, Ground, Meddling, Outcomes, Owner, Stuck},
};
use std::sync::Arc;

/// Looks for objects whose label was taken off while the operator did not run, in all namespaces in which the organization
/// has objects.
pub async fn search(
    context: &ControllerContext,
    scope: &OrganizationScope,
    owner: &Owner,
) -> Result<(), ReconcileFailure> {
    let grounds = owner.remembered().iter().filter_map(|namespace| owner.ground(namespace));
    let searches = grounds.map(|ground| async move { scope.search(&ground).await }).collect();
    for result in context.gate.run_all(searches).await {
        match result {
            Ok(found) => context.world(|world| {
                for (key, found) in found {
                    let UnlabelledObject { uid, controller, source, fate } = found;
                    let origin = FormerMarks { uid, controller: Arc::clone(owner.uid()), source, fate };
                    world.found_stray(owner, key, controller.as_deref(), origin);
                }
            }),
            Err(RequestRefusal::NamespaceMissing | RequestRefusal::Gone) => {}
            Err(refusal) => {
                return Err(ReconcileFailure::Failed(format!(
                    "what {} has could not be looked for: {refusal}",
                    owner.name()
                )));
            }
        }
    }
    context.world(|world| world.searched(owner));
    Ok(())
}

/// Marks what is known to be the organization's. True if some of it has to be tried again.
pub async fn reclaim(
    context: &ControllerContext,
    scope: &OrganizationScope,
    owner: &Owner,
    desired: &Desired,
    view: &mut OrganizationView,
    outcomes: &mut Outcomes,
) -> bool {
    let strays = context.world(|world| world.strays(owner, |key| desired.objects.contains_key(key)));
    if strays.is_empty() {
        return false;
    }
    let marks = strays.into_iter().filter_map(|(key, origin)| Some((owner.ground(&key.namespace)?, key, origin)));
    let (contested, marks): (Vec<_>, Vec<_>) = marks.partition(|(_, key, _)| view.scene.contested.contains(key));
    for (_, key, origin) in contested {
        if !desired.objects.contains_key(&key) {
            outcomes.stuck.push(Stuck::contested(origin.source.map(Attribution::to_source), &key));
        }
    }
    if let Some(intentions) = context.gate.intentions() {
        for (_, key, origin) in &marks {
            let what = Fingerprint::of_pairs([("", origin.uid.as_bytes())]);
            intentions.tell("mark", Some(owner.name()), key, what);
        }
        return false;
    }
    let marks = marks.into_iter().map(|(ground, key, origin): (Ground, ObjectKey, FormerMarks)| async move {
        (scope.mark(&ground, &key, &origin).await, key, origin)
    });
    let mut retry = false;
    for (result, key, origin) in context.gate.run_all(marks.collect()).await {
        match result {
            Ok(Some(observed)) => {
                tracing::debug!(organization = %owner.name(), object = %key, "an output whose marks were taken off is marked anew");
                let before = context.world(|world| world.wrote_output(owner.name(), &key, observed.clone()));
                let wish = desired.objects.get(&key).map(|desired| &desired.wish);
                if let Some(Wish::Write(content)) = wish
                    && let Some(meddling) = Meddling::of(content, Some(&observed), before.as_deref())
                {
                    put_back::tell(context, owner, &key, content, meddling);
                }
                view.scene.observed.insert(key, Arc::new(observed));
            }
            Ok(None) | Err(RequestRefusal::Gone | RequestRefusal::NamespaceMissing) => {
                context.world(|world| world.stray_is_gone(owner, &key));
                view.scene.observed.retain(|seen, observed| *seen != key || observed.uid != origin.uid);
            }
            Err(refusal) => {
                retry = true;
                warn_of!(context, "an output could not be marked anew", organization = %owner.name(), object = %key, error = %refusal);
                if let RequestRefusal::Denied(message) | RequestRefusal::Invalid(message) = refusal {
                    let message = format!("{key} could not be marked as the operator's again: {message}");
                    outcomes.stuck.push(Stuck::new(origin.source.map(Attribution::to_source), message));
                }
            }
        }
    }
    retry
}
