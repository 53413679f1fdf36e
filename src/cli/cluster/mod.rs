//! The objects of a cluster, as the caller's own rights show them. Nothing here ever writes.
//!
//! | file | what it knows |
//! |---|---|
//! | `reader` | which objects are listed, and how hidden ones are reported |
//! | `error` | why a cluster cannot be looked at |

mod error;
mod reader;

pub use error::{ClusterError, explain, is_forbidden};

use super::manifests::Manifests;
use crate::{
    connection::{Connection, client},
    evaluation::SecretName,
    offline::When,
};
use kube::Client;
use reader::ClusterReader;
pub use reader::{NOT_SEEN, SoughtSecrets, not_seen, unseen_secrets};
use std::{collections::BTreeSet, io, time::Duration};
use tokio::runtime::{Builder, Runtime};

/// A cluster that is there answers sooner.
const PATIENCE: Duration = Duration::from_secs(10);
/// A long list takes that long at most before its first byte.
const LONG_PATIENCE: Duration = Duration::from_mins(1);

/// What of a cluster is looked at.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The namespaces in which grants are looked for; none: all.
    pub namespaces: Vec<String>,
    /// Whether, where not all namespaces may be looked at, those of them are in which grants of organizations may lie.
    pub is_within_reach: bool,
    /// The operator's own namespace; absent: the one in which the operator runs that works on the cluster, as far as that shows.
    pub operator_namespace: Option<String>,
    /// The moment at which an object without a `creationTimestamp` counts as made; there are none such in a cluster.
    pub created: When,
}

/// Reads the objects of a cluster.
///
/// # Errors
/// When it cannot be reached, or the caller may not see what has to be seen.
pub fn read(connection: &Connection, scope: &Scope) -> Result<Manifests, ClusterError> {
    runtime()?.block_on(async {
        let (client, url) = connect(connection).await?;
        ClusterReader::new(client, url, scope).read().await
    })
}

/// Looks for Secrets that objects name which are not in the cluster yet.
///
/// # Errors
/// When it cannot be reached.
pub fn look_for(connection: &Connection, wanted: BTreeSet<SecretName>) -> Result<SoughtSecrets, ClusterError> {
    runtime()?.block_on(async {
        let (client, url) = connect(connection).await?;
        SoughtSecrets::read(&client, &url, wanted).await
    })
}

/// What requests are made in.
///
/// # Errors
/// When the system allows none.
pub fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// A client of a cluster, and its address.
///
/// # Errors
/// When nothing says where it is, or that cannot be used.
pub async fn connect(connection: &Connection) -> Result<(Client, String), ClusterError> {
    let mut config = connection.config().await?;
    config.connect_timeout = Some(PATIENCE);
    config.read_timeout = Some(LONG_PATIENCE);
    let url = config.cluster_url.to_string();
    Ok((client(config)?, url))
}
