//! The statuses of the catalogue's own objects: definitions and facet definitions.

use super::{
    catalogue::{CatalogueEntry, Present, Problem},
    conditions::Conditions,
};
use crate::{
    api::{
        EntitlementDefinition, EntitlementDefinitionStatus, FacetDefinition, FacetDefinitionStatus,
        conditions::{FACETS_VALID, READY},
        entitlement_definition::InstanceCounts,
    },
    core::{
        calendar::Instant,
        grant::GrantId,
        schema::{self, Schema},
    },
};
use serde_json::Value;

/// Grants that a message names.
const MAX_NAMED: usize = 3;

/// Grants that are held and state facets that are not valid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvalidGrants {
    /// How many there are.
    pub count: u64,
    /// The first of them, as many as a message names.
    named: Vec<GrantId>,
}

impl InvalidGrants {
    /// So many, of which these come first.
    pub fn counted<'a>(count: u64, grants: impl Iterator<Item = &'a GrantId>) -> Self {
        Self { count, named: grants.take(MAX_NAMED).cloned().collect() }
    }

    /// One more; those that come first are named.
    pub fn add(&mut self, grant: &GrantId) {
        self.count += 1;
        if self.named.len() < MAX_NAMED {
            self.named.push(grant.clone());
        }
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
pub enum Grants<'a> {
    /// All of them.
    Counted(&'a InvalidGrants),
    /// Many are changing: what was said of them before stays for the moment.
    Unsettled,
}

fn facets_valid(conditions: &mut Conditions, grants: Grants) {
    match grants {
        Grants::Unsettled => conditions.keep(FACETS_VALID),
        Grants::Counted(invalid) if invalid.count == 0 => {
            conditions.set(FACETS_VALID, true, "Valid", "what the grants that are held state can be used");
        }
        Grants::Counted(invalid) => {
            let states = if invalid.count == 1 { "grant that is held states" } else { "grants that are held state" };
            let message = format!(
                "{} {states} what is not valid ({}); nothing is taken away, what was valid goes on: mend what is wrong, which stands in status.violations of each, or the schema",
                invalid.count,
                invalid.names()
            );
            conditions.set(FACETS_VALID, false, "GrantsInvalid", message);
        }
    }
}

/// The status of a definition: whether it can be granted as it is written, how many grants of it there are, whether these
/// state what is valid, and which revision of it serves.
#[must_use]
pub fn definition_status(
    definition: &EntitlementDefinition,
    entry: &CatalogueEntry,
    counts: InstanceCounts,
    grants: Grants,
    now: Instant,
) -> EntitlementDefinitionStatus {
    let generation = definition.metadata.generation.unwrap_or(1);
    let before = definition.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let mut conditions = Conditions::after(before, generation, now);
    match &entry.present {
        Present::Valid => conditions.set(READY, true, "Valid", "the definition can be granted"),
        Present::Invalid(problem) => {
            conditions.set(READY, false, problem.reason, format!("{}; {}", problem.message, who_serves(entry)));
        }
        // Only for the moment in which a deletion is known of the catalogue, and not yet of this object.
        Present::Missing => {
            conditions.set(READY, false, "DefinitionNotFound", format!("it is being deleted; {}", who_serves(entry)));
        }
    }
    if !definition.spec.facets.is_empty() || counts.invalid > 0 {
        facets_valid(&mut conditions, grants);
    }
    EntitlementDefinitionStatus {
        observed_generation: generation,
        conditions: conditions.into_vec(),
        instances: counts,
        revision: entry.revision.clone(),
    }
}

fn who_serves(entry: &CatalogueEntry) -> String {
    match (&entry.serving, &entry.revision) {
        (None, _) => "it was never valid, so nothing can be granted".to_owned(),
        (Some(_), None) => {
            "its last valid state serves the grants that there are, and there can be no new ones".to_owned()
        }
        (Some(_), Some(name)) => {
            format!("its revision {name} serves the grants that there are, and there can be no new ones")
        }
    }
}

/// Why a schema can't be used.
#[must_use]
pub fn schema_problem(schema: &Value) -> Option<Problem> {
    Schema::compile(schema).err().map(|error| Problem::new("InvalidSchema", error.to_string()))
}

/// Defaults of a schema that are never filled in; none where it can't be used.
#[must_use]
pub fn idle_defaults(schema: &Value) -> Vec<schema::Problem> {
    Schema::compile(schema).map(|schema| schema.idle_defaults().to_vec()).unwrap_or_default()
}

/// The status of a facet definition: whether its schema can be used, and whether grants state fields of it that are valid.
#[must_use]
pub fn facet_status(facet: &FacetDefinition, grants: Grants, now: Instant) -> FacetDefinitionStatus {
    let generation = facet.metadata.generation.unwrap_or(1);
    let before = facet.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let mut conditions = Conditions::after(before, generation, now);
    match schema_problem(&facet.spec.schema) {
        None => conditions.set(READY, true, "Valid", "definitions can use the facet"),
        Some(problem) => conditions.set(READY, false, problem.reason, problem.message),
    }
    facets_valid(&mut conditions, grants);
    FacetDefinitionStatus { observed_generation: generation, conditions: conditions.into_vec() }
}

#[cfg(test)]
mod tests {
    use super::{Grants, InvalidGrants, definition_status, facet_status};
    use crate::{
        api::{
            Condition, ConditionStatus, EntitlementDefinition, FacetDefinition, FacetDefinitionSpec,
            entitlement_definition::InstanceCounts,
        },
        core::{
            calendar::{Instant, parse_instant},
            grant::GrantId,
        },
        evaluation::catalogue::{CatalogueEntry, CompiledDefinition, Present, Problem, Source},
    };
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn now() -> Instant {
        parse_instant("2026-07-01T00:00:00Z").unwrap()
    }

    fn definition() -> EntitlementDefinition {
        let mut definition: EntitlementDefinition = serde_json::from_value(json!({
            "metadata": {"name": "support", "generation": 3},
            "spec": {"type": "Feature"},
        }))
        .unwrap();
        definition.status = serde_json::from_value(json!({"conditions": [{
            "type": "Ready", "status": "True", "reason": "Valid", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
        }]}))
        .unwrap();
        definition
    }

    fn entry() -> CatalogueEntry {
        let source = Source::gather(&definition().spec, |_| None).unwrap();
        CatalogueEntry::valid(CompiledDefinition::compile("support", &source).unwrap())
    }

    fn all_valid() -> Grants<'static> {
        static NONE: InvalidGrants = InvalidGrants { count: 0, named: Vec::new() };
        Grants::Counted(&NONE)
    }

    fn ready(status: ConditionStatus, reason: &str, message: &str, since: &str) -> Condition {
        Condition {
            type_: "Ready".to_owned(),
            status,
            observed_generation: Some(3),
            last_transition_time: since.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
        }
    }

    #[test]
    fn tells_that_a_definition_can_be_granted() {
        let counts = InstanceCounts { total: 4, active: 2, invalid: 0 };
        let entry = CatalogueEntry { revision: Some("support-0123456789".to_owned()), ..entry() };
        let status = definition_status(&definition(), &entry, counts, all_valid(), now());
        assert_eq!(status.observed_generation, 3);
        assert_eq!(status.instances, counts);
        assert_eq!(status.revision.as_deref(), Some("support-0123456789"));
        let expected = ready(ConditionStatus::True, "Valid", "the definition can be granted", "2026-01-01T00:00:00Z");
        assert_eq!(status.conditions, [expected]);
    }

    #[test]
    fn tells_which_state_serves_an_invalid_one() {
        let invalid = Present::Invalid(Problem::new("InvalidSchema", "facet backup: mend it"));
        let now_since = "2026-07-01T00:00:00Z";
        for (entry, message) in [
            (
                CatalogueEntry { present: invalid.clone(), serving: None, ..entry() },
                "facet backup: mend it; it was never valid, so nothing can be granted",
            ),
            (
                CatalogueEntry { present: invalid.clone(), ..entry() },
                "facet backup: mend it; its last valid state serves the grants that there are, and there can be no new ones",
            ),
            (
                CatalogueEntry { present: invalid.clone(), revision: Some("support-1".to_owned()), ..entry() },
                "facet backup: mend it; its revision support-1 serves the grants that there are, and there can be no new ones",
            ),
        ] {
            let status = definition_status(&definition(), &entry, InstanceCounts::default(), all_valid(), now());
            assert_eq!(status.conditions, [ready(ConditionStatus::False, "InvalidSchema", message, now_since)]);
        }
    }

    #[test]
    fn tells_whether_a_facet_can_be_used() {
        let facet = |schema: Value| {
            let spec = FacetDefinitionSpec { display_name: None, description: None, schema: Arc::new(schema) };
            let mut facet = FacetDefinition::new("backup", spec);
            facet.metadata.generation = Some(3);
            facet_status(&facet, all_valid(), now())
        };
        let since = "2026-07-01T00:00:00Z";
        let valid = facet(json!({"type": "object"}));
        assert_eq!(valid.observed_generation, 3);
        assert_eq!(valid.conditions[0], ready(ConditionStatus::True, "Valid", "definitions can use the facet", since));
        let grants = ready(ConditionStatus::True, "Valid", "what the grants that are held state can be used", since);
        assert_eq!(valid.conditions[1..], [Condition { type_: "FacetsValid".to_owned(), ..grants }]);
        let invalid = facet(json!({"type": "object", "properties": {"a": {"type": "strin"}}}));
        assert_eq!(invalid.conditions[0].status, ConditionStatus::False);
        assert_eq!(invalid.conditions[0].reason, "InvalidSchema");
        assert!(
            invalid.conditions[0].message.starts_with("schema/properties/a/type: "),
            "{}",
            invalid.conditions[0].message
        );
    }

    #[test]
    fn tells_how_many_grants_state_what_is_not_valid() {
        let mut definition = definition();
        definition.spec.facets =
            serde_json::from_value(json!([{"name": "backup", "schema": {"type": "object"}}])).unwrap();
        let message_of = |names: &[&str]| {
            let mut invalid = InvalidGrants::default();
            for name in names {
                invalid.add(&GrantId::new("entitlements", name));
            }
            let counts = InstanceCounts { total: 9, active: 9, invalid: invalid.count };
            let status = definition_status(&definition, &entry(), counts, Grants::Counted(&invalid), now());
            let condition = &status.conditions[1];
            assert_eq!(
                (condition.type_.as_str(), condition.status, condition.reason.as_str()),
                ("FacetsValid", ConditionStatus::False, "GrantsInvalid")
            );
            assert_eq!(status.conditions[0].status, ConditionStatus::True);
            condition.message.split_once("; ").unwrap().0.to_owned()
        };
        assert_eq!(message_of(&["a"]), "1 grant that is held states what is not valid (entitlements/a)");
        assert_eq!(
            message_of(&["a", "b", "c", "d"]),
            "4 grants that are held state what is not valid (entitlements/a, entitlements/b, entitlements/c, …)"
        );
    }

    #[test]
    fn says_of_grants_what_it_said_before_while_they_change() {
        let mut facet: FacetDefinition = serde_json::from_value(json!({
            "metadata": {"name": "backup", "generation": 3}, "spec": {"schema": {"type": "object"}},
        }))
        .unwrap();
        assert_eq!(facet_status(&facet, Grants::Unsettled, now()).conditions.len(), 1);
        let mut invalid = InvalidGrants::default();
        invalid.add(&GrantId::new("entitlements", "a"));
        let counted = facet_status(&facet, Grants::Counted(&invalid), now());
        facet.status = Some(counted.clone());
        assert_eq!(facet_status(&facet, Grants::Unsettled, now()), counted);
    }
}
