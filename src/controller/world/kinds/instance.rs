//! Instances. Which of them are kept as a whole is up to their organizations, so these have to be known before.

use super::{News, WatchedKind, namespace_of, resource};
use crate::{
    api::{EntitlementInstance, Organization},
    controller::{
        guarded::Guarded,
        work::WorkItem,
        world::{
            World,
            kept::{KeptInstance, WholeInstance},
            store::Reading,
        },
    },
    core::{
        served::{NamespaceSet, ServedNamespaces},
        source::SourceId,
    },
};
use kube::{Api, Client, runtime::watcher::Event};
use std::{borrow::Cow, sync::Arc};

impl WatchedKind for EntitlementInstance {
    type Object = Guarded<Self>;
    type State = Reading<SourceId, WholeInstance>;

    fn api(client: Client, _namespace: &str) -> Api<Self::Object> {
        Api::all(client)
    }

    fn within(served: &ServedNamespaces) -> &NamespaceSet {
        served.all()
    }

    fn api_within(client: Client, namespace: &str) -> Api<Self::Object> {
        Api::namespaced(client, namespace)
    }

    fn begin_list_within(world: &mut World, namespace: &Arc<str>) {
        world.grants.begin_list_within(namespace);
    }

    fn finish_list_within(world: &mut World, namespace: &Arc<str>) {
        let gone = world.grants.finish_list_within(namespace);
        world.lose_instances(gone);
    }

    fn needs() -> Vec<Cow<'static, str>> {
        vec![resource::<Organization>()]
    }

    fn read(event: Event<Self::Object>) -> News<Self::State> {
        News::guarded(event, |instance| WholeInstance::read(&instance))
    }

    fn observe(world: &mut World, news: News<Self::State>) {
        match news {
            News::ListBegins => world.grants.begin_list(),
            News::Changed(instance) => {
                let id = instance.key.clone();
                let spec = |world: &World| Some((world.grants.uid(&id)?, world.grants.spec_state(&id)?));
                world.take_in(&WorkItem::Instance(id.clone()), spec, |world| world.observe_whole_instance(instance));
            }
            News::Listed(instance) => world.observe_whole_instance(instance),
            News::Unreadable(metadata, why) => {
                let namespace = namespace_of(&metadata);
                let change = world.change_grants(&namespace, |grants| grants.put_unreadable(&metadata, why));
                world.changed_grants(change.unwrap_or_default());
            }
            News::Gone(metadata) => {
                let namespace = namespace_of(&metadata);
                match world.change_grants(&namespace, |grants| grants.remove(&metadata)) {
                    Some(change) => world.changed_grants(change),
                    None => world.lost_unreadable_instance(),
                }
            }
            News::ListEnds => {
                let gone = world.grants.finish_list();
                world.lose_instances(gone);
            }
        }
    }

    fn begin(world: &mut World) -> Vec<WorkItem> {
        world.barred = world.grants.all_barred().cloned().collect();
        let organizations = world.grants.organizations().cloned().map(WorkItem::Organization);
        organizations.chain(world.grants.sources().cloned().map(WorkItem::Source)).collect()
    }
}

impl World {
    fn observe_whole_instance(&mut self, instance: Reading<SourceId, WholeInstance>) {
        if let Some(change) = self.put_instance(instance) {
            self.changed_grants(change);
        }
    }

    fn lose_instances(&mut self, gone: Vec<(SourceId, Option<KeptInstance>)>) {
        let mut has_lost_unreadable = false;
        for (id, known) in gone {
            let held_before = self.grants.holder(&id.namespace);
            let Some(change) = self.grants.lose(&id, known) else {
                has_lost_unreadable = true;
                continue;
            };
            self.changed_holder(&id.namespace, held_before.as_ref());
            self.work.extend(change.definitions.iter().cloned().map(WorkItem::Definition));
            self.touch_facets_of(&change.invalid);
            self.changed_sources(&change.sources);
            self.changed_grants(change);
        }
        if has_lost_unreadable {
            self.lost_unreadable_instance();
        }
    }

    /// What was delivered for an instance stays as long as it can't be read. Once it is gone, nobody knows whose that was.
    fn lost_unreadable_instance(&mut self) {
        let all: Vec<_> = self.tenancy.organizations().cloned().collect();
        self.touch_organizations(all);
    }
}
