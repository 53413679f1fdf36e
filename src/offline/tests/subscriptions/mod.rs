//! What subscriptions give, held against a plain model of the contract that was written apart from the code.

mod course;
mod entries;
mod examples;
mod generate;
mod gifts;
mod laws;
mod memory;
mod model;
pub(super) mod operator;
mod plain;
mod shelf;
