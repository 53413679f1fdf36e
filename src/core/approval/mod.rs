//! Exceptions, which one person asks for and others approve: what protects that.
//!
//! | file | what it knows |
//! |---|---|
//! | `policies` | the policies by which the API server knows who asks and who decides, as they have to be |
//! | `guards` | these as a cluster has them, compared with that |
//! | `protection` | since when nobody can approve in another's name |

mod guards;
mod policies;
mod protection;
#[cfg(test)]
mod tests;

pub use guards::ObservedGuard;
pub use policies::{ApprovalGuard, ApprovalPolicy, PolicyPart};
pub use protection::Protection;
