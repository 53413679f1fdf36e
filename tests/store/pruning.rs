//! What is taken out once it is not needed any more.

use crate::place::{
    Kind::{self, Postgres, Sqlite},
    Place, at, decimal, meter, report, total, write,
};
use chrono::{TimeDelta, Utc};
use entitlement_operator::{
    core::usage::register::RegisterId,
    store::{CatchUp, MeterPruning, StoreError, meter::RegisterWrite},
};
use rstest::rstest;

fn pruning() -> MeterPruning {
    MeterPruning {
        meter: meter("acme"),
        registers: None,
        deleted_only: false,
        deleted_only_of: None,
        differences: None,
    }
}

#[rstest]
#[tokio::test]
async fn old_registers_are_taken_out(#[values(Sqlite, Postgres)] kind: Kind) {
    let place = Place::new(kind).await;
    let store = place.open().await;
    let deleted = |second: i64| second % 3 == 0;
    let registers = (0..2500)
        .map(|second| RegisterWrite { deleted: deleted(second), ..report(&format!("key-{second}"), second, "1") });
    write(&store, "acme", registers.collect()).await.unwrap();
    write(&store, "other", vec![report("a", 1, "1")]).await.unwrap();
    let count = async || store.registers(&meter("acme"), None, 10_000).await.unwrap().len();
    let held = MeterPruning { registers: Some(at(2000)), deleted_only: true, ..pruning() };
    store.prune(1, &held).await.unwrap();
    assert_eq!(count().await, 2500 - 667);
    let before = total(&store, "acme").await;
    assert_eq!(before, decimal("1666"));
    store.prune(1, &MeterPruning { registers: Some(at(2000)), ..pruning() }).await.unwrap();
    assert_eq!(count().await, 500);
    assert_eq!(total(&store, "acme").await, decimal("333"));
    assert_eq!(total(&store, "other").await, decimal("1"));
    assert_eq!(store.prune(0, &held).await, Err(StoreError::Superseded));
    let never = MeterPruning { meter: meter("never"), differences: Some(at(0)), ..held };
    store.prune(1, &never).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn what_an_origin_says_still_stays(#[values(Sqlite, Postgres)] kind: Kind) {
    let place = Place::new(kind).await;
    let store = place.open().await;
    let of = |origin: &str, key: &str, deleted: bool| RegisterWrite {
        id: RegisterId { origin: origin.into(), key: key.into() },
        deleted,
        ..report(key, 1, "1")
    };
    let all = [("Object a", false), ("Object b", true), ("Object", false), ("caller", false), ("caller b", true)];
    write(&store, "acme", all.iter().map(|(origin, deleted)| of(origin, "a", *deleted)).collect()).await.unwrap();
    let pruned = MeterPruning { registers: Some(at(2)), deleted_only_of: Some("Object "), ..pruning() };
    store.prune(1, &MeterPruning { registers: Some(at(1)), ..pruned.clone() }).await.unwrap();
    let commits = store.identity().await.unwrap().commits;
    assert_eq!((store.registers(&meter("acme"), None, 10).await.unwrap().len(), commits), (5, 1), "nothing is old");
    store.prune(1, &pruned).await.unwrap();
    let left = store.registers(&meter("acme"), None, 10).await.unwrap();
    assert_eq!(left.iter().map(|(id, _)| &*id.origin).collect::<Vec<_>>(), ["Object a"]);
    assert_eq!(store.identity().await.unwrap().commits, 2);
}

#[rstest]
#[tokio::test]
async fn who_is_behind_what_was_taken_out_loads_again(#[values(Sqlite, Postgres)] kind: Kind) {
    let place = Place::new(kind).await;
    let store = place.open().await;
    let mut versions = Vec::new();
    for second in 0..5 {
        versions.push(write(&store, "acme", vec![report("a", second, &second.to_string())]).await.unwrap().version);
    }
    let before = |moment| MeterPruning { differences: Some(moment), ..pruning() };
    store.prune(1, &before(Utc::now() - TimeDelta::hours(1))).await.unwrap();
    assert!(matches!(store.since(&meter("acme"), versions[0]).await.unwrap(), CatchUp::Changes(_)));
    store.prune(1, &before(Utc::now() + TimeDelta::hours(1))).await.unwrap();
    assert_eq!(store.since(&meter("acme"), versions[3]).await.unwrap(), CatchUp::Reload);
    assert_eq!(store.since(&meter("acme"), versions[4]).await.unwrap(), CatchUp::Current);
    assert_eq!(total(&store, "acme").await, decimal("4"));
    let last = write(&store, "acme", vec![report("b", 1, "1")]).await.unwrap().version;
    let CatchUp::Changes(changes) = store.since(&meter("acme"), versions[4]).await.unwrap() else { panic!() };
    assert_eq!((changes.version, changes.differences.len()), (last, 1));
}

#[rstest]
#[tokio::test]
async fn very_many_differences_are_taken_out_in_several_commits(#[values(Sqlite, Postgres)] kind: Kind) {
    let place = Place::new(kind).await;
    let store = place.open().await;
    for commit in 0..4 {
        let seconds = commit * 600..(commit + 1) * 600;
        write(&store, "acme", seconds.map(|second| report(&second.to_string(), second, "1")).collect()).await.unwrap();
    }
    let before = store.identity().await.unwrap().commits;
    let all = MeterPruning { differences: Some(Utc::now() + TimeDelta::hours(1)), ..pruning() };
    store.prune(1, &all).await.unwrap();
    assert_eq!(
        store.identity().await.unwrap().commits,
        before + 2,
        "1,000 of them, and the rest of what the last one belongs to"
    );
    assert_eq!(store.since(&meter("acme"), 0).await.unwrap(), CatchUp::Reload);
    assert_eq!(total(&store, "acme").await, decimal("2400"));
}
