//! Counting and tracing the requests to the API server, and the signs of life of watches.

use super::families::Metrics;
use crate::traces;
use http::{Method, Request, Response, Uri};
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};
use tower::{Layer, Service};
use tracing::Instrument;

/// Counts the requests that pass.
#[derive(Clone, Debug)]
pub struct RequestLayer(pub Metrics);

/// The same around a service.
#[derive(Clone, Debug)]
pub struct RequestCounter<S> {
    inner: S,
    metrics: Metrics,
}

impl<S> Layer<S> for RequestLayer {
    type Service = RequestCounter<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequestCounter { inner, metrics: self.0.clone() }
    }
}

impl<S, B, R> Service<Request<B>> for RequestCounter<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let metrics = self.metrics.clone();
        let (method, watched) = (name_of(request.method()), watched(request.method(), request.uri()));
        let started = Instant::now();
        let span = traces::request(request.method(), request.uri().path());
        let answer = self.inner.call(request).instrument(span.clone());
        Box::pin(async move {
            let answer = answer.await;
            let code = answer.as_ref().ok().map(|answer| answer.status().as_u16());
            traces::answered(&span, code);
            metrics.requested(method, code, started.elapsed());
            if let (Some(resource), Some(200)) = (watched, code) {
                metrics.watch_lives(&resource);
            }
            answer
        })
    }
}

fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "OTHER",
    }
}

/// The plural of the kind of which objects are watched. Rows of Secrets are not meant: they are watched in each namespace alone.
fn watched(method: &Method, uri: &Uri) -> Option<String> {
    let mut parameters = uri.query()?.split('&');
    let is_watch = parameters.clone().any(|parameter| matches!(parameter, "watch=true" | "watch=1" | "watch"));
    let is_of_rows = parameters.any(|parameter| parameter.starts_with("includeObject="));
    (method == Method::GET && is_watch && !is_of_rows)
        .then(|| uri.path().rsplit('/').next().map(str::to_owned))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::watched;
    use http::{Method, Uri};
    use rstest::rstest;

    #[rstest]
    #[case("/api/v1/secrets?&watch=true&timeoutSeconds=30", Some("secrets"))]
    #[case("/apis/apps/v1/namespaces/operator/controllerrevisions?limit=1&watch=1", Some("controllerrevisions"))]
    #[case("/api/v1/namespaces/a/secrets?includeObject=None&watch=1", None)]
    #[case("/api/v1/secrets?limit=500", None)]
    #[case("/api/v1/namespaces/watch", None)]
    fn the_kind_that_is_watched_is_known_by_the_request(#[case] uri: &'static str, #[case] expected: Option<&str>) {
        assert_eq!(watched(&Method::GET, &Uri::from_static(uri)).as_deref(), expected);
        assert_eq!(watched(&Method::POST, &Uri::from_static(uri)), None);
    }
}
