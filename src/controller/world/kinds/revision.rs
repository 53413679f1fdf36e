//! The operator's revisions of the catalogue, in its own namespace.

use super::{News, WatchedKind};
use crate::{
    controller::{
        guarded::Guarded,
        world::{
            World,
            store::{Identity, Reading},
            tenancy::name_of,
        },
    },
    evaluation::catalogue::{CatalogueId, Revision},
};
use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::{Api, Client, runtime::watcher::Event};
use std::{collections::BTreeSet, sync::Arc};

impl WatchedKind for ControllerRevision {
    const IS_LABELLED: bool = true;
    type Object = Guarded<Self>;
    /// None for one that does not say of what it is.
    type State = Reading<Arc<str>, Option<Arc<Revision>>>;

    fn api(client: Client, namespace: &str) -> Api<Self::Object> {
        Api::namespaced(client, namespace)
    }

    fn read(event: Event<Self::Object>) -> News<Self::State> {
        News::guarded(event, Reading::of_revision)
    }

    fn observe(world: &mut World, news: News<Self::State>) {
        let objects: BTreeSet<CatalogueId> = match news {
            News::ListBegins => {
                world.catalogue.begin_revisions();
                BTreeSet::new()
            }
            News::Listed(revision) | News::Changed(revision) => {
                world.catalogue.put_revision(revision).into_iter().collect()
            }
            News::Unreadable(metadata, why) => {
                world.catalogue.put_unreadable_revision(&metadata, why).into_iter().collect()
            }
            News::Gone(metadata) => world.catalogue.remove_revision(&metadata).into_iter().collect(),
            News::ListEnds => world.catalogue.finish_revisions(),
        };
        for object in &objects {
            world.touch_catalogue(object);
        }
    }
}

impl Reading<Arc<str>, Option<Arc<Revision>>> {
    /// Reads a revision.
    pub fn of_revision(object: ControllerRevision) -> Self {
        let (key, identity) = (name_of(&object.metadata), Identity::of(&object.metadata));
        Self { key, identity, value: Revision::read(object).map(Arc::new) }
    }
}
