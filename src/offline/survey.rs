//! Everything that an inventory comes to at one moment.

use super::{
    EntitlementKind, Flaw, Inventory, SourceFindings, Subject, When, doubts, flaws, inventory::Named, zone_of,
};
use crate::{
    api::{
        Condition, EntitlementDefinition, EntitlementDefinitionStatus, EntitlementInstanceStatus,
        EntitlementOverrideStatus, EntitlementPlanStatus, EntitlementSubscriptionStatus, EntitlementUsageStatus,
        FacetDefinitionStatus, OrganizationStatus,
        entitlement_definition::InstanceCounts,
        entitlement_plan::PlanSubscriptions,
        lifecycle::{LifecycleStatus, SourceStatus},
    },
    core::{calendar::Tz, grant::GrantId, namespace::NamespaceFacts, problem::Problem, source::SourceKind},
    evaluation::{
        Evaluation, Snapshot,
        catalogue::Present,
        evaluate,
        object::{ObjectContent, ObjectKey},
        plan::{self, Delivery, Outcomes, Owner, Scene},
        status::{
            Delivered, Report,
            definition::definition_status,
            facet_definition::facet_status,
            grants::{GrantCount, InvalidGrants, KnownGrants, violated},
            ideal, ideal_overrides, ideal_subscriptions,
            plan::plan_status,
            statuses, told_violations,
        },
    },
};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The status of one object.
#[derive(Clone, Debug, PartialEq)]
pub enum Status {
    /// The status of an organization.
    Organization(OrganizationStatus),
    /// The status of a facet definition.
    Facet(FacetDefinitionStatus),
    /// The status of a definition.
    Definition(EntitlementDefinitionStatus),
    /// The status of a plan.
    Plan(EntitlementPlanStatus),
    /// The status of an instance.
    Instance(Box<EntitlementInstanceStatus>),
    /// The status of a subscription.
    Subscription(Box<EntitlementSubscriptionStatus>),
    /// The status of an override.
    Override(Box<EntitlementOverrideStatus>),
    /// The status of a report of usage.
    Usage(EntitlementUsageStatus),
}

impl Status {
    /// Its conditions.
    #[must_use]
    pub fn conditions(&self) -> &[Condition] {
        match self {
            Self::Organization(status) => &status.conditions,
            Self::Facet(status) => &status.conditions,
            Self::Definition(status) => &status.conditions,
            Self::Plan(status) => &status.conditions,
            Self::Instance(status) => &status.conditions,
            Self::Subscription(status) => &status.conditions,
            Self::Override(status) => &status.conditions,
            Self::Usage(status) => &status.conditions,
        }
    }

    /// The condition of that type.
    #[must_use]
    pub fn condition(&self, type_: &str) -> Option<&Condition> {
        self.conditions().iter().find(|condition| condition.type_ == type_)
    }

    /// What the statuses of all kinds of sources say alike; absent for other objects.
    #[must_use]
    pub fn lifecycle(&self) -> Option<LifecycleStatus<'_>> {
        match self {
            Self::Instance(status) => Some(status.lifecycle()),
            Self::Subscription(status) => Some(status.lifecycle()),
            Self::Override(status) => Some(status.lifecycle()),
            Self::Organization(_) | Self::Facet(_) | Self::Definition(_) | Self::Plan(_) | Self::Usage(_) => None,
        }
    }

    /// The status that an object of a source of grants has.
    ///
    /// # Errors
    /// When it is none of that kind.
    pub fn of_source(kind: EntitlementKind, status: &serde_json::Value) -> Result<Self, serde_json::Error> {
        match kind {
            EntitlementKind::EntitlementSubscription => {
                Deserialize::deserialize(status).map(Box::new).map(Self::Subscription)
            }
            EntitlementKind::EntitlementOverride => Deserialize::deserialize(status).map(Box::new).map(Self::Override),
            _ => Deserialize::deserialize(status).map(Box::new).map(Self::Instance),
        }
    }

    /// The status as an object's `status` holds it.
    ///
    /// # Errors
    /// When it has no JSON, which plain data always has.
    pub fn to_json(&self) -> Result<serde_json::Value, serde_json::Error> {
        match self {
            Self::Organization(status) => serde_json::to_value(status),
            Self::Facet(status) => serde_json::to_value(status),
            Self::Definition(status) => serde_json::to_value(status),
            Self::Plan(status) => serde_json::to_value(status),
            Self::Instance(status) => serde_json::to_value(status),
            Self::Subscription(status) => serde_json::to_value(status),
            Self::Override(status) => serde_json::to_value(status),
            Self::Usage(status) => serde_json::to_value(status),
        }
    }
}

/// An object that would be written.
#[derive(Clone, Debug)]
pub struct Written {
    /// What it holds.
    pub content: Arc<ObjectContent>,
    /// The organization that owns it.
    pub owner: Arc<str>,
    /// The organization's UID; empty where it is not known.
    pub owner_uid: Arc<str>,
}

/// Everything that an inventory comes to at one moment.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Every object's status.
    pub statuses: BTreeMap<Subject, Status>,
    /// Every object that would be written.
    pub objects: BTreeMap<ObjectKey, Written>,
    /// What is wrong, one by one.
    pub flaws: BTreeMap<Subject, Vec<Flaw>>,
    /// What is wrong with each source of grants, as it is decided.
    pub sources: BTreeMap<Subject, SourceFindings>,
    /// Why an object that is no grant is not ready, where no flaw says it.
    pub problems: BTreeMap<Subject, Problem>,
    /// What is legal in the catalogue's objects, but hardly meant.
    pub doubts: BTreeMap<Subject, Vec<Flaw>>,
}

impl Inventory {
    /// Evaluates everything at one moment.
    #[must_use]
    pub fn survey(&self, when: impl Into<When>) -> Survey {
        self.survey_watched(when, &mut |_, _| {})
    }

    /// Evaluates everything at one moment. `watch` is told how many organizations of how many are done.
    #[must_use]
    pub fn survey_watched(&self, when: impl Into<When>, watch: &mut dyn FnMut(usize, usize)) -> Survey {
        let when = when.into();
        let catalogue = self.catalogue();
        let mut survey = Survey::default();
        let mut census = Census::default();
        let mut held = BTreeMap::new();
        let snapshots = self.snapshots(&catalogue);
        let total = snapshots.len();
        for (done, snapshot) in snapshots.into_iter().enumerate() {
            watch(done, total);
            let now = when.first(zone_of(snapshot.organization.as_deref()));
            let evaluation = evaluate(&snapshot, now);
            census.count(&self.definitions, &evaluation);
            survey.add(&snapshot, &evaluation);
            held.insert(Arc::clone(&snapshot.name), (now, evaluation.decision.meters.clone()));
            for (subject, found) in self.organization_flaws(&evaluation.decision) {
                survey.find(&subject, found);
            }
        }
        // What is no client's knows no other calendar.
        let now = when.first(Tz::UTC);
        for (name, facet) in &self.facets {
            let subject = Subject::cluster_scoped(EntitlementKind::FacetDefinition, name);
            let invalid = census.facets.remove(&**name).unwrap_or_default();
            let status = facet_status(facet, KnownGrants::Counted(&invalid), now);
            survey.find(&subject, flaws::of_facet(facet));
            survey.doubt(&subject, doubts::of_facet(facet));
            survey.statuses.insert(subject, Status::Facet(status));
        }
        for (name, definition) in &self.definitions {
            let Some(entry) = catalogue.get(name) else { continue };
            let (counts, invalid) = census.definitions.remove(name).unwrap_or_default();
            let subject = Subject::cluster_scoped(EntitlementKind::EntitlementDefinition, name);
            let status = definition_status(definition, entry, counts, KnownGrants::Counted(&invalid), now);
            if let Present::Invalid(problem) = &entry.present {
                survey.problems.insert(subject.clone(), problem.clone());
                survey.find(&subject, self.definition_flaws(name, &definition.spec));
            }
            survey.doubt(&subject, doubts::of_definition(definition));
            survey.statuses.insert(subject, Status::Definition(status));
        }
        let plans = self.plans(&catalogue);
        for (name, plan) in &self.plans {
            let Some(entry) = plans.get(name) else { continue };
            let subject = Subject::cluster_scoped(EntitlementKind::EntitlementPlan, name);
            if let Present::Invalid(problem) = &entry.present {
                survey.problems.insert(subject.clone(), problem.clone());
                survey.find(&subject, self.plan_flaws(name, &plan.spec, &catalogue));
            }
            let doubts = crate::core::plan::doubts(&plan.spec, &self.plan_catalogue(&catalogue));
            survey.doubt(&subject, doubts.into_iter().map(|doubt| Flaw::of("/spec", doubt)).collect());
            let counts = census.plans.remove(name).unwrap_or_default();
            survey.statuses.insert(subject, Status::Plan(plan_status(plan, entry, counts, now)));
        }
        for report in self.report_findings(&catalogue, &held, now) {
            survey.find(&report.subject, report.wrong);
            survey.statuses.insert(report.subject, Status::Usage(report.status));
        }
        survey
    }
}

impl Survey {
    fn find(&mut self, subject: &Subject, flaws: Vec<Flaw>) {
        if !flaws.is_empty() {
            self.flaws.insert(subject.clone(), flaws);
        }
    }

    fn doubt(&mut self, subject: &Subject, doubts: Vec<Flaw>) {
        if !doubts.is_empty() {
            self.doubts.insert(subject.clone(), doubts);
        }
    }

    fn add(&mut self, snapshot: &Snapshot, evaluation: &Evaluation) {
        let owner = owner(snapshot, []);
        let outcomes = self.write(evaluation, &owner);
        let report = Report::of(&evaluation.decision, &evaluation.desired, &outcomes);
        let delivered = |id: &GrantId| {
            let delivered = report.of_grant(id);
            delivered.unwrap_or_else(|| Delivered::ideally(evaluation.desired.grants.get(id)))
        };
        // What a subscription gives is told of as one.
        for (holding, member) in evaluation.decision.grants().filter(|(_, member)| member.right.is_none()) {
            let findings = SourceFindings::of_grant(holding, member, &delivered(&member.grant.id));
            self.sources.insert(Subject::source(&member.grant.id.source), findings);
        }
        for decided in &evaluation.decision.subscriptions {
            let problems = decided.members().filter_map(|member| {
                let problem = delivered(&member.grant.id).problem?;
                Some((Arc::clone(&member.grant.id.definition), problem))
            });
            let findings = SourceFindings::of_subscription(&evaluation.decision, decided, problems);
            self.sources.insert(Subject::source(&decided.subscription.id()), findings);
        }
        let problem = evaluation.desired.hindered.clone().or_else(|| report.of_summary(&evaluation.decision));
        if let Some(problem) = problem.filter(|_| snapshot.organization.is_some()) {
            self.problems.insert(Subject::cluster_scoped(EntitlementKind::Organization, &snapshot.name), problem);
        }
        let statuses = statuses(evaluation, &outcomes);
        let ideal = ideal(evaluation);
        if let Some(status) = statuses.organization {
            let subject = Subject::cluster_scoped(EntitlementKind::Organization, &snapshot.name);
            self.statuses.insert(subject, Status::Organization(status));
        }
        let instances = snapshot.grants.iter().zip(statuses.grants);
        let instances = instances.filter(|(grant, _)| grant.id.source.kind == SourceKind::Instance);
        for ((grant, status), ideal) in instances.zip(ideal) {
            let status = Status::Instance(Box::new(status.unwrap_or(ideal)));
            self.statuses.insert(Subject::source(&grant.id.source), status);
        }
        let overrides = snapshot.grants.iter().zip(statuses.overrides);
        let overrides = overrides.filter(|(grant, _)| grant.id.source.kind == SourceKind::Override);
        for ((grant, status), ideal) in overrides.zip(ideal_overrides(evaluation)) {
            let status = Status::Override(Box::new(status.unwrap_or(ideal)));
            self.statuses.insert(Subject::source(&grant.id.source), status);
        }
        let subscriptions = evaluation.decision.subscriptions.iter().zip(statuses.subscriptions);
        for ((one, status), ideal) in subscriptions.zip(ideal_subscriptions(evaluation)) {
            let status = Status::Subscription(Box::new(status.unwrap_or(ideal)));
            self.statuses.insert(Subject::source(&one.subscription.id()), status);
        }
    }

    /// Writes into empty namespaces, and everything succeeds that the API server would take.
    fn write(&mut self, evaluation: &Evaluation, owner: &Owner) -> Outcomes {
        let writes = plan::writes(&evaluation.desired, owner, &Scene::default());
        let mut outcomes = Outcomes { deliveries: writes.settled, ..Outcomes::default() };
        for (key, _, content) in writes.changes {
            outcomes.deliveries.insert(key.clone(), Delivery::Done);
            let owner_uid = Arc::clone(owner.uid());
            self.objects.insert(key, Written { content, owner: Arc::clone(owner.name()), owner_uid });
        }
        outcomes
    }
}

/// Whose objects those of a snapshot are, with namespaces in which it has some already.
pub(super) fn owner(snapshot: &Snapshot, remembered: impl IntoIterator<Item = Arc<str>>) -> Owner {
    let uid = snapshot.organization.as_ref().and_then(|organization| organization.metadata.uid.as_deref());
    let is_claimed = |facts: &NamespaceFacts| facts.claimed_by.as_deref() == Some(&*snapshot.name);
    let namespaces = snapshot.namespaces.iter().filter(|(_, facts)| is_claimed(facts));
    let namespaces: Vec<_> = namespaces.map(|(namespace, _)| Arc::clone(namespace)).collect();
    let operators = snapshot.namespaces.iter().find(|(_, facts)| facts.is_operators);
    let operators = operators.map(|(namespace, _)| &**namespace).unwrap_or_default();
    let name = Arc::clone(&snapshot.name);
    let remembered: Vec<_> = remembered.into_iter().chain(namespaces.iter().cloned()).collect();
    Owner::new(name, uid.unwrap_or_default().into(), namespaces, remembered, operators)
}

/// What the catalogue's objects say of their grants.
#[derive(Default)]
struct Census {
    definitions: BTreeMap<Arc<str>, (InstanceCounts, InvalidGrants)>,
    facets: BTreeMap<String, InvalidGrants>,
    plans: BTreeMap<Arc<str>, PlanSubscriptions>,
}

impl Census {
    fn count(&mut self, definitions: &Named<EntitlementDefinition>, evaluation: &Evaluation) {
        for decided in &evaluation.decision.subscriptions {
            let plans: BTreeSet<&Arc<str>> = decided.subscription.plans().collect();
            for plan in plans {
                let counts = self.plans.entry(Arc::clone(plan)).or_default();
                counts.total += 1;
                counts.active += u64::from(decided.verdict.phase.is_in_force());
            }
        }
        for (_, member) in evaluation.decision.grants() {
            let grant = &member.grant;
            let violated_facets = told_violations(&member.facets.validity).iter().map(|violation| &*violation.facet);
            let count = GrantCount::of(Some(member.verdict.phase), violated_facets);
            let (counts, invalid) = self.definitions.entry(Arc::clone(&grant.id.definition)).or_default();
            if grant.id.source.kind == SourceKind::Instance {
                count.add_to(counts);
            }
            if count.invalid.is_empty() {
                continue;
            }
            invalid.add(&grant.id.source);
            let Some(definition) = definitions.get(&grant.id.definition) else { continue };
            for facet in violated(&definition.spec, &count.invalid) {
                self.facets.entry(facet.to_owned()).or_default().add(&grant.id.source);
            }
        }
    }
}
