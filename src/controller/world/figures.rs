//! What there is, in numbers. Nothing is counted through but organizations.

use super::{World, agenda::Agenda, grants::PhaseCounts, kinds::WATCHES};
use crate::{
    api::Phase,
    core::{
        calendar::Instant,
        grant::GrantId,
        source::{SourceId, SourceKind},
    },
    metrics::{DomainGauges, InstanceEnd},
};
use chrono::TimeDelta;
use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

/// What is told as the phase of grants whose statuses say none yet.
const UNDECIDED: &str = "Undecided";
/// What is told as the definition of all overrides of definitions that do not exist: no name of one, and one for all, as anybody who may
/// make an override may make up names.
const NO_DEFINITION: &str = "<unknown>";
/// The phases that an override can be in.
const OVERRIDE_PHASES: [Phase; 7] = [
    Phase::Rejected,
    Phase::Requested,
    Phase::Waiting,
    Phase::Active,
    Phase::Suspended,
    Phase::Expired,
    Phase::Cancelled,
];

impl World {
    /// The resources that have not been listed yet.
    pub fn unlisted(&self) -> Vec<Cow<'static, str>> {
        WATCHES.iter().map(|watch| (watch.resource)()).filter(|resource| !self.listed.contains(resource)).collect()
    }

    /// What there is, in numbers.
    pub fn figures(&self, now: Instant) -> DomainGauges {
        let agendas = [SourceKind::Instance, SourceKind::Subscription, SourceKind::Override];
        let agendas = agendas.map(|kind| self.grants.agenda(kind));
        let [instances, subscriptions, overrides] = agendas;
        let oldest_request = self.grants.override_counts().oldest_request();
        let overdue = agendas.map(|agenda| agenda.overdue(now));
        let first = overdue.iter().filter_map(|(_, first)| *first).min();
        let mut refusals = BTreeMap::new();
        for (reason, count) in agendas.into_iter().flat_map(Agenda::refusals) {
            *refusals.entry(reason.as_str()).or_default() += count;
        }
        DomainGauges {
            organizations: self.tenancy.organizations().count(),
            definitions: self.catalogue.definition_count(),
            plans: self.catalogue.plans.count(),
            phases: by_phase(instances),
            ending: ending(instances, now),
            subscription_phases: by_phase(subscriptions),
            subscriptions_ending: ending(subscriptions, now),
            overrides: self.overrides_by_definition(overrides),
            overrides_ending: ending(overrides, now),
            oldest_request: seconds_since(oldest_request, now),
            overdue: overdue.iter().map(|(count, _)| count).sum(),
            most_overdue: seconds_since(first, now),
            refusals,
            ..DomainGauges::default()
        }
    }

    /// How many overrides of each definition there are in each phase: as many series as the catalogue has definitions, at most.
    fn overrides_by_definition(&self, all: &Agenda) -> BTreeMap<String, BTreeMap<&'static str, u64>> {
        let mut of_none: PhaseCounts =
            OVERRIDE_PHASES.into_iter().map(Some).chain([None]).map(|phase| (phase, all.in_phase(phase))).collect();
        let mut counts = BTreeMap::new();
        for definition in self.catalogue.definition_names() {
            let Some(own) = self.grants.override_counts().of_definition(definition) else { continue };
            for (phase, count) in &mut of_none {
                *count = count.saturating_sub(own.get(phase).copied().unwrap_or(0));
            }
            counts.insert(definition.to_string(), named(|phase| own.get(&phase).copied().unwrap_or(0)));
        }
        if of_none.values().any(|count| *count > 0) {
            let of_none = named(|phase| of_none.get(&phase).copied().unwrap_or(0));
            counts.insert(NO_DEFINITION.to_owned(), of_none);
        }
        counts
    }

    /// When each grant of an organization ends.
    pub fn ends(&self, organization: &str) -> Vec<InstanceEnd> {
        let ends = self.grants.of_organization(organization).filter_map(|held| {
            let at = held.agenda.end()?;
            let instance = held.source.grant().filter(|grant| grant.id.source.kind == SourceKind::Instance)?;
            let GrantId { source, definition } = &instance.id;
            let (namespace, name) = (source.namespace.to_string(), source.name.to_string());
            let (organization, definition) = (organization.to_owned(), definition.to_string());
            Some(InstanceEnd { namespace, name, organization, definition, at })
        });
        ends.collect()
    }

    /// Organizations that have grants.
    pub fn holders(&self) -> Vec<Arc<str>> {
        self.grants.organizations().cloned().collect()
    }

    /// When the status of an instance says that it changes next.
    pub fn told_change(&self, id: &SourceId) -> Option<Instant> {
        self.grants.agenda_of(id)?.next()
    }
}

fn seconds_since(moment: Option<Instant>, now: Instant) -> f64 {
    moment.and_then(|moment| (now - moment).to_std().ok()).unwrap_or_default().as_secs_f64()
}

/// By the names of the phases that an override can be in.
fn named(count: impl Fn(Option<Phase>) -> u64) -> BTreeMap<&'static str, u64> {
    let phases = OVERRIDE_PHASES.into_iter().map(|phase| (phase.as_str(), count(Some(phase))));
    phases.chain([(UNDECIDED, count(None))]).collect()
}

fn by_phase(agenda: &Agenda) -> BTreeMap<&'static str, u64> {
    let phases = Phase::ALL.map(|phase| (phase.as_str(), agenda.in_phase(Some(phase))));
    phases.into_iter().chain([(UNDECIDED, agenda.in_phase(None))]).collect()
}

fn ending(agenda: &Agenda, now: Instant) -> Vec<(&'static str, u64)> {
    let within = [("1d", 1), ("7d", 7), ("30d", 30)];
    within.map(|(name, days)| (name, agenda.ending(now, TimeDelta::days(days)))).to_vec()
}
