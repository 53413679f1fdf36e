//! One organization as it would be after a change that is not stored yet. It holds no secrets.

use super::{NotReady, World, kept::GrantSource, section::NotYetRead, view::NamedCatalogue};
use crate::{
    api::{EntitlementDefinition, Organization},
    core::{
        age::OrganizationAge,
        authority::ApiAuthority,
        definition::Schemas,
        source::{SourceId, SourceKind},
    },
    evaluation::{
        SecretSources, Snapshot,
        admission::{Candidate, DefinitionUse},
    },
};
use kube::api::ObjectMeta;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Grants that are looked at while someone waits for an answer.
const MOST_GRANTS: usize = 2000;

/// An object that another one names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// An organization.
    Organization(Arc<str>),
    /// A definition.
    Definition(Arc<str>),
    /// A facet definition.
    Facet(Arc<str>),
    /// A plan or an add-on.
    Plan(Arc<str>),
    /// A grant.
    Grant(SourceId),
}

/// Which object it is, and how often it has changed, not counting its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectState {
    /// The UID.
    pub uid: Arc<str>,
    /// The generation.
    pub generation: i64,
}

impl ObjectState {
    /// Reads an object's metadata.
    #[must_use]
    pub fn of(metadata: &ObjectMeta) -> Self {
        let uid = metadata.uid.as_deref().unwrap_or_default().into();
        Self { uid, generation: metadata.generation.unwrap_or_default() }
    }
}

impl World {
    /// The state of an object, as far as it is known.
    pub fn state(&self, reference: &Reference) -> Option<ObjectState> {
        match reference {
            Reference::Organization(name) => self.tenancy.get(name).map(|known| ObjectState::of(&known.metadata)),
            Reference::Definition(name) => {
                self.catalogue.definition(name).map(|known| ObjectState::of(&known.metadata))
            }
            Reference::Facet(name) => self.catalogue.facet(name).map(|known| ObjectState::of(&known.metadata)),
            Reference::Plan(name) => self.catalogue.plans.get(name).map(|known| ObjectState::of(&known.metadata)),
            Reference::Grant(id) => {
                Some(ObjectState { uid: self.grants.uid(id)?, generation: self.grants.spec_state(id)?.0 })
            }
        }
    }

    /// An organization with the sources of grants that bear on one of them, this one as given: made, changed, or (None) absent. Its
    /// subject is the definition of an instance or an override, the plan of a subscription. Nothing bears on an override.
    pub fn with_source(
        &self,
        organization: &Arc<str>,
        subject: &Arc<str>,
        id: &SourceId,
        source: Option<GrantSource>,
    ) -> Result<Candidate, NotReady> {
        let bears_on_it = |other: &&GrantSource| {
            other.id() != *id
                && match other {
                    GrantSource::Instance(grant) => id.kind == SourceKind::Instance && grant.id.definition == *subject,
                    GrantSource::Override(_) => false,
                    GrantSource::Subscription(_) => id.kind == SourceKind::Subscription,
                }
        };
        let others = self.sources_of(organization).filter(bears_on_it);
        let sources: Vec<GrantSource> = others.cloned().chain(source).collect();
        let named = self.current_named_by(sources.iter()).map_err(|NotYetRead| NotReady::Waits)?;
        self.candidate(organization, self.tenancy.get(organization).cloned(), &sources, named)
    }

    /// A source as it is, with its organization and what bears on it. None where it can't be told.
    pub fn source_as_it_is(&self, id: &SourceId) -> Option<Candidate> {
        let source = self.grants.source(id)?.clone();
        let (organization, subject) = (Arc::clone(&source.stated().organization), Arc::clone(source.subject()));
        self.with_source(&organization, &subject, id, Some(source)).ok()
    }

    /// An organization as given: made, changed, or (None) absent. It has its sources as far as what they name is read.
    pub fn with_organization(
        &self,
        name: &Arc<str>,
        organization: Option<Organization>,
    ) -> Result<Candidate, NotReady> {
        let is_read = |source: &&GrantSource| self.named_by(std::iter::once(*source)).is_ok();
        let sources: Vec<GrantSource> = self.sources_of(name).filter(is_read).cloned().collect();
        let named = self.named_by(sources.iter()).map_err(|NotYetRead| NotReady::Waits)?;
        self.candidate(name, organization.map(Arc::new), &sources, named)
    }

    fn sources_of(&self, organization: &str) -> impl Iterator<Item = &GrantSource> {
        self.grants.of_organization(organization).map(|held| &held.source)
    }

    fn candidate(
        &self,
        name: &Arc<str>,
        organization: Option<Arc<Organization>>,
        sources: &[GrantSource],
        NamedCatalogue { catalogue, plans }: NamedCatalogue,
    ) -> Result<Candidate, NotReady> {
        if self.tenancy.is_unreadable(name) {
            return Err(NotReady::Unreadable);
        }
        if self.awaits_sources(name) || organization.as_deref().is_some_and(|one| self.unseen_grants(one).is_some()) {
            return Err(NotReady::Waits);
        }
        let mut namespaces = self.namespaces_of(organization.as_deref(), sources.iter().map(GrantSource::stated));
        if let Some(organization) = &organization {
            for (namespace, facts) in &mut namespaces {
                facts.claimed_by = self.claimant(namespace, organization);
            }
        }
        Ok(Candidate::of(Snapshot {
            name: Arc::clone(name),
            organization,
            grants: sources.iter().filter_map(GrantSource::grant).cloned().collect(),
            subscriptions: sources.iter().filter_map(GrantSource::subscription).cloned().collect(),
            plans,
            meters: BTreeMap::new(),
            knows_revisions: true,
            catalogue,
            secrets: SecretSources::new(),
            unseen: Arc::default(),
            namespaces,
            barred: BTreeMap::new(),
            approvals: self.approvals_of(sources.iter()),
            limits: self.limits,
            offers: Arc::default(),
            authority: ApiAuthority::Absent,
        }))
    }

    /// Whose a namespace is, with that organization as given.
    fn claimant(&self, namespace: &Arc<str>, candidate: &Organization) -> Option<String> {
        let age = OrganizationAge::of(&candidate.metadata);
        let lists_it = candidate.spec.namespaces.iter().any(|listed| **listed == **namespace);
        let others = self.tenancy.claims_to(namespace).filter(|other| other.name != age.name);
        others.chain(lists_it.then_some(&age)).min().map(|oldest| oldest.name.to_string())
    }

    /// How many depend on the grants of a definition, all unseen, and the organizations whose grants of it can be looked at now.
    pub fn definition_use(&self, definition: &Arc<str>) -> (DefinitionUse, Vec<Arc<str>>) {
        // What a subscription gives by its plan is counted with the rest once its status says so.
        let by_plans = self.catalogue.plans.giving(definition).map(|plan| self.grants.live_to(plan));
        let live = by_plans.chain([self.grants.live(definition)]).max().unwrap_or_default();
        let used = DefinitionUse {
            live,
            unseen: live,
            example: self.live_source(definition),
            holders: Vec::new(),
            plans: self.plans_giving(definition),
        };
        let (mut budget, mut holders) = (MOST_GRANTS, BTreeSet::new());
        let subscribers = self.catalogue.plans.giving(definition).flat_map(|plan| self.grants.subscribers(plan));
        for (organization, holding) in self.grants.holdings(definition).chain(subscribers) {
            if budget == 0 || self.catalogue.current_entry(definition).is_err() {
                break;
            }
            if let Some(rest) = budget.checked_sub(holding.total)
                && holders.insert(Arc::clone(organization))
            {
                budget = rest;
            }
        }
        (used, holders.into_iter().collect())
    }

    /// An organization with its sources that give a definition, and how many of these are in force, or to be.
    pub fn definition_holder(&self, organization: &Arc<str>, definition: &Arc<str>) -> Option<(Candidate, usize)> {
        let entry = self.catalogue.current_entry(definition).ok()??;
        let sources: Vec<GrantSource> =
            self.sources_of(organization).filter(|source| self.gives(source, definition)).cloned().collect();
        let live = sources.iter().filter(|source| source.is_live()).count();
        let mut named = self.named_by(sources.iter()).ok()?;
        named.catalogue.insert(Arc::clone(definition), entry);
        let holder = self.candidate(organization, self.tenancy.get(organization).cloned(), &sources, named);
        Some((holder.ok()?, live))
    }

    /// Whether a source gives a definition, by itself or by its plans.
    fn gives(&self, source: &GrantSource, definition: &Arc<str>) -> bool {
        let by_itself = source.definitions().get(definition).copied().unwrap_or_default();
        by_itself || source.plans().into_iter().any(|plan| self.catalogue.plans.gives(plan, definition))
    }

    /// The first source that gives a definition, and is in force, or to be.
    fn live_source(&self, definition: &Arc<str>) -> Option<SourceId> {
        let subscribers = self.catalogue.plans.giving(definition).flat_map(|plan| self.grants.subscribers(plan));
        let holders = self.grants.holdings(definition).chain(subscribers).filter(|(_, holding)| holding.live > 0);
        let mut sources = holders.flat_map(|(organization, _)| self.sources_of(organization));
        sources.find(|source| source.is_live() && self.gives(source, definition)).map(GrantSource::id)
    }

    /// The namespace that a name may have been meant for: one that exists, is no other organization's, holds no grants, and
    /// is not listed already.
    pub fn similar_namespace(&self, organization: &str, name: &str, listed: &[String]) -> Option<String> {
        let can_be_had = |namespace: &&Arc<str>| {
            let facts = self.namespace_facts(namespace);
            let is_free = facts.no_tenants(namespace).is_none();
            facts.present && is_free && facts.claimed_by.is_none_or(|owner| owner == organization)
        };
        let is_new = |namespace: &&Arc<str>| !listed.iter().any(|listed| **listed == ***namespace);
        let near = self.tenancy.namespaces().filter(|known| is_near(name, known)).filter(is_new).filter(can_be_had);
        near.min_by_key(|known| (strsim::damerau_levenshtein(name, known), Arc::clone(known))).map(ToString::to_string)
    }

    /// The schemas of the facet definitions that are named.
    pub fn schemas<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Schemas {
        let schema = |name: &str| Some((name.to_owned(), Arc::clone(&self.catalogue.facet(&name.into())?.spec.schema)));
        names.into_iter().filter_map(schema).collect()
    }

    /// The names of the definitions that use a facet definition.
    pub fn facet_users(&self, facet: &str) -> BTreeSet<Arc<str>> {
        self.catalogue.users(facet).cloned().collect()
    }

    /// A definition that uses facet definitions, with the schemas of these.
    pub fn facet_user(&self, definition: &Arc<str>) -> Option<(Arc<EntitlementDefinition>, Schemas)> {
        let known = Arc::clone(self.catalogue.definition(definition)?);
        let schemas = self.schemas(known.spec.facets.iter().filter_map(|facet| facet.definition.as_deref()));
        Some((known, schemas))
    }
}

/// Whether one name may have been written for the other: with at most one change in four characters, and two at all.
fn is_near(one: &str, other: &str) -> bool {
    let most = (one.len().min(other.len()) / 4).clamp(1, 2);
    one.len().abs_diff(other.len()) <= most && strsim::damerau_levenshtein(one, other) <= most
}
