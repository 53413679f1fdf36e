//! What becomes of reports: order, repetition, correction, deletion.

use crate::place::{
    Kind::{self, Postgres, Sqlite},
    Place, at, decimal, meter, report, total, write, write_of,
};
use entitlement_operator::store::{
    CatchUp, StoreError, StoreProgress,
    meter::{
        MeterChanges, MeterWrite,
        RegisterOutcome::{Counted, Older, Unchanged},
        RegisterWrite, StoredMeter,
    },
};
use rstest::rstest;

#[rstest]
#[tokio::test]
async fn a_report_is_counted_once_and_corrected(#[values(Sqlite, Postgres)] kind: Kind) {
    let place = Place::new(kind).await;
    let store = place.open().await;
    let case = |second, amount| RegisterWrite { at: None, ..report("case-1", second, amount) };
    let mut replica = StoredMeter::default();
    let mut versions = vec![0];
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
        assert_eq!(done.registers, [outcome], "step {number}");
        assert!(done.version > versions[number], "step {number}");
        versions.push(done.version);
        assert_eq!(total(&store, "acme").await, decimal(sum), "step {number}");
        let CatchUp::Changes(changes) = store.since(&meter("acme"), replica.version).await.unwrap() else { panic!() };
        replica.add(changes).unwrap();
        assert_eq!(replica, store.load(&meter("acme")).await.unwrap(), "step {number}");
    }
    for version in &versions[..9] {
        assert!(matches!(store.since(&meter("acme"), *version).await.unwrap(), CatchUp::Changes(_)), "{version}");
    }
    assert_eq!(store.since(&meter("acme"), versions[9]).await.unwrap(), CatchUp::Current);
    let registers = store.registers(&meter("acme"), None, 10).await.unwrap();
    let [(id, register)] = registers.as_slice() else { panic!("{registers:?}") };
    assert_eq!((&*id.origin, &*id.key), ("billing", "case-1"));
    // Without a time it keeps its first.
    assert_eq!((register.at, register.as_of, register.amount), (at(10), at(50), decimal("1.25")));
    assert_eq!(store.identity().await.unwrap().commits, 9);
}

#[rstest]
#[tokio::test]
async fn a_corrected_time_or_channel_moves_what_was_counted(#[values(Sqlite, Postgres)] kind: Kind) {
    let place = Place::new(kind).await;
    let store = place.open().await;
    let phone = |second, amount| RegisterWrite { channel: Some("phone".into()), ..report("a", second, amount) };
    let first = write(&store, "acme", vec![report("a", 10, "3"), report("b", 10, "4")]).await.unwrap().version;
    write(&store, "acme", vec![phone(20, "5")]).await.unwrap();
    let ledger = store.load(&meter("acme")).await.unwrap().ledger;
    assert_eq!(ledger.between(at(10), at(11)), decimal("4"));
    let entries: Vec<_> = ledger.entries(at(20), at(21)).collect();
    assert_eq!(entries, [(Some(&"phone".into()), decimal("5"))]);
    let CatchUp::Changes(changes) = store.since(&meter("acme"), first).await.unwrap() else { panic!() };
    let told: Vec<_> = changes.differences.iter().map(|one| (one.at, one.channel.as_deref(), one.amount)).collect();
    assert_eq!(told, [(at(10), None, decimal("-3")), (at(20), Some("phone"), decimal("5"))]);
}

#[rstest]
#[tokio::test]
async fn reports_in_any_order_come_to_the_same(#[values(Sqlite, Postgres)] kind: Kind) {
    let place = Place::new(kind).await;
    let store = place.open().await;
    let mut early = report("a", 10, "1");
    early.as_of += chrono::TimeDelta::microseconds(1);
    let mut late = report("a", 10, "2");
    late.as_of += chrono::TimeDelta::microseconds(2);
    write(&store, "forth", vec![early.clone(), late.clone()]).await.unwrap();
    write(&store, "back", vec![late.clone(), early.clone()]).await.unwrap();
    write(&store, "apart", vec![late]).await.unwrap();
    assert_eq!(write(&store, "apart", vec![early]).await.unwrap().registers, [Older]);
    for organization in ["forth", "back", "apart"] {
        assert_eq!(total(&store, organization).await, decimal("2"), "{organization}");
    }
}

#[rstest]
#[tokio::test]
async fn what_is_remembered_and_how_far_something_is_comes_with_the_same_commit(
    #[values(Sqlite, Postgres)] kind: Kind,
) {
    let place = Place::new(kind).await;
    let store = place.open().await;
    let remembering = |memory: &str| MeterWrite { memory: Some(memory.to_owned()), ..write_of("acme", Vec::new()) };
    let progress = |value: &str| StoreProgress { name: "prometheus".to_owned(), value: value.to_owned() };
    let first = store.write(1, &[remembering("{\"a\":1}")], &[progress("1")]).await.unwrap()[0].version;
    let second = store.write(1, &[write_of("acme", vec![report("a", 1, "1")])], &[]).await.unwrap()[0].version;
    let CatchUp::Changes(changes) = store.since(&meter("acme"), first).await.unwrap() else { panic!() };
    assert_eq!((changes.version, changes.memory), (second, None));
    let refused = store.write(0, &[remembering("{\"a\":2}")], &[progress("2")]).await;
    assert_eq!(refused, Err(StoreError::Superseded));
    assert_eq!(store.load(&meter("acme")).await.unwrap().memory.as_deref(), Some("{\"a\":1}"));
    assert_eq!(store.progress("prometheus").await.unwrap().as_deref(), Some("1"));
    assert_eq!(store.progress("other").await.unwrap(), None);
    let third = store.write(2, &[remembering("{\"a\":2}")], &[progress("2")]).await.unwrap()[0].version;
    let changed = MeterChanges { version: third, memory: Some("{\"a\":2}".to_owned()), differences: Vec::new() };
    assert_eq!(store.since(&meter("acme"), second).await.unwrap(), CatchUp::Changes(changed.clone()));
    // Also of the version that was only remembered before, which nothing but its difference tells.
    let fourth = store.write(2, &[remembering("{\"a\":3}")], &[]).await.unwrap()[0].version;
    let changed = MeterChanges { version: fourth, memory: Some("{\"a\":3}".to_owned()), ..changed };
    assert_eq!(store.since(&meter("acme"), third).await.unwrap(), CatchUp::Changes(changed));
    assert_eq!(store.progress("prometheus").await.unwrap().as_deref(), Some("2"));
    assert_eq!(store.identity().await.unwrap().commits, 4);
}
