//! How the cluster is reached.

use http::{HeaderValue, header::USER_AGENT};
use kube::{Client, Config};

/// Names the operator and its version in the API server's audit log and metrics.
const AGENT: &str = concat!("entitlement-operator/", env!("CARGO_PKG_VERSION"));

/// Why the cluster cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// Nothing says where it is.
    #[error("no cluster is configured ({0}): set KUBECONFIG, or run in a pod with a service account")]
    Unconfigured(#[source] Box<kube::config::InferConfigError>),
    /// What says it cannot be used.
    #[error("the cluster's configuration cannot be used: {0}")]
    Unusable(#[source] Box<kube::Error>),
}

/// A client of the cluster that `KUBECONFIG` or the pod's service account gives.
///
/// # Errors
/// Where neither does, or what they say cannot be used. Whether the cluster answers shows later.
pub async fn connect() -> Result<Client, ConnectionError> {
    let mut config = Config::infer().await.map_err(|error| ConnectionError::Unconfigured(Box::new(error)))?;
    config.headers.push((USER_AGENT, HeaderValue::from_static(AGENT)));
    Client::try_from(config).map_err(|error| ConnectionError::Unusable(Box::new(error)))
}
