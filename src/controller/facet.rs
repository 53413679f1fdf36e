//! Says whether a facet definition can be used.

use super::{
    catalogue_status::{self, SaidStatus},
    clock,
    context::ControllerContext,
    failure::ReconcileFailure,
    world::{WorkItem, World},
};
use crate::evaluation::status::{facet_definition::facet_status, grants::KnownGrants};
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
    let said = SaidStatus {
        status: (facet.status.as_ref() != Some(&said)).then_some(&said),
        conditions: &said.conditions,
        before: facet.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default(),
    };
    catalogue_status::write(context, item, &*facet, said, World::wrote_facet).await
}
