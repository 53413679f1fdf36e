//! Says whether a facet definition can be used.

use super::{
    announcements, clock,
    context::ControllerContext,
    events,
    failure::ReconcileFailure,
    guarded::Guarded,
    status,
    world::{WorkItem, kinds::named},
};
use crate::{
    api::FacetDefinition,
    evaluation::status::{facet_definition::facet_status, grants::KnownGrants},
};
use kube::Api;
use std::sync::Arc;

/// Brings a facet definition's status up to date. While many grants change, what is said of them waits.
pub async fn reconcile(context: &ControllerContext, name: &Arc<str>) -> Result<(), ReconcileFailure> {
    let item = WorkItem::Facet(Arc::clone(name));
    let (facet, wait) = context.world(|world| (world.facet(name), world.wait_for_quiet(&item)));
    let Some((facet, invalid)) = facet else { return Ok(()) };
    if let Some(wait) = wait {
        context.queue.add_after(item.clone(), wait);
    }
    let of = Arc::clone(&facet);
    let thought = context.lanes.run(&item, move || {
        let grants = if wait.is_some() { KnownGrants::Unsettled } else { KnownGrants::Counted(&invalid) };
        facet_status(&of, grants, clock::now())
    });
    let said = thought.await?;
    if facet.status.as_ref() == Some(&said) {
        return Ok(());
    }
    let uid = facet.metadata.uid.as_deref().unwrap_or_default();
    let api: Api<Guarded<FacetDefinition>> = Api::all(context.gate.client());
    let before = facet.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let about = events::reference::<FacetDefinition>(None, name, uid);
    context.announcer.tell_first(&about, &before, announcements::of_catalogue(before, &said.conditions)).await;
    let _writing = context.writing.begin(item);
    let version = facet.metadata.resource_version.as_deref();
    let written = status::write(&context.gate, &api, name, uid, version, &said).await;
    let written = written.map_err(|refusal| status::unwritten::<FacetDefinition>(name, &refusal))?;
    let Some(written) = written else { return Ok(()) };
    let written = named(written);
    context.world(|world| world.wrote_facet(written));
    Ok(())
}
