use chrono::{DateTime, Datelike, NaiveTime, TimeDelta};
use proptest::prelude::*;
use proptest::sample::select;
use rstest::rstest;

use super::super::{
    Bound, Instant, Moment, Nominal, TimeZoneData, Tz, format_local, format_until, parse_instant, parse_zone, resolve,
};
use super::{end, zone};

fn instant(text: &str) -> Instant {
    parse_instant(text).unwrap()
}

fn until(instant: Instant, zone: Tz) -> String {
    format_until(Nominal::of_instant(instant, zone))
}

/// What a manifest's `end` is shown as.
#[rstest]
#[case::a_day("2026-12-31", "Europe/Berlin", "2026-12-31")]
#[case::a_day_ahead("2026-12-31", "Pacific/Kiritimati", "2026-12-31")]
#[case::a_day_behind("2026-12-31", "Pacific/Pago_Pago", "2026-12-31")]
#[case::half_an_hour("2026-12-31", "Asia/Kolkata", "2026-12-31")]
#[case::leap_day("2028-02-29", "UTC", "2028-02-29")]
#[case::before_clocks_skip_midnight("2027-04-29", "Africa/Cairo", "2027-04-29")]
#[case::before_clocks_show_midnight_twice("2027-11-06", "America/Havana", "2027-11-06")]
#[case::before_a_day_that_was_left_out("2011-12-29", "Pacific/Apia", "2011-12-29")]
#[case::a_day_that_was_left_out("2011-12-30", "Pacific/Apia", "2011-12-29")]
#[case::the_last_but_never("9999-12-29", "Europe/Berlin", "9999-12-29")]
#[case::the_first("0000-01-01", "UTC", "0000-01-01")]
#[case::local_midnight_as_a_time("2026-12-31T23:00:00Z", "Europe/Berlin", "2026-12-31")]
#[case::midnight_elsewhere("2027-01-01T00:00:00Z", "Europe/Berlin", "2027-01-01T01:00:00+01:00")]
#[case::a_time_of_day("2026-12-31T17:00:00Z", "Europe/Berlin", "2026-12-31T18:00:00+01:00")]
#[case::in_summer("2026-06-30T16:00:00Z", "Europe/Berlin", "2026-06-30T18:00:00+02:00")]
#[case::west("2026-12-31T17:00:00Z", "America/St_Johns", "2026-12-31T13:30:00-03:30")]
#[case::in_utc("2026-12-31T17:00:00Z", "UTC", "2026-12-31T17:00:00Z")]
#[case::a_second_past_midnight("2026-12-31T23:00:01Z", "Europe/Berlin", "2027-01-01T00:00:01+01:00")]
#[case::a_second_to_midnight("2026-12-31T22:59:59Z", "Europe/Berlin", "2026-12-31T23:59:59+01:00")]
// Clocks go from 00:00 to 01:00.
#[case::midnight_is_skipped("2027-04-29T22:00:00Z", "Africa/Cairo", "2027-04-29")]
#[case::an_hour_after_it_was_skipped("2027-04-29T23:00:00Z", "Africa/Cairo", "2027-04-30T02:00:00+03:00")]
// Clocks go from 01:00 to 00:00.
#[case::the_first_midnight("2027-11-07T04:00:00Z", "America/Havana", "2027-11-06")]
#[case::the_second_midnight("2027-11-07T05:00:00Z", "America/Havana", "2027-11-07T00:00:00-05:00")]
// Clocks go from 24:00 to 23:00, so that midnight comes once, an hour later.
#[case::an_hour_again("2027-10-29T00:00:00+03:00", "Africa/Cairo", "2027-10-28T23:00:00+02:00")]
#[case::the_only_midnight("2027-10-29T00:00:00+02:00", "Africa/Cairo", "2027-10-28")]
#[case::never("9999-12-31", "UTC", "never")]
fn an_end_is_the_last_day_or_a_local_time(#[case] written: &str, #[case] zone_name: &str, #[case] expected: &str) {
    let shown = end(written, zone_name).at().map_or("never".to_owned(), format_until);
    assert_eq!(shown, expected);
}

#[rstest]
#[case("2026-12-31T17:00:00Z", "Europe/Berlin", "2026-12-31T18:00:00+01:00")]
#[case("2026-12-31T17:00:00Z", "UTC", "2026-12-31T17:00:00Z")]
#[case::an_offset_with_seconds("1890-01-01T00:00:00Z", "Europe/Berlin", "1890-01-01T00:53:00+00:53")]
#[case::a_year_before_any("0000-01-01T00:00:00Z", "America/New_York", "0000-01-01T00:00:00Z")]
#[case::a_year_after_any("9999-12-31T23:59:59Z", "Asia/Tokyo", "9999-12-31T23:59:59Z")]
fn a_moment_is_written_as_local_time(#[case] at: &str, #[case] zone_name: &str, #[case] expected: &str) {
    assert_eq!(format_local(instant(at), zone(zone_name)), expected);
}

fn zones() -> impl Strategy<Value = Tz> {
    let names: Vec<String> = TimeZoneData::compiled_in().names().map(str::to_owned).collect();
    select(names).prop_map(|name| parse_zone(&name).unwrap())
}

/// All that RFC 3339 can write, and more often the years in which clocks are changed, at full hours.
fn instants() -> impl Strategy<Value = Instant> {
    let seconds = prop_oneof![
        -62_167_219_200_i64..=253_402_300_799,
        (-1_000_000_i64..1_150_000).prop_map(|hour| hour * 3600),
        (-1_000_000_i64..1_150_000).prop_map(|hour| hour * 3600 + 1800),
    ];
    seconds.prop_map(|second| DateTime::from_timestamp_secs(second).unwrap())
}

proptest! {
    #[test]
    fn a_local_time_means_its_instant(at in instants(), zone in zones()) {
        prop_assert_eq!(instant(&format_local(at, zone)), at);
    }

    #[test]
    fn what_is_shown_means_the_end_that_it_is_shown_for(at in instants(), zone in zones()) {
        let Bound::At(nominal) = Nominal::of_end(Moment::Time(at), zone) else { return Ok(()) };
        let shown = format_until(nominal);
        let written = end(&shown, zone.name());
        prop_assert_eq!(written.instant(), Bound::At(at), "{}", shown);
    }

    #[test]
    fn the_day_before_is_shown_where_a_day_begins(at in instants(), zone in zones()) {
        let begins = resolve(zone.local(at).date().and_time(NaiveTime::MIN), zone);
        let before = zone.local(begins - TimeDelta::seconds(1)).date();
        prop_assume!(before.year() >= 0);
        prop_assert!(before < zone.local(begins).date());
        prop_assert_eq!(until(begins, zone), before.to_string());
    }

    #[test]
    fn anywhere_else_a_time_is_shown(at in instants(), zone in zones()) {
        let begins = resolve(zone.local(at).date().and_time(NaiveTime::MIN), zone);
        prop_assume!(zone.local(at).year() > 0);
        prop_assert_eq!(until(at, zone) == format_local(at, zone), at != begins);
    }
}
