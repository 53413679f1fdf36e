//! The arguments of the API that answers checks.

use super::{outcome::CommandFailure, terminal::harmless};
use crate::checks::{CertificateSource, CheckOptions, CheckService, read_certificate};
use clap::Args;
use std::{net::SocketAddr, path::PathBuf};

/// The arguments of the API that answers checks.
#[derive(Debug, Args)]
#[allow(clippy::struct_field_names, reason = "flags are named after their fields")]
#[command(next_help_heading = "API for checks (on with --api-address)")]
pub struct CheckApiArguments {
    /// Where the API listens by which services ask whether something may be used [default: nowhere]
    ///
    /// Every replica answers. Who asks is known by a token for the audience entitlements.dev.
    #[arg(long, value_name = "ADDRESS:PORT")]
    api_address: Option<SocketAddr>,
    /// A folder with the certificate to serve with (tls.crt) and its key (tls.key), as a Secret of type kubernetes.io/tls is mounted;
    /// it is read again when it has changed [default: the operator makes one, and tells its authority in the ConfigMap
    /// entitlement-operator-ca of its own namespace]
    #[arg(long, value_name = "FOLDER", requires = "api_address", conflicts_with = "api_insecure")]
    api_certificate: Option<PathBuf>,
    /// Serves plain HTTP, on a loopback address only: tokens would be read by whoever sees them pass
    #[arg(long, requires = "api_address")]
    api_insecure: bool,
}

impl CheckApiArguments {
    /// How the API is set up; None where it is off.
    ///
    /// # Errors
    /// Where it cannot be set up so.
    pub fn options(self, read_only: bool) -> Result<Option<CheckOptions>, CommandFailure> {
        let Some(address) = self.api_address else { return Ok(None) };
        let certificate = match self.api_certificate {
            Some(folder) => {
                read_certificate(&folder).map_err(|error| {
                    CommandFailure::Usage(format!(
                        "--api-certificate: {} is of no use: {error}",
                        harmless(&folder.display().to_string())
                    ))
                })?;
                CertificateSource::Folder(folder)
            }
            None if !self.api_insecure && read_only => {
                return Err(CommandFailure::Usage(
                    "--read-only: nothing is written, and so no certificate is made for --api-address: give one as \
                     --api-certificate"
                        .to_owned(),
                ));
            }
            None if !self.api_insecure => CertificateSource::Own,
            None if !address.ip().is_loopback() => {
                return Err(CommandFailure::Usage(format!(
                    "--api-insecure: {address} is no loopback address: serve at 127.0.0.1, or give --api-certificate"
                )));
            }
            None => CertificateSource::None,
        };
        Ok(Some(CheckOptions { address, certificate }))
    }
}

/// Listens, where that is asked for.
///
/// # Errors
/// Where nobody can listen there.
pub async fn listen(options: Option<CheckOptions>) -> Result<Option<CheckService>, CommandFailure> {
    let Some(options) = options else { return Ok(None) };
    let address = options.address;
    let service = CheckService::listen(options).await.map_err(|error| {
        CommandFailure::Impossible(format!(
            "--api-address: {address}: {error}: stop the program that listens there, or give another address"
        ))
    })?;
    Ok(Some(service))
}
