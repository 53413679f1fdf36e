//! What is applied again changes nothing, and nobody fights over it: not kubectl, not a tool with server-side apply, not the operator.

use crate::{
    chart::HELM,
    harness::{DEADLINE, Stage, condition, is_current, shared_kubectl, shared_plane},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// All that a tool applies, and all that is made of it.
const KINDS: &str = "org,edef,facet,ent,configmap,secret,deployment,validatingwebhookconfiguration";

/// What each object is at: a write that changes anything raises it.
fn versions(kubectl: impl Fn(&[&str]) -> String) -> Vec<String> {
    let path = "--output=jsonpath={range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name} {.metadata.resourceVersion}{'\\n'}{end}";
    kubectl(&["get", KINDS, "--all-namespaces", path]).lines().map(str::to_owned).collect()
}

/// Waits until the operator has seen all, and nothing is written any more.
fn rest(stage: &Stage) {
    for kind in ["facet", "edef", "org", "ent"] {
        if !stage.kubectl(&["get", kind, "--all-namespaces", "--output=name"]).is_empty() {
            stage.kubectl(&["wait", "--for=condition=Ready", kind, "--all", "--all-namespaces", "--timeout=60s"]);
        }
    }
    at_rest(|| versions(|arguments| stage.kubectl(arguments)));
}

/// Looks until it is for a second as it was, and returns that.
fn at_rest<Seen: PartialEq>(look: impl Fn() -> Seen) -> Seen {
    let (mut before, mut since) = (look(), Instant::now());
    crate::wait::eventually(DEADLINE, "the operator comes to rest", || {
        let now = look();
        if now != before {
            (before, since) = (now, Instant::now());
        }
        if since.elapsed() > Duration::from_secs(1) { Ok(()) } else { Err("it writes") }
    });
    before
}

/// Applies files as a tool does, and once more, which changes nothing and shows no difference.
fn twice(stage: &Stage, files: &[&str], mode: &[&str]) {
    let run = |verb: &str| {
        let named = files.iter().flat_map(|file| ["--filename", file]);
        let arguments: Vec<&str> = [verb].into_iter().chain(mode.iter().copied()).chain(named).collect();
        stage.kubectl(&arguments)
    };
    run("apply");
    rest(stage);
    let before = versions(|arguments| stage.kubectl(arguments));
    // kubectl diff fails where there is a difference.
    assert_eq!(run("diff"), "", "{mode:?}");
    run("apply");
    assert_eq!(versions(|arguments| stage.kubectl(arguments)), before, "{mode:?}");
}

const AS_KUBECTL: [&str; 0] = [];
const AS_ARGO_CD: [&str; 3] = ["--server-side", "--field-manager=argocd-controller", "--force-conflicts"];
const AS_FLUX: [&str; 3] = ["--server-side", "--field-manager=kustomize-controller", "--force-conflicts"];

fn items(stage: &Stage, arguments: &[&str]) -> Vec<Value> {
    let found = stage.kubectl(&[&["get", "--output=json", "--show-managed-fields"], arguments].concat());
    serde_json::from_str::<Value>(&found).unwrap()["items"].as_array().unwrap().clone()
}

/// The operator has nothing of its kinds but their status.
fn assert_owns_statuses_only(stage: &Stage) {
    for object in items(stage, &["org,edef,facet,ent", "--all-namespaces"]) {
        for entry in object["metadata"]["managedFields"].as_array().unwrap() {
            if entry["manager"] == "entitlement-operator" {
                assert_eq!(entry["subresource"], "status", "{}: {entry}", object["metadata"]["name"]);
            }
        }
    }
}

/// A folder with the examples, as a repository has them: with labels and annotations of tools, and the component of waves.
fn repository(stage: &Stage) -> PathBuf {
    let folder = stage.plane.folder().join("repository");
    fs::create_dir_all(folder.join("waves")).unwrap();
    let mut resources = Vec::new();
    for file in fs::read_dir(format!("{ROOT}/examples")).unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_some_and(|end| end == "yaml") {
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            fs::copy(&file, folder.join(&name)).unwrap();
            resources.push(name);
        }
    }
    let waves = "waves/kustomization.yaml";
    fs::copy(format!("{ROOT}/examples/gitops/argocd/{waves}"), folder.join(waves)).unwrap();
    let labels = json!({
        "app.kubernetes.io/instance": "entitlements",
        "argocd.argoproj.io/instance": "entitlements",
        "kustomize.toolkit.fluxcd.io/name": "entitlement-grants",
        "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
    });
    let kustomization = json!({
        "resources": resources,
        "components": ["waves"],
        "labels": [{"pairs": labels}],
        "commonAnnotations": {"argocd.argoproj.io/tracking-id": "entitlements:x/Y:z"},
    });
    fs::write(folder.join("kustomization.yaml"), kustomization.to_string()).unwrap();
    folder
}

/// The wave of each kind.
fn waves(manifests: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut waves: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for document in serde_saphyr::from_multiple::<Value>(manifests).unwrap() {
        let wave = &document["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"];
        let kind = document["kind"].as_str().unwrap().to_owned();
        waves.entry(kind).or_default().insert(wave.as_str().unwrap_or("none").to_owned());
    }
    waves
}

/// What the operator makes carries only what is the operator's, or what a definition asks for.
fn assert_outputs_are_the_operators(stage: &Stage) {
    let own = ["--all-namespaces", "--selector", "app.kubernetes.io/managed-by=entitlement-operator"];
    let mut outputs = items(stage, &[&["configmap,secret"], &own[..]].concat());
    assert!(outputs.len() > 8, "{}", outputs.len());
    outputs.extend(items(stage, &["controllerrevision", "--namespace", "entitlement-operator"]));
    for output in outputs {
        let metadata = &output["metadata"];
        let keys = ["labels", "annotations"].map(|field| metadata[field].as_object().cloned().unwrap_or_default());
        for key in keys.iter().flat_map(serde_json::Map::keys) {
            let is_own = ["app.kubernetes.io/managed-by", "reloader.stakater.com/match"].contains(&key.as_str());
            assert!(is_own || key.starts_with("entitlements.dev/"), "{}: {key}", metadata["name"]);
        }
        let managers = metadata["managedFields"].as_array().unwrap();
        assert!(managers.iter().all(|entry| entry["manager"] == "entitlement-operator"), "{metadata}");
    }
}

#[test]
fn what_is_applied_again_changes_nothing() {
    let stage = Stage::start();
    let _operator = stage.operator(&[]);
    let folders = ["examples", "examples/registry", "examples/workloads"].map(|folder| format!("{ROOT}/{folder}"));
    let files: Vec<&str> = folders.iter().map(String::as_str).collect();
    twice(&stage, &files, &AS_KUBECTL);
    twice(&stage, &files, &AS_ARGO_CD);
    twice(&stage, &files, &AS_FLUX);
    assert_owns_statuses_only(&stage);

    let repository = repository(&stage);
    let manifests = stage.kubectl(&["kustomize", repository.to_str().unwrap()]);
    let expected = [
        ("Namespace", "-1"),
        ("Secret", "none"),
        ("FacetDefinition", "1"),
        ("EntitlementDefinition", "2"),
        ("Organization", "3"),
        ("EntitlementInstance", "4"),
    ];
    let expected = expected.map(|(kind, wave)| (kind.to_owned(), BTreeSet::from([wave.to_owned()])));
    assert_eq!(waves(&manifests), BTreeMap::from(expected));
    let file = repository.join("built.yaml");
    fs::write(&file, manifests).unwrap();
    twice(&stage, &[file.to_str().unwrap()], &AS_ARGO_CD);
    twice(&stage, &[file.to_str().unwrap()], &AS_FLUX);
    assert_outputs_are_the_operators(&stage);
    assert_owns_statuses_only(&stage);
}

/// The webhook's registration of the chart, with the values of an example.
fn registration(stage: &Stage, example: &str, values: &Value) -> PathBuf {
    let file = stage.plane.folder().join(format!("{example}.values.json"));
    fs::write(&file, values.to_string()).unwrap();
    let mut command = Command::new(HELM);
    command.args(["template", "entitlement-operator"]).arg(format!("{ROOT}/charts/entitlement-operator"));
    command.args(["--namespace", "entitlement-operator", "--show-only", "templates/webhook.yaml", "--values"]);
    let output = command.arg(&file).output();
    let output = output.unwrap_or_else(|error| panic!("{HELM} does not start ({error}): run make control-plane"));
    assert!(output.status.success(), "{example}: {}", String::from_utf8_lossy(&output.stderr));
    let path = stage.plane.folder().join(format!("{example}.yaml"));
    fs::write(&path, output.stdout).unwrap();
    path
}

fn example(path: &str, kind: &str) -> Value {
    let text = fs::read_to_string(format!("{ROOT}/examples/gitops/{path}")).unwrap();
    let documents = serde_saphyr::from_multiple::<Value>(&text).unwrap();
    documents.into_iter().find(|document| document["kind"] == kind).unwrap()
}

#[test]
fn what_the_operator_fills_into_its_registration_is_no_drift() {
    let stage = Stage::start();
    let argo = example("argocd/applications.yaml", "Application")["spec"]["source"]["helm"]["valuesObject"].clone();
    let flux = example("flux/operator.yaml", "HelmRelease")["spec"]["values"].clone();
    registration(&stage, "flux", &flux);
    let file = registration(&stage, "argo", &argo);
    let file = file.to_str().unwrap();
    stage.kubectl(&["apply", "--filename", file]);
    let _operator = stage.operator(&[
        "--webhook-service=entitlement-operator",
        "--webhook-register=false",
        "--webhook-address=127.0.0.1:0",
    ]);
    let config = || items(&stage, &["validatingwebhookconfiguration"])[0]["webhooks"][0]["clientConfig"].clone();
    let filled = crate::wait::eventually(DEADLINE, "the registration is filled in", || {
        let config = config();
        if config["caBundle"].is_string() && config["service"]["path"].is_string() { Ok(config) } else { Err(config) }
    });
    for mode in [&AS_KUBECTL[..], &AS_ARGO_CD, &AS_FLUX] {
        twice(&stage, &[file], mode);
    }
    assert_eq!(config(), filled);
}

/// As a person, or a program, may write what means the same.
const ODD: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: odd}
---
apiVersion: entitlements.dev/v1alpha1
kind: Organization
metadata: {name: odd}
spec: {namespaces: [odd], suspended: false, timeZone: UTC, assignableFrom: [entitlements], summary: {}}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: odd}
spec: {type: Quantity, unit: seats, amount: "25", allowMultiple: true, facets: [], outputs: [], renewalNotices: [], rollout: Agreed}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementInstance
metadata: {name: odd, namespace: entitlements}
spec:
  organization: odd
  definition: odd
  state: Active
  start: 2026-01-01
  end: "2098-12-31"
  amount: AMOUNT
  priority: 0
  suspended: false
  facets: {}
  secretFacets: []
  amendments: [{name: more, effective: 2026-02-01, amount: 60, revoked: false}]
"#;

#[test]
fn odd_spellings_are_no_drift() {
    let of_these = || {
        let path = "--output=jsonpath={range .items[*]}{.kind} {.metadata.resourceVersion} {.spec}{'\\n'}{end}";
        shared_kubectl(&["get", "org/odd", "edef/odd", "ent/odd", "--namespace", "entitlements", path])
    };
    for (index, amount) in ["50", r#""50""#].into_iter().enumerate() {
        let file = shared_plane().folder().join(format!("odd-{index}.yaml"));
        fs::write(&file, ODD.replace("AMOUNT", amount)).unwrap();
        let file = file.to_str().unwrap();
        for mode in [&AS_KUBECTL[..], &AS_ARGO_CD, &AS_FLUX] {
            let run = |verb: &str| shared_kubectl(&[&[verb], mode, &["--filename", file]].concat());
            run("apply");
            for kind in ["org/odd", "edef/odd", "ent/odd"] {
                let ready = ["wait", "--for=condition=Ready", kind, "--namespace", "entitlements", "--timeout=60s"];
                shared_kubectl(&ready);
            }
            assert_eq!(run("diff"), "", "{amount} {mode:?}");
            let before = at_rest(of_these);
            run("apply");
            assert_eq!(of_these(), before, "{amount} {mode:?}");
            assert!(before.contains(&format!(r#""amount":{amount}"#)), "{before}");
        }
        shared_kubectl(&["delete", "ent/odd", "--namespace", "entitlements"]);
    }
}

/// In the order in which they are applied: the worst.
const WRONG_ORDER: [&str; 4] = [
    "kind: EntitlementInstance\nmetadata: {name: hasty, namespace: entitlements}\nspec: {organization: hasty, definition: hasty, start: \"2026-01-01\"}",
    "kind: Organization\nmetadata: {name: hasty}\nspec: {namespaces: [hasty]}",
    "kind: EntitlementDefinition\nmetadata: {name: hasty}\nspec: {type: Feature, facets: [{name: hasty, definition: hasty}], outputs: [{name: config, kind: ConfigMap, items: [{key: a, template: b}]}]}",
    "kind: FacetDefinition\nmetadata: {name: hasty}\nspec: {schema: {type: object}}",
];

fn apply_hasty(index: usize) {
    let file = shared_plane().folder().join(format!("hasty-{index}.yaml"));
    fs::write(&file, format!("apiVersion: entitlements.dev/v1alpha1\n{}\n", WRONG_ORDER[index])).unwrap();
    shared_kubectl(&[&["apply"], &AS_FLUX[..], &["--filename", file.to_str().unwrap()]].concat());
}

fn hasty_is(reason: &str) {
    crate::wait::eventually(DEADLINE, &format!("the grant is {reason}"), || {
        let found = shared_kubectl(&["get", "ent", "hasty", "--namespace", "entitlements", "--output=json"]);
        let found: Value = serde_json::from_str(&found).unwrap();
        let ready = condition(&found, "Ready");
        if is_current(&found) && ready["reason"] == reason { Ok(()) } else { Err(ready) }
    });
}

fn configured(is_there: bool) {
    crate::wait::eventually(DEADLINE, &format!("its ConfigMap is there: {is_there}"), || {
        let found = shared_kubectl(&["get", "configmap", "hasty", "--namespace", "hasty", "--ignore-not-found"]);
        if found.is_empty() == is_there { Err(found) } else { Ok(()) }
    });
}

#[test]
fn a_wrong_order_mends_itself_and_pruning_withdraws() {
    shared_kubectl(&["create", "namespace", "hasty"]);
    for (index, reason) in
        ["OrganizationNotFound", "DefinitionNotFound", "DefinitionNotReady", "Active"].iter().enumerate()
    {
        apply_hasty(index);
        hasty_is(reason);
    }
    configured(true);
    shared_kubectl(&["delete", "ent", "hasty", "--namespace", "entitlements"]);
    configured(false);
    apply_hasty(0);
    configured(true);
    shared_kubectl(&["delete", "org", "hasty"]);
    hasty_is("OrganizationNotFound");
    configured(false);
    apply_hasty(1);
    hasty_is("Active");
    configured(true);
}
