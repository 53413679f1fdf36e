//! Objects in every phase, and with the main failures, as a real operator leaves them.

use crate::{
    harness::{DEADLINE, condition, is_current, seconds_from_now, shared_kubectl, shared_plane},
    wait::until_approvals_count,
};
use serde_json::{Value, json};
use std::{fmt::Write as _, fs, sync::LazyLock};

const MANIFESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/gitops/situations.yaml");

/// An object, and what it is an example of.
pub struct Situation {
    pub title: String,
    pub object: Value,
}

/// The kind, the namespace or nothing, the name, and the reason of `Ready` that the operator comes to.
const SETTLED: [(&str, &str, &str, &str); 75] = [
    ("FacetDefinition", "", "wayne-sizes", "Valid"),
    ("FacetDefinition", "", "wayne-broken", "InvalidSchema"),
    ("EntitlementDefinition", "", "wayne-single", "Valid"),
    ("EntitlementDefinition", "", "wayne-plan", "Valid"),
    ("EntitlementDefinition", "", "wayne-dangling", "FacetNotFound"),
    ("EntitlementDefinition", "", "wayne-broken", "InvalidSchema"),
    ("Organization", "", "wayne", "Served"),
    ("Organization", "", "wayne-suspended", "Served"),
    ("Organization", "", "wayne-homeless", "NamespaceMissing"),
    ("Organization", "", "wayne-taker", "NamespaceTaken"),
    ("Organization", "", "wayne-refused", "NamespaceRefused"),
    ("Organization", "", "wayne-lost", "InvalidTimeZone"),
    ("Organization", "", "wayne-cramped", "Conflict"),
    ("EntitlementInstance", "entitlements", "wayne-active", "Active"),
    ("EntitlementInstance", "entitlements", "wayne-amended", "Active"),
    ("EntitlementInstance", "entitlements", "wayne-waiting", "Waiting"),
    ("EntitlementInstance", "entitlements", "wayne-draft", "Draft"),
    ("EntitlementInstance", "entitlements", "wayne-grace", "Grace"),
    ("EntitlementInstance", "entitlements", "wayne-suspended", "Suspended"),
    ("EntitlementInstance", "entitlements", "wayne-held", "Suspended"),
    ("EntitlementInstance", "entitlements", "wayne-expired", "Expired"),
    ("EntitlementInstance", "entitlements", "wayne-cancelled", "Cancelled"),
    ("EntitlementInstance", "entitlements", "wayne-homeless", "NamespaceMissing"),
    ("EntitlementInstance", "entitlements", "wayne-secret", "SecretNotFound"),
    ("EntitlementInstance", "entitlements", "wayne-wrong", "FacetsInvalid"),
    ("EntitlementInstance", "entitlements", "wayne-conflict", "Conflict"),
    ("EntitlementInstance", "entitlements", "wayne-unnamed", "InvalidName"),
    ("EntitlementInstance", "entitlements", "wayne-orphan", "OrganizationNotFound"),
    ("EntitlementInstance", "wayne", "wayne-own", "NamespaceNotAllowed"),
    ("EntitlementInstance", "entitlements", "wayne-lost", "OrganizationNotReady"),
    ("EntitlementInstance", "entitlements", "wayne-unknown", "DefinitionNotFound"),
    ("EntitlementInstance", "entitlements", "wayne-broken", "DefinitionNotReady"),
    ("EntitlementInstance", "entitlements", "wayne-counted", "InvalidAmount"),
    ("EntitlementInstance", "entitlements", "wayne-renewal", "RenewalInvalid"),
    ("EntitlementInstance", "entitlements", "wayne-backwards", "InvalidTerm"),
    ("EntitlementInstance", "entitlements", "wayne-second", "Duplicate"),
    ("EntitlementPlan", "", "wayne-bundle", "Valid"),
    ("EntitlementPlan", "", "wayne-nested", "IncludeNotFound"),
    ("EntitlementPlan", "", "wayne-chained", "IncludeNotReady"),
    ("EntitlementPlan", "", "wayne-hollow", "DefinitionNotFound"),
    ("EntitlementPlan", "", "wayne-shaky", "DefinitionNotReady"),
    ("EntitlementPlan", "", "wayne-circle", "IncludeCycle"),
    ("EntitlementPlan", "", "wayne-twice", "DuplicateEntitlement"),
    ("EntitlementPlan", "", "wayne-counted", "InvalidAmount"),
    ("EntitlementPlan", "", "wayne-wrong", "InvalidFacets"),
    ("EntitlementSubscription", "entitlements", "wayne-active", "Active"),
    ("EntitlementSubscription", "entitlements", "wayne-amended", "Active"),
    ("EntitlementSubscription", "entitlements", "wayne-waiting", "Waiting"),
    ("EntitlementSubscription", "entitlements", "wayne-draft", "Draft"),
    ("EntitlementSubscription", "entitlements", "wayne-grace", "Grace"),
    ("EntitlementSubscription", "entitlements", "wayne-suspended", "Suspended"),
    ("EntitlementSubscription", "entitlements", "wayne-expired", "Expired"),
    ("EntitlementSubscription", "entitlements", "wayne-cancelled", "Cancelled"),
    ("EntitlementSubscription", "entitlements", "wayne-stray", "EntryIgnored"),
    ("EntitlementSubscription", "entitlements", "wayne-orphan", "OrganizationNotFound"),
    ("EntitlementSubscription", "entitlements", "wayne-unknown", "PlanNotFound"),
    ("EntitlementSubscription", "entitlements", "wayne-hollow", "PlanNotReady"),
    ("EntitlementSubscription", "entitlements", "wayne-retired", "PlanRetired"),
    ("EntitlementSubscription", "entitlements", "wayne-second", "Duplicate"),
    ("EntitlementOverride", "entitlements", "wayne-active", "Active"),
    ("EntitlementOverride", "entitlements", "wayne-waiting", "Waiting"),
    ("EntitlementOverride", "entitlements", "wayne-held", "Suspended"),
    ("EntitlementOverride", "entitlements", "wayne-cancelled", "Cancelled"),
    ("EntitlementOverride", "entitlements", "wayne-asked", "ApprovalRequired"),
    ("EntitlementOverride", "entitlements", "wayne-denied", "Denied"),
    ("EntitlementOverride", "entitlements", "wayne-late", "ApprovalExpired"),
    ("EntitlementOverride", "entitlements", "wayne-fixed", "OverridesRefused"),
    ("EntitlementOverride", "entitlements", "wayne-counted", "InvalidAmount"),
    ("EntitlementOverride", "entitlements", "wayne-long", "InvalidTerm"),
    ("EntitlementOverride", "entitlements", "wayne-orphan", "OrganizationNotFound"),
    ("EntitlementOverride", "entitlements", "wayne-unknown", "DefinitionNotFound"),
    ("EntitlementUsage", "entitlements", "wayne-counted", "Counted"),
    ("EntitlementUsage", "entitlements", "wayne-wrong", "RegistersRefused"),
    ("EntitlementUsage", "entitlements", "wayne-free", "NotMetered"),
    ("EntitlementUsage", "wayne", "wayne-own", "NamespaceNotAllowed"),
];

/// The kinds that grants come from.
const OF_GRANTS: [&str; 3] = ["EntitlementInstance", "EntitlementSubscription", "EntitlementOverride"];
/// What is used, which lies where grants do.
const REPORT: &str = "EntitlementUsage";

/// All of them. They are made once, and stay.
pub fn all() -> &'static [Situation] {
    static ALL: LazyLock<Vec<Situation>> = LazyLock::new(make);
    &ALL
}

fn make() -> Vec<Situation> {
    until_approvals_count(&shared_kubectl);
    shared_kubectl(&["apply", "--server-side", "--filename", MANIFESTS]);
    deny();
    take_a_namespace();
    let settled = SETTLED.iter().map(|(kind, namespace, name, reason)| Situation {
        title: title(kind, name, reason),
        object: settled(kind, namespace, name, reason),
    });
    settled.chain(unsettled()).collect()
}

/// Somebody else denies an override.
fn deny() {
    let asked = get("EntitlementOverride", "entitlements", "wayne-denied");
    let decision = json!({
        "apiVersion": "entitlements.dev/v1alpha1",
        "kind": "OverrideDecision",
        "metadata": {"name": "wayne-denied", "namespace": "entitlements"},
        "spec": {
            "override": {"name": "wayne-denied", "uid": asked["metadata"]["uid"]},
            "definition": "wayne-guarded",
            "decision": "Deny",
            "decidedBy": "lucius",
        },
    });
    answered(&["create", "--as=lucius", "--as-group=system:masters"], &decision);
}

/// Makes an organization that claims a namespace of another, which is older by at least a second.
fn take_a_namespace() {
    let older = get("Organization", "", "wayne")["metadata"]["creationTimestamp"].as_str().unwrap().to_owned();
    crate::wait::eventually(DEADLINE, "a second has passed", || {
        let now = seconds_from_now(0);
        if now > older { Ok(()) } else { Err(now) }
    });
    let mut taker = manifest("Organization", "wayne-taker");
    taker["spec"]["namespaces"] = json!(["wayne"]);
    answered(&["create"], &taker);
}

fn title(kind: &str, name: &str, reason: &str) -> String {
    let mut title = format!("{kind}: {reason}");
    let more = match name {
        "wayne-plan" | "wayne-sizes" => ", a grant states what is not valid",
        "wayne-suspended" if kind == "Organization" => ", suspended",
        "wayne-amended" => ", an amendment is ignored",
        "wayne-held" => " with its organization",
        _ => "",
    };
    let _ = write!(title, "{more}");
    title
}

/// Waits until the operator has come to that.
fn settled(kind: &str, namespace: &str, name: &str, reason: &str) -> Value {
    crate::wait::eventually(DEADLINE, &format!("{kind} {name}: {reason}"), || {
        let object = get(kind, namespace, name);
        // The catalogue counts its grants a moment later.
        let is_counted =
            !["wayne-plan", "wayne-sizes"].contains(&name) || condition(&object, "FacetsValid")["status"] == "False";
        match is_current(&object) && condition(&object, "Ready")["reason"] == reason && is_counted {
            true => Ok(object),
            false => Err(format!("{:#}", object["status"])),
        }
    })
}

pub fn get(kind: &str, namespace: &str, name: &str) -> Value {
    let mut arguments = vec!["get", kind, name, "--output=json"];
    if !namespace.is_empty() {
        arguments.extend(["--namespace", namespace]);
    }
    serde_json::from_str(&shared_kubectl(&arguments)).unwrap()
}

fn spec(kind: &str, name: &str) -> Value {
    match kind {
        "FacetDefinition" => json!({"schema": {"type": "object"}}),
        "EntitlementDefinition" => json!({"type": "Feature"}),
        "EntitlementPlan" => json!({"allowMultiple": true}),
        "Organization" => json!({"namespaces": [name]}),
        "EntitlementSubscription" => {
            json!({"organization": "wayne-buyer", "plan": "wayne-bundle", "start": "2020-01-01"})
        }
        "EntitlementOverride" => json!({
            "organization": "wayne", "definition": "wayne-guarded", "end": "2098-12-31", "reason": "a trade fair",
            "requestedBy": "admin",
        }),
        REPORT => json!({"organization": "wayne", "definition": "wayne-hours"}),
        _ => json!({"organization": "wayne", "definition": "wayne-plan", "start": "2020-01-01"}),
    }
}

/// What kubectl says about an object is what the API server has answered, before the operator has seen it.
fn answered(verb: &[&str], manifest: &Value) -> Value {
    let name = manifest["metadata"]["name"].as_str().unwrap();
    let file = shared_plane().folder().join(format!("{name}-{}-{}.json", manifest["kind"].as_str().unwrap(), verb[0]));
    fs::write(&file, manifest.to_string()).unwrap();
    let mut arguments = verb.to_vec();
    arguments.extend(["--output=json", "--filename", file.to_str().unwrap()]);
    serde_json::from_str(&shared_kubectl(&arguments)).unwrap()
}

fn manifest(kind: &str, name: &str) -> Value {
    let mut manifest = json!({
        "apiVersion": "entitlements.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec(kind, name),
    });
    if OF_GRANTS.contains(&kind) || kind == REPORT {
        manifest["metadata"]["namespace"] = "entitlements".into();
    }
    manifest
}

/// Fresh ones, changed ones, and such as are being deleted.
fn unsettled() -> Vec<Situation> {
    let kinds = [
        "FacetDefinition",
        "EntitlementDefinition",
        "EntitlementPlan",
        "Organization",
        "EntitlementInstance",
        "EntitlementSubscription",
        "EntitlementOverride",
        REPORT,
    ];
    let mut situations = Vec::new();
    for kind in kinds {
        let fresh = manifest(kind, "wayne-fresh");
        situations.push(Situation { title: format!("{kind}: just made"), object: answered(&["create"], &fresh) });
    }
    for kind in kinds {
        let mut changed = manifest(kind, "wayne-changed");
        let (field, value) = match kind {
            "EntitlementOverride" => ("cancelled", json!(true)),
            REPORT => ("registers", json!([{"key": "CASE-2", "at": "2020-01-01", "amount": 1}])),
            _ if OF_GRANTS.contains(&kind) => ("priority", json!(7)),
            _ => ("displayName", json!("changed")),
        };
        answered(&["create"], &changed);
        let namespace = changed["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
        seen(kind, &namespace, "wayne-changed");
        changed["spec"][field] = value;
        let title = format!("{kind}: just changed");
        situations.push(Situation { title, object: answered(&["replace"], &changed) });
    }
    for kind in kinds {
        let mut leaving = manifest(kind, "wayne-leaving");
        leaving["metadata"]["finalizers"] = json!(["example.com/held"]);
        answered(&["create"], &leaving);
        let namespace = leaving["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
        seen(kind, &namespace, "wayne-leaving");
        let mut delete = vec!["delete", kind, "wayne-leaving", "--wait=false"];
        let mut patch =
            vec!["patch", kind, "wayne-leaving", "--type=merge", r#"--patch={"metadata":{"finalizers":null}}"#];
        if !namespace.is_empty() {
            delete.extend(["--namespace", &namespace]);
            patch.extend(["--namespace", &namespace]);
        }
        shared_kubectl(&delete);
        // What it is, the operator says also of one that is being deleted, but for an organization.
        if kind != "Organization" {
            seen(kind, &namespace, "wayne-leaving");
        }
        let object = get(kind, &namespace, "wayne-leaving");
        shared_kubectl(&patch);
        situations.push(Situation { title: format!("{kind}: being deleted"), object });
    }
    situations
}

/// Waits until the operator has seen it.
fn seen(kind: &str, namespace: &str, name: &str) {
    crate::wait::eventually(DEADLINE, &format!("{kind} {name} is seen"), || {
        let object = get(kind, namespace, name);
        if is_current(&object) { Ok(()) } else { Err(object) }
    });
}
