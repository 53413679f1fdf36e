//! What is wrong is named, harms nobody else, and takes nothing away that was delivered.

use crate::harness::{ORGANIZATION, cluster, condition, grant};
use serde_json::{Value, json};

#[tokio::test]
async fn a_grant_of_something_unknown_is_refused_with_its_reason() {
    let cluster = cluster().await;
    cluster.feature().await;
    let name = cluster.name.clone();
    let refused = [
        ("no-organization", grant(&format!("{name}-a"), "nobody", &name, json!({})), "OrganizationNotFound"),
        ("no-definition", grant(&format!("{name}-b"), &name, "nothing", json!({})), "DefinitionNotFound"),
        ("amount", grant(&format!("{name}-c"), &name, &name, json!({"amount": 3})), "InvalidAmount"),
        ("no-such-day", grant(&format!("{name}-d"), &name, &name, json!({"start": "2027-02-30"})), "InvalidTerm"),
        (
            "empty",
            grant(&format!("{name}-e"), &name, &name, json!({"start": "2027-01-02", "end": "2027-01-01"})),
            "InvalidTerm",
        ),
        ("renews", grant(&format!("{name}-f"), &name, &name, json!({"renews": "nothing"})), "RenewalInvalid"),
    ];
    for (case, object, reason) in refused {
        let instance = object["metadata"]["name"].as_str().unwrap().to_owned();
        cluster.create(object).await.unwrap();
        let rejected = cluster.phase(&instance, "Rejected").await;
        assert_eq!(condition(&rejected, "Accepted")["reason"], reason, "{case}");
        assert_eq!(condition(&rejected, "Ready")["status"], "False", "{case}");
        assert_eq!(condition(&rejected, "Entitled")["status"], "False", "{case}");
        assert!(rejected["status"]["accepted"].is_null(), "{case}");
        cluster.event(&instance, reason).await;
    }
}

#[tokio::test]
async fn a_grant_is_accepted_as_soon_as_what_it_names_is_there() {
    let cluster = cluster().await;
    let name = cluster.name.clone();
    cluster.create(grant(&name, &name, &name, json!({}))).await.unwrap();
    cluster.condition("EntitlementInstance", "$", "Accepted", "False", "OrganizationNotFound").await;
    cluster.apply(ORGANIZATION).await;
    cluster.condition("EntitlementInstance", "$", "Accepted", "False", "DefinitionNotFound").await;
    cluster.apply(crate::harness::FEATURE).await;
    cluster.phase("$", "Active").await;
    cluster.object("ConfigMap", "$", "$").await;
}

#[tokio::test]
async fn an_unknown_time_zone_is_named_with_the_one_that_was_meant() {
    let cluster = cluster().await;
    cluster.feature().await;
    cluster.merge("Organization", "", "$", json!({"spec": {"timeZone": "Europe/Berlim"}})).await.unwrap();
    let ready = cluster.condition("Organization", "$", "Ready", "False", "InvalidTimeZone").await;
    assert!(ready["message"].as_str().unwrap().contains("Europe/Berlin"), "{ready}");
    let name = cluster.name.clone();
    cluster.create(grant(&name, &name, &name, json!({}))).await.unwrap();
    cluster.condition("EntitlementInstance", "$", "Accepted", "False", "OrganizationNotReady").await;
}

#[tokio::test]
async fn an_unknown_time_zone_takes_nothing_from_accepted_grants() {
    let cluster = cluster().await;
    cluster.feature().await;
    let name = cluster.name.clone();
    cluster.create(grant(&name, &name, &name, json!({}))).await.unwrap();
    let before = cluster.object("ConfigMap", "$", "$").await;
    cluster.phase("$", "Active").await;
    cluster.merge("Organization", "", "$", json!({"spec": {"timeZone": "Mars/Olympus"}})).await.unwrap();
    cluster.condition("Organization", "$", "Ready", "False", "InvalidTimeZone").await;
    cluster.phase("$", "Active").await;
    assert_eq!(cluster.get("ConfigMap", "$", "$").await.unwrap(), before);
}

#[tokio::test]
async fn a_broken_definition_takes_nothing_away_and_new_grants_are_refused() {
    let cluster = cluster().await;
    cluster.feature().await;
    let name = cluster.name.clone();
    cluster.create(grant(&name, &name, &name, json!({}))).await.unwrap();
    let before = cluster.object("ConfigMap", "$", "$").await;
    cluster.phase("$", "Active").await;
    let broken =
        json!([{"name": "config", "kind": "ConfigMap", "items": [{"key": "who", "template": "{{ organization."}]}]);
    cluster.merge("EntitlementDefinition", "", "$", json!({"spec": {"outputs": broken}})).await.unwrap();
    let ready = cluster.condition("EntitlementDefinition", "$", "Ready", "False", "InvalidTemplate").await;
    assert!(ready["message"].as_str().unwrap().contains("line 1"), "{ready}");
    let ready = cluster.condition("EntitlementInstance", "$", "Ready", "False", "DefinitionNotReady").await;
    assert!(ready["message"].as_str().unwrap().contains("its last valid revision serves"), "{ready}");
    let second = format!("{name}-second");
    cluster.apply("{apiVersion: entitlements.dev/v1alpha1, kind: Organization, metadata: {name: $-second}, spec: {namespaces: [$-second]}}").await;
    cluster.create(grant(&second, &second, &name, json!({}))).await.unwrap();
    cluster.condition("EntitlementInstance", &second, "Accepted", "False", "DefinitionNotReady").await;
    // The operator puts back what the last valid revision says.
    cluster.delete("ConfigMap", "$", "$").await;
    assert_eq!(cluster.object("ConfigMap", "$", "$").await["data"], before["data"]);
    cluster.phase("$", "Active").await;
}

#[tokio::test]
async fn a_deleted_definition_takes_nothing_away() {
    let cluster = cluster().await;
    cluster.feature().await;
    let name = cluster.name.clone();
    cluster.create(grant(&name, &name, &name, json!({}))).await.unwrap();
    let before = cluster.object("ConfigMap", "$", "$").await;
    cluster.phase("$", "Active").await;
    cluster.delete("EntitlementDefinition", "", "$").await;
    cluster.condition("EntitlementInstance", "$", "Ready", "False", "DefinitionNotFound").await;
    let seen = cluster.phase("$", "Active").await;
    assert_eq!(condition(&seen, "Accepted")["status"], "True");
    assert_eq!(cluster.get("ConfigMap", "$", "$").await.unwrap(), before);
    // Made again it serves again, and what it made before is still what it makes.
    cluster.apply(crate::harness::FEATURE).await;
    cluster.condition("EntitlementInstance", "$", "Ready", "True", "Active").await;
    assert_eq!(cluster.get("ConfigMap", "$", "$").await.unwrap(), before);
}

#[tokio::test]
async fn an_invalid_schema_is_named_on_the_facet_and_on_what_uses_it() {
    let cluster = cluster().await;
    cluster
        .apply(
            "
apiVersion: entitlements.dev/v1alpha1
kind: FacetDefinition
metadata: {name: $}
spec: {schema: {type: object, properties: {age: {type: number, minimum: young}}}}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $}
spec: {type: Feature, facets: [{name: person, definition: $}]}
",
        )
        .await;
    let ready = cluster.condition("FacetDefinition", "$", "Ready", "False", "InvalidSchema").await;
    assert!(ready["message"].as_str().unwrap().contains("minimum"), "{ready}");
    cluster.condition("EntitlementDefinition", "$", "Ready", "False", "InvalidSchema").await;
    let mended = json!({"spec": {"schema": {"properties": {"age": {"minimum": 18}}}}});
    cluster.merge("FacetDefinition", "", "$", mended).await.unwrap();
    cluster.condition("FacetDefinition", "$", "Ready", "True", "Valid").await;
    cluster.condition("EntitlementDefinition", "$", "Ready", "True", "Valid").await;
}

#[tokio::test]
async fn invalid_facets_are_named_and_the_last_valid_ones_serve() {
    let cluster = cluster().await;
    cluster.apply(ORGANIZATION).await;
    cluster
        .apply(
            "
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $}
spec:
  type: Feature
  facets: [{name: backup, schema: {type: object, properties: {retention: {type: integer, maximum: 365, default: 30}}}}]
  outputs: [{name: config, kind: ConfigMap, items: [{key: env, format: Env}]}]
",
        )
        .await;
    let name = cluster.name.clone();
    cluster.create(grant(&name, &name, &name, json!({"facets": {"backup": {"retention": 90}}}))).await.unwrap();
    cluster.object("ConfigMap", "$", "$").await;
    cluster
        .merge("EntitlementInstance", "entitlements", "$", json!({"spec": {"facets": {"backup": {"retention": 400}}}}))
        .await
        .unwrap();
    let invalid = cluster.condition("EntitlementInstance", "$", "FacetsValid", "False", "Invalid").await;
    assert_eq!(invalid["message"], "facets.backup.retention: 400 is more than the maximum 365");
    let seen = cluster.phase("$", "Active").await;
    assert_eq!(condition(&seen, "Ready")["reason"], "FacetsInvalid");
    assert_eq!(seen["status"]["facets"], json!({"backup": {"retention": 90}}));
    assert_eq!(cluster.get("ConfigMap", "$", "$").await.unwrap()["data"]["env"], "BACKUP_RETENTION=90\n");
}

#[tokio::test]
async fn what_cannot_be_rendered_is_named_and_harms_nobody_else() {
    let cluster = cluster().await;
    cluster.apply(ORGANIZATION).await;
    let templates = [
        (
            "huge",
            "{% for i in range(facets.f.many) %}{{ facets.f.text | indent(64, true) }}\n{{ facets.f.text }}{% endfor %}",
        ),
        ("loop", "{% for i in range(facets.f.many) %}{% for j in range(facets.f.many) %}{% endfor %}{% endfor %}"),
        (
            "doubled",
            "{% macro m(n, t) %}{% if n %}{{ m(n - 1, t ~ t) }}{% else %}{{ t }}{% endif %}{% endmacro %}{{ m(facets.f.many // 100, facets.f.text) }}",
        ),
        ("recursive", "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(facets.f.many) }}"),
        ("absent", "{{ facets.f.optional.inside }}"),
        ("number", "{{ facets.f.text | int }}"),
    ];
    for (kind, template) in templates {
        let definition = json!({
            "apiVersion": "entitlements.dev/v1alpha1",
            "kind": "EntitlementDefinition",
            "metadata": {"name": format!("{}-{kind}", cluster.name)},
            "spec": {
                "type": "Feature",
                "facets": [{"name": "f", "schema": {"type": "object", "properties": {
                    "many": {"type": "integer"},
                    "text": {"type": "string"},
                    "optional": {"type": "object", "properties": {"inside": {"type": "string"}}},
                }}}],
                "outputs": [{"name": "config", "kind": "ConfigMap", "items": [{"key": "a", "template": template}]}],
            },
        });
        cluster.create(definition).await.unwrap();
        let name = format!("{}-{kind}", cluster.name);
        cluster.condition("EntitlementDefinition", &name, "Ready", "True", "Valid").await;
        let facets = json!({"facets": {"f": {"many": 9999, "text": "x".repeat(4000)}}});
        cluster.create(grant(&name, &cluster.name, &name, facets)).await.unwrap();
        let delivered = cluster.condition("EntitlementInstance", &name, "Delivered", "False", "RenderFailed").await;
        assert!(delivered["message"].as_str().unwrap().starts_with("output config, a: "), "{delivered}");
        assert_eq!(cluster.phase(&name, "Active").await["status"]["outputs"], json!({"desired": 1, "delivered": 0}));
    }
    cluster.apply(crate::harness::FEATURE).await;
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    cluster.object("ConfigMap", "$", "$").await;
}

#[tokio::test]
async fn an_output_of_two_mebibytes_is_a_clear_condition() {
    let cluster = cluster().await;
    cluster.apply(ORGANIZATION).await;
    let half = "x".repeat(600_000);
    let items: Vec<_> =
        ["a", "b", "c", "d"].iter().map(|key| json!({"key": key, "template": "{{ facets.big.text }}"})).collect();
    let definition = json!({
        "apiVersion": "entitlements.dev/v1alpha1",
        "kind": "EntitlementDefinition",
        "metadata": {"name": cluster.name},
        "spec": {
            "type": "Feature",
            "facets": [{"name": "big", "schema": {"type": "object", "properties": {"text": {"type": "string"}}}}],
            "outputs": [{"name": "config", "kind": "ConfigMap", "items": items}],
        },
    });
    cluster.create(definition).await.unwrap();
    let spec = json!({"facets": {"big": {"text": half}}});
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, spec)).await.unwrap();
    let delivered = cluster.condition("EntitlementInstance", "$", "Delivered", "False", "TooLarge").await;
    assert!(delivered["message"].as_str().unwrap().contains("would have 2400000 bytes"), "{delivered}");
}

#[tokio::test]
async fn an_output_too_large_by_one_byte_is_not_sent_and_what_was_delivered_stays() {
    const MOST: usize = 1024 * 1024;
    let cluster = cluster().await;
    cluster.apply(ORGANIZATION).await;
    let item = json!({"key": "text", "template": "{{ facets.big.text }}{{ facets.big.text }}{{ facets.big.more }}"});
    let schema = json!({"type": "object", "properties": {"text": {"type": "string"}, "more": {"type": "string"}}});
    let definition = json!({
        "apiVersion": "entitlements.dev/v1alpha1",
        "kind": "EntitlementDefinition",
        "metadata": {"name": cluster.name},
        "spec": {"type": "Feature", "facets": [{"name": "big", "schema": schema}], "outputs": [
            {"name": "config", "kind": "ConfigMap", "objectName": cluster.name, "items": [item, {"key": "one", "template": "1"}]},
            {"name": "login", "kind": "Secret", "objectName": cluster.name, "items": [item, {"key": "one", "template": "1"}]},
        ]},
    });
    cluster.create(definition).await.unwrap();
    let text = "x".repeat(MOST / 2 - 2);
    let spec = |more: &str| json!({"facets": {"big": {"text": text, "more": more}}});
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, spec("abc"))).await.unwrap();
    cluster.condition("EntitlementInstance", "$", "Delivered", "True", "Delivered").await;
    let config = cluster.get("ConfigMap", "$", "$").await.unwrap();
    assert_eq!(config["data"]["text"].as_str().unwrap().len(), MOST - 1);
    let secret = cluster.get("Secret", "$", "$").await.unwrap();
    cluster.merge("EntitlementInstance", "entitlements", "$", json!({"spec": spec("abcd")})).await.unwrap();
    let delivered = cluster.condition("EntitlementInstance", "$", "Delivered", "False", "TooLarge").await;
    let expected = format!(
        "the data of ConfigMap {0}/{0} would have 1048577 bytes, more than the 1048576 that Kubernetes allows: write less, or split it over several outputs (and 1 more)",
        cluster.name
    );
    assert_eq!(delivered["message"], expected);
    assert_eq!(cluster.phase("$", "Active").await["status"]["outputs"], json!({"desired": 2, "delivered": 0}));
    assert_eq!(cluster.get("ConfigMap", "$", "$").await.unwrap(), config);
    assert_eq!(cluster.get("Secret", "$", "$").await.unwrap(), secret);
    cluster.merge("EntitlementInstance", "entitlements", "$", json!({"spec": spec("a")})).await.unwrap();
    cluster.condition("EntitlementInstance", "$", "Ready", "True", "Active").await;
}

#[tokio::test]
async fn a_name_that_is_no_objects_is_named_and_the_other_outputs_arrive() {
    let cluster = cluster().await;
    cluster.apply(ORGANIZATION).await;
    let long = format!("{{{{ '{}' if organization.name }}}}", "x".repeat(254));
    let names = [
        ("spaced", "{{ organization.displayName }}", "The Client".to_owned()),
        // What differs only in case is no name either, so no two objects ever do.
        ("upper", "{{ organization.name | upper }}", cluster.name.to_uppercase()),
        ("empty", "{% if not organization.name %}x{% endif %}", String::new()),
        ("path", "{{ '../' ~ organization.name }}", format!("../{}", cluster.name)),
        // One more than a name may have; the message shows the beginning.
        ("long", long.as_str(), "x".repeat(80)),
    ];
    for (kind, template, name) in names {
        let definition = format!("{}-{kind}", cluster.name);
        let item = json!([{"key": "a", "template": "b"}]);
        let spec = json!({"type": "Feature", "outputs": [
            {"name": "config", "kind": "ConfigMap", "objectName": template, "items": item},
            {"name": "other", "kind": "ConfigMap", "items": item},
        ]});
        let metadata = json!({"name": definition});
        let object = json!({"apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementDefinition", "metadata": metadata, "spec": spec});
        cluster.create(object).await.unwrap();
        cluster.create(grant(&definition, &cluster.name, &definition, json!({}))).await.unwrap();
        let delivered =
            cluster.condition("EntitlementInstance", &definition, "Delivered", "False", "InvalidName").await;
        let expected = format!(
            "output config: objectName gives {name:?}, which is no name for an object: it must be at most 253 lower-case letters, digits, '-' and '.', and each part between dots must begin and end with a letter or digit"
        );
        assert_eq!(delivered["message"], expected, "{kind}");
        cluster.object("ConfigMap", "$", &format!("{definition}-other")).await;
        let seen = cluster.phase(&definition, "Active").await;
        assert_eq!(seen["status"]["outputs"], json!({"desired": 2, "delivered": 1}), "{kind}");
    }
}

/// A grant `$` whose secret field comes from key `password` of Secret `$`.
async fn secret_bearing(cluster: &crate::harness::Cluster) {
    cluster.apply(ORGANIZATION).await;
    let definition = r#"
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $}
spec:
  type: Feature
  facets: [{name: db, schema: {type: object, properties: {password: {type: string, writeOnly: true}}}}]
  outputs: [{name: login, kind: Secret, items: [{key: PASSWORD, template: "{{ facets.db.password }}"}]}]
"#;
    cluster.apply(definition).await;
    let source =
        json!([{"facet": "db", "field": "password", "secretKeyRef": {"name": cluster.name, "key": "password"}}]);
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({"secretFacets": source}))).await.unwrap();
}

#[tokio::test]
async fn a_source_secret_of_any_type_serves_and_one_without_the_key_or_without_text_is_named() {
    let cluster = cluster().await;
    secret_bearing(&cluster).await;
    cluster.condition("EntitlementInstance", "$", "Delivered", "False", "SecretNotFound").await;
    let source = "{apiVersion: v1, kind: Secret, type: kubernetes.io/basic-auth, metadata: {name: $, namespace: entitlements}, stringData: {username: me, password: hunter2}}";
    cluster.apply(source).await;
    let delivered = cluster.object("Secret", "$", "$").await;
    assert_eq!(delivered["data"], json!({"PASSWORD": "aHVudGVyMg=="}));
    assert_eq!(delivered["type"], "Opaque");
    cluster.condition("EntitlementInstance", "$", "Ready", "True", "Active").await;
    let troubles = [
        (json!({"password": null}), "has no key password: add it"),
        (json!({"password": "/wAB"}), "is not UTF-8 text, which a facet holds: store it encoded, such as in base64"),
    ];
    for (data, expected) in troubles {
        cluster.merge("Secret", "entitlements", "$", json!({"data": data})).await.unwrap();
        let seen = cluster
            .until("EntitlementInstance", "entitlements", "$", expected, |seen| {
                let found = condition(seen, "Delivered");
                found["status"] == "False" && found["message"].as_str().is_some_and(|text| text.ends_with(expected))
            })
            .await;
        assert_eq!(condition(&seen, "Delivered")["reason"], "SecretNotFound");
        assert_eq!(cluster.get("Secret", "$", "$").await.unwrap()["data"], delivered["data"]);
    }
    cluster.merge("Secret", "entitlements", "$", json!({"stringData": {"password": "rotated"}})).await.unwrap();
    let is_rotated = |seen: &Value| seen["data"]["PASSWORD"] == "cm90YXRlZA==";
    cluster.until("Secret", "$", "$", "is rotated", is_rotated).await;
    cluster.condition("EntitlementInstance", "$", "Ready", "True", "Active").await;
}

#[tokio::test]
async fn a_secret_in_a_config_map_is_refused_when_the_definition_is_made() {
    let cluster = cluster().await;
    cluster
        .apply(
            r#"
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $}
spec:
  type: Feature
  facets: [{name: db, schema: {type: object, properties: {password: {type: string, writeOnly: true}}}}]
  outputs: [{name: config, kind: ConfigMap, items: [{key: a, template: "{% for f in facets.db | items %}{{ f[1] }}{% endfor %}"}]}]
"#,
        )
        .await;
    let ready = cluster.condition("EntitlementDefinition", "$", "Ready", "False", "SecretInConfigMap").await;
    assert!(ready["message"].as_str().unwrap().contains("facets.db.password"), "{ready}");
}
