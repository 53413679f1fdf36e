//! What the operator would make of a set of objects, without a cluster.
//!
//! [`Inventory`] holds the objects, wherever they come from; [`Inventory::survey`] evaluates all of them at one moment,
//! through the same [`crate::evaluation::evaluate`] and [`crate::evaluation::plan`] as the operator.
//!
//! What a cluster would know besides is taken to be so: every namespace exists, nothing else stands at the names that are
//! written to, every write succeeds, and an object without a `creationTimestamp` was made at the inventory's moment.
//! ControllerRevisions are not known: an invalid definition has no earlier state that serves.

mod flaws;
mod inventory;
mod subject;
mod survey;

#[cfg(test)]
mod tests;

pub use flaws::Flaw;
pub use inventory::Inventory;
pub use subject::{EntitlementKind, Subject};
pub use survey::{Status, Survey, Written};
