//! Facets: schemas shared by definitions, what grants state of them, and what becomes of it when a schema changes.

use crate::harness::{Cluster, ORGANIZATION, cluster, condition, grant, shared_kubectl};
use serde_json::{Value, json};

/// A facet definition that two definitions use under different names.
const BACKUP: &str = r"
apiVersion: entitlements.dev/v1alpha1
kind: FacetDefinition
metadata: {name: $}
spec:
  schema:
    type: object
    additionalProperties: false
    properties:
      retention: {type: integer, minimum: 1, maximum: 365, default: 30}
      password: {type: string, writeOnly: true}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $}
spec:
  type: Feature
  facets: [{name: backup, definition: $}, {name: other, schema: {type: object, properties: {size: {type: integer}}}}]
  outputs: [{name: config, kind: ConfigMap, items: [{key: env, format: Env, facets: [backup]}]}]
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $-archive}
spec:
  type: Feature
  facets: [{name: archive, definition: $}]
  outputs: [{name: config, kind: ConfigMap, items: [{key: env, format: Env}]}]
";

async fn organization(cluster: &Cluster, suffix: &str) -> String {
    let name = format!("{}-{suffix}", cluster.name);
    cluster.apply(&ORGANIZATION.replace('$', &name)).await;
    name
}

async fn retention(cluster: &Cluster, maximum: u64) {
    let schema = json!({"spec": {"schema": {"properties": {"retention": {"maximum": maximum}}}}});
    cluster.merge("FacetDefinition", "", "$", schema).await.unwrap();
}

#[tokio::test]
async fn a_change_that_invalidates_grants_is_reported_on_both_sides_and_takes_nothing_away() {
    let cluster = cluster().await;
    cluster.apply(BACKUP).await;
    let name = cluster.name.clone();
    let mut grants = Vec::new();
    for (suffix, definition, facet, days) in
        [("a", "", "backup", 90), ("b", "", "backup", 20), ("c", "-archive", "archive", 91)]
    {
        let client = organization(&cluster, suffix).await;
        let spec = json!({"facets": {facet: {"retention": days}}});
        cluster.create(grant(&client, &client, &format!("{name}{definition}"), spec)).await.unwrap();
        cluster.condition("EntitlementInstance", &client, "Ready", "True", "Active").await;
        grants.push(client);
    }
    let valid = "what the grants that are held state can be used";
    assert_eq!(cluster.condition("FacetDefinition", "$", "FacetsValid", "True", "Valid").await["message"], valid);
    assert_eq!(cluster.condition("EntitlementDefinition", "$", "FacetsValid", "True", "Valid").await["message"], valid);
    let object_of = |index: usize| (grants[index].clone(), format!("{name}{}", ["", "", "-archive"][index]));
    let mut before = Vec::new();
    for index in 0..3 {
        let (namespace, object) = object_of(index);
        before.push(cluster.object("ConfigMap", &namespace, &object).await);
    }

    retention(&cluster, 30).await;
    for (index, field) in [(0, "facets.backup.retention: 90"), (2, "facets.archive.retention: 91")] {
        let invalid = cluster.condition("EntitlementInstance", &grants[index], "FacetsValid", "False", "Invalid").await;
        let message = format!("{field} is more than the maximum 30");
        assert_eq!(invalid["message"], message);
        let seen = cluster.phase(&grants[index], "Active").await;
        let facet = field.split('.').nth(1).unwrap();
        let violation = json!({"facet": facet, "pointer": "/retention", "rule": "maximum", "message": message});
        assert_eq!(seen["status"]["violations"], json!([violation]));
        assert_eq!(condition(&seen, "Entitled")["status"], "True");
        assert_eq!(condition(&seen, "Ready")["reason"], "FacetsInvalid");
    }
    cluster.condition("EntitlementInstance", &grants[1], "Ready", "True", "Active").await;
    let says = |grants: &[&String]| {
        let states = if grants.len() == 1 { "grant that is held states" } else { "grants that are held state" };
        let names: Vec<String> = grants.iter().map(|grant| format!("entitlements/{grant}")).collect();
        format!("{} {states} what is not valid ({});", grants.len(), names.join(", "))
    };
    let told = |kind: &'static str, object: String, message: String| {
        let cluster = &cluster;
        async move {
            cluster
                .until(kind, "", &object, &message, |seen| {
                    let condition = condition(seen, "FacetsValid");
                    condition["reason"] == "GrantsInvalid"
                        && condition["message"].as_str().unwrap().starts_with(&message)
                })
                .await
        }
    };
    let definition = told("EntitlementDefinition", name.clone(), says(&[&grants[0]])).await;
    assert_eq!(definition["status"]["instances"], json!({"total": 2, "active": 2, "invalid": 1}));
    assert_eq!(condition(&definition, "Ready")["status"], "True");
    told("EntitlementDefinition", format!("{name}-archive"), says(&[&grants[2]])).await;
    let facet = told("FacetDefinition", name.clone(), says(&[&grants[0], &grants[2]])).await;
    assert_eq!(condition(&facet, "Ready")["status"], "True");
    for (index, before) in before.iter().enumerate() {
        let (namespace, object) = object_of(index);
        assert_eq!(cluster.get("ConfigMap", &namespace, &object).await.unwrap(), *before);
    }

    // One of them is mended, the other is over.
    let mended = json!({"spec": {"facets": {"backup": {"retention": 29}}}});
    cluster.merge("EntitlementInstance", "entitlements", &grants[0], mended).await.unwrap();
    cluster.condition("EntitlementInstance", &grants[0], "Ready", "True", "Active").await;
    let cancelled = json!({"spec": {"state": "Cancelled"}});
    cluster.merge("EntitlementInstance", "entitlements", &grants[2], cancelled).await.unwrap();
    for object in ["$", "$-archive"] {
        cluster.condition("EntitlementDefinition", object, "FacetsValid", "True", "Valid").await;
    }
    cluster.condition("FacetDefinition", "$", "FacetsValid", "True", "Valid").await;
    let definition = cluster.get("EntitlementDefinition", "", "$").await.unwrap();
    assert_eq!(definition["status"]["instances"], json!({"total": 2, "active": 2}));
}

#[tokio::test]
async fn a_changed_default_reaches_every_grant_of_every_definition_that_uses_it() {
    let cluster = cluster().await;
    cluster.apply(BACKUP).await;
    let name = cluster.name.clone();
    let mut objects = Vec::new();
    for (suffix, definition, variable) in [("a", "", "BACKUP"), ("b", "", "BACKUP"), ("c", "-archive", "ARCHIVE")] {
        let client = organization(&cluster, suffix).await;
        cluster.create(grant(&client, &client, &format!("{name}{definition}"), json!({}))).await.unwrap();
        objects.push((client, format!("{name}{definition}"), variable));
    }
    let all_have = async |days: u64| {
        for (namespace, object, variable) in &objects {
            let text = format!("{variable}_RETENTION={days}\n");
            cluster.until("ConfigMap", namespace, object, &text, |seen| seen["data"]["env"] == *text).await;
        }
    };
    all_have(30).await;
    let changed = json!({"spec": {"schema": {"properties": {"retention": {"default": 14}}}}});
    cluster.merge("FacetDefinition", "", "$", changed).await.unwrap();
    all_have(14).await;
}

/// As kubectl reads it: its YAML reader makes booleans of these names.
#[tokio::test]
async fn fields_that_kubectl_reads_as_booleans_are_explained() {
    let cluster = cluster().await;
    cluster.apply(ORGANIZATION).await;
    let name = cluster.name.clone();
    let manifest = |axis: &str| {
        format!(
            "
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {{name: {name}}}
spec:
  type: Feature
  facets:
    - name: closed
      schema: {{type: object, additionalProperties: false, properties: {{x: {{type: integer}}, 'y': {{type: integer}}}}}}
    - name: open
      schema: {{type: object, properties: {{x: {{type: integer}}}}}}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementInstance
metadata: {{name: {name}, namespace: entitlements}}
spec:
  organization: {name}
  definition: {name}
  facets:
{axis}
"
        )
    };
    let apply = async |axis: &str| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("manifest.yaml");
        std::fs::write(&file, manifest(axis)).unwrap();
        let arguments = ["apply".to_owned(), "--filename".to_owned(), file.display().to_string()];
        tokio::task::spawn_blocking(move || shared_kubectl(&arguments.each_ref().map(String::as_str))).await.unwrap();
    };
    let explained = |place: &str, names: &str, boolean: &str| {
        format!(
            "facets.{place}: unknown field; if it is written {names} in the manifest, put it in quotes, as the YAML reader of \
             kubectl takes it for the boolean {boolean}"
        )
    };
    apply("    closed: {x: 1, y: 2}").await;
    let invalid = cluster.condition("EntitlementInstance", "$", "FacetsValid", "False", "Invalid").await;
    assert_eq!(invalid["message"], explained("closed.true", "y, yes or on", "true"));
    apply("    closed: {x: 1, off: 2}").await;
    let is_off = explained("closed.false", "n, no or off", "false");
    cluster
        .until("EntitlementInstance", "entitlements", "$", &is_off, |seen| {
            condition(seen, "FacetsValid")["message"] == *is_off
        })
        .await;
    apply("    closed: {x: 1, 'y': 2}\n    open: {on: 3}").await;
    let valid = cluster.condition("EntitlementInstance", "$", "FacetsValid", "True", "Valid").await;
    let doubt = explained("open.true", "y, yes or on", "true");
    assert_eq!(valid["message"], format!("what the grant states can be used, but may not be meant: {doubt}"));
    let kept = cluster.phase("$", "Active").await;
    assert_eq!(kept["spec"]["facets"]["closed"], json!({"x": 1, "y": 2}));
}

#[tokio::test]
async fn a_template_that_no_grant_could_fill_is_named_before_there_is_one() {
    let cluster = cluster().await;
    let wrong = [
        ("unknown", "a\n  {{ facets.backup.retentoin }}", "line 2, column 6: unknown name \"facets.backup.retentoin\""),
        (
            "type",
            "{{ facets.backup.region + 1 }}",
            "line 1, column 4: `+` needs numbers, and these are a text and a number",
        ),
        ("null", "{{ instance.amount }}", "line 1, column 4: null has no text"),
        (
            "loop",
            "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}",
            "line 1, column 39: the template does more work than is allowed",
        ),
        (
            "huge",
            "{% for i in range(600) %}{{ organization.name | indent(64, true) * 9 }}{% endfor %}",
            "line 1, column 29",
        ),
        ("double", "{% set ns = 'x' %}{% macro m(t, n) %}{{ m(t ~ t, n + 1) }}{% endmacro %}{{ m('x', 0) }}", "line 1"),
        ("filter", "{{ facets.backup.region | shell }}", "line 1, column 27: unknown filter \"shell\""),
    ];
    for (case, template, message) in wrong {
        let name = format!("{}-{case}", cluster.name);
        let fields = json!({"retention": {"type": "integer"}, "region": {"type": "string"}});
        let definition = json!({
            "apiVersion": "entitlements.dev/v1alpha1",
            "kind": "EntitlementDefinition",
            "metadata": {"name": name},
            "spec": {
                "type": "Feature",
                "facets": [{"name": "backup", "schema": {"type": "object", "properties": fields}}],
                "outputs": [{"name": "config", "kind": "ConfigMap", "items": [{"key": "a", "template": template}]}],
            },
        });
        cluster.create(definition).await.unwrap();
        let ready = cluster.condition("EntitlementDefinition", &name, "Ready", "False", "InvalidTemplate").await;
        let said = ready["message"].as_str().unwrap();
        assert!(said.starts_with(&format!("output config, a: {message}")), "{case}: {said}");
        assert!(said.ends_with("; it was never valid, so nothing can be granted"), "{case}: {said}");
    }
}

/// Every violation is listed for programs, up to a limit; the value of a secret field is never among them.
#[tokio::test]
async fn violations_are_listed_without_secret_values() {
    let cluster = cluster().await;
    cluster.apply(BACKUP).await;
    cluster.apply(ORGANIZATION).await;
    let name = cluster.name.clone();
    let spec = json!({"facets": {"backup": {"retention": "long", "password": "hunter2-in-plain"}, "nothing": {}}});
    cluster.create(grant(&name, &name, &name, spec)).await.unwrap();
    cluster.condition("EntitlementInstance", "$", "FacetsValid", "False", "Invalid").await;
    let seen = cluster.phase("$", "Active").await;
    let listed: Vec<(&str, &str, &str)> =
        seen["status"]["violations"].as_array().unwrap().iter().map(violation).collect();
    assert_eq!(
        listed,
        [("nothing", "", "facets"), ("backup", "/password", "SecretInPlain"), ("backup", "/retention", "type")]
    );
    assert!(!seen["status"].to_string().contains("hunter2"), "{seen:#}");
}

fn violation(of: &Value) -> (&str, &str, &str) {
    (of["facet"].as_str().unwrap(), of["pointer"].as_str().unwrap(), of["rule"].as_str().unwrap())
}
