//! An operator that serves some namespaces only, or Secrets in some only: with exactly the rights that `manifests` prints for it.

use crate::{
    audit::{Request, of_operator},
    harness::{Cluster, DEADLINE, Operator, PASSWORD, Stage, condition, grant},
    plane::PlaneOptions,
    wait::eventually,
};
use serde_json::{Value, json};

const ACCOUNT: &str = "system:serviceaccount:entitlement-operator:entitlement-operator";

/// An organization with two namespaces, and a definition with both kinds of outputs.
const CLIENT: &str = r#"
apiVersion: entitlements.dev/v1alpha1
kind: Organization
metadata: {name: $}
spec: {displayName: The Client, namespaces: [one, two], assignableFrom: [entitlements, partner]}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $}
spec:
  type: Feature
  facets: [{name: account, definition: $}]
  outputs:
    - {name: config, kind: ConfigMap, objectName: $, items: [{key: who, template: "{{ organization.displayName }}"}]}
    - {name: account, kind: Secret, objectName: $-account, items: [{format: Keys}]}
"#;

fn stage() -> Stage {
    let stage = Stage::start_with(PlaneOptions { audit: true, ..PlaneOptions::default() });
    for namespace in ["one", "two", "partner"] {
        stage.kubectl(&["create", "namespace", namespace]);
    }
    stage
}

/// An operator that may do everything, and whose requests are known by its user.
fn everywhere(stage: &Stage) -> Operator {
    stage.operator(&[&format!("--kubeconfig={}", stage.plane.kubeconfig().display())])
}

/// An operator with what `manifests` prints for it, and nothing else.
fn start(stage: &Stage, restrictions: &[&str]) -> Operator {
    stage.apply_manifests(restrictions);
    stage.operator(&[&[stage.of_account().as_str()], restrictions].concat())
}

async fn entitle(cluster: &Cluster) {
    cluster.apply(PASSWORD).await;
    cluster.apply(CLIENT).await;
    let name = cluster.name.clone();
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "entitlements"},
        "stringData": {"password": "planted-for-the-restricted"}});
    cluster.create(secret).await.unwrap();
    let source = json!({"facet": "account", "field": "password", "secretKeyRef": {"name": name, "key": "password"}});
    cluster.create(grant(&name, &name, &name, json!({"secretFacets": [source]}))).await.unwrap();
}

async fn suspend(cluster: &Cluster, is_suspended: bool) {
    let spec = json!({"spec": {"suspended": is_suspended}});
    cluster.merge("EntitlementInstance", "entitlements", "$", spec).await.unwrap();
}

/// A status without whether the grant is ready, and what of its spec that tells of.
fn but_for_readiness(mut status: Value) -> Value {
    status["observedGeneration"].take();
    status["conditions"].as_array_mut().unwrap().retain(|condition| condition["type"] != "Ready");
    status
}

/// What the restricted operator has asked for, none of which was refused.
fn requests(stage: &Stage) -> Vec<Request> {
    let all = of_operator(stage.plane.audit_log().unwrap());
    let all: Vec<Request> = all.into_iter().filter(|request| request.user == ACCOUNT).collect();
    assert!(!all.is_empty());
    let refused: Vec<&Request> = all.iter().filter(|request| [401, 403].contains(&request.code)).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_touched_only_where_they_are_given() {
    let stage = tokio::task::block_in_place(stage);
    let cluster = stage.cluster().await;
    let before_it = tokio::task::block_in_place(|| everywhere(&stage));
    entitle(&cluster).await;
    for namespace in ["one", "two"] {
        cluster.object("Secret", namespace, "$-account").await;
    }
    tokio::task::block_in_place(|| before_it.stop());

    let operator = tokio::task::block_in_place(|| start(&stage, &["--secret-namespaces=entitlements,one"]));
    let said = cluster.condition("EntitlementInstance", "$", "Delivered", "False", "SecretsNotServed").await;
    let name = &cluster.name;
    assert_eq!(
        said["message"],
        format!(
            "Secret two/{name}-account is not written: the operator is not given the Secrets in namespace two, and leaves them as they are: add it to the operator's --secret-namespaces, with the rights that entitlement-operator manifests prints for it"
        )
    );
    // All else is done, also there.
    cluster.merge("Organization", "", "$", json!({"spec": {"displayName": "Another"}})).await.unwrap();
    for namespace in ["one", "two"] {
        cluster.until("ConfigMap", namespace, "$", "is of the new name", |seen| seen["data"]["who"] == "Another").await;
    }
    let before = cluster.get("Secret", "two", "$-account").await.unwrap();
    let new = json!({"stringData": {"password": "planted-for-the-restricted-anew"}});
    cluster.merge("Secret", "entitlements", "$", new).await.unwrap();
    let old = before["data"].clone();
    cluster.until("Secret", "one", "$-account", "is of the new source", |seen| seen["data"] != old).await;
    // What ends is withdrawn where that can be, and left elsewhere.
    suspend(&cluster, true).await;
    cluster.gone("Secret", "one", "$-account").await;
    cluster.gone("ConfigMap", "two", "$").await;
    let suspended = cluster.phase("$", "Suspended").await;
    assert_eq!(
        condition(&suspended, "Delivered")["message"],
        "a grant that is not in force delivers nothing, but what it had may be left: the operator is not given the Secrets in namespace two, and leaves them as they are: add it to the operator's --secret-namespaces, with the rights that entitlement-operator manifests prints for it"
    );
    assert_eq!(cluster.get("Secret", "two", "$-account").await.unwrap()["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(cluster.get("Secret", "two", "$-account").await.unwrap()["data"], before["data"]);
    suspend(&cluster, false).await;
    cluster.object("Secret", "one", "$-account").await;

    tokio::task::block_in_place(|| operator.stop());
    let elsewhere: Vec<Request> = requests(&stage)
        .into_iter()
        .filter(|request| request.right.contains("/secrets") && !["entitlements", "one"].contains(&&*request.namespace))
        .collect();
    assert!(elsewhere.is_empty(), "{elsewhere:#?}");
    // With everything given again, everything is as before, and what was left is withdrawn.
    let _after_it = tokio::task::block_in_place(|| everywhere(&stage));
    cluster.condition("EntitlementInstance", "$", "Delivered", "True", "Delivered").await;
    suspend(&cluster, true).await;
    cluster.gone("Secret", "two", "$-account").await;
    tokio::task::block_in_place(|| drop(stage));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_restricts_it_by_mistake_loses_nothing() {
    let stage = tokio::task::block_in_place(stage);
    let cluster = stage.cluster().await;
    let before_it = tokio::task::block_in_place(|| everywhere(&stage));
    entitle(&cluster).await;
    let objects = [("ConfigMap", "$"), ("Secret", "$-account"), ("ConfigMap", "entitlements")];
    let seen = || async {
        let mut seen = Vec::new();
        for namespace in ["one", "two"] {
            for (kind, name) in objects {
                seen.push(cluster.object(kind, namespace, name).await["metadata"]["resourceVersion"].clone());
            }
        }
        seen
    };
    cluster.condition("EntitlementInstance", "$", "Delivered", "True", "Delivered").await;
    let before = seen().await;
    let status = cluster.phase("$", "Active").await["status"].clone();
    tokio::task::block_in_place(|| before_it.stop());

    // Without the namespaces of its grants, nothing of the organization is touched, nor are its grants, even if they end.
    let operator = tokio::task::block_in_place(|| start(&stage, &["--namespaces=one,two,entitlements"]));
    let said = cluster.condition("Organization", "$", "Ready", "False", "NamespaceNotServed").await;
    assert_eq!(
        said["message"],
        "everything of the organization stays as it is, as it takes grants from namespace partner, which the operator does not serve: add it to the operator's --namespaces, with the rights that entitlement-operator manifests prints for it, or take it out of spec.assignableFrom"
    );
    // Each grant says so, whatever becomes of its spec, and all else that it says stays.
    suspend(&cluster, true).await;
    let of_grant = cluster.condition("EntitlementInstance", "$", "Ready", "False", "NamespaceNotServed").await;
    assert_eq!(of_grant["message"], said["message"]);
    cluster.apply("{apiVersion: entitlements.dev/v1alpha1, kind: Organization, metadata: {name: $-other}, spec: {namespaces: [one]}}").await;
    cluster.condition("Organization", "$-other", "Ready", "False", "NamespaceTaken").await;
    assert_eq!(seen().await, before);
    let after = cluster.get("EntitlementInstance", "entitlements", "$").await.unwrap()["status"].clone();
    assert_eq!(but_for_readiness(after), but_for_readiness(status));
    suspend(&cluster, false).await;
    tokio::task::block_in_place(|| operator.stop());

    // Without one of its namespaces, what is there stays.
    let operator = tokio::task::block_in_place(|| start(&stage, &["--namespaces=one,entitlements,partner"]));
    cluster.condition("Organization", "$", "Ready", "False", "NamespaceNotServed").await;
    cluster.condition("EntitlementInstance", "$", "Delivered", "False", "NamespaceNotServed").await;
    suspend(&cluster, true).await;
    cluster.gone("Secret", "one", "$-account").await;
    cluster.phase("$", "Suspended").await;
    for (kind, name) in objects {
        let after = cluster.get(kind, "two", name).await.unwrap();
        assert!(before.contains(&after["metadata"]["resourceVersion"]), "{after:#}");
    }
    let organization = cluster.get("Organization", "", "$").await.unwrap();
    assert_eq!(organization["status"]["namespaces"], json!(["one", "two"]));
    tokio::task::block_in_place(|| operator.stop());
    let in_two: Vec<Request> = requests(&stage).into_iter().filter(|request| request.namespace == "two").collect();
    let of_first_restriction =
        |request: &Request| request.right.starts_with("watch ") || request.right.starts_with("list ");
    assert!(in_two.iter().all(of_first_restriction), "{in_two:#?}");

    // What was left is withdrawn once it may be.
    let _after_it = tokio::task::block_in_place(|| everywhere(&stage));
    cluster.gone("Secret", "two", "$-account").await;
    cluster.gone("ConfigMap", "two", "$").await;
    tokio::task::block_in_place(|| drop(stage));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_role_harms_only_its_namespace() {
    let stage = tokio::task::block_in_place(stage);
    let cluster = stage.cluster().await;
    let flag = "--namespaces=one,two,entitlements,partner";
    let operator = tokio::task::block_in_place(|| start(&stage, &[flag]));
    tokio::task::block_in_place(|| operator.stop());
    stage.kubectl(&["delete", "rolebinding", "entitlement-operator", "--namespace=two"]);
    let operator = stage.operator_that_logs("info", &[&stage.of_account(), flag]);
    entitle(&cluster).await;
    cluster.object("ConfigMap", "one", "$").await;
    cluster.object("Secret", "one", "$-account").await;
    let said = cluster.condition("EntitlementInstance", "$", "Delivered", "False", "NamespaceNotListed").await;
    assert_eq!(
        said["message"],
        "the operator may not list what is in namespace two, and leaves it as it is: give it the rights that entitlement-operator manifests prints for it"
    );
    eventually(DEADLINE, "it is told once for all", || {
        let log = operator.log();
        let told = format!(
            "ConfigMap outputs in two, EntitlementInstance in two, EntitlementOverride in two, EntitlementSubscription in two, EntitlementUsage in two, OverrideDecision in two, Secret outputs in two: a right is missing (entitlement-operator manifests {} | kubectl apply -f -)",
            "--namespaces=entitlements,one,partner,two"
        );
        if log.contains(&told) { Ok(()) } else { Err(log) }
    });
    assert!(cluster.get("ConfigMap", "two", "$").await.is_none());
    // Once the right is there, so is all else.
    tokio::task::block_in_place(|| {
        stage.apply_manifests(&[flag]);
    });
    cluster.object("Secret", "two", "$-account").await;
    let is_ready = |seen: &Value| condition(seen, "Ready")["status"] == "True";
    cluster.until("EntitlementInstance", "entitlements", "$", "is ready", is_ready).await;
    // One that goes while the operator runs is missed, too, and what is known from before counts no more.
    stage.kubectl(&["delete", "rolebinding", "entitlement-operator", "--namespace=partner"]);
    for (kind, name) in [("Organization", "$"), ("EntitlementInstance", "$")] {
        let said = cluster.condition(kind, name, "Ready", "False", "NamespaceNotListed").await;
        assert_eq!(
            said["message"],
            "everything of the organization stays as it is, as it takes grants from namespace partner, in which the operator may not list them: give it the rights that entitlement-operator manifests prints for it, or take the namespace out of spec.assignableFrom"
        );
    }
    tokio::task::block_in_place(|| {
        stage.apply_manifests(&[flag]);
    });
    cluster.until("EntitlementInstance", "entitlements", "$", "is ready again", is_ready).await;
    tokio::task::block_in_place(|| drop((operator, stage)));
}
