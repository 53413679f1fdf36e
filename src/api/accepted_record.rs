//! The record of an acceptance, which the status of every source of grants holds.

use super::AmountField;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a grant took from elsewhere when it was accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcceptedRecord {
    /// The organization's time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub time_zone: Option<String>,
    /// The term of the definition, or of a subscription's plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub term: Option<String>,
    /// The grace period of the definition, or of a subscription's plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub grace_period: Option<String>,
    /// The definition's amount, which counts where an instance's spec states none. With `rollout: Everyone` it is kept
    /// current until the grant is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<AmountField>,
    /// The start that it got where neither the spec nor what it renews gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub since: Option<String>,
    /// The length of the term of what it renews.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub length: Option<String>,
    /// The end of what it renews.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub follows: Option<String>,
    /// The chain of renewals that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<ChainRecord>,
    /// The spec's start that this record belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub start: Option<String>,
    /// The spec's end that this record belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub end: Option<String>,
    /// The spec's renews that this record belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub renews: Option<String>,
}

/// A chain of renewals, by its first member.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChainRecord {
    /// The first member's name.
    #[serde(default)]
    #[schemars(length(max = 253))]
    pub name: String,
    /// The first member's UID.
    #[serde(default)]
    #[schemars(length(max = 128))]
    pub uid: String,
    /// When the first member was made.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub since: String,
    /// The day of the month of the first member's start.
    #[serde(default)]
    pub day: u32,
}
