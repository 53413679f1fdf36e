//! What is remembered, as a text and back.

use super::scene::{Scene, moment};
use crate::core::{
    amount::Amount,
    calendar::{Bound, Instant, Moment, Nominal, parse_zone},
    usage::{
        anchor::PeriodAnchor,
        memory::Memory,
        part::{HeldPart, HeldSpan},
        record::UsageRecord,
        state::{Crossing, SaidCrossing},
    },
};
use chrono::{NaiveDate, TimeDelta};
use proptest::{collection::vec, option, prelude::*, sample::select};
use rstest::rstest;
use rust_decimal::Decimal;
use serde_json::json;

#[test]
fn is_one_compact_document() {
    let scene = Scene::of(json!({"mode": "Consumed", "period": "P1M"}))
        .first("2027-01-31", "Europe/Berlin")
        .part("instance a/b", "2027-01-30T23:00:00Z 5, 02-10 suspended, 02-12 Unlimited")
        .part("override a/c", "02-01 2.50, 03-01 over")
        .priority(-3)
        .used("02-01", "4");
    let mut said = Vec::new();
    assert_eq!(scene.say("02-05", &mut said), [""; 0]);
    let scene = scene.used("02-02", "2").seen("02-05");
    assert_eq!(scene.say("02-05", &mut said), ["80% of 7.5"]);
    let text = concat!(
        r#"{"anchors":[{"since":"2027-01-30T23:00:00Z","local":"2027-01-31T00:00:00","zone":"Europe/Berlin","day":31,"period":"P1M"}],"#,
        r#""held":[{"part":"instance a/b","priority":0,"start":"2027-01-30T23:00:00Z","spans":["#,
        r#"{"from":"2027-01-30T23:00:00Z","until":"2027-02-10T00:00:00Z","amount":"5"},"#,
        r#"{"from":"2027-02-10T00:00:00Z","until":"2027-02-12T00:00:00Z"},"#,
        r#"{"from":"2027-02-12T00:00:00Z","amount":"Unlimited"}]},"#,
        r#"{"part":"override a/c","priority":-3,"start":"2027-02-01T00:00:00Z","end":"2027-03-01T00:00:00Z","spans":["#,
        r#"{"from":"2027-02-01T00:00:00Z","until":"2027-03-01T00:00:00Z","amount":"2.5"}]}],"#,
        r#""said":[{"percent":80,"allotted":"7.5","period":"2027-01-30T23:00:00Z"}]}"#,
    );
    let record = UsageRecord { memory: scene.memory, said };
    assert_eq!(record.text(), text);
    assert_eq!(UsageRecord::read(text), Ok(record));
}

#[test]
fn an_empty_document_is_no_memory() {
    assert_eq!(UsageRecord::read("{}"), Ok(UsageRecord::default()));
    assert_eq!(UsageRecord::read(r#"{"later": 1}"#), Ok(UsageRecord::default()));
}

const ANCHOR: &str =
    r#"{"since":"2027-01-31T00:00:00Z","local":"2027-01-31T00:00:00","zone":"UTC","day":31,"period":"P1M"}"#;

#[rstest]
#[case("", "EOF while parsing")]
#[case(r#"{"held":[{"part":"a"}]}"#, "missing field `priority` at line 1 column 21")]
#[case(r#"{"held":[{"part":"a","priority":0,"start":"today","spans":[]}]}"#, "\"today\" is no time")]
#[case(
    r#"{"held":[{"part":"a","priority":0,"start":"2027-01-01T00:00:00Z","spans":[{"from":"2027-01-01T00:00:00Z","amount":"-1"}]}]}"#,
    "\"-1\" is negative"
)]
#[case(
    r#"{"held":[{"part":"a","priority":0,"start":"2027-01-01T00:00:00Z","spans":[{"from":"2027-01-01T00:00:00Z"},{"from":"2027-01-02T00:00:00Z"}]}]}"#,
    "the spans of \"a\" are not in the order of time"
)]
#[case(&format!(r#"{{"anchors":[{}]}}"#, ANCHOR.replace("UTC", "Utopia")), "\"Utopia\" is no time zone")]
#[case(&format!(r#"{{"anchors":[{}]}}"#, ANCHOR.replace("P1M", "PT0S")), "PT0S is no period")]
#[case(&format!(r#"{{"anchors":[{}]}}"#, ANCHOR.replace("\"day\":31", "\"day\":0")), "0 is no day of a month")]
#[case(&format!(r#"{{"anchors":[{ANCHOR},{}]}}"#, ANCHOR.replace("2027", "2026")), "its anchors are not in the order of time")]
fn what_cannot_be_read_is_said(#[case] text: &str, #[case] problem: &str) {
    let error = UsageRecord::read(text).unwrap_err().to_string();
    assert!(error.starts_with("what is remembered of a meter cannot be read: "), "{error}");
    assert!(error.contains(problem), "{error}");
    assert!(error.ends_with("; restore the store from a backup"), "{error}");
}

fn amount() -> impl Strategy<Value = Amount> {
    prop_oneof![
        9 => (0..=Decimal::MAX.mantissa(), 0..=9u32)
            .prop_map(|(number, scale)| Amount::Limited(Decimal::from_i128_with_scale(number, scale))),
        1 => Just(Amount::Unlimited),
    ]
}

fn time() -> impl Strategy<Value = Instant> {
    (0..4_000_000_000i64).prop_map(|second| Instant::from_timestamp_secs(second).unwrap())
}

fn part() -> impl Strategy<Value = HeldPart> {
    let steps = vec(
        (prop_oneof![1..10_000_000i64, (1..10_000_000i64).prop_map(|length| length * 1_000_000)], option::of(amount())),
        1..5,
    );
    ("\\PC{1,9}", any::<i32>(), time(), steps, any::<bool>()).prop_map(|(name, priority, start, steps, ends)| {
        let mut from = start;
        let mut spans = Vec::new();
        for (length, amount) in steps {
            // To the microsecond, as what ends is noticed.
            let until = from + TimeDelta::microseconds(length);
            spans.push(HeldSpan { from, until: Bound::At(until), amount });
            from = until;
        }
        let end = if ends { Bound::At(from) } else { Bound::Never };
        spans.last_mut().unwrap().until = end;
        HeldPart { name: name.into(), priority, start, end, spans }
    })
}

/// Of a date or a time; of times those that the clocks show twice, too.
fn anchor() -> impl Strategy<Value = PeriodAnchor> {
    let zones = select(vec!["UTC", "Europe/Berlin", "America/Santiago", "Pacific/Apia", "Australia/Lord_Howe"]);
    let periods = select(vec!["P1M", "P1Y", "P2W", "P1D", "P3M"]);
    (zones, 0..9_000u64, any::<bool>(), 0..86_400i64, 1..=31u32, periods).prop_map(
        |(zone, days, is_date, second, day, period)| {
            let zone = parse_zone(zone).unwrap();
            let date = NaiveDate::from_ymd_opt(2010, 1, 1).unwrap() + chrono::Days::new(days);
            let of_date = Nominal::of_start(Moment::Date(date), zone);
            let of_time = Nominal::of_instant(of_date.instant() + TimeDelta::seconds(second), zone);
            let start = if is_date { of_date } else { of_time };
            PeriodAnchor { since: start.instant(), start, day, period: period.parse().unwrap() }
        },
    )
}

fn said() -> impl Strategy<Value = SaidCrossing> {
    let allotted = amount().prop_map(|amount| match amount {
        Amount::Limited(number) => number,
        Amount::Unlimited => Decimal::ONE,
    });
    (1..=1000u32, allotted, option::of(time()), option::of(time())).prop_map(
        |(percent, allotted, period, below_since)| {
            let crossing = Crossing { percent, allotted, period };
            SaidCrossing { crossing, below_since }
        },
    )
}

proptest! {
    #[test]
    fn comes_back_as_it_was(mut anchors in vec(anchor(), 0..4), held in vec(part(), 0..5), said in vec(said(), 0..4)) {
        anchors.sort_by_key(|anchor| anchor.since);
        let record = UsageRecord { memory: Memory { anchors, held }, said };
        prop_assert_eq!(UsageRecord::read(&record.text()), Ok(record));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC*") {
        let _ = UsageRecord::read(&text);
    }
}

/// 02:30 on that day is shown twice; this is the second time.
#[test]
fn a_time_that_is_shown_twice_stays_the_one_that_it_was() {
    let start = Nominal::of_instant(moment("2027-10-31T01:30:00Z"), parse_zone("Europe/Berlin").unwrap());
    let anchor = PeriodAnchor { since: start.instant(), start, day: 31, period: "P1M".parse().unwrap() };
    let record = UsageRecord { memory: Memory { anchors: vec![anchor], held: Vec::new() }, said: Vec::new() };
    assert_eq!(UsageRecord::read(&record.text()), Ok(record));
}
