//! What templates see, except the facets.

use crate::{
    api::entitlement_definition::EntitlementType,
    core::{definition::Definition, source::SourceKind},
};
use serde::Serialize;

/// What templates see. Fields are as the contract names them.
#[derive(Clone, Debug, Hash, Serialize)]
pub struct Names<'a> {
    /// The organization.
    pub organization: DisplayedName<'a>,
    /// The definition.
    pub definition: DefinitionNames<'a>,
    /// The grant, or that which objects are named for that several grants have together; not where an output is for all grants
    /// of a definition that allows several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceNames<'a>>,
    /// That grant's chain; not where that is not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain: Option<ChainNames<'a>>,
    /// All grants in force together.
    pub total: Total,
}

/// A name, and one for people, which is the same where none is given.
#[derive(Clone, Debug, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DisplayedName<'a> {
    /// The object's name.
    pub name: &'a str,
    /// For people.
    pub display_name: &'a str,
}

/// What templates see of the definition.
#[derive(Clone, Debug, Hash, Serialize)]
pub struct DefinitionNames<'a> {
    /// Both names.
    #[serde(flatten)]
    pub named: DisplayedName<'a>,
    /// `Feature`, `Quantity` or `Credit`.
    #[serde(rename = "type")]
    pub type_: &'static str,
    /// What is counted; null for a Feature.
    pub unit: Option<&'a str>,
}

impl<'a> DefinitionNames<'a> {
    /// What templates see of a definition.
    #[must_use]
    pub fn of(definition: &'a Definition) -> Self {
        Self {
            named: DisplayedName {
                name: &definition.name,
                display_name: definition.display_name.as_deref().unwrap_or(&definition.name),
            },
            type_: EntitlementType::as_str(definition.type_),
            unit: definition.unit.as_deref(),
        }
    }
}

/// What templates see of the grant. Its name and namespace are its source's.
#[derive(Clone, Debug, Hash, Serialize)]
pub struct InstanceNames<'a> {
    /// The kind of its source: `Instance`, `Subscription` or `Override`.
    pub kind: SourceKind,
    /// Its name.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its amount now, or that of all grants that the object is for; null for a Feature.
    pub amount: Option<String>,
    /// Its start, RFC 3339 in UTC.
    pub start: String,
    /// Its end, RFC 3339 in UTC; null where never.
    pub end: Option<String>,
}

/// What templates see of the chain.
#[derive(Clone, Debug, Hash, Serialize)]
pub struct ChainNames<'a> {
    /// The name of its first member.
    pub name: &'a str,
}

/// What templates see of all grants in force.
#[derive(Clone, Debug, Hash, Serialize)]
pub struct Total {
    /// All amounts together; null for a Feature.
    pub amount: Option<String>,
}
