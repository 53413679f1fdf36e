//! What is read of each organization at one moment.

use super::{Inventory, inventory::Named, namespace_owners::NamespaceOwners, zone_of};
use crate::{
    api::organization::Flags,
    core::{
        approval::{Approvals, Protection, StatedDecision},
        authority::ApiAuthority,
        calendar::Tz,
        facets,
        grant::Grant,
        namespace::{NamespaceFacts, concerned},
        plan::Plan,
        source::{SourceId, subscription::Subscription},
    },
    evaluation::{SecretSources, Snapshot, catalogue::CatalogueEntry, subscriptions::definitions},
    render::flags::Offers,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

impl Inventory {
    /// One snapshot for each organization that exists, or that an instance names; in the order of their names.
    #[must_use]
    pub fn snapshots(&self, catalogue: &Named<CatalogueEntry>) -> Vec<Snapshot> {
        let mut grants: BTreeMap<&Arc<str>, Vec<Arc<Grant>>> =
            self.organizations.keys().map(|name| (name, Vec::new())).collect();
        for grant in self.grants.values() {
            grants.entry(&grant.organization).or_default().push(Arc::clone(grant));
        }
        for subscription in self.subscriptions.values() {
            grants.entry(&subscription.organization).or_default();
        }
        let tenancy = NamespaceOwners::of(self);
        let plans = self.plans(catalogue);
        let offers = catalogue.iter().filter_map(|(name, entry)| Some((Arc::clone(name), entry.offer()?)));
        let offers: Arc<Offers> = Arc::new(offers.collect());
        grants
            .into_iter()
            .map(|(name, grants)| self.snapshot(name, grants, catalogue, &plans, &offers, &tenancy))
            .collect()
    }

    pub(super) fn snapshot(
        &self,
        name: &Arc<str>,
        grants: Vec<Arc<Grant>>,
        catalogue: &Named<CatalogueEntry>,
        plans: &Named<CatalogueEntry<Plan>>,
        offers: &Arc<Offers>,
        tenancy: &NamespaceOwners,
    ) -> Snapshot {
        let organization = self.organizations.get(name).map(Arc::clone);
        let grants = self.dated(grants, zone_of(organization.as_deref()));
        let subscriptions = self.subscriptions_of(name, zone_of(organization.as_deref()));
        let sources = subscriptions.iter().map(|subscription| &subscription.age.namespace);
        let namespaces =
            concerned(organization.as_deref(), grants.iter().map(|grant| &grant.age.namespace).chain(sources))
                .into_iter();
        let namespaces =
            namespaces.map(|namespace| (namespace.into(), self.namespace_facts(namespace, tenancy))).collect();
        let has_all_flags = organization.iter().any(|organization| organization.spec.summary.flags == Flags::All);
        let of_grants = grants.iter().map(|grant| Arc::clone(&grant.id.definition));
        let given = subscriptions.iter().flat_map(|subscription| definitions(subscription, |plan| plans.get(plan)));
        let named: BTreeSet<Arc<str>> = of_grants.chain(given).collect();
        let entry = |name: Arc<str>| Some((Arc::clone(&name), Arc::clone(catalogue.get(&name)?)));
        let plan = |name: &Arc<str>| Some((Arc::clone(name), Arc::clone(plans.get(name)?)));
        Snapshot {
            approvals: Arc::new(self.approvals_of(&grants)),
            barred: BTreeMap::new(),
            limits: self.limits,
            authority: ApiAuthority::Absent,
            offers: if has_all_flags { Arc::clone(offers) } else { Arc::default() },
            name: Arc::clone(name),
            plans: subscriptions.iter().flat_map(|subscription| subscription.plans()).filter_map(plan).collect(),
            meters: self.meters(name, &named, catalogue, tenancy),
            knows_revisions: self.revisions.iter().next().is_some(),
            catalogue: named.into_iter().filter_map(entry).collect(),
            secrets: self.sources(&grants, &subscriptions),
            subscriptions,
            unseen: Arc::clone(&self.unseen),
            namespaces,
            organization,
            grants,
        }
    }

    /// What was decided of those that others have to approve. The policies that see to it who decides are taken to be there.
    fn approvals_of(&self, grants: &[Arc<Grant>]) -> Approvals {
        let overrides = grants.iter().filter(|grant| grant.request.is_some() && !grant.age.uid.is_empty());
        let decisions = overrides.filter_map(|grant| {
            let on_it = self.decisions.values().filter(|decision| decision.override_uid == grant.age.uid);
            let decisions: Arc<[StatedDecision]> = on_it.cloned().collect();
            (!decisions.is_empty()).then(|| (Arc::clone(&grant.age.uid), decisions))
        });
        let uids = grants.iter().map(|grant| &grant.age.uid);
        let unprotected = uids.filter_map(|uid| self.unprotected.get_key_value(uid));
        Approvals {
            protection: Protection::default(),
            decisions: decisions.collect(),
            unprotected: unprotected.map(|(uid, why)| (Arc::clone(uid), Arc::clone(why))).collect(),
        }
    }

    pub(super) fn namespace_facts(&self, namespace: &str, tenancy: &NamespaceOwners) -> NamespaceFacts {
        let is_present = self.namespaces.as_ref().is_none_or(|namespaces| namespaces.contains(namespace));
        NamespaceFacts::of(namespace, is_present, &tenancy.organizations, &tenancy.grants, &self.operator_namespace)
    }

    /// An instance that came without a `creationTimestamp` was made at the moment that is looked at.
    fn dated(&self, grants: Vec<Arc<Grant>>, zone: Tz) -> Vec<Arc<Grant>> {
        if !self.created.is_local() || self.undated.is_empty() {
            return grants;
        }
        let created = self.created.first(zone);
        let dated = |grant: Arc<Grant>| {
            let is_dated = !self.undated.contains(&grant.id.source);
            if is_dated { grant } else { Arc::new(Grant::clone(&grant).created_at(created)) }
        };
        grants.into_iter().map(dated).collect()
    }

    /// The subscriptions of an organization, each made at the moment that is looked at if it came without a date.
    fn subscriptions_of(&self, organization: &str, zone: Tz) -> Vec<Arc<Subscription>> {
        let of_it = self.subscriptions.iter().filter(|(_, subscription)| *subscription.organization == *organization);
        let dated = |(id, subscription): (&SourceId, &Arc<Subscription>)| {
            if !self.created.is_local() || !self.undated.contains(id) {
                return Arc::clone(subscription);
            }
            Arc::new(Subscription::clone(subscription).created_at(self.created.first(zone)))
        };
        of_it.map(dated).collect()
    }

    fn sources(&self, grants: &[Arc<Grant>], subscriptions: &[Arc<Subscription>]) -> SecretSources {
        let of_grants = grants.iter().flat_map(|grant| facets::sources(grant));
        let keys = of_grants.chain(subscriptions.iter().flat_map(|subscription| subscription.sources()));
        keys.filter_map(|key| self.secrets.get(&key).map(|data| (key, Arc::clone(data)))).collect()
    }
}
