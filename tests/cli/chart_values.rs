//! The values of the Helm chart: what they do, and what is refused.

use super::{
    chart::{CHART, NAMESPACE, by_name, helm, plain, rendered, template},
    code, text,
};
use rstest::rstest;
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs};

#[rstest]
#[case::misspelt("webhook.enable=true", "- at '/webhook': additional properties 'enable' not allowed")]
#[case::unknown("replica=3", "- at '': additional properties 'replica' not allowed")]
#[case::no_number("replicas=two", "- at '/replicas': got string, want integer")]
#[case::none("replicas=0", "- at '/replicas': minimum: got 0, want 1")]
#[case::no_choice("logFormat=xml", "- at '/logFormat': value must be one of 'json', 'text'")]
#[case::no_digest("image.digest=sha256:ab", "- at '/image/digest': 'sha256:ab' does not match pattern")]
#[case::no_tag("image.tag=a:b", "- at '/image/tag': 'a:b' does not match pattern")]
#[case::tag_in_name(
    "image.repository=registry.example/operator:v1",
    "- at '/image/repository': 'registry.example/operator:v1' does not match pattern"
)]
#[case::too_long("leaseDuration=90s", "- at '/leaseDuration': '90s' does not match pattern")]
#[case::no_size("organizationBytes=32MB", "- at '/organizationBytes': '32MB' does not match pattern")]
#[case::too_many("concurrency=2000", "- at '/concurrency': maximum: got 2,000, want 1,024")]
#[case::no_argument("extraArgs={run}", "- at '/extraArgs/0': 'run' does not match pattern '^--[a-z]'")]
#[case::no_disruption(
    "podDisruptionBudget.maxUnavailable=0%",
    "- at '/podDisruptionBudget/maxUnavailable': '0%' does not match pattern"
)]
#[case::no_url("prometheus.url=http://me:b@a", "- at '/prometheus/url': 'http://me:b@a' does not match pattern")]
#[case::emptied_section("webhook=null", "- at '': missing property 'webhook'")]
#[case::emptied_switch("crds.keep=null", "- at '/crds': missing property 'keep'")]
#[case::emptied_restriction("secrets.namespaces=null", "- at '/secrets': missing property 'namespaces'")]
#[case::no_store("store.type=mysql", "- at '/store/type': value must be one of 'none', 'sqlite', 'postgres'")]
#[case::password_in_values(
    "store.postgres.url=postgres://a:b@c/d",
    "- at '/store/postgres': additional properties 'url' not allowed"
)]
#[case::no_labels("podLabels.a.b=c", "- at '/podLabels/a': got object, want string")]
fn what_is_no_value_is_refused(#[case] value: &str, #[case] said: &str) {
    let output = template(NAMESPACE, &["--set", value]);
    assert_eq!((code(&output), text(&output.stdout)), (1, ""), "{value}");
    assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
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
#[case::an_api_that_only_reads(
    "readOnly=true,api.enabled=true",
    "readOnly writes nothing, and so makes no certificate for the API: give one as api.certificate.secretName, or leave out readOnly or api.enabled"
)]
#[case::a_certificate_without_an_api(
    "api.certificate.secretName=api",
    "api.certificate says how the API is served, and it is not: add api.enabled=true"
)]
#[case::several_on_one_file(
    "store.type=sqlite",
    "store.type=sqlite is a file that one pod writes, and replicas is 2: set replicas=1, or keep usage in PostgreSQL (store.type=postgres)"
)]
#[case::no_address(
    "store.type=postgres",
    "store.type=postgres needs store.postgres.secretName: a Secret in the operator's namespace with the address of the database"
)]
#[case::no_prometheus(
    "prometheus.secretName=metrics",
    "prometheus says how Prometheus is asked, and not which: give prometheus.url"
)]
#[case::no_secret(
    "prometheus.url=http://a,prometheus.tokenKey=token",
    "prometheus names keys of a Secret, and no Secret: give prometheus.secretName"
)]
#[case::no_password(
    "prometheus.url=http://a,prometheus.user=me",
    "prometheus.user needs a password: name the key of prometheus.secretName that has it with prometheus.tokenKey"
)]
fn what_contradicts_itself_is_refused(#[case] values: &str, #[case] said: &str) {
    let output = template(NAMESPACE, &["--set", values]);
    assert_eq!((code(&output), text(&output.stdout)), (1, ""));
    assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
}

/// The operator would not start with a flag given twice, and the other objects would not go by one that is given once.
#[rstest]
#[case::one_word("{--store=sqlite:///store.db}", "--store", "store.type")]
#[case::not_the_first("{--time-zones=/zones,--api-address=0.0.0.0:9}", "--api-address", "api.enabled")]
#[case::switch("{--read-only}", "--read-only", "readOnly")]
#[case::folder("{--api-certificate=/a}", "--api-certificate", "api.certificate.secretName")]
#[case::longer("{--prometheus-url=http://a}", "--prometheus-url", "prometheus.url")]
fn a_flag_that_a_value_gives_is_no_extra_argument(#[case] given: &str, #[case] flag: &str, #[case] value: &str) {
    let output = template(NAMESPACE, &["--set", &format!("extraArgs={given}")]);
    assert_eq!((code(&output), text(&output.stdout)), (1, ""));
    let said = format!(
        "extraArgs has {flag}, by which the rest of the release would not go: leave it out, and set the value {value}\n"
    );
    assert!(text(&output.stderr).contains(&said), "{}", text(&output.stderr));
}

#[test]
fn the_namespace_is_no_extra_argument() {
    let output = template(NAMESPACE, &["--set", "extraArgs={--namespace=other}"]);
    let said = "extraArgs has --namespace, which is the release's own: leave it out, and give helm --namespace";
    assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
}

/// Each flag that the chart gives by a value is refused besides.
#[test]
fn each_flag_of_a_value_is_known_to_be_its_own() {
    let helpers = fs::read_to_string(format!("{CHART}/templates/_helpers.tpl")).unwrap();
    let checks = fs::read_to_string(format!("{CHART}/templates/checks.yaml")).unwrap();
    let flags = |text: &str| -> BTreeSet<String> {
        let parts = text.split("--").skip(1);
        parts
            .map(|part| part.split(|letter: char| !letter.is_ascii_lowercase() && letter != '-').next().unwrap())
            .map(str::to_owned)
            .collect()
    };
    let arguments = helpers.split_once(r#"define "entitlement-operator.args""#).unwrap().1;
    let given = flags(arguments.split_once("range .Values.extraArgs").unwrap().0);
    assert!(given.len() > 20, "{given:?}");
    let refused = flags(&checks);
    let missing: Vec<_> = given.difference(&refused).collect();
    assert_eq!(missing, Vec::<&String>::new());
}

/// Of values that all differ from the defaults.
const VALUES: &str = r#"
replicas: 3
image: {digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", pullPolicy: Always}
imagePullSecrets: [{name: registry}]
serviceAccount: {name: other, annotations: {a: b}}
roles: {view: false, catalogueAuthor: false, grantAuthor: false, serviceDesk: false, requester: false, approver: false, reporter: false, checker: false, counter: false, restorer: false}
webhook: {enabled: true, allowMissing: true}
api: {enabled: true, certificate: {secretName: checks-tls}}
logFormat: text
logFilter: info,kube=debug
organizationBytes: 64Mi
concurrency: 8
store: {type: postgres, postgres: {secretName: usage, secretKey: address, port: 6432}}
leaseDuration: 30s
metrics:
  perInstance: true
  serviceMonitor: {enabled: true, labels: {release: prometheus}, interval: 30s}
  rules: {enabled: true, labels: {release: prometheus}}
  dashboards: {enabled: true}
tracing: {endpoint: "http://collector:4318"}
prometheus: {url: "https://metrics:9443/prometheus", secretName: metrics, tokenKey: token, headerKey: headers, certificateAuthorityKey: ca.crt, user: me, timeout: 60s}
networkPolicy:
  metricsFrom: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]
  apiFrom: [{podSelector: {matchLabels: {asks: "true"}}}]
  egress: {enabled: true, apiServerPorts: [6443], prometheusPorts: [9443], allow: [{ports: [{port: 4317, protocol: TCP}]}]}
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
extraEnv: [{name: RUST_BACKTRACE, value: "1"}]
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
            "--api-address=0.0.0.0:9444",
            "--api-certificate=/etc/entitlement-operator/api",
            "--lease-duration=30s",
            "--metrics-per-instance",
            "--otlp-endpoint=http://collector:4318",
            "--prometheus-url=https://metrics:9443/prometheus",
            "--prometheus-token-file=/etc/entitlement-operator/prometheus/token",
            "--prometheus-user=me",
            "--prometheus-header-file=/etc/entitlement-operator/prometheus/headers",
            "--prometheus-certificate-authority=/etc/entitlement-operator/prometheus/ca.crt",
            "--prometheus-timeout=60s",
            "--time-zones=/zones",
        ])
    );
    assert_eq!(container["imagePullPolicy"], "Always");
    let address = json!({"secretKeyRef": {"name": "usage", "key": "address"}});
    assert_eq!(container["env"][2], json!({"name": "ENTITLEMENT_OPERATOR_STORE", "valueFrom": address}));
    assert_eq!(container["env"][3], json!({"name": "RUST_BACKTRACE", "value": "1"}));
    assert_eq!(
        container["resources"],
        json!({"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "2Gi"}})
    );
    let mounted = json!([
        {"name": "prometheus", "mountPath": "/etc/entitlement-operator/prometheus", "readOnly": true},
        {"name": "api", "mountPath": "/etc/entitlement-operator/api", "readOnly": true},
    ]);
    assert_eq!(container["volumeMounts"], mounted);
    let volumes = json!([
        {"name": "prometheus", "secret": {"secretName": "metrics"}},
        {"name": "api", "secret": {"secretName": "checks-tls"}},
    ]);
    assert_eq!(pod["volumes"], volumes);
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
    network_values_show(&own("NetworkPolicy")["spec"]);
    assert!(named.keys().all(|name| !name.contains("entitlements-")), "{:?}", named.keys());
}

/// Only what is named is reached, by whom it is named.
fn network_values_show(policy: &Value) {
    assert_eq!(policy["policyTypes"], json!(["Ingress", "Egress"]));
    let monitoring = json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]);
    let port = |port: f64, protocol: &str| json!({"port": port, "protocol": protocol});
    assert_eq!(
        policy["ingress"],
        json!([
            {"ports": [port(8080.0, "TCP")], "from": monitoring},
            {"ports": [port(9443.0, "TCP")]},
            {"ports": [port(9444.0, "TCP")], "from": [{"podSelector": {"matchLabels": {"asks": "true"}}}]},
        ])
    );
    assert_eq!(
        policy["egress"],
        json!([
            {"ports": [port(53.0, "UDP"), port(53.0, "TCP")]},
            {"ports": [port(6443.0, "TCP")]},
            {"ports": [port(6432.0, "TCP")]},
            {"ports": [port(9443.0, "TCP")]},
            {"ports": [port(4317.0, "TCP")]},
        ])
    );
}

/// One pod has the volume, and the rest of it stays as safe as it is.
#[rstest]
#[case::made("", "entitlement-operator-store", json!({"storage": "1Gi"}), Value::Null)]
#[case::as_asked_for(
    ",store.sqlite.size=20Gi,store.sqlite.storageClassName=fast",
    "entitlement-operator-store",
    json!({"storage": "20Gi"}),
    json!("fast")
)]
#[case::there_already(",store.sqlite.existingClaim=usage", "usage", Value::Null, Value::Null)]
fn a_file_is_on_a_volume(#[case] more: &str, #[case] claim: &str, #[case] size: Value, #[case] class: Value) {
    let values = format!("store.type=sqlite,replicas=1,networkPolicy.egress.enabled=true{more}");
    let named = by_name(rendered(NAMESPACE, &["--set", &values]));
    let deployment = &named["Deployment entitlement-operator/entitlement-operator"]["spec"];
    assert_eq!((&deployment["replicas"], &deployment["strategy"]), (&json!(1.0), &json!({"type": "Recreate"})));
    let pod = &deployment["template"]["spec"];
    assert_eq!(pod["volumes"], json!([{"name": "store", "persistentVolumeClaim": {"claimName": claim}}]));
    assert_eq!(
        (&pod["securityContext"]["fsGroup"], &pod["securityContext"]["runAsNonRoot"]),
        (&json!(65532.0), &json!(true))
    );
    let container = &pod["containers"][0];
    let mount = json!([{"name": "store", "mountPath": "/var/lib/entitlement-operator"}]);
    assert_eq!(container["volumeMounts"], mount);
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert!(
        container["args"]
            .as_array()
            .unwrap()
            .contains(&json!("--store=sqlite:///var/lib/entitlement-operator/store.db"))
    );
    let made = named.get("PersistentVolumeClaim entitlement-operator/entitlement-operator-store");
    let spec = made.map_or(&Value::Null, |made| &made["spec"]);
    assert_eq!((&spec["resources"]["requests"], &spec["storageClassName"]), (&size, &class));
    assert!(made.is_none_or(|made| made["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"));
    assert!(made.is_none_or(|made| made["spec"]["accessModes"] == json!(["ReadWriteOnce"])));
    // Nothing else may be reached for it.
    let policy = &named["NetworkPolicy entitlement-operator/entitlement-operator"]["spec"];
    assert_eq!(policy["egress"].as_array().unwrap().len(), 2);
}

/// Whoever serves with a certificate of somebody else's writes none, and tells of no authority.
#[rstest]
#[case::own("api.enabled=true", true)]
#[case::given("api.enabled=true,api.certificate.secretName=checks-tls", false)]
#[case::given_to_one_that_only_reads("readOnly=true,api.enabled=true,api.certificate.secretName=checks-tls", false)]
fn rights_for_a_certificate_are_for_one_that_is_made(#[case] values: &str, #[case] is_made: bool) {
    let named = by_name(rendered(NAMESPACE, &["--set", &format!("{values},namespaces={{acme}}")]));
    let role = named["Role entitlement-operator/entitlement-operator"]["rules"].to_string();
    let of = |name: &str| role.contains(&format!(" {name}\""));
    assert_eq!((of("entitlement-operator-api"), of("entitlement-operator-ca")), (is_made, is_made), "{role}");
}

/// Names that YAML would take for numbers.
#[test]
fn names_stay_texts() {
    let values = "serviceAccount.name=10234,priorityClassName=20234";
    let named = by_name(rendered(NAMESPACE, &["--set-string", values]));
    let name = &named["ServiceAccount entitlement-operator/10234"]["metadata"]["name"];
    let of = |name: &str| &named[&format!("{name}/entitlement-operator")];
    let pod = &of("Deployment entitlement-operator")["spec"]["template"]["spec"];
    assert_eq!((&pod["serviceAccountName"], &pod["priorityClassName"]), (name, &json!("20234")));
    for binding in ["RoleBinding entitlement-operator", "ClusterRoleBinding "] {
        assert_eq!(&of(binding)["subjects"][0]["name"], name);
    }
    let flow = &of("FlowSchema ")["spec"]["rules"][0]["subjects"][0];
    assert_eq!(&flow["serviceAccount"]["name"], name);
}

/// What is said after installing with values.
fn notes(values: &str) -> String {
    let install = ["install", "entitlement-operator", CHART, "--namespace", NAMESPACE, "--dry-run=client", "--set"];
    let output = helm(&[&install[..], &[values]].concat());
    assert_eq!((code(&output), text(&output.stderr)), (0, ""), "{values}");
    text(&output.stdout).split_once("\nNOTES:\n").unwrap().1.to_owned()
}

#[test]
fn the_notes_advise_what_these_values_make_possible() {
    const TRY: &str = "kubectl apply --filename examples";
    const GRANT: &str = "--clusterrole entitlements-grant-author";
    const AUTHOR: &str = "--clusterrole entitlements-catalogue-author";
    const STAY: &str = "the CustomResourceDefinitions and the namespaces stay, and with them every grant";
    let has = |values: &str| {
        let notes = notes(values);
        [TRY, GRANT, AUTHOR, "pod-security.kubernetes.io/enforce=restricted", STAY].map(|said| notes.contains(said))
    };
    assert_eq!(has("replicas=2"), [true; 5]);
    assert_eq!(has("readOnly=true,roles.grantAuthor=false"), [false, false, true, true, true]);
    assert_eq!(has("namespaces={acme},roles.catalogueAuthor=false"), [false, true, false, true, true]);
    assert_eq!(has("namespace.create=true,crds.keep=false"), [true, true, true, false, false]);
    assert_eq!(has("crds.install=false,crds.keep=false"), [true; 5]);
    assert!(notes("readOnly=true").contains("It writes nothing"));
    assert!(notes("namespaces={b,a}").contains("It serves these namespaces only: a, b."));
    assert!(notes("crds.keep=false").contains("helm uninstall deletes the CustomResourceDefinitions"));
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
        "roles.requester",
        "roles.approver",
        "roles.reporter",
        "roles.checker",
        "roles.counter",
        "roles.restorer",
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
