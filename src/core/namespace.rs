//! Which namespaces are a tenant's, and which hold grants.

/// What is known of one namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceFacts {
    /// It exists and is not terminating.
    pub present: bool,
    /// The oldest organization that lists it, whichever that is.
    pub claimed_by: Option<String>,
    /// An instance (`namespace/name`) with `status.accepted` in state Active that lies in it, which makes it a namespace of
    /// grants.
    pub holds_grant: Option<String>,
    /// It is the operator's own.
    pub is_operators: bool,
}
