//! What is kept in memory of an object that is there: enough to tell whether it is as it should be, and no byte of its
//! values.

use super::{Fingerprint, Owner};
use crate::{
    core::grant::GrantId,
    evaluation::object::{INSTANCE, MANAGED_BY, MANAGER, ORGANIZATION, ObjectContent, ObjectData},
};
use std::{collections::BTreeMap, sync::Arc};

/// The labels or annotations of an object, as fingerprints of the single pairs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Sorted.
    pairs: Box<[Fingerprint]>,
    /// Those keys that the operator set, where the object says so.
    set_by_operator: Box<[Box<str>]>,
}

impl Marks {
    /// Of the pairs on an object, with those of their keys that the operator has set.
    pub fn new<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
        set_by_operator: impl IntoIterator<Item = String>,
    ) -> Self {
        let mut pairs: Vec<_> = pairs.into_iter().map(|(key, value)| Self::mark(key, value)).collect();
        pairs.sort_unstable();
        Self { pairs: pairs.into(), set_by_operator: set_by_operator.into_iter().map(String::into_boxed_str).collect() }
    }

    fn mark(key: &str, value: &str) -> Fingerprint {
        Fingerprint::of_pairs([(key, value.as_bytes())])
    }

    /// Whether every desired pair is there.
    #[must_use]
    pub fn have(&self, desired: &BTreeMap<String, String>) -> bool {
        desired.iter().all(|(key, value)| self.pairs.binary_search(&Self::mark(key, value)).is_ok())
    }

    /// The keys that the operator once set and no longer wants. Those of others stay.
    #[must_use]
    pub fn outdated(&self, desired: &BTreeMap<String, String>) -> Vec<String> {
        self.set_by_operator.iter().filter(|key| !desired.contains_key(&***key)).map(ToString::to_string).collect()
    }
}

/// An object that carries the operator's label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Its UID.
    pub uid: Arc<str>,
    /// Its resourceVersion.
    pub version: u64,
    /// The organization that its label names.
    pub organization: Option<Arc<str>>,
    /// The UID of its controlling owner.
    pub controller: Option<Arc<str>>,
    /// The grant that its annotation names.
    pub instance: Option<GrantId>,
    /// Its labels.
    pub labels: Marks,
    /// Its annotations.
    pub annotations: Marks,
    /// Of its data.
    pub data: Fingerprint,
    /// The keys of its data.
    pub keys: Box<[Box<str>]>,
    /// It has `binaryData`, which the operator never writes.
    pub has_binary_data: bool,
    /// It can't be put right in place: it is immutable, or a Secret of another type than `Opaque`.
    pub is_fixed: bool,
    /// It is being deleted, and something holds it.
    pub is_terminating: bool,
}

impl Observed {
    /// Whether the operator made it for that organization, and nobody took it over since.
    #[must_use]
    pub fn is_of(&self, owner: &Owner) -> bool {
        self.organization.as_ref() == Some(&owner.name) && self.controller.as_ref() == Some(&owner.uid)
    }

    /// Whether it is just as it should be.
    #[must_use]
    pub fn is_as(&self, content: &ObjectContent) -> bool {
        !self.is_fixed
            && !self.has_binary_data
            && self.labels.have(&content.labels)
            && self.annotations.have(&content.annotations)
            && self.labels.outdated(&content.labels).is_empty()
            && self.annotations.outdated(&content.annotations).is_empty()
            && self.data == fingerprint(&content.data)
    }

    /// The organization that labels name, if they are those of an object of the operator.
    #[must_use]
    pub fn organization_in(labels: &BTreeMap<String, String>) -> Option<&str> {
        if labels.get(MANAGED_BY).is_none_or(|manager| manager != MANAGER) {
            return None;
        }
        labels.get(ORGANIZATION).map(String::as_str)
    }

    /// The grant that annotations name.
    #[must_use]
    pub fn instance_in(annotations: &BTreeMap<String, String>) -> Option<GrantId> {
        let (namespace, name) = annotations.get(INSTANCE)?.split_once('/')?;
        Some(GrantId::new(namespace, name))
    }
}

/// Of the data that an object should have, comparable with that of an observed one.
#[must_use]
pub fn fingerprint(data: &ObjectData) -> Fingerprint {
    match data {
        ObjectData::ConfigMap(data) => {
            Fingerprint::of_pairs(data.iter().map(|(key, text)| (key.as_str(), text.as_bytes())))
        }
        ObjectData::Secret(data) => {
            Fingerprint::of_pairs(data.iter().map(|(key, value)| (key.as_str(), value.expose_secret().as_slice())))
        }
    }
}
