//! More than an organization's objects may come to: it is said, and nothing is withdrawn for it.

use crate::harness::{Stage, grant};
use serde_json::json;

#[tokio::test]
async fn what_is_too_much_is_not_written_and_what_is_there_stays() {
    let stage = tokio::task::spawn_blocking(Stage::start).await.unwrap();
    let operator = stage.operator(&[]);
    let cluster = stage.cluster().await;
    cluster.feature().await;
    cluster.apply(&crate::harness::FEATURE.replace("name: $", "name: $-second")).await;
    let name = cluster.name.clone();
    let second = format!("{name}-second");
    cluster.create(grant(&name, &name, &name, json!({}))).await.unwrap();
    cluster.condition("EntitlementInstance", "$", "Delivered", "True", "Delivered").await;
    let delivered = cluster.object("ConfigMap", "$", "$").await;
    let summary = cluster.summary("$", "$", "has it", |entry| entry["entitled"] == true).await;
    let operator = tokio::task::spawn_blocking(move || operator.stop())
        .await
        .map(|()| stage.operator(&["--organization-bytes=100"]))
        .unwrap();
    cluster.create(grant(&second, &name, &second, json!({}))).await.unwrap();
    for grant in ["$", "$-second"] {
        let found = cluster.condition("EntitlementInstance", grant, "Delivered", "False", "TooMuch").await;
        assert!(found["message"].as_str().unwrap().contains("more than the 100 bytes"), "{found}");
    }
    cluster.condition("Organization", "$", "Ready", "False", "TooMuch").await;
    assert_eq!(cluster.get("ConfigMap", "$", "$").await, Some(delivered));
    assert_eq!(cluster.summary("$", "$", "is there still", |entry| !entry.is_null()).await, summary);
    assert!(cluster.get("ConfigMap", "$", "$-second").await.is_none());
    // An end withdraws still.
    cluster.merge("EntitlementInstance", "entitlements", "$", json!({"spec": {"state": "Cancelled"}})).await.unwrap();
    cluster.gone("ConfigMap", "$", "$").await;
    let operator = tokio::task::spawn_blocking(move || operator.stop()).await.map(|()| stage.operator(&[])).unwrap();
    cluster.object("ConfigMap", "$", "$-second").await;
    cluster.condition("Organization", "$", "Ready", "True", "Served").await;
    tokio::task::spawn_blocking(move || drop((operator, stage))).await.unwrap();
}
