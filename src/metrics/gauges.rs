//! What is told when it is asked for.

use super::labels::{
    DefinitionLabel, InstanceLabels, NameLabel, OverrideLabels, PhaseLabel, ReasonLabel, StateLabel, UsageLabels,
    WithinLabel,
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};
use std::{collections::BTreeMap, fmt::Debug, hash::Hash, sync::atomic::AtomicU64};

/// How the operator is, and what it knows, at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gauges {
    /// Whether every kind was listed once.
    pub is_ready: bool,
    /// Whether it works on the cluster.
    pub leads: bool,
    /// Whether the store answers; None where there is none.
    pub store_up: Option<bool>,
    /// Whether it is another one than before, or an older copy; None where there is none.
    pub store_replaced: Option<bool>,
    /// What waits in the queues.
    pub queues: Vec<QueueDepth>,
    /// What there is; told by the operator alone that works on the cluster, so that sums over replicas are right.
    pub domain: Option<DomainGauges>,
}

/// A queue.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueDepth {
    /// Its name.
    pub name: &'static str,
    /// How many things wait to be worked on now.
    pub depth: usize,
    /// How long the first of them has waited, in seconds.
    pub longest_wait: f64,
}

/// What there is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DomainGauges {
    /// How many organizations there are.
    pub organizations: usize,
    /// How many definitions there are.
    pub definitions: usize,
    /// How many plans and add-ons there are.
    pub plans: usize,
    /// How many grants are in each phase.
    pub phases: BTreeMap<&'static str, u64>,
    /// How many subscriptions are in each phase.
    pub subscription_phases: BTreeMap<&'static str, u64>,
    /// How many subscriptions in force end within each of these times.
    pub subscriptions_ending: Vec<(&'static str, u64)>,
    /// How many overrides of each definition are in each phase.
    pub overrides: BTreeMap<String, BTreeMap<&'static str, u64>>,
    /// How many overrides in force end within each of these times.
    pub overrides_ending: Vec<(&'static str, u64)>,
    /// How many seconds ago the oldest override was made that waits for approval.
    pub oldest_request: f64,
    /// How many grants in force end within each of these times.
    pub ending: Vec<(&'static str, u64)>,
    /// How many grants have a boundary behind them that their statuses do not show.
    pub overdue: u64,
    /// By how many seconds the one is late that is so most.
    pub most_overdue: f64,
    /// How many grants are refused, by reason.
    pub refusals: BTreeMap<&'static str, u64>,
    /// How many objects should be in the clients' namespaces, by how that went.
    pub outputs: BTreeMap<&'static str, u64>,
    /// How many organizations are in each state of their usage, by definition.
    pub usage: BTreeMap<String, BTreeMap<&'static str, u64>>,
    /// Whether Prometheus tells what is used of each definition that it is asked for.
    pub prometheus_up: BTreeMap<String, bool>,
    /// When each grant ends, where that is asked for.
    pub ends: Vec<InstanceEnd>,
}

/// When a grant ends.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceEnd {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its organization's name.
    pub organization: String,
    /// Its definition's name.
    pub definition: String,
    /// In Unix time.
    pub at: i64,
}

impl Gauges {
    /// Adds all of them to what is told.
    pub fn register(&self, registry: &mut Registry) {
        single(registry, "entitlement_ready", "Whether everything was listed once (1) or not yet (0)", self.is_ready);
        let leads = [(NameLabel { name: "entitlement-operator" }, i64::from(self.leads))];
        family(
            registry,
            "leader_election_master_status",
            "Whether this operator works on the cluster (1) or stands by (0)",
            leads,
        );
        let depths = self.queues.iter().map(|queue| (NameLabel { name: queue.name }, count(queue.depth)));
        family(registry, "workqueue_depth", "How many things wait to be worked on", depths);
        let waits = Family::<NameLabel, Gauge<f64, AtomicU64>>::default();
        for queue in &self.queues {
            waits.get_or_create(&NameLabel { name: queue.name }).set(queue.longest_wait);
        }
        let help = "How long what has waited longest in the queue has waited";
        registry.register("workqueue_longest_wait_seconds", help, waits);
        if let Some(store_up) = self.store_up {
            single(
                registry,
                "entitlement_store_up",
                "Whether the store of metered usage answers (1) or not (0)",
                store_up,
            );
        }
        if let Some(store_replaced) = self.store_replaced {
            let help = "Whether the store of metered usage is another one than before, or an older copy (1), and nobody has confirmed it";
            single(registry, "entitlement_store_replaced", help, store_replaced);
        }
        if let Some(domain) = &self.domain {
            domain.register(registry);
        }
    }
}

impl DomainGauges {
    fn register(&self, registry: &mut Registry) {
        single(registry, "entitlement_organizations", "How many organizations there are", count(self.organizations));
        single(registry, "entitlement_definitions", "How many definitions there are", count(self.definitions));
        single(registry, "entitlement_plans", "How many plans and add-ons there are", count(self.plans));
        let phases = self.phases.iter().map(|(&phase, &grants)| (PhaseLabel { phase }, number(grants)));
        family(registry, "entitlement_instances", "How many grants are in each phase, as their statuses say", phases);
        let phases = self.subscription_phases.iter().map(|(&phase, &all)| (PhaseLabel { phase }, number(all)));
        let help = "How many subscriptions are in each phase, as their statuses say";
        family(registry, "entitlement_subscriptions", help, phases);
        let ending = self.subscriptions_ending.iter().map(|(within, all)| (WithinLabel { within }, number(*all)));
        let help = "How many subscriptions in force end within that time, even where another or a grace period follows";
        family(registry, "entitlement_subscriptions_ending", help, ending);
        self.register_overrides(registry);
        let ending = self.ending.iter().map(|(within, grants)| (WithinLabel { within }, number(*grants)));
        let help = "How many grants in force end within that time, even where another grant or a grace period follows";
        family(registry, "entitlement_instances_ending", help, ending);
        let help = "How many grants have changed by time, and their statuses do not show it yet";
        single(registry, "entitlement_instances_overdue", help, number(self.overdue));
        let help = "How long ago the oldest change was that a status does not show yet, or 0";
        seconds(registry, "entitlement_instances_most_overdue_seconds", help, self.most_overdue);
        let refusals = self.refusals.iter().map(|(&reason, &grants)| (ReasonLabel { reason }, number(grants)));
        family(registry, "entitlement_refusals", "How many grants are refused now, by reason", refusals);
        let outputs = self.outputs.iter().map(|(&state, &objects)| (StateLabel { state }, number(objects)));
        let help = "How many objects there are to be in the clients' namespaces, by what came of them";
        family(registry, "entitlement_outputs", help, outputs);
        self.register_usage(registry);
        let ends = self.ends.iter().map(|end| {
            let (namespace, name) = (end.namespace.clone(), end.name.clone());
            let (organization, definition) = (end.organization.clone(), end.definition.clone());
            (InstanceLabels { namespace, name, organization, definition }, end.at)
        });
        let help = "When a grant ends that is in force or to be, in Unix time";
        family(registry, "entitlement_instance_end_timestamp_seconds", help, ends);
    }

    fn register_usage(&self, registry: &mut Registry) {
        let usage = self.usage.iter().flat_map(|(definition, states)| {
            let labels = |state| UsageLabels { definition: definition.clone(), state };
            states.iter().map(move |(&state, &all)| (labels(state), number(all)))
        });
        let help = "How many organizations are in each state of their usage of each metered definition that they hold";
        family(registry, "entitlement_usage_state", help, usage);
        let up = self.prometheus_up.iter().map(|(definition, &up)| {
            let definition = definition.clone();
            (DefinitionLabel { definition }, i64::from(up))
        });
        let help = "Whether Prometheus tells what is used of the definition (1) or not (0)";
        family(registry, "entitlement_prometheus_up", help, up);
    }

    fn register_overrides(&self, registry: &mut Registry) {
        let overrides = self.overrides.iter().flat_map(|(definition, phases)| {
            let labels = |phase| OverrideLabels { definition: definition.clone(), phase };
            phases.iter().map(move |(&phase, &all)| (labels(phase), number(all)))
        });
        let help = "How many overrides of each definition are in each phase, as their statuses say";
        family(registry, "entitlement_overrides", help, overrides);
        let ending = self.overrides_ending.iter().map(|(within, all)| (WithinLabel { within }, number(*all)));
        let help = "How many overrides in force end within that time";
        family(registry, "entitlement_overrides_ending", help, ending);
        let help = "How long ago the oldest override was made that waits for approval, or 0";
        seconds(registry, "entitlement_override_oldest_request_age_seconds", help, self.oldest_request);
    }
}

fn seconds(registry: &mut Registry, name: &str, help: &str, value: f64) {
    let gauge = Gauge::<f64, AtomicU64>::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}

/// Adds one value.
pub fn single(registry: &mut Registry, name: &str, help: &str, value: impl Into<i64>) {
    let gauge = Gauge::<i64>::default();
    gauge.set(value.into());
    registry.register(name, help, gauge);
}

fn family<S: EncodeLabelSet + Clone + Debug + Hash + Eq + Send + Sync + 'static>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (S, i64)>,
) {
    let family = Family::<S, Gauge>::default();
    for (labels, value) in values {
        family.get_or_create(&labels).set(value);
    }
    registry.register(name, help, family);
}

fn count(all: usize) -> i64 {
    i64::try_from(all).unwrap_or(i64::MAX)
}

fn number(all: u64) -> i64 {
    i64::try_from(all).unwrap_or(i64::MAX)
}
