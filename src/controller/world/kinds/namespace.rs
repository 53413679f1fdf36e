//! Namespaces, of which the metadata are enough.

use super::{News, WatchedKind};
use crate::controller::{
    context::ControllerContext,
    guarded::Guarded,
    world::{
        MadeAnew, World,
        store::{Identity, Reading},
        tenancy::name_of,
    },
};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, Resource, api::PartialObjectMeta, runtime::watcher::Event};
use std::sync::Arc;

impl WatchedKind for Namespace {
    type Object = Guarded<PartialObjectMeta<Self>>;
    /// True for one that is not terminating.
    type State = Reading<Arc<str>, bool>;

    fn api(client: Client, _namespace: &str) -> Api<Self::Object> {
        Api::all(client)
    }

    /// On one of them stands which operator works on the cluster.
    fn tell(context: &ControllerContext, event: &Event<Self::Object>) {
        context.candidacy.observe(event);
    }

    fn read(event: Event<Self::Object>) -> News<Self::State> {
        let read = |namespace: &Self::Object| {
            let metadata = namespace.meta();
            let is_present = metadata.deletion_timestamp.is_none();
            Reading { key: name_of(metadata), identity: Identity::of(metadata), value: is_present }
        };
        match event {
            Event::Init => News::ListBegins,
            Event::InitApply(namespace) => News::Listed(read(&namespace)),
            Event::Apply(namespace) => News::Changed(read(&namespace)),
            Event::Delete(namespace) => News::Gone(namespace.into_metadata()),
            Event::InitDone => News::ListEnds,
        }
    }

    fn observe(world: &mut World, news: News<Self::State>) {
        match news {
            News::ListBegins => world.tenancy.begin_namespaces(),
            News::Listed(namespace) | News::Changed(namespace) => {
                let (name, uid) = (Arc::clone(&namespace.key), Arc::clone(&namespace.identity.uid));
                if world.tenancy.put_namespace(namespace) {
                    world.touch_namespace(&name);
                }
                world.saw_namespace(name, &uid);
            }
            News::Gone(metadata) => {
                world.tenancy.remove_namespace(&metadata);
                world.lost_namespace(&name_of(&metadata));
            }
            News::ListEnds => {
                for namespace in world.tenancy.finish_namespaces() {
                    world.lost_namespace(&namespace);
                }
            }
            // Metadata alone can be read whatever they are.
            News::Unreadable(..) => {}
        }
    }
}

impl World {
    fn saw_namespace(&mut self, namespace: Arc<str>, uid: &str) {
        if !self.lives.see(&namespace, uid) {
            return;
        }
        let owner = self.tenancy.claimants(&namespace).next();
        let organization = owner.and_then(|owner| self.tenancy.get(owner)).cloned();
        self.made_anew.extend(organization.map(|organization| MadeAnew { namespace, organization }));
    }

    fn lost_namespace(&mut self, namespace: &Arc<str>) {
        self.touch_namespace(namespace);
        if self.tenancy.claimants(namespace).next().is_none() {
            self.lives.forget(namespace);
        }
    }
}
