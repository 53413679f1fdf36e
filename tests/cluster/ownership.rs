//! Whose an object is, and what becomes of it when that changes.

use crate::harness::{Cluster, Stage, cluster, condition, grant};
use serde_json::{Value, json};

/// One object for all grants, and one for each.
const SHARED: &str = r#"
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $}
spec:
  type: Quantity
  unit: seats
  amount: 1
  allowMultiple: true
  facets:
    - name: limits
      schema: {type: object, properties: {size: {type: integer, default: 1}, speed: {type: integer, default: 1}}}
  outputs:
    - name: all
      kind: ConfigMap
      per: Definition
      objectName: $-all
      items:
        - {key: seats, template: "{{ total.amount }}"}
        - {key: limits.json, format: Json}
    - name: one
      kind: ConfigMap
      objectName: "{{ instance.name }}"
      items: [{key: seats, template: "{{ instance.amount }}"}]
"#;

/// A definition of that name that asks for ConfigMap `$`, and says who asks.
fn asking(name: &str) -> String {
    format!(
        "
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {{name: {name}}}
spec:
  type: Feature
  outputs: [{{name: config, kind: ConfigMap, objectName: $, items: [{{key: who, template: '{{{{ definition.name }}}}'}}]}}]
"
    )
}

/// What an organization can hold only once, and a plan that gives it too.
const ONCE: &str = r#"
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $}
spec:
  type: Quantity
  unit: seats
  amount: 1
  outputs:
    - name: named
      kind: ConfigMap
      objectName: of-{{ instance.name }}
      items: [{key: seats, template: "{{ instance.amount }}"}]
    - name: fixed
      kind: ConfigMap
      objectName: $
      items: [{key: seats, template: "{{ instance.amount }}"}]
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementPlan
metadata: {name: $}
spec:
  groups: [{name: all, entitlements: [{definition: $, amount: 3}]}]
"#;

async fn until(cluster: &Cluster, name: &str, key: &str, value: &str) -> Value {
    cluster
        .until("ConfigMap", "$", name, &format!("has {key}={value}"), |seen| {
            seen["data"][key].as_str().is_some_and(|text| text == value)
        })
        .await
}

/// A grant of definition `$` that was made at its start.
fn granted(cluster: &Cluster, suffix: &str, spec: Value) -> Value {
    let at = format!("{}T00:00:00Z", spec["start"].as_str().unwrap());
    let mut made = grant(&format!("{}-{suffix}", cluster.name), &cluster.name, &cluster.name, spec);
    made["metadata"]["annotations"] = json!({"entitlements.dev/granted-at": at});
    made
}

#[tokio::test]
async fn what_is_held_once_goes_on_with_the_subscription_beside_an_instance() {
    let cluster = cluster().await;
    cluster.apply(crate::harness::ORGANIZATION).await;
    cluster.apply(ONCE).await;
    let made = |object: &Value| {
        let annotations = object["metadata"]["annotations"].as_object().unwrap();
        let of = ["instance", "subscription"].map(|kind| annotations.get(&format!("entitlements.dev/{kind}")).cloned());
        of.map(|source| source.and_then(|source| source.as_str().map(ToOwned::to_owned)))
    };
    let (first, other) = (format!("{}-first", cluster.name), format!("{}-other", cluster.name));
    cluster.create(granted(&cluster, "first", json!({"amount": 5, "start": "2026-01-01"}))).await.unwrap();
    let alone = until(&cluster, "$", "seats", "5").await;
    let subscription = json!({
        "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementSubscription",
        "metadata": {"name": other, "namespace": "entitlements"},
        "spec": {"organization": cluster.name, "plan": cluster.name},
    });
    cluster.create(subscription).await.unwrap();
    let both = until(&cluster, "$", "seats", "8").await;
    let of_first = [Some(format!("entitlements/{first}")), None];
    assert_eq!((made(&alone), made(&both)), (of_first.clone(), of_first.clone()));
    let named = until(&cluster, &format!("of-{first}"), "seats", "8").await;
    assert_eq!(made(&named), of_first);
    cluster.delete("EntitlementInstance", "entitlements", &first).await;
    let left = until(&cluster, "$", "seats", "3").await;
    assert_eq!(left["metadata"]["uid"], alone["metadata"]["uid"], "it was never deleted");
    assert_eq!(made(&left), [None, Some(format!("entitlements/{other}"))]);
    until(&cluster, &format!("of-{other}"), "seats", "3").await;
    cluster.gone("ConfigMap", "$", &format!("of-{first}")).await;
}

#[tokio::test]
async fn one_object_for_all_grants_follows_them_in_place() {
    let cluster = cluster().await;
    cluster.apply(crate::harness::ORGANIZATION).await;
    cluster.apply(SHARED).await;
    let name = |suffix: &str| format!("{}-{suffix}", cluster.name);
    let first = json!({"amount": 5, "start": "2026-01-01", "facets": {"limits": {"size": 7}}});
    cluster.create(granted(&cluster, "first", first)).await.unwrap();
    let before = until(&cluster, "$-all", "seats", "5").await;
    assert_eq!(
        before["metadata"]["annotations"]["entitlements.dev/instance"],
        format!("entitlements/{}", name("first"))
    );
    let second = json!({"amount": 3, "start": "2026-02-01", "facets": {"limits": {"speed": 9}}});
    cluster.create(granted(&cluster, "second", second)).await.unwrap();
    let both = until(&cluster, "$-all", "seats", "8").await;
    let limits: Value = serde_json::from_str(both["data"]["limits.json"].as_str().unwrap()).unwrap();
    assert_eq!(limits, json!({"limits": {"size": 7, "speed": 9}}));
    let outputs = |seen: &Value| seen["status"]["outputs"].clone();
    // The one for all is the older grant's.
    assert_eq!(outputs(&cluster.phase(&name("first"), "Active").await), json!({"desired": 2, "delivered": 2}));
    assert_eq!(outputs(&cluster.phase(&name("second"), "Active").await), json!({"desired": 1, "delivered": 1}));
    cluster.delete("EntitlementInstance", "entitlements", &name("first")).await;
    let after = until(&cluster, "$-all", "seats", "3").await;
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(
        after["metadata"]["annotations"]["entitlements.dev/instance"],
        format!("entitlements/{}", name("second"))
    );
    cluster.gone("ConfigMap", "$", "$-first").await;
    cluster.delete("EntitlementInstance", "entitlements", &name("second")).await;
    cluster.gone("ConfigMap", "$", "$-all").await;
}

#[tokio::test]
async fn the_loser_of_two_gets_the_object_in_place_when_the_winner_ends() {
    let cluster = cluster().await;
    cluster.apply(crate::harness::ORGANIZATION).await;
    let name = |suffix: &str| format!("{}-{suffix}", cluster.name);
    for (suffix, since) in [("old", "2020-01-01T00:00:00Z"), ("young", "2021-01-01T00:00:00Z")] {
        cluster.apply(&asking(&format!("$-{suffix}"))).await;
        let mut grant = grant(&name(suffix), &cluster.name, &name(suffix), json!({}));
        grant["metadata"]["annotations"] = json!({"entitlements.dev/granted-at": since});
        cluster.create(grant).await.unwrap();
    }
    let conflict = cluster.condition("EntitlementInstance", &name("young"), "Delivered", "False", "Conflict").await;
    let expected = format!(
        "ConfigMap {0}/{0} belongs to entitlements/{0}-old: give one of the two another objectName",
        cluster.name
    );
    assert_eq!(conflict["message"], expected);
    let before = until(&cluster, "$", "who", &name("old")).await;
    cluster.delete("EntitlementInstance", "entitlements", &name("old")).await;
    let after = until(&cluster, "$", "who", &name("young")).await;
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(after["metadata"]["labels"]["entitlements.dev/definition"], name("young"));
    cluster.condition("EntitlementInstance", &name("young"), "Ready", "True", "Active").await;
}

#[tokio::test]
async fn the_summary_goes_before_every_grant() {
    let cluster = cluster().await;
    cluster.apply(crate::harness::ORGANIZATION).await;
    cluster.apply(&asking("$").replace("objectName: $", "objectName: entitlements")).await;
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    let conflict = cluster.condition("EntitlementInstance", "$", "Delivered", "False", "Conflict").await;
    let message = conflict["message"].as_str().unwrap();
    let conflict = "belongs to the organization's summary: give the output another objectName, or the summary another name (spec.summary.name of the organization)";
    assert!(message.ends_with(conflict), "{message}");
    cluster.summary("$", "$", "is told", |entry| entry["entitled"] == true).await;
}

#[tokio::test]
async fn a_foreign_secret_of_another_type_is_a_conflict_and_stays() {
    let cluster = cluster().await;
    cluster.apply(crate::harness::ORGANIZATION).await;
    let foreign = "{apiVersion: v1, kind: Secret, type: kubernetes.io/basic-auth, metadata: {name: $, namespace: $}, stringData: {username: me, password: mine}}";
    cluster.apply(foreign).await;
    cluster.apply(&asking("$").replace("kind: ConfigMap", "kind: Secret")).await;
    let before = cluster.get("Secret", "$", "$").await;
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    let conflict = cluster.condition("EntitlementInstance", "$", "Delivered", "False", "Conflict").await;
    assert!(conflict["message"].as_str().unwrap().contains(&format!("Secret {0}/{0}", cluster.name)), "{conflict}");
    assert_eq!(cluster.get("Secret", "$", "$").await, before);
    cluster.delete("Secret", "$", "$").await;
    cluster.until("Secret", "$", "$", "is delivered", |seen| seen["type"] == "Opaque").await;
    cluster.condition("EntitlementInstance", "$", "Ready", "True", "Active").await;
}

#[tokio::test]
async fn a_namespace_that_is_added_is_served() {
    let cluster = cluster().await;
    cluster.feature().await;
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    cluster.object("ConfigMap", "$", "$").await;
    let added = format!("{}-added", cluster.name);
    cluster.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": added}})).await.unwrap();
    cluster.merge("Organization", "", "$", json!({"spec": {"namespaces": [cluster.name, added]}})).await.unwrap();
    assert_eq!(cluster.object("ConfigMap", &added, "$").await["data"]["who"], "The Client");
    cluster.object("ConfigMap", &added, "entitlements").await;
    let seen = cluster
        .until("EntitlementInstance", "entitlements", "$", "counts both", |seen| {
            seen["status"]["outputs"] == json!({"desired": 2, "delivered": 2})
        })
        .await;
    assert_eq!(condition(&seen, "Ready")["status"], "True");
}

fn outputs(of: &[(&str, &str)]) -> Value {
    let output = |(name, object): &(&str, &str)| json!({"name": name, "kind": "ConfigMap", "objectName": object, "items": [{"key": "a", "template": name}]});
    of.iter().map(output).collect()
}

/// Names of the ConfigMaps that the operator has made for grants in a namespace.
async fn made(cluster: &Cluster, namespace: &str) -> Vec<String> {
    let all = cluster.list("ConfigMap", namespace).await;
    let of_grants = all.iter().filter(|one| !one["metadata"]["annotations"]["entitlements.dev/instance"].is_null());
    of_grants.map(|one| one["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_output_that_is_renamed_dropped_or_added_leaves_nothing_behind() {
    let cluster = cluster().await;
    cluster.feature().await;
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    for (edit, names) in [
        (outputs(&[("one", "a"), ("two", "b")]), ["a", "b"].as_slice()),
        (outputs(&[("one", "a"), ("two", "c")]), &["a", "c"]),
        (outputs(&[("one", "c"), ("two", "a")]), &["a", "c"]),
        (outputs(&[("three", "a")]), &["a"]),
        (outputs(&[("three", "a"), ("four", "d")]), &["a", "d"]),
    ] {
        cluster.merge("EntitlementDefinition", "", "$", json!({"spec": {"outputs": edit}})).await.unwrap();
        let last = &edit[edit.as_array().unwrap().len() - 1];
        until(&cluster, last["objectName"].as_str().unwrap(), "a", last["name"].as_str().unwrap()).await;
        let started = std::time::Instant::now();
        while made(&cluster, "$").await != names {
            assert!(started.elapsed() < crate::harness::DEADLINE, "{names:?} and not {:?}", made(&cluster, "$").await);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        cluster.condition("EntitlementInstance", "$", "Ready", "True", "Active").await;
    }
}

#[tokio::test]
async fn what_changed_while_the_operator_was_down_is_cleaned_up_on_start() {
    let stage = tokio::task::spawn_blocking(Stage::start).await.unwrap();
    let operator = stage.operator(&[]);
    let cluster = stage.cluster().await;
    cluster.feature().await;
    for namespace in ["left", "joined"] {
        cluster
            .create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}))
            .await
            .unwrap();
    }
    let listed = |namespaces: &[&str]| json!({"spec": {"namespaces": namespaces}});
    let name = cluster.name.as_str();
    cluster.merge("Organization", "", "$", listed(&[name, "left"])).await.unwrap();
    let edit = |of: &[(&str, &str)]| json!({"spec": {"outputs": outputs(of)}});
    cluster
        .merge("EntitlementDefinition", "", "$", edit(&[("kept", "a"), ("renamed", "b"), ("dropped", "c")]))
        .await
        .unwrap();
    cluster.create(grant(name, name, name, json!({}))).await.unwrap();
    for namespace in [name, "left"] {
        for object in ["a", "b", "c", "entitlements"] {
            cluster.object("ConfigMap", namespace, object).await;
        }
    }
    let before = cluster.get("ConfigMap", name, "a").await.unwrap();
    cluster.phase("$", "Active").await;
    tokio::task::spawn_blocking(move || operator.kill()).await.unwrap();
    cluster
        .merge("EntitlementDefinition", "", "$", edit(&[("kept", "a"), ("renamed", "d"), ("added", "e")]))
        .await
        .unwrap();
    cluster.merge("Organization", "", "$", listed(&[name, "joined"])).await.unwrap();
    let operator = stage.operator(&[]);
    for namespace in [name, "joined"] {
        for object in ["a", "d", "e", "entitlements"] {
            cluster.object("ConfigMap", namespace, object).await;
        }
    }
    for (namespace, object) in
        [(name, "b"), (name, "c"), ("left", "a"), ("left", "b"), ("left", "c"), ("left", "entitlements")]
    {
        cluster.gone("ConfigMap", namespace, object).await;
    }
    assert_eq!(made(&cluster, name).await, ["a", "d", "e"]);
    assert_eq!(made(&cluster, "left").await, Vec::<String>::new());
    assert_eq!(cluster.get("ConfigMap", name, "a").await.unwrap(), before);
    tokio::task::spawn_blocking(move || drop((operator, stage))).await.unwrap();
}
