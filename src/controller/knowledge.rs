//! What the controller knows about the cluster, for other modules to ask.

use super::{
    context::ControllerContext,
    figures,
    leadership::Leadership,
    watch::is_routine,
    world::{NotReady, ObjectState, Reference, SourceObject, World, kinds::kinds_of_rights},
};
use crate::{
    api::{
        EntitlementInstance, EntitlementOverride, EntitlementPlanSpec, EntitlementSubscription, Organization,
        usage::UsageMode,
    },
    connection::Cause,
    core::{authority::ApiAuthority, definition::Schemas, source::SourceId, usage::report::StatedReport},
    evaluation::{
        admission::{Candidate, DefinitionUse, FacetUser, KnownUsage, PlanSurroundings},
        decision::Decision,
    },
    metering::StoreSight,
    metrics::{Gauges, Metrics},
};
use kube::{Client, runtime::watcher};
use std::{borrow::Cow, sync::Arc};

/// What the controller knows of the cluster. It is a moment behind what is stored.
#[derive(Clone)]
pub struct Knowledge {
    context: Arc<ControllerContext>,
}

impl Knowledge {
    pub(super) fn new(context: Arc<ControllerContext>) -> Self {
        Self { context }
    }

    pub(super) fn context(&self) -> &ControllerContext {
        &self.context
    }

    /// Whether this operator works on the cluster.
    #[must_use]
    pub fn leadership(&self) -> Leadership {
        self.context.candidacy.leadership()
    }

    /// The client by which is written what only the one that works writes.
    #[must_use]
    pub fn writer(&self) -> Client {
        self.context.gate.client()
    }

    /// What was seen of the store, for whoever else has it open here.
    #[must_use]
    pub fn store_sight(&self) -> Arc<StoreSight> {
        self.context.meters.sight()
    }

    /// Says that something cannot be watched, together with all else.
    pub fn cannot_watch(&self, what: &str, error: &watcher::Error) {
        if !is_routine(error) {
            self.context.outages.failed(what, Cause::of_watch(error));
        }
    }

    /// Says that something can be watched.
    pub fn watches(&self, what: &str) {
        self.context.outages.works(what);
    }

    /// By which authority the API is trusted, for the summaries that say so.
    pub fn learn_authority(&self, authority: ApiAuthority) {
        self.context.world(|world| world.learn_authority(authority));
    }

    /// Whether every kind was listed, the API server can be reached since, and shows by what is decided who has what.
    #[must_use]
    pub fn follows_the_cluster(&self) -> bool {
        let outages = &self.context.outages;
        self.is_ready() && !outages.is_of_the_server() && !outages.is_of(&kinds_of_rights())
    }

    /// Whether every kind has been listed once. Before that, an unlisted object looks as if it did not exist.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.context.world(|world| world.is_ready())
    }

    /// How the operator is, and what there is, in numbers.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        figures::gauges(&self.context)
    }

    /// Where what is counted is counted.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.context.options.metrics
    }

    /// What of the operator does not go on, and would after a new start.
    #[must_use]
    pub fn stuck(&self) -> Option<&'static str> {
        figures::stuck(&self.context)
    }

    /// The resources that have not been listed yet.
    #[must_use]
    pub fn unlisted(&self) -> Vec<Cow<'static, str>> {
        self.context.world(|world| world.unlisted())
    }

    /// What was decided last of an organization: who has what, from when to when, and why. It is there as soon as the operator has
    /// brought the organization up to date once, and costs nothing but the look.
    #[must_use]
    pub fn decision(&self, organization: &str) -> Option<Arc<Decision>> {
        self.context.decisions.last(organization)
    }

    /// An organization with its instances of a definition, one of these as given: made, changed, or (None) absent. None where
    /// something of it can't be told now.
    #[must_use]
    pub fn with_instance(
        &self,
        organization: &str,
        definition: &str,
        id: &SourceId,
        instance: Option<&EntitlementInstance>,
    ) -> Option<Candidate> {
        let source = instance.map(SourceObject::source);
        self.candidate(|world| world.with_source(&organization.into(), &definition.into(), id, source))
    }

    /// An organization with its subscriptions, one of these, to a plan, as given: made, changed, or (None) absent. None where
    /// something of it can't be told now.
    #[must_use]
    pub fn with_subscription(
        &self,
        organization: &str,
        plan: &str,
        id: &SourceId,
        subscription: Option<&EntitlementSubscription>,
    ) -> Option<Candidate> {
        let source = subscription.map(SourceObject::source);
        self.candidate(|world| world.with_source(&organization.into(), &plan.into(), id, source))
    }

    /// An organization with an override of a definition as given: made, changed, or (None) absent. None where something of it can't be
    /// told now.
    #[must_use]
    pub fn with_override(
        &self,
        organization: &str,
        definition: &str,
        id: &SourceId,
        one: Option<&EntitlementOverride>,
    ) -> Option<Candidate> {
        let source = one.map(SourceObject::source);
        self.candidate(|world| world.with_source(&organization.into(), &definition.into(), id, source))
    }

    /// An override as it is, with its organization, and the decisions on it. None where it can't be told.
    #[must_use]
    pub fn override_as_it_is(&self, id: &SourceId) -> Option<Candidate> {
        self.context.world(|world| world.source_as_it_is(id))
    }

    /// What a report of usage is judged with. None where something of it can't be told now.
    #[must_use]
    pub fn usage_around(&self, report: &StatedReport) -> Option<KnownUsage> {
        let (around, others) = self.context.world(|world| world.report_neighbours(report))?;
        let decision = self.decision(&report.organization);
        let meter = decision.as_ref().and_then(|decision| decision.meters.get(&report.definition));
        let consumed = meter.filter(|meter| meter.rules.mode == UsageMode::Consumed);
        Some(KnownUsage { around, others, entitled: consumed.map(|meter| meter.entitled.clone()) })
    }

    /// An organization as given: made, changed, or (None) absent. None where something of it can't be told now.
    #[must_use]
    pub fn with_organization(&self, name: &str, organization: Option<&Organization>) -> Option<Candidate> {
        let organization = organization.cloned();
        self.candidate(|world| world.with_organization(&name.into(), organization))
    }

    fn candidate(&self, of: impl FnOnce(&World) -> Result<Candidate, NotReady>) -> Option<Candidate> {
        self.context.world(|world| of(world)).ok()
    }

    /// The grants of a definition.
    #[must_use]
    pub fn definition_use(&self, definition: &str) -> DefinitionUse {
        let definition = definition.into();
        let (mut used, holders) = self.context.world(|world| world.definition_use(&definition));
        // One by one, so that nobody waits for all of them.
        for organization in holders {
            let holder = self.context.world(|world| world.definition_holder(&organization, &definition));
            if let Some((holder, live)) = holder {
                used.unseen = used.unseen.saturating_sub(live);
                used.holders.push(holder);
            }
        }
        used
    }

    /// The namespace that a name may have been meant for, of those that an organization can have and does not list already.
    #[must_use]
    pub fn similar_namespace(&self, organization: &str, name: &str, listed: &[String]) -> Option<String> {
        self.context.world(|world| world.similar_namespace(organization, name, listed))
    }

    /// The schemas of the facet definitions that are named, as far as these exist.
    #[must_use]
    pub fn schemas<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Schemas {
        self.context.world(|world| world.schemas(names))
    }

    /// What a plan that would name what these name is judged with. None where something of it can't be told now.
    #[must_use]
    pub fn plan_surroundings<'a>(
        &self,
        name: &Arc<str>,
        named: impl IntoIterator<Item = &'a EntitlementPlanSpec>,
    ) -> Option<PlanSurroundings> {
        self.context.world(|world| world.plan_surroundings(name, named)).ok()
    }

    /// The UID and the generation of an object, as far as it is known.
    #[must_use]
    pub fn state(&self, reference: &Reference) -> Option<ObjectState> {
        self.context.world(|world| world.state(reference))
    }

    /// The definitions that use a facet definition.
    #[must_use]
    pub fn facet_users(&self, facet: &str) -> Vec<FacetUser> {
        let names = self.context.world(|world| world.facet_users(facet));
        let user = |name: &Arc<str>| {
            let (definition, schemas) = self.context.world(|world| world.facet_user(name))?;
            let (name, used) = (Arc::clone(name), self.definition_use(name));
            Some(FacetUser { name, spec: definition.spec.clone(), schemas, used })
        };
        names.iter().filter_map(user).collect()
    }
}
