//! A tenant that makes many large instances in its own namespace, which name an organization that does not let them.

use crate::harness::{Cluster, Stage, alone_among_the_heavy, condition, grant};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use std::{
    fs,
    time::{Duration, Instant},
};

const COUNT: usize = 500;

/// The resident memory of a process, in bytes.
fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Of a hundred kilobytes.
async fn make(cluster: &Cluster, namespace: &str, number: usize) {
    let name = format!("{namespace}-{number:03}");
    let facets = json!({"f": {"text": "x".repeat(100_000)}});
    let mut object = grant(&name, &cluster.name, &cluster.name, json!({ "facets": facets }));
    object["metadata"]["namespace"] = namespace.into();
    cluster.create(object).await.unwrap();
}

#[tokio::test]
async fn fifty_megabytes_of_them_cost_nobody_anything() {
    let _alone = alone_among_the_heavy().await;
    let stage = tokio::task::spawn_blocking(Stage::start).await.unwrap();
    let operator = stage.operator_that_logs("info", &[]);
    let cluster = stage.cluster().await;
    cluster.feature().await;
    cluster
        .merge(
            "EntitlementDefinition",
            "",
            "$",
            json!({"spec": {"outputs": [
                {"name": "config", "kind": "ConfigMap", "items": [{"key": "who", "template": "x"}]},
            ]}}),
        )
        .await
        .unwrap();
    let tenant = format!("{}-tenant", cluster.name);
    cluster.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": tenant}})).await.unwrap();
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    cluster.condition("EntitlementInstance", "$", "Delivered", "True", "Delivered").await;
    let before = resident(operator.process());

    let flood = async {
        stream::iter(0..COUNT)
            .map(|number| make(&cluster, &tenant, number))
            .buffer_unordered(8)
            .collect::<Vec<_>>()
            .await;
    };
    let others = async {
        let mut slowest = Duration::ZERO;
        for round in 0..10 {
            let is_suspended = round % 2 == 0;
            let started = Instant::now();
            let patch = json!({"spec": {"suspended": is_suspended}});
            cluster.merge("EntitlementInstance", "entitlements", "$", patch).await.unwrap();
            let what = if is_suspended { "is withdrawn" } else { "is delivered" };
            cluster.until("ConfigMap", "$", "$", what, |seen| seen.is_null() == is_suspended).await;
            slowest = slowest.max(started.elapsed());
        }
        slowest
    };
    let ((), slowest) = tokio::join!(flood, others);
    assert!(slowest < Duration::from_secs(20), "a change took {slowest:?} amid the flood");

    let is_told = |seen: &Value| condition(seen, "Accepted")["reason"] == "NamespaceNotAllowed";
    for number in 0..COUNT {
        cluster.until("EntitlementInstance", &tenant, &format!("{tenant}-{number:03}"), "is refused", is_told).await;
    }
    let rejected = |seen: &Value| seen["status"]["instances"] == json!({"Active": 1, "Rejected": COUNT});
    cluster.until("Organization", "", "$", "counts them", rejected).await;
    let grown = resident(operator.process()).saturating_sub(before);
    assert!(grown < 40 << 20, "they took {} MiB", grown >> 20);
    tokio::task::spawn_blocking(move || drop((operator, stage))).await.unwrap();
}
