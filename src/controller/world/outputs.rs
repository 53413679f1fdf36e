//! The objects with the operator's label in tenants' namespaces, and what stands in its way there.

use super::{
    contention::Contention,
    sharing::OutputSharing,
    store::{Identity, Put, PutUnreadable, Store},
    strays::Strays,
};
use crate::{
    api::entitlement_definition::OutputKind,
    evaluation::{
        object::ObjectKey,
        plan::{Fate, Observed, Owner},
    },
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
pub struct ObservedOutputs {
    config_maps: Store<ObjectKey, Arc<Observed>>,
    secrets: Store<ObjectKey, Arc<Observed>>,
    by_organization: HashMap<Arc<str>, BTreeSet<ObjectKey>>,
    foreign: HashMap<Arc<str>, BTreeMap<ObjectKey, Look>>,
    /// Organizations that want a name which another's object has, one that the operator watches.
    waiting: HashMap<ObjectKey, BTreeSet<Arc<str>>>,
    /// Objects whose marks others have changed.
    pub strays: Strays,
    /// Objects that others change again and again.
    pub contention: Contention,
    sharing: OutputSharing,
}

/// When a foreign object is looked at.
#[derive(Clone, Copy, Debug)]
struct Look {
    at: Instant,
    pause: Duration,
}

impl ObservedOutputs {
    fn store(&mut self, kind: OutputKind) -> &mut Store<ObjectKey, Arc<Observed>> {
        match kind {
            OutputKind::ConfigMap => &mut self.config_maps,
            OutputKind::Secret => &mut self.secrets,
        }
    }

    /// The object of that name, as far as the watch shows it.
    pub fn get(&self, key: &ObjectKey) -> Option<&Arc<Observed>> {
        match key.kind {
            OutputKind::ConfigMap => self.config_maps.get(key),
            OutputKind::Secret => self.secrets.get(key),
        }
    }

    /// A state of an object, from the answer to a write for an organization. Organizations that it is or was of, if it is
    /// news, and what it was before others changed it, if they did.
    pub fn wrote(
        &mut self,
        organization: &Arc<str>,
        key: &ObjectKey,
        observed: Observed,
        now: Instant,
    ) -> (BTreeSet<Arc<str>>, Option<Arc<Observed>>) {
        let was = self.contention.wrote(organization, key, Some(observed.version), now);
        let key = &self.sharing.key(key);
        let answer = Identity { uid: Arc::clone(&observed.uid), version: observed.version };
        let news = self.put(key, observed);
        if self.get(key).is_none_or(|known| known.uid != answer.uid || known.version != answer.version) {
            // The watch was ahead of the answer: what others have done to the object since is still to be put right.
            return (BTreeSet::new(), was);
        }
        self.strays.settle(organization, key);
        let Some((before, observed)) = news else { return (BTreeSet::new(), was) };
        if let Some(former) = before.as_ref().and_then(|before| before.organization.as_ref()) {
            self.strays.settle(former, key);
        }
        (self.relink(key, before.as_deref(), Some(&observed)), was)
    }

    /// A state of an object, from the watch; `is_listed` if from a list. Organizations that it is or was of, if it is news.
    pub fn saw(&mut self, key: &ObjectKey, observed: Observed, is_listed: bool, now: Instant) -> BTreeSet<Arc<str>> {
        let key = &self.sharing.key(key);
        let Some((before, observed)) = self.put(key, observed) else { return BTreeSet::new() };
        let is_changed = before.as_ref().map_or(!is_listed, |before| !observed.has_same_content(before));
        if is_changed {
            self.contention.saw(key, Some(observed.version), before.as_ref(), now);
        }
        self.strays.saw(key, before.as_deref(), Some(&observed));
        self.relink(key, before.as_deref(), Some(&observed))
    }

    /// What was known of the object, if this is news.
    fn put(&mut self, key: &ObjectKey, mut observed: Observed) -> Option<(Option<Arc<Observed>>, Arc<Observed>)> {
        self.sharing.share(&mut observed);
        let identity = Identity { uid: Arc::clone(&observed.uid), version: observed.version };
        let observed = Arc::new(observed);
        match self.store(key.kind).put(key.clone(), identity, Arc::clone(&observed)) {
            Put::Stored(before) => Some((before, observed)),
            Put::Stale => None,
        }
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
    pub fn remove(&mut self, key: &ObjectKey, metadata: &ObjectMeta, now: Instant) -> BTreeSet<Arc<str>> {
        let before = self.store(key.kind).remove(key, &Identity::of(metadata));
        if before.is_some() {
            self.contention.saw(key, None, before.as_ref(), now);
        }
        self.strays.saw(key, before.as_deref(), None);
        self.relink(key, before.as_deref(), None)
    }

    /// Nobody is known to have changed anything.
    pub fn forget_changes(&mut self) {
        self.contention = Contention::default();
    }

    /// The operator has deleted an object of the organization, or found that it is gone. Organizations that it was of, or that
    /// want its name.
    pub fn forget(
        &mut self,
        organization: &Arc<str>,
        key: &ObjectKey,
        uid: &Arc<str>,
        now: Instant,
    ) -> BTreeSet<Arc<str>> {
        self.contention.wrote(organization, key, None, now);
        self.strays.settle(organization, key);
        let before = self.store(key.kind).forget(key, uid);
        self.relink(key, before.as_deref(), None)
    }

    /// A list of one kind begins.
    pub fn begin_list(&mut self, kind: OutputKind) {
        self.store(kind).begin_list();
    }

    /// A list of one kind is complete. Organizations that have lost objects.
    pub fn finish_list(&mut self, kind: OutputKind, now: Instant) -> BTreeSet<Arc<str>> {
        let gone = self.store(kind).finish_list();
        self.lose(&gone, now)
    }

    /// A list of one kind in one namespace begins.
    pub fn begin_list_within(&mut self, kind: OutputKind, namespace: &Arc<str>) {
        self.store(kind).begin_list_within(namespace);
    }

    /// A list of one kind in one namespace is complete. Organizations that have lost objects.
    pub fn finish_list_within(&mut self, kind: OutputKind, namespace: &Arc<str>, now: Instant) -> BTreeSet<Arc<str>> {
        let gone = self.store(kind).finish_list_within(namespace);
        self.lose(&gone, now)
    }

    fn lose(&mut self, gone: &[(ObjectKey, Option<Arc<Observed>>)], now: Instant) -> BTreeSet<Arc<str>> {
        for (key, before) in gone {
            self.contention.saw(key, None, before.as_ref(), now);
            self.strays.saw(key, before.as_deref(), None);
        }
        gone.iter().flat_map(|(key, before)| self.relink(key, before.as_deref(), None)).collect()
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

    /// Namespaces in which something of the organization lies that is not withdrawn.
    pub fn places(&self, owner: &Owner) -> BTreeSet<Arc<str>> {
        let is_there = |key: &&ObjectKey| {
            self.get(key).is_some_and(|observed| observed.was_made_for(owner) && observed.fate != Fate::Retained)
        };
        let keys = self.by_organization.get(owner.name()).into_iter().flatten().filter(is_there);
        let strays = self.strays.of(owner.name()).map(|(key, _)| key);
        keys.chain(strays).map(|key| Arc::clone(&key.namespace)).collect()
    }

    /// All objects that the watch shows.
    pub fn all(&self) -> impl Iterator<Item = (&ObjectKey, &Arc<Observed>)> {
        self.config_maps.iter().chain(self.secrets.iter())
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
    pub fn next_look(&self, organization: &str, now: Instant) -> Option<Instant> {
        let looks = self.foreign.get(organization).into_iter().flatten().map(|(_, look)| look.at);
        looks.chain(self.contention.next(organization, now)).min()
    }
}
