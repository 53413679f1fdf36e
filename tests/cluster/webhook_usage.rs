//! What the admission webhook says of reports of usage.

use crate::{
    harness::{Cluster, ORGANIZATION, grant},
    webhook::{applied, kubectl, refused, shared},
};
use serde_json::{Value, json};

const CASES: &str = "
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $}
spec: {type: Quantity, unit: cases, amount: 10, usage: {mode: Consumed, period: P1Y, channels: [{name: phone}]}}
";

/// A report as a manifest, in which `$` stands for the test's name.
fn manifest(cluster: &Cluster, name: &str, namespace: &str, spec: &Value) -> String {
    let mut object = json!({
        "apiVersion": "entitlements.dev/v1alpha1",
        "kind": "EntitlementUsage",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"organization": "$", "definition": "$", "registers": []},
    });
    object["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    object.to_string().replace('$', &cluster.name)
}

fn registers(terms: &Value) -> Value {
    let mut one = json!({"key": "CASE-1", "at": "2026-06-01T00:00:00Z", "channel": "phone", "amount": 1});
    one.as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
    json!({"registers": [one]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_refused_for_what_its_condition_would_say() {
    let (stage, cluster) = shared().await;
    cluster.apply(ORGANIZATION).await;
    cluster.apply(CASES).await;
    let free = CASES.replace("{name: $}", "{name: $-free}");
    let (free, _) = free.split_once(", usage:").unwrap();
    cluster.apply(&format!("{free}}}")).await;
    let name = cluster.name.clone();
    cluster.create(grant(&name, &name, &name, json!({"start": "2026-01-01"}))).await.unwrap();
    cluster.phase(&name, "Active").await;
    let of = |spec: &Value| manifest(&cluster, "$", "entitlements", spec);
    let apply = ["apply", "--filename=-"];
    for (namespace, spec, expected) in [
        ("$", json!({}), "NamespaceNotAllowed: organization $ does not let its usage be reported from namespace $"),
        ("entitlements", json!({"definition": "$-free"}), "NotMetered: definition $-free is not metered"),
        (
            "entitlements",
            registers(&json!({"at": "2026-02-30"})),
            "RegistersRefused: CASE-1: at: \"2026-02-30\" is no date or time",
        ),
    ] {
        let said = tokio::task::block_in_place(|| refused(stage, &apply, &manifest(&cluster, "$", namespace, &spec)));
        assert!(said.starts_with(&expected.replace('$', &name)), "{said}");
    }
    // What is named may come later.
    for (spec, expected) in [
        (json!({"organization": "$-nobody"}), "Warning: OrganizationNotFound: there is no organization $-nobody"),
        (json!({"definition": "$-nothing"}), "Warning: DefinitionNotFound: there is no definition $-nothing"),
        (
            registers(&json!({"at": "2072-01-01"})),
            "Warning: CASE-1: it is dated 2072-01-01T00:00:00Z, which lies ahead",
        ),
        (registers(&json!({"at": "2025-12-31"})), "Warning: CASE-1 is dated when the organization did not hold it"),
        (registers(&json!({"channel": "fax"})), "Warning: the definition does not list channel \"fax\""),
    ] {
        let said = tokio::task::block_in_place(|| {
            kubectl(stage, &["apply", "--dry-run=server", "--filename=-"], &of(&spec)).1
        });
        assert!(said.contains(&expected.replace('$', &name)), "{said}");
    }
    let said = tokio::task::block_in_place(|| applied(stage, &of(&registers(&json!({})))));
    assert!(!said.contains("Warning"), "{said}");
    let seen = |seen: &Value| seen["status"]["observedGeneration"] == 1;
    cluster.until("EntitlementUsage", "entitlements", "$", "is seen", seen).await;
    let said = tokio::task::block_in_place(|| {
        applied(stage, &manifest(&cluster, "$-again", "entitlements", &registers(&json!({}))))
    });
    let expected = format!("Warning: CASE-1 is in the report entitlements/{name}, too, and both count");
    assert!(said.contains(&expected), "{said}");
    let (_, said) = tokio::task::block_in_place(|| {
        kubectl(stage, &["delete", "entitlementusage", &name, "--namespace=entitlements"], "")
    });
    assert!(said.contains("Warning: its register counts no more: what it used is given back"), "{said}");
}
