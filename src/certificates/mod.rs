//! Certificates that the operator makes for itself, so that all replicas serve with the same.
//!
//! | file | what it knows |
//! |---|---|
//! | `storage` | the Secret that keeps a certificate, and what is to be done about it |
//! | `keeper` | keeps that Secret as it should be: who works writes, the others read |
//! | `told` | the object by which others are told whom to trust, and looking after both |
//! | `sight` | one object, as it is seen and as it changes |

mod keeper;
mod sight;
mod storage;
mod told;

pub use keeper::{Again, CertificateKeeper};
pub use sight::Known;
#[cfg(test)]
pub use storage::SecretPlan;
pub use storage::{AuthorityKeeping, CertificateSecret};
pub use told::{AuthorityTeller, ToldObject, look_after};

/// The wall clock may jump, and is looked at again after this time at the latest.
pub const LOOK_INTERVAL: std::time::Duration = std::time::Duration::from_mins(5);
