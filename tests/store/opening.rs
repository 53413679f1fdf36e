//! What is there when a store is opened.

use crate::{
    place::{
        Kind::{self, Postgres, Sqlite},
        Place, database, report, write,
    },
    server::Server,
};
use entitlement_operator::store::{PersistentStore, StoreAddress, StoreError, StoreIdentity, StoreReplacement};
use rstest::rstest;
use std::fs;

async fn refusal(address: &StoreAddress) -> StoreError {
    PersistentStore::open(address).await.unwrap_err()
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_open_it_at_once_make_one_store(#[values(Sqlite, Postgres)] kind: Kind) {
    let place = Place::new(kind).await;
    let opened = futures::future::join_all((0..6).map(|_| {
        let address = place.address.clone();
        tokio::spawn(async move { PersistentStore::open(&address).await.unwrap().identity().await.unwrap() })
    }));
    let identities: Vec<StoreIdentity> = opened.await.into_iter().map(Result::unwrap).collect();
    assert!(identities.iter().all(|one| one == &identities[0]), "{identities:?}");
    assert_eq!((identities[0].id.len(), identities[0].commits), (36, 0));
}

#[rstest]
#[tokio::test]
async fn a_newer_schema_is_left_alone(#[values(Sqlite, Postgres)] kind: Kind) {
    let place = Place::new(kind).await;
    place.open().await.close().await;
    place.execute("UPDATE entitlement_store SET schema = 7").await;
    let error = refusal(&place.address).await;
    assert_eq!(error, StoreError::Newer { found: 7, known: 1 });
    assert_eq!(
        error.to_string(),
        "the store has the schema 7, and this version of the operator knows 1 at most: run the version that wrote it, or restore a backup from before"
    );
}

#[rstest]
#[tokio::test]
async fn the_database_of_something_else_is_left_as_it_is(#[values(Sqlite, Postgres)] kind: Kind) {
    let place = Place::new(kind).await;
    place.execute("CREATE TABLE customers (id BIGINT)").await;
    let file = place.folder.path().join("store.db");
    let before = fs::read(&file).ok();
    let error = refusal(&place.address).await;
    let said = "it has the table \"customers\" and not \"entitlement_store\"; give the operator a database of its own";
    assert_eq!(error, StoreError::Foreign(said.to_owned()));
    assert_eq!(fs::read(&file).ok(), before);
    place.execute("DROP TABLE customers").await;
    place.open().await;
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_as_it_is() {
    let place = Place::new(Sqlite).await;
    let file = place.folder.path().join("store.db");
    let text = "dear diary, ".repeat(1000);
    fs::write(&file, &text).unwrap();
    assert_eq!(refusal(&place.address).await, StoreError::Foreign("file is not a database".to_owned()));
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

#[tokio::test]
async fn a_path_is_taken_as_it_is_and_a_missing_folder_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let address: StoreAddress = format!("sqlite://{}/a%3Fb ü.db", folder.path().display()).parse().unwrap();
    PersistentStore::open(&address).await.unwrap().close().await;
    assert!(folder.path().join("a?b ü.db").is_file());
    let address: StoreAddress = format!("sqlite://{}/missing/store.db", folder.path().display()).parse().unwrap();
    let error = refusal(&address).await;
    let said = "unable to open database file: make its folder, and let the operator write there";
    assert_eq!(error, StoreError::Down(said.to_owned()));
}

#[tokio::test]
async fn a_folder_in_place_of_a_file_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("sqlite://{}", folder.path().display());
    let said = format!("{} is a folder: name a file in it, such as {address}/store.db", folder.path().display());
    assert_eq!(refusal(&address.parse().unwrap()).await, StoreError::Down(said));
}

#[rstest]
#[case::password("p%40ss%2Fword", "wrong-secret", "password authentication failed for user \"operator\"")]
#[case::user("operator:p%40ss%2Fword", "stranger:wrong-secret", "password authentication failed for user \"stranger\"")]
#[case::database("/store_", "/missing_", "database \"missing_")]
#[tokio::test]
async fn postgres_that_refuses_is_said_without_the_password(#[case] from: &str, #[case] to: &str, #[case] said: &str) {
    let url = database(Server::shared()).await.replace(from, to);
    let error = refusal(&url.parse().unwrap()).await;
    assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
    let told = format!("{error} {error:?}");
    assert!(told.contains(said) || error.to_string().contains(said), "{told}");
    assert!(!told.contains("secret") && !told.contains("p@ss") && !told.contains("p%40ss"), "{told}");
}

/// By the certificate of its authority; without it, the connection is not made.
#[tokio::test]
async fn postgres_is_known_by_its_certificate() {
    let url = database(Server::shared()).await;
    let authority = Server::shared().certificate();
    let known = format!("{url}?sslmode=verify-full&sslrootcert={}", authority.display());
    PersistentStore::open(&known.parse().unwrap()).await.unwrap();
    let error = refusal(&format!("{url}?sslmode=verify-full").parse().unwrap()).await;
    let StoreError::Down(said) = error else { panic!("{error:?}") };
    assert!(said.contains("certificate") && !said.contains("p@ss"), "{said}");
}

#[tokio::test]
async fn postgres_that_is_not_there_is_said() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let address = format!("postgres://operator:secret@127.0.0.1:{port}/store").parse().unwrap();
    let refused = "error communicating with database: Connection refused (os error 111)";
    assert_eq!(refusal(&address).await, StoreError::Down(refused.to_owned()));
}

/// A server that takes connections and says nothing.
#[tokio::test]
async fn postgres_that_does_not_answer_is_said_in_time() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let address = format!("postgres://operator:secret@127.0.0.1:{port}/store").parse().unwrap();
    let began = std::time::Instant::now();
    assert_eq!(refusal(&address).await, StoreError::Down("no answer within 3s".to_owned()));
    assert!(began.elapsed().as_secs() < 10);
}

#[tokio::test]
async fn an_older_copy_and_another_store_are_noticed() {
    let place = Place::new(Kind::Sqlite).await;
    let store = place.open().await;
    write(&store, "acme", vec![report("a", 1, "1")]).await.unwrap();
    store.close().await;
    let file = place.folder.path().join("store.db");
    let backup = fs::read(&file).unwrap();
    let store = place.open().await;
    write(&store, "acme", vec![report("b", 1, "1")]).await.unwrap();
    let known = store.identity().await.unwrap();
    assert_eq!(known.replaces(&known), None);
    store.close().await;
    fs::write(&file, backup).unwrap();
    let restored = place.open().await.identity().await.unwrap();
    assert_eq!(restored.replaces(&known), Some(StoreReplacement::Older));
    let other = Place::new(Kind::Sqlite).await.open().await.identity().await.unwrap();
    assert_eq!(other.replaces(&known), Some(StoreReplacement::Another));
}
