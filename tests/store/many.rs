//! Very many registers in one meter.

use crate::place::{
    Kind::{self, Postgres, Sqlite},
    Place, decimal, meter, report, total, write,
};
use entitlement_operator::store::CatchUp;
use rstest::rstest;
use std::time::Instant;

/// How many registers one commit has.
const TOGETHER: i64 = 5000;

#[rstest]
#[tokio::test]
async fn a_hundred_thousand_registers_in_one_meter(#[values(Sqlite, Postgres)] kind: Kind) {
    println!("{}", in_one_meter(kind, 100_000).await);
}

#[rstest]
#[tokio::test]
#[ignore = "it takes minutes, and prints figures, which depend on the machine: make bench"]
async fn a_million_registers_in_one_meter(#[values(Sqlite, Postgres)] kind: Kind) {
    println!("{}", in_one_meter(kind, 1_000_000).await);
}

/// What that takes, in words.
async fn in_one_meter(kind: Kind, registers: i64) -> String {
    let place = Place::new(kind).await;
    let store = place.open().await;
    let began = Instant::now();
    for first in (0..registers / TOGETHER).map(|commit| commit * TOGETHER) {
        let all = (first..first + TOGETHER).map(|second| report(&format!("call-{second}"), second, "1"));
        write(&store, "acme", all.collect()).await.unwrap();
    }
    let written = began.elapsed();
    assert_eq!(total(&store, "acme").await, decimal(&registers.to_string()));
    let loaded = began.elapsed().saturating_sub(written);
    // One more is written and seen in the time that one takes, not in that of a hundred thousand.
    let mut before = store.load(&meter("acme")).await.unwrap().version;
    let began = Instant::now();
    for number in 0..20 {
        let done = write(&store, "acme", vec![report("one-more", number, &number.to_string())]).await.unwrap();
        let CatchUp::Changes(changes) = store.since(&meter("acme"), before).await.unwrap() else { panic!() };
        before = done.version;
        assert_eq!(changes.version, done.version);
        assert!(changes.differences.len() <= 2);
    }
    let one = began.elapsed() / 20;
    assert!(one < loaded, "{one:?} and {loaded:?}");
    format!(
        "{kind:?}: {registers} registers of one meter written in {written:?}, loaded in {loaded:?}; one written and seen in {one:?}"
    )
}
