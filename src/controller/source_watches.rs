//! Watches the Secrets in only those namespaces in which grants refer to some.
//!
//! It watches what `kubectl get` shows of a Secret: a row with its name. Of Secrets that no grant refers to, not even the metadata
//! comes here, because an annotation of `kubectl apply` repeats everything that a Secret holds.

use super::{backoff::WatchDelays, context::ControllerContext, watch::is_routine, world::World};
use crate::connection::{Cause, WATCH_MARGIN, WATCH_SECONDS};
use futures::{StreamExt, pin_mut};
use http::{Request, header::ACCEPT};
use kube::{core::WatchEvent, runtime::watcher};
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep, timeout},
};

/// Asks for rows in the place of objects.
const ROWS: &str = "application/json;as=Table;g=meta.k8s.io;v=v1";
/// How long a watch may be silent. It should have ended by then.
const SILENCE_LIMIT: Duration = Duration::from_secs(WATCH_SECONDS as u64).saturating_add(WATCH_MARGIN);
/// What is said where the API server no longer has the history that a watch asks for.
const GONE: u16 = 410;
/// A watch that has lasted so long did not fail.
const LONG_ENOUGH: Duration = Duration::from_secs(1);
/// In the words of the log.
const KIND: &str = "Secret";

/// Starts and ends watches as namespaces come and go.
pub async fn run(context: Arc<ControllerContext>) {
    let mut watches = JoinSet::new();
    let mut running: BTreeMap<Arc<str>, AbortHandle> = BTreeMap::new();
    loop {
        for (namespace, is_wanted) in context.world(World::take_source_namespaces) {
            if let Some(watch) = running.remove(&namespace) {
                if is_wanted {
                    running.insert(namespace, watch);
                    continue;
                }
                watch.abort();
            }
            if is_wanted {
                let started = watches.spawn(watch(Arc::clone(&context), Arc::clone(&namespace)));
                running.insert(namespace, started);
            }
        }
        for (namespace, running) in running.iter_mut().filter(|(_, running)| running.is_finished()) {
            *running = watches.spawn(watch(Arc::clone(&context), Arc::clone(namespace)));
        }
        while watches.try_join_next().is_some() {}
        context.source_namespaces.notified().await;
    }
}

/// Rows about Secrets. In a watch there is one, of the state at that resourceVersion.
#[derive(Clone, Deserialize)]
struct Table {
    metadata: TableMetadata,
    #[serde(default)]
    rows: Vec<TableRow>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TableMetadata {
    #[serde(default)]
    resource_version: String,
}

#[derive(Clone, Deserialize)]
struct TableRow {
    cells: Vec<Value>,
}

impl Table {
    /// The name stands first in the row.
    fn name(&self) -> Option<Arc<str>> {
        Some(self.rows.first()?.cells.first()?.as_str()?.into())
    }
}

async fn watch(context: Arc<ControllerContext>, namespace: Arc<str>) {
    let what = format!("{KIND} in {namespace}");
    let mut delays = WatchDelays::default();
    loop {
        let result = begin(&context, &namespace).await.map_err(watcher::Error::InitialListFailed);
        let mut since = result.map(Some);
        while let Ok(Some(version)) = since {
            if context.outages.works(&what) {
                context.queue.retry_failed();
            }
            let started = Instant::now();
            since = follow(&context, &namespace, version).await;
            if started.elapsed() >= LONG_ENOUGH {
                delays.reset();
            } else {
                sleep(delays.next_delay()).await;
            }
        }
        if let Err(error) = since {
            if !is_routine(&error) {
                context.outages.failed(&what, Cause::of_watch(&error));
            }
            sleep(delays.next_delay()).await;
        }
    }
}

fn request(namespace: &str, parameters: &str) -> Result<Request<Vec<u8>>, kube::Error> {
    let uri = format!("/api/v1/namespaces/{namespace}/secrets?includeObject=None&{parameters}");
    Request::get(uri).header(ACCEPT, ROWS).body(Vec::new()).map_err(kube::Error::HttpError)
}

/// From now on changes are seen; what was before is read. Where a watch begins.
async fn begin(context: &ControllerContext, namespace: &Arc<str>) -> Result<String, kube::Error> {
    let table: Table = context.gate.reader().request(request(namespace, "limit=1")?).await?;
    context.world(|world| world.began_sources(namespace));
    Ok(table.metadata.resource_version)
}

/// Watches until the request ends. Where the next one goes on; None where it has to begin anew.
async fn follow(
    context: &ControllerContext,
    namespace: &Arc<str>,
    mut version: String,
) -> Result<Option<String>, watcher::Error> {
    let parameters =
        format!("watch=1&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}&resourceVersion={version}");
    let request = request(namespace, &parameters).map_err(watcher::Error::WatchStartFailed)?;
    let events = context.gate.reader().request_events::<Table>(request).await;
    let events = events.map_err(watcher::Error::WatchStartFailed)?;
    pin_mut!(events);
    // One that is silent for too long goes on with the next request, as one that has ended.
    while let Ok(Some(event)) = timeout(SILENCE_LIMIT, events.next()).await {
        match event.map_err(watcher::Error::WatchFailed)? {
            WatchEvent::Added(table) | WatchEvent::Modified(table) => {
                version.clone_from(&table.metadata.resource_version);
                tell(context, &table, |world, name| world.saw_source(namespace, name, &version));
            }
            WatchEvent::Deleted(table) => {
                version.clone_from(&table.metadata.resource_version);
                tell(context, &table, |world, name| world.lost_source(namespace, name));
            }
            WatchEvent::Bookmark(bookmark) => version = bookmark.metadata.resource_version,
            WatchEvent::Error(status) if status.code == GONE => return Ok(None),
            WatchEvent::Error(status) => return Err(watcher::Error::WatchError(status)),
        }
    }
    Ok(Some(version))
}

fn tell(context: &ControllerContext, table: &Table, observe: impl FnOnce(&mut World, Arc<str>)) {
    if let Some(name) = table.name() {
        context.world(|world| observe(world, name));
    }
}
