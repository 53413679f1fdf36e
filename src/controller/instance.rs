//! One instance by itself: of one that its organization does not let be named, that is said; one that it lets be named now is
//! read again.

use super::{
    clock,
    context::ControllerContext,
    failure::{ReconcileFailure, RequestRefusal},
    guarded::Guarded,
    organization::write_grant,
    status::{self, unwritten},
    world::{GrantFacts, Identity, WholeInstance, WorkItem, kinds::WatchedKind},
};
use crate::{
    api::EntitlementInstance,
    core::{
        problem::Problem,
        source::{SourceId, instance},
    },
    evaluation::{
        evaluate,
        plan::{Fingerprint, Outcomes},
        status::{statuses, untouched_status},
    },
};
use kube::{Api, ResourceExt, runtime::watcher::Event};
use std::sync::Arc;

/// Says of an instance that its organization does not let it be named from its namespace, or does not exist. Nothing but that it
/// is there is kept in memory, so it is read first.
pub async fn say_barred(context: &ControllerContext, id: &SourceId) -> Result<(), ReconcileFailure> {
    if !context.world(|world| world.is_barred(id)) {
        return Ok(());
    }
    let Some(Guarded(Ok(instance))) = read(context, id).await.map_err(|refusal| unread(id, &refusal))? else {
        return Ok(());
    };
    let facts = GrantFacts {
        uid: instance.metadata.uid.as_deref().unwrap_or_default().into(),
        version: Identity::version_of(instance.metadata.resource_version.as_deref()),
        status: instance.status.as_ref().and_then(Fingerprint::of_json),
        moments: None,
    };
    let grant = Arc::new(instance::grant(&instance));
    let Some(snapshot) = context.world(|world| world.barred_view(grant)) else { return Ok(()) };
    let item = WorkItem::Instance(id.clone());
    let thought = context.lanes.run(&item, move || {
        let now = clock::now();
        let evaluation = evaluate(&snapshot, now);
        let statuses = statuses(&evaluation, &Outcomes::default());
        (evaluation, statuses)
    });
    let (evaluation, statuses) = thought.await?;
    for ((_, member), status) in evaluation.decision.grants().zip(&statuses.grants) {
        let Some(status) = status.as_ref().filter(|status| facts.status != Fingerprint::of_json(status)) else {
            continue;
        };
        let written = write_grant(context, member, &facts, status).await;
        written.map_err(|refusal| unwritten::<EntitlementInstance>(&id.to_string(), &refusal))?;
    }
    Ok(())
}

/// Says of an instance that everything of its organization stays as it is, and why.
pub async fn say_untouched(
    context: &ControllerContext,
    id: &SourceId,
    problem: &Problem,
) -> Result<(), ReconcileFailure> {
    let Some(Guarded(Ok(instance))) = read(context, id).await.map_err(|refusal| unread(id, &refusal))? else {
        return Ok(());
    };
    let status = untouched_status(&instance, problem, clock::now());
    let api: Api<Guarded<EntitlementInstance>> = Api::namespaced(context.gate.client(), &id.namespace);
    let (uid, version) = (instance.uid().unwrap_or_default(), instance.resource_version());
    let _writing = context.writing.begin(WorkItem::Instance(id.clone()));
    let written = status::write(&context.gate, &api, &id.name, &uid, version.as_deref(), &status).await;
    let written = written.map_err(|refusal| unwritten::<EntitlementInstance>(&id.to_string(), &refusal))?;
    if let Some(written) = written.as_ref().map(WholeInstance::read) {
        context.world(|world| world.wrote_instance(written));
    }
    Ok(())
}

/// Reads an instance again that its organization lets be named now. Until then, nothing of the organization is decided.
pub async fn read_again(context: &ControllerContext, id: &SourceId) -> Result<(), ReconcileFailure> {
    let Some(uid) = context.world(|world| world.awaits_instance(id).then(|| world.uid_of(id))) else {
        return Ok(());
    };
    match read(context, id).await {
        Ok(found) => {
            take_in(context, id, uid.as_ref(), found);
            Ok(())
        }
        Err(refusal) => {
            if matches!(refusal, RequestRefusal::Denied(_) | RequestRefusal::Invalid(_)) {
                // The others do not wait for what may never be told.
                context.world(|world| world.instance_is_unreadable(id, &refusal.to_string()));
            }
            Err(unread(id, &refusal))
        }
    }
}

fn unread(id: &SourceId, refusal: &RequestRefusal) -> ReconcileFailure {
    ReconcileFailure::of(format!("the EntitlementInstance {id} could not be read"), refusal)
}

/// An instance, which had this UID before, is as it was found; None if there is none.
pub fn take_in(
    context: &ControllerContext,
    id: &SourceId,
    uid: Option<&Arc<str>>,
    found: Option<Guarded<EntitlementInstance>>,
) {
    let news = found.map(|found| EntitlementInstance::read(Event::Apply(found)));
    context.world(|world| world.fetched_instance(id, uid, news));
}

/// An instance as it is now; None if there is none.
pub async fn read(
    context: &ControllerContext,
    id: &SourceId,
) -> Result<Option<Guarded<EntitlementInstance>>, RequestRefusal> {
    let api: Api<Guarded<EntitlementInstance>> = Api::namespaced(context.gate.reader(), &id.namespace);
    let _pass = context.gate.enter_to_read().await;
    match api.get_opt(&id.name).await.map_err(|error| RequestRefusal::of(&error)) {
        Err(RequestRefusal::NamespaceMissing) => Ok(None),
        answer => answer,
    }
}
