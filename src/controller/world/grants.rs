//! The grants, and who has how many of what.

use super::store::{Identity, Put, PutUnreadable, Store};
use crate::{
    api::{EntitlementInstance, Phase, entitlement_definition::InstanceCounts, entitlement_instance::State},
    core::{
        age::Age,
        grant::{Grant, GrantId},
    },
    evaluation::{catalogue_status::InvalidGrants, holding::is_held, moments::Moments, plan::Fingerprint},
};
use kube::api::ObjectMeta;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// A source of secret fields: the namespace and name of a Secret.
pub type SourceKey = (Arc<str>, Arc<str>);

/// What is kept of an instance.
#[derive(Clone, Debug)]
pub struct Held {
    /// The grant.
    pub grant: Arc<Grant>,
    /// Of the status that it has; None if it has none.
    pub status: Option<Fingerprint>,
    /// The moments that its status tells, where these are still asked for.
    pub moments: Option<Moments>,
    /// In state Active, and its status has a record of acceptance.
    is_accepted: bool,
    /// The facets of which it states what is not valid, while it is held.
    invalid: BTreeSet<Arc<str>>,
}

impl Held {
    fn read(instance: &EntitlementInstance) -> Self {
        let is_accepted = instance.status.as_ref().is_some_and(|status| status.accepted.is_some());
        Self {
            grant: Arc::new(Grant::read(instance)),
            status: instance.status.as_ref().and_then(Fingerprint::of_json),
            moments: Moments::read(instance),
            is_accepted: is_accepted && instance.spec.state == State::Active,
            invalid: invalid_facets(instance),
        }
    }

    fn is_in_force(&self) -> bool {
        self.grant.remembered.phase.is_some_and(Phase::is_in_force)
    }

    /// The Secrets that it takes values from.
    pub fn sources(&self) -> impl Iterator<Item = SourceKey> {
        sources_of(&self.grant)
    }
}

fn invalid_facets(instance: &EntitlementInstance) -> BTreeSet<Arc<str>> {
    let status = instance.status.as_ref().filter(|status| status.phase.is_some_and(is_held));
    let violations = status.into_iter().flat_map(|status| &status.violations);
    violations.map(|violation| violation.facet.as_str().into()).collect()
}

/// The Secrets that a grant takes values from.
pub fn sources_of(grant: &Grant) -> impl Iterator<Item = SourceKey> {
    let namespace = &grant.id.namespace;
    grant.secret_facets.iter().map(|facet| (Arc::clone(namespace), facet.secret_key_ref.name.as_str().into()))
}

/// A change of one instance, as far as others may care.
#[derive(Debug, Default)]
pub struct GrantChange {
    /// Organizations that it names, before and after.
    pub organizations: BTreeSet<Arc<str>>,
    /// Definitions whose counts have changed.
    pub definitions: BTreeSet<Arc<str>>,
    /// Definitions of which a grant states what is not valid, or did so before: those for which that has changed.
    pub invalid: BTreeSet<Arc<str>>,
    /// Sources that it names now and did not before, or the other way round.
    pub sources: BTreeSet<SourceKey>,
}

/// All grants, with what is asked of them.
#[derive(Default)]
pub struct Grants {
    store: Store<GrantId, Held>,
    by_organization: HashMap<Arc<str>, BTreeSet<GrantId>>,
    by_definition: HashMap<Arc<str>, BTreeMap<Arc<str>, InstanceCounts>>,
    /// How many grants each organization has in a namespace.
    by_namespace: HashMap<Arc<str>, BTreeMap<Arc<str>, u64>>,
    by_source: BTreeMap<SourceKey, BTreeMap<Arc<str>, u64>>,
    /// By definition: the grants that state what is not valid, with the facets of which they do.
    invalid: HashMap<Arc<str>, BTreeMap<GrantId, BTreeSet<Arc<str>>>>,
    /// Accepted grants of a namespace, the oldest first.
    holders: HashMap<Arc<str>, BTreeSet<Age>>,
}

impl Grants {
    /// A state of an instance, from the watch or from the answer to a write; None if it is not news.
    pub fn put(&mut self, instance: &EntitlementInstance) -> Option<GrantChange> {
        let held = Held::read(instance);
        let id = held.grant.id.clone();
        let Put::Stored(before) = self.store.put(id.clone(), Identity::of(&instance.metadata), held.clone()) else {
            return None;
        };
        Some(self.replace(before.as_ref(), Some(&held)))
    }

    /// An instance that could not be read, and why. What was known of it stays; None if that changes nothing.
    pub fn put_unreadable(&mut self, metadata: &ObjectMeta, why: String) -> Option<GrantChange> {
        match self.store.put_unreadable(&id_of(metadata), Identity::of(metadata), why) {
            PutUnreadable::Unknown(before) => Some(self.replace(before.as_ref(), None)),
            PutUnreadable::Stale | PutUnreadable::Kept => None,
        }
    }

    /// An instance is gone. None if nothing was known of it but that it was there, so that it can't be told whom that concerns.
    pub fn remove(&mut self, metadata: &ObjectMeta) -> Option<GrantChange> {
        let id = id_of(metadata);
        let was_unreadable = self.store.unreadable(&id).is_some();
        let before = self.store.remove(&id, &Identity::of(metadata));
        let is_unreadable = self.store.unreadable(&id).is_some();
        (was_unreadable == is_unreadable).then(|| self.replace(before.as_ref(), None))
    }

    /// A list begins.
    pub fn begin_list(&mut self) {
        self.store.begin_list();
    }

    /// A list is complete; what is gone, with its namespace, and with None where nothing was known of it.
    pub fn finish_list(&mut self) -> Vec<(Arc<str>, Option<GrantChange>)> {
        let gone = self.store.finish_list();
        gone.into_iter().map(|(id, held)| (id.namespace, held.map(|held| self.replace(Some(&held), None)))).collect()
    }

    /// Whether the kind has been listed once.
    pub fn has_listed(&self) -> bool {
        self.store.has_listed()
    }

    fn replace(&mut self, before: Option<&Held>, after: Option<&Held>) -> GrantChange {
        if let Some(held) = before {
            self.unlink(held);
        }
        if let Some(held) = after {
            self.link(held);
        }
        let both = || before.into_iter().chain(after);
        let invalid = |held: &Held| {
            (!held.invalid.is_empty()).then(|| (Arc::clone(&held.grant.definition), held.invalid.clone()))
        };
        let invalid_changed = before.and_then(invalid) != after.and_then(invalid);
        let counted = |held: &Held| (Arc::clone(&held.grant.definition), held.is_in_force());
        let counts_changed = invalid_changed || before.map(counted) != after.map(counted);
        let sources_before: BTreeSet<_> = before.into_iter().flat_map(Held::sources).collect();
        let sources_after: BTreeSet<_> = after.into_iter().flat_map(Held::sources).collect();
        GrantChange {
            organizations: both().map(|held| Arc::clone(&held.grant.organization)).collect(),
            definitions: both().filter(|_| counts_changed).map(|held| Arc::clone(&held.grant.definition)).collect(),
            invalid: both().filter(|_| invalid_changed).map(|held| Arc::clone(&held.grant.definition)).collect(),
            sources: sources_after.symmetric_difference(&sources_before).cloned().collect(),
        }
    }

    fn link(&mut self, held: &Held) {
        let grant = &held.grant;
        let organization = &grant.organization;
        self.by_organization.entry(Arc::clone(organization)).or_default().insert(grant.id.clone());
        let of_definition = self.by_definition.entry(Arc::clone(&grant.definition)).or_default();
        let counts = of_definition.entry(Arc::clone(organization)).or_default();
        counts.total += 1;
        counts.active += u64::from(held.is_in_force());
        count(self.by_namespace.entry(Arc::clone(&grant.id.namespace)).or_default(), organization);
        for source in held.sources() {
            count(self.by_source.entry(source).or_default(), organization);
        }
        if held.is_accepted {
            self.holders.entry(Arc::clone(&grant.id.namespace)).or_default().insert(grant.age.clone());
        }
        if !held.invalid.is_empty() {
            let of_definition = self.invalid.entry(Arc::clone(&grant.definition)).or_default();
            of_definition.insert(grant.id.clone(), held.invalid.clone());
        }
    }

    fn unlink(&mut self, held: &Held) {
        let grant = &held.grant;
        let organization = &grant.organization;
        prune(&mut self.by_organization, organization, |ids| {
            ids.remove(&grant.id);
            ids.is_empty()
        });
        prune(&mut self.by_definition, &grant.definition, |organizations| {
            if let Some(counts) = organizations.get_mut(organization) {
                counts.total = counts.total.saturating_sub(1);
                counts.active = counts.active.saturating_sub(u64::from(held.is_in_force()));
            }
            organizations.retain(|_, counts| counts.total > 0);
            organizations.is_empty()
        });
        prune(&mut self.by_namespace, &grant.id.namespace, |organizations| discount(organizations, organization));
        for source in held.sources() {
            if self.by_source.get_mut(&source).is_some_and(|organizations| discount(organizations, organization)) {
                self.by_source.remove(&source);
            }
        }
        prune(&mut self.invalid, &grant.definition, |grants| {
            grants.remove(&grant.id);
            grants.is_empty()
        });
        prune(&mut self.holders, &grant.id.namespace, |ages| {
            ages.remove(&grant.age);
            ages.is_empty()
        });
    }

    /// One grant.
    pub fn get(&self, id: &GrantId) -> Option<&Held> {
        self.store.get(id)
    }

    /// The UID of a grant's source.
    pub fn uid(&self, id: &GrantId) -> Option<Arc<str>> {
        Some(Arc::clone(&self.store.identity(id)?.uid))
    }

    /// Grants that name the organization, in the order of their names.
    pub fn of_organization(&self, organization: &str) -> impl Iterator<Item = &Held> {
        self.by_organization.get(organization).into_iter().flatten().filter_map(|id| self.store.get(id))
    }

    /// Organizations that grants name, whether they exist or not.
    pub fn organizations(&self) -> impl Iterator<Item = &Arc<str>> {
        self.by_organization.keys()
    }

    /// Organizations that have grants of a definition.
    pub fn organizations_with(&self, definition: &str) -> impl Iterator<Item = &Arc<str>> {
        self.by_definition.get(definition).into_iter().flat_map(BTreeMap::keys)
    }

    /// How many grants of a definition there are.
    pub fn counts(&self, definition: &str) -> InstanceCounts {
        let counts = self.by_definition.get(definition).into_iter().flat_map(BTreeMap::values);
        counts.fold(InstanceCounts::default(), |sum, counts| InstanceCounts {
            total: sum.total + counts.total,
            active: sum.active + counts.active,
            invalid: self.invalid.get(definition).map_or(0, |grants| grants.len() as u64),
        })
    }

    /// Grants of a definition that state what is not valid, of one of the facets for which that is asked.
    pub fn invalid(&self, definition: &str, is_asked: impl Fn(&str) -> bool, into: &mut InvalidGrants) {
        for (grant, facets) in self.invalid.get(definition).into_iter().flatten() {
            if facets.iter().any(|facet| is_asked(facet)) {
                into.add(grant);
            }
        }
    }

    /// Organizations that have grants in a namespace.
    pub fn organizations_in(&self, namespace: &str) -> impl Iterator<Item = &Arc<str>> {
        self.by_namespace.get(namespace).into_iter().flat_map(BTreeMap::keys)
    }

    /// The oldest accepted grant in state Active of a namespace.
    pub fn holder(&self, namespace: &str) -> Option<GrantId> {
        let age = self.holders.get(namespace)?.first()?;
        Some(GrantId { namespace: Arc::clone(&age.namespace), name: Arc::clone(&age.name) })
    }

    /// Organizations whose grants take values from a Secret.
    pub fn organizations_using(&self, source: &SourceKey) -> impl Iterator<Item = &Arc<str>> {
        self.by_source.get(source).into_iter().flat_map(BTreeMap::keys)
    }

    /// All Secrets that grants take values from.
    pub fn sources(&self) -> impl Iterator<Item = &SourceKey> {
        self.by_source.keys()
    }

    /// Instances that are there, but can't be read, and of which nothing else is known.
    pub fn unreadable(&self) -> BTreeSet<GrantId> {
        self.store.unreadable_keys().cloned().collect()
    }
}

fn id_of(metadata: &ObjectMeta) -> GrantId {
    GrantId::new(metadata.namespace.as_deref().unwrap_or_default(), metadata.name.as_deref().unwrap_or_default())
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
