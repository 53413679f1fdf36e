//! The statuses of the catalogue's own objects: definitions and facet definitions.

use super::{
    catalogue::{CatalogueEntry, Present, Problem},
    conditions::Conditions,
};
use crate::{
    api::{
        EntitlementDefinition, EntitlementDefinitionStatus, FacetDefinition, FacetDefinitionStatus, conditions::READY,
        entitlement_definition::InstanceCounts,
    },
    core::{calendar::Instant, schema::Schema},
};
use serde_json::Value;

/// The status of a definition: whether it can be granted as it is written, how many grants of it there are, and which
/// revision of it serves.
#[must_use]
pub fn definition_status(
    definition: &EntitlementDefinition,
    entry: &CatalogueEntry,
    counts: InstanceCounts,
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

/// The status of a facet definition: whether its schema can be used.
#[must_use]
pub fn facet_status(facet: &FacetDefinition, now: Instant) -> FacetDefinitionStatus {
    let generation = facet.metadata.generation.unwrap_or(1);
    let before = facet.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let mut conditions = Conditions::after(before, generation, now);
    match schema_problem(&facet.spec.schema) {
        None => conditions.set(READY, true, "Valid", "definitions can use the facet"),
        Some(problem) => conditions.set(READY, false, problem.reason, problem.message),
    }
    FacetDefinitionStatus { observed_generation: generation, conditions: conditions.into_vec() }
}

#[cfg(test)]
mod tests {
    use super::{definition_status, facet_status};
    use crate::{
        api::{
            Condition, ConditionStatus, EntitlementDefinition, FacetDefinition, FacetDefinitionSpec,
            entitlement_definition::InstanceCounts,
        },
        core::calendar::{Instant, parse_instant},
        evaluation::catalogue::{CatalogueEntry, CompiledDefinition, Present, Problem, Source},
    };
    use serde_json::json;

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
        let counts = InstanceCounts { total: 4, active: 2 };
        let entry = CatalogueEntry { revision: Some("support-0123456789".to_owned()), ..entry() };
        let status = definition_status(&definition(), &entry, counts, now());
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
                CatalogueEntry { present: invalid.clone(), serving: None, revision: None },
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
            let status = definition_status(&definition(), &entry, InstanceCounts::default(), now());
            assert_eq!(status.conditions, [ready(ConditionStatus::False, "InvalidSchema", message, now_since)]);
        }
    }

    #[test]
    fn tells_whether_a_facet_can_be_used() {
        let facet = |schema| {
            let mut facet =
                FacetDefinition::new("backup", FacetDefinitionSpec { display_name: None, description: None, schema });
            facet.metadata.generation = Some(3);
            facet_status(&facet, now())
        };
        let since = "2026-07-01T00:00:00Z";
        let valid = facet(json!({"type": "object"}));
        assert_eq!(valid.observed_generation, 3);
        assert_eq!(valid.conditions, [ready(ConditionStatus::True, "Valid", "definitions can use the facet", since)]);
        let invalid = facet(json!({"type": "object", "properties": {"a": {"type": "strin"}}}));
        assert_eq!(invalid.conditions.len(), 1);
        assert_eq!(invalid.conditions[0].status, ConditionStatus::False);
        assert_eq!(invalid.conditions[0].reason, "InvalidSchema");
        assert!(
            invalid.conditions[0].message.starts_with("schema/properties/a/type: "),
            "{}",
            invalid.conditions[0].message
        );
    }
}
