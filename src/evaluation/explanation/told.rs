//! How far back the past can be told: a status remembers, but does not say under which catalogue.

use crate::{
    api::{AmountField, EntitlementDefinition},
    core::{age::created, amount::Amount, calendar::Instant},
    evaluation::catalogue::{AT_ONCE, OLDER_REVISIONS, Revision},
};
use serde::Deserialize;
use serde_json::Value;

/// From when on the past can be told. The greater, the less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Told {
    /// From the beginning.
    Always,
    /// From that moment on.
    From(Instant),
    /// Not at all.
    Never,
}

impl Told {
    /// Whether what was right before a moment can be told.
    #[must_use]
    pub fn reaches_before(self, at: Instant) -> bool {
        match self {
            Self::Always => true,
            Self::From(since) => at > since,
            Self::Never => false,
        }
    }
}

/// What of a definition decides how much is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// How much it gives to a grant that neither states nor was promised anything else.
    Amount,
    /// How several amounts add up.
    Aggregation,
}

#[derive(PartialEq)]
enum Said {
    Amount(Option<Amount>),
    Aggregation(Value),
}

impl Part {
    fn of(self, spec: &Value) -> Said {
        match self {
            Self::Amount => {
                let amount = spec.get("amount").and_then(|amount| AmountField::deserialize(amount).ok());
                Said::Amount(amount.and_then(|amount| Amount::read(&amount).ok()))
            }
            Self::Aggregation => {
                Said::Aggregation(spec.get("aggregation").cloned().unwrap_or_else(|| Value::from("Sum")))
            }
        }
    }
}

/// Since when a definition says what it says now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// How far back its own amount can be told.
    pub amount: Told,
    /// How far back the way in which several add up can be told.
    pub aggregation: Told,
}

/// Since when a definition says what it says now of a part, of which these revisions were kept, from the oldest to the newest. A manifest that was never in a cluster stands for itself.
#[must_use]
pub fn told_since<'a>(
    definition: Option<&EntitlementDefinition>,
    revisions: impl DoubleEndedIterator<Item = &'a Revision> + Clone,
    part: Part,
) -> Told {
    if definition.is_some_and(|definition| definition.metadata.generation.is_none_or(|generation| generation == 1)) {
        return Told::Always;
    }
    let spec = |revision: &'a Revision| revision.data.get("spec").map(|spec| part.of(spec));
    let present =
        definition.and_then(|definition| serde_json::to_value(&definition.spec).ok()).map(|spec| part.of(&spec));
    let newest = revisions.clone().next_back().and_then(spec);
    let (Some(newest), true) = (newest, revisions.clone().count() <= OLDER_REVISIONS + 1) else { return Told::Never };
    if present.is_some_and(|present| present != newest) {
        return Told::Never;
    }
    let same: Vec<&Revision> =
        revisions.clone().rev().take_while(|revision| spec(revision).is_some_and(|one| one == newest)).collect();
    let Some(since) = same.last().and_then(|oldest| oldest.made) else { return Told::Never };
    let made = definition.and_then(|definition| created(&definition.metadata));
    let is_first = same.len() == revisions.count() && made.is_some_and(|made| since <= made + AT_ONCE);
    if is_first { Told::Always } else { Told::From(since) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{core::calendar::parse_instant, evaluation::catalogue::CatalogueKind};
    use rstest::rstest;
    use serde_json::json;

    fn at(text: &str) -> Instant {
        parse_instant(text).unwrap()
    }

    fn definition(generation: Option<i64>, amount: i64) -> EntitlementDefinition {
        serde_json::from_value(json!({
            "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementDefinition",
            "metadata": {"name": "d", "generation": generation, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"type": "Quantity", "unit": "u", "amount": amount},
        }))
        .unwrap()
    }

    fn revision(number: i64, made: &str, spec: &Value) -> Revision {
        let name = format!("d-{number}").into();
        Revision {
            name,
            of: CatalogueKind::Definition.named("d"),
            number,
            data: json!({ "spec": spec }),
            made: Some(at(made)),
            beside: None,
            for_everyone: None,
        }
    }

    #[rstest]
    #[case::a_manifest_stands_for_itself(None, 2, &[], Told::Always)]
    #[case::never_edited(Some(1), 2, &[], Told::Always)]
    #[case::edited_and_nothing_kept(Some(2), 2, &[], Told::Never)]
    #[case::edited_in_something_else(Some(2), 2, &[("2026-01-01T00:00:30Z", "2"), ("2026-03-01T00:00:00Z", "2")], Told::Always)]
    #[case::edited(Some(3), 2, &[("2026-01-01T00:00:00Z", "1"), ("2026-03-01T00:00:00Z", "2"), ("2026-04-01T00:00:00Z", "2.0")], Told::From(at("2026-03-01T00:00:00Z")))]
    #[case::edited_back(Some(3), 1, &[("2026-01-01T00:00:00Z", "1"), ("2026-03-01T00:00:00Z", "2"), ("2026-04-01T00:00:00Z", "1")], Told::From(at("2026-04-01T00:00:00Z")))]
    #[case::not_kept_yet(Some(2), 3, &[("2026-01-01T00:00:00Z", "1")], Told::Never)]
    #[case::kept_since_an_upgrade(Some(2), 2, &[("2026-02-01T00:00:00Z", "2")], Told::From(at("2026-02-01T00:00:00Z")))]
    fn an_amount_is_told_as_far_as_it_is_on_record(
        #[case] generation: Option<i64>,
        #[case] amount: i64,
        #[case] kept: &[(&str, &str)],
        #[case] expected: Told,
    ) {
        let kept: Vec<Revision> = (0..)
            .zip(kept)
            .map(|(number, (made, amount))| revision(number, made, &json!({ "amount": amount })))
            .collect();
        assert_eq!(told_since(Some(&definition(generation, amount)), kept.iter(), Part::Amount), expected);
    }

    #[test]
    fn how_amounts_add_up_decides_too() {
        let kept = [
            revision(1, "2026-01-01T00:00:00Z", &json!({"amount": 2, "aggregation": "Max"})),
            revision(2, "2026-05-01T00:00:00Z", &json!({"amount": 2})),
        ];
        let edited = Told::From(at("2026-05-01T00:00:00Z"));
        let present = definition(Some(2), 2);
        assert_eq!(told_since(Some(&present), kept.iter(), Part::Aggregation), edited);
        assert_eq!(told_since(Some(&present), kept.iter(), Part::Amount), Told::Always);
        assert_eq!(told_since(None, kept.iter(), Part::Aggregation), edited);
    }

    #[test]
    fn what_is_told_ends_where_the_record_begins() {
        let since = Told::From(at("2026-05-01T00:00:00Z"));
        assert!(!since.reaches_before(at("2026-05-01T00:00:00Z")) && since.reaches_before(at("2026-05-01T00:00:01Z")));
        assert!(Told::Always < since && since < Told::Never);
    }
}
