//! The certificate of a folder, read again when it has changed there.

use crate::{
    core::secret::Secret,
    metrics::ApiMetrics,
    server::certificate::{Certificate, Unusable},
};
use rustls::ServerConfig;
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::watch, time::sleep};

/// How often it is looked whether there is a newer one: those that are renewed are so days before they end.
const LOOK: Duration = Duration::from_secs(30);

/// A certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NoCertificate {
    /// A file cannot be read.
    #[error("{path} cannot be read: {error}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// What is in it is of no use.
    #[error(transparent)]
    Unusable(#[from] Unusable),
}

/// What is in the folder now: `tls.crt`, a certificate and those between it and its authority, and `tls.key`, its key, in PEM.
///
/// # Errors
/// Where that cannot be read, or used.
pub fn read(folder: &Path) -> Result<(Certificate, Arc<ServerConfig>), NoCertificate> {
    let file = |name: &str| {
        let path = folder.join(name);
        fs::read(&path).map_err(|error| NoCertificate::Unreadable { path: path.display().to_string(), error })
    };
    let certificate =
        Certificate { chain: file("tls.crt")?, key: Secret::new(file("tls.key")?), authorities: Vec::new() };
    let config = certificate.server_config(None)?;
    Ok((certificate, config))
}

/// A certificate that was given, with the folder that it is read from.
pub struct GivenCertificate {
    folder: PathBuf,
    known: Certificate,
    certificates: watch::Sender<Option<Arc<ServerConfig>>>,
}

impl GivenCertificate {
    /// What was read from that folder; others are handed to that channel.
    pub fn new(folder: PathBuf, known: Certificate, certificates: watch::Sender<Option<Arc<ServerConfig>>>) -> Self {
        Self { folder, known, certificates }
    }

    /// Hands on what is in the folder, whenever it has changed, for ever. What is of no use changes nothing.
    pub async fn follow(mut self, metrics: ApiMetrics) {
        let mut said = None;
        loop {
            if let Some(end) = self.known.ends() {
                metrics.certificate_ends(end.timestamp());
            }
            sleep(LOOK).await;
            match read(&self.folder) {
                Ok((found, config)) => {
                    said = None;
                    if found != self.known {
                        tracing::info!(folder = %self.folder.display(), "the API serves with a new certificate");
                        self.known = found;
                        self.certificates.send_replace(Some(config));
                    }
                }
                Err(error) => {
                    let error = error.to_string();
                    if said.as_ref() != Some(&error) {
                        tracing::warn!(error, "the API goes on with the certificate that it has");
                        said = Some(error);
                    }
                }
            }
        }
    }
}
