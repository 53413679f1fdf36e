//! The kind `EntitlementPlan`.

use super::{
    AmountField, Condition, NOT_OBSERVED,
    entitlement_definition::Rollout,
    facet_fields::FacetFields,
    organization::not_observed,
    schema::{LABEL, duration, durations, facet_fields},
    usage::{ChannelCap, channel_caps},
};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is sold together: a plan, or an add-on to plans.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "entitlements.dev",
    version = "v1alpha1",
    kind = "EntitlementPlan",
    plural = "entitlementplans",
    shortname = "eplan",
    category = "entitlements",
    status = "EntitlementPlanStatus",
    derive = "PartialEq",
    doc = "What is sold together: a plan, or an add-on to plans. An EntitlementSubscription names it.",
    validation = Rule::new("self.metadata.name.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$')")
        .message("the name of a plan is a DNS label: at most 63 lower-case letters, digits and '-', beginning and ending with a letter or digit"),
    selectable = ".spec.type",
    selectable = ".spec.product",
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type"),
    printcolumn(name = "Product", type_ = "string", json_path = ".spec.product"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Subscriptions", type_ = "integer", json_path = ".status.subscriptions.total", description = "subscriptions that have it"),
    printcolumn(name = "Entitlements", type_ = "integer", json_path = ".status.entitlements", description = "how many it gives, with those of the plans that it includes"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(
    validation = Rule::new("self.type == oldSelf.type").message("type is immutable: make a new plan under another name").field_path(".type"),
    validation = Rule::new("self.allowMultiple == oldSelf.allowMultiple").message("allowMultiple is immutable: make a new plan under another name").field_path(".allowMultiple"),
    validation = Rule::new("self.type != 'AddOn' || !has(self.includes) || size(self.includes) == 0").message("an AddOn includes no plans: list its entitlements under groups, or use type Plan").field_path(".includes"),
    validation = Rule::new("self.type != 'AddOn' || !has(self.addOns) || size(self.addOns) == 0").message("an AddOn has no add-ons of its own: name both add-ons in the addOns of the plan").field_path(".addOns"),
    validation = Rule::new("self.type != 'AddOn' || !has(self.term)").message("an AddOn has no term: it goes with its subscription, or by the start and end of its entry there; remove term, or use type Plan").field_path(".term"),
    validation = Rule::new("self.type != 'AddOn' || !has(self.gracePeriod)").message("an AddOn has no grace period but that of its subscription's plan: remove gracePeriod, or use type Plan").field_path(".gracePeriod"),
    validation = Rule::new("self.type != 'AddOn' || !has(self.renewalNotices) || size(self.renewalNotices) == 0").message("an AddOn is renewed with its subscription: remove renewalNotices, or use type Plan").field_path(".renewalNotices"),
    validation = Rule::new("self.type != 'AddOn' || !self.allowMultiple").message("an AddOn may always be added more than once: remove allowMultiple, or use type Plan").field_path(".allowMultiple"),
)]
#[serde(rename_all = "camelCase")]
pub struct EntitlementPlanSpec {
    /// The plan's name, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub display_name: Option<String>,
    /// What a client gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub description: Option<String>,
    /// The product that this is a plan of. An organization has at most one subscription in force to the plans of a product,
    /// unless they allow several; between them it can change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub product: Option<String>,
    /// `Plan`, which is subscribed to, or `AddOn`, which is added to a subscription. Immutable.
    #[serde(default, rename = "type")]
    pub type_: PlanType,
    /// The plans whose entitlements this one has too, such as the tier below: at most 16, of type Plan, and these may include
    /// others, at most 8 deep. Where two have an entry of one definition, the later plan's counts, and this plan's own before
    /// all. For type Plan only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 63), regex(pattern = LABEL)), extend("x-kubernetes-list-type" = "atomic"))]
    pub includes: Vec<String>,
    /// The entitlements, in groups for people. With those of the plans that are included, at most 512 in all, each definition
    /// once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub groups: Vec<PlanGroup>,
    /// The plans of type AddOn that a subscription to this plan may add. It is not inherited by a plan that includes this one,
    /// and an edit counts at once; an add-on that a client has already stays. For type Plan only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 63), regex(pattern = LABEL)), extend("x-kubernetes-list-type" = "set"))]
    pub add_ons: Vec<String>,
    /// ISO 8601 duration such as `P1Y`, which gives a subscription without `end` its end. Absent: perpetual. A subscription
    /// keeps the term that it was accepted with. Years to days are counted in the organization's local time, hours to seconds
    /// are elapsed time. For type Plan only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "duration")]
    pub term: Option<String>,
    /// ISO 8601 duration after the end in which everything stays delivered. Absent: none. A subscription keeps the grace period
    /// that it was accepted with. For type Plan only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "duration")]
    pub grace_period: Option<String>,
    /// ISO 8601 durations before the end at which an event `RenewalDue` is given. Absent: P90D, P60D and P30D; an empty
    /// list: none. For type Plan only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "durations")]
    pub renewal_notices: Option<Vec<String>>,
    /// Whether an organization may have several subscriptions to this plan side by side. For type Plan only. Immutable.
    #[serde(default)]
    pub allow_multiple: bool,
    /// How an edit reaches those who have this plan or add-on. `Agreed`: not at all, until the `agreement` of their
    /// subscription changes; they keep what was agreed. `Everyone`: at once.
    #[serde(default)]
    pub rollout: Rollout,
    /// Whether it is sold no longer: new subscriptions, amendments and add-on entries that name it are refused. Who has it keeps
    /// it, and may renew it.
    #[serde(default)]
    pub retired: bool,
}

/// What a plan is sold as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum PlanType {
    /// It is subscribed to.
    #[default]
    Plan,
    /// It is added to a subscription.
    AddOn,
}

impl PlanType {
    /// The name in manifests.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "Plan",
            Self::AddOn => "AddOn",
        }
    }
}

/// A group of entitlements, for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanGroup {
    /// The group's name in this plan.
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub name: String,
    /// The group's name, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub display_name: Option<String>,
    /// What the group is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub description: Option<String>,
    /// What it gives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["definition"]))]
    pub entitlements: Vec<PlanEntitlement>,
}

/// One definition that a plan gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanEntitlement {
    /// The EntitlementDefinition that is given. One that a plan has twice in its groups makes it not ready.
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub definition: String,
    /// How much: a whole number, a decimal in quotes, or `Unlimited`. Absent: the definition's amount. Of an AddOn it is what
    /// one unit of `quantity` adds. A Feature has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<AmountField>,
    /// How much of it can be used in each way, for a definition that has `channels`: at most 32. Absent: what the definition says. Of an
    /// AddOn it is what one unit of `quantity` adds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "channel_caps")]
    pub channels: Vec<ChannelCap>,
    /// What the plan sets the definition's facets to: facet name → field → value, over the definition's presets. No secret
    /// fields.
    #[serde(default, skip_serializing_if = "FacetFields::is_empty")]
    #[schemars(schema_with = "facet_fields")]
    pub facets: FacetFields,
}

/// What the operator has made of the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntitlementPlanStatus {
    /// The `metadata.generation` that this status speaks of; -1 until the operator has seen the object.
    #[serde(default = "not_observed")]
    pub observed_generation: i64,
    /// `Ready`: the plan can be sold as it is written. Where it is False, the last valid revision serves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// How many subscriptions have it.
    #[serde(default)]
    pub subscriptions: PlanSubscriptions,
    /// The name of the ControllerRevision that serves: the last valid state of this plan, with all that it includes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub revision: Option<String>,
    /// How many definitions it gives, with those of the plans that it includes.
    #[serde(default)]
    pub entitlements: u64,
}

impl Default for EntitlementPlanStatus {
    fn default() -> Self {
        Self {
            observed_generation: NOT_OBSERVED,
            conditions: Vec::new(),
            subscriptions: PlanSubscriptions::default(),
            revision: None,
            entitlements: 0,
        }
    }
}

/// Numbers of subscriptions that have a plan, or an add-on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanSubscriptions {
    /// All that name it.
    #[serde(default)]
    pub total: u64,
    /// Those in force: Active or Grace.
    #[serde(default)]
    pub active: u64,
}
