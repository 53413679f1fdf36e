//! Brings one definition up to date: the state that serves, the revisions that keep it, and its status.

use super::{
    catalogue_status::{self, SaidStatus, not_kept},
    clock,
    context::ControllerContext,
    failure::ReconcileFailure,
    revisions,
    serving::{CatalogueView, make, renew},
    world::{DefinitionView, KeptView, WorkItem, World},
};
use crate::{
    api::{EntitlementDefinition, EntitlementDefinitionStatus, entitlement_definition::InstanceCounts},
    core::{problem::Problem, reason::ReasonCode},
    evaluation::{
        catalogue::{CatalogueEntry, CompiledDefinition, DefinitionState, Present},
        status::{
            definition::definition_status,
            grants::{InvalidGrants, KnownGrants},
            metered::{metered_as, tell_metered, tell_recount},
        },
    },
};
use kube::api::ObjectMeta;
use std::{sync::Arc, time::Duration};

/// When a store is asked again that has not answered.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Brings a definition up to date.
pub async fn reconcile(context: &ControllerContext, name: &Arc<str>) -> Result<(), ReconcileFailure> {
    let (view, counts, invalid) = context.world(|world| world.definition(name));
    let view = Arc::new(view);
    let result = bring_up_to_date(context, name, &view, counts, &invalid).await;
    if result.is_err() {
        context.world(|world| world.outdate_definition(name));
    }
    context.inquiries.notice();
    result
}

/// Makes what serves, for a replica that writes nothing.
pub async fn make_ready(context: &ControllerContext, name: &Arc<str>) -> Result<(), ReconcileFailure> {
    let (view, ..) = context.world(|world| world.definition(name));
    let view = Arc::new(view);
    let has_something = view.definition.is_some() || view.unreadable.is_some() || !view.kept.revisions.is_empty();
    if (view.kept.served.is_some() && !view.kept.is_stale) || !has_something {
        return Ok(());
    }
    let item = WorkItem::Definition(Arc::clone(name));
    let made = make(context, &item, &view, |world, served| world.serve(name, served, view.kept.version)).await;
    if made.is_err() {
        context.world(|world| world.outdate_definition(name));
    }
    made
}

async fn bring_up_to_date(
    context: &ControllerContext,
    name: &Arc<str>,
    view: &Arc<DefinitionView>,
    counts: InstanceCounts,
    invalid: &InvalidGrants,
) -> Result<(), ReconcileFailure> {
    let exists = view.definition.is_some() || view.unreadable.is_some();
    if !exists && !context.world(|world| world.is_needed(name)) {
        // Grants that are not seen may name it, and its last valid state is theirs.
        let is_of_nobody = context.world(|world| world.sees_all_grants());
        return if is_of_nobody { clear_away(context, name, view).await } else { Ok(()) };
    }
    if !exists && view.kept.revisions.is_empty() && view.kept.served.is_none() {
        return Ok(());
    }
    let (served, kept) = match &view.kept.served {
        Some(served) if !view.kept.is_stale => (served.clone(), Ok(())),
        _ => {
            let item = WorkItem::Definition(Arc::clone(name));
            renew(context, &item, view, |world, served| world.serve(name, served, view.kept.version)).await?
        }
    };
    let serving = served.entry.revision.as_deref();
    let pruned = revisions::prune(context, &view.kept.revisions, |revision| Some(revision) == serving).await;
    let said = match &view.definition {
        Some(definition) => {
            let mut status = status_of(context, name, definition, &served.entry, counts, invalid, &kept);
            tell_use(context, name, definition, &served.entry, &mut status).await;
            write_status(context, name, definition, &status).await
        }
        None => Ok(()),
    };
    kept.and(pruned).and(said)
}

/// A definition that is gone and that no grant names.
async fn clear_away(
    context: &ControllerContext,
    name: &Arc<str>,
    view: &DefinitionView,
) -> Result<(), ReconcileFailure> {
    context.world(|world| world.drop_definition(name));
    revisions::delete(context, &view.kept.revisions).await
}

impl CatalogueView for DefinitionView {
    type Compiled = CompiledDefinition;

    fn kept(&self) -> &KeptView<CompiledDefinition> {
        &self.kept
    }

    fn metadata(&self) -> Option<&ObjectMeta> {
        self.definition.as_ref().map(|definition| &definition.metadata)
    }

    fn present(&self) -> Result<DefinitionState, Present> {
        if let Some(error) = &self.unreadable {
            let message = format!("the definition {} can't be read: {error}", self.kept.object.name);
            return Err(Present::Invalid(Problem::new(ReasonCode::Unreadable, message)));
        }
        let Some(definition) = &self.definition else { return Err(Present::Missing) };
        if let Some((facet, error)) = self.unreadable_facets.first_key_value() {
            let message = format!("the facet definition {facet} can't be read: {error}");
            return Err(Present::Invalid(Problem::new(ReasonCode::Unreadable, message)));
        }
        let schema_of = |facet: &str| Some(Arc::clone(&self.facets.get(facet)?.spec.schema));
        DefinitionState::gather(&definition.spec, schema_of).map_err(Present::Invalid)
    }
}

/// The status. While many grants come or change, what is said of them waits.
fn status_of(
    context: &ControllerContext,
    name: &Arc<str>,
    definition: &EntitlementDefinition,
    entry: &CatalogueEntry,
    counts: InstanceCounts,
    invalid: &InvalidGrants,
    kept: &Result<(), ReconcileFailure>,
) -> EntitlementDefinitionStatus {
    let now = clock::now();
    let item = WorkItem::Definition(Arc::clone(name));
    let wait = context.world(|world| world.wait_for_quiet(&item));
    let (counts, grants) = match (wait, &definition.status) {
        (None, _) => (counts, KnownGrants::Counted(invalid)),
        (Some(_), before) => {
            (before.as_ref().map(|before| before.instances).unwrap_or_default(), KnownGrants::Unsettled)
        }
    };
    if let Some(wait) = wait {
        context.queue.add_after(item, wait);
    }
    let mut status = definition_status(definition, entry, counts, grants, now);
    if let Err(failure) = kept {
        let before = definition.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        not_kept(&mut status.conditions, before, status.observed_generation, "definition", failure, now);
    }
    status
}

/// Says how what is used of it is counted.
async fn tell_use(
    context: &ControllerContext,
    name: &Arc<str>,
    definition: &EntitlementDefinition,
    entry: &CatalogueEntry,
    status: &mut EntitlementDefinitionStatus,
) {
    let (standing, prometheus, now) = (context.meters.standing(), context.prometheus_standing(name), clock::now());
    if let Some(said) = status.metered.or_else(|| metered_as(entry)).filter(|_| standing.answers()) {
        let first = context.meters.first_metered(name, said).await;
        if first.is_none() {
            context.queue.add_after(WorkItem::Definition(Arc::clone(name)), ASK_AGAIN);
        }
        status.metered = status.metered.or(first);
    }
    tell_metered(&mut status.conditions, definition, entry, &standing, &prometheus, status.metered, now);
    let recount = context.inquiries.recount(name);
    tell_recount(&mut status.conditions, definition, entry, recount.as_ref(), now);
}

async fn write_status(
    context: &ControllerContext,
    name: &Arc<str>,
    definition: &EntitlementDefinition,
    said: &EntitlementDefinitionStatus,
) -> Result<(), ReconcileFailure> {
    let said = SaidStatus {
        status: (definition.status.as_ref() != Some(said)).then_some(said),
        conditions: &said.conditions,
        before: definition.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default(),
    };
    let item = WorkItem::Definition(Arc::clone(name));
    catalogue_status::write(context, item, definition, said, World::wrote_definition).await
}
