//! `render` says what the cluster will hold, byte for byte.

use crate::{
    harness::Stage,
    plane::PlaneOptions,
    resilience::{STORY, apply_examples},
};
use chrono::Utc;
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, process::Command};

/// What of an object does not depend on which cluster it is in.
fn portable(object: &Value) -> Value {
    let mut conditions = object["status"]["conditions"].clone();
    for condition in conditions.as_array_mut().into_iter().flatten() {
        condition["lastTransitionTime"] = Value::Null;
        condition["observedGeneration"] = Value::Null;
    }
    let mut status = object["status"].clone();
    if status.is_object() {
        status["conditions"] = conditions;
        status["observedGeneration"] = Value::Null;
        status["revision"] = Value::Null;
        if status["accepted"]["chain"].is_object() {
            status["accepted"]["chain"]["uid"] = Value::Null;
            status["accepted"]["chain"]["since"] = Value::Null;
        }
    }
    let mut annotations = object["metadata"]["annotations"].clone();
    if let Some(annotations) = annotations.as_object_mut() {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
    if annotations.as_object().is_none_or(serde_json::Map::is_empty) {
        annotations = Value::Null;
    }
    json!({
        "labels": object["metadata"]["labels"],
        "annotations": annotations,
        "spec": object["spec"],
        "status": status,
        "data": object["data"],
        "type": object["type"],
    })
}

fn key(object: &Value) -> String {
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    format!(
        "{} {namespace}/{}",
        object["kind"].as_str().unwrap_or_default(),
        object["metadata"]["name"].as_str().unwrap_or_default()
    )
}

/// The examples, in which nothing depends on when they are applied: what begins then was granted this morning.
fn dated(stage: &Stage) -> String {
    let folder = stage.plane.folder().join("story");
    fs::create_dir(&folder).unwrap();
    let today = Utc::now().format("%Y-%m-%d");
    for file in STORY {
        let mut text = fs::read_to_string(format!("{}/examples/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        for name in ["acme-backup", "acme-support"] {
            let head = format!("kind: EntitlementInstance\nmetadata:\n  name: {name}\n");
            let annotation = format!("  annotations: {{entitlements.dev/granted-at: \"{today}T00:00:00Z\"}}\n");
            text = text.replace(&head, &format!("{head}{annotation}"));
        }
        fs::write(folder.join(file), text).unwrap();
    }
    folder.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn render_prints_what_the_cluster_holds() {
    let (stage, found, examples) = tokio::task::spawn_blocking(|| {
        let stage = Stage::start_with(PlaneOptions::default());
        stage.operator(&[]).leave_running();
        let examples = dated(&stage);
        apply_examples(&stage, &examples);
        for condition in [
            "acme-backup",
            "acme-support",
            "acme-support-next",
            "acme-seats",
            "acme-seats-more",
            "globex-streaming",
            "globex-seats",
            "globex-support",
        ] {
            stage.kubectl(&[
                "wait",
                "--for=condition=Ready",
                "ent",
                condition,
                "--namespace=entitlements",
                "--timeout=60s",
            ]);
        }
        for definition in ["managed-backup", "premium-support", "seats", "4k-streaming"] {
            let total = match definition {
                "managed-backup" | "4k-streaming" => "1",
                _ => "3",
            };
            let path = format!("--for=jsonpath={{.status.instances.total}}={total}");
            stage.kubectl(&["wait", &path, "edef", definition, "--timeout=60s"]);
        }
        let kinds = "organizations,facetdefinitions,entitlementdefinitions,entitlementplans,entitlementinstances,entitlementsubscriptions,configmaps,secrets";
        let found = stage.kubectl(&["get", kinds, "--all-namespaces", "--output=json"]);
        (stage, found, examples)
    })
    .await
    .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_entitlement-operator"))
        .args(["render", "--output=json", "--show-secrets"])
        .args(STORY.iter().flat_map(|file| ["--filename".to_owned(), format!("{examples}/{file}")]))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rendered: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found: Value = serde_json::from_str(&found).unwrap();
    let ours = |object: &&Value| {
        let group = object["apiVersion"].as_str().unwrap_or_default();
        group.starts_with("entitlements.dev/")
            || object["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "entitlement-operator"
    };
    let of = |list: &Value| -> BTreeMap<String, Value> {
        list["items"].as_array().unwrap().iter().filter(ours).map(|object| (key(object), portable(object))).collect()
    };
    let (rendered, found) = (of(&rendered), of(&found));
    assert_eq!(rendered.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>());
    for (key, object) in &found {
        assert_eq!(rendered[key], *object, "{key}");
    }
    tokio::task::spawn_blocking(move || drop(stage)).await.unwrap();
}
