//! Where the API listens, and how it is kept from being read by others.

use std::{net::SocketAddr, path::PathBuf};

/// How the API is set up.
#[derive(Clone, Debug)]
pub struct CheckOptions {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where its certificate comes from.
    pub certificate: CertificateSource,
}

/// Where a certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateSource {
    /// A folder with `tls.crt` and `tls.key`, as a Secret of type `kubernetes.io/tls` is mounted.
    Folder(PathBuf),
    /// None: plain HTTP, on loopback.
    None,
}
