//! Entitlement Operator: what clients are entitled to, as configuration in their namespaces.
//!
//! ```text
//! sources ─▶ grants ─▶ Snapshot ─▶ decide(snapshot, now) ─▶ Decision ─┬─▶ objects ─▶ plan ─▶ writes
//!                                                                     ├─▶ statuses
//!                                                                     └─▶ explain, timeline, diff, webhook
//! ```
//!
//! | module | what it knows | may use |
//! |---|---|---|
//! | [`api`] | the kinds: types, schema, CEL rules | nothing |
//! | [`core`] | the rules: sources, acceptance, terms, phases, facets, precedence | `api` |
//! | [`render`] | bytes: formats, templates, the summary | `core` |
//! | [`evaluation`] | all of that for one organization at one moment | `render` |
//! | [`controller`] | the shell around it: watches, queue, writes | `evaluation` |
//! | [`offline`] | all organizations of a set of objects, without a cluster | `evaluation` |
//! | [`metrics`] | what is counted and measured, as Prometheus reads it | `traces` |
//! | [`traces`] | the spans of what the operator does, and sending them | nothing |
//! | [`server`] | HTTP for whoever connects, within bounds | nothing |
//! | [`store`] | metered usage in a database | `core` |
//! | [`metering`] | joins the store to the controller | `store`, `evaluation` |
//! | [`webhook`] | the shell at the API server's door: admission reviews | `controller`, `server` |
//! | [`endpoints`] | `/metrics`, `/healthz`, `/readyz` | `controller`, `server` |
//! | [`installation`] | what a cluster needs for the operator: its rights, roles, Deployment | `core` |
//! | [`prometheus`] | what Prometheus knows of usage | `core` |
//! | [`kill_points`] | where tests have the operator killed; nothing in a release | nothing |
//! | [`preflight`] | whether a cluster has all of that | `controller` |
//! | [`cli`] | the command | `controller`, `webhook`, `offline` |
//!
//! Invariants. `tests/layering.rs` checks those that can be tested:
//!
//! - The flow is one way, as in the table. Nothing points back.
//! - `core`, `render`, and `evaluation` know no client, no clock, no I/O, and no async. The same snapshot and moment give the
//!   same evaluation, byte for byte.
//! - The unit of work is the organization: everything that its grants say about each other is decided from one snapshot.
//! - The operator's only memory of rights is in the cluster: `status.accepted`, `status.facets`, `status.notices`, `status.namespaces`,
//!   and the ControllerRevisions of the catalogue. Everything else is derived again from what is there, but
//!   for what is used, which a store keeps.
//! - Only the lifecycle withdraws. An error leaves what was delivered.
//! - The operator never changes an object that it did not make. A secret value reaches the data of Secrets only.

pub mod address;
pub mod api;
pub mod certificates;
pub mod checks;
pub mod cli;
pub mod connection;
pub mod controller;
pub mod core;
pub mod endpoints;
pub mod evaluation;
pub mod installation;
pub mod kill_points;
pub mod metering;
pub mod metrics;
pub mod offline;
pub mod preflight;
pub mod prometheus;
pub mod render;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod traces;
pub mod webhook;
pub mod yaml;
