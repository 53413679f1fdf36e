//! Without the policies, or with others, nobody knows who approves: no exception is accepted, and those that were go on.

use crate::{
    approval_policies::{asked_by, decided_by},
    harness::{Cluster, DEADLINE, FEATURE, ORGANIZATION, Stage, condition, grant, is_current},
    preflight::take_away,
    wait::eventually,
};
use serde_json::{Value, json};
use tokio::task::block_in_place;

const OVERRIDE: &str = "EntitlementOverride";
const NAMES: [&str; 3] =
    ["override-requests.entitlements.dev", "override-decisions.entitlements.dev", "override-records.entitlements.dev"];
const TOO_EARLY: &str = "before the policies";

/// Waits until an override is not accepted for want of protection, for a reason that is said so.
async fn unprotected(cluster: &Cluster, name: &str, said: &str) {
    let is_it = |seen: &Value| {
        let ready = condition(seen, "Ready");
        ready["reason"] == "ApprovalsUnprotected" && ready["message"].as_str().unwrap_or_default().contains(said)
    };
    let seen = cluster.until(OVERRIDE, "entitlements", name, said, is_it).await;
    assert_eq!(condition(&seen, "Ready")["status"], "False");
    assert_eq!(seen["status"]["phase"], "Rejected");
}

async fn phase(cluster: &Cluster, name: &str, phase: &str) {
    let is_it = |seen: &Value| is_current(seen) && seen["status"]["phase"] == phase;
    cluster.until(OVERRIDE, "entitlements", name, phase, is_it).await;
}

/// An override of `$` to `$` that alice asks for.
async fn ask(cluster: &Cluster, name: &str) -> Value {
    let spec = json!({"organization": cluster.name, "definition": cluster.name});
    cluster.as_user("alice").create(asked_by("alice", &name.replace('$', &cluster.name), spec)).await.unwrap()
}

async fn people(cluster: &Cluster) {
    cluster.bind("entitlements-requester", "alice", false).await;
    cluster.bind("entitlements-approver", "bob", true).await;
    cluster.apply(ORGANIZATION).await;
    cluster.apply(FEATURE).await;
}

/// What somebody who may changes of a policy and of its binding.
fn weakened(kind: &str) -> Value {
    match kind {
        "ValidatingAdmissionPolicy" => json!({"spec": {"failurePolicy": "Ignore"}}),
        _ => json!({"spec": {"validationActions": ["Audit"]}}),
    }
}

/// Others of the same names.
fn replaced(kind: &str, name: &str) -> Value {
    let rule = json!({
        "apiGroups": ["entitlements.dev"], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["overridedecisions"],
    });
    let spec = match kind {
        "ValidatingAdmissionPolicy" => {
            json!({"matchConstraints": {"resourceRules": [rule]}, "validations": [{"expression": "true"}]})
        }
        _ => json!({"policyName": "another.example.com", "validationActions": ["Deny"]}),
    };
    let version = "admissionregistration.k8s.io/v1";
    json!({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// Runs what a message advises, which is in brackets at its end.
fn do_as_advised(stage: &Stage, message: &str) {
    let commands = message.rsplit_once(" (").unwrap().1.trim_end_matches(')');
    for command in commands.split("; ") {
        let words: Vec<&str> = command.split(' ').collect();
        match words.as_slice() {
            ["kubectl", arguments @ ..] => drop(stage.kubectl(arguments)),
            ["entitlement-operator", "crds", "|", "kubectl", "apply", "-f", "-"] => {
                stage.kubectl(&["apply", "--filename", concat!(env!("CARGO_MANIFEST_DIR"), "/crds")]);
            }
            _ => panic!("{command}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn none_is_accepted_while_a_policy_is_missing_or_another_and_what_was_goes_on() {
    let stage = block_in_place(Stage::start);
    let operator = block_in_place(|| stage.operator(&[]));
    let cluster = stage.cluster().await;
    people(&cluster).await;
    cluster.until_enforced().await;
    // What was made before everybody is sure to be checked never counts.
    ask(&cluster, "$-early").await;
    unprotected(&cluster, "$-early", TOO_EARLY).await;
    cluster.until_protected().await;
    let made = ask(&cluster, "$-approved").await;
    phase(&cluster, "$-approved", "Requested").await;
    cluster.as_user("bob").create(decided_by("bob", "one", &made, "Approve")).await.unwrap();
    phase(&cluster, "$-approved", "Active").await;
    let delivered = cluster.object("ConfigMap", "$", "$").await;
    let waiting = ask(&cluster, "$-waiting").await;
    phase(&cluster, "$-waiting", "Requested").await;
    unprotected(&cluster, "$-early", TOO_EARLY).await;

    // Weakened, put back, and with the times of that written away.
    let (kind, name) = ("ValidatingAdmissionPolicy", NAMES[1]);
    cluster.merge(kind, "", name, weakened(kind)).await.unwrap();
    unprotected(&cluster, "$-waiting", "is not that of this operator").await;
    cluster.merge(kind, "", name, json!({"spec": {"failurePolicy": "Fail"}})).await.unwrap();
    unprotected(&cluster, "$-waiting", TOO_EARLY).await;
    cluster.merge(kind, "", name, json!({"metadata": {"managedFields": [{}]}})).await.unwrap();
    assert!(cluster.get(kind, "", name).await.unwrap()["metadata"]["managedFields"].is_null());
    cluster.operator_has_acted().await;
    unprotected(&cluster, "$-waiting", TOO_EARLY).await;

    for kind in ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"] {
        for name in NAMES {
            let said = |what: &str| format!("the {kind} {name} {what}");
            let message = || async {
                let seen = cluster.get(OVERRIDE, "entitlements", "$-waiting").await.unwrap();
                condition(&seen, "Ready")["message"].as_str().unwrap().to_owned()
            };
            cluster.delete(kind, "", name).await;
            unprotected(&cluster, "$-waiting", &said("is missing")).await;
            let advice = message().await;
            block_in_place(|| do_as_advised(&stage, &advice));
            unprotected(&cluster, "$-waiting", TOO_EARLY).await;
            cluster.merge(kind, "", name, weakened(kind)).await.unwrap();
            unprotected(&cluster, "$-waiting", &said("is not that of this operator")).await;
            let advice = message().await;
            block_in_place(|| do_as_advised(&stage, &advice));
            unprotected(&cluster, "$-waiting", TOO_EARLY).await;
            cluster.delete(kind, "", name).await;
            cluster.create(replaced(kind, name)).await.unwrap();
            unprotected(&cluster, "$-waiting", &said("is not that of this operator")).await;
            let advice = message().await;
            block_in_place(|| do_as_advised(&stage, &advice));
            unprotected(&cluster, "$-waiting", TOO_EARLY).await;
        }
    }
    // Who approves it now is too late, too.
    cluster.until_enforced().await;
    cluster.as_user("bob").create(decided_by("bob", "two", &waiting, "Approve")).await.unwrap();
    cluster.operator_has_acted().await;
    unprotected(&cluster, "$-waiting", TOO_EARLY).await;
    // What was accepted has not been touched.
    phase(&cluster, "$-approved", "Active").await;
    let now = cluster.object("ConfigMap", "$", "$").await;
    assert_eq!(now["metadata"]["uid"], delivered["metadata"]["uid"]);
    let log = operator.log();
    assert!(log.contains("no exception is accepted for now: somebody could approve in another's name: the "), "{log}");
    assert!(log.contains("exceptions can be accepted again"), "{log}");
    block_in_place(|| drop((operator, stage)));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_to_see_them_all_else_is_done() {
    let stage = block_in_place(Stage::start);
    block_in_place(|| take_away(&stage, "clusterrole", "validatingadmissionpolicies", "watch"));
    let operator = block_in_place(|| stage.operator(&[]));
    let cluster = stage.cluster().await;
    people(&cluster).await;
    cluster.until_enforced().await;
    cluster.create(grant("granted", &cluster.name, &cluster.name, json!({}))).await.unwrap();
    cluster.phase("granted", "Active").await;
    cluster.object("ConfigMap", "$", "$").await;
    ask(&cluster, "$").await;
    let unseen = "give it the right to list and watch them (entitlement-operator manifests | kubectl apply -f -)";
    unprotected(&cluster, "$", unseen).await;
    let log = operator.log();
    assert!(log.contains("the operator works, but for this:"), "{log}");
    let missing = "no right to watch validatingadmissionpolicies.admissionregistration.k8s.io (to see that nobody";
    assert!(log.contains(missing), "{log}");
    block_in_place(|| {
        eventually(DEADLINE, "the log says what cannot be watched", || {
            let log = operator.log();
            let line =
                "not everything can be watched, and is tried again; ValidatingAdmissionPolicy: a right is missing";
            if log.contains(line) { Ok(()) } else { Err(log) }
        });
        stage.apply_manifests(&[]);
    });
    unprotected(&cluster, "$", TOO_EARLY).await;
    // Once more it is taken away from who works.
    block_in_place(|| take_away(&stage, "clusterrole", "validatingadmissionpolicies", "watch"));
    unprotected(&cluster, "$", unseen).await;
    cluster.phase("granted", "Active").await;
    block_in_place(|| drop((operator, stage)));
}
