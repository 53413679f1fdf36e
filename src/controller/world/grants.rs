//! The grants, and who has how many of what.

use super::{
    SecretName,
    agenda::{Agenda, AgendaEntry},
    invalid::InvalidGrantIndex,
    kept::{BarredInstances, KeptInstance, WholeInstance},
    sharing::GrantSharing,
    store::{Identity, ListsUnderWay, Put, PutUnreadable, Reading, Store},
};
use crate::{
    api::entitlement_definition::InstanceCounts,
    core::{age::SourceAge, namespace::Claims, source::SourceId},
};
use kube::api::ObjectMeta;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// A change of one instance, as far as others may care.
#[derive(Debug, Default)]
pub struct InstanceChange {
    /// Organizations that it names, before and after, and that let it.
    pub organizations: BTreeSet<Arc<str>>,
    /// Organizations that it names, before and after, and that do not: those for which that has changed.
    pub counting: BTreeSet<Arc<str>>,
    /// The instance, if its organization does not let it be named.
    pub barred: Option<SourceId>,
    /// Definitions whose counts have changed.
    pub definitions: BTreeSet<Arc<str>>,
    /// Definitions of which a grant states what is not valid, or did so before: those for which that has changed.
    pub invalid: BTreeSet<Arc<str>>,
    /// Sources that it names now and did not before, or the other way round.
    pub sources: BTreeSet<SecretName>,
}

/// All grants, with what is asked of them.
#[derive(Default)]
pub struct Grants {
    store: Store<SourceId, KeptInstance>,
    by_organization: HashMap<Arc<str>, BTreeSet<SourceId>>,
    /// By organization: the instances that name it from a namespace from which they may not.
    barred: HashMap<Arc<str>, BarredInstances>,
    /// The same by definition.
    barred_with: HashMap<Arc<str>, BTreeSet<SourceId>>,
    by_definition: HashMap<Arc<str>, DefinitionGrants>,
    /// How many grants each organization has in a namespace.
    by_namespace: HashMap<Arc<str>, BTreeMap<Arc<str>, u64>>,
    by_source: BTreeMap<SecretName, BTreeMap<Arc<str>, u64>>,
    invalid: InvalidGrantIndex,
    agenda: Agenda,
    /// The sources of accepted grants in a namespace, the oldest first.
    holders: Claims<SourceAge>,
    /// Instances that exist but can't be read, and about which nothing else is known. Shared with all readers.
    unreadable: Arc<BTreeSet<SourceId>>,
    sharing: GrantSharing,
}

/// The grants of one definition whose organizations let them name them.
#[derive(Debug, Default)]
struct DefinitionGrants {
    organizations: BTreeMap<Arc<str>, HoldingCounts>,
    total: u64,
    active: u64,
    live: usize,
}

/// How many grants of a definition one organization has.
#[derive(Clone, Copy, Debug, Default)]
pub struct HoldingCounts {
    /// All.
    pub total: usize,
    /// Those that are in force, or to be.
    pub live: usize,
}

impl Grants {
    /// A state of an instance, from the watch or from an answer; None if it is not news. It is kept as a whole where its
    /// organization lets it be named from its namespace.
    pub fn put(&mut self, instance: Reading<SourceId, WholeInstance>, is_allowed: bool) -> Option<InstanceChange> {
        let Reading { key, mut identity, mut value } = instance;
        let grant = Arc::make_mut(&mut value.grant);
        if is_allowed {
            let known = self.store.get(&key).and_then(KeptInstance::whole).map(|known| known.grant.as_ref());
            self.sharing.share(grant, known);
        } else {
            self.sharing.share_names(grant);
        }
        let id = value.grant.id.source.clone();
        identity.uid = Arc::clone(&value.grant.age.uid);
        let barred = if is_allowed { self.evict_barred(&id, &identity) } else { None };
        let after = KeptInstance::of(value, is_allowed);
        let put = self.store.put(id.clone(), identity, after.clone());
        self.note_readability(&id);
        let Put::Stored(before) = put else { return None };
        Some(self.replace(&id, before.or(barred).as_ref(), Some(&after)))
    }

    /// An instance that could not be read, and why. What was known of it stays; None if that changes nothing.
    pub fn put_unreadable(&mut self, metadata: &ObjectMeta, why: String) -> Option<InstanceChange> {
        let (id, identity) = (id_of(metadata), Identity::of(metadata));
        let barred = self.evict_barred(&id, &identity);
        let put = self.store.put_unreadable(&id, identity, why);
        self.note_readability(&id);
        match put {
            PutUnreadable::Unknown(before) => Some(self.replace(&id, before.or(barred).as_ref(), None)),
            PutUnreadable::Stale | PutUnreadable::Kept => None,
        }
    }

    /// Only the existence of a barred instance is known, so what an event says about the same state is news.
    fn evict_barred(&mut self, id: &SourceId, identity: &Identity) -> Option<KeptInstance> {
        let is_barred = self.store.get(id).is_some_and(|kept| kept.whole().is_none());
        let is_current = self.store.identity(id).is_some_and(|known| known.version <= identity.version);
        if is_barred && is_current { self.store.evict(id) } else { None }
    }

    /// Its organization does not let an instance be named any more. None if it did not before.
    pub fn bar(&mut self, id: &SourceId) -> Option<InstanceChange> {
        let before = self.store.get(id).filter(|kept| kept.whole().is_some())?.clone();
        let after = before.barred();
        *self.store.get_mut(id)? = after.clone();
        Some(self.replace(id, Some(&before), Some(&after)))
    }

    /// The API server says that an instance is gone. None if another has its name already.
    pub fn forget(&mut self, id: &SourceId, uid: &Arc<str>) -> Option<InstanceChange> {
        let before = self.store.forget(id, uid);
        self.note_readability(id);
        let before = before?;
        Some(self.replace(id, Some(&before), None))
    }

    /// An instance is gone. None if nothing was known of it but that it was there, so that it can't be told whom that concerns.
    pub fn remove(&mut self, metadata: &ObjectMeta) -> Option<InstanceChange> {
        let id = id_of(metadata);
        let was_unreadable = self.store.unreadable(&id).is_some();
        let before = self.store.remove(&id, &Identity::of(metadata));
        self.note_readability(&id);
        let is_unreadable = self.store.unreadable(&id).is_some();
        (was_unreadable == is_unreadable).then(|| self.replace(&id, before.as_ref(), None))
    }

    /// Whether an instance of that name is there, readable or not.
    pub fn has(&self, id: &SourceId) -> bool {
        self.store.get(id).is_some() || self.is_unreadable(id)
    }

    /// What is taken in from now on counts as named by no list, until they are resumed.
    pub fn suspend_lists(&mut self) -> ListsUnderWay<SourceId> {
        self.store.suspend_lists()
    }

    /// The lists go on.
    pub fn resume_lists(&mut self, lists: ListsUnderWay<SourceId>) {
        self.store.resume_lists(lists);
    }

    /// A list begins.
    pub fn begin_list(&mut self) {
        self.store.begin_list();
    }

    /// A list is complete; what is gone, and has to be lost one by one.
    pub fn finish_list(&mut self) -> Vec<(SourceId, Option<KeptInstance>)> {
        self.store.finish_list()
    }

    /// A list of one namespace begins.
    pub fn begin_list_within(&mut self, namespace: &Arc<str>) {
        self.store.begin_list_within(namespace);
    }

    /// A list of one namespace is complete; those of it that are gone.
    pub fn finish_list_within(&mut self, namespace: &Arc<str>) -> Vec<(SourceId, Option<KeptInstance>)> {
        self.store.finish_list_within(namespace)
    }

    /// An instance is gone that a list has not named. None where nothing was known of it.
    pub fn lose(&mut self, id: &SourceId, known: Option<KeptInstance>) -> Option<InstanceChange> {
        self.note_readability(id);
        Some(self.replace(id, Some(&known?), None))
    }

    fn replace(
        &mut self,
        id: &SourceId,
        before: Option<&KeptInstance>,
        after: Option<&KeptInstance>,
    ) -> InstanceChange {
        if let Some(kept) = before {
            self.unlink(id, kept);
        }
        if let Some(kept) = after {
            self.link(id, kept);
        }
        let both = || before.into_iter().chain(after);
        let invalid = |kept: &KeptInstance| {
            (!kept.invalid().is_empty()).then(|| (Arc::clone(kept.definition()), kept.invalid().clone()))
        };
        let invalid_changed = before.and_then(invalid) != after.and_then(invalid);
        let counted = |kept: &KeptInstance| (Arc::clone(kept.definition()), kept.is_in_force());
        let counts_changed = invalid_changed || before.map(counted) != after.map(counted);
        let sources_before: BTreeSet<_> = before.into_iter().flat_map(KeptInstance::sources).collect();
        let sources_after: BTreeSet<_> = after.into_iter().flat_map(KeptInstance::sources).collect();
        let whole = both().filter(|kept| kept.whole().is_some());
        let phase = |kept: &KeptInstance| Some((Arc::clone(kept.organization()), kept.phase_barred()?));
        let phases: BTreeSet<_> = before.and_then(phase).into_iter().collect();
        let phases_after: BTreeSet<_> = after.and_then(phase).into_iter().collect();
        InstanceChange {
            organizations: whole.map(|kept| Arc::clone(kept.organization())).collect(),
            counting: phases.symmetric_difference(&phases_after).map(|(name, _)| Arc::clone(name)).collect(),
            barred: after.filter(|kept| kept.whole().is_none()).map(|_| id.clone()),
            definitions: both().filter(|_| counts_changed).map(|kept| Arc::clone(kept.definition())).collect(),
            invalid: both().filter(|_| invalid_changed).map(|kept| Arc::clone(kept.definition())).collect(),
            sources: sources_after.symmetric_difference(&sources_before).cloned().collect(),
        }
    }

    fn link(&mut self, id: &SourceId, kept: &KeptInstance) {
        let (organization, definition) = (kept.organization(), kept.definition());
        self.agenda.add(kept.agenda());
        if let Some(age) = kept.accepted() {
            self.holders.add(&id.namespace, age.clone());
        }
        if let Some(phase) = kept.phase_barred() {
            self.barred.entry(Arc::clone(organization)).or_default().add(id, phase);
            self.barred_with.entry(Arc::clone(definition)).or_default().insert(id.clone());
            return;
        }
        self.by_organization.entry(Arc::clone(organization)).or_default().insert(id.clone());
        let of_definition = self.by_definition.entry(Arc::clone(definition)).or_default();
        of_definition.add(organization, kept);
        count(self.by_namespace.entry(Arc::clone(&id.namespace)).or_default(), organization);
        for source in kept.sources() {
            count(self.by_source.entry(source).or_default(), organization);
        }
        self.invalid.add(definition, kept.invalid(), id);
    }

    fn unlink(&mut self, id: &SourceId, kept: &KeptInstance) {
        let (organization, definition) = (kept.organization(), kept.definition());
        self.agenda.remove(kept.agenda());
        if let Some(age) = kept.accepted() {
            self.holders.remove(&id.namespace, age);
        }
        if let Some(phase) = kept.phase_barred() {
            prune(&mut self.barred, organization, |ones| ones.remove(id, phase));
            remove_from(&mut self.barred_with, definition, id);
            return;
        }
        remove_from(&mut self.by_organization, organization, id);
        prune(&mut self.by_definition, definition, |of_definition| of_definition.remove(organization, kept));
        prune(&mut self.by_namespace, &id.namespace, |organizations| discount(organizations, organization));
        for source in kept.sources() {
            if self.by_source.get_mut(&source).is_some_and(|organizations| discount(organizations, organization)) {
                self.by_source.remove(&source);
            }
        }
        self.invalid.remove(definition, kept.invalid(), id);
    }

    /// How many instances there are.
    pub fn count(&self) -> usize {
        self.store.keys().count()
    }

    /// How often an instance has changed, not counting its status, and its age if it is whole.
    pub fn spec_state(&self, id: &SourceId) -> Option<(i64, Option<SourceAge>)> {
        let kept = self.store.get(id)?;
        Some((kept.generation(), kept.whole().map(|held| held.grant.age.clone())))
    }

    /// The organization of an instance that it does not let be named, as far as that is known of it.
    pub fn barred_organization(&self, id: &SourceId) -> Option<&Arc<str>> {
        self.store.get(id).filter(|kept| kept.whole().is_none()).map(KeptInstance::organization)
    }

    /// Those that name an organization from where they may not.
    pub fn barred(&self, organization: &str) -> Option<&BarredInstances> {
        self.barred.get(organization)
    }

    /// All that name an organization from where they may not.
    pub fn all_barred(&self) -> impl Iterator<Item = &SourceId> {
        self.barred.values().flat_map(BarredInstances::iter)
    }

    /// Those of them that are of a definition.
    pub fn barred_with(&self, definition: &str) -> impl Iterator<Item = &SourceId> {
        self.barred_with.get(definition).into_iter().flatten()
    }

    /// Which object an instance is, and in which state.
    pub fn metadata(&self, id: &SourceId) -> Option<ObjectMeta> {
        let identity = self.store.identity(id)?;
        Some(ObjectMeta {
            namespace: Some(id.namespace.to_string()),
            name: Some(id.name.to_string()),
            uid: Some(identity.uid.to_string()),
            resource_version: Some(identity.version.to_string()),
            ..ObjectMeta::default()
        })
    }

    /// Which object a grant's source is, in which state.
    pub fn identity(&self, id: &SourceId) -> Option<&Identity> {
        self.store.identity(id)
    }

    /// The UID of a grant's source.
    pub fn uid(&self, id: &SourceId) -> Option<Arc<str>> {
        Some(Arc::clone(&self.store.identity(id)?.uid))
    }

    /// Grants that an organization lets name it, in the order of their names.
    pub fn of_organization(&self, organization: &str) -> impl Iterator<Item = &WholeInstance> {
        let ids = self.by_organization.get(organization).into_iter().flatten();
        ids.filter_map(|id| self.store.get(id)?.whole())
    }

    /// Organizations that let grants name them.
    pub fn organizations(&self) -> impl Iterator<Item = &Arc<str>> {
        self.by_organization.keys()
    }

    /// Organizations that have grants of a definition, and let these name them.
    pub fn organizations_with(&self, definition: &str) -> impl Iterator<Item = &Arc<str>> {
        self.holdings(definition).map(|(organization, _)| organization)
    }

    /// The same, with how many grants of it each has.
    pub fn holdings(&self, definition: &str) -> impl Iterator<Item = (&Arc<str>, &HoldingCounts)> {
        self.by_definition.get(definition).into_iter().flat_map(|known| &known.organizations)
    }

    /// How many grants of a definition are in force, or to be.
    pub fn live(&self, definition: &str) -> usize {
        self.by_definition.get(definition).map_or(0, |known| known.live)
    }

    /// How many grants of a definition there are.
    pub fn counts(&self, definition: &str) -> InstanceCounts {
        let (total, active) = self.by_definition.get(definition).map_or((0, 0), |known| (known.total, known.active));
        InstanceCounts {
            total: total + self.barred_with.get(definition).map_or(0, |barred| barred.len() as u64),
            active,
            invalid: self.invalid.count(definition),
        }
    }

    /// Grants that state what is not valid.
    pub fn invalid(&self) -> &InvalidGrantIndex {
        &self.invalid
    }

    /// Organizations that have grants in a namespace.
    pub fn organizations_in(&self, namespace: &str) -> impl Iterator<Item = &Arc<str>> {
        self.by_namespace.get(namespace).into_iter().flat_map(BTreeMap::keys)
    }

    /// The oldest source of accepted grants in state Active of a namespace.
    pub fn holder(&self, namespace: &str) -> Option<SourceId> {
        self.holders.oldest(namespace).map(SourceAge::id)
    }

    /// By namespace: the sources of accepted grants in state Active, the oldest first.
    pub fn holders(&self) -> &Claims<SourceAge> {
        &self.holders
    }

    /// Organizations whose grants take values from a Secret.
    pub fn organizations_using(&self, source: &SecretName) -> impl Iterator<Item = &Arc<str>> {
        self.by_source.get(source).into_iter().flat_map(BTreeMap::keys)
    }

    /// All Secrets that grants take values from.
    pub fn sources(&self) -> impl Iterator<Item = &SecretName> {
        self.by_source.keys()
    }

    /// Those in a namespace.
    pub fn sources_in<'a>(&'a self, namespace: &'a Arc<str>) -> impl Iterator<Item = &'a SecretName> {
        let first: SecretName = (Arc::clone(namespace), "".into());
        self.by_source.range(first..).map(|(key, _)| key).take_while(move |(of, _)| of == namespace)
    }

    /// What the statuses of all tell of their lives.
    pub fn agenda(&self) -> &Agenda {
        &self.agenda
    }

    /// The same of one of them.
    pub fn agenda_of(&self, id: &SourceId) -> Option<AgendaEntry> {
        self.store.get(id).map(KeptInstance::agenda)
    }

    /// Whether an instance is there, but can't be read, and nothing else is known of it.
    pub fn is_unreadable(&self, id: &SourceId) -> bool {
        self.store.unreadable(id).is_some()
    }

    /// Instances that exist but can't be read, and about which nothing else is known.
    pub fn unreadable(&self) -> Arc<BTreeSet<SourceId>> {
        Arc::clone(&self.unreadable)
    }

    /// Keeps that set as the store has it, after something has become of an instance.
    fn note_readability(&mut self, id: &SourceId) {
        let is_unreadable = self.store.unreadable(id).is_some();
        if is_unreadable == self.unreadable.contains(id) {
            return;
        }
        let known = Arc::make_mut(&mut self.unreadable);
        if is_unreadable {
            known.insert(id.clone());
        } else {
            known.remove(id);
        }
    }
}

impl DefinitionGrants {
    fn add(&mut self, organization: &Arc<str>, kept: &KeptInstance) {
        let holding = self.organizations.entry(Arc::clone(organization)).or_default();
        let live = usize::from(kept.is_live());
        (holding.total, holding.live) = (holding.total + 1, holding.live + live);
        (self.total, self.live) = (self.total + 1, self.live + live);
        self.active += u64::from(kept.is_in_force());
    }

    /// True if nothing is left.
    fn remove(&mut self, organization: &Arc<str>, kept: &KeptInstance) -> bool {
        let live = usize::from(kept.is_live());
        if let Some(holding) = self.organizations.get_mut(organization) {
            (holding.total, holding.live) = (holding.total.saturating_sub(1), holding.live.saturating_sub(live));
            if holding.total == 0 {
                self.organizations.remove(organization);
            }
        }
        (self.total, self.live) = (self.total.saturating_sub(1), self.live.saturating_sub(live));
        self.active = self.active.saturating_sub(u64::from(kept.is_in_force()));
        self.organizations.is_empty()
    }
}

fn id_of(metadata: &ObjectMeta) -> SourceId {
    SourceId::instance(metadata.namespace.as_deref().unwrap_or_default(), metadata.name.as_deref().unwrap_or_default())
}

fn count(organizations: &mut BTreeMap<Arc<str>, u64>, organization: &Arc<str>) {
    *organizations.entry(Arc::clone(organization)).or_default() += 1;
}

/// True if nothing is left.
fn discount(organizations: &mut BTreeMap<Arc<str>, u64>, organization: &Arc<str>) -> bool {
    if let Some(count) = organizations.get_mut(organization) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            organizations.remove(organization);
        }
    }
    organizations.is_empty()
}

/// Changes the entry of a key, and removes it if it is empty then.
fn prune<V>(map: &mut HashMap<Arc<str>, V>, key: &Arc<str>, change: impl FnOnce(&mut V) -> bool) {
    if map.get_mut(key).is_some_and(change) {
        map.remove(key);
    }
}

fn remove_from<V: Ord>(map: &mut HashMap<Arc<str>, BTreeSet<V>>, key: &Arc<str>, value: &V) {
    prune(map, key, |values| {
        values.remove(value);
        values.is_empty()
    });
}

#[cfg(test)]
mod tests;
