//! A client's ten support cases, and what there is to read of them.

use crate::{
    harness::{Cluster, ORGANIZATION, Operator, Stage, entry, grant, is_current},
    overrides::effect::flag_at,
    plane::PlaneOptions,
};
use chrono::Utc;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A control plane with an audit log, and a folder for a store.
pub struct Desk {
    pub stage: Stage,
    pub cluster: Cluster,
    folder: TempDir,
}

impl Desk {
    pub async fn start() -> Self {
        let stage =
            tokio::task::block_in_place(|| Stage::start_with(PlaneOptions { audit: true, ..PlaneOptions::default() }));
        let cluster = stage.cluster().await;
        Self { stage, cluster, folder: tempfile::tempdir().unwrap() }
    }

    /// The folder that the store's file is in.
    pub fn place(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// An operator with the store.
    pub fn operator(&self) -> Operator {
        self.operator_with(&[])
    }

    /// One with the store and more arguments.
    pub fn operator_with(&self, arguments: &[&str]) -> Operator {
        std::fs::create_dir_all(self.place()).unwrap();
        let store = format!("--store=sqlite://{}", self.place().join("store.db").display());
        self.stage.operator(&[&[store.as_str()], arguments].concat())
    }

    pub fn audit_log(&self) -> &Path {
        self.stage.plane.audit_log().unwrap()
    }

    /// Gives organization `$` its ten cases.
    pub async fn sell(&self) {
        self.sell_metered(json!({"mode": "Consumed", "period": "P1Y"}), "2026-01-01").await;
    }

    /// Gives organization `$` ten of something that is metered so, from a moment on.
    pub async fn sell_metered(&self, usage: Value, start: &str) {
        let cluster = &self.cluster;
        cluster.apply(ORGANIZATION).await;
        cluster.merge("Organization", "", "$", json!({"spec": {"summary": {"flags": "Held"}}})).await.unwrap();
        self.define(&cluster.name, usage).await;
        let spec = json!({"start": start});
        cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, spec)).await.unwrap();
        cluster.phase(&cluster.name, "Active").await;
    }

    /// Makes a definition of ten that is metered so.
    pub async fn define(&self, name: &str, usage: Value) {
        let definition = json!({
            "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementDefinition", "metadata": {"name": name},
            "spec": {"type": "Quantity", "unit": "cases", "amount": 10, "usage": usage},
        });
        self.cluster.create(definition).await.unwrap();
    }

    /// Reports so many cases.
    pub async fn report(&self, cases: usize) {
        let case = |case| json!({"key": format!("CASE-{case}"), "at": "2026-06-01T00:00:00Z", "amount": 1});
        self.report_all((0..cases).map(case).collect()).await;
    }

    /// Reports these registers.
    pub async fn report_all(&self, registers: Vec<Value>) {
        let name = &self.cluster.name;
        let report = json!({
            "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementUsage", "metadata": {"name": name, "namespace": "entitlements"},
            "spec": {"organization": name, "definition": name, "registers": registers},
        });
        self.cluster.apply(&report.to_string()).await;
    }

    /// Suspends what organization `$` holds, or ends that.
    pub async fn suspend(&self, is_suspended: bool) {
        let patch = json!({"spec": {"suspended": is_suspended}});
        self.cluster.merge("EntitlementInstance", "entitlements", "$", patch).await.unwrap();
        self.cluster.phase(&self.cluster.name, if is_suspended { "Suspended" } else { "Active" }).await;
    }

    /// Waits until all of the last report counts.
    pub async fn counted(&self, cases: usize) {
        let is_it = |seen: &Value| is_current(seen) && seen["status"]["counted"] == cases;
        self.cluster.until("EntitlementUsage", "entitlements", "$", "is counted", is_it).await;
    }

    /// Waits until the client is told that state.
    pub async fn told_to_the_client(&self, state: &str, is_allowed: bool) {
        let name = &self.cluster.name;
        let is_it = |seen: &Value| {
            entry(seen, name)["usage"]["state"] == state
                && flag_at(seen, &format!("{name}.allowed"), Utc::now()) == is_allowed
        };
        self.cluster.until("ConfigMap", "$", "entitlements", state, is_it).await;
    }

    /// Waits until all that is read says that state.
    pub async fn state(&self, state: &str, is_allowed: bool) {
        self.told_to_the_client(state, is_allowed).await;
        let name = &self.cluster.name;
        let is_it = |seen: &Value| {
            let usage = seen["status"]["usage"].as_array();
            usage.is_some_and(|all| all.iter().any(|one| one["definition"] == **name && one["state"] == state))
        };
        self.cluster.until("Organization", "", "$", state, is_it).await;
    }
}
