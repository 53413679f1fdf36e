//! The manifest that follows from a request: a grant, or a change of one.
//!
//! | file | what it knows |
//! |---|---|
//! | `grant` | a new grant |
//! | `change` | a suspension, its end, a cancellation, an extension |
//! | `plan_change` | a change of a subscription's plan |
//! | `renewal` | what follows a grant or a subscription |
//! | `renewed_grant`, `renewed_subscription` | what such a renewal states of what it renews |
//! | `name` | names that nothing has yet |
//! | `term_date` | days and moments as people ask for them |
//!
//! Whether the operator would take it is not decided here. An evaluation with it shows that.

mod change;
mod grant;
mod name;
mod plan_change;
mod renewal;
mod renewed_grant;
mod renewed_subscription;
mod term_date;

#[cfg(test)]
mod tests;

pub use change::{ChangeRequest, Proposal, RequestedChange};
pub use grant::{GrantRequest, Setting};
pub use plan_change::PlanRequest;
pub use renewal::{Renewal, RenewalRequest};
pub use term_date::TermDate;

/// Why no manifest follows from what is asked for: a sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    /// What is asked for is not complete, or contradicts itself or what is there.
    #[error("{0}")]
    Usage(String),
    /// It is clear, and cannot be.
    #[error("{0}")]
    Impossible(String),
}
