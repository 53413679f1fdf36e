//! Reads a Secret that grants take values from.

use super::{
    context::ControllerContext,
    failure::{ReconcileFailure, RequestRefusal},
    scope::read_source,
    world::{Identity, SecretName},
};
use crate::core::secret::Secret;

/// Reads a source again, or drops it where nobody may or need read it.
pub async fn reconcile(context: &ControllerContext, key: &SecretName) -> Result<(), ReconcileFailure> {
    let Some(permission) = context.world(|world| world.source_permission(key)) else {
        context.world(|world| world.drop_source(key));
        return Ok(());
    };
    match read_source(&context.gate, &permission).await {
        Ok(Some(found)) => {
            let version = Identity::of(&found.metadata).version;
            let data =
                found.data.unwrap_or_default().into_iter().map(|(name, value)| (name, Secret::new(value.0))).collect();
            context.world(|world| world.fetched(key, version, data));
            Ok(())
        }
        Ok(None) | Err(RequestRefusal::NamespaceMissing) => {
            context.world(|world| world.source_is_missing(key));
            Ok(())
        }
        Err(refusal) => {
            context.world(|world| world.source_is_unavailable(key));
            Err(ReconcileFailure::Failed(format!("the Secret {}/{} could not be read: {refusal}", key.0, key.1)))
        }
    }
}
