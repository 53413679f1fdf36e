//! What a real Prometheus tells is counted, and rights go on without it.

use super::support::Desk;
use crate::{
    asker::{API, Asker, allow},
    harness::{condition, entry, seconds_from_now},
    prometheus_server::PrometheusServer,
    prometheus_service::Service,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::process::Command;

/// What has been used within a bucket, without any estimate.
const CALLS: &str = "sum by (organization) (calls_total - calls_total offset $bucket)";
const PAID: &str = r#"sum by (organization) (calls_total{region="a"} - calls_total{region="a"} offset $bucket)"#;

/// A desk beside a Prometheus that scrapes a service.
struct ScrapedDesk {
    desk: Desk,
    service: Service,
    prometheus: PrometheusServer,
}

impl ScrapedDesk {
    async fn start() -> Self {
        let service = Service::start("");
        let prometheus = PrometheusServer::start(&service.scraped(), None, &[]);
        let scraped = Self { desk: Desk::start().await, service, prometheus };
        scraped.says(0, 0);
        scraped
    }

    /// What the service says of `$`: calls that are paid for, calls of tests, and so many seats as calls. And some of nobody.
    fn says(&self, paid: u32, tests: u32) {
        let name = &self.desk.cluster.name;
        let page = format!(
            "calls_total{{organization=\"{name}\",region=\"a\"}} {paid}\ncalls_total{{organization=\"{name}\",region=\"b\"}} {tests}\ncalls_total{{organization=\"nobody\",region=\"a\"}} 1\nseats{{organization=\"{name}\"}} {paid}\n"
        );
        self.service.says(&page);
    }

    fn operator(&self) -> crate::harness::Operator {
        let url = format!("--prometheus-url=http://{}", self.prometheus.address());
        self.desk.operator_with(&[&url, "--prometheus-timeout=1s"])
    }

    /// What `Metered` says of a definition, once it says that.
    async fn metered(&self, name: &str, reason: &str, message: &str) {
        let is_it = |seen: &Value| {
            let metered = condition(seen, "Metered");
            metered["reason"] == reason && metered["message"].as_str().is_some_and(|said| said.contains(message))
        };
        self.desk.cluster.until("EntitlementDefinition", "", name, message, is_it).await;
    }

    fn recount(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_entitlement-operator"));
        command.args(["usage", "recount"]).args(arguments).env("KUBECONFIG", self.desk.stage.plane.kubeconfig());
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.prometheus.process().try_into().unwrap()).unwrap(), signal).unwrap();
    }
}

fn consumed(query: &str) -> Value {
    json!({"mode": "Consumed", "period": "P1D", "prometheus": {"query": query, "bucket": "PT2S"}})
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_counted_once_over_a_kill_and_put_right_by_a_recount() {
    let scraped = ScrapedDesk::start().await;
    let (desk, name) = (&scraped.desk, scraped.desk.cluster.name.clone());
    let operator = scraped.operator();
    desk.sell_metered(consumed(CALLS), &seconds_from_now(-1)).await;
    desk.define(&format!("{name}-bad"), consumed("sum by (organization (calls_total)")).await;
    scraped.metered("$", "Metered", "what is used is counted; no organization has the name \"nobody\"").await;
    scraped.metered("$-bad", "QueryWithoutAnswer", "Prometheus refuses the query: ").await;
    desk.state("Ok", true).await;
    scraped.says(0, 10);
    desk.state("Exhausted", false).await;

    // Calls of tests were counted by mistake.
    let mended = json!({"spec": {"usage": {"prometheus": {"query": PAID}}}});
    desk.cluster.merge("EntitlementDefinition", "", "$", mended).await.unwrap();
    let (code, told, failed) = scraped.recount(&[&name, "--from=-10min", "--to=-0s"]);
    assert_eq!((code, failed.as_str()), (Some(0), ""), "{told}");
    assert!(told.contains("it was asked for anew, and counts"), "{told}");
    desk.state("Ok", true).await;
    desk.cluster.condition("EntitlementDefinition", "$", "Recounted", "True", "Recounted").await;

    scraped.says(9, 10);
    desk.state("Warning", true).await;
    operator.kill();
    scraped.says(10, 10);
    let _operator = scraped.operator();
    desk.state("Exhausted", false).await;
    // A recount says what was counted already.
    let (code, told, failed) = scraped.recount(&[&name, "--from=-10min", "--to=-2s"]);
    assert_eq!((code, failed.as_str()), (Some(0), ""), "{told}");
    let status = desk.cluster.get("Organization", "", &name).await.unwrap();
    assert_eq!(status["status"]["usage"][0]["state"], "Exhausted", "{status}");
    refuses_what_makes_no_sense(&scraped, &name).await;
}

async fn refuses_what_makes_no_sense(scraped: &ScrapedDesk, name: &str) {
    let reported = format!("{name}-reported");
    scraped.desk.define(&reported, json!({"mode": "Consumed"})).await;
    let missing = format!("{name}x");
    let bad = format!("{name}-bad");
    for (arguments, code, expected) in [
        (
            [missing.as_str(), "--from=-1h", "--to=-1min"],
            2,
            format!("there is no definition {missing}: did you mean {name}?"),
        ),
        ([name, "--from=-1h", "--to=-2h"], 2, "give an earlier --from or a later --to".to_owned()),
        ([name, "--from=-1h", "--to=+1h"], 2, "lies ahead, and what is not over is not counted anew".to_owned()),
        ([name, "--from=2020-01-01", "--to=-1h"], 2, "is too long ago".to_owned()),
        ([&reported, "--from=-1h", "--to=-1min"], 2, "is measured by what is reported".to_owned()),
        ([&bad, "--from=-1h", "--to=-1min"], 1, "Prometheus refuses the query".to_owned()),
    ] {
        let (seen, told, failed) = scraped.recount(&arguments);
        assert!(seen == Some(code) && failed.contains(&expected), "{arguments:?}: {seen:?} {told} {failed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_prometheus_rights_go_on_and_what_is_used_goes_by_on_unknown() {
    let mut scraped = ScrapedDesk::start().await;
    let operator = scraped.operator();
    let query = json!({"query": "sum by (organization) (seats)", "bucket": "PT1S"});
    let seats = json!({"mode": "Held", "onUnknown": "Deny", "staleAfter": "PT5S", "prometheus": query});
    scraped.desk.sell_metered(seats, "2026-01-01").await;
    scraped.says(10, 0);
    scraped.desk.state("Exhausted", false).await;
    scraped.says(5, 0);
    scraped.desk.state("Ok", true).await;

    scraped.signal(Signal::STOP);
    scraped.metered("$", "PrometheusUnavailable", "it does not answer in time").await;
    scraped.desk.state("Ok", false).await;
    scraped.signal(Signal::CONT);
    scraped.desk.state("Ok", true).await;
    scraped.metered("$", "Metered", "what is used is counted").await;

    scraped.prometheus.stop();
    scraped.metered("$", "PrometheusUnavailable", "nothing listens there").await;
    scraped.desk.state("Ok", false).await;
    operator.kill();
    let _operator = scraped.operator();
    scraped.desk.cluster.operator_has_acted().await;
    scraped.desk.state("Ok", false).await;
    // Rights are as ever.
    let name = scraped.desk.cluster.name.clone();
    let amount = json!({"spec": {"amendments": [{"name": "twelve", "effective": "2026-06-01", "amount": 12}]}});
    scraped.desk.cluster.merge("EntitlementInstance", "entitlements", "$", amount).await.unwrap();
    let is_it = |seen: &Value| entry(seen, &name)["amount"] == "12" && entry(seen, &name)["entitled"] == true;
    scraped.desk.cluster.until("ConfigMap", "$", "entitlements", "has twelve", is_it).await;
    scraped.says(12, 0);
    scraped.prometheus.start_again(&[]);
    scraped.desk.state("Exhausted", false).await;
    scraped.metered("$", "Metered", "what is used is counted").await;
}

/// The one that works asks Prometheus, and every replica answers checks.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_stands_by_tells_what_prometheus_has_told_the_other_one() {
    let scraped = ScrapedDesk::start().await;
    let _working = scraped.operator();
    let query = json!({"query": "sum by (organization) (seats)", "bucket": "PT1S"});
    let seats = json!({"mode": "Held", "onUnknown": "Deny", "staleAfter": "PT5S", "prometheus": query});
    scraped.desk.sell_metered(seats, "2026-01-01").await;
    scraped.says(4, 0);
    scraped.metered("$", "Metered", "what is used is counted").await;
    scraped.desk.state("Ok", true).await;

    let url = format!("--prometheus-url=http://{}", scraped.prometheus.address());
    let standing_by = scraped.desk.operator_with(&[&[url.as_str()][..], &API].concat());
    let (cluster, account) = (&scraped.desk.cluster, ("kube-system", "service"));
    allow(cluster, "check", account).await;
    let asker = Asker::of(&scraped.desk, standing_by.api(), account, "entitlements.dev");
    let one = format!("/v1/organizations/{name}/entitlements/{name}", name = cluster.name);
    let tells = |used: &'static str| {
        move |status, told: &Value| {
            let usage = &told["usage"];
            status == 200 && told["allowed"] == true && usage["used"] == used && usage["stale"].is_null()
        }
    };
    asker.until(&one, tells("4"));
    scraped.says(6, 0);
    asker.until(&one, tells("6"));
    scraped.signal(Signal::STOP);
    asker.until(&one, |status, told| status == 200 && told["reason"] == "UsageUnknown");
    scraped.signal(Signal::CONT);
    asker.until(&one, tells("6"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_lacks_a_part_is_none() {
    let mut scraped = ScrapedDesk::start().await;
    let mut config = scraped.service.scraped();
    config["remote_read"] = json!([{"url": "http://127.0.0.1:1/read", "read_recent": true}]);
    scraped.prometheus = PrometheusServer::start(&config, None, &[]);
    let _operator = scraped.operator();
    scraped.desk.sell_metered(consumed(CALLS), &seconds_from_now(-1)).await;
    scraped.metered("$", "PrometheusUnavailable", "the answer is not complete, so nothing of it counts").await;
    scraped.desk.state("Unknown", true).await;
}
