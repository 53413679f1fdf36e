//! The kinds that grants come from. Which objects of them are kept as a whole is up to their organizations, so these have to be known
//! before.

use super::{News, namespace_of, resource};
use crate::{
    api::Organization,
    controller::{
        work::WorkItem,
        world::{
            World,
            kept::{KeptSource, WholeSource},
            store::Reading,
        },
    },
    core::source::{SourceId, SourceKind},
};
use std::borrow::Cow;

/// Watches a kind of sources: all of them the same way.
macro_rules! watched_source {
    ($kind:ty) => {
        impl WatchedKind for $kind {
            type Object = Guarded<Self>;
            type State = Reading<SourceId, WholeSource>;

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
                world.grants.begin_list_within(<$kind>::KIND, namespace);
            }

            fn finish_list_within(world: &mut World, namespace: &Arc<str>) {
                let gone = world.grants.finish_list_within(<$kind>::KIND, namespace);
                world.lose_sources(gone);
            }

            fn needs() -> Vec<Cow<'static, str>> {
                source::needs()
            }

            fn read(event: Event<Self::Object>) -> News<Self::State> {
                News::guarded(event, |object| WholeSource::read(&object))
            }

            fn observe(world: &mut World, news: News<Self::State>) {
                world.observe_source(<$kind>::KIND, news);
            }

            fn begin(world: &mut World) -> Vec<WorkItem> {
                world.begin_sources(<$kind>::KIND)
            }
        }
    };
}
pub(super) use watched_source;

/// What has to be listed before a source is watched.
pub fn needs() -> Vec<Cow<'static, str>> {
    vec![resource::<Organization>()]
}

impl World {
    pub(super) fn observe_source(&mut self, kind: SourceKind, news: News<Reading<SourceId, WholeSource>>) {
        match news {
            News::ListBegins => self.grants.begin_list(kind),
            News::Changed(source) => {
                let id = source.key.clone();
                let spec = |world: &Self| Some((world.grants.uid(&id)?, world.grants.spec_state(&id)?));
                self.take_in(&WorkItem::GrantSource(id.clone()), spec, |world| world.observe_whole_source(source));
            }
            News::Listed(source) => self.observe_whole_source(source),
            News::Unreadable(metadata, why) => {
                let namespace = namespace_of(&metadata);
                let change = self.change_grants(&namespace, |grants| grants.put_unreadable(kind, &metadata, why));
                self.changed_grants(change.unwrap_or_default());
            }
            News::Gone(metadata) => {
                let namespace = namespace_of(&metadata);
                match self.change_grants(&namespace, |grants| grants.remove(kind, &metadata)) {
                    Some(change) => self.changed_grants(change),
                    None => self.lost_unreadable_source(),
                }
            }
            News::ListEnds => {
                let gone = self.grants.finish_list(kind);
                self.lose_sources(gone);
            }
        }
    }

    pub(super) fn begin_sources(&mut self, kind: SourceKind) -> Vec<WorkItem> {
        let barred = self.grants.all_barred(kind).cloned();
        self.barred.extend(barred);
        // Whatever else an organization has is found with it.
        let organizations = self.grants.organizations().cloned().map(WorkItem::Organization);
        organizations.chain(self.grants.secrets().cloned().map(WorkItem::Source)).collect()
    }

    fn observe_whole_source(&mut self, source: Reading<SourceId, WholeSource>) {
        if let Some(change) = self.put_source(source) {
            self.changed_grants(change);
        }
    }

    pub(super) fn lose_sources(&mut self, gone: Vec<(SourceId, Option<KeptSource>)>) {
        let mut has_lost_unreadable = false;
        for (id, known) in gone {
            let held_before = self.grants.holder(&id.namespace);
            let Some(change) = self.grants.lose(&id, known) else {
                has_lost_unreadable = true;
                continue;
            };
            self.changed_holder(&id.namespace, held_before.as_ref());
            self.work.extend(change.definitions.iter().cloned().map(WorkItem::Definition));
            self.work.extend(change.plans.iter().cloned().map(WorkItem::Plan));
            self.touch_facets_of(&change.invalid);
            self.changed_secrets(&change.secrets);
            self.changed_grants(change);
        }
        if has_lost_unreadable {
            self.lost_unreadable_source();
        }
    }

    /// What was delivered for a source stays as long as it can't be read. Once it is gone, nobody knows whose that was.
    fn lost_unreadable_source(&mut self) {
        let all: Vec<_> = self.tenancy.organizations().cloned().collect();
        self.touch_organizations(all);
    }
}
