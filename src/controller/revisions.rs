//! Keeps each valid state of an object of the catalogue as a `ControllerRevision` in the operator's namespace.

use super::{
    context::ControllerContext,
    failure::{ReconcileFailure, RequestRefusal},
    output::FIELD_MANAGER,
    world::Reading,
};
use crate::evaluation::{
    catalogue::{CatalogueId, Catalogued, KeepAction, KeptForm, Revision, outdated},
    plan::Fingerprint,
};
use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::json;
use std::sync::Arc;

fn api(context: &ControllerContext) -> Api<ControllerRevision> {
    Api::namespaced(context.gate.client(), &context.options.namespace)
}

/// Sees to it that the newest revision of an object is of that state. Its revisions stand from the oldest to the newest.
pub async fn keep<C: Catalogued>(
    context: &ControllerContext,
    object: &CatalogueId,
    revisions: &[Arc<Revision>],
    state: &C::State,
) -> Result<(), ReconcileFailure> {
    let form = KeptForm::of::<C>(state);
    let name = Revision::name_of(object, &form.hash);
    let action = KeepAction::of(object, revisions, form);
    if let Some(intentions) = context.gate.intentions() {
        if !matches!(action, KeepAction::Kept) {
            intentions.tell("keep", None, of_name(context, &name), Fingerprint::of_pairs([("", name.as_bytes())]));
        }
        return Ok(());
    }
    let written = match action {
        KeepAction::Kept => return Ok(()),
        KeepAction::Replace(before, _) => {
            // The next attempt makes it anew.
            delete(context, &[before]).await?;
            let message = format!("the revision {name} did not hold what its name says, and was deleted");
            return Err(ReconcileFailure::Failed(message));
        }
        KeepAction::Promote(_, revision) | KeepAction::Annotate(_, revision) => renew(context, &revision).await,
        KeepAction::Create(revision) => create(context, &revision).await,
    };
    match written {
        Ok(revision) => {
            let revision = Reading::of_revision(revision);
            context.world(|world| world.wrote_revision(revision));
            Ok(())
        }
        Err(refusal) => {
            let namespace = &context.options.namespace;
            let what = format!("the ControllerRevision {namespace}/{name} could not be written");
            Err(ReconcileFailure::of(what, &refusal))
        }
    }
}

/// In the words of the log.
fn of_name(context: &ControllerContext, name: &str) -> String {
    format!("ControllerRevision {}/{name}", context.options.namespace)
}

async fn create(context: &ControllerContext, revision: &Revision) -> Result<ControllerRevision, RequestRefusal> {
    let parameters = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    let _pass = context.gate.enter().await;
    api(context).create(&parameters, &revision.to_object()).await.map_err(|error| RequestRefusal::of(&error))
}

/// An older state is valid again: its revision becomes the newest. Or what is kept beside it has changed.
async fn renew(context: &ControllerContext, revision: &Revision) -> Result<ControllerRevision, RequestRefusal> {
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let mut patch = json!({ "revision": revision.number });
    let annotations = revision.annotations();
    if !annotations.is_empty() {
        patch["metadata"] = json!({ "annotations": annotations });
    }
    let patch = Patch::Merge(patch);
    let _pass = context.gate.enter().await;
    api(context).patch(&revision.name, &parameters, &patch).await.map_err(|error| RequestRefusal::of(&error))
}

/// Deletes all but those that are pinned and the newest others.
pub async fn prune(
    context: &ControllerContext,
    revisions: &[Arc<Revision>],
    is_pinned: impl Fn(&str) -> bool,
) -> Result<(), ReconcileFailure> {
    delete(context, &outdated(revisions, is_pinned)).await
}

/// Deletes revisions.
pub async fn delete(context: &ControllerContext, revisions: &[Arc<Revision>]) -> Result<(), ReconcileFailure> {
    for revision in revisions {
        if let Some(intentions) = context.gate.intentions() {
            let what = Fingerprint::of_pairs([("", revision.name.as_bytes())]);
            intentions.tell("delete", None, of_name(context, &revision.name), what);
            continue;
        }
        let _pass = context.gate.enter().await;
        let deleted = api(context).delete(&revision.name, &DeleteParams::default()).await;
        match deleted.map_err(|error| RequestRefusal::of(&error)) {
            Ok(_) | Err(RequestRefusal::Gone) => context.world(|world| world.revision_is_gone(&revision.name)),
            Err(refusal) => {
                return Err(ReconcileFailure::of(
                    format!("the revision {} could not be deleted", revision.name),
                    &refusal,
                ));
            }
        }
    }
    Ok(())
}
