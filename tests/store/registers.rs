//! What becomes of reports: order, repetition, correction, deletion.

use crate::place::{Kind, Kind::*, Place, at, meter, report, total, write};
use entitlement_operator::store::{
    CatchUp,
    meter::{RegisterOutcome::*, RegisterWrite, StoredMeter},
};
use rstest::rstest;
use rust_decimal::Decimal;

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

#[rstest]
#[tokio::test]
async fn a_report_is_counted_once_and_corrected(#[values(Sqlite, Postgres)] kind: Kind) {
    let place = Place::new(kind).await;
    let store = place.open().await;
    let case = |second, amount| RegisterWrite { at: None, ..report("case-1", second, amount) };
    let mut replica = StoredMeter::default();
    let steps = [
        (case(10, "0"), Unchanged, "0"),
        (case(20, "0.5"), Counted, "0.5"),
        (case(20, "0.5"), Unchanged, "0.5"),
        (case(30, "0.5"), Unchanged, "0.5"),
        (case(25, "7"), Older, "0.5"),
        (case(30, "0.75"), Counted, "0.75"),
        (RegisterWrite { deleted: true, ..case(40, "0") }, Counted, "0"),
        (case(35, "3"), Older, "0"),
        (case(50, "1.25"), Counted, "1.25"),
    ];
    for (number, (step, outcome, sum)) in steps.into_iter().enumerate() {
        let done = write(&store, "acme", vec![step]).await.unwrap();
        assert_eq!(
            (done.version, done.registers),
            (i64::try_from(number).unwrap() + 1, vec![outcome]),
            "step {number}"
        );
        assert_eq!(total(&store, "acme").await, decimal(sum), "step {number}");
        let CatchUp::Changes(changes) = store.since(&meter("acme"), replica.version).await.unwrap() else { panic!() };
        replica.add(changes).unwrap();
        assert_eq!(replica, store.load(&meter("acme")).await.unwrap(), "step {number}");
    }
    assert_eq!(store.since(&meter("acme"), 9).await.unwrap(), CatchUp::Current);
    let registers = store.registers(&meter("acme"), None, 10).await.unwrap();
    let [(id, register)] = registers.as_slice() else { panic!("{registers:?}") };
    assert_eq!((&*id.origin, &*id.key), ("billing", "case-1"));
    // Without a time it keeps its first.
    assert_eq!((register.at, register.as_of, register.amount), (at(10), at(50), decimal("1.25")));
    assert_eq!(store.identity().await.unwrap().commits, 9);
}
