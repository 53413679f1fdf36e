//! Definitions, facet definitions, plans and kept revisions, and what has been made of them.

use super::{
    kept_revisions::KeptRevisions,
    plans::{PlanStore, PlanView},
    section::{CatalogueSection, KeptView, NotYetRead, ServingChange, differs},
    store::{Identity, Put, PutUnreadable, Reading, Store},
    tenancy::name_of,
    users::Users,
};
use crate::{
    api::{EntitlementDefinition, EntitlementPlanSpec, FacetDefinition},
    core::plan::Plan,
    evaluation::{
        admission::PlanSurroundings,
        catalogue::{CatalogueEntry, CatalogueId, CatalogueKind, CompiledDefinition, Revision, Served},
    },
    render::flags::{Offer, Offers},
};
use kube::api::ObjectMeta;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// All that is known of one definition.
#[derive(Clone, Debug)]
pub struct DefinitionView {
    /// As it is now, where it exists and was readable once.
    pub definition: Option<Arc<EntitlementDefinition>>,
    /// Why it can't be read, where nothing readable is known of it.
    pub unreadable: Option<String>,
    /// The facet definitions that it refers to.
    pub facets: BTreeMap<String, Arc<FacetDefinition>>,
    /// Facet definitions that exist, but of which no readable state is known, with the reason.
    pub unreadable_facets: BTreeMap<String, String>,
    /// What is kept of it, and what serves.
    pub kept: KeptView<CompiledDefinition>,
}

/// What a change of what serves changes.
#[derive(Clone, Debug, Default)]
pub struct Serving {
    /// Something for grants of the definition.
    pub changes_grants: bool,
    /// Which definitions are ready, or which kind one has.
    pub changes_offers: bool,
    /// What served before, where something else does now.
    pub replaced: Option<Arc<CatalogueEntry>>,
}

/// The catalogue.
#[derive(Default)]
pub struct Catalogue {
    definitions: CatalogueSection<EntitlementDefinition, CompiledDefinition>,
    facets: Store<Arc<str>, Arc<FacetDefinition>>,
    /// Definitions that refer to a facet definition.
    users: Users,
    /// The plans.
    pub(super) plans: PlanStore,
    revisions: KeptRevisions,
    /// What is ready.
    offers: Arc<Offers>,
    /// Whether something was made of every definition that there is, once.
    is_read_through: bool,
}

impl Catalogue {
    /// A state of a definition; None if it is not news, else whether more than its status has changed.
    pub fn put_definition(&mut self, definition: Reading<Arc<str>, Arc<EntitlementDefinition>>) -> Option<bool> {
        let (name, after) = (Arc::clone(&definition.key), Arc::clone(&definition.value));
        let (before, has_changed) = self.definitions.put(definition)?;
        self.relink_users(&name, before.as_deref(), Some(&after));
        Some(has_changed)
    }

    /// A definition that could not be read, and why. What was known of it stays; false if that changes nothing.
    pub fn put_unreadable_definition(&mut self, metadata: &ObjectMeta, why: String) -> bool {
        let PutUnreadable::Unknown(before) = self.definitions.put_unreadable(metadata, why) else { return false };
        self.relink_users(&name_of(metadata), before.as_deref(), None);
        true
    }

    /// A definition is gone.
    pub fn remove_definition(&mut self, metadata: &ObjectMeta) {
        let before = self.definitions.remove(metadata);
        self.relink_users(&name_of(metadata), before.as_deref(), None);
    }

    /// A list of definitions begins.
    pub fn begin_definitions(&mut self) {
        self.definitions.begin_list();
    }

    /// A list of definitions is complete; those that are gone.
    pub fn finish_definitions(&mut self) -> Vec<Arc<str>> {
        let gone = self.definitions.finish_list();
        for (name, before) in &gone {
            self.relink_users(name, before.as_deref(), None);
        }
        gone.into_iter().map(|(name, _)| name).collect()
    }

    fn relink_users(
        &mut self,
        name: &Arc<str>,
        before: Option<&EntitlementDefinition>,
        after: Option<&EntitlementDefinition>,
    ) {
        self.users.relink(name, before.into_iter().flat_map(facets_of), after.into_iter().flat_map(facets_of));
    }

    /// A state of a facet definition; None if it is not news, else the definitions that have to be made anew.
    pub fn put_facet(&mut self, facet: Reading<Arc<str>, Arc<FacetDefinition>>) -> Option<BTreeSet<Arc<str>>> {
        let Reading { key: name, identity, value: facet } = facet;
        let put = self.facets.put(Arc::clone(&name), identity, Arc::clone(&facet));
        let Put::Stored(before) = put else { return None };
        if !differs(before.as_ref().map(|before| &before.metadata), &facet.metadata) {
            return Some(BTreeSet::new());
        }
        Some(self.outdate_users(&name))
    }

    /// A facet definition that could not be read, and why. What was known of it stays; None if that changes nothing, else the
    /// definitions that have to be made anew.
    pub fn put_unreadable_facet(&mut self, metadata: &ObjectMeta, why: String) -> Option<BTreeSet<Arc<str>>> {
        let name = name_of(metadata);
        match self.facets.put_unreadable(&name, Identity::of(metadata), why) {
            PutUnreadable::Unknown(_) => Some(self.outdate_users(&name)),
            PutUnreadable::Stale | PutUnreadable::Kept => None,
        }
    }

    /// A facet definition is gone; the definitions that have to be made anew.
    pub fn remove_facet(&mut self, metadata: &ObjectMeta) -> BTreeSet<Arc<str>> {
        let name = name_of(metadata);
        self.facets.remove(&name, &Identity::of(metadata));
        self.outdate_users(&name)
    }

    /// A list of facet definitions begins.
    pub fn begin_facets(&mut self) {
        self.facets.begin_list();
    }

    /// A list of facet definitions is complete; the definitions that have to be made anew.
    pub fn finish_facets(&mut self) -> BTreeSet<Arc<str>> {
        let gone = self.facets.finish_list();
        gone.iter().flat_map(|(name, _)| self.outdate_users(name)).collect()
    }

    fn outdate_users(&mut self, facet: &str) -> BTreeSet<Arc<str>> {
        let users: BTreeSet<_> = self.users.of(facet).cloned().collect();
        users.iter().cloned().for_each(|user| self.definitions.change(user));
        users
    }

    /// A state of a revision, from the watch or from the answer to a write; the object that it is of, if it is news.
    pub fn put_revision(&mut self, revision: Reading<Arc<str>, Option<Arc<Revision>>>) -> Option<CatalogueId> {
        let (object, has_changed) = self.revisions.put(revision)?;
        if has_changed {
            self.outdate(&object);
        }
        Some(object)
    }

    /// A revision that could not be read, and why. What was known of it stays; the object that it is of, if that changes anything.
    pub fn put_unreadable_revision(&mut self, metadata: &ObjectMeta, why: String) -> Option<CatalogueId> {
        let object = self.revisions.put_unreadable(metadata, why)?;
        self.outdate(&object);
        Some(object)
    }

    /// A revision is gone; the object that it is of.
    pub fn remove_revision(&mut self, metadata: &ObjectMeta) -> Option<CatalogueId> {
        let object = self.revisions.remove(metadata)?;
        self.outdate(&object);
        Some(object)
    }

    /// The operator has deleted a revision.
    pub fn forget_revision(&mut self, name: &Arc<str>) {
        self.revisions.forget(name);
    }

    /// A list of revisions begins.
    pub fn begin_revisions(&mut self) {
        self.revisions.begin_list();
    }

    /// A list of revisions is complete; the objects that have lost some.
    pub fn finish_revisions(&mut self) -> BTreeSet<CatalogueId> {
        let lost = self.revisions.finish_list();
        for object in &lost {
            self.outdate(object);
        }
        lost.into_iter().collect()
    }

    /// Everything about one definition. What changes from now on makes it stale again.
    pub fn view(&mut self, name: &Arc<str>) -> DefinitionView {
        let definition = self.definitions.get(name).cloned();
        let facets = || definition.iter().flat_map(|definition| facets_of(definition));
        let unreadable = |facet: &str| Some((facet.to_owned(), self.facets.unreadable(&facet.into())?.to_owned()));
        let known = |facet: &str| Some((facet.to_owned(), Arc::clone(self.facets.get(&facet.into())?)));
        DefinitionView {
            facets: facets().filter_map(known).collect(),
            unreadable_facets: facets().filter_map(unreadable).collect(),
            unreadable: self.definitions.unreadable(name).map(str::to_owned),
            kept: self.definitions.view(name, &self.revisions),
            definition,
        }
    }

    /// What was made of an object is no longer to be relied on.
    pub fn outdate(&mut self, object: &CatalogueId) {
        match object.kind {
            CatalogueKind::Definition => self.definitions.outdate(Arc::clone(&object.name)),
            CatalogueKind::Plan => self.plans.outdate(&object.name),
            #[cfg(test)]
            CatalogueKind::Dummy => {}
        }
    }

    /// From now on this serves, which was made from the view of that version.
    pub fn serve(&mut self, name: &Arc<str>, served: Served, version: u64) -> Serving {
        let offer = served.entry.offer();
        let ServingChange { is_any, replaced } = self.definitions.serve(name, served, version);
        Serving { changes_grants: is_any, changes_offers: self.offer(name, offer), replaced }
    }

    /// What serves is made anew of everything. What was ready is taken to be so until then.
    pub fn forget_served(&mut self) {
        self.definitions.forget_served();
        self.plans.forget_served();
    }

    /// Everything about one plan. What changes from now on makes it stale again. An error if a definition that it needs has not
    /// been made yet.
    pub fn plan_view(&mut self, name: &Arc<str>) -> Result<PlanView, NotYetRead> {
        self.plans.view(name, &self.definitions, &self.revisions)
    }

    /// What a plan that would name what these name is judged with.
    pub fn plan_surroundings<'a>(
        &self,
        name: &Arc<str>,
        named: impl IntoIterator<Item = &'a EntitlementPlanSpec>,
    ) -> Result<PlanSurroundings, NotYetRead> {
        self.plans.surroundings(name, named, &self.definitions, &self.revisions)
    }

    /// The plans that give a definition, with all that they need.
    pub fn plans_giving(&self, definition: &str) -> Result<PlanSurroundings, NotYetRead> {
        self.plans.surroundings_of_definition(definition, &self.definitions, &self.revisions)
    }

    /// The entry of a plan. An error if there is something to make one of, which has not been done yet.
    pub fn plan_entry(&self, name: &Arc<str>) -> Result<Option<Arc<CatalogueEntry<Plan>>>, NotYetRead> {
        self.plans.entry(name, &self.revisions)
    }

    /// The same, but what served before where all is being made anew: for those who only ask.
    pub fn known_plan_entry(&self, name: &Arc<str>) -> Result<Option<Arc<CatalogueEntry<Plan>>>, NotYetRead> {
        self.plans.known_entry(name, &self.revisions)
    }

    /// [`Self::plan_entry`], but an error also if what it was made of has changed since.
    pub fn current_plan_entry(&self, name: &Arc<str>) -> Result<Option<Arc<CatalogueEntry<Plan>>>, NotYetRead> {
        self.plans.current_entry(name, &self.revisions)
    }

    /// All names that a plan or its revisions have.
    pub fn plan_names(&self) -> BTreeSet<Arc<str>> {
        self.plans.names(&self.revisions)
    }

    /// A definition is gone, and nothing is left of it.
    pub fn drop_served(&mut self, name: &Arc<str>) -> Serving {
        let changes_grants = self.definitions.drop_served(name);
        Serving { changes_grants, changes_offers: self.offer(name, None), replaced: None }
    }

    /// What is offered of one definition from now on. True if that changes what is offered, or makes it known as a whole.
    fn offer(&mut self, name: &Arc<str>, offer: Option<Offer>) -> bool {
        let was_read_through = self.is_read_through;
        self.is_read_through = self.is_read_through();
        if self.offers.get(name) == offer.as_ref() {
            return self.is_read_through != was_read_through;
        }
        let offers = Arc::make_mut(&mut self.offers);
        match offer {
            Some(offer) => offers.insert(Arc::clone(name), offer),
            None => offers.remove(name),
        };
        self.is_read_through
    }

    fn is_read_through(&self) -> bool {
        self.is_read_through || self.definitions.is_read_through()
    }

    /// Every definition that is ready. An error as long as not all that there are have been looked at since the start: what is
    /// missing would look like what was taken out of the catalogue.
    pub fn offers(&self) -> Result<Arc<Offers>, NotYetRead> {
        if self.is_read_through() { Ok(Arc::clone(&self.offers)) } else { Err(NotYetRead) }
    }

    /// The entry of a definition. An error if there is something to make one of, which has not been done yet.
    pub fn entry(&self, name: &Arc<str>) -> Result<Option<Arc<CatalogueEntry>>, NotYetRead> {
        self.definitions.entry(name, &self.revisions)
    }

    /// The same, but what served before where all is being made anew: for those who only ask.
    pub fn known_entry(&self, name: &Arc<str>) -> Result<Option<Arc<CatalogueEntry>>, NotYetRead> {
        self.definitions.known_entry(name, &self.revisions)
    }

    /// [`Self::entry`], but an error also if what it was made of has changed since.
    pub fn current_entry(&self, name: &Arc<str>) -> Result<Option<Arc<CatalogueEntry>>, NotYetRead> {
        self.definitions.current_entry(name, &self.revisions)
    }

    /// How many definitions there are.
    pub fn definition_count(&self) -> usize {
        self.definitions.count()
    }

    /// The names of the definitions that there are.
    pub fn definition_names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.definitions.keys()
    }

    /// A definition as it is now, where it exists and was readable once.
    pub fn definition(&self, name: &Arc<str>) -> Option<&Arc<EntitlementDefinition>> {
        self.definitions.get(name)
    }

    /// The facet definitions that a definition refers to as it is now.
    pub fn facets_of(&self, definition: &str) -> BTreeSet<Arc<str>> {
        let definition = self.definitions.get(&definition.into());
        definition.into_iter().flat_map(|definition| facets_of(definition)).map(Arc::from).collect()
    }

    /// Definitions that refer to a facet definition.
    pub fn users(&self, facet: &str) -> impl Iterator<Item = &Arc<str>> {
        self.users.of(facet)
    }

    /// A facet definition.
    pub fn facet(&self, name: &Arc<str>) -> Option<Arc<FacetDefinition>> {
        self.facets.get(name).cloned()
    }

    /// All names that a definition or its revisions have.
    pub fn definitions(&self) -> BTreeSet<Arc<str>> {
        self.definitions.names(&self.revisions)
    }

    /// All facet definitions.
    pub fn facets(&self) -> impl Iterator<Item = &Arc<str>> {
        self.facets.keys()
    }
}

fn facets_of(definition: &EntitlementDefinition) -> impl Iterator<Item = &str> {
    definition.spec.facets.iter().filter_map(|facet| facet.definition.as_deref())
}
