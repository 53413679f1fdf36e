//! `manifests`: everything that a cluster needs.

use super::{assert_golden, code, run, text};
use serde_json::Value;

/// Without the CustomResourceDefinitions, which `crds/` shows.
fn without_kinds(printed: &str) -> String {
    let documents: Vec<&str> = printed.split("---\n").filter(|one| !one.contains("CustomResourceDefinition")).collect();
    documents.join("---\n")
}

#[test]
fn everything_is_printed_as_one_stream() {
    let output = run(&["manifests"]);
    assert_eq!((code(&output), text(&output.stderr)), (0, ""));
    let printed = text(&output.stdout);
    assert_eq!(printed.matches("\nkind: CustomResourceDefinition\n").count(), 9);
    assert_golden("manifests.yaml", without_kinds(printed).as_bytes());
}

#[test]
fn the_webhook_another_namespace_and_an_image_are_asked_for() {
    let options = ["--webhook", "--namespace", "billing", "--image", "registry.example/operator@sha256:0f"];
    let output = run(&[["manifests"].as_slice(), options.as_slice()].concat());
    assert_eq!((code(&output), text(&output.stderr)), (0, ""));
    assert_golden("manifests.webhook.yaml", without_kinds(text(&output.stdout)).as_bytes());
}

#[test]
fn what_answers_checks_writes_the_secret_of_its_certificate() {
    let output = run(&["manifests", "--api", "--read-only"]);
    let said = "entitlement-operator: --read-only: nothing is written, and so no certificate is made for the API: leave out --read-only or --api\n";
    assert_eq!((code(&output), text(&output.stdout), text(&output.stderr)), (2, "", said));
}

#[test]
fn the_list_is_the_same() {
    let list = run(&["manifests", "--webhook", "-o", "json"]);
    let list: Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!((&list["apiVersion"], &list["kind"]), (&"v1".into(), &"List".into()));
    let documents = run(&["manifests", "--webhook"]);
    let documents: Vec<Value> = serde_saphyr::from_multiple(text(&documents.stdout)).unwrap();
    assert_eq!(list["items"].as_array().unwrap(), &documents);
}

#[test]
fn nothing_is_printed_for_what_is_no_place_or_no_image() {
    for (options, said) in [
        (
            ["--namespace", "kube-system"],
            "entitlement-operator: the operator needs a namespace of its own, and kube-system is not: leave --namespace out, or name one that is\n",
        ),
        (["--namespace", "Billing"], "error: invalid value 'Billing' for '--namespace <NAMESPACE>'"),
        (
            ["--image", "an image"],
            "error: invalid value 'an image' for '--image <IMAGE>': give the name of an image, such as registry.example/entitlement-operator:1\n",
        ),
        (["--image", ""], "error: invalid value '' for '--image <IMAGE>'"),
    ] {
        let output = run(&["manifests", options[0], options[1]]);
        assert_eq!((code(&output), text(&output.stdout)), (2, ""), "{options:?}");
        assert!(text(&output.stderr).starts_with(said), "{}", text(&output.stderr));
    }
}
