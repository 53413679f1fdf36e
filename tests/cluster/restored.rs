//! Backup and restore: what `examples/backup.sh` saves comes back as the same grants, by `examples/restore.sh` or in any order, while
//! the operator runs or not.

use crate::{
    harness::{Cluster, Stage, condition, is_current},
    plane::PlaneOptions,
};
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// Two clients, and grants in every situation in which what is remembered counts.
const STORY: &str = include_str!("restored.yaml");

/// One that has agreed to what is not sold any more.
const SUBSCRIPTION: &str = "
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementSubscription
metadata: {name: s-pro, namespace: entitlements}
spec:
  organization: acme
  plan: pro
  start: \"2025-01-01\"
  end: \"2198-12-31\"
  addOns: [{name: more, plan: extra, quantity: 3}]
  remove: [{name: none-kept, definition: kept}]
  configure: [{definition: storage, facets: {account: {size: 5}}, secretFacets: [{facet: account, field: password, secretKeyRef: {name: login, key: password}}]}]
";

/// What was decided of exceptions that another asked for: approved, denied, and not approved in time.
const OVERRIDES: [(&str, &str, &str); 3] = [
    ("o-approved", r#"{accepted: {at: "2025-02-03T10:00:00Z", by: [bob, carol], timeZone: Europe/Berlin}}"#, "Active"),
    ("o-denied", r#"{denied: {at: "2025-02-03T10:00:00Z", by: bob}}"#, "Rejected"),
    ("o-late", r#"{expired: {at: "2025-02-03T10:00:00Z"}}"#, "Rejected"),
];

const KINDS: [&str; 3] = ["EntitlementInstance", "EntitlementSubscription", "EntitlementOverride"];

/// The grants, in the order in which they are made, with their phases.
const GRANTS: [(&str, &str, &str, &str); 16] = [
    (
        "a-chain",
        "acme",
        r#"{definition: storage, start: "2025-01-01", end: "2198-12-31", amendments: [{name: more, effective: "2026-01-01", amount: 9}, {name: less, effective: "2198-01-01", amount: 2}]}"#,
        "Active",
    ),
    ("b-chain", "acme", "{definition: storage, renews: a-chain, amount: 9}", "Waiting"),
    ("was-chain", "acme", r#"{definition: storage, start: "2020-01-01", end: "2020-12-31"}"#, "Expired"),
    ("was-renewed", "acme", "{definition: storage, renews: was-chain}", "Expired"),
    ("no-start", "acme", "{definition: storage}", "Active"),
    (
        "secretive",
        "acme",
        "{definition: storage, facets: {account: {size: 4}}, secretFacets: [{facet: account, field: password, secretKeyRef: {name: login, key: password}}]}",
        "Active",
    ),
    ("invalid-now", "acme", "{definition: storage, facets: {account: {size: 7}}}", "Active"),
    ("suspended", "acme", "{definition: storage, suspended: true}", "Suspended"),
    ("cancelled", "acme", "{definition: storage}", "Active"),
    ("draft", "acme", "{definition: storage, state: Draft}", "Draft"),
    ("seat-first", "acme", "{definition: seat}", "Active"),
    ("seat-again", "acme", "{definition: seat}", "Rejected"),
    ("kept", "acme", "{definition: kept}", "Active"),
    ("broken", "acme", "{definition: broken}", "Active"),
    ("of-nobody", "initech", "{definition: storage}", "Rejected"),
    ("later", "globex", r#"{definition: storage, start: "2190-05-31"}"#, "Waiting"),
];

/// What happens after they are accepted: the catalogue changes, and so do some of them.
async fn what_happens_then(cluster: &Cluster) {
    let spec = |spec: Value| json!({ "spec": spec });
    let definition = [
        ("storage", json!({"amount": 2, "term": "P1Y", "gracePeriod": "P1D"})),
        (
            "broken",
            json!({"outputs": [{"name": "config", "kind": "ConfigMap", "items": [{"key": "who", "template": "{{"}]}]}),
        ),
    ];
    for (name, change) in definition {
        cluster.merge("EntitlementDefinition", "", name, spec(change)).await.unwrap();
        cluster.until("EntitlementDefinition", "", name, "is seen", is_current).await;
    }
    let groups = json!([{"name": "team", "entitlements": [{"definition": "storage", "amount": 100}]}]);
    cluster.merge("EntitlementPlan", "", "pro", spec(json!({ "groups": groups }))).await.unwrap();
    cluster.until("EntitlementPlan", "", "pro", "is seen", is_current).await;
    cluster.delete("EntitlementPlan", "", "extra").await;
    let grants = [
        ("invalid-now", json!({"facets": {"account": {"size": 70}}})),
        ("cancelled", json!({"state": "Cancelled"})),
        ("kept", json!({"state": "Cancelled"})),
    ];
    for (name, change) in grants {
        cluster.merge("EntitlementInstance", "entitlements", name, spec(change)).await.unwrap();
    }
    cluster.phase("cancelled", "Cancelled").await;
    cluster.phase("kept", "Cancelled").await;
    cluster.condition("EntitlementInstance", "invalid-now", "FacetsValid", "False", "Invalid").await;
    cluster.condition("EntitlementInstance", "broken", "Ready", "False", "DefinitionNotReady").await;
    cluster.merge("Organization", "", "acme", spec(json!({"timeZone": "Asia/Tokyo"}))).await.unwrap();
    cluster.until("Organization", "", "acme", "is seen", is_current).await;
    let is_kept = |seen: &Value| seen["metadata"]["labels"]["entitlements.dev/in-force"] == "false";
    cluster.until("ConfigMap", "acme", "kept-config", "is kept", is_kept).await;
}

/// An exception that was decided long ago, as a restore makes one.
async fn except(cluster: &Cluster, name: &str, decided: Value, phase: &str) {
    let annotations = json!({"entitlements.dev/restored-by": "admin"});
    let object = json!({
        "apiVersion": "entitlements.dev/v1alpha1", "kind": KINDS[2],
        "metadata": {"name": name, "namespace": "entitlements", "annotations": annotations},
        "spec": {
            "organization": "acme", "definition": "storage", "amount": 3, "start": "2025-02-01", "end": "2198-12-31",
            "reason": "The move to the new building", "requestedBy": "alice",
        },
    });
    cluster.create(object).await.unwrap();
    let patch = Patch::Merge(json!({ "status": decided }));
    cluster.api(KINDS[2], "entitlements").patch_status(name, &PatchParams::default(), &patch).await.unwrap();
    let is_decided = |seen: &Value| {
        let decision = ["accepted", "denied", "expired"].iter().find(|field| !seen["status"][**field].is_null());
        is_current(seen) && seen["status"]["phase"] == phase && decision.is_some()
    };
    cluster.until(KINDS[2], "entitlements", name, phase, is_decided).await;
}

async fn tell(cluster: &Cluster) {
    cluster.apply(STORY).await;
    for (name, organization, spec, phase) in GRANTS {
        if organization == "globex" {
            let globex = json!({
                "apiVersion": "entitlements.dev/v1alpha1", "kind": "Organization", "metadata": {"name": "globex"},
                // The older one has the first.
                "spec": {"displayName": "Globex", "timeZone": "UTC", "namespaces": ["acme", "globex"]},
            });
            cluster.create(globex).await.unwrap();
        }
        let mut spec: Value = serde_saphyr::from_str(spec).unwrap();
        spec["organization"] = organization.into();
        let object = json!({
            "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementInstance",
            "metadata": {"name": name, "namespace": "entitlements"}, "spec": spec,
        });
        cluster.create(object).await.unwrap();
        cluster.phase(name, phase).await;
    }
    cluster.apply(SUBSCRIPTION).await;
    cluster.condition(KINDS[1], "s-pro", "Ready", "True", "Active").await;
    for (name, decided, phase) in OVERRIDES {
        except(cluster, name, serde_saphyr::from_str(decided).unwrap(), phase).await;
    }
    what_happens_then(cluster).await;
}

/// All that is to come back, as text: of each grant what it is and what it remembers, and every object in the clients' namespaces.
async fn picture(cluster: &Cluster) -> BTreeMap<String, Value> {
    let mut picture = BTreeMap::new();
    let mut grants = cluster.list(KINDS[0], "entitlements").await;
    for kind in &KINDS[1..] {
        grants.extend(cluster.list(kind, "entitlements").await);
    }
    for grant in grants {
        let status = &grant["status"];
        let fields = [
            "phase",
            "start",
            "end",
            "amount",
            "until",
            "nextTransition",
            "accepted",
            "denied",
            "expired",
            "approvals",
            "facets",
            "renewedBy",
            "amendments",
            "notices",
            "outputs",
            "plan",
            "addOns",
            "entitlements",
            "entries",
        ];
        let mut seen: Value = fields.map(|field| (field.to_owned(), status[field].clone())).into_iter().collect();
        for type_ in ["Accepted", "FacetsValid", "Delivered", "Entitled", "Ready"] {
            let found = condition(&grant, type_);
            seen[type_] = json!([found["status"], found["reason"], found["message"]]);
        }
        picture.insert(format!("grant {}", grant["metadata"]["name"]), seen);
    }
    for (kind, namespace) in [("ConfigMap", "acme"), ("Secret", "acme"), ("ConfigMap", "globex"), ("Secret", "globex")]
    {
        for object in cluster.list(kind, namespace).await {
            let name = &object["metadata"]["name"];
            if name == "kube-root-ca.crt" {
                continue;
            }
            let seen = json!([object["data"], object["type"], object["metadata"]["labels"]]);
            picture.insert(format!("{kind} {namespace}/{name}"), seen);
        }
    }
    picture
}

/// Waits until all is as it was.
async fn is_as_it_was(cluster: &Cluster, before: &BTreeMap<String, Value>, how: &str) {
    let started = Instant::now();
    loop {
        let after = picture(cluster).await;
        let names = before.keys().chain(after.keys());
        let otherwise: BTreeMap<_, _> = names
            .filter(|name| before.get(*name) != after.get(*name))
            .map(|name| (name, [before.get(name), after.get(name)]))
            .collect();
        if otherwise.is_empty() {
            return;
        }
        assert!(started.elapsed() < Duration::from_mins(1), "{how}: before and after: {otherwise:#?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Runs an example's script with the kubectl of a stage.
fn script(stage: &Stage, name: &str, folder: &Path) -> String {
    let kubectl = stage.plane.kubectl();
    let tools = Path::new(kubectl.get_program()).parent().unwrap();
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash")
        .arg(format!("{}/examples/{name}", env!("CARGO_MANIFEST_DIR")))
        .arg(folder)
        .env("PATH", path)
        .env("KUBECONFIG", stage.plane.kubeconfig())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{name}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// A cluster in which the story has happened: what it came to, and its backup.
async fn backup() -> (BTreeMap<String, Value>, PathBuf, Stage) {
    let stage = tokio::task::spawn_blocking(|| Stage::start_with(PlaneOptions::default())).await.unwrap();
    let operator = stage.operator(&[]);
    let cluster = stage.cluster().await;
    tell(&cluster).await;
    // With the time zone and the catalogue as they are now, and everything delivered.
    cluster.condition("EntitlementInstance", "a-chain", "Ready", "True", "Active").await;
    let before = settled(&cluster).await;
    operator.stop();
    let folder = stage.plane.folder().join("backup");
    let said = script(&stage, "backup.sh", &folder);
    assert!(said.ends_with("16 grants, 2 organizations, 4 definitions, 1 facet definitions, 9 of their valid states, 1 Secrets, 1 retained objects\n"), "{said}");
    assert!(said.contains(": 1 subscriptions, 1 plans, 3 exceptions, 1 reports of usage, 16 grants, "), "{said}");
    (before, folder, stage)
}

/// What is not otherwise a second later.
async fn settled(cluster: &Cluster) -> BTreeMap<String, Value> {
    let mut before = picture(cluster).await;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let after = picture(cluster).await;
        if after == before {
            return after;
        }
        before = after;
    }
}

/// A new cluster with the clients' namespaces, which have a backup of their own.
async fn new_cluster() -> (Stage, Cluster) {
    let stage = tokio::task::spawn_blocking(|| Stage::start_with(PlaneOptions::default())).await.unwrap();
    let cluster = stage.cluster().await;
    for name in ["acme", "globex"] {
        cluster.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})).await.unwrap();
    }
    (stage, cluster)
}

#[tokio::test]
async fn what_is_restored_is_as_it_was() {
    let (before, folder, _source) = backup().await;
    for is_running in [false, true] {
        let (stage, cluster) = new_cluster().await;
        let running = is_running.then(|| stage.operator(&[]));
        assert_eq!(
            script(&stage, "restore.sh", &folder),
            "restored: 16 grants and 1 subscriptions and 3 exceptions of 2 organizations\n"
        );
        let reported = cluster.object("EntitlementUsage", "entitlements", "reported").await;
        assert_eq!(reported["spec"]["registers"][0]["key"], "a", "{reported:#}");
        let kept = cluster.object("ConfigMap", "acme", "kept-config").await;
        assert_eq!(kept["metadata"]["ownerReferences"][0]["name"], "acme", "{kept:#}");
        let _operator = running.unwrap_or_else(|| stage.operator(&[]));
        is_as_it_was(&cluster, &before, &format!("restore.sh, operator running: {is_running}")).await;
        // Once more, it finds everything there and changes nothing.
        script(&stage, "restore.sh", &folder);
        is_as_it_was(&cluster, &before, "restore.sh again").await;
        // What has outlived its grant goes with its organization.
        cluster.delete("Organization", "", "acme").await;
        cluster.gone("ConfigMap", "acme", "kept-config").await;
    }
}

/// What is delivered, as a backup of the clients' namespaces has it.
fn delivered(stage: &Stage) -> Value {
    let selector = "--selector=app.kubernetes.io/managed-by=entitlement-operator,entitlements.dev/in-force!=false";
    let arguments = ["get", "configmaps,secrets", "--all-namespaces", selector, "--output=json"];
    let mut list: Value = serde_json::from_str(&stage.kubectl(&arguments)).unwrap();
    list["items"].as_array_mut().unwrap().retain(|object| object["metadata"]["namespace"] != "entitlement-operator");
    list
}

/// The objects of a backup as they can be made anew, each with the status it had.
fn saved(lists: &[Value]) -> Vec<(Value, Value)> {
    let mut saved = Vec::new();
    let uids =
        lists.iter().flat_map(|list| list["items"].as_array().unwrap()).map(|one| one["metadata"]["uid"].to_string());
    let uids: BTreeSet<String> = uids.collect();
    for list in lists {
        for object in list["items"].as_array().unwrap() {
            let mut object = object.clone();
            let metadata = object["metadata"].as_object_mut().unwrap();
            // Within a second, the UID tells which came first, and that will be another one.
            let own = metadata["uid"].to_string();
            let place = uids.iter().position(|uid| *uid == own).unwrap();
            let created = metadata["creationTimestamp"].as_str().unwrap().replace('Z', &format!(".{place:06}Z"));
            for field in
                ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "ownerReferences"]
            {
                metadata.remove(field);
            }
            if KINDS.iter().any(|kind| object["kind"] == **kind) {
                object["metadata"]["annotations"]["entitlements.dev/granted-at"] = created.into();
            }
            let status = object.as_object_mut().unwrap().remove("status").unwrap_or_default();
            saved.push((object, status));
        }
    }
    saved
}

fn shuffle<T>(items: &mut [T], random: &mut TestRng) {
    use proptest::prelude::Rng;
    for last in (1..items.len()).rev() {
        let at = usize::try_from(random.next_u64()).unwrap_or_default() % (last + 1);
        items.swap(last, at);
    }
}

/// Restores object by object in any order, each with its status at once, and then makes up for what the operator has written or
/// deleted meanwhile, as the documentation says.
async fn restore_in_any_order(cluster: &Cluster, lists: &[Value], random: &mut TestRng) {
    let mut all = saved(lists);
    shuffle(&mut all, random);
    // Of two organizations that list one namespace, the older has it.
    let of = |name: &str| {
        all.iter()
            .position(|(object, _)| object["kind"] == "Organization" && object["metadata"]["name"] == name)
            .unwrap()
    };
    let (acme, globex) = (of("acme"), of("globex"));
    if globex < acme {
        all.swap(acme, globex);
    }
    let parameters = PostParams::default();
    let mut is_complete = false;
    while !is_complete {
        is_complete = true;
        for (object, status) in &all {
            let (kind, metadata) = (object["kind"].as_str().unwrap(), &object["metadata"]);
            let (namespace, name) =
                (metadata["namespace"].as_str().unwrap_or_default(), metadata["name"].as_str().unwrap());
            let api = cluster.api(kind, namespace);
            let wanted: DynamicObject = serde_json::from_value(object.clone()).unwrap();
            let mut there = api.get_opt(name).await.unwrap();
            if there.is_none() {
                if name == "globex" {
                    tokio::time::sleep(Duration::from_millis(1100)).await;
                }
                // The operator may deliver the same object at the same moment.
                match api.create(&parameters, &wanted).await {
                    Ok(made) => there = Some(made),
                    Err(error) => assert!(error.to_string().contains("already exists"), "{error}"),
                }
                is_complete = false;
            }
            let Some(there) = there else { continue };
            let remembers = |status: &Value| {
                ["accepted", "denied", "expired", "facets", "notices"].map(|field| status[field].clone())
            };
            if KINDS.contains(&kind) && remembers(&there.data["status"]) != remembers(status) {
                is_complete = false;
                let operations = json!([{"op": "add", "path": "/status", "value": status}]);
                let patch = Patch::<()>::Json(serde_json::from_value(operations).unwrap());
                api.patch_status(name, &PatchParams::default(), &patch).await.unwrap();
            }
        }
        // An operator may be about to write what it has decided before.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test]
async fn a_restore_in_any_order_gives_the_same_grants() {
    let (before, folder, source) = backup().await;
    let files = fs::read_dir(&folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    let mut lists: Vec<Value> = files.map(|file| serde_json::from_slice(&file).unwrap()).collect();
    for seed in 0_u8..4 {
        let is_running = seed % 2 == 0;
        // The clients' namespaces come back with what was delivered to them, or without.
        if seed == 2 {
            lists.push(delivered(&source));
        }
        let mut random = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
        let (stage, cluster) = new_cluster().await;
        let running = is_running.then(|| stage.operator(&[]));
        restore_in_any_order(&cluster, &lists, &mut random).await;
        let _operator = running.unwrap_or_else(|| stage.operator(&[]));
        if seed >= 2 {
            if !is_running {
                cluster.condition("EntitlementInstance", "seat-first", "Delivered", "False", "Conflict").await;
            }
            let selector = "app.kubernetes.io/managed-by=entitlement-operator,entitlements.dev/in-force!=false";
            let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/backup.md")).unwrap();
            assert!(
                page.contains(&format!("kubectl delete configmaps,secrets --all-namespaces --selector '{selector}'"))
            );
            stage.kubectl(&["delete", "configmaps,secrets", "--all-namespaces", "--selector", selector]);
        }
        is_as_it_was(&cluster, &before, &format!("order {seed}, operator running: {is_running}")).await;
    }
}
