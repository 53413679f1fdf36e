//! HTTPS, from the first certificate on.

use super::desk::Responder;
use crate::server::{ConnectionLimits, ConnectionPlace, LIFETIME, Site, serve};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use rustls::ServerConfig;
use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// After which it is tried again to listen.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// The most connections.
const CONNECTIONS: usize = 512;
/// The only caller that stays.
const API_SERVER: &str = "the API server";

/// The newest certificate.
type Certificates = watch::Receiver<Option<Arc<ServerConfig>>>;

/// Serves from the first certificate on, always with the newest, until `shutdown` is ready.
pub async fn run(
    address: SocketAddr,
    mut certificates: Certificates,
    desk: Responder,
    shutdown: impl Future<Output = ()>,
) {
    let mut shutdown = pin!(shutdown);
    let listener = async {
        let first = certificates.wait_for(Option::is_some).await.is_ok();
        if first { Some(listen(address).await) } else { None }
    };
    let listener = tokio::select! {
        () = &mut shutdown => return,
        listener = listener => listener,
    };
    let Some(listener) = listener else { return };
    let limits = ConnectionLimits::of_process(CONNECTIONS);
    tracing::info!(%address, connections = limits.known + limits.unknown, "the webhook serves");
    serve(ReviewSite { certificates, desk }, listener, limits, shutdown).await;
}

async fn listen(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) => {
                tracing::error!(
                    %address, %error,
                    "the webhook cannot listen, and tries again: give another address, or stop the program that listens there"
                );
                sleep(RETRY_INTERVAL).await;
            }
        }
    }
}

#[derive(Clone)]
struct ReviewSite {
    certificates: Certificates,
    desk: Responder,
}

impl Site for ReviewSite {
    const NAME: &'static str = "the webhook";
    type Stream = TlsStream<TcpStream>;

    async fn greet(&self, socket: TcpStream) -> Option<Self::Stream> {
        let config = self.certificates.borrow().clone()?;
        timeout(LIFETIME, TlsAcceptor::from(config).accept(socket)).await.ok()?.ok()
    }

    async fn respond(&self, request: Request<Incoming>, place: &ConnectionPlace) -> Response<Full<Bytes>> {
        self.desk.respond(request, || place.stay(API_SERVER)).await
    }
}
