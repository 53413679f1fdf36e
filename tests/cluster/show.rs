//! `show`, with the rights of tenants.

use crate::harness::{DEADLINE, FEATURE, ORGANIZATION, Stage};
use std::{
    path::Path,
    process::{Command, Output},
    time::Instant,
};

const RIGHTS: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: get, namespace: acme}
rules: [{apiGroups: [''], resources: [configmaps], resourceNames: [entitlements], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: list, namespace: acme}
rules: [{apiGroups: [''], resources: [configmaps], verbs: [list]}]
";

const GRANT: &str = "
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementInstance
metadata: {name: acme, namespace: entitlements}
spec: {organization: acme, definition: acme, start: '2026-01-01', end: '2090-12-31'}
";

struct Tenant<'a> {
    stage: &'a Stage,
    user: &'static str,
}

impl Tenant<'_> {
    fn show(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        show(self.stage.plane.kubeconfig(), &[arguments, &["--as", self.user]].concat())
    }

    /// Once the API server's authorizer knows of the rights.
    fn shows(&self, arguments: &[&str], code: i32, text: &str) {
        let started = Instant::now();
        loop {
            let (found, output, errors) = self.show(arguments);
            let all = format!("{output}{errors}");
            if (found, all.as_str()) == (Some(code), text) {
                return;
            }
            assert!(started.elapsed() < DEADLINE, "{arguments:?}: {found:?}: {all}\nand not\n{text}");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }
}

fn show(kubeconfig: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_entitlement-operator"))
        .arg("show")
        .args(arguments)
        .env("KUBECONFIG", kubeconfig)
        .env("TZ", "UTC")
        .env("COLUMNS", "100")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn apply(stage: &Stage, manifests: &str) {
    let file = stage.plane.folder().join("tenants.yaml");
    std::fs::write(&file, manifests).unwrap();
    stage.kubectl(&["apply", "--filename", file.to_str().unwrap()]);
}

fn table(name: &str) -> String {
    format!(
        "acme, by ConfigMap acme/{name}\ndays and times are those of UTC\n\nENTITLEMENT   HAS   UNTIL\nacme          yes   2090-12-31\n"
    )
}

#[test]
fn a_tenant_sees_what_its_organization_holds_with_no_right_but_to_read_that() {
    let stage = Stage::start();
    let operator = stage.operator(&[]);
    apply(&stage, &[ORGANIZATION, FEATURE, GRANT, RIGHTS].join("---").replace('$', "acme"));
    stage.kubectl(&["wait", "--for=condition=Ready", "ent/acme", "--namespace=entitlements", "--timeout=60s"]);
    for user in ["get", "list"] {
        let role = format!("--role={user}");
        stage.kubectl(&["create", "rolebinding", user, &role, &format!("--user={user}"), "--namespace=acme"]);
    }
    let [get, list, nobody] = ["get", "list", "nobody"].map(|user| Tenant { stage: &stage, user });
    get.shows(&["-n", "acme"], 0, &table("entitlements"));
    list.shows(&["-n", "acme"], 0, &table("entitlements"));
    get.shows(&["-n", "acme", "acme", "-o", "json"], 0, &format!("{}\n", entry()));
    get.shows(&["-n", "acme", "other", "-o", "json"], 1, "null\n");
    let forbidden = |what: &str, name: &str| {
        format!(
            "entitlement-operator: you may not get ConfigMap {what}: ask for that right (get on configmaps, with resourceNames: [{name}]), or read the file that a pod mounts, with -f\n"
        )
    };
    nobody.shows(&["-n", "acme"], 2, &forbidden("acme/entitlements, nor list ConfigMaps there", "entitlements"));
    // Another name is found by its labels.
    let patch = r#"{"spec":{"summary":{"name":"ours"}}}"#;
    stage.kubectl(&["patch", "org", "acme", "--type=merge", "--patch", patch]);
    stage.kubectl(&["wait", "--for=delete", "configmap/entitlements", "--namespace=acme", "--timeout=60s"]);
    list.shows(&["-n", "acme"], 0, &table("ours"));
    let absent = |place: &str, elsewhere: &str| {
        format!(
            "entitlement-operator: there is no ConfigMap {place}: no Organization lists the namespace, or the operator has not come to it yet; ask whoever runs the operator{elsewhere}\n"
        )
    };
    let another = "; or it has another name: give it with --summary";
    get.shows(&["-n", "acme"], 2, &absent("acme/entitlements", another));
    get.shows(&["-n", "acme", "--summary", "ours"], 2, &forbidden("acme/ours", "ours"));
    let admin = |arguments: &[&str]| {
        let (code, output, errors) = show(stage.plane.kubeconfig(), arguments);
        assert_eq!((code, output.as_str()), (Some(2), ""), "{arguments:?}");
        errors
    };
    // The context has no namespace, so it is that of the name default.
    assert_eq!(admin(&[]), absent("default/entitlements", ""));
    // What a tenant has made, or copied, is not taken for the operator's.
    stage.kubectl(&["create", "configmap", "entitlements", "--from-literal=entitlements.json={}"]);
    let foreign = |place: &str, what: &str| {
        format!(
            "entitlement-operator: ConfigMap {place} was made, or changed, by somebody else than the operator ({what}), so nothing is known by it: remove it, and the operator writes its own; or name the summary with --summary\n"
        )
    };
    assert_eq!(admin(&[]), foreign("default/entitlements", "it does not have the operator's label"));
    let copy = stage.kubectl(&["get", "configmap", "ours", "--namespace=acme", "--output=json"]);
    let mut copy: serde_json::Value = serde_json::from_str(&copy).unwrap();
    copy["metadata"]["namespace"] = "default".into();
    copy["metadata"]["ownerReferences"] = serde_json::Value::Null;
    for field in ["uid", "resourceVersion", "managedFields", "creationTimestamp"] {
        copy["metadata"].as_object_mut().unwrap().remove(field);
    }
    apply(&stage, &copy.to_string());
    assert_eq!(admin(&[]), foreign("default/ours", "it does not have its organization as its owner"));
    assert_eq!(admin(&["-n", "acme", "--summary", "acme-config"]), absent("acme/acme-config", ""));
    assert_eq!(admin(&["-n", "acme", "--summary", "acme"]), foreign("acme/acme", "it is what one definition delivers"));
    drop(operator);
}

fn entry() -> String {
    let entry = serde_json::json!({
        "entitled": true, "displayName": "acme", "type": "Feature", "unit": null, "amount": null,
        "validFrom": "2026-01-01T00:00:00Z", "validUntil": "2091-01-01T00:00:00Z", "end": "2091-01-01T00:00:00Z", "facets": {},
    });
    serde_json::to_string_pretty(&entry).unwrap()
}
