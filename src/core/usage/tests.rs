//! Balances as the contract's worked examples have them.

mod answers;
mod buckets;
mod examples;
