//! What the statuses of the catalogue say of its grants: whether these state what is valid.

use crate::{
    api::{EntitlementDefinitionSpec, Phase, conditions::FACETS_VALID, entitlement_definition::InstanceCounts},
    core::{reason::ReasonCode, source::SourceId},
    evaluation::{conditions::Conditions, holding::is_held},
};
use std::{collections::BTreeSet, sync::Arc};

/// What one grant counts for in the statuses of the catalogue, by its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrantCount {
    /// Whether it is in force.
    pub is_in_force: bool,
    /// The facets of which it states what is not valid, while it is held.
    pub invalid: BTreeSet<Arc<str>>,
}

impl GrantCount {
    /// By the phase of a grant, and by the facets of which it states what is not valid, as far as its status lists them.
    #[must_use]
    pub fn of<'a>(phase: Option<Phase>, violated: impl Iterator<Item = &'a str>) -> Self {
        let Some(phase) = phase else { return Self::default() };
        let invalid = violated.filter(|_| is_held(phase)).map(Arc::from).collect();
        Self { is_in_force: phase.is_in_force(), invalid }
    }

    /// Counts it among the grants of its definition.
    pub fn add_to(&self, counts: &mut InstanceCounts) {
        counts.total += 1;
        counts.active += u64::from(self.is_in_force);
        counts.invalid += u64::from(!self.invalid.is_empty());
    }
}

/// Whether what a definition calls by that name is a facet of that FacetDefinition.
#[must_use]
pub fn is_facet_of(spec: &EntitlementDefinitionSpec, name: &str, facet_definition: &str) -> bool {
    spec.facets.iter().any(|facet| facet.name == name && facet.definition.as_deref() == Some(facet_definition))
}

/// The FacetDefinitions of which a grant states what is not valid, by the facets of which it does.
#[must_use]
pub fn violated<'a>(spec: &'a EntitlementDefinitionSpec, invalid: &BTreeSet<Arc<str>>) -> BTreeSet<&'a str> {
    let named = spec.facets.iter().filter_map(|facet| facet.definition.as_deref());
    named.filter(|definition| invalid.iter().any(|name| is_facet_of(spec, name, definition))).collect()
}

/// Grants that are held and state facets that are not valid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvalidGrants {
    /// How many there are.
    pub count: u64,
    /// The first of them, as many as a message names.
    named: Vec<SourceId>,
}

impl InvalidGrants {
    /// Grants that a message names.
    pub const MAX_NAMED: usize = 3;

    /// That many grants, the first of which are these.
    pub fn counted<'a>(count: u64, sources: impl Iterator<Item = &'a SourceId>) -> Self {
        Self { count, named: sources.take(Self::MAX_NAMED).cloned().collect() }
    }

    /// One more; those that come first are named.
    pub fn add(&mut self, source: &SourceId) {
        self.add_all(1, std::iter::once(source));
    }

    /// That many more, the first of which are these.
    pub fn add_all<'a>(&mut self, count: u64, sources: impl Iterator<Item = &'a SourceId>) {
        self.count += count;
        let room = Self::MAX_NAMED.saturating_sub(self.named.len());
        self.named.extend(sources.take(room).cloned());
    }

    fn names(&self) -> String {
        let mut names: Vec<String> = self.named.iter().map(ToString::to_string).collect();
        if self.count > self.named.len() as u64 {
            names.push("…".to_owned());
        }
        names.join(", ")
    }
}

/// What is known of the grants that the catalogue's objects serve.
#[derive(Clone, Copy, Debug)]
pub enum KnownGrants<'a> {
    /// All of them.
    Counted(&'a InvalidGrants),
    /// Many are changing: what was said of them before stays for the moment.
    Unsettled,
}

pub(super) fn facets_valid(conditions: &mut Conditions, grants: KnownGrants) {
    match grants {
        KnownGrants::Unsettled => conditions.keep(FACETS_VALID),
        KnownGrants::Counted(invalid) if invalid.count == 0 => {
            conditions.set(FACETS_VALID, true, ReasonCode::Valid, "what the grants that are held state can be used");
        }
        KnownGrants::Counted(invalid) => {
            let states = if invalid.count == 1 { "grant that is held states" } else { "grants that are held state" };
            let message = format!(
                "{} {states} what is not valid ({}); nothing is taken away, what was valid goes on: mend what is wrong, which stands in status.violations of each, or the schema",
                invalid.count,
                invalid.names()
            );
            conditions.set(FACETS_VALID, false, ReasonCode::GrantsInvalid, message);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{GrantCount, InvalidGrants, KnownGrants, violated};
    use crate::{
        api::{Condition, ConditionStatus, EntitlementDefinitionSpec, Phase, entitlement_definition::InstanceCounts},
        core::calendar::{Instant, parse_instant},
    };
    use rstest::rstest;
    use serde_json::json;
    use std::sync::Arc;

    pub fn now() -> Instant {
        parse_instant("2026-07-01T00:00:00Z").unwrap()
    }

    pub fn all_valid() -> KnownGrants<'static> {
        static NONE: InvalidGrants = InvalidGrants { count: 0, named: Vec::new() };
        KnownGrants::Counted(&NONE)
    }

    pub fn ready(status: ConditionStatus, reason: &str, message: &str, since: &str) -> Condition {
        Condition {
            type_: "Ready".to_owned(),
            status,
            observed_generation: Some(3),
            last_transition_time: since.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
        }
    }

    /// What is not valid counts only while the grant is held.
    #[rstest]
    #[case::in_force(Some(Phase::Active), &["limits"], (1, 1, 1))]
    #[case::to_be(Some(Phase::Waiting), &["limits"], (1, 0, 1))]
    #[case::valid(Some(Phase::Grace), &[], (1, 1, 0))]
    #[case::over(Some(Phase::Expired), &["limits"], (1, 0, 0))]
    #[case::not_seen_yet(None, &["limits"], (1, 0, 0))]
    fn what_a_grant_counts_for(
        #[case] phase: Option<Phase>,
        #[case] facets: &[&str],
        #[case] expected: (u64, u64, u64),
    ) {
        let mut counts = InstanceCounts::default();
        GrantCount::of(phase, facets.iter().copied()).add_to(&mut counts);
        assert_eq!((counts.total, counts.active, counts.invalid), expected);
    }

    #[test]
    fn a_facet_definition_is_concerned_under_the_names_that_the_definition_has_for_it() {
        let spec: EntitlementDefinitionSpec = serde_json::from_value(json!({"type": "Feature", "facets": [
            {"name": "db", "definition": "database"}, {"name": "cache", "definition": "database"},
            {"name": "limits", "definition": "limits"}, {"name": "own", "schema": {"type": "object"}},
        ]}))
        .unwrap();
        let of = |names: &[&str]| {
            let names = names.iter().map(|name| Arc::from(*name)).collect();
            violated(&spec, &names).into_iter().collect::<Vec<_>>()
        };
        assert_eq!(of(&["cache", "db", "own"]), ["database"]);
        assert_eq!(of(&["database", "own"]), [""; 0]);
        assert_eq!(of(&["limits", "db"]), ["database", "limits"]);
    }
}
