//! Several writers at once.

use crate::place::{
    Kind::{self, Postgres, Sqlite},
    Place, decimal, meter, report, total, write, write_of,
};
use entitlement_operator::store::{StoreError, meter::MeterWrite};
use rstest::rstest;
use std::collections::BTreeSet;

const WRITES: i64 = 50;

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_of_one_meter_lose_nothing(#[values(Sqlite, Postgres)] kind: Kind) {
    let place = Place::new(kind).await;
    let writer = |name: &'static str| {
        let address = place.address.clone();
        async move {
            let store = entitlement_operator::store::PersistentStore::open(&address).await.unwrap();
            let mut versions = Vec::new();
            for number in 0..WRITES {
                let registers = vec![report(&format!("{name}-{number}"), number, "1"), report("both", number, "1")];
                versions.push(write(&store, "acme", registers).await.unwrap().version);
            }
            versions
        }
    };
    let (one, other) = tokio::join!(tokio::spawn(writer("one")), tokio::spawn(writer("other")));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(one.is_sorted() && other.is_sorted());
    assert_eq!(one.into_iter().chain(other).collect::<BTreeSet<i64>>().len(), 100);
    let store = place.open().await;
    assert_eq!(total(&store, "acme").await, decimal("101"));
    assert_eq!(store.identity().await.unwrap().commits, 100);
}

/// Two commits that name the same meters in opposite orders.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_of_the_same_meters_never_block_each_other_for_good(#[values(Sqlite, Postgres)] kind: Kind) {
    let place = Place::new(kind).await;
    let store = place.open().await;
    let writer = |turned: bool| {
        let store = store.clone();
        async move {
            for number in 0..WRITES {
                let key = format!("{turned}-{number}");
                let mut writes = ["a", "b", "c", "d"].map(|name| write_of(name, vec![report(&key, number, "1")]));
                if turned {
                    writes.reverse();
                }
                store.write(1, &writes, &[]).await.unwrap();
            }
        }
    };
    let (one, other) = tokio::join!(tokio::spawn(writer(false)), tokio::spawn(writer(true)));
    one.unwrap();
    other.unwrap();
    for name in ["a", "b", "c", "d"] {
        assert_eq!(total(&store, name).await, decimal("100"), "{name}");
    }
}

#[rstest]
#[tokio::test]
async fn a_writer_that_was_superseded_writes_nothing(#[values(Sqlite, Postgres)] kind: Kind) {
    let place = Place::new(kind).await;
    let (old, new) = (place.open().await, place.open().await);
    let one = |key| [write_of("acme", vec![report(key, 1, "1")])];
    old.write(4, &one("a"), &[]).await.unwrap();
    new.write(5, &one("b"), &[]).await.unwrap();
    assert_eq!(old.write(4, &one("c"), &[]).await, Err(StoreError::Superseded));
    let none: [MeterWrite; 0] = [];
    assert_eq!(old.write(4, &none, &[]).await, Err(StoreError::Superseded));
    let last = new.write(5, &one("d"), &[]).await.unwrap()[0].version;
    assert_eq!(total(&new, "acme").await, decimal("3"));
    let versions = new.versions(None, 10).await.unwrap();
    assert_eq!(versions, [(meter("acme"), last)]);
}
