//! How the cluster is reached.

mod cause;

pub use cause::Cause;

use crate::address;
use http::{HeaderValue, header::USER_AGENT};
use kube::{
    Client, Config,
    client::ClientBuilder,
    config::{InferConfigError, KubeConfigOptions, Kubeconfig, KubeconfigError},
};
use std::{error::Error, path::PathBuf, time::Duration};
use tower::{filter::FilterLayer, timeout::TimeoutLayer};

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
    #[error("no cluster is configured ({}): set KUBECONFIG, or run in a pod with a service account", missing(.0))]
    Unconfigured(#[source] Box<kube::config::InferConfigError>),
    /// The kubeconfig file cannot be used, or has no such context.
    #[error("the kubeconfig cannot be used: {}", unusable(.0))]
    Kubeconfig(#[source] Box<kube::config::KubeconfigError>),
    /// What says it cannot be used.
    #[error("the cluster's configuration cannot be used: {0}")]
    Unusable(#[source] Box<kube::Error>),
}

/// What is wrong with a kubeconfig. What stands in it may be secret, or it may be another file altogether: none of it is shown.
fn unusable(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::Parse(error) => match error.location() {
            Some(place) => format!("it is no kubeconfig (line {}, column {})", place.line(), place.column()),
            None => "it is no kubeconfig".to_owned(),
        },
        error => error.to_string(),
    }
}

fn missing(error: &InferConfigError) -> String {
    let source = error.source().and_then(|source| source.downcast_ref::<KubeconfigError>());
    source.map_or_else(|| "neither a kubeconfig nor a service account".to_owned(), unusable)
}

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
        let unsuitable = |error| ConnectionError::Kubeconfig(Box::new(error));
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        if let Some(path) = &self.kubeconfig {
            let kubeconfig = Kubeconfig::read_from(path).map_err(unsuitable)?;
            return Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(unsuitable);
        }
        if self.context.is_some() {
            return Config::from_kubeconfig(&options).await.map_err(unsuitable);
        }
        Config::infer().await.map_err(|error| ConnectionError::Unconfigured(Box::new(error)))
    }

    /// A client of the cluster, and what that is called. Whether it answers shows later.
    ///
    /// # Errors
    /// Where nothing says how it is reached, or that cannot be used.
    pub async fn connect(&self) -> Result<(Client, String), ConnectionError> {
        let config = self.config().await?;
        let url = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let cluster = self.context.as_ref().map_or_else(|| url.clone(), |context| format!("{url} ({context})"));
        Ok((client(config)?, cluster))
    }
}

/// A client of a cluster that is reached so. Whatever it asks for has a deadline: behind a connection that is half open, as a
/// firewall or a lost node leaves it, nothing waits for ever. An address that is not made of names is not asked.
///
/// # Errors
/// Where that cannot be used.
pub fn client(mut config: Config) -> Result<Client, ConnectionError> {
    config.connect_timeout = Some(ANSWER_LIMIT);
    config.write_timeout = Some(ANSWER_LIMIT);
    config.read_timeout = Some(SILENCE_LIMIT);
    config.reset_reader_on_write = true;
    let builder = ClientBuilder::try_from(config).map_err(|error| ConnectionError::Unusable(Box::new(error)))?;
    Ok(builder.with_layer(&TimeoutLayer::new(ANSWER_LIMIT)).with_layer(&FilterLayer::new(address::check)).build())
}
