//! Which thresholds are said when, and what is counted of channels and of what was carried over.

use super::scene::Scene;
use crate::core::usage::allowance::UsageAllowance;
use rstest::rstest;
use serde_json::json;

fn seats(allotted: &str, used: &str) -> Scene {
    Scene::of(json!({"mode": "Held"})).part("plan", &format!("01-01 {allotted}")).used("01-01", used)
}

#[rstest]
#[case::at_once("02-10T12:00", "02-10T12:00", 0)]
#[case::within_a_day("02-10T12:00", "02-11T11:59", 0)]
#[case::a_day_later("02-10T12:00", "02-11T12:00", 1)]
fn of_what_is_held_a_threshold_is_said_again_once_it_was_below_for_a_day(
    #[case] below_at: &str,
    #[case] reached_at: &str,
    #[case] times: usize,
) {
    let mut said = Vec::new();
    assert_eq!(seats("10", "8").say("02-01", &mut said), ["80% of 10"]);
    assert_eq!(seats("10", "9").say("02-05", &mut said), [""; 0]);
    assert_eq!(seats("10", "7").say(below_at, &mut said), [""; 0]);
    assert_eq!(seats("10", "8").say(reached_at, &mut said).len(), times);
}

#[test]
fn another_allotment_is_not_below() {
    let mut said = Vec::new();
    assert_eq!(seats("10", "8").say("02-01", &mut said), ["80% of 10"]);
    assert_eq!(seats("20", "8").say("02-02", &mut said), [""; 0]);
    assert_eq!(seats("Unlimited", "8").say("02-03", &mut said), [""; 0]);
    assert_eq!(seats("10", "8").say("02-05", &mut said), [""; 0]);
}

#[test]
fn what_was_below_for_a_day_is_forgotten() {
    let mut said = Vec::new();
    seats("10", "8").say("02-01", &mut said);
    seats("10", "1").say("02-02", &mut said);
    seats("10", "1").say("02-03", &mut said);
    assert_eq!(said, []);
}

#[rstest]
#[case("0", "0", &[])]
#[case("0", "5", &[])]
#[case("10", "7.99", &[])]
#[case("10", "8", &["80% of 10"])]
#[case("10", "25", &["80% of 10", "100% of 10", "250% of 10"])]
#[case("999999999999999.999999999", "999999999999999.999999999", &["80% of 999999999999999.999999999", "100% of 999999999999999.999999999"])]
fn all_that_are_reached_are_said(#[case] allotted: &str, #[case] used: &str, #[case] expected: &[&str]) {
    let usage = json!({"mode": "Consumed", "period": "P1M", "limit": "Soft", "thresholds": [250, 80, 100]});
    let scene = Scene::of(usage).part("plan", &format!("01-01 {allotted}")).used("01-02", used);
    assert_eq!(scene.say("01-05", &mut Vec::new()), expected);
}

#[test]
fn a_buffer_is_beyond_the_total_and_less_by_what_is_in_excess() {
    let usage = json!({"mode": "Consumed", "period": "P1M", "buffer": "10%"});
    let scene = Scene::of(usage.clone()).part("plan", "01-01 100").used("01-02", "95");
    assert!(scene.is_allowed("01-05", "15"));
    assert!(!scene.is_allowed("01-05", "15.1"));
    let lowered = Scene::of(usage).part("plan", "01-01 100, 01-03 90").used("01-02", "95");
    assert!(lowered.is_allowed("01-05", "4"));
    assert!(!lowered.is_allowed("01-05", "4.1"));
}

/// What is used while nothing is in force is not counted, so it counts for no channel either; nor does what the rules refuse now.
#[test]
fn a_channel_has_what_is_counted_alone() {
    let usage = |other: &str| {
        let channels = json!([{"name": "phone", "amount": 10}]);
        json!({"mode": "Consumed", "period": "P1M", "channels": channels, "otherChannels": other})
    };
    let scene = |other: &str| {
        Scene::of(usage(other))
            .part("plan", "01-01 100, 01-10 suspended, 01-20 100")
            .used_by(Some("phone"), "01-05", "4")
            .used_by(Some("phone"), "01-15", "5")
            .used_by(Some("chat"), "01-21", "50")
    };
    assert_eq!(scene("Allow").ask("01-25", Some("phone"), "6"), UsageAllowance::Allowed);
    assert_eq!(scene("Allow").ask("01-25", Some("phone"), "7"), UsageAllowance::ChannelExhausted);
    assert_eq!(scene("Allow").remaining("01-25"), "46");
    assert_eq!(scene("Refuse").remaining("01-25"), "96");
}

#[test]
fn a_channel_counts_from_the_beginning_of_what_is_in_force_and_of_the_period() {
    let usage =
        json!({"mode": "Consumed", "period": "P1M", "carryOver": 50, "channels": [{"name": "phone", "amount": 10}]});
    let scene = Scene::of(usage)
        .part("old", "01-01 100, 02-10 over")
        .part("new", "02-05 100")
        .used_by(Some("phone"), "01-30", "9")
        .used_by(Some("phone"), "02-03", "8")
        .used_by(Some("phone"), "02-07", "2");
    assert_eq!(scene.ask("02-09", Some("phone"), "1"), UsageAllowance::ChannelExhausted);
    assert_eq!(scene.ask("02-10", Some("phone"), "8"), UsageAllowance::Allowed);
    assert_eq!(scene.ask("02-10", Some("phone"), "9"), UsageAllowance::ChannelExhausted);
}

#[rstest]
#[case::suspended_over_the_boundary("01-01 400, 01-31 suspended, 02-02 400", "02-03", "700")]
#[case::over_before_the_boundary("01-01 400, 01-31 over", "02-03", "nothing is held")]
fn what_is_suspended_at_a_boundary_loses_nothing(#[case] course: &str, #[case] at: &str, #[case] remaining: &str) {
    let usage = json!({"mode": "Consumed", "period": "P1M", "carryOver": 500});
    assert_eq!(Scene::of(usage).part("plan", course).used("01-10", "100").remaining(at), remaining);
}

/// On 01-20 a top-up begins, when what was carried over has covered what was used before: all of the top-up is left.
#[test]
fn what_was_carried_over_spares_what_begins_later() {
    let usage = json!({"mode": "Consumed", "period": "P1M", "carryOver": 50});
    let scene =
        Scene::of(usage).part("plan", "2026-12-01T00:00:00Z 50").part("top-up", "01-20 40").used("01-10", "100");
    assert_eq!(scene.taken("01-31"), "plan 50, top-up 0, carried over 50");
    assert_eq!(scene.taken("02-01"), "plan 0, top-up 0, carried over 0");
    assert_eq!(scene.shown("02-01"), "130 allotted, 0 used, 130 remaining, 0 excess, 0 overage");
}

#[rstest]
#[case::a_little("01-10T00:05", "01-01 10", "3")]
#[case::too_much("01-10T00:06", "01-01 10", "10")]
#[case::when_less_is_foreseen("01-10T00:03", "01-01 10, 01-10T00:02 5", "5")]
#[case::when_more_is_foreseen("01-10T00:03", "01-01 10, 01-10T00:02 20", "3")]
#[case::in_the_next_period("02-01T00:03", "01-01 10", "10")]
fn what_is_dated_ahead_counts_up_to_five_minutes(#[case] at: &str, #[case] course: &str, #[case] remaining: &str) {
    let scene = Scene::of(json!({"mode": "Consumed", "period": "P1M"})).part("plan", course).used(at, "7");
    let now = if at.starts_with("02") { "01-31T23:59" } else { "01-10" };
    assert_eq!(scene.remaining(now), remaining);
}

/// Without a period, what went beyond a block is forgotten with it, and not held against one that could not have taken it.
#[test]
fn without_a_period_overage_counts_while_a_block_is_in_force_that_could_have_taken_it() {
    let scene = Scene::of(json!({"mode": "Consumed"}))
        .part("old", "01-01 10, 02-01 over")
        .part("new", "01-20 5, 01-25 40")
        .used("01-10", "60");
    assert_eq!(scene.shown("01-19"), "10 allotted, 10 used, 0 remaining, 0 excess, 50 overage");
    assert_eq!(scene.shown("01-20"), "15 allotted, 15 used, 0 remaining, 0 excess, 45 overage");
    assert_eq!(scene.shown("01-31"), "50 allotted, 50 used, 0 remaining, 0 excess, 10 overage");
    assert_eq!(scene.shown("02-01"), "40 allotted, 40 used, 0 remaining, 0 excess, 0 overage");
}
