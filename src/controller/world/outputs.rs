//! What the operator's label is on in tenants' namespaces, and what stands in its way there.

use super::store::{Identity, Put, PutUnreadable, Store};
use crate::{
    api::entitlement_definition::OutputKind,
    evaluation::{object::ObjectKey, plan::Observed},
};
use kube::api::ObjectMeta;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// How long after the first look a foreign object is looked at again; from then on twice as long each time.
const FIRST_LOOK: Duration = Duration::from_secs(1);
/// The longest time between two looks, where there are few foreign objects ...
const LAST_LOOK: Duration = Duration::from_secs(10);
/// ... and for each where there are many, so that an organization never costs more than ten looks a second.
const LOOK_SHARE: Duration = Duration::from_millis(100);

/// The outputs of one kind.
#[derive(Default)]
pub struct Outputs {
    config_maps: Store<ObjectKey, Arc<Observed>>,
    secrets: Store<ObjectKey, Arc<Observed>>,
    by_organization: HashMap<Arc<str>, BTreeSet<ObjectKey>>,
    foreign: HashMap<Arc<str>, BTreeMap<ObjectKey, Look>>,
    /// Organizations that want a name which another's object has, one that the operator watches.
    waiting: HashMap<ObjectKey, BTreeSet<Arc<str>>>,
}

/// When a foreign object is looked at.
#[derive(Clone, Copy, Debug)]
struct Look {
    at: Instant,
    pause: Duration,
}

impl Outputs {
    fn store(&mut self, kind: OutputKind) -> &mut Store<ObjectKey, Arc<Observed>> {
        match kind {
            OutputKind::ConfigMap => &mut self.config_maps,
            OutputKind::Secret => &mut self.secrets,
        }
    }

    fn get(&self, key: &ObjectKey) -> Option<&Arc<Observed>> {
        match key.kind {
            OutputKind::ConfigMap => self.config_maps.get(key),
            OutputKind::Secret => self.secrets.get(key),
        }
    }

    /// A state of an object, from the watch or from the answer to a write. Organizations that it is or was of, if it is
    /// news.
    pub fn put(&mut self, key: &ObjectKey, observed: Observed) -> BTreeSet<Arc<str>> {
        let identity = Identity { uid: Arc::clone(&observed.uid), version: observed.version };
        let observed = Arc::new(observed);
        let Put::Stored(before) = self.store(key.kind).put(key.clone(), identity, Arc::clone(&observed)) else {
            return BTreeSet::new();
        };
        self.relink(key, before.as_deref(), Some(&observed))
    }

    /// An object that could not be read: what is known of it stays. Organizations that it was of, if nothing is.
    pub fn put_unreadable(&mut self, key: &ObjectKey, metadata: &ObjectMeta) -> BTreeSet<Arc<str>> {
        // Without the reason, which may quote what a Secret holds.
        match self.store(key.kind).put_unreadable(key, Identity::of(metadata), String::new()) {
            PutUnreadable::Unknown(before) => self.relink(key, before.as_deref(), None),
            PutUnreadable::Stale | PutUnreadable::Kept => BTreeSet::new(),
        }
    }

    /// The watch says that an object is gone, or has the label no more. Organizations that it was of.
    pub fn remove(&mut self, key: &ObjectKey, metadata: &ObjectMeta) -> BTreeSet<Arc<str>> {
        let before = self.store(key.kind).remove(key, &Identity::of(metadata));
        self.relink(key, before.as_deref(), None)
    }

    /// The operator has deleted an object, or found that it is gone. Organizations that it was of, or that want its name.
    pub fn forget(&mut self, key: &ObjectKey, uid: &Arc<str>) -> BTreeSet<Arc<str>> {
        let before = self.store(key.kind).forget(key, uid);
        self.relink(key, before.as_deref(), None)
    }

    /// A list of one kind begins.
    pub fn begin_list(&mut self, kind: OutputKind) {
        self.store(kind).begin_list();
    }

    /// A list of one kind is complete. Organizations that have lost objects.
    pub fn finish_list(&mut self, kind: OutputKind) -> BTreeSet<Arc<str>> {
        let gone = self.store(kind).finish_list();
        gone.iter().flat_map(|(key, before)| self.relink(key, before.as_deref(), None)).collect()
    }

    /// Whether both kinds have been listed once.
    pub fn has_listed(&self) -> bool {
        self.config_maps.has_listed() && self.secrets.has_listed()
    }

    fn relink(&mut self, key: &ObjectKey, before: Option<&Observed>, after: Option<&Observed>) -> BTreeSet<Arc<str>> {
        let before = before.and_then(|observed| observed.organization.clone());
        let after = after.and_then(|observed| observed.organization.clone());
        if before != after {
            if let Some(organization) = &before
                && let Some(keys) = self.by_organization.get_mut(organization)
            {
                keys.remove(key);
                if keys.is_empty() {
                    self.by_organization.remove(organization);
                }
            }
            if let Some(organization) = &after {
                self.by_organization.entry(Arc::clone(organization)).or_default().insert(key.clone());
            }
        }
        let waiting = self.waiting.remove(key).unwrap_or_default();
        waiting.into_iter().chain(before).chain(after).collect()
    }

    /// The objects with the organization's label.
    pub fn of_organization(&self, organization: &str) -> BTreeMap<ObjectKey, Arc<Observed>> {
        let keys = self.by_organization.get(organization).into_iter().flatten();
        keys.filter_map(|key| Some((key.clone(), Arc::clone(self.get(key)?)))).collect()
    }

    /// The object at a name that an organization wants, whoever's it is. The organization hears of it when that changes.
    pub fn await_name(&mut self, organization: &Arc<str>, key: &ObjectKey) -> Option<Arc<Observed>> {
        let found = self.get(key).cloned()?;
        self.waiting.entry(key.clone()).or_default().insert(Arc::clone(organization));
        Some(found)
    }

    /// Something that the operator did not make, and therefore does not watch, has a name that the organization wants.
    pub fn put_foreign(&mut self, organization: &Arc<str>, key: ObjectKey, now: Instant) {
        let looks = self.foreign.entry(Arc::clone(organization)).or_default();
        let longest = LAST_LOOK.max(LOOK_SHARE.saturating_mul(u32::try_from(looks.len()).unwrap_or(u32::MAX)));
        let pause = looks.get(&key).map_or(FIRST_LOOK, |look| (look.pause * 2).min(longest));
        looks.insert(key, Look { at: now + pause, pause });
    }

    /// The name is free, or wanted no more.
    pub fn remove_foreign(&mut self, organization: &str, key: &ObjectKey) {
        let Some(looks) = self.foreign.get_mut(organization) else { return };
        looks.remove(key);
        if looks.is_empty() {
            self.foreign.remove(organization);
        }
    }

    /// An organization wants no names any more.
    pub fn forget_foreign(&mut self, organization: &str) {
        self.foreign.remove(organization);
    }

    /// The names at which something foreign stands, and whether it is time to look at it again.
    pub fn foreign(&self, organization: &str, now: Instant) -> Vec<(ObjectKey, bool)> {
        let looks = self.foreign.get(organization).into_iter().flatten();
        looks.map(|(key, look)| (key.clone(), look.at <= now)).collect()
    }

    /// When it is time for the next look.
    pub fn next_look(&self, organization: &str) -> Option<Instant> {
        self.foreign.get(organization)?.values().map(|look| look.at).min()
    }
}
