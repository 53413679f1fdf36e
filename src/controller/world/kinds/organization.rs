//! Organizations.

use super::{News, WatchedKind, but_for_status, named};
use crate::{
    api::Organization,
    controller::{
        guarded::Guarded,
        work::WorkItem,
        world::{World, store::Reading},
    },
};
use kube::{Api, Client, runtime::watcher::Event};
use std::sync::Arc;

impl WatchedKind for Organization {
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
            News::ListBegins => world.tenancy.begin_list(),
            News::Changed(organization) => {
                let name = Arc::clone(&organization.key);
                let spec = |world: &World| world.tenancy.get(&name).map(but_for_status);
                world.take_in(&WorkItem::Organization(Arc::clone(&name)), spec, |world| {
                    world.put_organization(organization);
                });
            }
            News::Listed(organization) => world.put_organization(organization),
            News::Unreadable(metadata, why) => {
                if let Some(change) = world.tenancy.put_unreadable(&metadata, why) {
                    world.changed_organization(&change);
                }
            }
            News::Gone(metadata) => {
                let change = world.tenancy.remove(&metadata);
                world.changed_organization(&change);
            }
            News::ListEnds => {
                for change in world.tenancy.finish_list() {
                    world.changed_organization(&change);
                }
            }
        }
    }

    fn begin(world: &mut World) -> Vec<WorkItem> {
        world.tenancy.organizations().cloned().map(WorkItem::Organization).collect()
    }
}

impl World {
    fn put_organization(&mut self, organization: Reading<Arc<str>, Arc<Organization>>) {
        if let Some(change) = self.tenancy.put(organization) {
            self.changed_organization(&change);
        }
    }
}
