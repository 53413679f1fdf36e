//! The status of a definition.

use super::grants::{KnownGrants, facets_valid};
use crate::{
    api::{
        EntitlementDefinition, EntitlementDefinitionStatus, conditions::READY, entitlement_definition::InstanceCounts,
    },
    core::{calendar::Instant, reason::ReasonCode},
    evaluation::{
        catalogue::{CatalogueEntry, Present},
        conditions::Conditions,
    },
};

/// The status of a definition: whether it can be granted as it is written, how many grants of it there are, whether these
/// state what is valid, and which revision of it serves.
#[must_use]
pub fn definition_status(
    definition: &EntitlementDefinition,
    entry: &CatalogueEntry,
    counts: InstanceCounts,
    grants: KnownGrants,
    now: Instant,
) -> EntitlementDefinitionStatus {
    let generation = definition.metadata.generation.unwrap_or(1);
    let before = definition.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let mut conditions = Conditions::after(before, generation, now);
    match &entry.present {
        Present::Valid => conditions.set(READY, true, ReasonCode::Valid, "the definition can be granted"),
        Present::Invalid(problem) => {
            conditions.set(READY, false, problem.reason, format!("{}; {}", problem.message, who_serves(entry)));
        }
        // Only for the moment in which a deletion is known of the catalogue, and not yet of this object.
        Present::Missing => {
            conditions.set(
                READY,
                false,
                ReasonCode::DefinitionNotFound,
                format!("it is being deleted; {}", who_serves(entry)),
            );
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
        metered: definition.status.as_ref().and_then(|status| status.metered),
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

#[cfg(test)]
mod tests {
    use super::definition_status;
    use crate::{
        api::{ConditionStatus, EntitlementDefinition, entitlement_definition::InstanceCounts},
        core::{problem::Problem, reason::ReasonCode, source::SourceId},
        evaluation::{
            catalogue::{CatalogueEntry, CompiledDefinition, DefinitionState, Present},
            status::grants::{
                InvalidGrants, KnownGrants,
                tests::{all_valid, now, ready},
            },
        },
    };
    use serde_json::json;

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
        let source = DefinitionState::gather(&definition().spec, |_| None).unwrap();
        CatalogueEntry::valid(CompiledDefinition::compile("support", &source).unwrap())
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
        let invalid = Present::Invalid(Problem::new(ReasonCode::InvalidSchema, "facet backup: mend it"));
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
    fn tells_how_many_grants_state_what_is_not_valid() {
        let mut definition = definition();
        definition.spec.facets =
            serde_json::from_value(json!([{"name": "backup", "schema": {"type": "object"}}])).unwrap();
        let message_of = |names: &[&str]| {
            let mut invalid = InvalidGrants::default();
            for name in names {
                invalid.add(&SourceId::instance("entitlements", name));
            }
            let counts = InstanceCounts { total: 9, active: 9, invalid: invalid.count };
            let status = definition_status(&definition, &entry(), counts, KnownGrants::Counted(&invalid), now());
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
}
