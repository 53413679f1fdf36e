//! The organizations, and the owner of each namespace.

use super::store::{Identity, Put, PutUnreadable, Reading, Store};
use crate::{
    api::{Organization, organization::Flags},
    core::{
        age::OrganizationAge,
        namespace::{Claims, may_assign, may_report},
    },
};
use kube::api::ObjectMeta;
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// Organizations and namespaces.
#[derive(Default)]
pub struct Tenancy {
    organizations: Store<Arc<str>, Arc<Organization>>,
    by_uid: HashMap<String, Arc<str>>,
    /// In which namespaces organizations have objects, by their UIDs: what their statuses say, or have said before somebody
    /// else took it off.
    memories: HashMap<Arc<str>, TenancyMemory>,
    /// Organizations that list a namespace, the oldest first.
    claims: Claims<OrganizationAge>,
    /// Organizations whose flags have every definition that is ready.
    with_all_flags: BTreeSet<Arc<str>>,
    /// True for those that are not terminating.
    namespaces: Store<Arc<str>, bool>,
}

/// In which namespaces an organization has objects.
struct TenancyMemory {
    /// The UID of the organization of that name.
    uid: Option<String>,
    namespaces: BTreeSet<Arc<str>>,
}

/// A change of one organization.
#[derive(Debug, Default)]
pub struct OrganizationChange {
    /// Its name.
    pub name: Arc<str>,
    /// Namespaces that it lists, before and after.
    pub namespaces: BTreeSet<Arc<str>>,
    /// Whether other namespaces than before may name it.
    pub assignable_from_changed: bool,
    /// Whether what is reported of its usage may count otherwise than before.
    pub reporting_changed: bool,
}

impl Tenancy {
    /// A state of an organization, from the watch or from the answer to a write; None if it is not news.
    pub fn put(&mut self, organization: Reading<Arc<str>, Arc<Organization>>) -> Option<OrganizationChange> {
        let Reading { key: name, identity, value: organization } = organization;
        let Put::Stored(before) = self.organizations.put(Arc::clone(&name), identity, Arc::clone(&organization)) else {
            return None;
        };
        self.read_memory(&name, &organization);
        Some(self.replace(name, before.as_deref(), Some(&organization)))
    }

    fn read_memory(&mut self, name: &Arc<str>, organization: &Organization) {
        let uid = &organization.metadata.uid;
        if self.memories.get(name).is_some_and(|memory| memory.uid != *uid) {
            self.memories.remove(name);
        }
        let Some(said) = organization.status.as_ref().and_then(|status| status.namespaces.as_ref()) else { return };
        let new = || TenancyMemory { uid: uid.clone(), namespaces: BTreeSet::new() };
        let known = self.memories.entry(Arc::clone(name)).or_insert_with(new);
        known.namespaces.extend(said.iter().map(|namespace| namespace.as_str().into()));
    }

    /// The operator has written in which namespaces an organization has objects.
    pub fn remember(&mut self, metadata: &ObjectMeta, namespaces: &[String]) {
        let namespaces = namespaces.iter().map(|namespace| namespace.as_str().into()).collect();
        self.memories.insert(name_of(metadata), TenancyMemory { uid: metadata.uid.clone(), namespaces });
    }

    /// In which namespaces an organization has objects; None if nobody has ever written that down.
    pub fn remembered(&self, name: &str) -> Option<&BTreeSet<Arc<str>>> {
        self.memories.get(name).map(|memory| &memory.namespaces)
    }

    /// An organization that could not be read, and why. What was known of it stays; None if that changes nothing.
    pub fn put_unreadable(&mut self, metadata: &ObjectMeta, why: String) -> Option<OrganizationChange> {
        let name = name_of(metadata);
        match self.organizations.put_unreadable(&name, Identity::of(metadata), why) {
            PutUnreadable::Unknown(before) => Some(self.replace(name, before.as_deref(), None)),
            PutUnreadable::Stale | PutUnreadable::Kept => None,
        }
    }

    /// An organization is gone.
    pub fn remove(&mut self, metadata: &ObjectMeta) -> OrganizationChange {
        let name = name_of(metadata);
        let before = self.organizations.remove(&name, &Identity::of(metadata));
        self.replace(name, before.as_deref(), None)
    }

    /// A list of organizations begins.
    pub fn begin_list(&mut self) {
        self.organizations.begin_list();
    }

    /// A list of organizations is complete.
    pub fn finish_list(&mut self) -> Vec<OrganizationChange> {
        let gone = self.organizations.finish_list();
        gone.into_iter().map(|(name, before)| self.replace(name, before.as_deref(), None)).collect()
    }

    fn replace(
        &mut self,
        name: Arc<str>,
        before: Option<&Organization>,
        after: Option<&Organization>,
    ) -> OrganizationChange {
        if let Some(organization) = before {
            self.unclaim(organization);
        }
        if let Some(uid) = before.and_then(|before| before.metadata.uid.as_ref()) {
            self.by_uid.remove(uid);
        }
        if let Some(uid) = after.and_then(|after| after.metadata.uid.clone()) {
            self.by_uid.insert(uid, Arc::clone(&name));
        }
        match after {
            Some(organization) => self.claim(organization),
            None => drop(self.memories.remove(&name)),
        }
        if after.is_some_and(|organization| organization.spec.summary.flags == Flags::All) {
            self.with_all_flags.insert(Arc::clone(&name));
        } else {
            self.with_all_flags.remove(&name);
        }
        let both = before.into_iter().chain(after);
        OrganizationChange {
            name,
            namespaces: both
                .flat_map(|organization| &organization.spec.namespaces)
                .map(|namespace| namespace.as_str().into())
                .collect(),
            assignable_from_changed: before.map(|organization| &organization.spec.assignable_from)
                != after.map(|organization| &organization.spec.assignable_from),
            reporting_changed: before
                .map(|organization| (&organization.spec.reportable_from, &organization.spec.time_zone))
                != after.map(|organization| (&organization.spec.reportable_from, &organization.spec.time_zone)),
        }
    }

    fn claim(&mut self, organization: &Organization) {
        let age = OrganizationAge::of(&organization.metadata);
        for namespace in &organization.spec.namespaces {
            self.claims.add(namespace, age.clone());
        }
    }

    fn unclaim(&mut self, organization: &Organization) {
        let age = OrganizationAge::of(&organization.metadata);
        for namespace in &organization.spec.namespaces {
            self.claims.remove(namespace, &age);
        }
    }

    /// A namespace; false if it is not news.
    pub fn put_namespace(&mut self, namespace: Reading<Arc<str>, bool>) -> bool {
        let Reading { key, identity, value: is_present } = namespace;
        let put = self.namespaces.put(key, identity, is_present);
        matches!(put, Put::Stored(before) if before != Some(is_present))
    }

    /// A namespace is gone.
    pub fn remove_namespace(&mut self, metadata: &ObjectMeta) {
        self.namespaces.remove(&name_of(metadata), &Identity::of(metadata));
    }

    /// A list of namespaces begins.
    pub fn begin_namespaces(&mut self) {
        self.namespaces.begin_list();
    }

    /// A list of namespaces is complete; those that are gone.
    pub fn finish_namespaces(&mut self) -> Vec<Arc<str>> {
        self.namespaces.finish_list().into_iter().map(|(name, _)| name).collect()
    }

    /// An organization.
    pub fn get(&self, name: &Arc<str>) -> Option<&Arc<Organization>> {
        self.organizations.get(name)
    }

    /// The organization of that UID, with its name.
    pub fn of_uid(&self, uid: &str) -> Option<(&Arc<str>, &Arc<Organization>)> {
        let name = self.by_uid.get(uid)?;
        Some((name, self.get(name)?))
    }

    /// Whether an organization exists that can't be read, and about which nothing else is known.
    pub fn is_unreadable(&self, name: &Arc<str>) -> bool {
        self.organizations.unreadable(name).is_some()
    }

    /// Whether there is such an organization.
    pub fn has_unreadable(&self) -> bool {
        self.organizations.unreadable_keys().next().is_some()
    }

    /// All organizations.
    pub fn organizations(&self) -> impl Iterator<Item = &Arc<str>> {
        self.organizations.keys()
    }

    /// Organizations whose flags have every definition that is ready.
    pub fn with_all_flags(&self) -> impl Iterator<Item = &Arc<str>> {
        self.with_all_flags.iter()
    }

    /// Organizations that list a namespace, the oldest first.
    pub fn claimants(&self, namespace: &str) -> impl Iterator<Item = &Arc<str>> {
        self.claims_to(namespace).map(|age| &age.name)
    }

    /// The claims to all namespaces.
    pub fn claims(&self) -> &Claims<OrganizationAge> {
        &self.claims
    }

    /// How old those are.
    pub fn claims_to(&self, namespace: &str) -> impl Iterator<Item = &OrganizationAge> {
        self.claims.to(namespace)
    }

    /// The names of all namespaces.
    pub fn namespaces(&self) -> impl Iterator<Item = &Arc<str>> {
        self.namespaces.keys()
    }

    /// Whether a namespace exists and is not terminating.
    pub fn is_present(&self, namespace: &Arc<str>) -> bool {
        self.namespaces.get(namespace).copied().unwrap_or(false)
    }

    /// Whether a namespace is there, if only to terminate.
    pub fn exists(&self, namespace: &Arc<str>) -> bool {
        self.namespaces.get(namespace).is_some()
    }

    /// Whether instances in a namespace may name an organization.
    pub fn may_assign(&self, organization: &Arc<str>, namespace: &str) -> bool {
        self.get(organization).is_some_and(|found| may_assign(found, namespace))
    }

    /// Whether what lies in a namespace may report usage of an organization.
    pub fn may_report(&self, organization: &Arc<str>, namespace: &str) -> bool {
        self.get(organization).is_some_and(|found| may_report(found, namespace))
    }
}

/// The name in an object's metadata.
pub fn name_of(metadata: &ObjectMeta) -> Arc<str> {
    metadata.name.as_deref().unwrap_or_default().into()
}
