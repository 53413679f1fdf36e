//! Serves HTTP to whoever connects: each connection has a place of its own and a limit of its stay, so that slow and hostile
//! clients hold up nobody else.
//!
//! | file | what it knows |
//! |---|---|
//! | `certificate` | a certificate, and the authority by which it is trusted |
//! | `connections` | who is connected, and who makes room |

pub mod certificate;
mod connections;

pub use connections::{ConnectionLimits, ConnectionPlace, LIFETIME, allow_files};

use connections::Connections;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, io, pin::pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

/// How long the connection of somebody known may be idle. The API server closes its own after 90 seconds, and is to be the first.
const IDLE: Duration = Duration::from_mins(2);
/// What a connection may hold of a request before it is read: enough for any header.
const BUFFER: usize = 16 << 10;
/// How long what has been asked may take when the operator ends.
const DRAIN: Duration = Duration::from_secs(3);
/// After which it is tried again to take in a connection, for which something was missing.
const ACCEPT_INTERVAL: Duration = Duration::from_millis(100);

/// What is served.
pub trait Site: Clone + Send + Sync + 'static {
    /// What it is called in the log.
    const NAME: &'static str;
    /// What a connection is read and written by.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Greets a new connection; None where it is not to be served.
    fn greet(&self, socket: TcpStream) -> impl Future<Output = Option<Self::Stream>> + Send;

    /// Answers a request that has come by a connection with that place.
    fn respond(
        &self,
        request: Request<Incoming>,
        place: &ConnectionPlace,
    ) -> impl Future<Output = Response<Full<Bytes>>> + Send;
}

/// Serves until `shutdown` is ready, then answers what has been asked.
pub async fn serve<S: Site>(
    site: S,
    listener: TcpListener,
    limits: ConnectionLimits,
    shutdown: impl Future<Output = ()>,
) {
    let (end, ends) = watch::channel(());
    let mut open = JoinSet::new();
    let server = Server { site, connections: Connections::new(limits), ends };
    tokio::select! {
        () = server.accept(&listener, &mut open) => {}
        () = shutdown => {}
    }
    drop((listener, end));
    let _ = timeout(DRAIN, async { while open.join_next().await.is_some() {} }).await;
}

struct Server<S> {
    site: S,
    connections: Arc<Connections>,
    /// Closed when the operator ends.
    ends: watch::Receiver<()>,
}

impl<S: Site> Server<S> {
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
                    tracing::warn!(%error, "{} cannot accept a connection", S::NAME);
                    sleep(ACCEPT_INTERVAL).await;
                }
            }
        }
    }

    fn take_in(&self, socket: TcpStream, place: ConnectionPlace, open: &mut JoinSet<()>) {
        let (site, ends) = (self.site.clone(), self.ends.clone());
        open.spawn(async move {
            tokio::select! {
                () = attend(socket, &site, &place, ends) => {}
                () = place.leave() => {}
            }
        });
    }
}

/// The connection was given up before it was taken in: no fault of this side.
fn is_of_one(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

async fn attend<S: Site>(socket: TcpStream, site: &S, place: &ConnectionPlace, mut ends: watch::Receiver<()>) {
    let _ = socket.set_nodelay(true);
    let Some(stream) = site.greet(socket).await else { return };
    let service = service_fn(async |request| Ok::<_, Infallible>(site.respond(request, place).await));
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
        tracing::debug!(%error, "a connection of {} ended", S::NAME);
    }
}
