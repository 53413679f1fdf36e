//! Which buckets are asked for: exact looks, and that each is asked for once and the last two again, whatever the looks.

use crate::core::{
    calendar::Instant,
    usage::{
        buckets::{BucketPlan, BucketProgress, BucketRequest, MOST_POINTS},
        rules::PrometheusRule,
    },
};
use chrono::DateTime;
use proptest::prelude::*;
use rstest::rstest;
use std::collections::BTreeMap;

fn at(seconds: i64) -> Instant {
    DateTime::from_timestamp_secs(seconds).unwrap()
}

fn rule(bucket: u32) -> PrometheusRule {
    PrometheusRule { query: "calls[$bucket]".into(), bucket }
}

/// The start and the end of each bucket.
fn spans(request: BucketRequest) -> Vec<(i64, i64)> {
    let length = i64::from(request.length());
    let ends = (0..i64::from(request.points())).map(|number| request.first_end() + number * length);
    ends.map(|end| (request.start_of(end).unwrap().timestamp(), end)).collect()
}

/// What a plan asks for, by request: the length, the start of the first bucket, and how many there are.
fn asked(plan: &BucketPlan) -> Vec<(u32, i64, u32)> {
    let told = |request: &BucketRequest| (request.length(), spans(*request)[0].0, request.points());
    plan.requests.iter().map(told).collect()
}

fn look(known: Option<&BucketProgress>, bucket: u32, since: i64, now: i64) -> BucketPlan {
    BucketPlan::of(known, &rule(bucket), 1, at(since), at(now))
}

/// What is known once all of it is answered.
fn after(plan: &BucketPlan, now: i64) -> BucketProgress {
    let mut progress = plan.progress.clone();
    for request in &plan.requests {
        progress.answered(*request, at(now));
    }
    progress
}

#[test]
fn closed_buckets_since_the_start_of_the_period_are_asked_for_and_then_the_last_two_again() {
    let first = look(None, 60, 610, 899);
    assert_eq!(asked(&first), [(60, 660, 3)]);
    let known = after(&first, 899);
    assert!(!known.is_behind());
    assert_eq!(asked(&look(Some(&known), 60, 610, 899)), [(60, 720, 2)]);
    let next = look(Some(&known), 60, 610, 960);
    assert_eq!(asked(&next), [(60, 720, 4)]);
    // The last bucket of a period ends with it, and is asked for though another period is open by then.
    assert_eq!(asked(&look(Some(&after(&next, 960)), 60, 1020, 1021)), [(60, 840, 3)]);
}

#[test]
fn where_nothing_has_ended_yet_the_bucket_before_is_asked_for_and_counts_nothing() {
    let first = look(None, 60, 610, 640);
    assert_eq!(asked(&first), [(60, 540, 1)]);
    assert!(!first.progress.counts(at(540)) && first.progress.counts(at(660)));
    let known = after(&first, 640);
    assert_eq!(asked(&look(Some(&known), 60, 610, 719)), [(60, 600, 1)]);
    assert_eq!(asked(&look(Some(&known), 60, 610, 720)), [(60, 660, 1)]);
    // A grant that began earlier comes to be known.
    assert_eq!(asked(&look(Some(&known), 60, 480, 640)), [(60, 480, 2)]);
}

#[test]
fn an_earlier_period_of_somebody_is_asked_for_too() {
    let known = after(&look(None, 60, 600, 900), 900);
    let earlier = look(Some(&known), 60, 240, 900);
    assert_eq!(asked(&earlier), [(60, 780, 2), (60, 240, 6)]);
    assert_eq!(asked(&look(Some(&after(&earlier, 900)), 60, 240, 900)), [(60, 780, 2)]);
}

#[test]
fn another_length_begins_where_the_last_one_ended() {
    let known = after(&look(None, 60, 0, 660), 660);
    let longer = look(Some(&known), 300, 0, 1499);
    assert_eq!(asked(&longer), [(300, 900, 1), (240, 660, 1), (60, 540, 2)]);
    let known = after(&longer, 1499);
    let shorter = look(Some(&known), 60, 0, 1500);
    assert_eq!(asked(&shorter), [(60, 1200, 5), (300, 900, 1), (240, 660, 1)]);
    // One by which no bucket ended leaves no trace.
    let unused = after(&look(Some(&known), 86_400, 0, 1500), 1500);
    assert_eq!(asked(&look(Some(&unused), 60, 0, 1500)), asked(&shorter));
}

#[test]
fn a_request_has_at_most_a_thousand_points_and_fewer_for_many_organizations() {
    let plan = look(None, 1, 0, 2500);
    assert_eq!(asked(&plan), [(1, 1500, 1000), (1, 500, 1000), (1, 0, 500)]);
    let crowd = BucketPlan::of(None, &rule(1), 1000, at(0), at(250));
    assert_eq!(asked(&crowd), [(1, 150, 100), (1, 50, 100), (1, 0, 50)]);
    let throng = BucketPlan::of(None, &rule(1), 1_000_000, at(0), at(4));
    assert_eq!(asked(&throng), [(1, 1, 3), (1, 0, 1)]);
}

#[test]
fn what_was_not_answered_stays_missing_and_the_newest_comes_first() {
    let plan = look(None, 1, 0, 2500);
    let mut known = plan.progress.clone();
    known.answered(plan.requests[0], at(2500));
    assert!(known.is_behind());
    assert_eq!(asked(&look(Some(&known), 1, 0, 2502)), [(1, 2498, 4), (1, 500, 1000), (1, 0, 500)]);
}

#[test]
fn a_bucket_that_has_not_ended_by_all_clocks_is_asked_for_once_it_has() {
    let known = after(&look(None, 60, 0, 600), 600);
    let early = look(Some(&known), 60, 0, 720);
    let known = after(&early, 679);
    assert_eq!(asked(&look(Some(&known), 60, 0, 720)), [(60, 540, 3)]);
    // By a clock that is far behind nothing has ended that was not asked for already.
    let known = after(&early, 30);
    assert_eq!(asked(&look(Some(&known), 60, 0, 720)), asked(&early));
}

#[test]
fn what_is_older_than_registers_are_kept_is_not_asked_for() {
    let (day, now) = (86_400, 1_000 * 86_400);
    let plan = look(None, 86_400, 0, now);
    assert_eq!(asked(&plan), [(86_400, 605 * day, 395)]);
    // Not even after having been away for years.
    let known = after(&look(None, 86_400, 10 * day, 20 * day), 20 * day);
    assert_eq!(asked(&look(Some(&known), 86_400, 900 * day, now))[0], (86_400, 605 * day, 395));
}

#[rstest]
#[case(600, 660, &[(60, 600, 1)])]
#[case(601, 659, &[(60, 600, 1)])]
#[case(599, 660, &[(60, 540, 2)])]
#[case(599, 661, &[(240, 660, 1), (60, 540, 2)])]
#[case(600, 9999, &[(300, 900, 2), (240, 660, 1), (60, 600, 1)])]
#[case(700, 701, &[(240, 660, 1)])]
#[case(1500, 1800, &[])]
fn a_recount_asks_for_the_buckets_as_they_were(
    #[case] from: i64,
    #[case] until: i64,
    #[case] expected: &[(u32, i64, u32)],
) {
    let known = after(&look(None, 60, 300, 660), 660);
    let known = after(&look(Some(&known), 300, 300, 1500), 1500);
    let plan = BucketPlan::recount(Some(&known), &rule(300), 1, (at(from), at(until)), at(1500));
    assert_eq!(asked(&plan), expected);
}

#[test]
fn a_recount_from_before_the_beginning_makes_that_the_beginning() {
    let known = after(&look(None, 60, 300, 660), 660);
    let plan = BucketPlan::recount(Some(&known), &rule(60), 1, (at(60), at(120)), at(660));
    assert_eq!(asked(&plan), [(60, 60, 1)]);
    assert_eq!(asked(&look(Some(&after(&plan, 660)), 60, 300, 660)), [(60, 540, 2), (60, 120, 3)]);
}

#[test]
fn what_is_left_of_a_recount_is_for_the_next_looks() {
    let known = after(&look(None, 60, 0, 600_000), 600_000);
    let mut plan = BucketPlan::recount(Some(&known), &rule(60), 1, (at(0), at(180_000)), at(600_000));
    assert_eq!(asked(&plan), [(60, 120_000, 1000), (60, 60_000, 1000), (60, 0, 1000)]);
    // Only the newest is answered.
    plan.progress.answered(plan.requests[0], at(600_000));
    assert!(plan.progress.is_behind());
    let next = BucketPlan::of(Some(&plan.progress), &rule(60), 1, at(0), at(600_000));
    assert_eq!(asked(&next), [(60, 599_880, 2), (60, 60_000, 1000), (60, 0, 1000)]);
    assert!(!after(&next, 600_000).is_behind());
}

#[test]
fn progress_is_read_as_it_was_written_and_nothing_else_is() {
    let plan = look(None, 60, 0, 100_000);
    let mut progress = plan.progress.clone();
    progress.answered(plan.requests[0], at(100_000));
    assert_eq!(BucketProgress::read(&progress.text()), Some(progress));
    for text in [
        "",
        "{}",
        r#"{"lengths":[],"until":0,"missing":[]}"#,
        r#"{"lengths":[{"from":0,"length":0}],"until":0,"missing":[]}"#,
        r#"{"lengths":[{"from":10,"length":1}],"until":0,"missing":[]}"#,
        r#"{"lengths":[{"from":0,"length":1}],"until":9,"missing":[{"from":5,"until":4}]}"#,
        r#"{"lengths":[{"from":0,"length":1}],"until":9,"missing":[{"from":5,"until":10}]}"#,
    ] {
        assert_eq!(BucketProgress::read(text), None, "{text}");
    }
}

#[test]
fn a_request_is_halved_down_to_one_bucket() {
    let request = look(None, 60, 0, 300).requests[0];
    let [newer, older] = request.halves().unwrap();
    assert_eq!([spans(older), spans(newer)].concat(), spans(request));
    assert_eq!(older.halves().unwrap()[1].halves(), None);
}

/// One look of a history.
#[derive(Clone, Debug)]
struct Step {
    later: i64,
    bucket: u32,
    since: i64,
    organizations: usize,
    /// How many requests are answered before one fails.
    answered: usize,
    /// How far the other clock is behind.
    behind: i64,
}

fn step() -> impl Strategy<Value = Step> {
    let bucket = prop_oneof![4 => Just(60_u32), 1 => Just(7), 1 => Just(300), 1 => Just(45)];
    let organizations = prop_oneof![3 => Just(1_usize), 1 => Just(40_000)];
    (0..2_000_i64, bucket, 0..5_000_i64, organizations, 0..6_usize, prop_oneof![3 => Just(0_i64), 1 => 0..200_i64])
        .prop_map(|(later, bucket, since, organizations, answered, behind)| Step {
            later,
            bucket,
            since,
            organizations,
            answered,
            behind,
        })
}

proptest! {
    #[test]
    fn each_bucket_is_answered_and_none_lies_over_another(steps in prop::collection::vec(step(), 1..12)) {
        let (mut now, mut known, mut least) = (5_000, None::<BucketProgress>, i64::MAX);
        let mut counted: BTreeMap<i64, i64> = BTreeMap::new();
        let last = Step { later: 2_000, bucket: 60, since: 5_000, organizations: 1, answered: usize::MAX, behind: 0 };
        for step in steps.into_iter().chain([last]) {
            now += step.later;
            let plan = BucketPlan::of(known.as_ref(), &rule(step.bucket), step.organizations, at(step.since), at(now));
            prop_assert!(plan.requests.is_sorted_by(|newer, older| older.last_end() <= newer.first_end() - i64::from(newer.length())));
            prop_assert!(plan.requests.iter().all(|request| (1..=MOST_POINTS).contains(&request.points())));
            let closed = now - step.behind;
            let mut progress = plan.progress.clone();
            let of_newest = spans(plan.requests[0]);
            if step.answered == 0 || of_newest.iter().all(|(_, end)| *end > closed) {
                continue;
            }
            least = least.min(step.since);
            for request in plan.requests.iter().take(step.answered) {
                progress.answered(*request, at(closed));
                let ended = spans(*request).into_iter().filter(|(_, end)| *end <= closed);
                for (start, end) in ended.filter(|(start, _)| plan.progress.counts(at(*start))) {
                    let before = counted.insert(start, end);
                    prop_assert!(before.is_none_or(|before| before == end), "{start}: {before:?} and {end}");
                }
            }
            // Whoever starts anew goes on from there.
            let read = BucketProgress::read(&progress.text());
            prop_assert_eq!(read.as_ref(), Some(&progress));
            known = read;
        }
        let known = known.unwrap();
        prop_assert!(!known.is_behind());
        let mut reached = *counted.first_key_value().unwrap().0;
        prop_assert!(reached < least.max(1) + 300, "{reached} of {least}");
        for (start, end) in counted {
            prop_assert_eq!(start, reached);
            reached = end;
        }
        prop_assert!(reached > now - 60 && reached <= now, "{} of {}", reached, now);
    }

    #[test]
    fn nothing_but_the_last_two_is_asked_for_twice(looks in prop::collection::vec(0..400_i64, 1..20)) {
        let (mut now, mut known) = (1_000, None::<BucketProgress>);
        for later in looks {
            now += later;
            let plan = look(known.as_ref(), 60, 100, now);
            let ended = known.as_ref().map_or(120, |_| (now - later) / 60 * 60);
            let all: Vec<(i64, i64)> = plan.requests.iter().flat_map(|request| spans(*request)).collect();
            let from = if known.is_some() { ended - 120 } else { ended };
            let expected: Vec<(i64, i64)> = (from / 60..now / 60).map(|number| (number * 60, number * 60 + 60)).collect();
            prop_assert_eq!(all, expected);
            known = Some(after(&plan, now));
        }
    }
}
