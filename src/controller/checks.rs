//! What is asked of the controller by whoever checks what an organization is entitled to: on every replica, of what is in memory.

use super::{
    knowledge::Knowledge,
    metering::{asked_for, is_asked_for},
    world::{NamedCatalogue, World},
};
use crate::{
    evaluation::{
        Snapshot,
        catalogue::CatalogueEntry,
        standing::Standing,
        status::metered::{StoreStanding, replaced},
        usage::MeterFacts,
    },
    metering::{ReadElsewhere, SourceHearing},
    render::flags::Offers,
    store::meter::MeterId,
};
use std::sync::Arc;

impl Knowledge {
    /// Everything by which is decided what an organization is entitled to, but for what is used. None where it can't be told now.
    #[must_use]
    pub fn snapshot(&self, organization: &Arc<str>) -> Option<Snapshot> {
        self.inquire(|world| world.known_snapshot(organization).ok())
    }

    /// A definition as it is in the catalogue. None where there is none, or it can't be told now.
    #[must_use]
    pub fn definition(&self, name: &Arc<str>) -> Option<Arc<CatalogueEntry>> {
        self.inquire(|world| world.definition_entry(name))
    }

    /// The organization that is served in a namespace. To be listed by one does not suffice.
    #[must_use]
    pub fn served_in(&self, namespace: &str) -> Option<Arc<str>> {
        let holder = self.inquire(|world| world.holder_of_namespace(namespace))?;
        let standing = Standing::of(&self.snapshot(&holder)?);
        standing.served.iter().any(|served| **served == *namespace).then_some(holder)
    }

    /// Every definition that is ready. None where that can't be told now.
    #[must_use]
    pub fn offers(&self) -> Option<Arc<Offers>> {
        self.inquire(World::all_offers)
    }

    /// All plans and definitions, as they are in the catalogue.
    #[must_use]
    pub fn whole_catalogue(&self) -> NamedCatalogue {
        self.inquire(World::whole_catalogue)
    }

    /// What is known of a meter as it counts: what Prometheus is asked for is heard as long as that answers, too. Whether it does is
    /// known here by the replica that asks it; `source` tells it to the others.
    pub async fn heard(
        &self,
        definition: &str,
        entry: &Arc<CatalogueEntry>,
        facts: Arc<MeterFacts>,
        source: impl Future<Output = SourceHearing>,
    ) -> Arc<MeterFacts> {
        let context = self.context();
        if !is_asked_for(Some(entry)) {
            return facts;
        }
        if context.options.prometheus.is_none() || context.gate.tenure_number().is_some() {
            return asked_for(context, definition, &facts);
        }
        facts.heard_as(source.await.limits(facts.heard))
    }

    /// What the controller has read of a meter, which it looks at as often as anything is written.
    #[must_use]
    pub fn read_of(&self, meter: &MeterId) -> Option<ReadElsewhere> {
        self.context().meters.read(meter)
    }

    /// What is said of the store, where it is another one than it was.
    #[must_use]
    pub fn store_notice(&self) -> Option<String> {
        match self.context().meters.standing() {
            StoreStanding::Replaced(how) => Some(replaced(&how)),
            _ => None,
        }
    }

    fn inquire<R>(&self, of: impl FnOnce(&World) -> R) -> R {
        self.context().world(|world| of(world))
    }
}
