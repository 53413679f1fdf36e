//! The chart with the real helm on a real API server: a release comes, changes, goes back, and goes; and its README is followed.

use crate::{
    audit::of_operator,
    documentation::run,
    harness::{Cluster, DEADLINE, FEATURE, ORGANIZATION, Operator, Stage, grant},
    plane::PlaneOptions,
    wait::eventually,
    webhook::{REGISTRATION, by_url, free_port, get, kubectl, serving},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Output},
};

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/entitlement-operator");
pub const HELM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/control-plane/bin/helm");
const NAMESPACE: &str = "--namespace=entitlement-operator";
const NAME: &str = "entitlement-operator";
/// All kinds that the chart makes objects of, but for those that stay.
const KINDS: &str = "serviceaccounts,clusterroles,clusterrolebindings,roles,rolebindings,flowschemas,prioritylevelconfigurations,\
                     networkpolicies,services,poddisruptionbudgets,deployments,validatingwebhookconfigurations";

/// Runs helm as the administrator.
fn helm_output(stage: &Stage, arguments: &[&str]) -> Output {
    let mut command = Command::new(HELM);
    command
        .args(arguments)
        .arg(NAMESPACE)
        .env("KUBECONFIG", stage.plane.kubeconfig())
        .env("HOME", stage.plane.folder());
    command.output().unwrap_or_else(|error| panic!("{HELM}: {error}: build it with make control-plane"))
}

#[track_caller]
fn helm(stage: &Stage, arguments: &[&str]) -> String {
    let output = helm_output(stage, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A cluster with a namespace in which the Pod Security Standard is enforced.
fn stage() -> Stage {
    let stage = Stage::bare(PlaneOptions { audit: true, ..PlaneOptions::default() });
    stage.kubectl(&["create", "namespace", NAME]);
    stage.kubectl(&["label", "namespace", NAME, "pod-security.kubernetes.io/enforce=restricted"]);
    stage
}

fn deployment(stage: &Stage) -> Value {
    get(stage, &["deployment", NAME, NAMESPACE])["spec"].take()
}

/// What a pod of the Deployment would be told by the API server.
fn pod(stage: &Stage, change: impl Fn(&mut Value)) -> (bool, String) {
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a-pod", "namespace": NAME}});
    pod["spec"] = deployment(stage)["template"]["spec"].take();
    // The scheduler reads these, and not for pods alone.
    pod["spec"].as_object_mut().unwrap().remove("topologySpreadConstraints");
    change(&mut pod["spec"]);
    kubectl(stage, &["create", "--dry-run=server", "--filename=-"], &pod.to_string())
}

/// The operator with the release's service account and arguments, outside the cluster.
fn operator(stage: &Stage, port: u16) -> Operator {
    let container = deployment(stage)["template"]["spec"]["containers"][0].take();
    let arguments = container["args"].as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned());
    // No Service leads to it.
    let service = format!("--webhook-service={NAME}");
    let elsewhere = |argument: String| {
        if argument == service { format!("--webhook-url=https://127.0.0.1:{port}") } else { argument }
    };
    let is_another = |argument: &String| argument != "run" && !argument.starts_with("--log-format=");
    let mut arguments: Vec<String> = arguments.filter(is_another).map(elsewhere).collect();
    if arguments.iter().any(|argument| argument.starts_with("--webhook-url=")) {
        arguments.push(format!("--webhook-address=127.0.0.1:{port}"));
    }
    arguments.push(stage.of_account());
    stage.operator_that_logs("info", &arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The next version of the chart, which has another kind.
fn next_version(folder: &Path) -> String {
    let chart = folder.join("chart");
    let copied = Command::new("cp").args(["-r", CHART, chart.to_str().unwrap()]).status().unwrap();
    assert!(copied.success());
    let file = chart.join("files/crds/organizations.yaml");
    let kinds = fs::read_to_string(&file).unwrap();
    fs::write(&file, kinds.replacen("    - org\n", "    - org\n    - client\n", 1)).unwrap();
    let about = chart.join("Chart.yaml");
    let text = fs::read_to_string(&about).unwrap();
    fs::write(&about, text.replace("\nversion: 0.1.0\n", "\nversion: 0.1.1\n")).unwrap();
    chart.to_str().unwrap().to_owned()
}

fn short_names(stage: &Stage) -> Value {
    get(stage, &["crd", "organizations.entitlements.dev"])["spec"]["names"]["shortNames"].take()
}

/// What the operator has filled in.
fn filled_in(stage: &Stage) -> Value {
    let config = get(stage, &REGISTRATION)["webhooks"][0]["clientConfig"].take();
    assert!(config["caBundle"].is_string(), "{config}");
    config
}

async fn entitle(cluster: &Cluster) {
    cluster.apply(ORGANIZATION).await;
    cluster.apply(FEATURE).await;
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    cluster.phase("$", "Active").await;
    cluster.object("ConfigMap", "$", "$").await;
}

/// What is left of the release.
fn left(stage: &Stage) -> String {
    let helms =
        stage.kubectl(&["get", KINDS, "--all-namespaces", "--selector=app.kubernetes.io/managed-by=Helm", "-o=name"]);
    let own = stage.kubectl(&[
        "get",
        KINDS,
        "--all-namespaces",
        &format!("--selector=app.kubernetes.io/name={NAME}"),
        "-o=name",
    ]);
    format!("{helms}{own}")
}

/// The kinds of what lies in the operator's namespace, but for events, and for what every namespace has.
fn kept(stage: &Stage) -> BTreeSet<String> {
    let kinds = stage.kubectl(&["api-resources", "--namespaced", "--verbs=list", "--output=name"]);
    let kinds: Vec<&str> = kinds.lines().filter(|kind| !kind.starts_with("events")).collect();
    let all = stage.kubectl(&["get", &kinds.join(","), NAMESPACE, "--output=name"]);
    let own = all.lines().filter(|name| !["configmap/kube-root-ca.crt", "serviceaccount/default"].contains(name));
    own.map(|name| name.split_once('/').unwrap().0.to_owned()).collect()
}

fn comes(stage: &Stage, port: u16) -> Operator {
    let values = ["--set", "webhook.enabled=true"];
    // Every object is accepted by a dry run, and nothing is left of it.
    let tried = helm(stage, &[&["install", NAME, CHART, "--dry-run=server"], &values[..]].concat());
    assert!(tried.contains("kind: ValidatingWebhookConfiguration"), "{tried}");
    assert_eq!(left(stage), "");
    let notes = helm(stage, &[&["install", NAME, CHART], &values[..]].concat());
    for said in
        ["kubectl apply --filename examples", "explain acme", "the CustomResourceDefinitions and the namespaces stay"]
    {
        assert!(notes.contains(said), "{said}: {notes}");
    }
    let (is_content, said) = pod(stage, |_| ());
    assert!(is_content && !said.contains("Warning"), "{said}");
    let (is_content, said) = pod(stage, |pod| pod["containers"][0]["securityContext"] = json!({}));
    assert!(!is_content && said.contains(r#"violates PodSecurity "restricted:latest""#), "{said}");
    by_url(stage, port);
    let operator = operator(stage, port);
    serving(stage);
    operator
}

/// What protects approvals, in which states.
fn policies(stage: &Stage) -> String {
    let kinds = "validatingadmissionpolicies,validatingadmissionpolicybindings";
    let columns = "custom-columns=KIND:.kind,NAME:.metadata.name,VERSION:.metadata.resourceVersion";
    stage.kubectl(&["get", kinds, "--output", columns, "--no-headers"])
}

fn changes_and_goes_back(stage: &Stage) {
    let protected = policies(stage);
    // As it is with an operator in the cluster, to which a Service leads.
    let ca_bundle = filled_in(stage)["caBundle"].take();
    let service = json!({"name": NAME, "namespace": NAME, "port": 443, "path": "/validate/filled-in"});
    let config = json!({"caBundle": ca_bundle, "service": service});
    let patch = json!([{"op": "replace", "path": "/webhooks/0/clientConfig", "value": config}]).to_string();
    stage.kubectl(&["patch", REGISTRATION[0], REGISTRATION[1], "--type=json", "--patch", &patch]);
    let folder = tempfile::tempdir().unwrap();
    let next = next_version(folder.path());
    helm(stage, &["upgrade", NAME, &next, "--reset-then-reuse-values", "--set", "replicas=3"]);
    assert_eq!(short_names(stage), json!(["org", "client"]));
    assert_eq!(deployment(stage)["replicas"], 3);
    // Nobody has taken away what the operator has filled in.
    assert_eq!(filled_in(stage)["caBundle"], config["caBundle"]);
    helm(stage, &["rollback", NAME, "1"]);
    assert_eq!(short_names(stage), json!(["org"]));
    // What is asked for and decided meanwhile goes on counting.
    assert_eq!(policies(stage), protected);
    assert_eq!(deployment(stage)["replicas"], 2);
    assert_eq!(filled_in(stage)["caBundle"], config["caBundle"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_comes_changes_goes_back_and_goes() {
    let (stage, operator) = tokio::task::spawn_blocking(|| {
        let stage = stage();
        let operator = comes(&stage, free_port());
        (stage, operator)
    })
    .await
    .unwrap();
    let cluster = stage.cluster().await;
    entitle(&cluster).await;
    tokio::task::block_in_place(|| {
        operator.until_well("/readyz");
        let (_, _, metrics) = operator.asked("/metrics");
        assert!(metrics.contains("entitlement_instances{"), "{metrics}");
        changes_and_goes_back(&stage);
        let refused = of_operator(stage.plane.audit_log().unwrap());
        let refused: Vec<_> = refused.iter().filter(|request| [401, 403].contains(&request.code)).collect();
        assert!(refused.is_empty(), "{refused:#?}");
        drop(operator);

        let said = helm(&stage, &["uninstall", NAME]);
        assert!(said.contains("kept due to the resource policy"), "{said}");
        assert_eq!(left(&stage), "");
        let stays = ["configmap", "controllerrevision.apps", "lease.coordination.k8s.io", "secret"];
        assert_eq!(kept(&stage), stays.map(str::to_owned).into());
        let kinds = stage.kubectl(&["get", "crd", "--output=name"]);
        assert_eq!(kinds.lines().filter(|line| line.ends_with(".entitlements.dev")).count(), 9, "{kinds}");
        assert_eq!(policies(&stage).lines().count(), 6);
    });
    // The grant is what it was, and so is what the client has of it.
    cluster.phase("$", "Active").await;
    cluster.object("ConfigMap", "$", "$").await;
    tokio::task::block_in_place(|| {
        // It goes on where it stopped.
        helm(&stage, &["install", NAME, CHART]);
        helm(&stage, &["uninstall", NAME]);
        drop(stage);
    });
}

/// The commands of a section of the chart's README.
fn commands(section: &str) -> Vec<String> {
    let readme = fs::read_to_string(format!("{CHART}/README.md")).unwrap();
    let (_, text) = readme.split_once(&format!("\n## {section}\n")).unwrap();
    let lines = text.split("\n## ").next().unwrap().lines();
    let commands = lines.filter_map(|line| line.strip_prefix("$ ").or_else(|| line.strip_prefix("    ")));
    commands.map(str::to_owned).collect()
}

/// In which a shell finds helm, and helm nothing of the user's own.
fn environment(stage: &Stage) -> String {
    let helm = Path::new(HELM).parent().unwrap().display();
    format!("PATH={helm}:$PATH; HOME={}", stage.plane.folder().display())
}

/// Runs a command as it stands there.
#[track_caller]
fn follow(stage: &Stage, command: &str) -> String {
    let said = run(stage, &format!("{}; {command} || echo FAILED", environment(stage)));
    assert!(!said.contains("FAILED"), "{command}\n{said}");
    said
}

/// The one command of a section that has this in it.
#[track_caller]
fn command_with(section: &str, what: &str) -> String {
    let mut commands = commands(section);
    commands.retain(|command| command.contains(what));
    assert_eq!(commands.len(), 1, "{section}: {what}: {commands:?}");
    commands.remove(0)
}

#[test]
fn a_newcomer_follows_the_readme() {
    let stage = Stage::bare(PlaneOptions::default());
    let install = commands("Install");
    let (install, try_it) = install.split_at(install.iter().position(|one| one.starts_with("kubectl apply")).unwrap());
    let install = install.iter().filter(|command| !command.contains("--take-ownership"));
    let said: Vec<String> = install.map(|command| follow(&stage, command)).collect();
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said[2].contains("STATUS: deployed"), "{said:?}");
    let operator = operator(&stage, 0);
    let [apply, grants, delivered] = try_it else { panic!("{try_it:?}") };
    follow(&stage, apply);
    let until = |command: &str, what: &[&str]| {
        eventually(DEADLINE, command, || {
            let said = follow(&stage, command);
            if what.iter().all(|word| said.contains(word)) { Ok(()) } else { Err(said) }
        });
    };
    until(grants, &["acme-backup", "Active"]);
    until(delivered, &["entitlements", "managed-backup"]);
    let (_, _, metrics) = operator.asked("/metrics");
    let read = command_with("What to decide", "curl");
    let shown = metrics.lines().filter(|line| line.starts_with("entitlement_")).count();
    assert!(read.ends_with("/metrics | grep ^entitlement_") && shown > 10, "{metrics}");
    follow(&stage, &command_with("Upgrade and roll back", "helm upgrade"));
    operator.stop();
    let going = commands("Uninstall");
    let (uninstall, removal) = going.split_first().unwrap();
    assert!(follow(&stage, uninstall).contains("kept due to the resource policy"));
    assert_eq!(left(&stage), "");
    assert!(follow(&stage, grants).contains("acme-backup"));
    assert!(follow(&stage, delivered).contains("managed-backup"));
    assert_eq!(removal.len(), 4, "{removal:?}");
    for command in removal {
        follow(&stage, command);
    }
    assert!(!follow(&stage, "kubectl get crd,namespaces --output name").contains("entitlement"));
    assert!(!policies(&stage).contains("entitlements.dev"));
    let delivered =
        "kubectl get configmaps,secrets --all-namespaces --selector app.kubernetes.io/managed-by=entitlement-operator";
    assert_eq!(follow(&stage, delivered).trim(), "No resources found");
}

#[test]
fn what_manifests_has_made_is_taken_over_on_demand() {
    let stage = Stage::bare(PlaneOptions::default());
    let program = env!("CARGO_BIN_EXE_entitlement-operator");
    follow(&stage, &format!("{program} manifests --image registry.example/operator:1 | kubectl apply -f -"));
    let refused = helm_output(&stage, &["install", NAME, CHART]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("invalid ownership metadata"), "{said}");
    follow(&stage, &command_with("Install", "--take-ownership"));
    assert_eq!(
        get(&stage, &["deployment", NAME, NAMESPACE])["metadata"]["labels"]["app.kubernetes.io/managed-by"],
        "Helm"
    );
    let folder = tempfile::tempdir().unwrap();
    let next = next_version(folder.path());
    let upgrade = command_with("Upgrade and roll back", "helm upgrade").replace("charts/entitlement-operator", &next);
    let refused = run(&stage, &format!("{}; {upgrade}", environment(&stage)));
    assert!(refused.contains(r#"conflict with "kubectl-client-side-apply""#), "{refused}");
    follow(&stage, &format!("{upgrade} --force-conflicts"));
    assert_eq!(short_names(&stage), json!(["org", "client"]));
    helm(&stage, &["uninstall", NAME]);
    assert_eq!(left(&stage), "");
}

#[test]
fn one_that_only_reads_is_installed_beside_one_that_works() {
    let stage = stage();
    helm(&stage, &["install", NAME, CHART]);
    let before = left(&stage);
    follow(&stage, &command_with("What to decide", "readOnly=true"));
    let release = "--namespace=look";
    assert_eq!(get(&stage, &["deployment", NAME, release])["spec"]["replicas"], 2);
    let may = |verb: &str| {
        let user = "--as=system:serviceaccount:look:entitlement-operator";
        kubectl(&stage, &["auth", "can-i", verb, "configmaps", "--all-namespaces", user], "").1.trim().to_owned()
    };
    eventually(DEADLINE, "the rights are known", || match may("watch").as_str() {
        "yes" => Ok(()),
        other => Err(other.to_owned()),
    });
    assert_eq!(may("create"), "no");
    follow(&stage, "helm uninstall entitlement-operator --namespace look");
    assert_eq!(left(&stage), before);
}

#[test]
fn rights_within_namespaces_follow_the_values() {
    let stage = stage();
    for namespace in ["acme", "globex"] {
        stage.kubectl(&["create", "namespace", namespace]);
    }
    let may = |namespace: &str| {
        let user = format!("--as=system:serviceaccount:{NAME}:{NAME}");
        let of = format!("--namespace={namespace}");
        kubectl(&stage, &["auth", "can-i", "delete", "secrets", &of, &user], "").1.trim().to_owned()
    };
    helm(&stage, &["install", NAME, CHART, "--set", "secrets.namespaces={acme,globex}"]);
    eventually(DEADLINE, "the rights are known", || match may("globex").as_str() {
        "yes" => Ok(()),
        other => Err(other.to_owned()),
    });
    assert_eq!([may("acme"), may("default"), may("kube-system")], ["yes", "no", "no"]);
    helm(&stage, &["upgrade", NAME, CHART, "--set", "secrets.namespaces={acme}"]);
    eventually(DEADLINE, "the right is taken away", || match may("globex").as_str() {
        "no" => Ok(()),
        other => Err(other.to_owned()),
    });
    assert_eq!(may("acme"), "yes");
}
