//! The arguments that restrict the operator: to namespaces, or to reading.

use super::{offline::namespace, outcome::CommandFailure};
use crate::core::served::ServedNamespaces;
use clap::Args;

/// Where the help shows them.
const HEADING: &str = "Restriction";

/// What the operator is restricted to.
#[derive(Clone, Debug, Default, Args)]
pub struct ServedArguments {
    /// The only namespaces that the operator serves, of clients and of grants, separated by commas [default: all]
    ///
    /// Whatever lies elsewhere stays as it is: nothing is written there, and nothing withdrawn.
    #[arg(long, value_name = "NAMESPACES", value_delimiter = ',', value_parser = namespace, help_heading = HEADING)]
    namespaces: Vec<String>,
    /// The only namespaces, of clients and of grants, whose Secrets the operator reads and writes, separated by commas
    /// [default: those of --namespaces]
    ///
    /// A Secret that should be elsewhere is not written, which its grant says.
    #[arg(long, value_name = "NAMESPACES", value_delimiter = ',', value_parser = namespace, help_heading = HEADING)]
    secret_namespaces: Vec<String>,
    /// Writes nothing to the cluster: the log says what the operator would write, withdraw and report
    ///
    /// It can run beside an operator that works, and takes no more than rights to read. It serves no webhook.
    #[arg(long, help_heading = HEADING)]
    read_only: bool,
}

impl ServedArguments {
    /// The namespaces that are served by an operator whose own is `own`.
    ///
    /// # Errors
    /// Where they cannot be those.
    pub fn served(&self, own: &str) -> Result<ServedNamespaces, CommandFailure> {
        ServedNamespaces::new(&self.namespaces, &self.secret_namespaces, own)
            .map_err(|invalid| CommandFailure::Usage(invalid.to_string()))
    }

    /// Whether nothing is written; what serves a webhook has to write.
    ///
    /// # Errors
    /// Where it is to serve one nevertheless.
    pub fn is_read_only(&self, has_webhook: bool) -> Result<bool, CommandFailure> {
        if self.read_only && has_webhook {
            let sentence = "--read-only serves no webhook, which has to be written to the cluster: leave out --read-only, or whatever asks for the webhook";
            return Err(CommandFailure::Usage(sentence.to_owned()));
        }
        Ok(self.read_only)
    }
}
