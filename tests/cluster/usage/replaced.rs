//! Another store, or one that was restored from a backup, is noticed; counting goes on; and `store adopt` ends the complaint.

use super::support::Desk;
use crate::{
    asker::{API, Asker},
    harness::{DEADLINE, Operator},
};
use chrono::{SecondsFormat, Utc};
use entitlement_operator::installation::OPERATOR_NAMESPACE;
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

const NOTE: &str = "entitlement-operator-store";

/// What is noted, by its keys.
async fn noted(desk: &Desk, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    desk.cluster.until("ConfigMap", OPERATOR_NAMESPACE, NOTE, what, |seen| is_it(&seen["data"])).await["data"].clone()
}

fn adopt(desk: &Desk, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_entitlement-operator"));
    let namespace = format!("--namespace={OPERATOR_NAMESPACE}");
    command.args(["store", "adopt", &namespace]).args(arguments).env("KUBECONFIG", desk.stage.plane.kubeconfig());
    command.output().unwrap()
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn stop(operator: Operator) {
    tokio::task::block_in_place(|| operator.stop());
}

/// A copy of a store that nobody uses.
fn copy(from: &Path, to: &Path) {
    fs::remove_dir_all(to).ok();
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

async fn complains(desk: &Desk) {
    desk.cluster.condition("EntitlementDefinition", "$", "Metered", "True", "StoreReplaced").await;
    let started = Instant::now();
    let is_it = |event: &Value| {
        event["reason"] == "StoreReplaced" && event["type"] == "Warning" && event["regarding"]["name"] == NOTE
    };
    while !desk.cluster.list("Event", OPERATOR_NAMESPACE).await.iter().any(is_it) {
        assert!(started.elapsed() < DEADLINE, "no event StoreReplaced");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn ends(desk: &Desk) {
    let (code, out, err) = said(&adopt(desk, &[]));
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(out.starts_with("Found: the store that was opened at ") && out.contains("Lost is what"), "{out}");
    assert!(err.contains("nothing is confirmed yet"), "{err}");
    let (code, out, err) = said(&adopt(desk, &["--yes"]));
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("Confirmed: "), "{out}");
    desk.cluster.condition("EntitlementDefinition", "$", "Metered", "True", "Metered").await;
    let is_settled = |data: &Value| data["found"].is_null() && data["adopted"].is_null();
    noted(desk, "has nothing to confirm", is_settled).await;
    let (code, _, err) = said(&adopt(desk, &["--yes"]));
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("there is nothing to adopt"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_of_the_store_is_noticed_counts_on_and_is_adopted() {
    let desk = Desk::start().await;
    let (code, _, err) = said(&adopt(&desk, &["--yes"]));
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("there is no ConfigMap"), "{err}");
    let (code, _, err) = said(&adopt(&desk, &["--yes", "--as=nobody"]));
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("you may not get the ConfigMap entitlement-operator-store in namespace"), "{err}");
    let operator = desk.operator();
    desk.sell().await;
    desk.report(3).await;
    desk.counted(3).await;
    let first = noted(&desk, "is noted", |data| data["store"].is_string()).await;
    stop(operator);
    let backup = desk.place().with_extension("backup");
    copy(&desk.place(), &backup);

    let operator = desk.operator();
    desk.report(4).await;
    desk.counted(4).await;
    stop(operator);
    // It was noted how often the store was written, at the end at the latest.
    let commits = |data: &Value| data["commits"].as_str().unwrap().parse::<u64>().unwrap();
    let last = noted(&desk, "is noted", |data| commits(data) > commits(&first)).await;
    assert_eq!(last["store"], first["store"]);

    copy(&backup, &desk.place());
    let _operator = desk.operator();
    complains(&desk).await;
    // Counting goes on, and what objects report is counted again.
    desk.counted(4).await;
    desk.report(10).await;
    desk.state("Exhausted", false).await;
    desk.counted(10).await;
    let found = noted(&desk, "says what was found", |data| data["found"].is_string()).await;
    assert_eq!((&found["found"], &found["store"]), (&first["store"], &first["store"]));
    assert_eq!(found["commits"], last["commits"], "the right one is noted as it was");
    ends(&desk).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_store_in_its_place_is_noticed_counts_on_and_is_adopted() {
    let desk = Desk::start().await;
    let operator = desk.operator();
    desk.sell().await;
    desk.report(10).await;
    desk.state("Exhausted", false).await;
    let first = noted(&desk, "is noted", |data| data["store"].is_string()).await;
    stop(operator);
    fs::remove_dir_all(desk.place()).unwrap();

    let _operator = desk.operator();
    complains(&desk).await;
    desk.counted(10).await;
    desk.state("Exhausted", false).await;
    let found = noted(&desk, "says what was found", |data| data["found"].is_string()).await;
    assert_ne!(found["found"], first["store"]);
    desk.cluster.merge("EntitlementUsage", "entitlements", "$", json!({"spec": {"registers": []}})).await.unwrap();
    desk.state("Ok", true).await;
    ends(&desk).await;
    assert_eq!(noted(&desk, "is noted", |data| data["store"] != first["store"]).await["store"], found["found"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_deleted_while_the_operator_runs_is_noticed_and_counts_on() {
    let desk = Desk::start().await;
    let _operator = desk.operator();
    desk.sell().await;
    desk.report(10).await;
    desk.state("Exhausted", false).await;
    let first = noted(&desk, "is noted", |data| data["store"].is_string()).await;
    fs::remove_dir_all(desk.place()).unwrap();
    fs::create_dir(desk.place()).unwrap();

    complains(&desk).await;
    desk.counted(10).await;
    desk.state("Exhausted", false).await;
    let found = noted(&desk, "says what was found", |data| data["found"].is_string()).await;
    assert_ne!(found["found"], first["store"]);
    assert_eq!(found["store"], first["store"], "the right one is noted as it was");
    desk.report(9).await;
    desk.counted(9).await;
    desk.state("Warning", true).await;
    ends(&desk).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_put_in_place_while_the_operator_runs_is_noticed_and_counts_on() {
    let desk = Desk::start().await;
    let operator = desk.operator();
    desk.sell().await;
    desk.report(3).await;
    desk.counted(3).await;
    stop(operator);
    let backup = desk.place().with_extension("backup");
    copy(&desk.place(), &backup);
    let _operator = desk.operator();
    desk.report(10).await;
    desk.state("Exhausted", false).await;
    let is_it = |data: &Value| data["store"].is_string() && data["commits"].is_string();
    let first = noted(&desk, "is noted", is_it).await;
    let (old, place) = (desk.place().with_extension("old"), desk.place());
    fs::rename(&place, &old).unwrap();
    fs::rename(&backup, &place).unwrap();

    complains(&desk).await;
    desk.counted(10).await;
    desk.report(9).await;
    desk.counted(9).await;
    desk.state("Warning", true).await;
    let found = noted(&desk, "says what was found", |data| data["found"].is_string()).await;
    assert_eq!((&found["found"], &found["store"]), (&first["store"], &first["store"]));
    ends(&desk).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_stands_by_says_in_its_decisions_that_the_store_is_another_one() {
    let desk = Desk::start().await;
    let operator = desk.operator();
    desk.sell().await;
    desk.report(3).await;
    desk.counted(3).await;
    let first = noted(&desk, "is noted", |data| data["store"].is_string()).await;
    stop(operator);
    let namespace = format!("--namespace={OPERATOR_NAMESPACE}");
    let patch = |object: [&str; 2], patch: Value| {
        let patch = format!("--patch={patch}");
        desk.stage.kubectl(&["patch", object[0], object[1], &namespace, "--type=merge", &patch]);
    };
    let now = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
    let lease =
        json!({"holderIdentity": "another_1", "leaseDurationSeconds": 3600, "acquireTime": now, "renewTime": now});
    patch(["lease", "entitlement-operator"], json!({"spec": lease}));
    patch(["configmap", NOTE], json!({"data": {"store": "the-right-one", "commits": "7"}}));

    let operator = desk.operator_with(&API);
    let name = &desk.cluster.name;
    let tenant = Asker::of(&desk, operator.api(), (name, "default"), "entitlements.dev");
    let one = format!("/v1/organizations/{name}/entitlements/{name}");
    let answer = tenant.until(&one, |status, body| status == 200 && body["usage"]["notice"].is_string());
    assert_eq!(answer["usage"]["used"], "3", "{answer}");
    let notice = answer["usage"]["notice"].as_str().unwrap();
    assert!(notice.contains("is another one, with ") && notice.contains("the one before had 7 commits"), "{notice}");
    let note = noted(&desk, "is as it was", |data| data["store"] == "the-right-one").await;
    assert!(note["found"].is_null(), "only who holds the lease notes it: {note}");
    // Where that is the right one after all, nothing is said any more.
    patch(["configmap", NOTE], json!({"data": {"store": first["store"], "commits": "1"}}));
    tenant.until(&one, |status, body| status == 200 && body["usage"]["notice"].is_null());
}

/// It has found the older copy after somebody has confirmed it on another replica.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_confirmed_is_not_found_again_by_a_replica_that_stood_still_meanwhile() {
    let desk = Desk::start().await;
    let operator = desk.operator();
    desk.sell().await;
    desk.report(3).await;
    desk.counted(3).await;
    stop(operator);
    let backup = desk.place().with_extension("backup");
    copy(&desk.place(), &backup);
    let leads = desk.operator();
    desk.report(10).await;
    desk.state("Exhausted", false).await;
    let first = noted(&desk, "is noted", |data| data["store"].is_string()).await;
    let stands_by = desk.operator_with(&API);
    let name = &desk.cluster.name;
    let tenant = Asker::of(&desk, stands_by.api(), (name, "default"), "entitlements.dev");
    let one = format!("/v1/organizations/{name}/entitlements/{name}");
    tenant.until(&one, |status, body| status == 200 && body["usage"]["used"] == "10");
    let signal = |signal: &str| {
        assert!(Command::new("kill").args([signal, &stands_by.process().to_string()]).status().unwrap().success());
    };
    signal("-STOP");
    let (old, place) = (desk.place().with_extension("old"), desk.place());
    fs::rename(&place, &old).unwrap();
    fs::rename(&backup, &place).unwrap();
    complains(&desk).await;
    desk.counted(10).await;
    ends(&desk).await;
    signal("-CONT");
    tenant.until(&one, |status, body| {
        status == 200
            && body["usage"]["used"] == "10"
            && body["usage"]["notice"].is_null()
            && body["usage"]["stale"] != true
    });
    tokio::task::block_in_place(|| leads.kill());
    // Whoever takes over notes what it has counted.
    desk.report(9).await;
    desk.counted(9).await;
    let commits = |data: &Value| data["commits"].as_str().unwrap().parse::<u64>().unwrap();
    let before = commits(&noted(&desk, "is noted", |data| data["commits"].is_string()).await);
    desk.report(8).await;
    let last =
        noted(&desk, "is noted by who took over", |data| commits(data) > before || data["found"].is_string()).await;
    assert_eq!((&last["store"], &last["found"]), (&first["store"], &Value::Null));
    desk.cluster.condition("EntitlementDefinition", "$", "Metered", "True", "Metered").await;
}
