//! The kind `Organization`.

use super::{ASSIGNMENT_NAMESPACE, Condition, NOT_OBSERVED, Phase, usage::UsageState};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A client that holds entitlements, and the namespaces that its workloads run in.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "entitlements.dev",
    version = "v1alpha1",
    kind = "Organization",
    plural = "organizations",
    shortname = "org",
    category = "entitlements",
    status = "OrganizationStatus",
    derive = "PartialEq",
    doc = "A client that holds entitlements, and the namespaces that its workloads run in.",
    validation = Rule::new("self.metadata.name.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$')")
        .message("the name of an organization is a DNS label: at most 63 lower-case letters, digits and '-', beginning and ending with a letter or digit"),
    printcolumn(name = "Display", type_ = "string", json_path = ".spec.displayName"),
    printcolumn(name = "Active", type_ = "integer", json_path = ".status.instances.Active", description = "entitlements in phase Active"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason", description = "why it is ready, or is not"),
    printcolumn(name = "Next", type_ = "string", json_path = ".status.nextTransition.at", description = "when anything changes by time alone"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Zone", type_ = "string", json_path = ".spec.timeZone", priority = 1)
)]
#[serde(rename_all = "camelCase")]
pub struct OrganizationSpec {
    /// The client's name, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub display_name: Option<String>,
    /// IANA time zone such as `Europe/Berlin`, in which the dates and calendar durations of this organization's
    /// entitlements are reckoned. A grant keeps the zone that it was accepted with.
    #[serde(default = "default_time_zone")]
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: String,
    /// The namespaces (1 to 64) that receive this organization's configuration. `kube-*`, the operator's own and
    /// `entitlements` are refused, as is one in which accepted instances in state Active lie. A namespace belongs to at most
    /// one organization, the one that was made earlier. One that does not exist yet is waited for.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")), extend("x-kubernetes-list-type" = "set"))]
    pub namespaces: Vec<String>,
    /// The namespaces in which an EntitlementInstance may name this organization. Anywhere else it is refused,
    /// so that a tenant can never grant itself something.
    #[serde(default = "default_assignable_from")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")), extend("x-kubernetes-list-type" = "set"))]
    pub assignable_from: Vec<String>,
    /// The namespaces in which an EntitlementUsage may name this organization. Anywhere else it is not counted, so that a tenant
    /// can never report what it used itself.
    #[serde(default = "default_reportable_from")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")), extend("x-kubernetes-list-type" = "set"))]
    pub reportable_from: Vec<String>,
    /// While true every entitlement of the organization is Suspended and its configuration withdrawn.
    #[serde(default)]
    pub suspended: bool,
    /// The summary of what the organization holds, written into each of its namespaces.
    #[serde(default)]
    pub summary: Summary,
}

/// The summary ConfigMap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Name of the summary ConfigMap in each namespace.
    #[serde(default = "default_summary_name")]
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub name: String,
    /// Whether `entitlements.json` says of each value where it comes from: the grants, with their phases and amounts, and for
    /// each facet field the layer and the instance that gave it. That shows your names of grants to the client.
    #[serde(default)]
    pub sources: bool,
    /// Which flags `flags.json` has: those of what the organization holds (`Held`), or also one for every other definition of
    /// the catalogue that is ready, as not held (`All`), for clients whose SDK takes an unknown flag for an error.
    #[serde(default)]
    pub flags: Flags,
    /// Whether the summary has a key `ca.crt`: the certificate (PEM) of the authority by which the operator's API is trusted,
    /// for workloads that ask it. It is absent while the operator serves no API, or with a certificate of somebody else's.
    #[serde(default)]
    pub ca: bool,
}

impl Default for Summary {
    fn default() -> Self {
        Self { name: default_summary_name(), sources: false, flags: Flags::default(), ca: false }
    }
}

/// Of which definitions the summary has flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Flags {
    /// Of those that the organization holds.
    #[default]
    Held,
    /// Of every definition of the catalogue that is ready, too.
    All,
}

fn default_time_zone() -> String {
    "UTC".to_owned()
}

fn default_assignable_from() -> Vec<String> {
    vec![ASSIGNMENT_NAMESPACE.to_owned()]
}

fn default_reportable_from() -> Vec<String> {
    vec![ASSIGNMENT_NAMESPACE.to_owned()]
}

fn default_summary_name() -> String {
    "entitlements".to_owned()
}

/// What the operator has seen and done for the organization.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrganizationStatus {
    /// The `metadata.generation` that this status speaks of; -1 until the operator has seen the object.
    #[serde(default = "not_observed")]
    pub observed_generation: i64,
    /// `Ready`: every namespace is served.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// How many of the organization's instances are in each phase.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub instances: BTreeMap<String, u64>,
    /// How many of the organization's subscriptions are in each phase.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub subscriptions: BTreeMap<String, u64>,
    /// How many of the organization's overrides are in each phase.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub overrides: BTreeMap<String, u64>,
    /// The next moment at which an instance, a subscription or an override of the organization changes by time alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_transition: Option<OrganizationTransition>,
    /// The namespaces in which the organization has objects, or had some that are not withdrawn yet. This is memory: nothing is
    /// ever withdrawn anywhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096), inner(length(min = 1, max = 63)), extend("x-kubernetes-list-type" = "set"))]
    pub namespaces: Option<Vec<String>>,
    /// How the use of each metered definition stands that the organization holds. It is written when a state changes, never for
    /// numbers: the operator's API has these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2048), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["definition"]))]
    pub usage: Vec<MeterStatus>,
}

impl Default for OrganizationStatus {
    fn default() -> Self {
        Self {
            observed_generation: NOT_OBSERVED,
            conditions: Vec::new(),
            instances: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            overrides: BTreeMap::new(),
            next_transition: None,
            namespaces: None,
            usage: Vec::new(),
        }
    }
}

pub(super) fn not_observed() -> i64 {
    NOT_OBSERVED
}

/// How the use of one definition stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeterStatus {
    /// The definition.
    #[schemars(length(max = 63))]
    pub definition: String,
    /// The state, by the first that applies: `Unknown`, `Exceeded`, `Exhausted`, `Overage`, `Warning` or `Ok`.
    pub state: UsageState,
    /// Since when, RFC 3339 in UTC.
    #[schemars(length(max = 64))]
    pub since: String,
    /// When the allotment is new again, RFC 3339 in UTC; absent where never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub resets_at: Option<String>,
}

/// A coming change of one of the organization's instances, subscriptions or overrides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrganizationTransition {
    /// When, RFC 3339 in UTC.
    #[schemars(length(max = 64))]
    pub at: String,
    /// What changes: an `Instance`, a `Subscription` or an `Override`.
    #[serde(default)]
    pub kind: TransitionKind,
    /// `namespace/name` of the instance, where one changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 320))]
    pub instance: Option<String>,
    /// `namespace/name` of the subscription, where one changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 320))]
    pub subscription: Option<String>,
    /// `namespace/name` of the override, where one changes.
    #[serde(default, rename = "override", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 320))]
    pub override_: Option<String>,
    /// Its phase from then on.
    pub phase: Phase,
}

/// What changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TransitionKind {
    /// An EntitlementInstance.
    // A status that was written before there were other kinds has none, and speaks of an instance.
    #[default]
    Instance,
    /// An EntitlementSubscription.
    Subscription,
    /// An EntitlementOverride.
    Override,
}
