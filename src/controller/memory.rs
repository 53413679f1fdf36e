//! The memory of where an organization has objects: `status.namespaces`.

use super::{
    context::ControllerContext,
    failure::ReconcileFailure,
    guarded::Guarded,
    status,
    world::{OrganizationView, WorkItem, kinds::named},
};
use crate::{
    api::{Organization, OrganizationStatus},
    evaluation::Evaluation,
};
use kube::Api;
use std::{collections::BTreeSet, sync::Arc};

/// Writes down where something is going to be delivered, before it is: what is not remembered is never withdrawn. Whatever
/// comes in between, nothing lies where it could not be.
pub async fn remember(
    context: &ControllerContext,
    view: &mut OrganizationView,
    evaluation: &Evaluation,
) -> Result<(), ReconcileFailure> {
    let (Some(owner), Some(organization)) = (&mut view.owner, &mut view.snapshot.organization) else { return Ok(()) };
    owner.remember(evaluation.desired.objects.keys().map(|key| Arc::clone(&key.namespace)));
    let mut status = organization.status.clone().unwrap_or_default();
    if status.namespaces.is_none() {
        // Nothing is known of it that could have been taken off its objects.
        context.world(|world| world.searched(owner));
        view.is_unsearched = false;
    }
    if context.gate.intentions().is_some() {
        return Ok(());
    }
    let written: BTreeSet<&str> = status.namespaces.iter().flatten().map(String::as_str).collect();
    if owner.remembered().iter().all(|namespace| written.contains(&**namespace)) {
        return Ok(());
    }
    status.namespaces = Some(owner.remembered().iter().map(ToString::to_string).collect());
    if let Some(written) = write(context, organization, &status).await? {
        *organization = written;
    }
    Ok(())
}

/// Writes an organization's status; None if it is not the same organization any more.
pub async fn write(
    context: &ControllerContext,
    organization: &Organization,
    status: &OrganizationStatus,
) -> Result<Option<Arc<Organization>>, ReconcileFailure> {
    let name = organization.metadata.name.as_deref().unwrap_or_default();
    let uid = organization.metadata.uid.as_deref().unwrap_or_default();
    let api: Api<Guarded<Organization>> = Api::all(context.gate.client());
    let _writing = context.writing.begin(WorkItem::Organization(name.into()));
    let version = organization.metadata.resource_version.as_deref();
    let written = status::write(&context.gate, &api, name, uid, version, status).await;
    let written = written.map_err(|refusal| status::unwritten::<Organization>(name, &refusal))?;
    let Some(written) = written.map(named) else { return Ok(None) };
    let organization = Arc::clone(&written.value);
    context.decisions.wrote_organization(name, &organization);
    context.world(|world| world.wrote_organization(written, status.namespaces.as_deref()));
    Ok(Some(organization))
}
