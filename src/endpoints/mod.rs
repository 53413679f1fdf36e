//! What the operator says of itself by HTTP: `/metrics` for Prometheus, `/healthz` and `/readyz` for the kubelet.
//!
//! It listens before anything else is done, so that an operator that waits for its rights, or for the API server, is seen to live.

use crate::{
    controller::Knowledge,
    metrics::{Exposition, Metrics},
    server::{ConnectionLimits, ConnectionPlace, Site, serve},
};
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ACCEPT, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};
use tokio::net::{TcpListener, TcpStream};

/// Probes and scrapes are through within milliseconds.
const CONNECTIONS: usize = 32;
/// For so long a page is shown again rather than made anew, so that it costs no more however many ask for it.
const PAGE_AGE: Duration = Duration::from_millis(500);
const PLAIN: &str = "text/plain; charset=utf-8";

/// What listens, and what it tells.
pub struct Endpoints {
    listener: TcpListener,
    address: SocketAddr,
    site: EndpointSite,
}

/// Tells the endpoints what there is to know, once there is.
#[derive(Clone)]
pub struct Briefing {
    knowledge: Arc<OnceLock<Knowledge>>,
}

impl Briefing {
    /// From now on this is known.
    pub fn knows(&self, knowledge: Knowledge) {
        // It is told once.
        let _ = self.knowledge.set(knowledge);
    }
}

impl Endpoints {
    /// Listens at an address.
    ///
    /// # Errors
    /// Where that cannot be done.
    pub async fn listen(address: SocketAddr, metrics: Metrics) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let site = EndpointSite { metrics, knowledge: Arc::default(), pages: Arc::default() };
        Ok(Self { listener, address, site })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// By which it is told what there is to know.
    #[must_use]
    pub fn briefing(&self) -> Briefing {
        Briefing { knowledge: Arc::clone(&self.site.knowledge) }
    }

    /// Answers until `shutdown` is ready.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let limits = ConnectionLimits { unknown: CONNECTIONS, known: 0, of_one: 0 };
        serve(self.site, self.listener, limits, shutdown).await;
    }
}

#[derive(Clone)]
struct EndpointSite {
    metrics: Metrics,
    knowledge: Arc<OnceLock<Knowledge>>,
    pages: Arc<Mutex<HashMap<Exposition, (Instant, Bytes)>>>,
}

impl Site for EndpointSite {
    const NAME: &'static str = "the HTTP endpoint";
    type Stream = TcpStream;

    async fn greet(&self, socket: TcpStream) -> Option<TcpStream> {
        Some(socket)
    }

    async fn respond(&self, request: Request<Incoming>, _place: &ConnectionPlace) -> Response<Full<Bytes>> {
        self.answer(&request)
    }
}

impl EndpointSite {
    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let mut response = match request.uri().path() {
            "/metrics" | "/healthz" | "/readyz" if !is_read => {
                let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "this is only read\n");
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                response
            }
            "/metrics" => {
                let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
                let exposition = Exposition::accepted_by(accept);
                respond(StatusCode::OK, exposition.content_type(), self.page(exposition))
            }
            "/healthz" => self.health(),
            "/readyz" => self.readiness(),
            _ => plain(StatusCode::NOT_FOUND, "there is /metrics, /healthz and /readyz\n"),
        };
        // Nobody keeps a connection: whoever asks again connects again.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }

    /// The page of now, or of a moment ago.
    fn page(&self, exposition: Exposition) -> Bytes {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((made, page)) = pages.get(&exposition).filter(|(made, _)| made.elapsed() < PAGE_AGE) {
            tracing::trace!(age = ?made.elapsed(), "a page of metrics is shown again");
            return page.clone();
        }
        // Before anything is known, the operator is not ready, and leads nothing.
        let gauges = self.knowledge.get().map(Knowledge::gauges).unwrap_or_default();
        let page = Bytes::from(self.metrics.page(&gauges, exposition));
        pages.insert(exposition, (Instant::now(), page.clone()));
        page
    }

    /// Whether the process should go on. Nothing that a new start would not mend makes it unhealthy: not an API server that is
    /// away, not rights that are missing, not another operator that works.
    fn health(&self) -> Response<Full<Bytes>> {
        match self.knowledge.get().and_then(Knowledge::stuck) {
            None => plain(StatusCode::OK, "ok\n"),
            Some(what) => {
                tracing::error!("{what}: the operator is not healthy, and is to be started anew");
                plain(StatusCode::SERVICE_UNAVAILABLE, format!("{what}\n"))
            }
        }
    }

    fn readiness(&self) -> Response<Full<Bytes>> {
        let missing = match self.knowledge.get() {
            None => {
                "not ready: what the operator needs in the cluster is being checked; its log says what is missing\n"
                    .to_owned()
            }
            Some(knowledge) => {
                let missing = knowledge.unlisted();
                if missing.is_empty() {
                    return plain(StatusCode::OK, "ready\n");
                }
                format!("not ready: not listed yet: {}\n", missing.join(", "))
            }
        };
        plain(StatusCode::SERVICE_UNAVAILABLE, missing)
    }
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    respond(status, PLAIN, text.into())
}

fn respond(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use super::EndpointSite;
    use crate::{
        connection::FencedClients,
        controller::{Controller, ControllerOptions},
        metrics::Metrics,
    };
    use http::{Request, header::CONTENT_TYPE};
    use http_body_util::BodyExt;
    use kube::{Client, Config};
    use rstest::rstest;
    use std::sync::{Arc, OnceLock};

    fn site() -> EndpointSite {
        EndpointSite { metrics: Metrics::new("2026a"), knowledge: Arc::default(), pages: Arc::default() }
    }

    async fn asked(site: &EndpointSite, method: &str, path: &str) -> (u16, String) {
        let response = site.answer(&Request::builder().method(method).uri(path).body(()).unwrap());
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[rstest]
    #[case("GET", "/healthz", 200, "ok\n")]
    #[case("HEAD", "/healthz", 200, "ok\n")]
    #[case("GET", "/healthz?verbose", 200, "ok\n")]
    #[case("POST", "/healthz", 405, "this is only read\n")]
    #[case("DELETE", "/metrics", 405, "this is only read\n")]
    #[case("GET", "/", 404, "there is /metrics, /healthz and /readyz\n")]
    #[case("POST", "/metrics/", 404, "there is /metrics, /healthz and /readyz\n")]
    #[case(
        "GET",
        "/readyz",
        503,
        "not ready: what the operator needs in the cluster is being checked; its log says what is missing\n"
    )]
    #[tokio::test]
    async fn before_anything_is_known(
        #[case] method: &str,
        #[case] path: &str,
        #[case] status: u16,
        #[case] body: &str,
    ) {
        assert_eq!(asked(&site(), method, path).await, (status, body.to_owned()));
    }

    #[tokio::test]
    async fn what_is_not_listed_is_named() {
        let site = site();
        let config = Config::new(http::Uri::from_static("http://127.0.0.1:9"));
        let client = Client::try_from(config.clone()).unwrap();
        let controller = Controller::new(client, FencedClients::new(config), ControllerOptions::default());
        assert!(OnceLock::set(&site.knowledge, controller.knowledge()).is_ok());
        let expected = "not ready: not listed yet: organizations, facetdefinitions, entitlementdefinitions, entitlementplans, entitlementinstances, entitlementsubscriptions, entitlementoverrides, overridedecisions, entitlementusages, namespaces, configmaps, secrets, controllerrevisions, validatingadmissionpolicies, validatingadmissionpolicybindings\n";
        assert_eq!(asked(&site, "GET", "/readyz").await, (503, expected.to_owned()));
        assert_eq!(asked(&site, "GET", "/healthz").await, (200, "ok\n".to_owned()));
    }

    #[tokio::test]
    async fn the_format_is_the_one_that_is_accepted() {
        let site = site();
        for (accept, content_type, end) in [
            ("*/*", "text/plain; version=0.0.4; charset=utf-8", false),
            ("application/openmetrics-text", "application/openmetrics-text; version=1.0.0; charset=utf-8", true),
        ] {
            let response = site.answer(&Request::get("/metrics").header("accept", accept).body(()).unwrap());
            assert_eq!(response.headers()[CONTENT_TYPE], content_type);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body.ends_with(b"# EOF\n"), end, "{accept}");
        }
    }
}
