//! What the command prints to renew something is taken by the operator as it is, and takes over without a gap.

use crate::{
    grant::{as_clerk, last, office, run, text},
    harness::{Cluster, cluster, condition, is_current, seconds_from_now, shared_kubectl, shared_plane},
    subscriptions::{delivers, gives, phase, sold, subscribe},
};
use serde_json::{Value, json};
use std::fs;

const KIND: &str = "EntitlementSubscription";

/// What the command prints.
async fn printed(arguments: &[&str]) -> String {
    let kubeconfig = shared_plane().kubeconfig();
    let all: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    let run = move || run(kubeconfig, &all.iter().map(String::as_str).collect::<Vec<_>>());
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout).to_owned()
}

/// Has kubectl apply a manifest.
async fn apply(cluster: &Cluster, manifest: &str) {
    let file = shared_plane().folder().join(format!("{}-renewal.yaml", cluster.name));
    fs::write(&file, manifest).unwrap();
    let apply = move || shared_kubectl(&["apply", "--filename", file.to_str().unwrap()]);
    tokio::task::spawn_blocking(apply).await.unwrap();
}

#[tokio::test]
async fn a_printed_renewal_of_a_subscription_takes_over_all_of_it_without_a_gap() {
    let cluster = cluster().await;
    sold(&cluster).await;
    let name = cluster.name.clone();
    subscribe(
        &cluster,
        &name,
        "business",
        json!({
            "start": "2020-01-01", "end": "2198-12-31", "agreement": "order 4711", "priority": 2,
            "addOns": [
                {"name": "seats", "plan": "$-extra", "quantity": 3},
                {"name": "over", "plan": "$-extra", "quantity": 9, "end": "2198-06-30"},
                {"name": "past", "plan": "$-extra", "quantity": 9, "end": "2021-06-30"},
            ],
            "add": [{"name": "favour", "definition": "$-members", "amount": 2}],
        }),
    )
    .await;
    delivers(&cluster, "87").await;
    // What is agreed is no longer what is sold.
    let groups = json!([{"name": "team", "entitlements": [{"definition": format!("{name}-members"), "amount": 20}]}]);
    cluster
        .merge("EntitlementPlan", "", &format!("{name}-business"), json!({"spec": {"groups": groups}}))
        .await
        .unwrap();
    cluster.until("EntitlementPlan", "", &format!("{name}-business"), "is edited", is_current).await;
    let manifest = printed(&["renew", &format!("subscription/{name}"), "--reason", "order 4712"]).await;
    let renewal = format!("{name}-2199");
    let expected = json!({
        "apiVersion": "entitlements.dev/v1alpha1",
        "kind": KIND,
        "metadata": {
            "name": renewal, "namespace": "entitlements", "annotations": {"entitlements.dev/reason": "order 4712"},
        },
        "spec": {
            "organization": name, "plan": format!("{name}-business"), "agreement": "order 4711", "renews": name, "priority": 2,
            "addOns": [{"name": "seats", "plan": format!("{name}-extra"), "quantity": 3}],
            "add": [{"name": "favour", "definition": format!("{name}-members"), "amount": 2}],
        },
    });
    let read: Value = serde_saphyr::from_str(&manifest).unwrap();
    assert_eq!(read, expected, "{manifest}");
    apply(&cluster, &manifest).await;
    let waiting = phase(&cluster, &renewal, "Waiting").await;
    assert_eq!(condition(&waiting, "Accepted")["status"], "True", "{waiting}");
    assert_eq!(condition(&waiting, "Ready")["status"], "True", "{waiting}");
    assert_eq!(waiting["status"]["start"], "2199-01-01T00:00:00Z");
    gives(&cluster, &renewal, &["members 42"]).await;
    let before = cluster.object("ConfigMap", "$", "members").await;
    // The end that is followed comes at once.
    let end = seconds_from_now(4);
    let amendment = json!({"name": "earlier", "effective": "2021-01-01", "end": end});
    cluster.merge(KIND, "entitlements", &name, json!({"spec": {"amendments": [amendment]}})).await.unwrap();
    phase(&cluster, &name, "Expired").await;
    let active = phase(&cluster, &renewal, "Active").await;
    assert_eq!(active["status"]["start"], end.as_str());
    gives(&cluster, &renewal, &["+members 42"]).await;
    delivers(&cluster, "42").await;
    let after = cluster.object("ConfigMap", "$", "members").await;
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"], "it was deleted in between");
    assert_eq!(after["metadata"]["annotations"]["entitlements.dev/subscription"], format!("entitlements/{renewal}"));
}

#[tokio::test]
async fn a_clerk_renews_suspends_and_extends_subscriptions_and_grants() {
    let (cluster, clerk) = office().await;
    let name = cluster.name.clone();
    let plan = format!(
        "apiVersion: entitlements.dev/v1alpha1\nkind: EntitlementPlan\nmetadata: {{name: {name}-plan}}\nspec: {{groups: [{{name: all, entitlements: [{{definition: {name}-support}}]}}]}}\n"
    );
    cluster.apply(&plan).await;
    cluster.condition("EntitlementPlan", "$-plan", "Ready", "True", "Valid").await;
    let term = json!({"start": "2020-01-01", "end": "2198-12-31"});
    subscribe(&cluster, &name, "plan", term.clone()).await;
    phase(&cluster, &name, "Active").await;
    let seats = format!("{name}-seats");
    cluster.create(crate::harness::grant(&name, &name, &seats, term)).await.unwrap();
    cluster.phase(&name, "Active").await;
    let asked = |kind: &str, words: &[&str]| -> Vec<String> {
        let named = format!("{kind}/{name}");
        words.iter().map(|word| word.replace("NAME", &named)).chain(["--apply".to_owned()]).collect()
    };
    for kind in ["subscription", "instance"] {
        // The name alone means both.
        let both = as_clerk(&clerk, &["suspend", &name, "--apply"]).await;
        assert_eq!(both.status.code(), Some(2), "{}", text(&both.stderr));
        for (words, outcome) in [
            (
                &["suspend", "NAME", "--reason", "unpaid"][..],
                format!("{name} is changed: Suspended, with a term that lasts until 2199-01-01 00:00 CET."),
            ),
            (&["resume", "NAME"], format!("{name} is changed: Active until 2199-01-01 00:00 CET.")),
            (
                &["extend", "NAME", "--to", "2199-12-31"],
                format!("{name} is changed: Active until 2200-01-01 00:00 CET."),
            ),
            (
                &["renew", "NAME", "--to", "2200-06-30"],
                format!(
                    "{name}-2200{} is made: Waiting: it starts 2200-01-01 00:00 CET, and lasts until 2200-07-01 00:00 CEST.",
                    if kind == "subscription" { "" } else { "-2" }
                ),
            ),
        ] {
            let words = asked(kind, words);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let output = as_clerk(&clerk, &words).await;
            let told = (output.status.code(), last(&output).to_owned());
            assert_eq!(told, (Some(0), format!("entitlements/{outcome}")), "{words:?}: {}", text(&output.stderr));
        }
        let words = asked(kind, &["renew", "NAME"]);
        let again = as_clerk(&clerk, &words.iter().map(String::as_str).collect::<Vec<_>>()).await;
        assert_eq!(again.status.code(), Some(1));
        let said = format!("entitlement-operator: entitlements/{name} is renewed already by {name}-2200");
        assert!(last(&again).starts_with(&said), "{}", text(&again.stderr));
    }
    let there = cluster.get(KIND, "entitlements", &name).await.unwrap();
    assert_eq!(there["spec"]["suspended"], false);
    assert_eq!(there["spec"]["amendments"][0]["name"], "extended-to-2199-12-31");
}
