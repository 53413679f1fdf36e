//! Brings one organization up to date: read, evaluate, write, withdraw, say so.

use super::{
    announcements,
    apply::{Applier, look},
    clock,
    context::Context,
    events,
    failure::Failure,
    guarded::Guarded,
    scope::Scope,
    status,
    world::{GrantFacts, NotReady, OrganizationView, WorkItem},
};
use crate::{
    api::{EntitlementInstance, EntitlementInstanceStatus, Organization, OrganizationStatus},
    core::grant::Grant,
    evaluation::{
        Evaluation, evaluate,
        object::ObjectKey,
        plan::{self, Fingerprint, Outcomes, Statuses},
    },
};
use kube::Api;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// The most writes of one kind in one go, so that no organization holds up a worker for long, and what was done is said.
const BATCH: usize = 1000;

/// Brings an organization up to date.
pub async fn reconcile(context: &Context, name: &Arc<str>) -> Result<(), Failure> {
    let mut view = match context.world(|world| world.view(name)) {
        Ok(view) => view,
        Err(NotReady::Waits) => return Ok(()),
        Err(NotReady::Unreadable) => {
            tracing::warn!(organization = %name, "the organization can't be read: everything of it stays as it is");
            return Ok(());
        }
    };
    let now = clock::now();
    let evaluation = evaluate(&view.snapshot, now);
    context.timer.set(name, evaluation.next);
    let wait = wait_for_quiet(context, name);
    let mut progress = Progress::default();
    let outcomes = deliver(context, &mut view, &evaluation, wait.is_some(), &mut progress).await;
    let statuses = plan::statuses(&evaluation, &view.snapshot, &outcomes, now);
    write_grants(context, &view, &evaluation, &statuses, &mut progress).await;
    if wait.is_none()
        && let (Some(organization), Some(status)) = (&view.snapshot.organization, &statuses.organization)
        && !progress.lacks_summary
    {
        progress.note(write_organization(context, organization, status).await);
    }
    if let Some(look) = context.world(|world| world.next_look(name)) {
        context
            .queue
            .add_after(WorkItem::Organization(Arc::clone(name)), look.saturating_duration_since(Instant::now()));
    }
    progress.result()
}

/// How the work goes. All of it is tried, whatever fails.
#[derive(Default)]
struct Progress {
    failure: Option<Failure>,
    has_more: bool,
    lacks_summary: bool,
}

impl Progress {
    fn note(&mut self, result: Result<(), Failure>) {
        if let Err(failure) = result {
            self.failure = self.failure.take().filter(|known| matches!(known, Failure::Failed(_))).or(Some(failure));
        }
    }

    fn retry(&mut self, is_needed: bool) {
        self.note(if is_needed { Err(Failure::Outdated) } else { Ok(()) });
    }

    fn result(self) -> Result<(), Failure> {
        match self.failure {
            Some(failure) => Err(failure),
            None if self.has_more => Err(Failure::More),
            None => Ok(()),
        }
    }
}

/// While much is coming, what gathers it up waits, and is looked at again when it is time.
fn wait_for_quiet(context: &Context, name: &Arc<str>) -> Option<Duration> {
    let item = WorkItem::Organization(Arc::clone(name));
    let wait = context.world(|world| world.wait_for_quiet(&item))?;
    context.queue.add_after(item, wait);
    Some(wait)
}

/// Writes and withdraws objects. Without the organization, its objects are the garbage collector's.
async fn deliver(
    context: &Context,
    view: &mut OrganizationView,
    evaluation: &Evaluation,
    without_summary: bool,
    progress: &mut Progress,
) -> Outcomes {
    let mut outcomes = Outcomes::default();
    let Some(owner) = view.owner.clone() else { return outcomes };
    let scope = Scope::new(Arc::clone(&context.gate), owner.clone());
    forget_unwanted(context, view, evaluation);
    for key in look(context, &scope, &owner.name, std::mem::take(&mut view.looks)).await {
        view.scene.foreign.remove(&key);
    }
    see_strangers(context, view, evaluation);

    let applier = Applier::new(context, &scope, &owner, &view.scene.observed);
    let mut writes = plan::writes(evaluation, &owner, &view.scene);
    outcomes.deliveries = writes.settled;
    if without_summary {
        let is_of_grant = |key: &ObjectKey| evaluation.objects.get(key).is_some_and(|desired| desired.grant.is_some());
        writes.changes.retain(|(key, ..)| is_of_grant(key));
    }
    progress.has_more |= writes.changes.len() > BATCH;
    writes.changes.truncate(BATCH);
    let retry = applier.write(writes.changes, &mut outcomes).await;
    progress.retry(retry);
    progress.lacks_summary = lacks_summary(evaluation, &outcomes);

    let mut withdrawals = plan::withdrawals(evaluation, &owner, &view.scene, &outcomes.deliveries);
    progress.has_more |= withdrawals.len() > BATCH;
    withdrawals.truncate(BATCH);
    let retry = applier.withdraw(withdrawals, &mut outcomes).await;
    progress.retry(retry);
    outcomes
}

fn lacks_summary(evaluation: &Evaluation, outcomes: &Outcomes) -> bool {
    let mut summaries = evaluation.objects.iter().filter(|(_, desired)| desired.grant.is_none());
    summaries.any(|(key, _)| !outcomes.deliveries.contains_key(key))
}

/// What stands at names that nobody wants any more is nobody's business.
fn forget_unwanted(context: &Context, view: &mut OrganizationView, evaluation: &Evaluation) {
    let is_wanted = |key: &ObjectKey| evaluation.objects.contains_key(key);
    view.looks.retain(is_wanted);
    for key in view.scene.foreign.extract_if(.., |key| !is_wanted(key)) {
        context.world(|world| world.foreign_is_gone(&view.snapshot.name, &key));
    }
}

/// Adds what has the operator's label, but not this organization's, at names that it wants.
fn see_strangers(context: &Context, view: &mut OrganizationView, evaluation: &Evaluation) {
    let observed = &mut view.scene.observed;
    let unseen: Vec<_> = evaluation.objects.keys().filter(|key| !observed.contains_key(key)).collect();
    if unseen.is_empty() {
        return;
    }
    context.world(|world| {
        for key in unseen {
            if let Some(stranger) = world.stranger_at(&view.snapshot.name, key) {
                observed.insert(key.clone(), stranger);
            }
        }
    });
}

async fn write_grants(
    context: &Context,
    view: &OrganizationView,
    evaluation: &Evaluation,
    statuses: &Statuses,
    progress: &mut Progress,
) {
    let grants = view.snapshot.grants.iter().zip(&view.facts).zip(&evaluation.grants).zip(&statuses.grants);
    let mut changed: Vec<_> = grants
        .filter_map(|(((grant, facts), outcome), status)| Some((grant, facts, &outcome.notices, status.as_ref()?)))
        .filter(|(_, facts, _, status)| facts.status != Fingerprint::of_json(status))
        .collect();
    progress.has_more |= changed.len() > BATCH;
    changed.truncate(BATCH);
    let writes = changed
        .into_iter()
        .map(|(grant, facts, notices, status)| write_grant(context, grant, facts, notices, status))
        .collect();
    for result in context.gate.run_all(writes).await {
        progress.note(result);
    }
}

async fn write_grant(
    context: &Context,
    grant: &Grant,
    facts: &GrantFacts,
    due: &[String],
    status: &EntitlementInstanceStatus,
) -> Result<(), Failure> {
    let (namespace, name) = (&grant.id.namespace, &grant.id.name);
    let api: Api<Guarded<EntitlementInstance>> = Api::namespaced(context.gate.client(), namespace);
    let Some(written) = status::write(&context.gate, &api, name, &facts.uid, status).await? else { return Ok(()) };
    context.world(|world| world.wrote_instance(&written));
    let before = &grant.remembered;
    if before.phase != status.phase {
        tracing::info!(
            instance = %grant.id,
            organization = %grant.organization,
            definition = %grant.definition,
            before = before.phase.map(crate::api::Phase::as_str),
            phase = status.phase.map(crate::api::Phase::as_str),
            "phase"
        );
    }
    for notice in announcements::of_grant(before.phase, &before.conditions, status, due) {
        let about = events::reference::<EntitlementInstance>(Some(namespace), name, &facts.uid);
        context.announcer.announce(about, notice);
    }
    Ok(())
}

async fn write_organization(
    context: &Context,
    organization: &Organization,
    status: &OrganizationStatus,
) -> Result<(), Failure> {
    if organization.status.as_ref() == Some(status) {
        return Ok(());
    }
    let name = organization.metadata.name.as_deref().unwrap_or_default();
    let uid = organization.metadata.uid.as_deref().unwrap_or_default();
    let api: Api<Guarded<Organization>> = Api::all(context.gate.client());
    let Some(written) = status::write(&context.gate, &api, name, uid, status).await? else { return Ok(()) };
    context.world(|world| world.wrote_organization(written));
    let before = organization.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    if let Some(notice) = announcements::of_readiness(before, &status.conditions) {
        context.announcer.announce(events::reference::<Organization>(None, name, uid), notice);
    }
    Ok(())
}
