//! Where the API listens, and how it is kept from being read by others.

use crate::installation::ApiCertificate;
use std::{net::SocketAddr, path::PathBuf};

/// How the API is set up.
#[derive(Clone, Debug)]
pub struct CheckOptions {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where its certificate comes from.
    pub certificate: CertificateSource,
}

impl CheckOptions {
    /// What answering checks takes rights for.
    #[must_use]
    pub fn rights(&self) -> ApiCertificate {
        match self.certificate {
            CertificateSource::Own => ApiCertificate::Own,
            CertificateSource::Folder(_) | CertificateSource::None => ApiCertificate::Given,
        }
    }
}

/// Where a certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateSource {
    /// A folder with `tls.crt` and `tls.key`, as a Secret of type `kubernetes.io/tls` is mounted.
    Folder(PathBuf),
    /// The operator makes it, and keeps it in a Secret of its own namespace.
    Own,
    /// None: plain HTTP, on loopback.
    None,
}
