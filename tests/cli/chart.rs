//! The Helm chart says what `manifests` says: rendered by the real helm, without a cluster.

use super::{code, run, text};
use entitlement_operator::api::GROUP;
use rstest::rstest;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::{Command, Output},
};

pub const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/entitlement-operator");
const HELM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/control-plane/bin/helm");
pub const NAMESPACE: &str = "entitlement-operator";
const KEEP: &str = "helm.sh/resource-policy";

/// helm, which reads and writes nothing of the user's own.
pub fn helm(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(HELM);
    command.args(arguments).env("HOME", home.path()).env("KUBECONFIG", "/nonexistent/kubeconfig");
    command.output().unwrap_or_else(|error| panic!("{HELM}: {error}: build it with make control-plane"))
}

pub fn template(namespace: &str, options: &[&str]) -> Output {
    helm(&[&["template", "entitlement-operator", CHART, "--namespace", namespace], options].concat())
}

/// The documents of a stream that hold something.
pub fn documents(stream: &[u8]) -> Vec<Value> {
    let all: Vec<Value> = serde_saphyr::from_multiple(text(stream)).unwrap();
    all.into_iter().filter(|document| !document.is_null()).collect()
}

/// The objects that the chart makes of values.
#[track_caller]
pub fn rendered(namespace: &str, options: &[&str]) -> Vec<Value> {
    let output = template(namespace, options);
    assert_eq!((code(&output), text(&output.stderr)), (0, ""), "{options:?}");
    documents(&output.stdout)
}

/// By what each is known; numbers as they are, however they are written.
pub fn by_name(objects: Vec<Value>) -> BTreeMap<String, Value> {
    let count = objects.len();
    let name = |object: &Value| {
        let [kind, namespace, name] = [&object["kind"], &object["metadata"]["namespace"], &object["metadata"]["name"]]
            .map(|part| part.as_str().unwrap_or_default());
        format!("{kind} {namespace}/{name}")
    };
    let named: BTreeMap<String, Value> =
        objects.into_iter().map(|object| (name(&object), by_right(plain(object)))).collect();
    assert_eq!(named.len(), count);
    named
}

/// The rules of a role, however they are grouped.
fn by_right(mut object: Value) -> Value {
    if !["Role", "ClusterRole"].iter().any(|kind| object["kind"] == *kind) {
        return object;
    }
    let texts = |list: &Value| list.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect();
    let mut rights = BTreeSet::new();
    for rule in object["rules"].as_array().unwrap() {
        let of = |field: &str| -> Vec<String> { texts(&rule[field]) };
        assert!(rule["resourceNames"].as_array().is_none_or(|names| !names.is_empty()), "{object}");
        let names = if rule["resourceNames"].is_null() { vec!["*".to_owned()] } else { of("resourceNames") };
        for (group, resource) in
            of("apiGroups").iter().flat_map(|group| of("resources").into_iter().map(move |resource| (group, resource)))
        {
            for verb in of("verbs") {
                for name in &names {
                    assert!(
                        rights.insert(format!("{verb} {group}/{resource} {name}")),
                        "twice: {verb} {resource} {name}"
                    );
                }
            }
        }
    }
    object["rules"] = json!(rights);
    object
}

pub fn plain(value: Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, field)| (name, plain(field))).collect(),
        other => other,
    }
}

/// Without what is Helm's own, and only that.
pub fn without_helm(mut object: Value) -> Value {
    assert_eq!(object["metadata"]["labels"]["app.kubernetes.io/managed-by"], "Helm", "{object}");
    // What changes of a policy voids the requests and decisions from before, and this changes with each version.
    let is_versioned = !object["kind"].as_str().unwrap().starts_with("ValidatingAdmissionPolicy");
    let chart = if is_versioned { json!("entitlement-operator-0.1.0") } else { Value::Null };
    assert_eq!(object["metadata"]["labels"]["helm.sh/chart"], chart, "{object}");
    for (field, names) in
        [("labels", ["app.kubernetes.io/managed-by", "helm.sh/chart"].as_slice()), ("annotations", &[KEEP])]
    {
        let metadata = object["metadata"].as_object_mut().unwrap();
        let Some(fields) = metadata.get_mut(field).and_then(Value::as_object_mut) else { continue };
        for name in names {
            fields.remove(*name);
        }
        if fields.is_empty() {
            metadata.remove(field);
        }
    }
    object
}

/// Where a test names a namespace, both are told of it; the namespace itself comes before a release.
#[rstest]
#[case::defaults(NAMESPACE, &[], &[])]
#[case::another_namespace("billing", &[], &[])]
#[case::webhook(NAMESPACE, &["--webhook"], &["webhook.enabled=true"])]
#[case::webhook_elsewhere("billing", &["--webhook"], &["webhook.enabled=true"])]
#[case::api(NAMESPACE, &["--api"], &["api.enabled=true"])]
#[case::api_with_webhook("billing", &["--webhook", "--api"], &["webhook.enabled=true,api.enabled=true"])]
#[case::api_in_some_namespaces("billing", &["--api", "--namespaces=acme"], &["api.enabled=true,namespaces={acme}"])]
#[case::api_with_webhook_and_secrets(
    NAMESPACE, &["--webhook", "--api", "--secret-namespaces=acme"], &["webhook.enabled=true,api.enabled=true,secrets.namespaces={acme}"]
)]
#[case::image(NAMESPACE, &["--image=registry.example/operator:v7"], &["image.repository=registry.example/operator", "image.tag=v7"])]
#[case::secrets(NAMESPACE, &["--secret-namespaces=globex,acme"], &["secrets.namespaces={globex,acme}"])]
#[case::secrets_with_webhook("billing", &["--webhook", "--secret-namespaces=acme"], &["webhook.enabled=true,secrets.namespaces={acme}"])]
#[case::namespaces(NAMESPACE, &["--namespaces=entitlements,acme"], &["namespaces={entitlements,acme}"])]
#[case::the_same_twice(NAMESPACE, &["--namespaces=b,a", "--secret-namespaces=a,b"], &["namespaces={b,a},secrets.namespaces={a,b}"])]
#[case::both(
    NAMESPACE,
    &["--namespaces=acme,globex,entitlements", "--secret-namespaces=acme", "--webhook"],
    &["namespaces={acme,globex,entitlements},secrets.namespaces={acme},webhook.enabled=true"]
)]
#[case::a_namespace_that_yaml_takes_for_a_number("10234", &["--webhook", "--namespaces=20234"], &["webhook.enabled=true", "namespaces=[\"20234\"]"])]
#[case::reading(NAMESPACE, &["--read-only"], &["readOnly=true"])]
#[case::reading_some("billing", &["--read-only", "--namespaces=acme"], &["readOnly=true,namespaces={acme}"])]
fn the_chart_and_manifests_give_the_same(#[case] namespace: &str, #[case] flags: &[&str], #[case] values: &[&str]) {
    let printed = run(&[&["manifests", "--namespace", namespace], flags].concat());
    assert_eq!((code(&printed), text(&printed.stderr)), (0, ""));
    let printed = by_name(documents(&printed.stdout));
    let how = |value: &str| if value.ends_with(']') { "--set-json" } else { "--set" };
    let set = values.iter().chain(&["namespace.create=true"]).flat_map(|value| [how(value), value]);
    let rendered = rendered(namespace, &set.collect::<Vec<_>>());
    let rendered = by_name(rendered.into_iter().map(without_helm).collect());
    let names = |all: &BTreeMap<String, Value>| all.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&rendered), names(&printed));
    for (name, object) in &printed {
        assert_eq!(&rendered[name], object, "{name}");
    }
}

#[test]
fn the_namespace_of_the_release_comes_before_it() {
    let named = by_name(rendered(NAMESPACE, &[]));
    let namespaces: Vec<&String> = named.keys().filter(|name| name.starts_with("Namespace ")).collect();
    assert_eq!(namespaces, ["Namespace /entitlements"]);
}

#[test]
fn it_is_of_the_version_of_the_operator() {
    let chart: Value = serde_saphyr::from_str(&fs::read_to_string(format!("{CHART}/Chart.yaml")).unwrap()).unwrap();
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["kubeVersion"], ">=1.33.0-0");
}

#[test]
fn it_has_the_generated_kinds() {
    let folder = tempfile::tempdir().unwrap();
    let generated = run(&["crds", "--output", folder.path().to_str().unwrap()]);
    assert_eq!(code(&generated), 0);
    let files = |folder: &Path| {
        let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap());
        files.map(|file| (file.file_name(), fs::read_to_string(file.path()).unwrap())).collect::<BTreeMap<_, _>>()
    };
    assert!(files(folder.path()) == files(&Path::new(CHART).join("files/crds")), "run make generate");
}

/// Without them no exception is accepted, and with others anybody may say that it is: they go with the kinds.
const POLICIES: [&str; 6] = [
    "ValidatingAdmissionPolicy /override-decisions.entitlements.dev",
    "ValidatingAdmissionPolicy /override-records.entitlements.dev",
    "ValidatingAdmissionPolicy /override-requests.entitlements.dev",
    "ValidatingAdmissionPolicyBinding /override-decisions.entitlements.dev",
    "ValidatingAdmissionPolicyBinding /override-records.entitlements.dev",
    "ValidatingAdmissionPolicyBinding /override-requests.entitlements.dev",
];

#[test]
fn what_stays_at_removal_can_be_said_of_kinds_alone() {
    let kept = |options: &[&str]| {
        let named = by_name(rendered(NAMESPACE, options));
        let kept = named.into_iter().filter(|(_, object)| object["metadata"]["annotations"][KEEP] == "keep");
        kept.map(|(name, _)| name).collect::<Vec<_>>()
    };
    let kinds = [
        "entitlementdefinitions",
        "entitlementinstances",
        "entitlementoverrides",
        "entitlementplans",
        "entitlementsubscriptions",
        "entitlementusages",
        "facetdefinitions",
        "organizations",
        "overridedecisions",
    ];
    let mut all: Vec<String> =
        kinds.map(|kind| format!("CustomResourceDefinition /{kind}.{GROUP}")).into_iter().collect();
    all.push("Namespace /entitlements".to_owned());
    all.extend(POLICIES.map(str::to_owned));
    assert_eq!(kept(&[]), all);
    assert_eq!(kept(&["--set", "crds.keep=false"]), ["Namespace /entitlements"]);
    assert_eq!(kept(&["--set", "crds.install=false"]), ["Namespace /entitlements"]);
    assert_eq!(kept(&["--set", "grantsNamespace.create=false,crds.install=false"]), [""; 0]);
}

#[test]
fn linting_has_nothing_to_say() {
    for options in [&[][..], &["--set", "webhook.enabled=true,api.enabled=true"]] {
        let output = helm(&[&["lint", "--strict", CHART, "--namespace", NAMESPACE], options].concat());
        let said = text(&output.stdout);
        assert_eq!(code(&output), 0, "{said}");
        assert!(said.contains("1 chart(s) linted, 0 chart(s) failed"), "{said}");
        assert!(!said.contains("WARNING") && !said.contains("ERROR"), "{said}");
    }
}

#[rstest]
#[case("default")]
#[case("kube-system")]
#[case("entitlements")]
fn the_namespace_is_the_operators_own(#[case] namespace: &str) {
    let output = template(namespace, &[]);
    assert_eq!((code(&output), text(&output.stdout)), (1, ""));
    let said = format!(
        "the operator needs a namespace of its own, and {namespace} is not: add --namespace entitlement-operator --create-namespace"
    );
    assert!(text(&output.stderr).contains(&said), "{}", text(&output.stderr));
}
