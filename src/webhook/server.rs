//! HTTPS: connections, each with a place of its own and a limit of its stay.

use super::{
    connections::{ConnectionLimits, ConnectionPlace, Connections, LIFETIME},
    desk::Responder,
};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

/// How long the API server's connection may be idle. It closes its own after 90 seconds, and is to be the first.
const IDLE: Duration = Duration::from_mins(2);
/// What a connection may hold of a request before it is read: enough for any header.
const BUFFER: usize = 16 << 10;
/// How long what has been asked may take when the operator ends.
const DRAIN: Duration = Duration::from_secs(3);
/// After which it is tried again to listen.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);
/// After which it is tried again to take in a connection, for which something was missing.
const ACCEPT_INTERVAL: Duration = Duration::from_millis(100);

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
    let (end, ends) = watch::channel(());
    let mut open = JoinSet::new();
    let limits = ConnectionLimits::of_process();
    tracing::info!(%address, connections = limits.known + limits.unknown, "the webhook serves");
    let server = Server { certificates, desk, connections: Connections::new(limits), ends };
    tokio::select! {
        () = server.accept(&listener, &mut open) => {}
        () = shutdown => {}
    }
    drop((listener, end));
    let _ = timeout(DRAIN, async { while open.join_next().await.is_some() {} }).await;
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

struct Server {
    certificates: Certificates,
    desk: Responder,
    connections: Arc<Connections>,
    /// Closed when the operator ends.
    ends: watch::Receiver<()>,
}

impl Server {
    async fn accept(&self, listener: &TcpListener, open: &mut JoinSet<()>) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(_) = open.join_next() => continue,
            };
            match accepted {
                Ok((socket, peer)) => self.take_in(socket, self.connections.enter(peer.ip()), open),
                Err(error) if is_of_one(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "the webhook cannot accept a connection");
                    sleep(ACCEPT_INTERVAL).await;
                }
            }
        }
    }

    fn take_in(&self, socket: TcpStream, place: ConnectionPlace, open: &mut JoinSet<()>) {
        let Some(config) = self.certificates.borrow().clone() else { return };
        let (desk, ends) = (self.desk.clone(), self.ends.clone());
        open.spawn(async move {
            tokio::select! {
                () = serve(socket, config, &desk, &place, ends) => {}
                () = place.leave() => {}
            }
        });
    }
}

/// The connection was given up before it was taken in: no fault of this side.
fn is_of_one(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

async fn serve(
    socket: TcpStream,
    config: Arc<ServerConfig>,
    desk: &Responder,
    place: &ConnectionPlace,
    mut ends: watch::Receiver<()>,
) {
    let _ = socket.set_nodelay(true);
    let Ok(Ok(stream)) = timeout(LIFETIME, TlsAcceptor::from(config).accept(socket)).await else { return };
    let service = service_fn(async |request| Ok::<_, Infallible>(desk.respond(request, || place.stay()).await));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(IDLE).max_buf_size(BUFFER);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let served = tokio::select! {
        served = connection.as_mut() => served,
        _ = ends.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection of the webhook ended");
    }
}
