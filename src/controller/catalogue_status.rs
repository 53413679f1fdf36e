//! Writes the statuses of the catalogue's objects, and tells first of what has gone wrong.

use super::{
    announcements,
    context::ControllerContext,
    events,
    failure::ReconcileFailure,
    guarded::Guarded,
    status,
    world::{Reading, WorkItem, World, kinds::named},
};
use crate::{
    api::{Condition, conditions::READY},
    core::{calendar::Instant, reason::ReasonCode},
    evaluation::conditions::Conditions,
};
use kube::{Api, Resource, core::ClusterResourceScope};
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt::Debug, sync::Arc};

/// A status that is to be said, with its conditions and those of the one before.
pub struct SaidStatus<'a, S> {
    /// As it is now; None where it is the same.
    pub status: Option<&'a S>,
    /// Its conditions.
    pub conditions: &'a [Condition],
    /// Those that the object has.
    pub before: &'a [Condition],
}

/// Writes the status of an object, unless it is as it was. `wrote` takes in the answer.
pub async fn write<K, S>(
    context: &ControllerContext,
    item: WorkItem,
    object: &K,
    said: SaidStatus<'_, S>,
    wrote: impl FnOnce(&mut World, Reading<Arc<str>, Arc<K>>),
) -> Result<(), ReconcileFailure>
where
    K: Resource<DynamicType = (), Scope = ClusterResourceScope> + Clone + DeserializeOwned + Debug,
    S: Serialize,
{
    let Some(status) = said.status else { return Ok(()) };
    let metadata = object.meta();
    let name = metadata.name.as_deref().unwrap_or_default();
    let uid = metadata.uid.as_deref().unwrap_or_default();
    let api: Api<Guarded<K>> = Api::all(context.gate.client());
    let about = events::reference::<K>(None, name, uid);
    let news = announcements::of_catalogue(said.before, said.conditions);
    context.announcer.tell_first(&about, &said.before, news).await;
    let _writing = context.writing.begin(item);
    let version = metadata.resource_version.as_deref();
    let written = status::write(&context.gate, &api, name, uid, version, status).await;
    let written = written.map_err(|refusal| status::unwritten::<K>(name, &refusal))?;
    let Some(written) = written else { return Ok(()) };
    let written = named(written);
    context.world(|world| wrote(world, written));
    Ok(())
}

/// Says of an object that what serves of it could not be kept.
pub fn not_kept(
    conditions: &mut Vec<Condition>,
    before: &[Condition],
    generation: i64,
    noun: &str,
    failure: &ReconcileFailure,
    now: Instant,
) {
    let message = format!("the {noun} serves, but the operator's next start would not know it: {failure}");
    let mut unready = Conditions::after(before, generation, now);
    unready.set(READY, false, ReasonCode::RevisionNotKept, message);
    conditions.retain(|condition| condition.type_ != READY);
    conditions.splice(..0, unready.into_vec());
}
