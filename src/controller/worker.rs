//! Works on what is queued: a limited number at once, each with a time limit, and a panic fails only its own item. Slow work
//! waits for other slow work, and not at the expense of the rest.

use super::{
    context::ControllerContext,
    failure::ReconcileFailure,
    grant_source,
    leadership::LeadershipPart,
    limit::{Elapsed, within},
    queue::Queue,
    usage_report,
    warnings::warn_of,
    work::{BarredObject, WorkItem},
};
use crate::{metrics::ERROR, traces};
use futures::FutureExt;
use std::{fmt::Display, hash::Hash, panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{Instant, timeout},
};
use tracing::{Instrument, Span};

/// The longest that one item is worked on, but for thinking. What was written until then is known, so the next attempt goes on from there.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// How long what is being worked on may take after the end was asked for.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);
/// How many objects are told at once that their organizations do not let them be named: whoever makes many of them takes no
/// more than that from others.
const TELLERS: usize = 4;

/// Works until `stop` is ready, then finishes what has begun.
pub async fn run(context: &Arc<ControllerContext>, stop: impl Future<Output = ()>) {
    let mut running = JoinSet::new();
    let mut telling = JoinSet::new();
    tokio::select! {
        () = dispatch(context, &context.queue, context.options.concurrency.max(1), &mut running, work_on) => {}
        () = dispatch(context, &context.barred, TELLERS, &mut telling, tell) => {}
        () = stop => {}
    }
    let drain = async {
        while running.join_next().await.is_some() {}
        while telling.join_next().await.is_some() {}
    };
    if timeout(DRAIN_LIMIT, drain).await.is_err() {
        tracing::warn!("the work in progress took too long: the next start goes on with it");
    }
}

/// Works on what is in a queue, so many at once.
async fn dispatch<K, F>(
    context: &Arc<ControllerContext>,
    queue: &Queue<K>,
    workers: usize,
    running: &mut JoinSet<()>,
    work: fn(Arc<ControllerContext>, K, LeadershipPart, OwnedSemaphorePermit) -> F,
) where
    K: Clone + Hash + Ord,
    F: Future<Output = ()> + Send + 'static,
{
    let workers = Arc::new(Semaphore::new(workers));
    let leadership = context.candidacy.leadership();
    loop {
        let Ok(worker) = Arc::clone(&workers).acquire_owned().await else { return };
        leadership.takes_part().await;
        let item = queue.next().await;
        while running.try_join_next().is_some() {}
        let Some(part) = leadership.part() else {
            // It has nothing to do with it since it waited.
            queue.add(item.clone());
            queue.done(&item);
            continue;
        };
        running.spawn(work(Arc::clone(context), item, part, worker));
    }
}

async fn work_on(context: Arc<ControllerContext>, item: WorkItem, part: LeadershipPart, worker: OwnedSemaphorePermit) {
    let _worker = context.lanes.worker_for(&item, worker).await;
    let span = traces::reconcile(item.metric_label(), &item, item.organization());
    let work = async {
        match part {
            LeadershipPart::Leads => while_it_leads(&context, Box::pin(item.bring_up_to_date(&context))).await,
            LeadershipPart::StandsBy => Box::pin(item.make_ready(&context)).await,
        }
    };
    conclude(&context, &context.queue, &item, item.metric_label(), span, Box::pin(work)).await;
}

async fn tell(
    context: Arc<ControllerContext>,
    object: BarredObject,
    part: LeadershipPart,
    _worker: OwnedSemaphorePermit,
) {
    let span = traces::reconcile("barred", &object, None);
    let work = async {
        match part {
            LeadershipPart::Leads => while_it_leads(&context, Box::pin(say_barred(&context, &object))).await,
            LeadershipPart::StandsBy => Ok(()),
        }
    };
    conclude(&context, &context.barred, &object, "barred", span, Box::pin(work)).await;
}

async fn say_barred(context: &ControllerContext, object: &BarredObject) -> Result<(), ReconcileFailure> {
    match object {
        BarredObject::Source(id) => grant_source::say_barred(context, id).await,
        BarredObject::Report(id) => usage_report::say_barred(context, id).await,
    }
}

/// What was decided in one tenure is not written in the next one: it is decided anew.
async fn while_it_leads(
    context: &ControllerContext,
    work: impl Future<Output = Result<(), ReconcileFailure>>,
) -> Result<(), ReconcileFailure> {
    let leadership = context.candidacy.leadership();
    tokio::select! {
        biased;
        () = leadership.lost() => Err(ReconcileFailure::More),
        result = work => result,
    }
}

/// Works on an item to its end, and sees to it that it is tried again where that has to be.
async fn conclude<K: Clone + Display + Hash + Ord>(
    context: &ControllerContext,
    queue: &Queue<K>,
    item: &K,
    controller: &'static str,
    span: Span,
    reconcile: impl Future<Output = Result<(), ReconcileFailure>>,
) {
    let started = Instant::now();
    let result = match within(TIME_LIMIT, AssertUnwindSafe(reconcile).catch_unwind()).instrument(span.clone()).await {
        Ok(Ok(result)) => result,
        Ok(Err(_panic)) => {
            Err(ReconcileFailure::Failed("it panicked: report it, with the lines before this one".to_owned()))
        }
        Err(Elapsed) => Err(ReconcileFailure::Failed(format!("it took longer than {} s", TIME_LIMIT.as_secs()))),
    };
    let label = result.as_ref().err().map_or("success", ReconcileFailure::metric_label);
    context.options.metrics.reconciled(controller, label, started.elapsed());
    traces::ended(&span, label, label == ERROR);
    drop(span);
    let failure = match result {
        Ok(()) => return queue.done(item),
        Err(ReconcileFailure::PutOff) => return queue.rest(item),
        Err(ReconcileFailure::More) => {
            queue.add(item.clone());
            return queue.done(item);
        }
        Err(ReconcileFailure::Refused(error)) => {
            let delay = queue.refused(item);
            warn_of!(context, "is refused: it is tried again when it changes, or after a long time", %item, error, ?delay);
            return;
        }
        Err(failure) => failure,
    };
    let delay = queue.failed(item);
    match failure {
        // What keeps all of it from working is told once for all.
        ReconcileFailure::Failed(error) if context.outages.is_of_the_server() || !context.candidacy.leads() => {
            tracing::debug!(%item, error, ?delay, "failed, and is tried again");
        }
        ReconcileFailure::Failed(error) => warn_of!(context, "failed, and is tried again", %item, error, ?delay),
        ReconcileFailure::Outdated
        | ReconcileFailure::More
        | ReconcileFailure::PutOff
        | ReconcileFailure::Refused(_) => {
            tracing::debug!(%item, ?delay, "is tried again");
        }
    }
}
