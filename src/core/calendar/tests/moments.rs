use rstest::rstest;

use super::super::{
    Bound, InvalidMoment, Moment, NEVER, Nominal, TimeProblem, format_instant, parse_exact_instant, parse_instant,
};
use super::{end, moment, start};

#[rstest]
#[case("2027-01-31", "2027-01-31")]
#[case("2028-02-29", "2028-02-29")]
#[case("0000-01-01", "0000-01-01")]
#[case("9999-12-31", "9999-12-31")]
#[case("2027-01-31T09:00:00Z", "2027-01-31T09:00:00Z")]
#[case("2027-01-31t09:00:00z", "2027-01-31T09:00:00Z")]
#[case("2027-01-31T00:30:00+02:00", "2027-01-30T22:30:00Z")]
#[case("2027-01-31T23:59:59-05:30", "2027-02-01T05:29:59Z")]
#[case("2027-01-31T09:00:00-00:00", "2027-01-31T09:00:00Z")]
#[case("9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59Z")]
#[case("0000-01-01T00:00:00+23:59", "0000-01-01T00:00:00Z")]
fn a_moment_is_a_date_or_an_rfc_3339_time_of_whole_seconds(#[case] text: &str, #[case] canonical: &str) {
    assert_eq!(moment(text).to_string(), canonical);
}

#[rstest]
#[case("", TimeProblem::Form)]
#[case("tomorrow", TimeProblem::Form)]
#[case("2027-1-31", TimeProblem::Form)]
#[case("27-01-31", TimeProblem::Form)]
#[case("20270131", TimeProblem::Form)]
#[case("+2027-01-31", TimeProblem::Form)]
#[case("12027-01-31", TimeProblem::Form)]
#[case(" 2027-01-31", TimeProblem::Form)]
#[case("2027-01-31 ", TimeProblem::Form)]
#[case("2027-01-31Z", TimeProblem::Form)]
#[case("2027-01-31T09:00Z", TimeProblem::Form)]
#[case("2027-01-31 09:00:00Z", TimeProblem::Form)]
#[case("2027-01-31T09:00:00 Z", TimeProblem::Form)]
#[case("2027-01-31T09:00:00+0200", TimeProblem::Form)]
#[case("2027-01-31T09:00:00+02", TimeProblem::Form)]
#[case("2027-01-31T09:00:00\u{2212}02:00", TimeProblem::Form)]
#[case("2027-01-31T09:00:00UTC", TimeProblem::Form)]
#[case("2027-01-31T09:00:00.Z", TimeProblem::Form)]
#[case("2027-01-31T09:00:00,5Z", TimeProblem::Form)]
#[case("2027-01-31T09:00:0é0Z", TimeProblem::Form)]
#[case("2027-02-29", TimeProblem::Nonexistent)]
#[case("2100-02-29", TimeProblem::Nonexistent)]
#[case("2027-04-31", TimeProblem::Nonexistent)]
#[case("2027-13-01", TimeProblem::Nonexistent)]
#[case("2027-00-01", TimeProblem::Nonexistent)]
#[case("2027-01-00", TimeProblem::Nonexistent)]
#[case("2027-02-29T00:00:00Z", TimeProblem::Nonexistent)]
#[case("2027-01-31T24:00:00Z", TimeProblem::Nonexistent)]
#[case("2027-01-31T23:60:00Z", TimeProblem::Nonexistent)]
#[case("2027-01-31T23:59:61Z", TimeProblem::Nonexistent)]
#[case("2027-01-31T09:00:00+24:00", TimeProblem::Nonexistent)]
#[case("2027-01-31T09:00:00+02:60", TimeProblem::Nonexistent)]
#[case("2027-01-31T09:00:00", TimeProblem::NoOffset)]
#[case("2027-01-31T09:00:00.000Z", TimeProblem::Fraction)]
#[case("2027-01-31T09:00:00.5+02:00", TimeProblem::Fraction)]
#[case("2027-01-31T09:00:00.5", TimeProblem::Fraction)]
#[case("2026-12-31T23:59:60Z", TimeProblem::LeapSecond)]
fn another_text_is_refused_for_what_is_wrong_with_it(#[case] text: &str, #[case] problem: TimeProblem) {
    let refused = text.parse::<Moment>();
    assert_eq!(refused.as_ref().map_err(InvalidMoment::problem), Err(problem));
}

#[test]
fn a_refusal_says_what_to_write() {
    assert_eq!(
        "2027-02-30".parse::<Moment>().unwrap_err().to_string(),
        "\"2027-02-30\" is no date or time: there is no such day, time of day or offset; write a date such as \
         2027-01-31, or an RFC 3339 time of whole seconds with its offset, such as 2027-01-31T09:00:00Z"
    );
    assert_eq!(
        parse_instant("2027-01-31").unwrap_err().to_string(),
        "\"2027-01-31\" is no time: it does not have the form of one; write an RFC 3339 time with its offset, \
         such as 2027-01-31T09:00:00Z"
    );
}

#[rstest]
#[case("2027-01-31T09:00:00.999Z", "2027-01-31T09:00:00Z")]
#[case("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59Z")]
#[case("2027-01-31T09:00:00.123456789123+02:00", "2027-01-31T07:00:00Z")]
fn instants_compare_at_one_precision(#[case] text: &str, #[case] second: &str) {
    assert_eq!(format_instant(parse_instant(text).unwrap()), second);
}

#[rstest]
#[case("2027-01-31T09:00:00Z", 1_801_386_000_000_000)]
#[case("2027-01-31T09:00:00.5Z", 1_801_386_000_500_000)]
#[case("2027-01-31T09:00:00.123456789123+02:00", 1_801_378_800_123_456)]
#[case("1969-12-31T23:59:59.9Z", -100_000)]
#[case("9999-12-31T23:59:59.9-12:00", 253_402_300_799_000_000)]
fn what_is_said_several_times_in_a_second_keeps_its_fraction(#[case] text: &str, #[case] microseconds: i64) {
    assert_eq!(parse_exact_instant(text).unwrap().timestamp_micros(), microseconds);
}

#[rstest]
#[case("2027-01-31", "UTC", "2027-01-31T00:00:00Z")]
#[case("2027-01-31", "Europe/Berlin", "2027-01-30T23:00:00Z")]
#[case("2027-01-31", "America/New_York", "2027-01-31T05:00:00Z")]
#[case("2027-07-01", "America/New_York", "2027-07-01T04:00:00Z")]
#[case("2027-01-31", "Asia/Kathmandu", "2027-01-30T18:15:00Z")]
fn a_date_means_midnight_of_that_day_in_the_time_zone(#[case] text: &str, #[case] zone: &str, #[case] instant: &str) {
    assert_eq!(format_instant(start(text, zone).instant()), instant);
}

#[rstest]
#[case("2027-01-31", "UTC", "2027-02-01T00:00:00Z")]
#[case("2027-12-31", "Europe/Berlin", "2027-12-31T23:00:00Z")]
#[case("2028-02-28", "UTC", "2028-02-29T00:00:00Z")]
#[case("2027-03-28", "Europe/Berlin", "2027-03-28T22:00:00Z")]
#[case("2024-04-25", "Africa/Cairo", "2024-04-25T22:00:00Z")]
#[case("2027-01-31T00:00:00Z", "Asia/Tokyo", "2027-01-31T00:00:00Z")]
fn a_date_given_as_end_includes_its_whole_day(#[case] text: &str, #[case] zone: &str, #[case] instant: &str) {
    assert_eq!(end(text, zone).instant().to_string(), instant);
}

#[rstest]
#[case("9999-12-31", "UTC")]
#[case("9999-12-31", "America/New_York")]
#[case("9999-12-31", "Asia/Tokyo")]
#[case("9999-12-31T00:00:00Z", "UTC")]
#[case("9999-12-31T00:00:00Z", "America/New_York")]
#[case("9999-12-31T12:00:00Z", "UTC")]
#[case("9999-12-31T00:00:00+09:00", "Asia/Tokyo")]
#[case("9999-12-31T23:59:59-10:00", "UTC")]
// Its text in a status would be that of never.
#[case("9999-12-30", "UTC")]
fn an_end_on_9999_12_31_means_never(#[case] text: &str, #[case] zone: &str) {
    assert_eq!(end(text, zone), Bound::Never);
}

#[rstest]
#[case("9999-12-29", "UTC", "9999-12-30T00:00:00Z")]
#[case("9999-12-30T23:59:59Z", "UTC", "9999-12-30T23:59:59Z")]
#[case("9999-12-30T12:00:00Z", "America/New_York", "9999-12-30T12:00:00Z")]
fn an_end_before_9999_12_31_comes(#[case] text: &str, #[case] zone: &str, #[case] instant: &str) {
    assert_eq!(end(text, zone).instant().to_string(), instant);
}

#[test]
fn never_is_9999_12_31_and_after_all_else() {
    let last: Bound = "9999-12-30T23:59:59Z".parse().unwrap();
    assert_eq!(NEVER.parse::<Bound>(), Ok(Bound::Never));
    assert_eq!(Bound::Never.to_string(), "9999-12-31T00:00:00Z");
    assert_eq!(last.to_string(), "9999-12-30T23:59:59Z");
    assert!(last < Bound::Never);
    assert_eq!(Bound::<Nominal>::Never.at(), None);
}

#[rstest]
#[case("2027-01-31T00:00:00Z", "2027-01-30T23:59:59Z", false)]
#[case("2027-01-31T00:00:00Z", "2027-01-31T00:00:00Z", true)]
#[case(NEVER, "9999-12-31T23:59:59Z", false)]
fn a_term_is_half_open(#[case] end: &str, #[case] now: &str, #[case] has_come: bool) {
    let end: Bound = end.parse().unwrap();
    assert_eq!(end.has_come(parse_instant(now).unwrap()), has_come);
}
