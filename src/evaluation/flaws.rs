//! What is wrong, one by one: a condition says it in one sentence.

use super::{Snapshot, by_definition, facets::Validity, holding::Holding, standing::Standing};
use crate::core::{calendar::Instant, grant::GrantId};
use std::collections::BTreeMap;

/// What is wrong with an organization and with what its grants state.
#[derive(Clone, Debug, Default)]
pub struct Flaws {
    /// With the organization: a condition's reason and message each.
    pub organization: Vec<(&'static str, String)>,
    /// With the facets of grants, each as a sentence that begins with the field.
    pub facets: BTreeMap<GrantId, Vec<String>>,
}

impl Flaws {
    /// All that is wrong at one moment.
    #[must_use]
    pub fn of(snapshot: &Snapshot, now: Instant) -> Self {
        let standing = Standing::of(snapshot);
        let mut facets = BTreeMap::new();
        for (name, indices) in by_definition(snapshot) {
            for member in Holding::of(snapshot, &standing, name, &indices, now).members {
                if let Validity::Invalid(problems) = member.facets.validity {
                    let sentences = problems.into_iter().map(|problem| problem.message).collect();
                    facets.insert(member.grant.id.clone(), sentences);
                }
            }
        }
        Self { organization: standing.troubles, facets }
    }
}
