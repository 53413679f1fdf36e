use rstest::rstest;

use super::super::{Tz, format_instant, parse_zone, resolve, tz_release};
use super::zone;

#[rstest]
#[case("UTC")]
#[case("Europe/Berlin")]
#[case("America/Argentina/Buenos_Aires")]
#[case("Etc/GMT+5")]
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
    assert!(year.parse::<u32>().unwrap() >= 2025);
    assert!(letter.chars().all(|character| character.is_ascii_lowercase()));
    assert_eq!(letter.len(), 1);
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
