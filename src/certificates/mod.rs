//! Certificates that the operator makes for itself, so that all replicas serve with the same.
//!
//! | file | what it knows |
//! |---|---|
//! | `storage` | the Secret that keeps a certificate, and what is to be done about it |
//! | `keeper` | keeps that Secret as it should be: who works writes, the others read |
//! | `sight` | one object, as it is seen and as it changes |

mod keeper;
mod sight;
mod storage;

pub use keeper::{Again, CertificateKeeper, RETRY_INTERVAL, is_overtaken, is_recent};
pub use sight::{Known, follow};
#[cfg(test)]
pub use storage::SecretPlan;
pub use storage::{AuthorityKeeping, CertificateSecret};

/// The wall clock may jump, and is looked at again after this time at the latest.
pub const LOOK_INTERVAL: std::time::Duration = std::time::Duration::from_mins(5);
