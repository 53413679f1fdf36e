//! Plans: from what is written to what serves, in any order and after any edit.

use crate::{
    events::tells,
    harness::{Cluster, Stage, cluster, condition, is_current},
};
use serde_json::{Value, json};

const OPERATOR: &str = "entitlement-operator";

const DEFINITIONS: &str = "
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $-seats}
spec: {type: Quantity, unit: seats, amount: 5}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $-sso}
spec: {type: Feature}
";

const BASIC: &str = "
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementPlan
metadata: {name: $-basic}
spec:
  groups: [{name: base, entitlements: [{definition: $-seats}, {definition: $-sso}]}]
";

const PRO: &str = "
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementPlan
metadata: {name: $-pro}
spec:
  includes: [$-basic]
  groups: [{name: team, entitlements: [{definition: $-seats, amount: 50}]}]
";

/// Waits until a plan is as ready as that, and returns its status.
async fn status(cluster: &Cluster, name: &str, status: &str, reason: &str) -> Value {
    cluster.condition("EntitlementPlan", name, "Ready", status, reason).await;
    cluster.get("EntitlementPlan", "", name).await.unwrap()["status"].clone()
}

async fn revision(cluster: &Cluster, status: &Value) -> Value {
    cluster.object("ControllerRevision", OPERATOR, status["revision"].as_str().unwrap()).await
}

/// What a revision gives: definition, and amount or preset.
fn given(revision: &Value) -> Vec<(String, Value)> {
    let entries = revision["data"]["entries"].as_array().unwrap().iter();
    entries
        .map(|entry| {
            let name = entry["definition"].as_str().unwrap();
            let amount = if entry["preset"].is_null() { &entry["amount"] } else { &entry["preset"] };
            (name.split_once('-').unwrap().1.to_owned(), amount.clone())
        })
        .collect()
}

async fn edit(cluster: &Cluster, plan: &str, spec: Value) {
    cluster.merge("EntitlementPlan", "", plan, json!({ "spec": spec })).await.unwrap();
    cluster.until("EntitlementPlan", "", plan, "is seen", is_current).await;
}

#[tokio::test]
async fn plans_are_ready_in_whatever_order_they_come() {
    let cluster = cluster().await;
    cluster.apply(PRO).await;
    let alone = status(&cluster, "$-pro", "False", "IncludeNotFound").await;
    assert_eq!((&alone["entitlements"], &alone["revision"]), (&json!(0), &Value::Null));
    cluster.apply(BASIC).await;
    status(&cluster, "$-pro", "False", "IncludeNotReady").await;
    status(&cluster, "$-basic", "False", "DefinitionNotFound").await;
    cluster.apply(DEFINITIONS).await;
    let basic = status(&cluster, "$-basic", "True", "Valid").await;
    let pro = status(&cluster, "$-pro", "True", "Valid").await;
    let told = [
        "Warning IncludeNotFound: there is no plan $-basic: make it, or take it out of includes; $-seats: there is no definition of that name: make it, or take the entitlement out; it was never valid, so nobody can have it",
        "Warning IncludeNotReady: the plan $-basic is not ready (DefinitionNotFound): mend it first; $-seats: there is no definition of that name: make it, or take the entitlement out; it was never valid, so nobody can have it",
    ];
    tells(&cluster, "EntitlementPlan", "$-pro", &told).await;
    assert_eq!((&basic["entitlements"], &pro["entitlements"]), (&json!(2), &json!(2)));
    assert_eq!(pro["subscriptions"], json!({"total": 0, "active": 0}));
    let kept = revision(&cluster, &pro).await;
    assert_eq!(given(&kept), [("seats".to_owned(), json!("50")), ("sso".to_owned(), Value::Null)]);
    assert_eq!(kept["metadata"]["labels"]["entitlements.dev/plan"], format!("{}-pro", cluster.name));
    let kept = revision(&cluster, &basic).await;
    assert_eq!(given(&kept), [("seats".to_owned(), json!("5")), ("sso".to_owned(), Value::Null)]);
}

#[tokio::test]
async fn an_edit_of_what_a_plan_is_made_of_makes_another_revision() {
    let cluster = cluster().await;
    for yaml in [DEFINITIONS, BASIC, PRO] {
        cluster.apply(yaml).await;
    }
    let pro = status(&cluster, "$-pro", "True", "Valid").await;
    let basic = status(&cluster, "$-basic", "True", "Valid").await;
    cluster.merge("EntitlementDefinition", "", "$-seats", json!({"spec": {"amount": 6}})).await.unwrap();
    let is_other =
        |before: Value| move |seen: &Value| is_current(seen) && seen["status"]["revision"] != before["revision"];
    let seen = cluster.until("EntitlementPlan", "", "$-basic", "has another revision", is_other(basic)).await;
    let kept = revision(&cluster, &seen["status"]).await;
    assert_eq!(given(&kept)[0], ("seats".to_owned(), json!("6")));
    // It says itself how many, so nothing of it has changed.
    assert_eq!(status(&cluster, "$-pro", "True", "Valid").await["revision"], pro["revision"]);
    edit(&cluster, "$-basic", json!({"groups": [{"name": "base", "entitlements": []}]})).await;
    let seen = cluster.until("EntitlementPlan", "", "$-pro", "has another revision", is_other(pro.clone())).await;
    assert_eq!((&seen["status"]["entitlements"], seen["status"]["revision"] == pro["revision"]), (&json!(1), false));
}

#[tokio::test]
async fn how_a_plan_is_sold_is_kept_beside_its_revision() {
    let cluster = cluster().await;
    for yaml in [DEFINITIONS, BASIC] {
        cluster.apply(yaml).await;
    }
    let before = status(&cluster, "$-basic", "True", "Valid").await;
    let name = before["revision"].as_str().unwrap().to_owned();
    let (namespace, annotations) = (OPERATOR, |seen: &Value| seen["metadata"]["annotations"].clone());
    edit(&cluster, "$-basic", json!({"retired": true, "product": "video"})).await;
    let is_retired = |seen: &Value| {
        let beside = annotations(seen)["entitlements.dev/beside"].as_str().unwrap_or_default().to_owned();
        beside.contains(r#""retired":true"#) && beside.contains(r#""product":"video""#)
    };
    let kept = cluster.until("ControllerRevision", namespace, &name, "says so", is_retired).await;
    assert_eq!(annotations(&kept)["entitlements.dev/for-everyone"], Value::Null);
    edit(&cluster, "$-basic", json!({"rollout": "Everyone"})).await;
    let is_marked = |seen: &Value| annotations(seen)["entitlements.dev/for-everyone"] == "1";
    cluster.until("ControllerRevision", namespace, &name, "is marked", is_marked).await;
    edit(&cluster, "$-basic", json!({"rollout": "Agreed"})).await;
    let after = status(&cluster, "$-basic", "True", "Valid").await;
    assert_eq!(after["revision"], before["revision"]);
    let is_agreed = |seen: &Value| {
        annotations(seen)["entitlements.dev/beside"].as_str().is_some_and(|text| text.contains("Agreed"))
    };
    let kept = cluster.until("ControllerRevision", namespace, &name, "is agreed", is_agreed).await;
    assert!(is_marked(&kept), "{kept:#}");
}

/// An invalid edit, and a definition that goes: the last valid state serves, and has what it needs, until the plan is gone, too.
#[tokio::test]
async fn the_last_valid_revision_serves() {
    let cluster = cluster().await;
    for yaml in [DEFINITIONS, BASIC, PRO] {
        cluster.apply(yaml).await;
    }
    let valid = status(&cluster, "$-pro", "True", "Valid").await;
    let seats =
        cluster.until("EntitlementDefinition", "", "$-seats", "is kept", |seen| !seen["status"]["revision"].is_null());
    let seats = seats.await["status"]["revision"].as_str().unwrap().to_owned();
    let wrong = json!({"groups": [{"name": "team", "entitlements": [{"definition": format!("{}-sso", cluster.name), "amount": 1}]}]});
    edit(&cluster, "$-pro", wrong).await;
    let invalid = status(&cluster, "$-pro", "False", "InvalidAmount").await;
    assert_eq!((&invalid["revision"], &invalid["entitlements"]), (&valid["revision"], &valid["entitlements"]));
    let told = condition(&cluster.get("EntitlementPlan", "", "$-pro").await.unwrap(), "Ready")["message"].clone();
    let expected = format!(
        "{name}-sso: it is a Feature, which is on or off: remove amount; its revision {} serves who has it, and nobody else can have it",
        valid["revision"].as_str().unwrap(),
        name = cluster.name,
    );
    assert_eq!(told, json!(expected));
    let told = format!("Warning InvalidAmount: {expected}").replace(&cluster.name, "$");
    tells(&cluster, "EntitlementPlan", "$-pro", &[&told]).await;
    let seats_again = json!([{"definition": format!("{}-seats", cluster.name), "amount": 50}]);
    edit(&cluster, "$-pro", json!({"groups": [{"name": "team", "entitlements": seats_again}]})).await;
    assert_eq!(status(&cluster, "$-pro", "True", "Valid").await["revision"], valid["revision"]);

    cluster.delete("EntitlementDefinition", "", "$-seats").await;
    let lost = status(&cluster, "$-pro", "False", "IncludeNotReady").await;
    status(&cluster, "$-basic", "False", "DefinitionNotFound").await;
    assert_eq!((&lost["revision"], &lost["entitlements"]), (&valid["revision"], &valid["entitlements"]));
    // Whatever is done next shows that nothing is cleared away.
    edit(&cluster, "$-pro", json!({"displayName": "Pro"})).await;
    assert!(cluster.get("ControllerRevision", OPERATOR, &seats).await.is_some());
    for plan in ["$-basic", "$-pro"] {
        cluster.delete("EntitlementPlan", "", plan).await;
    }
    cluster.gone("ControllerRevision", OPERATOR, valid["revision"].as_str().unwrap()).await;
    cluster.gone("ControllerRevision", OPERATOR, &seats).await;
}

#[tokio::test]
async fn the_last_valid_revision_serves_after_a_restart() {
    let stage = tokio::task::spawn_blocking(Stage::start).await.unwrap();
    let cluster = Cluster::connect(stage.plane.kubeconfig()).await;
    let operator = stage.operator(&[]);
    for yaml in [DEFINITIONS, BASIC] {
        cluster.apply(yaml).await;
    }
    let valid = status(&cluster, "$-basic", "True", "Valid").await;
    drop(operator);
    let gone = format!("{}-gone", cluster.name);
    let broken =
        json!({"spec": {"retired": true, "groups": [{"name": "base", "entitlements": [{"definition": gone}]}]}});
    cluster.merge("EntitlementPlan", "", "$-basic", broken).await.unwrap();
    let _operator = stage.operator(&[]);
    let lost = status(&cluster, "$-basic", "False", "DefinitionNotFound").await;
    assert_eq!((&lost["revision"], &lost["entitlements"]), (&valid["revision"], &valid["entitlements"]));
    // It was not retired in its last valid state.
    let kept = revision(&cluster, &valid).await;
    assert!(
        kept["metadata"]["annotations"]["entitlements.dev/beside"].as_str().unwrap().contains(r#""retired":false"#)
    );
    edit(&cluster, "$-basic", json!({"retired": false, "groups": [{"name": "base", "entitlements": []}]})).await;
    let valid = status(&cluster, "$-basic", "True", "Valid").await;
    assert_eq!(valid["entitlements"], json!(0));
    assert_eq!(revision(&cluster, &valid).await["revision"], json!(2));
}

/// Far more edits than revisions are kept of themselves, and then the plan and its definitions go.
#[tokio::test]
async fn what_was_agreed_is_kept_as_long_as_somebody_has_it() {
    let cluster = cluster().await;
    for yaml in [crate::harness::ORGANIZATION, DEFINITIONS, BASIC] {
        cluster.apply(yaml).await;
    }
    let first = status(&cluster, "$-basic", "True", "Valid").await["revision"].as_str().unwrap().to_owned();
    let subscription = "
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementSubscription
metadata: {name: $, namespace: entitlements}
spec: {organization: $, plan: $-basic, start: '2020-01-01'}
";
    cluster.apply(subscription).await;
    let has_taken = |seen: &Value| seen["status"]["accepted"]["plans"][0]["revision"] == *first;
    cluster.until("EntitlementSubscription", "entitlements", "$", "has taken it", has_taken).await;
    let is_counted = |seen: &Value| seen["status"]["subscriptions"] == json!({"total": 1, "active": 1});
    cluster.until("EntitlementPlan", "", "$-basic", "is had", is_counted).await;
    let seats = |name: &str, amount: u32| {
        let entitlements = json!([{"definition": format!("{name}-seats"), "amount": amount}]);
        json!({"groups": [{"name": "base", "entitlements": entitlements}]})
    };
    let mut second = String::new();
    for amount in 1..=14 {
        edit(&cluster, "$-basic", seats(&cluster.name, amount)).await;
        let now = status(&cluster, "$-basic", "True", "Valid").await["revision"].as_str().unwrap().to_owned();
        second = if amount == 1 { now } else { second };
    }
    cluster.gone("ControllerRevision", OPERATOR, &second).await;
    assert!(cluster.get("ControllerRevision", OPERATOR, &first).await.is_some());
    cluster.delete("EntitlementPlan", "", "$-basic").await;
    for definition in ["$-seats", "$-sso"] {
        cluster.delete("EntitlementDefinition", "", definition).await;
    }
    // What was agreed goes on: all that the first revision gives, with its amounts.
    cluster.operator_has_acted().await;
    let held = |seen: &Value| seen["entitled"] == true && seen["amount"] == "5";
    cluster.summary("$", "$-seats", "is held as agreed", held).await;
    cluster.summary("$", "$-sso", "is held as agreed", |seen| seen["entitled"] == true).await;
    assert!(cluster.get("ControllerRevision", OPERATOR, &first).await.is_some());
    cluster.delete("EntitlementSubscription", "entitlements", "$").await;
    cluster.gone("ControllerRevision", OPERATOR, &first).await;
}
