//! Copies of objects, which are somebody else's; and objects of a former version, which are not.

use crate::harness::{Cluster, Stage, cluster, grant};
use serde_json::{Value, json};

/// As `kubectl get --output yaml` shows it, made anew under another name.
async fn copy(cluster: &Cluster, of: &Value, namespace: &str, name: &str) -> Value {
    let mut copy = of.clone();
    let metadata = copy["metadata"].as_object_mut().unwrap();
    metadata.retain(|field, _| ["labels", "annotations", "ownerReferences"].contains(&field.as_str()));
    metadata.insert("namespace".to_owned(), namespace.replace('$', &cluster.name).into());
    metadata.insert("name".to_owned(), name.replace('$', &cluster.name).into());
    cluster.create(copy).await.unwrap()
}

async fn namespace(cluster: &Cluster, name: &str) -> String {
    let name = name.replace('$', &cluster.name);
    cluster.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})).await.unwrap();
    name
}

#[tokio::test]
async fn a_copy_stays_whatever_becomes_of_its_original() {
    let cluster = cluster().await;
    cluster.feature().await;
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    let original = cluster.object("ConfigMap", "$", "$").await;
    let place = format!("{0}/{0}", cluster.name);
    assert_eq!(original["metadata"]["annotations"]["entitlements.dev/object"], place);
    let elsewhere = namespace(&cluster, "$-elsewhere").await;
    let copies = [
        copy(&cluster, &original, "$", "$-copy").await,
        copy(&cluster, &original, &elsewhere, "$").await,
        copy(&cluster, &original, &elsewhere, "$-copy").await,
    ];
    cluster.condition("EntitlementInstance", "$", "Ready", "True", "Active").await;
    cluster.delete("EntitlementInstance", "entitlements", "$").await;
    cluster.gone("ConfigMap", "$", "$").await;
    cluster.operator_has_acted().await;
    for made in copies {
        let (namespace, name) =
            (made["metadata"]["namespace"].as_str().unwrap(), made["metadata"]["name"].as_str().unwrap());
        assert_eq!(cluster.get("ConfigMap", namespace, name).await, Some(made));
    }
}

#[tokio::test]
async fn a_copy_in_the_way_is_a_conflict() {
    let cluster = cluster().await;
    cluster.feature().await;
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    let original = cluster.object("ConfigMap", "$", "$").await;
    let made = copy(&cluster, &original, "$", "$-new").await;
    let outputs = json!([{"name": "config", "kind": "ConfigMap", "objectName": format!("{}-new", cluster.name),
        "items": [{"key": "a", "template": "b"}]}]);
    cluster.merge("EntitlementDefinition", "", "$", json!({"spec": {"outputs": outputs}})).await.unwrap();
    let conflict = cluster.condition("EntitlementInstance", "$", "Delivered", "False", "Conflict").await;
    let expected = format!("ConfigMap {0}/{0}-new is not the operator's", cluster.name);
    assert!(conflict["message"].as_str().unwrap().starts_with(&expected), "{conflict}");
    assert_eq!(cluster.get("ConfigMap", "$", "$-new").await, Some(made));
    cluster.delete("ConfigMap", "$", "$-new").await;
    cluster.until("ConfigMap", "$", "$-new", "is delivered", |seen| seen["data"]["a"] == "b").await;
    cluster.condition("EntitlementInstance", "$", "Ready", "True", "Active").await;
}

#[tokio::test]
async fn what_a_former_version_made_is_named_in_place_and_withdrawn_at_its_end() {
    let stage = tokio::task::spawn_blocking(Stage::start).await.unwrap();
    let operator = stage.operator(&[]);
    let cluster = stage.cluster().await;
    cluster.feature().await;
    let left = namespace(&cluster, "$-left").await;
    let two = json!({"spec": {"namespaces": [cluster.name, left]}});
    cluster.merge("Organization", "", "$", two).await.unwrap();
    let outputs = |of: &[&str]| -> Value {
        let output = |name: &&str| json!({"name": name, "kind": "ConfigMap", "objectName": name, "items": [{"key": "a", "template": name}]});
        json!({"spec": {"outputs": of.iter().map(output).collect::<Vec<_>>()}})
    };
    cluster.merge("EntitlementDefinition", "", "$", outputs(&["kept", "dropped"])).await.unwrap();
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    for namespace in [cluster.name.as_str(), &left] {
        for name in ["kept", "dropped", "entitlements"] {
            cluster.object("ConfigMap", namespace, name).await;
        }
    }
    cluster.phase("$", "Active").await;
    tokio::task::spawn_blocking(move || operator.kill()).await.unwrap();
    // As that version left it all: objects do not name themselves, and nobody remembers where they lie.
    for namespace in [cluster.name.as_str(), &left] {
        for name in ["kept", "dropped", "entitlements"] {
            let unnamed = json!({"metadata": {"annotations": {"entitlements.dev/object": null}}});
            cluster.merge("ConfigMap", namespace, name, unnamed).await.unwrap();
        }
    }
    cluster.forge_status("$", json!({"namespaces": null})).await;
    let before = cluster.get("ConfigMap", "$", "kept").await.unwrap();
    let copied = copy(&cluster, &before, "$", "$-copy").await;
    // And an administrator changes something while it is upgraded.
    cluster.merge("EntitlementDefinition", "", "$", outputs(&["kept"])).await.unwrap();
    cluster.merge("Organization", "", "$", json!({"spec": {"namespaces": [cluster.name]}})).await.unwrap();

    let operator = stage.operator(&[]);
    let place = format!("{}/kept", cluster.name);
    let is_named = |seen: &Value| seen["metadata"]["annotations"]["entitlements.dev/object"] == place.as_str();
    let after = cluster.until("ConfigMap", "$", "kept", "names itself", is_named).await;
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    cluster.gone("ConfigMap", "$", "dropped").await;
    for name in ["kept", "dropped", "entitlements"] {
        cluster.gone("ConfigMap", &left, name).await;
    }
    let own = json!([cluster.name]);
    cluster.until("Organization", "", "$", "remembers", |seen| seen["status"]["namespaces"] == own).await;
    assert_eq!(cluster.get("ConfigMap", "$", "$-copy").await, Some(copied));
    tokio::task::spawn_blocking(move || drop((operator, stage))).await.unwrap();
}
