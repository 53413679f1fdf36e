//! Sending spans by OTLP over HTTP. A collector that is away, slow, or full costs nothing but the spans.

use super::is_traced;
use http::Uri;
use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{SdkTracerProvider, SpanData, SpanExporter as ExportSpans},
};
use std::{
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_subscriber::{Layer, filter::FilterFn, registry::LookupSpan};

/// Where OTLP has traces.
const PATH: &str = "/v1/traces";
/// What is still to be sent when the operator ends has so much time.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How often the log says that traces cannot be sent.
const REMINDER: Duration = Duration::from_mins(10);
/// What the operator is called, unless the environment says otherwise.
const SERVICE: &str = "entitlement-operator";
const SERVICE_VARIABLE: &str = "OTEL_SERVICE_NAME";

/// Where traces are sent: the URL of a collector, such as `http://127.0.0.1:4318`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpEndpoint(String);

/// What was given is no URL to which traces can be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOtlpEndpoint {
    /// It is none of HTTP.
    #[error("it is no URL of a collector: write one such as http://127.0.0.1:4318")]
    NoUrl,
    /// It is one of HTTPS.
    #[error(
        "traces are sent by plain HTTP: name a collector in the same pod, on the node or in the cluster, which sends them on by https://"
    )]
    Encrypted,
}

impl FromStr for OtlpEndpoint {
    type Err = InvalidOtlpEndpoint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text.parse().map_err(|_| InvalidOtlpEndpoint::NoUrl)?;
        let has_host = uri.authority().is_some_and(|authority| !authority.host().is_empty());
        match uri.scheme_str() {
            Some("https") => Err(InvalidOtlpEndpoint::Encrypted),
            Some("http") if has_host && uri.query().is_none() => {
                Ok(Self(format!("{}{PATH}", text.trim_end_matches('/'))))
            }
            _ => Err(InvalidOtlpEndpoint::NoUrl),
        }
    }
}

/// Why traces cannot be sent at all.
#[derive(Debug, thiserror::Error)]
#[error(
    "--otlp-endpoint: traces cannot be sent: {0}: mend what OTEL_EXPORTER_OTLP_* says in the environment, or leave the flag out"
)]
pub struct TraceFailure(String);

/// Sends spans as long as it lives.
pub struct TraceExport {
    provider: SdkTracerProvider,
}

impl TraceExport {
    /// Sends spans to a collector from now on, on the threads of a runtime.
    ///
    /// # Errors
    /// Where the environment says something that cannot be done.
    pub fn begin(endpoint: &OtlpEndpoint, runtime: &Handle) -> Result<Self, TraceFailure> {
        // Its client and its connections need the runtime.
        let _entered = runtime.enter();
        let builder = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary);
        let sender = builder.with_endpoint(&endpoint.0).build().map_err(|error| TraceFailure(error.to_string()))?;
        let exporter = OnRuntime { sender: Arc::new(sender), runtime: runtime.clone(), told: Mutex::new(None) };
        let mut resource =
            Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        if std::env::var_os(SERVICE_VARIABLE).is_none() {
            resource = resource.with_service_name(SERVICE);
        }
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
        Ok(Self { provider })
    }

    /// What takes in the spans.
    #[must_use]
    pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        let layer = tracing_opentelemetry::layer().with_tracer(self.provider.tracer(SERVICE));
        let layer = layer.with_location(false).with_threads(false).with_tracked_inactivity(false).with_target(false);
        layer.with_filter(FilterFn::new(|metadata| metadata.is_span() && is_traced(metadata)))
    }

    /// Sends what there is still, for a short time.
    pub fn end(self) {
        if let Err(error) = self.provider.shutdown_with_timeout(LAST_WORDS) {
            tracing::debug!(%error, "the last traces were not sent");
        }
    }
}

/// The library waits for a request on a thread of its own, where the client has no runtime: so it runs on ours.
struct OnRuntime {
    sender: Arc<SpanExporter>,
    runtime: Handle,
    /// When the log said last that it fails.
    told: Mutex<Option<Instant>>,
}

impl fmt::Debug for OnRuntime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OnRuntime").finish_non_exhaustive()
    }
}

impl ExportSpans for OnRuntime {
    fn set_resource(&mut self, resource: &Resource) {
        // Nobody else has it before the first batch.
        if let Some(sender) = Arc::get_mut(&mut self.sender) {
            sender.set_resource(resource);
        }
    }

    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let sender = Arc::clone(&self.sender);
        let sent = self.runtime.spawn(async move { sender.export(batch).await }).await;
        let result = sent.unwrap_or_else(|error| Err(OTelSdkError::InternalFailure(error.to_string())));
        if let Err(error) = &result {
            self.complain(error);
        }
        result
    }
}

impl OnRuntime {
    fn complain(&self, error: &OTelSdkError) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_some_and(|last| last.elapsed() < REMINDER) {
            return;
        }
        *told = Some(Instant::now());
        tracing::warn!(%error, "traces cannot be sent, and are dropped until they can");
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidOtlpEndpoint, OtlpEndpoint};
    use rstest::rstest;

    #[rstest]
    #[case("http://127.0.0.1:4318", Ok("http://127.0.0.1:4318/v1/traces"))]
    #[case("http://collector.monitoring/", Ok("http://collector.monitoring/v1/traces"))]
    #[case("http://[::1]:4318/otlp", Ok("http://[::1]:4318/otlp/v1/traces"))]
    #[case("https://collector:4318", Err(InvalidOtlpEndpoint::Encrypted))]
    #[case("collector:4318", Err(InvalidOtlpEndpoint::NoUrl))]
    #[case("grpc://collector:4317", Err(InvalidOtlpEndpoint::NoUrl))]
    #[case("http://", Err(InvalidOtlpEndpoint::NoUrl))]
    #[case("http://a?b", Err(InvalidOtlpEndpoint::NoUrl))]
    #[case("", Err(InvalidOtlpEndpoint::NoUrl))]
    fn where_traces_go(#[case] text: &str, #[case] expected: Result<&str, InvalidOtlpEndpoint>) {
        assert_eq!(text.parse(), expected.map(|url| OtlpEndpoint(url.to_owned())));
    }
}
