//! The status of a facet definition.

use super::grants::{KnownGrants, facets_valid};
use crate::{
    api::{FacetDefinition, FacetDefinitionStatus, conditions::READY},
    core::{calendar::Instant, problem::Problem, reason::ReasonCode, schema::Schema},
    evaluation::conditions::Conditions,
};
use serde_json::Value;

/// The status of a facet definition: whether its schema can be used, and whether grants state fields of it that are valid.
#[must_use]
pub fn facet_status(facet: &FacetDefinition, grants: KnownGrants, now: Instant) -> FacetDefinitionStatus {
    let generation = facet.metadata.generation.unwrap_or(1);
    let before = facet.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let mut conditions = Conditions::after(before, generation, now);
    match schema_problem(&facet.spec.schema) {
        None => conditions.set(READY, true, ReasonCode::Valid, "definitions can use the facet"),
        Some(problem) => conditions.set(READY, false, problem.reason, problem.message),
    }
    facets_valid(&mut conditions, grants);
    FacetDefinitionStatus { observed_generation: generation, conditions: conditions.into_vec() }
}

/// Why a schema can't be used.
#[must_use]
pub fn schema_problem(schema: &Value) -> Option<Problem> {
    Schema::compile(schema).err().map(|error| Problem::new(ReasonCode::InvalidSchema, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::facet_status;
    use crate::{
        api::{Condition, ConditionStatus, FacetDefinition, FacetDefinitionSpec},
        core::source::SourceId,
        evaluation::status::grants::{
            InvalidGrants, KnownGrants,
            tests::{all_valid, now, ready},
        },
    };
    use serde_json::{Value, json};
    use std::sync::Arc;

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
    fn says_of_grants_what_it_said_before_while_they_change() {
        let mut facet: FacetDefinition = serde_json::from_value(json!({
            "metadata": {"name": "backup", "generation": 3}, "spec": {"schema": {"type": "object"}},
        }))
        .unwrap();
        assert_eq!(facet_status(&facet, KnownGrants::Unsettled, now()).conditions.len(), 1);
        let mut invalid = InvalidGrants::default();
        invalid.add(&SourceId::instance("entitlements", "a"));
        let counted = facet_status(&facet, KnownGrants::Counted(&invalid), now());
        facet.status = Some(counted.clone());
        assert_eq!(facet_status(&facet, KnownGrants::Unsettled, now()), counted);
    }
}
