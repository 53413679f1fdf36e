//! What the operator says before it begins, and that it begins by itself once nothing is missing.

use crate::{
    harness::{DEADLINE, Operator, Stage},
    plane::{PlaneOptions, Process},
    wait::eventually,
};
use serde_json::{Value, json};
use std::{fs, process::Command};

/// How libraries speak.
const NOT_FOR_PEOPLE: [&str; 9] =
    ["Error", "hyper", "kube_", "Service(", "Status {", "Some(", "Custom {", "os error", "failed with"];

/// Waits until an operator has said something, and returns all that it has said.
fn until_said(operator: &Operator, what: &str) -> String {
    eventually(DEADLINE, what, || {
        let log = operator.log();
        if log.contains(what) { Ok(log) } else { Err(log) }
    })
}

fn is_for_people(log: &str) {
    for sign in NOT_FOR_PEOPLE {
        assert!(!log.contains(sign), "{sign}: {log}");
    }
}

/// The lists of what is missing, without the time and the module before them.
fn lists(log: &str) -> Vec<String> {
    let mut lists: Vec<String> = Vec::new();
    for line in log.lines() {
        let is_more = line.starts_with("- ") || line.starts_with("    ");
        match (is_more, lists.last_mut()) {
            (true, Some(list)) => *list = format!("{list}\n{line}"),
            _ => lists.extend(line.split_once("preflight: ").map(|(_, said)| said.to_owned())),
        }
    }
    lists
}

#[test]
fn without_kinds_and_namespaces_it_says_so_and_begins_when_they_are_there() {
    let stage = Stage::bare(PlaneOptions::default());
    let operator = stage.operator_that_logs("info", &[]);
    let log = until_said(&operator, "kubectl create namespace entitlements\n");
    assert!(log.contains(r#"the operator has made its namespace namespace="entitlement-operator""#), "{log}");
    let missing = "\
the operator waits until this is mended:
- the CustomResourceDefinition organizations.entitlements.dev is not installed
- the CustomResourceDefinition facetdefinitions.entitlements.dev is not installed
- the CustomResourceDefinition entitlementdefinitions.entitlements.dev is not installed
- the CustomResourceDefinition entitlementplans.entitlements.dev is not installed
- the CustomResourceDefinition entitlementinstances.entitlements.dev is not installed
- the CustomResourceDefinition entitlementsubscriptions.entitlements.dev is not installed
- the CustomResourceDefinition entitlementoverrides.entitlements.dev is not installed
- the CustomResourceDefinition overridedecisions.entitlements.dev is not installed
- the CustomResourceDefinition entitlementusages.entitlements.dev is not installed
    entitlement-operator crds | kubectl apply -f -
- the namespace entitlements does not exist: grants are made there
    kubectl create namespace entitlements";
    assert_eq!(lists(&log).last().unwrap(), missing);
    // Ones of another version would lose what this one writes.
    let crds = concat!(env!("CARGO_MANIFEST_DIR"), "/crds");
    let old = fs::read_to_string(format!("{crds}/entitlementinstances.yaml")).unwrap();
    let mut old: Value = serde_saphyr::from_str(&old).unwrap();
    let schema = &mut old["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
    schema["status"]["properties"].as_object_mut().unwrap().remove("accepted");
    for file in [
        "organizations",
        "facetdefinitions",
        "entitlementdefinitions",
        "entitlementplans",
        "entitlementsubscriptions",
        "entitlementoverrides",
        "overridedecisions",
        "entitlementusages",
    ] {
        stage.kubectl(&["apply", "--filename", &format!("{crds}/{file}.yaml")]);
    }
    let path = stage.plane.folder().join("old.yaml");
    fs::write(&path, old.to_string()).unwrap();
    stage.kubectl(&["apply", "--filename", path.to_str().unwrap()]);
    let log = until_said(&operator, "is older than the operator: it lacks status.accepted\n");
    assert!(!log.contains("ready:"), "{log}");
    stage.kubectl(&["apply", "--filename", crds]);
    stage.kubectl(&["create", "namespace", "entitlements"]);
    let log = until_said(&operator, "ready: cluster https://127.0.0.1:");
    assert!(log.contains(", 0 definitions, 0 organizations, 0 grants\n"), "{log}");
    assert_eq!(log.matches("nothing is missing any more").count(), 1, "{log}");
    is_for_people(&log);
}

/// The operator as the service account of its installation.
fn as_account(stage: &Stage) -> Operator {
    stage.operator_that_logs("info", &[&stage.of_account()])
}

/// As `entitlement-operator manifests | kubectl apply -f -`.
fn do_as_advised(stage: &Stage) {
    stage.kubectl(&["apply", "--filename", stage.manifests(&[]).to_str().unwrap()]);
}

/// Takes one verb from what the operator may do with a resource.
pub fn take_away(stage: &Stage, kind: &str, resource: &str, verb: &str) {
    let get = ["get", kind, "entitlement-operator", "--namespace=entitlement-operator", "--output=json"];
    let mut found: Value = serde_json::from_str(&stage.kubectl(&get)).unwrap();
    let rules = found["rules"].as_array_mut().unwrap();
    let is_it = |rule: &&mut Value| rule["resources"].as_array().unwrap().contains(&json!(resource));
    let rule = rules.iter_mut().find(is_it).unwrap();
    let mut less = rule.clone();
    less["resources"] = json!([resource]);
    less["verbs"].as_array_mut().unwrap().retain(|one| one != verb);
    rule["resources"].as_array_mut().unwrap().retain(|one| one != resource);
    if rule["resources"] == json!([]) {
        *rule = less;
    } else {
        rules.push(less);
    }
    rules.retain(|rule| rule["verbs"] != json!([]));
    let path = stage.plane.folder().join("role.json");
    fs::write(&path, found.to_string()).unwrap();
    stage.kubectl(&["replace", "--filename", path.to_str().unwrap()]);
}

#[test]
fn without_rights_it_names_each_and_begins_when_they_are_given() {
    let stage = Stage::bare(PlaneOptions::default());
    stage.install_kinds();
    stage.kubectl(&["create", "serviceaccount", "entitlement-operator", "--namespace=entitlement-operator"]);
    let operator = as_account(&stage);
    let log = until_said(&operator, "manifests | kubectl apply -f -\n");
    let list = lists(&log).pop().unwrap();
    let of = |verbs: &str, why: &str| format!("- no right to {verbs} ({why})\n");
    for line in [
        of("list, watch organizations.entitlements.dev", "to know the clients"),
        of("patch entitlementinstances.entitlements.dev/status", "to say on each what came of it"),
        of("patch namespaces entitlements", "to mark there that it works on the cluster, so that no second one does"),
        of(
            "get, list, watch, create, patch, delete configmaps",
            "to deliver outputs, put them right, and withdraw them",
        ),
        of("create events.events.k8s.io", "to tell of what happens"),
    ] {
        assert!(list.contains(&line), "{line}{list}");
    }
    assert_eq!(list.lines().count(), 1 + 29 + 1, "{list}");
    do_as_advised(&stage);
    is_for_people(&until_said(&operator, "ready: cluster https://127.0.0.1:"));
    drop(operator);

    // One verb less is named as it is, and nothing else.
    for (role, resource, verb, said) in [
        (
            "clusterrole",
            "configmaps",
            "watch",
            "watch configmaps (to deliver outputs, put them right, and withdraw them)",
        ),
        (
            "role",
            "controllerrevisions",
            "delete",
            "delete controllerrevisions.apps in namespace entitlement-operator (to keep the last valid states of the catalogue)",
        ),
    ] {
        take_away(&stage, role, resource, verb);
        let operator = as_account(&stage);
        let log = until_said(&operator, "manifests | kubectl apply -f -\n");
        let expected = format!(
            "the operator waits until this is mended:\n- no right to {said}\n    entitlement-operator manifests | kubectl apply -f -"
        );
        assert_eq!(lists(&log), [expected]);
        do_as_advised(&stage);
        until_said(&operator, "ready: cluster https://127.0.0.1:");
    }
    // What is beside the work holds up nothing.
    take_away(&stage, "clusterrole", "events", "create");
    let operator = as_account(&stage);
    let log = until_said(&operator, "ready: cluster https://127.0.0.1:");
    let expected = "the operator works, but for this:\n- no right to create events.events.k8s.io (to tell of what happens)\n    entitlement-operator manifests | kubectl apply -f -";
    assert_eq!(lists(&log), [expected]);
}

#[test]
fn without_an_api_server_it_waits_for_one() {
    let mut stage = Stage::start();
    stage.plane.stop(Process::ApiServer).unwrap();
    let operator = stage.operator_that_logs("info", &[]);
    let log = until_said(&operator, "kubectl cluster-info");
    let list = lists(&log).pop().unwrap();
    let head = "the operator waits for the API server:\n- the API server at https://127.0.0.1:";
    assert!(list.starts_with(head), "{list}");
    assert!(list.contains(" cannot be asked: nothing listens there (connection refused)\n"), "{list}");
    stage.plane.start_process(Process::ApiServer).unwrap();
    let before = until_said(&operator, "ready: cluster https://127.0.0.1:");
    // It goes, and comes back, while the operator is at work.
    stage.plane.kill(Process::ApiServer).unwrap();
    until_said(&operator, "cannot be asked, and is tried again: ");
    stage.plane.start_process(Process::ApiServer).unwrap();
    let after = until_said(&operator, "the cluster is watched again");
    assert_eq!(after.lines().count() - before.lines().count(), 2, "{after}");
    is_for_people(&after);
}

#[test]
fn what_is_taken_away_from_one_at_work_is_one_line() {
    let stage = Stage::start();
    do_as_advised(&stage);
    let operator = as_account(&stage);
    until_said(&operator, "ready: cluster https://127.0.0.1:");
    stage.kubectl(&["delete", "clusterrolebinding", "entitlement-operator"]);
    let log = until_said(&operator, "a right is missing (entitlement-operator manifests | kubectl apply -f -)");
    let lines: Vec<&str> = log.lines().skip_while(|line| !line.contains("ready:")).skip(1).collect();
    assert_eq!(lines.len(), 1, "{log}");
    do_as_advised(&stage);
    is_for_people(&until_said(&operator, "the cluster is watched again"));
}

#[test]
fn a_kubeconfig_that_cannot_be_used_ends_it() {
    let stage = Stage::bare(PlaneOptions::default());
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_entitlement-operator"));
        let output = command.arg("run").args(arguments).env("KUBECONFIG", stage.plane.kubeconfig()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = run(&["--context=nowhere"]);
    assert_eq!(code, Some(1));
    assert!(said.starts_with("entitlement-operator: the kubeconfig cannot be used: "), "{said}");
    assert!(said.contains("nowhere") && said.lines().count() == 1, "{said}");
    let (code, said) = run(&["--kubeconfig=/nonexistent"]);
    assert_eq!((code, said.lines().count()), (Some(1), 1), "{said}");
}
