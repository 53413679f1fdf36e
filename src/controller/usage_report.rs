//! One report of usage: says what counts of it.

use super::{
    announcements, clock,
    context::ControllerContext,
    events,
    failure::{ReconcileFailure, RequestRefusal},
    guarded::Guarded,
    status::{self, unwritten},
    world::{ReportView, ReportWork, WholeReport, WorkItem},
};
use crate::{
    api::{EntitlementUsage, EntitlementUsageStatus},
    core::{
        calendar::Instant,
        problem::Problem,
        usage::report::{ReportId, ReportReading},
    },
    evaluation::{
        status::usage::{JudgedReport, report_status},
        usage::entitled_time,
        usage_report::ReportSurroundings,
    },
    store::meter::MeterId,
};
use kube::{Api, Resource};
use std::{sync::Arc, time::Duration};

/// The longest that is waited until what lies ahead is looked at again: clocks are set now and then.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// Brings the status of a report up to date.
pub async fn reconcile(context: &ControllerContext, id: &ReportId) -> Result<(), ReconcileFailure> {
    match context.world(|world| world.report_work(id)) {
        ReportWork::Nothing => Ok(()),
        ReportWork::Read(uid) => read_again(context, id, &uid).await,
        ReportWork::Judge(view) => judge(context, id, *view).await,
    }
}

/// Reads a report again that its organization lets be made now.
pub async fn make_ready(context: &ControllerContext, id: &ReportId) -> Result<(), ReconcileFailure> {
    match context.world(|world| world.report_work(id)) {
        ReportWork::Read(uid) => read_again(context, id, &uid).await,
        ReportWork::Nothing | ReportWork::Judge(_) => Ok(()),
    }
}

/// Says of a report that its organization does not let it be made where it is, or does not exist. Nothing but that it is there is kept
/// in memory, so it is read first.
pub async fn say_barred(context: &ControllerContext, id: &ReportId) -> Result<(), ReconcileFailure> {
    if !context.world(|world| world.is_barred_report(id)) {
        return Ok(());
    }
    let Some(Guarded(Ok(object))) = read(context, id).await? else { return Ok(()) };
    let report = WholeReport::read(&object, clock::now());
    // Not by the definition, which may not be read yet: nothing would make work of it afterwards.
    let Some(place) = context.world(|world| world.report_place(&report.value.stated)) else { return Ok(()) };
    // It may have been made anew for another organization, of which the watch tells.
    let Err(problem) = place.zone(&report.value.stated) else { return Ok(()) };
    let said = report_status(&report.value.stated, object.status.as_ref(), Err(&problem), clock::now());
    if object.status.as_ref() == Some(&said) {
        return Ok(());
    }
    let metadata = &object.metadata;
    let (uid, version) = (metadata.uid.as_deref().unwrap_or_default(), metadata.resource_version.as_deref());
    write(context, id, uid, version, &said).await
}

async fn judge(context: &ControllerContext, id: &ReportId, view: ReportView) -> Result<(), ReconcileFailure> {
    let ReportView { report, identity, around } = view;
    let now = clock::now();
    let taken = around.take(&report.stated, now);
    if let Some(next) = taken.as_ref().ok().and_then(|reading| reading.next) {
        context.queue.add_after(WorkItem::UsageReport(id.clone()), wait_until(next, now));
    }
    let Some(said) = said(context, &report, &around, &taken, now) else { return Ok(()) };
    if report.status.as_ref() == Some(&said) {
        return Ok(());
    }
    let before = report.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let about = events::reference::<EntitlementUsage>(Some(&id.namespace), &id.name, &identity.uid);
    let news = announcements::of_readiness(before, &said.conditions).into_iter().collect();
    context.announcer.tell_first(&about, &before, news).await;
    write(context, id, &identity.uid, Some(&identity.version.to_string()), &said).await
}

/// What is said of a report; None while it is on its way into the store, which makes work of it once it is there.
fn said(
    context: &ControllerContext,
    report: &WholeReport,
    around: &ReportSurroundings,
    taken: &Result<ReportReading, Problem>,
    now: Instant,
) -> Option<EntitlementUsageStatus> {
    let WholeReport { stated, status } = report;
    let say = |judged: Result<JudgedReport, &Problem>| report_status(stated, status.as_ref(), judged, now);
    let reading = match taken {
        Ok(reading) => reading,
        Err(problem) => return Some(say(Err(problem))),
    };
    let meter = MeterId { organization: Arc::clone(&stated.organization), definition: Arc::clone(&stated.definition) };
    if context.meters.counted(&meter, &reading.registers) == Some(reading.registers.len()) {
        // Until the organization is evaluated, nothing is known of what it held.
        let decision = context.decisions.last(&meter.organization)?;
        let known = context.meters.known(&meter.organization, std::iter::once(&meter.definition));
        let known = known.get(&meter.definition).map(|known| &*known.facts.memory);
        let mode = around.rules(&meter.definition).ok()?.mode;
        let entitled = entitled_time(&decision.meters, &meter.definition, mode, known, now);
        return Some(say(Ok(JudgedReport { reading, entitled: entitled.as_ref() })));
    }
    let Some(problem) = context.meters.standing().problem() else {
        // The organization's evaluation says what the store should have.
        context.queue.add(WorkItem::Organization(meter.organization));
        return None;
    };
    let counted = status.as_ref().and_then(|status| status.counted);
    Some(EntitlementUsageStatus { counted: counted.or(Some(0)), ..say(Err(&problem)) })
}

fn wait_until(next: Instant, now: Instant) -> Duration {
    (next - now).to_std().map_or(LONGEST_WAIT, |wait| wait.min(LONGEST_WAIT))
}

async fn write(
    context: &ControllerContext,
    id: &ReportId,
    uid: &str,
    version: Option<&str>,
    said: &EntitlementUsageStatus,
) -> Result<(), ReconcileFailure> {
    let api: Api<Guarded<EntitlementUsage>> = Api::namespaced(context.gate.client(), &id.namespace);
    let _writing = context.writing.begin(WorkItem::UsageReport(id.clone()));
    let written = status::write(&context.gate, &api, &id.name, uid, version, said).await;
    let written = written.map_err(|refusal| unwritten::<EntitlementUsage>(&id.to_string(), &refusal))?;
    if let Some(written) = written {
        let written = WholeReport::read(&written, clock::now());
        context.world(|world| world.wrote_report(written));
    }
    Ok(())
}

async fn read_again(context: &ControllerContext, id: &ReportId, uid: &Arc<str>) -> Result<(), ReconcileFailure> {
    let found = match read(context, id).await? {
        // The watch tells of what can't be read.
        Some(Guarded(Err(_))) => return Ok(()),
        Some(Guarded(Ok(found))) => Some(WholeReport::read(&found, clock::now())),
        None => None,
    };
    context.world(|world| world.fetched_report(id, uid, found));
    Ok(())
}

async fn read(
    context: &ControllerContext,
    id: &ReportId,
) -> Result<Option<Guarded<EntitlementUsage>>, ReconcileFailure> {
    let api: Api<Guarded<EntitlementUsage>> = Api::namespaced(context.gate.reader(), &id.namespace);
    let _pass = context.gate.enter_to_read().await;
    match api.get_opt(&id.name).await.map_err(|error| RequestRefusal::of(&error)) {
        Ok(found) => Ok(found),
        Err(RequestRefusal::NamespaceMissing) => Ok(None),
        Err(refusal) => {
            let kind = EntitlementUsage::kind(&());
            Err(ReconcileFailure::of(format!("the {kind} {id} could not be read"), &refusal))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ReconcileFailure, say_barred};
    use crate::{
        controller::{
            context::ControllerContext,
            leadership::LeadershipState,
            world::tests::{definition, finish_lists, organization, read},
        },
        core::usage::report::ReportId,
    };
    use kube::{Client, client::Body, runtime::watcher::Event};
    use serde_json::json;
    use std::convert::Infallible;

    #[tokio::test]
    async fn what_may_not_be_made_there_is_told_while_its_definition_is_still_read() {
        let report = json!({
            "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementUsage",
            "metadata": {"name": "own", "namespace": "shop", "uid": "u", "resourceVersion": "2", "generation": 1},
            "spec": {"organization": "acme", "definition": "support"},
        });
        let answer = report.to_string();
        let serve = move |_: http::Request<Body>| {
            let answer = http::Response::new(Body::from(answer.clone().into_bytes()));
            async move { Ok::<_, Infallible>(answer) }
        };
        let context = ControllerContext::read_by(Client::new(tower::service_fn(serve), "default"));
        context.candidacy.stand(LeadershipState::Leads(1));
        context.world(|world| {
            finish_lists(world);
            world.observe_organization(Event::Apply(organization("acme", &["shop"], 1)));
            world.observe_definition(Event::Apply(definition("support", "none", 1)));
            world.observe_usage(Event::Apply(read(report)));
        });
        let id = ReportId::new("shop", "own");
        // It holds no lease: that it would write is enough.
        let Err(ReconcileFailure::Failed(told)) = say_barred(&context, &id).await else { panic!("it says nothing") };
        assert!(told.starts_with("the status of EntitlementUsage shop/own could not be written"), "{told}");
    }
}
