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
        CatchUp, CountOutcome, MeterTurn, PersistentStore, RegisterChanges, StoreIdentity,
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
            CountOutcome::Kept(..) => {
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
    let all = vec![report("all", 1, &LEFT.to_string()), report("mine", 2, "0")];
    let version = write(&store, "acme", all).await.unwrap().version;
    let before = store.identity().await.unwrap();
    let mut turns = [Taking { key: "mine".to_owned(), ..Taking::of("acme") }];
    assert_eq!(store.count(&mut turns, &before).await.unwrap(), CountOutcome::Nothing);
    assert!(turns[0].is_known);
    assert_eq!((turns[0].held.version, turns[0].used()), (version, decimal("40")));
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
        assert_eq!(store.count(&mut turns, known).await.unwrap(), CountOutcome::Replaced(here.clone()));
        assert_eq!((store.identity().await.unwrap(), total(&store, "acme").await), (here.clone(), decimal("0")));
    }
    turns[0].left = LEFT;
    let CountOutcome::Kept(versions, identity) = store.count(&mut turns, &here).await.unwrap() else { panic!() };
    assert_eq!(store.versions(None, 10).await.unwrap(), [(meter("acme"), versions[0])]);
    assert_eq!((store.identity().await.unwrap(), identity.commits), (identity, here.commits + 1));
}

/// A database is restored under whoever holds what was counted after the backup, and is written as often as before.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_counted_after_a_backup_is_not_taken_for_what_is_counted_after_it_is_restored(
    #[values(Sqlite, Postgres)] kind: Kind,
) {
    let place = Place::new(kind).await;
    let store = place.open().await;
    let count = async |key: &str| write(&store, "acme", vec![report(key, 1, "1")]).await.unwrap().version;
    let kept = count("kept").await;
    let mut turns = [Taking { key: "mine".to_owned(), ..Taking::of("acme") }];
    for number in 0..5 {
        count(&format!("lost-{number}")).await;
    }
    catch_up(&store, &meter("acme"), &mut turns[0].held).await;
    let lost = turns[0].held.version;
    assert_eq!(turns[0].used(), decimal("6"));
    place
        .execute(
            "UPDATE meter SET version = (SELECT MIN(version) FROM difference); \
             DELETE FROM difference WHERE version > (SELECT version FROM meter); DELETE FROM register WHERE key <> 'kept'",
        )
        .await;
    for number in 0..5 {
        count(&format!("new-{number}")).await;
        assert_eq!(store.since(&meter("acme"), lost).await.unwrap(), CatchUp::Reload, "{number}");
        let known = store.identity().await.unwrap();
        assert_eq!(store.count(&mut turns, &known).await.unwrap(), CountOutcome::Reload(meter("acme")), "{number}");
    }
    assert_eq!(total(&store, "acme").await, decimal("6"));
    assert!(matches!(store.since(&meter("acme"), kept).await.unwrap(), CatchUp::Changes(_)));
    assert!(matches!(store.since(&meter("acme"), 0).await.unwrap(), CatchUp::Changes(_)));
}
