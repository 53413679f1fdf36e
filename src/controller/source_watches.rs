//! Watches the metadata of Secrets in just those namespaces in which grants refer to some.

use super::{context::Context, watch::follow};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, api::PartialObjectMeta};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::task::{AbortHandle, JoinSet};

/// Starts and ends watches as namespaces come and go.
pub async fn run(context: Arc<Context>) {
    let mut watches = JoinSet::new();
    let mut running: BTreeMap<Arc<str>, AbortHandle> = BTreeMap::new();
    loop {
        let wanted = context.world(|world| world.source_namespaces());
        running.retain(|namespace, watch| {
            let stays = wanted.contains(namespace) && !watch.is_finished();
            if !stays {
                watch.abort();
            }
            stays
        });
        for namespace in wanted {
            let context = Arc::clone(&context);
            let start = |of: &Arc<str>| watches.spawn(watch(context, Arc::clone(of)));
            running.entry(namespace).or_insert_with_key(start);
        }
        while watches.try_join_next().is_some() {}
        context.source_namespaces.notified().await;
    }
}

async fn watch(context: Arc<Context>, namespace: Arc<str>) {
    let api: Api<PartialObjectMeta<Secret>> = Api::namespaced(context.gate.client(), &namespace);
    let mut named = BTreeSet::new();
    let observe = |world: &mut super::world::World, event| world.observe_source(&namespace, event, &mut named);
    follow(&context, api, None, observe).await;
}
