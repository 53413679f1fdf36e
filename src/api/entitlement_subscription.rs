//! The kind `EntitlementSubscription`.

pub use super::subscription_record::{EntryList, EntryRecord, PlanRecord, SubscriptionRecord};
use super::{
    AmountField, Condition, NOT_OBSERVED, Phase,
    facet_fields::{FacetFields, FacetViolation, SecretFacet},
    lifecycle::{AmendmentStatus, Notice, State, Transition},
    organization::not_observed,
    outputs::OutputCounts,
    schema::{LABEL, OBJECT_NAME, facet_fields, moment},
    usage::{ChannelCap, channel_caps},
};
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One organization's subscription to one plan, with add-ons and what was agreed beside them.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "entitlements.dev",
    version = "v1alpha1",
    kind = "EntitlementSubscription",
    plural = "entitlementsubscriptions",
    namespaced,
    shortname = "esub",
    category = "entitlements",
    status = "EntitlementSubscriptionStatus",
    derive = "PartialEq",
    doc = "One organization's subscription to one plan, with add-ons and what was agreed beside them.",
    selectable = ".spec.organization",
    selectable = ".spec.plan",
    selectable = ".status.phase",
    printcolumn(name = "Organization", type_ = "string", json_path = ".spec.organization"),
    printcolumn(name = "Plan", type_ = "string", json_path = ".status.plan", description = "the plan in force now"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(
        name = "Ends",
        type_ = "string",
        json_path = ".status.until",
        description = "the last day of the term, where the client is; empty where it has no end"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Add-Ons",
        type_ = "string",
        json_path = ".status.addOns",
        description = "the add-ons in force now",
        priority = 1
    ),
    printcolumn(
        name = "Entitlements",
        type_ = "integer",
        json_path = ".status.entitlementCount",
        description = "how many definitions it gives now",
        priority = 1
    )
)]
#[x_kube(
    validation = Rule::new("self.organization == oldSelf.organization").message("organization is immutable: cancel this subscription and make a new one for the other organization").field_path(".organization"),
    validation = Rule::new("oldSelf.state != 'Cancelled' || self.state == 'Cancelled'").message("a cancelled subscription stays cancelled: make a new one").field_path(".state"),
    validation = Rule::new("oldSelf.state != 'Active' || self.state != 'Active' || self.plan == oldSelf.plan").message("plan is locked while the subscription is Active: add an entry to amendments, or set state to Draft first, which withdraws its configuration").field_path(".plan"),
    validation = Rule::new("oldSelf.state != 'Active' || self.state != 'Active' || (has(self.start) == has(oldSelf.start) && (!has(self.start) || self.start == oldSelf.start))").message("start is locked while the subscription is Active: set state to Draft first, which withdraws its configuration").field_path(".start"),
    validation = Rule::new("oldSelf.state != 'Active' || self.state != 'Active' || (has(self.end) == has(oldSelf.end) && (!has(self.end) || self.end == oldSelf.end))").message("end is locked while the subscription is Active: add an entry to amendments, or set state to Draft first, which withdraws its configuration").field_path(".end"),
    validation = Rule::new("oldSelf.state != 'Active' || self.state != 'Active' || (has(self.renews) == has(oldSelf.renews) && (!has(self.renews) || self.renews == oldSelf.renews))").message("renews is locked while the subscription is Active: set state to Draft first, which withdraws its configuration").field_path(".renews"),
    validation = Rule::new("oldSelf.state != 'Active' || self.state != 'Active' || !has(oldSelf.amendments) || oldSelf.amendments.all(old, has(self.amendments) && self.amendments.exists(new, new.name == old.name))").message("amendments are never removed while the subscription is Active: set revoked: true on the entry to take it back").field_path(".amendments"),
    validation = Rule::new("oldSelf.state != 'Active' || self.state != 'Active' || !has(oldSelf.amendments) || !has(self.amendments) || oldSelf.amendments.all(old, self.amendments.all(new, new.name != old.name || (new.effective == old.effective && has(new.plan) == has(old.plan) && (!has(new.plan) || new.plan == old.plan) && has(new.end) == has(old.end) && (!has(new.end) || new.end == old.end) && has(new.reason) == has(old.reason) && (!has(new.reason) || new.reason == old.reason) && (!old.revoked || new.revoked))))").message("amendments are never changed while the subscription is Active, but for revoked: true: take the entry back and add a new one under another name").field_path(".amendments"),
)]
#[serde(rename_all = "camelCase")]
pub struct EntitlementSubscriptionSpec {
    /// The Organization that subscribes. Immutable.
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub organization: String,
    /// The EntitlementPlan, of type Plan, that is subscribed to. Locked while Active: use `amendments`.
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub plan: String,
    /// What the owner wants: `Draft` (checked, not in force), `Active`, or `Cancelled` (final).
    #[serde(default)]
    pub state: State,
    /// The first moment in force: a date (00:00 of that day in the organization's time zone) or an RFC 3339 time of whole
    /// seconds. Default: when the subscription was made, or the end of the one that it renews. Locked while Active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "moment")]
    pub start: Option<String>,
    /// The first moment no longer in force: a date (whose whole day is included) or an RFC 3339 time of whole seconds;
    /// `9999-12-31` means never. Default: by the plan's `term`. Locked while Active: use `amendments`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "moment")]
    pub end: Option<String>,
    /// Which grant's facets go first where several of a definition are in force: the higher one.
    #[serde(default)]
    pub priority: i32,
    /// The subscription in the same namespace, of the same organization and the same product (or plan, where it has no
    /// product), that this one follows. Locked while Active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = OBJECT_NAME))]
    pub renews: Option<String>,
    /// While true the subscription is Suspended and all that it gives withdrawn; its term runs on.
    #[serde(default)]
    pub suspended: bool,
    /// Which agreement with the client this is, such as the number of an order. While it stays the same, so does what was agreed,
    /// whatever becomes of the plans. Another one takes all plans and add-ons as they are then.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub agreement: String,
    /// The add-ons. They may change at any time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub add_ons: Vec<AddOnEntry>,
    /// What this client gets besides plan and add-ons: amounts add up with theirs. It may change at any time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub add: Vec<AddEntry>,
    /// What this client does not get of plan and add-ons. It may change at any time, and takes nothing away that `add` gives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub remove: Vec<RemoveEntry>,
    /// Values for the facets of what it gives, by definition. It gives nothing by itself, and may change at any time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["definition"]))]
    pub configure: Vec<ConfigureEntry>,
    /// Effective-dated changes. While Active, entries are added, never removed or changed but for `revoked: true`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub amendments: Vec<SubscriptionAmendment>,
}

/// An add-on of a subscription.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddOnEntry {
    /// The entry's name in this subscription. The same add-on may be there several times, under different names.
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub name: String,
    /// The EntitlementPlan, of type AddOn, that is added. The subscription's plan names it in its `addOns`.
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub plan: String,
    /// How many times: the amounts of the add-on are multiplied by it. 0 gives nothing.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub quantity: u32,
    /// From when on: a date (00:00 of that day) or an RFC 3339 time of whole seconds. Absent: with the subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "moment")]
    pub start: Option<String>,
    /// Until when: a date (whose whole day is included) or an RFC 3339 time. Absent: with the subscription, its grace period
    /// included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "moment")]
    pub end: Option<String>,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub reason: Option<String>,
}

fn one() -> u32 {
    1
}

/// What a client gets besides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddEntry {
    /// The entry's name in this subscription.
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub name: String,
    /// The EntitlementDefinition that is given.
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub definition: String,
    /// How much, on top of what plan and add-ons give: a whole number, a decimal in quotes, or `Unlimited`. Absent: the
    /// definition's amount. A Feature has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<AmountField>,
    /// How much of it can be used in each way, for a definition that has `channels`: at most 32. Absent: what the definition says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "channel_caps")]
    pub channels: Vec<ChannelCap>,
    /// Values of the definition's facets: facet name → field → value. Secret fields are given under `configure`.
    #[serde(default, skip_serializing_if = "FacetFields::is_empty")]
    #[schemars(schema_with = "facet_fields")]
    pub facets: FacetFields,
    /// From when on: a date (00:00 of that day) or an RFC 3339 time of whole seconds. Absent: with the subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "moment")]
    pub start: Option<String>,
    /// Until when: a date (whose whole day is included) or an RFC 3339 time. Absent: with the subscription, its grace period
    /// included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "moment")]
    pub end: Option<String>,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub reason: Option<String>,
}

/// What a client does not get of plan and add-ons.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemoveEntry {
    /// The entry's name in this subscription.
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub name: String,
    /// The EntitlementDefinition that plan and add-ons do not give to this client.
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub definition: String,
    /// From when on: a date (00:00 of that day) or an RFC 3339 time of whole seconds. Absent: with the subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "moment")]
    pub start: Option<String>,
    /// Until when: a date (whose whole day is included) or an RFC 3339 time. Absent: with the subscription, its grace period
    /// included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "moment")]
    pub end: Option<String>,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub reason: Option<String>,
}

/// Values for the facets of one definition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigureEntry {
    /// The EntitlementDefinition whose facets are set.
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub definition: String,
    /// The values: facet name → field → value. Secret fields are given under `secretFacets`.
    #[serde(default, skip_serializing_if = "FacetFields::is_empty")]
    #[schemars(schema_with = "facet_fields")]
    pub facets: FacetFields,
    /// Values of secret fields, from Secrets in this subscription's own namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["facet", "field"]))]
    pub secret_facets: Vec<SecretFacet>,
}

/// An effective-dated change of a subscription.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionAmendment {
    /// The amendment's name in this subscription.
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub name: String,
    /// From when on it counts: a date (00:00 of that day) or an RFC 3339 time of whole seconds.
    #[schemars(schema_with = "moment")]
    pub effective: String,
    /// The new plan: an upgrade or a downgrade to another plan of the same product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub plan: Option<String>,
    /// The new end: a date (whose whole day is included) or an RFC 3339 time; `9999-12-31` means never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "moment")]
    pub end: Option<String>,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub reason: Option<String>,
    /// Takes the amendment back, as though it had never been.
    #[serde(default)]
    pub revoked: bool,
}

/// What the operator has seen and done for the subscription.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntitlementSubscriptionStatus {
    /// The `metadata.generation` that this status speaks of; -1 until the operator has seen the object.
    #[serde(default = "not_observed")]
    pub observed_generation: i64,
    /// Where the subscription is in its life.
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
    /// Until when, for people, where the client is: the last day of the term, such as `2026-12-31`, or, where it does not end
    /// at midnight, the local time with its offset. Absent where never. A grace period comes after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub until: Option<String>,
    /// The plan in force now, by the spec and the amendments that count; before its start the one that it begins with, after its
    /// end the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub plan: Option<String>,
    /// The add-ons in force now, for people: their plans, with the quantity behind one that is there more than once, such as
    /// `extra-seats x 3, storage`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub add_ons: Option<String>,
    /// How many definitions it gives now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entitlement_count: Option<u64>,
    /// The next moment at which this subscription changes by time alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_transition: Option<Transition>,
    /// What the subscription took from elsewhere when it was accepted, and keeps. Back it up: it is restored with the status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<SubscriptionRecord>,
    /// The last stated facet values that were valid, without secrets: definition → facet → field → value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "facets_by_definition")]
    pub facets: Option<BTreeMap<String, FacetFields>>,
    /// The subscription that renews this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub renewed_by: Option<String>,
    /// What is wrong with the facets while `FacetsValid` is False, the first 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "atomic"))]
    pub violations: Vec<SubscriptionViolation>,
    /// What has become of each amendment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub amendments: Vec<AmendmentStatus>,
    /// What it gives now or will give, and what only a `remove` keeps away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2048), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["definition"]))]
    pub entitlements: Vec<EntitlementStatus>,
    /// The entries of the spec's lists that are left out, or about which there is something else to say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["list", "name"]))]
    pub entries: Vec<EntryStatus>,
    /// The renewal notices that were given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub notices: Vec<Notice>,
    /// How many objects the subscription should have in the organization's namespaces, and how many it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<OutputCounts>,
    /// `Accepted`, `FacetsValid`, `Delivered`, `Entitled` and `Ready`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

impl Default for EntitlementSubscriptionStatus {
    fn default() -> Self {
        Self {
            observed_generation: NOT_OBSERVED,
            phase: None,
            start: None,
            end: None,
            until: None,
            plan: None,
            add_ons: None,
            entitlement_count: None,
            next_transition: None,
            accepted: None,
            facets: None,
            renewed_by: None,
            violations: Vec::new(),
            amendments: Vec::new(),
            entitlements: Vec::new(),
            entries: Vec::new(),
            notices: Vec::new(),
            outputs: None,
            conditions: Vec::new(),
        }
    }
}

/// Definition → facet → field → value.
fn facets_by_definition(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "maxProperties": 2048, "additionalProperties": facet_fields(generator) })
}

/// One thing that is wrong with the facets of a definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubscriptionViolation {
    /// The definition that the facet is of.
    #[schemars(length(max = 63))]
    pub definition: String,
    /// What is wrong.
    #[serde(flatten)]
    pub violation: FacetViolation,
}

/// One definition that a subscription gives, will give, or would give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EntitlementStatus {
    /// The definition.
    #[schemars(length(max = 63))]
    pub definition: String,
    /// Whether it gives it now.
    pub entitled: bool,
    /// How much: plain decimal digits, or `Unlimited`. A Feature has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub amount: Option<String>,
    /// Whether only a `remove` keeps it away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
}

/// What there is to say about an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EntryStatus {
    /// The list that it is in.
    pub list: EntryList,
    /// The entry's name; in `configure`, its definition.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Why it is left out, or what is not as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub message: Option<String>,
}
