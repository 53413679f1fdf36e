//! Which namespaces the operator serves, and in which of them it knows what there is.
//!
//! Where it is restricted to some namespaces, each is listed by itself. One that may not be listed, for want of a right, keeps nobody
//! else waiting: nothing is written and nothing withdrawn there until it is listed.

use super::{
    World,
    kept::GrantSource,
    kinds::{WATCHES, WatchedKind, resource},
};
use crate::{
    api::{
        ConditionStatus, EntitlementInstance, EntitlementOverride, EntitlementSubscription, Organization,
        OverrideDecision, conditions::READY,
    },
    core::{
        namespace::{Lack, NamespaceAccess},
        problem::Problem,
        served::ServedNamespaces,
        source::{SourceId, SourceKind},
    },
    evaluation::standing::unseen_grants,
};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What is known of the namespaces that are served.
#[derive(Default)]
pub struct Reach {
    served: ServedNamespaces,
    /// Of each kind that is listed by namespace.
    lists: BTreeMap<Cow<'static, str>, ListedNamespaces>,
}

/// The namespaces in which a kind is listed by itself.
#[derive(Default)]
struct ListedNamespaces {
    /// Those that have been listed once.
    listed: BTreeSet<Arc<str>>,
    /// Those of which it is not known yet whether they may be listed.
    awaited: BTreeSet<Arc<str>>,
}

impl Reach {
    /// Nothing is known yet.
    pub fn of(served: &ServedNamespaces) -> Self {
        let restricted = WATCHES.iter().filter_map(|watch| Some(((watch.resource)(), (watch.within)(served).names()?)));
        let lists = restricted
            .map(|(resource, names)| (resource, ListedNamespaces { listed: BTreeSet::new(), awaited: names.clone() }));
        Self { lists: lists.collect(), served: served.clone() }
    }

    /// Whether what a kind has in a namespace is known; it is of all where the kind is listed as a whole.
    fn knows<K: WatchedKind>(&self, namespace: &str) -> bool {
        self.lists.get(&resource::<K>()).is_none_or(|lists| lists.listed.contains(namespace))
    }

    /// Whether the sources of grants in a namespace are known.
    fn knows_sources(&self, namespace: &str) -> bool {
        self.knows::<EntitlementInstance>(namespace)
            && self.knows::<EntitlementSubscription>(namespace)
            && self.knows::<EntitlementOverride>(namespace)
            && self.knows::<OverrideDecision>(namespace)
    }

    /// What the operator can do in a namespace of clients.
    pub fn access(&self, namespace: &str) -> NamespaceAccess {
        if !self.served.all().has(namespace) {
            return NamespaceAccess::Nothing(Lack::NotServed);
        }
        if !self.knows::<ConfigMap>(namespace) || !self.knows_sources(namespace) {
            return NamespaceAccess::Nothing(Lack::NotListed);
        }
        if !self.served.secrets().has(namespace) {
            return NamespaceAccess::NoSecrets(Lack::NotServed);
        }
        if !self.knows::<Secret>(namespace) {
            return NamespaceAccess::NoSecrets(Lack::NotListed);
        }
        NamespaceAccess::Full
    }

    /// Why the grants in a namespace are not known, if they are not.
    fn lack_of_grants(&self, namespace: &str) -> Option<Lack> {
        if !self.served.all().has(namespace) {
            return Some(Lack::NotServed);
        }
        (!self.knows_sources(namespace)).then_some(Lack::NotListed)
    }

    /// Whether the Secrets in a namespace are served.
    pub fn has_secrets(&self, namespace: &str) -> bool {
        self.served.secrets().has(namespace)
    }
}

impl World {
    /// What a kind has in a namespace is known from now on.
    pub(super) fn has_listed<K: WatchedKind>(&mut self, namespace: &Arc<str>) {
        let Some(lists) = self.reach.lists.get_mut(&resource::<K>()) else { return };
        lists.awaited.remove(namespace);
        let is_first = lists.listed.insert(Arc::clone(namespace));
        let is_complete = lists.awaited.is_empty();
        if is_complete {
            self.has_newly_listed |= self.listed.insert(resource::<K>());
        }
        if is_first && self.was_ready {
            self.sees_otherwise(namespace);
        }
    }

    /// Whether what a kind has in a namespace is known.
    pub fn knows_within<K: WatchedKind>(&self, namespace: &str) -> bool {
        self.reach.knows::<K>(namespace)
    }

    /// There is no right to list a kind in a namespace. Nobody waits for that, and what was known of it may be long past. Whether it
    /// was known until now.
    pub fn may_not_list<K: WatchedKind>(&mut self, namespace: &Arc<str>) -> bool {
        let Some(lists) = self.reach.lists.get_mut(&resource::<K>()) else { return false };
        lists.awaited.remove(namespace);
        let was_known = lists.listed.remove(namespace);
        if lists.awaited.is_empty() {
            self.has_newly_listed |= self.listed.insert(resource::<K>());
        }
        if was_known && self.was_ready {
            self.sees_otherwise(namespace);
        }
        was_known
    }

    /// It has changed what is known of a namespace: for those that list it, that have or had objects there, and that take grants from
    /// it.
    fn sees_otherwise(&mut self, namespace: &Arc<str>) {
        let remembers =
            |name: &Arc<str>| self.tenancy.remembered(name).is_some_and(|places| places.contains(namespace));
        let (with_objects, others): (Vec<_>, Vec<_>) =
            self.tenancy.organizations().cloned().partition(|name| remembers(name));
        // What lost its label there is looked for once it can be.
        for name in &with_objects {
            self.searched.remove(name);
        }
        let takers = others.into_iter().filter(|name| self.tenancy.may_assign(name, namespace));
        let names: Vec<_> = takers.chain(with_objects).collect();
        self.touch_namespace(namespace);
        self.touch_organizations(names);
    }

    /// Why an organization cannot be decided: grants of it may lie where the operator does not see them.
    pub(super) fn unseen_grants(&self, organization: &Organization) -> Option<Problem> {
        let allowed = organization.spec.assignable_from.iter().map(|name| Arc::<str>::from(name.as_str()));
        let mut unseen = allowed.filter(|namespace| self.tenancy.exists(namespace));
        unseen.find_map(|namespace| Some(unseen_grants(&namespace, self.reach.lack_of_grants(&namespace)?)))
    }

    /// The sources of an organization that do not say yet that it is not ready for that reason, as far as they are seen.
    pub fn unaware(&self, organization: &str, problem: &Problem) -> Vec<SourceId> {
        let is_aware = |source: &GrantSource| {
            let mut said = source.remembered().conditions.iter().map(|condition| &condition.observation);
            said.any(|said| {
                (said.type_ == READY && said.status == ConditionStatus::False)
                    && (said.reason == problem.reason.as_str() && said.message == problem.message)
                    && said.observed_generation == Some(source.stated().generation)
            })
        };
        let sources = self.grants.of_organization(organization).map(|held| &held.source);
        let seen = sources.filter(|source| self.reach.lack_of_grants(&source.stated().age.namespace).is_none());
        seen.filter(|source| !is_aware(source)).map(GrantSource::id).collect()
    }

    /// Whether every source of grants that there can be is seen, with what was agreed by it.
    pub fn sees_all_grants(&self) -> bool {
        // What a subscription that can't be read has agreed on, nobody knows.
        if self.grants.unreadable().iter().any(|id| id.kind == SourceKind::Subscription) {
            return false;
        }
        let mut organizations = self.tenancy.organizations().filter_map(|name| self.tenancy.get(name));
        // From where one that can't be read takes grants, nobody knows.
        let are_read = !self.tenancy.has_unreadable();
        let mut all_seen = || organizations.all(|organization| self.unseen_grants(organization).is_none());
        self.reach.lists.is_empty() || (are_read && all_seen())
    }
}
