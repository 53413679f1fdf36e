//! Facet definitions.

use super::{News, WatchedKind, but_for_status, named};
use crate::{
    api::FacetDefinition,
    controller::{
        guarded::Guarded,
        work::WorkItem,
        world::{World, store::Reading},
    },
};
use kube::{Api, Client, runtime::watcher::Event};
use std::sync::Arc;

impl WatchedKind for FacetDefinition {
    type Object = Guarded<Self>;
    type State = Reading<Arc<str>, Arc<Self>>;

    fn api(client: Client, _namespace: &str) -> Api<Self::Object> {
        Api::all(client)
    }

    fn read(event: Event<Self::Object>) -> News<Self::State> {
        News::guarded(event, named)
    }

    fn observe(world: &mut World, news: News<Self::State>) {
        let definitions = match news {
            News::ListBegins => {
                world.catalogue.begin_facets();
                None
            }
            News::Changed(facet) => {
                let name = Arc::clone(&facet.key);
                let spec = |world: &World| world.catalogue.facet(&name).as_ref().map(but_for_status);
                world.take_in(&WorkItem::Facet(Arc::clone(&name)), spec, |world| world.put_facet(facet));
                None
            }
            News::Listed(facet) => {
                world.put_facet(facet);
                None
            }
            News::Unreadable(metadata, why) => world.catalogue.put_unreadable_facet(&metadata, why),
            News::Gone(metadata) => Some(world.catalogue.remove_facet(&metadata)),
            News::ListEnds => Some(world.catalogue.finish_facets()),
        };
        world.work.extend(definitions.unwrap_or_default().into_iter().map(WorkItem::Definition));
    }

    fn begin(world: &mut World) -> Vec<WorkItem> {
        world.catalogue.facets().cloned().map(WorkItem::Facet).collect()
    }
}

impl World {
    fn put_facet(&mut self, facet: Reading<Arc<str>, Arc<FacetDefinition>>) {
        let name = Arc::clone(&facet.key);
        let Some(definitions) = self.catalogue.put_facet(facet) else { return };
        self.work.insert(WorkItem::Facet(name));
        self.work.extend(definitions.into_iter().map(WorkItem::Definition));
    }
}
