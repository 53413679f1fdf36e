use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta};
use proptest::prelude::*;
use proptest::sample::select;

use super::super::{
    Bound, CalendarDuration, Instant, Moment, Nominal, TimeZoneData, Tz, add, format_instant, length, parse_instant,
    parse_zone, resolve, subtract,
};

/// The seconds of the years 1800 to 2199, which have all clock changes in their midst.
const SECONDS: std::ops::Range<i64> = -5_364_662_400..7_258_118_400;

fn instant(second: i64) -> Instant {
    DateTime::from_timestamp_secs(second).unwrap()
}

fn offset(zone: Tz, second: i64) -> i64 {
    zone.offset(instant(second)).local_minus_utc().into()
}

fn shown(zone: Tz, instant: Instant) -> NaiveDateTime {
    zone.local(instant)
}

fn zones() -> impl Strategy<Value = Tz> {
    let names: Vec<String> = TimeZoneData::compiled_in().names().map(str::to_owned).collect();
    select(names).prop_map(|name| parse_zone(&name).unwrap())
}

fn locals() -> impl Strategy<Value = NaiveDateTime> {
    SECONDS.prop_map(|second| instant(second).naive_utc())
}

/// The first clock change after `second`, looked for in steps of a week.
fn next_clock_change(zone: Tz, second: i64) -> i64 {
    const WEEK: i64 = 7 * 86_400;
    let old = offset(zone, second);
    let within = (1..30 * 52).map(|week| second + week * WEEK).find(|end| offset(zone, *end) != old);
    let Some(mut after) = within else {
        return second;
    };
    let mut before = after - WEEK;
    while after - before > 1 {
        let middle = i64::midpoint(before, after);
        if offset(zone, middle) == old {
            before = middle;
        } else {
            after = middle;
        }
    }
    after
}

/// Local times within a few hours of a clock change.
fn locals_near_clock_changes() -> impl Strategy<Value = (Tz, NaiveDateTime)> {
    (zones(), SECONDS, -10_800..10_800_i64).prop_map(|(zone, second, distance)| {
        let change = next_clock_change(zone, second);
        (zone, instant(change + offset(zone, change) + distance).naive_utc())
    })
}

fn dates() -> impl Strategy<Value = NaiveDate> {
    (NaiveDate::MIN.to_epoch_days()..=NaiveDate::MAX.to_epoch_days())
        .prop_map(|day| NaiveDate::from_epoch_days(day).unwrap())
}

/// Any moment that the type can hold, also those that no text gives.
fn any_moments() -> impl Strategy<Value = Moment> {
    prop_oneof![
        dates().prop_map(Moment::Date),
        (dates(), 0..86_400_u32).prop_map(|(date, second)| {
            let time = chrono::NaiveTime::from_num_seconds_from_midnight_opt(second, 999_999_999).unwrap();
            Moment::Time(date.and_time(time).and_utc())
        }),
        Just(Moment::Time(Instant::MIN_UTC)),
        Just(Moment::Time(Instant::MAX_UTC)),
    ]
}

fn parts(greatest: u64) -> impl Strategy<Value = String> {
    let part = move || prop_oneof![2 => Just(None), 1 => (0..=greatest).prop_map(Some)];
    (part(), part(), part(), part(), part(), part(), part()).prop_map(|(y, mo, w, d, h, m, s)| {
        let write = |parts: &[(Option<u64>, char)]| -> String {
            let written = parts.iter().filter_map(|(number, unit)| number.map(|n| format!("{n}{unit}")));
            written.collect()
        };
        let date = write(&[(y, 'Y'), (mo, 'M'), (w, 'W'), (d, 'D')]);
        match write(&[(h, 'H'), (m, 'M'), (s, 'S')]) {
            time if !time.is_empty() => format!("P{date}T{time}"),
            _ if date.is_empty() => "PT0S".to_owned(),
            _ => format!("P{date}"),
        }
    })
}

fn any_durations() -> impl Strategy<Value = CalendarDuration> {
    prop_oneof![parts(40), parts(999_999_999_999)].prop_map(|text| text.parse().unwrap())
}

/// Texts that are nearly dates, times or durations.
fn near_misses() -> impl Strategy<Value = String> {
    prop_oneof![
        ".*",
        "[-+0-9TtZz:. ]{0,30}",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{0,12})?(Z|[-+][0-9]{2}:[0-9]{2})?)?",
        "[-+Pp]?[P0-9YMWDTHS.,]{0,30}",
    ]
}

proptest! {
    #[test]
    fn no_text_panics_and_what_is_read_round_trips(text in near_misses()) {
        if let Ok(duration) = text.parse::<CalendarDuration>() {
            prop_assert_eq!(duration.to_string().parse(), Ok(duration));
        }
        if let Ok(moment) = text.parse::<Moment>() {
            prop_assert_eq!(moment.to_string().parse(), Ok(moment));
        }
        if let Ok(bound) = text.parse::<Bound>() {
            prop_assert_eq!(bound.to_string().parse(), Ok(bound));
        }
        if let Ok(instant) = parse_instant(&text) {
            prop_assert_eq!(parse_instant(&format_instant(instant)), Ok(instant));
        }
    }

    #[test]
    fn a_duration_round_trips(duration in any_durations()) {
        prop_assert_eq!(duration.to_string().parse(), Ok(duration));
    }

    #[test]
    fn no_arithmetic_panics_and_its_results_can_be_written(
        from in any_moments(),
        to in any_moments(),
        zone in zones(),
        duration in any_durations(),
        chain_day in prop_oneof![0..=32_u32, Just(u32::MAX)],
    ) {
        let start = Nominal::of_start(from, zone);
        let end = Nominal::of_end(to, zone);
        let sum = add(start, duration, chain_day);
        let difference = subtract(start, duration, chain_day);
        prop_assert_eq!(parse_instant(&format_instant(start.instant())), Ok(start.instant()));
        prop_assert_eq!(end.instant().to_string().parse(), Ok(end.instant()));
        prop_assert_eq!(sum.instant().to_string().parse(), Ok(sum.instant()));
        prop_assert_eq!(parse_instant(&format_instant(difference)), Ok(difference));
        let span = length(start, Nominal::of_start(to, zone), chain_day);
        prop_assert_eq!(span.to_string().parse(), Ok(span));
    }

    #[test]
    fn a_resolved_local_time_is_shown_unless_the_clocks_skip_it(
        (zone, local) in locals_near_clock_changes(),
    ) {
        let resolved = resolve(local, zone);
        if shown(zone, resolved) == local {
            return Ok(());
        }
        let before = resolved - TimeDelta::seconds(1);
        prop_assert!(shown(zone, before) < local, "{} is not skipped", local);
        prop_assert!(shown(zone, resolved) > local, "{} is not skipped", local);
    }

    #[test]
    fn no_earlier_instant_shows_the_local_time((zone, local) in locals_near_clock_changes()) {
        let resolved = resolve(local, zone);
        let around = (-48..=48).map(|half_hours| resolved.timestamp() + half_hours * 1800);
        for candidate in around.map(|second| instant(local.and_utc().timestamp() - offset(zone, second))) {
            prop_assert!(candidate >= resolved || shown(zone, candidate) != local);
        }
    }

    #[test]
    fn resolve_is_monotone(
        (zone, local) in locals_near_clock_changes(),
        later in 0..7200_i64,
    ) {
        prop_assert!(resolve(local, zone) <= resolve(local + TimeDelta::seconds(later), zone));
    }

    #[test]
    fn an_instant_is_kept_exactly(second in SECONDS, zone in zones()) {
        let nominal = Nominal::of_instant(instant(second), zone);
        prop_assert_eq!(nominal.instant(), instant(second));
        prop_assert_eq!(nominal.local(), shown(zone, instant(second)));
    }

    #[test]
    fn a_duration_without_a_date_part_is_elapsed_time(
        second in SECONDS,
        zone in zones(),
        seconds in 0..3_000_000_000_u32,
        chain_day in 1..=31_u32,
    ) {
        let start = Nominal::of_instant(instant(second), zone);
        let duration = CalendarDuration::of_seconds(seconds.into());
        let moved = TimeDelta::seconds(seconds.into());
        prop_assert_eq!(add(start, duration, chain_day).instant(), Bound::At(start.instant() + moved));
        prop_assert_eq!(subtract(start, duration, chain_day), start.instant() - moved);
    }

    /// With the time of day no earlier, too: two starts that are both cut to the last day of a month end on the same day.
    #[test]
    fn a_later_start_never_ends_earlier(
        (zone, local) in locals_near_clock_changes(),
        later in 0..10_000_000_i64,
        duration in any_durations(),
        chain_day in 1..=31_u32,
    ) {
        let first = Nominal::of_local(local, zone);
        let second_local = local + TimeDelta::seconds(later);
        prop_assume!(second_local.time() >= local.time());
        let second = Nominal::of_local(second_local, zone);
        prop_assert!(
            add(first, duration, chain_day).instant() <= add(second, duration, chain_day).instant()
        );
    }

    #[test]
    fn a_start_plus_its_length_is_the_end_again(
        zone in zones(),
        local in locals(),
        months in 0..48_u32,
        days in 0..40_u32,
        seconds in prop_oneof![Just(0_u64), 0..90_000_u64],
        chain_day in 1..=31_u32,
    ) {
        let start = Nominal::of_local(local, zone);
        let step = |from, duration| add(from, duration, chain_day).at().unwrap();
        let end = step(start, CalendarDuration::of_months(months));
        let end = step(end, CalendarDuration::of_days(days));
        let end = step(end, CalendarDuration::of_seconds(seconds));
        // A second pass of its local time is no result of local arithmetic.
        prop_assume!(end.instant() >= start.instant() && resolve(end.local(), zone) == end.instant());
        prop_assert_eq!(step(start, length(start, end, chain_day)).instant(), end.instant());
    }

    #[test]
    fn the_length_of_months_is_months(
        zone in zones(),
        local in locals(),
        months in 1..1200_u32,
        chain_day in 1..=31_u32,
    ) {
        let start = Nominal::of_local(local, zone);
        let term = CalendarDuration::of_months(months);
        let end = add(start, term, chain_day).at().unwrap();
        prop_assert_eq!(length(start, end, chain_day), term);
    }

    #[test]
    fn months_from_the_31st_end_on_each_months_last_day(
        zone in zones(),
        year in 1900..2100_i32,
        count in 1..60,
    ) {
        let date = NaiveDate::from_ymd_opt(year, 1, 31).unwrap();
        let mut end = Nominal::of_start(Moment::Date(date), zone);
        for _ in 0..count {
            let month = end.local().date();
            end = add(end, CalendarDuration::of_months(1), 31).at().unwrap();
            let next_day = end.local().date().succ_opt().unwrap();
            prop_assert_eq!(chrono::Datelike::day(&next_day), 1);
            prop_assert!((28..=31).contains(&(end.local().date() - month).num_days()));
        }
    }
}

proptest! {
    // Each case compares the text with every zone's name.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn no_name_of_a_time_zone_panics(name in prop_oneof![".{0,70}", "[A-Za-z_]{1,10}/[A-Za-z_]{1,12}"]) {
        if let Ok(zone) = parse_zone(&name) {
            prop_assert_eq!(zone.name(), name);
        }
    }
}
