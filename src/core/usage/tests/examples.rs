//! The contract's worked examples, by their numbers; all of 2027.

use super::scene::Scene;
use crate::core::usage::{allowance::UsageAllowance, state::UsageState};
use rstest::rstest;
use serde_json::{Value, json};

fn monthly() -> Value {
    json!({"mode": "Consumed", "period": "P1M"})
}

fn monthly_soft() -> Value {
    json!({"mode": "Consumed", "period": "P1M", "limit": "Soft"})
}

#[test]
fn example_1_a_smaller_plan_takes_nothing_back_and_a_top_up_counts_at_once() {
    let scene = Scene::of(monthly()).part("plan", "01-01 200000, 01-20 50000").used("01-10", "180000");
    assert_eq!(scene.shown("01-20"), "50000 allotted, 180000 used, 0 remaining, 130000 excess, 0 overage");
    assert!(!scene.is_allowed("01-20", "1"));
    assert_eq!(scene.state("01-20"), UsageState::Exceeded);
    assert_eq!(scene.shown("02-01"), "50000 allotted, 0 used, 50000 remaining, 0 excess, 0 overage");

    let with_top_up = scene.part("top-up", "01-21 100000");
    assert_eq!(with_top_up.shown("01-21"), "150000 allotted, 180000 used, 100000 remaining, 130000 excess, 0 overage");
    assert!(with_top_up.is_allowed("01-21", "100000"));
    assert!(!with_top_up.is_allowed("01-21", "100001"));
    assert_eq!(with_top_up.shown("02-01"), "150000 allotted, 0 used, 150000 remaining, 0 excess, 0 overage");
}

#[test]
fn example_1_a_larger_plan_counts_at_once_and_resets_as_before() {
    let scene = Scene::of(monthly()).part("plan", "01-01 50000, 01-20 550000").used("01-10", "3");
    assert_eq!(scene.shown("01-20"), "550000 allotted, 3 used, 549997 remaining, 0 excess, 0 overage");
    assert_eq!(scene.resets_at("01-19"), "2027-02-01T00:00:00Z");
    assert_eq!(scene.resets_at("01-20"), "2027-02-01T00:00:00Z");
}

#[rstest]
#[case::as_it_is("01-01 10", "10 allotted, 10 used, 0 remaining, 0 excess, 10 overage")]
#[case::raised_to_20("01-01 10, 01-15 20", "20 allotted, 20 used, 0 remaining, 0 excess, 0 overage")]
#[case::raised_to_15("01-01 10, 01-15 15", "15 allotted, 15 used, 0 remaining, 0 excess, 5 overage")]
#[case::then_to_40("01-01 10, 01-15 15, 01-16 40", "40 allotted, 20 used, 20 remaining, 0 excess, 0 overage")]
fn example_2_raising_an_amount_absorbs_overage(#[case] course: &str, #[case] expected: &str) {
    let scene = Scene::of(monthly_soft()).part("plan", course).used("01-10", "20");
    assert_eq!(scene.shown("01-20"), expected);
    assert!(scene.ask("01-20", None, "1").is_allowed());
}

#[test]
fn example_2_down_and_up_on_one_day_changes_nothing() {
    let scene =
        Scene::of(monthly_soft()).part("plan", "01-01 100, 01-15T10:00 10, 01-15T12:00 100").used("01-10", "90");
    assert_eq!(scene.shown("01-15T11:00"), "10 allotted, 90 used, 0 remaining, 80 excess, 0 overage");
    assert_eq!(scene.shown("01-15T12:00"), "100 allotted, 90 used, 10 remaining, 0 excess, 0 overage");
}

#[test]
fn example_2_an_override_takes_of_the_overage_first() {
    let scene = Scene::of(monthly()).part("plan", "01-01 100").used("01-10", "150").part("override", "01-20 60");
    assert_eq!(scene.shown("01-19"), "100 allotted, 100 used, 0 remaining, 0 excess, 50 overage");
    assert_eq!(scene.shown("01-20"), "160 allotted, 150 used, 10 remaining, 0 excess, 0 overage");
    assert!(scene.is_allowed("01-20", "10"));
    assert!(!scene.is_allowed("01-20", "11"));
}

#[test]
fn example_3_what_an_add_on_gave_goes_with_what_was_used_of_it() {
    let scene = Scene::of(monthly())
        .part("plan", "01-01 100")
        .part("add-on", "01-01 50, 01-15 over")
        .used("01-05", "70")
        .used("01-14", "50");
    assert_eq!(scene.shown("01-14"), "150 allotted, 120 used, 30 remaining, 0 excess, 0 overage");
    assert_eq!(scene.shown("01-15"), "100 allotted, 70 used, 30 remaining, 0 excess, 0 overage");
}

#[test]
fn example_4_without_a_period_each_allotment_is_for_its_whole_time() {
    let scene = Scene::of(json!({"mode": "Consumed"}))
        .part("A", "01-01 50, 02-01 over")
        .part("B", "01-01 100")
        .part("C", "01-01 30, 12-31 over")
        .priority(10)
        .used("01-10", "60");
    assert_eq!(scene.taken("01-10"), "C 30, A 30, B 0");
    assert_eq!(scene.remaining("02-01"), "100");
    assert_eq!(scene.resets_at("02-01"), "never");
    let late = scene.used("01-15", "20");
    assert_eq!(late.taken("01-31"), "C 30, A 50, B 0");
    assert_eq!(late.remaining("02-01"), "100");
}

#[rstest]
#[case::an_amount(json!(500), "700", "700")]
#[case::a_percentage(json!("50%"), "600", "600")]
fn example_5_what_is_left_is_usable_in_the_next_period_too(
    #[case] carry_over: Value,
    #[case] in_february: &str,
    #[case] in_march: &str,
) {
    let scene = Scene::of(json!({"mode": "Consumed", "period": "P1M", "carryOver": carry_over}))
        .part("plan", "01-01 400")
        .used("01-10", "100");
    assert_eq!(scene.remaining("02-01"), in_february);
    let scene = scene.used("02-10", "100");
    assert_eq!(scene.taken("02-10"), "plan 100, carried over 0");
    assert_eq!(scene.remaining("03-01"), in_march);
}

#[test]
fn example_6_what_is_used_while_anything_is_unlimited_is_taken_from_nothing() {
    let scene = Scene::of(monthly())
        .part("plan", "03-01 100")
        .part("override", "03-10 Unlimited, 03-12 over")
        .used("03-05", "90")
        .used("03-11", "500");
    assert_eq!(scene.shown("03-11"), "Unlimited allotted, 90 used, Unlimited remaining, 0 excess, 0 overage");
    assert!(scene.is_allowed("03-11", "1000000"));
    assert_eq!(scene.shown("03-12"), "100 allotted, 90 used, 10 remaining, 0 excess, 0 overage");
}

#[rstest]
#[case("2027-01-31T00:00:00Z", "2027-02-27T23:00:00Z")]
#[case("2027-02-27T22:59:59Z", "2027-02-27T23:00:00Z")]
#[case("2027-02-27T23:00:00Z", "2027-03-30T22:00:00Z")]
#[case("2027-03-30T22:00:00Z", "2027-04-29T22:00:00Z")]
#[case("2027-04-29T22:00:00Z", "2027-05-30T22:00:00Z")]
#[case("2027-05-30T22:00:00Z", "2027-06-29T22:00:00Z")]
fn example_7_periods_are_computed_from_the_anchor_where_the_client_is(#[case] at: &str, #[case] resets_at: &str) {
    let scene = Scene::of(monthly()).first("2027-01-31", "Europe/Berlin").part("plan", "2027-01-30T23:00:00Z 5");
    assert_eq!(scene.resets_at(at), resets_at);
}

#[test]
fn example_7_a_midnight_that_the_clocks_skip_is_when_they_change() {
    let scene = Scene::of(monthly()).first("2027-08-05", "America/Santiago").part("plan", "2027-08-05T04:00:00Z 5");
    assert_eq!(scene.resets_at("08-10"), "2027-09-05T04:00:00Z");
    assert_eq!(scene.resets_at("09-10"), "2027-10-05T03:00:00Z");
}

#[test]
fn example_8_seats_beyond_a_smaller_plan_are_excess() {
    let scene = Scene::of(json!({"mode": "Held"})).part("plan", "01-01 25, 01-20 5").used("01-02", "25");
    assert_eq!(scene.shown("01-19"), "25 allotted, 25 used, 0 remaining, 0 excess, 0 overage");
    assert_eq!(scene.state("01-19"), UsageState::Exhausted);
    assert_eq!(scene.shown("01-20"), "5 allotted, 25 used, 0 remaining, 20 excess, 0 overage");
    assert_eq!(scene.state("01-20"), UsageState::Exceeded);
    assert!(!scene.is_allowed("01-20", "1"));
    let given_back = Scene { registers: Vec::new(), ..scene }.used("01-02", "4");
    assert_eq!(given_back.shown("01-20"), "5 allotted, 4 used, 1 remaining, 0 excess, 0 overage");
    assert!(given_back.is_allowed("01-20", "1"));
}

#[rstest]
#[case("Allow", Some("email"), "0.25", UsageAllowance::ChannelExhausted)]
#[case("Allow", Some("phone"), "20", UsageAllowance::Allowed)]
#[case("Allow", Some("phone"), "20.25", UsageAllowance::Exhausted)]
#[case("Allow", Some("chat"), "5", UsageAllowance::Allowed)]
#[case("Allow", None, "20", UsageAllowance::Allowed)]
#[case("Refuse", Some("chat"), "5", UsageAllowance::ChannelNotCovered)]
#[case("Refuse", None, "5", UsageAllowance::ChannelNotCovered)]
fn example_9_channels_have_caps_inside_the_total(
    #[case] other_channels: &str,
    #[case] channel: Option<&str>,
    #[case] amount: &str,
    #[case] expected: UsageAllowance,
) {
    let channels = json!([{"name": "phone", "amount": 80}, {"name": "email", "amount": 20}]);
    let usage = json!({"mode": "Consumed", "period": "P1M", "channels": channels, "otherChannels": other_channels});
    let scene = Scene::of(usage).part("plan", "01-01 100").used_by(Some("phone"), "01-10", "60").used_by(
        Some("email"),
        "01-11",
        "20",
    );
    assert_eq!(scene.ask("01-12", channel, amount), expected);
    let capped_by_the_grant = scene.cap("email", "20.25");
    assert_eq!(capped_by_the_grant.ask("01-12", Some("email"), "0.25"), UsageAllowance::Allowed);
}

#[test]
fn example_10_support_by_cases() {
    let cases = |count: usize| {
        (0..count).fold(Scene::of(monthly()).part("plan", "01-01 10"), |scene, case| {
            scene.used(&format!("01-{:02}", case + 2), "1")
        })
    };
    assert_eq!(cases(10).remaining("01-15"), "0");
    assert_eq!(cases(10).ask("01-15", None, "1"), UsageAllowance::Exhausted);
    assert_eq!(cases(9).remaining("01-15"), "1");
    assert!(cases(9).is_allowed("01-15", "1"));
}

#[rstest]
#[case("0", "10")]
#[case("0.5", "9.5")]
#[case("0.75", "9.25")]
fn example_10_support_by_hours(#[case] comes_to: &str, #[case] left: &str) {
    assert_eq!(Scene::of(monthly()).part("plan", "01-01 10").used("01-10", comes_to).remaining("01-15"), left);
}

#[test]
fn example_12_thresholds_are_said_once_for_each_allotment() {
    let scene = |allotted: &str, used: &str| {
        Scene::of(monthly_soft()).part("plan", &format!("01-01 {allotted}")).used("01-10", used)
    };
    let mut said = Vec::new();
    assert_eq!(scene("1000", "700").say("01-11", &mut said), [""; 0]);
    assert_eq!(scene("1000", "700").state("01-11"), UsageState::Ok);
    assert_eq!(scene("1000", "1200").say("01-12", &mut said), ["80% of 1000", "100% of 1000"]);
    assert_eq!(scene("1000", "1200").say("01-12", &mut said), [""; 0]);
    assert_eq!(scene("2000", "1200").say("01-13", &mut said), [""; 0]);
    assert_eq!(scene("2000", "1200").state("01-13"), UsageState::Ok);
    assert_eq!(scene("2000", "1600").say("01-14", &mut said), ["80% of 2000"]);
    assert_eq!(scene("2000", "1600").state("01-14"), UsageState::Warning);
    assert_eq!(scene("2000", "1500").say("01-15", &mut said), [""; 0]);
    assert_eq!(scene("2000", "1600").say("01-16", &mut said), [""; 0]);
    assert_eq!(scene("2000", "1600").used("02-10", "1600").say("02-11", &mut said), ["80% of 2000"]);
}

#[test]
fn example_13_what_was_used_of_what_is_cancelled_goes_with_it() {
    let scene = Scene::of(monthly())
        .part("plan", "01-01 100")
        .used("01-02", "90")
        .part("instance", "01-05 10")
        .seen("01-06")
        .without("plan")
        .seen("01-08");
    assert_eq!(scene.shown("01-08"), "10 allotted, 0 used, 10 remaining, 0 excess, 0 overage");
}

#[test]
fn example_13_what_is_used_while_suspended_is_not_counted() {
    let scene = Scene::of(monthly()).part("plan", "01-01 100, 01-10 suspended, 01-20 100").used("01-15", "7");
    assert_eq!(scene.shown("01-15"), "nothing is held");
    assert_eq!(scene.shown("01-21"), "100 allotted, 0 used, 100 remaining, 0 excess, 0 overage, 7 unentitled");
}

#[test]
fn example_14_what_ends_before_the_others_takes_first_and_the_period_is_that_of_the_first() {
    let scene = Scene::of(monthly()).part("A", "01-05 10, 03-20 over").part("B", "02-10 1000").used("03-05", "1010");
    assert_eq!(scene.taken("03-19"), "A 10, B 1000");
    assert_eq!(scene.shown("03-20"), "1000 allotted, 1000 used, 0 remaining, 0 excess, 0 overage");
    assert_eq!(scene.state("03-20"), UsageState::Exhausted);
    assert_eq!(scene.resets_at("03-20"), "2027-04-05T00:00:00Z");
}

#[rstest]
#[case::with_a_period(monthly(), "7 unentitled", "")]
#[case::by_the_calendar(json!({"mode": "Consumed", "period": "P1M", "anchor": "Calendar"}), "7 unentitled", "")]
#[case::without(json!({"mode": "Consumed"}), "7 unentitled", "7 unentitled")]
fn what_is_used_before_anything_is_held_is_told(#[case] usage: Value, #[case] first: &str, #[case] second: &str) {
    let scene = Scene::of(usage).part("plan", "02-10 100").used("01-02", "3").used("01-31", "4");
    let told = |at: &str| scene.shown(at).split_once(" overage").map(|(_, rest)| rest.replace(", ", "")).unwrap();
    assert_eq!(told("02-15"), first);
    assert_eq!(told("03-15"), second);
}
