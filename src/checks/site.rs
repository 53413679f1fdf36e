//! HTTP, with TLS or on loopback without: connections, limits, and the answer to one request.

use super::asked_by::{AskingNetwork, IdentifiedCaller};
use crate::server::{ConnectionLimits, ConnectionPlace, LIFETIME, Site, serve};
use axum::{Router, body::Body, extract::DefaultBodyLimit};
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use rustls::ServerConfig;
use std::sync::Arc;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

/// The most bytes of a request's body.
pub const MOST_BYTES: usize = 1 << 20;

/// The most connections, where files are plenty.
const CONNECTIONS: usize = 2048;
/// The most that one caller keeps.
const CONNECTIONS_OF_ONE: usize = 256;

/// What a connection is read and written by.
pub trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for S {}

/// How connections are kept from being read by others.
#[derive(Clone)]
pub enum ApiEncryption {
    /// By TLS, with the newest certificate; none before there is one.
    Tls(watch::Receiver<Option<Arc<ServerConfig>>>),
    /// Not at all: on loopback.
    None,
}

impl ApiEncryption {
    /// Whether whoever connects can be answered.
    #[must_use]
    pub fn is_there(&self) -> bool {
        match self {
            Self::Tls(certificates) => certificates.borrow().is_some(),
            Self::None => true,
        }
    }
}

/// Serves until `shutdown` is ready, then answers what has been asked.
pub async fn run(listener: TcpListener, encryption: ApiEncryption, router: Router, shutdown: impl Future<Output = ()>) {
    let router = router.layer(DefaultBodyLimit::max(MOST_BYTES));
    let limits = ConnectionLimits::of_process(CONNECTIONS);
    let limits = ConnectionLimits { of_one: limits.of_one.min(CONNECTIONS_OF_ONE), ..limits };
    serve(CheckSite { encryption, router }, listener, limits, shutdown).await;
}

#[derive(Clone)]
struct CheckSite {
    encryption: ApiEncryption,
    router: Router,
}

impl Site for CheckSite {
    const NAME: &'static str = "the API";
    type Stream = Box<dyn ByteStream>;

    async fn greet(&self, socket: TcpStream) -> Option<Self::Stream> {
        let ApiEncryption::Tls(certificates) = &self.encryption else { return Some(Box::new(socket)) };
        let config = certificates.borrow().clone()?;
        let stream = timeout(LIFETIME, TlsAcceptor::from(config).accept(socket)).await.ok()?.ok()?;
        Some(Box::new(stream))
    }

    async fn respond(&self, mut request: Request<Incoming>, place: &ConnectionPlace) -> Response<Full<Bytes>> {
        request.extensions_mut().insert(AskingNetwork(place.network()));
        let Ok(response) = self.router.clone().oneshot(request.map(Body::new)).await;
        // Whoever was let in may stay; anybody else connects again.
        let caller = response.extensions().get::<IdentifiedCaller>();
        let stays = caller.is_some_and(|IdentifiedCaller(caller)| place.stay(caller));
        let mut response = whole(response).await;
        let headers = response.headers_mut();
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        if !stays {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

async fn whole(response: Response<Body>) -> Response<Full<Bytes>> {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    Response::from_parts(parts, Full::from(bytes))
}
