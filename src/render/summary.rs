//! The summary of all that an organization holds, in the shapes that workloads read.

use super::flags::{Course, flags};
use crate::api::{Phase, entitlement_instance::FacetFields};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// What an organization holds.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The organization's name.
    pub organization: String,
    /// By handle, which is the definition's name.
    pub entitlements: BTreeMap<String, Entry>,
}

/// What an organization holds of one definition.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// In force right now.
    pub entitled: bool,
    /// `Feature`, `Quantity` or `Credit`.
    #[serde(rename = "type")]
    pub type_: &'static str,
    /// What is counted; null for a Feature.
    pub unit: Option<String>,
    /// Plain decimal digits or `Unlimited`; `"0"` where not entitled now; null for a Feature.
    pub amount: Option<String>,
    /// The first moment of the unbroken run around now, else of the next one; null where open or where none is to come.
    pub valid_from: Option<String>,
    /// The first moment after it; null where open.
    pub valid_until: Option<String>,
    /// Without secret fields.
    pub facets: FacetFields,
    /// Where all of it comes from.
    pub sources: Sources,
    /// How it changes with time, for the flags.
    #[serde(skip)]
    pub course: Course,
}

/// Where an entry comes from.
#[derive(Clone, Debug, Serialize)]
pub struct Sources {
    /// Each grant in Waiting, Active, Grace or Suspended.
    pub grants: Vec<GrantSource>,
    /// Facet → field path → what gave its value.
    pub facets: BTreeMap<String, BTreeMap<String, ValueSource>>,
}

/// A grant that an entry comes from.
#[derive(Clone, Debug, Serialize)]
pub struct GrantSource {
    /// `namespace/name`
    pub instance: String,
    /// Its phase.
    #[serde(serialize_with = "phase")]
    pub phase: Phase,
    /// Its amount; null for a Feature.
    pub amount: Option<String>,
}

/// What gave a value.
#[derive(Clone, Debug, Serialize)]
pub struct ValueSource {
    /// `Default`, `Preset`, `Instance` or `Amendment`.
    pub layer: &'static str,
    /// `namespace/name` of the instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The amendment's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amendment: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn phase<S: Serializer>(phase: &Phase, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(phase.as_str())
}

impl Summary {
    /// The data of the summary ConfigMap.
    #[must_use]
    pub fn data(&self) -> BTreeMap<String, String> {
        let files =
            [("entitlements.json", self.json()), ("entitlements.env", self.env()), ("flags.json", self.flags())];
        files.map(|(name, text)| (name.to_owned(), text)).into()
    }

    fn json(&self) -> String {
        // Plain maps, strings and booleans always have JSON; an empty text would be seen at once.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// In one line: they are for a machine, and the object may not grow beyond what the API server takes.
    fn flags(&self) -> String {
        let entitlements = self.entitlements.iter();
        let flags = flags(entitlements.map(|(handle, entry)| (handle.as_str(), entry.amount.is_some(), &entry.course)));
        format!("{flags}\n")
    }

    fn env(&self) -> String {
        self.entitlements.iter().map(|(handle, entry)| entry.variables(&variable(handle))).collect()
    }
}

impl Entry {
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
mod tests {
    use super::{Entry, Sources, Summary, variable};
    use crate::render::flags::Course;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn entry(amount: Option<&str>) -> Entry {
        Entry {
            entitled: true,
            type_: "Quantity",
            unit: None,
            amount: amount.map(str::to_owned),
            valid_from: None,
            valid_until: None,
            facets: BTreeMap::new(),
            sources: Sources { grants: Vec::new(), facets: BTreeMap::new() },
            course: Course::default(),
        }
    }

    fn names(handle: &str) -> BTreeSet<String> {
        let variables = entry(Some("1")).variables(&variable(handle));
        variables.lines().map(|line| line.split_once('=').unwrap().0.to_owned()).collect()
    }

    #[test]
    fn a_variable_is_the_handle_in_upper_case() {
        let entitlements = [("4k-streaming", None), ("max--members", Some("2.5")), ("x", Some("Unlimited"))];
        let entitlements = entitlements.map(|(handle, amount)| (handle.to_owned(), entry(amount))).into();
        let data = Summary { organization: "acme".to_owned(), entitlements }.data();
        let expected = "ENTITLEMENT_4K_STREAMING=true\nENTITLEMENT_MAX__MEMBERS=true\nENTITLEMENT_MAX__MEMBERS_AMOUNT=2.5\nENTITLEMENT_X=true\nENTITLEMENT_X_AMOUNT=Unlimited\n";
        assert_eq!(data["entitlements.env"], expected);
        assert_eq!(data.keys().collect::<Vec<_>>(), ["entitlements.env", "entitlements.json", "flags.json"]);
    }

    proptest! {
        #[test]
        fn no_two_handles_give_one_variable(
            one in "[a4]([-a4]{0,4}[a4])?(-amount-[a4]|amount)?",
            other in "[a4]([-a4]{0,4}[a4])?(-amount-[a4]|amount)?",
        ) {
            prop_assume!(one != other);
            prop_assert!(names(&one).is_disjoint(&names(&other)));
            for name in names(&one) {
                prop_assert!(name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_'));
            }
        }
    }
}
