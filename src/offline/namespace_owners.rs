//! Whose each namespace is: an organization's, or one of grants.

use super::Inventory;
use crate::{
    api::lifecycle::State,
    core::{
        age::{OrganizationAge, SourceAge},
        grant::Grant,
        namespace::Claims,
        source::subscription::Subscription,
    },
};
use std::sync::Arc;

/// Whose each namespace is.
#[derive(Default)]
pub(super) struct NamespaceOwners {
    /// Organizations that list a namespace.
    pub(super) organizations: Claims<OrganizationAge>,
    /// Accepted grants in state Active that lie in a namespace.
    pub(super) grants: Claims<SourceAge>,
}

impl NamespaceOwners {
    /// As the objects of an inventory have it.
    pub(super) fn of(inventory: &Inventory) -> Self {
        let mut tenancy = Self::default();
        for organization in inventory.organizations.values() {
            let age = OrganizationAge::of(&organization.metadata);
            for namespace in &organization.spec.namespaces {
                tenancy.organizations.add(namespace, age.clone());
            }
        }
        let accepted = |grant: &&Arc<Grant>| grant.state == State::Active && grant.accepted.is_some();
        for grant in inventory.grants.values().filter(accepted) {
            tenancy.grants.add(&grant.id.source.namespace, grant.age.clone());
        }
        let accepted = |one: &&Arc<Subscription>| one.state == State::Active && one.accepted.is_some();
        for subscription in inventory.subscriptions.values().filter(accepted) {
            tenancy.grants.add(&subscription.age.namespace, subscription.age.clone());
        }
        tenancy
    }
}
