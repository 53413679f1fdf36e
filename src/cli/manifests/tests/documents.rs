//! Lists, and what an object is.

use super::{
    super::document::{Recognised, objects, recognise},
    EntitlementKind, document,
};
use serde_json::{Value, json};

#[test]
fn lists_are_taken_apart_however_deep() {
    let written = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: a/v1, kind: A}\n- apiVersion: v1\n  kind: List\n  items:\n  - {apiVersion: b/v1, kind: B}\n- apiVersion: v1\n  kind: SecretList\n  items:\n  - metadata: {name: s}\n  - {apiVersion: v1, kind: Secret}\n";
    let values: Vec<Value> = objects(document(written)).iter().map(super::Node::to_value).collect();
    assert_eq!(
        values,
        [
            json!({"apiVersion": "a/v1", "kind": "A"}),
            json!({"apiVersion": "b/v1", "kind": "B"}),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}),
            json!({"apiVersion": "v1", "kind": "Secret"}),
        ]
    );
}

#[test]
fn an_object_that_only_looks_like_a_list_is_an_object() {
    let written = "apiVersion: x/v1\nkind: AllowList\nspec: {}\n";
    assert_eq!(objects(document(written)).len(), 1);
}

#[test]
fn kinds_are_recognised() {
    let unknown = |message: &str| Recognised::Unknown(message.to_owned());
    for (written, expected) in [
        (
            "{apiVersion: entitlements.dev/v1alpha1, kind: Organization}",
            Recognised::Entitlement(EntitlementKind::Organization),
        ),
        ("{apiVersion: v1, kind: Secret}", Recognised::Secret),
        ("{apiVersion: apps/v1, kind: Deployment}", Recognised::Other("Deployment".to_owned())),
        ("{apiVersion: example.com/v1, kind: Organization}", Recognised::Other("Organization".to_owned())),
        (
            "{apiVersion: entitlements.dev/v1alpha1, kind: EntitlmentInstance}",
            unknown("entitlements.dev/v1alpha1 has no kind EntitlmentInstance: did you mean EntitlementInstance?"),
        ),
        (
            "{apiVersion: entitlements.dev/v1alpha1, kind: Plan}",
            unknown(
                "entitlements.dev/v1alpha1 has no kind Plan: its kinds are Organization, FacetDefinition, EntitlementDefinition, EntitlementPlan, EntitlementInstance, EntitlementSubscription, EntitlementOverride, OverrideDecision, EntitlementUsage",
            ),
        ),
        (
            "{apiVersion: entitlements.dev/v1, kind: Organization}",
            unknown("there is no version entitlements.dev/v1: write entitlements.dev/v1alpha1"),
        ),
        (
            "{apiVersion: entitlement.dev/v1alpha1, kind: Organization}",
            unknown("Organization is a kind of entitlements.dev/v1alpha1, not of entitlement.dev/v1alpha1"),
        ),
        ("{kind: EntitlementInstance}", unknown("apiVersion (entitlements.dev/v1alpha1) or kind is missing")),
        (
            "{apiVersion: entitlements.dev/v1alpha1}",
            unknown("apiVersion (entitlements.dev/v1alpha1) or kind is missing"),
        ),
        ("{replicas: 1}", Recognised::Nothing("it is no object of Kubernetes: apiVersion or kind is missing")),
        (
            "just text",
            Recognised::Nothing("it is no object of Kubernetes, which has the fields apiVersion, kind and metadata"),
        ),
    ] {
        assert_eq!(recognise(&document(written)), expected, "{written}");
    }
}
