//! Writes statuses.

use super::{failure::RequestRefusal, gate::Gate, guarded::Guarded, output::FIELD_MANAGER};
use kube::{
    Api, Resource,
    api::{Patch, PatchParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use std::fmt::Debug;

/// What could not be done, in the words of the log.
pub fn unwritten<K: Resource<DynamicType = ()>>(name: &str) -> String {
    format!("the status of {} {name} could not be written", K::kind(&()))
}

/// Replaces the status of an object, if it is still the one with that UID; None if it is not. The whole status is sent as a
/// JSON patch: in a merge patch, a null that is a value of its own would be taken for a removal.
pub async fn write<K>(
    gate: &Gate,
    api: &Api<Guarded<K>>,
    name: &str,
    uid: &str,
    status: &impl Serialize,
) -> Result<Option<K>, RequestRefusal>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    if let Some(intentions) = gate.intentions() {
        intentions.tell_status(format!("{} {name}", K::kind(&())), status);
        return Ok(None);
    }
    let operations = json!([
        { "op": "test", "path": "/metadata/uid", "value": uid },
        { "op": "add", "path": "/status", "value": status },
    ]);
    let operations = serde_json::from_value(operations).map_err(|error| RequestRefusal::Invalid(error.to_string()))?;
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
