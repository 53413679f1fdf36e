//! The operator against a real API server, with real controllers around it.
//!
//! Most tests share one control plane and one operator, and own their organizations, namespaces and definitions. Those that
//! stop, restart or restrict something have a plane of their own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::needless_pass_by_value,
    missing_docs,
    reason = "they fail a test, in its helpers too"
)]

#[path = "../control-plane/plane.rs"]
mod plane;
mod wait;

mod harness;

mod bad_input;
mod control_plane;
mod control_plane_end;
mod delivery;
mod documentation;
mod examples;
mod lifecycle;
mod offline;
mod phases;
mod resilience;
mod schema;
mod sources;
mod tenancy;
