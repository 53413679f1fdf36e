//! What would help.

use super::scene::CheckScene;
use rstest::rstest;
use serde_json::json;

/// A client with 10 units, of which all are used, and what else is sold.
fn shop() -> CheckScene {
    let add_on = json!({"type": "AddOn"});
    let sso = json!({"type": "AddOn", "groups": [{"name": "all", "entitlements": [{"definition": "sso"}]}]});
    CheckScene::monthly()
        .define("sso", &json!({"type": "Feature"}))
        .plan("basic", 10, &json!({"addOns": ["more", "some", "sso-add-on", "retired-add-on"]}))
        .plan("pro", 100, &json!({"addOns": ["sso-add-on"]}))
        .plan("tiny", 2, &json!({}))
        .plan(
            "endless",
            1,
            &json!({"groups": [{"name": "all", "entitlements": [
                {"definition": "units", "amount": "Unlimited"}, {"definition": "sso"},
            ]}]}),
        )
        .plan("of-another-product", 1000, &json!({"product": "other"}))
        .plan("retired", 50, &json!({"retired": true}))
        .plan("more", 50, &add_on)
        .plan("some", 4, &add_on)
        .plan("not-of-the-plan", 7, &add_on)
        .plan("retired-add-on", 7, &json!({"type": "AddOn", "retired": true}))
        .plan("sso-add-on", 1, &sso)
        .subscribes("basic", &json!({}))
        .used(&["2027-01-10 10"])
}

#[rstest]
#[case::one_more("1", &["AddOn some x 1: 14", "AddOn more x 1: 60", "Plan pro: 100", "Plan endless: Unlimited"])]
#[case::several_times("13", &["AddOn some x 4: 26", "AddOn more x 1: 60", "Plan pro: 100", "Plan endless: Unlimited"])]
#[case::a_lot("90", &["Plan pro: 100", "AddOn some x 23: 102", "AddOn more x 2: 110", "Plan endless: Unlimited"])]
#[case::more_than_plans("91", &["AddOn some x 23: 102", "AddOn more x 2: 110", "Plan endless: Unlimited"])]
#[case::more_than_add_ons("100000000", &["Plan endless: Unlimited"])]
fn the_smallest_that_helps_comes_first(#[case] amount: &str, #[case] expected: &[&str]) {
    let found = shop().options("units", "2027-01-20", amount).unwrap();
    assert_eq!(found, expected);
}

#[test]
fn what_is_allowed_needs_nothing() {
    assert_eq!(shop().options("units", "2027-02-01", "10"), None);
}

#[test]
fn what_is_not_held_may_come_with_an_add_on_or_a_plan() {
    assert_eq!(shop().options("sso", "2027-01-20", "1").unwrap(), ["AddOn sso-add-on x 1", "Plan endless"]);
}

/// Whoever takes an option is answered yes.
#[test]
fn an_option_that_is_taken_helps() {
    let entry = json!({"name": "more", "plan": "some", "quantity": 4, "start": "2027-01-20"});
    let taken = shop().subscribes("basic", &json!({ "addOns": [entry] }));
    assert_eq!(
        (taken.ask("2027-01-20", "13").as_str(), taken.ask("2027-01-20", "17").as_str()),
        ("yes: Allowed", "no: Exhausted")
    );
    let changed =
        shop().subscribes("basic", &json!({"amendments": [{"name": "up", "effective": "2027-01-20", "plan": "pro"}]}));
    assert_eq!(
        (changed.ask("2027-01-20", "90").as_str(), changed.ask("2027-01-20", "91").as_str()),
        ("yes: Allowed", "no: Exhausted")
    );
}

#[rstest]
#[case::suspended(json!({"suspended": true}))]
#[case::over(json!({"end": "2027-01-15"}))]
#[case::not_begun(json!({"start": "2027-03-01"}))]
fn what_is_not_in_force_is_not_helped(#[case] more: serde_json::Value) {
    let found = shop().subscribes("basic", &more).options("units", "2027-01-20", "1").unwrap();
    assert_eq!(found, [""; 0]);
}
