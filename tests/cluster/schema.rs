//! What the API server itself makes of the kinds: schema, defaults, CEL rules, and how they are shown.

use crate::harness::{FEATURE, ORGANIZATION, cluster, grant, shared_kubectl};
use serde_json::{Value, json};

/// Definitions, organizations and facets (`metadata.name` is `$`) that are refused, and what the message says.
const REFUSED: &[(&str, &str, &str)] = &[
    ("EntitlementDefinition", "{type: Feature, amount: 3}", "a Feature is on or off and has no amount"),
    ("EntitlementDefinition", "{type: Feature, unit: seats}", "a Feature is on or off and has no unit"),
    ("EntitlementDefinition", "{type: Quantity, unit: seats}", "needs amount, the default allotment"),
    ("EntitlementDefinition", "{type: Credit, amount: 3}", "needs unit, the thing that is counted"),
    ("EntitlementDefinition", "{type: Gift}", "Unsupported value"),
    ("EntitlementDefinition", "{type: Quantity, unit: seats, amount: -1}", "signs and exponents are refused"),
    ("EntitlementDefinition", "{type: Quantity, unit: seats, amount: '1e9'}", "signs and exponents are refused"),
    ("EntitlementDefinition", "{type: Quantity, unit: seats, amount: 2.5}", "amount"),
    (
        "EntitlementDefinition",
        "{type: Quantity, unit: seats, amount: '1234567890123456789012345678901234567890'}",
        "amount",
    ),
    ("EntitlementDefinition", "{type: Feature, term: 1 year}", "must be an ISO 8601 duration"),
    ("EntitlementDefinition", "{type: Feature, term: P1YT}", "must be an ISO 8601 duration"),
    ("EntitlementDefinition", "{type: Feature, gracePeriod: -P1D}", "must be an ISO 8601 duration"),
    (
        "EntitlementDefinition",
        "{type: Credit, unit: calls, amount: 1, usage: {mode: Consumed, period: 1 month}}",
        "must be an ISO 8601 duration of one date part",
    ),
    (
        "EntitlementDefinition",
        "{type: Credit, unit: calls, amount: 1, usage: {mode: Consumed, period: P1M1D}}",
        "must be an ISO 8601 duration of one date part",
    ),
    ("EntitlementDefinition", "{type: Feature, category: /a}", "spec.category"),
    ("EntitlementDefinition", "{type: Feature, facets: [{name: a}]}", "exactly one of definition"),
    (
        "EntitlementDefinition",
        "{type: Feature, facets: [{name: a, definition: b, schema: {type: object}}]}",
        "exactly one of definition",
    ),
    (
        "EntitlementDefinition",
        "{type: Feature, outputs: [{name: a, kind: ConfigMap, items: []}]}",
        "should have at least 1 items",
    ),
    (
        "EntitlementDefinition",
        "{type: Feature, outputs: [{name: a, kind: Pod, items: [{key: a, format: Env}]}]}",
        "Unsupported value",
    ),
    (
        "EntitlementDefinition",
        "{type: Feature, outputs: [{name: a, kind: Secret, items: [{key: a}]}]}",
        "exactly one of format and template",
    ),
    (
        "EntitlementDefinition",
        "{type: Feature, outputs: [{name: a, kind: Secret, items: [{format: Env}]}]}",
        "an item needs key",
    ),
    (
        "EntitlementDefinition",
        "{type: Feature, outputs: [{name: a, kind: Secret, items: [{key: a, format: Keys}]}]}",
        "an item needs key",
    ),
    (
        "EntitlementDefinition",
        "{type: Feature, outputs: [{name: a, kind: Secret, items: [{key: a, template: b, facets: [c]}]}]}",
        "facets chooses what a format writes",
    ),
    (
        "EntitlementDefinition",
        "{type: Feature, outputs: [{name: a, kind: Secret, labels: {entitlements.dev/x: a}, items: [{key: a, template: b}]}]}",
        "are the operator's or other tools' own",
    ),
    (
        "EntitlementDefinition",
        "{type: Feature, outputs: [{name: a, kind: Secret, annotations: {argocd.argoproj.io/x: a}, items: [{key: a, template: b}]}]}",
        "are the operator's or other tools' own",
    ),
    ("EntitlementDefinition", "{type: Feature, colour: red}", "colour"),
    ("Organization", "{}", "spec.namespaces: Required value"),
    ("Organization", "{namespaces: []}", "should have at least 1 items"),
    ("Organization", "{namespaces: [Acme]}", "spec.namespaces"),
    ("Organization", "{namespaces: acme}", "namespaces"),
    ("FacetDefinition", "{}", "spec.schema: Required value"),
    ("FacetDefinition", "{schema: true}", "schema"),
];

#[tokio::test]
async fn what_is_wrong_in_itself_is_refused_with_what_to_do() {
    let cluster = cluster().await;
    for (kind, spec, message) in REFUSED {
        let yaml =
            format!("{{apiVersion: entitlements.dev/v1alpha1, kind: {kind}, metadata: {{name: $}}, spec: {spec}}}");
        let refused = cluster.refused(&yaml).await;
        assert!(refused.contains(message), "{kind} {spec}: {refused}");
    }
}

fn secret_of(name: &str, key: &str) -> Value {
    json!({"secretFacets": [{"facet": "a", "field": "b", "secretKeyRef": {"name": name, "key": key}}]})
}

#[tokio::test]
async fn a_grant_that_is_wrong_in_itself_is_refused() {
    let cluster = cluster().await;
    let wrong = [
        (json!({"start": "2027-02"}), "must be a date such as 2027-01-31"),
        (json!({"start": "tomorrow"}), "must be a date such as 2027-01-31"),
        (json!({"end": "2027-01-31T00:00:00.5Z"}), "must be a date such as 2027-01-31"),
        (json!({"end": "2027-01-31T00:00:00"}), "must be a date such as 2027-01-31"),
        (json!({"end": 2027}), "must be of type string"),
        (json!({"amount": -1}), "signs and exponents are refused"),
        (json!({"amount": "1e9"}), "signs and exponents are refused"),
        (json!({"state": "Paused"}), "Unsupported value"),
        (json!({"priority": "high"}), "must be of type integer"),
        (json!({"facets": {"backup": 3}}), "must be of type object"),
        (json!({"amendments": [{"name": "a"}]}), "effective: Required value"),
        (json!({"amendments": [{"name": "a", "effective": "now"}]}), "must be a date such as 2027-01-31"),
        (json!({"secretFacets": [{"facet": "a", "field": "b"}]}), "secretKeyRef: Required value"),
        (secret_of("here?x=y", "k"), "secretKeyRef.name in body should match"),
        (secret_of("../../x", "k"), "secretKeyRef.name in body should match"),
        (secret_of("a/b", "k"), "secretKeyRef.name in body should match"),
        (secret_of("a", "k/../x"), "secretKeyRef.key in body should match"),
        (json!({"renews": "../../x"}), "renews in body should match"),
        (json!({"renews": "a?b"}), "renews in body should match"),
    ];
    for (spec, message) in wrong {
        let refused = cluster.create(grant(&cluster.name, "acme", "seats", spec.clone())).await.unwrap_err();
        assert!(refused.contains(message), "{spec}: {refused}");
    }
}

#[tokio::test]
async fn names_are_checked() {
    let cluster = cluster().await;
    let wrong = [
        ("EntitlementDefinition", "$-amount", "does not end in '-amount'"),
        ("EntitlementDefinition", "a.$", "is a DNS label"),
        ("Organization", "a.$", "is a DNS label"),
        ("FacetDefinition", "1$", "begins with a letter"),
    ];
    for (kind, name, message) in wrong {
        let spec = match kind {
            "Organization" => "{namespaces: [a]}",
            "FacetDefinition" => "{schema: {type: object}}",
            _ => "{type: Feature}",
        };
        let yaml = format!(
            "{{apiVersion: entitlements.dev/v1alpha1, kind: {kind}, metadata: {{name: {name}}}, spec: {spec}}}"
        );
        let refused = cluster.refused(&yaml).await;
        assert!(refused.contains(message), "{kind} {name}: {refused}");
    }
}

/// What the command says that the API server would refuse of a change, without asking it.
pub fn locked(old: &Value, new: &Value) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let paths = [("old.json", old), ("new.json", new)].map(|(name, object)| {
        let path = folder.path().join(name);
        std::fs::write(&path, object.to_string()).unwrap();
        path
    });
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_entitlement-operator"))
        .args(["timeline", "--output=json", "--diff"])
        .args(paths)
        .output()
        .unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let refused = told["refused"].as_array().unwrap().iter().filter(|one| one["reason"] == "Locked");
    refused.map(|one| one["message"].as_str().unwrap().to_owned()).collect()
}

/// The object with a part of its spec otherwise.
pub fn merged(object: &Value, spec: &Value) -> Value {
    let mut merged = object.clone();
    for (name, value) in spec.as_object().unwrap() {
        match value {
            Value::Null => drop(merged["spec"].as_object_mut().unwrap().remove(name)),
            value => merged["spec"][name] = value.clone(),
        }
    }
    merged
}

#[tokio::test]
async fn immutable_fields_and_locked_terms_say_what_to_do() {
    let cluster = cluster().await;
    let name = cluster.name.clone();
    cluster.apply(ORGANIZATION).await;
    cluster.apply(FEATURE).await;
    let definition = [
        (json!({"type": "Quantity", "unit": "seats", "amount": 3}), "type is immutable"),
        (json!({"allowMultiple": true}), "allowMultiple is immutable"),
    ];
    let made = cluster.get("EntitlementDefinition", "", "$").await.unwrap();
    for (spec, message) in definition {
        let told = locked(&made, &merged(&made, &spec)).join("; ");
        assert!(told.contains(message), "{told}");
        let refused = cluster.merge("EntitlementDefinition", "", "$", json!({"spec": spec})).await.unwrap_err();
        assert!(refused.contains(message), "{refused}");
    }
    let amendment = json!({"name": "more", "effective": "2100-01-01", "facets": {"backup": {"days": 3}}});
    let spec = json!({"start": "2100-01-01", "end": "2101-01-01", "amendments": [amendment]});
    cluster.create(grant(&name, &name, &name, spec)).await.unwrap();
    let mut changed = amendment.clone();
    changed["facets"]["backup"]["days"] = 4.into();
    let refused = [
        (json!({"organization": "other"}), "organization is immutable"),
        (json!({"definition": "other"}), "definition is immutable"),
        (json!({"start": "2100-01-02"}), "start is locked while the grant is Active"),
        (json!({"end": "2101-01-02"}), "end is locked while the grant is Active: add an entry to amendments"),
        (json!({"end": null}), "end is locked while the grant is Active"),
        (json!({"amount": 3}), "amount is locked while the grant is Active"),
        (json!({"renews": "other"}), "renews is locked while the grant is Active"),
        (json!({"amendments": []}), "amendments are never removed while the grant is Active"),
        (json!({"amendments": null}), "amendments are never removed while the grant is Active"),
        (json!({"amendments": [changed]}), "amendments are never changed while the grant is Active"),
    ];
    let made = cluster.get("EntitlementInstance", "entitlements", "$").await.unwrap();
    for (spec, message) in refused {
        let told = locked(&made, &merged(&made, &spec)).join("; ");
        assert!(told.contains(message), "{spec}: {told}");
        let refused = cluster.merge("EntitlementInstance", "entitlements", "$", json!({"spec": spec})).await;
        let refused = refused.expect_err(&format!("{spec} should be refused"));
        assert!(refused.contains(message), "{spec}: {refused}");
    }
    let mut revoked = amendment.clone();
    revoked["revoked"] = true.into();
    let further = json!({"name": "further", "effective": "2100-02-01", "amount": 7});
    let allowed = [
        json!({"priority": 3}),
        json!({"facets": {"backup": {"days": 3}}}),
        json!({"suspended": true}),
        json!({"amendments": [amendment, further]}),
        json!({"amendments": [further, revoked]}),
        json!({"state": "Draft"}),
        json!({"start": "2100-01-02", "end": null, "amendments": null, "state": "Active"}),
    ];
    for spec in allowed {
        let made = cluster.get("EntitlementInstance", "entitlements", "$").await.unwrap();
        assert_eq!(locked(&made, &merged(&made, &spec)), [""; 0], "{spec}");
        let merged = cluster.merge("EntitlementInstance", "entitlements", "$", json!({"spec": spec.clone()})).await;
        assert_eq!(merged, Ok(()), "{spec}");
    }
}

#[tokio::test]
async fn a_fresh_object_says_that_nobody_has_seen_it() {
    // Of a kind that no operator watches in this test: the status comes from the API server alone.
    let stage = tokio::task::spawn_blocking(crate::harness::Stage::start).await.unwrap();
    let cluster = stage.cluster().await;
    cluster.apply(ORGANIZATION).await;
    let made = cluster.get("Organization", "", "$").await.unwrap();
    assert_eq!(made["status"], json!({"observedGeneration": -1}));
    assert_eq!(made["spec"]["timeZone"], "UTC");
    assert_eq!(made["spec"]["assignableFrom"], json!(["entitlements"]));
    assert_eq!(
        made["spec"]["summary"],
        json!({"name": "entitlements", "sources": false, "flags": "Held", "ca": false})
    );
    cluster.apply(FEATURE).await;
    let made = cluster.get("EntitlementDefinition", "", "$").await.unwrap();
    assert_eq!(made["status"]["observedGeneration"], -1);
    assert_eq!(made["spec"]["renewalNotices"], json!(["P90D", "P60D", "P30D"]));
    assert_eq!(made["spec"]["aggregation"], "Sum");
    let spec = json!({"end": null, "amount": null});
    let made = cluster.create(grant("a", "a", "a", spec)).await.unwrap();
    assert_eq!(
        made["spec"],
        json!({"organization": "a", "definition": "a", "state": "Active", "priority": 0, "suspended": false})
    );
    // Nor does it get in the way of what goes by the status.
    let shown = tokio::task::spawn_blocking(move || {
        let get = |arguments: &[&str]| {
            let all = [&["get", "ent", "--namespace=entitlements"], arguments].concat();
            columns(&stage.kubectl(&all))
        };
        let active = get(&["--field-selector=status.phase=Active", "--output=name"]);
        (get(&[]), get(&["--field-selector=status.phase=", "--output=name"]), active)
    });
    let (all, fresh, active) = shown.await.unwrap();
    assert_eq!(all[0], ["NAME", "ORGANIZATION", "DEFINITION", "AMOUNT", "PHASE", "REASON", "UNTIL", "AGE"]);
    assert_eq!(all[1][..3], ["a", "a", "a"]);
    assert_eq!(all[1].len(), 4, "{all:?}");
    assert_eq!((fresh.len(), active.len()), (1, 0));
}

/// The words of each line.
fn columns(output: &str) -> Vec<Vec<String>> {
    output.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

#[tokio::test]
async fn kubectl_shows_what_is_asked_at_a_glance() {
    let cluster = cluster().await;
    cluster.feature().await;
    let name = cluster.name.clone();
    cluster.create(grant(&name, &name, &name, json!({"end": "2100-12-31"}))).await.unwrap();
    cluster.phase("$", "Active").await;
    cluster
        .apply("{apiVersion: entitlements.dev/v1alpha1, kind: FacetDefinition, metadata: {name: $}, spec: {schema: {type: object}}}")
        .await;
    let selector = format!("--field-selector=spec.organization={name},spec.definition={name},status.phase=Active");
    let instance = name.clone();
    let lines = tokio::task::spawn_blocking(move || {
        let shown = shared_kubectl(&["get", "ent", "--namespace=entitlements", &selector]);
        let wide = shared_kubectl(&["get", "ent", "--namespace=entitlements", &selector, "--output=wide"]);
        let others = ["org", "facet", "edef"].map(|kind| shared_kubectl(&["get", kind, "--output=wide"]));
        let listed = shared_kubectl(&["get", "entitlements", "--all-namespaces", "--output=name"]);
        let explained = shared_kubectl(&["explain", "ent.spec.end"]);
        (shown, wide, others, listed, explained)
    });
    let (shown, wide, others, listed, explained) = lines.await.unwrap();
    let (shown, wide) = (columns(&shown), columns(&wide));
    let header = ["NAME", "ORGANIZATION", "DEFINITION", "AMOUNT", "PHASE", "REASON", "UNTIL", "AGE"];
    assert_eq!(shown[0], header);
    assert_eq!(shown[1][..6], [instance.as_str(), &instance, &instance, "Active", "Active", "2100-12-31"]);
    assert_eq!(shown.len(), 2);
    assert_eq!(wide[0], [&header[..], &["READY", "START"]].concat());
    let started = cluster.get("EntitlementInstance", "entitlements", "$").await.unwrap()["status"]["start"].clone();
    assert_eq!(wide[1][7..], ["True", started.as_str().unwrap()]);
    let headers = others.map(|output| output.lines().next().map(|line| columns(line).concat()));
    let words = |header: &str| Some(columns(header).concat());
    assert_eq!(
        headers,
        [
            words("NAME DISPLAY ACTIVE READY REASON NEXT AGE ZONE"),
            words("NAME DISPLAY READY REASON AGE"),
            words("NAME TYPE AMOUNT UNIT TERM ACTIVE READY REASON METERED AGE INVALID CATEGORY"),
        ]
    );
    for kind in ["organization", "entitlementdefinition", "entitlementinstance"] {
        assert!(listed.contains(&format!("{kind}.entitlements.dev/{name}\n")), "{listed}");
    }
    assert!(explained.contains("The first moment no longer in force"), "{explained}");
}

#[tokio::test]
async fn every_field_explains_itself() {
    let crds: Vec<Value> =
        entitlement_operator::api::crd::all().iter().map(|crd| serde_json::to_value(crd).unwrap()).collect();
    for crd in &crds {
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
        check_described(schema, crd["spec"]["names"]["kind"].as_str().unwrap());
    }
}

fn check_described(properties: &Value, path: &str) {
    for (name, schema) in properties.as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let is_standard = ["apiVersion", "kind", "metadata", "spec"].contains(&name.as_str());
        assert!(is_standard || schema["description"].is_string(), "{path} has no description");
        check_bounded(schema, &path);
        check_described(&schema["properties"], &path);
        check_described(&schema["items"]["properties"], &path);
        check_bounded(&schema["items"], &path);
    }
}

fn check_bounded(schema: &Value, path: &str) {
    let is_bounded = match schema["type"].as_str() {
        Some("string") => schema["maxLength"].is_number() || schema["enum"].is_array(),
        Some("array") => schema["maxItems"].is_number(),
        Some("object") => schema["additionalProperties"].is_null() || schema["maxProperties"].is_number(),
        _ => true,
    };
    assert!(is_bounded, "{path} has no bound: {schema}");
}
