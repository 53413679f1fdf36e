//! What is wrong, one by one: a condition says it in one sentence.

use super::decision::Decision;
use crate::core::{grant::GrantId, problem::Problem, schema::Violation};
use std::collections::BTreeMap;

/// What is wrong with an organization and with what its grants state.
#[derive(Clone, Debug, Default)]
pub struct Flaws {
    /// What is wrong with the organization, each with its place in the object.
    pub organization: Vec<Problem>,
    /// With the facets of grants.
    pub facets: BTreeMap<GrantId, Vec<Violation>>,
}

impl Flaws {
    /// All that is wrong.
    #[must_use]
    pub fn of(decision: &Decision) -> Self {
        let invalid = decision.grants().filter_map(|(_, member)| {
            let violations = member.facets.validity.violations();
            (!violations.is_empty()).then(|| (member.grant.id.clone(), violations.to_vec()))
        });
        let organization = decision.standing.problems.iter().chain(&decision.untold).cloned();
        Self { organization: organization.collect(), facets: invalid.collect() }
    }
}
