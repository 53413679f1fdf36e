//! All objects that an evaluation without a cluster reads.

use super::{EntitlementKind, Subject, When, zone_of};
use crate::{
    api::{
        EntitlementDefinition, EntitlementInstance, EntitlementOverride, EntitlementPlan, EntitlementSubscription,
        EntitlementUsage, EntitlementUsageStatus, FacetDefinition, Organization, OverrideDecision,
        conditions::ACCEPTED,
    },
    core::{
        amount::Amount,
        approval::StatedDecision,
        calendar::{Tz, parse_zone},
        facets,
        grant::Grant,
        namespace::may_assign,
        problem::Problem,
        reason::ReasonCode,
        schema::Schema,
        source::{
            SourceId, SourceKind, instance, overrides,
            stated::StatedSource,
            subscription::{self, Subscription},
        },
        usage::report::{ReportId, StatedReport},
    },
    evaluation::{
        Limits, SecretName, SecretSources,
        catalogue::{Revision, Revisions},
        doubts::{decision_doubts, doubts, is_renewed_by, subscription_doubts},
    },
};
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
    jiff::Timestamp,
};
use serde::Deserialize;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Objects, by name.
pub type Named<K> = BTreeMap<Arc<str>, Arc<K>>;

/// All objects that an evaluation without a cluster reads. A later object of a name replaces the one before.
#[derive(Clone, Debug)]
pub struct Inventory {
    pub(super) created: When,
    /// Instances that came without a `creationTimestamp`.
    pub(super) undated: BTreeSet<SourceId>,
    pub(super) operator_namespace: Arc<str>,
    pub(super) limits: Limits,
    pub(super) organizations: Named<Organization>,
    pub(super) facets: Named<FacetDefinition>,
    pub(super) definitions: Named<EntitlementDefinition>,
    pub(super) plans: Named<EntitlementPlan>,
    pub(super) grants: BTreeMap<SourceId, Arc<Grant>>,
    pub(super) subscriptions: BTreeMap<SourceId, Arc<Subscription>>,
    /// Decisions on overrides, by namespace and name.
    pub(super) decisions: BTreeMap<(Arc<str>, Arc<str>), StatedDecision>,
    /// Reports of usage.
    pub(super) reports: BTreeMap<ReportId, Arc<StatedReport>>,
    /// What was said of them last.
    pub(super) report_statuses: BTreeMap<ReportId, EntitlementUsageStatus>,
    /// The namespaces whose reports of usage could not be seen.
    pub(super) unseen_reports: BTreeSet<Arc<str>>,
    /// Overrides, by their UID, of which the operator says that nobody can tell who approves them, and why.
    pub(super) unprotected: BTreeMap<Arc<str>, Arc<str>>,
    pub(super) secrets: SecretSources,
    pub(super) unseen: Arc<BTreeSet<SecretName>>,
    /// The kept revisions of the catalogue.
    pub(super) revisions: Revisions,
    /// Those that exist and are not terminating; absent where that is not known, so that all are taken to exist.
    pub(super) namespaces: Option<BTreeSet<Arc<str>>>,
}

impl Inventory {
    /// An empty inventory. An object that comes without a `creationTimestamp` counts as made at `created`, an instance by its
    /// client's calendar; `operator_namespace` is never a tenant's.
    #[must_use]
    pub fn new(created: impl Into<When>, operator_namespace: &str) -> Self {
        Self {
            created: created.into(),
            undated: BTreeSet::new(),
            operator_namespace: operator_namespace.into(),
            limits: Limits::DEFAULT,
            organizations: Named::new(),
            facets: Named::new(),
            definitions: Named::new(),
            plans: Named::new(),
            grants: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            decisions: BTreeMap::new(),
            reports: BTreeMap::new(),
            report_statuses: BTreeMap::new(),
            unseen_reports: BTreeSet::new(),
            unprotected: BTreeMap::new(),
            secrets: SecretSources::new(),
            unseen: Arc::default(),
            revisions: Revisions::default(),
            namespaces: None,
        }
    }

    /// Keeps to other limits than an operator does without more being said.
    pub fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Adds an organization.
    pub fn add_organization(&mut self, mut organization: Organization) {
        let name = self.complete(&mut organization.metadata);
        self.organizations.insert(name, Arc::new(organization));
    }

    /// Adds a facet definition.
    pub fn add_facet(&mut self, mut facet: FacetDefinition) {
        let name = self.complete(&mut facet.metadata);
        self.facets.insert(name, Arc::new(facet));
    }

    /// Adds a definition.
    pub fn add_definition(&mut self, mut definition: EntitlementDefinition) {
        let name = self.complete(&mut definition.metadata);
        self.definitions.insert(name, Arc::new(definition));
    }

    /// Adds a plan.
    pub fn add_plan(&mut self, mut plan: EntitlementPlan) {
        let name = self.complete(&mut plan.metadata);
        self.plans.insert(name, Arc::new(plan));
    }

    /// Adds a subscription.
    pub fn add_subscription(&mut self, mut subscription: EntitlementSubscription) {
        let is_undated = subscription.metadata.creation_timestamp.is_none();
        self.complete(&mut subscription.metadata);
        let subscription = subscription::subscription(&subscription);
        self.note_date(&subscription.id(), is_undated);
        self.subscriptions.insert(subscription.id(), Arc::new(subscription));
    }

    /// Adds an instance.
    pub fn add_instance(&mut self, mut instance: EntitlementInstance) {
        let is_undated = instance.metadata.creation_timestamp.is_none();
        self.complete(&mut instance.metadata);
        self.add_grant(instance::grant(&instance), is_undated);
    }

    /// Adds an override.
    pub fn add_override(&mut self, mut one: EntitlementOverride) {
        let is_undated = one.metadata.creation_timestamp.is_none();
        self.complete(&mut one.metadata);
        self.add_grant(overrides::grant(&one), is_undated);
    }

    /// Believes the operator, which sees the policies of its cluster, where it says that nobody can tell who approves an override.
    ///
    /// # Errors
    /// When it is none.
    pub fn believe_operator(&mut self, one: &Value) -> Result<(), serde_json::Error> {
        let EntitlementOverride { metadata, status, .. } = Deserialize::deserialize(one)?;
        let accepted = status.iter().flat_map(|status| &status.conditions).find(|one| one.type_ == ACCEPTED);
        let unprotected = accepted.filter(|one| one.reason == ReasonCode::ApprovalsUnprotected.as_str());
        if let (Some(uid), Some(condition)) = (metadata.uid, unprotected) {
            self.unprotected.insert(uid.into(), condition.message.as_str().into());
        }
        Ok(())
    }

    /// Adds a decision on an override.
    pub fn add_decision(&mut self, mut decision: OverrideDecision) {
        self.complete(&mut decision.metadata);
        let decision = overrides::decision(&decision);
        self.decisions.insert((Arc::clone(&decision.namespace), Arc::clone(&decision.name)), decision);
    }

    /// Adds a report of usage. Nobody knows when it was written first.
    pub fn add_usage(&mut self, mut report: EntitlementUsage) {
        self.complete(&mut report.metadata);
        let status = report.status.take();
        let report = StatedReport::read(&report, self.created.earliest());
        match status {
            Some(status) => self.report_statuses.insert(report.id.clone(), status),
            None => self.report_statuses.remove(&report.id),
        };
        self.reports.insert(report.id.clone(), Arc::new(report));
    }

    fn add_grant(&mut self, grant: Grant, is_undated: bool) {
        let source = grant.id.source.clone();
        self.note_date(&source, is_undated);
        self.grants.insert(source, Arc::new(grant));
    }

    fn note_date(&mut self, source: &SourceId, is_undated: bool) {
        if is_undated {
            self.undated.insert(source.clone());
        } else {
            self.undated.remove(source);
        }
    }

    /// Adds an object of a kind.
    ///
    /// # Errors
    /// When it is none of that kind.
    pub fn add(&mut self, kind: EntitlementKind, object: &Value) -> Result<(), serde_json::Error> {
        match kind {
            EntitlementKind::Organization => self.add_organization(Deserialize::deserialize(object)?),
            EntitlementKind::FacetDefinition => self.add_facet(Deserialize::deserialize(object)?),
            EntitlementKind::EntitlementDefinition => self.add_definition(Deserialize::deserialize(object)?),
            EntitlementKind::EntitlementPlan => self.add_plan(Deserialize::deserialize(object)?),
            EntitlementKind::EntitlementInstance => self.add_instance(Deserialize::deserialize(object)?),
            EntitlementKind::EntitlementSubscription => self.add_subscription(Deserialize::deserialize(object)?),
            EntitlementKind::EntitlementOverride => self.add_override(Deserialize::deserialize(object)?),
            EntitlementKind::OverrideDecision => self.add_decision(Deserialize::deserialize(object)?),
            EntitlementKind::EntitlementUsage => self.add_usage(Deserialize::deserialize(object)?),
        }
        Ok(())
    }

    /// The names of definitions that grants need and whose present state cannot serve.
    #[must_use]
    pub fn unserved(&self) -> BTreeSet<Arc<str>> {
        let needed: BTreeSet<&Arc<str>> = self.grants.values().map(|grant| &grant.id.definition).collect();
        let catalogue = self.catalogue();
        let serves = |name: &Arc<str>| catalogue.get(name).is_some_and(|entry| entry.serving.is_some());
        needed.into_iter().filter(|name| !serves(name)).cloned().collect()
    }

    /// Adds Secrets that instances may take values from.
    pub fn add_secrets(&mut self, secrets: SecretSources) {
        if !self.unseen.is_empty() {
            let unseen = Arc::make_mut(&mut self.unseen);
            for secret in secrets.keys() {
                unseen.remove(secret);
            }
        }
        self.secrets.extend(secrets);
    }

    /// Takes the Secrets away.
    pub fn take_secrets(&mut self) -> SecretSources {
        std::mem::take(&mut self.secrets)
    }

    /// Says that a Secret may not be read, so that nothing is known of it.
    pub fn add_unseen(&mut self, secret: SecretName) {
        Arc::make_mut(&mut self.unseen).insert(secret);
    }

    /// The Secrets that may not be read, of those that grants of organizations that `chooses` chooses take values from.
    #[must_use]
    pub fn unseen(&self, chooses: impl Fn(&str) -> bool) -> BTreeSet<SecretName> {
        let grants = self.grants.values().filter(|grant| chooses(&grant.organization));
        let of_grants = grants.flat_map(|grant| facets::sources(grant));
        let subscriptions = self.subscriptions.values().filter(|subscription| chooses(&subscription.organization));
        let named = of_grants.chain(subscriptions.flat_map(|subscription| subscription.sources()));
        named.filter(|source| self.unseen.contains(source)).collect()
    }

    /// Adds a kept revision of the catalogue.
    pub fn add_revision(&mut self, revision: Revision) {
        self.revisions.insert(Arc::new(revision));
    }

    /// The operator's own namespace, which is never a tenant's.
    #[must_use]
    pub fn operator_namespace(&self) -> &str {
        &self.operator_namespace
    }

    /// Says in which namespace the operator is, where that has shown later.
    pub fn set_operator_namespace(&mut self, namespace: &str) {
        self.operator_namespace = namespace.into();
    }

    /// Says which namespaces exist and are not terminating; else all are taken to exist.
    pub fn set_namespaces(&mut self, namespaces: BTreeSet<Arc<str>>) {
        self.namespaces = Some(namespaces);
    }

    /// The Secrets, by namespace and name, that grants take values from, where their organization allows grants at all.
    #[must_use]
    pub fn sources_wanted(&self) -> BTreeSet<SecretName> {
        let may_assign = |source: &StatedSource| {
            let organization = self.organizations.get(&source.organization);
            organization.is_some_and(|organization| may_assign(organization, &source.age.namespace))
        };
        let grants = self.grants.values().filter(|grant| may_assign(&grant.source));
        let of_grants = grants.flat_map(|grant| facets::sources(grant));
        let subscriptions = self.subscriptions.values().filter(|subscription| may_assign(&subscription.source));
        of_grants.chain(subscriptions.flat_map(|subscription| subscription.sources())).collect()
    }

    /// Those of them that are wanted here and were not `before`, and that no manifest brings.
    #[must_use]
    pub fn sources_wanted_since(&self, before: &Self) -> BTreeSet<SecretName> {
        let (wanted, known) = (self.sources_wanted(), before.sources_wanted());
        wanted.into_iter().filter(|name| !known.contains(name) && !self.secrets.contains_key(name)).collect()
    }

    /// The namespaces in which grants of the organizations may lie.
    #[must_use]
    pub fn assignable_from(&self) -> BTreeSet<String> {
        self.organizations.values().flat_map(|organization| organization.spec.assignable_from.iter().cloned()).collect()
    }

    /// Whether there is a definition of that name.
    #[must_use]
    pub fn has_definition(&self, name: &str) -> bool {
        self.definitions.contains_key(name)
    }

    /// What is legal in a grant, but hardly meant.
    #[must_use]
    pub fn doubts(&self, id: &SourceId) -> Vec<Problem> {
        let zone = self.organization_of(id).and_then(|name| self.organizations.get(name));
        let zone = zone.and_then(|organization| parse_zone(&organization.spec.time_zone).ok());
        if let Some(subscription) = self.subscriptions.get(id) {
            let renewed = subscription.renews.clone().and_then(|name| self.subscriptions.get(&id.beside(name)));
            let renewed = renewed.filter(|renewed| renewed.organization == subscription.organization);
            return subscription_doubts(subscription, renewed.map(AsRef::as_ref), zone);
        }
        let Some(grant) = self.grants.get(id) else { return Vec::new() };
        let renewed = grant.renews.clone().and_then(|name| self.grants.get(&id.beside(name)));
        let preset = self.definitions.get(&grant.id.definition).and_then(|definition| definition.spec.amount.as_ref());
        doubts(
            grant,
            renewed.filter(|renewed| is_renewed_by(renewed, grant)).map(AsRef::as_ref),
            preset.and_then(|amount| Amount::read(amount).ok()),
            zone,
        )
    }

    /// Why a decision on an override never counts, if it does not.
    #[must_use]
    pub fn decision_doubt(&self, namespace: &str, name: &str) -> Option<Problem> {
        let decision = self.decisions.get(&(namespace.into(), name.into()))?;
        let about = SourceId::new(SourceKind::Override, namespace, &decision.override_name);
        decision_doubts(decision, self.grants.get(&about).map(AsRef::as_ref), self.decisions.values())
    }

    /// The names of all objects of a kind; of one that lies in namespaces, in all of these.
    #[must_use]
    pub fn names(&self, kind: EntitlementKind) -> Vec<&str> {
        fn of<K>(objects: &Named<K>) -> Vec<&str> {
            objects.keys().map(AsRef::as_ref).collect()
        }
        match kind {
            EntitlementKind::Organization => of(&self.organizations),
            EntitlementKind::FacetDefinition => of(&self.facets),
            EntitlementKind::EntitlementDefinition => of(&self.definitions),
            EntitlementKind::EntitlementPlan => of(&self.plans),
            EntitlementKind::OverrideDecision => self.decisions.keys().map(|(_, name)| name.as_ref()).collect(),
            EntitlementKind::EntitlementUsage => self.reports.keys().map(|id| id.name.as_ref()).collect(),
            EntitlementKind::EntitlementInstance
            | EntitlementKind::EntitlementSubscription
            | EntitlementKind::EntitlementOverride => self.source_ids(kind).map(|id| id.name.as_ref()).collect(),
        }
    }

    /// The names of all sources of grants of a kind in a namespace.
    #[must_use]
    pub fn sources_in(&self, kind: EntitlementKind, namespace: &str) -> Vec<&str> {
        let in_namespace = self.source_ids(kind).filter(|id| *id.namespace == *namespace);
        in_namespace.map(|id| id.name.as_ref()).collect()
    }

    /// All sources of grants of a kind.
    fn source_ids(&self, kind: EntitlementKind) -> impl Iterator<Item = &SourceId> {
        let all = self.grants.keys().chain(self.subscriptions.keys());
        all.filter(move |id| Subject::source(id).kind == kind)
    }

    /// The names of all secret fields: those of the schemas, and in schemas that cannot be used whatever is marked as such.
    #[must_use]
    pub fn secret_fields(&self) -> BTreeSet<String> {
        let of_definitions = self.definitions.values().flat_map(|definition| &definition.spec.facets);
        let inline = of_definitions.filter_map(|facet| facet.schema.as_deref());
        let mut names = BTreeSet::new();
        for schema in self.facets.values().map(|facet| &*facet.spec.schema).chain(inline) {
            match Schema::compile(schema) {
                Ok(compiled) => names.extend(compiled.secret_fields().iter().cloned()),
                Err(_) => add_marked(schema, &mut names),
            }
        }
        names
    }

    fn complete(&self, metadata: &mut ObjectMeta) -> Arc<str> {
        let earliest = || Time(Timestamp::from_second(self.created.earliest().timestamp()).unwrap_or_default());
        metadata.creation_timestamp.get_or_insert_with(earliest);
        metadata.name.as_deref().unwrap_or_default().into()
    }

    /// The organization that a source of grants names.
    #[must_use]
    pub fn organization_of(&self, source: &SourceId) -> Option<&Arc<str>> {
        let of_grant = self.grants.get(source).map(|grant| &grant.organization);
        of_grant.or_else(|| self.subscriptions.get(source).map(|subscription| &subscription.organization))
    }

    /// The organization that an override names on which something is decided.
    #[must_use]
    pub fn decided_for(&self, namespace: &str, decision: &str) -> Option<&str> {
        let decision = self.decisions.get(&(namespace.into(), decision.into()))?;
        let decided = SourceId::new(SourceKind::Override, namespace, &decision.override_name);
        Some(&self.grants.get(&decided)?.organization)
    }

    /// The organization of which a report tells the usage.
    #[must_use]
    pub fn reported_for(&self, namespace: &str, report: &str) -> Option<&str> {
        Some(&self.reports.get(&ReportId::new(namespace, report))?.organization)
    }

    /// Whether a subscription of an organization that `chooses` chooses names a plan, or one that includes it.
    pub fn is_subscribed(&self, plan: &str, chooses: &dyn Fn(&str) -> bool) -> bool {
        let chosen = self.subscriptions.values().filter(|subscription| chooses(&subscription.organization));
        let mut wanted: Vec<&str> = chosen.flat_map(|subscription| subscription.plans()).map(AsRef::as_ref).collect();
        let mut seen = BTreeSet::new();
        while let Some(name) = wanted.pop() {
            if name == plan {
                return true;
            }
            if seen.insert(name) {
                let includes = self.plans.get(name).into_iter().flat_map(|plan| &plan.spec.includes);
                wanted.extend(includes.map(String::as_str));
            }
        }
        false
    }

    /// Whether an organization that `chooses` chooses has a grant of a definition.
    pub fn is_granted(&self, definition: &str, chooses: &dyn Fn(&str) -> bool) -> bool {
        self.grants.values().any(|grant| *grant.id.definition == *definition && chooses(&grant.organization))
    }

    /// The definitions that use a facet definition.
    pub fn definitions_with(&self, facet: &str) -> impl Iterator<Item = &str> {
        let uses = move |definition: &EntitlementDefinition| {
            definition.spec.facets.iter().any(|one| one.definition.as_deref() == Some(facet))
        };
        self.definitions.iter().filter(move |(_, definition)| uses(definition)).map(|(name, _)| &**name)
    }

    /// The organizations that there are, with the time zones in which they reckon.
    pub fn zones(&self) -> impl Iterator<Item = (&str, Tz)> {
        self.organizations.iter().map(|(name, organization)| (&**name, zone_of(Some(organization))))
    }

    /// The names of definitions: those that exist, and those that grants name.
    #[must_use]
    pub fn handles(&self) -> BTreeSet<&Arc<str>> {
        let granted = self.grants.values().map(|grant| &grant.id.definition);
        self.definitions.keys().chain(granted).collect()
    }
}

fn add_marked(schema: &Value, names: &mut BTreeSet<String>) {
    let fields = schema.as_object().into_iter().flatten();
    for (name, value) in fields {
        if value.get("writeOnly").is_some() {
            names.insert(name.clone());
        }
        add_marked(value, names);
    }
    schema.as_array().into_iter().flatten().for_each(|item| add_marked(item, names));
}
