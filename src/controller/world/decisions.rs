//! The decisions on overrides, by the override that each is about.

use super::store::{Identity, Placed, Put, PutUnreadable, Reading, Store};
use crate::core::approval::StatedDecision;
use kube::api::ObjectMeta;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Which decision.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DecisionId {
    namespace: Arc<str>,
    name: Arc<str>,
}

/// Which override a decision is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Override {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name, as the decision has it.
    pub name: Arc<str>,
    /// Its UID.
    pub uid: Arc<str>,
}

/// All decisions.
#[derive(Default)]
pub struct OverrideDecisions {
    store: Store<DecisionId, StatedDecision>,
    by_override: BTreeMap<Arc<str>, BTreeSet<DecisionId>>,
}

impl DecisionId {
    /// That of an object.
    pub fn of(metadata: &ObjectMeta) -> Self {
        let text = |text: &Option<String>| text.as_deref().unwrap_or_default().into();
        Self { namespace: text(&metadata.namespace), name: text(&metadata.name) }
    }
}

impl Placed for DecisionId {
    fn namespace(&self) -> Option<&Arc<str>> {
        Some(&self.namespace)
    }
}

impl Override {
    fn of(decision: &StatedDecision) -> Self {
        Self {
            namespace: Arc::clone(&decision.namespace),
            name: Arc::clone(&decision.override_name),
            uid: Arc::clone(&decision.override_uid),
        }
    }
}

impl OverrideDecisions {
    /// A state of a decision; the overrides that are concerned.
    pub fn put(&mut self, decision: Reading<DecisionId, StatedDecision>) -> Vec<Override> {
        let Reading { key, identity, value } = decision;
        let concerned = Override::of(&value);
        let Put::Stored(before) = self.store.put(key.clone(), identity, value) else { return Vec::new() };
        let before = before.map(|before| self.unlink(&key, &before));
        self.by_override.entry(Arc::clone(&concerned.uid)).or_default().insert(key);
        before.into_iter().chain([concerned]).collect()
    }

    /// One that could not be read, and why. What was known of it stays.
    pub fn put_unreadable(&mut self, metadata: &ObjectMeta, why: String) -> Vec<Override> {
        let key = DecisionId::of(metadata);
        match self.store.put_unreadable(&key, Identity::of(metadata), why) {
            PutUnreadable::Unknown(Some(before)) => vec![self.unlink(&key, &before)],
            _ => Vec::new(),
        }
    }

    /// One is gone.
    pub fn remove(&mut self, metadata: &ObjectMeta) -> Vec<Override> {
        let key = DecisionId::of(metadata);
        let before = self.store.remove(&key, &Identity::of(metadata));
        before.map(|before| self.unlink(&key, &before)).into_iter().collect()
    }

    /// A list begins.
    pub fn begin_list(&mut self) {
        self.store.begin_list();
    }

    /// A list is complete; the overrides that are concerned.
    pub fn finish_list(&mut self) -> Vec<Override> {
        let gone = self.store.finish_list();
        self.lose(gone)
    }

    /// A list of one namespace begins.
    pub fn begin_list_within(&mut self, namespace: &Arc<str>) {
        self.store.begin_list_within(namespace);
    }

    /// A list of one namespace is complete; the overrides that are concerned.
    pub fn finish_list_within(&mut self, namespace: &Arc<str>) -> Vec<Override> {
        let gone = self.store.finish_list_within(namespace);
        self.lose(gone)
    }

    /// The decisions on the override of that UID.
    pub fn on(&self, uid: &str) -> impl Iterator<Item = &StatedDecision> {
        self.by_override.get(uid).into_iter().flatten().filter_map(|key| self.store.get(key))
    }

    fn lose(&mut self, gone: Vec<(DecisionId, Option<StatedDecision>)>) -> Vec<Override> {
        gone.into_iter().filter_map(|(key, known)| Some(self.unlink(&key, &known?))).collect()
    }

    fn unlink(&mut self, key: &DecisionId, decision: &StatedDecision) -> Override {
        let one = Override::of(decision);
        if let Some(keys) = self.by_override.get_mut(&one.uid) {
            keys.remove(key);
            if keys.is_empty() {
                self.by_override.remove(&one.uid);
            }
        }
        one
    }
}
