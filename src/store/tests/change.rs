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
