//! What is held of a definition right now, in the shapes in which it is told.

use super::holding::{Holding, Member};
use crate::{
    api::facet_fields::FacetFields,
    core::{
        calendar::{Bound, Instant, format_instant},
        facets::Statement,
        precedence::Merged,
    },
};

/// All facets in force merged, with the members that have a part in them.
pub type MergedMembers<'a> = (Merged, Vec<(&'a Member, &'a Statement)>);

/// What is held of a definition right now.
#[derive(Clone, Debug, PartialEq)]
pub struct PresentRight {
    /// In force.
    pub entitled: bool,
    /// `Feature`, `Quantity` or `Credit`; none where no definition is known.
    pub type_: Option<&'static str>,
    /// What is counted; none for a Feature.
    pub unit: Option<String>,
    /// All amounts in force together, as plain decimal digits or `Unlimited`; none for a Feature.
    pub amount: Option<String>,
    /// The first moment of the run of time in force that is spoken of; none where it is open, or there is no run.
    pub valid_from: Option<String>,
    /// The first moment after it; none where it is open.
    pub valid_until: Option<String>,
    /// Without secret fields.
    pub facets: FacetFields,
}

impl PresentRight {
    /// What a holding comes to, of which that is a run of time in force.
    #[must_use]
    pub fn of(holding: &Holding, merged: Option<&MergedMembers>, run: Option<(Instant, Bound)>) -> Self {
        let definition = holding.definition();
        Self {
            entitled: !holding.in_force.is_empty(),
            type_: definition.map(|definition| definition.type_.as_str()),
            unit: definition.and_then(|definition| definition.unit.clone()),
            amount: holding.total().map(|amount| amount.to_string()),
            valid_from: run.map(|(start, _)| format_instant(start)),
            valid_until: run.and_then(|(_, end)| end.at()).map(format_instant),
            facets: merged.map(|(merged, _)| merged.values.clone()).unwrap_or_default(),
        }
    }
}
