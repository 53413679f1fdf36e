//! What a definition's status says of the store that its usage is kept in.

use crate::{
    api::{Condition, EntitlementDefinition},
    core::{calendar::Instant, problem::Problem, reason::ReasonCode},
    evaluation::{catalogue::CatalogueEntry, conditions::Conditions},
};

/// The condition of a metered definition: what is used of it is counted.
pub const METERED: &str = "Metered";

/// How the store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreStanding {
    /// The operator has none.
    Absent,
    /// It has not answered yet, nor failed.
    Opening,
    /// It answers.
    Works,
    /// It answers, and is another one than before, or an older copy: how, and what was noted.
    Replaced(String),
    /// It does not answer, or cannot be used, and why.
    Unavailable(String),
}

impl StoreStanding {
    /// Whether it answers.
    #[must_use]
    pub fn answers(&self) -> bool {
        matches!(self, Self::Works | Self::Replaced(_))
    }

    /// Why nothing more is counted, where that is known.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        match self {
            Self::Opening | Self::Works | Self::Replaced(_) => None,
            Self::Absent => Some(Problem::new(ReasonCode::NoStore, NO_STORE)),
            Self::Unavailable(why) => {
                let message = format!("{why}; what was counted last counts, and the rest will be");
                Some(Problem::new(ReasonCode::StoreUnavailable, message))
            }
        }
    }
}

const NO_PROMETHEUS: &str = "this version of the operator does not ask Prometheus, so how much is used is not known: take usage.prometheus out, and report what is used as EntitlementUsage objects";

const NO_STORE: &str = "the operator has no store to count in, so how much is used is not known: run it with --store";

/// Says of a definition whether what is used of it is counted, where it is metered: in its state that serves, or as it is written.
pub fn tell_metered(
    conditions: &mut Vec<Condition>,
    definition: &EntitlementDefinition,
    entry: &CatalogueEntry,
    standing: &StoreStanding,
    now: Instant,
) {
    let is_metered = entry.serving.as_ref().is_some_and(|serving| serving.terms.usage.is_some());
    if !is_metered && definition.spec.usage.is_none() {
        return;
    }
    let generation = definition.metadata.generation.unwrap_or(1);
    let before = definition.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let mut metered = Conditions::after(before, generation, now);
    let rules = entry.serving.as_ref().and_then(|serving| serving.terms.usage.as_deref());
    if rules.is_some_and(|rules| rules.prometheus.is_some()) {
        metered.set(METERED, false, ReasonCode::NoPrometheus, NO_PROMETHEUS);
        conditions.extend(metered.into_vec());
        return;
    }
    match standing {
        StoreStanding::Works => metered.set(METERED, true, ReasonCode::Metered, "what is used is counted"),
        StoreStanding::Replaced(how) => metered.set(METERED, true, ReasonCode::StoreReplaced, replaced(how)),
        StoreStanding::Opening => metered.keep(METERED),
        StoreStanding::Absent | StoreStanding::Unavailable(_) => {
            if let Some(problem) = standing.problem() {
                metered.set(METERED, false, problem.reason, problem.message);
            }
        }
    }
    conditions.extend(metered.into_vec());
}

/// What is said of a store that is not what it was.
#[must_use]
pub fn replaced(how: &str) -> String {
    format!(
        "what is used is counted, but {how}: put the right one back, or confirm this one with entitlement-operator store adopt"
    )
}

#[cfg(test)]
mod tests {
    use super::{StoreStanding, tell_metered};
    use crate::{
        api::EntitlementDefinition,
        evaluation::{
            catalogue::{CatalogueEntry, CompiledDefinition, DefinitionState},
            status::grants::tests::now,
        },
    };
    use rstest::rstest;
    use serde_json::{Value, json};

    fn told(usage: &Value, before: &Value, standing: &StoreStanding) -> Vec<String> {
        let definition: EntitlementDefinition = serde_json::from_value(json!({
            "metadata": {"name": "support", "generation": 3},
            "spec": {"type": "Quantity", "unit": "cases", "amount": 10, "usage": usage},
            "status": {"conditions": before},
        }))
        .unwrap();
        let source = DefinitionState::gather(&definition.spec, |_| None).unwrap();
        let entry = CatalogueEntry::valid(CompiledDefinition::compile("support", &source).unwrap());
        let mut conditions = Vec::new();
        tell_metered(&mut conditions, &definition, &entry, standing, now());
        let told =
            conditions.iter().map(|one| format!("{}={:?} {}: {}", one.type_, one.status, one.reason, one.message));
        told.collect()
    }

    #[rstest]
    #[case(
        StoreStanding::Absent,
        "Metered=False NoStore: the operator has no store to count in, so how much is used is not known: run it with --store"
    )]
    #[case(StoreStanding::Works, "Metered=True Metered: what is used is counted")]
    #[case(
        StoreStanding::Replaced("the store is another one".to_owned()),
        "Metered=True StoreReplaced: what is used is counted, but the store is another one: put the right one back, or confirm this one with entitlement-operator store adopt"
    )]
    #[case(StoreStanding::Unavailable("the store is full".to_owned()), "Metered=False StoreUnavailable: the store is full; what was counted last counts, and the rest will be")]
    fn a_metered_definition_says_how_the_store_is(#[case] standing: StoreStanding, #[case] expected: &str) {
        assert_eq!(told(&json!({"mode": "Consumed"}), &json!([]), &standing), [expected]);
        assert_eq!(told(&Value::Null, &json!([]), &standing), Vec::<String>::new());
    }

    #[test]
    fn what_prometheus_would_have_to_say_is_not_counted() {
        let usage = json!({"mode": "Consumed", "prometheus": {"query": "calls"}});
        let said = "Metered=False NoPrometheus: this version of the operator does not ask Prometheus, so how much is used is not known: take usage.prometheus out, and report what is used as EntitlementUsage objects";
        assert_eq!(told(&usage, &json!([]), &StoreStanding::Works), [said]);
    }

    #[test]
    fn until_the_store_answers_for_the_first_time_it_stays_as_it_was_said() {
        let before = json!([{"type": "Metered", "status": "True", "reason": "Metered", "message": "m",
            "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
        let usage = json!({"mode": "Consumed"});
        assert_eq!(told(&usage, &before, &StoreStanding::Opening), ["Metered=True Metered: m"]);
        assert_eq!(told(&usage, &json!([]), &StoreStanding::Opening), Vec::<String>::new());
    }
}
