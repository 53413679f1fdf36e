//! Says of a facet definition whether it can be used.

use super::{announcements, clock, context::Context, events, failure::Failure, status};
use crate::{api::FacetDefinition, evaluation::catalogue_status::facet_status};
use kube::Api;
use std::sync::Arc;

/// Brings a facet definition's status up to date.
pub async fn reconcile(context: &Context, name: &Arc<str>) -> Result<(), Failure> {
    let Some(facet) = context.world(|world| world.facet(name)) else { return Ok(()) };
    let status = facet_status(&facet, clock::now());
    if facet.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let uid = facet.metadata.uid.as_deref().unwrap_or_default();
    let api: Api<FacetDefinition> = Api::all(context.gate.client());
    let before = facet.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let Some(written) = status::write(&context.gate, &api, name, uid, &status).await? else { return Ok(()) };
    context.world(|world| world.wrote_facet(written));
    if let Some(notice) = announcements::of_readiness(before, &status.conditions) {
        context.announcer.announce(events::reference::<FacetDefinition>(None, name, uid), notice);
    }
    Ok(())
}
