//! A writer that is killed at any moment.

use crate::{
    child::Writer,
    place::{Kind, Place, meter, report, write},
};
use entitlement_operator::store::meter::RegisterOutcome;
use std::collections::BTreeSet;

#[tokio::test]
async fn what_was_acknowledged_before_a_kill_is_there() {
    let place = Place::new(Kind::Sqlite).await;
    for until in [1, 17, 40] {
        let mut writer = Writer::start(&place.address);
        let mut acknowledged: Vec<i64> = (0..until).map(|_| writer.acknowledged().unwrap()).collect();
        writer.kill();
        while let Some(number) = writer.acknowledged() {
            acknowledged.push(number);
        }
        let store = place.open().await;
        let kept = store.registers(&meter("acme"), None, 100_000).await.unwrap();
        let keys: BTreeSet<&str> = kept.iter().map(|(id, _)| &*id.key).collect();
        let lost: Vec<_> = acknowledged.iter().filter(|number| !keys.contains(number.to_string().as_str())).collect();
        assert!(lost.is_empty(), "{lost:?}");
        assert!(acknowledged.len() >= until.try_into().unwrap());
        let ledger = store.load(&meter("acme")).await.unwrap().ledger;
        assert_eq!(
            ledger.between(chrono::DateTime::UNIX_EPOCH, chrono::DateTime::<chrono::Utc>::MAX_UTC),
            keys.len().into()
        );
        let done = write(&store, "acme", vec![report("after", 1, "1")]).await.unwrap();
        assert!(matches!(done.registers[..], [RegisterOutcome::Counted | RegisterOutcome::Unchanged]));
        store.close().await;
    }
}
