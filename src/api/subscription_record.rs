//! The record of what was agreed, which the status of a subscription holds.

use super::{AmountField, accepted_record::AcceptedRecord};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a subscription took from elsewhere when it was accepted, and when its entries were first usable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionRecord {
    /// What every source of grants takes.
    #[serde(flatten)]
    pub acceptance: AcceptedRecord,
    /// The line that it has a seat in: the plan's product, or the plan's name where it has none. Absent for a plan with
    /// `allowMultiple`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub line: Option<String>,
    /// The revision of each plan and add-on that was agreed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["plan"]))]
    pub plans: Vec<PlanRecord>,
    /// The entries that were usable, as they were then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["list", "name"]))]
    pub entries: Vec<EntryRecord>,
    /// The spec's plan that this record belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub plan: Option<String>,
    /// The spec's agreement that this record belongs to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 256))]
    pub agreement: String,
}

/// The revision of a plan that was agreed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct PlanRecord {
    /// The plan.
    #[schemars(length(max = 63))]
    pub plan: String,
    /// The name of its ControllerRevision.
    #[schemars(length(max = 253))]
    pub revision: String,
}

/// An entry that was usable, as it was then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntryRecord {
    /// The list that it is in.
    pub list: EntryList,
    /// The entry's name.
    #[schemars(length(max = 63))]
    pub name: String,
    /// The plan of an add-on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub plan: Option<String>,
    /// The definition of anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub definition: Option<String>,
    /// The quantity of an add-on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub quantity: Option<u32>,
    /// The amount that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<AmountField>,
    /// From when on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub start: Option<String>,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub end: Option<String>,
}

/// One of the spec's lists of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum EntryList {
    /// `spec.addOns`.
    AddOns,
    /// `spec.add`.
    Add,
    /// `spec.remove`.
    Remove,
    /// `spec.configure`.
    Configure,
}

impl EntryList {
    /// The name in manifests.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AddOns => "addOns",
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Configure => "configure",
        }
    }
}
