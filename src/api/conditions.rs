//! Conditions, as Kubernetes' API conventions define them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not.
    False,
    /// It cannot be told yet.
    Unknown,
}

impl From<bool> for ConditionStatus {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// One observation of an object's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What is observed, such as `Ready`.
    #[serde(rename = "type")]
    #[schemars(length(max = 316))]
    pub type_: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// The `metadata.generation` that this was observed at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When `status` last changed, RFC 3339 in UTC.
    #[schemars(length(max = 64))]
    pub last_transition_time: String,
    /// One word that programs can match on.
    #[schemars(length(max = 1024))]
    pub reason: String,
    /// A sentence that says what to do.
    #[schemars(length(max = 32768))]
    pub message: String,
}

/// The condition that every kind has: everything that the spec asks for has been done.
pub const READY: &str = "Ready";
/// The grant may be held.
pub const ACCEPTED: &str = "Accepted";
/// The facets that the grant states can be used.
pub const FACETS_VALID: &str = "FacetsValid";
/// What the grant delivers is in the organization's namespaces.
pub const DELIVERED: &str = "Delivered";
/// The grant is in force right now.
pub const ENTITLED: &str = "Entitled";
