//! Decisions on overrides.

use super::{News, WatchedKind, source};
use crate::{
    api::OverrideDecision,
    controller::{
        guarded::Guarded,
        world::{
            World,
            decisions::{DecisionId, Override},
            store::{Identity, Reading},
        },
    },
    core::{
        approval::StatedDecision,
        served::{NamespaceSet, ServedNamespaces},
        source::overrides,
    },
};
use kube::{Api, Client, runtime::watcher::Event};
use std::{borrow::Cow, sync::Arc};

impl WatchedKind for OverrideDecision {
    type Object = Guarded<Self>;
    type State = Reading<DecisionId, StatedDecision>;

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
        world.decisions.begin_list_within(namespace);
    }

    fn finish_list_within(world: &mut World, namespace: &Arc<str>) {
        let concerned = world.decisions.finish_list_within(namespace);
        world.touch_overrides(&concerned);
    }

    fn needs() -> Vec<Cow<'static, str>> {
        source::needs()
    }

    fn read(event: Event<Self::Object>) -> News<Self::State> {
        News::guarded(event, |object| Reading {
            key: DecisionId::of(&object.metadata),
            identity: Identity::of(&object.metadata),
            value: overrides::decision(&object),
        })
    }

    fn observe(world: &mut World, news: News<Self::State>) {
        let concerned = match news {
            News::ListBegins => {
                world.decisions.begin_list();
                Vec::new()
            }
            News::Listed(decision) | News::Changed(decision) => world.decisions.put(decision),
            // What was decided can't be told from it, and it is immutable: it counts as what was known of it, or not at all.
            News::Unreadable(metadata, why) => world.decisions.put_unreadable(&metadata, why),
            News::Gone(metadata) => world.decisions.remove(&metadata),
            News::ListEnds => world.decisions.finish_list(),
        };
        world.touch_overrides(&concerned);
    }
}

impl World {
    /// Something else was decided of overrides.
    fn touch_overrides(&mut self, concerned: &[Override]) {
        let organizations: Vec<Arc<str>> =
            concerned.iter().filter_map(|one| self.grants.organization_of_override(one)).collect();
        self.touch_organizations(organizations);
    }
}
