//! What the API server refuses as it is: it is said, it costs nothing at rest, and it is done as soon as it can be.

use crate::{
    audit::requests,
    harness::{Cluster, ORGANIZATION, Stage, grant},
    plane::PlaneOptions,
};
use serde_json::{Value, json};
use std::{path::Path, time::Duration};

/// ConfigMaps of some names, and statuses of some instances, are invalid; others are forbidden.
const POLICIES: &str = r#"
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: refused}
spec:
  matchConstraints:
    resourceRules:
      - {apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}
      - {apiGroups: [entitlements.dev], apiVersions: [v1alpha1], operations: [UPDATE], resources: [entitlementinstances/status]}
  validations:
    - {expression: "!object.metadata.name.endsWith('-invalid')", reason: Invalid}
    - {expression: "!object.metadata.name.endsWith('-forbidden')", reason: Forbidden}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: refused}
spec: {policyName: refused, validationActions: [Deny]}
"#;

const DEFINITION: &str = r#"
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $}
spec:
  type: Feature
  allowMultiple: true
  facets: [{name: names, schema: {type: object, properties: {name: {type: string, default: good}}}}]
  outputs: [{name: config, kind: ConfigMap, objectName: "$-{{ facets.names.name }}", items: [{key: who, template: x}]}]
"#;

fn named(name: &str) -> Value {
    json!({"facets": {"names": {"name": name}}})
}

/// What operators have asked for so far, but for watches, which begin anew from time to time.
fn asked(audit: &Path) -> Vec<String> {
    let all = requests(audit)
        .into_iter()
        .filter(|line| line["verb"] != "watch" && line["verb"] != "list" && line["objectRef"]["resource"] != "leases");
    all.map(|line| format!("{} {}", line["verb"], line["requestURI"])).collect()
}

/// Waits until nothing has been asked for ten seconds.
async fn rests(audit: &Path) {
    for _ in 0..12 {
        let before = asked(audit).len();
        tokio::time::sleep(Duration::from_secs(10)).await;
        if asked(audit).len() == before {
            return;
        }
    }
    let all = asked(audit);
    panic!("the operator goes on asking: {:#?}", &all[all.len().saturating_sub(20)..]);
}

async fn failed(cluster: &Cluster, name: &str) -> String {
    let found = cluster.condition("EntitlementInstance", name, "Delivered", "False", "WriteFailed").await;
    found["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_is_refused_is_not_asked_for_again_and_again() {
    let stage = tokio::task::spawn_blocking(|| {
        let stage = Stage::start_with(PlaneOptions { audit: true, ..PlaneOptions::default() });
        let path = stage.plane.folder().join("policies.yaml");
        std::fs::write(&path, POLICIES).unwrap();
        stage.kubectl(&["apply", "--filename", path.to_str().unwrap()]);
        stage
    })
    .await
    .unwrap();
    let audit = stage.plane.audit_log().unwrap().to_owned();
    let cluster = stage.cluster().await;
    cluster.apply(ORGANIZATION).await;
    cluster.apply(DEFINITION).await;
    let name = cluster.name.clone();
    // A policy takes a moment until it is enforced.
    let probe =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "probe-invalid", "namespace": name}});
    while cluster.create(probe.clone()).await.is_ok() {
        cluster.delete("ConfigMap", "$", "probe-invalid").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let operator = stage.operator(&[]);
    for index in 0..20 {
        let grant = grant(&format!("{name}-{index}"), &name, &name, named(&format!("{index}-invalid")));
        cluster.create(grant).await.unwrap();
    }
    // Its own status is what is refused of this one, and what it delivers is not.
    cluster.create(grant(&format!("{name}-invalid"), &name, &name, named("mute"))).await.unwrap();
    cluster.create(grant(&format!("{name}-good"), &name, &name, named("good"))).await.unwrap();
    cluster.object("ConfigMap", "$", "$-good").await;
    cluster.object("ConfigMap", "$", "$-mute").await;
    for index in 0..20 {
        assert!(failed(&cluster, &format!("$-{index}")).await.contains("denied"));
    }
    rests(&audit).await;

    // A change is reason enough for another try.
    cluster.merge("EntitlementInstance", "entitlements", "$-0", json!({"spec": named("mended")})).await.unwrap();
    cluster.object("ConfigMap", "$", "$-mended").await;
    // What something else stands in the way of comes soon after that has gone.
    let forbidden = named("was-forbidden");
    cluster.create(grant(&format!("{name}-late"), &name, &name, forbidden)).await.unwrap();
    failed(&cluster, "$-late").await;
    let stage = tokio::task::spawn_blocking(move || {
        stage.kubectl(&["delete", "validatingadmissionpolicybinding", "refused"]);
        stage
    })
    .await
    .unwrap();
    cluster.object("ConfigMap", "$", "$-was-forbidden").await;
    cluster.condition("EntitlementInstance", "$-late", "Delivered", "True", "Delivered").await;
    tokio::task::spawn_blocking(move || drop((operator, stage))).await.unwrap();
}
