//! Reports of usage.

use super::{News, WatchedKind, source};
use crate::{
    api::EntitlementUsage,
    controller::{
        clock,
        guarded::Guarded,
        work::WorkItem,
        world::{World, store::Reading, usage::WholeReport},
    },
    core::{
        served::{NamespaceSet, ServedNamespaces},
        usage::report::ReportId,
    },
};
use kube::{Api, Client, runtime::watcher::Event};
use std::{borrow::Cow, sync::Arc};

impl WatchedKind for EntitlementUsage {
    type Object = Guarded<Self>;
    type State = Reading<ReportId, WholeReport>;

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
        world.begin_reports_within(namespace);
    }

    fn finish_list_within(world: &mut World, namespace: &Arc<str>) {
        world.finish_reports_within(namespace);
    }

    fn needs() -> Vec<Cow<'static, str>> {
        // Which of them are kept as a whole is up to their organizations, as it is with grants.
        source::needs()
    }

    fn read(event: Event<Self::Object>) -> News<Self::State> {
        News::guarded(event, |report| WholeReport::read(&report, clock::now()))
    }

    fn observe(world: &mut World, news: News<Self::State>) {
        world.observe_report(news);
    }

    fn begin(world: &mut World) -> Vec<WorkItem> {
        world.begin_reports()
    }
}
