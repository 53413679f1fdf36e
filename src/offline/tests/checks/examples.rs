//! The worked examples of the contract, asked as checks.

use super::scene::CheckScene;
use rstest::rstest;
use serde_json::json;

/// Each amount that is asked for, with the answer.
fn asked(scene: &CheckScene, at: &str, expected: &[(&str, &str)]) {
    for (amount, answer) in expected {
        assert_eq!(scene.ask(at, amount), *answer, "{amount} at {at}");
    }
}

const YES: &str = "yes: Allowed";
const NO: &str = "no: Exhausted";

#[test]
fn example_1_a_smaller_plan_and_a_top_up() {
    let smaller = json!({"amendments": [{"name": "smaller", "effective": "2027-01-20", "plan": "small"}]});
    let scene = CheckScene::monthly().plan("large", 200_000, &json!({})).plan("small", 50_000, &json!({}));
    let scene = scene.subscribes("large", &smaller).used(&["2027-01-10 180000"]);
    asked(&scene, "2027-01-19", &[("20000", YES), ("20001", NO)]);
    assert_eq!(scene.usage("2027-01-20"), "Exceeded: 50000 allotted, 180000 used, 0 left, 130000 excess, 0 overage");
    asked(&scene, "2027-01-20", &[("1", NO)]);
    let topped_up = scene.clone().grant("top-up", &json!({"amount": 100_000, "start": "2027-01-21"}));
    asked(&topped_up, "2027-01-21", &[("100000", YES), ("100001", NO)]);
    asked(&scene, "2027-02-01", &[("50000", YES), ("50001", NO)]);
    asked(&topped_up, "2027-02-01", &[("150000", YES), ("150001", NO)]);
}

#[test]
fn example_1_a_larger_plan_counts_at_once() {
    let larger = json!({"amendments": [{"name": "larger", "effective": "2027-01-20", "plan": "large"}]});
    let scene = CheckScene::monthly().plan("large", 550_000, &json!({})).plan("small", 50_000, &json!({}));
    let scene = scene.subscribes("small", &larger).used(&["2027-01-10 3"]);
    asked(&scene, "2027-01-19", &[("49997", YES), ("49998", NO)]);
    asked(&scene, "2027-01-20", &[("549997", YES), ("549998", NO)]);
    let resets = |at| scene.ask_for("units", at, "1", None).usage.unwrap().resets_at;
    assert_eq!(resets("2027-01-20").as_deref(), Some("2027-02-01T00:00:00Z"));
    assert_eq!(resets("2027-01-20"), resets("2027-01-19"));
}

#[rstest]
#[case::as_it_is(&[], "yes: Overage", "0")]
#[case::raised_to_20(&[("2027-01-15", 20)], "yes: Overage", "0")]
#[case::then_to_40(&[("2027-01-15", 15), ("2027-01-16", 40)], YES, "20")]
fn example_2_beyond_a_soft_limit(#[case] changes: &[(&str, u32)], #[case] expected: &str, #[case] left: &str) {
    let change =
        |(at, amount): &(&str, u32)| json!({"name": format!("to-{amount}"), "effective": at, "amount": amount});
    let amendments: Vec<_> = changes.iter().map(change).collect();
    let scene = CheckScene::metered(&json!({"mode": "Consumed", "period": "P1M", "limit": "Soft"}));
    let scene = scene.grant("a", &json!({"amount": 10, "amendments": amendments})).used(&["2027-01-10 20"]);
    assert_eq!(scene.ask("2027-01-20", "1"), expected);
    assert_eq!(scene.ask_for("units", "2027-01-20", "1", None).usage.unwrap().remaining.as_deref(), Some(left));
}

#[test]
fn example_2_an_exception_after_what_was_counted_in_any_case() {
    let scene = CheckScene::monthly().grant("a", &json!({"amount": 100})).used(&["2027-01-10 150"]);
    asked(&scene, "2027-01-19", &[("1", NO)]);
    asked(&scene.exception(60, "2027-01-20", "2027-02-10"), "2027-01-21", &[("10", YES), ("11", NO)]);
}

#[test]
fn example_8_seats_beyond_a_smaller_plan() {
    let smaller = json!({"amendments": [{"name": "smaller", "effective": "2027-01-20", "plan": "small"}]});
    let scene = CheckScene::metered(&json!({"mode": "Held"}));
    let scene = scene.plan("large", 25, &json!({})).plan("small", 5, &json!({})).subscribes("large", &smaller);
    let all = scene.clone().used(&["2027-01-02 25"]);
    assert_eq!(all.usage("2027-01-20"), "Exceeded: 5 allotted, 25 used, 0 left, 20 excess, 0 overage");
    asked(&all, "2027-01-20", &[("1", NO)]);
    asked(&scene.used(&["2027-01-02 4"]), "2027-01-20", &[("1", YES), ("2", NO)]);
}

#[rstest]
#[case::others_are_allowed("Allow", YES)]
#[case::others_are_not("Refuse", "no: ChannelNotCovered")]
fn example_9_channels(#[case] other_channels: &str, #[case] chat: &str) {
    let channels = json!([{"name": "phone", "amount": 80}, {"name": "email", "amount": 20}]);
    let usage = json!({"mode": "Consumed", "period": "P1M", "channels": channels, "otherChannels": other_channels});
    let scene = CheckScene::metered(&usage).grant("a", &json!({"amount": 100}));
    let scene = scene.used(&["2027-01-10 60 phone", "2027-01-11 20 email"]);
    let at = "2027-01-13";
    assert_eq!(scene.ask_by("email", at, "0.25"), "no: ChannelExhausted");
    assert_eq!(scene.ask_by("phone", at, "20"), YES);
    assert_eq!(scene.ask_by("phone", at, "20.25"), NO);
    assert_eq!(scene.ask_by("chat", at, "5"), chat);
}

#[test]
fn example_13_what_is_cancelled_and_what_stays() {
    let scene = CheckScene::monthly().grant("a", &json!({"amount": 100, "state": "Cancelled"}));
    let scene = scene.grant("b", &json!({"amount": 10, "start": "2027-01-05"})).used(&["2027-01-02 90"]);
    assert_eq!(scene.usage("2027-01-08"), "Ok: 10 allotted, 0 used, 10 left, 0 excess, 0 overage");
    asked(&scene, "2027-01-08", &[("10", YES), ("11", NO)]);
}

#[test]
fn example_13_what_is_suspended() {
    let scene = CheckScene::monthly().grant("a", &json!({"amount": 100, "suspended": true})).used(&["2027-01-15 7"]);
    asked(&scene, "2027-01-16", &[("1", "no: Suspended")]);
}
