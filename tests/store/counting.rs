//! Check and count in one transaction: nobody gets what another one has taken.

use crate::{
    place::{
        Kind::{self, Postgres, Sqlite},
        Place, at, decimal, meter, report, total, write,
    },
    replicas::catch_up,
};
use entitlement_operator::{
    core::usage::register::RegisterId,
    store::{
        CountOutcome, MeterTurn, PersistentStore, RegisterChanges, StoreIdentity,
        meter::{MeterChanges, MeterId, StoredMeter},
    },
};
use rstest::rstest;
use rust_decimal::Decimal;
use tokio::task::JoinSet;

const LEFT: i64 = 40;
const WRITERS: i64 = 4;

/// Takes one of what is left, if there is any.
struct Taking {
    meter: MeterId,
    held: StoredMeter,
    left: i64,
    key: String,
    has_one: bool,
    is_known: bool,
}

impl Taking {
    fn of(organization: &str) -> Self {
        let (meter, held) = (meter(organization), StoredMeter::default());
        Self { meter, held, left: LEFT, key: String::new(), has_one: false, is_known: false }
    }

    fn used(&self) -> Decimal {
        self.held.ledger.between(at(0), at(10))
    }
}

impl MeterTurn for Taking {
    fn meter(&self) -> &MeterId {
        &self.meter
    }

    fn version(&self) -> i64 {
        self.held.version
    }

    fn registers(&self) -> Vec<RegisterId> {
        vec![report(&self.key, 1, "1").id]
    }

    fn decide(&mut self, since: Option<MeterChanges>, registers: &mut RegisterChanges) {
        if let Some(since) = since {
            self.held.add(since).unwrap();
        }
        let one = report(&self.key, 1, "1");
        self.is_known = registers.known(&one.id).is_some();
        self.has_one = !self.is_known && self.used() < Decimal::from(self.left);
        if self.has_one {
            registers.take(&one);
        }
    }
}

/// How many a writer with a store of its own gets, who asks until there is nothing left.
async fn takes(store: PersistentStore, organizations: [&'static str; 2], writer: i64) -> [i64; 2] {
    let (mut turns, known) = (organizations.map(Taking::of), store.identity().await.unwrap());
    let mut got = [0; 2];
    for number in 0.. {
        for turn in &mut turns {
            turn.key = format!("{writer}-{number}");
        }
        match store.count(&mut turns, &known).await.unwrap() {
            CountOutcome::Kept(_) => {
                for (turn, got) in turns.iter_mut().zip(&mut got) {
                    *got += i64::from(turn.has_one);
                    catch_up(&store, &turn.meter, &mut turn.held).await;
                }
            }
            CountOutcome::Nothing => return got,
            other => panic!("{other:?}"),
        }
    }
    unreachable!()
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_is_given_out_once(#[values(Sqlite, Postgres)] kind: Kind) {
    let place = Place::new(kind).await;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(takes(place.open().await, ["a", "b"], writer));
    }
    let got = writers.join_all().await;
    for (number, organization) in ["a", "b"].into_iter().enumerate() {
        assert_eq!(got.iter().map(|got| got[number]).sum::<i64>(), LEFT, "{organization}");
        assert_eq!(total(&place.open().await, organization).await, Decimal::from(LEFT), "{organization}");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_written_is_not_counted_as_a_commit(#[values(Sqlite, Postgres)] kind: Kind) {
    let place = Place::new(kind).await;
    let store = place.open().await;
    write(&store, "acme", vec![report("all", 1, &LEFT.to_string()), report("mine", 2, "0")]).await.unwrap();
    let before = store.identity().await.unwrap();
    let mut turns = [Taking { key: "mine".to_owned(), ..Taking::of("acme") }];
    assert_eq!(store.count(&mut turns, &before).await.unwrap(), CountOutcome::Nothing);
    assert!(turns[0].is_known);
    assert_eq!((turns[0].held.version, turns[0].used()), (1, decimal("40")));
    assert_eq!(store.identity().await.unwrap(), before);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_counted_by_what_is_known_of_another_store(#[values(Sqlite, Postgres)] kind: Kind) {
    let place = Place::new(kind).await;
    let store = place.open().await;
    let here = store.identity().await.unwrap();
    let another = StoreIdentity { id: "another".to_owned(), ..here.clone() };
    let newer = StoreIdentity { commits: here.commits + 1, ..here.clone() };
    let mut turns = [Taking { key: "mine".to_owned(), ..Taking::of("acme") }];
    // Whether something would be written, or all would be refused.
    for (known, left) in [(&another, LEFT), (&newer, LEFT), (&another, 0), (&newer, 0)] {
        turns[0].left = left;
        assert_eq!(store.count(&mut turns, known).await.unwrap(), CountOutcome::Replaced);
        assert_eq!((store.identity().await.unwrap(), total(&store, "acme").await), (here.clone(), decimal("0")));
    }
    turns[0].left = LEFT;
    assert_eq!(store.count(&mut turns, &here).await.unwrap(), CountOutcome::Kept(vec![1]));
}
