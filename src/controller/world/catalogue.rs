//! Definitions, facet definitions and kept revisions, and what has been made of them.

use super::{
    store::{Identity, Put, PutUnreadable, Reading, Store},
    tenancy::name_of,
};
use crate::{
    api::{EntitlementDefinition, FacetDefinition},
    evaluation::catalogue::{CatalogueEntry, Revision},
    render::flags::{Offer, Offers},
};
use kube::api::ObjectMeta;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// What serves, with the hash of what it was made of.
#[derive(Clone, Debug)]
pub struct Served {
    /// The catalogue's entry.
    pub entry: Arc<CatalogueEntry>,
    /// The hash of the source of what serves.
    pub hash: Option<Arc<str>>,
    /// The version of the view that it was made from.
    pub version: u64,
}

/// All that is known of one definition.
#[derive(Clone, Debug)]
pub struct DefinitionView {
    /// As it is now, where it exists and was readable once.
    pub definition: Option<Arc<EntitlementDefinition>>,
    /// Why it can't be read, where nothing readable is known of it.
    pub unreadable: Option<String>,
    /// The facet definitions that it refers to.
    pub facets: BTreeMap<String, Arc<FacetDefinition>>,
    /// Those facet definitions that are there, but of which nothing readable is known, with the reason.
    pub unreadable_facets: BTreeMap<String, String>,
    /// Its kept revisions, the oldest first.
    pub revisions: Vec<Arc<Revision>>,
    /// What serves up to now.
    pub served: Option<Served>,
    /// Whether anything has changed since what serves was made.
    pub is_stale: bool,
    /// How often the definition, or a facet definition that it uses, has changed so far.
    pub version: u64,
}

/// What a change of what serves changes.
#[derive(Clone, Debug, Default)]
pub struct Serving {
    /// Something for grants of the definition.
    pub changes_grants: bool,
    /// Which definitions are ready, or of which kind one is.
    pub changes_offers: bool,
    /// What served before, where something else does now.
    pub replaced: Option<Arc<CatalogueEntry>>,
}

/// The catalogue.
#[derive(Default)]
pub struct Catalogue {
    definitions: Store<Arc<str>, Arc<EntitlementDefinition>>,
    facets: Store<Arc<str>, Arc<FacetDefinition>>,
    /// Definitions that refer to a facet definition.
    users: HashMap<Arc<str>, BTreeSet<Arc<str>>>,
    revisions: Store<Arc<str>, Arc<Revision>>,
    revisions_of: HashMap<Arc<str>, BTreeSet<(i64, Arc<str>)>>,
    served: HashMap<Arc<str>, Served>,
    /// What is ready.
    offers: Arc<Offers>,
    /// Whether something was made of every definition that there is, once.
    is_read_through: bool,
    stale: BTreeSet<Arc<str>>,
    /// How often a definition, or a facet definition that it uses, has changed.
    versions: HashMap<Arc<str>, u64>,
}

/// Whether two states of an object differ in more than their status.
fn differs(before: Option<&ObjectMeta>, after: &ObjectMeta) -> bool {
    before.is_none_or(|before| before.uid != after.uid || before.generation != after.generation)
}

impl Catalogue {
    /// A state of a definition; None if it is not news, else whether more than its status has changed.
    pub fn put_definition(&mut self, definition: Reading<Arc<str>, Arc<EntitlementDefinition>>) -> Option<bool> {
        let Reading { key: name, identity, value: definition } = definition;
        let Put::Stored(before) = self.definitions.put(Arc::clone(&name), identity, Arc::clone(&definition)) else {
            return None;
        };
        let has_changed = differs(before.as_ref().map(|before| &before.metadata), &definition.metadata);
        self.relink_users(&name, before.as_deref(), Some(&definition));
        if has_changed {
            self.change(name);
        }
        Some(has_changed)
    }

    /// A definition that could not be read, and why. What was known of it stays; false if that changes nothing.
    pub fn put_unreadable_definition(&mut self, metadata: &ObjectMeta, why: String) -> bool {
        let name = name_of(metadata);
        match self.definitions.put_unreadable(&name, Identity::of(metadata), why) {
            PutUnreadable::Unknown(before) => {
                self.relink_users(&name, before.as_deref(), None);
                self.change(name);
                true
            }
            PutUnreadable::Stale | PutUnreadable::Kept => false,
        }
    }

    /// A definition is gone.
    pub fn remove_definition(&mut self, metadata: &ObjectMeta) {
        let name = name_of(metadata);
        let before = self.definitions.remove(&name, &Identity::of(metadata));
        self.relink_users(&name, before.as_deref(), None);
        self.change(name);
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
            self.change(Arc::clone(name));
        }
        gone.into_iter().map(|(name, _)| name).collect()
    }

    fn change(&mut self, name: Arc<str>) {
        *self.versions.entry(Arc::clone(&name)).or_default() += 1;
        self.stale.insert(name);
    }

    fn version(&self, name: &str) -> u64 {
        self.versions.get(name).copied().unwrap_or_default()
    }

    fn relink_users(
        &mut self,
        name: &Arc<str>,
        before: Option<&EntitlementDefinition>,
        after: Option<&EntitlementDefinition>,
    ) {
        for facet in before.into_iter().flat_map(facets_of) {
            let Some(users) = self.users.get_mut(facet) else { continue };
            users.remove(name);
            if users.is_empty() {
                self.users.remove(facet);
            }
        }
        for facet in after.into_iter().flat_map(facets_of) {
            self.users.entry(facet.into()).or_default().insert(Arc::clone(name));
        }
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
        let users = self.users.get(facet).cloned().unwrap_or_default();
        users.iter().cloned().for_each(|user| self.change(user));
        users
    }

    /// A state of a revision, from the watch or from the answer to a write; its definition, if it is news.
    pub fn put_revision(&mut self, revision: Reading<Arc<str>, Option<Arc<Revision>>>) -> Option<Arc<str>> {
        let Reading { key: name, identity, value: revision } = revision;
        let Some(revision) = revision else {
            return self.put_unreadable(&name, identity, "it does not say of which definition it is".to_owned());
        };
        let put = self.revisions.put(Arc::clone(&revision.name), identity, Arc::clone(&revision));
        let Put::Stored(before) = put else { return None };
        self.relink_revision(before.as_deref(), Some(&revision));
        if before.is_none_or(|before| before != revision) {
            self.stale.insert(Arc::clone(&revision.definition));
        }
        Some(Arc::clone(&revision.definition))
    }

    /// A revision that could not be read, and why. What was known of it stays; its definition, if that changes anything.
    pub fn put_unreadable_revision(&mut self, metadata: &ObjectMeta, why: String) -> Option<Arc<str>> {
        self.put_unreadable(&name_of(metadata), Identity::of(metadata), why)
    }

    fn put_unreadable(&mut self, revision: &Arc<str>, identity: Identity, why: String) -> Option<Arc<str>> {
        match self.revisions.put_unreadable(revision, identity, why) {
            PutUnreadable::Unknown(Some(before)) => Some(self.lose_revision(&before)),
            PutUnreadable::Unknown(None) | PutUnreadable::Stale | PutUnreadable::Kept => None,
        }
    }

    /// A revision is gone; its definition.
    pub fn remove_revision(&mut self, metadata: &ObjectMeta) -> Option<Arc<str>> {
        let before = self.revisions.remove(&name_of(metadata), &Identity::of(metadata))?;
        Some(self.lose_revision(&before))
    }

    /// The operator has deleted a revision.
    pub fn forget_revision(&mut self, name: &Arc<str>) {
        let Some(uid) = self.revisions.identity(name).map(|identity| Arc::clone(&identity.uid)) else { return };
        let before = self.revisions.forget(name, &uid);
        self.relink_revision(before.as_deref(), None);
    }

    /// A list of revisions begins.
    pub fn begin_revisions(&mut self) {
        self.revisions.begin_list();
    }

    /// A list of revisions is complete; definitions that have lost some.
    pub fn finish_revisions(&mut self) -> BTreeSet<Arc<str>> {
        let gone = self.revisions.finish_list();
        gone.into_iter().filter_map(|(_, before)| Some(self.lose_revision(&before?))).collect()
    }

    fn lose_revision(&mut self, before: &Arc<Revision>) -> Arc<str> {
        self.relink_revision(Some(before), None);
        self.stale.insert(Arc::clone(&before.definition));
        Arc::clone(&before.definition)
    }

    fn relink_revision(&mut self, before: Option<&Revision>, after: Option<&Revision>) {
        if let Some(revision) = before
            && let Some(numbers) = self.revisions_of.get_mut(&revision.definition)
        {
            numbers.remove(&(revision.number, Arc::clone(&revision.name)));
            if numbers.is_empty() {
                self.revisions_of.remove(&revision.definition);
            }
        }
        if let Some(revision) = after {
            let numbers = self.revisions_of.entry(Arc::clone(&revision.definition)).or_default();
            numbers.insert((revision.number, Arc::clone(&revision.name)));
        }
    }

    /// Everything about one definition. What changes from now on makes it stale again.
    pub fn view(&mut self, name: &Arc<str>) -> DefinitionView {
        let definition = self.definitions.get(name).cloned();
        let facets = || definition.iter().flat_map(|definition| facets_of(definition));
        let unreadable = |facet: &str| Some((facet.to_owned(), self.facets.unreadable(&facet.into())?.to_owned()));
        let known = |facet: &str| Some((facet.to_owned(), Arc::clone(self.facets.get(&facet.into())?)));
        let numbers = self.revisions_of.get(name).into_iter().flatten();
        let served = self.served.get(name).cloned();
        DefinitionView {
            facets: facets().filter_map(known).collect(),
            unreadable_facets: facets().filter_map(unreadable).collect(),
            unreadable: self.definitions.unreadable(name).map(str::to_owned),
            revisions: numbers.filter_map(|(_, revision)| self.revisions.get(revision).cloned()).collect(),
            is_stale: self.stale.remove(name) || served.is_none(),
            version: self.version(name),
            served,
            definition,
        }
    }

    /// What was made of a definition is no longer to be relied on.
    pub fn outdate(&mut self, name: Arc<str>) {
        self.stale.insert(name);
    }

    /// From now on this serves.
    pub fn serve(&mut self, name: &Arc<str>, served: Served) -> Serving {
        let before = self.served.get(name);
        let changes =
            before.is_none_or(|before| before.entry.present != served.entry.present || before.hash != served.hash);
        let offer = served.entry.offer();
        let replaced = before.filter(|before| before.hash != served.hash).map(|before| Arc::clone(&before.entry));
        let replaced = replaced.filter(|before| before.serving.is_some() && served.entry.serving.is_some());
        self.served.insert(Arc::clone(name), served);
        Serving { changes_grants: changes, changes_offers: self.offer(name, offer), replaced }
    }

    /// A definition is gone, and nothing is left of it.
    pub fn drop_served(&mut self, name: &Arc<str>) -> Serving {
        self.versions.remove(name);
        let changes_grants = self.served.remove(name).is_some();
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
        let is_read = |name| self.served.contains_key(name);
        self.is_read_through
            || (self.definitions.has_listed()
                && self.definitions.keys().all(is_read)
                && self.definitions.unreadable_keys().all(is_read))
    }

    /// Every definition that is ready. An error as long as not all that there are have been looked at since the start: what is
    /// missing would look like what was taken out of the catalogue.
    pub fn offers(&self) -> Result<Arc<Offers>, NotYetRead> {
        if self.is_read_through() { Ok(Arc::clone(&self.offers)) } else { Err(NotYetRead) }
    }

    /// The entry of a definition. An error if there is something to make one of, which has not been done yet.
    pub fn entry(&self, name: &Arc<str>) -> Result<Option<Arc<CatalogueEntry>>, NotYetRead> {
        if let Some(served) = self.served.get(name) {
            return Ok(Some(Arc::clone(&served.entry)));
        }
        let exists = self.definitions.get(name).is_some() || self.definitions.unreadable(name).is_some();
        if exists || self.revisions_of.contains_key(name) { Err(NotYetRead) } else { Ok(None) }
    }

    /// The same, but an error also if what the entry was made of has changed since.
    pub fn current_entry(&self, name: &Arc<str>) -> Result<Option<Arc<CatalogueEntry>>, NotYetRead> {
        match self.served.get(name) {
            Some(served) if served.version != self.version(name) => Err(NotYetRead),
            _ => self.entry(name),
        }
    }

    /// How many definitions there are.
    pub fn definition_count(&self) -> usize {
        self.definitions.keys().count()
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
        self.users.get(facet).into_iter().flatten()
    }

    /// A facet definition.
    pub fn facet(&self, name: &Arc<str>) -> Option<Arc<FacetDefinition>> {
        self.facets.get(name).cloned()
    }

    /// All names that a definition or its revisions have.
    pub fn definitions(&self) -> BTreeSet<Arc<str>> {
        let unreadable = self.definitions.unreadable_keys();
        self.definitions.keys().chain(self.revisions_of.keys()).chain(unreadable).cloned().collect()
    }

    /// All facet definitions.
    pub fn facets(&self) -> impl Iterator<Item = &Arc<str>> {
        self.facets.keys()
    }
}

/// A definition has not been compiled yet.
#[derive(Debug)]
pub struct NotYetRead;

fn facets_of(definition: &EntitlementDefinition) -> impl Iterator<Item = &str> {
    definition.spec.facets.iter().filter_map(|facet| facet.definition.as_deref())
}
