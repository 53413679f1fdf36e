//! The two kinds of outputs, as far as they have the operator's label.

use super::{News, WatchedKind};
use crate::{
    api::entitlement_definition::OutputKind,
    controller::{guarded::Guarded, output::OutputObject, world::World},
    core::served::{NamespaceSet, ServedNamespaces},
    evaluation::{object::ObjectKey, plan::Observed},
};
use kube::{Api, Client, runtime::watcher::Event};
use std::{collections::BTreeSet, sync::Arc};
use tokio::time::Instant;

impl<K: OutputObject> WatchedKind for K {
    const IS_LABELLED: bool = true;
    type Object = Guarded<Self>;
    type State = (ObjectKey, Observed);

    fn within(served: &ServedNamespaces) -> &NamespaceSet {
        match K::KIND {
            OutputKind::ConfigMap => served.all(),
            OutputKind::Secret => served.secrets(),
        }
    }

    fn api_within(client: Client, namespace: &str) -> Api<Self::Object> {
        Api::namespaced(client, namespace)
    }

    fn begin_list_within(world: &mut World, namespace: &Arc<str>) {
        world.outputs.begin_list_within(K::KIND, namespace);
    }

    fn finish_list_within(world: &mut World, namespace: &Arc<str>) {
        let organizations = world.outputs.finish_list_within(K::KIND, namespace, Instant::now());
        world.touch_organizations(organizations);
    }

    fn api(client: Client, _namespace: &str) -> Api<Self::Object> {
        Api::all(client)
    }

    fn read(event: Event<Self::Object>) -> News<Self::State> {
        let read = |object: Self| (K::key_of(object.meta()), object.observed());
        match event {
            Event::Apply(Guarded(Err(invalid))) | Event::InitApply(Guarded(Err(invalid))) => {
                // Without the error, which may quote what a Secret holds.
                let (namespace, name) = (invalid.metadata.namespace.as_deref(), invalid.metadata.name.as_deref());
                tracing::warn!(kind = K::KIND.as_str(), namespace, name, "an output can't be read");
                News::Unreadable(invalid.metadata, String::new())
            }
            event => News::guarded(event, read),
        }
    }

    fn observe(world: &mut World, news: News<Self::State>) {
        let (outputs, now) = (&mut world.outputs, Instant::now());
        let organizations = match news {
            News::ListBegins => {
                outputs.begin_list(K::KIND);
                BTreeSet::new()
            }
            News::Changed((key, observed)) => outputs.saw(&key, observed, false, now),
            News::Listed((key, observed)) => outputs.saw(&key, observed, true, now),
            News::Unreadable(metadata, _) => outputs.put_unreadable(&K::key_of(&metadata), &metadata),
            News::Gone(metadata) => outputs.remove(&K::key_of(&metadata), &metadata, now),
            News::ListEnds => outputs.finish_list(K::KIND, now),
        };
        world.touch_organizations(organizations);
    }
}
