//! The Kustomize base says what `manifests` says: built by the real kubectl, without a cluster.

use super::{
    chart::{by_name, documents, rendered, without_helm},
    code, run, text,
};
use rstest::rstest;
use serde_json::{Value, json};
use std::{collections::BTreeMap, process::Command};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/kustomize");
const KUBECTL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/control-plane/bin/kubectl");

fn kustomized(folder: &str) -> BTreeMap<String, Value> {
    let mut command = Command::new(KUBECTL);
    command.args(["kustomize", &format!("{FOLDER}/{folder}")]).env("KUBECONFIG", "/nonexistent/kubeconfig");
    let output =
        command.output().unwrap_or_else(|error| panic!("{KUBECTL}: {error}: build it with make control-plane"));
    assert_eq!((code(&output), text(&output.stderr)), (0, ""));
    by_name(documents(&output.stdout))
}

/// What `manifests` prints; a Kustomize overlay gives no new names to what has no namespace.
fn printed(options: &[&str]) -> BTreeMap<String, Value> {
    let output = run(&[&["manifests"], options].concat());
    assert_eq!((code(&output), text(&output.stderr)), (0, ""));
    let text = text(&output.stdout).replace("entitlement-operator-billing", "entitlement-operator");
    by_name(documents(text.as_bytes()))
}

#[track_caller]
fn assert_same(found: &BTreeMap<String, Value>, expected: &BTreeMap<String, Value>) {
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, object) in expected {
        assert_eq!(&found[name], object, "{name}");
    }
}

#[test]
fn the_base_is_what_manifests_prints() {
    let printed_now = run(&["manifests"]);
    let path = format!("{FOLDER}/base/manifests.yaml");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &printed_now.stdout).unwrap();
    }
    let base = std::fs::read_to_string(path).unwrap();
    assert!(base == text(&printed_now.stdout), "charts/kustomize/base is stale: run make generate");
    assert_same(&kustomized("base"), &printed(&[]));
}

/// The base with a component.
fn with(component: &str) -> BTreeMap<String, Value> {
    let folder = tempfile::tempdir_in(FOLDER).unwrap();
    let text = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        "resources": ["../base"], "components": [format!("../{component}")],
    });
    std::fs::write(folder.path().join("kustomization.yaml"), text.to_string()).unwrap();
    kustomized(folder.path().file_name().unwrap().to_str().unwrap())
}

#[test]
fn the_component_with_the_api_is_what_manifests_prints() {
    assert_same(&with("api"), &printed(&["--api"]));
}

#[rstest]
#[case("sqlite", "store.type=sqlite,replicas=1")]
#[case("postgres", "store.type=postgres,store.postgres.secretName=entitlement-operator-database")]
fn a_store_is_what_the_chart_makes_of_it(#[case] component: &str, #[case] values: &str) {
    let rendered = rendered("entitlement-operator", &["--set", values, "--set", "namespace.create=true"]);
    let rendered = by_name(rendered.into_iter().map(without_helm).collect());
    let mut found = with(component);
    // The arguments have no order.
    let args = "Deployment entitlement-operator/entitlement-operator";
    let sorted = |mut object: Value| {
        let args = object["spec"]["template"]["spec"]["containers"][0]["args"].as_array_mut().unwrap();
        args.sort_by_key(|argument| argument.as_str().map(str::to_owned));
        object
    };
    let deployment = sorted(found.remove(args).unwrap());
    assert_eq!(deployment, sorted(rendered[args].clone()));
    found.insert(args.to_owned(), rendered[args].clone());
    assert_same(&found, &rendered);
}

#[test]
fn the_example_with_the_webhook_is_what_manifests_prints_elsewhere() {
    let image = "--image=registry.example/entitlement-operator:1";
    let mut expected = printed(&["--webhook", "--namespace=billing", image]);
    expected.get_mut("Deployment billing/entitlement-operator").unwrap()["spec"]["replicas"] = json!(3.0);
    assert_same(&kustomized("example"), &expected);
}
