use crate::{
    core::{calendar::Instant, usage::register::RegisterId},
    store::{
        change::RegisterChanges,
        meter::{
            RegisterOutcome::{Counted, Older, Unchanged},
            RegisterWrite,
        },
    },
};
use rust_decimal::Decimal;

fn at(microseconds: i64) -> Instant {
    Instant::from_timestamp_micros(microseconds).unwrap()
}

fn write(amount: i64, as_of: i64) -> RegisterWrite {
    let id = RegisterId { origin: "billing".into(), key: "a".into() };
    RegisterWrite {
        id,
        at: Some(at(1_500_000)),
        channel: None,
        amount: amount.into(),
        as_of: at(as_of),
        deleted: false,
    }
}

#[test]
fn reports_of_one_key_in_one_commit_leave_one_state() {
    let mut changes = RegisterChanges::default();
    let reports = [write(3, 10), write(5, 20), write(4, 15), write(5, 30)];
    let outcomes = reports.iter().map(|report| changes.take(report)).collect::<Vec<_>>();
    assert_eq!(outcomes, [Counted, Counted, Older, Unchanged]);
    let kept: Vec<_> = changes.changed.into_values().collect();
    let [register] = kept.as_slice() else { panic!("{kept:?}") };
    assert_eq!((register.amount, register.as_of, register.at), (5.into(), at(30), at(1_000_000)));
    let told: Vec<_> = changes.differences.iter().map(|one| (one.at, one.amount)).collect();
    assert_eq!(told, [(at(1_000_000), 3.into()), (at(1_000_000), 2.into())]);
}

#[test]
fn without_a_time_a_new_key_has_that_of_the_report() {
    let mut changes = RegisterChanges::default();
    changes.take(&RegisterWrite { at: None, ..write(3, 7_000_001) });
    changes.take(&RegisterWrite { at: None, ..write(4, 9_000_000) });
    let kept: Vec<_> = changes.changed.into_values().map(|register| (register.at, register.as_of)).collect();
    assert_eq!(kept, [(at(7_000_000), at(9_000_000))]);
}

#[test]
fn what_is_used_in_one_second_is_added_at_once() {
    let mut changes = RegisterChanges::default();
    let used = |key: &str, channel: Option<&str>, at_second: i64, amount: i64| RegisterWrite {
        id: RegisterId { origin: "billing".into(), key: key.into() },
        at: Some(at(at_second * 1_000_000)),
        channel: channel.map(Into::into),
        ..write(amount, 10)
    };
    let reports = [
        used("a", None, 2, 1),
        used("b", None, 2, 2),
        used("c", Some("phone"), 2, 4),
        used("d", None, 1, 8),
        used("e", None, 3, 16),
        RegisterWrite { deleted: true, as_of: at(20), ..used("e", None, 3, 16) },
    ];
    for report in &reports {
        assert_eq!(changes.take(report), Counted);
    }
    let told: Vec<_> = changes.sums().into_iter().map(|one| (one.at, one.channel, one.amount)).collect();
    let expected = [(1, None, 8), (2, None, 3), (2, Some("phone".into()), 4)];
    assert_eq!(told, expected.map(|(second, channel, amount)| (at(second * 1_000_000), channel, amount.into())));
}

#[test]
fn sums_that_would_lose_digits_stay_apart() {
    let mut changes = RegisterChanges::default();
    let amount: Decimal = "999999999999999.999999999".parse().unwrap();
    for number in 0..1002 {
        let id = RegisterId { origin: "billing".into(), key: number.to_string().into() };
        changes.take(&RegisterWrite { id, amount, ..write(0, 10) });
    }
    let told: Vec<_> = changes.sums().into_iter().map(|one| one.amount.to_string()).collect();
    assert_eq!(told, ["999999999999999999.999999000", "999999999999999.999999999", "999999999999999.999999999"]);
}
