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
#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "../monitoring/server.rs"]
mod prometheus_server;
#[path = "../monitoring/service.rs"]
mod prometheus_service;
#[path = "../summary_schema.rs"]
mod summary_schema;
#[path = "../monitoring/tables.rs"]
mod tables;
mod wait;

use entitlement_operator::{api, core};

mod audit;
mod harness;
mod leaks;

mod approval_policies;
mod approvals_unprotected;
mod approve_command;
mod asker;
mod attacks;
mod bad_company;
mod bad_input;
mod barred;
mod bulk;
mod chart;
mod checks;
mod checks_attacked;
mod clients;
mod completion;
mod contention;
mod control_plane;
mod control_plane_end;
mod copies;
mod delivery;
mod described;
mod documentation;
mod endpoints;
mod events;
mod exact;
mod examples;
mod facets;
mod fair_shares;
mod foreign_status;
mod forged;
mod gateways;
mod gitops;
mod grant;
mod histories;
mod hostile;
mod image;
mod installation;
mod installed;
mod leadership;
mod lifecycle;
mod log;
mod model;
mod monitoring;
mod offline;
mod ofrep;
mod override_events;
mod override_kinds;
mod overrides;
mod ownership;
mod paused;
mod phases;
mod plan_kinds;
mod plans;
mod preflight;
mod read_only;
mod refused;
mod renewal;
mod replicas;
mod resilience;
mod restored;
mod restricted;
mod retained;
mod rollout;
mod schema;
mod secret_types;
mod secrets;
mod show;
mod silence;
mod sources;
mod stage;
#[allow(dead_code, reason = "the store's own tests need more of it")]
#[path = "../store/server.rs"]
mod store_server;
mod subscriptions;
mod summary;
mod tenancy;
mod time_zones;
mod too_much;
mod usage;
mod usage_kinds;
mod uses;
mod webhook;
mod webhook_certificate;
mod webhook_overrides;
mod webhook_port;
mod webhook_subscriptions;
mod webhook_usage;
mod wrap_up;
