//! The operator in a cluster: a thin shell around [`crate::evaluation`].
//!
//! ```text
//! watches ─▶ world ─▶ queue ─▶ organization: view ─▶ evaluate ─▶ plan ─▶ apply ─▶ statuses
//!                       ▲                                  │
//!                     timer ◀──────────── next moment ─────┘
//! ```
//!
//! Nothing is decided before every kind has been listed once. Every decision is derived anew from what is known now; the
//! only memory is the cluster's. What the operator writes it knows at once, so that no echo makes it work again.
//!
//! | file | what it knows |
//! |---|---|
//! | `watch`, `source_watches` | how the cluster is watched |
//! | `world` | what is known of it, and in `kinds` the one list of what is watched |
//! | `work` | what can be worked on, and who brings one of each up to date |
//! | `queue`, `timer`, `debouncer`, `attempts`, `backoff`, `worker` | what is worked on, and when |
//! | `lanes`, `threads` | where it is thought about, so that what is costly holds up nothing else |
//! | `limit` | how long all but thinking may take |
//! | `organization`, `definition`, `facet`, `source`, `grant_source` | how one of each is brought up to date |
//! | `metering` | what an evaluation takes from the store, and what the store should have afterwards |
//! | `store_note` | what is noted of the store in the cluster, and whether it is still the one that it was |
//! | `inquiries` | when Prometheus is asked what is used, and what is said of that |
//! | `ends` | what time has ended, looked at once more before it is withdrawn |
//! | `scope`, `output`, `apply` | how tenants' namespaces are written to |
//! | `memory`, `reclaim`, `handwriting` | where the operator's objects lie, and how it knows those again that were tampered with |
//! | `status`, `revisions` | what is written on the catalogue's and the grants' own objects |
//! | `announcements`, `events`, `put_back`, `time_zones` | what users are told |
//! | `transitions`, `warnings` | what the log says of grants that change their phase, and of work that failed |
//! | `burst` | lines of which very many may come at once |
//! | `intentions` | what the operator would do, where it only reads |
//! | `leadership` | which of several operators works on the cluster |
//! | `outages` | what cannot be watched, told once for all |
//! | `writing` | which statuses are being written, so that nobody else has |
//! | `gate`, `guarded`, `failure`, `clock`, `context` | what all of them share |
//! | `tallies` | what came of the outputs of each organization, as counts |
//! | `usage_states` | how many organizations are in which state of their usage, as counts |
//! | `figures` | how the operator is, and what there is, in numbers |
//! | `knowledge` | what others may ask |

mod announcements;
mod apply;
mod attempts;
pub(crate) mod backoff;
mod burst;
mod catalogue_status;
mod checks;
pub(crate) mod clock;
mod context;
mod debouncer;
mod decisions;
mod definition;
mod edits;
mod ends;
mod events;
mod facet;
mod failure;
mod figures;
#[cfg(test)]
mod footprint;
mod gate;
mod grant_source;
pub mod guarded;
mod handwriting;
mod inquiries;
mod intentions;
mod knowledge;
mod lanes;
pub mod leadership;
mod limit;
mod memory;
mod metering;
mod organization;
mod outages;
mod output;
mod plan;
mod put_back;
mod queue;
mod reclaim;
mod resumptions;
mod revisions;
mod scope;
mod serving;
mod source;
mod source_watches;
mod status;
mod store_note;
mod tallies;
pub(crate) mod threads;
mod time_zones;
mod timer;
mod transitions;
mod usage_report;
mod usage_states;
mod warnings;
mod watch;
mod work;
mod worker;
mod world;
mod writing;

use crate::{
    connection::FencedClients,
    core::served::ServedNamespaces,
    evaluation::Limits,
    installation::{Duties, OPERATOR_NAMESPACE},
    metrics::Metrics,
    prometheus::PrometheusSource,
    store::StoreAddress,
};
use context::ControllerContext;
use gate::Gate;
pub use knowledge::Knowledge;
use kube::Client;
use leadership::{Candidacy, mark::PATIENCE};
pub use leadership::{Leadership, LeadershipPart};
use std::{sync::Arc, time::Duration};
pub use time_zones::TimeZoneReport;
use tokio::{sync::oneshot, task::JoinSet, time::timeout};
use world::{ClusterCounts, kinds::WATCHES};
pub use world::{NamedCatalogue, ObjectState, Reference};

/// How long the operator stays to tell of what it has done, once it is to end.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How the controller is set up.
#[derive(Clone, Debug)]
pub struct ControllerOptions {
    /// The operator's own namespace, in which it keeps the catalogue's revisions.
    pub namespace: String,
    /// How many requests are under way at once, and how many things are worked on.
    pub concurrency: usize,
    /// The namespaces that it serves.
    pub served: ServedNamespaces,
    /// It only says what it would write.
    pub read_only: bool,
    /// Which time zone data is used, to be said in the operator's namespace; nothing is said where it is absent.
    pub time_zones: Option<TimeZoneReport>,
    /// What every evaluation keeps to.
    pub limits: Limits,
    /// What the cluster is called in the log.
    pub cluster: String,
    /// How long the operator of another namespace may take to answer before it is taken for gone.
    pub patience: Duration,
    /// What this replica is called, and no other process.
    pub identity: String,
    /// How long a replica that is not heard of any more keeps the others from taking over.
    pub lease_duration: Duration,
    /// Where it counts what it does.
    pub metrics: Metrics,
    /// Where metered usage is kept, if anywhere.
    pub store: Option<StoreAddress>,
    /// Who is asked what is used, where definitions say so.
    pub prometheus: Option<PrometheusSource>,
    /// Whether the end of each grant is told by itself.
    pub tells_each_instance: bool,
}

impl Default for ControllerOptions {
    fn default() -> Self {
        let namespace = OPERATOR_NAMESPACE.to_owned();
        let (cluster, identity) = ("the cluster".to_owned(), "entitlement-operator".to_owned());
        let (patience, lease_duration) = (PATIENCE, Duration::from_secs(15));
        let (concurrency, limits, time_zones) = (64, Limits::DEFAULT, None);
        let (served, read_only) = (ServedNamespaces::default(), false);
        Self {
            namespace,
            concurrency,
            served,
            read_only,
            limits,
            time_zones,
            cluster,
            patience,
            identity,
            lease_duration,
            metrics: Metrics::default(),
            store: None,
            prometheus: None,
            tells_each_instance: false,
        }
    }
}

/// Why the controller ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A part that runs as long as the controller does ended before it.
    #[error(
        "a part of the operator ended unexpectedly, which is a mistake in it: report it, with the log before this line"
    )]
    PartEnded,
}

/// The controller.
pub struct Controller {
    context: Arc<ControllerContext>,
    publisher: events::Publisher,
}

/// Tells whether the controller knows the cluster.
#[derive(Clone)]
pub struct Readiness {
    context: Arc<ControllerContext>,
}

impl Readiness {
    /// Whether every watch has listed once. It never turns false again: a watch that fails later leaves what is known.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.context.world(|world| world.is_ready())
    }
}

impl Controller {
    /// A controller of the cluster that the client reaches, and that the others write to. It does nothing before
    /// [`Controller::run`].
    #[must_use]
    pub fn new(client: Client, writers: FencedClients, options: ControllerOptions) -> Self {
        let candidacy = Candidacy::default();
        let gate = Gate::new(client, options.concurrency, candidacy.holds(), candidacy.leadership());
        let gate = Arc::new(if options.read_only { gate.read_only() } else { gate });
        let (announcer, publisher) = events::channel(Arc::clone(&gate), &options.metrics);
        Self { context: Arc::new(ControllerContext::new(gate, writers, candidacy, announcer, options)), publisher }
    }

    /// Tells whether it knows the cluster.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        Readiness { context: Arc::clone(&self.context) }
    }

    /// What it knows of the cluster.
    #[must_use]
    pub fn knowledge(&self) -> Knowledge {
        Knowledge::new(Arc::clone(&self.context))
    }

    /// Runs until `shutdown` is ready, then finishes what has begun.
    ///
    /// # Errors
    /// When a part of it ends by itself, which none does.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
        let Self { context, publisher } = self;
        let mut parts: JoinSet<()> = WATCHES.iter().map(|watch| (watch.run)(Arc::clone(&context))).collect();
        parts.spawn(source_watches::run(Arc::clone(&context)));
        parts.spawn(alarm(Arc::clone(&context)));
        parts.spawn(leadership::elect(Arc::clone(&context)));
        parts.spawn(leadership::run(Arc::clone(&context)));
        parts.spawn(tell_of_outages(Arc::clone(&context)));
        parts.spawn(tell_of_readiness(Arc::clone(&context)));
        parts.spawn(transitions::run(Arc::clone(&context)));
        parts.spawn(warnings::run(Arc::clone(&context)));
        parts.spawn(metering::run(Arc::clone(&context)));
        parts.spawn(store_note::run(Arc::clone(&context)));
        parts.spawn(inquiries::run(Arc::clone(&context)));
        let (close, closing) = oneshot::channel();
        let mut publishing = tokio::spawn(publisher.run(closing));
        let mut shutdown = Box::pin(shutdown);
        tokio::select! {
            () = time_zones::compare(&context) => {}
            () = &mut shutdown => {
                give_up(&context).await;
                return Ok(());
            }
        }
        parts.spawn(time_zones::say(Arc::clone(&context)));
        let mut result = Ok(());
        let stop = async {
            tokio::select! {
                () = shutdown => {}
                _ = parts.join_next() => result = Err(RunError::PartEnded),
                _ = &mut publishing => result = Err(RunError::PartEnded),
            }
        };
        worker::run(&context, stop).await;
        // What was done is told, too.
        drop(close);
        if result.is_ok() && timeout(LAST_WORDS, publishing).await.is_err() {
            tracing::debug!("events are dropped because the operator ends");
        }
        store_note::note_last(&context).await;
        give_up(&context).await;
        result
    }
}

/// Once nothing more is written, the next replica takes over at once.
async fn give_up(context: &ControllerContext) {
    if timeout(LAST_WORDS, context.candidacy.give_up()).await.is_err() {
        tracing::debug!("the lease could not be given up");
    }
}

/// Never ends, as no part of the controller does.
async fn tell_of_readiness(context: Arc<ControllerContext>) {
    context.knows_everything().await;
    context.candidacy.leadership().awaited().await;
    let ClusterCounts { definitions, plans, organizations, grants } = context.world(|world| world.census());
    let counted = |count: usize, what: &str| if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") };
    tracing::info!(
        "ready: cluster {}, {}{}, {}, {}",
        context.options.cluster,
        counted(definitions, "definition"),
        if plans == 0 { String::new() } else { format!(", {}", counted(plans, "plan")) },
        counted(organizations, "organization"),
        counted(grants, "grant")
    );
    std::future::pending::<()>().await;
}

async fn tell_of_outages(context: Arc<ControllerContext>) {
    let ControllerOptions { cluster, served, read_only, .. } = &context.options;
    let duties = Duties { served: served.clone(), read_only: *read_only, ..Duties::default() };
    context.outages.tell(cluster, &duties.restrictions_appended(), || context.queue.retry_failed()).await;
}

/// Queues organizations at the moments at which they change by time alone.
async fn alarm(context: Arc<ControllerContext>) {
    loop {
        let due = context.timer.due(clock::now).await;
        context.world(|world| due.iter().for_each(|organization| world.hurry(organization)));
    }
}
