//! The control plane of these tests is what they take it for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "they fail a test, in its helpers too")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Value, json};

use crate::plane::{Identity, Plane, PlaneOptions, Process};
use crate::wait::eventually;

/// Far more than anything here takes on an idle machine.
const DEADLINE: Duration = Duration::from_mins(1);

/// For the tests that stop nothing. It ends with the test program.
static PLANE: LazyLock<Plane> = LazyLock::new(|| start(PlaneOptions::default()));

fn start(options: PlaneOptions) -> Plane {
    Plane::start(options).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn kubectl(plane: &Plane, arguments: &[&str]) -> String {
    match plane.run_kubectl(arguments) {
        Ok(output) => output,
        Err(error) => panic!("{error}"),
    }
}

/// What kubectl says as someone else, or why it is refused.
fn kubectl_as(plane: &Plane, kubeconfig: &Path, arguments: &[&str]) -> Result<String, String> {
    let flag = format!("--kubeconfig={}", kubeconfig.display());
    let arguments: Vec<_> = [flag.as_str()].into_iter().chain(arguments.iter().copied()).collect();
    plane.run_kubectl(&arguments).map_err(|error| error.to_string())
}

/// Creates an object and returns its UID.
fn create(plane: &Plane, object: &Value) -> String {
    let mut child = plane
        .kubectl()
        .args(["create", "--filename=-", "--output=jsonpath={.metadata.uid}"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(object.to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "creating {object}");
    String::from_utf8(output.stdout).unwrap()
}

fn config_map(namespace: &str, name: &str, owner: Option<&Value>) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": namespace, "name": name, "ownerReferences": owner.into_iter().collect::<Vec<_>>()},
    })
}

#[track_caller]
fn await_absence(plane: &Plane, arguments: &[&str]) {
    let what = format!("{} is gone", arguments.join(" "));
    eventually(DEADLINE, &what, || {
        let found = plane.run_kubectl(&[&["get", "--ignore-not-found", "--output=yaml"], arguments].concat());
        match found {
            Ok(found) if found.is_empty() => Ok(()),
            Ok(found) => Err(found),
            Err(error) => Err(error.to_string()),
        }
    });
}

#[test]
fn rbac_refuses_whoever_has_no_role() {
    let plane = &*PLANE;
    kubectl(plane, &["create", "namespace", "rbac"]);
    let ann = plane.kubeconfig_for(Identity::User { name: "ann", groups: &["clerks"] }).unwrap();
    let list = ["get", "configmaps", "--namespace=rbac", "--output=name"];
    let refusal = kubectl_as(plane, &ann, &list).unwrap_err();
    assert!(refusal.contains(r#"User "ann" cannot list resource "configmaps""#), "{refusal}");

    kubectl(plane, &["create", "rolebinding", "clerks", "--namespace=rbac", "--clusterrole=view", "--group=clerks"]);
    let seen = eventually(DEADLINE, "ann may list ConfigMaps", || kubectl_as(plane, &ann, &list));
    assert!(seen.lines().all(|line| line == "configmap/kube-root-ca.crt"), "{seen}");
    let elsewhere = kubectl_as(plane, &ann, &["get", "configmaps", "--namespace=default"]);
    assert!(elsewhere.is_err(), "{elsewhere:?}");
}

#[test]
fn a_service_account_speaks_with_its_own_token() {
    let plane = &*PLANE;
    kubectl(plane, &["create", "namespace", "accounts"]);
    kubectl(plane, &["create", "serviceaccount", "robot", "--namespace=accounts"]);
    let robot = plane.kubeconfig_for(Identity::ServiceAccount { namespace: "accounts", name: "robot" }).unwrap();
    let who = kubectl_as(
        plane,
        &robot,
        &["auth", "whoami", "--output=jsonpath={.status.userInfo.username} {.status.userInfo.groups}"],
    );
    assert_eq!(
        who.as_deref(),
        Ok(concat!(
            "system:serviceaccount:accounts:robot ",
            r#"["system:serviceaccounts","system:serviceaccounts:accounts","system:authenticated"]"#
        ))
    );
    let refusal = kubectl_as(plane, &robot, &["get", "secrets"]).unwrap_err();
    assert!(refusal.contains(r#"in the namespace "accounts""#), "{refusal}");
}

#[test]
fn the_garbage_collector_removes_what_a_gone_owner_owned() {
    let plane = &*PLANE;
    kubectl(plane, &["create", "namespace", "garbage"]);
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "garbage-owner"},
    });
    for (kind, api, owner) in [
        ("ClusterRole", "rbac.authorization.k8s.io/v1", role),
        ("ConfigMap", "v1", config_map("garbage", "garbage-owner", None)),
    ] {
        let uid = create(plane, &owner);
        let reference = json!({"apiVersion": api, "kind": kind, "name": "garbage-owner", "uid": uid});
        create(plane, &config_map("garbage", "owned", Some(&reference)));
        create(plane, &config_map("garbage", &format!("not-owned-by-{}", kind.to_lowercase()), None));
        kubectl(plane, &["delete", kind, "garbage-owner", "--namespace=garbage"]);
        await_absence(plane, &["configmap", "owned", "--namespace=garbage"]);
    }
    for left in ["not-owned-by-clusterrole", "not-owned-by-configmap"] {
        kubectl(plane, &["get", "configmap", left, "--namespace=garbage"]);
    }
}

#[test]
fn a_deleted_namespace_goes_with_its_content() {
    let plane = &*PLANE;
    kubectl(plane, &["create", "namespace", "short-lived"]);
    create(plane, &config_map("short-lived", "content", None));
    kubectl(plane, &["delete", "namespace", "short-lived", "--wait=false"]);
    await_absence(plane, &["namespace", "short-lived"]);
    await_absence(plane, &["configmap", "content", "--namespace=short-lived"]);
}

#[test]
fn a_restart_keeps_ports_and_data() {
    let mut plane = start(PlaneOptions { audit: true, ..PlaneOptions::default() });
    let kubeconfig = fs::read(plane.kubeconfig()).unwrap();
    kubectl(&plane, &["create", "configmap", "kept"]);
    let uid_of = |plane: &Plane| kubectl(plane, &["get", "configmap", "kept", "--output=jsonpath={.metadata.uid}"]);
    let uid = uid_of(&plane);

    plane.stop(Process::ApiServer).unwrap();
    let refusal = plane.run_kubectl(&["get", "configmap", "kept"]);
    assert!(refusal.is_err(), "{refusal:?}");
    plane.start_process(Process::ApiServer).unwrap();
    assert_eq!(uid_of(&plane), uid);

    plane.kill(Process::Etcd).unwrap();
    plane.start_process(Process::Etcd).unwrap();
    plane.restart(Process::ControllerManager).unwrap();
    assert_eq!(uid_of(&plane), uid);
    assert_eq!(fs::read(plane.kubeconfig()).unwrap(), kubeconfig);

    let audit = fs::read_to_string(plane.audit_log().unwrap()).unwrap();
    let creations: Vec<_> = audit
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|event| event["verb"] == "create" && event["objectRef"]["name"] == "kept")
        .map(|event| (event["user"]["username"].clone(), event["stage"].clone()))
        .collect();
    assert_eq!(creations, [(json!("admin"), json!("ResponseComplete"))]);
}
