//! Which namespaces are a tenant's, and which hold grants.

use crate::api::ASSIGNMENT_NAMESPACE;

/// Whether a namespace is never a tenant's, whoever lists it: the cluster's own, the operator's, and that of grants.
#[must_use]
pub fn is_reserved(namespace: &str, operator_namespace: &str) -> bool {
    is_set_apart(namespace) || namespace == operator_namespace
}

/// The same, as far as the name alone tells it.
#[must_use]
pub fn is_set_apart(namespace: &str) -> bool {
    namespace.starts_with("kube-") || namespace == ASSIGNMENT_NAMESPACE
}

/// What is known of one namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceFacts {
    /// It exists and is not terminating.
    pub present: bool,
    /// The oldest organization that lists it, whichever that is.
    pub claimed_by: Option<String>,
    /// A source (`namespace/name`) with `status.accepted` in state Active that lies in it, which makes it a namespace of
    /// grants.
    pub holds_grant: Option<String>,
    /// It is the operator's own.
    pub is_operators: bool,
}
