//! Asks [`admission`] about a request, with what the controller knows.

use super::{
    named::{are_known, references},
    review::Question,
    reviewers::{Broken, Reviewers},
};
use crate::{
    api::{
        EntitlementDefinition, EntitlementInstance, EntitlementOverride, EntitlementPlan, EntitlementSubscription,
        EntitlementUsage, FacetDefinition, Organization, OverrideDecision,
    },
    controller::{Knowledge, clock},
    core::{
        calendar::Instant,
        reason::ReasonCode,
        source::{SourceId, SourceKind, overrides},
        usage::report::StatedReport,
    },
    evaluation::admission::{self, AdmissionVerdict, DefinitionUse, PlanSurroundings},
    metrics::Metrics,
};
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::{Client, Resource, core::ObjectMeta};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time;

/// What the controller knows is a moment behind what is stored, and manifests are applied together with what they name: so a
/// no is thought over after these times, and is no answer where what is named is not known as it is stored.
const SECOND_THOUGHTS: [Duration; 3] =
    [Duration::from_millis(50), Duration::from_millis(150), Duration::from_millis(400)];
/// An answer that comes later is not waited for.
const DEADLINE: Duration = Duration::from_millis(2500);
/// Questions of the API server that are thought about at once; others wait. Each takes a processor from what counts.
const CONCURRENCY: usize = 2;
/// The same for those of anybody else.
const CONCURRENCY_OF_OTHERS: usize = 1;

/// Reasons that say that something which is named does not exist.
const MISSING: [ReasonCode; 6] = [
    ReasonCode::OrganizationNotFound,
    ReasonCode::DefinitionNotFound,
    ReasonCode::FacetNotFound,
    ReasonCode::IncludeNotFound,
    ReasonCode::PlanNotFound,
    ReasonCode::RenewalInvalid,
];

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// It has shown that it is the API server: it is told whatever helps its user.
    ApiServer,
    /// Whoever reaches the port: what is said depends on what is sent alone, and tells nothing about others.
    Anybody,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// What there is has not been listed yet.
    #[error("the operator does not know the cluster yet")]
    NotReady,
    /// It would take too long.
    #[error("the operator has too much to do")]
    Busy,
    /// A mistake of the operator.
    #[error("the review did not come to its end: report it, with the operator's log")]
    Broken,
}

impl NoAnswer {
    /// How it counts in `entitlement_webhook_reviews_total`.
    #[must_use]
    pub fn metric_label(self) -> &'static str {
        match self {
            Self::NotReady => "not_ready",
            Self::Busy => "busy",
            Self::Broken => "broken",
        }
    }
}

impl From<Broken> for NoAnswer {
    fn from(_: Broken) -> Self {
        Self::Broken
    }
}

/// Answers questions.
#[derive(Clone)]
pub struct AdmissionJudge {
    client: Client,
    knowledge: Knowledge,
    allows_missing: bool,
    reviewers: Reviewers,
    reviewers_of_others: Reviewers,
}

impl AdmissionJudge {
    /// A judge with the controller's knowledge. It can let objects pass, with a warning, that name something missing.
    pub fn new(client: Client, knowledge: Knowledge, allows_missing: bool) -> Self {
        let reviewers = Reviewers::new(CONCURRENCY);
        let reviewers_of_others = Reviewers::new(CONCURRENCY_OF_OTHERS);
        Self { client, knowledge, allows_missing, reviewers, reviewers_of_others }
    }

    /// Where reviews are counted.
    pub fn metrics(&self) -> &Metrics {
        self.knowledge.metrics()
    }

    /// What is said of a change.
    ///
    /// # Errors
    /// Where nothing is: the API server goes on without an answer.
    pub async fn judge(&self, question: &Question, caller: Caller) -> Result<AdmissionVerdict, NoAnswer> {
        let answer = async {
            match caller {
                Caller::Anybody => self.glance(question).await,
                Caller::ApiServer if !self.knowledge.is_ready() => Err(NoAnswer::NotReady),
                Caller::ApiServer => self.consider(question).await,
            }
        };
        time::timeout(DEADLINE, answer).await.unwrap_or(Err(NoAnswer::Busy))
    }

    async fn glance(&self, question: &Question) -> Result<AdmissionVerdict, NoAnswer> {
        let question = question.clone();
        let mut said = self.reviewers_of_others.think(move || by_itself(&question, clock::now())).await?;
        said.warnings.push(NOT_THE_API_SERVER.to_owned());
        Ok(said)
    }

    async fn consider(&self, question: &Question) -> Result<AdmissionVerdict, NoAnswer> {
        let mut said = self.think(question).await?;
        if !is_yes(said.as_ref()) && self.is_refused_by_itself(question).await? {
            return Ok(said.unwrap_or_default());
        }
        for wait in SECOND_THOUGHTS {
            if is_yes(said.as_ref()) {
                break;
            }
            time::sleep(wait).await;
            said = self.think(question).await?;
        }
        if is_yes(said.as_ref()) {
            return Ok(said.unwrap_or_default());
        }
        let references = references(question);
        // A watch may be further behind than that; and what it has caught up with meanwhile has not been thought about.
        let are_known = are_known(&self.client, &self.knowledge, &references).await;
        let said = if are_known { self.think(question).await? } else { None };
        let mut said = said.unwrap_or_else(|| unchecked("something that it depends on is still being read"));
        // A report counts as soon as what it names is there, so the order in which they come does not matter.
        let allows_missing = self.allows_missing || is_of::<EntitlementUsage>(&question.resource);
        if allows_missing && references.iter().any(|reference| self.knowledge.state(reference).is_none()) {
            let missing = said.refused.take_if(|refused| MISSING.contains(&refused.reason));
            said.warnings.extend(missing.map(|refused| refused.to_string()));
        }
        Ok(said)
    }

    /// None where something that is needed for it is not known yet.
    async fn think(&self, question: &Question) -> Result<Option<AdmissionVerdict>, NoAnswer> {
        let (knowledge, question) = (self.knowledge.clone(), question.clone());
        Ok(self.reviewers.think(move || review(&knowledge, &question, clock::now())).await?)
    }

    /// Whatever else there is: then it need not be thought over, which would cost as much each time.
    async fn is_refused_by_itself(&self, question: &Question) -> Result<bool, NoAnswer> {
        let question = question.clone();
        let said = self.reviewers.think(move || by_itself(&question, clock::now())).await?;
        Ok(said.refused.is_some())
    }
}

/// What is said to those who may not be told of anything else.
const NOT_THE_API_SERVER: &str =
    "it was judged by itself alone, as nothing shows that the API server asks: see docs/security.md";

fn is_yes(said: Option<&AdmissionVerdict>) -> bool {
    said.is_some_and(|verdict| verdict.refused.is_none())
}

fn unchecked(why: &str) -> AdmissionVerdict {
    AdmissionVerdict {
        refused: None,
        warnings: vec![format!("it was not checked: {why}; its status will say what is wrong")],
    }
}

fn review(knowledge: &Knowledge, question: &Question, now: Instant) -> Option<AdmissionVerdict> {
    let kind = question.resource.as_str();
    let review = match kind {
        _ if is_of::<EntitlementInstance>(kind) => of_instance,
        _ if is_of::<EntitlementSubscription>(kind) => of_subscription,
        _ if is_of::<EntitlementOverride>(kind) => of_override,
        _ if is_of::<OverrideDecision>(kind) => of_decision,
        _ if is_of::<EntitlementUsage>(kind) => of_report,
        _ if is_of::<EntitlementDefinition>(kind) => of_definition,
        _ if is_of::<EntitlementPlan>(kind) => of_plan,
        _ if is_of::<FacetDefinition>(kind) => of_facet,
        _ if is_of::<Organization>(kind) => of_organization,
        _ => return Some(AdmissionVerdict::default()),
    };
    match review(knowledge, question, now) {
        Ok(verdict) => verdict,
        Err(error) => Some(unreadable(&error)),
    }
}

fn unreadable(error: &serde_json::Error) -> AdmissionVerdict {
    unchecked(&format!("this version of the operator cannot read it ({error})"))
}

/// What is wrong whatever else there is: of the catalogue's objects alone, as far as they name no other.
fn by_itself(question: &Question, now: Instant) -> AdmissionVerdict {
    let verdict = match question.resource.as_str() {
        kind if is_of::<EntitlementDefinition>(kind) => definition_by_itself(question, now),
        kind if is_of::<EntitlementPlan>(kind) => plan_by_itself(question),
        kind if is_of::<FacetDefinition>(kind) => facet_by_itself(question, now),
        _ => Ok(AdmissionVerdict::default()),
    };
    verdict.unwrap_or_else(|error| unreadable(&error))
}

fn definition_by_itself(question: &Question, now: Instant) -> serde_json::Result<AdmissionVerdict> {
    let (before, after) = question.states::<EntitlementDefinition>()?;
    let (before, after) = (before.map(|definition| definition.spec), after.map(|definition| definition.spec));
    let both = || before.iter().chain(&after);
    if both().flat_map(|spec| &spec.facets).any(|facet| facet.definition.is_some()) {
        return Ok(AdmissionVerdict::default());
    }
    let (name, schemas, used) = (question.name.as_str().into(), BTreeMap::new(), DefinitionUse::default());
    Ok(admission::review_definition(&name, before.as_ref(), after.as_ref(), &schemas, &used, now))
}

fn facet_by_itself(question: &Question, now: Instant) -> serde_json::Result<AdmissionVerdict> {
    let (before, after) = question.states::<FacetDefinition>()?;
    let (before, after) = (before.map(|facet| facet.spec.schema), after.map(|facet| facet.spec.schema));
    Ok(admission::review_facet(&question.name, before.as_ref(), after.as_ref(), &[], now))
}

fn plan_by_itself(question: &Question) -> serde_json::Result<AdmissionVerdict> {
    let (before, after) = question.states::<EntitlementPlan>()?;
    let (before, after) = (before.map(|plan| plan.spec), after.map(|plan| plan.spec));
    let mut both = before.iter().chain(&after);
    let names_others = both.any(|spec| {
        !spec.includes.is_empty()
            || !spec.add_ons.is_empty()
            || spec.groups.iter().any(|group| !group.entitlements.is_empty())
    });
    if names_others {
        return Ok(AdmissionVerdict::default());
    }
    let (name, nothing) = (question.name.as_str().into(), PlanSurroundings::default());
    Ok(admission::review_plan(&name, before.as_ref(), after.as_ref(), &nothing))
}

fn is_of<K: Resource<DynamicType = ()>>(plural: &str) -> bool {
    K::plural(&()) == plural
}

type Reviewed = Result<Option<AdmissionVerdict>, serde_json::Error>;

fn of_instance(knowledge: &Knowledge, question: &Question, now: Instant) -> Reviewed {
    let (before, mut after) = question.states::<EntitlementInstance>()?;
    if let Some(instance) = &mut after {
        date(instance.meta_mut(), now);
    }
    let Some(spec) = after.as_ref().or(before.as_ref()).map(|instance| &instance.spec) else { return Ok(None) };
    let name = name(question, after.as_ref());
    let id = SourceId::instance(question.namespace.as_deref().unwrap_or_default(), &name);
    let known = |instance: Option<&EntitlementInstance>| {
        knowledge.with_instance(&spec.organization, &spec.definition, &id, instance)
    };
    let snapshots = known(before.as_ref()).zip(known(after.as_ref()));
    Ok(snapshots.map(|(before, after)| admission::review_instance(&before, &after, &id, now)))
}

fn of_subscription(knowledge: &Knowledge, question: &Question, now: Instant) -> Reviewed {
    let (before, mut after) = question.states::<EntitlementSubscription>()?;
    if let Some(subscription) = &mut after {
        date(subscription.meta_mut(), now);
    }
    let Some(spec) = after.as_ref().or(before.as_ref()).map(|subscription| &subscription.spec) else { return Ok(None) };
    let name = name(question, after.as_ref());
    let namespace = question.namespace.as_deref().unwrap_or_default();
    let id = SourceId::new(SourceKind::Subscription, namespace, &name);
    let known = |subscription: Option<&EntitlementSubscription>| {
        knowledge.with_subscription(&spec.organization, &spec.plan, &id, subscription)
    };
    let snapshots = known(before.as_ref()).zip(known(after.as_ref()));
    Ok(snapshots.map(|(before, after)| admission::review_subscription(&before, &after, &id, now)))
}

fn of_override(knowledge: &Knowledge, question: &Question, now: Instant) -> Reviewed {
    let (before, mut after) = question.states::<EntitlementOverride>()?;
    if let Some(one) = &mut after {
        date(one.meta_mut(), now);
    }
    let Some(spec) = after.as_ref().or(before.as_ref()).map(|one| &one.spec) else { return Ok(None) };
    let name = name(question, after.as_ref());
    let id = SourceId::new(SourceKind::Override, question.namespace.as_deref().unwrap_or_default(), &name);
    let known =
        |one: Option<&EntitlementOverride>| knowledge.with_override(&spec.organization, &spec.definition, &id, one);
    let snapshots = known(before.as_ref()).zip(known(after.as_ref()));
    Ok(snapshots.map(|(before, after)| admission::review_override(&before, &after, &id, now)))
}

/// Decisions are immutable, and one that is deleted needs no word.
fn of_decision(knowledge: &Knowledge, question: &Question, now: Instant) -> Reviewed {
    let (None, Some(mut made)) = question.states::<OverrideDecision>()? else {
        return Ok(Some(AdmissionVerdict::default()));
    };
    date(made.meta_mut(), now);
    made.metadata.namespace.clone_from(&question.namespace);
    let decision = overrides::decision(&made);
    let id = SourceId::new(SourceKind::Override, &decision.namespace, &decision.override_name);
    let known = knowledge.override_as_it_is(&id);
    Ok(Some(admission::review_decision(known.as_ref(), &decision, now)))
}

fn of_report(knowledge: &Knowledge, question: &Question, now: Instant) -> Reviewed {
    let (before, after) = question.states::<EntitlementUsage>()?;
    let stated = |report: EntitlementUsage| {
        let metadata = ObjectMeta { namespace: question.namespace.clone(), ..report.metadata };
        StatedReport::read(&EntitlementUsage { metadata, ..report }, now)
    };
    let (before, after) = (before.map(stated), after.map(stated));
    let Some(report) = after.as_ref().or(before.as_ref()) else { return Ok(None) };
    let known = knowledge.usage_around(report);
    Ok(known.map(|known| admission::review_report(before.as_ref(), after.as_ref(), &known, now)))
}

fn of_organization(knowledge: &Knowledge, question: &Question, now: Instant) -> Reviewed {
    let (before, mut after) = question.states::<Organization>()?;
    if let Some(organization) = &mut after {
        date(organization.meta_mut(), now);
    }
    let name = name(question, after.as_ref());
    let known = |organization: Option<&Organization>| knowledge.with_organization(&name, organization);
    let snapshots = known(before.as_ref()).zip(known(after.as_ref()));
    let listed = after.map(|organization| organization.spec.namespaces).unwrap_or_default();
    let similar = |namespace: &str| knowledge.similar_namespace(&name, namespace, &listed);
    Ok(snapshots.map(|(before, after)| admission::review_organization(&before, &after, &similar, now)))
}

fn of_definition(knowledge: &Knowledge, question: &Question, now: Instant) -> Reviewed {
    let (before, after) = question.states::<EntitlementDefinition>()?;
    let name: Arc<str> = name(question, after.as_ref()).into();
    let (before, after) = (before.map(|definition| definition.spec), after.map(|definition| definition.spec));
    let both = before.iter().chain(&after);
    let schemas = knowledge.schemas(both.flat_map(|spec| &spec.facets).filter_map(|facet| facet.definition.as_deref()));
    let used = knowledge.definition_use(&name);
    Ok(Some(admission::review_definition(&name, before.as_ref(), after.as_ref(), &schemas, &used, now)))
}

fn of_plan(knowledge: &Knowledge, question: &Question, _: Instant) -> Reviewed {
    let (before, after) = question.states::<EntitlementPlan>()?;
    let name: Arc<str> = name(question, after.as_ref()).into();
    let (before, after) = (before.map(|plan| plan.spec), after.map(|plan| plan.spec));
    let known = knowledge.plan_surroundings(&name, before.iter().chain(&after));
    Ok(known.map(|known| admission::review_plan(&name, before.as_ref(), after.as_ref(), &known)))
}

fn of_facet(knowledge: &Knowledge, question: &Question, now: Instant) -> Reviewed {
    let (before, after) = question.states::<FacetDefinition>()?;
    let name = name(question, after.as_ref());
    let (before, after) = (before.map(|facet| facet.spec.schema), after.map(|facet| facet.spec.schema));
    let users = knowledge.facet_users(&name);
    Ok(Some(admission::review_facet(&name, before.as_ref(), after.as_ref(), &users, now)))
}

/// How old an object is decides over what it gets. One that is being made is made now.
fn date(metadata: &mut ObjectMeta, now: Instant) {
    let created = || Time(Timestamp::from_second(now.timestamp()).unwrap_or_default());
    metadata.creation_timestamp.get_or_insert_with(created);
}

/// A request to create may leave the name to the API server.
fn name<K: Resource>(question: &Question, after: Option<&K>) -> String {
    after.and_then(|object| object.meta().name.clone()).unwrap_or_else(|| question.name.clone())
}
