//! Schemas, values and templates made to exhaust the operator, as a user can send them: each is named, and harms nobody else.

use crate::harness::{Cluster, DEADLINE, FEATURE, ORGANIZATION, cluster, grant, shared_kubectl};
use serde_json::{Value, json};
use std::time::Instant;

fn nested(levels: usize, wrap: impl Fn(Value) -> Value) -> Value {
    (0..levels).fold(json!({}), |inner, _| wrap(inner))
}

/// A schema of which each part refers to the next.
fn chain(levels: usize, link: impl Fn(&str) -> Value) -> Value {
    let mut definitions: serde_json::Map<String, Value> =
        (0..levels).map(|level| (level.to_string(), link(&format!("#/$defs/{}", level + 1)))).collect();
    definitions.insert(levels.to_string(), json!({}));
    json!({"type": "object", "properties": {"x": {"$ref": "#/$defs/0"}}, "$defs": definitions})
}

async fn facet(cluster: &Cluster, name: &str, schema: &Value) {
    let facet = json!({
        "apiVersion": "entitlements.dev/v1alpha1", "kind": "FacetDefinition", "metadata": {"name": name}, "spec": {"schema": schema},
    });
    // The client of the tests can't read what is this deep, and says so of the answer.
    if let Err(error) = cluster.create(facet).await {
        assert!(error.contains("recursion limit exceeded"), "{error}");
    }
}

/// As kubectl sees it, which reads objects of any depth.
async fn reason(kind: &'static str, name: &str, condition: &str) -> (String, String) {
    let select = |field: &str| format!(r#"{{.status.conditions[?(@.type=="{condition}")].{field}}}"#);
    let (wanted, output) = (name.to_owned(), format!("--output=jsonpath={}|{}", select("reason"), select("message")));
    let started = Instant::now();
    loop {
        let (wanted, output) = (wanted.clone(), output.clone());
        let look = move || shared_kubectl(&["get", kind, &wanted, "--namespace=entitlements", &output]);
        let seen = tokio::task::spawn_blocking(look).await.unwrap();
        if let Some((reason, message)) = seen.split_once('|').filter(|(reason, _)| !reason.is_empty()) {
            return (reason.to_owned(), message.to_owned());
        }
        assert!(started.elapsed() < DEADLINE, "{kind} {name}: nothing is said of it within {DEADLINE:?}");
    }
}

/// Other tests have to read all that there is.
async fn remove(kind: &'static str, name: String) {
    let delete = move || shared_kubectl(&["delete", kind, &name, "--namespace=entitlements", "--wait=false"]);
    tokio::task::spawn_blocking(delete).await.unwrap();
}

/// Something good that goes on working.
async fn harms_nobody(cluster: &Cluster) {
    cluster.apply(ORGANIZATION).await;
    cluster.apply(FEATURE).await;
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    cluster.object("ConfigMap", "$", "$").await;
}

#[tokio::test]
async fn schemas_made_to_exhaust_are_refused() {
    let cluster = cluster().await;
    let circle = |definition: Value| json!({"type": "object", "properties": {"x": {"$ref": "#/$defs/a"}}, "$defs": {"a": definition}});
    let reference = |to: &str| json!({"type": "object", "properties": {"x": {"$ref": to}}});
    let schemas = [
        (
            "deep",
            json!({"type": "object", "properties": {"x": nested(200, |inner| json!({"not": inner}))}}),
            "nested more than 64 levels deep",
        ),
        (
            "links",
            chain(200, |next| json!({"items": {"$ref": next}})),
            "nested more than 64 levels deep here, references included",
        ),
        ("doubling", chain(20, |next| json!({"anyOf": [{"$ref": next}, {"$ref": next}]})), "schema"),
        ("circle", circle(json!({"allOf": [{"$ref": "#/$defs/a"}]})), "schema/$defs/a"),
        ("file", reference("file:///etc/passwd"), "schema/properties/x/$ref"),
        ("url", reference("https://example.com/schema.json"), "schema/properties/x/$ref"),
        (
            "pattern",
            json!({"type": "object", "properties": {"x": {"pattern": "(?:a{1000}){1000}"}}}),
            "schema/properties/x/pattern",
        ),
        (
            "lookahead",
            json!({"type": "object", "properties": {"x": {"pattern": "(?=a)b"}}}),
            "schema/properties/x/pattern",
        ),
        (
            "many",
            json!({"type": "object", "properties": {"x": {"enum": vec![0; 20_000]}}}),
            "at most 10000 are allowed",
        ),
    ];
    for (case, schema, message) in &schemas {
        let name = format!("{}-{case}", cluster.name);
        facet(&cluster, &name, schema).await;
        let (reason, said) = reason("facet", &name, "Ready").await;
        assert_eq!(reason, "InvalidSchema", "{case}: {said}");
        assert!(said.contains(message), "{case}: {said}");
        remove("facet", name).await;
    }
    harms_nobody(&cluster).await;
}

/// A definition `$` with one facet `f`.
async fn definition(cluster: &Cluster, fields: Value) {
    let definition = json!({
        "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementDefinition",
        "metadata": {"name": format!("{}-hostile", cluster.name)},
        "spec": {
            "type": "Feature", "allowMultiple": true,
            "facets": [{"name": "f", "schema": {
                "type": "object", "properties": fields,
                "$defs": {"n": {"allOf": [{"properties": {"a": {"$ref": "#/$defs/n"}}}, {"properties": {"a": {"$ref": "#/$defs/n"}}}]}},
            }}],
            "outputs": [{"name": "config", "kind": "ConfigMap", "items": [{"key": "env", "format": "Json"}]}],
        },
    });
    cluster.create(definition).await.unwrap();
    cluster.condition("EntitlementDefinition", "$-hostile", "Ready", "True", "Valid").await;
}

#[tokio::test]
async fn values_made_to_exhaust_are_named() {
    let cluster = cluster().await;
    let alternatives: Vec<Value> = (0..100).map(|length| json!({"maxLength": length})).collect();
    definition(
        &cluster,
        json!({
            "text": {"type": "string"},
            "backtracking": {"type": "string", "pattern": "^(a+)+$"},
            "either": {"anyOf": alternatives},
            "tree": {"$ref": "#/$defs/n"},
            "set": {"uniqueItems": true},
        }),
    )
    .await;
    harms_nobody(&cluster).await;
    let tree = nested(50, |inner| json!({"a": inner}));
    let set: Vec<Value> = (0..60_000).map(|index| json!([index])).collect();
    let values = [
        (
            "mebibyte",
            json!({"text": "x".repeat(1 << 20)}),
            "facets.f: what the grant states comes to 1048588 bytes, and at most 655360 can be kept",
        ),
        (
            "backtracking",
            json!({"backtracking": format!("{}b", "a".repeat(100_000))}),
            "does not match the pattern ^(a+)+$",
        ),
        ("either", json!({"either": "a".repeat(600_000)}), "facets.f: too large to check"),
        ("tree", json!({"tree": tree}), "facets.f: too large to check"),
        ("set", json!({"set": set}), "facets.f: too large to check"),
        ("deep", json!({"text": nested(200, |inner| json!([inner]))}), "facets.f: nested more than 64 levels deep"),
        ("name", json!({"n".repeat(1000): 1}), "facets.f: a field name in it is longer than 256 bytes"),
    ];
    for (case, fields, message) in values {
        let name = format!("{}-{case}", cluster.name);
        let spec = json!({"facets": {"f": fields}});
        if let Err(error) =
            cluster.create(grant(&name, &cluster.name, &format!("{}-hostile", cluster.name), spec)).await
        {
            assert!(error.contains("recursion limit exceeded"), "{error}");
        }
        let (ready, _) = reason("ent", &name, "Ready").await;
        assert_eq!(ready, "FacetsInvalid", "{case}");
        let (_, said) = reason("ent", &name, "FacetsValid").await;
        assert!(said.contains(message), "{case}: {said}");
        remove("ent", name).await;
    }
}

#[tokio::test]
async fn three_hundred_facets_are_refused_where_they_are_stated() {
    let cluster = cluster().await;
    let facets: Vec<Value> =
        (0..300).map(|index| json!({"name": format!("f{index}"), "schema": {"type": "object"}})).collect();
    let definition = json!({
        "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementDefinition", "metadata": {"name": cluster.name},
        "spec": {"type": "Feature", "facets": facets},
    });
    let refused = cluster.create(definition).await.unwrap_err();
    assert!(refused.contains("must have at most 64 items"), "{refused}");
    let stated: serde_json::Map<String, Value> = (0..300).map(|index| (format!("f{index}"), json!({}))).collect();
    let refused = cluster.create(grant("a", "a", "a", json!({"facets": stated}))).await.unwrap_err();
    assert!(
        refused.contains("must have at most 64 items") || refused.contains("should have at most 64 properties"),
        "{refused}"
    );
}

/// As many as there may be work, each with a field of its own in every output.
#[tokio::test]
async fn sixty_four_facets_work() {
    let cluster = cluster().await;
    cluster.apply(ORGANIZATION).await;
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer", "default": 1}}});
    let facets: Vec<Value> = (0..64).map(|index| json!({"name": format!("f{index}"), "schema": schema})).collect();
    let definition = json!({
        "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementDefinition", "metadata": {"name": cluster.name},
        "spec": {"type": "Feature", "facets": facets, "outputs": [{"name": "config", "kind": "ConfigMap", "items": [{"format": "Keys"}]}]},
    });
    cluster.create(definition).await.unwrap();
    let stated: serde_json::Map<String, Value> =
        (0..64).map(|index| (format!("f{index}"), json!({"a": index}))).collect();
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({"facets": stated}))).await.unwrap();
    let config = cluster.object("ConfigMap", "$", "$").await;
    let expected: serde_json::Map<String, Value> =
        (0..64).map(|index| (format!("F{index}_A"), json!(index.to_string()))).collect();
    assert_eq!(config["data"], Value::Object(expected));
}
