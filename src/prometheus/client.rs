//! Requests to Prometheus: by POST, with a deadline, and no more is read than an answer may have.

use super::options::{PrometheusOptions, UnusablePrometheus};
use crate::{
    connection::Cause,
    core::{
        calendar::Instant,
        usage::{answer::PrometheusProblem, buckets::BucketRequest, vector::MetricVector},
    },
};
use chrono::DateTime;
use http::{
    HeaderMap, Request, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, USER_AGENT},
};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper_util::{
    client::legacy::{Builder, Error},
    rt::TokioExecutor,
};
use kube::{Config, client::ConfigExt};
use std::{error, fmt, sync::Arc};
use tokio::time;
use tower::{ServiceExt, util::BoxCloneSyncService};

/// The most that is read of an answer.
const ANSWER_LIMIT: usize = 16 << 20;
const AGENT: &str = concat!("entitlement-operator/", env!("CARGO_PKG_VERSION"));
const FORM: &str = "application/x-www-form-urlencoded";

/// Asks one Prometheus.
#[derive(Clone)]
pub(super) struct PrometheusClient {
    options: Arc<PrometheusOptions>,
    http: BoxCloneSyncService<Request<Full<Bytes>>, Response<Incoming>, Error>,
}

/// What Prometheus answered.
pub(super) struct PrometheusReply {
    pub vector: MetricVector,
    /// Its clock, when it began to answer.
    pub date: Option<Instant>,
    /// When that was, by ours.
    pub arrived: time::Instant,
}

/// An answer as it came.
struct RawReply {
    status: StatusCode,
    date: Option<Instant>,
    arrived: time::Instant,
    body: Bytes,
}

impl fmt::Debug for PrometheusClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PrometheusClient").field("options", &self.options).finish_non_exhaustive()
    }
}

impl PrometheusClient {
    pub fn new(options: &PrometheusOptions) -> Result<Self, UnusablePrometheus> {
        // What is wrong with it is said at once, though it is read for each request.
        options.authorization()?;
        options.headers()?;
        let mut config = Config::new(options.url.uri().clone());
        config.root_cert = options.authorities()?;
        if !options.url.is_secure() {
            // The machine's own authorities may be nowhere, and nobody needs them.
            config.root_cert = Some(Vec::new());
        }
        let connector = config.rustls_https_connector().map_err(|error| UnusablePrometheus::Tls(error.to_string()))?;
        // One request a minute keeps no connection.
        let http = Builder::new(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(Self { options: Arc::new(options.clone()), http: BoxCloneSyncService::new(http) })
    }

    /// The values of a query at the end of each bucket.
    pub async fn buckets(&self, query: &str, request: BucketRequest) -> Result<PrometheusReply, PrometheusProblem> {
        let (first, last) = (request.first_end().to_string(), request.last_end().to_string());
        if request.points() == 1 {
            return self.ask("/api/v1/query", &[("query", query), ("time", &last)]).await;
        }
        let step = request.length().to_string();
        let form = [("query", query), ("start", first.as_str()), ("end", &last), ("step", &step)];
        self.ask("/api/v1/query_range", &form).await
    }

    /// The values of a query now, by the clock of Prometheus.
    pub async fn present(&self, query: &str) -> Result<PrometheusReply, PrometheusProblem> {
        self.ask("/api/v1/query", &[("query", query)]).await
    }

    async fn ask(&self, path: &str, form: &[(&str, &str)]) -> Result<PrometheusReply, PrometheusProblem> {
        let deadline = self.options.deadline;
        let silent = |_| PrometheusProblem::Unreached(Cause::Silent.to_string());
        let reply = time::timeout(deadline, self.send(path, form)).await.map_err(silent)??;
        let vector = read(&reply)?;
        Ok(PrometheusReply { vector, date: reply.date, arrived: reply.arrived })
    }

    async fn send(&self, path: &str, form: &[(&str, &str)]) -> Result<RawReply, PrometheusProblem> {
        let unsent = |error: &dyn fmt::Display| PrometheusProblem::Unreached(error.to_string());
        let uri = self.options.url.at(path).map_err(|error| unsent(&error))?;
        let timeout = format!("{}ms", self.options.deadline.as_millis());
        let body = encoded(form.iter().copied().chain([("timeout", timeout.as_str())]));
        let request = Request::post(uri).header(CONTENT_TYPE, FORM).header(USER_AGENT, AGENT);
        let mut request =
            request.header(ACCEPT, "application/json").body(Full::from(body)).map_err(|error| unsent(&error))?;
        if let Some(authorization) = self.options.authorization().map_err(|error| unsent(&error))? {
            request.headers_mut().insert(AUTHORIZATION, authorization);
        }
        request.headers_mut().extend(self.options.headers().map_err(|error| unsent(&error))?);
        let response = self.http.clone().oneshot(request).await.map_err(|error| unreached(&error))?;
        let arrived = time::Instant::now();
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_LIMIT).collect().await.map_err(|error| cut_off(error.as_ref()))?;
        Ok(RawReply { status: head.status, date: date(&head.headers), arrived, body: body.to_bytes() })
    }
}

fn read(reply: &RawReply) -> Result<MetricVector, PrometheusProblem> {
    if reply.status == StatusCode::OK {
        return MetricVector::read(&reply.body);
    }
    match MetricVector::read(&reply.body) {
        Err(problem @ (PrometheusProblem::Refused(_) | PrometheusProblem::Failed(_))) => Err(problem),
        _ => Err(PrometheusProblem::Unreached(told(reply.status))),
    }
}

fn told(status: StatusCode) -> String {
    let code = status.as_u16();
    match code {
        401 | 403 => format!(
            "it does not accept the credentials ({code}): look at --prometheus-token-file, --prometheus-user, and --prometheus-header-file"
        ),
        404 | 405 => {
            format!("its API is not there ({code}): give with --prometheus-url the URL below which there is /api/v1")
        }
        300..=399 => format!("it leads elsewhere ({code}): give that URL with --prometheus-url"),
        _ => format!("it answered with {code}"),
    }
}

fn unreached(error: &(dyn error::Error + 'static)) -> PrometheusProblem {
    match Cause::found_in(error) {
        Some(Cause::Unreadable) => PrometheusProblem::Unreadable,
        Some(cause) => PrometheusProblem::Unreached(cause.to_string()),
        None => PrometheusProblem::Unreached("no connection comes about".to_owned()),
    }
}

fn cut_off(error: &(dyn error::Error + 'static)) -> PrometheusProblem {
    if error.is::<LengthLimitError>() { PrometheusProblem::TooLarge } else { unreached(error) }
}

fn date(headers: &HeaderMap) -> Option<Instant> {
    let text = headers.get(DATE)?.to_str().ok()?;
    DateTime::parse_from_rfc2822(text).ok().map(|date| date.to_utc())
}

fn encoded<'a>(form: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let pairs = form.map(|(name, value)| format!("{name}={}", escaped(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}
