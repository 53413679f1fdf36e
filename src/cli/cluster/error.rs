//! Why a cluster cannot be looked at, in one sentence that says what to do.

use crate::{
    api::GROUP,
    cli::terminal::harmless,
    connection::{Cause, ConnectionError},
};
use std::io;

/// Why a cluster cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Nothing says where it is, or what says so cannot be used.
    #[error("{0}; or give manifests with -f")]
    Connection(#[from] ConnectionError),
    /// The requests cannot be made.
    #[error("the requests to the cluster cannot be made: {0}")]
    System(#[from] io::Error),
    /// It does not answer.
    #[error("the cluster at {url} does not answer: {reason}")]
    Unreachable {
        /// Where it should be.
        url: String,
        /// What happened instead.
        reason: String,
    },
    /// It does not know who asks.
    #[error("the cluster at {0} does not accept your credentials: log in again, or choose another --context")]
    Unauthorized(String),
    /// The kinds are not there.
    #[error(
        "the cluster at {0} does not know the kinds of {GROUP}: install them (entitlement-operator crds | kubectl apply -f -), or choose another --context"
    )]
    NotInstalled(String),
    /// Grants are looked for where nothing can lie.
    #[error(
        "there is no namespace {0} in the cluster at {1}: look at its spelling (kubectl get namespaces), or choose another --context"
    )]
    NoNamespace(String, String),
    /// The caller's rights do not reach that far.
    #[error("you may not list {what}: {advice}")]
    Forbidden {
        /// Of what, and where.
        what: String,
        /// What to do.
        advice: &'static str,
    },
    /// It answers, but not with what was asked for.
    #[error("{what} could not be listed: {reason}")]
    Failed {
        /// Of what, and where.
        what: String,
        /// What it answered.
        reason: String,
    },
}

/// What a request came to that failed.
pub fn explain(error: &kube::Error, what: &str, advice: &'static str, url: &str) -> ClusterError {
    let (url, what) = (url.to_owned(), what.to_owned());
    match error {
        kube::Error::Api(status) if status.code == 401 => ClusterError::Unauthorized(url),
        kube::Error::Api(status) if status.code == 403 => ClusterError::Forbidden { what, advice },
        kube::Error::Api(status) if status.code == 404 => ClusterError::NotInstalled(url),
        kube::Error::Api(status) => ClusterError::Failed { what, reason: harmless(&status.message) },
        _ => {
            let cause = Cause::of(error);
            let reason = harmless(&cause.to_string());
            if cause.is_of_the_server() && !matches!(cause, Cause::NoCredentials(_)) {
                ClusterError::Unreachable { url, reason }
            } else {
                ClusterError::Failed { what, reason }
            }
        }
    }
}

/// Whether the caller's rights do not reach that far.
pub fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 403)
}
