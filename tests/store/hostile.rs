//! Keys, amounts and times that somebody means ill with.

use crate::place::{
    Kind::{self, Postgres, Sqlite},
    Place, decimal, meter, report, write, write_of,
};
use chrono::{DateTime, Utc};
use entitlement_operator::store::{StoreError, meter::RegisterWrite};
use rstest::rstest;

#[rstest]
#[tokio::test]
async fn keys_are_kept_as_they_are(#[values(Sqlite, Postgres)] kind: Kind) {
    let place = Place::new(kind).await;
    let store = place.open().await;
    let longest = "k".repeat(128);
    let keys =
        ["'; DROP TABLE register; --", "\"$1\"", "%_\\", "a", "A", " a", "a ", "\u{1}\u{7f}", "🦀é", "NULL", &longest];
    let registers = keys.iter().map(|key| report(key, 1, "1")).collect();
    write(&store, "acme", registers).await.unwrap();
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    let kept = store.registers(&meter("acme"), None, 100).await.unwrap();
    assert_eq!(kept.iter().map(|(id, _)| &*id.key).collect::<Vec<_>>(), sorted);
    let (third, _) = &kept[2];
    let page = store.registers(&meter("acme"), Some(third), 2).await.unwrap();
    assert_eq!(page, kept[3..5]);
}

#[rstest]
#[tokio::test]
async fn what_no_store_can_keep_is_refused_before_it_is_asked(#[values(Sqlite, Postgres)] kind: Kind) {
    let place = Place::new(kind).await;
    let store = place.open().await;
    let long = "k".repeat(129);
    let amounts = ["-1", "1000000000000000", "0.0000000001"].map(|amount| report("a", 1, amount));
    let keys = ["", "a\0b", &long].map(|key| report(key, 1, "1"));
    let channel = RegisterWrite { channel: Some("".into()), ..report("a", 1, "1") };
    for bad in amounts.into_iter().chain(keys).chain([channel]) {
        let refused = write(&store, "acme", vec![report("good", 1, "1"), bad.clone()]).await;
        assert!(matches!(refused, Err(StoreError::Unfit(_))), "{bad:?}: {refused:?}");
    }
    let nobody = store.write(1, &[write_of("", Vec::new())], &[]).await;
    assert_eq!(nobody, Err(StoreError::Unfit("the organization's name is empty".to_owned())));
    assert_eq!(store.identity().await.unwrap().commits, 0);
}

#[rstest]
#[tokio::test]
async fn every_digit_and_every_time_is_kept(#[values(Sqlite, Postgres)] kind: Kind) {
    let place = Place::new(kind).await;
    let store = place.open().await;
    let largest = "999999999999999.999999999";
    let moments =
        ["1970-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z"].map(|text| text.parse().unwrap());
    let registers: Vec<RegisterWrite> = moments
        .iter()
        .map(|moment: &DateTime<Utc>| RegisterWrite {
            at: Some(*moment),
            as_of: *moment,
            ..report(&moment.to_string(), 0, largest)
        })
        .collect();
    write(&store, "acme", registers.clone()).await.unwrap();
    write(&store, "acme", vec![report("small", 1, "0.000000001")]).await.unwrap();
    for (_, register) in
        store.registers(&meter("acme"), None, 10).await.unwrap().iter().filter(|(id, _)| &*id.key != "small")
    {
        assert_eq!((register.amount.to_string().as_str(), register.at), (largest, register.as_of));
    }
    let ledger = store.load(&meter("acme")).await.unwrap().ledger;
    let (first, last) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
    assert_eq!(ledger.between(first, last).to_string(), "2999999999999999.999999998");
    // Half a second before the epoch is in the second before it.
    let half = RegisterWrite { at: Some("1969-12-31T23:59:59.5Z".parse().unwrap()), ..report("half", 1, "1") };
    write(&store, "other", vec![half]).await.unwrap();
    let ledger = store.load(&meter("other")).await.unwrap().ledger;
    assert_eq!(ledger.first(), Some("1969-12-31T23:59:59Z".parse().unwrap()));
    assert_eq!(ledger.between(first, last), decimal("1"));
}
