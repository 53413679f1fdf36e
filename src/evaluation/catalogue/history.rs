//! What a definition has given to its grants, as far as its revisions tell.

use super::revision::{OLDER_REVISIONS, Revision};
use crate::{
    api::AmountField,
    core::{
        age::created,
        amount::Amount,
        belief::{Durations, History},
        definition::{Definition, grace_of},
    },
};
use chrono::TimeDelta;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde_json::Value;

/// How much later than a definition its first revision may be kept, to be that of all that it was from the start.
pub const AT_ONCE: TimeDelta = TimeDelta::minutes(1);

/// What a definition has given to its grants, by what serves and by its kept revisions, which stand from the oldest to the
/// newest.
#[must_use]
pub fn history(
    definition: Option<&ObjectMeta>,
    serving: Option<&Definition>,
    revisions: &[impl AsRef<Revision>],
) -> History {
    let revisions = revisions.iter().map(AsRef::as_ref);
    let mut states: Vec<Durations> =
        serving.map(|serving| Durations { term: serving.term, grace: serving.grace }).into_iter().collect();
    for state in revisions.clone().rev().filter_map(durations) {
        if !states.contains(&state) {
            states.push(state);
        }
    }
    let unit = serving.and_then(|serving| serving.unit.as_deref());
    let mut amounts: Vec<Amount> = serving.and_then(|serving| serving.amount).into_iter().collect();
    for amount in revisions.clone().rev().filter_map(|revision| amount(revision, unit)) {
        if !amounts.contains(&amount) {
            amounts.push(amount);
        }
    }
    let made = definition.and_then(created);
    // What was kept before it was made is of another definition of its name, that is gone.
    let is_second = revisions.clone().any(|revision| revision.made.is_some() && revision.made < made);
    let unedited = definition.filter(|definition| definition.generation == Some(1) && !is_second).and(made);
    // As many as there are at most, and older ones may have been forgotten.
    let is_whole = revisions.clone().count() <= OLDER_REVISIONS;
    let kept = revisions.map(|revision| revision.made).min().flatten().filter(|_| is_whole);
    let kept = kept.map(|kept| made.filter(|made| kept <= *made + AT_ONCE).map_or(kept, |made| made.min(kept)));
    History { states, amounts, since: [unedited, kept].into_iter().flatten().min() }
}

/// What a revision gave to grants; none where its data is no definition's.
fn durations(revision: &Revision) -> Option<Durations> {
    let read = |field: &str| match revision.data.get("spec")?.get(field) {
        None | Some(Value::Null) => Some(None),
        Some(text) => text.as_str()?.parse().ok().map(Some),
    };
    Some(Durations { term: read("term")?, grace: grace_of(read("gracePeriod")?) })
}

/// The amount that it gave in a unit.
fn amount(revision: &Revision, unit: Option<&str>) -> Option<Amount> {
    let spec = revision.data.get("spec")?;
    if spec.get("unit").and_then(Value::as_str) != unit {
        return None;
    }
    Amount::read(&AmountField::deserialize(spec.get("amount")?).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::object::{DEFINITION, MANAGED_BY, MANAGER};
    use rstest::rstest;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn revision(number: i64, made: &str, spec: &Value) -> Revision {
        let object = json!({
            "metadata": {
                "name": format!("seats-{number}"), "creationTimestamp": made,
                "labels": {MANAGED_BY: MANAGER, DEFINITION: "seats"},
            },
            "revision": number,
            "data": {"spec": spec},
        });
        Revision::read(serde_json::from_value(object).unwrap()).unwrap()
    }

    fn told(history: &History) -> (Vec<String>, Option<String>) {
        let text = |duration: Option<crate::core::calendar::CalendarDuration>| {
            duration.map_or("-".to_owned(), |duration| duration.to_string())
        };
        let states = history.states.iter().map(|state| format!("{} {}", text(state.term), text(state.grace)));
        (states.collect(), history.since.map(crate::core::calendar::format_instant))
    }

    fn of(definition: Option<&Value>, revisions: &[Revision]) -> (Vec<String>, Option<String>) {
        let spec = json!({"type": "Feature", "term": "P1Y"});
        let serving = Definition::read("seats", &serde_json::from_value(spec).unwrap(), &BTreeMap::new()).unwrap();
        let metadata = definition.map(|metadata| serde_json::from_value(metadata.clone()).unwrap());
        told(&history(metadata.as_ref(), Some(&serving), revisions))
    }

    #[test]
    fn a_history_has_what_serves_and_each_kept_state_the_latest_first() {
        let revisions = [
            revision(1, "2026-01-01T00:00:00Z", &json!({"type": "Feature"})),
            revision(2, "2026-02-01T00:00:00Z", &json!({"type": "Feature", "term": "P1M", "gracePeriod": "P7D"})),
            revision(3, "2026-03-01T00:00:00Z", &json!({"type": "Feature", "gracePeriod": "PT0S"})),
            revision(4, "2026-04-01T00:00:00Z", &json!({"type": "Feature", "term": "soon"})),
            revision(5, "2026-05-01T00:00:00Z", &json!({"type": "Feature", "term": "P1Y"})),
        ];
        let (states, since) = of(None, &revisions);
        assert_eq!(states, ["P1Y -", "- -", "P1M P7D"]);
        assert_eq!(since.as_deref(), Some("2026-01-01T00:00:00Z"));
    }

    /// A definition that was deleted and made anew has given what the one before it gave, too.
    #[rstest]
    #[case::its_own_from_the_start("2026-01-01T00:00:00Z", &["2026-01-01T00:00:01Z"], Some("2026-01-01T00:00:00Z"))]
    #[case::another_before_it("2026-01-01T00:00:17Z", &["2026-01-01T00:00:00Z"], Some("2026-01-01T00:00:00Z"))]
    #[case::another_long_before_it("2026-06-01T00:00:00Z", &["2026-01-01T00:00:00Z"], Some("2026-01-01T00:00:00Z"))]
    #[case::another_of_which_some_is_forgotten("2026-01-01T00:00:17Z", &["2026-01-01T00:00:00Z"; 12], None)]
    #[case::nothing_kept_yet("2026-01-01T00:00:00Z", &[], Some("2026-01-01T00:00:00Z"))]
    fn what_one_that_is_gone_gave_is_known_as_far_as_it_was_kept(
        #[case] made: &str,
        #[case] kept: &[&str],
        #[case] expected: Option<&str>,
    ) {
        let revisions: Vec<_> =
            (1..).zip(kept).map(|(number, made)| revision(number, made, &json!({"type": "Feature"}))).collect();
        let (_, since) = of(Some(&json!({"generation": 1, "creationTimestamp": made})), &revisions);
        assert_eq!(since.as_deref(), expected);
    }

    #[test]
    fn a_history_has_each_amount_in_the_present_unit() {
        let seats = |amount: Value| json!({"type": "Quantity", "unit": "seats", "amount": amount});
        let revisions = [
            revision(1, "2026-01-01T00:00:00Z", &json!({"type": "Feature"})),
            revision(2, "2026-01-02T00:00:00Z", &json!({"type": "Quantity", "unit": "rooms", "amount": 7})),
            revision(3, "2026-01-03T00:00:00Z", &seats(json!("2.50"))),
            revision(4, "2026-01-04T00:00:00Z", &seats(json!("many"))),
            revision(5, "2026-01-05T00:00:00Z", &seats(json!(10))),
            revision(6, "2026-01-06T00:00:00Z", &seats(json!("Unlimited"))),
        ];
        let of = |spec: Value| {
            let serving = Definition::read("seats", &serde_json::from_value(spec).unwrap(), &BTreeMap::new()).unwrap();
            let amounts = history(None, Some(&serving), &revisions).amounts;
            amounts.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(of(seats(json!(10))), ["10", "Unlimited", "2.5"]);
        assert_eq!(of(json!({"type": "Feature"})), [""; 0]);
    }

    #[rstest]
    #[case::never_edited(json!({"generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z"}), 0, Some("2026-01-01T00:00:00Z"))]
    #[case::never_edited_and_kept(json!({"generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z"}), 1, Some("2026-01-01T00:00:00Z"))]
    #[case::edited_with_all_kept(json!({"generation": 9, "creationTimestamp": "2026-01-01T00:00:00Z"}), 10, Some("2026-01-01T00:00:00Z"))]
    #[case::edited_and_forgotten(json!({"generation": 12, "creationTimestamp": "2026-01-01T00:00:00Z"}), 11, None)]
    #[case::edited_with_none_kept(json!({"generation": 2, "creationTimestamp": "2026-01-01T00:00:00Z"}), 0, None)]
    // The first revision is of 2026-01-01T00:00:30Z.
    #[case::lost_and_kept_anew(json!({"generation": 2, "creationTimestamp": "2025-12-31T00:00:00Z"}), 1, Some("2026-01-01T00:00:30Z"))]
    #[case::made_anew(json!({"generation": 1, "creationTimestamp": "2026-06-01T00:00:00Z"}), 3, Some("2026-01-01T00:00:30Z"))]
    #[case::of_a_file(json!({}), 0, None)]
    fn a_history_knows_since_when_it_is_whole(
        #[case] definition: Value,
        #[case] kept: i64,
        #[case] since: Option<&str>,
    ) {
        let revisions: Vec<Revision> = (0..kept)
            .map(|number| {
                revision(number, &format!("2026-01-{:02}T00:00:30Z", number + 1), &json!({"type": "Feature"}))
            })
            .collect();
        assert_eq!(of(Some(&definition), &revisions).1.as_deref(), since);
    }
}
