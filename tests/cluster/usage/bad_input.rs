//! What is reported by mistake, or out of malice: it is told, loses nothing, and harms nobody else.

use super::support::Desk;
use crate::harness::{condition, is_current};
use serde_json::{Value, json};

impl Desk {
    /// Makes a report of so many registers `CASE-0` and on, each of that amount.
    async fn report_of(&self, report: &str, registers: usize, amount: &str) {
        let name = &self.cluster.name;
        let registers: Vec<Value> = (0..registers)
            .map(|case| json!({"key": format!("CASE-{case}"), "at": "2026-06-01T00:00:00Z", "amount": amount}))
            .collect();
        let report = json!({
            "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementUsage",
            "metadata": {"name": report, "namespace": "entitlements"},
            "spec": {"organization": name, "definition": name, "registers": registers},
        });
        self.cluster.create(report).await.unwrap();
    }

    async fn told(&self, report: &str, reason: &str, counted: usize) {
        let is_it = |seen: &Value| {
            is_current(seen) && condition(seen, "Ready")["reason"] == reason && seen["status"]["counted"] == counted
        };
        self.cluster.until("EntitlementUsage", "entitlements", report, reason, is_it).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_keys_in_many_objects_all_count_and_one_that_is_made_again_counts_once() {
    let desk = Desk::start().await;
    let _operator = desk.operator();
    desk.sell().await;
    desk.state("Ok", true).await;
    // 10 objects of 500 registers, all with the same keys: 10 x 500 x 0.0019 = 9.5 of 10.
    let names: Vec<String> = (0..10).map(|number| format!("many-{number}")).collect();
    for name in &names {
        desk.report_of(name, 500, "0.0019").await;
    }
    for name in &names {
        desk.told(name, "Counted", 500).await;
    }
    desk.state("Warning", true).await;
    desk.report_of("one-more", 1, "0.5").await;
    desk.state("Exhausted", false).await;
    // Another object of that name says it anew, and does not add to what the one before said.
    desk.cluster.delete("EntitlementUsage", "entitlements", "one-more").await;
    desk.report_of("one-more", 1, "0.4").await;
    desk.state("Warning", true).await;
    desk.told("one-more", "Counted", 1).await;
    for name in &names {
        desk.cluster.delete("EntitlementUsage", "entitlements", name).await;
    }
    desk.state("Ok", true).await;
    desk.told("one-more", "Counted", 1).await;
}
