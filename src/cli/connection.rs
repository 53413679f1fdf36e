//! The arguments that say which cluster is meant, and as whom.

use crate::connection::Connection;
use clap::Args;
use std::path::PathBuf;

/// Which cluster, and as whom.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Cluster")]
pub struct ConnectionArguments {
    /// The file that says how clusters are reached [default: KUBECONFIG, else ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context of that file [default: its current one]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Acts as this user, whom you have to be allowed to impersonate
    #[arg(long = "as", value_name = "USER")]
    user: Option<String>,
    /// Acts as a member of this group; may be given several times
    #[arg(long = "as-group", value_name = "GROUP", requires = "user")]
    groups: Vec<String>,
}

impl ConnectionArguments {
    /// What they say.
    #[must_use]
    pub fn connection(&self) -> Connection {
        let Self { kubeconfig, context, user, groups } = self.clone();
        Connection { kubeconfig, context, user, groups }
    }
}
