//! Definitions.

use super::{News, WatchedKind, but_for_status, named};
use crate::{
    api::EntitlementDefinition,
    controller::{
        guarded::Guarded,
        work::WorkItem,
        world::{World, store::Reading, tenancy::name_of},
    },
};
use kube::{Api, Client, runtime::watcher::Event};
use std::{collections::BTreeSet, sync::Arc};

impl WatchedKind for EntitlementDefinition {
    type Object = Guarded<Self>;
    type State = Reading<Arc<str>, Arc<Self>>;

    fn api(client: Client, _namespace: &str) -> Api<Self::Object> {
        Api::all(client)
    }

    fn read(event: Event<Self::Object>) -> News<Self::State> {
        News::guarded(event, named)
    }

    fn observe(world: &mut World, news: News<Self::State>) {
        match news {
            News::ListBegins => world.catalogue.begin_definitions(),
            News::Changed(definition) => {
                let name = Arc::clone(&definition.key);
                let spec = |world: &World| world.catalogue.definition(&name).map(but_for_status);
                world.take_in(&WorkItem::Definition(Arc::clone(&name)), spec, |world| world.put_definition(definition));
            }
            News::Listed(definition) => world.put_definition(definition),
            News::Unreadable(metadata, why) => {
                let name = name_of(&metadata);
                let facets_before = world.catalogue.facets_of(&name);
                if world.catalogue.put_unreadable_definition(&metadata, why) {
                    world.touch_definition(&name);
                    world.changed_facets_of(&name, &facets_before);
                }
            }
            News::Gone(metadata) => {
                let name = name_of(&metadata);
                let facets_before = world.catalogue.facets_of(&name);
                world.catalogue.remove_definition(&metadata);
                world.touch_definition(&name);
                world.changed_facets_of(&name, &facets_before);
            }
            News::ListEnds => {
                for name in world.catalogue.finish_definitions() {
                    world.touch_definition(&name);
                }
            }
        }
    }

    fn begin(world: &mut World) -> Vec<WorkItem> {
        world.catalogue.definitions().into_iter().map(WorkItem::Definition).collect()
    }
}

impl World {
    fn put_definition(&mut self, definition: Reading<Arc<str>, Arc<EntitlementDefinition>>) {
        let name = Arc::clone(&definition.key);
        let facets_before = self.catalogue.facets_of(&name);
        if self.catalogue.put_definition(definition).is_some() {
            self.touch_definition(&name);
            self.changed_facets_of(&name, &facets_before);
        }
    }

    /// What grants of a definition state counts for the facet definitions to which it refers, and for no others any more.
    fn changed_facets_of(&mut self, definition: &str, before: &BTreeSet<Arc<str>>) {
        let after = self.catalogue.facets_of(definition);
        for facet in before.symmetric_difference(&after) {
            self.touch_gently(WorkItem::Facet(Arc::clone(facet)));
        }
    }
}
