//! Secret values on their way from the Secrets that grants name to those that workloads read, and nowhere else.

use crate::{
    harness::{Cluster, ORGANIZATION, Operator, Stage, cluster, condition, grant},
    leaks::{Search, plant},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use kube::{
    api::{Api, ApiResource, DynamicObject, ListParams},
    core::GroupVersionKind,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Looks for planted values in all that anyone may see: every ConfigMap, event, status, revision and lease, and the metadata
/// of Secrets.
pub async fn walk(cluster: &Cluster, search: &Search) {
    let ours = [
        "organizations",
        "facetdefinitions",
        "entitlementdefinitions",
        "entitlementplans",
        "entitlementinstances",
        "entitlementsubscriptions",
    ];
    let kinds = [
        ("", "v1", "ConfigMap", "configmaps"),
        ("", "v1", "Event", "events"),
        ("events.k8s.io", "v1", "Event", "events"),
        ("apps", "v1", "ControllerRevision", "controllerrevisions"),
        ("coordination.k8s.io", "v1", "Lease", "leases"),
        ("", "v1", "Namespace", "namespaces"),
    ];
    for (group, version, kind, plural) in kinds {
        for object in all(cluster, group, version, kind, plural).await {
            check(search, kind, &object, &object);
        }
    }
    for plural in ours {
        for object in all(cluster, "entitlements.dev", "v1alpha1", "Any", plural).await {
            check(search, plural, &object, &object["status"]);
        }
    }
    for secret in all(cluster, "", "v1", "Secret", "secrets").await {
        check(search, "the metadata of the Secret", &secret, &secret["metadata"]);
    }
}

async fn all(cluster: &Cluster, group: &str, version: &str, kind: &str, plural: &str) -> Vec<Value> {
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
    let api: Api<DynamicObject> = Api::all_with(cluster.client.clone(), &resource);
    let objects = api.list(&ListParams::default()).await.unwrap();
    objects.into_iter().map(|object| serde_json::to_value(object).unwrap()).collect()
}

fn check(search: &Search, kind: &str, object: &Value, part: &Value) {
    let metadata = &object["metadata"];
    // As it is sent, and with every text in it as it is read.
    let mut text = part.to_string();
    texts(part, &mut text);
    search.check(&format!("{kind} {}/{}", metadata["namespace"], metadata["name"]), text.as_bytes());
}

fn texts(value: &Value, into: &mut String) {
    match value {
        Value::String(text) => {
            into.push('\n');
            into.push_str(text);
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, into)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, into)),
        _ => {}
    }
}

/// Definitions that show secret fields in every way that there is, to grants of which an organization may have many.
const ACCOUNT: &str = r#"
apiVersion: entitlements.dev/v1alpha1
kind: FacetDefinition
metadata: {name: $}
spec:
  schema:
    type: object
    properties:
      user: {type: string, default: app}
      password: {type: string, writeOnly: true, maxLength: 2000000}
      short: {type: string, writeOnly: true, maxLength: 13}
      long: {type: string, writeOnly: true, minLength: 500}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $}
spec:
  type: Feature
  allowMultiple: true
  facets: [{name: account, definition: $}]
  outputs:
    - name: all
      kind: Secret
      items:
        - {key: plain, template: "{{ facets.account.password | default('') }}"}
        - {key: encoded, template: "{{ facets.account.password | default('') | b64encode }}"}
        - {key: hashed, template: "{{ facets.account.password | default('') | sha256 }}"}
        - {key: env, format: Env}
        - {key: json, format: Json}
        - {key: yaml, format: Yaml}
        - {key: toml, format: Toml}
        - {key: properties, format: Properties}
    - name: keys
      kind: Secret
      items: [{format: Keys}]
    - name: config
      kind: ConfigMap
      items:
        - {key: user, template: "{{ facets.account.user }}"}
        - {key: env, format: Env}
        - {key: json, format: Json}
        - {key: yaml, format: Yaml}
        - {key: toml, format: Toml}
        - {key: properties, format: Properties}
        - {format: Keys}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $-decoded}
spec:
  type: Feature
  allowMultiple: true
  facets: [{name: account, definition: $}]
  outputs:
    - name: all
      kind: Secret
      items: [{key: decoded, template: "{{ facets.account.password | b64decode }}"}]
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $-number}
spec:
  type: Feature
  allowMultiple: true
  facets: [{name: account, definition: $}]
  outputs:
    - name: all
      kind: Secret
      items: [{key: number, template: "{{ facets.account.password | int }}"}]
"#;

/// Makes a Secret `$-<name>` with the key `value`, and a grant of that name that takes a field from it.
async fn grant_of(cluster: &Cluster, name: &str, definition: &str, field: &str, value: &[u8]) {
    let secret = format!("{}-{name}", cluster.name);
    cluster
        .create(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret, "namespace": "entitlements"},
            "data": {"value": STANDARD.encode(value)},
        }))
        .await
        .unwrap();
    let definition = definition.replace('$', &cluster.name);
    let reference = json!({"facet": "account", "field": field, "secretKeyRef": {"name": secret, "key": "value"}});
    let spec = json!({"secretFacets": [reference]});
    cluster.create(grant(&secret, &cluster.name, &definition, spec)).await.unwrap();
}

/// What is wrong with a secret value is said without the value.
async fn wrong_values(cluster: &Cluster) {
    let fields = [
        ("short", "the value has more than the maximum of 13 characters"),
        ("long", "the value has fewer than the minimum of 500 characters"),
    ];
    for (field, message) in fields {
        let value = format!("planted-wrong-{field}-value");
        grant_of(cluster, field, "$", field, value.as_bytes()).await;
        let name = format!("$-{field}");
        let invalid = cluster.condition("EntitlementInstance", &name, "FacetsValid", "False", "Invalid").await;
        assert_eq!(invalid["message"], format!("facets.account.{field}: {message}"));
    }
}

/// Whatever is wrong with a secret value.
const NOT_SAID: &str =
    "what reads secret fields in it cannot be filled with the values that they have, and why is not said";

/// What cannot be written is said without what it is, or why.
async fn unwritable_values(cluster: &Cluster) {
    let unwritable: [(&str, &str, Vec<u8>, &str, &str); 5] = [
        ("return", "$", b"planted-return\r-value".to_vec(), "RenderFailed", NOT_SAID),
        ("binary", "$", b"planted-binary-\xff\xfe".to_vec(), "SecretNotFound", "is not UTF-8 text"),
        ("large", "$", b"planted-large-".repeat(50_000), "RenderFailed", NOT_SAID),
        ("decoded", "$-decoded", b"planted-decoded-!!".to_vec(), "RenderFailed", NOT_SAID),
        ("number", "$-number", b"planted-number-value".to_vec(), "RenderFailed", NOT_SAID),
    ];
    for (name, definition, value, reason, message) in unwritable {
        grant_of(cluster, name, definition, "password", &value).await;
        let name = format!("$-{name}");
        let delivered = cluster.condition("EntitlementInstance", &name, "Delivered", "False", reason).await;
        assert!(delivered["message"].as_str().unwrap().contains(message), "{name}: {delivered}");
    }
}

/// Secret values where they must not be stated.
async fn misplaced_values(cluster: &Cluster) {
    let name = format!("{}-plain", cluster.name);
    plant(b"planted-plain-in-spec");
    plant(b"planted-plain-in-amendment");
    let amendment = json!({
        "name": "more", "effective": "2026-01-01T00:00:00Z",
        "facets": {"account": {"password": "planted-plain-in-amendment"}},
    });
    let spec = json!({
        "start": "2025-01-01", "facets": {"account": {"password": "planted-plain-in-spec"}}, "amendments": [amendment],
    });
    cluster.create(grant(&name, &cluster.name, &cluster.name, spec)).await.unwrap();
    let invalid = cluster.condition("EntitlementInstance", &name, "FacetsValid", "False", "Invalid").await;
    assert!(invalid["message"].as_str().unwrap().starts_with("facets.account.password: is secret"), "{invalid}");
    plant(b"planted-preset-value");
    plant(b"planted-default-value");
    let refused = [
        (
            "preset",
            json!({"name": "account", "definition": cluster.name, "values": {"password": "planted-preset-value"}}),
            "SecretInPlain",
        ),
        (
            "default",
            json!({"name": "account", "schema": {"type": "object", "properties": {
                "password": {"type": "string", "writeOnly": true, "default": "planted-default-value"},
            }}}),
            "InvalidSchema",
        ),
        // The verdict on grants, or on a review, would tell the value letter by letter.
        (
            "question",
            json!({"name": "account", "schema": {"type": "object", "properties": {
                "password": {"type": "string", "writeOnly": true, "pattern": "^planted"},
            }}}),
            "InvalidSchema",
        ),
        (
            "question-elsewhere",
            json!({"name": "account", "schema": {
                "type": "object", "properties": {"password": {"type": "string", "writeOnly": true}},
                "if": {"properties": {"password": {"pattern": "^planted"}}}, "then": false,
            }}),
            "InvalidSchema",
        ),
    ];
    for (case, facet, reason) in refused {
        let name = format!("{}-{case}", cluster.name);
        let definition = json!({
            "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementDefinition",
            "metadata": {"name": name}, "spec": {"type": "Feature", "facets": [facet]},
        });
        cluster.create(definition).await.unwrap();
        cluster.condition("EntitlementDefinition", &name, "Ready", "False", reason).await;
    }
    let name = format!("{}-shown", cluster.name);
    let outputs = [
        (
            "a",
            json!({"name": "a", "kind": "ConfigMap", "items": [{"key": "a", "template": "{{ facets.account.password }}"}]}),
        ),
        (
            "b",
            json!({"name": "a", "kind": "Secret", "objectName": "a-{{ facets.account.password }}", "items": [{"key": "a", "template": "a"}]}),
        ),
    ];
    for (case, output) in outputs {
        let definition = json!({
            "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementDefinition", "metadata": {"name": format!("{name}-{case}")},
            "spec": {"type": "Feature", "facets": [{"name": "account", "definition": cluster.name}], "outputs": [output]},
        });
        cluster.create(definition).await.unwrap();
        cluster
            .condition("EntitlementDefinition", &format!("{name}-{case}"), "Ready", "False", "SecretInConfigMap")
            .await;
    }
}

/// A value that arrives, is rotated and drifts, at a name that somebody else has taken before.
async fn a_value_on_its_way(cluster: &Cluster, operator: &mut Option<Operator>, stage: &Stage) {
    let key = |name: &str| format!("{0}-{0}-good-{name}", cluster.name);
    let foreign = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": key("keys"), "namespace": cluster.name},
        "stringData": {"theirs": "planted-foreign-value"},
    });
    cluster.create(foreign).await.unwrap();
    grant_of(cluster, "good", "$", "password", b"planted-first-\"value\"").await;
    cluster.condition("EntitlementInstance", "$-good", "Delivered", "False", "Conflict").await;
    cluster.delete("Secret", "$", &key("keys")).await;
    cluster.condition("EntitlementInstance", "$-good", "Ready", "True", "Active").await;
    let has = async |value: &str| {
        let encoded = STANDARD.encode(value);
        cluster.until("Secret", "$", &key("all"), value, |seen| seen["data"]["plain"] == *encoded).await
    };
    has("planted-first-\"value\"").await;
    let config = cluster.object("ConfigMap", "$", &key("config")).await;
    assert_eq!(config["data"]["env"], "ACCOUNT_USER=app\n");
    let rotated = json!({"stringData": {"value": "planted-rotated-value"}});
    cluster.merge("Secret", "entitlements", "$-good", rotated).await.unwrap();
    has("planted-rotated-value").await;
    let drift = json!({"stringData": {"plain": "planted-drift-value", "more": "planted-drift-added"}});
    cluster.merge("Secret", "$", &key("all"), drift).await.unwrap();
    has("planted-rotated-value").await;
    // Nothing of it is told when the operator starts anew either.
    drop(operator.take());
    *operator = Some(stage.operator(&[]));
    let rotated = json!({"stringData": {"value": "planted-rotated-again"}});
    cluster.merge("Secret", "entitlements", "$-good", rotated).await.unwrap();
    has("planted-rotated-again").await;
    cluster.delete("Secret", "entitlements", "$-good").await;
    cluster.condition("EntitlementInstance", "$-good", "Delivered", "False", "SecretNotFound").await;
    has("planted-rotated-again").await;
}

/// An API server that quotes what it refuses.
const QUOTING_POLICY: &str = r#"
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: quoting}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [secrets]}]
  matchConditions: [{name: refused, expression: "object.metadata.name.contains('quoted') && has(object.metadata.labels) && 'entitlements.dev/organization' in object.metadata.labels"}]
  validations:
    - expression: "false"
      messageExpression: "'refused: ' + string(object.data['plain']) + ' of ' + object.metadata.name"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: quoting}
spec: {policyName: quoting, validationActions: [Deny]}
"#;

async fn a_refusal_that_quotes(cluster: &Cluster, stage: &Stage) {
    let file = stage.plane.folder().join("policy.yaml");
    std::fs::write(&file, QUOTING_POLICY).unwrap();
    stage.kubectl(&["apply", "--filename", file.to_str().unwrap()]);
    // A policy comes into force some time after it is made: by then the API server refuses what it is asked in a trial.
    let trial = json!({
        "apiVersion": "v1", "kind": "Secret", "data": {"plain": ""},
        "metadata": {"name": "quoted-trial", "namespace": cluster.name, "labels": {"entitlements.dev/organization": "nobody"}},
    });
    let started = Instant::now();
    while cluster.create(trial.clone()).await.is_ok() {
        cluster.delete("Secret", "$", "quoted-trial").await;
        assert!(started.elapsed() < crate::harness::DEADLINE, "the policy never came into force");
    }
    grant_of(cluster, "quoted", "$", "password", b"planted-quoted-value").await;
    cluster
        .until("EntitlementInstance", "entitlements", "$-quoted", "is refused by the API server", |seen| {
            let delivered = condition(seen, "Delivered");
            delivered["status"] == "False"
                && delivered["message"].as_str().unwrap().contains("the API server refused it")
        })
        .await;
}

/// Everything that the operator does with secret values, with its log at its finest.
#[tokio::test]
async fn no_secret_value_is_shown_anywhere() {
    let stage = tokio::task::spawn_blocking(Stage::start).await.unwrap();
    let mut operator = Some(stage.operator(&[]));
    let cluster = stage.cluster().await;
    cluster.apply(ORGANIZATION).await;
    cluster.apply(ACCOUNT).await;
    a_value_on_its_way(&cluster, &mut operator, &stage).await;
    wrong_values(&cluster).await;
    unwritable_values(&cluster).await;
    misplaced_values(&cluster).await;
    a_refusal_that_quotes(&cluster, &stage).await;
    let search = Search::of_all_planted();
    walk(&cluster, &search).await;
    // What is looked for would be found.
    assert!(!search.find(b"the value planted-rotated-again is too long").is_empty());
    tokio::task::spawn_blocking(move || {
        // Looks through its log.
        drop(operator);
        drop(stage);
    })
    .await
    .unwrap();
}

/// The contents of Secrets that no grant refers to never come into the operator's memory, not even where an annotation of
/// kubectl repeats them.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn other_secrets_never_enter_the_memory_of_the_operator() {
    let stage = tokio::task::spawn_blocking(Stage::start).await.unwrap();
    let cluster = stage.cluster().await;
    cluster.apply(ORGANIZATION).await;
    cluster.apply(ACCOUNT).await;
    let other = |name: &str, value: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "stringData": {"value": value},
            "metadata": {
                "name": format!("{}-{name}", cluster.name), "namespace": "entitlements",
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": format!("annotated {value}")},
            },
        })
    };
    cluster.create(other("before", "nobody-asked-for-this-one")).await.unwrap();
    let operator = stage.operator(&[]);
    grant_of(&cluster, "good", "$", "password", b"memory-of-the-first").await;
    cluster.condition("EntitlementInstance", "$-good", "Ready", "True", "Active").await;
    cluster.create(other("after", "nobody-asked-for-that-one")).await.unwrap();
    // By the time that a later change has arrived, the watch has told of those.
    let rotated = json!({"stringData": {"value": "memory-of-the-second"}});
    cluster.merge("Secret", "entitlements", "$-good", rotated).await.unwrap();
    let output = format!("{0}-{0}-good-all", cluster.name);
    let encoded = STANDARD.encode("memory-of-the-second");
    cluster.until("Secret", "$", &output, "is rotated", |seen| seen["data"]["plain"] == *encoded).await;
    let others = Search::of(&[b"nobody-asked-for-this-one".to_vec(), b"nobody-asked-for-that-one".to_vec()]);
    let own = Search::of(&[b"memory-of-the-second".to_vec()]);
    let seen = memory(operator.process());
    let seen_of_own = seen.iter().any(|part| !own.find(part).is_empty());
    assert!(seen_of_own, "what the operator must hold is not found in its memory");
    for part in &seen {
        others.check("the memory of the operator", part);
    }
    tokio::task::spawn_blocking(move || drop((operator, stage))).await.unwrap();
}

/// All memory of a process that it can write to.
#[cfg(target_os = "linux")]
fn memory(process: u32) -> Vec<Vec<u8>> {
    use std::{fs, os::unix::fs::FileExt};
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let file = fs::File::open(format!("/proc/{process}/mem")).unwrap();
    let read = |line: &str| {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-').filter(|_| rest.starts_with("rw"))?;
        let parse = |text| u64::from_str_radix(text, 16).ok();
        let (start, end) = (parse(start)?, parse(end)?);
        let mut part = vec![0; usize::try_from(end - start).ok()?];
        // A part may have been given back in the meantime.
        file.read_exact_at(&mut part, start).ok()?;
        Some(part)
    };
    maps.lines().filter_map(read).collect()
}

/// How long it takes from a change of a Secret to that of the output, seven times.
#[tokio::test]
async fn a_rotated_secret_reaches_its_output_within_a_second() {
    let cluster = cluster().await;
    cluster.apply(ORGANIZATION).await;
    cluster.apply(ACCOUNT).await;
    grant_of(&cluster, "good", "$", "password", b"rotation-begins").await;
    cluster.condition("EntitlementInstance", "$-good", "Ready", "True", "Active").await;
    let output = format!("{0}-{0}-good-all", cluster.name);
    let mut times = Vec::new();
    for turn in 0..7 {
        let value = format!("rotation-number-{turn}");
        cluster.merge("Secret", "entitlements", "$-good", json!({"stringData": {"value": value}})).await.unwrap();
        let changed = Instant::now();
        let encoded = STANDARD.encode(&value);
        cluster.until("Secret", "$", &output, &value, |seen| seen["data"]["plain"] == *encoded).await;
        times.push(changed.elapsed());
    }
    times.sort_unstable();
    let median = times[times.len() / 2];
    assert!(median < Duration::from_secs(1), "from a rotation to the output: {times:?}");
}
