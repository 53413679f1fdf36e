//! What the admission webhook says of overrides, and of decisions on them.

use crate::{
    approval_policies::{asked_by, decided_by},
    harness::{Cluster, FEATURE, ORGANIZATION},
    webhook::{applied, kubectl, refused, shared},
};
use serde_json::{Value, json};
use tokio::task::block_in_place;

const APPLY: [&str; 2] = ["apply", "--filename=-"];
const FIXED: &str = "
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $-fixed}
spec: {type: Feature, overrides: {refused: true}}
";

/// An override of `$` to `$` that the test asks for, with other fields of its spec.
fn asked(cluster: &Cluster, name: &str, more: &Value) -> Value {
    let mut object = asked_by("admin", name, json!({}));
    let spec = object["spec"].as_object_mut().unwrap();
    spec.extend(json!({"organization": "$", "definition": "$"}).as_object().unwrap().clone());
    spec.extend(more.as_object().unwrap().clone());
    serde_json::from_str(&object.to_string().replace('$', &cluster.name)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_override_is_refused_for_what_its_conditions_would_say_and_not_for_what_it_waits_for() {
    let (stage, cluster) = shared().await;
    for yaml in [ORGANIZATION, FEATURE, FIXED] {
        cluster.apply(yaml).await;
    }
    for definition in ["$", "$-fixed"] {
        cluster.condition("EntitlementDefinition", definition, "Ready", "True", "Valid").await;
    }
    cluster.until_protected().await;
    let name = cluster.name.clone();
    for (spec, expected) in [
        (json!({"organization": "$-nobody"}), "OrganizationNotFound: there is no organization $-nobody"),
        (json!({"definition": "$-nothing"}), "DefinitionNotFound: there is no definition $-nothing"),
        (json!({"definition": "$-fixed"}), "OverridesRefused: there are no overrides of $-fixed"),
        (json!({"amount": 3}), "InvalidAmount: $ is a Feature"),
        (json!({"end": "2190-01-01"}), "InvalidTerm: "),
    ] {
        let said = block_in_place(|| refused(stage, &APPLY, &asked(&cluster, &name, &spec).to_string()));
        assert!(said.starts_with(&expected.replace('$', &name)), "{said}");
    }
    let said = block_in_place(|| applied(stage, &asked(&cluster, &name, &json!({})).to_string()));
    assert!(!said.contains("Warning"), "{said}");
    let is_asked_for = |seen: &Value| seen["status"]["phase"] == "Requested";
    let made = cluster.until("EntitlementOverride", "entitlements", "$", "is asked for", is_asked_for).await;

    // A decision that cannot count is made all the same, and its author is told.
    let decision = |spec: Value| {
        let mut decision = decided_by("admin", &format!("{name}-decision"), &made, "Approve");
        decision["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        decision.to_string()
    };
    let try_out = ["create", "--dry-run=server", "--filename=-"];
    let elsewhere = json!({"override": {"name": format!("{name}-gone"), "uid": "u"}});
    for (spec, expected) in [
        (json!({}), "Warning: it will not count: admin asked for it, so others have to decide"),
        (json!({"override": {"name": name, "uid": "u-old"}}), "is not the one that this is about"),
        (json!({"definition": format!("{name}-fixed")}), "is of definition $: name that"),
        (elsewhere, "Warning: it will not count: no override entitlements/$-gone is known that could be decided"),
    ] {
        let (is_made, said) = block_in_place(|| kubectl(stage, &try_out, &decision(spec)));
        assert!(is_made && said.contains(&expected.replace('$', &name)), "{said}");
    }

    // Approved by another, it goes with a word.
    cluster.bind("entitlements-approver", "$-bob", true).await;
    let by_bob = decided_by(&format!("{name}-bob"), &format!("{name}-yes"), &made, "Approve");
    cluster.as_user("$-bob").create(by_bob).await.unwrap();
    let is_active = |seen: &Value| seen["status"]["phase"] == "Active";
    cluster.until("EntitlementOverride", "entitlements", "$", "is active", is_active).await;
    let (is_gone, said) = block_in_place(|| kubectl(stage, &["delete", "eovr", &name, "--namespace=entitlements"], ""));
    let expected = format!("Warning: {name}-bob approved it, and that goes with it");
    assert!(is_gone && said.contains(&expected), "{said}");
}
