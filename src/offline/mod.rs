//! What the operator would make of a set of objects, without a cluster.
//!
//! [`Inventory`] holds the objects, wherever they come from. [`Inventory::survey`] evaluates all of them at one moment, through
//! the same [`crate::evaluation::evaluate`] and [`crate::evaluation::plan`] as the operator. [`Inventory::timeline`] does so at
//! one moment after the other, and [`Inventory::account`] says why it is so.
//!
//! What is unknown is assumed: every namespace exists (unless [`Inventory::set_namespaces`] says otherwise), nothing else has
//! the names that are written to, every write succeeds, and an object without a `creationTimestamp` was made at the
//! inventory's moment. Without ControllerRevisions an invalid definition has no earlier state that serves.

mod account;
mod by_hand;
mod catalogue;
mod check;
mod counted;
mod difference;
mod directory;
mod doubts;
mod exceptions;
mod findings;
mod flaws;
mod inventory;
mod lane;
mod namespace_owners;
mod namespaces;
mod plan_edits;
mod proposal;
mod simulation;
mod snapshots;
mod step;
mod subject;
mod subscription_change;
mod succession;
mod summary_digest;
mod survey;
mod timeline;
mod usage;
mod when;

#[cfg(test)]
mod tests;

pub use account::{Account, AccountEffort, Passage};
pub use by_hand::ByHand;
pub use check::CheckedEntitlement;
pub use counted::OperatorsCount;
pub use difference::{Aspect, AspectState, Difference, Differences};
pub use directory::{Directory, Listing, SearchResult};
pub use exceptions::{ExceptionTally, StandingException, tally};
pub use findings::SourceFindings;
pub use flaws::{Aim, Flaw};
pub use inventory::Inventory;
pub use plan_edits::{PlanEdit, PlanFate, PlanHolder};
pub use proposal::{
    ChangeRequest, GrantRequest, PlanRequest, Proposal, Renewal, RenewalRequest, RequestedChange, Setting, TermDate,
    Unclear,
};
pub use step::{GrantChange, GrantState, HoldingState, ObjectAction, ObjectChange, TimelineStep, UseState};
pub use subject::{EntitlementKind, Subject};
pub use subscription_change::{EntryInForce, SubscriptionChange, SubscriptionState};
pub use survey::{Status, Survey, Written};
pub use timeline::{Bounds, Departure, End, Limit, Timeline};
pub use when::{When, zone_of};
