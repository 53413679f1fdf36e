//! What is decided at the very moment, and at the very amount, at which something changes.

use super::scene::Scene;
use crate::core::usage::{allowance::UsageAllowance, state::SaidCrossing};
use rstest::rstest;
use serde_json::{Value, json};

fn monthly(more: &Value) -> Scene {
    let mut usage = json!({"mode": "Consumed", "period": "P1M"});
    usage.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Scene::of(usage)
}

fn carrying() -> Scene {
    monthly(&json!({"carryOver": 500}))
}

#[rstest]
#[case::all_that_is_left("4", UsageAllowance::Allowed)]
#[case::more("4.01", UsageAllowance::Overage)]
fn a_soft_limit_is_reached_before_it_is_passed(#[case] amount: &str, #[case] expected: UsageAllowance) {
    let scene = monthly(&json!({"limit": "Soft"})).part("plan", "01-01 10").used("01-05", "6");
    assert_eq!(scene.ask("01-10", None, amount), expected);
}

#[test]
fn an_amount_that_is_raised_counts_from_that_moment_on() {
    let scene = monthly(&json!({})).part("plan", "01-01 10, 01-20 20").used("01-10", "15");
    assert_eq!(scene.shown("01-20"), "20 allotted, 15 used, 5 remaining, 0 excess, 0 overage");
}

#[rstest]
#[case::the_earlier_start(["late 01-05", "old 01-01"], "old 10, late 2")]
#[case::the_name(["two 01-01", "one 01-01"], "one 10, two 2")]
fn of_equals_one_takes_first(#[case] parts: [&str; 2], #[case] expected: &str) {
    let scene = parts.iter().fold(monthly(&json!({})), |scene, part| {
        let (name, start) = part.split_once(' ').unwrap();
        scene.part(name, &format!("{start} 10"))
    });
    assert_eq!(scene.used("01-10", "12").taken("01-10"), expected);
}

#[test]
fn what_is_below_nothing_at_the_end_takes_nothing_from_what_others_carry_over() {
    let scene = carrying().part("a", "01-01 100, 01-20 50").part("b", "01-01 30").used("01-10", "80");
    assert_eq!(scene.taken("01-31"), "a 80, b 0");
    // 50 and 30, and the 30 that b had left.
    assert_eq!(scene.remaining("02-01"), "110");
}

#[rstest]
#[case::it_ends_with_the_period("01-01 10, 02-01 over", "20")]
#[case::it_ends_before("01-01 10, 01-31 over", "10")]
fn what_is_held_to_the_end_of_a_period_is_carried_over(#[case] course: &str, #[case] remaining: &str) {
    let scene = carrying().part("a", course).part("b", "01-01 5");
    assert_eq!(scene.remaining("02-01"), remaining);
}

#[test]
fn what_follows_without_a_gap_is_unbroken() {
    let scene = carrying().part("a", "01-01 10, 02-01 over").part("b", "02-01 5");
    assert_eq!(scene.remaining("02-01"), "15");
}

#[test]
fn what_comes_back_at_the_boundary_was_over_by_then() {
    let seen = carrying().part("b", "01-01 5").part("a", "01-01 10").seen("01-05").without("a").seen("01-20");
    let back = seen.part("a", "02-01 10").seen("02-02");
    assert_eq!(back.remaining("02-02"), "20");
}

#[test]
fn a_threshold_is_quiet_since_it_fell_however_often_one_looks() {
    let mut said: Vec<SaidCrossing> = Vec::new();
    let seats = |used: &str| Scene::of(json!({"mode": "Held"})).part("plan", "01-01 10").used("01-01", used);
    assert_eq!(seats("8").say("02-01", &mut said), ["80% of 10"]);
    for look in ["02-02", "02-02T10:00", "02-02T20:00"] {
        assert_eq!(seats("7").say(look, &mut said), [""; 0]);
    }
    assert_eq!(seats("8").say("02-03", &mut said), ["80% of 10"]);
}
