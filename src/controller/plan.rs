//! Brings one plan up to date: the state that serves, the revisions that keep it, and its status.

use super::{
    catalogue_status::{self, SaidStatus, not_kept},
    clock,
    context::ControllerContext,
    failure::ReconcileFailure,
    revisions,
    serving::{CatalogueView, make, renew},
    world::{KeptView, PlanUse, PlanView, WorkItem, World},
};
use crate::{
    api::{EntitlementPlan, EntitlementPlanStatus},
    core::{plan::Plan, problem::Problem, reason::ReasonCode},
    evaluation::{
        catalogue::{CatalogueEntry, PlanCatalogue, PlanState, Present},
        status::plan::plan_status,
    },
};
use kube::api::ObjectMeta;
use std::sync::Arc;

/// Brings a plan up to date. While a definition that it needs has not been made yet, nothing can be said of it; it is looked at again
/// then.
pub async fn reconcile(context: &ControllerContext, name: &Arc<str>) -> Result<(), ReconcileFailure> {
    let Ok((view, used)) = context.world(|world| world.plan(name)) else { return Ok(()) };
    let view = Arc::new(view);
    let result = bring_up_to_date(context, name, &view, &used).await;
    if result.is_err() {
        context.world(|world| world.outdate_plan(name));
    }
    result
}

/// Makes what serves, for a replica that writes nothing.
pub async fn make_ready(context: &ControllerContext, name: &Arc<str>) -> Result<(), ReconcileFailure> {
    let Ok((view, _)) = context.world(|world| world.plan(name)) else { return Ok(()) };
    let view = Arc::new(view);
    if (view.kept.served.is_some() && !view.kept.is_stale) || !(exists(&view) || is_kept(&view)) {
        return Ok(());
    }
    let item = WorkItem::Plan(Arc::clone(name));
    let made = make(context, &item, &view, |world, served| world.serve_plan(name, served, view.kept.version)).await;
    if made.is_err() {
        context.world(|world| world.outdate_plan(name));
    }
    made
}

fn exists(view: &PlanView) -> bool {
    view.plan.is_some() || view.unreadable.is_some()
}

fn is_kept(view: &PlanView) -> bool {
    !view.kept.revisions.is_empty()
}

async fn bring_up_to_date(
    context: &ControllerContext,
    name: &Arc<str>,
    view: &Arc<PlanView>,
    used: &PlanUse,
) -> Result<(), ReconcileFailure> {
    if !exists(view) && used.counts.total == 0 && used.pinned.is_empty() {
        // Subscriptions that are not seen may name it, and its revisions are theirs.
        let is_of_nobody = context.world(|world| world.sees_all_grants());
        return if is_of_nobody { clear_away(context, name, view).await } else { Ok(()) };
    }
    if !exists(view) && !is_kept(view) && view.kept.served.is_none() {
        return Ok(());
    }
    let (served, kept) = match &view.kept.served {
        Some(served) if !view.kept.is_stale => (served.clone(), Ok(())),
        _ => {
            let item = WorkItem::Plan(Arc::clone(name));
            renew(context, &item, view, |world, served| world.serve_plan(name, served, view.kept.version)).await?
        }
    };
    let serving = served.entry.revision.as_deref();
    let is_pinned = |revision: &str| Some(revision) == serving || used.pinned.contains(revision);
    let pruned = if context.world(|world| world.sees_all_grants()) {
        revisions::prune(context, &view.kept.revisions, is_pinned).await
    } else {
        Ok(())
    };
    let said = match &view.plan {
        Some(plan) => say(context, name, plan, &served.entry, used, &kept).await,
        None => Ok(()),
    };
    kept.and(pruned).and(said)
}

/// A plan that is gone and that nobody has.
async fn clear_away(context: &ControllerContext, name: &Arc<str>, view: &PlanView) -> Result<(), ReconcileFailure> {
    context.world(|world| world.drop_plan(name));
    revisions::delete(context, &view.kept.revisions).await
}

impl CatalogueView for PlanView {
    type Compiled = Plan;

    fn kept(&self) -> &KeptView<Plan> {
        &self.kept
    }

    fn metadata(&self) -> Option<&ObjectMeta> {
        self.plan.as_ref().map(|plan| &plan.metadata)
    }

    fn present(&self) -> Result<PlanState, Present> {
        let name = &self.kept.object.name;
        if let Some(error) = &self.unreadable {
            let message = format!("the plan {name} can't be read: {error}");
            return Err(Present::Invalid(Problem::new(ReasonCode::Unreadable, message)));
        }
        let Some(plan) = &self.plan else { return Err(Present::Missing) };
        let catalogue =
            PlanCatalogue { plans: &self.plans, unreadable: &self.unreadable_plans, definitions: &self.definitions };
        PlanState::gather(name, &plan.spec, &catalogue).map_err(Present::Invalid)
    }
}

/// While many subscriptions come or change, what is said of them waits.
async fn say(
    context: &ControllerContext,
    name: &Arc<str>,
    plan: &EntitlementPlan,
    entry: &CatalogueEntry<Plan>,
    used: &PlanUse,
    kept: &Result<(), ReconcileFailure>,
) -> Result<(), ReconcileFailure> {
    let now = clock::now();
    let item = WorkItem::Plan(Arc::clone(name));
    let before = plan.status.clone().unwrap_or_default();
    let wait = context.world(|world| world.wait_for_quiet(&item));
    let counts = if wait.is_some() { before.subscriptions } else { used.counts };
    if let Some(wait) = wait {
        context.queue.add_after(item.clone(), wait);
    }
    let mut status: EntitlementPlanStatus = plan_status(plan, entry, counts, now);
    if let Err(failure) = kept {
        not_kept(&mut status.conditions, &before.conditions, status.observed_generation, "plan", failure, now);
    }
    let said = SaidStatus {
        status: (plan.status.as_ref() != Some(&status)).then_some(&status),
        conditions: &status.conditions,
        before: &before.conditions,
    };
    catalogue_status::write(context, item, plan, said, World::wrote_plan).await
}
