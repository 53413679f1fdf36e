//! What many objects say alike, kept in memory once.
//!
//! Thousands of grants are of few definitions, state the same values, and have statuses that say the same. What is equal is one
//! allocation here, whatever the objects are. Nothing goes by that: it is the same with each on its own.

use super::kept::GrantSource;
use crate::{
    api::facet_fields::FacetFields,
    core::{
        acceptance::{Acceptance, RecordedSpec},
        grant::{Grant, Observation, Remembered, RememberedCondition},
        source::{stated::StatedSource, subscription::Subscription},
    },
    evaluation::{
        object::ObjectKey,
        plan::{Fingerprint, Observed},
    },
};
use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    sync::{Arc, Weak},
};

/// So many are known before it is looked for the first time which of them nobody has any more.
const FIRST_LOOK: usize = 1024;

/// Values that several have. It keeps none of them itself.
struct Pool<K, T: ?Sized> {
    known: HashMap<K, Weak<T>>,
    /// From so many on, those that nobody has any more are dropped.
    limit: usize,
}

impl<K, T: ?Sized> Default for Pool<K, T> {
    fn default() -> Self {
        Self { known: HashMap::new(), limit: FIRST_LOOK }
    }
}

impl<K: Eq + Hash, T: ?Sized> Pool<K, T> {
    /// Replaces a value by one that others have, where there is an equal one.
    fn share(&mut self, key: K, value: &mut Arc<T>, is_equal: impl FnOnce(&T, &T) -> bool) {
        let known = self.known.get(&key).and_then(Weak::upgrade);
        if let Some(known) = known.filter(|known| is_equal(known, value)) {
            *value = known;
            return;
        }
        if self.known.len() >= self.limit {
            self.known.retain(|_, known| known.strong_count() > 0);
            self.limit = FIRST_LOOK.max(self.known.len() * 2);
            self.known.shrink_to(self.limit);
        }
        self.known.insert(key, Arc::downgrade(value));
    }
}

/// Values that are known by their hash.
struct HashedPool<T: ?Sized> {
    pool: Pool<u64, T>,
    hasher: RandomState,
}

impl<T: ?Sized> Default for HashedPool<T> {
    fn default() -> Self {
        Self { pool: Pool::default(), hasher: RandomState::new() }
    }
}

impl<T: ?Sized + Eq + Hash> HashedPool<T> {
    fn share(&mut self, value: &mut Arc<T>) {
        self.pool.share(self.hasher.hash_one(&*value), value, T::eq);
    }
}

/// Stated values. They are known by what they are as JSON, because numbers that are equal may be written otherwise.
#[derive(Default)]
struct FacetPool(Pool<Fingerprint, FacetFields>);

impl FacetPool {
    fn share(&mut self, facets: &mut Arc<FacetFields>) {
        if let Some(json) = Fingerprint::of_json(facets) {
            self.0.share(json, facets, |_, _| true);
        }
    }
}

/// What sources of grants share.
#[derive(Default)]
pub struct GrantSharing {
    names: HashedPool<str>,
    times: HashedPool<str>,
    observations: HashedPool<Observation>,
    specs: HashedPool<RecordedSpec>,
    facets: FacetPool,
}

impl GrantSharing {
    /// Has a source share what it can with others, and with what was known of it before.
    pub fn share(&mut self, source: &mut GrantSource, before: Option<&GrantSource>) {
        match source {
            GrantSource::Instance(grant) | GrantSource::Override(grant) => {
                self.share_grant(Arc::make_mut(grant), before.and_then(GrantSource::grant).map(AsRef::as_ref));
            }
            GrantSource::Subscription(subscription) => {
                let before = before.and_then(GrantSource::subscription).map(AsRef::as_ref);
                self.share_subscription(Arc::make_mut(subscription), before);
            }
        }
    }

    /// Has a source share the names of what it is of.
    pub fn share_names(&mut self, source: &mut GrantSource) {
        match source {
            GrantSource::Instance(grant) | GrantSource::Override(grant) => {
                self.share_names_of_grant(Arc::make_mut(grant));
            }
            GrantSource::Subscription(subscription) => {
                self.share_names_of_subscription(Arc::make_mut(subscription));
            }
        }
    }

    fn share_grant(&mut self, grant: &mut Grant, before: Option<&Grant>) {
        self.share_remembered(&mut grant.remembered);
        if let Some(before) = before {
            let is_same = is_of_spec(before, grant) && before.stated == grant.stated;
            if is_same {
                grant.stated = Arc::clone(&before.stated);
            }
            if before.accepted == grant.accepted {
                grant.accepted.clone_from(&before.accepted);
            }
            if is_same {
                return;
            }
        }
        self.share_names_of_grant(grant);
        let stated = Arc::make_mut(&mut grant.stated);
        self.facets.share(&mut stated.facets);
        self.share_written(&mut stated.source, grant.accepted.as_mut());
    }

    fn share_subscription(&mut self, subscription: &mut Subscription, before: Option<&Subscription>) {
        self.share_remembered(&mut subscription.remembered);
        for facets in Arc::make_mut(&mut subscription.facets).values_mut() {
            self.facets.share(facets);
        }
        if let Some(before) = before {
            let is_same = is_of_spec(before, subscription) && before.stated == subscription.stated;
            if is_same {
                subscription.stated = Arc::clone(&before.stated);
            }
            if before.accepted == subscription.accepted {
                subscription.accepted.clone_from(&before.accepted);
            }
            if before.agreed == subscription.agreed {
                subscription.agreed = Arc::clone(&before.agreed);
            }
            if before.rights == subscription.rights {
                subscription.rights = Arc::clone(&before.rights);
            }
            if before.facets == subscription.facets {
                subscription.facets = Arc::clone(&before.facets);
            }
            if is_same {
                return;
            }
        }
        self.share_names_of_subscription(subscription);
        let stated = Arc::make_mut(&mut subscription.stated);
        self.share_written(&mut stated.source, subscription.accepted.as_mut());
    }

    fn share_written(&mut self, stated: &mut StatedSource, accepted: Option<&mut Arc<Acceptance>>) {
        self.specs.share(&mut stated.written);
        let accepted = accepted.and_then(Arc::get_mut);
        if let Some(accepted) = accepted.filter(|accepted| accepted.spec == stated.written) {
            accepted.spec = Arc::clone(&stated.written);
        }
    }

    fn share_names_of_grant(&mut self, grant: &mut Grant) {
        let stated = Arc::make_mut(&mut grant.stated);
        self.names.share(&mut stated.id.source.namespace);
        self.names.share(&mut stated.id.definition);
        self.names.share(&mut stated.source.organization);
        stated.source.age.namespace = Arc::clone(&stated.id.source.namespace);
    }

    fn share_names_of_subscription(&mut self, subscription: &mut Subscription) {
        let stated = Arc::make_mut(&mut subscription.stated);
        let (source, plan) = (&mut stated.source, &mut stated.plan);
        for name in [&mut source.age.namespace, &mut source.organization, plan] {
            self.names.share(name);
        }
    }

    fn share_remembered(&mut self, remembered: &mut Remembered) {
        if let Some(facets) = &mut remembered.facets {
            self.facets.share(facets);
        }
        let Some(conditions) = Arc::get_mut(&mut remembered.conditions) else { return };
        for RememberedCondition { observation, since } in conditions {
            self.observations.share(observation);
            self.times.share(since);
        }
    }
}

/// Whether two states are of one object whose spec is the same.
fn is_of_spec(one: &StatedSource, other: &StatedSource) -> bool {
    (&one.age.uid, one.generation) == (&other.age.uid, other.generation)
}

/// What objects in tenants' namespaces share.
#[derive(Default)]
pub struct OutputSharing {
    names: HashedPool<str>,
    key_lists: HashedPool<[Box<str>]>,
}

impl OutputSharing {
    /// An object's name, of texts that others have too.
    pub fn key(&mut self, key: &ObjectKey) -> ObjectKey {
        let mut key = key.clone();
        self.names.share(&mut key.namespace);
        self.names.share(&mut key.name);
        key
    }

    /// Has an object share what it can with others.
    pub fn share(&mut self, observed: &mut Observed) {
        let Observed { organization, controller, made_for, .. } = observed;
        for name in organization.iter_mut().chain(controller) {
            self.names.share(name);
        }
        if let Some(made_for) = made_for {
            let source = &mut made_for.source;
            for name in [&mut source.namespace, &mut source.name].into_iter().chain(&mut made_for.definition) {
                self.names.share(name);
            }
        }
        for keys in observed.key_lists() {
            self.key_lists.share(keys);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FIRST_LOOK, FacetPool, GrantSharing, HashedPool, OutputSharing};
    use crate::{
        controller::output::OutputObject,
        controller::world::tests::{instance, output, read},
        core::{grant::Grant, source},
    };
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn grant(name: &str, generation: u64, status: Value) -> Grant {
        let mut instance = instance(name, "acme", generation, status);
        instance["spec"]["facets"] = json!({"backup": {"days": 7}});
        instance["spec"]["end"] = "2027-01-31".into();
        source::instance::grant(&read(instance))
    }

    fn status(message: &str) -> Value {
        let condition = |type_: &str| {
            json!({
                "type": type_, "status": "True", "reason": "Active", "message": message,
                "lastTransitionTime": "2027-01-01T00:00:00Z",
            })
        };
        let chain = json!({"name": "a", "uid": "uid-a", "since": "2026-01-01T00:00:00Z", "day": 1});
        json!({
            "phase": "Active", "facets": {"backup": {"days": 7}}, "conditions": [condition("Ready"), condition("Entitled")],
            "accepted": {"timeZone": "UTC", "end": "2027-01-31", "chain": chain},
        })
    }

    #[test]
    fn what_a_status_does_not_change_is_kept_once() {
        let mut sharing = GrantSharing::default();
        let (mut before, mut after, mut edited) =
            (grant("a", 1, json!(null)), grant("a", 1, status("it is so")), grant("a", 2, status("it is so")));
        let expected = [&after, &edited].map(|grant| format!("{grant:?}"));
        sharing.share_grant(&mut before, None);
        sharing.share_grant(&mut after, Some(&before));
        sharing.share_grant(&mut edited, Some(&after));
        assert!(Arc::ptr_eq(&before.stated, &after.stated));
        assert!(!Arc::ptr_eq(&after.stated, &edited.stated));
        assert!(Arc::ptr_eq(after.accepted.as_ref().unwrap(), edited.accepted.as_ref().unwrap()));
        assert!(Arc::ptr_eq(&after.facets, edited.remembered.facets.as_ref().unwrap()));
        assert_eq!([&after, &edited].map(|grant| format!("{grant:?}")), expected);
    }

    #[test]
    fn grants_that_say_the_same_say_it_once() {
        let mut sharing = GrantSharing::default();
        let (mut one, mut other) = (grant("a", 1, status("it is so")), grant("b", 1, status("it is so")));
        sharing.share_grant(&mut one, None);
        sharing.share_grant(&mut other, None);
        assert!(Arc::ptr_eq(&one.facets, &other.facets));
        assert!(Arc::ptr_eq(&one.written, &other.written));
        assert!(Arc::ptr_eq(&one.organization, &other.organization));
        for (one, other) in one.remembered.conditions.iter().zip(&*other.remembered.conditions) {
            assert!(Arc::ptr_eq(&one.observation, &other.observation) && Arc::ptr_eq(&one.since, &other.since));
        }
        let record = one.accepted.as_ref().unwrap();
        assert!(Arc::ptr_eq(&record.spec, &one.written) && Arc::ptr_eq(&record.chain.uid, &one.age.uid));
        assert!(!Arc::ptr_eq(&other.accepted.as_ref().unwrap().chain.uid, &one.age.uid));
    }

    #[test]
    fn objects_share_the_names_and_keys_that_they_have_in_common() {
        let mut sharing = OutputSharing::default();
        let [mut one, mut other] = ["a", "b"].map(|name| output(name, "acme", 1).0.unwrap().observed());
        let expected = format!("{one:?} {other:?}");
        sharing.share(&mut one);
        sharing.share(&mut other);
        assert!(Arc::ptr_eq(one.organization.as_ref().unwrap(), other.organization.as_ref().unwrap()));
        let pairs = one.key_lists().into_iter().zip(other.key_lists());
        assert!(pairs.into_iter().all(|(one, other)| Arc::ptr_eq(one, other)));
        assert_eq!(format!("{one:?} {other:?}"), expected);
    }

    #[test]
    fn what_nobody_has_any_more_is_not_kept() {
        let mut pool: HashedPool<str> = HashedPool::default();
        let mut kept: Arc<str> = "kept".into();
        pool.share(&mut kept);
        for number in 0..10 * FIRST_LOOK {
            let mut one: Arc<str> = number.to_string().into();
            pool.share(&mut one);
            assert_eq!(Arc::strong_count(&one), 1);
            assert!(pool.pool.known.len() <= FIRST_LOOK);
        }
        let mut again: Arc<str> = "kept".into();
        pool.share(&mut again);
        assert!(Arc::ptr_eq(&kept, &again));
    }

    #[test]
    fn numbers_stay_as_they_are_written() {
        let mut pool = FacetPool::default();
        let mut of = |number: Value| {
            let mut facets = Arc::new(serde_json::from_value(json!({"f": {"n": number}})).unwrap());
            pool.share(&mut facets);
            serde_json::to_string(&facets).unwrap()
        };
        for number in ["0.0", "-0.0", "1", "1.0"] {
            assert_eq!(of(serde_json::from_str(number).unwrap()), format!("{{\"f\":{{\"n\":{number}}}}}"));
        }
    }
}
