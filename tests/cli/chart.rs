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

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/entitlement-operator");
const HELM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/control-plane/bin/helm");
const NAMESPACE: &str = "entitlement-operator";
const KEEP: &str = "helm.sh/resource-policy";

/// helm, which reads and writes nothing of the user's own.
fn helm(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(HELM);
    command.args(arguments).env("HOME", home.path()).env("KUBECONFIG", "/nonexistent/kubeconfig");
    command.output().unwrap_or_else(|error| panic!("{HELM}: {error}: build it with make control-plane"))
}

fn template(namespace: &str, options: &[&str]) -> Output {
    helm(&[&["template", "entitlement-operator", CHART, "--namespace", namespace], options].concat())
}

/// The documents of a stream that hold something.
pub fn documents(stream: &[u8]) -> Vec<Value> {
    let all: Vec<Value> = serde_saphyr::from_multiple(text(stream)).unwrap();
    all.into_iter().filter(|document| !document.is_null()).collect()
}

/// The objects that the chart makes of values.
#[track_caller]
fn rendered(namespace: &str, options: &[&str]) -> Vec<Value> {
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

fn plain(value: Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, field)| (name, plain(field))).collect(),
        other => other,
    }
}

/// Without what is Helm's own, and only that.
fn without_helm(mut object: Value) -> Value {
    assert_eq!(object["metadata"]["labels"]["app.kubernetes.io/managed-by"], "Helm", "{object}");
    assert_eq!(object["metadata"]["labels"]["helm.sh/chart"], "entitlement-operator-0.1.0", "{object}");
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
#[case::reading(NAMESPACE, &["--read-only"], &["readOnly=true"])]
#[case::reading_some("billing", &["--read-only", "--namespaces=acme"], &["readOnly=true,namespaces={acme}"])]
fn the_chart_and_manifests_give_the_same(#[case] namespace: &str, #[case] flags: &[&str], #[case] values: &[&str]) {
    let printed = run(&[&["manifests", "--namespace", namespace], flags].concat());
    assert_eq!((code(&printed), text(&printed.stderr)), (0, ""));
    let printed = by_name(documents(&printed.stdout));
    let set = values.iter().chain(&["namespace.create=true"]).flat_map(|value| ["--set", value]);
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

#[test]
fn what_stays_at_removal_can_be_said_of_kinds_alone() {
    let kept = |options: &[&str]| {
        let named = by_name(rendered(NAMESPACE, options));
        let kept = named.into_iter().filter(|(_, object)| object["metadata"]["annotations"][KEEP] == "keep");
        kept.map(|(name, _)| name).collect::<Vec<_>>()
    };
    let kinds = ["entitlementdefinitions", "entitlementinstances", "facetdefinitions", "organizations"];
    let mut all: Vec<String> =
        kinds.map(|kind| format!("CustomResourceDefinition /{kind}.{GROUP}")).into_iter().collect();
    all.push("Namespace /entitlements".to_owned());
    assert_eq!(kept(&[]), all);
    assert_eq!(kept(&["--set", "crds.keep=false"]), ["Namespace /entitlements"]);
    assert_eq!(kept(&["--set", "crds.install=false"]), ["Namespace /entitlements"]);
    assert_eq!(kept(&["--set", "grantsNamespace.create=false,crds.install=false"]), [""; 0]);
}

#[test]
fn linting_has_nothing_to_say() {
    for options in [&[][..], &["--set", "webhook.enabled=true"]] {
        let output = helm(&[&["lint", "--strict", CHART, "--namespace", NAMESPACE], options].concat());
        let said = text(&output.stdout);
        assert_eq!(code(&output), 0, "{said}");
        assert!(said.contains("1 chart(s) linted, 0 chart(s) failed"), "{said}");
        assert!(!said.contains("WARNING") && !said.contains("ERROR"), "{said}");
    }
}

#[rstest]
#[case::misspelt("webhook.enable=true", "- at '/webhook': additional properties 'enable' not allowed")]
#[case::unknown("replica=3", "- at '': additional properties 'replica' not allowed")]
#[case::no_number("replicas=two", "- at '/replicas': got string, want integer")]
#[case::none("replicas=0", "- at '/replicas': minimum: got 0, want 1")]
#[case::no_choice("logFormat=xml", "- at '/logFormat': value must be one of 'json', 'text'")]
#[case::no_digest("image.digest=sha256:ab", "- at '/image/digest': 'sha256:ab' does not match pattern")]
#[case::no_tag("image.tag=a:b", "- at '/image/tag': 'a:b' does not match pattern")]
#[case::no_size("organizationBytes=32MB", "- at '/organizationBytes': '32MB' does not match pattern")]
#[case::too_many("concurrency=2000", "- at '/concurrency': maximum: got 2,000, want 1,024")]
#[case::no_argument("extraArgs={run}", "- at '/extraArgs/0': 'run' does not match pattern '^--[a-z]'")]
#[case::no_labels("podLabels.a.b=c", "- at '/podLabels/a': got object, want string")]
fn what_is_no_value_is_refused(#[case] value: &str, #[case] said: &str) {
    let output = template(NAMESPACE, &["--set", value]);
    assert_eq!((code(&output), text(&output.stdout)), (1, ""), "{value}");
    assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
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

#[rstest]
#[case::own(
    "namespaces={acme,entitlement-operator}",
    "namespaces and secrets.namespaces are those of clients and of grants, and entitlement-operator is the operator's own, in which it has its own rights: leave it out"
)]
#[case::outside(
    "namespaces={acme},secrets.namespaces={globex}",
    "secrets.namespaces names globex, which namespaces leaves out: name it there too, or leave it out of secrets.namespaces"
)]
#[case::no_webhook(
    "readOnly=true,webhook.enabled=true",
    "readOnly serves no webhook, which has to be written to the cluster: leave out readOnly or webhook.enabled"
)]
fn what_contradicts_itself_is_refused(#[case] values: &str, #[case] said: &str) {
    let output = template(NAMESPACE, &["--set", values]);
    assert_eq!((code(&output), text(&output.stdout)), (1, ""));
    assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
}

/// Of values that all differ from the defaults.
const VALUES: &str = r#"
replicas: 3
image: {digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", pullPolicy: Always}
imagePullSecrets: [{name: registry}]
serviceAccount: {name: other, annotations: {a: b}}
roles: {view: false, catalogueAuthor: false, grantAuthor: false, serviceDesk: false}
webhook: {enabled: true, allowMissing: true}
logFormat: text
logFilter: info,kube=debug
organizationBytes: 64Mi
concurrency: 8
leaseDuration: 30s
metrics:
  perInstance: true
  serviceMonitor: {enabled: true, labels: {release: prometheus}, interval: 30s}
  rules: {enabled: true, labels: {release: prometheus}}
  dashboards: {enabled: true}
tracing: {endpoint: "http://collector:4318"}
networkPolicy:
  metricsFrom: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]
  egress: {enabled: true, apiServerPorts: [6443], allow: [{ports: [{port: 4317, protocol: TCP}]}]}
podDisruptionBudget: {maxUnavailable: 50%}
flowControl: {shares: 5}
resources: {limits: {memory: 2Gi}}
priorityClassName: system-cluster-critical
nodeSelector: {disk: ssd}
tolerations: [{key: a, operator: Exists}]
affinity: {nodeAffinity: {}}
topologySpreadConstraints: []
podLabels: {team: sales}
podAnnotations: {note: "{{ not a template }}"}
extraArgs: ["--time-zones=/zones"]
extraEnv: [{name: HTTPS_PROXY, value: "http://proxy:3128"}]
"#;

#[test]
fn each_value_shows() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("values.yaml");
    fs::write(&file, VALUES).unwrap();
    let named = by_name(rendered(NAMESPACE, &["--values", file.to_str().unwrap()]));
    let of = |name: &str| &named[&format!("{name}/entitlement-operator")];
    let own = |kind: &str| of(&format!("{kind} {NAMESPACE}"));
    let deployment = &own("Deployment")["spec"];
    assert_eq!(deployment["replicas"], 3.0);
    let pod = &deployment["template"]["spec"];
    let container = &pod["containers"][0];
    assert_eq!(
        container["image"],
        "ghcr.io/entitlements-dev/entitlement-operator@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    );
    assert_eq!(
        container["args"],
        json!([
            "run",
            "--namespace=entitlement-operator",
            "--log-format=text",
            "--log-filter=info,kube=debug",
            "--organization-bytes=64Mi",
            "--concurrency=8",
            "--webhook-service=entitlement-operator",
            "--webhook-configuration=entitlement-operator",
            "--webhook-register=false",
            "--webhook-allow-missing",
            "--lease-duration=30s",
            "--metrics-per-instance",
            "--otlp-endpoint=http://collector:4318",
            "--time-zones=/zones",
        ])
    );
    assert_eq!(container["imagePullPolicy"], "Always");
    assert_eq!(container["env"][1], json!({"name": "HTTPS_PROXY", "value": "http://proxy:3128"}));
    assert_eq!(
        container["resources"],
        json!({"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "2Gi"}})
    );
    assert_eq!(pod["imagePullSecrets"], json!([{"name": "registry"}]));
    assert_eq!(pod["serviceAccountName"], "other");
    assert_eq!(pod["priorityClassName"], "system-cluster-critical");
    assert_eq!(pod["nodeSelector"], json!({"kubernetes.io/os": "linux", "disk": "ssd"}));
    assert_eq!(pod["tolerations"], json!([{"key": "a", "operator": "Exists"}]));
    assert_eq!(pod["affinity"], json!({"nodeAffinity": {}}));
    assert_eq!(pod["topologySpreadConstraints"], Value::Null);
    let metadata = &deployment["template"]["metadata"];
    assert_eq!(metadata["labels"], json!({"app.kubernetes.io/name": "entitlement-operator", "team": "sales"}));
    // A ServiceMonitor scrapes them, and nobody else besides.
    assert_eq!(metadata["annotations"], json!({"note": "{{ not a template }}"}));
    assert_eq!(named["ServiceAccount entitlement-operator/other"]["metadata"]["annotations"], json!({"a": "b"}));
    let subject = json!([{"kind": "ServiceAccount", "name": "other", "namespace": "entitlement-operator"}]);
    assert_eq!(own("RoleBinding")["subjects"], subject);
    assert_eq!(of("ClusterRoleBinding ")["subjects"], subject);
    let flow = &of("FlowSchema ")["spec"]["rules"][0]["subjects"][0]["serviceAccount"];
    assert_eq!(*flow, json!({"name": "other", "namespace": "entitlement-operator"}));
    assert_eq!(of("PriorityLevelConfiguration ")["spec"]["limited"]["nominalConcurrencyShares"], 5.0);
    assert_eq!(own("PodDisruptionBudget")["spec"]["maxUnavailable"], "50%");
    let monitor = own("ServiceMonitor");
    assert_eq!(monitor["metadata"]["labels"]["release"], "prometheus");
    assert_eq!(monitor["spec"]["endpoints"], json!([{"port": "http", "path": "/metrics", "interval": "30s"}]));
    let rules = own("PrometheusRule");
    assert_eq!(rules["metadata"]["labels"]["release"], "prometheus");
    let file = |name: &str| fs::read_to_string(format!("{CHART}/files/{name}")).unwrap();
    assert_eq!(rules["spec"], plain(serde_saphyr::from_str(&file("rules.yaml")).unwrap()));
    let dashboard = &named["ConfigMap entitlement-operator/entitlement-operator-dashboard-entitlement-operator"];
    assert_eq!(dashboard["metadata"]["labels"]["grafana_dashboard"], "1");
    let shown: Value = serde_json::from_str(dashboard["data"]["entitlement-operator.json"].as_str().unwrap()).unwrap();
    assert_eq!(shown, serde_json::from_str::<Value>(&file("dashboards/entitlement-operator.json")).unwrap());
    let policy = &own("NetworkPolicy")["spec"];
    assert_eq!(policy["policyTypes"], json!(["Ingress", "Egress"]));
    let monitoring = json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]);
    let port = |port: f64, protocol: &str| json!({"port": port, "protocol": protocol});
    assert_eq!(
        policy["ingress"],
        json!([{"ports": [port(8080.0, "TCP")], "from": monitoring}, {"ports": [port(9443.0, "TCP")]}])
    );
    assert_eq!(
        policy["egress"],
        json!([
            {"ports": [port(53.0, "UDP"), port(53.0, "TCP")]},
            {"ports": [port(6443.0, "TCP")]},
            {"ports": [port(4317.0, "TCP")]},
        ])
    );
    assert!(named.keys().all(|name| !name.contains("entitlements-")), "{:?}", named.keys());
}

#[test]
fn what_is_switched_off_is_not_there() {
    let off = [
        "serviceAccount.create",
        "rbac.create",
        "networkPolicy.enabled",
        "podDisruptionBudget.enabled",
        "flowControl.enabled",
        "metrics.scrapeAnnotations",
        "crds.install",
        "grantsNamespace.create",
        "roles.view",
        "roles.catalogueAuthor",
        "roles.grantAuthor",
        "roles.serviceDesk",
    ];
    let set = off.map(|value| format!("{value}=false")).join(",");
    let named = by_name(rendered(NAMESPACE, &["--set", &set]));
    let left: Vec<&String> = named.keys().collect();
    assert_eq!(
        left,
        [
            "Deployment entitlement-operator/entitlement-operator",
            "Service entitlement-operator/entitlement-operator-metrics"
        ]
    );
    let deployment = &named["Deployment entitlement-operator/entitlement-operator"];
    assert_eq!(deployment["spec"]["template"]["metadata"]["annotations"], Value::Null);
}

/// The paths of all values, down to what users fill in as a whole.
fn paths(values: &Value, schema: &Value, before: &str, found: &mut BTreeMap<String, Value>) {
    for (name, value) in values.as_object().unwrap() {
        let path = format!("{before}{name}");
        let schema = &schema["properties"][name];
        assert!(schema.is_object(), "values.schema.json does not know {path}");
        match value {
            Value::Object(fields) if schema["properties"].is_object() && !fields.is_empty() && path != "resources" => {
                paths(value, schema, &format!("{path}."), found);
            }
            _ => drop(found.insert(path, value.clone())),
        }
    }
}

fn values() -> BTreeMap<String, Value> {
    let read = |name: &str| fs::read_to_string(format!("{CHART}/{name}")).unwrap();
    let values: Value = serde_saphyr::from_str(&read("values.yaml")).unwrap();
    let schema: Value = serde_json::from_str(&read("values.schema.json")).unwrap();
    let mut found = BTreeMap::new();
    paths(&values, &schema, "", &mut found);
    found
}

/// A line of values.yaml that gives a value, and the comment above it.
struct Documented {
    path: String,
    default: String,
    comment: String,
}

/// All of values.yaml, in its order, read as text, for YAML has no comments.
fn documented() -> Vec<Documented> {
    let text = fs::read_to_string(format!("{CHART}/values.yaml")).unwrap();
    let given = values();
    let (mut all, mut comment, mut above) = (Vec::new(), Vec::new(), Vec::<&str>::new());
    for line in text.lines() {
        let depth = (line.len() - line.trim_start().len()) / 2;
        let line = line.trim();
        if let Some(said) = line.strip_prefix("# ") {
            comment.push(said);
            continue;
        }
        let Some((name, value)) = line.split_once(':') else {
            comment.clear();
            continue;
        };
        above.truncate(depth);
        above.push(name);
        let path = above.join(".");
        if given.contains_key(&path) {
            let default = if value.is_empty() { "see values.yaml" } else { value.trim() };
            all.push(Documented { path, default: default.to_owned(), comment: comment.join(" ") });
        }
        comment.clear();
    }
    all
}

#[test]
fn the_readme_has_each_value_with_its_comment() {
    let documented = documented();
    assert_eq!(documented.iter().map(|one| one.path.clone()).collect::<BTreeSet<_>>(), values().into_keys().collect());
    let rows = documented.iter().map(|Documented { path, default, comment }| {
        assert!(comment.ends_with('.') && comment.len() > 8, "{path} has no comment: {comment:?}");
        format!("| `{path}` | `{default}` | {} |\n", comment.trim_end_matches('.'))
    });
    let table = format!("| value | default | what it does |\n|---|---|---|\n{}", rows.collect::<String>());
    let path = format!("{CHART}/README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let before = readme.split_once("| value | default |").unwrap().0;
    let expected = format!("{before}{table}");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &expected).unwrap();
    }
    assert!(fs::read_to_string(&path).unwrap() == expected, "UPDATE_GOLDEN=1 writes the table anew");
}

#[test]
fn the_schema_knows_each_value_and_no_other() {
    let schema: Value =
        serde_json::from_str(&fs::read_to_string(format!("{CHART}/values.schema.json")).unwrap()).unwrap();
    let mut known = BTreeSet::new();
    in_schema(&schema, "", &mut known);
    assert_eq!(known, values().into_keys().collect());
}

fn in_schema(schema: &Value, before: &str, found: &mut BTreeSet<String>) {
    for (name, field) in schema["properties"].as_object().unwrap() {
        let path = format!("{before}{name}");
        // Helm gives it to every chart.
        if path == "global" {
            continue;
        }
        if field["properties"].is_object() && path != "resources" {
            assert_eq!(field["additionalProperties"], false, "{path}");
            in_schema(field, &format!("{path}."), found);
        } else {
            found.insert(path);
        }
    }
}
