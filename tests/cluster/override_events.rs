//! What users are told of an exception, once each: that it is asked for, what it lacks, who approved or denied it, when it is in force,
//! and when it is over. And what the log, the organization, and the metrics say.

use crate::{
    approval_policies::{asked_by, decided_by},
    events::tells,
    harness::{Cluster, FEATURE, ORGANIZATION, Operator, Stage, is_current, seconds_from_now},
    wait::eventually,
};
use regex::Regex;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::task::block_in_place;

const OVERRIDE: &str = "EntitlementOverride";
const IDENTITY: &str = "organization=\"acme\" definition=\"acme\" override=\"entitlements/acme-brief\"";
const LOG_DEADLINE: Duration = Duration::from_mins(1);

async fn phase(cluster: &Cluster, name: &str, phase: &str) -> Value {
    let is_it = |seen: &Value| is_current(seen) && seen["status"]["phase"] == phase;
    cluster.until(OVERRIDE, "entitlements", name, phase, is_it).await
}

/// An override of `$` to `$` that alice asks for, with other fields of its spec.
async fn ask(cluster: &Cluster, name: &str, more: Value) -> Value {
    let mut object = asked_by("alice", &name.replace('$', &cluster.name), json!({}));
    for (field, value) in more.as_object().unwrap() {
        object["spec"][field] = value.clone();
    }
    let spec = &mut object["spec"];
    (spec["organization"], spec["definition"]) = (json!(cluster.name), json!(cluster.name));
    cluster.as_user("alice").create(object).await.unwrap()
}

/// A decision by somebody, who may, once it is counted.
async fn decide(cluster: &Cluster, user: &str, made: &Value, decision: &str) {
    let name = format!("{}-{user}", made["metadata"]["name"].as_str().unwrap());
    cluster.as_user(user).create(decided_by(user, &name, made, decision)).await.unwrap();
}

async fn people(cluster: &Cluster) {
    cluster.bind("entitlements-requester", "alice", false).await;
    for user in ["bob", "carol"] {
        cluster.bind("entitlements-approver", user, true).await;
    }
    cluster.apply(ORGANIZATION).await;
    cluster.apply(FEATURE).await;
}

fn awaits(cluster: &Cluster, missing: &str, name: &str) -> String {
    let name = name.replace('$', &cluster.name);
    format!(
        "Normal Requested: {missing} needed, of 2 in all, by people other than alice: entitlement-operator approve {name} --namespace entitlements"
    )
    .replace(&cluster.name, "$")
}

fn transitions(log: &str, name: &str) -> Vec<String> {
    let moment = Regex::new(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})?").unwrap();
    let lines = log.lines().filter(|line| line.contains("entitlement_operator::transitions"));
    let of_test = lines.filter(|line| line.contains(&format!("entitlements/{name}-brief")));
    let told = of_test.map(|line| moment.replace_all(line, "T").replace(name, "acme"));
    told.map(|line| line.split_once("transition ").unwrap().1.to_owned()).collect()
}

fn until_logged(operator: &Operator, name: &str, expected: &[String]) {
    eventually(LOG_DEADLINE, "the log tells of each transition", || {
        let told = transitions(&operator.log(), name);
        if told == expected { Ok(()) } else { Err(format!("{told:#?}")) }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_of_an_exception_is_told_once_also_over_restarts() {
    let stage = block_in_place(Stage::start);
    let operator = block_in_place(|| stage.operator_that_logs("info", &[]));
    let cluster = stage.cluster().await;
    people(&cluster).await;
    cluster.merge("EntitlementDefinition", "", "$", json!({"spec": {"overrides": {"approvals": 2}}})).await.unwrap();
    cluster.until_protected().await;

    // Approved by two, in force at once, and ended by its date.
    let end = seconds_from_now(40);
    let brief = ask(&cluster, "$-brief", json!({"end": end})).await;
    let two = awaits(&cluster, "2 more approvals are", "$-brief");
    tells(&cluster, OVERRIDE, "$-brief", &[&two]).await;
    decide(&cluster, "bob", &brief, "Approve").await;
    let one = awaits(&cluster, "1 more approval is", "$-brief");
    tells(&cluster, OVERRIDE, "$-brief", &[&two, &one]).await;
    decide(&cluster, "carol", &brief, "Approve").await;
    let active = phase(&cluster, "$-brief", "Active").await;
    let (at, until) = (active["status"]["start"].as_str().unwrap(), active["status"]["until"].as_str().unwrap());
    let approved = format!("Normal Approved: bob and carol approved it: in force from {at} until {until}");
    let activated = format!("Normal Activated: the override is in force until {until}");
    let told = [two.as_str(), &one, &approved, &activated];
    tells(&cluster, OVERRIDE, "$-brief", &told).await;

    let is_counted = |seen: &Value| seen["status"]["overrides"] == json!({"Active": 1});
    let next = cluster.until("Organization", "", "$", "counts it", is_counted).await["status"]["nextTransition"].take();
    let named = json!(format!("entitlements/{}-brief", cluster.name));
    assert_eq!((&next["kind"], &next["override"], &next["phase"]), (&json!("Override"), &named, &json!("Expired")));
    let awaited = "why=\"2 more approvals are needed, of 2 in all, by people other than alice: entitlement-operator approve acme-brief --namespace entitlements\"";
    let by_whom = "why=\"bob and carol approved it: in force until T\"";
    let lines = [
        format!("{IDENTITY} from=\"None\" to=\"Requested\" reason=\"Requested\" {awaited}"),
        format!("{IDENTITY} from=\"Requested\" to=\"Active\" reason=\"Approved\" {by_whom}"),
    ];
    block_in_place(|| until_logged(&operator, &cluster.name, &lines));

    // Killed and started anew, nothing is told again.
    block_in_place(move || operator.kill());
    let operator = block_in_place(|| stage.operator_that_logs("info", &[]));
    phase(&cluster, "$-brief", "Expired").await;
    let expired = "Normal Expired: the term is over, and the configuration withdrawn";
    tells(&cluster, OVERRIDE, "$-brief", &[&two, &one, &approved, &activated, expired]).await;

    // Denied after one approval, by which all is said.
    let denied = ask(&cluster, "$-denied", json!({})).await;
    let two = awaits(&cluster, "2 more approvals are", "$-denied");
    tells(&cluster, OVERRIDE, "$-denied", &[&two]).await;
    decide(&cluster, "bob", &denied, "Deny").await;
    let seen = phase(&cluster, "$-denied", "Rejected").await;
    let conditions = seen["status"]["conditions"].as_array().unwrap();
    let accepted = conditions.iter().find(|condition| condition["type"] == "Accepted").unwrap();
    assert_eq!(accepted["reason"], "Denied");
    let message = format!("Warning Denied: {}", accepted["message"].as_str().unwrap());
    decide(&cluster, "carol", &denied, "Approve").await;
    cluster.operator_has_acted().await;
    tells(&cluster, OVERRIDE, "$-denied", &[&two, &message]).await;

    // Taken back before anybody decided.
    ask(&cluster, "$-taken", json!({})).await;
    let two = awaits(&cluster, "2 more approvals are", "$-taken");
    tells(&cluster, OVERRIDE, "$-taken", &[&two]).await;
    cluster.merge(OVERRIDE, "entitlements", "$-taken", json!({"spec": {"cancelled": true}})).await.unwrap();
    let taken = "Normal Cancelled: it is taken back for good, and was never in force";
    tells(&cluster, OVERRIDE, "$-taken", &[&two, taken]).await;

    // Not approved in time, which needs no edit: it is the definition's rule as it is when the time is over.
    let rules = json!({"spec": {"overrides": {"approvals": 2, "expiresAfter": "PT15S"}}});
    cluster.merge("EntitlementDefinition", "", "$", rules).await.unwrap();
    ask(&cluster, "$-late", json!({})).await;
    let two = awaits(&cluster, "2 more approvals are", "$-late");
    let late = phase(&cluster, "$-late", "Rejected").await;
    let settled = |seen: &Value| seen["status"]["expired"]["at"].is_string();
    cluster.until(OVERRIDE, "entitlements", "$-late", "is settled", settled).await;
    let accepted =
        late["status"]["conditions"].as_array().unwrap().iter().find(|one| one["type"] == "Accepted").unwrap();
    let message = format!("Warning ApprovalExpired: {}", accepted["message"].as_str().unwrap());
    tells(&cluster, OVERRIDE, "$-late", &[&two, &message]).await;

    // None needed: no word of a request.
    let rules = json!({"spec": {"overrides": {"approvals": 0, "expiresAfter": "P14D"}}});
    cluster.merge("EntitlementDefinition", "", "$", rules).await.unwrap();
    cluster.operator_has_acted().await;
    ask(&cluster, "$-free", json!({})).await;
    let free = phase(&cluster, "$-free", "Active").await;
    let (at, until) = (free["status"]["start"].as_str().unwrap(), free["status"]["until"].as_str().unwrap());
    let told = [
        format!("Normal Approved: it needs no approval: in force from {at} until {until}"),
        format!("Normal Activated: the override is in force until {until}"),
    ];
    tells(&cluster, OVERRIDE, "$-free", &[&told[0], &told[1]]).await;
    let counts = json!({"Active": 1, "Cancelled": 1, "Expired": 1, "Rejected": 2});
    cluster.until("Organization", "", "$", "counts all", |seen| seen["status"]["overrides"] == counts).await;
    block_in_place(|| {
        // The first operator was killed with its log; this one has seen the end.
        let line = format!("{IDENTITY} from=\"Active\" to=\"Expired\" reason=\"Ended\" why=\"its end has come\"");
        until_logged(&operator, &cluster.name, &[line]);
        drop((operator, stage));
    });
}
