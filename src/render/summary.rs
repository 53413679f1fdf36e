//! The summary of everything that an organization holds, in the shapes that workloads read.

use super::flags::{FlagCourse, Offers, flags};
use crate::{
    api::{Phase, entitlement_definition::EntitlementType, facet_fields::FacetFields},
    core::{amount::Amount, authority::ApiAuthority, facets::LayerNames, source::SourceId, usage::state::UsageState},
};
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::{collections::BTreeMap, fmt::Write, sync::Arc};
use utoipa::ToSchema;

/// Where the certificate is by whose authority the API is trusted.
const AUTHORITY: &str = "ca.crt";

/// What an organization holds.
#[derive(Clone, Debug)]
pub struct EntitlementSummary {
    /// The organization's name.
    pub organization: String,
    /// The entries by handle, which is the definition's name.
    pub entitlements: BTreeMap<String, Arc<SummaryEntry>>,
    /// What has a flag even where it is not held.
    pub offers: Arc<Offers>,
    /// By which authority the API is trusted, where that is to be told.
    pub authority: ApiAuthority,
}

/// What an organization holds of one definition.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SummaryEntry {
    /// In force right now.
    pub entitled: bool,
    /// The definition's name for people; its handle where it has none.
    pub display_name: String,
    /// `Feature`, `Quantity` or `Credit`.
    #[serde(rename = "type")]
    #[schema(value_type = EntitlementType)]
    pub type_: &'static str,
    /// What is counted; null for a Feature.
    #[schema(required = true)]
    pub unit: Option<String>,
    /// Plain decimal digits or `Unlimited`; `"0"` where not entitled now; null for a Feature.
    #[schema(required = true, value_type = Option<Amount>)]
    pub amount: Option<String>,
    /// The first moment of the unbroken run around now, else of the next one; null where open or where none is to come.
    #[schema(required = true, format = DateTime)]
    pub valid_from: Option<String>,
    /// The first moment after it; null where open.
    #[schema(required = true, format = DateTime)]
    pub valid_until: Option<String>,
    /// The end of the term, without grace, of the grant of that run that lasts longest; where no run is to come, of all that are
    /// held. Null where it never ends.
    #[schema(required = true, format = DateTime)]
    pub end: Option<String>,
    /// Without secret fields.
    #[schema(value_type = BTreeMap<String, Object>)]
    pub facets: FacetFields,
    /// How its use stands, where it is metered and in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub usage: Option<SummaryUsage>,
    /// Where all of it comes from, where the organization is to be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sources: Option<EntrySources>,
    /// How it changes with time, for the flags.
    #[serde(skip)]
    pub course: FlagCourse,
}

/// How the use of a definition stands. It tells no numbers: what is delivered changes with the state, not with each use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SummaryUsage {
    /// In one word.
    pub state: UsageState,
}

/// Where an entry comes from.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct EntrySources {
    /// Each grant in Waiting, Active, Grace or Suspended.
    pub grants: Vec<SummaryGrant>,
    /// Facet → field path → what gave its value.
    pub facets: BTreeMap<String, BTreeMap<String, ValueSource>>,
}

/// A grant that an entry comes from.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Grant)]
pub struct SummaryGrant {
    /// Its source, by the field of its kind: `namespace/name`.
    #[serde(flatten)]
    pub source: SourceId,
    /// Its phase.
    #[serde(serialize_with = "phase")]
    pub phase: Phase,
    /// Its amount; null for a Feature.
    #[schema(required = true, value_type = Option<Amount>)]
    pub amount: Option<String>,
    /// Why it was asked for, where it is an override's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    pub reason: Option<Arc<str>>,
    /// Who approved it, where it is an override's, in the order of their decisions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<Vec<String>>)]
    pub approved_by: Option<Vec<Arc<str>>>,
    /// What it is made of, where it is a subscription's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartSource>,
    /// The entry of the subscription's `remove` that keeps part of it away.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    pub removed_by: Option<Arc<str>>,
}

/// One entry that a subscription's grant is made of.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = Part)]
pub struct PartSource {
    /// `Plan`, `AddOn` or `Add`.
    pub kind: &'static str,
    /// The plan or the add-on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    pub plan: Option<Arc<str>>,
    /// The group in which that has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    pub group: Option<Arc<str>>,
    /// The entry's name in the subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    pub name: Option<Arc<str>>,
    /// How many times it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1)]
    pub quantity: Option<u32>,
    /// How much it gives, all of it; absent for a Feature.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<Amount>)]
    pub amount: Option<String>,
    /// When it begins, where it does not do so with the subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    pub start: Option<String>,
    /// When it ends, where it does not do so with the subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    pub end: Option<String>,
}

/// What gave a value.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ValueSource {
    /// `Default`, `Preset`, `Amendment`, of a subscription `Plan`, `AddOn`, `Configure` or `Add`, or the kind of the source that
    /// states it, such as `Instance`.
    pub layer: &'static str,
    /// The source of the grant that gave it, by the field of its kind.
    #[serde(flatten)]
    pub source: Option<SourceId>,
    /// What of that source it is: its plan, entry or amendment.
    #[serde(flatten)]
    pub names: LayerNames,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn phase<S: Serializer>(phase: &Phase, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(phase.as_str())
}

impl EntitlementSummary {
    /// The data of the summary ConfigMap.
    #[must_use]
    pub fn data(&self) -> BTreeMap<String, String> {
        let files =
            [("entitlements.json", self.json()), ("entitlements.env", self.env()), ("flags.json", self.flags())];
        let authority = match &self.authority {
            ApiAuthority::Known(certificates) => Some((AUTHORITY, certificates.to_string())),
            ApiAuthority::Absent | ApiAuthority::Untold => None,
        };
        files.into_iter().chain(authority).map(|(name, text)| (name.to_owned(), text)).collect()
    }

    /// One handle a line: that is compact, as the object may not grow beyond what the API server takes, and can be searched and
    /// compared line by line.
    fn json(&self) -> String {
        let text = |handle: &str| Value::from(handle).to_string();
        let mut json = format!("{{\"organization\":{},\"entitlements\":{{", text(&self.organization));
        for (index, (handle, entry)) in self.entitlements.iter().enumerate() {
            let separator = if index == 0 { "\n" } else { ",\n" };
            // Plain maps, strings and booleans always have JSON, and a text takes all that is written to it.
            let entry = serde_json::to_string(&**entry).unwrap_or_default();
            let _ = write!(json, "{separator}{}:{entry}", text(handle));
        }
        json.push_str(if self.entitlements.is_empty() { "}}\n" } else { "\n}}\n" });
        json
    }

    /// In one line: they are for a machine.
    fn flags(&self) -> String {
        let held = self.entitlements.iter();
        let held = held.map(|(handle, entry)| (handle.as_str(), entry.amount.is_some(), &entry.course));
        let others = self.offers.iter().filter(|(handle, _)| !self.entitlements.contains_key(&***handle));
        let others = others.map(|(handle, offer)| (&**handle, offer.has_amount, offer.not_held()));
        format!("{}\n", flags(held.chain(others)))
    }

    fn env(&self) -> String {
        self.entitlements.iter().map(|(handle, entry)| entry.variables(&variable(handle))).collect()
    }
}

impl SummaryEntry {
    fn variables(&self, name: &str) -> String {
        let entitled = format!("ENTITLEMENT_{name}={}\n", self.entitled);
        let amount = self.amount.as_ref().map(|amount| format!("ENTITLEMENT_{name}_AMOUNT={amount}\n"));
        entitled + amount.as_deref().unwrap_or_default()
    }
}

/// Handles are DNS labels, so no two give one variable; and none ends in `-amount`.
fn variable(handle: &str) -> String {
    handle.to_ascii_uppercase().replace('-', "_")
}

#[cfg(test)]
mod tests;
