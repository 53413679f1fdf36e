//! What a cluster needs for the operator, as data: pure.
//!
//! The roles that are installed and the rights that the operator checks when it starts come from one list, so they cannot
//! differ.
//!
//! | file | what it knows |
//! |---|---|
//! | `rights` | that list: what the operator asks of the API server, and why |
//! | `roles` | the roles made from it, and those for people |
//! | `workload` | the Deployment, and its account |
//! | `network` | the Services that lead to its pods, and who may reach them |
//! | `availability` | how many pods may be down at once, and the operator's share of the API server |
//! | `registration` | how the API server knows the webhook |
//! | `objects` | everything, in the order in which it is applied |
//!
//! `charts/entitlement-operator` says the same in Helm's words; `tests/cli/chart.rs` holds them equal.

mod availability;
mod network;
mod objects;
mod registration;
mod rights;
mod roles;
mod workload;

pub use objects::{Installation, InvalidInstallation, cluster_name, own_namespace};
pub use registration::{WEBHOOK_TIMEOUT_SECONDS, validating_webhook};
pub use rights::{AccessRight, ApiCertificate, Duties, Need, RightScope, Webhook, rights};

/// The operator's own namespace, where nothing else is said.
pub const OPERATOR_NAMESPACE: &str = "entitlement-operator";
/// What the operator's objects are called, where nothing else is said.
pub const NAME: &str = "entitlement-operator";
/// The Secret that keeps the webhook's certificate, in the operator's own namespace.
pub const WEBHOOK_SECRET: &str = "entitlement-operator-webhook";
/// The Service by which the API for checks is reached.
pub const API_SERVICE: &str = "entitlement-operator-api";
/// The Secret that keeps the certificate of the API for checks, in the operator's own namespace.
pub const API_SECRET: &str = "entitlement-operator-api";
/// The ConfigMap that tells by which authorities that certificate is trusted.
pub const AUTHORITY_CONFIG_MAP: &str = "entitlement-operator-ca";
/// The port that the API for checks listens on, where it is installed.
pub const API_PORT: u16 = 9444;
/// The ConfigMap in which it is noted which store of metered usage is used.
pub const STORE_NOTE: &str = "entitlement-operator-store";
/// The port that the webhook listens on, where nothing else is said.
pub const WEBHOOK_PORT: u16 = 9443;
/// The webhook's name, which refusals begin with. Others in the same configuration are not the operator's.
pub const WEBHOOK_NAME: &str = "validate.entitlements.dev";
/// The port on which metrics are read and probes ask, where nothing else is said.
pub const HTTP_PORT: u16 = 8080;

/// What objects of the installation, and the operator's pods, are known by. It is not what the operator labels outputs with.
const APP: (&str, &str) = ("app.kubernetes.io/name", NAME);
