//! What is counted as it happens.

use super::{
    api::ApiMetrics,
    gauges::{Gauges, single},
    labels::{
        BuildLabels, ControllerLabel, MethodLabel, NameLabel, PhaseLabel, ReconcileLabels, RequestLabels,
        ResourceLabel, ResultLabel,
    },
    page::Exposition,
    process,
};
use prometheus_client::{
    encoding::text::encode_registry,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Metric, Registry},
};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The result of what has failed.
pub const ERROR: &str = "error";

/// From what takes a moment to what takes as long as it may.
const RECONCILE_SECONDS: [f64; 13] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
const QUEUE_SECONDS: [f64; 9] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0, 600.0];
const REQUEST_SECONDS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0];
/// What is due at a second should be there within one.
const LAG_SECONDS: [f64; 12] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];

pub(super) type Timings<S> = Family<S, Histogram, fn() -> Histogram>;
type SecondsGauge = Gauge<f64, AtomicU64>;

/// What is counted of one process. Copies count together.
#[derive(Clone)]
pub struct Metrics {
    families: Arc<Families>,
}

struct Families {
    registry: Registry,
    reconciles: Family<ReconcileLabels, Counter>,
    errors: Family<ControllerLabel, Counter>,
    reconcile_time: Timings<ControllerLabel>,
    adds: Family<NameLabel, Counter>,
    retries: Family<NameLabel, Counter>,
    waits: Timings<NameLabel>,
    requests: Family<RequestLabels, Counter>,
    request_time: Timings<MethodLabel>,
    transitions: Family<PhaseLabel, Counter>,
    lag: Histogram,
    events_dropped: Counter,
    evaluations_deferred: Counter,
    reviews: Family<ResultLabel, Counter>,
    store_commits: Counter,
    store_time: Histogram,
    registers: Counter,
    api: ApiMetrics,
    watches: Family<ResourceLabel, SecondsGauge>,
    /// When the webhook's certificate ends, in Unix time; 0 while it has none.
    certificate: AtomicI64,
}

/// What is counted of one queue.
#[derive(Clone, Debug)]
pub struct QueueMetrics {
    adds: Counter,
    retries: Counter,
    waits: Histogram,
}

impl Default for Metrics {
    /// Nothing was counted yet, of a build that nobody asks for.
    fn default() -> Self {
        Self::new("")
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for QueueMetrics {
    /// Of a queue that nobody asks for.
    fn default() -> Self {
        Self { adds: Counter::default(), retries: Counter::default(), waits: queue_seconds() }
    }
}

fn reconcile_seconds() -> Histogram {
    Histogram::new(RECONCILE_SECONDS)
}

fn queue_seconds() -> Histogram {
    Histogram::new(QUEUE_SECONDS)
}

fn request_seconds() -> Histogram {
    Histogram::new(REQUEST_SECONDS)
}

/// Registers a family under its name, without the end that counters get.
pub(super) struct Registration(Registry);

impl Registration {
    pub(super) fn add<M: Metric + Clone>(&mut self, name: &str, help: &str, family: M) -> M {
        self.0.register(name, help, family.clone());
        family
    }
}

impl Metrics {
    /// Nothing was counted yet. The release of the time zone data is told with the build.
    #[must_use]
    pub fn new(time_zones: &str) -> Self {
        let mut all = Registration(Registry::default());
        let build = Family::<BuildLabels, Gauge>::default();
        let build = all.add("entitlement_build_info", "Always 1; the labels say which build runs", build);
        let labels = BuildLabels { version: env!("CARGO_PKG_VERSION"), time_zones: time_zones.to_owned() };
        build.get_or_create(&labels).set(1);
        let started =
            all.add("process_start_time_seconds", "When the process started, in Unix time", SecondsGauge::default());
        started.set(unix_seconds(SystemTime::now()));
        let families = Families {
            reconciles: all.add(
                "controller_runtime_reconcile",
                "How often something was brought up to date, by what it was and how it went (success, requeue, error)",
                Family::default(),
            ),
            errors: all.add(
                "controller_runtime_reconcile_errors",
                "How often bringing something up to date has failed",
                Family::default(),
            ),
            reconcile_time: all.add(
                "controller_runtime_reconcile_time_seconds",
                "How long it took to bring something up to date",
                Timings::new_with_constructor(reconcile_seconds),
            ),
            adds: all.add("workqueue_adds", "How often something was queued", Family::default()),
            retries: all.add("workqueue_retries", "How often something was queued again because it had failed", Family::default()),
            waits: all.add(
                "workqueue_queue_duration_seconds",
                "How long what was queued waited until it was worked on",
                Timings::new_with_constructor(queue_seconds),
            ),
            requests: all.add(
                "rest_client_requests",
                "Requests to the API server, by method and the code of the answer (<error> where none came)",
                Family::default(),
            ),
            request_time: all.add(
                "rest_client_request_duration_seconds",
                "How long it took until the answer of the API server began",
                Timings::new_with_constructor(request_seconds),
            ),
            transitions: all.add(
                "entitlement_transitions",
                "How often the status of a grant was written with another phase than before, by the new phase",
                Family::default(),
            ),
            lag: all.add(
                "entitlement_transition_lag_seconds",
                "From the moment at which a grant changed its phase by time alone until its status said so",
                Histogram::new(LAG_SECONDS),
            ),
            events_dropped: all.add(
                "entitlement_events_dropped",
                "Kubernetes events that were not written because too many waited, or the API server did not take them",
                Counter::default(),
            ),
            evaluations_deferred: all.add(
                "entitlement_evaluations_deferred",
                "How often an organization's templates were more work than one evaluation may be, so that the rest was put off",
                Counter::default(),
            ),
            reviews: all.add(
                "entitlement_webhook_reviews",
                "Reviews by the admission webhook, by how they ended: allowed, refused, or why they were not answered",
                Family::default(),
            ),
            store_commits: all.add(
                "entitlement_store_commits",
                "How often this replica has written to the store of metered usage",
                Counter::default(),
            ),
            store_time: all.add(
                "entitlement_store_write_seconds",
                "How long it took until the store had what was written to it",
                request_seconds(),
            ),
            registers: all.add(
                "entitlement_usage_registers",
                "How many registers of usage were written to the store, also those that were taken back",
                Counter::default(),
            ),
            api: ApiMetrics::register(&mut all),
            watches: all.add(
                "entitlement_watch_last_activity_timestamp_seconds",
                "When a watch last gave a sign of life, in Unix time; before the first one, when the operator began to watch",
                Family::default(),
            ),
            certificate: AtomicI64::new(0),
            registry: all.0,
        };
        Self { families: Arc::new(families) }
    }

    /// Something was brought up to date, or not.
    pub fn reconciled(&self, controller: &'static str, result: &'static str, took: Duration) {
        let families = &self.families;
        families.reconciles.get_or_create(&ReconcileLabels { controller, result }).inc();
        families.reconcile_time.get_or_create(&ControllerLabel { controller }).observe(took.as_secs_f64());
        let errors = families.errors.get_or_create(&ControllerLabel { controller });
        if result == ERROR {
            errors.inc();
        }
    }

    /// What is counted of a queue of that name.
    #[must_use]
    pub fn queue(&self, name: &'static str) -> QueueMetrics {
        let label = NameLabel { name };
        let Families { adds, retries, waits, .. } = &*self.families;
        QueueMetrics {
            adds: adds.get_or_create_owned(&label),
            retries: retries.get_or_create_owned(&label),
            waits: waits.get_or_create_owned(&label),
        }
    }

    /// A request to the API server was answered with that code, or (None) not at all.
    pub fn requested(&self, method: &'static str, code: Option<u16>, took: Duration) {
        let code = code.map_or_else(|| "<error>".to_owned(), |code| code.to_string());
        self.families.requests.get_or_create(&RequestLabels { code, method }).inc();
        self.families.request_time.get_or_create(&MethodLabel { method }).observe(took.as_secs_f64());
    }

    /// A status was written with another phase than before; `lag` is how long after the moment at which time alone had changed it.
    pub fn transition(&self, phase: &'static str, lag: Option<Duration>) {
        self.families.transitions.get_or_create(&PhaseLabel { phase }).inc();
        if let Some(lag) = lag {
            self.families.lag.observe(lag.as_secs_f64());
        }
    }

    /// An event was dropped.
    pub fn event_dropped(&self) {
        self.families.events_dropped.inc();
    }

    /// A part of an evaluation was put off to the next one.
    pub fn evaluation_deferred(&self) {
        self.families.evaluations_deferred.inc();
    }

    /// The store was written, with so many registers.
    pub fn stored(&self, registers: usize, took: Duration) {
        self.families.store_commits.inc();
        self.families.registers.inc_by(registers as u64);
        self.families.store_time.observe(took.as_secs_f64());
    }

    /// The webhook was asked.
    pub fn reviewed(&self, result: &'static str) {
        self.families.reviews.get_or_create(&ResultLabel { result }).inc();
    }

    /// What is counted of the API that services ask.
    #[must_use]
    pub fn api(&self) -> &ApiMetrics {
        &self.families.api
    }

    /// From now on signs of life of this watch are expected.
    pub fn expect_watch(&self, resource: &str) {
        self.mark_watch(&ResourceLabel { resource: resource.to_owned() });
    }

    /// A watch gives a sign of life, if it is one of those that are expected to.
    pub fn watch_lives(&self, resource: &str) {
        let label = ResourceLabel { resource: resource.to_owned() };
        if self.families.watches.get(&label).is_some() {
            self.mark_watch(&label);
        }
    }

    fn mark_watch(&self, label: &ResourceLabel) {
        self.families.watches.get_or_create(label).set(unix_seconds(SystemTime::now()));
    }

    /// The webhook serves with a certificate that ends then, in Unix time.
    pub fn certificate_ends(&self, at: i64) {
        self.families.certificate.store(at, Ordering::Relaxed);
    }

    /// All that is counted, with what is told now.
    #[must_use]
    pub fn page(&self, gauges: &Gauges, exposition: Exposition) -> String {
        let mut current = Registry::default();
        process::register(&mut current);
        let certificate = self.families.certificate.load(Ordering::Relaxed);
        if certificate != 0 {
            let help = "When the certificate that the admission webhook serves with ends, in Unix time";
            single(&mut current, "entitlement_webhook_certificate_expiry_timestamp_seconds", help, certificate);
        }
        if let Some(is_answering) = self.families.api.is_answering() {
            let help =
                "Whether the API answers whoever asks (1), or has no certificate or not everything listed yet (0)";
            single(&mut current, "entitlement_api_serving", help, is_answering && gauges.is_ready);
        }
        if let Some(end) = self.families.api.certificate_end() {
            let help = "When the certificate that the API serves with ends, in Unix time";
            single(&mut current, "entitlement_api_certificate_expiry_timestamp_seconds", help, end);
        }
        gauges.register(&mut current);
        let mut text = String::new();
        // Writing into a text does not fail.
        let _ = encode_registry(&mut text, &self.families.registry);
        let _ = encode_registry(&mut text, &current);
        exposition.of(text)
    }
}

impl QueueMetrics {
    /// Something was queued.
    pub fn added(&self) {
        self.adds.inc();
    }

    /// What has failed is queued again.
    pub fn retried(&self) {
        self.retries.inc();
    }

    /// Something is worked on, and has waited so long.
    pub fn taken(&self, waited: Duration) {
        self.waits.observe(waited.as_secs_f64());
    }
}

fn unix_seconds(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
