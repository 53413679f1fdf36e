//! What is wrong, one by one: a condition says it in one sentence.

use super::{Snapshot, by_definition, facets::Validity, holding::Holding, standing::Standing, summary};
use crate::core::{calendar::Instant, grant::GrantId, schema::Violation};
use std::collections::BTreeMap;

/// What is wrong with an organization and with what its grants state.
#[derive(Clone, Debug, Default)]
pub struct Flaws {
    /// What is wrong with the organization: a condition's reason and message each.
    pub organization: Vec<(&'static str, String)>,
    /// With the facets of grants.
    pub facets: BTreeMap<GrantId, Vec<Violation>>,
}

impl Flaws {
    /// All that is wrong at one moment.
    #[must_use]
    pub fn of(snapshot: &Snapshot, now: Instant) -> Self {
        let standing = Standing::of(snapshot);
        let mut facets = BTreeMap::new();
        let holdings: Vec<Holding> = by_definition(snapshot)
            .into_iter()
            .map(|(name, indices)| Holding::of(snapshot, &standing, name, &indices, now))
            .collect();
        for member in holdings.iter().flat_map(|holding| &holding.members) {
            if let Validity::Invalid(violations) = &member.facets.validity {
                facets.insert(member.grant.id.clone(), violations.clone());
            }
        }
        let untold = summary::untold(&standing, &holdings);
        Self { organization: standing.troubles.iter().cloned().chain(untold).collect(), facets }
    }
}
