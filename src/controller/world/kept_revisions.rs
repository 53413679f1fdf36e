//! The kept revisions of all kinds of the catalogue.

use super::{
    store::{Identity, Put, PutUnreadable, Reading, Store},
    tenancy::name_of,
};
use crate::evaluation::catalogue::{CatalogueId, Revision, Revisions};
use kube::api::ObjectMeta;
use std::sync::Arc;

/// The kept revisions of all kinds of the catalogue.
#[derive(Default)]
pub struct KeptRevisions {
    store: Store<Arc<str>, Arc<Revision>>,
    by_object: Revisions,
}

impl KeptRevisions {
    /// A state of a revision, from the watch or from the answer to a write; the object that it is of, if it is news, and whether
    /// it has changed.
    pub fn put(&mut self, revision: Reading<Arc<str>, Option<Arc<Revision>>>) -> Option<(CatalogueId, bool)> {
        let Reading { key: name, identity, value: revision } = revision;
        let Some(revision) = revision else {
            let lost = self.lose(&name, identity, "it does not say of which definition it is".to_owned())?;
            return Some((lost, true));
        };
        let put = self.store.put(Arc::clone(&revision.name), identity, Arc::clone(&revision));
        let Put::Stored(before) = put else { return None };
        if let Some(before) = &before {
            self.by_object.remove(before);
        }
        self.by_object.insert(Arc::clone(&revision));
        let has_changed = before.is_none_or(|before| before != revision);
        Some((revision.of.clone(), has_changed))
    }

    /// A revision that could not be read, and why. What was known of it stays; the object that it was of, if that is lost.
    pub fn put_unreadable(&mut self, metadata: &ObjectMeta, why: String) -> Option<CatalogueId> {
        self.lose(&name_of(metadata), Identity::of(metadata), why)
    }

    fn lose(&mut self, name: &Arc<str>, identity: Identity, why: String) -> Option<CatalogueId> {
        match self.store.put_unreadable(name, identity, why) {
            PutUnreadable::Unknown(Some(before)) => Some(self.lost(&before)),
            PutUnreadable::Unknown(None) | PutUnreadable::Stale | PutUnreadable::Kept => None,
        }
    }

    fn lost(&mut self, before: &Arc<Revision>) -> CatalogueId {
        self.by_object.remove(before);
        before.of.clone()
    }

    /// A revision is gone; the object that it was of.
    pub fn remove(&mut self, metadata: &ObjectMeta) -> Option<CatalogueId> {
        let before = self.store.remove(&name_of(metadata), &Identity::of(metadata))?;
        Some(self.lost(&before))
    }

    /// The operator has deleted a revision.
    pub fn forget(&mut self, name: &Arc<str>) {
        let Some(uid) = self.store.identity(name).map(|identity| Arc::clone(&identity.uid)) else { return };
        if let Some(before) = self.store.forget(name, &uid) {
            self.by_object.remove(&before);
        }
    }

    /// A list begins.
    pub fn begin_list(&mut self) {
        self.store.begin_list();
    }

    /// A list is complete; the objects that have lost some.
    pub fn finish_list(&mut self) -> Vec<CatalogueId> {
        let gone = self.store.finish_list();
        gone.into_iter().filter_map(|(_, before)| Some(self.lost(&before?))).collect()
    }

    /// Those of an object, the oldest first.
    pub fn of(&self, object: &CatalogueId) -> Vec<Arc<Revision>> {
        self.by_object.of(object)
    }

    /// Whether there are any of an object.
    pub fn has(&self, object: &CatalogueId) -> bool {
        self.by_object.has(object)
    }

    /// The objects of which there are some.
    pub fn objects(&self) -> impl Iterator<Item = &CatalogueId> {
        self.by_object.objects()
    }
}
