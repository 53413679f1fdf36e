//! What somebody does who may only change what lies in a namespace, to keep what it is no longer entitled to, or to have the
//! operator delete what it may not delete itself.

use crate::harness::{Cluster, ORGANIZATION, Stage, cluster, condition, grant};
use kube::api::DeleteParams;
use serde_json::{Value, json};
use std::process::Command;

/// A ConfigMap and a Secret, and a ConfigMap that is kept.
const DEFINITION: &str = r#"
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $}
spec:
  type: Feature
  outputs:
    - {name: config, kind: ConfigMap, objectName: $, items: [{key: who, template: "{{ instance.name }}"}]}
    - {name: login, kind: Secret, objectName: $, items: [{key: who, template: "{{ instance.name }}"}]}
    - {name: kept, kind: ConfigMap, objectName: $-kept, onEnd: Retain, items: [{key: who, template: "{{ instance.name }}"}]}
"#;

const KINDS: [&str; 2] = ["ConfigMap", "Secret"];

/// Grants, and returns what the tenant may do then, and the objects.
async fn granted(cluster: &Cluster) -> (Cluster, [Value; 2]) {
    cluster.apply(ORGANIZATION).await;
    cluster.apply(DEFINITION).await;
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    cluster.condition("EntitlementInstance", "$", "Ready", "True", "Active").await;
    let objects = [cluster.object("ConfigMap", "$", "$").await, cluster.object("Secret", "$", "$").await];
    (cluster.tenant("$").await, objects)
}

async fn end(cluster: &Cluster) {
    cluster.merge("EntitlementInstance", "entitlements", "$", json!({"spec": {"state": "Cancelled"}})).await.unwrap();
}

/// What a tenant may do to the metadata of an object.
fn disguises() -> Vec<Value> {
    vec![
        json!({"labels": {"app.kubernetes.io/managed-by": null}}),
        json!({"labels": {"app.kubernetes.io/managed-by": "me"}}),
        json!({"labels": {"entitlements.dev/organization": null}}),
        json!({"labels": {"entitlements.dev/organization": "another"}}),
        json!({"labels": null}),
        json!({"ownerReferences": null}),
        json!({"annotations": {"entitlements.dev/object": "some/copy"}}),
        json!({"annotations": {"entitlements.dev/instance": "entitlements/another"}}),
        json!({"annotations": null}),
        json!({"labels": null, "annotations": null, "ownerReferences": null, "managedFields": [{}]}),
        json!({"annotations": {"entitlements.dev/on-end": "Retain"}}),
        json!({"labels": {"entitlements.dev/in-force": "false"}, "annotations": {"entitlements.dev/on-end": "Retain"}}),
    ]
}

fn marks(object: &Value) -> Value {
    let metadata = &object["metadata"];
    json!([metadata["labels"], metadata["annotations"], metadata["ownerReferences"], metadata["uid"]])
}

#[tokio::test]
async fn marks_that_are_taken_off_or_forged_are_put_right_at_once() {
    let cluster = cluster().await;
    let (tenant, made) = granted(&cluster).await;
    // Not more often than the operator puts up with.
    for disguise in disguises().into_iter().take(10) {
        for (kind, made) in KINDS.into_iter().zip(&made) {
            tenant.merge(kind, "$", "$", json!({"metadata": disguise})).await.unwrap();
            let is_right = |seen: &Value| marks(seen) == marks(made);
            cluster.until(kind, "$", "$", &format!("is put right after {disguise}"), is_right).await;
        }
    }
    end(&cluster).await;
    for kind in KINDS {
        cluster.gone(kind, "$", "$").await;
    }
    let over = cluster.condition("EntitlementInstance", "$", "Ready", "True", "Cancelled").await;
    assert_eq!(over["status"], "True");
}

#[tokio::test]
async fn a_disguise_just_before_the_end_keeps_nothing() {
    for disguise in disguises() {
        let cluster = cluster().await;
        let (tenant, _) = granted(&cluster).await;
        let patch = json!({"metadata": disguise});
        let both = KINDS.map(|kind| tenant.merge(kind, "$", "$", patch.clone()));
        let ((), results) = tokio::join!(end(&cluster), futures::future::join_all(both));
        for (kind, result) in KINDS.into_iter().zip(results) {
            // It may have been gone already.
            assert!(result.as_ref().is_err_and(|error| error.contains("not found")) || result.is_ok(), "{result:?}");
            cluster.gone(kind, "$", "$").await;
        }
        cluster.condition("EntitlementInstance", "$", "Ready", "True", "Cancelled").await;
    }
}

#[tokio::test]
async fn a_finalizer_is_named_until_it_is_gone() {
    let cluster = cluster().await;
    let (tenant, _) = granted(&cluster).await;
    let held = |by: Value| json!({"metadata": {"finalizers": by}});
    tenant.merge("Secret", "$", "$", held(json!(["example.com/mine"]))).await.unwrap();
    end(&cluster).await;
    cluster.gone("ConfigMap", "$", "$").await;
    let ready = cluster.condition("EntitlementInstance", "$", "Ready", "False", "NotWithdrawn").await;
    let expected = format!("Secret {0}/{0}: it is being deleted, and the finalizer example.com/mine,", cluster.name);
    assert!(ready["message"].as_str().unwrap().starts_with(&expected), "{ready}");
    // Nor does it help to take the label off then.
    tenant.merge("Secret", "$", "$", json!({"metadata": {"labels": null}})).await.unwrap();
    let is_marked = |seen: &Value| !seen["metadata"]["labels"].is_null();
    cluster.until("Secret", "$", "$", "is marked again", is_marked).await;
    cluster.condition("EntitlementInstance", "$", "Ready", "False", "NotWithdrawn").await;
    // Or to have the grant deleted: then the organization tells.
    cluster.delete("EntitlementInstance", "entitlements", "$").await;
    cluster.condition("Organization", "$", "Ready", "False", "NotWithdrawn").await;
    tenant.merge("Secret", "$", "$", held(Value::Null)).await.unwrap();
    cluster.gone("Secret", "$", "$").await;
    cluster.condition("Organization", "$", "Ready", "True", "Served").await;
}

#[tokio::test]
async fn what_is_disguised_while_the_operator_is_down_is_found() {
    let stage = tokio::task::spawn_blocking(Stage::start).await.unwrap();
    let operator = stage.operator(&[]);
    // Those that leave a sign of what it was.
    let is_traceable = |disguise: &Value| {
        let annotations = &disguise["annotations"];
        annotations["entitlements.dev/object"].is_null()
            && (annotations.is_object() || !disguise.as_object().unwrap().contains_key("annotations"))
    };
    let mut all = Vec::new();
    for disguise in disguises().into_iter().filter(is_traceable) {
        let cluster = stage.cluster().await;
        let (tenant, _) = granted(&cluster).await;
        all.push((cluster, tenant, disguise));
    }
    assert!(all.len() >= 8, "{}", all.len());
    tokio::task::spawn_blocking(move || operator.kill()).await.unwrap();
    for (number, (cluster, tenant, disguise)) in all.iter().enumerate() {
        for kind in KINDS {
            tenant.merge(kind, "$", "$", json!({"metadata": disguise})).await.unwrap();
        }
        if number % 2 == 0 {
            end(cluster).await;
        } else {
            cluster.delete("EntitlementInstance", "entitlements", "$").await;
        }
    }
    let operator = stage.operator(&[]);
    for (number, (cluster, ..)) in all.iter().enumerate() {
        for kind in KINDS {
            cluster.gone(kind, "$", "$").await;
        }
        if number % 2 == 0 {
            cluster.condition("EntitlementInstance", "$", "Ready", "True", "Cancelled").await;
        }
        // What was to be kept is.
        let is_kept = |seen: &Value| seen["metadata"]["labels"]["entitlements.dev/in-force"] == "false";
        cluster.until("ConfigMap", "$", "$-kept", "is kept", is_kept).await;
    }
    drop(all);
    tokio::task::spawn_blocking(move || drop((operator, stage))).await.unwrap();
}

/// What a reader that takes 128 levels gives up at, where the API server keeps it on whatever one may edit.
fn written_too_deep() -> Value {
    let fields = (0..300).fold(json!({}), |inner, _| json!({"f:a": inner}));
    json!([{"manager": "me", "operation": "Update", "apiVersion": "v1", "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:labels": {"f:a": fields}}}}])
}

/// Clients of the tests can't read what comes of it.
fn write_too_deep(stage: &Stage, resource: &str, namespace: &str, mut metadata: Value) {
    metadata["managedFields"] = written_too_deep();
    let patch = json!({"metadata": metadata}).to_string();
    let patched = ["patch", resource, "--namespace", namespace, "--type=merge", "--patch", &patch];
    tokio::task::block_in_place(|| stage.kubectl(&patched));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_too_deep_to_be_read_keeps_nothing() {
    let stage = tokio::task::block_in_place(Stage::start);
    let operator = tokio::task::block_in_place(|| stage.operator(&[]));
    let (seen, missed) = (stage.cluster().await, stage.cluster().await);
    granted(&seen).await;
    let (tenant, _) = granted(&missed).await;
    // Those who may do everything in a namespace may also edit the namespace itself.
    for Cluster { name, .. } in [&seen, &missed] {
        write_too_deep(&stage, &format!("namespace/{name}"), name, json!({}));
        tokio::task::block_in_place(|| stage.kubectl(&["create", "configmap", "innocent", "--namespace", name]));
        write_too_deep(&stage, "configmap/innocent", name, json!({}));
    }
    // Who may write grants in it keeps nobody from looking at the cluster.
    let deep = (0..300).fold(json!({}), |inner, _| json!({"a": inner}));
    let mut grant = grant("deep", &seen.name, &seen.name, json!({"facets": {"account": deep}}));
    grant["metadata"]["namespace"] = json!(seen.name);
    tokio::task::block_in_place(|| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), grant.to_string()).unwrap();
        stage.kubectl(&["create", "--filename", file.path().to_str().unwrap()]);
        let kubeconfig = format!("--kubeconfig={}", stage.plane.kubeconfig().display());
        let mut explain = Command::new(env!("CARGO_BIN_EXE_entitlement-operator"));
        let said = explain.args(["explain", &missed.name, &missed.name, &kubeconfig]).output().unwrap();
        let told = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(told.contains("Entitled"), "{said:?}");
    });
    for kind in ["configmap", "secret"] {
        write_too_deep(&stage, &format!("{kind}/{}", seen.name), &seen.name, json!({"labels": null}));
    }
    end(&seen).await;
    for kind in ["configmap", "secret"] {
        let object = format!("{kind}/{}", seen.name);
        let wait = ["wait", "--for=delete", &object, "--namespace", &seen.name, "--timeout=30s"];
        tokio::task::block_in_place(|| stage.kubectl(&wait));
    }
    seen.condition("EntitlementInstance", "$", "Ready", "True", "Cancelled").await;

    // Nor does it help while the operator is down.
    tokio::task::block_in_place(|| operator.kill());
    for kind in KINDS {
        tenant.merge(kind, "$", "$", json!({"metadata": {"labels": null}})).await.unwrap();
    }
    end(&missed).await;
    let operator = tokio::task::block_in_place(|| stage.operator(&[]));
    for kind in KINDS {
        missed.gone(kind, "$", "$").await;
    }
    missed.merge("Organization", "", "$", json!({"spec": {"displayName": "Another"}})).await.unwrap();
    missed.condition("Organization", "$", "Ready", "True", "Served").await;
    drop((seen, missed, tenant));
    tokio::task::block_in_place(|| drop((operator, stage)));
}

/// A ConfigMap that is marked as an output of organization `$` in every respect.
async fn marked(cluster: &Cluster, like: &Value, namespace: &str, name: &str) -> Value {
    let place = format!("{namespace}/{name}");
    let metadata = &like["metadata"];
    let mut annotations = metadata["annotations"].clone();
    annotations["entitlements.dev/object"] = place.into();
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"precious": "yes"},
        "metadata": {"name": name, "namespace": namespace, "labels": metadata["labels"], "annotations": annotations,
            "ownerReferences": metadata["ownerReferences"]},
    });
    cluster.create(object).await.unwrap()
}

#[tokio::test]
async fn nothing_is_deleted_where_the_organization_never_had_anything_however_it_is_marked() {
    let cluster = cluster().await;
    let (_, [made, _]) = granted(&cluster).await;
    let foreign = format!("{}-foreign", cluster.name);
    cluster.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": foreign}})).await.unwrap();
    let tenant = cluster.tenant(&foreign).await;
    let victims = [
        marked(&tenant, &made, &foreign, "victim").await,
        marked(&cluster, &made, "kube-system", &format!("{}-victim", cluster.name)).await,
        marked(&cluster, &made, "entitlements", &format!("{}-victim", cluster.name)).await,
        marked(&cluster, &made, "entitlement-operator", &format!("{}-victim", cluster.name)).await,
    ];
    end(&cluster).await;
    cluster.gone("ConfigMap", "$", "$").await;
    cluster.operator_has_acted().await;
    for victim in &victims {
        let (namespace, name) =
            (victim["metadata"]["namespace"].as_str().unwrap(), victim["metadata"]["name"].as_str().unwrap());
        assert_eq!(cluster.get("ConfigMap", namespace, name).await.as_ref(), Some(victim));
    }
    cluster.condition("Organization", "$", "Ready", "True", "Served").await;
}

#[tokio::test]
async fn a_forged_memory_opens_no_reserved_namespace_and_nothing_that_is_not_marked() {
    let cluster = cluster().await;
    let (_, [made, _]) = granted(&cluster).await;
    let foreign = format!("{}-foreign", cluster.name);
    cluster.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": foreign}})).await.unwrap();
    let mut victims = Vec::new();
    for namespace in ["kube-system", "kube-public", "entitlements", "entitlement-operator"] {
        victims.push(marked(&cluster, &made, namespace, &format!("{}-forged", cluster.name)).await);
    }
    let unmarked = [
        json!({"labels": {"entitlements.dev/organization": null}}),
        json!({"labels": {"app.kubernetes.io/managed-by": null}}),
        json!({"ownerReferences": null}),
        json!({"annotations": {"entitlements.dev/object": null}}),
        json!({"annotations": {"entitlements.dev/object": "some/copy"}}),
    ];
    for (number, patch) in unmarked.into_iter().enumerate() {
        let name = format!("victim-{number}");
        let mut like = made.clone();
        // So that it never looks like the real thing, not even for a moment.
        for field in ["labels", "annotations"] {
            for key in patch[field].as_object().into_iter().flat_map(|keys| keys.keys()) {
                like["metadata"][field][key] = "not-yet".into();
            }
        }
        if patch["ownerReferences"].is_null() && patch.as_object().unwrap().contains_key("ownerReferences") {
            like["metadata"]["ownerReferences"] = json!([]);
        }
        let is_of_naming = !patch["annotations"].is_null();
        if is_of_naming {
            like["metadata"]["labels"]["entitlements.dev/organization"] = "not-yet".into();
        }
        marked(&cluster, &like, &foreign, &name).await;
        cluster.merge("ConfigMap", &foreign, &name, json!({"metadata": patch})).await.unwrap();
        if is_of_naming {
            let label = json!({"metadata": {"labels": {"entitlements.dev/organization": cluster.name}}});
            cluster.merge("ConfigMap", &foreign, &name, label).await.unwrap();
        }
        victims.push(cluster.get("ConfigMap", &foreign, &name).await.unwrap());
    }
    let forged = json!([cluster.name, foreign, "kube-system", "kube-public", "entitlements", "entitlement-operator"]);
    cluster.forge_status("$", json!({"namespaces": forged})).await;
    end(&cluster).await;
    cluster.gone("ConfigMap", "$", "$").await;
    cluster.operator_has_acted().await;
    for victim in &victims {
        let (namespace, name) =
            (victim["metadata"]["namespace"].as_str().unwrap(), victim["metadata"]["name"].as_str().unwrap());
        assert_eq!(cluster.get("ConfigMap", namespace, name).await.as_ref(), Some(victim));
    }
    // It remembers what is so again.
    let own = json!([cluster.name]);
    cluster.until("Organization", "", "$", "remembers", |seen| seen["status"]["namespaces"] == own).await;
}

#[tokio::test]
async fn a_namespace_is_remembered_from_before_the_first_delivery_until_after_the_last_withdrawal() {
    let cluster = cluster().await;
    let (tenant, _) = granted(&cluster).await;
    let remembered = |of: Value| move |seen: &Value| seen["status"]["namespaces"] == of;
    cluster.until("Organization", "", "$", "remembers", remembered(json!([cluster.name]))).await;
    // What a finalizer holds is not withdrawn.
    let held = |by: Value| json!({"metadata": {"finalizers": by}});
    tenant.merge("ConfigMap", "$", "$", held(json!(["example.com/mine"]))).await.unwrap();
    let other = format!("{}-other", cluster.name);
    cluster.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}})).await.unwrap();
    cluster.merge("Organization", "", "$", json!({"spec": {"namespaces": [other]}})).await.unwrap();
    cluster.gone("Secret", "$", "$").await;
    cluster.object("ConfigMap", &other, "$").await;
    cluster.until("Organization", "", "$", "remembers both", remembered(json!([cluster.name, other]))).await;
    let ready = cluster.condition("EntitlementInstance", "$", "Ready", "False", "NotWithdrawn").await;
    assert!(ready["message"].as_str().unwrap().contains("example.com/mine"), "{ready}");
    // Not even somebody who may write statuses makes it forget.
    cluster.forge_status("$", json!({"namespaces": [other]})).await;
    cluster.until("Organization", "", "$", "remembers both", remembered(json!([cluster.name, other]))).await;
    tenant.merge("ConfigMap", "$", "$", held(Value::Null)).await.unwrap();
    cluster.gone("ConfigMap", "$", "$").await;
    cluster.until("Organization", "", "$", "remembers one", remembered(json!([other]))).await;
    cluster.condition("EntitlementInstance", "$", "Ready", "True", "Active").await;
}

#[tokio::test]
async fn what_is_deleted_by_a_tenant_is_made_again() {
    let cluster = cluster().await;
    let (tenant, made) = granted(&cluster).await;
    for (kind, made) in KINDS.into_iter().zip(made) {
        tenant.api(kind, &cluster.name).delete(&cluster.name, &DeleteParams::default()).await.unwrap();
        let is_new = |seen: &Value| !seen.is_null() && seen["metadata"]["uid"] != made["metadata"]["uid"];
        cluster.until(kind, "$", "$", "is made again", is_new).await;
    }
    let seen = cluster.phase("$", "Active").await;
    assert_eq!(condition(&seen, "Ready")["status"], "True");
}
