//! Everything that one organization's evaluation reads, taken at one moment.

use super::{
    Identity, Reading, SecretName, World,
    kept::{GrantSource, WholeSource},
    section::NotYetRead,
    sources::NotYetFetched,
};
use crate::{
    api::{Organization, organization::Flags},
    core::{
        approval::{Approvals, StatedDecision},
        authority::ApiAuthority,
        namespace::{NamespaceFacts, concerned},
        plan::Plan,
        problem::Problem,
        source::{SourceId, stated::StatedSource},
    },
    evaluation::{
        SecretSources, Snapshot,
        catalogue::{CatalogueEntry, CompiledDefinition},
        moments::Moments,
        object::ObjectKey,
        plan::{Fingerprint, Owner, Scene},
        subscriptions,
    },
    render::flags::Offers,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};
use tokio::time::Instant;

/// What is known of a source besides what it says.
#[derive(Clone, Debug)]
pub struct SourceFacts {
    /// Its UID.
    pub uid: Arc<str>,
    /// Its state, as the API server counts them.
    pub version: u64,
    /// The fingerprint of the status that it has.
    pub status: Option<Fingerprint>,
    /// The moments that this tells.
    pub moments: Option<Moments>,
}

/// Everything that is read to bring one organization up to date.
#[derive(Debug)]
pub struct OrganizationView {
    /// The input of the evaluation.
    pub snapshot: Snapshot,
    /// Of each source in it.
    pub facts: HashMap<SourceId, SourceFacts>,
    /// Whose objects they are; absent where the organization does not exist.
    pub owner: Option<Owner>,
    /// What is there.
    pub scene: Scene,
    /// The foreign objects among it that it is time to look at again.
    pub looks: Vec<ObjectKey>,
    /// Something of it may be there that the watch does not show.
    pub is_unsearched: bool,
}

/// The entries of what sources of grants name, by name.
#[derive(Debug, Default)]
pub struct NamedCatalogue {
    /// Definitions: those of instances, and those that subscriptions or their plans give.
    pub catalogue: BTreeMap<Arc<str>, Arc<CatalogueEntry>>,
    /// Plans and add-ons.
    pub plans: BTreeMap<Arc<str>, Arc<CatalogueEntry<Plan>>>,
}

/// Why an organization can't be brought up to date.
#[derive(Clone, Debug, PartialEq)]
pub enum NotReady {
    /// Something of it is being read, which touches the organization when it is through.
    Waits,
    /// It is there, but can't be read, and nothing else is known of it.
    Unreadable,
    /// Grants of it may lie where the operator does not see them: everything of it stays as it is.
    Unseen(Arc<Organization>, Problem),
}

/// The permission to read a source Secret: some organization lets instances of that namespace name it, and an instance of
/// it that lies there refers to the Secret. Nothing else makes one.
#[derive(Clone, Debug)]
pub struct SourcePermission(SecretName);

impl SourcePermission {
    /// The namespace of the instance, which is that of the Secret.
    pub fn namespace(&self) -> &str {
        &self.0.0
    }

    /// The Secret's name.
    pub fn name(&self) -> &str {
        &self.0.1
    }
}

/// An entry, where there is one; an error where one has yet to be made.
type Found<C> = Result<Option<Arc<CatalogueEntry<C>>>, NotYetRead>;

impl NamedCatalogue {
    fn by<'a>(
        sources: impl Iterator<Item = &'a GrantSource> + Clone,
        plan: impl Fn(&Arc<str>) -> Found<Plan>,
        definition: impl Fn(&Arc<str>) -> Found<CompiledDefinition>,
    ) -> Result<Self, NotYetRead> {
        let mut named = Self::default();
        let subscriptions = sources.clone().filter_map(GrantSource::subscription);
        for name in subscriptions.flat_map(|subscription| subscription.plans()) {
            if !named.plans.contains_key(name)
                && let Some(entry) = plan(name)?
            {
                named.plans.insert(Arc::clone(name), entry);
            }
        }
        let definitions = sources.flat_map(|source| match source {
            GrantSource::Instance(grant) | GrantSource::Override(grant) => {
                BTreeSet::from([Arc::clone(&grant.id.definition)])
            }
            GrantSource::Subscription(one) => subscriptions::definitions(one, |plan| named.plans.get(plan)),
        });
        let definitions: BTreeSet<Arc<str>> = definitions.collect();
        for name in definitions {
            if let Some(entry) = definition(&name)? {
                named.catalogue.insert(name, entry);
            }
        }
        Ok(named)
    }
}

impl SourceFacts {
    /// Of a source as it was read just now.
    pub fn of(reading: &Reading<SourceId, WholeSource>) -> Self {
        Self::with(&reading.identity, &reading.value)
    }

    fn with(identity: &Identity, held: &WholeSource) -> Self {
        let Identity { uid, version } = identity;
        Self { uid: Arc::clone(uid), version: *version, status: held.status, moments: held.moments }
    }
}

impl World {
    /// Everything that is read to bring an organization up to date.
    pub fn view(&self, name: &Arc<str>) -> Result<OrganizationView, NotReady> {
        let snapshot = self.snapshot(name)?;
        let held: Vec<&WholeSource> = self.grants.of_organization(name).collect();
        let owner = snapshot.organization.as_deref().map(|organization| self.owner(name, organization));
        let facts = held.iter().filter_map(|held| self.facts(held)).collect();
        let now = Instant::now();
        let foreign = self.outputs.foreign(name, now);
        let looks = foreign.iter().filter(|(_, is_due)| *is_due).map(|(key, _)| key.clone()).collect();
        let scene = Scene {
            observed: self.outputs.of_organization(name),
            foreign: foreign.into_iter().map(|(key, _)| key).collect(),
            unreadable: self.grants.unreadable(),
            contested: self.outputs.contention.let_go(name, now),
        };
        Ok(OrganizationView { snapshot, facts, owner, scene, looks, is_unsearched: !self.searched.contains(name) })
    }

    /// Everything that is read to decide what an organization is entitled to.
    pub fn snapshot(&self, name: &Arc<str>) -> Result<Snapshot, NotReady> {
        self.snapshot_by(name, |plan| self.catalogue.plan_entry(plan), |one| self.catalogue.entry(one))
    }

    /// The same for those who only ask: while all is being made anew, by what served before.
    pub fn known_snapshot(&self, name: &Arc<str>) -> Result<Snapshot, NotReady> {
        self.snapshot_by(name, |plan| self.catalogue.known_plan_entry(plan), |one| self.catalogue.known_entry(one))
    }

    fn snapshot_by(
        &self,
        name: &Arc<str>,
        plan: impl Fn(&Arc<str>) -> Found<Plan>,
        definition: impl Fn(&Arc<str>) -> Found<CompiledDefinition>,
    ) -> Result<Snapshot, NotReady> {
        if self.tenancy.is_unreadable(name) {
            return Err(NotReady::Unreadable);
        }
        if self.awaits_sources(name) {
            return Err(NotReady::Waits);
        }
        let held: Vec<&WholeSource> = self.grants.of_organization(name).collect();
        let organization = self.tenancy.get(name).cloned();
        if let Some(organization) = &organization
            && let Some(problem) = self.unseen_grants(organization)
        {
            return Err(NotReady::Unseen(Arc::clone(organization), problem));
        }
        let sources = || held.iter().map(|held| &held.source);
        let named = NamedCatalogue::by(sources(), plan, definition).map_err(|NotYetRead| NotReady::Waits)?;
        let NamedCatalogue { catalogue, plans } = named;
        Ok(Snapshot {
            name: Arc::clone(name),
            grants: sources().filter_map(GrantSource::grant).cloned().collect(),
            subscriptions: sources().filter_map(GrantSource::subscription).cloned().collect(),
            catalogue,
            plans,
            meters: BTreeMap::new(),
            knows_revisions: true,
            secrets: self.secrets_of(name, &held).map_err(|NotYetFetched| NotReady::Waits)?,
            unseen: Arc::default(),
            approvals: self.approvals_of(sources()),
            namespaces: self.namespaces_of(organization.as_deref(), sources().map(GrantSource::stated)),
            offers: self.offers(organization.as_deref()).map_err(|NotYetRead| NotReady::Waits)?,
            authority: self.told_authority(organization.as_deref()),
            limits: self.limits,
            barred: self.grants.barred(name).map(|ones| ones.phases.clone()).unwrap_or_default(),
            organization,
        })
    }

    /// Whether sources are being read again that the organization lets be named now. What it holds can't be told without.
    pub(super) fn awaits_sources(&self, organization: &Arc<str>) -> bool {
        let Some(barred) = self.grants.barred(organization) else { return false };
        let allowed = self.tenancy.get(organization).into_iter().flat_map(|found| &found.spec.assignable_from);
        allowed.into_iter().any(|namespace| barred.is_any_within(namespace))
    }

    /// Whether a source has to be read again.
    pub fn awaits_source(&self, id: &SourceId) -> bool {
        self.grants.is_unreadable(id)
            || self.grants.barred_organization(id).is_some_and(|name| self.tenancy.may_assign(name, &id.namespace))
    }

    /// Whether there is something to say of a source that its organization does not let be named. There is not while
    /// nothing is known of the organization.
    pub fn is_barred(&self, id: &SourceId) -> bool {
        let organization = self.grants.barred_organization(id);
        organization
            .is_some_and(|name| !self.tenancy.may_assign(name, &id.namespace) && !self.tenancy.is_unreadable(name))
    }

    /// All that is read to say so, as the source is now; None where it need not, or can't yet, be said.
    pub fn barred_view(&self, source: &GrantSource) -> Option<Snapshot> {
        let id = source.id();
        if !self.is_barred(&id) {
            return None;
        }
        let stated = source.stated();
        let name = Arc::clone(&stated.organization);
        let organization = self.tenancy.get(&name).cloned();
        let NamedCatalogue { catalogue, plans } = self.named_by(std::iter::once(source)).ok()?;
        Some(Snapshot {
            grants: source.grant().cloned().into_iter().collect(),
            subscriptions: source.subscription().cloned().into_iter().collect(),
            catalogue,
            plans,
            meters: BTreeMap::new(),
            knows_revisions: true,
            secrets: SecretSources::new(),
            unseen: Arc::default(),
            approvals: self.approvals_of(std::iter::once(source)),
            namespaces: self.namespaces_of(organization.as_deref(), std::iter::once(stated)),
            barred: BTreeMap::new(),
            offers: Arc::default(),
            authority: ApiAuthority::Absent,
            limits: self.limits,
            organization,
            name,
        })
    }

    /// What is known of approvals of those of the sources that need any.
    pub(super) fn approvals_of<'a>(&self, sources: impl Iterator<Item = &'a GrantSource>) -> Arc<Approvals> {
        let overrides = sources.filter_map(GrantSource::grant).filter(|grant| grant.request.is_some());
        let decisions = overrides.filter_map(|grant| {
            let decisions: Arc<[StatedDecision]> = self.decisions.on(&grant.age.uid).cloned().collect();
            (!decisions.is_empty()).then(|| (Arc::clone(&grant.age.uid), decisions))
        });
        Arc::new(Approvals {
            protection: self.protection().clone(),
            decisions: decisions.collect(),
            ..Approvals::default()
        })
    }

    fn facts(&self, held: &WholeSource) -> Option<(SourceId, SourceFacts)> {
        let id = held.source.id();
        let facts = SourceFacts::with(self.grants.identity(&id)?, held);
        Some((id, facts))
    }

    /// The entries of all that sources name. An error if one of them has not been made yet.
    pub(super) fn named_by<'a>(
        &self,
        sources: impl Iterator<Item = &'a GrantSource> + Clone,
    ) -> Result<NamedCatalogue, NotYetRead> {
        NamedCatalogue::by(sources, |name| self.catalogue.plan_entry(name), |name| self.catalogue.entry(name))
    }

    /// The same, but an error also if what an entry was made of has changed since.
    pub(super) fn current_named_by<'a>(
        &self,
        sources: impl Iterator<Item = &'a GrantSource> + Clone,
    ) -> Result<NamedCatalogue, NotYetRead> {
        NamedCatalogue::by(
            sources,
            |name| self.catalogue.current_plan_entry(name),
            |name| self.catalogue.current_entry(name),
        )
    }

    /// What an organization's flags are to have though it is not held.
    fn offers(&self, organization: Option<&Organization>) -> Result<Arc<Offers>, NotYetRead> {
        match organization.map(|organization| organization.spec.summary.flags) {
            Some(Flags::All) => self.catalogue.offers(),
            Some(Flags::Held) | None => Ok(Arc::default()),
        }
    }

    /// By which authority the API is trusted, where an organization's summary is to say so.
    fn told_authority(&self, organization: Option<&Organization>) -> ApiAuthority {
        let is_asked = organization.is_some_and(|organization| organization.spec.summary.ca);
        if is_asked { self.authority.clone() } else { ApiAuthority::Absent }
    }

    fn secrets_of(&self, organization: &Arc<str>, held: &[&WholeSource]) -> Result<SecretSources, NotYetFetched> {
        let mut sources = SecretSources::new();
        for source in held.iter().flat_map(|held| held.source.secrets()) {
            if !self.tenancy.may_assign(organization, &source.0) || !self.reach.has_secrets(&source.0) {
                continue;
            }
            if let Some(data) = self.sources.data(&source)? {
                sources.insert(source, data);
            }
        }
        Ok(sources)
    }

    pub(super) fn namespaces_of<'a>(
        &self,
        organization: Option<&'a Organization>,
        sources: impl IntoIterator<Item = &'a StatedSource>,
    ) -> BTreeMap<Arc<str>, NamespaceFacts> {
        let namespaces = sources.into_iter().map(|source| &source.age.namespace);
        let names = concerned(organization, namespaces).into_iter().map(Arc::from);
        names.map(|name| (Arc::clone(&name), self.namespace_facts(&name))).collect()
    }

    pub(super) fn namespace_facts(&self, namespace: &Arc<str>) -> NamespaceFacts {
        let is_present = self.tenancy.is_present(namespace);
        let (organizations, grants) = (self.tenancy.claims(), self.grants.holders());
        let facts = NamespaceFacts::of(namespace, is_present, organizations, grants, &self.operator_namespace);
        NamespaceFacts { access: self.reach.access(namespace), ..facts }
    }

    /// The permission to read a source, if there is one.
    pub fn source_permission(&self, key: &SecretName) -> Option<SourcePermission> {
        if !self.reach.has_secrets(&key.0) {
            return None;
        }
        let mut organizations = self.grants.organizations_using(key);
        organizations.any(|name| self.tenancy.may_assign(name, &key.0)).then(|| SourcePermission(key.clone()))
    }

    /// Whether there is a source in a namespace that may be read: of those for which that may have changed since the last call.
    pub fn take_source_namespaces(&mut self) -> BTreeMap<Arc<str>, bool> {
        let changed = std::mem::take(&mut self.changed_source_namespaces);
        changed.into_iter().map(|namespace| (Arc::clone(&namespace), self.may_read_sources(&namespace))).collect()
    }

    /// Whether there is a source in a namespace that may be read.
    pub(super) fn may_read_sources(&self, namespace: &Arc<str>) -> bool {
        self.grants.secrets_in(namespace).any(|key| self.source_permission(key).is_some())
    }
}
