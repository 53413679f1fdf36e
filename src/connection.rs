//! How the cluster is reached.

mod cause;
mod fence;

pub use cause::Cause;
pub use fence::{BootTime, Fence, Fenced, FencedClients, dispatching, moment};

use crate::{
    address,
    metrics::{Metrics, RequestLayer},
};
use http::{HeaderValue, Request, Response, header::USER_AGENT};
use hyper::body::{Body as HttpBody, Bytes};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder},
    config::{InferConfigError, KubeConfigOptions, Kubeconfig, KubeconfigError},
};
use std::{error::Error, path::PathBuf, time::Duration};
use tower::{BoxError, Service, filter::FilterLayer, timeout::TimeoutLayer};

/// Names the operator and its version in the API server's audit log and metrics.
const AGENT: &str = concat!("entitlement-operator/", env!("CARGO_PKG_VERSION"));

/// How long an answer may take to begin.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// How long a connection may be silent while something is to come by it: longer than any watch that tells of nothing, since
/// that one ends by itself or is kept up by bookmarks, which come once a minute.
const SILENCE_LIMIT: Duration = Duration::from_secs(75);

/// How long one request watches, where nothing says that more time is needed: so soon it shows that a connection is dead.
pub const WATCH_SECONDS: u32 = 30;
/// How long one request watches at most, as it is with kube's own watches.
pub const LONGEST_WATCH_SECONDS: u32 = 290;
/// How much later than it should a watch may end. Then it is taken for dead.
pub const WATCH_MARGIN: Duration = Duration::from_secs(5);

/// Why the cluster cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// Nothing says where it is.
    #[error("no cluster is configured ({0}): set KUBECONFIG, or run in a pod with a service account")]
    Unconfigured(String),
    /// The kubeconfig file cannot be used, or has no such context.
    #[error("the kubeconfig cannot be used: {0}")]
    Kubeconfig(String),
    /// What says it cannot be used.
    #[error("the cluster's configuration cannot be used: {0}")]
    Unusable(#[source] Box<kube::Error>),
}

/// How many contexts a message names if one is unknown.
const FEW: usize = 10;

/// Which cluster, and as whom. Without any of it: the cluster that `KUBECONFIG`, `~/.kube/config` or the pod's service account
/// gives.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// The file that says how clusters are reached.
    pub kubeconfig: Option<PathBuf>,
    /// The context of that file.
    pub context: Option<String>,
    /// The user that requests are made as.
    pub user: Option<String>,
    /// The groups that this user is in.
    pub groups: Vec<String>,
    /// Where requests are counted.
    pub metrics: Metrics,
    /// Requests that may change something are not sent.
    pub read_only: bool,
}

impl Connection {
    /// How the cluster is reached.
    ///
    /// # Errors
    /// Where nothing says so, or it cannot be used.
    pub async fn config(&self) -> Result<Config, ConnectionError> {
        let mut config = self.plain().await?;
        config.headers.push((USER_AGENT, HeaderValue::from_static(AGENT)));
        if self.user.is_some() {
            config.auth_info.impersonate.clone_from(&self.user);
        }
        if !self.groups.is_empty() {
            config.auth_info.impersonate_groups = Some(self.groups.clone());
        }
        Ok(config)
    }

    async fn plain(&self) -> Result<Config, ConnectionError> {
        let unsuitable = |error: KubeconfigError| ConnectionError::Kubeconfig(self.unusable(&error));
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        if let Some(path) = &self.kubeconfig {
            let kubeconfig = Kubeconfig::read_from(path).map_err(unsuitable)?;
            return Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(unsuitable);
        }
        if self.context.is_some() {
            return Config::from_kubeconfig(&options).await.map_err(unsuitable);
        }
        Config::infer().await.map_err(|error| self.unconfigured(&error))
    }

    /// A file that is there, and cannot be used, is what is wrong, and not that nothing says where the cluster is.
    fn unconfigured(&self, error: &InferConfigError) -> ConnectionError {
        match error.source().and_then(|source| source.downcast_ref::<KubeconfigError>()) {
            None => ConnectionError::Unconfigured("neither a kubeconfig nor a service account".to_owned()),
            Some(error @ (KubeconfigError::ReadConfig(..) | KubeconfigError::FindPath)) => {
                ConnectionError::Unconfigured(format!("kubeconfig {}", self.unusable(error)))
            }
            Some(error) => ConnectionError::Kubeconfig(self.unusable(error)),
        }
    }

    /// What is wrong with a kubeconfig. What stands in it may be secret, or it may be another file altogether: none of it is
    /// shown, but for the names of contexts.
    fn unusable(&self, error: &KubeconfigError) -> String {
        let file = self.file();
        match error {
            KubeconfigError::ReadConfig(error, path) => format!("{}: it cannot be read: {error}", path.display()),
            KubeconfigError::FindPath => "~/.kube/config: there is no home folder".to_owned(),
            KubeconfigError::Parse(error) => match error.location() {
                Some(place) => {
                    format!("{file}: it is no kubeconfig (line {}, column {})", place.line(), place.column())
                }
                None => format!("{file}: it is no kubeconfig"),
            },
            KubeconfigError::CurrentContextNotSet => match self.contexts() {
                Some(contexts) => format!("{file}: it says no current context: choose one with --context ({contexts})"),
                None => format!("{file}: it is empty, or no kubeconfig: it has no context"),
            },
            KubeconfigError::LoadContext(name) => match self.contexts() {
                Some(contexts) => format!("{file}: it has no context {name}: there is {contexts}"),
                None => format!("{file}: it has no context {name}, nor any other"),
            },
            error => format!("{file}: {error}"),
        }
    }

    fn file(&self) -> String {
        let named = self.kubeconfig.clone().map(PathBuf::into_os_string).or_else(|| std::env::var_os("KUBECONFIG"));
        let named = named.filter(|file| !file.is_empty());
        named.map_or_else(|| "~/.kube/config".to_owned(), |file| file.to_string_lossy().into_owned())
    }

    /// The names of the contexts that there are.
    fn contexts(&self) -> Option<String> {
        let read = self.kubeconfig.as_ref().map_or_else(Kubeconfig::read, Kubeconfig::read_from);
        let names: Vec<String> = read.ok()?.contexts.into_iter().map(|context| context.name).collect();
        let more = names.len().saturating_sub(FEW);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        (!names.is_empty())
            .then(|| format!("{}{more}", names.iter().take(FEW).map(String::as_str).collect::<Vec<_>>().join(", ")))
    }

    /// A client of the cluster, and what that is called. Whether it answers shows later.
    ///
    /// # Errors
    /// Where nothing says how it is reached, or that cannot be used.
    pub async fn connect(&self) -> Result<(Client, String), ConnectionError> {
        let config = self.config().await?;
        let url = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let cluster = self.context.as_ref().map_or_else(|| url.clone(), |context| format!("{url} ({context})"));
        Ok((counting_client(config, &self.metrics, self.read_only)?, cluster))
    }
}

/// A client of a cluster that is reached so. Whatever it asks for has a deadline: behind a connection that is half open, as a
/// firewall or a lost node leaves it, nothing waits for ever. An address that is not made of names is not asked.
///
/// # Errors
/// Where that cannot be used.
pub fn client(config: Config) -> Result<Client, ConnectionError> {
    counting_client(config, &Metrics::default(), false)
}

/// The same, whose requests are counted; one that only reads sends nothing that may change something.
fn counting_client(config: Config, metrics: &Metrics, only_reads: bool) -> Result<Client, ConnectionError> {
    let builder = ClientBuilder::try_from(with_limits(config));
    Ok(guarded(builder.map_err(|error| ConnectionError::Unusable(Box::new(error)))?, metrics, only_reads))
}

/// Nothing waits for ever on a connection.
fn with_limits(mut config: Config) -> Config {
    config.connect_timeout = Some(ANSWER_LIMIT);
    config.write_timeout = Some(ANSWER_LIMIT);
    config.read_timeout = Some(SILENCE_LIMIT);
    config.reset_reader_on_write = true;
    config
}

/// Nothing waits for ever on an answer, what is asked is counted, and no name leads elsewhere.
fn guarded<S, B>(builder: ClientBuilder<S>, metrics: &Metrics, only_reads: bool) -> Client
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError> + Send + 'static,
    S::Future: Send + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let guard = move |request| {
        let request = address::check(request).map_err(BoxError::from)?;
        if only_reads { address::check_reads(request).map_err(BoxError::from) } else { Ok(request) }
    };
    let builder = builder.with_layer(&TimeoutLayer::new(ANSWER_LIMIT)).with_layer(&RequestLayer(metrics.clone()));
    builder.with_layer(&FilterLayer::new(guard)).build()
}

#[cfg(test)]
mod tests {
    use super::Connection;
    use std::fs;

    /// What is said of a kubeconfig with that content, and that context.
    async fn said(text: &str, context: Option<&str>) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        fs::write(&path, text).unwrap();
        let connection =
            Connection { kubeconfig: Some(path.clone()), context: context.map(str::to_owned), ..Connection::default() };
        connection.config().await.unwrap_err().to_string().replace(path.to_str().unwrap(), "FILE")
    }

    #[tokio::test]
    async fn a_kubeconfig_that_cannot_be_used_is_named_with_what_is_wrong() {
        let two = "{apiVersion: v1, kind: Config, contexts: [{name: a, context: {cluster: a}}, {name: b, context: {cluster: b}}]}";
        let unusable = |what: &str| format!("the kubeconfig cannot be used: FILE: {what}");
        assert_eq!(said("", None).await, unusable("it is empty, or no kubeconfig: it has no context"));
        assert_eq!(said(two, None).await, unusable("it says no current context: choose one with --context (a, b)"));
        assert_eq!(said(two, Some("c")).await, unusable("it has no context c: there is a, b"));
        let garbage = said("hunter2: [", None).await;
        assert!(garbage.starts_with(&unusable("it is no kubeconfig")), "{garbage}");
        assert!(!garbage.contains("hunter2"), "{garbage}");
        let absent = Connection { kubeconfig: Some("/nonexistent".into()), ..Connection::default() };
        assert_eq!(
            absent.config().await.unwrap_err().to_string(),
            "the kubeconfig cannot be used: /nonexistent: it cannot be read: No such file or directory (os error 2)"
        );
    }
}
