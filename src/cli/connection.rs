//! The arguments that select the cluster, and the user to act as.

use crate::connection::Connection;
use clap::Args;
use std::path::PathBuf;

/// Where the help shows them.
const HEADING: &str = "Cluster";

/// Which cluster, and as whom.
#[derive(Clone, Debug, Default, Args)]
pub struct ConnectionArguments {
    /// The file that says how clusters are reached [default: KUBECONFIG, else ~/.kube/config]
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    kubeconfig: Option<PathBuf>,
    /// The context of that file [default: its current one]
    #[arg(long, value_name = "NAME", help_heading = HEADING)]
    context: Option<String>,
    /// Acts as this user, whom you have to be allowed to impersonate
    #[arg(long = "as", value_name = "USER", help_heading = HEADING)]
    user: Option<String>,
    /// Acts as a member of this group; may be given several times
    #[arg(long = "as-group", value_name = "GROUP", requires = "user", help_heading = HEADING)]
    groups: Vec<String>,
}

impl ConnectionArguments {
    /// Whether any of them is given.
    #[must_use]
    pub fn is_given(&self) -> bool {
        let Self { kubeconfig, context, user, groups } = self;
        kubeconfig.is_some() || context.is_some() || user.is_some() || !groups.is_empty()
    }

    /// What they say.
    #[must_use]
    pub fn connection(&self) -> Connection {
        let Self { kubeconfig, context, user, groups } = self.clone();
        Connection { kubeconfig, context, user, groups, ..Connection::default() }
    }
}
