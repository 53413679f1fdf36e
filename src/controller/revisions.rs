//! Keeps each valid state of a definition as a `ControllerRevision` in the operator's namespace.

use super::{
    context::Context,
    failure::{ReconcileFailure, RequestRefusal},
    output::FIELD_MANAGER,
    world::{DefinitionView, Reading},
};
use crate::evaluation::{
    catalogue::{OLDER_REVISIONS, Revision, Source, revision_name},
    object::{DEFINITION, MANAGED_BY, MANAGER},
};
use k8s_openapi::{api::apps::v1::ControllerRevision, apimachinery::pkg::runtime::RawExtension};
use kube::{
    Api,
    api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

fn api(context: &Context) -> Api<ControllerRevision> {
    Api::namespaced(context.gate.client(), &context.options.namespace)
}

/// Sees to it that the newest revision is of that source, and returns its name.
pub async fn keep(
    context: &Context,
    name: &str,
    view: &DefinitionView,
    source: &Source,
    hash: &str,
) -> Result<String, ReconcileFailure> {
    let revision_name = revision_name(name, hash);
    let data = serde_json::to_value(source).map_err(|error| ReconcileFailure::Failed(error.to_string()))?;
    let newest = view.revisions.last();
    let next = newest.map_or(0, |revision| revision.number).saturating_add(1);
    let known = view.revisions.iter().find(|revision| *revision.name == *revision_name);
    let written = match known {
        Some(revision) if revision.data != data => {
            // Its data can't be changed, so it has to go first; the next attempt makes it anew.
            delete(context, std::slice::from_ref(revision)).await?;
            return Err(ReconcileFailure::Failed(format!(
                "the revision {revision_name} did not hold what its name says, and was deleted"
            )));
        }
        Some(revision) if newest.is_some_and(|newest| newest.name == revision.name) => return Ok(revision_name),
        Some(_) => promote(context, &revision_name, next).await,
        None => create(context, name, &revision_name, next, data).await,
    };
    match written {
        Ok(revision) => {
            let revision = Reading::of_revision(revision);
            context.world(|world| world.wrote_revision(revision));
            Ok(revision_name)
        }
        Err(refusal) => {
            let namespace = &context.options.namespace;
            let what = format!("the ControllerRevision {namespace}/{revision_name} could not be written");
            Err(ReconcileFailure::of(what, &refusal))
        }
    }
}

async fn create(
    context: &Context,
    definition: &str,
    name: &str,
    number: i64,
    data: serde_json::Value,
) -> Result<ControllerRevision, RequestRefusal> {
    let labels = [(MANAGED_BY, MANAGER), (DEFINITION, definition)];
    let revision = ControllerRevision {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(BTreeMap::from(labels.map(|(key, value)| (key.to_owned(), value.to_owned())))),
            ..ObjectMeta::default()
        },
        data: Some(RawExtension(data)),
        revision: number,
    };
    let parameters = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    let _pass = context.gate.enter().await;
    api(context).create(&parameters, &revision).await.map_err(|error| RequestRefusal::of(&error))
}

/// An older state is valid again: its revision becomes the newest.
async fn promote(context: &Context, name: &str, number: i64) -> Result<ControllerRevision, RequestRefusal> {
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(json!({ "revision": number }));
    let _pass = context.gate.enter().await;
    api(context).patch(name, &parameters, &patch).await.map_err(|error| RequestRefusal::of(&error))
}

/// Deletes all but the one that serves and the newest others.
pub async fn prune(context: &Context, view: &DefinitionView, serving: Option<&str>) -> Result<(), ReconcileFailure> {
    let others = view.revisions.iter().rev().filter(|revision| Some(&*revision.name) != serving);
    let outdated: Vec<_> = others.skip(OLDER_REVISIONS).cloned().collect();
    delete(context, &outdated).await
}

/// Deletes revisions.
pub async fn delete(context: &Context, revisions: &[Arc<Revision>]) -> Result<(), ReconcileFailure> {
    for revision in revisions {
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
