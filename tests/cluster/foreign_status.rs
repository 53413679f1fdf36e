//! Statuses that somebody else writes, too: it makes the operator neither hurry nor fight.

use crate::{
    audit::{at_rest, writes},
    harness::{Cluster, DEADLINE, FEATURE, ORGANIZATION, Stage, grant},
    plane::PlaneOptions,
};
use serde_json::{Value, json};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// The operator may not write statuses of organizations.
const POLICY: &str = r#"
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: locked}
spec:
  matchConstraints:
    resourceRules:
      - {apiGroups: [entitlements.dev], apiVersions: [v1alpha1], operations: [UPDATE], resources: [organizations/status]}
  validations:
    - {expression: "has(object.status.instances) && 'Forged' in object.status.instances", reason: Forbidden}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: locked}
spec: {policyName: locked, validationActions: [Deny]}
"#;

/// For how long somebody writes statuses, ten times a second.
const WHILE: Duration = Duration::from_secs(8);

/// How often the operator has tried to write a status.
fn tries(audit: &Path, resource: &str) -> usize {
    writes(audit).iter().filter(|write| write.contains(&format!("/{resource}/")) && write.contains("/status?")).count()
}

/// Writes into the status of an object again and again, and returns how often.
async fn meddle(cluster: &Cluster, kind: &str, name: &str, status: impl Fn(usize) -> Value) -> usize {
    let started = Instant::now();
    let mut count = 0;
    while started.elapsed() < WHILE {
        count += 1;
        let patch = kube::api::Patch::Merge(json!({"status": status(count)}));
        let api = cluster.api(kind, "entitlements");
        api.patch_status(name, &kube::api::PatchParams::default(), &patch).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    count
}

/// Waits until the policy is in force, which takes the API server a moment.
async fn is_locked(cluster: &Cluster, name: &str) {
    let started = Instant::now();
    let patch = kube::api::Patch::Merge(json!({"status": {"instances": {"Other": 1}}}));
    let api = cluster.api("Organization", "");
    while api.patch_status(name, &kube::api::PatchParams::default(), &patch).await.is_ok() {
        assert!(started.elapsed() < DEADLINE, "the policy never comes into force");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_writes_into_statuses_starts_nothing_before_its_time() {
    let stage = tokio::task::block_in_place(|| {
        let stage = Stage::start_with(PlaneOptions { audit: true, ..PlaneOptions::default() });
        let path = stage.plane.folder().join("policy.yaml");
        std::fs::write(&path, POLICY).unwrap();
        stage.kubectl(&["apply", "--filename", path.to_str().unwrap()]);
        stage
    });
    let audit = stage.plane.audit_log().unwrap().to_owned();
    let cluster = stage.cluster().await;
    for yaml in [ORGANIZATION, FEATURE] {
        cluster.apply(yaml).await;
    }
    let name = cluster.name.clone();
    is_locked(&cluster, &name).await;
    let operator = stage.operator_that_logs("info", &[]);
    cluster.create(grant(&name, &name, &name, json!({}))).await.unwrap();
    // What cannot be remembered is not delivered, and is tried again ever more rarely.
    cluster.condition("EntitlementDefinition", "$", "Ready", "True", "Valid").await;
    let started = Instant::now();
    while tries(&audit, "organizations") < 3 {
        assert!(started.elapsed() < DEADLINE, "it does not try again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let before = tries(&audit, "organizations");
    let times = meddle(&cluster, "Organization", &name, |count| json!({"instances": {"Forged": count}})).await;
    let tried = tries(&audit, "organizations") - before;
    // In that time, five of its own delays (0.4, 0.8, 1.6, 3.2 and 6.4 s) and five nudges (at once, then 1, 2, 4 and 8 s apart).
    assert!(times > 20 && tried <= 10, "{tried} tries for {times} writes of another");

    // Where it may, it puts things right, and does not fight either.
    tokio::task::block_in_place(|| stage.kubectl(&["delete", "validatingadmissionpolicybinding", "locked"]));
    cluster.phase("$", "Active").await;
    cluster.object("ConfigMap", "$", "$").await;
    // What comes of its own work until then does not count.
    at_rest(&audit).await;
    let before = tries(&audit, "entitlementinstances");
    let times =
        meddle(&cluster, "EntitlementInstance", &name, |count| json!({"facets": {"Forged": {"count": count}}})).await;
    let tried = tries(&audit, "entitlementinstances") - before;
    // It may be resting still from what came before; that it puts things right in the end is seen below.
    assert!(times > 20 && tried <= 6, "{tried} tries for {times} writes of another");
    let is_right = |seen: &Value| seen["status"]["facets"].get("Forged").is_none();
    cluster.until("EntitlementInstance", "entitlements", "$", "is put right", is_right).await;
    tokio::task::block_in_place(|| drop((operator, stage)));
}
