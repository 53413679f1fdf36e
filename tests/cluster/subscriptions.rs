//! Subscriptions: from what is sold to what is in the client's namespaces, and what becomes of it over time.

use crate::{
    events::tells,
    harness::{Cluster, DEADLINE, ORGANIZATION, Stage, cluster, condition, is_current, seconds_from_now},
    wait::eventually,
};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

const KIND: &str = "EntitlementSubscription";

/// Members, of which each client has one ConfigMap, and a Feature that writes one of its own.
pub const DEFINITIONS: &str = r#"
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $-members}
spec:
  type: Quantity
  unit: members
  amount: 1
  outputs:
    - name: config
      kind: ConfigMap
      objectName: members
      items: [{key: members, template: "{{ instance.amount }}"}]
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $-uhd}
spec:
  type: Feature
  outputs:
    - name: config
      kind: ConfigMap
      objectName: uhd
      items: [{key: plan, template: "{{ instance.name }}"}]
"#;

pub const PLANS: &str = "
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementPlan
metadata: {name: $-extra}
spec:
  type: AddOn
  groups: [{name: more, entitlements: [{definition: $-members, amount: 5}]}]
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementPlan
metadata: {name: $-business}
spec:
  product: $-platform
  addOns: [$-extra]
  groups: [{name: team, entitlements: [{definition: $-members, amount: 25}]}]
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementPlan
metadata: {name: $-enterprise}
spec:
  product: $-platform
  includes: [$-business]
  groups: [{name: team, entitlements: [{definition: $-members, amount: Unlimited}, {definition: $-uhd}]}]
";

/// A subscription to a plan of the test, with more fields of its spec, in which `$` stands for the test's name.
pub fn subscription(cluster: &Cluster, name: &str, plan: &str, spec: Value) -> Value {
    let mut object = json!({
        "apiVersion": "entitlements.dev/v1alpha1",
        "kind": KIND,
        "metadata": {"name": name, "namespace": "entitlements"},
        "spec": spec,
    });
    object["spec"]["organization"] = "$".into();
    object["spec"]["plan"] = format!("$-{plan}").into();
    serde_json::from_str(&object.to_string().replace('$', &cluster.name)).unwrap()
}

pub async fn subscribe(cluster: &Cluster, name: &str, plan: &str, spec: Value) {
    cluster.create(subscription(cluster, name, plan, spec)).await.unwrap();
}

pub async fn sold(cluster: &Cluster) {
    for yaml in [ORGANIZATION, DEFINITIONS, PLANS] {
        cluster.apply(yaml).await;
    }
    for plan in ["$-extra", "$-business", "$-enterprise"] {
        cluster.condition("EntitlementPlan", plan, "Ready", "True", "Valid").await;
    }
}

async fn change(cluster: &Cluster, name: &str, spec: Value) {
    let spec: Value = serde_json::from_str(&spec.to_string().replace('$', &cluster.name)).unwrap();
    cluster.merge(KIND, "entitlements", name, json!({ "spec": spec })).await.unwrap();
}

/// Waits until a subscription is in that phase, with its status up to date.
pub async fn phase(cluster: &Cluster, name: &str, phase: &str) -> Value {
    let is_it = |seen: &Value| is_current(seen) && seen["status"]["phase"] == phase;
    cluster.until(KIND, "entitlements", name, phase, is_it).await
}

/// Waits until what a subscription gives is that: each definition without the test's name, with its amount, `+` where it is given
/// now and `-` where a removal keeps it away.
pub async fn gives(cluster: &Cluster, name: &str, expected: &[&str]) -> Value {
    let told = |seen: &Value| -> Vec<String> {
        let all = seen["status"]["entitlements"].as_array().cloned().unwrap_or_default();
        let one = |right: &Value| {
            let sign = match (right["entitled"] == true, right["removed"] == true) {
                (true, _) => "+",
                (false, true) => "-",
                (false, false) => "",
            };
            let definition = right["definition"].as_str().unwrap().split_once('-').unwrap().1;
            format!("{sign}{definition} {}", right["amount"].as_str().unwrap_or_default()).trim_end().to_owned()
        };
        all.iter().map(one).collect()
    };
    let what = format!("gives {expected:?}");
    cluster.until(KIND, "entitlements", name, &what, |seen| is_current(seen) && told(seen) == expected).await
}

/// Waits until the client's ConfigMap says so many.
pub async fn delivers(cluster: &Cluster, members: &str) {
    let what = format!("{members} members");
    cluster.until("ConfigMap", "$", "members", &what, |seen| seen["data"]["members"] == members).await;
}

#[tokio::test]
async fn what_is_sold_together_arrives_together() {
    let cluster = cluster().await;
    sold(&cluster).await;
    let name = cluster.name.clone();
    subscribe(
        &cluster,
        &name,
        "business",
        json!({
            "start": "2020-01-01", "end": "2199-12-31",
            "addOns": [{"name": "seats", "plan": "$-extra", "quantity": 3}],
        }),
    )
    .await;
    let seen = gives(&cluster, "$", &["+members 40"]).await;
    let status = &seen["status"];
    assert_eq!(
        [&status["phase"], &status["plan"], &status["addOns"], &status["entitlementCount"], &status["until"]],
        [
            &json!("Active"),
            &json!(format!("{name}-business")),
            &json!(format!("{name}-extra x 3")),
            &json!(1),
            &json!("2199-12-31")
        ]
    );
    delivers(&cluster, "40").await;
    let seen = cluster.until(KIND, "entitlements", "$", "is delivered", |seen| {
        seen["status"]["outputs"] == json!({"desired": 1, "delivered": 1})
            && condition(seen, "Ready")["status"] == "True"
    });
    let status = seen.await["status"].take();
    assert_eq!(condition(&json!({ "status": status }), "Delivered")["status"], "True");
    let record = &status["accepted"];
    let plans: Vec<&str> =
        record["plans"].as_array().unwrap().iter().map(|one| one["plan"].as_str().unwrap()).collect();
    assert_eq!(plans, [format!("{name}-business"), format!("{name}-extra")]);
    assert_eq!((&record["line"], &record["entries"][0]["quantity"]), (&json!(format!("{name}-platform")), &json!(3)));
    let told = [
        "Normal Accepted: the subscription is accepted",
        "Normal Activated: the subscription is in force until 2199-12-31",
    ];
    tells(&cluster, KIND, "$", &told).await;

    // The object names where it comes from, and the client's summary tells of it.
    let object = cluster.get("ConfigMap", "$", "members").await.unwrap();
    assert_eq!(object["metadata"]["annotations"]["entitlements.dev/subscription"], format!("entitlements/{name}"));
    assert_eq!(object["metadata"]["annotations"]["entitlements.dev/instance"], Value::Null);
    cluster.summary("$", "$-members", "has 40", |entry| entry["amount"] == "40").await;
    cluster
        .until("Organization", "", "$", "counts it", |seen| seen["status"]["subscriptions"] == json!({"Active": 1}))
        .await;
    for plan in ["$-business", "$-extra"] {
        let counts = json!({"total": 1, "active": 1});
        let is_it = |seen: &Value| seen["status"]["subscriptions"] == counts;
        cluster.until("EntitlementPlan", "", plan, "counts it", is_it).await;
    }

    // An upgrade, a removal, and all of it withdrawn.
    change(&cluster, "$", json!({"amendments": [{"name": "up", "effective": "2020-02-01", "plan": "$-enterprise"}]}))
        .await;
    gives(&cluster, "$", &["+members Unlimited", "+uhd"]).await;
    delivers(&cluster, "Unlimited").await;
    cluster.object("ConfigMap", "$", "uhd").await;
    change(&cluster, "$", json!({"remove": [{"name": "no-uhd", "definition": "$-uhd"}]})).await;
    gives(&cluster, "$", &["+members Unlimited", "-uhd"]).await;
    cluster.gone("ConfigMap", "$", "uhd").await;
    change(&cluster, "$", json!({"suspended": true})).await;
    phase(&cluster, "$", "Suspended").await;
    cluster.gone("ConfigMap", "$", "members").await;
    change(&cluster, "$", json!({"suspended": false})).await;
    delivers(&cluster, "Unlimited").await;
    change(&cluster, "$", json!({"state": "Cancelled"})).await;
    phase(&cluster, "$", "Cancelled").await;
    cluster.gone("ConfigMap", "$", "members").await;
    let counts = json!({"total": 1, "active": 0});
    let is_it = |seen: &Value| seen["status"]["subscriptions"] == counts;
    cluster.until("EntitlementPlan", "", "$-business", "counts it no more", is_it).await;
}

#[tokio::test]
async fn what_is_given_for_a_while_comes_and_goes_by_itself() {
    let cluster = cluster().await;
    sold(&cluster).await;
    subscribe(&cluster, &cluster.name, "business", json!({"start": "2020-01-01"})).await;
    gives(&cluster, "$", &["+members 25"]).await;
    let (start, end) = (seconds_from_now(8), seconds_from_now(18));
    change(
        &cluster,
        "$",
        json!({
            "addOns": [{"name": "rush", "plan": "$-extra", "quantity": 2, "start": start, "end": end}],
            "add": [{"name": "favour", "definition": "$-uhd", "start": start, "end": end, "reason": "for the weekend"}],
        }),
    )
    .await;
    let waiting = gives(&cluster, "$", &["+members 25", "uhd"]).await;
    assert_eq!(waiting["status"]["nextTransition"], json!({"at": start, "phase": "Active"}));
    let next = |seen: &Value| seen["status"]["nextTransition"]["at"] == start;
    let organization = cluster.until("Organization", "", "$", "tells what comes", next).await;
    let next = &organization["status"]["nextTransition"];
    assert_eq!(
        (&next["kind"], &next["subscription"], &next["instance"]),
        (&json!("Subscription"), &json!(format!("entitlements/{}", cluster.name)), &Value::Null)
    );
    gives(&cluster, "$", &["+members 35", "+uhd"]).await;
    cluster.object("ConfigMap", "$", "uhd").await;
    delivers(&cluster, "35").await;
    gives(&cluster, "$", &["+members 25"]).await;
    cluster.gone("ConfigMap", "$", "uhd").await;
    delivers(&cluster, "25").await;
    let told = [
        "Normal Accepted: the subscription is accepted",
        "Normal Activated: the subscription is in force",
        "Normal EntitlementsChanged: $-members becomes 35 instead of 25; $-uhd is given",
        "Normal EntitlementsChanged: $-members becomes 25 instead of 35; $-uhd is not given any more",
    ];
    tells(&cluster, KIND, "$", &told).await;
}

/// What was agreed stays, whatever becomes of the plan; what is for everyone reaches everyone, and is agreed then.
#[tokio::test]
async fn an_edit_of_a_plan_reaches_only_whom_its_rollout_says() {
    let cluster = cluster().await;
    sold(&cluster).await;
    let name = cluster.name.clone();
    let edit = async |amount: u32, rollout: &str| {
        let groups =
            json!([{"name": "team", "entitlements": [{"definition": format!("{name}-members"), "amount": amount}]}]);
        let spec = json!({"spec": {"groups": groups, "rollout": rollout}});
        cluster.merge("EntitlementPlan", "", "$-business", spec).await.unwrap();
        cluster.until("EntitlementPlan", "", "$-business", "is seen", is_current).await;
    };
    let [first, second] = ["first", "second"].map(|which| format!("{name}-{which}"));
    cluster.merge("EntitlementPlan", "", "$-business", json!({"spec": {"product": null}})).await.unwrap();
    subscribe(&cluster, &first, "business", json!({"start": "2020-01-01"})).await;
    gives(&cluster, &first, &["+members 25"]).await;
    edit(20, "Agreed").await;
    // A write of the operator's shows that it has seen the edit.
    change(&cluster, &first, json!({"priority": 3})).await;
    gives(&cluster, &first, &["+members 25"]).await;
    change(&cluster, &first, json!({"agreement": "of-today"})).await;
    gives(&cluster, &first, &["+members 20"]).await;
    edit(30, "Everyone").await;
    let seen = gives(&cluster, &first, &["+members 30"]).await;
    delivers(&cluster, "30").await;
    cluster.event(&first, "CatalogueChanged").await;
    let plan = cluster.get("EntitlementPlan", "", "$-business").await.unwrap();
    assert_eq!(seen["status"]["accepted"]["plans"][0]["revision"], plan["status"]["revision"]);
    edit(40, "Agreed").await;
    change(&cluster, &first, json!({"priority": 4})).await;
    gives(&cluster, &first, &["+members 30"]).await;
    change(&cluster, &first, json!({"state": "Cancelled"})).await;
    phase(&cluster, &first, "Cancelled").await;
    subscribe(&cluster, &second, "business", json!({"start": "2020-01-01"})).await;
    gives(&cluster, &second, &["+members 40"]).await;
    let notes = cluster.events(&first).await;
    let told: Vec<&str> =
        notes.iter().filter(|(reason, _)| reason == "CatalogueChanged").map(|(_, note)| note.as_str()).collect();
    let expected = format!(
        "plan {name}-business was edited: {name}-members: the amount changes from 20 to 30 members, 1 object changes"
    );
    assert_eq!(told, [expected]);
}

#[tokio::test]
async fn objects_may_come_in_any_order() {
    let cluster = cluster().await;
    subscribe(
        &cluster,
        &cluster.name,
        "business",
        json!({
            "start": "2020-01-01", "addOns": [{"name": "seats", "plan": "$-extra"}],
        }),
    )
    .await;
    cluster.condition(KIND, "$", "Accepted", "False", "OrganizationNotFound").await;
    cluster.apply(ORGANIZATION).await;
    cluster.condition(KIND, "$", "Accepted", "False", "PlanNotFound").await;
    cluster.apply(PLANS).await;
    cluster.condition(KIND, "$", "Accepted", "False", "PlanNotReady").await;
    cluster.apply(DEFINITIONS).await;
    gives(&cluster, "$", &["+members 30"]).await;
    delivers(&cluster, "30").await;
}

#[tokio::test]
async fn an_entry_that_cannot_count_is_left_out_and_the_rest_is_given() {
    let cluster = cluster().await;
    sold(&cluster).await;
    subscribe(
        &cluster,
        &cluster.name,
        "business",
        json!({
            "start": "2020-01-01",
            "addOns": [{"name": "wrong", "plan": "$-enterprise"}],
            "add": [{"name": "favour", "definition": "$-nothing"}],
        }),
    )
    .await;
    cluster.condition(KIND, "$", "Ready", "False", "EntryIgnored").await;
    let seen = gives(&cluster, "$", &["+members 25"]).await;
    let entries = seen["status"]["entries"].as_array().unwrap();
    let named: Vec<(&str, &str)> =
        entries.iter().map(|one| (one["list"].as_str().unwrap(), one["name"].as_str().unwrap())).collect();
    assert_eq!(named, [("addOns", "wrong"), ("add", "favour")]);
    cluster.event("$", "EntryIgnored").await;
    cluster
        .apply("{apiVersion: entitlements.dev/v1alpha1, kind: EntitlementDefinition, metadata: {name: $-nothing}, spec: {type: Feature}}")
        .await;
    change(&cluster, "$", json!({"addOns": [{"name": "wrong", "plan": "$-extra"}]})).await;
    gives(&cluster, "$", &["+members 30", "+nothing"]).await;
    cluster.condition(KIND, "$", "Ready", "True", "Active").await;
    // What was usable once stays: its definition may go.
    cluster.delete("EntitlementDefinition", "", "$-nothing").await;
    change(&cluster, "$", json!({"priority": 1})).await;
    let seen = gives(&cluster, "$", &["+members 30", "+nothing"]).await;
    assert_eq!(seen["status"]["entries"][0]["list"], "add");
}

#[tokio::test]
async fn only_from_where_its_organization_allows_and_never_from_a_tenants_namespace() {
    let cluster = cluster().await;
    sold(&cluster).await;
    let name = cluster.name.clone();
    let place = format!("{name}-place");
    cluster.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place}})).await.unwrap();
    let mut elsewhere = subscription(&cluster, &name, "business", json!({"start": "2020-01-01"}));
    elsewhere["metadata"]["namespace"] = place.clone().into();
    cluster.create(elsewhere).await.unwrap();
    let refused = |seen: &Value| {
        let accepted = condition(seen, "Accepted");
        accepted["status"] == "False" && accepted["reason"] == "NamespaceNotAllowed"
    };
    cluster.until(KIND, &place, "$", "is not allowed", refused).await;
    let rejected = |seen: &Value| seen["status"]["subscriptions"] == json!({"Rejected": 1});
    cluster.until("Organization", "", "$", "counts it", rejected).await;
    let allowed = json!({"spec": {"assignableFrom": ["entitlements", place]}});
    cluster.merge("Organization", "", "$", allowed).await.unwrap();
    let is_active = |seen: &Value| is_current(seen) && seen["status"]["phase"] == "Active";
    cluster.until(KIND, &place, "$", "is active", is_active).await;
    delivers(&cluster, "25").await;
    // Accepted, it makes its namespace one of grants.
    let other = "{apiVersion: entitlements.dev/v1alpha1, kind: Organization, metadata: {name: $-other}, spec: {namespaces: [$-place]}}";
    cluster.apply(other).await;
    cluster.condition("Organization", "$-other", "Ready", "False", "NamespaceRefused").await;
    // What is agreed stays agreed, while it is not allowed and once it is again.
    let before = cluster.get(KIND, &place, "$").await.unwrap()["status"]["accepted"]["plans"].clone();
    cluster.merge("Organization", "", "$", json!({"spec": {"assignableFrom": ["entitlements"]}})).await.unwrap();
    cluster.until(KIND, &place, "$", "is not allowed any more", refused).await;
    cluster.gone("ConfigMap", "$", "members").await;
    cluster.merge("Organization", "", "$", json!({"spec": {"assignableFrom": ["entitlements", place]}})).await.unwrap();
    let after = cluster.until(KIND, &place, "$", "is active again", is_active).await;
    assert_eq!(after["status"]["accepted"]["plans"], before);
    delivers(&cluster, "25").await;
}

/// The operator is killed, and what it finds when it is back is not what there was: the plan has been edited again and again, and is
/// gone.
#[tokio::test]
async fn what_was_agreed_outlives_the_operator_and_the_plan() {
    let stage = tokio::task::spawn_blocking(Stage::start).await.unwrap();
    let operator = stage.operator(&[]);
    let cluster = stage.cluster().await;
    sold(&cluster).await;
    subscribe(
        &cluster,
        &cluster.name,
        "business",
        json!({
            "start": "2020-01-01", "addOns": [{"name": "seats", "plan": "$-extra", "quantity": 3}],
        }),
    )
    .await;
    gives(&cluster, "$", &["+members 40"]).await;
    delivers(&cluster, "40").await;
    for amount in 2..12 {
        let definition = format!("{}-members", cluster.name);
        let groups = json!([{"name": "more", "entitlements": [{"definition": definition, "amount": amount}]}]);
        cluster.merge("EntitlementPlan", "", "$-extra", json!({"spec": {"groups": groups}})).await.unwrap();
        cluster.condition("EntitlementPlan", "$-extra", "Ready", "True", "Valid").await;
    }
    let delivered = cluster.get("ConfigMap", "$", "members").await.unwrap();
    tokio::task::spawn_blocking(move || operator.kill()).await.unwrap();
    cluster.delete("EntitlementPlan", "", "$-business").await;
    cluster.delete("EntitlementPlan", "", "$-extra").await;
    let again = stage.operator(&[]);
    change(&cluster, "$", json!({"priority": 1})).await;
    let seen = gives(&cluster, "$", &["+members 40"]).await;
    assert_eq!(condition(&seen, "Accepted")["status"], "True");
    assert_eq!(cluster.get("ConfigMap", "$", "members").await.unwrap()["data"], delivered["data"]);
    for record in seen["status"]["accepted"]["plans"].as_array().unwrap() {
        let revision = record["revision"].as_str().unwrap();
        assert!(cluster.get("ControllerRevision", "entitlement-operator", revision).await.is_some(), "{revision}");
    }

    // Restored with its status, it is as it was; its revisions came back before it.
    let saved = cluster.get(KIND, "entitlements", "$").await.unwrap();
    tokio::task::spawn_blocking(move || again.stop()).await.unwrap();
    cluster.delete(KIND, "entitlements", "$").await;
    let mut restored = subscription(&cluster, &cluster.name, "business", json!({}));
    restored["spec"] = saved["spec"].clone();
    cluster.create(restored).await.unwrap();
    let status = Patch::Merge(json!({"status": saved["status"]}));
    let api = cluster.api(KIND, "entitlements");
    api.patch_status(&cluster.name, &PatchParams::default(), &status).await.unwrap();
    let _last = stage.operator(&[]);
    change(&cluster, "$", json!({"priority": 2})).await;
    let seen = gives(&cluster, "$", &["+members 40"]).await;
    assert_eq!(seen["status"]["accepted"]["plans"], saved["status"]["accepted"]["plans"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_only_reads_says_what_it_would_report() {
    let stage = tokio::task::spawn_blocking(Stage::start).await.unwrap();
    let cluster = stage.cluster().await;
    let writer = stage.operator(&[]);
    sold(&cluster).await;
    tokio::task::block_in_place(|| writer.stop());
    subscribe(&cluster, &cluster.name, "business", json!({"start": "2020-01-01"})).await;
    let reader = stage.operator_that_logs("info", &["--read-only", "--log-format=json"]);
    let object = format!("{KIND} entitlements/{}", cluster.name);
    tokio::task::block_in_place(|| {
        eventually(DEADLINE, "it says what it would report", || {
            let log = reader.log();
            let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let mut told = lines.filter(|line| line["target"] == "entitlement_operator::read_only");
            let is_it = |line: &Value| {
                line["object"] == object
                    && line["to"] == "Active"
                    && line["plan"] == format!("{}-business", cluster.name)
            };
            if told.any(|line| is_it(&line)) { Ok(()) } else { Err(log) }
        });
    });
    assert_eq!(cluster.get(KIND, "entitlements", "$").await.unwrap()["status"]["phase"], Value::Null);
    assert!(cluster.get("ConfigMap", "$", "members").await.is_none());
}
