//! What overrides give, held against a plain model of the contract that was written apart from the code.

mod desk;
mod effect;
mod generate;
mod laws;
mod model;
mod operator;
mod plain;
mod settling;
mod terms;
