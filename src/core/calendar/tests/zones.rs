use rstest::rstest;

use super::super::{Tz, compiled_in_release, format_instant, parse_instant, parse_zone, resolve, tz_release};
use super::zone;

#[rstest]
#[case("UTC")]
#[case("Europe/Berlin")]
#[case("America/Argentina/Buenos_Aires")]
#[case("Etc/GMT+5")]
// Links, old names and new ones.
#[case("Europe/Kiev")]
#[case("Europe/Kyiv")]
#[case("Asia/Calcutta")]
#[case("US/Pacific")]
#[case("GB-Eire")]
#[case("EST5EDT")]
#[case("America/Coyhaique")]
fn a_time_zone_is_an_iana_name(#[case] name: &str) {
    assert_eq!(zone(name).name(), name);
}

#[rstest]
#[case("europe/berlin", Some("Europe/Berlin"))]
#[case("EUROPE/BERLIN", Some("Europe/Berlin"))]
#[case("Europe/Berln", Some("Europe/Berlin"))]
#[case(" Europe/Berlin", Some("Europe/Berlin"))]
#[case("Berlin", Some("Europe/Berlin"))]
#[case("America/NewYork", Some("America/New_York"))]
#[case("New York", Some("America/New_York"))]
#[case("America/Sao Paulo", Some("America/Sao_Paulo"))]
#[case("utc", Some("UTC"))]
#[case("", None)]
#[case("+02:00", None)]
#[case("Pacific Standard Time", None)]
#[case("europe/kiev", Some("Europe/Kiev"))]
#[case("posix/Europe/Berlin", Some("Europe/Berlin"))]
#[case("right/Europe/Berlin", Some("Europe/Berlin"))]
#[case("localtime", None)]
#[case("Factory", None)]
#[case("../Europe/Berlin", Some("Europe/Berlin"))]
#[case("/etc/localtime", None)]
#[case("Europe/Berlin\0", Some("Europe/Berlin"))]
#[case("Europe//Berlin", Some("Europe/Berlin"))]
#[case("Europe", None)]
fn an_unknown_name_is_refused_with_the_closest_one(#[case] name: &str, #[case] closest: Option<&str>) {
    let suggestion = parse_zone(name).unwrap_err().suggestion();
    assert_eq!(suggestion.map(Tz::name), closest);
}

#[test]
fn a_name_of_any_length_is_refused() {
    let refused = parse_zone(&"Europe/Berlin".repeat(100_000)).unwrap_err();
    assert_eq!(refused.suggestion(), None);
    assert_eq!(
        refused.to_string(),
        format!(
            "\"Europe/BerlinEurope/BerlinEurope/BerlinE…\" is no time zone of the IANA time zone database, \
             release {}; write a name such as \"Europe/Berlin\" or \"UTC\"",
            tz_release()
        )
    );
}

#[test]
fn a_refusal_names_the_release_and_the_suggestion() {
    assert_eq!(
        parse_zone("Europe/Berln").unwrap_err().to_string(),
        format!(
            "\"Europe/Berln\" is no time zone of the IANA time zone database, release {}; did you mean \
             \"Europe/Berlin\"?",
            tz_release()
        )
    );
}

#[test]
fn the_release_is_a_year_and_a_letter() {
    let (year, letter) = tz_release().split_at(4);
    assert!(year.parse::<u32>().unwrap() >= 2026);
    assert!(letter.chars().all(|character| character.is_ascii_lowercase()));
    assert_eq!(letter.len(), 1);
    // No test takes other data into use.
    assert_eq!(tz_release(), compiled_in_release());
}

#[rstest]
// An hour in spring: 02:00 CET becomes 03:00 CEST.
#[case("Europe/Berlin", "2027-03-28T02:00:00", "2027-03-28T01:00:00Z")]
#[case("Europe/Berlin", "2027-03-28T02:59:59", "2027-03-28T01:00:00Z")]
// Midnight itself: 00:00 becomes 01:00.
#[case("Africa/Cairo", "2024-04-26T00:00:00", "2024-04-25T22:00:00Z")]
#[case("America/Sao_Paulo", "2018-11-04T00:00:00", "2018-11-04T03:00:00Z")]
#[case("America/Sao_Paulo", "2018-11-04T00:30:00", "2018-11-04T03:00:00Z")]
// Half an hour: 02:00 becomes 02:30.
#[case("Australia/Lord_Howe", "2027-10-03T02:15:00", "2027-10-02T15:30:00Z")]
// A whole day: 2011-12-30 was left out, from UTC-10 to UTC+14.
#[case("Pacific/Apia", "2011-12-30T00:00:00", "2011-12-30T10:00:00Z")]
#[case("Pacific/Apia", "2011-12-30T23:59:59", "2011-12-30T10:00:00Z")]
fn a_local_time_that_does_not_exist_means_the_moment_at_which_the_clocks_change(
    #[case] zone_name: &str,
    #[case] local: &str,
    #[case] instant: &str,
) {
    assert_eq!(format_instant(resolve(local.parse().unwrap(), zone(zone_name))), instant);
}

#[rstest]
// 03:00 CEST becomes 02:00 CET.
#[case("Europe/Berlin", "2027-10-31T02:00:00", "2027-10-31T00:00:00Z")]
#[case("Europe/Berlin", "2027-10-31T02:59:59", "2027-10-31T00:59:59Z")]
// 02:00 UTC+11 becomes 01:30 UTC+10:30.
#[case("Australia/Lord_Howe", "2027-04-04T01:45:00", "2027-04-03T14:45:00Z")]
// 24:00 becomes 23:00 of the same day.
#[case("America/Sao_Paulo", "2018-02-17T23:30:00", "2018-02-18T01:30:00Z")]
fn a_local_time_that_exists_twice_means_the_first(#[case] zone_name: &str, #[case] local: &str, #[case] instant: &str) {
    assert_eq!(format_instant(resolve(local.parse().unwrap(), zone(zone_name))), instant);
}

#[rstest]
#[case("Europe/Berlin", "2027-03-28T01:59:59", "2027-03-28T00:59:59Z")]
#[case("Europe/Berlin", "2027-03-28T03:00:00", "2027-03-28T01:00:00Z")]
#[case("Europe/Berlin", "2027-10-31T01:59:59", "2027-10-30T23:59:59Z")]
#[case("Europe/Berlin", "2027-10-31T03:00:00", "2027-10-31T02:00:00Z")]
#[case("Pacific/Apia", "2011-12-29T23:59:59", "2011-12-30T09:59:59Z")]
#[case("Pacific/Apia", "2011-12-31T00:00:00", "2011-12-30T10:00:00Z")]
#[case("UTC", "2027-01-31T12:34:56", "2027-01-31T12:34:56Z")]
fn a_local_time_that_exists_once_means_that_moment(
    #[case] zone_name: &str,
    #[case] local: &str,
    #[case] instant: &str,
) {
    assert_eq!(format_instant(resolve(local.parse().unwrap(), zone(zone_name))), instant);
}

// Worked out with Python's zoneinfo and its data of release 2026f.
#[rstest]
#[case("Africa/Casablanca", "2026-11-02T00:00:00", "2026-11-02T00:00:00Z")]
#[case("Africa/Casablanca", "2027-01-01T00:00:00", "2027-01-01T00:00:00Z")]
#[case("Africa/Casablanca", "2027-07-01T00:00:00", "2027-07-01T00:00:00Z")]
#[case("Africa/Casablanca", "2040-01-01T00:00:00", "2040-01-01T00:00:00Z")]
#[case("Africa/Casablanca", "2500-07-01T00:00:00", "2500-07-01T00:00:00Z")]
#[case("Africa/El_Aaiun", "2026-11-02T00:00:00", "2026-11-02T00:00:00Z")]
#[case("Africa/El_Aaiun", "2027-01-01T00:00:00", "2027-01-01T00:00:00Z")]
#[case("Africa/El_Aaiun", "2027-07-01T00:00:00", "2027-07-01T00:00:00Z")]
#[case("Africa/El_Aaiun", "2040-01-01T00:00:00", "2040-01-01T00:00:00Z")]
#[case("Africa/El_Aaiun", "2500-07-01T00:00:00", "2500-07-01T00:00:00Z")]
#[case("America/Vancouver", "2026-11-02T00:00:00", "2026-11-02T07:00:00Z")]
#[case("America/Vancouver", "2027-01-01T00:00:00", "2027-01-01T07:00:00Z")]
#[case("America/Vancouver", "2027-07-01T00:00:00", "2027-07-01T07:00:00Z")]
#[case("America/Vancouver", "2040-01-01T00:00:00", "2040-01-01T07:00:00Z")]
#[case("America/Vancouver", "2500-07-01T00:00:00", "2500-07-01T07:00:00Z")]
#[case("America/Edmonton", "2026-11-02T00:00:00", "2026-11-02T06:00:00Z")]
#[case("America/Edmonton", "2027-01-01T00:00:00", "2027-01-01T06:00:00Z")]
#[case("America/Edmonton", "2027-07-01T00:00:00", "2027-07-01T06:00:00Z")]
#[case("America/Edmonton", "2040-01-01T00:00:00", "2040-01-01T06:00:00Z")]
#[case("America/Edmonton", "2500-07-01T00:00:00", "2500-07-01T06:00:00Z")]
#[case("America/Winnipeg", "2026-11-02T00:00:00", "2026-11-02T05:00:00Z")]
#[case("America/Winnipeg", "2027-01-01T00:00:00", "2027-01-01T05:00:00Z")]
#[case("America/Winnipeg", "2027-07-01T00:00:00", "2027-07-01T05:00:00Z")]
#[case("America/Winnipeg", "2040-01-01T00:00:00", "2040-01-01T05:00:00Z")]
#[case("America/Winnipeg", "2500-07-01T00:00:00", "2500-07-01T05:00:00Z")]
#[case("America/Inuvik", "2026-11-02T00:00:00", "2026-11-02T06:00:00Z")]
#[case("America/Inuvik", "2027-01-01T00:00:00", "2027-01-01T06:00:00Z")]
#[case("America/Inuvik", "2027-07-01T00:00:00", "2027-07-01T06:00:00Z")]
#[case("America/Inuvik", "2040-01-01T00:00:00", "2040-01-01T06:00:00Z")]
#[case("America/Inuvik", "2500-07-01T00:00:00", "2500-07-01T06:00:00Z")]
#[case("America/Havana", "2026-11-02T00:00:00", "2026-11-02T04:00:00Z")]
#[case("America/Havana", "2027-01-01T00:00:00", "2027-01-01T04:00:00Z")]
#[case("America/Havana", "2027-07-01T00:00:00", "2027-07-01T04:00:00Z")]
#[case("America/Havana", "2040-01-01T00:00:00", "2040-01-01T05:00:00Z")]
#[case("America/Havana", "2500-07-01T00:00:00", "2500-07-01T04:00:00Z")]
#[case("Europe/Chisinau", "2026-11-02T00:00:00", "2026-11-01T22:00:00Z")]
#[case("Europe/Chisinau", "2027-01-01T00:00:00", "2026-12-31T22:00:00Z")]
#[case("Europe/Chisinau", "2027-07-01T00:00:00", "2027-06-30T21:00:00Z")]
#[case("Europe/Chisinau", "2040-01-01T00:00:00", "2039-12-31T22:00:00Z")]
#[case("Europe/Chisinau", "2500-07-01T00:00:00", "2500-06-30T21:00:00Z")]
fn a_date_is_midnight_by_the_laws_of_2026(#[case] zone_name: &str, #[case] local: &str, #[case] instant: &str) {
    assert_eq!(format_instant(resolve(local.parse().unwrap(), zone(zone_name))), instant);
}

#[rstest]
#[case("Africa/Casablanca", "2026-09-20T01:30:00", "2026-09-20T00:30:00Z")]
#[case("Africa/Casablanca", "2026-09-20T02:00:00", "2026-09-20T02:00:00Z")]
#[case("Africa/Casablanca", "2026-03-22T02:30:00", "2026-03-22T02:00:00Z")]
#[case("America/Vancouver", "2026-11-01T01:30:00", "2026-11-01T08:30:00Z")]
#[case("America/Vancouver", "2027-03-14T02:30:00", "2027-03-14T09:30:00Z")]
#[case("America/Edmonton", "2026-11-01T01:30:00", "2026-11-01T07:30:00Z")]
#[case("America/Winnipeg", "2026-11-01T01:30:00", "2026-11-01T06:30:00Z")]
#[case("America/Inuvik", "2027-03-14T02:30:00", "2027-03-14T08:30:00Z")]
#[case("America/Havana", "2026-11-01T00:30:00", "2026-11-01T04:30:00Z")]
#[case("America/Havana", "2027-11-07T00:30:00", "2027-11-07T04:30:00Z")]
#[case("America/Havana", "2028-03-12T00:00:00", "2028-03-12T05:00:00Z")]
#[case("Europe/Chisinau", "2026-10-25T03:30:00", "2026-10-25T00:30:00Z")]
#[case("Europe/Chisinau", "2027-03-28T03:30:00", "2027-03-28T01:00:00Z")]
#[case("Europe/Chisinau", "2027-03-28T02:30:00", "2027-03-28T00:30:00Z")]
#[case("Africa/El_Aaiun", "2026-09-20T01:30:00", "2026-09-20T00:30:00Z")]
fn the_clock_changes_are_those_of_the_laws_of_2026(
    #[case] zone_name: &str,
    #[case] local: &str,
    #[case] instant: &str,
) {
    assert_eq!(format_instant(resolve(local.parse().unwrap(), zone(zone_name))), instant);
}

#[rstest]
#[case("Europe/Berlin", "2150-07-01T00:00:00", "2150-06-30T22:00:00Z")]
#[case("America/New_York", "9998-07-01T00:00:00", "9998-07-01T04:00:00Z")]
#[case("Europe/Berlin", "2101-03-27T02:30:00", "2101-03-27T01:00:00Z")]
#[case("Australia/Sydney", "2300-01-01T00:00:00", "2299-12-31T13:00:00Z")]
#[case("Europe/Dublin", "2150-01-01T00:00:00", "2150-01-01T00:00:00Z")]
#[case("Europe/Dublin", "2150-07-01T00:00:00", "2150-06-30T23:00:00Z")]
fn the_rules_go_on(#[case] zone_name: &str, #[case] local: &str, #[case] instant: &str) {
    assert_eq!(format_instant(resolve(local.parse().unwrap(), zone(zone_name))), instant);
}

#[rstest]
#[case("Europe/Berlin", "2027-01-31T00:00:00Z", "CET", 3600)]
#[case("Europe/Berlin", "2150-07-01T00:00:00Z", "CEST", 7200)]
#[case("Europe/Dublin", "2027-01-31T00:00:00Z", "GMT", 0)]
#[case("Africa/Casablanca", "2026-08-01T00:00:00Z", "+01", 3600)]
#[case("Africa/Casablanca", "2026-12-01T00:00:00Z", "+00", 0)]
#[case("America/Vancouver", "2026-12-01T00:00:00Z", "MST", -25200)]
#[case("Asia/Kathmandu", "9999-12-31T23:59:59Z", "+0545", 20700)]
#[case("Pacific/Kiritimati", "0000-01-01T00:00:00Z", "LMT", -37760)]
#[case("UTC", "2027-01-31T00:00:00Z", "UTC", 0)]
fn clocks_show_an_offset_and_what_it_is_called(
    #[case] zone_name: &str,
    #[case] at: &str,
    #[case] abbreviation: &str,
    #[case] ahead: i32,
) {
    let at = parse_instant(at).unwrap();
    assert_eq!(zone(zone_name).abbreviation(at), abbreviation);
    assert_eq!(zone(zone_name).offset(at).local_minus_utc(), ahead);
}
