//! Exceptions, which one person asks for and others approve.
//!
//! | file | what it knows |
//! |---|---|
//! | `request` | what an override states of who asked, and what was decided of it for good |
//! | `counting` | which decisions count, and what they come to |
//! | `policies` | the policies by which the API server knows who asks and who decides, as they have to be |
//! | `guards` | these as a cluster has them, compared with that |
//! | `protection` | since when nobody can approve in another's name |

mod counting;
mod guards;
mod policies;
mod protection;
mod request;
#[cfg(test)]
mod tests;

pub use counting::{Approval, ApprovalOutcome, Approvals, CountedRequest};
pub use guards::ObservedGuard;
pub use policies::{ApprovalGuard, ApprovalPolicy, PolicyPart};
pub use protection::Protection;
pub use request::{ExceptionRequest, Objection, Requirements, Settlement, StatedDecision, is_service_account};
