//! What a client's workloads read: the summary, the flags that know the time, and the configuration.

use super::desk::Desk;
use crate::harness::{Cluster, entry};
use chrono::{DateTime, Utc};
use serde_json::Value;

/// What the flag of a handle comes to at a moment, by the file alone.
pub fn flag_at(summary: &Value, handle: &str, at: DateTime<Utc>) -> Value {
    let flags: Value = serde_json::from_str(summary["data"]["flags.json"].as_str().unwrap_or("{}")).unwrap();
    let flag = &flags["flags"][handle];
    let mut rule = if flag["targeting"].is_null() { &flag["defaultVariant"] } else { &flag["targeting"] };
    while let Some(parts) = rule["if"].as_array() {
        let before = parts[0]["<"][1].as_i64().unwrap();
        rule = if at.timestamp() < before { &parts[1] } else { &parts[2] };
    }
    flag["variants"][rule.as_str().unwrap_or_default()].clone()
}

/// The flag of definition `$-members` at a moment.
pub async fn members_at(cluster: &Cluster, at: DateTime<Utc>) -> Value {
    let summary = cluster.object("ConfigMap", "$", "entitlements").await;
    flag_at(&summary, &format!("{}-members", cluster.name), at)
}

impl Desk<'_> {
    /// Waits until all that the workloads of organization `$` read says so many members.
    pub async fn delivers(&self, members: u32) {
        let cluster = &self.cluster;
        let (text, handle) = (members.to_string(), format!("{}-members", cluster.name));
        cluster.until("ConfigMap", "$", "members", &text, |seen| seen["data"]["members"] == text).await;
        let is_it = |seen: &Value| {
            let told = entry(seen, &handle);
            told["entitled"] == true && told["amount"] == text && flag_at(seen, &handle, Utc::now()) == members
        };
        cluster.until("ConfigMap", "$", "entitlements", &text, is_it).await;
    }

    /// Waits until the workloads of organization `$` read that it has no members, and have no configuration of them.
    pub async fn delivers_nothing(&self) {
        let cluster = &self.cluster;
        let handle = format!("{}-members", cluster.name);
        cluster.gone("ConfigMap", "$", "members").await;
        let is_it = |seen: &Value| {
            let told = entry(seen, &handle);
            !seen.is_null()
                && told["entitled"] != true
                && [Value::Null, 0.into()].contains(&flag_at(seen, &handle, Utc::now()))
        };
        cluster.until("ConfigMap", "$", "entitlements", "has none", is_it).await;
    }
}
