//! The status of an organization.

use crate::{
    api::{
        Organization, OrganizationStatus,
        conditions::READY,
        organization::{MeterStatus, OrganizationTransition, TransitionKind},
    },
    core::{
        calendar::{Instant, format_instant},
        lifecycle::Change,
        problem::Problem,
        reason::ReasonCode,
        source::{SourceId, SourceKind},
    },
    evaluation::{
        conditions::{Conditions, unready},
        decision::Decision,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The status of an organization of which everything stays as it is, and why. Nothing else is said of it than before.
#[must_use]
pub fn untouched_status(organization: &Organization, problem: &Problem, now: Instant) -> OrganizationStatus {
    let generation = organization.metadata.generation.unwrap_or(1);
    let status = organization.status.clone().unwrap_or_default();
    let conditions = unready(&status.conditions, generation, problem, now);
    OrganizationStatus { observed_generation: generation, conditions, ..status }
}

/// The organization's status, where it exists. `hindered` is what kept its summary from being made, `problem` what came of
/// writing it, and `left` the namespaces in which it has objects still.
#[must_use]
pub fn organization_status(
    decision: &Decision,
    hindered: Option<&Problem>,
    problem: Option<&Problem>,
    left: &BTreeSet<Arc<str>>,
) -> Option<OrganizationStatus> {
    let Decision { standing, .. } = decision;
    let organization = standing.organization.as_ref()?;
    let generation = organization.metadata.generation.unwrap_or(1);
    let before = organization.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let mut conditions = Conditions::after(before, generation, decision.at);
    let hindered = decision.untold.as_ref().or(hindered);
    let mut problems: Vec<&Problem> = standing.problems.iter().chain(hindered).collect();
    if problems.is_empty() {
        problems.extend(problem);
    }
    match problems.first() {
        None => conditions.set(READY, true, ReasonCode::Served, "all namespaces are served"),
        Some(first) => {
            let all: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
            conditions.set(READY, false, first.reason, all.join("; "));
        }
    }
    let mut counts: BTreeMap<SourceKind, BTreeMap<String, u64>> = BTreeMap::new();
    let barred = decision.barred.iter().map(|((kind, phase), number)| (*kind, *phase, *number));
    let decided = decision.sources().map(|source| (source.kind(), source.verdict.phase, 1));
    for (kind, phase, number) in barred.chain(decided) {
        *counts.entry(kind).or_default().entry(phase.as_str().to_owned()).or_default() += number;
    }
    let next = decision.sources().filter_map(|source| Some((source.change?, source.id())));
    let next = next.min_by(|(one, first), (other, second)| (one.at, first).cmp(&(other.at, second)));
    let namespaces: BTreeSet<String> = standing.served.iter().chain(left).map(ToString::to_string).collect();
    Some(OrganizationStatus {
        observed_generation: generation,
        conditions: conditions.into_vec(),
        instances: counts.remove(&SourceKind::Instance).unwrap_or_default(),
        subscriptions: counts.remove(&SourceKind::Subscription).unwrap_or_default(),
        overrides: counts.remove(&SourceKind::Override).unwrap_or_default(),
        next_transition: next.map(|(change, source)| transition(change, &source)),
        namespaces: Some(namespaces.into_iter().collect()),
        usage: usage(decision, organization.status.as_ref().map(|status| status.usage.as_slice()).unwrap_or_default()),
    })
}

/// How the use of each metered definition stands, since when: numbers are not said, so that nothing is written for a use that changes
/// no state.
fn usage(decision: &Decision, before: &[MeterStatus]) -> Vec<MeterStatus> {
    let meters = decision.meters.iter().filter_map(|(definition, meter)| {
        let state = meter.state?;
        let known = before.iter().find(|said| *said.definition == **definition && said.state == state);
        Some(MeterStatus {
            definition: definition.to_string(),
            state,
            since: known.map_or_else(|| format_instant(decision.at), |said| said.since.clone()),
            resets_at: meter.resets_at().map(format_instant),
        })
    });
    meters.collect()
}

fn transition(change: Change, source: &SourceId) -> OrganizationTransition {
    let name = Some(source.to_string());
    let (kind, instance, subscription, override_) = match source.kind {
        SourceKind::Subscription => (TransitionKind::Subscription, None, name, None),
        SourceKind::Override => (TransitionKind::Override, None, None, name),
        SourceKind::Instance => (TransitionKind::Instance, name, None, None),
        #[cfg(test)]
        SourceKind::Bundle => (TransitionKind::Instance, name, None, None),
    };
    OrganizationTransition {
        at: format_instant(change.at),
        kind,
        instance,
        subscription,
        override_,
        phase: change.phase,
    }
}
