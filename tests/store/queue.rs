//! Many requests in one commit.

use crate::place::{
    Kind::{self, Postgres, Sqlite},
    Place, decimal, report, total, write, write_of,
};
use entitlement_operator::store::{
    StoreError, StoreProgress, StoreQueue, StoreRequest,
    meter::{
        MeterOutcome,
        RegisterOutcome::{Counted, Unchanged},
    },
};
use futures::future::join_all;
use rstest::rstest;

fn request(organization: &str, key: &str, amount: &str) -> StoreRequest {
    StoreRequest { epoch: 1, writes: vec![write_of(organization, vec![report(key, 1, amount)])], progress: Vec::new() }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_at_once_share_commits_and_each_has_its_answer(#[values(Sqlite, Postgres)] kind: Kind) {
    let place = Place::new(kind).await;
    let store = place.open().await;
    let queue = StoreQueue::start(store.clone());
    let requests = (0..500).map(|number| {
        let mut request = request(["a", "b", "c"][number % 3], &number.to_string(), "1");
        request.progress = vec![StoreProgress { name: "last".to_owned(), value: number.to_string() }];
        if number % 5 == 0 {
            request.writes.push(write_of("fifth", vec![report("same", 1, "1")]));
        }
        let queue = queue.clone();
        async move { queue.write(request).await.unwrap() }
    });
    let outcomes: Vec<Vec<MeterOutcome>> = join_all(requests).await;
    for (number, outcome) in outcomes.iter().enumerate() {
        assert_eq!(outcome.len(), if number % 5 == 0 { 2 } else { 1 }, "{number}");
        assert_eq!(outcome[0].registers, [Counted], "{number}");
    }
    let fifth: Vec<_> = outcomes.iter().step_by(5).map(|outcome| outcome[1].registers[0]).collect();
    assert_eq!((fifth[0], fifth.iter().filter(|one| **one == Unchanged).count()), (Counted, 99));
    assert_eq!(total(&store, "a").await + total(&store, "b").await + total(&store, "c").await, decimal("500"));
    assert_eq!(total(&store, "fifth").await, decimal("1"));
    assert!(store.progress("last").await.unwrap().is_some());
    let commits = store.identity().await.unwrap().commits;
    assert!(commits < 100, "{commits}");
}

/// Requests that cannot be written stand among others: unfit, of a meter that cannot be read, of an older epoch.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_request_harms_no_other(#[values(Sqlite, Postgres)] kind: Kind) {
    let place = Place::new(kind).await;
    let store = place.open().await;
    write(&store, "broken", vec![report("a", 1, "1")]).await.unwrap();
    place.execute("UPDATE register SET amount = 'much'").await;
    let queue = StoreQueue::start(store.clone());
    let old = StoreRequest { epoch: 0, ..request("acme", "old", "1") };
    let mut requests = vec![request("acme", "first", "1"), request("acme", "", "1"), request("broken", "a", "1"), old];
    requests.extend((0..50).map(|number| request("acme", &number.to_string(), "1")));
    let answers = join_all(requests.into_iter().map(|request| queue.write(request))).await;
    assert!(answers[0].is_ok(), "{:?}", answers[0]);
    assert_eq!(answers[1], Err(StoreError::Unfit("the key is empty".to_owned())));
    assert_eq!(answers[2], Err(StoreError::Unreadable("\"much\" is no amount".to_owned())));
    assert_eq!(answers[3], Err(StoreError::Superseded));
    assert!(answers[4..].iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(total(&store, "acme").await, decimal("51"));
    let too_many = StoreRequest {
        writes: vec![write_of("acme", (0..10_001).map(|number| report(&number.to_string(), 1, "1")).collect())],
        ..request("acme", "a", "1")
    };
    assert!(matches!(queue.write(too_many).await, Err(StoreError::Unfit(_))));
}

#[tokio::test]
async fn a_queue_in_front_of_a_closed_store_answers() {
    let place = Place::new(Kind::Sqlite).await;
    let store = place.open().await;
    let queue = StoreQueue::start(store.clone());
    store.close().await;
    assert!(matches!(queue.write(request("acme", "a", "1")).await, Err(StoreError::Down(_))));
}
