//! What there is, in numbers. Nothing is counted through but organizations.

use super::{World, agenda::Agenda, kinds::WATCHES};
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

impl World {
    /// The resources that have not been listed yet.
    pub fn unlisted(&self) -> Vec<Cow<'static, str>> {
        WATCHES.iter().map(|watch| (watch.resource)()).filter(|resource| !self.listed.contains(resource)).collect()
    }

    /// What there is, in numbers.
    pub fn figures(&self, now: Instant) -> DomainGauges {
        let agendas = [SourceKind::Instance, SourceKind::Subscription].map(|kind| self.grants.agenda(kind));
        let [instances, subscriptions] = agendas;
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
            overdue: overdue.iter().map(|(count, _)| count).sum(),
            most_overdue: first.and_then(|first| (now - first).to_std().ok()).unwrap_or_default().as_secs_f64(),
            refusals,
            ..DomainGauges::default()
        }
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

fn by_phase(agenda: &Agenda) -> BTreeMap<&'static str, u64> {
    let phases = Phase::ALL.map(|phase| (phase.as_str(), agenda.in_phase(Some(phase))));
    phases.into_iter().chain([(UNDECIDED, agenda.in_phase(None))]).collect()
}

fn ending(agenda: &Agenda, now: Instant) -> Vec<(&'static str, u64)> {
    let within = [("1d", 1), ("7d", 7), ("30d", 30)];
    within.map(|(name, days)| (name, agenda.ending(now, TimeDelta::days(days)))).to_vec()
}
