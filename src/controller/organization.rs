//! Brings one organization up to date: read, evaluate, write, withdraw, say so.

use super::{
    announcements,
    apply::{Applier, Left, look},
    attempts::OfOrganization,
    clock,
    context::ControllerContext,
    edits, ends, events,
    failure::{ReconcileFailure, RequestRefusal},
    grant_source,
    guarded::Guarded,
    memory,
    metering::MeterView,
    reclaim,
    resumptions::PAUSE,
    scope::OrganizationScope,
    status,
    transitions::PhaseTransition,
    warnings::warn_of,
    world::{Edits, NotReady, OrganizationView, SourceFacts, SourceObject, WholeSource, WorkItem},
};
use crate::{
    api::{
        Condition, EntitlementInstance, EntitlementOverride, EntitlementSubscription, Organization, OrganizationStatus,
        Phase, lifecycle::SourceStatus,
    },
    core::{
        calendar,
        problem::Problem,
        source::{SourceId, stated::StatedSource},
    },
    evaluation::{
        Evaluation,
        decided::DecidedSource,
        decision::Decision,
        delivery::Desired,
        holding::Member,
        object::ObjectKey,
        plan::{self, Fingerprint, Outcomes},
        status::{Statuses, organization::untouched_status, statuses},
        usage::entitled_otherwise,
    },
    traces::WorkWritten,
};
use kube::Api;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// How often a source may be edited while the status of its grant is being written.
const EDITS: usize = 8;

/// Brings an organization up to date.
pub async fn reconcile(context: &ControllerContext, name: &Arc<str>) -> Result<(), ReconcileFailure> {
    let seen = context.world(|world| world.view(name).map(|view| (view, world.take_edits(name))));
    let (view, edits) = match seen {
        Ok(seen) => seen,
        Err(NotReady::Waits) => return Ok(()),
        Err(NotReady::Unseen(organization, problem)) => {
            return leave_alone(context, name, &organization, &problem).await;
        }
        Err(NotReady::Unreadable) => {
            tracing::warn!(organization = %name, "the organization can't be read: everything of it stays as it is");
            return Ok(());
        }
    };
    let item = WorkItem::Organization(Arc::clone(name));
    let mut view = view;
    let heard = context.meters.heard_news();
    let meters = MeterView::take(context, &mut view.snapshot);
    let resume = context.resumptions.of(name);
    let (before, mut memo) = (context.decisions.last(name), context.decisions.take_memo(name));
    let definitions: Vec<_> = view.snapshot.catalogue.keys().cloned().map(WorkItem::Definition).collect();
    let thought = context.lanes.run_with(&item, definitions, move || {
        let now = clock::now();
        let evaluation = Evaluation::after(before.as_deref(), &mut memo, &view.snapshot, now, resume.as_ref());
        let reported = meters.reported(now);
        let more_reported = reported.as_ref().and_then(|reported| reported.next);
        let outcome = meters.outcome(&evaluation.decision, reported);
        ((evaluation, memo, view, now), (outcome, more_reported))
    });
    let ((evaluation, memo, mut view, now), (metered, more_reported)) = thought.await?;
    context.decisions.keep_memo(name, memo);
    ends::confirm(context, &view, &evaluation).await?;
    let last = context.decisions.last(name);
    context.decisions.publish(&evaluation.decision);
    if entitled_otherwise(last.as_deref().map(|last| &last.meters), &evaluation.decision.meters) {
        context.queue.add_all(context.world(|world| world.report_ids(name)).into_iter().map(WorkItem::UsageReport));
    }
    context.usage_states.tell(name, &evaluation.decision.meters);
    context.inquiries.decided(&evaluation.decision);
    if context.meters.heard_news() != heard {
        context.queue.add(item.clone());
    }
    context.moves.tell(name, &view, &evaluation);
    context.timer.set(name, [evaluation.decision.next, more_reported].into_iter().flatten().min());
    metered.settle(context, name, view.snapshot.organization.as_deref()).await;
    if evaluation.desired.resume.is_some() {
        context.options.metrics.evaluation_deferred();
        context.queue.add_after(WorkItem::Organization(Arc::clone(name)), PAUSE);
    }
    context.resumptions.set(name, evaluation.desired.resume.clone());
    let wait = wait_for_quiet(context, name);
    let mut progress = ReconcileProgress { is_put_off: wait.is_some(), ..ReconcileProgress::default() };
    let outcomes = deliver(context, &mut view, &evaluation, wait.is_some(), &mut progress).await;
    context.tallies.tell(name, &evaluation.desired, &outcomes);
    let thought = context.lanes.go_on(&item, move || {
        let mut statuses = statuses(&evaluation, &outcomes);
        drop_unchanged(&mut statuses, &evaluation.decision, &view);
        (statuses, evaluation, view)
    });
    let (statuses, evaluation, view) = thought.await?;
    write_sources::<EntitlementInstance>(context, &view, &evaluation, &statuses, &edits, &mut progress).await;
    write_sources::<EntitlementSubscription>(context, &view, &evaluation, &statuses, &edits, &mut progress).await;
    write_sources::<EntitlementOverride>(context, &view, &evaluation, &statuses, &edits, &mut progress).await;
    if wait.is_none()
        && let (Some(organization), Some(status)) = (&view.snapshot.organization, &statuses.organization)
        && !progress.lacks_summary
    {
        let paced = context.written_usage.paced(name, organization.status.as_ref(), status.clone());
        progress.next = [progress.next, paced.again].into_iter().flatten().min();
        let written = write_organization(context, organization, &paced.status).await;
        // Whoever gets no answer does not know whether it was written.
        if paced.has_news && !matches!(written, Err(ReconcileFailure::Outdated)) {
            context.written_usage.wrote(name);
        }
        progress.note(written);
    }
    if view.is_unsearched && !ends_something(&evaluation.decision) {
        progress.note(search(context, &view).await);
    }
    let look = context.world(|world| world.next_look(name));
    if let Some(next) = [look, progress.next].into_iter().flatten().min() {
        context.queue.add_after(item.clone(), next.saturating_duration_since(Instant::now()));
    }
    if !edits.is_empty() {
        let told = edits::tell(context, &item, view, edits, now).await;
        progress.note(told);
    }
    progress.written.tell();
    progress.result()
}

/// Says of an organization, and of each of its sources of grants, that everything of it stays as it is, and why.
async fn leave_alone(
    context: &ControllerContext,
    name: &Arc<str>,
    organization: &Organization,
    problem: &Problem,
) -> Result<(), ReconcileFailure> {
    context.timer.set(name, None);
    let mut progress = ReconcileProgress::default();
    let status = untouched_status(organization, problem, clock::now());
    progress.note(write_organization(context, organization, &status).await);
    let sources = context.world(|world| world.unaware(name, problem));
    let says = sources.iter().map(|id| grant_source::say_untouched(context, id, problem));
    for said in context.gate.run_all(says.collect()).await {
        progress.note(said);
    }
    progress.result()
}

/// How the work goes. All of it is tried, whatever fails.
#[derive(Default)]
struct ReconcileProgress {
    failure: Option<ReconcileFailure>,
    has_more: bool,
    lacks_summary: bool,
    /// The summary and the organization's status wait until it is quiet.
    is_put_off: bool,
    /// When something that waits is worth another try.
    next: Option<Instant>,
    /// What was written so far.
    written: WorkWritten,
}

impl ReconcileProgress {
    fn note(&mut self, result: Result<(), ReconcileFailure>) {
        let urgency = |failure: &ReconcileFailure| match failure {
            ReconcileFailure::Failed(_) => 2,
            ReconcileFailure::Outdated | ReconcileFailure::More => 1,
            ReconcileFailure::Refused(_) | ReconcileFailure::PutOff => 0,
        };
        if let Err(failure) = result {
            let known = self.failure.take().filter(|known| urgency(known) >= urgency(&failure));
            self.failure = known.or(Some(failure));
        }
    }

    fn leave(&mut self, left: &Left) {
        self.has_more |= left.has_more;
        self.next = [self.next, left.next].into_iter().flatten().min();
        self.note(if left.retry { Err(ReconcileFailure::Outdated) } else { Ok(()) });
    }

    fn result(self) -> Result<(), ReconcileFailure> {
        match self.failure {
            // What is left is not kept back by what is refused for good.
            Some(ReconcileFailure::Refused(_)) | None if self.has_more => Err(ReconcileFailure::More),
            Some(failure) => Err(failure),
            None if self.is_put_off => Err(ReconcileFailure::PutOff),
            None => Ok(()),
        }
    }
}

/// While much is coming, what gathers it up waits, and is looked at again when it is time.
fn wait_for_quiet(context: &ControllerContext, name: &Arc<str>) -> Option<Duration> {
    let item = WorkItem::Organization(Arc::clone(name));
    let wait = context.world(|world| world.wait_for_quiet(&item))?;
    context.queue.add_after(item, wait);
    Some(wait)
}

/// Writes and withdraws objects. Without the organization, its objects are the garbage collector's.
async fn deliver(
    context: &ControllerContext,
    view: &mut OrganizationView,
    evaluation: &Evaluation,
    without_summary: bool,
    progress: &mut ReconcileProgress,
) -> Outcomes {
    let mut outcomes = Outcomes::default();
    if let Err(failure) = memory::remember(context, view, evaluation).await {
        progress.note(Err(failure));
        progress.lacks_summary = true;
        return outcomes;
    }
    let Some(owner) = view.owner.clone() else {
        context.world(|world| world.forget_organization(&view.snapshot.name));
        return outcomes;
    };
    let scope = OrganizationScope::new(Arc::clone(&context.gate), owner.clone());
    if view.is_unsearched && ends_something(&evaluation.decision) {
        progress.note(reclaim::search(context, &scope, &owner).await);
    }
    forget_unwanted(context, view, &evaluation.desired);
    for key in look(context, &scope, owner.name(), std::mem::take(&mut view.looks)).await {
        view.scene.foreign.remove(&key);
    }
    see_strangers(context, view, &evaluation.desired);
    if reclaim::reclaim(context, &scope, &owner, &evaluation.desired, view, &mut outcomes).await {
        progress.note(Err(ReconcileFailure::Outdated));
    }

    let applier = Applier::new(context, &scope, &owner, &view.scene.observed);
    let mut writes = plan::writes(&evaluation.desired, &owner, &view.scene);
    outcomes.deliveries = writes.settled;
    if without_summary {
        let is_of_grant =
            |key: &ObjectKey| evaluation.desired.objects.get(key).is_some_and(|desired| desired.grant.is_some());
        writes.changes.retain(|(key, ..)| is_of_grant(key));
    }
    progress.written.objects = writes.changes.len();
    progress.leave(&applier.write(writes.changes, &mut outcomes).await);
    progress.lacks_summary = lacks_summary(&evaluation.desired, &outcomes);

    outcomes.stuck.extend(plan::pending(&evaluation.desired, &owner, &view.scene, &outcomes.deliveries));
    let withdrawals = plan::withdrawals(&evaluation.desired, &owner, &view.scene, &outcomes.deliveries);
    progress.written.withdrawn = withdrawals.len();
    progress.leave(&applier.withdraw(withdrawals, &mut outcomes).await);
    outcomes.left = context.world(|world| world.places(&owner));
    outcomes
}

async fn search(context: &ControllerContext, view: &OrganizationView) -> Result<(), ReconcileFailure> {
    let Some(owner) = &view.owner else { return Ok(()) };
    let scope = OrganizationScope::new(Arc::clone(&context.gate), owner.clone());
    reclaim::search(context, &scope, owner).await
}

/// Whether a grant has ended since the operator last told of it. What was delivered for it has to be found before it is said
/// to be withdrawn.
fn ends_something(decision: &Decision) -> bool {
    let was_in_force = |member: &Member| member.grant.remembered.phase.is_some_and(Phase::is_in_force);
    decision.grants().any(|(_, member)| was_in_force(member) && !member.verdict.phase.is_in_force())
}

fn lacks_summary(desired: &Desired, outcomes: &Outcomes) -> bool {
    let mut summaries = desired.objects.iter().filter(|(_, object)| object.grant.is_none());
    summaries.any(|(key, _)| !outcomes.deliveries.contains_key(key))
}

/// What stands at names that nobody wants any more is nobody's business.
fn forget_unwanted(context: &ControllerContext, view: &mut OrganizationView, desired: &Desired) {
    let is_wanted = |key: &ObjectKey| desired.objects.contains_key(key);
    view.looks.retain(is_wanted);
    for key in view.scene.foreign.extract_if(.., |key| !is_wanted(key)) {
        context.world(|world| world.foreign_is_gone(&view.snapshot.name, &key));
    }
}

/// Adds what has the operator's label, but not this organization's, at names that it wants.
fn see_strangers(context: &ControllerContext, view: &mut OrganizationView, desired: &Desired) {
    let observed = &mut view.scene.observed;
    let unseen: Vec<_> = desired.objects.keys().filter(|key| !observed.contains_key(key)).collect();
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

/// What is said already need not be said.
fn drop_unchanged(statuses: &mut Statuses, decision: &Decision, view: &OrganizationView) {
    let is_said =
        |id: &SourceId, status: Option<Fingerprint>| view.facts.get(id).is_some_and(|facts| facts.status == status);
    for (status, (_, member)) in statuses.grants.iter_mut().zip(decision.grants()) {
        status.take_if(|status| is_said(&member.grant.id.source, Fingerprint::of_json(status)));
    }
}

async fn write_sources<K: SourceObject>(
    context: &ControllerContext,
    view: &OrganizationView,
    evaluation: &Evaluation,
    statuses: &Statuses,
    edits: &Edits,
    progress: &mut ReconcileProgress,
) {
    // What an edit of a plan changes is told with the edit.
    let is_told = !edits.plans.is_empty();
    let told = K::told(&evaluation.decision, statuses).into_iter();
    let told = told.map(|(decided, status)| {
        let rights = decided.rights.filter(|_| !is_told);
        (DecidedSource { rights, ..decided }, status)
    });
    let changed = told.filter_map(|(decided, status)| Some((view.facts.get(&decided.id())?, decided, status)));
    let work = changed.map(|(facts, decided, status)| {
        let what = of_status(decided.stated, facts, status);
        (decided.id(), what, (decided, facts, status, what))
    });
    let work = work.collect();
    let name = &view.snapshot.name;
    let choice = context.attempts(name, |all| all.statuses(K::KIND).choose(work, Instant::now()));
    let mut left = Left::by(&choice);
    let now = choice.now.into_iter();
    let writes = now.map(|(decided, facts, status, what)| async move {
        (write_source::<K>(context, &decided, facts, status).await, decided.id(), what)
    });
    for (result, id, what) in context.gate.run_all(writes.collect()).await {
        match result {
            Ok(()) => {
                progress.written.statuses += 1;
                left.has_more |= context.attempts(name, |all| all.statuses(K::KIND).done(&id, what, Instant::now()));
            }
            Err(refusal) => {
                let fail =
                    |all: &mut OfOrganization| all.statuses(K::KIND).failed(id.clone(), what, &refusal, Instant::now());
                let due = context.attempts(name, fail);
                let failure = status::unwritten::<K>(&id.to_string(), &refusal);
                if due.is_none() {
                    progress.note(Err(failure));
                    continue;
                }
                warn_of!(context, "is tried again when it has changed, or later", error = %failure);
                left.fail(due);
            }
        }
    }
    progress.leave(&left);
}

/// The fingerprint of a status and its source, without the moment at which it is written.
fn of_status(stated: &StatedSource, facts: &SourceFacts, status: &impl SourceStatus) -> Fingerprint {
    let mut status = status.clone();
    status.conditions_mut().iter_mut().for_each(|condition| condition.last_transition_time.clear());
    let text = serde_json::to_vec(&status).unwrap_or_default();
    let generation = stated.generation.to_be_bytes();
    Fingerprint::of_pairs([(&*facts.uid, text.as_slice()), ("", generation.as_slice())])
}

/// Tells of what has changed of one source, and writes its status.
pub async fn write_source<K: SourceObject>(
    context: &ControllerContext,
    decided: &DecidedSource<'_>,
    facts: &SourceFacts,
    status: &K::Status,
) -> Result<(), RequestRefusal> {
    let id = decided.id();
    let said = status.lifecycle();
    let transition = PhaseTransition::of(decided, said);
    if let Some(intentions) = context.gate.intentions() {
        intentions.tell_source::<K>(decided, transition.as_ref(), status);
        return Ok(());
    }
    let before = decided.remembered;
    let about = events::reference::<K>(Some(&id.namespace), &id.name, &facts.uid);
    let notices = announcements::of_source(decided, status);
    if !notices.is_empty() {
        let conditions: Vec<Condition> = before.conditions.iter().map(Condition::from).collect();
        context.announcer.tell_first(&about, &(before.phase, conditions), notices).await;
    }
    if let Some(change) = announcements::of_entitlements(decided, status) {
        // What is given may become again what it was: no other state of it tells such changes apart.
        context.announcer.tell_first(&about, &facts.version, vec![change]).await;
    }
    let _writing = context.writing.begin(WorkItem::GrantSource(id.clone()));
    // The watch may be faster than the answer.
    let due = context.world(|world| world.told_change(&id));
    let Some(written) = write_status::<K>(context, &id, facts, status).await? else { return Ok(()) };
    let mut written = WholeSource::read(&written);
    written.value.share_record(decided.verdict.acceptance.as_ref());
    context.world(|world| world.wrote_source(written));
    if let Some(transition) = transition {
        count_transition(context, said.phase, due);
        context.transitions.tell(decided, &transition);
    }
    Ok(())
}

/// Replaces the status of a source. Where it was edited meanwhile, and nobody else has written its status, it is replaced all the same:
/// what it remembers, such as the last valid facets, is known from nowhere else.
async fn write_status<K: SourceObject>(
    context: &ControllerContext,
    id: &SourceId,
    facts: &SourceFacts,
    status: &K::Status,
) -> Result<Option<K>, RequestRefusal> {
    let api: Api<Guarded<K>> = Api::namespaced(context.gate.client(), &id.namespace);
    let mut version = facts.version.to_string();
    for _ in 0..EDITS {
        let answer = status::write(&context.gate, &api, &id.name, &facts.uid, Some(&version), status).await;
        if !matches!(answer, Err(RequestRefusal::Changed)) {
            return answer;
        }
        match version_with_same_status::<K>(context, id, facts).await? {
            Some(newer) if newer != version => version = newer,
            _ => return answer,
        }
    }
    Err(RequestRefusal::Changed)
}

/// The version that a source has now, if nothing but its spec and metadata has changed.
async fn version_with_same_status<K: SourceObject>(
    context: &ControllerContext,
    id: &SourceId,
    facts: &SourceFacts,
) -> Result<Option<String>, RequestRefusal> {
    let Some(Guarded(Ok(now))) = grant_source::read::<K>(context, id).await? else { return Ok(None) };
    let is_same =
        now.meta().uid.as_deref() == Some(&*facts.uid) && now.said().and_then(Fingerprint::of_json) == facts.status;
    Ok(now.meta().resource_version.clone().filter(|_| is_same))
}

/// A transition by time alone was told before, for a moment that has come by now.
fn count_transition(context: &ControllerContext, phase: Option<Phase>, due: Option<calendar::Instant>) {
    let Some(phase) = phase else { return };
    let lag = due.and_then(|due| (clock::now() - due).to_std().ok());
    context.options.metrics.transition(phase.as_str(), lag);
}

async fn write_organization(
    context: &ControllerContext,
    organization: &Organization,
    said: &OrganizationStatus,
) -> Result<(), ReconcileFailure> {
    if organization.status.as_ref() == Some(said) {
        return Ok(());
    }
    let name = organization.metadata.name.as_deref().unwrap_or_default();
    let uid = organization.metadata.uid.as_deref().unwrap_or_default();
    let before = organization.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let notices = announcements::of_readiness(before, &said.conditions).into_iter().collect();
    let about = events::reference::<Organization>(None, name, uid);
    context.announcer.tell_first(&about, &before, notices).await;
    memory::write(context, organization, said).await.map(drop)
}

#[cfg(test)]
mod tests;
