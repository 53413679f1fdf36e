//! The last guard of a write: it stands right before the system call by which bytes leave the process.
//!
//! Whoever checks before a request is made checks too early. A request waits for a connection, and the process may be stopped at
//! any point in between and go on after another replica has taken over. So each byte of a write passes a fence, which is open
//! until a moment and is never opened again once it was closed.

use super::{Connection, ConnectionError, guarded};
use crate::metrics::Metrics;
use http::{Request, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_timeout::TimeoutConnector;
use hyper_util::{
    client::legacy::{
        Builder,
        connect::{Connected, Connection as Connectable, HttpConnector},
    },
    rt::{TokioExecutor, TokioIo},
};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder, ConfigExt, retry::RetryPolicy},
};
use rustix::time::{ClockId, clock_gettime};
use std::{
    fmt, io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::net::TcpStream;
use tower::{
    BoxError, Service,
    retry::RetryLayer,
    util::{MapErr, option_layer},
};

/// A moment of this machine, as the time since it started.
pub type BootTime = Duration;

/// The clock that goes on while the machine is suspended, and that nobody sets.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
/// What comes nearest to it elsewhere.
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// Now.
#[must_use]
pub fn moment() -> BootTime {
    let now = clock_gettime(CLOCK);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Lets writes pass until a moment.
#[derive(Debug)]
pub struct Fence {
    /// In nanoseconds; 0 once it is closed for good.
    until: AtomicU64,
}

/// Nothing may be written any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this replica does not hold the lease (any more), so nothing is written")]
pub struct Fenced;

impl Fence {
    /// A fence that is open until then.
    #[must_use]
    pub fn until(moment: BootTime) -> Self {
        Self { until: AtomicU64::new(nanoseconds(moment)) }
    }

    /// It is open longer. Once it was closed, it stays so.
    pub fn extend(&self, moment: BootTime) {
        let later = |until: u64| (until > 0).then(|| until.max(nanoseconds(moment)));
        let _ = self.until.fetch_update(Ordering::SeqCst, Ordering::SeqCst, later);
    }

    /// Nothing passes from now on.
    pub fn close(&self) {
        self.until.store(0, Ordering::SeqCst);
    }

    /// Whether something may pass now.
    #[must_use]
    pub fn is_open(&self) -> bool {
        nanoseconds(moment()) < self.until.load(Ordering::SeqCst)
    }

    fn check(&self) -> io::Result<()> {
        if self.is_open() { Ok(()) } else { Err(io::Error::new(io::ErrorKind::PermissionDenied, Fenced)) }
    }
}

fn nanoseconds(moment: BootTime) -> u64 {
    u64::try_from(moment.as_nanos()).unwrap_or(u64::MAX)
}

/// Makes clients whose every byte passes a fence.
#[derive(Clone)]
pub struct FencedClients {
    config: Config,
    metrics: Metrics,
}

impl fmt::Debug for FencedClients {
    /// A configuration holds credentials.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FencedClients").finish_non_exhaustive()
    }
}

impl FencedClients {
    /// Clients of that cluster.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config, metrics: Metrics::default() }
    }

    /// The same, for a cluster that is reached so. Their requests are counted.
    ///
    /// # Errors
    /// Where nothing says how it is reached, or that cannot be used.
    pub async fn of(connection: &Connection) -> Result<Self, ConnectionError> {
        Ok(Self { config: connection.config().await?, metrics: connection.metrics.clone() })
    }

    /// A client with connections of its own.
    ///
    /// # Errors
    /// Where what says how the cluster is reached cannot be used.
    pub fn client(&self, fence: &Arc<Fence>) -> Result<Client, ConnectionError> {
        let config = super::with_limits(self.config.clone());
        self.build(&config, fence).map_err(|error| ConnectionError::Unusable(Box::new(error)))
    }

    /// In the layers of kube's own client, on connections that pass the fence.
    fn build(&self, config: &Config, fence: &Arc<Fence>) -> kube::Result<Client> {
        let mut plain = HttpConnector::new();
        plain.enforce_http(false);
        let fenced = FencedConnector { connector: plain, fence: Arc::clone(fence) };
        let mut connector = TimeoutConnector::new(config.rustls_https_connector_with_connector(fenced)?);
        connector.set_connect_timeout(config.connect_timeout);
        connector.set_read_timeout(config.read_timeout);
        connector.set_write_timeout(config.write_timeout);
        connector.set_reset_reader_on_write(config.reset_reader_on_write);
        let http = Builder::new(TokioExecutor::new()).build::<_, Body>(connector);
        let http = MapErr::new(http, |error| -> BoxError { Box::new(error) });
        let retry = config.default_retry.then(|| RetryLayer::new(RetryPolicy::server_retry()));
        let builder = ClientBuilder::new(http, config.default_namespace.clone())
            .with_layer(&config.extra_headers_layer()?)
            .with_layer(&option_layer(config.auth_layer()?))
            .with_layer(&option_layer(retry))
            .with_layer(&config.base_uri_layer());
        Ok(guarded(builder, &self.metrics, false))
    }
}

/// Connects, and puts a fence before each connection.
#[derive(Clone)]
struct FencedConnector {
    connector: HttpConnector,
    fence: Arc<Fence>,
}

impl Service<Uri> for FencedConnector {
    type Response = FencedStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connecting, fence) = (self.connector.call(uri), Arc::clone(&self.fence));
        Box::pin(async move { Ok(FencedStream { stream: connecting.await?, fence }) })
    }
}

/// A connection on which nothing is sent once its fence is closed. What comes is read still.
struct FencedStream<S> {
    stream: S,
    fence: Arc<Fence>,
}

impl<S: Connectable> Connectable for FencedStream<S> {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

impl<S: Read + Unpin> Read for FencedStream<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl<S: Write + Unpin> Write for FencedStream<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let Err(fenced) = this.fence.check() {
            return Poll::Ready(Err(fenced));
        }
        Pin::new(&mut this.stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let Err(fenced) = this.fence.check() {
            return Poll::Ready(Err(fenced));
        }
        Pin::new(&mut this.stream).poll_write_vectored(context, buffers)
    }
}

/// A client for all who write. Each request goes by the client that `current` gives when the request is made, and by no later
/// one; where there is none, it is refused.
pub fn dispatching(current: impl Fn() -> Option<Client> + Send + 'static) -> Client {
    Client::new(Dispatcher { current }, "default")
}

struct Dispatcher<F> {
    current: F,
}

impl<F: Fn() -> Option<Client>> Service<Request<Body>> for Dispatcher<F> {
    type Response = http::Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let client = (self.current)();
        Box::pin(async move {
            let client = client.ok_or(Fenced)?;
            client.send(request).await.map_err(BoxError::from)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Fence, FencedClients, dispatching, moment};
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::{Api, Config, api::PostParams};
    use std::{
        error::Error,
        net::Ipv4Addr,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        time::sleep,
    };

    const ANSWER: &[u8] =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 31\r\n\r\n{\"metadata\":{\"name\":\"a\"}}      ";

    /// A server that answers everything, and counts the bytes that it was sent.
    async fn server() -> (Config, Arc<AtomicUsize>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let count = Arc::clone(&count);
                tokio::spawn(async move {
                    let mut buffer = vec![0; 1 << 16];
                    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                        count.fetch_add(length, Ordering::SeqCst);
                        stream.write_all(ANSWER).await.unwrap();
                    }
                });
            }
        });
        (Config::new(url.parse().unwrap()), heard)
    }

    fn is_fenced(error: &kube::Error) -> bool {
        let mut next: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(error) = next {
            if error.to_string().contains("does not hold the lease") {
                return true;
            }
            next = error.source();
        }
        false
    }

    #[tokio::test]
    async fn nothing_is_sent_once_the_fence_is_closed_and_it_never_opens_again() {
        let (config, heard) = server().await;
        let fence = Arc::new(Fence::until(moment() + Duration::from_mins(1)));
        let client = FencedClients::new(config).client(&fence).unwrap();
        let api: Api<ConfigMap> = Api::namespaced(client, "a");
        api.create(&PostParams::default(), &ConfigMap::default()).await.unwrap();
        let before = heard.load(Ordering::SeqCst);
        assert!(before > 0);
        fence.close();
        fence.extend(moment() + Duration::from_mins(1));
        // By the connection that there is, and by new ones.
        for _ in 0..3 {
            let refused = api.create(&PostParams::default(), &ConfigMap::default()).await.unwrap_err();
            assert!(is_fenced(&refused), "{refused:?}");
        }
        assert_eq!(heard.load(Ordering::SeqCst), before);
    }

    #[tokio::test]
    async fn a_fence_closes_by_itself() {
        let (config, heard) = server().await;
        let fence = Arc::new(Fence::until(moment() + Duration::from_millis(50)));
        let client = FencedClients::new(config).client(&fence).unwrap();
        fence.extend(moment() + Duration::from_millis(200));
        assert!(fence.is_open());
        sleep(Duration::from_millis(210)).await;
        let api: Api<ConfigMap> = Api::namespaced(client, "a");
        assert!(is_fenced(&api.create(&PostParams::default(), &ConfigMap::default()).await.unwrap_err()));
        assert_eq!(heard.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn without_a_client_of_the_moment_nothing_is_asked() {
        let (config, heard) = server().await;
        let fence = Arc::new(Fence::until(moment() + Duration::from_mins(1)));
        let client = FencedClients::new(config).client(&fence).unwrap();
        let api: Api<ConfigMap> = Api::namespaced(dispatching(|| None), "a");
        assert!(is_fenced(&api.create(&PostParams::default(), &ConfigMap::default()).await.unwrap_err()));
        assert_eq!(heard.load(Ordering::SeqCst), 0);
        let api: Api<ConfigMap> = Api::namespaced(dispatching(move || Some(client.clone())), "a");
        api.create(&PostParams::default(), &ConfigMap::default()).await.unwrap();
        assert!(heard.load(Ordering::SeqCst) > 0);
    }
}
