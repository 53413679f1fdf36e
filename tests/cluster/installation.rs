//! What `manifests` prints is what a cluster needs: it is applied in one go, and the operator does its whole work with the
//! rights that it gives, and needs each of them.

use crate::{
    approval_policies::asked_by,
    audit::{Request, of_operator},
    harness::{Cluster, FEATURE, ORGANIZATION, Operator, PASSWORD, Stage, grant},
    plane::PlaneOptions,
    subscriptions::{DEFINITIONS, PLANS, subscribe, subscription},
    webhook::{REGISTRATION, SECRET, by_url, free_port, get, serving},
};
use entitlement_operator::installation::{Duties, Webhook, rights};
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::Path};

/// What API servers that cannot stream lists are asked for, and this one is not.
const OF_OLDER_API_SERVERS: [&str; 12] = [
    "list admissionregistration.k8s.io/validatingadmissionpolicies",
    "list admissionregistration.k8s.io/validatingadmissionpolicybindings",
    "list apps/controllerrevisions",
    "list entitlements.dev/entitlementdefinitions",
    "list entitlements.dev/entitlementinstances",
    "list entitlements.dev/entitlementoverrides",
    "list entitlements.dev/entitlementplans",
    "list entitlements.dev/entitlementsubscriptions",
    "list entitlements.dev/entitlementusages",
    "list entitlements.dev/facetdefinitions",
    "list entitlements.dev/organizations",
    "list entitlements.dev/overridedecisions",
];

/// What is no verb of requests: a policy asks for it when the status is written.
const OF_POLICIES: &str = "record entitlements.dev/entitlementoverrides";

const ACCOUNT: &str = r"
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $-account}
spec:
  type: Feature
  facets: [{name: account, definition: $}]
  outputs:
    - {name: account, kind: Secret, objectName: $-account, items: [{format: Keys}]}
    - {name: kept, kind: ConfigMap, objectName: $-kept, onEnd: Retain, items: [{key: a, template: b}]}
";

fn apply(stage: &Stage, manifests: &Path, options: &[&str]) -> String {
    stage.kubectl(&[&["apply", "--filename", manifests.to_str().unwrap()], options].concat())
}

fn all_end_with(said: &str, ending: &str) {
    assert_eq!(said.lines().count(), 42, "{said}");
    assert!(said.lines().all(|line| line.ends_with(ending)), "{said}");
}

/// An empty cluster on which everything was applied, with an operator that has the rights of its service account.
fn installed(streams_lists: bool) -> (Stage, u16) {
    let stage = Stage::bare(PlaneOptions { audit: true, streams_lists, ..PlaneOptions::default() });
    let path = stage.manifests(&["--webhook"]);
    all_end_with(&apply(&stage, &path, &[]), " created");
    // kubectl replaces the selector of a budget as a whole, and calls that a change; the API server stores none.
    let budget = ["get", "poddisruptionbudget", "entitlement-operator", "--namespace=entitlement-operator"];
    let stored = || stage.kubectl(&[&budget[..], &["--output=jsonpath={.metadata.resourceVersion}"]].concat());
    let before = stored();
    let again = apply(&stage, &path, &[]);
    let budget = "poddisruptionbudget.policy/entitlement-operator";
    all_end_with(&again.replace(&format!("{budget} configured"), &format!("{budget} unchanged")), " unchanged");
    assert_eq!(stored(), before);
    all_end_with(
        &apply(&stage, &path, &["--server-side", "--force-conflicts", "--dry-run=server"]),
        " serverside-applied (server dry run)",
    );
    let port = free_port();
    by_url(&stage, port);
    (stage, port)
}

fn start(stage: &Stage, port: u16) -> Operator {
    let operator = stage.operator(&[
        &stage.of_account(),
        &format!("--webhook-address=127.0.0.1:{port}"),
        &format!("--webhook-url=https://127.0.0.1:{port}"),
        "--webhook-register=false",
    ]);
    serving(stage);
    operator
}

/// A report of usage from where the organization does not allow it is told so. It was there before the organization: so the
/// webhook has only warned of it.
async fn report(cluster: &Cluster) {
    let name = cluster.name.clone();
    let late = format!("{name}-late");
    let report = json!({
        "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementUsage",
        "metadata": {"name": name, "namespace": name}, "spec": {"organization": late, "definition": name},
    });
    cluster.create(report).await.unwrap();
    cluster.apply(&ORGANIZATION.replace("{name: $}", "{name: $-late}").replace("[$]", "[$-late]")).await;
    let is_told = |seen: &Value| seen["status"]["conditions"][0]["reason"] == "NamespaceNotAllowed";
    cluster.until("EntitlementUsage", "$", "$", "is told of", is_told).await;
}

/// Everything that the operator can have to do.
async fn all_kinds_of_work(cluster: &Cluster) {
    for yaml in [ORGANIZATION, FEATURE, PASSWORD, ACCOUNT] {
        cluster.apply(yaml).await;
    }
    let name = cluster.name.clone();
    let password = |text: &str| json!({"stringData": {"password": text}});
    let mut secret = password("planted-for-the-installation");
    secret["apiVersion"] = json!("v1");
    secret["kind"] = json!("Secret");
    secret["metadata"] = json!({"name": name, "namespace": "entitlements"});
    cluster.create(secret).await.unwrap();
    // Something of another's stands in the way at first.
    let foreign = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": name}});
    cluster.create(foreign).await.unwrap();
    cluster.create(grant(&name, &name, &name, json!({}))).await.unwrap();
    let source = json!({"facet": "account", "field": "password", "secretKeyRef": {"name": name, "key": "password"}});
    let account = format!("{name}-account");
    cluster.create(grant(&account, &name, &account, json!({"secretFacets": [source]}))).await.unwrap();
    cluster.condition("EntitlementInstance", "$", "Delivered", "False", "Conflict").await;
    cluster.delete("ConfigMap", "$", "$").await;
    cluster.object("ConfigMap", "$", "$").await;
    let delivered = cluster.object("Secret", "$", "$-account").await;
    // It changes with its source, and what is changed by hand is put right.
    cluster.merge("Secret", "entitlements", "$", password("planted-for-the-installation-anew")).await.unwrap();
    cluster.until("Secret", "$", "$-account", "is of the new source", |seen| seen["data"] != delivered["data"]).await;
    cluster.merge("ConfigMap", "$", "$", json!({"data": {"who": "nobody"}})).await.unwrap();
    cluster.until("ConfigMap", "$", "$", "is put right", |seen| seen["data"]["who"] == "The Client").await;
    // Grants from where the organization does not allow it are told so.
    let mut barred = grant(&name, &name, &name, json!({"state": "Draft"}));
    barred["metadata"]["namespace"] = json!(name);
    cluster.create(barred).await.unwrap();
    let is_told = |seen: &Value| seen["status"]["phase"] == "Draft";
    cluster.until("EntitlementInstance", "$", "$", "is told of", is_told).await;
    report(cluster).await;
    subscriptions(cluster).await;
    overrides(cluster).await;
    // States of the catalogue are kept, are valid again, and are dropped.
    let items = |text: &str| json!({"spec": {"outputs": [{"name": "config", "kind": "ConfigMap", "items": [{"key": "who", "template": text}]}]}});
    for text in ["other", "{{ organization.displayName }}"] {
        cluster.merge("EntitlementDefinition", "", "$", items(text)).await.unwrap();
        let shown = if text == "other" { text } else { "The Client" };
        cluster.until("ConfigMap", "$", "$", "is of the new state", |seen| seen["data"]["who"] == shown).await;
    }
    cluster.apply(&FEATURE.replace("name: $}", "name: $-unused}")).await;
    let is_of = |one: &Value| one["metadata"]["name"].as_str().unwrap().starts_with(&format!("{name}-unused"));
    let kept = || async { cluster.list("ControllerRevision", "entitlement-operator").await.iter().any(is_of) };
    while !kept().await {}
    cluster.delete("EntitlementDefinition", "", "$-unused").await;
    while kept().await {}
    // What ends is withdrawn or kept, and told.
    for one in ["$", "$-account"] {
        cluster.merge("EntitlementInstance", "entitlements", one, json!({"spec": {"suspended": true}})).await.unwrap();
        cluster.event(one, "Suspended").await;
    }
    cluster.gone("ConfigMap", "$", "$").await;
    cluster.gone("Secret", "$", "$-account").await;
    let over = |seen: &Value| seen["metadata"]["labels"]["entitlements.dev/in-force"] == "false";
    cluster.until("ConfigMap", "$", "$-kept", "is kept", over).await;
}

/// The same with what subscriptions need.
async fn subscriptions(cluster: &Cluster) {
    for yaml in [DEFINITIONS, PLANS] {
        cluster.apply(yaml).await;
    }
    let (name, namespace) = (cluster.name.clone(), "entitlements");
    subscribe(cluster, &name, "business", json!({"start": "2020-01-01"})).await;
    let is_active = |seen: &Value| seen["status"]["phase"] == "Active";
    cluster.until("EntitlementSubscription", namespace, "$", "is active", is_active).await;
    let mut barred = subscription(cluster, &name, "business", json!({"state": "Draft"}));
    barred["metadata"]["namespace"] = json!(name);
    cluster.create(barred).await.unwrap();
    let is_told = |seen: &Value| seen["status"]["phase"] == "Draft";
    cluster.until("EntitlementSubscription", "$", "$", "is told of", is_told).await;
    let refused = cluster.create(subscription(cluster, &format!("{name}-missing"), "missing", json!({}))).await;
    assert!(refused.unwrap_err().contains("PlanNotFound"));
}

/// The same with what overrides need.
async fn overrides(cluster: &Cluster) {
    let name = cluster.name.clone();
    let mut asked = asked_by("admin", &name, json!({"organization": name, "definition": name}));
    cluster.create(asked.clone()).await.unwrap();
    let is_told = |seen: &Value| !seen["status"]["phase"].is_null();
    cluster.until("EntitlementOverride", "entitlements", "$", "is told of", is_told).await;
    // From where the organization does not allow it: the webhook lets it be once nothing is asked for any more.
    asked["metadata"]["namespace"] = json!(name);
    asked["spec"]["cancelled"] = json!(true);
    cluster.create(asked).await.unwrap();
    cluster.until("EntitlementOverride", "$", "$", "is told of", is_told).await;
}

/// What was damaged of the webhook's own objects is made right.
async fn webhook_is_mended(cluster: &Cluster, stage: &Stage) {
    let certificate = cluster.object("Secret", "entitlement-operator", SECRET[1]).await["data"]["tls.crt"].take();
    cluster
        .merge("Secret", "entitlement-operator", SECRET[1], json!({"data": {"tls.crt": "bm9uc2Vuc2U="}}))
        .await
        .unwrap();
    let is_new = |seen: &Value| {
        let now = &seen["data"]["tls.crt"];
        !now.is_null() && *now != certificate && now != "bm9uc2Vuc2U="
    };
    cluster.until("Secret", "entitlement-operator", SECRET[1], "has a new certificate", is_new).await;
    let registration = get(stage, &REGISTRATION);
    assert_eq!(registration["webhooks"][0]["failurePolicy"], "Ignore");
    let missing = ACCOUNT.replace("definition: $}", "definition: missing}");
    assert!(cluster.refused(&missing).await.contains("FacetNotFound"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_printed_is_all_that_the_operator_needs() {
    is_needed(true, &OF_OLDER_API_SERVERS).await;
}

/// Kubernetes 1.33 sends a list first, for which it wants the right to list.
#[tokio::test(flavor = "multi_thread")]
async fn where_lists_are_not_streamed_all_of_it_is_needed() {
    is_needed(false, &[]).await;
}

async fn is_needed(streams_lists: bool, not_needed: &[&str]) {
    let (stage, port) = tokio::task::spawn_blocking(move || installed(streams_lists)).await.unwrap();
    let cluster = stage.cluster().await;
    let operator = tokio::task::block_in_place(|| start(&stage, port));
    all_kinds_of_work(&cluster).await;
    webhook_is_mended(&cluster, &stage).await;
    // What may have changed while it was down is looked for.
    tokio::task::block_in_place(|| operator.stop());
    let operator = tokio::task::block_in_place(|| start(&stage, port));
    cluster.merge("EntitlementInstance", "entitlements", "$", json!({"spec": {"suspended": false}})).await.unwrap();
    cluster.object("ConfigMap", "$", "$").await;
    cluster.operator_has_acted().await;

    // An API server that does not stream lists says so at each watch, and kube asks for a list instead.
    let log = operator.log();
    let log = log.lines().filter(|line| !line.contains("sendInitialEvents")).collect::<Vec<_>>().join("\n");
    let requests = of_operator(stage.plane.audit_log().unwrap());
    let refused: Vec<&Request> = requests.iter().filter(|request| [401, 403].contains(&request.code)).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    assert!(!log.contains("forbidden") && !log.contains("cannot"), "{log}");
    let account = "system:serviceaccount:entitlement-operator:entitlement-operator";
    assert!(requests.iter().all(|request| request.user == account));
    assert_eq!(unused(&requests), not_needed.iter().map(ToString::to_string).collect());
    tokio::task::block_in_place(|| drop((operator, stage)));
}

/// The rights that no request has taken.
fn unused(requests: &[Request]) -> BTreeSet<String> {
    let used: BTreeSet<&str> = requests.iter().map(|request| request.right.as_str()).collect();
    let webhook = Webhook { configuration: "entitlement-operator".to_owned(), registers: false };
    let rights = rights(&Duties { webhook: Some(webhook), ..Duties::default() });
    let granted = rights
        .iter()
        .flat_map(|right| right.verbs.iter().map(move |verb| format!("{verb} {}/{}", right.group, right.resource)));
    granted.filter(|right| !used.contains(right.as_str()) && right != OF_POLICIES).collect()
}
