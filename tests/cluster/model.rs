//! The plain model of the contract that the core is checked with, and the histories that it is checked in.

#![allow(dead_code, reason = "the core's own tests use the rest")]

#[path = "../../src/core/lifecycle/tests/history.rs"]
pub mod history;
#[path = "../../src/core/lifecycle/tests/oracle.rs"]
pub mod oracle;
#[path = "../../src/core/lifecycle/tests/world.rs"]
pub mod world;

pub use world::{Preset, World, at};
