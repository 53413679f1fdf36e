//! What a cluster needs for the operator, as data: pure.
//!
//! The roles that are installed and the rights that the operator checks when it starts come from one list, so they cannot
//! differ.
//!
//! | file | what it knows |
//! |---|---|
//! | `rights` | that list: what the operator asks of the API server, and why |
//! | `roles` | the roles made from it, and those for people |
//! | `workload` | the Deployment, and the Service that leads to its webhook |
//! | `objects` | everything, in the order in which it is applied |

mod objects;
mod rights;
mod roles;
mod workload;

pub use objects::{Installation, InvalidInstallation, cluster_name, own_namespace};
pub use rights::{AccessRight, Duties, Need, RightScope, Webhook, rights};

/// The operator's own namespace, where nothing else is said.
pub const OPERATOR_NAMESPACE: &str = "entitlement-operator";
/// What the operator's objects are called, where nothing else is said.
pub const NAME: &str = "entitlement-operator";
/// The Secret that keeps the webhook's certificate, in the operator's own namespace.
pub const WEBHOOK_SECRET: &str = "entitlement-operator-webhook";
/// The port that the webhook listens on, where nothing else is said.
pub const WEBHOOK_PORT: u16 = 9443;

/// What objects of the installation, and the operator's pods, are known by. It is not what the operator labels outputs with.
const APP: (&str, &str) = ("app.kubernetes.io/name", NAME);
