//! Balances as the contract has them: its worked examples, and a plain model of it.

mod answers;
mod buckets;
mod examples;
mod records;
pub(super) mod scene;
