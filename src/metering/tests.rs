//! The desk and its clerk, with a store in a file.

use super::{MeterDesk, MeterWish, MeteringNews};
use crate::{
    core::{
        calendar::{Instant, parse_instant},
        usage::register::{Register, RegisterId},
    },
    evaluation::{status::metered::StoreStanding, usage::Heard},
    metrics::Metrics,
    store::{
        PersistentStore, StoreAddress,
        meter::{MeterId, MeterWrite, RegisterWrite},
    },
};
use rust_decimal::Decimal;
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

const DEADLINE: Duration = Duration::from_secs(30);

fn now() -> Instant {
    parse_instant("2027-01-10T00:00:00Z").unwrap()
}

fn address(folder: &Path) -> StoreAddress {
    format!("sqlite://{}", folder.join("store.db").display()).parse().unwrap()
}

/// A desk at work, and what it tells.
struct Office {
    desk: Arc<MeterDesk>,
    news: mpsc::UnboundedReceiver<MeteringNews>,
    clerk: JoinHandle<()>,
}

impl Office {
    fn open(folder: &Path, tenure: Option<u64>) -> Self {
        let desk = Arc::new(MeterDesk::new(Some(address(folder)), now(), &Metrics::default()));
        let (tell, news) = mpsc::unbounded_channel();
        let works = Arc::clone(&desk);
        let clerk = tokio::spawn(async move {
            let adds_up: super::AddsUp = Arc::new(|_| true);
            works.run(now, Arc::new(move || tenure), adds_up, |news| drop(tell.send(news))).await;
        });
        Self { desk, news, clerk }
    }

    /// Says that the store should have those cases, and waits until more is known.
    async fn report(&mut self, cases: &[&str]) {
        self.wish(cases);
        self.told(|news| matches!(news, MeteringNews::Meters(_))).await;
    }

    fn wish(&self, cases: &[&str]) {
        let register = |case: &&str| {
            let id = RegisterId { origin: "EntitlementUsage entitlements/a".into(), key: (*case).into() };
            let at = parse_instant("2027-01-01T00:00:00Z").unwrap();
            (id, Register { at, channel: None, amount: Decimal::ONE, as_of: now(), deleted: false })
        };
        let registers: BTreeMap<_, _> = cases.iter().map(register).collect();
        self.desk.wish(&"acme".into(), vec![MeterWish { definition: "support".into(), registers, record: None }]);
    }

    async fn told(&mut self, is_it: impl Fn(&MeteringNews) -> bool) {
        let wait = async { while !is_it(&self.news.recv().await.unwrap()) {} };
        timeout(DEADLINE, wait).await.unwrap();
    }

    /// How much is used, and when that was heard.
    fn used(&self) -> (Decimal, Option<Heard>) {
        let known = self.desk.known(&"acme".into(), [&"support".into()].into_iter());
        let facts = &known["support"].facts;
        (facts.ledger.between(Instant::MIN_UTC, Instant::MAX_UTC), facts.heard)
    }

    async fn close(self) {
        self.clerk.abort();
        let _ = self.clerk.await;
    }
}

async fn commits(folder: &Path) -> u64 {
    PersistentStore::open(&address(folder)).await.unwrap().identity().await.unwrap().commits
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_reported_counts_once_over_restarts_and_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut office = Office::open(folder.path(), Some(1));
    assert_eq!(office.used(), (Decimal::ZERO, Some(Heard::NotSince(now()))));
    office.report(&["a", "b"]).await;
    while office.used().0 != Decimal::TWO {
        office.told(|_| true).await;
    }
    assert_eq!(office.used(), (Decimal::TWO, Some(Heard::Always)));
    office.close().await;
    let before = commits(folder.path()).await;

    let mut office = Office::open(folder.path(), Some(1));
    office.report(&["a", "b"]).await;
    assert_eq!(office.used(), (Decimal::TWO, Some(Heard::Always)));
    assert_eq!(commits(folder.path()).await, before, "what the store has is not written again");
    office.report(&["b"]).await;
    assert_eq!(office.used().0, Decimal::ONE);
    office.report(&["a", "b"]).await;
    assert_eq!(office.used().0, Decimal::TWO);
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_lead_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut office = Office::open(folder.path(), None);
    office.report(&["a"]).await;
    assert_eq!(office.used(), (Decimal::ZERO, Some(Heard::Always)));
    office.close().await;
    assert_eq!(commits(folder.path()).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_taken_away_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("place");
    std::fs::create_dir(&place).unwrap();
    let mut office = Office::open(&place, Some(1));
    office.report(&["a"]).await;
    while office.used().0 != Decimal::ONE {
        office.told(|_| true).await;
    }
    let away = folder.path().join("away");
    std::fs::rename(&place, &away).unwrap();
    office.told(|news| matches!(news, MeteringNews::Standing(StoreStanding::Unavailable(_)))).await;
    assert_eq!(office.used(), (Decimal::ONE, Some(Heard::At(now()))));
    std::fs::rename(&away, &place).unwrap();
    office.told(|news| *news == MeteringNews::Standing(StoreStanding::Works)).await;
    office.report(&["a"]).await;
    assert_eq!(office.used(), (Decimal::ONE, Some(Heard::Always)));
    office.close().await;
}

/// 13 months before 2027-01-10 is 2025-12-10.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_used_13_months_ago_is_taken_out_but_for_what_objects_report() {
    let folder = tempfile::tempdir().unwrap();
    let meter = MeterId { organization: "acme".into(), definition: "support".into() };
    let write = |origin: &str, key: &str, at: &str| RegisterWrite {
        id: RegisterId { origin: origin.into(), key: key.into() },
        at: Some(parse_instant(at).unwrap()),
        channel: None,
        amount: Decimal::ONE,
        as_of: now(),
        deleted: false,
    };
    let registers = vec![
        write("caller", "old", "2025-12-09T23:59:59Z"),
        write("caller", "not yet", "2025-12-10T00:00:00Z"),
        write("EntitlementUsage entitlements/a", "a", "2025-12-01T00:00:00Z"),
    ];
    let store = PersistentStore::open(&address(folder.path())).await.unwrap();
    store.write(1, &[MeterWrite { meter: meter.clone(), registers, memory: None }], &[]).await.unwrap();
    let office = Office::open(folder.path(), Some(1));
    let left = async || {
        let left = store.registers(&meter, None, 10).await.unwrap();
        left.into_iter().map(|(id, _)| id.key.to_string()).collect::<Vec<_>>()
    };
    let wait = async { while left().await.len() == 3 {} };
    timeout(DEADLINE, wait).await.unwrap();
    assert_eq!(left().await, ["a", "not yet"]);
    office.close().await;
}

#[test]
fn without_a_store_nothing_is_known_of_any_meter() {
    let desk = MeterDesk::new(None, now(), &Metrics::default());
    assert!(desk.known(&"acme".into(), [&"support".into()].into_iter()).is_empty());
    assert_eq!(desk.standing(), StoreStanding::Absent);
}
