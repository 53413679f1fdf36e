//! The kind `EntitlementInstance`.

use super::{AmountField, Condition, NOT_OBSERVED, organization::not_observed};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The pattern of the names of objects.
const OBJECT_NAME: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

/// What facets state: facet name → field → value.
pub type FacetFields = BTreeMap<String, Map<String, Value>>;

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
    validation = Rule::new("oldSelf.state != 'Active' || self.state != 'Active' || (has(self.renews) == has(oldSelf.renews) && (!has(self.renews) || self.renews == oldSelf.renews))").message("renews is locked while the grant is Active: set state to Draft first, which withdraws its configuration").field_path(".renews"),
    validation = Rule::new("oldSelf.state != 'Active' || self.state != 'Active' || !has(oldSelf.amendments) || (has(self.amendments) && oldSelf.amendments.all(old, self.amendments.exists(new, new.name == old.name)))").message("amendments are never removed while the grant is Active: set revoked: true on the entry to take it back").field_path(".amendments"),
    validation = Rule::new("oldSelf.state != 'Active' || self.state != 'Active' || !has(oldSelf.amendments) || !has(self.amendments) || oldSelf.amendments.all(old, self.amendments.all(new, new.name != old.name || (new.effective == old.effective && has(new.amount) == has(old.amount) && (!has(new.amount) || new.amount == old.amount) && has(new.end) == has(old.end) && (!has(new.end) || new.end == old.end) && has(new.facets) == has(old.facets) && (!has(new.facets) || new.facets == old.facets) && has(new.reason) == has(old.reason) && (!has(new.reason) || new.reason == old.reason) && (!old.revoked || new.revoked))))").message("amendments are never changed while the grant is Active, but for revoked: true: take the entry back and add a new one under another name").field_path(".amendments"),
)]
#[serde(rename_all = "camelCase")]
pub struct EntitlementInstanceSpec {
    /// The Organization that the grant is for. Immutable.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub organization: String,
    /// The EntitlementDefinition that is granted. Immutable.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
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

fn moment(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "string",
        "maxLength": 32,
        "x-kubernetes-validations": [{
            "rule": "self.matches('^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](Z|[+-][0-9]{2}:[0-9]{2}))?$')",
            "message": "must be a date such as 2027-01-31 or an RFC 3339 time of whole seconds such as 2027-01-31T09:00:00Z",
        }],
    })
}

fn facet_fields(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 64,
        "additionalProperties": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
    })
}

/// What the owner of a grant wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum State {
    /// Checked, but not in force.
    Draft,
    /// In force for its term.
    #[default]
    Active,
    /// Taken back, for good.
    Cancelled,
}

/// Where the value of a secret field comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretFacet {
    /// The facet's name in the definition.
    #[schemars(length(min = 1, max = 63))]
    pub facet: String,
    /// The secret field of the facet.
    #[schemars(length(min = 1, max = 256))]
    pub field: String,
    /// The Secret in this instance's own namespace, and the key in it.
    pub secret_key_ref: SecretKeyRef,
}

/// A key of a Secret in the instance's own namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct SecretKeyRef {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253), regex(pattern = OBJECT_NAME))]
    pub name: String,
    /// The key in its data.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

/// An effective-dated change of a grant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Amendment {
    /// The amendment's name in this grant.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// From when on it counts: a date (00:00 of that day) or an RFC 3339 time of whole seconds.
    #[schemars(schema_with = "moment")]
    pub effective: String,
    /// The new amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<AmountField>,
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

/// Where a grant is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Not activated.
    Draft,
    /// Taken back.
    Cancelled,
    /// Refused; the condition `Accepted` says why.
    Rejected,
    /// Over.
    Expired,
    /// Not started.
    Waiting,
    /// Withdrawn for now.
    Suspended,
    /// In force.
    Active,
    /// Past its end, still delivered.
    Grace,
}

impl Phase {
    /// All phases, in the order of the lifecycle.
    pub const ALL: [Self; 8] = [
        Self::Draft,
        Self::Rejected,
        Self::Waiting,
        Self::Active,
        Self::Grace,
        Self::Suspended,
        Self::Expired,
        Self::Cancelled,
    ];

    /// The name in statuses, events and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "Draft",
            Self::Cancelled => "Cancelled",
            Self::Rejected => "Rejected",
            Self::Expired => "Expired",
            Self::Waiting => "Waiting",
            Self::Suspended => "Suspended",
            Self::Active => "Active",
            Self::Grace => "Grace",
        }
    }

    /// Whether the grant is in force, so that its configuration is delivered.
    #[must_use]
    pub fn is_in_force(self) -> bool {
        matches!(self, Self::Active | Self::Grace)
    }
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

/// A coming change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Transition {
    /// When, RFC 3339 in UTC.
    #[schemars(length(max = 64))]
    pub at: String,
    /// The phase from then on.
    pub phase: Phase,
}

/// What a grant took from elsewhere when it was accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcceptedRecord {
    /// The organization's time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub time_zone: Option<String>,
    /// The definition's term.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub term: Option<String>,
    /// The definition's grace period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub grace_period: Option<String>,
    /// The definition's amount, which counts where the spec states none. With `rollout: Everyone` it is kept current
    /// until the grant is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<AmountField>,
    /// The start that it got where neither the spec nor a renewed instance gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub since: Option<String>,
    /// The length of the renewed instance's term.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub length: Option<String>,
    /// The end of the renewed instance.
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

/// What has become of an amendment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AmendmentState {
    /// Its moment is to come.
    Pending,
    /// It counts.
    Effective,
    /// It cannot count; the message says why.
    Ignored,
    /// It was taken back.
    Revoked,
}

/// One thing that is wrong with the facets that a grant states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FacetViolation {
    /// The facet.
    #[schemars(length(max = 256))]
    pub facet: String,
    /// JSON pointer to the field in the facet; empty for the facet itself.
    #[schemars(length(max = 32768))]
    pub pointer: String,
    /// The keyword of the schema that is not met, such as `maximum`; `SecretInPlain` for a secret field that is stated
    /// under `facets`, `facets` for a facet that the definition does not have, `limit` for values beyond what is checked.
    #[schemars(length(max = 64))]
    pub rule: String,
    /// What is wrong, and what was expected. The value of a secret field is never shown.
    #[schemars(length(max = 32768))]
    pub message: String,
}

/// What has become of an amendment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AmendmentStatus {
    /// The amendment's name.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Whether it counts.
    pub state: AmendmentState,
    /// Why it is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub message: Option<String>,
}

/// A renewal notice that was given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Notice {
    /// How long before the end, as the definition's `renewalNotices` has it.
    #[schemars(length(max = 64))]
    pub before: String,
    /// The end that it warned of, RFC 3339 in UTC.
    #[schemars(length(max = 64))]
    pub end: String,
    /// When it was due, RFC 3339 in UTC.
    #[schemars(length(max = 64))]
    pub at: String,
}

/// Numbers of objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutputCounts {
    /// That there should be.
    pub desired: u64,
    /// That there are, as they should be.
    pub delivered: u64,
}
