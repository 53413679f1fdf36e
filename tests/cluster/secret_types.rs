//! Secrets of a type, as the real API server takes them, and what it would refuse of an output.

use crate::harness::{Cluster, DEADLINE, ORGANIZATION, cluster, condition, grant};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use std::time::Instant;

fn definition(name: &str, outputs: Value) -> Value {
    let schema = json!({"type": "object", "properties": {
        "level": {"type": "string"},
        "secret": {"type": "string", "writeOnly": true},
    }});
    json!({
        "apiVersion": "entitlements.dev/v1alpha1",
        "kind": "EntitlementDefinition",
        "metadata": {"name": name},
        "spec": {"type": "Feature", "facets": [{"name": "f", "schema": schema}], "outputs": outputs},
    })
}

/// A grant `$` of the definition `$` whose secret field comes from a Secret `$`.
async fn hold(cluster: &Cluster, outputs: Value, secret: &str) {
    cluster.apply(ORGANIZATION).await;
    cluster.create(definition(&cluster.name, outputs)).await.unwrap();
    let source = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": cluster.name, "namespace": "entitlements"},
        "stringData": {"secret": secret},
    });
    cluster.create(source).await.unwrap();
    let spec = json!({
        "facets": {"f": {"level": "gold"}},
        "secretFacets": [{"facet": "f", "field": "secret", "secretKeyRef": {"name": cluster.name, "key": "secret"}}],
    });
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, spec)).await.unwrap();
}

fn item(key: &str, template: &str) -> Value {
    json!({"key": key, "template": template})
}

fn secret(name: &str, type_: &str, items: &[Value]) -> Value {
    json!({"name": name, "kind": "Secret", "type": type_, "objectName": format!("{{{{ definition.name }}}}-{name}"), "items": items})
}

fn is_typed(secret: &Value) -> bool {
    secret["type"] == "kubernetes.io/basic-auth"
}

fn value(secret: &Value, key: &str) -> String {
    String::from_utf8(BASE64_STANDARD.decode(secret["data"][key].as_str().unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn the_api_server_takes_a_secret_of_each_type() {
    let cluster = cluster().await;
    let auth = r#"{"auths": {"registry.example.com": {"auth": "{{ facets.f.secret | b64encode }}"}}}"#;
    let outputs = json!([
        secret("pull", "kubernetes.io/dockerconfigjson", &[item(".dockerconfigjson", auth)]),
        secret(
            "old-pull",
            "kubernetes.io/dockercfg",
            &[item(".dockercfg", r#"{"r": {"auth": {{ facets.f.secret | tojson }}}}"#)]
        ),
        secret("tls", "kubernetes.io/tls", &[item("tls.crt", "c"), item("tls.key", "{{ facets.f.secret }}")]),
        secret("basic", "kubernetes.io/basic-auth", &[item("password", "{{ facets.f.secret }}")]),
        secret("ssh", "kubernetes.io/ssh-auth", &[item("ssh-privatekey", "{{ facets.f.secret }}")]),
        secret("other", "example.com/Any_thing", &[item("k", "{{ facets.f.secret }}")]),
    ]);
    hold(&cluster, outputs, "user:planted-of-types").await;
    let ready = cluster.condition("EntitlementInstance", "$", "Ready", "True", "Active").await;
    assert_eq!(ready["status"], "True");
    for (name, type_) in [
        ("pull", "kubernetes.io/dockerconfigjson"),
        ("old-pull", "kubernetes.io/dockercfg"),
        ("tls", "kubernetes.io/tls"),
        ("basic", "kubernetes.io/basic-auth"),
        ("ssh", "kubernetes.io/ssh-auth"),
        ("other", "example.com/Any_thing"),
    ] {
        assert_eq!(cluster.object("Secret", "$", &format!("$-{name}")).await["type"], type_);
    }
    let pull = cluster.object("Secret", "$", "$-pull").await;
    let expected = r#"{"auths": {"registry.example.com": {"auth": "dXNlcjpwbGFudGVkLW9mLXR5cGVz"}}}"#;
    assert_eq!(value(&pull, ".dockerconfigjson"), expected);
}

#[tokio::test]
async fn what_a_type_demands_is_told_before_it_is_written() {
    let cluster = cluster().await;
    let outputs = json!([secret(
        "pull",
        "kubernetes.io/dockerconfigjson",
        &[item(".dockerconfigjson", "{{ facets.f.secret }}")]
    )]);
    hold(&cluster, outputs, "planted-no-json").await;
    // What reads a secret field fails with one reason and text.
    let delivered = cluster.condition("EntitlementInstance", "$", "Delivered", "False", "RenderFailed").await;
    let message = delivered["message"].as_str().unwrap();
    assert!(message.starts_with("output pull: what reads secret fields in it cannot be filled"), "{message}");
    assert!(!message.contains("planted"), "{message}");
    let mended = json!({"stringData": {"secret": r#"{"planted-mended": {}, "auths": {}}"#}});
    cluster.merge("Secret", "entitlements", "$", mended).await.unwrap();
    cluster.condition("EntitlementInstance", "$", "Delivered", "True", "Delivered").await;
    let before = cluster.object("Secret", "$", "$-pull").await;
    // What is wrong afterwards leaves the last right one.
    let broken = json!({"stringData": {"secret": r#"{"planted-broken": "#}});
    cluster.merge("Secret", "entitlements", "$", broken).await.unwrap();
    cluster.condition("EntitlementInstance", "$", "Delivered", "False", "RenderFailed").await;
    let after = cluster.object("Secret", "$", "$-pull").await;
    assert_eq!((&after["data"], &after["metadata"]["uid"]), (&before["data"], &before["metadata"]["uid"]));
}

#[tokio::test]
async fn what_a_type_demands_is_told_as_it_is_where_no_secret_is_read() {
    let cluster = cluster().await;
    let outputs =
        json!([secret("pull", "kubernetes.io/dockerconfigjson", &[item(".dockerconfigjson", "{{ facets.f.level }}")])]);
    hold(&cluster, outputs, "planted-and-not-read").await;
    let delivered = cluster.condition("EntitlementInstance", "$", "Delivered", "False", "InvalidSecret").await;
    let message = delivered["message"].as_str().unwrap();
    assert!(message.starts_with("output pull: the key .dockerconfigjson of a Secret of type"), "{message}");
    assert!(cluster.get("Secret", "$", "$-pull").await.is_none());
}

#[tokio::test]
async fn another_type_makes_the_secret_anew() {
    let cluster = cluster().await;
    let items = [item("password", "{{ facets.f.secret }}"), item("k", "v")];
    hold(&cluster, json!([secret("login", "Opaque", &items)]), "planted-login").await;
    let before = cluster.object("Secret", "$", "$-login").await;
    assert_eq!(before["type"], "Opaque");
    let typed = json!({"spec": {"outputs": [secret("login", "kubernetes.io/basic-auth", &items)]}});
    cluster.merge("EntitlementDefinition", "", "$", typed).await.unwrap();
    let after = cluster.until("Secret", "$", "$-login", "has the new type", is_typed).await;
    assert_eq!(after["data"], before["data"]);
    assert_ne!(after["metadata"]["uid"], before["metadata"]["uid"]);
    // Somebody makes it anew with another type: that is drift.
    cluster.delete("Secret", "$", "$-login").await;
    cluster.until("Secret", "$", "$-login", "is there again with its type", is_typed).await;
    cluster.condition("EntitlementInstance", "$", "Delivered", "True", "Delivered").await;
}

/// An error never withdraws: what could not be made anew stays as it is.
#[tokio::test]
async fn a_secret_that_could_not_be_made_anew_stays() {
    let cluster = cluster().await;
    let items = [item("password", "{{ facets.f.secret }}")];
    hold(&cluster, json!([secret("login", "Opaque", &items)]), "planted-login").await;
    let before = cluster.object("Secret", "$", "$-login").await;
    // The API server refuses Secrets of that type in this namespace.
    let policy = |name: &str| {
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["secrets"]}]},
                "validations": [{"expression": format!("request.namespace != '{name}' || object.type != 'kubernetes.io/basic-auth'"), "message": "no such Secrets here"}],
            },
        })
    };
    let binding = |name: &str| {
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {"policyName": name, "validationActions": ["Deny"]},
        })
    };
    cluster.create(policy(&cluster.name)).await.unwrap();
    cluster.create(binding(&cluster.name)).await.unwrap();
    // Policies take a moment to be in force.
    let probe = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/basic-auth",
        "metadata": {"name": "probe", "namespace": cluster.name}, "stringData": {"password": "x"},
    });
    let is_allowed = async || {
        let is_made = cluster.create(probe.clone()).await.is_ok();
        if is_made {
            cluster.delete("Secret", "$", "probe").await;
            cluster.gone("Secret", "$", "probe").await;
        }
        is_made
    };
    let started = Instant::now();
    while is_allowed().await {
        assert!(started.elapsed() < DEADLINE, "the policy is not in force");
    }
    let typed = json!({"spec": {"outputs": [secret("login", "kubernetes.io/basic-auth", &items)]}});
    cluster.merge("EntitlementDefinition", "", "$", typed).await.unwrap();
    let delivered = cluster.condition("EntitlementInstance", "$", "Delivered", "False", "WriteFailed").await;
    // What the API server says of a Secret is never passed on: it may quote what is in it.
    assert!(
        delivered["message"].as_str().unwrap().contains("could not be written: the API server refused it"),
        "{delivered}"
    );
    let after = cluster.object("Secret", "$", "$-login").await;
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    cluster.delete("ValidatingAdmissionPolicyBinding", "", "$").await;
    cluster.delete("ValidatingAdmissionPolicy", "", "$").await;
    let started = Instant::now();
    while !is_allowed().await {
        assert!(started.elapsed() < DEADLINE, "the policy is still in force");
    }
    // What was refused as it is waits for a change.
    let labelled = {
        let mut output = secret("login", "kubernetes.io/basic-auth", &items);
        output["labels"] = json!({"again": "true"});
        json!({"spec": {"outputs": [output]}})
    };
    cluster.merge("EntitlementDefinition", "", "$", labelled).await.unwrap();
    cluster.until("Secret", "$", "$-login", "has the new type", is_typed).await;
}

/// What the API server would refuse is told of the definition, and the last valid one serves.
#[tokio::test]
async fn an_edit_that_could_never_be_written_leaves_the_last_valid_one() {
    let cluster = cluster().await;
    let output =
        |labels: Value, items: Value| json!([{"name": "c", "kind": "ConfigMap", "labels": labels, "items": items}]);
    let level = json!([item("level", "{{ facets.f.level }}")]);
    hold(&cluster, output(json!({"team": "web"}), level.clone()), "s").await;
    cluster.object("ConfigMap", "$", "$").await;
    for outputs in [
        output(json!({"team name": "web"}), level.clone()),
        output(json!({}), json!([item("..data", "x"), item("level", "{{ facets.f.level }}")])),
        json!([{"name": "c", "kind": "ConfigMap", "objectName": "-{{ definition.name }}", "items": level}]),
        json!([{"name": "c", "kind": "ConfigMap", "annotations": {"bad/key/x": "x"}, "items": level}]),
        json!([secret("c", "kubernetes.io/tls", &[item("tls.crt", "c")])]),
    ] {
        cluster.merge("EntitlementDefinition", "", "$", json!({"spec": {"outputs": outputs}})).await.unwrap();
        cluster.condition("EntitlementDefinition", "$", "Ready", "False", "InvalidOutput").await;
    }
    // It still follows the grant, and what is changed by hand is put back.
    let silver = json!({"spec": {"facets": {"f": {"level": "silver"}}}});
    cluster.merge("EntitlementInstance", "entitlements", "$", silver).await.unwrap();
    let is_silver = |object: &Value| object["data"] == json!({"level": "silver"});
    cluster.until("ConfigMap", "$", "$", "says silver", is_silver).await;
    cluster.delete("ConfigMap", "$", "$").await;
    let again = cluster.until("ConfigMap", "$", "$", "is there again", is_silver).await;
    assert_eq!(again["metadata"]["labels"]["team"], "web");
    let seen = cluster.phase("$", "Active").await;
    assert_eq!(condition(&seen, "Ready")["reason"], "DefinitionNotReady");
}
