//! What Kubernetes cannot keep: metered usage, in SQLite or PostgreSQL.
//!
//! ```text
//! requests ─▶ one commit ─▶ meter (a higher version), its registers, their differences
//! replica: load once, then the differences above the version that it holds
//! ```
//!
//! There is one schema and one set of queries for both databases. Amounts are texts there: they are compared and summed up by the
//! core, never by SQL. A meter's version rises with each write of it, and its row is locked by that, so two writers of
//! one meter come one after the other and no difference is seen before those below it. It rises by a random step, and each version has a
//! difference: a version in memory that the store has not is of another history, such as that from before a restore.
//!
//! | file | what it knows |
//! |---|---|
//! | `address` | where the store is, and what may be shown of that |
//! | `error` | what can be wrong with it |
//! | `dialect` | what the two databases say differently |
//! | `schema` | the tables, and how an older store gets them |
//! | `connections` | connections, deadlines, transactions |
//! | `identity` | which store it is, and how often it was written |
//! | `note` | what is noted of that outside of the store, and what follows; pure |
//! | `meter` | meters, what is written of them, and what becomes of it |
//! | `change` | what a write makes of the registers that there are; pure |
//! | `statements` | what is written of meters, many rows at once |
//! | `rows` | statements of many rows, and rows as values |
//! | `writing` | one commit |
//! | `counting` | one commit that is decided while its meters are locked |
//! | `reading` | what is read |
//! | `pruning` | what is taken out once it is not needed any more |

pub mod address;
mod change;
mod connections;
mod counting;
mod dialect;
pub mod error;
pub mod identity;
pub mod meter;
pub mod note;
mod pruning;
mod reading;
mod rows;
mod schema;
mod statements;
#[cfg(test)]
mod tests;
mod writing;

pub use {
    address::StoreAddress,
    change::RegisterChanges,
    connections::PersistentStore,
    counting::{CountOutcome, MeterTurn},
    error::StoreError,
    identity::{StoreIdentity, StoreReplacement},
    pruning::MeterPruning,
    reading::{CatchUp, LoadedMeter},
    writing::StoreProgress,
};
