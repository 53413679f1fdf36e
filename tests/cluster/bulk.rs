//! Many grants at once: what they cost the API server.

use crate::{
    audit::{at_rest, requests},
    harness::{Cluster, DEADLINE, Stage, alone_among_the_heavy, grant, is_current},
    plane::PlaneOptions,
};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path, time::Instant};

const ORGANIZATIONS: usize = 100;
const GRANTS_EACH: usize = 10;
const CLIENTS: usize = 32;
/// So many grants may have come before it shows that many are coming. What sums them up need not have waited for the rest.
const FIRST: usize = 30;

const DEFINITION: &str = r#"
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: seats}
spec:
  type: Quantity
  unit: seats
  amount: 5
  allowMultiple: true
  outputs: [{name: config, kind: ConfigMap, items: [{key: amount, template: "{{ instance.amount }}"}]}]
"#;

async fn make_organizations(cluster: &Cluster) {
    let makes = (0..ORGANIZATIONS).map(|number| async move {
        let name = format!("bulk-{number}");
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        cluster.create(namespace).await.unwrap();
        let organization = json!({
            "apiVersion": "entitlements.dev/v1alpha1",
            "kind": "Organization",
            "metadata": {"name": name},
            "spec": {"namespaces": [name]},
        });
        cluster.create(organization).await.unwrap();
    });
    stream::iter(makes).buffer_unordered(CLIENTS).collect::<()>().await;
}

/// In the order in which a fleet grows: one grant for each organization, then the next.
async fn make_grants(cluster: &Cluster) {
    let makes = (0..GRANTS_EACH * ORGANIZATIONS).map(|number| async move {
        let organization = format!("bulk-{}", number % ORGANIZATIONS);
        let name = format!("{organization}-{}", number / ORGANIZATIONS);
        cluster.create(grant(&name, &organization, "seats", json!({}))).await.unwrap();
    });
    stream::iter(makes).buffer_unordered(CLIENTS).collect::<()>().await;
}

async fn until_all_active(cluster: &Cluster) {
    let started = Instant::now();
    loop {
        let all = cluster.list("EntitlementInstance", "entitlements").await;
        let active = all.iter().filter(|one| is_current(one) && one["status"]["phase"] == "Active").count();
        if active == GRANTS_EACH * ORGANIZATIONS {
            return;
        }
        assert!(started.elapsed() < DEADLINE, "{active} grants are Active within {DEADLINE:?}");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

/// An edit that would end, shorten and break a thousand running grants at once.
async fn a_mistake_in_the_catalogue_takes_nothing_from_any(cluster: &Cluster, log: &Path) {
    let before = requests(log).len();
    let outputs = json!([{"name": "renamed", "kind": "Secret", "items": [{"key": "amount", "template": "{{"}]}]);
    let mistake = json!({"spec": {"term": "PT1S", "gracePeriod": "PT1S", "amount": 1, "outputs": outputs}});
    cluster.merge("EntitlementDefinition", "", "seats", mistake).await.unwrap();
    cluster.condition("EntitlementDefinition", "seats", "Ready", "False", "InvalidTemplate").await;
    cluster.condition("EntitlementInstance", "bulk-99-9", "Ready", "False", "DefinitionNotReady").await;
    at_rest(log).await;
    until_all_active(cluster).await;
    let mut counts = count(log, before);
    counts.retain(|what, _| !is_routine(what));
    // What the definition says is told on each grant, and nothing else is touched.
    assert_eq!(counts.get("patch entitlementinstances/status"), Some(&1000), "{counts:?}");
    let others: Vec<_> = counts.keys().filter(|what| !what.ends_with("/status") && !what.ends_with("events")).collect();
    assert!(others.is_empty(), "{counts:?}");
}

/// A crash in between leaves nothing that could not be withdrawn.
fn every_namespace_is_remembered_before_anything_lies_in_it(log: &Path) {
    let all = requests(log);
    for number in 0..ORGANIZATIONS {
        let name = format!("bulk-{number}");
        let first =
            |is_it: &dyn Fn(&Value) -> bool| all.iter().position(|request| is_it(&request["objectRef"])).unwrap();
        let remembered = first(&|reference| reference["resource"] == "organizations" && reference["name"] == *name);
        let delivered = first(&|reference| reference["resource"] == "configmaps" && reference["namespace"] == *name);
        assert!(remembered < delivered, "{name}: {} before {}", all[delivered], all[remembered]);
    }
}

/// Watches end after some minutes, and are taken up again; the operator's Lease is renewed.
fn is_routine(what: &str) -> bool {
    what.starts_with("watch ") || what == "update leases"
}

/// How often each kind of request came, by verb, resource and subresource; those for summaries apart.
fn count(log: &Path, skip: usize) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for request in requests(log).into_iter().skip(skip) {
        let reference = &request["objectRef"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut what = text(&reference["resource"]);
        if !reference["subresource"].is_null() {
            what = format!("{what}/{}", text(&reference["subresource"]));
        }
        if what == "configmaps" && reference["name"] == "entitlements" {
            "summaries".clone_into(&mut what);
        }
        *counts.entry(format!("{} {what}", text(&request["verb"]))).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn a_thousand_grants_cost_one_write_for_each_output_and_status() {
    let _alone = alone_among_the_heavy().await;
    let options = PlaneOptions { audit: true, ..PlaneOptions::default() };
    let stage = tokio::task::spawn_blocking(|| Stage::start_with(options)).await.unwrap();
    let log = stage.plane.audit_log().unwrap().to_owned();
    let operator = stage.operator(&[]);
    let cluster = stage.cluster().await;
    cluster.apply(DEFINITION).await;
    make_organizations(&cluster).await;
    cluster.condition("EntitlementDefinition", "seats", "Ready", "True", "Valid").await;
    cluster.condition("Organization", "bulk-99", "Ready", "True", "Served").await;
    at_rest(&log).await;
    every_namespace_is_remembered_before_anything_lies_in_it(&log);
    let before = requests(&log).len();

    make_grants(&cluster).await;
    until_all_active(&cluster).await;
    at_rest(&log).await;

    let mut counts = count(&log, before);
    counts.retain(|what, _| !is_routine(what));
    let within = |what: &str, expected: usize, more: usize| {
        let found = counts.get(what).copied().unwrap_or_default();
        assert!(found >= expected && found <= expected + more, "{what}: {found}, not {expected}: {counts:?}");
    };
    within("create configmaps", 1000, 50);
    within("patch entitlementinstances/status", 1000, 50);
    within("patch summaries", ORGANIZATIONS, FIRST);
    within("patch organizations/status", ORGANIZATIONS, FIRST);
    // That each is accepted, and that it is in force.
    within("create events", 2000, 100);
    // The counts of one definition change with all of them, and are written now and then.
    let of_definition = counts.get("patch entitlementdefinitions/status").copied().unwrap_or_default();
    assert!((1..=10).contains(&of_definition), "{counts:?}");
    assert_eq!(counts.len(), 6, "other requests: {counts:?}");
    a_mistake_in_the_catalogue_takes_nothing_from_any(&cluster, &log).await;
    tokio::task::spawn_blocking(move || drop((operator, stage))).await.unwrap();
}
