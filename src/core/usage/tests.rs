//! Balances as the contract's worked examples have them.

mod examples;
