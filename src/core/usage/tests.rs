//! Balances as the contract has them: its worked examples, and a plain model of it.

mod answers;
mod buckets;
mod costs;
mod edges;
mod examples;
mod memories;
mod model;
mod properties;
mod records;
mod retention;
mod rules;
pub(super) mod scene;
mod thresholds;
