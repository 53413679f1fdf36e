//! How the use of a definition is metered: the field `usage` of an EntitlementDefinition, and the caps of channels.

use super::{
    AmountField,
    schema::{LABEL, duration},
};
use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// The percentages of an allotment at which something is said, where nothing else is said.
pub const DEFAULT_THRESHOLDS: [u32; 2] = [80, 100];

/// How the use of a definition is metered.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("self.mode == 'Consumed' || !has(self.period)").message("what is Held is in use right now and starts anew at no time: remove period, or use mode Consumed"),
    validation = Rule::new("self.mode == 'Consumed' || !has(self.anchor)").message("what is Held has no periods to anchor: remove anchor, or use mode Consumed"),
    validation = Rule::new("!has(self.anchor) || self.anchor != 'Calendar' || (has(self.period) && self.period in ['P1Y', 'P12M', 'P1M', 'P2M', 'P3M', 'P4M', 'P6M', 'P1W', 'P7D', 'P1D'])").message("with anchor Calendar the period is P1Y, P1M, P2M, P3M, P4M, P6M, P1W or P1D"),
    validation = Rule::new("!has(self.carryOver) || has(self.period)").message("carryOver is from one period to the next: give a period, or remove carryOver"),
    validation = Rule::new("self.mode == oldSelf.mode").message("mode is immutable: make a new definition under another name").field_path(".mode"),
    validation = Rule::new("has(self.period) == has(oldSelf.period)").message("whether there is a period is immutable: make a new definition under another name").field_path(".period"),
)]
#[serde(rename_all = "camelCase")]
pub struct UsageSpec {
    /// `Consumed`: uses add up. `Held`: what is in use right now, such as seats or GB. Immutable.
    pub mode: UsageMode,
    /// After each period the allotment is new: an ISO 8601 duration of one date part, such as `P1M`, `P1Y`, `P2W` or `P1D`.
    /// Absent: each allotment is for the whole time of what gives it. For `Consumed` only; whether there is one is immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "period")]
    pub period: Option<String>,
    /// From when periods count. `Grant`: from when the organization first held it. `Calendar`: from the start of the year, month,
    /// week (Monday) or day where the client is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<UsageAnchor>,
    /// `Hard`: what goes beyond is not allowed. `Soft`: it is allowed, and counted as overage.
    #[serde(default)]
    pub limit: UsageLimit,
    /// How far beyond a Hard limit is still allowed: an amount, or a percentage of the allotment such as `"10%"`. Absent: not at
    /// all. With a Soft limit it has no effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffer: Option<ShareField>,
    /// Whole percentages of the allotment, 1 to 1000, at which an event is given: at most 8. Absent: 80 and 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8), inner(range(min = 1, max = 1000)), extend("x-kubernetes-list-type" = "set"))]
    pub thresholds: Option<Vec<u32>>,
    /// How much of what a period leaves unused can be used in the next one too: an amount, or a percentage of the allotment.
    /// Absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carry_over: Option<ShareField>,
    /// Ways of use, such as phone and e-mail: uses that name one are counted for it too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub channels: Vec<ChannelRule>,
    /// What becomes of uses that name no channel, or one that is not listed. `Allow`: the total alone bounds them. `Refuse`: they
    /// are not covered.
    #[serde(default)]
    pub other_channels: OtherChannels,
    /// How long after the end of a period uses of it are taken and changed: an ISO 8601 duration, at most one period. Absent:
    /// `P1D`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "duration")]
    pub lateness: Option<String>,
    /// What is answered where nothing has been heard for `staleAfter`. `LastKnown`: what was known last. `Deny`: nothing is
    /// allowed.
    #[serde(default)]
    pub on_unknown: OnUnknown,
    /// How long what was heard counts as known: an ISO 8601 duration. Absent: `PT15M`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "duration")]
    pub stale_after: Option<String>,
    /// Where Prometheus knows what is used. Then nothing else is counted. The condition `Metered` says whether it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<PrometheusQuery>,
}

/// What is metered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UsageMode {
    /// Uses add up.
    Consumed,
    /// What is in use right now.
    Held,
}

/// From when periods count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UsageAnchor {
    /// From when the organization first held it.
    #[default]
    Grant,
    /// From the start of the year, month, week or day where the client is.
    Calendar,
}

/// What becomes of uses beyond the allotment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UsageLimit {
    /// They are not allowed.
    #[default]
    Hard,
    /// They are allowed, and counted as overage.
    Soft,
}

/// What becomes of uses that name no listed channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OtherChannels {
    /// The total alone bounds them.
    #[default]
    Allow,
    /// They are not covered.
    Refuse,
}

/// What is answered where nothing has been heard for long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnUnknown {
    /// What was known last.
    #[default]
    LastKnown,
    /// Nothing is allowed.
    Deny,
}

/// A way of use that a definition knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChannelRule {
    /// Its name, which uses give.
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub name: String,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub display_name: Option<String>,
    /// How much of the total can be used this way, where no grant says it. Absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<AmountField>,
}

/// How much of a grant can be used in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChannelCap {
    /// The channel's name in the definition.
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub name: String,
    /// How much: a whole number, a decimal in quotes, or `Unlimited`. What grants in force say adds up.
    #[schemars(schema_with = "cap")]
    pub amount: AmountField,
}

/// What Prometheus is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PrometheusQuery {
    /// A query of Prometheus that yields a vector with the label `organization`, and `channel` where there are channels. `$bucket` in it
    /// is the length of a bucket. No tenant may be able to set these labels.
    #[schemars(length(min = 1, max = 4096))]
    pub query: String,
    /// How long a bucket is, which is asked for at its end: an ISO 8601 duration of hours, minutes or seconds. Absent: `PT1H`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "duration")]
    pub bucket: Option<String>,
}

/// An amount, or a percentage of the allotment, as written: `10`, `"2.5"` or `"10%"`. `core::usage` reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShareField(pub AmountField);

impl JsonSchema for ShareField {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Share".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            "maxLength": 25,
            "x-kubernetes-validations": [{
                "rule": "string(self).matches('^([0-9]{1,15}([.][0-9]{1,9})?|[0-9]{1,4}([.][0-9]{1,9})?%)$')",
                "message": "must be an amount (a whole number, or a decimal in quotes such as \"2.5\") or a percentage of the allotment such as \"10%\"",
            }],
        })
    }
}

/// How the use of a definition stands, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
pub enum UsageState {
    /// Nothing has answered since the definition was metered.
    Unknown,
    /// Nothing more is allowed, and more is used than there is.
    Exceeded,
    /// Nothing more is allowed.
    Exhausted,
    /// More is used than there is, which is allowed.
    Overage,
    /// A threshold is reached.
    Warning,
    /// There is enough left.
    Ok,
}

impl UsageState {
    /// Its name in manifests.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown",
            Self::Exceeded => "Exceeded",
            Self::Exhausted => "Exhausted",
            Self::Overage => "Overage",
            Self::Warning => "Warning",
            Self::Ok => "Ok",
        }
    }
}

impl fmt::Display for UsageState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The caps of the channels of a grant.
pub(super) fn channel_caps(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 32,
        "items": generator.subschema_for::<ChannelCap>(),
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    })
}

/// An amount, by a pattern. A rule would cost the API server too much for every channel of every entitlement of a plan.
fn cap(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "x-kubernetes-int-or-string": true,
        "maxLength": 25,
        "minimum": 0,
        "maximum": 999_999_999_999_999_i64,
        "pattern": "^([0-9]{1,15}([.][0-9]{1,9})?|Unlimited)$",
    })
}

fn period(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 3,
        "maxLength": 16,
        "x-kubernetes-validations": [{
            "rule": "self.matches('^P[1-9][0-9]{0,3}[YMWD]$')",
            "message": "must be an ISO 8601 duration of one date part such as P1M, P1Y, P2W or P1D",
        }],
    })
}
