use rstest::rstest;

use super::super::length;
use super::start;

/// Both moments are read as a start is, so that a date is 00:00 of that day.
fn length_between(zone_name: &str, from: &str, to: &str, chain_day: u32) -> String {
    length(start(from, zone_name), start(to, zone_name), chain_day).to_string()
}

#[rstest]
#[case("UTC", "2027-01-01", "2027-02-01", 1, "P1M")]
#[case("UTC", "2027-01-01", "2028-01-01", 1, "P12M")]
#[case("UTC", "2027-01-31", "2027-02-28", 31, "P1M")]
#[case("UTC", "2027-02-28", "2027-03-31", 31, "P1M")]
#[case("UTC", "2027-02-28", "2027-03-28", 28, "P1M")]
#[case("UTC", "2028-02-29", "2029-02-28", 29, "P12M")]
#[case("UTC", "2027-01-15T09:30:00Z", "2027-02-15T09:30:00Z", 15, "P1M")]
#[case("UTC", "0000-01-01", "9999-12-01", 1, "P119999M")]
// Its ends are in winter and in summer, at the same local time.
#[case("Europe/Berlin", "2027-03-01", "2027-04-01", 1, "P1M")]
// The nominal values count where the clocks skip midnight.
#[case("Africa/Cairo", "2024-03-26", "2024-04-26", 26, "P1M")]
#[case("Africa/Cairo", "2024-04-26", "2024-05-26", 26, "P1M")]
fn whole_months_if_the_nominal_end_is_the_start_plus_so_many(
    #[case] zone_name: &str,
    #[case] from: &str,
    #[case] to: &str,
    #[case] chain_day: u32,
    #[case] expected: &str,
) {
    assert_eq!(length_between(zone_name, from, to, chain_day), expected);
}

#[rstest]
#[case("UTC", "2027-01-01", "2027-01-15", 1, "P14D")]
#[case("UTC", "2027-01-01", "2027-01-31", 1, "P30D")]
#[case("UTC", "2027-01-31", "2027-03-01", 31, "P29D")]
// A month by the rule would end on the 28th, and on the 31st.
#[case("UTC", "2027-02-28", "2027-03-31", 28, "P31D")]
#[case("UTC", "2027-02-28", "2027-03-28", 31, "P28D")]
#[case("UTC", "2027-01-15T09:30:00Z", "2027-01-16T09:30:00Z", 15, "P1D")]
// 23 hours, 25 hours, and no time at all.
#[case("Europe/Berlin", "2027-03-28", "2027-03-29", 28, "P1D")]
#[case("Europe/Berlin", "2027-10-31", "2027-11-01", 31, "P1D")]
#[case("Pacific/Apia", "2011-12-30", "2011-12-31", 30, "P1D")]
fn else_whole_days_if_both_have_the_same_local_time_of_day(
    #[case] zone_name: &str,
    #[case] from: &str,
    #[case] to: &str,
    #[case] chain_day: u32,
    #[case] expected: &str,
) {
    assert_eq!(length_between(zone_name, from, to, chain_day), expected);
}

#[rstest]
#[case("UTC", "2027-01-15T09:00:00Z", "2027-01-15T10:00:00Z", "PT3600S")]
#[case("UTC", "2027-01-15T09:00:00Z", "2027-02-15T10:00:00Z", "PT2682000S")]
// 24 hours from midnight, which end at 01:00.
#[case("Europe/Berlin", "2027-03-27T23:00:00Z", "2027-03-28T23:00:00Z", "PT86400S")]
// Two passes of the same local time.
#[case("Europe/Berlin", "2027-10-31T00:30:00Z", "2027-10-31T01:30:00Z", "PT3600S")]
// An instant at which the clocks skip midnight shows 01:00.
#[case("Africa/Cairo", "2024-03-26", "2024-04-25T22:00:00Z", "PT2678400S")]
fn else_elapsed_seconds(#[case] zone_name: &str, #[case] from: &str, #[case] to: &str, #[case] expected: &str) {
    assert_eq!(length_between(zone_name, from, to, 26), expected);
}

#[rstest]
#[case("2027-01-31", "2027-01-31")]
#[case("2027-03-31", "2027-02-28")]
#[case("2027-01-31", "2026-01-31")]
#[case("2027-01-31T00:00:01Z", "2027-01-31")]
fn zero_where_it_has_no_time_in_force(#[case] from: &str, #[case] to: &str) {
    assert_eq!(length_between("UTC", from, to, 31), "PT0S");
}

#[test]
fn local_values_of_two_zones_are_not_compared() {
    let from = start("2027-01-01", "Europe/Berlin");
    let to = start("2027-02-01", "UTC");
    assert_eq!(length(from, to, 1).to_string(), "PT2682000S");
}
