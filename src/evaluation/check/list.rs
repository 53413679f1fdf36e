//! All that an organization holds: the summary's entries, with how much of each is used.

use super::CheckedUsage;
use crate::{
    core::calendar::format_instant,
    evaluation::{decision::Decision, memo::Memo, summary::summary},
    render::summary::SummaryEntry,
};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};
use utoipa::ToSchema;

/// All that an organization holds.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct EntitlementList {
    /// The organization's name.
    pub organization: String,
    /// The entries by handle, which is the definition's name.
    pub entitlements: BTreeMap<String, ListedEntitlement>,
    /// The moment that this is of.
    #[schema(format = DateTime)]
    pub at: String,
}

/// An entry of the summary, which tells of use in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = Entitlement)]
pub struct ListedEntitlement {
    /// What the summary says of it, but for its use.
    #[serde(flatten)]
    pub entry: SummaryEntry,
    /// How its use stands, where it is metered and in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub usage: Option<CheckedUsage>,
}

impl EntitlementList {
    /// What is held at the moment of a decision. What an earlier list or summary found out is taken from the memo.
    #[must_use]
    pub fn of(decision: &Decision, memo: &mut Memo) -> Self {
        let told = summary(decision, memo);
        let entry = |(handle, entry): (String, Arc<SummaryEntry>)| {
            let meter = decision.meters.get(handle.as_str());
            let usage = meter.and_then(|meter| CheckedUsage::of(meter, None));
            let entry = SummaryEntry { usage: None, ..SummaryEntry::clone(&entry) };
            (handle, ListedEntitlement { entry, usage })
        };
        Self {
            organization: told.organization,
            entitlements: told.entitlements.into_iter().map(entry).collect(),
            at: format_instant(decision.at),
        }
    }
}
