//! The desk and its clerk, with a store in a file.

mod counted;

use super::{
    InquiryAnswer, MeterDesk, MeterReader, MeterWish, MeteringNews, ReadElsewhere, ReplacedStore, SourceHearing,
};
use crate::{
    api::{
        entitlement_definition::{Aggregation, MeteredRecord},
        usage::UsageMode,
    },
    core::{
        calendar::{Instant, parse_instant},
        usage::register::{Register, RegisterId},
    },
    evaluation::{
        status::metered::StoreStanding,
        usage::{Heard, MeterFacts},
    },
    metrics::Metrics,
    store::{
        CatchUp, PersistentStore, StoreAddress, StoreProgress,
        meter::{MeterId, MeterWrite, RegisterWrite},
    },
};
use chrono::TimeDelta;
use rust_decimal::Decimal;
use sqlx::Connection as _;
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

fn answered(key: &str, amount: u32, at: &str) -> (RegisterId, Register) {
    let (id, at) = (RegisterId { origin: "Prometheus".into(), key: key.into() }, parse_instant(at).unwrap());
    (id, Register { at, channel: None, amount: amount.into(), as_of: at, deleted: false })
}

fn answer(registers: Vec<(RegisterId, Register)>, keeps_moments: bool, progress: &str) -> InquiryAnswer {
    let progress = vec![StoreProgress { name: "Prometheus support".to_owned(), value: progress.to_owned() }];
    InquiryAnswer {
        definition: "support".into(),
        registers: [("acme".into(), registers)].into(),
        keeps_moments,
        progress,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_prometheus_answers_is_kept_with_how_far_that_is_and_takes_nothing_that_was_reported() {
    let folder = tempfile::tempdir().unwrap();
    let mut office = Office::open(folder.path(), Some(1));
    office.report(&["a"]).await;
    while office.used().0 != Decimal::ONE {
        office.told(|_| true).await;
    }
    let progress = || office.desk.progress_of("Prometheus support".to_owned());
    assert_eq!(progress().await, Some(None));
    let hours = |first, second| {
        vec![answered("3600/a", first, "2027-01-01T00:00:00Z"), answered("3600/b", second, "2027-01-01T01:00:00Z")]
    };
    assert!(office.desk.keep(answer(hours(3, 4), false, "one")).await);
    assert_eq!((office.used().0, progress().await), (8.into(), Some(Some("one".to_owned()))));
    // The same again is written as progress alone; what is asked for again may have changed.
    let version = async || {
        let store = PersistentStore::open(&address(folder.path())).await.unwrap();
        store.versions(None, 10).await.unwrap()[0].1
    };
    let before = version().await;
    assert!(office.desk.keep(answer(hours(3, 4), false, "two")).await);
    assert_eq!((version().await, progress().await), (before, Some(Some("two".to_owned()))));
    assert!(office.desk.keep(answer(hours(3, 5), false, "three")).await);
    assert_eq!(office.used().0, 9.into());
    // What is reported anew takes back nothing of it.
    office.report(&["b"]).await;
    while office.used().0 != Decimal::from(9) {
        office.told(|_| true).await;
    }
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_keeps_since_when_and_counts_whatever_the_clock_says() {
    let folder = tempfile::tempdir().unwrap();
    let office = Office::open(folder.path(), Some(1));
    for (amount, at) in [(5, "2027-01-05T00:00:00Z"), (5, "2027-01-06T00:00:00Z"), (7, "2027-01-04T00:00:00Z")] {
        assert!(office.desk.keep(answer(vec![answered("present", amount, at)], true, at)).await);
    }
    let store = PersistentStore::open(&address(folder.path())).await.unwrap();
    let meter = MeterId { organization: "acme".into(), definition: "support".into() };
    let kept = store.registers(&meter, None, 10).await.unwrap();
    assert_eq!(kept.len(), 1);
    let register = &kept[0].1;
    let first = parse_instant("2027-01-05T00:00:00Z").unwrap();
    assert_eq!((register.amount, register.at, register.as_of), (7.into(), first, first));
    let CatchUp::Changes(changes) = store.since(&meter, 0).await.unwrap() else { panic!() };
    assert_eq!(changes.differences.len(), 2, "the same amount writes nothing");
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_very_many_is_kept_in_several_commits_and_the_last_says_how_far() {
    let folder = tempfile::tempdir().unwrap();
    let office = Office::open(folder.path(), Some(1));
    let many = (0..25_000).map(|number| answered(&number.to_string(), 1, "2027-01-01T00:00:00Z")).collect();
    assert!(office.desk.keep(answer(many, false, "far")).await);
    assert_eq!(office.desk.progress_of("Prometheus support".to_owned()).await, Some(Some("far".to_owned())));
    assert_eq!(commits(folder.path()).await, 3);
    office.close().await;
}

#[test]
fn what_prometheus_does_not_answer_is_as_old_as_its_last_answer() {
    let desk = MeterDesk::new(None, now(), &Metrics::default());
    let heard = |store| desk.heard_from_source("support", Some(store));
    // While the store has not said it, what was said last counts.
    assert_eq!(heard(Heard::Always), Some(Heard::NotSince(now())));
    let definition = "support".into();
    assert!(desk.hear(&definition, SourceHearing { heard: None, answers: false }));
    assert_eq!(heard(Heard::Always), None);
    let at = parse_instant("2027-01-09T00:00:00Z").unwrap();
    assert!(desk.hear(&definition, SourceHearing { heard: Some(at), answers: true }));
    assert!(!desk.hear(&definition, SourceHearing { heard: Some(now()), answers: true }));
    assert_eq!(heard(Heard::Always), Some(Heard::Always));
    assert!(desk.hear(&definition, SourceHearing { heard: Some(at), answers: false }));
    assert_eq!(heard(Heard::Always), Some(Heard::At(at)));
    assert_eq!(heard(Heard::At(now())), Some(Heard::At(at)));
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
    assert_eq!(office.used(), (Decimal::ONE, Some(Heard::Until(now()))));
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

#[tokio::test(flavor = "multi_thread")]
async fn the_store_is_asked_which_it_is_after_what_others_wrote_and_what_is_wanted_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut office = Office::open(folder.path(), Some(1));
    office.report(&["a"]).await;
    timeout(DEADLINE, office.desk.ask_for_identity()).await.unwrap();
    let known = || office.desk.identity().0.unwrap().commits;
    let before = known();
    let store = PersistentStore::open(&address(folder.path())).await.unwrap();
    let progress = [StoreProgress { name: "other".to_owned(), value: "1".to_owned() }];
    store.write(9, &[], &progress).await.unwrap();
    timeout(DEADLINE, office.desk.ask_for_identity()).await.unwrap();
    assert_eq!(known(), before + 1);
    assert_eq!(known(), commits(folder.path()).await);
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_store_that_does_not_answer_to_say_which_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let office = Office::open(&folder.path().join("missing"), Some(1));
    assert_eq!(timeout(DEADLINE, office.desk.ask_for_identity()).await.unwrap(), None);
    assert_eq!(office.desk.identity(), (None, None));
    office.close().await;
}

#[test]
fn without_a_store_nothing_is_known_of_any_meter() {
    let desk = MeterDesk::new(None, now(), &Metrics::default());
    assert!(desk.known(&"acme".into(), [&"support".into()].into_iter()).is_empty());
    assert_eq!(desk.standing(), StoreStanding::Absent);
}

#[tokio::test(flavor = "multi_thread")]
async fn how_a_definition_was_metered_first_is_kept_once_something_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut office = Office::open(folder.path(), Some(1));
    let record = |periodic| MeteredRecord { mode: UsageMode::Consumed, periodic, aggregation: Aggregation::Sum };
    let support: Arc<str> = "support".into();
    assert_eq!(office.desk.first_metered(&support, record(false)).await, Some(record(false)));
    // Nothing is counted yet, so nothing counts by other rules.
    assert_eq!(office.desk.first_metered(&support, record(true)).await, Some(record(true)));
    office.report(&["a"]).await;
    while office.used().0 != Decimal::ONE {
        office.told(|_| true).await;
    }
    assert_eq!(office.desk.first_metered(&support, record(true)).await, Some(record(true)));
    for _ in 0..2 {
        assert_eq!(office.desk.first_metered(&support, record(false)).await, Some(record(true)));
        office.close().await;
        office = Office::open(folder.path(), Some(1));
    }
    // Of another, nothing is counted.
    assert_eq!(office.desk.first_metered(&"seats".into(), record(false)).await, Some(record(false)));
    office.close().await;
    let standby = Office::open(folder.path(), None);
    assert_eq!(standby.desk.first_metered(&support, record(false)).await, None);
    standby.close().await;
}

/// How much a reader knows to be used, and when that was heard.
async fn read(reader: &MeterReader) -> (Decimal, Option<Heard>) {
    read_beside(reader, None).await
}

async fn read_beside(reader: &MeterReader, elsewhere: Option<ReadElsewhere>) -> (Decimal, Option<Heard>) {
    let meter = MeterId { organization: "acme".into(), definition: "support".into() };
    let facts = reader.facts(&meter, now(), || elsewhere).await;
    (facts.ledger.between(Instant::MIN_UTC, Instant::MAX_UTC), facts.heard)
}

#[tokio::test(flavor = "multi_thread")]
async fn while_no_store_is_there_what_was_read_last_counts_until_another_one_says_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let mut office = Office::open(folder.path(), Some(1));
    office.report(&["a", "b"]).await;
    while office.used().0 != Decimal::TWO {
        office.told(|_| true).await;
    }
    office.close().await;
    let reader = MeterReader::new(address(folder.path()), Arc::default(), now());
    assert_eq!(read(&reader).await, (Decimal::TWO, Some(Heard::Always)));

    let elsewhere = tempfile::tempdir().unwrap();
    let move_all = |from: &Path, to: &Path| {
        for file in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            std::fs::rename(file.path(), to.join(file.file_name())).unwrap();
        }
    };
    move_all(folder.path(), elsewhere.path());
    // Nothing is made in its place, as a folder is in the way.
    std::fs::create_dir(folder.path().join("store.db")).unwrap();
    for _ in 0..3 {
        assert_eq!(read(&reader).await, (Decimal::TWO, Some(Heard::Until(now()))));
    }
    // Somebody else here has read more, or less, of it.
    let later = now() + TimeDelta::seconds(5);
    for (version, used) in [(i64::MAX, Decimal::ZERO), (1, Decimal::TWO)] {
        let facts = MeterFacts { memory: Arc::default(), ledger: Arc::default(), heard: Some(Heard::Always) };
        let elsewhere = ReadElsewhere { version, facts: Arc::new(facts), answered: later };
        assert_eq!(read_beside(&reader, Some(elsewhere)).await, (used, Some(Heard::Until(later))));
    }
    std::fs::remove_dir(folder.path().join("store.db")).unwrap();
    let mut office = Office::open(folder.path(), Some(1));
    office.report(&["a"]).await;
    office.close().await;
    assert_eq!(read(&reader).await, (Decimal::ONE, Some(Heard::Always)), "another store has another meter");
}

/// The API counts more in an older copy than was lost, before the clerk looks.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_is_told_although_it_has_been_written_more_often_since_it_was_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut office = Office::open(folder.path(), Some(1));
    office.report(&["a"]).await;
    while office.used().0 != Decimal::ONE {
        office.told(|_| true).await;
    }
    let reader = MeterReader::new(address(folder.path()), office.desk.sight(), now());
    let write = async |times: usize| {
        let store = PersistentStore::open(&address(folder.path())).await.unwrap();
        for number in 0..times {
            let progress = StoreProgress { name: "other".to_owned(), value: number.to_string() };
            store.write(9, &[], &[progress]).await.unwrap();
        }
        let identity = store.identity().await.unwrap();
        store.close().await;
        identity
    };
    let backup = tempfile::tempdir().unwrap();
    let first = write(1).await;
    for file in std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), backup.path().join(file.file_name())).unwrap();
    }
    let before = write(5).await;
    read(&reader).await;
    for file in std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
        std::fs::remove_file(file.path()).unwrap();
    }
    for file in std::fs::read_dir(backup.path()).unwrap().map(Result::unwrap) {
        std::fs::rename(file.path(), folder.path().join(file.file_name())).unwrap();
    }
    assert_eq!(read(&reader).await, (Decimal::ONE, Some(Heard::Always)), "what is there now is asked at once");
    let last = write(20).await;
    assert_eq!(office.desk.replaced(), Some(ReplacedStore { before: before.clone(), first: first.clone() }));
    let is_told = async {
        while office.desk.identity() != (Some(last.clone()), Some(first.clone())) {
            office.desk.ask_for_identity().await;
        }
    };
    timeout(DEADLINE, is_told).await.unwrap();
    office.desk.compared(&last);
    assert_eq!(
        office.desk.replaced(),
        Some(ReplacedStore { before, first: first.clone() }),
        "that is not what was found"
    );
    office.desk.compared(&first);
    assert_eq!((office.desk.replaced(), office.desk.identity().1), (None, None));
    office.close().await;
}

/// A store that was restored, and then written exactly as often as the one before.
#[tokio::test]
async fn what_is_in_memory_is_compared_once_a_minute_however_often_the_store_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut office = Office::open(folder.path(), Some(1));
    office.report(&["a", "b"]).await;
    while office.used().0 != Decimal::TWO {
        office.told(|_| true).await;
    }
    let reader = MeterReader::new(address(folder.path()), office.desk.sight(), now());
    assert_eq!(read(&reader).await.0, Decimal::TWO);
    timeout(DEADLINE, office.desk.ask_for_identity()).await.unwrap();
    let mut other = sqlx::SqliteConnection::connect(&address(folder.path()).to_string()).await.unwrap();
    let restored = "UPDATE meter SET version = version + 1; DELETE FROM difference; \
        DELETE FROM register WHERE key = (SELECT MAX(key) FROM register)";
    sqlx::raw_sql(restored).execute(&mut other).await.unwrap();
    let ask = async || {
        timeout(DEADLINE, office.desk.ask_for_identity()).await.unwrap();
        (read(&reader).await.0, office.used().0)
    };
    assert_eq!(ask().await, (Decimal::TWO, Decimal::TWO));
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(1)).await;
    tokio::time::resume();
    let is_compared = async {
        while ask().await != (Decimal::ONE, Decimal::ONE) {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, is_compared).await.unwrap();
    office.close().await;
}
