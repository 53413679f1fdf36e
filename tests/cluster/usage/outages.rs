//! Rights go on without the store.

use super::support::Desk;
use crate::harness::is_current;
use serde_json::json;
use sqlx::{AnyConnection, Connection, Executor};
use std::fs;

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
    for (is_suspended, phase) in [(true, "Suspended"), (false, "Active")] {
        let patch = json!({"spec": {"suspended": is_suspended}});
        desk.cluster.merge("EntitlementInstance", "entitlements", "$", patch).await.unwrap();
        desk.cluster.phase(&desk.cluster.name, phase).await;
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
