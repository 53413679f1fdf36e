//! What the operator says in the status counts, where it has counted more than is reported.

use super::scene::{CheckScene, told};
use crate::{core::usage::state::UsageState, offline::EntitlementKind};
use rstest::rstest;
use serde_json::json;

/// Ten a month of which three are reported, and that status since the middle of January.
fn scene(state: &str) -> CheckScene {
    let mut scene = CheckScene::monthly().grant("a", &json!({"amount": 10})).used(&["2027-01-10 3"]);
    let said = json!({
        "definition": "units", "state": state, "since": "2027-01-15T00:00:00Z", "resetsAt": "2027-02-01T00:00:00Z",
    });
    let organization =
        json!({"metadata": {"name": "acme"}, "spec": {"namespaces": ["acme"]}, "status": {"usage": [said]}});
    scene.0.add(EntitlementKind::Organization, &organization).unwrap();
    scene
}

#[rstest]
#[case::enough_is_left("Ok", "5", "2027-01-20", "yes: Allowed", Some(UsageState::Ok))]
#[case::nobody_knows("Unknown", "5", "2027-01-20", "yes: UsageUnknown", Some(UsageState::Unknown))]
#[case::the_api_has_counted_the_rest("Exhausted", "1", "2027-01-20", "no: Exhausted", Some(UsageState::Exhausted))]
#[case::more_than_that("Exceeded", "1", "2027-01-20", "no: Exhausted", Some(UsageState::Exceeded))]
#[case::reports_alone_are_too_much("Ok", "8", "2027-01-20", "no: Exhausted", Some(UsageState::Ok))]
#[case::before_it_was_said("Exhausted", "5", "2027-01-14", "yes: Allowed", None)]
#[case::reports_were_too_much_before("Ok", "8", "2027-01-14", "no: Exhausted", None)]
#[case::once_it_is_new("Exhausted", "5", "2027-02-01", "yes: Allowed", None)]
fn the_operators_state_counts_while_it_is_of_the_moment(
    #[case] state: &str,
    #[case] amount: &str,
    #[case] at: &str,
    #[case] expected: &str,
    #[case] said: Option<UsageState>,
) {
    let checked = scene(state).checked(at, amount);
    assert_eq!((told(&checked.answer).as_str(), checked.said.map(|said| said.state)), (expected, Some(said)));
    let usage = checked.answer.usage.as_ref().unwrap();
    assert_eq!((usage.state, usage.stale), (said.unwrap_or(UsageState::Unknown), true));
    assert_eq!([&usage.allotted, &usage.used, &usage.remaining, &usage.overage, &usage.excess], [&None; 5]);
    let reported = checked.reported.as_ref().and_then(|reported| reported.remaining.as_deref());
    assert_eq!(reported, (amount == "8").then_some("7"));
}

#[test]
fn that_the_store_is_another_one_is_told() {
    let mut scene = scene("Ok");
    let condition = json!({
        "type": "Metered", "status": "True", "reason": "StoreReplaced", "message": "it is another one",
        "lastTransitionTime": "2027-01-15T00:00:00Z",
    });
    let definition = json!({
        "metadata": {"name": "units"},
        "spec": {
            "type": "Quantity", "unit": "units", "amount": 1, "allowMultiple": true,
            "usage": {"mode": "Consumed", "period": "P1M"},
        },
        "status": {"conditions": [condition]},
    });
    scene.0.add(EntitlementKind::EntitlementDefinition, &definition).unwrap();
    let checked = scene.checked("2027-01-20", "1");
    let notice = Some("it is another one".to_owned());
    assert_eq!(checked.answer.usage.unwrap().notice, notice);
    assert_eq!(checked.usage.and_then(|usage| usage.counted).map(|counted| counted.notice), Some(notice));
}

#[test]
fn of_what_begins_later_the_operator_has_the_numbers_too() {
    let mut scene =
        CheckScene::monthly().grant("a", &json!({"amount": 10, "start": "2027-03-01"})).used(&["2027-03-10 3"]);
    let organization = json!({
        "metadata": {"name": "acme"}, "spec": {"namespaces": ["acme"]}, "status": {"observedGeneration": 1},
    });
    scene.0.add(EntitlementKind::Organization, &organization).unwrap();
    let checked = scene.checked("2027-03-20", "5");
    let usage = checked.answer.usage.as_ref().unwrap();
    assert_eq!((told(&checked.answer).as_str(), &usage.remaining, usage.stale), ("yes: Allowed", &None, true));
}
