//! The kind `EntitlementOverride`.

use super::{
    AmountField, Condition, NOT_OBSERVED, Phase,
    facet_fields::{FacetFields, FacetViolation},
    lifecycle::Transition,
    organization::not_observed,
    outputs::OutputCounts,
    schema::{LABEL, facet_fields, moment},
};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An exception that ends: asked for by one person, approved by others.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "entitlements.dev",
    version = "v1alpha1",
    kind = "EntitlementOverride",
    plural = "entitlementoverrides",
    namespaced,
    shortname = "eovr",
    category = "entitlements",
    status = "EntitlementOverrideStatus",
    derive = "PartialEq",
    doc = "An exception that ends: asked for by one person, approved by others. What it gives is added to what the organization holds otherwise.",
    selectable = ".spec.organization",
    selectable = ".spec.definition",
    selectable = ".status.phase",
    printcolumn(name = "Organization", type_ = "string", json_path = ".spec.organization"),
    printcolumn(name = "Definition", type_ = "string", json_path = ".spec.definition"),
    printcolumn(name = "Amount", type_ = "string", json_path = ".spec.amount", description = "what it adds"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(
        name = "Approvals",
        type_ = "string",
        json_path = ".status.approvals",
        description = "how many it has, of how many it needs"
    ),
    printcolumn(
        name = "Ends",
        type_ = "string",
        json_path = ".status.until",
        description = "the last day in force, where the client is"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Requested-By", type_ = "string", json_path = ".spec.requestedBy", priority = 1),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        priority = 1
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "why it is ready, or is not",
        priority = 1
    )
)]
#[x_kube(
    validation = Rule::new("self.organization == oldSelf.organization").message("an override is immutable, but for cancelled: cancel this one and ask for another").field_path(".organization"),
    validation = Rule::new("self.definition == oldSelf.definition").message("an override is immutable, but for cancelled: cancel this one and ask for another").field_path(".definition"),
    validation = Rule::new("has(self.amount) == has(oldSelf.amount) && (!has(self.amount) || self.amount == oldSelf.amount)").message("an override is immutable, but for cancelled: cancel this one and ask for another").field_path(".amount"),
    validation = Rule::new("has(self.facets) == has(oldSelf.facets) && (!has(self.facets) || self.facets == oldSelf.facets)").message("an override is immutable, but for cancelled: cancel this one and ask for another").field_path(".facets"),
    validation = Rule::new("has(self.start) == has(oldSelf.start) && (!has(self.start) || self.start == oldSelf.start)").message("an override is immutable, but for cancelled: cancel this one and ask for another").field_path(".start"),
    validation = Rule::new("self.end == oldSelf.end").message("an override is immutable, but for cancelled: cancel this one and ask for another").field_path(".end"),
    validation = Rule::new("self.reason == oldSelf.reason").message("an override is immutable, but for cancelled: cancel this one and ask for another").field_path(".reason"),
    validation = Rule::new("has(self.ticket) == has(oldSelf.ticket) && (!has(self.ticket) || self.ticket == oldSelf.ticket)").message("an override is immutable, but for cancelled: cancel this one and ask for another").field_path(".ticket"),
    validation = Rule::new("self.requestedBy == oldSelf.requestedBy").message("an override is immutable, but for cancelled: cancel this one and ask for another").field_path(".requestedBy"),
    validation = Rule::new("!oldSelf.cancelled || self.cancelled").message("a cancelled override stays cancelled: ask for another").field_path(".cancelled"),
)]
#[serde(rename_all = "camelCase")]
pub struct EntitlementOverrideSpec {
    /// The Organization that the exception is for. Immutable, as all but `cancelled`.
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub organization: String,
    /// The EntitlementDefinition that is given.
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub definition: String,
    /// What is added to what the organization holds otherwise: a whole number, a decimal in quotes, or `Unlimited`. Required for
    /// a Quantity or Credit, refused for a Feature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<AmountField>,
    /// Values of the definition's facets: facet name → field → value. No secret fields.
    #[serde(default, skip_serializing_if = "FacetFields::is_empty")]
    #[schemars(schema_with = "facet_fields")]
    pub facets: FacetFields,
    /// From when on, at the earliest: a date (00:00 of that day in the organization's time zone) or an RFC 3339 time of whole
    /// seconds. It is never in force before it is approved. Absent: once it is approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "moment")]
    pub start: Option<String>,
    /// Until when: a date (whose whole day is included) or an RFC 3339 time of whole seconds. No later than the definition's
    /// `overrides.maxTerm` allows.
    #[schemars(schema_with = "moment")]
    pub end: String,
    /// Why the exception is asked for, in 10 to 1,024 characters. Approvers and the service desk read it.
    #[schemars(length(min = 10, max = 1024))]
    pub reason: String,
    /// The ticket that it belongs to, such as its number or address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub ticket: Option<String>,
    /// The user name of whoever asks: that of the request that makes the override. `kubectl auth whoami` shows it. Others have to
    /// approve it.
    #[schemars(length(min = 1, max = 1024))]
    pub requested_by: String,
    /// Takes the exception back, for good, whether it is approved or not.
    #[serde(default)]
    pub cancelled: bool,
}

/// What the operator has seen and done for an override.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntitlementOverrideStatus {
    /// The `metadata.generation` that this status speaks of; -1 until the operator has seen the object.
    #[serde(default = "not_observed")]
    pub observed_generation: i64,
    /// Where the override is in its life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The first moment in force, RFC 3339 in UTC. Until it is approved: that which it asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub start: Option<String>,
    /// The first moment no longer in force, RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub end: Option<String>,
    /// Until when, for people, where the client is: the last day in force, such as `2026-12-31`, or, where it does not end at
    /// midnight, the local time with its offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub until: Option<String>,
    /// How many approvals count, of how many it needs, such as `1/2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub approvals: Option<String>,
    /// The next moment at which this override changes by time alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_transition: Option<Transition>,
    /// Its approval. Final: no later decision, deletion, or edit of the definition changes it. Back it up with the status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<OverrideAcceptance>,
    /// Its denial. Final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied: Option<OverrideDenial>,
    /// That it was not approved in time. Final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired: Option<OverrideExpiry>,
    /// The last stated facet values that were valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "facet_fields")]
    pub facets: Option<FacetFields>,
    /// What is wrong with the facets while `FacetsValid` is False, the first 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "atomic"))]
    pub violations: Vec<FacetViolation>,
    /// How many objects the override should have in the organization's namespaces, and how many it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<OutputCounts>,
    /// `Accepted`, `FacetsValid`, `Delivered`, `Entitled` and `Ready`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// The approval of an override.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OverrideAcceptance {
    /// When the last approval that it needed was given, RFC 3339 in UTC.
    #[schemars(length(max = 64))]
    pub at: String,
    /// Who approved, in the order of their decisions. Empty where no approval is needed.
    #[serde(default)]
    #[schemars(length(max = 16), inner(length(max = 1024)), extend("x-kubernetes-list-type" = "atomic"))]
    pub by: Vec<String>,
    /// The organization's time zone then.
    #[schemars(length(max = 64))]
    pub time_zone: String,
}

/// The denial of an override.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OverrideDenial {
    /// When, RFC 3339 in UTC.
    #[schemars(length(max = 64))]
    pub at: String,
    /// Who denied it.
    #[schemars(length(max = 1024))]
    pub by: String,
}

/// That an override was not approved in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OverrideExpiry {
    /// Until when it could have been approved, RFC 3339 in UTC.
    #[schemars(length(max = 64))]
    pub at: String,
}

impl Default for EntitlementOverrideStatus {
    fn default() -> Self {
        Self {
            observed_generation: NOT_OBSERVED,
            phase: None,
            start: None,
            end: None,
            until: None,
            approvals: None,
            next_transition: None,
            accepted: None,
            denied: None,
            expired: None,
            facets: None,
            violations: Vec::new(),
            outputs: None,
            conditions: Vec::new(),
        }
    }
}
