//! An operator that was stopped for a while wakes in a world that has moved on.

use crate::harness::{Cluster, Stage, grant, seconds_from_now};
use serde_json::json;
use std::{
    process::Command,
    time::{Duration, SystemTime},
};

/// Each is a race of its own between the alarm and the watch.
const CLIENTS: usize = 10;

fn signal(process: u32, signal: &str) {
    assert!(Command::new("kill").args([signal, &process.to_string()]).status().unwrap().success());
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

async fn uid(cluster: &Cluster) -> String {
    cluster.object("ConfigMap", "$", "$").await["metadata"]["uid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_was_extended_while_the_operator_was_paused_is_not_withdrawn() {
    let stage = blocking(Stage::start).await;
    let operator = stage.operator(&[]);
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let cluster = stage.cluster().await;
        cluster.feature().await;
        clients.push(cluster);
    }
    let end = seconds_from_now(20);
    let mut before = Vec::new();
    for cluster in &clients {
        cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({"end": end}))).await.unwrap();
        cluster.phase("$", "Active").await;
        before.push(uid(cluster).await);
    }
    let end = SystemTime::from(chrono::DateTime::parse_from_rfc3339(&end).unwrap());
    assert!(SystemTime::now() < end, "the machine was too slow for this test");
    signal(operator.process(), "-STOP");
    let more = json!({"spec": {"amendments": [{"name": "more", "effective": "2026-01-01", "end": "2199-01-01"}]}});
    for cluster in &clients {
        cluster.merge("EntitlementInstance", "entitlements", "$", more.clone()).await.unwrap();
    }
    let past = end + Duration::from_secs(2);
    tokio::time::sleep(past.duration_since(SystemTime::now()).unwrap_or_default()).await;
    signal(operator.process(), "-CONT");
    for (cluster, before) in clients.iter().zip(before) {
        let is_extended = |seen: &serde_json::Value| seen["status"]["end"] == "2199-01-02T00:00:00Z";
        cluster.until("EntitlementInstance", "entitlements", "$", "is extended", is_extended).await;
        cluster.operator_has_acted().await;
        assert_eq!(uid(cluster).await, before, "{} was made anew", cluster.name);
        let events = cluster.events("$").await;
        assert!(events.iter().all(|(reason, _)| reason != "Expired"), "{events:?}");
    }
    blocking(move || drop((operator, stage))).await;
}
