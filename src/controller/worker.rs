//! Works on what is queued: so many at once, each with a time limit, and with a panic as the failure of that one alone.

use super::{context::Context, definition, facet, failure::Failure, organization, source, world::WorkItem};
use futures::FutureExt;
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::{sync::Semaphore, task::JoinSet, time::timeout};

/// The longest that one item is worked on. What was written until then is known, so the next attempt goes on from there.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// How long what is being worked on may take after the end was asked for.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// Works until `stop` is ready, then finishes what has begun.
pub async fn run(context: &Arc<Context>, stop: impl Future<Output = ()>) {
    let workers = Arc::new(Semaphore::new(context.options.concurrency.max(1)));
    let mut running = JoinSet::new();
    let dispatch = async {
        loop {
            let Ok(worker) = Arc::clone(&workers).acquire_owned().await else { return };
            let item = context.queue.next().await;
            while running.try_join_next().is_some() {}
            let context = Arc::clone(context);
            running.spawn(async move {
                work_on(&context, item).await;
                drop(worker);
            });
        }
    };
    tokio::select! {
        () = dispatch => {}
        () = stop => {}
    }
    let drained = timeout(DRAIN_LIMIT, async { while running.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!("the work in progress took too long: it is left to the next start");
    }
}

async fn work_on(context: &Context, item: WorkItem) {
    let reconcile = async {
        match &item {
            WorkItem::Organization(name) => organization::reconcile(context, name).await,
            WorkItem::Definition(name) => definition::reconcile(context, name).await,
            WorkItem::Facet(name) => facet::reconcile(context, name).await,
            WorkItem::Source(key) => source::reconcile(context, key).await,
        }
    };
    let failure = match timeout(TIME_LIMIT, AssertUnwindSafe(reconcile).catch_unwind()).await {
        Ok(Ok(Ok(()))) => return context.queue.done(&item),
        Ok(Ok(Err(Failure::More))) => {
            context.queue.add(item.clone());
            return context.queue.done(&item);
        }
        Ok(Ok(Err(Failure::Refused(error)))) => {
            let delay = context.queue.refused(&item);
            tracing::warn!(?item, error, ?delay, "is refused, and is tried again when it has changed, or after long");
            return;
        }
        Ok(Ok(Err(failure))) => failure,
        Ok(Err(_panic)) => Failure::Failed("it panicked: report it, with the lines before this one".to_owned()),
        Err(_elapsed) => Failure::Failed(format!("it took longer than {} s", TIME_LIMIT.as_secs())),
    };
    let delay = context.queue.failed(&item);
    match failure {
        Failure::Failed(error) => tracing::warn!(?item, error, ?delay, "failed, and is tried again"),
        Failure::Outdated | Failure::More | Failure::Refused(_) => tracing::debug!(?item, ?delay, "is tried again"),
    }
}
