//! Rights go on without the store.

use super::support::Desk;
use crate::{harness::is_current, store_server::Server};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use sqlx::{AnyConnection, Connection, Executor};
use std::fs;

/// A PostgreSQL whose processes all stand still until this is dropped: it takes connections, and answers nothing.
struct Frozen(Vec<Pid>);

impl Frozen {
    fn new(server: &Server) -> Self {
        let data = server.certificate().parent().unwrap().to_owned();
        let file = fs::read_to_string(data.join("postmaster.pid")).unwrap();
        let parent: i32 = file.lines().next().unwrap().parse().unwrap();
        let mut frozen = Self(Vec::new());
        // The parent first: it begins no other then.
        frozen.stop(parent);
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap();
        for child in children.split_whitespace() {
            frozen.stop(child.parse().unwrap());
        }
        frozen
    }

    fn stop(&mut self, process: i32) {
        let process = Pid::from_raw(process).unwrap();
        if kill_process(process, Signal::STOP).is_ok() {
            self.0.push(process);
        }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for &process in self.0.iter().rev() {
            let _ = kill_process(process, Signal::CONT);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_store_nothing_is_counted_and_that_is_said() {
    let desk = Desk::start().await;
    let _operator = desk.stage.operator(&[]);
    desk.sell().await;
    desk.state("Unknown", true).await;
    desk.cluster.condition("EntitlementDefinition", "$", "Metered", "False", "NoStore").await;
    desk.report(10).await;
    desk.cluster.condition("EntitlementUsage", "$", "Ready", "False", "NoStore").await;
    desk.counted(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_taken_away_keeps_no_right_from_anybody() {
    let desk = Desk::start().await;
    let _operator = desk.operator();
    desk.sell().await;
    desk.report(10).await;
    desk.state("Exhausted", false).await;
    desk.counted(10).await;

    let elsewhere = desk.place().with_extension("away");
    fs::rename(desk.place(), &elsewhere).unwrap();
    desk.cluster.condition("EntitlementDefinition", "$", "Metered", "False", "StoreUnavailable").await;
    desk.state("Exhausted", false).await;
    // Rights are as ever.
    desk.cluster
        .merge("EntitlementInstance", "entitlements", "$", json!({"spec": {"state": "Cancelled"}}))
        .await
        .unwrap();
    desk.cluster.phase(&desk.cluster.name, "Cancelled").await;
    let is_it = |seen: &serde_json::Value| is_current(seen) && seen["status"]["usage"].is_null();
    desk.cluster.until("Organization", "", "$", "has nothing metered", is_it).await;

    fs::rename(elsewhere, desk.place()).unwrap();
    desk.cluster.condition("EntitlementDefinition", "$", "Metered", "True", "Metered").await;
    desk.counted(10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_takes_no_write_keeps_no_right_from_anybody() {
    let desk = Desk::start().await;
    let _operator = desk.operator();
    desk.sell().await;
    desk.report(3).await;
    desk.counted(3).await;

    // Somebody has begun to write, and comes to no end.
    sqlx::any::install_default_drivers();
    let address = format!("sqlite://{}", desk.place().join("store.db").display());
    let mut other = AnyConnection::connect(&address).await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    desk.report(10).await;
    desk.cluster.condition("EntitlementDefinition", "$", "Metered", "False", "StoreUnavailable").await;
    for is_suspended in [true, false] {
        desk.suspend(is_suspended).await;
    }
    // Of what was used that is known which was written.
    desk.state("Ok", true).await;

    other.execute("ROLLBACK").await.unwrap();
    desk.cluster.condition("EntitlementDefinition", "$", "Metered", "True", "Metered").await;
    desk.counted(10).await;
    desk.state("Exhausted", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_a_newer_version_is_left_alone_and_that_is_said() {
    let desk = Desk::start().await;
    let operator = desk.operator();
    desk.sell().await;
    desk.report(10).await;
    desk.state("Exhausted", false).await;
    tokio::task::block_in_place(|| operator.stop());
    sqlx::any::install_default_drivers();
    let address = format!("sqlite://{}", desk.place().join("store.db").display());
    let mut other = AnyConnection::connect(&address).await.unwrap();
    other.execute("UPDATE entitlement_store SET schema = schema + 6").await.unwrap();

    let _operator = desk.operator();
    let said = "the store has the schema 7, and this version of the operator knows 1 at most: run the version that wrote it, or restore a backup from before";
    let is_it = |seen: &serde_json::Value| {
        let conditions = seen["status"]["conditions"].as_array();
        conditions.is_some_and(|all| {
            all.iter().any(|one| {
                one["type"] == "Metered"
                    && one["reason"] == "StoreUnavailable"
                    && one["message"].as_str().is_some_and(|message| message.contains(said))
            })
        })
    };
    desk.cluster.until("EntitlementDefinition", "", "$", said, is_it).await;
    desk.state("Exhausted", false).await;
    desk.cluster.phase(&desk.cluster.name, "Active").await;

    other.execute("UPDATE entitlement_store SET schema = schema - 6").await.unwrap();
    desk.cluster.condition("EntitlementDefinition", "$", "Metered", "True", "Metered").await;
    desk.counted(10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_stands_still_keeps_no_right_from_anybody_and_all_is_counted_once() {
    let desk = Desk::start().await;
    let server = tokio::task::block_in_place(Server::start);
    let store = format!("--store={}", server.address("postgres"));
    let _operator = desk.stage.operator(&[&store]);
    desk.sell().await;
    desk.report(3).await;
    desk.counted(3).await;

    let frozen = Frozen::new(&server);
    desk.report(9).await;
    desk.cluster.condition("EntitlementDefinition", "$", "Metered", "False", "StoreUnavailable").await;
    for is_suspended in [true, false] {
        desk.suspend(is_suspended).await;
    }
    desk.state("Ok", true).await;

    drop(frozen);
    desk.cluster.condition("EntitlementDefinition", "$", "Metered", "True", "Metered").await;
    // Nine of ten, and not twelve.
    desk.counted(9).await;
    desk.state("Warning", true).await;
    desk.report(10).await;
    desk.counted(10).await;
    desk.state("Exhausted", false).await;
}
