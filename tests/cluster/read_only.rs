//! An operator that only reads: it says what it would do, and does nothing.

use crate::{
    audit::{Request, of_operator},
    harness::{DEADLINE, FEATURE, ORGANIZATION, Operator, Stage, grant},
    plane::PlaneOptions,
    wait::eventually,
};
use serde_json::{Value, json};

/// An operator that works, and whose requests are known by its user.
fn everywhere(stage: &Stage) -> Operator {
    stage.operator(&[&format!("--kubeconfig={}", stage.plane.kubeconfig().display())])
}

/// What it would do, by action and object.
fn intentions(log: &str) -> Vec<(String, String)> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let told = lines.filter(|line| line["target"] == "entitlement_operator::read_only");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    told.map(|line| (text(&line["action"]), text(&line["object"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_and_everything_is_told_once() {
    let stage = tokio::task::block_in_place(|| {
        let stage = Stage::start_with(PlaneOptions { audit: true, ..PlaneOptions::default() });
        stage.apply_manifests(&["--read-only"]);
        stage
    });
    let cluster = stage.cluster().await;
    let name = cluster.name.clone();
    for yaml in [ORGANIZATION, FEATURE] {
        cluster.apply(yaml).await;
    }
    cluster.create(grant(&name, &name, &name, json!({}))).await.unwrap();
    let reader = stage.operator_that_logs("info", &[&stage.of_account(), "--read-only", "--log-format=json"]);
    let told = |action: &str, object: String| {
        eventually(DEADLINE, &format!("it would {action} {object}"), || {
            let log = reader.log();
            let is_it = |(one, of): &(String, String)| one == action && *of == object;
            if intentions(&log).iter().any(is_it) { Ok(()) } else { Err(log) }
        });
    };
    tokio::task::block_in_place(|| {
        told("create", format!("ConfigMap {name}/{name}"));
        told("create", format!("ConfigMap {name}/entitlements"));
        told("report", format!("EntitlementInstance entitlements/{name}"));
        told("report", format!("Organization {name}"));
        told("report", format!("EntitlementDefinition {name}"));
    });

    // Beside one that works, it has nothing to say of what is as it should be; of what is not, it says what it would do.
    let working = tokio::task::block_in_place(|| everywhere(&stage));
    cluster.phase("$", "Active").await;
    cluster.object("ConfigMap", "$", "$").await;
    cluster.operator_has_acted().await;
    tokio::task::block_in_place(|| working.kill());
    cluster.merge("EntitlementInstance", "entitlements", "$", json!({"spec": {"suspended": true}})).await.unwrap();
    tokio::task::block_in_place(|| told("delete", format!("ConfigMap {name}/{name}")));
    cluster.merge("Organization", "", "$", json!({"metadata": {"labels": {"a": "b"}}})).await.unwrap();
    let log = reader.log();
    let all = intentions(&log);
    let deleted = all.iter().filter(|(action, _)| action == "delete").count();
    assert_eq!(deleted, 1, "{all:?}");
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let is_suspension = |line: &&Value| line["from"] == "Active" && line["to"] == "Suspended";
    let suspended: Vec<&Value> = lines.iter().filter(is_suspension).collect();
    assert_eq!(suspended.len(), 1, "{log}");
    assert_eq!(
        (&suspended[0]["reason"], &suspended[0]["why"]),
        (&json!("Suspended"), &json!("by its own spec.suspended"))
    );
    assert!(cluster.get("ConfigMap", "$", "$").await.is_some());

    // It asks who it is and what it may do, and writes nothing at all.
    let account = "system:serviceaccount:entitlement-operator:entitlement-operator";
    let requests = of_operator(stage.plane.audit_log().unwrap());
    let its: Vec<&Request> = requests.iter().filter(|request| request.user == account).collect();
    let reads = |request: &&Request| {
        ["get ", "list ", "watch "].iter().any(|verb| request.right.starts_with(verb))
            || request.right.contains("/selfsubject")
    };
    assert!(its.iter().any(reads));
    let others: Vec<&&Request> = its.iter().filter(|request| !reads(request) || request.code == 403).collect();
    assert!(others.is_empty(), "{others:#?}");
    tokio::task::block_in_place(|| drop((reader, stage)));
}
