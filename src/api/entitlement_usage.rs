//! The kind `EntitlementUsage`.

use super::{
    AmountField, Condition, NOT_OBSERVED,
    organization::not_observed,
    schema::{LABEL, moment},
};
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// What an organization has used of a definition, as a person or a job writes it now and then.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "entitlements.dev",
    version = "v1alpha1",
    kind = "EntitlementUsage",
    plural = "entitlementusages",
    namespaced,
    shortname = "euse",
    category = "entitlements",
    status = "EntitlementUsageStatus",
    derive = "PartialEq",
    doc = "What an organization has used of a definition, as a person or a job writes it now and then. It is a state: written again it replaces what it said before, and deleted it counts nothing.",
    selectable = ".spec.organization",
    selectable = ".spec.definition",
    printcolumn(name = "Organization", type_ = "string", json_path = ".spec.organization"),
    printcolumn(name = "Definition", type_ = "string", json_path = ".spec.definition"),
    printcolumn(
        name = "Counted",
        type_ = "integer",
        json_path = ".status.counted",
        description = "how many of its registers count"
    ),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "why it is ready, or is not"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(
    validation = Rule::new("self.organization == oldSelf.organization").message("organization is immutable: delete this report and make a new one for the other organization").field_path(".organization"),
    validation = Rule::new("self.definition == oldSelf.definition").message("definition is immutable: delete this report and make a new one of the other definition").field_path(".definition"),
)]
#[serde(rename_all = "camelCase")]
pub struct EntitlementUsageSpec {
    /// The Organization that used it. Immutable. It counts in the namespaces of its `reportableFrom` only.
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub organization: String,
    /// The EntitlementDefinition that was used; it has the field `usage`. Immutable.
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub definition: String,
    /// What was used: at most 500 entries. Make another object for more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), extend("x-kubernetes-list-type" = "atomic"))]
    pub registers: Vec<UsageRegister>,
}

/// What one thing comes to: a use, a case, a seat, a month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageRegister {
    /// What it is of, in your words: 1 to 128 printable ASCII characters, such as the number of a case. Once in an object; the same
    /// key in another object is another register, and both count.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[ -~]+$"))]
    pub key: String,
    /// When it was used; of what is `Held`, since when: a date (00:00 of that day in the organization's time zone) or an RFC 3339
    /// time of whole seconds.
    #[schemars(schema_with = "moment")]
    pub at: String,
    /// The way in which it was used, where the definition has `channels`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub channel: Option<String>,
    /// How much it comes to in all: a whole number, or a decimal in quotes such as `"0.25"`. Write it anew to correct it.
    #[schemars(schema_with = "used")]
    pub amount: AmountField,
}

/// What the operator has made of the report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntitlementUsageStatus {
    /// The `metadata.generation` that this status speaks of; -1 until the operator has seen the object.
    #[serde(default = "not_observed")]
    pub observed_generation: i64,
    /// `Ready`: all of it is counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// How many of its registers count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<u64>,
    /// The registers that do not count, the first 20. The others count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "atomic"))]
    pub refused: Vec<RefusedRegister>,
}

/// A register that does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RefusedRegister {
    /// Its key.
    #[schemars(length(max = 128))]
    pub key: String,
    /// Why, and what to do.
    #[schemars(length(max = 1024))]
    pub message: String,
}

impl Default for EntitlementUsageStatus {
    fn default() -> Self {
        Self { observed_generation: NOT_OBSERVED, conditions: Vec::new(), counted: None, refused: Vec::new() }
    }
}

/// An amount that is used, which is never Unlimited.
fn used(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "x-kubernetes-int-or-string": true,
        "maxLength": 25,
        "x-kubernetes-validations": [{
            "rule": "string(self).matches('^[0-9]{1,15}([.][0-9]{1,9})?$')",
            "message": "must be a whole number of at most 15 digits, or a decimal in quotes such as \"2.5\" (at most 9 digits behind the point); signs and exponents are refused",
        }],
    })
}
