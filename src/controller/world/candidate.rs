//! One organization as it would be: what is asked before a change is stored.

use super::{NotReady, World, catalogue::NotYetRead, grants::sources_of};
use crate::{
    api::{Organization, entitlement_instance::State},
    core::{
        age::Age,
        grant::{Grant, GrantId},
    },
    evaluation::{
        SecretSources, Snapshot,
        admission::{DefinitionUse, FacetUser},
        holding::is_held,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Grants that are looked at while someone waits for an answer.
const MOST_GRANTS: usize = 2000;

impl World {
    /// An organization with one of its grants as given: made, changed, or (None) absent.
    pub fn with_grant(
        &self,
        organization: &Arc<str>,
        id: &GrantId,
        grant: Option<Grant>,
    ) -> Result<Snapshot, NotReady> {
        let others = self.grants.of_organization(organization).map(|held| &held.grant).filter(|held| held.id != *id);
        let grants = others.cloned().chain(grant.map(Arc::new)).collect();
        self.candidate(organization, self.tenancy.get(organization).cloned(), grants)
    }

    /// An organization as given: made, changed, or (None) absent.
    pub fn with_organization(&self, name: &Arc<str>, organization: Option<Organization>) -> Result<Snapshot, NotReady> {
        let grants = self.grants.of_organization(name).map(|held| Arc::clone(&held.grant)).collect();
        self.candidate(name, organization.map(Arc::new), grants)
    }

    fn candidate(
        &self,
        name: &Arc<str>,
        organization: Option<Arc<Organization>>,
        grants: Vec<Arc<Grant>>,
    ) -> Result<Snapshot, NotReady> {
        if self.tenancy.is_unreadable(name) {
            return Err(NotReady::Unreadable);
        }
        let mut namespaces = self.namespaces_of(organization.as_deref(), grants.iter());
        if let Some(organization) = &organization {
            for (namespace, facts) in &mut namespaces {
                facts.claimed_by = self.claimant(namespace, organization);
            }
        }
        Ok(Snapshot {
            name: Arc::clone(name),
            catalogue: self.catalogue_of(grants.iter()).map_err(|NotYetRead| NotReady::Waits)?,
            secrets: self.known_secrets(name, &grants),
            namespaces,
            organization,
            grants,
        })
    }

    /// Whose a namespace is, with that organization as given.
    fn claimant(&self, namespace: &Arc<str>, candidate: &Organization) -> Option<String> {
        let age = Age::of(&candidate.metadata);
        let lists_it = candidate.spec.namespaces.iter().any(|listed| **listed == **namespace);
        let others = self.tenancy.claims(namespace).filter(|other| other.name != age.name);
        others.chain(lists_it.then_some(&age)).min().map(|oldest| oldest.name.to_string())
    }

    /// What has been read of the Secrets that grants take values from. Nobody is made to wait for the rest.
    fn known_secrets(&self, organization: &Arc<str>, grants: &[Arc<Grant>]) -> SecretSources {
        let sources = grants.iter().flat_map(|grant| sources_of(grant));
        let permitted = sources.filter(|source| self.tenancy.may_assign(organization, &source.0));
        permitted.filter_map(|source| Some((source.clone(), self.sources.data(&source).ok()??))).collect()
    }

    /// The grants of a definition: how many depend on it, and those that can be looked at now.
    pub fn definition_use(&self, definition: &Arc<str>) -> DefinitionUse {
        let mut used = DefinitionUse::default();
        let mut budget = MOST_GRANTS;
        for organization in self.grants.organizations_with(definition) {
            let of_organization = self.grants.of_organization(organization).map(|held| &held.grant);
            let grants: Vec<Arc<Grant>> =
                of_organization.filter(|grant| grant.definition == *definition).cloned().collect();
            let live = grants.iter().filter(|grant| is_live(grant));
            used.live += live.clone().count();
            used.example = used.example.or_else(|| live.map(|grant| grant.id.clone()).next());
            if grants.len() > budget {
                continue;
            }
            budget -= grants.len();
            let organization_object = self.tenancy.get(organization).cloned();
            used.holders.extend(self.candidate(organization, organization_object, grants));
        }
        used
    }

    /// The schemas of the facet definitions that are named.
    pub fn schemas<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, serde_json::Value> {
        let schema = |name: &str| Some((name.to_owned(), self.catalogue.facet(&name.into())?.spec.schema.clone()));
        names.into_iter().filter_map(schema).collect()
    }

    /// The names of the definitions that use a facet definition.
    pub fn facet_users(&self, facet: &str) -> BTreeSet<Arc<str>> {
        self.catalogue.users(facet).cloned().collect()
    }

    /// A definition that uses facet definitions, with its grants.
    pub fn facet_user(&self, definition: &Arc<str>) -> Option<FacetUser> {
        let spec = self.catalogue.definition(definition)?.spec.clone();
        let schemas = self.schemas(spec.facets.iter().filter_map(|facet| facet.definition.as_deref()));
        Some(FacetUser { name: Arc::clone(definition), schemas, used: self.definition_use(definition), spec })
    }
}

/// Whether it is in force or to be, as far as its status says so already.
fn is_live(grant: &Grant) -> bool {
    grant.remembered.phase.map_or(grant.state == State::Active, is_held)
}
