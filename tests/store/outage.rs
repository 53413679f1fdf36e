//! PostgreSQL that goes away and comes back.

use crate::{
    place::{database, decimal, report, total, write},
    server::Server,
};
use entitlement_operator::store::{PersistentStore, StoreError};
use sqlx::{Connection as _, PgConnection};
use std::collections::BTreeSet;

#[tokio::test]
async fn an_outage_is_said_and_heals() {
    let mut server = Server::start();
    let url = database(&server).await;
    let store = PersistentStore::open(&url.parse().unwrap()).await.unwrap();
    write(&store, "acme", vec![report("a", 1, "1")]).await.unwrap();
    server.stop();
    for _ in 0..2 {
        let refused = write(&store, "acme", vec![report("b", 1, "1")]).await;
        assert!(matches!(refused, Err(StoreError::Down(_))), "{refused:?}");
    }
    assert!(matches!(store.identity().await, Err(StoreError::Down(_))));
    server.start_again();
    write(&store, "acme", vec![report("c", 1, "1")]).await.unwrap();
    assert_eq!(total(&store, "acme").await, decimal("2"));
}

/// Whoever counts keeps one connection. That it is gone is said once, and there is another for the next call.
#[tokio::test]
async fn a_connection_that_is_kept_is_the_only_one_and_is_replaced_once_it_is_gone() {
    let url = database(Server::shared()).await;
    let store = PersistentStore::open_for_one(&url.parse().unwrap()).await.unwrap();
    let mut other = PgConnection::connect(&url).await.unwrap();
    let mut kept = BTreeSet::new();
    for number in 0..10 {
        write(&store, "acme", vec![report(&number.to_string(), 1, "1")]).await.unwrap();
        // The statement that it has done last.
        let writer = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query = 'COMMIT'";
        kept.extend(sqlx::query_scalar::<_, i32>(writer).fetch_all(&mut other).await.unwrap());
    }
    assert_eq!(kept.len(), 1, "{kept:?}");
    let end = "SELECT pg_terminate_backend($1, 10000)";
    assert!(sqlx::query_scalar::<_, bool>(end).bind(kept.first()).fetch_one(&mut other).await.unwrap());
    let refused = write(&store, "acme", vec![report("a", 1, "1")]).await;
    assert!(matches!(refused, Err(StoreError::Down(_))), "{refused:?}");
    write(&store, "acme", vec![report("a", 1, "1")]).await.unwrap();
    assert_eq!(total(&store, "acme").await, decimal("11"));
}

/// Somebody else holds the meter's row.
#[tokio::test]
async fn a_store_that_is_locked_is_said_and_heals() {
    let url = database(Server::shared()).await;
    let store = PersistentStore::open(&url.parse().unwrap()).await.unwrap();
    let before = write(&store, "acme", vec![report("a", 1, "1")]).await.unwrap().version;
    let mut other = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("BEGIN; UPDATE meter SET version = version").execute(&mut other).await.unwrap();
    let refused = write(&store, "acme", vec![report("b", 1, "1")]).await;
    assert_eq!(refused, Err(StoreError::Slow("canceling statement due to lock timeout".to_owned())));
    assert_eq!(total(&store, "acme").await, decimal("1"));
    other.close().await.unwrap();
    assert!(write(&store, "acme", vec![report("b", 1, "1")]).await.unwrap().version > before);
}

#[tokio::test]
async fn a_read_only_server_is_said() {
    let url = database(Server::shared()).await;
    PersistentStore::open(&url.parse().unwrap()).await.unwrap();
    let store = PersistentStore::open(&format!("{url}?options[default_transaction_read_only]=on").parse().unwrap())
        .await
        .unwrap();
    let refused = write(&store, "acme", vec![report("b", 1, "1")]).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
}
