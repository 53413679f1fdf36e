//! What the admission webhook says of subscriptions, and of what they use.

use crate::{
    harness::Cluster,
    subscriptions::sold,
    webhook::{applied, kubectl, refused, shared},
};
use serde_json::{Value, json};

/// A subscription as a manifest, in which `$` stands for the test's name.
fn manifest(cluster: &Cluster, name: &str, spec: Value) -> String {
    let mut object = json!({
        "apiVersion": "entitlements.dev/v1alpha1",
        "kind": "EntitlementSubscription",
        "metadata": {"name": name, "namespace": "entitlements"},
        "spec": {"organization": "$", "plan": "$-business", "start": "2020-01-01"},
    });
    object["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    object.to_string().replace('$', &cluster.name)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_is_refused_for_what_its_conditions_would_say() {
    let (stage, cluster) = shared().await;
    sold(&cluster).await;
    let name = cluster.name.clone();
    let of = |spec: Value| manifest(&cluster, &name, spec);
    let apply = ["apply", "--filename=-"];
    for (spec, expected) in [
        (json!({"organization": "$-nobody"}), "OrganizationNotFound: there is no organization $-nobody"),
        (json!({"plan": "$-nothing"}), "PlanNotFound: there is no plan $-nothing"),
        (json!({"plan": "$-extra"}), "PlanNotReady: plan $-extra is an AddOn"),
        (json!({"end": "2019-01-01"}), "InvalidTerm: "),
    ] {
        let said = tokio::task::block_in_place(|| refused(stage, &apply, &of(spec)));
        assert!(said.starts_with(&expected.replace('$', &name)), "{said}");
    }
    // One that is made, perhaps anew, may have entries that are left out.
    let wrong = json!({"addOns": [{"name": "wrong", "plan": "$-enterprise"}]});
    let said = tokio::task::block_in_place(|| applied(stage, &of(wrong.clone())));
    assert!(said.contains("Warning: it is left out: addOns wrong: "), "{said}");
    let seen = cluster
        .until("EntitlementSubscription", "entitlements", "$", "is active", |seen| seen["status"]["phase"] == "Active");
    assert_eq!(seen.await["status"]["entries"][0]["name"], "wrong");
    // What was wrong before is no reason to refuse a change; what becomes wrong is.
    let said = tokio::task::block_in_place(|| {
        let more = json!({"addOns": [{"name": "wrong", "plan": "$-enterprise"}], "priority": 3});
        applied(stage, &of(more));
        applied(stage, &of(json!({"addOns": [{"name": "seats", "plan": "$-extra"}]})));
        let both = json!({"addOns": [{"name": "seats", "plan": "$-extra"}], "add": [{"name": "favour", "definition": "$-nothing"}]});
        refused(stage, &apply, &of(both))
    });
    assert!(said.starts_with("EntryIgnored: add favour: "), "{said}");
    // A second one of the line, and what is used by the first.
    let said = tokio::task::block_in_place(|| {
        refused(stage, &apply, &manifest(&cluster, &format!("{name}-second"), json!({"plan": "$-enterprise"})))
    });
    assert!(said.starts_with("Duplicate: "), "{said}");
    for (kind, what, expected) in [
        ("entitlementplan", "$-business", "InUse: plan $-business is still had by the subscription entitlements/$:"),
        ("entitlementplan", "$-extra", "InUse: plan $-extra is still had by the subscription entitlements/$:"),
        (
            "entitlementdefinition",
            "$-members",
            "InUse: definition $-members is still held, by the subscription entitlements/$:",
        ),
    ] {
        let what = what.replace('$', &name);
        let said = tokio::task::block_in_place(|| refused(stage, &["delete", kind, &what], ""));
        assert!(said.starts_with(&expected.replace('$', &name)), "{said}");
    }
    let (is_content, said) = tokio::task::block_in_place(|| {
        kubectl(stage, &["delete", "entitlementsubscription", &name, "--namespace=entitlements"], "")
    });
    assert!(is_content, "{said}");
}
