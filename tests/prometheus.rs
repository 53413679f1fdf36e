//! Usage from a real Prometheus that scrapes a service of the test: what is counted, and what is said of all that goes wrong.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::needless_pass_by_value,
    missing_docs,
    reason = "they fail a test"
)]

use chrono::{DateTime, TimeDelta, Utc};
use entitlement_operator::{
    core::{
        calendar::Instant,
        usage::{
            buckets::BucketProgress,
            register::{Register, RegisterId},
            rules::UsageRules,
        },
    },
    prometheus::{PrometheusLook, PrometheusOptions, PrometheusSource, UsageQuestion},
};
use rust_decimal::Decimal;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use server::{PACKAGE, PrometheusServer};
use service::Service;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::Command,
    sync::Arc,
    time::Duration,
};

#[path = "monitoring/server.rs"]
mod server;
#[path = "monitoring/service.rs"]
mod service;

const DEADLINE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(100);
/// What has been used within a bucket, without any estimate.
const EXACT: &str = "sum by (organization, channel) (calls_total - calls_total offset $bucket)";

fn calls(acme: u32, by_phone: u32) -> String {
    format!(
        "# TYPE calls_total counter\ncalls_total{{organization=\"acme\",region=\"a\"}} {acme}\ncalls_total{{organization=\"acme\",region=\"b\"}} 0\ncalls_total{{organization=\"globex\",channel=\"phone\"}} {by_phone}\n# TYPE seats gauge\nseats{{organization=\"acme\"}} {acme}\n"
    )
}

/// A definition that is metered so, and what was counted of it.
struct Meter {
    source: PrometheusSource,
    rules: UsageRules,
    since: Instant,
    known: Option<BucketProgress>,
    counted: BTreeMap<(Arc<str>, RegisterId), Register>,
}

impl Meter {
    fn of(prometheus: &PrometheusServer, mode: &str, query: &str, bucket: &str, since: Instant) -> Self {
        let url = format!("http://{}", prometheus.address()).parse().unwrap();
        let options = PrometheusOptions { deadline: Duration::from_secs(2), ..PrometheusOptions::at(url) };
        let spec = json!({"mode": mode, "prometheus": {"query": query, "bucket": bucket}});
        Self {
            source: PrometheusSource::new(&options).unwrap(),
            rules: UsageRules::read(&serde_json::from_value(spec).unwrap()).unwrap(),
            since,
            known: None,
            counted: BTreeMap::new(),
        }
    }

    async fn look(&mut self) -> PrometheusLook {
        self.look_at(Utc::now()).await
    }

    async fn look_at(&mut self, now: Instant) -> PrometheusLook {
        let organizations = organizations();
        let question = UsageQuestion {
            rules: &self.rules,
            known: self.known.as_ref(),
            organizations: &organizations,
            since: self.since,
            now,
        };
        let look = self.source.look(&question).await;
        self.keep(&look);
        look
    }

    async fn recount(&mut self, from: Instant, until: Instant) -> PrometheusLook {
        let organizations = organizations();
        let (rules, known, now) = (&self.rules, self.known.as_ref(), Utc::now());
        let question = UsageQuestion { rules, known, organizations: &organizations, since: self.since, now };
        let look = self.source.recount(&question, from, until).await;
        self.keep(&look);
        look
    }

    /// As whoever writes it does.
    fn keep(&mut self, look: &PrometheusLook) {
        for (organization, registers) in &look.registers {
            for (id, register) in registers {
                let known = self.counted.entry((organization.clone(), id.clone())).or_insert_with(|| register.clone());
                if register.replaces(known) {
                    *known = register.clone();
                }
            }
        }
        self.known.clone_from(&look.progress);
    }

    fn used(&self, organization: &str, channel: Option<&str>) -> Decimal {
        let of = self
            .counted
            .iter()
            .filter(|((name, _), register)| **name == *organization && register.channel.as_deref() == channel);
        of.map(|(_, register)| register.amount).sum()
    }

    /// Looks until it is so much.
    async fn until_used(&mut self, organization: &str, channel: Option<&str>, expected: u32) {
        let what = format!("{organization} {channel:?} used {expected}");
        until(&what, async || {
            let look = self.look().await;
            let used = self.used(organization, channel);
            if used == expected.into() { Ok(()) } else { Err(format!("{used}, {:?}", look.problems)) }
        })
        .await;
    }

    /// Looks until something is heard, with no problem.
    async fn until_heard(&mut self) {
        until("something is heard", async || {
            let look = self.look().await;
            if look.heard.is_some() && look.problems.is_empty() { Ok(()) } else { Err(format!("{look:?}")) }
        })
        .await;
    }

    /// Looks until that is what is said, which changes nothing.
    async fn until_said(&mut self, expected: &str) {
        until(expected, async || {
            let (known, counted) = (self.known.clone(), self.counted.clone());
            let look = self.look().await;
            assert_eq!((look.registers.len(), look.heard), (0, None), "{look:?}");
            assert_eq!((&self.known, &self.counted), (&known, &counted));
            let said = look.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            if said.contains(expected) { Ok(()) } else { Err(said) }
        })
        .await;
    }
}

fn organizations() -> BTreeSet<Arc<str>> {
    ["acme", "globex"].map(Arc::from).into()
}

async fn until(what: &str, mut look: impl AsyncFnMut() -> Result<(), String>) {
    let started = std::time::Instant::now();
    loop {
        match look().await {
            Ok(()) => return,
            Err(seen) => assert!(started.elapsed() < DEADLINE, "{what}: not so within {DEADLINE:?}; last seen: {seen}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits until Prometheus has scraped the service for as long as a bucket lasts.
async fn until_scraped(prometheus: &PrometheusServer) {
    until("the service is scraped", async || {
        let found = prometheus.query("calls_total offset 2s")?;
        if found.is_empty() { Err("nothing".to_owned()) } else { Ok(()) }
    })
    .await;
}

#[tokio::test]
async fn what_a_service_counts_is_counted_once_by_organization_and_channel() {
    let service = Service::start(&calls(0, 0));
    let prometheus = PrometheusServer::start(&service.scraped(), None, &[]);
    until_scraped(&prometheus).await;
    let since = Utc::now();
    let mut meter = Meter::of(&prometheus, "Consumed", EXACT, "PT2S", since);
    meter.until_heard().await;
    service.says(&calls(35, 2));
    meter.until_used("acme", None, 35).await;
    meter.until_used("globex", Some("phone"), 2).await;
    assert_eq!(meter.used("globex", None), Decimal::ZERO);
    service.says(&calls(36, 2));
    meter.until_used("acme", None, 36).await;
    // Whoever asks anew for all of it is told the same.
    let counted = meter.counted.clone();
    meter.recount(since, Utc::now()).await;
    let now_counted: BTreeMap<_, _> = meter.counted.iter().filter(|(key, _)| counted.contains_key(*key)).collect();
    assert_eq!(now_counted, counted.iter().collect());
    assert_eq!((meter.used("acme", None), meter.used("globex", Some("phone"))), (36.into(), 2.into()));
    // Another operator begins with the progress that is kept, and with nothing.
    let kept = meter.known.as_ref().map(BucketProgress::text);
    let mut other = Meter::of(&prometheus, "Consumed", EXACT, "PT2S", since);
    other.known = kept.as_deref().and_then(BucketProgress::read);
    other.until_heard().await;
    assert!(other.counted.len() <= 3 * 5, "only the last buckets: {}", other.counted.len());
    let mut fresh = Meter::of(&prometheus, "Consumed", EXACT, "PT2S", since);
    fresh.until_used("acme", None, 36).await;
    // Buckets of another length begin where the last one ended.
    let mut longer = Meter::of(&prometheus, "Consumed", EXACT, "PT3S", since);
    (longer.known, longer.counted) = (meter.known.clone(), meter.counted.clone());
    service.says(&calls(40, 2));
    longer.until_used("acme", None, 40).await;

    let mut held = Meter::of(&prometheus, "Held", "sum by (organization) (seats)", "PT1H", since);
    held.until_used("acme", None, 40).await;
    service.says(&calls(25, 2));
    held.until_used("acme", None, 25).await;
    assert_eq!((held.counted.len(), held.known), (1, None));
}

#[tokio::test]
async fn what_goes_wrong_is_said_and_changes_nothing() {
    let service = Service::start(&calls(1, 1));
    let mut prometheus = PrometheusServer::start(&service.scraped(), None, &[]);
    until_scraped(&prometheus).await;
    let since = Utc::now() - TimeDelta::seconds(2);
    for (query, expected) in [
        ("sum by (organization (calls_total)", "Prometheus refuses the query: invalid parameter \"query\": 1:"),
        ("calls_total * on (job) calls_total", "Prometheus could not answer the query: "),
        ("sum by (region) (calls_total)", "3 of the series have no label organization, and are left out"),
        ("sum by (region) (calls_total{region=\"a\"})", "the answer has no organization in it"),
        ("nothing_of_that_name", "the answer has no organization in it"),
        (
            "sum by (organization) (label_replace(calls_total, \"organization\", \"initech\", \"\", \"\"))",
            "no organization has the name \"initech\"",
        ),
        ("calls_total{organization=\"acme\"}", "there is more than one series for acme: that is left out"),
        ("sum by (organization) (calls_total) - 1000", "there are values that are no amounts"),
        ("sum by (organization) (calls_total) / 0", "for acme (\"+Inf\")"),
    ] {
        Meter::of(&prometheus, "Consumed", query, "PT2S", since).until_said(expected).await;
        Meter::of(&prometheus, "Held", query, "PT2S", since).until_said(expected).await;
    }
    // One moment alone may yield a number without labels.
    Meter::of(&prometheus, "Held", "scalar(up)", "PT2S", since).until_said("yields a scalar and no vector").await;

    let mut meter = Meter::of(&prometheus, "Consumed", EXACT, "PT2S", since);
    meter.until_heard().await;
    clocks_apart(&mut meter).await;
    let process = Pid::from_raw(prometheus.process().try_into().unwrap()).unwrap();
    kill_process(process, Signal::STOP).unwrap();
    meter.until_said("Prometheus cannot be asked: it does not answer in time").await;
    kill_process(process, Signal::CONT).unwrap();
    meter.until_heard().await;
    prometheus.stop();
    meter.until_said("Prometheus cannot be asked: nothing listens there (connection refused)").await;
    prometheus.start_again(&[]);
    meter.until_heard().await;
    service.says(&calls(8, 1));
    meter.until_used("acme", None, 7).await;
}

/// The operator's clock is wrong, for a look each.
async fn clocks_apart(meter: &mut Meter) {
    for (seconds, side) in [(60, "behind"), (-60, "ahead of")] {
        let (known, counted) = (meter.known.clone(), meter.counted.clone());
        let now = Utc::now();
        let look = meter.look_at(now + TimeDelta::seconds(seconds)).await;
        let said = look.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        assert!(said.contains("the clock of Prometheus is ") && said.contains(side), "{said}");
        let latest = look.registers.values().flatten().map(|(_, register)| register.as_of).max();
        assert!(latest.is_none_or(|latest| latest <= now + TimeDelta::seconds(2)), "{latest:?}");
        (meter.known, meter.counted) = (known, counted);
    }
    meter.until_heard().await;
}

#[tokio::test]
async fn an_answer_that_lacks_a_part_is_none() {
    let service = Service::start(&calls(1, 1));
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let mut config = service.scraped();
    config["remote_read"] = json!([{"url": format!("http://{nobody}/read"), "read_recent": true}]);
    let prometheus = PrometheusServer::start(&config, None, &[]);
    until_scraped(&prometheus).await;
    let since = Utc::now() - TimeDelta::seconds(4);
    let expected = "the answer is not complete, so nothing of it counts: ";
    Meter::of(&prometheus, "Consumed", EXACT, "PT2S", since).until_said(expected).await;
    Meter::of(&prometheus, "Held", "sum by (organization) (seats)", "PT2S", since).until_said(expected).await;
}

/// Three days of a call in five minutes of acme, and two of globex, until now.
fn history(folder: &Path, until: i64) -> i64 {
    let (step, first) = (300, until - 3 * 86_400);
    let mut page = "# TYPE calls counter\n".to_owned();
    for (organization, calls) in [("acme", 1), ("globex", 2)] {
        for number in 0..=(until - first) / step {
            let at = first + number * step;
            writeln!(page, "calls_total{{organization=\"{organization}\"}} {} {at}", number * calls).unwrap();
        }
    }
    page.push_str("# EOF\n");
    let file = folder.join("history.txt");
    fs::write(&file, page).unwrap();
    let mut promtool = Command::new("promtool");
    promtool.args(["tsdb", "create-blocks-from", "openmetrics"]).arg(file).arg(PrometheusServer::data(folder));
    let made = promtool.output().unwrap_or_else(|error| panic!("promtool {PACKAGE}: {error}"));
    assert!(made.status.success(), "{made:?}");
    first
}

#[tokio::test]
async fn what_prometheus_no_longer_has_stays_as_it_was_counted() {
    let folder = tempfile::tempdir().unwrap();
    let now = Utc::now().timestamp();
    let first = history(folder.path(), now - now % 3600);
    let since = DateTime::from_timestamp_secs(first).unwrap();
    let config = json!({"scrape_configs": []});
    let mut prometheus = PrometheusServer::start(&config, Some(folder), &[]);
    let by_increase = "sum by (organization) (increase(calls_total[$bucket]))";
    let mut meter = Meter::of(&prometheus, "Consumed", by_increase, "PT1H", since);
    // 12 calls in each of 72 hours.
    meter.until_used("acme", None, 864).await;
    assert_eq!(meter.used("globex", None), 1728.into());
    prometheus.start_again(&["--storage.tsdb.retention.time=1d"]);
    let mut fresh = Meter::of(&prometheus, "Consumed", by_increase, "PT1H", since);
    until("the oldest are gone", async || {
        fresh.known = None;
        fresh.counted.clear();
        let look = fresh.look().await;
        let used = fresh.used("acme", None);
        let is_less = look.heard.is_some() && look.problems.is_empty() && used < 864.into() && used >= 276.into();
        if is_less { Ok(()) } else { Err(format!("{used} {:?}", look.problems)) }
    })
    .await;
    assert!(!fresh.known.as_ref().unwrap().is_behind());
    meter.until_heard().await;
    let look = meter.recount(since, since + TimeDelta::hours(4)).await;
    let said: Vec<String> = look.problems.iter().map(ToString::to_string).collect();
    assert!(said.len() == 1 && said[0].starts_with("the answer has no organization in it"), "{said:?}");
    meter.recount(since, Utc::now()).await;
    assert_eq!((meter.used("acme", None), meter.used("globex", None)), (864.into(), 1728.into()));
}
