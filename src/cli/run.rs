//! `run`: the operator.

use super::{
    checks::{self, CheckApiArguments},
    connection::ConnectionArguments,
    environment,
    leadership::LeadershipArguments,
    observability::ObservabilityArguments,
    outcome::{CommandFailure, Outcome},
    prometheus::PrometheusArguments,
    served::ServedArguments,
    size::ByteSize,
    terminal::Palette,
    time_zones::ZonesInUse,
    webhook::WebhookArguments,
};
use crate::{
    checks::CheckOptions,
    connection::{Connection, FencedClients},
    controller::{Controller, ControllerOptions},
    core::calendar,
    evaluation::Limits,
    installation::Duties,
    metrics::Metrics,
    preflight::Preflight,
    server,
    store::StoreAddress,
    telemetry::{self, LogFormat},
    webhook,
};
use clap::{Args, builder::RangedU64ValueParser};
use futures::{FutureExt, future::try_join3};
use tokio::signal::unix::{SignalKind, signal};

/// Runs the operator until it is told to stop
///
/// The cluster is that of KUBECONFIG (or ~/.kube/config), or the one that the operator runs in.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entitlement-operator run
  entitlement-operator run --namespace billing --log-format json
  RUST_LOG=info,entitlement_operator=debug entitlement-operator run
  entitlement-operator run --read-only
  entitlement-operator run --secret-namespaces entitlements,acme
  entitlement-operator run --webhook-service entitlement-operator
  entitlement-operator run --webhook-url https://127.0.0.1:9443

Each flag that is not given is taken from its environment variable, if that is not empty.

SIGTERM and SIGINT stop it once the work under way is done.")]
pub struct RunArguments {
    /// The operator's own namespace, in which it keeps the revisions of the catalogue
    #[arg(long, value_name = "NAMESPACE", default_value = super::offline::OPERATOR_NAMESPACE, value_parser = super::offline::namespace)]
    namespace: String,
    /// How many requests to the API server are under way at once
    #[arg(long, value_name = "NUMBER", default_value = "64", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    concurrency: usize,
    /// The most that the objects of one organization may come to in all its namespaces, in bytes, or with Ki, Mi or Gi
    ///
    /// The operator writes the summary and the older grants first. It writes nothing beyond the limit, and withdraws nothing for
    /// it; the grants concerned say so.
    #[arg(long, value_name = "SIZE", default_value_t = ByteSize::ORGANIZATION)]
    organization_bytes: ByteSize,
    /// How log lines are written
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
    /// What is logged: a level (error, warn, info, debug, trace), or directives such as info,kube=debug
    #[arg(long, value_name = "FILTER", env = "RUST_LOG", default_value = "info")]
    log_filter: String,
    /// Where metered usage is kept: `sqlite:///var/lib/entitlement-operator/store.db`, or `postgres://user:password@host:port/database`
    /// [default: nowhere]
    ///
    /// Without it nothing that is used is counted, and all else is as ever. A file is for one replica; several replicas need
    /// PostgreSQL. The address has a password: give it as the variable, from a Secret.
    #[arg(long, value_name = "URL")]
    store: Option<StoreAddress>,
    #[command(flatten)]
    prometheus: PrometheusArguments,
    #[command(flatten)]
    leadership: LeadershipArguments,
    #[command(flatten)]
    restriction: ServedArguments,
    #[command(flatten)]
    webhook: WebhookArguments,
    #[command(flatten)]
    checks: CheckApiArguments,
    #[command(flatten)]
    observability: ObservabilityArguments,
    #[command(flatten)]
    connection: ConnectionArguments,
}

/// Runs the operator until SIGTERM or SIGINT.
pub fn run(arguments: RunArguments, zones: &ZonesInUse) -> Result<Outcome, CommandFailure> {
    let colours = Palette::of_standard_error() == Palette::Colours;
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| CommandFailure::System { action: "the threads of the operator cannot be started", error })?;
    let traces = arguments.observability.trace(runtime.handle())?;
    telemetry::init(arguments.log_format, &arguments.log_filter, colours, traces.as_ref())?;
    server::allow_files();
    for stranger in environment::strangers() {
        tracing::warn!("{stranger}");
    }
    let served = arguments.restriction.served(&arguments.namespace)?;
    let webhook = arguments.webhook.options(&arguments.namespace)?;
    let read_only = arguments.restriction.is_read_only(webhook.is_some())?;
    let checks = arguments.checks.options(read_only)?;
    if let ZonesInUse::Unusable(problem) = zones {
        tracing::error!("{problem}");
    }
    let options = ControllerOptions {
        identity: arguments.leadership.identity(),
        lease_duration: arguments.leadership.lease_duration(),
        namespace: arguments.namespace,
        concurrency: arguments.concurrency,
        served,
        read_only,
        limits: Limits { organization_bytes: arguments.organization_bytes.bytes() },
        time_zones: Some(zones.report()),
        metrics: Metrics::new(calendar::tz_release()),
        store: arguments.store,
        prometheus: arguments.prometheus.source()?,
        tells_each_instance: arguments.observability.metrics_per_instance,
        ..ControllerOptions::default()
    };
    let connection = Connection { metrics: options.metrics.clone(), read_only, ..arguments.connection.connection() };
    let operated = runtime.block_on(operate(&connection, options, webhook, checks, &arguments.observability));
    if let Some(traces) = traces {
        traces.end();
    }
    // What is still being thought about cannot be broken off, and nobody waits for it any more.
    runtime.shutdown_background();
    operated.map(|()| Outcome::Valid)
}

async fn operate(
    connection: &Connection,
    options: ControllerOptions,
    webhook: Option<webhook::Options>,
    checks: Option<CheckOptions>,
    observability: &ObservabilityArguments,
) -> Result<(), CommandFailure> {
    let shutdown = shutdown()?.shared();
    // What cannot be mended while it runs ends it before it says anything.
    connection.config().await?;
    let time_zones = options.time_zones.as_ref().map(|zones| zones.message.as_str());
    tracing::info!(namespace = options.namespace, version = super::VERSION, time_zones, "the operator starts");
    let briefing = observability.serve(&options.metrics, shutdown.clone()).await?;
    let webhook_rights = webhook.as_ref().map(webhook::Options::rights);
    let duties = Duties {
        webhook: webhook_rights,
        checks: checks.as_ref().map(CheckOptions::rights),
        served: options.served.clone(),
        read_only: options.read_only,
    };
    let preflight = Preflight::new(connection, &options.namespace, duties);
    let passed = tokio::select! {
        passed = preflight.pass() => Some(passed?),
        () = shutdown.clone() => None,
    };
    let Some((client, cluster)) = passed else {
        tracing::info!("the operator has ended");
        return Ok(());
    };
    let api = checks::listen(checks).await?;
    let (store, namespace) = (options.store.clone(), options.namespace.clone());
    let writers = FencedClients::of(connection).await?;
    let controller = Controller::new(client.clone(), writers, ControllerOptions { cluster, ..options });
    let knowledge = controller.knowledge();
    if let Some(api) = &api {
        api.announce(&knowledge);
    }
    if let Some(briefing) = briefing {
        briefing.knows(knowledge.clone());
    }
    let admission = async {
        if let Some(options) = webhook {
            Box::pin(webhook::run(client.clone(), knowledge.clone(), options, shutdown.clone())).await;
        }
        Ok(())
    };
    let answering = async {
        if let Some(api) = api {
            Box::pin(api.run(client.clone(), &namespace, knowledge.clone(), store, shutdown.clone())).await;
        }
        Ok(())
    };
    try_join3(controller.run(shutdown.clone()), admission, answering).await?;
    tracing::info!("the operator has ended");
    Ok(())
}

/// Is ready once the process is told to end.
fn shutdown() -> Result<impl Future<Output = ()>, CommandFailure> {
    let listen =
        |kind| signal(kind).map_err(|error| CommandFailure::System { action: "signals cannot be listened for", error });
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    Ok(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!(signal = name, "the operator ends");
    })
}
