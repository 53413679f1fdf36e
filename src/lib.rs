//! Entitlement Operator.
pub mod api;
pub mod core;
pub mod evaluation;
pub mod render;
pub mod yaml;
