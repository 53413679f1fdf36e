//! The kind `EntitlementDefinition`.

use super::{
    AmountField, Condition, NOT_OBSERVED,
    facet_definition::any_object,
    organization::not_observed,
    schema::{duration, durations},
    usage::{UsageMode, UsageSpec},
};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, sync::Arc};
use utoipa::ToSchema;

/// One entry of the service catalogue: a template for what can be granted.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "entitlements.dev",
    version = "v1alpha1",
    kind = "EntitlementDefinition",
    plural = "entitlementdefinitions",
    shortname = "edef",
    category = "entitlements",
    status = "EntitlementDefinitionStatus",
    derive = "PartialEq",
    doc = "One entry of the service catalogue: a template for what can be granted. Its name is the handle that applications check.",
    validation = Rule::new("self.metadata.name.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$') && !self.metadata.name.endsWith('-amount')")
        .message("the name of a definition is a DNS label (at most 63 lower-case letters, digits and '-') that does not end in '-amount'"),
    validation = Rule::new("!has(self.spec.usage) || has(oldSelf.spec.usage) || !has(oldSelf.status) || !has(oldSelf.status.metered) || self.spec.usage.mode == oldSelf.status.metered.mode").message(Message::Expression("'it was metered as ' + oldSelf.status.metered.mode + ' before, and mode is immutable: make a new definition under another name, or meter it as before'".to_owned())).field_path(".spec.usage"),
    validation = Rule::new("!has(self.spec.usage) || has(oldSelf.spec.usage) || !has(oldSelf.status) || !has(oldSelf.status.metered) || has(self.spec.usage.period) == oldSelf.status.metered.periodic").message(Message::Expression("'it was metered ' + (oldSelf.status.metered.periodic ? 'with' : 'without') + ' a period before, and whether there is one is immutable: make a new definition under another name, or meter it as before'".to_owned())).field_path(".spec.usage"),
    validation = Rule::new("!has(self.spec.usage) || has(oldSelf.spec.usage) || !has(oldSelf.status) || !has(oldSelf.status.metered) || self.spec.aggregation == oldSelf.status.metered.aggregation").message(Message::Expression("'it was metered with aggregation ' + oldSelf.status.metered.aggregation + ' before, and aggregation is immutable once it is metered: make a new definition under another name, or meter it as before'".to_owned())).field_path(".spec.aggregation"),
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type"),
    printcolumn(name = "Amount", type_ = "string", json_path = ".spec.amount"),
    printcolumn(name = "Unit", type_ = "string", json_path = ".spec.unit"),
    printcolumn(name = "Term", type_ = "string", json_path = ".spec.term"),
    printcolumn(name = "Active", type_ = "integer", json_path = ".status.instances.active", description = "grants in force"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason", description = "why it is ready, or is not"),
    printcolumn(name = "Metered", type_ = "string", json_path = ".status.conditions[?(@.type==\"Metered\")].status", description = "whether what is used of it is counted; empty where it is not metered"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Invalid", type_ = "integer", json_path = ".status.instances.invalid", description = "grants whose facets are not valid", priority = 1),
    printcolumn(name = "Category", type_ = "string", json_path = ".spec.category", priority = 1)
)]
#[x_kube(
    validation = Rule::new("self.type == oldSelf.type").message("type is immutable: make a new definition under another name").field_path(".type"),
    validation = Rule::new("has(self.unit) == has(oldSelf.unit) && (!has(self.unit) || self.unit == oldSelf.unit)").message("unit is immutable: make a new definition under another name").field_path(".unit"),
    validation = Rule::new("self.allowMultiple == oldSelf.allowMultiple").message("allowMultiple is immutable: make a new definition under another name").field_path(".allowMultiple"),
    validation = Rule::new("self.type != 'Feature' || !has(self.amount)").message("a Feature is on or off and has no amount: remove amount, or use type Quantity or Credit"),
    validation = Rule::new("self.type != 'Feature' || !has(self.unit)").message("a Feature is on or off and has no unit: remove unit, or use type Quantity or Credit"),
    validation = Rule::new("self.type == 'Feature' || has(self.amount)").message("a Quantity or Credit needs amount, the default allotment: a whole number, a decimal in quotes, or Unlimited"),
    validation = Rule::new("self.type != 'Feature' || !has(self.usage)").message("a Feature is on or off and is not metered: remove usage, or use type Quantity or Credit"),
    validation = Rule::new("!has(self.usage) || !has(oldSelf.usage) || self.aggregation == oldSelf.aggregation").message("aggregation is immutable once it is metered: make a new definition under another name").field_path(".aggregation"),
    validation = Rule::new("self.type == 'Feature' || has(self.unit)").message("a Quantity or Credit needs unit, the thing that is counted, such as seats or hours"),
)]
#[serde(rename_all = "camelCase")]
pub struct EntitlementDefinitionSpec {
    /// The service's name, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub display_name: Option<String>,
    /// What a client gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub description: Option<String>,
    /// The product that this is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub product: Option<String>,
    /// Slash path in the catalogue, such as `support/premium`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = r"^[^/\s]([^/]*[^/\s])?(/[^/\s]([^/]*[^/\s])?)*$"))]
    pub category: Option<String>,
    /// `Feature` (on or off), `Quantity` (a count of `unit`) or `Credit` (an amount of a non-cash `unit`). Immutable.
    #[serde(rename = "type")]
    pub type_: EntitlementType,
    /// What is counted, such as `seats` or `hours`. Required for Quantity and Credit, refused for Feature. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub unit: Option<String>,
    /// The default allotment: a whole number, a decimal in quotes such as `"2.5"` (at most 15 digits before and 9 behind
    /// the point), or `Unlimited`. Required for Quantity and Credit, refused for Feature. A grant that states none keeps the
    /// amount that it was accepted with, unless `rollout` is `Everyone`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<AmountField>,
    /// Whether an organization may hold several of these side by side, each with objects of its own. Without it, there is one
    /// instance at a time; what subscriptions and overrides give adds up with it, and all have one object together. Immutable.
    #[serde(default)]
    pub allow_multiple: bool,
    /// How an edit of `amount` reaches the grants that state none. `Agreed`: those that are accepted later; the others keep
    /// the amount that they were accepted with. `Everyone`: all of them, at once.
    // The default is not written, so that a revision that was kept before there was this field is that of the same definition.
    #[serde(default, skip_serializing_if = "Rollout::is_agreed")]
    #[schemars(extend("default" = "Agreed"))]
    pub rollout: Rollout,
    /// What exceptions of this (EntitlementOverrides) need: how many people have to approve one, and how long one is at most.
    #[serde(default, skip_serializing_if = "OverrideRules::is_default")]
    #[schemars(extend("default" = { "approvals": 1, "expiresAfter": "P14D", "maxTerm": "P30D", "refused": false }))]
    pub overrides: OverrideRules,
    /// How the use of this is metered: of a Quantity or Credit. Absent: it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageSpec>,
    /// How the amounts of several grants in force add up. `Unlimited` always wins.
    #[serde(default)]
    pub aggregation: Aggregation,
    /// ISO 8601 duration such as `P1Y`, which gives a grant without `end` its end. Absent: perpetual. A grant keeps the
    /// term that it was accepted with. Years to days are counted in the organization's local time, hours to seconds are elapsed
    /// time; a part of zero counts for nothing, so `P0DT5H` is `PT5H`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "duration")]
    pub term: Option<String>,
    /// ISO 8601 duration after the end in which the configuration stays delivered. Absent: none. A grant keeps the
    /// grace period that it was accepted with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "duration")]
    pub grace_period: Option<String>,
    /// ISO 8601 durations before the end at which an event `RenewalDue` is given. One that would lie before
    /// the grant's own start is not given.
    #[serde(default = "default_renewal_notices")]
    #[schemars(schema_with = "durations")]
    pub renewal_notices: Vec<String>,
    /// The typed configuration that comes with a grant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub facets: Vec<Facet>,
    /// What is written into the organization's namespaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub outputs: Vec<Output>,
}

/// When an event `RenewalDue` is given where nothing else is said.
#[must_use]
pub fn default_renewal_notices() -> Vec<String> {
    ["P90D", "P60D", "P30D"].map(str::to_owned).to_vec()
}

/// What overrides of a definition need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct OverrideRules {
    /// How many people, other than who asks, have to approve: 0 to 5. What a service account asks for needs one more, unless none
    /// is needed.
    #[schemars(range(min = 0, max = 5))]
    pub approvals: u32,
    /// How long an override is at most, from its `start`, else from when it was made: an ISO 8601 duration.
    #[schemars(schema_with = "duration")]
    pub max_term: String,
    /// How long after it was made an override can be approved: an ISO 8601 duration.
    #[schemars(schema_with = "duration")]
    pub expires_after: String,
    /// There are no overrides of this. Those that were approved go on.
    pub refused: bool,
}

impl Default for OverrideRules {
    fn default() -> Self {
        Self { approvals: 1, max_term: "P30D".to_owned(), expires_after: "P14D".to_owned(), refused: false }
    }
}

impl OverrideRules {
    // The default is not written, so that a revision that was kept before there was this field is that of the same definition.
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What kind of thing is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[schema(as = Type)]
pub enum EntitlementType {
    /// On or off.
    Feature,
    /// A count of the definition's unit.
    Quantity,
    /// An amount of a non-cash unit.
    Credit,
}

impl EntitlementType {
    /// The name in manifests and in what is delivered.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Feature => "Feature",
            Self::Quantity => "Quantity",
            Self::Credit => "Credit",
        }
    }
}

/// How an edit of the catalogue reaches the grants of before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Rollout {
    /// Not at all, only those that are accepted later: what was agreed stays agreed.
    #[default]
    Agreed,
    /// All of them, at once.
    Everyone,
}

impl Rollout {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    fn is_agreed(&self) -> bool {
        *self == Self::Agreed
    }
}

/// How the amounts of several grants in force add up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Aggregation {
    /// All together.
    #[default]
    Sum,
    /// The largest.
    Max,
}

/// A set of typed fields that a definition has.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("has(self.definition) != has(self.schema)").message("a facet has exactly one of definition (the name of a FacetDefinition) and schema (an inline JSON Schema)"))]
#[serde(rename_all = "camelCase")]
pub struct Facet {
    /// The facet's name in this definition.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// The name of a FacetDefinition. Exactly one of `definition` and `schema` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"))]
    pub definition: Option<String>,
    /// An inline JSON Schema (2020-12) with `type: object` at its root, by the rules of a FacetDefinition's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub schema: Option<Arc<Value>>,
    /// Presets: what this definition sets the fields to, over the schema's defaults. No secret fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub values: Option<Map<String, Value>>,
}

/// The kind of object that an output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum OutputKind {
    /// Never holds a secret field.
    ConfigMap,
    /// May hold secret fields.
    Secret,
}

impl OutputKind {
    /// The Kubernetes kind.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }
}

/// What an output is made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Per {
    /// One object for each grant in force, with that grant's own facets and amount.
    #[default]
    Instance,
    /// One object for all grants in force, with the merged facets.
    Definition,
}

/// What becomes of an output when its grant is withdrawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnEnd {
    /// It is deleted.
    #[default]
    Delete,
    /// It is kept as it is, labelled `entitlements.dev/in-force: "false"`, and yields to any grant that asks for its name.
    /// It goes with the organization.
    Retain,
}

/// One object that is written into each of the organization's namespaces.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("!has(self.type) || self.kind == 'Secret'").message("type is that of a Secret: remove it, or use kind Secret"),
    validation = Rule::new("!has(self.type) || !(self.type in ['kubernetes.io/service-account-token', 'bootstrap.kubernetes.io/token'])").message("Secrets of this type give access to the cluster: use another type"),
)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// The output's name in this definition.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// `ConfigMap` or `Secret`. Secret fields reach Secrets only.
    pub kind: OutputKind,
    /// The Secret's type, for kind Secret only. Default: `Opaque`. What Kubernetes demands of a type is checked before the
    /// Secret is written: `kubernetes.io/dockerconfigjson` needs an item of key `.dockerconfigjson` with a JSON object,
    /// `kubernetes.io/tls` the keys `tls.crt` and `tls.key`, `kubernetes.io/basic-auth` `username` or `password`,
    /// `kubernetes.io/ssh-auth` `ssh-privatekey`. As no Secret can change its type, another one here deletes each Secret
    /// and makes it anew at once.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[!-~]+$"))]
    pub type_: Option<String>,
    /// `Instance`: one object for each grant in force. `Definition`: one for all, with the merged facets. Without
    /// `allowMultiple` there is one for all in either case.
    #[serde(default)]
    pub per: Per,
    /// Template of the object's name. Default: `{{ definition.name }}` (with `allowMultiple` and per Instance:
    /// `{{ definition.name }}-{{ chain.name }}`), with `-{{ output.name }}` behind it where there are several outputs. Where each
    /// grant has its own, the default ends in `-subscription` for that of a subscription, in `-override` for that of an override.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub object_name: Option<String>,
    /// What the object holds.
    #[schemars(length(min = 1, max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub items: Vec<Item>,
    /// Extra labels of the object.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "labels")]
    pub labels: BTreeMap<String, String>,
    /// Extra annotations of the object, such as the one that a reloader watches for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "annotations")]
    pub annotations: BTreeMap<String, String>,
    /// `Delete`: the object goes with the grant. `Retain`: it is kept as it was last, labelled
    /// `entitlements.dev/in-force: "false"`, until the organization is deleted or a grant in force asks for its name.
    #[serde(default)]
    pub on_end: OnEnd,
}

const RESERVED_RULE: &str =
    "self.all(key, !key.matches('^([^/]*[.])?(entitlements[.]dev|kubernetes[.]io|argocd[.]argoproj[.]io)/'))";
const RESERVED_MESSAGE: &str = "keys under entitlements.dev, kubernetes.io and argocd.argoproj.io are the operator's or other tools' own: use a prefix of yours";

fn labels(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": { "type": "string", "maxLength": 63, "pattern": r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$" },
        "x-kubernetes-validations": [{ "rule": RESERVED_RULE, "message": RESERVED_MESSAGE }],
    })
}

fn annotations(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": { "type": "string", "maxLength": 4096 },
        "x-kubernetes-validations": [{ "rule": RESERVED_RULE, "message": RESERVED_MESSAGE }],
    })
}

/// A format that facets can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ItemFormat {
    /// `NAME=value` lines, for dotenv libraries and `sh`.
    Env,
    /// One JSON object whose keys are the facet names.
    Json,
    /// One YAML object whose keys are the facet names.
    Yaml,
    /// One TOML document whose keys are the facet names.
    Toml,
    /// `facet.field=value` lines.
    Properties,
    /// Each field becomes a data key of its own, for `envFrom`.
    Keys,
}

/// A part of what an output holds.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("has(self.format) != has(self.template)").message("an item has exactly one of format and template"),
    validation = Rule::new("has(self.format) && self.format == 'Keys' ? !has(self.key) : has(self.key)").message("an item needs key, the data key that it fills; only format Keys, which makes a key of each field, has none"),
    validation = Rule::new("!has(self.facets) || has(self.format)").message("facets chooses what a format writes; a template names its fields itself"),
)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// The data key that is filled, such as `backup.env`. Not with format `Keys`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: Option<String>,
    /// A format of the facets. Exactly one of `format` and `template` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<ItemFormat>,
    /// The facets that the format writes. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 63)), extend("x-kubernetes-list-type" = "set"))]
    pub facets: Option<Vec<String>>,
    /// A minijinja template of the value. It sees `organization`, `definition`, `instance`, `chain`, `total`, `facets`
    /// and `output`; an unknown name is an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65536))]
    pub template: Option<String>,
}

/// What the operator has made of the definition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntitlementDefinitionStatus {
    /// The `metadata.generation` that this status speaks of; -1 until the operator has seen the object.
    #[serde(default = "not_observed")]
    pub observed_generation: i64,
    /// `Ready`: the definition can be granted as it is written. `FacetsValid`, where it has facets: all grants of it that are
    /// held state facets that are valid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// How many grants there are.
    #[serde(default)]
    pub instances: InstanceCounts,
    /// The name of the ControllerRevision that serves: the last valid state of this definition and its facets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub revision: Option<String>,
    /// How it was metered when something was first counted of it. That stays, even if `usage` is taken out and written anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metered: Option<MeteredRecord>,
}

/// What never changes of a definition of which something was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeteredRecord {
    /// `usage.mode`.
    pub mode: UsageMode,
    /// Whether it has a `usage.period`.
    pub periodic: bool,
    /// `aggregation`.
    pub aggregation: Aggregation,
}

impl Default for EntitlementDefinitionStatus {
    fn default() -> Self {
        Self {
            observed_generation: NOT_OBSERVED,
            conditions: Vec::new(),
            instances: InstanceCounts::default(),
            revision: None,
            metered: None,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Numbers of grants of a definition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceCounts {
    /// All that name the definition.
    #[serde(default)]
    pub total: u64,
    /// Those in force: Active or Grace.
    #[serde(default)]
    pub active: u64,
    /// Those that are held (Waiting, Active, Grace or Suspended) and state facets that are not valid.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub invalid: u64,
}
