//! One source of grants by itself: of one that its organization does not let be named, that is said; one that it lets be named now is
//! read again.

use super::{
    clock,
    context::ControllerContext,
    failure::{ReconcileFailure, RequestRefusal},
    guarded::Guarded,
    organization::write_source,
    status::{self, unwritten},
    world::{SourceFacts, SourceObject, WholeSource, WorkItem},
};
use crate::{
    api::{EntitlementInstance, EntitlementOverride, EntitlementSubscription},
    core::{
        problem::Problem,
        source::{SourceId, SourceKind},
    },
    evaluation::{
        evaluate,
        plan::{Fingerprint, Outcomes},
        status::{statuses, untouched_status},
    },
};
use kube::{Api, Resource, runtime::watcher::Event};
use std::sync::Arc;

/// Does something with the kind of objects that a source is one of.
macro_rules! of_kind {
    ($kind:expr, $function:ident($($argument:expr),*)) => {
        match $kind {
            SourceKind::Instance => $function::<EntitlementInstance>($($argument),*).await,
            SourceKind::Subscription => $function::<EntitlementSubscription>($($argument),*).await,
            SourceKind::Override => $function::<EntitlementOverride>($($argument),*).await,
            #[cfg(test)]
            SourceKind::Bundle => Ok(Default::default()),
        }
    };
}

/// Says of a source that its organization does not let it be named from its namespace, or does not exist. Nothing but that it is there
/// is kept in memory, so it is read first.
pub async fn say_barred(context: &ControllerContext, id: &SourceId) -> Result<(), ReconcileFailure> {
    of_kind!(id.kind, say_barred_of(context, id))
}

/// Says of a source that everything of its organization stays as it is, and why.
pub async fn say_untouched(
    context: &ControllerContext,
    id: &SourceId,
    problem: &Problem,
) -> Result<(), ReconcileFailure> {
    of_kind!(id.kind, say_untouched_of(context, id, problem))
}

/// Reads a source again that its organization lets be named now. Until then, nothing of the organization is decided.
pub async fn read_again(context: &ControllerContext, id: &SourceId) -> Result<(), ReconcileFailure> {
    of_kind!(id.kind, read_again_of(context, id))
}

/// Whether a source is still that of this UID and generation. If not, what it is now is known from then on.
pub async fn is_as_seen(
    context: &ControllerContext,
    id: &SourceId,
    uid: &Arc<str>,
    generation: i64,
) -> Result<bool, RequestRefusal> {
    of_kind!(id.kind, is_as_seen_of(context, id, uid, generation))
}

async fn say_barred_of<K: SourceObject>(context: &ControllerContext, id: &SourceId) -> Result<(), ReconcileFailure> {
    if !context.world(|world| world.is_barred(id)) {
        return Ok(());
    }
    let found = read::<K>(context, id).await.map_err(|refusal| unread::<K>(id, &refusal))?;
    let Some(Guarded(Ok(object))) = found else { return Ok(()) };
    let facts = SourceFacts::of(&WholeSource::read(&object));
    let source = object.source();
    let Some(snapshot) = context.world(|world| world.barred_view(&source)) else { return Ok(()) };
    let item = WorkItem::GrantSource(id.clone());
    let thought = context.lanes.run(&item, move || {
        let now = clock::now();
        let evaluation = evaluate(&snapshot, now);
        let statuses = statuses(&evaluation, &Outcomes::default());
        (evaluation, statuses)
    });
    let (evaluation, statuses) = thought.await?;
    for (decided, status) in K::told(&evaluation.decision, &statuses) {
        if facts.status == Fingerprint::of_json(status) {
            continue;
        }
        let written = write_source::<K>(context, &decided, &facts, status).await;
        written.map_err(|refusal| unwritten::<K>(&id.to_string(), &refusal))?;
    }
    Ok(())
}

async fn say_untouched_of<K: SourceObject>(
    context: &ControllerContext,
    id: &SourceId,
    problem: &Problem,
) -> Result<(), ReconcileFailure> {
    let found = read::<K>(context, id).await.map_err(|refusal| unread::<K>(id, &refusal))?;
    let Some(Guarded(Ok(object))) = found else { return Ok(()) };
    let generation = object.meta().generation.unwrap_or(1);
    let status: K::Status = untouched_status(object.said(), generation, problem, clock::now());
    let api: Api<Guarded<K>> = Api::namespaced(context.gate.client(), &id.namespace);
    let (uid, version) = (object.meta().uid.clone().unwrap_or_default(), object.meta().resource_version.clone());
    let _writing = context.writing.begin(WorkItem::GrantSource(id.clone()));
    let written = status::write(&context.gate, &api, &id.name, &uid, version.as_deref(), &status).await;
    let written = written.map_err(|refusal| unwritten::<K>(&id.to_string(), &refusal))?;
    if let Some(written) = written.as_ref().map(WholeSource::read) {
        context.world(|world| world.wrote_source(written));
    }
    Ok(())
}

async fn read_again_of<K: SourceObject>(context: &ControllerContext, id: &SourceId) -> Result<(), ReconcileFailure> {
    let Some(uid) = context.world(|world| world.awaits_source(id).then(|| world.uid_of(id))) else {
        return Ok(());
    };
    match read::<K>(context, id).await {
        Ok(found) => {
            take_in(context, id, uid.as_ref(), found);
            Ok(())
        }
        Err(refusal) => {
            if matches!(refusal, RequestRefusal::Denied(_) | RequestRefusal::Invalid(_)) {
                // The others do not wait for what may never be told.
                context.world(|world| world.source_is_unreadable(id, &refusal.to_string()));
            }
            Err(unread::<K>(id, &refusal))
        }
    }
}

async fn is_as_seen_of<K: SourceObject>(
    context: &ControllerContext,
    id: &SourceId,
    uid: &Arc<str>,
    generation: i64,
) -> Result<bool, RequestRefusal> {
    let found = read::<K>(context, id).await?;
    let is_it = found.as_ref().is_some_and(|found| {
        let metadata = found.meta();
        metadata.uid.as_deref() == Some(&**uid) && metadata.generation.unwrap_or(1) == generation
    });
    if !is_it {
        take_in(context, id, Some(uid), found);
    }
    Ok(is_it)
}

fn unread<K: SourceObject>(id: &SourceId, refusal: &RequestRefusal) -> ReconcileFailure {
    ReconcileFailure::of(format!("the {} {id} could not be read", K::kind(&())), refusal)
}

/// A source, which had this UID before, is as it was found; None if there is none.
fn take_in<K: SourceObject>(
    context: &ControllerContext,
    id: &SourceId,
    uid: Option<&Arc<str>>,
    found: Option<Guarded<K>>,
) {
    let news = found.map(|found| K::read(Event::Apply(found)));
    context.world(|world| world.fetched_source::<K>(id, uid, news));
}

/// A source as it is now; None if there is none.
pub async fn read<K: SourceObject>(
    context: &ControllerContext,
    id: &SourceId,
) -> Result<Option<Guarded<K>>, RequestRefusal> {
    let api: Api<Guarded<K>> = Api::namespaced(context.gate.reader(), &id.namespace);
    let _pass = context.gate.enter_to_read().await;
    match api.get_opt(&id.name).await.map_err(|error| RequestRefusal::of(&error)) {
        Err(RequestRefusal::NamespaceMissing) => Ok(None),
        answer => answer,
    }
}
