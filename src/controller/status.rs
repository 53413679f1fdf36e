//! Writes statuses.

use super::{
    failure::{ReconcileFailure, RequestRefusal},
    gate::Gate,
    guarded::Guarded,
    output::FIELD_MANAGER,
};
use kube::{
    Api, Resource,
    api::{Patch, PatchParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use std::fmt::Debug;

/// What comes of it that a status could not be written. Where the object has changed, the news is under way.
pub fn unwritten<K: Resource<DynamicType = ()>>(name: &str, refusal: &RequestRefusal) -> ReconcileFailure {
    if *refusal == RequestRefusal::Changed {
        return ReconcileFailure::Outdated;
    }
    ReconcileFailure::of(format!("the status of {} {name} could not be written", K::kind(&())), refusal)
}

/// Replaces the status of an object, if it is still the one with that UID; None if it is not. The whole status is sent as a
/// JSON patch: in a merge patch, a null that is a value of its own would be taken for a removal.
///
/// Once another replica has worked, what is known may be older than what that one has written last. Until it cannot be any more, the
/// status is replaced only if the object is as it was known. Later it is replaced in any case, so that nobody keeps it from being
/// written by changing the object again and again.
pub async fn write<K>(
    gate: &Gate,
    api: &Api<Guarded<K>>,
    name: &str,
    uid: &str,
    version: Option<&str>,
    status: &impl Serialize,
) -> Result<Option<K>, RequestRefusal>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    if let Some(intentions) = gate.intentions() {
        intentions.tell_status(format!("{} {name}", K::kind(&())), status);
        return Ok(None);
    }
    let mut operations = vec![
        json!({ "op": "test", "path": "/metadata/uid", "value": uid }),
        json!({ "op": "add", "path": "/status", "value": status }),
    ];
    if let Some(version) = version.filter(|_| gate.is_behind()) {
        operations.push(json!({ "op": "replace", "path": "/metadata/resourceVersion", "value": version }));
    }
    let operations =
        serde_json::from_value(operations.into()).map_err(|error| RequestRefusal::Invalid(error.to_string()))?;
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let _pass = gate.enter().await;
    let written = api.patch_status(name, &parameters, &Patch::<()>::Json(operations)).await;
    match written.map_err(|error| RequestRefusal::of(&error)) {
        Ok(Guarded(Ok(object))) => Ok(Some(object)),
        // Of an answer that can't be read the watch tells too.
        Ok(Guarded(Err(_))) | Err(RequestRefusal::Gone) => Ok(None),
        Err(refusal) => Err(refusal),
    }
}
