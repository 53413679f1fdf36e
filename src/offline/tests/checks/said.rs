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
#[case::enough_is_left("Ok", "5", "2027-01-20", "yes: Allowed", Some(UsageState::Ok), None)]
#[case::nobody_knows("Unknown", "5", "2027-01-20", "yes: UsageUnknown", Some(UsageState::Unknown), None)]
#[case::the_api_has_counted_the_rest(
    "Exhausted",
    "1",
    "2027-01-20",
    "no: Exhausted",
    Some(UsageState::Exhausted),
    None
)]
#[case::more_than_that("Exceeded", "1", "2027-01-20", "no: Exhausted", Some(UsageState::Exceeded), None)]
#[case::reports_alone_are_too_much("Ok", "8", "2027-01-20", "no: Exhausted", None, Some("7"))]
#[case::before_it_was_said("Exhausted", "5", "2027-01-14", "yes: Allowed", None, Some("7"))]
#[case::once_it_is_new("Exhausted", "5", "2027-02-01", "yes: Allowed", None, Some("10"))]
fn the_operators_state_counts_while_it_is_of_the_moment(
    #[case] state: &str,
    #[case] amount: &str,
    #[case] at: &str,
    #[case] expected: &str,
    #[case] said: Option<UsageState>,
    #[case] remaining: Option<&str>,
) {
    let checked = scene(state).checked(at, amount);
    assert_eq!((told(&checked.answer).as_str(), checked.said), (expected, said));
    let usage = checked.answer.usage.as_ref().unwrap();
    assert_eq!((usage.remaining.as_deref(), usage.stale), (remaining, said.is_some()));
}
