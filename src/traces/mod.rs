//! Traces: what the operator did, how long each part took, and for whom. Off unless they are sent somewhere, and then without cost.
//!
//! The spans here are the only ones that are sent. They hold names, numbers and words of the operator's own: nothing that was sent
//! to or by the API server, and no line of the log.

mod export;

pub use export::{InvalidOtlpEndpoint, OtlpEndpoint, TraceExport, TraceFailure};

use http::Method;
use std::fmt::Display;
use tracing::{Metadata, Span, field::Empty};

/// What sets these spans apart from all others.
pub const TARGET: &str = "entitlement_operator::traces";

/// Whether it is one of these spans.
#[must_use]
pub fn is_traced(metadata: &Metadata<'_>) -> bool {
    metadata.target() == TARGET
}

/// Something is brought up to date.
#[must_use]
pub fn reconcile(controller: &'static str, item: &impl Display, organization: Option<&str>) -> Span {
    tracing::info_span!(
        target: TARGET,
        "reconcile",
        otel.status_code = Empty,
        controller,
        item = %item,
        organization,
        result = Empty,
        objects.written = Empty,
        objects.withdrawn = Empty,
        statuses.written = Empty,
    )
}

/// How bringing it up to date ended.
pub fn ended(span: &Span, result: &'static str, has_failed: bool) {
    span.record("result", result);
    if has_failed {
        span.record("otel.status_code", "ERROR");
    }
}

/// What was written of that which is being brought up to date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkWritten {
    /// Objects in clients' namespaces that were made or put right.
    pub objects: usize,
    /// Those that were withdrawn.
    pub withdrawn: usize,
    /// Statuses of grants.
    pub statuses: usize,
}

impl WorkWritten {
    /// Says so of the span that is under way.
    pub fn tell(self) {
        let span = Span::current();
        span.record("objects.written", self.objects);
        span.record("objects.withdrawn", self.withdrawn);
        span.record("statuses.written", self.statuses);
    }
}

/// A request to the API server. The path names objects, and what is asked of them stands in the query, which is not told.
#[must_use]
pub fn request(method: &Method, path: &str) -> Span {
    tracing::info_span!(
        target: TARGET,
        "request",
        otel.name = %method,
        otel.kind = "client",
        otel.status_code = Empty,
        http.request.method = %method,
        url.path = path,
        http.response.status_code = Empty,
    )
}

/// How a request was answered; None if not at all.
pub fn answered(span: &Span, code: Option<u16>) {
    if let Some(code) = code {
        span.record("http.response.status_code", code);
    }
    if code.is_none_or(|code| code >= 400) {
        span.record("otel.status_code", "ERROR");
    }
}
