use rstest::rstest;

use super::super::{format_instant, subtract};
use super::{duration, end};

#[rstest]
// The end is 2028-01-01T00:00.
#[case("UTC", "2027-12-31", "P90D", 1, "2027-10-03T00:00:00Z")]
#[case("UTC", "2027-12-31", "P60D", 1, "2027-11-02T00:00:00Z")]
#[case("UTC", "2027-12-31", "P30D", 1, "2027-12-02T00:00:00Z")]
#[case("UTC", "2027-12-31", "P1W", 1, "2027-12-25T00:00:00Z")]
#[case("UTC", "2027-12-31", "P1Y1M", 1, "2026-12-01T00:00:00Z")]
// The end is 2027-03-31T00:00.
#[case("UTC", "2027-03-30", "P1M", 31, "2027-02-28T00:00:00Z")]
#[case("UTC", "2027-03-30", "P1M1D", 31, "2027-02-27T00:00:00Z")]
// The end is 2027-02-28T00:00.
#[case("UTC", "2027-02-27", "P1M", 31, "2027-01-31T00:00:00Z")]
#[case("UTC", "2027-02-27", "P1M", 28, "2027-01-28T00:00:00Z")]
// The end is 2028-02-29T00:00.
#[case("UTC", "2028-02-28", "P1Y", 29, "2027-02-28T00:00:00Z")]
#[case("UTC", "2028-02-28", "P4Y", 29, "2024-02-29T00:00:00Z")]
// The end is 2027-03-29T00:00 in Berlin, after a day of 23 hours.
#[case("Europe/Berlin", "2027-03-28", "P1D", 29, "2027-03-27T23:00:00Z")]
#[case("Europe/Berlin", "2027-03-28", "P1DT1H", 29, "2027-03-27T22:00:00Z")]
#[case("Europe/Berlin", "2027-03-28", "PT24H", 29, "2027-03-27T22:00:00Z")]
// A date part of zero is none.
#[case("Europe/Berlin", "2027-03-28", "P0DT24H", 29, "2027-03-27T22:00:00Z")]
#[case("Europe/Berlin", "2027-10-31T01:30:00Z", "P0Y0M0W0DT1H", 31, "2027-10-31T00:30:00Z")]
// The notice falls on a midnight that the clocks skip.
#[case("Africa/Cairo", "2024-05-25", "P1M", 26, "2024-04-25T22:00:00Z")]
// The end is the second 02:30 of its night.
#[case("Europe/Berlin", "2027-10-31T01:30:00Z", "PT1H", 31, "2027-10-31T00:30:00Z")]
fn subtracting_goes_the_same_way(
    #[case] zone_name: &str,
    #[case] end_text: &str,
    #[case] notice: &str,
    #[case] chain_day: u32,
    #[case] instant: &str,
) {
    let end = end(end_text, zone_name).at().unwrap();
    assert_eq!(format_instant(subtract(end, duration(notice), chain_day)), instant);
}

#[rstest]
#[case("P2028Y", "0000-01-01T00:00:00Z")]
#[case("P2028Y1D", "0000-01-01T00:00:00Z")]
#[case("P999999999999Y", "0000-01-01T00:00:00Z")]
#[case("P999999999999D", "0000-01-01T00:00:00Z")]
#[case("PT999999999999H", "0000-01-01T00:00:00Z")]
fn a_notice_before_the_year_0000_is_at_its_beginning(#[case] notice: &str, #[case] instant: &str) {
    let end = end("2027-12-31", "UTC").at().unwrap();
    assert_eq!(format_instant(subtract(end, duration(notice), 1)), instant);
}
