//! The known objects of one kind: from the watch or from the operator's own writes, whichever is newer.

use crate::{
    core::{source::SourceId, usage::report::ReportId},
    evaluation::object::ObjectKey,
};
use kube::api::ObjectMeta;
use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    hash::Hash,
    sync::Arc,
};

/// Which object it is, and which state of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The UID.
    pub uid: Arc<str>,
    /// The resourceVersion; 0 where it is none that can be compared.
    pub version: u64,
}

impl Identity {
    /// Reads an object's metadata.
    pub fn of(metadata: &ObjectMeta) -> Self {
        Self {
            uid: metadata.uid.as_deref().unwrap_or_default().into(),
            version: Self::version_of(metadata.resource_version.as_deref()),
        }
    }

    /// A resourceVersion as a number; 0 where it is none that can be compared.
    pub fn version_of(version: Option<&str>) -> u64 {
        version.and_then(|version| version.parse().ok()).unwrap_or(0)
    }
}

/// A state of an object, read as far as the index takes it in.
pub struct Reading<K, V> {
    /// The object's name.
    pub key: K,
    /// Which state of it.
    pub identity: Identity,
    /// What is kept of it.
    pub value: V,
}

struct StoredObject<V> {
    identity: Identity,
    value: V,
}

/// A key of objects of which those in one namespace may be listed by themselves.
pub trait Placed {
    /// The namespace, for objects that may be listed so.
    fn namespace(&self) -> Option<&Arc<str>> {
        None
    }
}

impl Placed for Arc<str> {}

#[cfg(test)]
impl Placed for &str {}

impl Placed for SourceId {
    fn namespace(&self) -> Option<&Arc<str>> {
        Some(&self.namespace)
    }
}

impl Placed for ReportId {
    fn namespace(&self) -> Option<&Arc<str>> {
        Some(&self.namespace)
    }
}

impl Placed for ObjectKey {
    fn namespace(&self) -> Option<&Arc<str>> {
        Some(&self.namespace)
    }
}

/// What became of a state that was handed in.
#[derive(Debug, PartialEq, Eq)]
pub enum Put<V> {
    /// It was known already, or older than what is known.
    Stale,
    /// It is the newest; what it replaces.
    Stored(Option<V>),
}

/// What became of a state that could not be read.
#[derive(Debug, PartialEq, Eq)]
pub enum PutUnreadable<V> {
    /// It was known already, or older than what is known.
    Stale,
    /// The last readable state of the object stays.
    Kept,
    /// Nothing is known of the object but that it is there; the last state of another that had the key before it.
    Unknown(Option<V>),
}

/// The objects of one kind. One that can't be read stays: in its last readable state, or as one that is there. Only the watch's
/// word that it is gone, or a whole list that does not name it, takes it away.
pub struct Store<K, V> {
    entries: HashMap<K, StoredObject<V>>,
    /// Objects of which no readable state is known, with the reason.
    unreadable: BTreeMap<K, StoredObject<String>>,
    /// Objects that are gone, be it that the operator deleted them or that the watch said so: neither a late echo nor the late
    /// answer to a write brings them back.
    gone: Graves,
    lists: ListsUnderWay<K>,
    has_listed: bool,
}

/// What the lists that are under way have named so far.
pub struct ListsUnderWay<K> {
    whole: Option<HashSet<K>>,
    /// Those of one namespace.
    within: HashMap<Arc<str>, HashSet<K>>,
}

impl<K> Default for ListsUnderWay<K> {
    fn default() -> Self {
        Self { whole: None, within: HashMap::new() }
    }
}

/// The most objects that are remembered as gone; what is said of one comes late by moments only.
const MOST_GRAVES: usize = 4096;

/// The objects that went last, by UID, with the version at which they did. One that only lost the label which is watched for may
/// come back at a later one.
#[derive(Default)]
struct Graves {
    versions: HashMap<Arc<str>, u64>,
    order: VecDeque<Arc<str>>,
}

impl Graves {
    fn has(&self, identity: &Identity) -> bool {
        self.versions.get(&identity.uid).is_some_and(|version| identity.version <= *version)
    }

    fn add(&mut self, uid: &Arc<str>, version: u64) {
        if self.versions.insert(Arc::clone(uid), version).is_some() {
            return;
        }
        self.order.push_back(Arc::clone(uid));
        if self.order.len() > MOST_GRAVES
            && let Some(oldest) = self.order.pop_front()
        {
            self.versions.remove(&oldest);
        }
    }
}

impl<K, V> Default for Store<K, V> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            unreadable: BTreeMap::new(),
            gone: Graves::default(),
            lists: ListsUnderWay::default(),
            has_listed: false,
        }
    }
}

impl<K: Placed + Hash + Ord + Clone, V> Store<K, V> {
    /// The newest state of an object.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// Which object has the key, in which state.
    pub fn identity(&self, key: &K) -> Option<&Identity> {
        self.entries.get(key).map(|entry| &entry.identity)
    }

    /// Changes what is kept of an object without that it has changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|entry| &mut entry.value)
    }

    /// Forgets what is known of an object, so that the same state of it may be taken in once more.
    pub fn evict(&mut self, key: &K) -> Option<V> {
        self.entries.remove(key).map(|entry| entry.value)
    }

    /// The newest states of all objects.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, entry)| (key, &entry.value))
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.entries.keys()
    }

    /// Why an object can't be read, where no readable state of it is known.
    pub fn unreadable(&self, key: &K) -> Option<&str> {
        self.unreadable.get(key).map(|entry| entry.value.as_str())
    }

    /// The keys of all objects without a readable state.
    pub fn unreadable_keys(&self) -> impl Iterator<Item = &K> {
        self.unreadable.keys()
    }

    /// Whether the watch has listed the kind once.
    pub fn has_listed(&self) -> bool {
        self.has_listed
    }

    /// Takes in a state, from the watch or from the answer to a write.
    pub fn put(&mut self, key: K, identity: Identity, value: V) -> Put<V> {
        // Of what could not be read, the same state may be readable another time.
        let was_unreadable = self.unreadable.get(&key).is_some_and(|entry| entry.identity == identity);
        if was_unreadable {
            self.unreadable.remove(&key);
        }
        if !self.admit(&key, &identity) {
            return Put::Stale;
        }
        self.unreadable.remove(&key);
        Put::Stored(self.entries.insert(key, StoredObject { identity, value }).map(|entry| entry.value))
    }

    /// Takes in a state that could not be read, and why.
    pub fn put_unreadable(&mut self, key: &K, identity: Identity, why: String) -> PutUnreadable<V> {
        if !self.admit(key, &identity) {
            return PutUnreadable::Stale;
        }
        if let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.identity.uid == identity.uid) {
            entry.identity = identity;
            return PutUnreadable::Kept;
        }
        self.unreadable.insert(key.clone(), StoredObject { identity, value: why });
        PutUnreadable::Unknown(self.entries.remove(key).map(|entry| entry.value))
    }

    /// Whether a state is newer than what is known of its key. A list that is under way has named the key in any case.
    fn admit(&mut self, key: &K, identity: &Identity) -> bool {
        if self.gone.has(identity) {
            return false;
        }
        if let Some(named) = &mut self.lists.whole {
            named.insert(key.clone());
        }
        if let Some(named) = key.namespace().and_then(|namespace| self.lists.within.get_mut(namespace)) {
            named.insert(key.clone());
        }
        let known = self.entries.get(key).map(|entry| &entry.identity);
        let unreadable = self.unreadable.get(key).map(|entry| &entry.identity);
        known.into_iter().chain(unreadable).all(|known| known.version < identity.version)
    }

    /// The watch says that an object is gone. Returns it, unless another has the key already.
    pub fn remove(&mut self, key: &K, identity: &Identity) -> Option<V> {
        self.gone.add(&identity.uid, identity.version);
        self.take(key, |known| known.uid == identity.uid || known.version <= identity.version)
    }

    /// The operator has deleted an object, or found that it is gone.
    pub fn forget(&mut self, key: &K, uid: &Arc<str>) -> Option<V> {
        self.gone.add(uid, u64::MAX);
        self.take(key, |known| known.uid == *uid)
    }

    fn take(&mut self, key: &K, is_it: impl Fn(&Identity) -> bool) -> Option<V> {
        if self.unreadable.get(key).is_some_and(|entry| is_it(&entry.identity)) {
            self.unreadable.remove(key);
        }
        if !is_it(&self.entries.get(key)?.identity) {
            return None;
        }
        self.entries.remove(key).map(|entry| entry.value)
    }

    /// What is taken in from now on counts as named by no list, until they are resumed.
    pub fn suspend_lists(&mut self) -> ListsUnderWay<K> {
        std::mem::take(&mut self.lists)
    }

    /// The lists go on.
    pub fn resume_lists(&mut self, lists: ListsUnderWay<K>) {
        self.lists = lists;
    }

    /// A list begins.
    pub fn begin_list(&mut self) {
        self.lists.whole = Some(HashSet::new());
    }

    /// The list is complete: what it did not name is gone, as deletions during a list bring no event. Without a state, where no
    /// readable one was known.
    pub fn finish_list(&mut self) -> Vec<(K, Option<V>)> {
        self.has_listed = true;
        self.gone = Graves::default();
        let Some(named) = self.lists.whole.take() else { return Vec::new() };
        let unreadable = self.unreadable.extract_if(.., |key, _| !named.contains(key)).map(|(key, _)| (key, None));
        let known = self.entries.extract_if(|key, _| !named.contains(key));
        unreadable.chain(known.map(|(key, entry)| (key, Some(entry.value)))).collect()
    }

    /// A list of what is in one namespace begins.
    pub fn begin_list_within(&mut self, namespace: &Arc<str>) {
        self.lists.within.insert(Arc::clone(namespace), HashSet::new());
    }

    /// That list is complete: what is in the namespace and was not named is gone. Of all else, nothing is said.
    pub fn finish_list_within(&mut self, namespace: &Arc<str>) -> Vec<(K, Option<V>)> {
        let Some(named) = self.lists.within.remove(namespace) else { return Vec::new() };
        let is_gone = |key: &K| key.namespace() == Some(namespace) && !named.contains(key);
        let unreadable = self.unreadable.extract_if(.., |key, _| is_gone(key)).map(|(key, _)| (key, None));
        let known = self.entries.extract_if(|key, _| is_gone(key));
        unreadable.chain(known.map(|(key, entry)| (key, Some(entry.value)))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Identity, Put, PutUnreadable, Store};
    use crate::core::source::SourceId;

    fn state(uid: &str, version: u64) -> Identity {
        Identity { uid: uid.into(), version }
    }

    #[test]
    fn echoes_of_own_writes_are_stale() {
        let mut store = Store::default();
        assert_eq!(store.put("a", state("u", 7), "own"), Put::Stored(None));
        assert_eq!(store.put("a", state("u", 5), "older"), Put::Stale);
        assert_eq!(store.put("a", state("u", 7), "echo"), Put::Stale);
        assert_eq!(store.put("a", state("u", 8), "newer"), Put::Stored(Some("own")));
        assert_eq!(store.get(&"a"), Some(&"newer"));
    }

    #[test]
    fn another_object_of_the_name_counts_if_it_is_newer() {
        let mut store = Store::default();
        store.put("a", state("u", 7), 1);
        assert_eq!(store.put("a", state("v", 9), 2), Put::Stored(Some(1)));
        assert_eq!(store.put("a", state("u", 8), 1), Put::Stale);
        assert_eq!(store.remove(&"a", &state("u", 8)), None);
        assert_eq!(store.get(&"a"), Some(&2));
    }

    #[test]
    fn a_late_echo_does_not_bring_back_what_was_deleted() {
        let mut store = Store::default();
        store.put("a", state("u", 7), 1);
        assert_eq!(store.forget(&"a", &"u".into()), Some(1));
        assert_eq!(store.put("a", state("u", 8), 1), Put::Stale);
        assert_eq!(store.remove(&"a", &state("u", 9)), None);
        assert_eq!(store.get(&"a"), None);
        assert_eq!(store.put("a", state("v", 10), 2), Put::Stored(None));
    }

    #[test]
    fn a_late_answer_does_not_bring_back_what_the_watch_has_seen_go() {
        let mut store = Store::default();
        store.put("a", state("u", 7), 1);
        assert_eq!(store.remove(&"a", &state("u", 9)), Some(1));
        assert_eq!(store.put("a", state("u", 8), 1), Put::Stale);
        // Nor what it never saw come.
        assert_eq!(store.remove(&"b", &state("v", 11)), None);
        assert_eq!(store.put("b", state("v", 10), 2), Put::Stale);
        assert_eq!(store.put("b", state("w", 12), 3), Put::Stored(None));
    }

    #[test]
    fn what_lost_the_label_that_is_watched_for_may_get_it_back() {
        let mut store = Store::default();
        store.put("a", state("u", 7), 1);
        assert_eq!(store.remove(&"a", &state("u", 9)), Some(1));
        assert_eq!(store.put("a", state("u", 10), 2), Put::Stored(None));
    }

    #[test]
    fn what_went_long_ago_is_forgotten() {
        let mut store: Store<&str, u8> = Store::default();
        for number in 0..=super::MOST_GRAVES {
            store.remove(&"a", &state(&format!("u{number}"), 1));
        }
        assert_eq!((store.gone.versions.len(), store.gone.order.len()), (super::MOST_GRAVES, super::MOST_GRAVES));
        assert!(!store.gone.has(&state("u0", 1)));
    }

    #[test]
    fn a_list_replaces_everything_but_newer_own_writes() {
        let mut store = Store::default();
        for (key, version) in [("gone", 1), ("kept", 2), ("written", 3)] {
            store.put(key, state(key, version), version);
        }
        assert!(!store.has_listed());
        store.begin_list();
        store.put("kept", state("kept", 2), 2);
        store.put("written", state("written", 9), 9);
        store.put("written", state("written", 3), 3);
        store.put("made", state("made", 10), 10);
        assert_eq!(store.finish_list(), [("gone", Some(1))]);
        assert!(store.has_listed());
        assert_eq!((store.get(&"kept"), store.get(&"written"), store.get(&"made")), (Some(&2), Some(&9), Some(&10)));
    }

    #[test]
    fn a_list_that_breaks_off_takes_nothing_away() {
        let mut store = Store::default();
        store.put("a", state("u", 1), 1);
        store.begin_list();
        store.begin_list();
        store.put("a", state("u", 1), 1);
        assert_eq!(store.finish_list(), []);
        assert_eq!(store.get(&"a"), Some(&1));
    }

    #[test]
    fn a_list_of_one_namespace_says_nothing_of_the_others() {
        let mut store = Store::default();
        let id = |namespace: &str, name: &str| SourceId::instance(namespace, name);
        for (version, (namespace, name)) in
            [("a", "gone"), ("a", "kept"), ("b", "gone"), ("b", "kept")].iter().enumerate()
        {
            let version = version as u64 + 1;
            store.put(id(namespace, name), state(&format!("{namespace}{name}"), version), version);
        }
        store.put_unreadable(&id("a", "spoilt"), state("s", 5), String::new());
        store.put_unreadable(&id("b", "spoilt"), state("t", 6), String::new());
        store.begin_list_within(&"a".into());
        store.begin_list_within(&"b".into());
        store.put(id("a", "kept"), state("akept", 2), 2);
        store.put(id("a", "new"), state("anew", 9), 9);
        assert_eq!(store.finish_list_within(&"a".into()), [(id("a", "spoilt"), None), (id("a", "gone"), Some(1))]);
        assert_eq!((store.get(&id("a", "new")), store.get(&id("b", "gone"))), (Some(&9), Some(&3)));
        // One that breaks off takes nothing away.
        store.begin_list_within(&"b".into());
        store.put(id("b", "gone"), state("bgone", 3), 3);
        store.put(id("b", "kept"), state("bkept", 4), 4);
        assert_eq!(store.finish_list_within(&"b".into()), [(id("b", "spoilt"), None)]);
        assert_eq!(store.finish_list_within(&"c".into()), []);
    }

    fn unreadable(store: &mut Store<&'static str, u64>, key: &'static str, version: u64) -> PutUnreadable<u64> {
        store.put_unreadable(&key, state(key, version), "spoilt".to_owned())
    }

    #[test]
    fn an_unreadable_state_leaves_the_last_readable_one() {
        let mut store = Store::default();
        store.put("a", state("a", 1), 1);
        assert_eq!(unreadable(&mut store, "a", 2), PutUnreadable::Kept);
        assert_eq!((store.get(&"a"), store.unreadable(&"a")), (Some(&1), None));
        assert_eq!(unreadable(&mut store, "b", 3), PutUnreadable::Unknown(None));
        assert_eq!((store.get(&"b"), store.unreadable(&"b")), (None, Some("spoilt")));
        assert_eq!(unreadable(&mut store, "b", 3), PutUnreadable::Stale);
        assert_eq!(unreadable(&mut store, "c", 3), PutUnreadable::Unknown(None));
        assert_eq!(store.put("c", state("c", 2), 2), Put::Stale);
        assert_eq!(store.put("c", state("c", 3), 3), Put::Stored(None));
        assert_eq!(store.put("a", state("a", 2), 2), Put::Stale);
        assert_eq!(store.put("a", state("a", 3), 3), Put::Stored(Some(1)));
        assert_eq!(store.put("b", state("b", 4), 4), Put::Stored(None));
        assert_eq!((store.get(&"b"), store.unreadable(&"b")), (Some(&4), None));
    }

    #[test]
    fn an_unreadable_object_is_not_taken_for_the_one_before_it() {
        let mut store = Store::default();
        store.put("a", state("former", 1), 1);
        assert_eq!(unreadable(&mut store, "a", 2), PutUnreadable::Unknown(Some(1)));
        assert_eq!((store.get(&"a"), store.unreadable(&"a")), (None, Some("spoilt")));
    }

    #[test]
    fn an_unreadable_object_stays_until_it_is_known_to_be_gone() {
        let mut store = Store::default();
        for (key, version) in [("deleted", 1), ("forgotten", 2), ("kept", 3), ("left-out", 4)] {
            unreadable(&mut store, key, version);
        }
        assert_eq!(store.remove(&"deleted", &state("deleted", 9)), None);
        assert_eq!(store.forget(&"forgotten", &"another".into()), None);
        assert_eq!(store.unreadable_keys().copied().collect::<Vec<_>>(), ["forgotten", "kept", "left-out"]);
        store.forget(&"forgotten", &"forgotten".into());
        store.begin_list();
        assert_eq!(store.unreadable_keys().copied().collect::<Vec<_>>(), ["kept", "left-out"]);
        assert_eq!(unreadable(&mut store, "kept", 3), PutUnreadable::Stale);
        store.begin_list();
        assert_eq!(unreadable(&mut store, "kept", 3), PutUnreadable::Stale);
        assert_eq!(store.unreadable_keys().copied().collect::<Vec<_>>(), ["kept", "left-out"]);
        assert_eq!(store.finish_list(), [("left-out", None)]);
        assert_eq!(store.unreadable_keys().copied().collect::<Vec<_>>(), ["kept"]);
    }
}
