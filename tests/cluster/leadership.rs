//! Two operators on one cluster, in namespaces of their own.

use crate::{
    audit::{Request, of_operator, requests, writes},
    harness::{Cluster, FEATURE, ORGANIZATION, Stage, grant},
    plane::{Identity, PlaneOptions},
    wait::eventually,
};
use entitlement_operator::{
    connection::{Connection, FencedClients},
    controller::{Controller, ControllerOptions, Leadership},
};
use serde_json::{Value, json};
use std::{
    process::Command,
    time::{Duration, Instant},
};
use tokio::{sync::oneshot, task::JoinHandle};

const DEADLINE: Duration = Duration::from_mins(1);
/// Instead of minutes.
const PATIENCE: Duration = Duration::from_secs(4);

fn mark(stage: &Stage) -> Value {
    let path = r"jsonpath={.metadata.annotations.entitlements\.dev/operator}";
    let text = stage.kubectl(&["get", "namespace", "entitlements", "--output", path]);
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

fn stage() -> Stage {
    let stage = Stage::start_with(PlaneOptions { audit: true, ..PlaneOptions::default() });
    stage.kubectl(&["create", "namespace", "billing"]);
    stage
}

/// An organization with a grant in force.
async fn entitle(cluster: &Cluster) {
    for yaml in [ORGANIZATION, FEATURE] {
        cluster.apply(yaml).await;
    }
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    cluster.phase("$", "Active").await;
    cluster.object("ConfigMap", "$", "$").await;
}

fn until_marked(stage: &Stage, namespace: &str) {
    eventually(DEADLINE, "the mark names it", || match mark(stage) {
        mark if mark["namespace"] == namespace => Ok(()),
        mark => Err(mark.to_string()),
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_says_so_and_changes_nothing() {
    let stage = tokio::task::block_in_place(stage);
    let log = stage.plane.audit_log().unwrap().to_owned();
    let first = stage.operator_that_logs("info", &[]);
    let cluster = stage.cluster().await;
    entitle(&cluster).await;
    assert_eq!(mark(&stage), json!({"namespace": "entitlement-operator"}));

    // The second one has a user of its own, by whom its requests are known.
    stage.kubectl(&["create", "serviceaccount", "second", "--namespace=billing"]);
    let binding = ["clusterrolebinding", "second", "--clusterrole=cluster-admin", "--serviceaccount=billing:second"];
    stage.kubectl(&[["create"].as_slice(), binding.as_slice()].concat());
    let account = Identity::ServiceAccount { namespace: "billing", name: "second" };
    let kubeconfig = stage.plane.kubeconfig_for(account).unwrap();
    let options =
        [&format!("--kubeconfig={}", kubeconfig.display()), "--namespace=billing", "--webhook-url=https://127.0.0.1:9"];
    let second = stage.operator_that_logs("info", &options);
    let said = "the operator of namespace entitlement-operator works on this cluster: that of billing changes nothing, and takes over when the other has gone";
    eventually(DEADLINE, "the second one says so", || {
        let log = second.log();
        if log.contains(said) { Ok(()) } else { Err(log) }
    });
    // The first one has answered that it is at work, and goes on.
    eventually(DEADLINE, "the first one answers", || {
        let mark = mark(&stage);
        let is_answered = mark["asked"].is_string() && mark["asked"] == mark["answered"];
        if is_answered && mark["namespace"] == "entitlement-operator" { Ok(()) } else { Err(mark.to_string()) }
    });
    cluster.delete("ConfigMap", "$", "$").await;
    cluster.object("ConfigMap", "$", "$").await;
    cluster.merge("EntitlementInstance", "entitlements", "$", json!({"spec": {"suspended": true}})).await.unwrap();
    cluster.event("$", "Suspended").await;
    cluster.gone("ConfigMap", "$", "$").await;

    let of_second = |request: &&Request| request.user == "system:serviceaccount:billing:second";
    let changes: Vec<String> = of_operator(&log)
        .iter()
        .filter(of_second)
        .map(|request| request.right.clone())
        .filter(|right| !["get", "list", "watch"].iter().any(|verb| right.starts_with(verb)))
        .filter(|right| !right.contains("/selfsubject") && !right.ends_with("/leases"))
        .collect();
    assert_eq!(
        changes,
        ["patch /namespaces"],
        "it asked once, and nothing else, but for the Lease in its own namespace"
    );
    let lines = second.log().lines().filter(|line| line.contains("works on this cluster")).count();
    assert_eq!(lines, 1, "{}", second.log());
    assert!(!second.log().contains("ready:"), "{}", second.log());
    assert!(first.log().contains("ready: cluster https://127.0.0.1:"), "{}", first.log());
    tokio::task::block_in_place(|| drop((first, second, stage)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_looks_where_the_operator_that_works_keeps_the_catalogue() {
    let stage = tokio::task::block_in_place(stage);
    let operator = stage.operator_that_logs("info", &["--namespace=billing"]);
    let cluster = stage.cluster().await;
    entitle(&cluster).await;
    assert_eq!(mark(&stage), json!({"namespace": "billing"}));
    // From now on its last valid state serves, which lies in that namespace.
    cluster.delete("EntitlementDefinition", "", "$").await;
    let kubeconfig = stage.plane.kubeconfig().to_owned();
    let said = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_entitlement-operator"));
        command.args(["suspend", &cluster.name]).args(arguments).env("KUBECONFIG", &kubeconfig);
        let output = command.output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    let withdrawn = format!("What {} gets otherwise", cluster.name);
    tokio::task::block_in_place(|| {
        let by_itself = said(&[]);
        assert!(by_itself.contains(&withdrawn), "{by_itself}");
        assert_eq!(by_itself, said(&["--operator-namespace=billing"]));
        assert_ne!(by_itself, said(&["--operator-namespace=entitlement-operator"]));
        drop((operator, stage));
    });
}

/// An operator in this process, with less patience.
struct Operator {
    leadership: Leadership,
    end: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl Operator {
    async fn start(stage: &Stage, namespace: &str) -> Self {
        let connection = Connection { kubeconfig: Some(stage.plane.kubeconfig().to_owned()), ..Connection::default() };
        let (client, cluster) = connection.connect().await.unwrap();
        let writers = FencedClients::of(&connection).await.unwrap();
        let options = ControllerOptions {
            namespace: namespace.to_owned(),
            cluster,
            patience: PATIENCE,
            identity: format!("{namespace}-{}", Instant::now().elapsed().as_nanos()),
            lease_duration: Duration::from_secs(2),
            ..ControllerOptions::default()
        };
        let controller = Controller::new(client, writers, options);
        let leadership = controller.knowledge().leadership();
        let (end, ends) = oneshot::channel();
        let running = tokio::spawn(async move {
            let _ = controller.run(async { drop(ends.await) }).await;
        });
        Self { leadership, end, running }
    }

    async fn stop(self) {
        let _ = self.end.send(());
        self.running.await.unwrap();
    }

    async fn leads(&self) {
        tokio::time::timeout(DEADLINE, self.leadership.awaited()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_gone_is_followed_by_the_other() {
    let stage = tokio::task::block_in_place(stage);
    let cluster = stage.cluster().await;
    // Both start in the same moment: one of them works.
    let (one, other) =
        tokio::join!(Operator::start(&stage, "entitlement-operator"), Operator::start(&stage, "billing"));
    let started = Instant::now();
    while !one.leadership.leads() && !other.leadership.leads() {
        assert!(started.elapsed() < DEADLINE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    entitle(&cluster).await;
    assert!(one.leadership.leads() != other.leadership.leads());
    let (first, second, names) = if one.leadership.leads() {
        (one, other, ["entitlement-operator", "billing"])
    } else {
        (other, one, ["billing", "entitlement-operator"])
    };

    // Over a restart it goes on, and one that is asked again and again keeps the mark.
    first.stop().await;
    let first = Operator::start(&stage, names[0]).await;
    first.leads().await;
    let asked = |mark: &Value| mark["asked"].as_str().unwrap_or_default().to_owned();
    for _ in 0..2 {
        let before = asked(&mark(&stage));
        eventually(DEADLINE, "it is asked once more, and answers", || match mark(&stage) {
            mark if asked(&mark) != before && mark["answered"] == mark["asked"] => Ok(()),
            mark => Err(mark.to_string()),
        });
    }
    assert!(first.leadership.leads() && !second.leadership.leads());
    assert_eq!(mark(&stage)["namespace"], names[0]);

    // Who takes the mark off stops nobody.
    stage.kubectl(&["annotate", "namespace", "entitlements", "entitlements.dev/operator-"]);
    until_marked(&stage, names[0]);
    assert!(first.leadership.leads() && !second.leadership.leads());

    // It crashes, and is gone for good.
    first.running.abort();
    second.leads().await;
    assert_eq!(mark(&stage)["namespace"], names[1]);
    cluster.delete("ConfigMap", "$", "$").await;
    cluster.object("ConfigMap", "$", "$").await;
    cluster.merge("EntitlementInstance", "entitlements", "$", json!({"spec": {"suspended": true}})).await.unwrap();
    cluster.gone("ConfigMap", "$", "$").await;

    // Alone, it writes nothing for its mark any more.
    let log = stage.plane.audit_log().unwrap().to_owned();
    let marks = || writes(&log).iter().filter(|write| write.contains("/namespaces/entitlements?")).count();
    let before = marks();
    tokio::time::sleep(PATIENCE * 2).await;
    assert_eq!(marks(), before);
    assert!(requests(&log).iter().all(|line| line["responseStatus"]["code"] != 403));
    second.stop().await;
    tokio::task::block_in_place(|| drop(stage));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_do_everything_within_a_namespace_cannot_stop_the_operator() {
    let stage = tokio::task::block_in_place(stage);
    let operator = stage.operator_that_logs("info", &[]);
    let cluster = stage.cluster().await;
    entitle(&cluster).await;
    let forged = r#"entitlements.dev/operator={"namespace":"mallory"}"#;
    for namespace in ["entitlements", cluster.name.as_str()] {
        let name = format!("admin-{namespace}");
        let of = format!("--namespace={namespace}");
        stage.kubectl(&["create", "rolebinding", &name, "--clusterrole=admin", "--user=mallory", &of]);
        let annotate = ["annotate", "namespace", namespace, forged, "--overwrite", "--as=mallory"];
        let refused = stage.plane.run_kubectl(&annotate).unwrap_err().to_string();
        assert!(refused.contains("Forbidden"), "{refused}");
    }
    // What is written on a namespace of theirs is nothing to anybody.
    stage.kubectl(&["annotate", "namespace", &cluster.name, forged]);
    cluster.delete("ConfigMap", "$", "$").await;
    cluster.object("ConfigMap", "$", "$").await;
    assert!(!operator.log().contains("mallory"));
    tokio::task::block_in_place(|| drop((operator, stage)));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_namespace_of_grants_the_operator_goes_on() {
    let stage = tokio::task::block_in_place(stage);
    let operator = stage.operator_that_logs("info", &[]);
    let cluster = stage.cluster().await;
    entitle(&cluster).await;
    stage.kubectl(&["delete", "namespace", "entitlements"]);
    cluster.gone("ConfigMap", "$", "$").await;
    stage.kubectl(&["create", "namespace", "entitlements"]);
    until_marked(&stage, "entitlement-operator");
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    cluster.object("ConfigMap", "$", "$").await;
    tokio::task::block_in_place(|| drop((operator, stage)));
}
