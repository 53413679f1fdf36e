use rstest::rstest;

use super::super::{Bound, Nominal, add, format_instant, parse_instant};
use super::{duration, end, start, zone};

/// The end of a term in UTC whose start and end are at midnight, as a date.
fn end_date(start_date: &str, term: &str, chain_day: u32) -> String {
    let end = add(start(start_date, "UTC"), duration(term), chain_day).instant().to_string();
    end.strip_suffix("T00:00:00Z").unwrap().to_owned()
}

#[rstest]
#[case("2027-01-15", "P1M", 15, "2027-02-15")]
#[case("2027-12-15", "P1M", 15, "2028-01-15")]
#[case("2027-02-27", "P1M", 31, "2027-03-27")]
#[case("2027-01-30", "P1Y", 31, "2028-01-30")]
#[case("2028-02-28", "P1Y", 29, "2029-02-28")]
#[case("2027-01-15", "P120M", 15, "2037-01-15")]
#[case("2027-06-30", "P1M", 30, "2027-07-30")]
fn the_day_stays(#[case] start: &str, #[case] term: &str, #[case] chain_day: u32, #[case] end: &str) {
    assert_eq!(end_date(start, term, chain_day), end);
}

#[rstest]
#[case("2027-01-31", "P1M", 31, "2027-02-28")]
#[case("2028-01-31", "P1M", 31, "2028-02-29")]
#[case("2027-01-29", "P1M", 29, "2027-02-28")]
#[case("2027-03-31", "P1M", 31, "2027-04-30")]
#[case("2028-02-29", "P1Y", 29, "2029-02-28")]
#[case("2028-02-29", "P4Y", 29, "2032-02-29")]
#[case("2096-02-29", "P4Y", 29, "2100-02-28")]
#[case("2027-12-31", "P2M", 31, "2028-02-29")]
fn the_months_last_if_it_has_no_such_day(
    #[case] start: &str,
    #[case] term: &str,
    #[case] chain_day: u32,
    #[case] end: &str,
) {
    assert_eq!(end_date(start, term, chain_day), end);
}

#[rstest]
#[case("2027-02-28", "P1M", 31, "2027-03-31")]
#[case("2027-02-28", "P1M", 30, "2027-03-30")]
#[case("2027-02-28", "P1M", 28, "2027-03-28")]
#[case("2027-02-28", "P2M", 31, "2027-04-30")]
#[case("2027-04-30", "P1M", 31, "2027-05-31")]
#[case("2027-04-30", "P1M", 30, "2027-05-30")]
#[case("2029-02-28", "P1Y", 29, "2030-02-28")]
#[case("2031-02-28", "P1Y", 29, "2032-02-29")]
// Not the last day of its month, so it is no day that was cut.
#[case("2028-02-28", "P1M", 31, "2028-03-28")]
// Weeks and days do not look at the chain.
#[case("2027-02-28", "P1W", 31, "2027-03-07")]
#[case("2027-02-28", "P1D", 31, "2027-03-01")]
fn from_the_last_day_of_a_month_before_chain_day_it_becomes_chain_day(
    #[case] start: &str,
    #[case] term: &str,
    #[case] chain_day: u32,
    #[case] end: &str,
) {
    assert_eq!(end_date(start, term, chain_day), end);
}

#[test]
fn a_chain_of_months_from_the_31st_ends_on_each_months_last_day() {
    let ends = [
        "2027-02-28",
        "2027-03-31",
        "2027-04-30",
        "2027-05-31",
        "2027-06-30",
        "2027-07-31",
        "2027-08-31",
        "2027-09-30",
        "2027-10-31",
        "2027-11-30",
        "2027-12-31",
        "2028-01-31",
        "2028-02-29",
        "2028-03-31",
    ];
    let mut date = "2027-01-31".to_owned();
    for end in ends {
        date = end_date(&date, "P1M", 31);
        assert_eq!(date, end);
    }
}

#[rstest]
// One after the other would go over 2029-02-28, and end on 2029-03-28.
#[case("2028-02-29", "P1Y1M", 15, "2029-03-29")]
#[case("2027-01-31", "P1Y1M", 31, "2028-02-29")]
fn years_and_months_are_added_together(
    #[case] start: &str,
    #[case] term: &str,
    #[case] chain_day: u32,
    #[case] end: &str,
) {
    assert_eq!(end_date(start, term, chain_day), end);
}

#[rstest]
#[case("2027-01-31", "P1M1D", "2027-03-01")]
#[case("2027-01-31", "P1M1W", "2027-03-07")]
#[case("2027-01-31", "P2W3D", "2027-02-17")]
#[case("2028-01-31", "P1M1D", "2028-03-01")]
fn then_weeks_and_days(#[case] start: &str, #[case] term: &str, #[case] end: &str) {
    assert_eq!(end_date(start, term, 31), end);
}

#[rstest]
#[case("2027-01-31", "UTC", "P1Y2M3W4DT5H6M7S", "2028-04-25T05:06:07Z")]
// 2027-03-28 has 23 hours in Berlin.
#[case("2027-03-27", "Europe/Berlin", "P1DT1H", "2027-03-28T00:00:00Z")]
#[case("2027-03-28", "Europe/Berlin", "P1D", "2027-03-28T22:00:00Z")]
#[case("2027-03-28", "Europe/Berlin", "PT24H", "2027-03-28T23:00:00Z")]
#[case("2027-03-28", "Europe/Berlin", "PT1439M60S", "2027-03-28T23:00:00Z")]
#[case("2027-10-31", "Europe/Berlin", "P1D", "2027-10-31T23:00:00Z")]
#[case("2027-10-31", "Europe/Berlin", "PT24H", "2027-10-31T22:00:00Z")]
// The hours follow the day, whose 02:30 is the moment of the change.
#[case("2027-03-27T02:30:00+01:00", "Europe/Berlin", "P1DT1H", "2027-03-28T02:00:00Z")]
fn then_on_the_absolute_time_line_hours_minutes_and_seconds(
    #[case] start_text: &str,
    #[case] zone_name: &str,
    #[case] term: &str,
    #[case] end: &str,
) {
    let start = start(start_text, zone_name);
    assert_eq!(add(start, duration(term), start.day()).instant().to_string(), end);
}

#[rstest]
#[case("PT1S", "2027-10-31T01:30:01Z")]
#[case("PT1H", "2027-10-31T02:30:00Z")]
#[case("P0DT1H", "2027-10-31T02:30:00Z")]
#[case("PT0S", "2027-10-31T01:30:00Z")]
fn a_duration_without_a_date_part_never_goes_through_local_time(#[case] term: &str, #[case] end: &str) {
    // 02:30 CET: the second 02:30 of that night.
    let start = start("2027-10-31T01:30:00Z", "Europe/Berlin");
    assert_eq!(add(start, duration(term), 31).instant().to_string(), end);
}

#[rstest]
// The clocks skip 00:00 of the start, which stays 00:00 for what is counted from it.
#[case("Africa/Cairo", "2024-04-26", "P1M", "2024-05-25T21:00:00Z")]
#[case("America/Sao_Paulo", "2018-11-04", "P1D", "2018-11-05T02:00:00Z")]
#[case("Pacific/Apia", "2011-12-30", "P1M", "2012-01-29T10:00:00Z")]
#[case("Pacific/Apia", "2011-12-30", "P1D", "2011-12-30T10:00:00Z")]
// An instant counts from the local time that it shows: here 01:00.
#[case("Africa/Cairo", "2024-04-25T22:00:00Z", "P1M", "2024-05-25T22:00:00Z")]
// The clocks skip the result.
#[case("Africa/Cairo", "2024-03-26", "P1M", "2024-04-25T22:00:00Z")]
#[case("America/Sao_Paulo", "2018-10-04", "P1M", "2018-11-04T03:00:00Z")]
#[case("Australia/Lord_Howe", "2027-10-02T02:15:00+10:30", "P1D", "2027-10-02T15:30:00Z")]
#[case("Pacific/Apia", "2011-12-29T18:00:00-10:00", "P1D", "2011-12-30T10:00:00Z")]
// The result exists twice.
#[case("Europe/Berlin", "2027-10-30T02:30:00+02:00", "P1D", "2027-10-31T00:30:00Z")]
#[case("Australia/Lord_Howe", "2027-03-04T01:45:00+11:00", "P1M", "2027-04-03T14:45:00Z")]
// The start is the second 02:30 of its night.
#[case("Europe/Berlin", "2027-10-31T01:30:00Z", "P1D", "2027-11-01T01:30:00Z")]
// Over a day that was left out.
#[case("Pacific/Apia", "2011-12-29", "P2D", "2011-12-30T10:00:00Z")]
#[case("Pacific/Apia", "2011-12-29", "P1M", "2012-01-28T10:00:00Z")]
#[case("Pacific/Apia", "2011-12-29", "PT24H", "2011-12-30T10:00:00Z")]
fn local_arithmetic_works_on_nominal_local_values(
    #[case] zone_name: &str,
    #[case] start_text: &str,
    #[case] term: &str,
    #[case] end: &str,
) {
    let start = start(start_text, zone_name);
    assert_eq!(add(start, duration(term), start.day()).instant().to_string(), end);
}

#[test]
fn an_end_that_the_clocks_skip_keeps_its_nominal_value() {
    let end = add(start("2024-03-26", "Africa/Cairo"), duration("P1M"), 26).at().unwrap();
    assert_eq!(end.local().to_string(), "2024-04-26 00:00:00");
    assert_eq!(format_instant(end.instant()), "2024-04-25T22:00:00Z");
}

#[test]
fn an_instant_stays_that_instant_and_shows_its_local_time() {
    let second_pass = parse_instant("2027-10-31T01:30:00Z").unwrap();
    let nominal = Nominal::of_instant(second_pass, zone("Europe/Berlin"));
    assert_eq!(nominal.instant(), second_pass);
    assert_eq!(nominal.local().to_string(), "2027-10-31 02:30:00");
    assert_eq!(nominal.day(), 31);
}

#[rstest]
#[case("9998-12-31", "UTC", "P1Y")]
#[case("9999-12-30", "UTC", "P1D")]
#[case("9999-12-30T23:59:59Z", "UTC", "PT1S")]
#[case("9999-12-30", "Asia/Tokyo", "P1D")]
#[case("9999-12-30T19:00:00-05:00", "America/New_York", "PT0S")]
#[case("9999-12-31", "UTC", "P1M")]
#[case("2027-01-31", "UTC", "P7973Y")]
#[case("2027-01-31", "UTC", "P999999999999Y")]
#[case("2027-01-31", "UTC", "P999999999999M")]
#[case("2027-01-31", "UTC", "P999999999999W")]
#[case("2027-01-31", "UTC", "P999999999999D")]
#[case("2027-01-31", "UTC", "PT999999999999H")]
#[case("2027-01-31", "UTC", "PT999999999999M")]
#[case("2027-01-31", "UTC", "PT999999999999S")]
#[case(
    "2027-01-31",
    "UTC",
    "P999999999999Y999999999999M999999999999W999999999999DT999999999999H999999999999M999999999999S"
)]
fn a_computed_end_beyond_9999_12_31_means_never(#[case] start_text: &str, #[case] zone_name: &str, #[case] term: &str) {
    let start = start(start_text, zone_name);
    assert_eq!(add(start, duration(term), start.day()), Bound::Never);
}

#[rstest]
#[case("9998-12-30", "P1Y", "9999-12-30T00:00:00Z")]
#[case("9999-12-30", "PT86399S", "9999-12-30T23:59:59Z")]
#[case("0000-01-01", "P9999Y11M29D", "9999-12-30T00:00:00Z")]
fn a_computed_end_before_9999_12_31_comes(#[case] start_text: &str, #[case] term: &str, #[case] end: &str) {
    assert_eq!(add(start(start_text, "UTC"), duration(term), 1).instant().to_string(), end);
}

#[test]
fn a_stated_end_and_the_computed_one_of_the_same_term_are_equal() {
    // A month that begins on 2027-02-01 includes the whole of 2027-02-28.
    let computed = add(start("2027-02-01", "Europe/Berlin"), duration("P1M"), 1);
    assert_eq!(computed, end("2027-02-28", "Europe/Berlin"));
}
