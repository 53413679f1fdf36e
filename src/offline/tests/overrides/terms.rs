//! From when to when an override is in force.

use super::{desk::ExceptionDesk, plain::at};
use rstest::rstest;
use serde_json::{Value, json};

/// "also longer than `maxTerm` from `start`, else from creation": by the calendar where the client is, and by nothing that an
/// annotation says.
#[rstest]
#[case::thirty_days_from_its_start(json!({"start": "2027-05-01", "end": "2027-05-30"}), true)]
#[case::a_day_more(json!({"start": "2027-05-01", "end": "2027-05-31"}), false)]
#[case::to_the_second(json!({"start": "2027-05-01", "end": "2027-05-30T22:00:00Z"}), true)]
#[case::a_second_more(json!({"start": "2027-05-01", "end": "2027-05-30T22:00:01Z"}), false)]
#[case::over_a_change_of_the_clocks(json!({"start": "2027-03-10T09:00:00Z", "end": "2027-04-09T08:00:00Z"}), true)]
#[case::a_second_more_than_that(json!({"start": "2027-03-10T09:00:00Z", "end": "2027-04-09T08:00:01Z"}), false)]
#[case::from_its_creation(json!({"end": "2027-04-09T08:00:00Z"}), true)]
#[case::a_second_longer(json!({"end": "2027-04-09T08:00:01Z"}), false)]
#[case::the_last_whole_day(json!({"end": "2027-04-08"}), true)]
#[case::the_day_that_begins_too_late(json!({"end": "2027-04-09"}), false)]
#[case::never(json!({"end": "9999-12-31"}), false)]
#[case::begun_before_it_was_asked_for(json!({"start": "2027-03-01", "end": "2027-03-30"}), true)]
#[case::empty(json!({"start": "2027-05-02", "end": "2027-05-01"}), false)]
#[case::of_no_time(json!({"start": "2027-05-01T22:00:00Z", "end": "2027-05-01"}), false)]
#[case::over_before_it_was_asked_for(json!({"end": "2027-03-09"}), false)]
#[case::no_date(json!({"end": "2027-02-30"}), false)]
#[case::no_start(json!({"start": "soon"}), false)]
fn it_is_as_long_as_it_may_be(#[case] term: Value, #[case] is_valid: bool) {
    let mut desk = ExceptionDesk::new();
    desk.ask("x", &term);
    desk.last()["metadata"]["annotations"] = json!({"entitlements.dev/granted-at": "2027-01-01T00:00:00Z"});
    let expected = if is_valid { ("Requested", Some("ApprovalRequired")) } else { ("Rejected", Some("InvalidTerm")) };
    assert_eq!(desk.phase("2027-03-11T00:00:00Z"), expected);
}

/// "In force from the later of `start` and acceptance to `end`."
#[rstest]
#[case::at_once(json!({}), "2027-03-12T10:00:00Z", "Active", "2027-03-12T10:00:00Z", "2027-03-31T22:00:00Z")]
#[case::later(json!({"start": "2027-03-20"}), "2027-03-12T10:00:00Z", "Waiting", "2027-03-19T23:00:00Z", "2027-03-31T22:00:00Z")]
#[case::not_before_it_was_approved(
    json!({"start": "2027-03-11"}), "2027-03-12T10:00:00Z", "Active", "2027-03-12T10:00:00Z", "2027-03-31T22:00:00Z"
)]
#[case::of_the_day_of_the_change(
    json!({"start": "2027-03-28", "end": "2027-03-28"}), "2027-03-12T10:00:00Z", "Waiting", "2027-03-27T23:00:00Z",
    "2027-03-28T22:00:00Z"
)]
fn it_is_in_force_from_the_later_of_start_and_approval(
    #[case] term: Value,
    #[case] approved: &str,
    #[case] phase: &str,
    #[case] start: &str,
    #[case] end: &str,
) {
    let mut desk = ExceptionDesk::new();
    desk.ask("x", &term).approve("x", approved);
    let verdict = desk.verdict("2027-03-13T00:00:00Z");
    assert_eq!((verdict.phase, verdict.term), (phase, Some((at(start), at(end)))));
    let held = |desk: &mut ExceptionDesk, moment, seconds| desk.look(at(moment) + chrono::TimeDelta::seconds(seconds));
    let ten = Some("10".to_owned());
    if phase == "Waiting" {
        assert_eq!([held(&mut desk, start, -1), held(&mut desk, start, 0)], [None, ten.clone()]);
    }
    assert_eq!([held(&mut desk, end, -1), held(&mut desk, end, 0)], [ten, None]);
    assert_eq!(desk.phase("2027-05-01T00:00:00Z"), ("Expired", None));
}

/// It was approved, and is over.
#[test]
fn an_approval_after_the_end_gives_nothing() {
    let mut desk = ExceptionDesk::new();
    desk.ask("x", &json!({"end": "2027-03-11"})).approve("x", "2027-03-15T00:00:00Z");
    let requested = desk.phase("2027-03-14T00:00:00Z");
    assert_eq!(requested, ("Requested", Some("ApprovalRequired")));
    let verdict = desk.verdict("2027-03-15T00:00:02Z");
    assert_eq!((verdict.phase, verdict.reason, verdict.settled.is_some()), ("Expired", None, true));
    assert_eq!((desk.held("2027-03-15T00:00:02Z"), desk.status("x")["nextTransition"].clone()), (None, Value::Null));
}

/// The zone of its acceptance counts from then on; until then, the one that the organization has.
#[test]
fn its_days_are_those_where_the_client_was_when_it_was_approved() {
    let mut desk = ExceptionDesk::new();
    desk.organize(&json!({"timeZone": "UTC"})).ask("x", &json!({"start": "2027-03-20", "end": "2027-03-21"}));
    desk.held("2027-03-10T09:00:00Z");
    desk.organize(&json!({"timeZone": "America/New_York"})).approve("x", "2027-03-10T10:00:00Z");
    let there = Some((at("2027-03-20T04:00:00Z"), at("2027-03-22T04:00:00Z")));
    assert_eq!(desk.verdict("2027-03-11T00:00:00Z").term, there);
    desk.organize(&json!({"timeZone": "Asia/Tokyo"}));
    assert_eq!(desk.verdict("2027-03-12T00:00:00Z").term, there);
    assert_eq!(desk.status("x")["until"], "2027-03-21");
}
