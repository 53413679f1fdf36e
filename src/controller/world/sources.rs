//! The Secrets that grants take secret fields from: those that some grant refers to, and no others.

use super::{Identity, SecretName, WorkItem, World};
use crate::core::secret::Secret;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// The data of a Secret.
pub type SourceData = Arc<BTreeMap<String, Secret<Vec<u8>>>>;

/// What is known of a source.
#[derive(Clone, Debug)]
enum SourceSecret {
    /// It can't be read, for now.
    Unavailable,
    /// It does not exist.
    Missing,
    /// Its data at a resourceVersion.
    Read { version: u64, data: SourceData },
}

/// What is known of the sources.
#[derive(Default)]
pub struct SourceSecrets {
    known: HashMap<SecretName, SourceSecret>,
}

/// Nobody has looked for a Secret yet.
#[derive(Debug)]
pub struct NotYetFetched;

impl SourceSecrets {
    /// It was read. True if its data are others than before.
    pub fn put(&mut self, key: SecretName, version: u64, data: BTreeMap<String, Secret<Vec<u8>>>) -> bool {
        let is_same = matches!(self.known.get(&key), Some(SourceSecret::Read { data: before, .. }) if **before == data);
        self.known.insert(key, SourceSecret::Read { version, data: Arc::new(data) });
        !is_same
    }

    /// It does not exist. True if that is news.
    pub fn put_missing(&mut self, key: SecretName) -> bool {
        !matches!(self.known.insert(key, SourceSecret::Missing), Some(SourceSecret::Missing))
    }

    /// It could not be read. What was read before stays; true if there is no such.
    pub fn put_unavailable(&mut self, key: SecretName) -> bool {
        if self.known.contains_key(&key) {
            return false;
        }
        self.known.insert(key, SourceSecret::Unavailable);
        true
    }

    /// Nothing may or need be known of it any more. True if anything was.
    pub fn drop(&mut self, key: &SecretName) -> bool {
        self.known.remove(key).is_some()
    }

    /// Whether a state that the watch has seen is another than the one that was read.
    pub fn is_outdated(&self, key: &SecretName, version: u64) -> bool {
        !matches!(self.known.get(key), Some(SourceSecret::Read { version: read, .. }) if *read == version)
    }

    /// Its data; None if there is no such Secret, or it can't be read.
    pub fn data(&self, key: &SecretName) -> Result<Option<SourceData>, NotYetFetched> {
        match self.known.get(key) {
            None => Err(NotYetFetched),
            Some(SourceSecret::Read { data, .. }) => Ok(Some(Arc::clone(data))),
            Some(SourceSecret::Missing | SourceSecret::Unavailable) => Ok(None),
        }
    }
}

impl World {
    /// A watch of the Secrets in a namespace from which grants take values begins (anew): what was before is not known.
    pub fn began_sources(&mut self, namespace: &Arc<str>) {
        let sources = self.grants.secrets_in(namespace);
        self.work.extend(sources.cloned().map(WorkItem::Source));
    }

    /// A Secret there is new or has changed. Nothing is kept of one that no grant refers to.
    pub fn saw_source(&mut self, namespace: &Arc<str>, name: Arc<str>, version: &str) {
        let key: SecretName = (Arc::clone(namespace), name);
        let is_used = self.grants.organizations_using(&key).next().is_some();
        if is_used && self.sources.is_outdated(&key, Identity::version_of(Some(version))) {
            self.work.insert(WorkItem::Source(key));
        }
    }

    /// A Secret there is gone. It is read once more rather than believed, as the watch may be behind.
    pub fn lost_source(&mut self, namespace: &Arc<str>, name: Arc<str>) {
        let key: SecretName = (Arc::clone(namespace), name);
        if self.grants.organizations_using(&key).next().is_some() {
            self.work.insert(WorkItem::Source(key));
        }
    }
}
