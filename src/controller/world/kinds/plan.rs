//! Plans and add-ons.

use super::{News, WatchedKind, but_for_status, named};
use crate::{
    api::EntitlementPlan,
    controller::{
        guarded::Guarded,
        work::WorkItem,
        world::{World, store::Reading},
    },
};
use kube::{Api, Client, runtime::watcher::Event};
use std::{collections::BTreeSet, sync::Arc};

impl WatchedKind for EntitlementPlan {
    type Object = Guarded<Self>;
    type State = Reading<Arc<str>, Arc<Self>>;

    fn api(client: Client, _namespace: &str) -> Api<Self::Object> {
        Api::all(client)
    }

    fn read(event: Event<Self::Object>) -> News<Self::State> {
        News::guarded(event, named)
    }

    fn observe(world: &mut World, news: News<Self::State>) {
        let outdated = match news {
            News::ListBegins => {
                world.catalogue.plans.begin_list();
                BTreeSet::new()
            }
            News::Changed(plan) => {
                let name = Arc::clone(&plan.key);
                let spec = |world: &World| world.catalogue.plans.get(&name).map(but_for_status);
                world.take_in(&WorkItem::Plan(Arc::clone(&name)), spec, |world| world.put_plan(plan));
                BTreeSet::new()
            }
            News::Listed(plan) => {
                world.put_plan(plan);
                BTreeSet::new()
            }
            News::Unreadable(metadata, why) => world.catalogue.plans.put_unreadable(&metadata, why),
            News::Gone(metadata) => world.catalogue.plans.remove(&metadata),
            News::ListEnds => world.catalogue.plans.finish_list(),
        };
        world.touch_plans(outdated);
    }

    fn begin(world: &mut World) -> Vec<WorkItem> {
        world.catalogue.plan_names().into_iter().map(WorkItem::Plan).collect()
    }
}

impl World {
    fn put_plan(&mut self, plan: Reading<Arc<str>, Arc<EntitlementPlan>>) {
        let name = Arc::clone(&plan.key);
        let Some(outdated) = self.catalogue.plans.put(plan) else { return };
        self.touch_plan(&name);
        self.touch_plans(outdated);
    }

    /// The answer to a write of a plan's status.
    pub fn wrote_plan(&mut self, plan: Reading<Arc<str>, Arc<EntitlementPlan>>) {
        if self.catalogue.plans.get(&plan.key).is_none() {
            return;
        }
        let outdated = self.catalogue.plans.put(plan).unwrap_or_default();
        self.touch_plans(outdated);
    }
}
