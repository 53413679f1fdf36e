//! Very many registers in one meter.

use crate::place::{
    Kind::{self, Postgres, Sqlite},
    Place, decimal, meter, report, total, write,
};
use entitlement_operator::store::CatchUp;
use rstest::rstest;
use std::time::Instant;

#[rstest]
#[tokio::test]
async fn a_hundred_thousand_registers_in_one_meter(#[values(Sqlite, Postgres)] kind: Kind) {
    let place = Place::new(kind).await;
    let store = place.open().await;
    let began = Instant::now();
    for thousand in 0..20 {
        let registers = (0..5000).map(|number| {
            let second = thousand * 5000 + number;
            report(&format!("call-{second}"), second, "1")
        });
        write(&store, "acme", registers.collect()).await.unwrap();
    }
    let written = began.elapsed();
    assert_eq!(total(&store, "acme").await, decimal("100000"));
    let loaded = began.elapsed().saturating_sub(written);
    // One more is written and seen in the time that one takes, not in that of a hundred thousand.
    let began = Instant::now();
    for number in 0..20 {
        let done = write(&store, "acme", vec![report("one-more", number, &number.to_string())]).await.unwrap();
        let CatchUp::Changes(changes) = store.since(&meter("acme"), done.version - 1).await.unwrap() else { panic!() };
        assert_eq!(changes.version, done.version);
        assert!(changes.differences.len() <= 2);
    }
    let one = began.elapsed() / 20;
    println!("{kind:?}: 100,000 written in {written:?}, loaded in {loaded:?}; one written and seen in {one:?}");
    assert!(one < loaded, "{one:?} and {loaded:?}");
}
