//! The kind `EntitlementInstance`.

use super::{
    AmountField, Condition, NOT_OBSERVED,
    organization::not_observed,
    schema::{LABEL, OBJECT_NAME, facet_fields, moment},
    usage::{ChannelCap, channel_caps},
};
pub use super::{
    accepted_record::{AcceptedRecord, ChainRecord},
    facet_fields::{FacetFields, FacetViolation, SecretFacet, SecretKeyRef},
    lifecycle::{AmendmentState, AmendmentStatus, Notice, Phase, State, Transition},
    outputs::OutputCounts,
};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One grant of one definition to one organization, with its term and its facet values.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "entitlements.dev",
    version = "v1alpha1",
    kind = "EntitlementInstance",
    plural = "entitlementinstances",
    namespaced,
    shortname = "ent",
    category = "entitlements",
    status = "EntitlementInstanceStatus",
    derive = "PartialEq",
    doc = "One grant of one definition to one organization, with its term and its facet values.",
    selectable = ".spec.organization",
    selectable = ".spec.definition",
    selectable = ".status.phase",
    printcolumn(name = "Organization", type_ = "string", json_path = ".spec.organization"),
    printcolumn(name = "Definition", type_ = "string", json_path = ".spec.definition"),
    printcolumn(
        name = "Amount",
        type_ = "string",
        json_path = ".status.amount",
        description = "what the grant comes to now"
    ),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "why the grant is ready, or is not"
    ),
    printcolumn(
        name = "Until",
        type_ = "string",
        json_path = ".status.until",
        description = "the last day of the term, where the client is; empty where it has no end"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        priority = 1
    ),
    printcolumn(name = "Start", type_ = "string", json_path = ".status.start", priority = 1)
)]
#[x_kube(
    validation = Rule::new("self.organization == oldSelf.organization").message("organization is immutable: cancel this grant and make a new one for the other organization").field_path(".organization"),
    validation = Rule::new("self.definition == oldSelf.definition").message("definition is immutable: cancel this grant and make a new one of the other definition").field_path(".definition"),
    validation = Rule::new("oldSelf.state != 'Cancelled' || self.state == 'Cancelled'").message("a cancelled grant stays cancelled: make a new one").field_path(".state"),
    validation = Rule::new("oldSelf.state != 'Active' || self.state != 'Active' || (has(self.start) == has(oldSelf.start) && (!has(self.start) || self.start == oldSelf.start))").message("start is locked while the grant is Active: set state to Draft first, which withdraws its configuration").field_path(".start"),
    validation = Rule::new("oldSelf.state != 'Active' || self.state != 'Active' || (has(self.end) == has(oldSelf.end) && (!has(self.end) || self.end == oldSelf.end))").message("end is locked while the grant is Active: add an entry to amendments, or set state to Draft first, which withdraws its configuration").field_path(".end"),
    validation = Rule::new("oldSelf.state != 'Active' || self.state != 'Active' || (has(self.amount) == has(oldSelf.amount) && (!has(self.amount) || self.amount == oldSelf.amount))").message("amount is locked while the grant is Active: add an entry to amendments, or set state to Draft first, which withdraws its configuration").field_path(".amount"),
    validation = Rule::new("oldSelf.state != 'Active' || self.state != 'Active' || (has(self.channels) == has(oldSelf.channels) && (!has(self.channels) || self.channels == oldSelf.channels))").message("channels are locked while the grant is Active: add an entry to amendments, or set state to Draft first, which withdraws its configuration").field_path(".channels"),
    validation = Rule::new("oldSelf.state != 'Active' || self.state != 'Active' || (has(self.renews) == has(oldSelf.renews) && (!has(self.renews) || self.renews == oldSelf.renews))").message("renews is locked while the grant is Active: set state to Draft first, which withdraws its configuration").field_path(".renews"),
    validation = Rule::new("oldSelf.state != 'Active' || self.state != 'Active' || !has(oldSelf.amendments) || (has(self.amendments) && oldSelf.amendments.all(old, self.amendments.exists(new, new.name == old.name)))").message("amendments are never removed while the grant is Active: set revoked: true on the entry to take it back").field_path(".amendments"),
    validation = Rule::new("oldSelf.state != 'Active' || self.state != 'Active' || !has(oldSelf.amendments) || !has(self.amendments) || oldSelf.amendments.all(old, self.amendments.all(new, new.name != old.name || (new.effective == old.effective && has(new.amount) == has(old.amount) && (!has(new.amount) || new.amount == old.amount) && has(new.channels) == has(old.channels) && (!has(new.channels) || new.channels == old.channels) && has(new.end) == has(old.end) && (!has(new.end) || new.end == old.end) && has(new.facets) == has(old.facets) && (!has(new.facets) || new.facets == old.facets) && has(new.reason) == has(old.reason) && (!has(new.reason) || new.reason == old.reason) && (!old.revoked || new.revoked))))").message("amendments are never changed while the grant is Active, but for revoked: true: take the entry back and add a new one under another name").field_path(".amendments"),
)]
#[serde(rename_all = "camelCase")]
pub struct EntitlementInstanceSpec {
    /// The Organization that the grant is for. Immutable.
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub organization: String,
    /// The EntitlementDefinition that is granted. Immutable.
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub definition: String,
    /// What the owner wants: `Draft` (checked, not in force), `Active`, or `Cancelled` (final).
    #[serde(default)]
    pub state: State,
    /// The first moment in force: a date (00:00 of that day in the organization's time zone) or an RFC 3339 time of whole
    /// seconds. Default: when the grant was made, or the end of the grant that it renews. Locked while Active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "moment")]
    pub start: Option<String>,
    /// The first moment no longer in force: a date (whose whole day is included) or an RFC 3339 time of whole seconds;
    /// `9999-12-31` means never. Default: by the definition's `term`. Locked while Active: use `amendments`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "moment")]
    pub end: Option<String>,
    /// Overrides the definition's amount: a whole number, a decimal in quotes, or `Unlimited`. Locked while Active: use
    /// `amendments`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<AmountField>,
    /// How much of it can be used in each way, for a definition that has `channels`: at most 32. Absent: what the definition says. Locked
    /// while Active: use `amendments`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "channel_caps")]
    pub channels: Vec<ChannelCap>,
    /// Which grant's facets go first where several are in force: the higher one.
    #[serde(default)]
    pub priority: i32,
    /// The values that this grant states: facet name → field → value. Secret fields are given under `secretFacets`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "facet_fields")]
    pub facets: FacetFields,
    /// Values of secret fields, from Secrets in this instance's own namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["facet", "field"]))]
    pub secret_facets: Vec<SecretFacet>,
    /// The instance in the same namespace, of the same organization and definition, that this one follows.
    /// Locked while Active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = OBJECT_NAME))]
    pub renews: Option<String>,
    /// While true the grant is Suspended and its configuration withdrawn; its term runs on.
    #[serde(default)]
    pub suspended: bool,
    /// Effective-dated changes. While Active, entries are added, never removed or changed but for `revoked: true`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub amendments: Vec<Amendment>,
}

/// An effective-dated change of a grant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Amendment {
    /// The amendment's name in this grant.
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub name: String,
    /// From when on it counts: a date (00:00 of that day) or an RFC 3339 time of whole seconds.
    #[schemars(schema_with = "moment")]
    pub effective: String,
    /// The new amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<AmountField>,
    /// How much can be used in each way from then on: all of them, as they replace those before. An empty list: what the
    /// definition says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "channel_caps")]
    pub channels: Option<Vec<ChannelCap>>,
    /// The new end: a date (whose whole day is included) or an RFC 3339 time; `9999-12-31` means never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "moment")]
    pub end: Option<String>,
    /// Values merged over those that hold before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "facet_fields")]
    pub facets: Option<FacetFields>,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub reason: Option<String>,
    /// Takes the amendment back, as though it had never been.
    #[serde(default)]
    pub revoked: bool,
}

/// What the operator has seen and done for the grant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntitlementInstanceStatus {
    /// The `metadata.generation` that this status speaks of; -1 until the operator has seen the object.
    #[serde(default = "not_observed")]
    pub observed_generation: i64,
    /// Where the grant is in its life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The first moment in force, RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub start: Option<String>,
    /// The first moment no longer in force, RFC 3339 in UTC; absent where never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub end: Option<String>,
    /// What the grant comes to now, with the amendments that count: plain decimal digits, or `Unlimited`. A Feature has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub amount: Option<String>,
    /// Until when, for people, where the client is: the last day of the term, such as `2026-12-31`, or, where it does not end
    /// at midnight, the local time with its offset. Absent where never. A grace period comes after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub until: Option<String>,
    /// The next moment at which this grant changes by time alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_transition: Option<Transition>,
    /// What the grant took from elsewhere when it was accepted, and keeps. Back it up: it is restored with the status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<AcceptedRecord>,
    /// The last stated facet values that were valid, without secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "facet_fields")]
    pub facets: Option<FacetFields>,
    /// The instance that renews this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub renewed_by: Option<String>,
    /// What is wrong with the facets while `FacetsValid` is False, the first 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "atomic"))]
    pub violations: Vec<FacetViolation>,
    /// What has become of each amendment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub amendments: Vec<AmendmentStatus>,
    /// The renewal notices that were given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub notices: Vec<Notice>,
    /// How many objects the grant should have in the organization's namespaces, and how many it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<OutputCounts>,
    /// `Accepted`, `FacetsValid`, `Delivered`, `Entitled` and `Ready`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

impl Default for EntitlementInstanceStatus {
    fn default() -> Self {
        Self {
            observed_generation: NOT_OBSERVED,
            phase: None,
            start: None,
            end: None,
            amount: None,
            until: None,
            next_transition: None,
            accepted: None,
            facets: None,
            renewed_by: None,
            violations: Vec::new(),
            amendments: Vec::new(),
            notices: Vec::new(),
            outputs: None,
            conditions: Vec::new(),
        }
    }
}
