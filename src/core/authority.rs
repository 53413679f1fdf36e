//! By which authority the certificate of the API is trusted.

use std::sync::Arc;

/// What is known of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ApiAuthority {
    /// There is none, as there is no API, or its certificate is not the operator's.
    #[default]
    Absent,
    /// Nobody has said yet whether there is one.
    Untold,
    /// Its certificates, in PEM.
    Known(Arc<str>),
}
