//! People decide on exceptions by the command, each in their own name and with their own rights.

use crate::{
    approval_policies::asked_by,
    harness::{Cluster, DEADLINE, cluster, is_current, shared_plane},
};
use serde_json::{Value, json};
use std::{
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

const OVERRIDE: &str = "EntitlementOverride";
const DECISION: &str = "OverrideDecision";

const OFFICE: &str = r"
apiVersion: v1
kind: Namespace
metadata: {name: $}
---
apiVersion: entitlements.dev/v1alpha1
kind: Organization
metadata: {name: $}
spec: {displayName: The Client, timeZone: Europe/Berlin, namespaces: [$]}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $-seats}
spec: {displayName: Seats, type: Quantity, unit: seats, amount: 5, overrides: {approvals: 2}}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $-support}
spec: {type: Feature}
";

/// The command, on the shared cluster as somebody.
async fn run_as(user: &str, arguments: &[&str]) -> Output {
    let kubeconfig = shared_plane().kubeconfig().to_owned();
    let all: Vec<String> = arguments.iter().copied().chain(["--as", user]).map(str::to_owned).collect();
    let run = move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_entitlement-operator"));
        command.args(all).env("KUBECONFIG", kubeconfig).stdin(Stdio::null()).output().unwrap()
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// The same, once the API server has taken in that they may look.
async fn once_seen(user: &str, arguments: &[&str]) -> Output {
    let started = Instant::now();
    loop {
        let output = run_as(user, arguments).await;
        if output.status.code() != Some(2) || started.elapsed() > DEADLINE {
            return output;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// That the command ends so, and says that on standard error.
#[track_caller]
fn ends(output: &Output, code: i32, said: &str) {
    let (told, errors) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{told}{errors}");
    assert!(errors.contains(said), "{errors}\nlacks: {said}");
}

/// Whether a sentence tells its time where the client is.
fn is_local(sentence: &str) -> bool {
    [" CET (in ", " CEST (in "].iter().any(|zone| sentence.contains(zone))
}

/// An office where `$-alice` asks, and `$-bob`, `$-carol` and `$-frank` decide, once what they decide counts.
async fn office() -> Cluster {
    let cluster = cluster().await;
    cluster.apply(OFFICE).await;
    for approver in ["$-alice", "$-bob", "$-carol", "$-frank", "system:serviceaccount:$:bot"] {
        let user = approver.replace('$', &cluster.name);
        let name = user.replace(':', "-");
        let group = "rbac.authorization.k8s.io";
        cluster
            .create(json!({
                "apiVersion": format!("{group}/v1"),
                "kind": "ClusterRoleBinding",
                "metadata": {"name": format!("{name}-approves")},
                "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "entitlements-approver"},
                "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
            }))
            .await
            .unwrap();
    }
    cluster.bind("entitlements-requester", "$-alice", false).await;
    cluster.until_protected().await;
    cluster
}

/// An override that `$-alice` asks for.
async fn asked(cluster: &Cluster, name: &str, spec: Value) -> Value {
    let text = |text: &str| text.replace('$', &cluster.name);
    let mut spec = spec;
    spec["organization"] = cluster.name.clone().into();
    let object = asked_by(&text("$-alice"), &text(name), spec);
    cluster.as_user("$-alice").create(object).await.unwrap();
    cluster
        .until(OVERRIDE, "entitlements", name, "Requested", |seen| {
            is_current(seen) && seen["status"]["phase"] == "Requested"
        })
        .await
}

async fn decisions(cluster: &Cluster, made: &Value) -> Vec<Value> {
    let all = cluster.list(DECISION, "entitlements").await;
    all.into_iter().filter(|one| one["spec"]["override"]["uid"] == made["metadata"]["uid"]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_approve_and_everybody_else_is_told_why_not() {
    let cluster = office().await;
    let name = cluster.name.clone();
    let user = |who: &str| format!("{name}-{who}");
    let (seats, more) = (format!("{name}-seats"), format!("{name}-more"));
    let made = asked(&cluster, "$-more", json!({"definition": seats, "amount": 10, "ticket": "OPS-4711"})).await;

    // Whoever asked, although she may approve; a service account; somebody without any right.
    let own = run_as(&user("alice"), &["approve", &more]).await;
    ends(&own, 1, &format!("you, {name}-alice, asked for entitlements/{more}: somebody else has to decide"));
    let bot = run_as(&format!("system:serviceaccount:{name}:bot"), &["approve", &more]).await;
    ends(&bot, 1, "what a service account decides does not count: a person has to, with a login of their own");
    let stranger = run_as(&user("dave"), &["deny", &more]).await;
    ends(
        &stranger,
        2,
        "you may not list entitlementoverrides in namespace entitlements: ask for the role entitlements-approver",
    );
    let unknown = run_as(&user("bob"), &["approve", &format!("{name}-mroe")]).await;
    ends(&unknown, 2, &format!("there is no override {name}-mroe: did you mean {more}?"));
    let nowhere = run_as(&user("bob"), &["approve", &more, "-n", &name]).await;
    ends(&nowhere, 2, &format!("there is no override {more} in namespace {name}"));
    assert_eq!(decisions(&cluster, &made).await, Vec::<Value>::new());

    let first = run_as(&user("bob"), &["approve", &more, "--comment", "agreed with sales"]).await;
    ends(&first, 0, "");
    let said = text(&first.stdout);
    let lines: Vec<&str> = said.lines().collect();
    let gives = format!("override {more} adds 10 seats of {seats} (Seats) to what {name} (The Client) holds, until ");
    assert!(lines[0].starts_with(&gives) && is_local(lines[0]) && lines[0].ends_with(" days)."), "{said}");
    assert!(lines[1].starts_with(&format!("Asked for by {name}-alice on ")), "{said}");
    assert!(lines[1].ends_with(": a trade fair in the last week of the month (ticket OPS-4711)"), "{said}");
    assert_eq!(
        lines[2..4],
        ["It is in force from its approval on.", "It needs 2 approvals, and has none yet."],
        "{said}"
    );
    let all = decisions(&cluster, &made).await;
    let decision = all[0]["metadata"]["name"].as_str().unwrap();
    assert!(decision.starts_with(&format!("{more}-{name}-bob-")), "{decision}");
    assert_eq!(lines[4], format!("You, {name}-bob, approve it: OverrideDecision entitlements/{decision} is made."));
    assert_eq!(
        lines[5],
        format!("entitlements/{more} has 1/2 approvals: 1 more approval is needed, by somebody else.")
    );
    assert_eq!(lines.len(), 6, "{said}");
    assert_eq!(
        all[0]["spec"],
        json!({
            "override": {"name": more, "uid": made["metadata"]["uid"]},
            "definition": seats,
            "decision": "Approve",
            "comment": "agreed with sales",
            "decidedBy": user("bob"),
        })
    );

    let again = run_as(&user("bob"), &["deny", &more]).await;
    ends(&again, 1, &format!("you, {name}-bob, approved entitlements/{more} on "));
    ends(&again, 1, "and the first decision of each person counts; 1 more of other people is needed");
    let second = run_as(&user("carol"), &["approve", &format!("entitlements/{more}")]).await;
    ends(&second, 0, "");
    let said = text(&second.stdout);
    assert!(said.contains(&format!("\nIt has 1 of 2 approvals, by {name}-bob.\n")), "{said}");
    let approved = format!("\nentitlements/{more} is approved, by {name}-bob, {name}-carol: Active until ");
    assert!(said.contains(&approved), "{said}");
    let there = cluster.get(OVERRIDE, "entitlements", "$-more").await.unwrap();
    assert_eq!(there["status"]["accepted"]["by"], json!([user("bob"), user("carol")]));
    cluster.summary("$", "$-seats", "10 of an exception", |entry| entry["amount"] == "10").await;

    let late = run_as(&user("frank"), &["deny", &more]).await;
    ends(&late, 1, &format!("entitlements/{more} was approved on "));
    ends(&late, 1, "to take it back, cancel it: kubectl patch entitlementoverrides.entitlements.dev ");
    assert_eq!(decisions(&cluster, &made).await.len(), 2);

    // Everybody who may look is told.
    cluster.bind("entitlements-service-desk", "$-desk", true).await;
    let overview = run_as(&user("desk"), &["overrides", "-o", "json"]).await;
    // What other tests left without an organization makes it 1.
    assert!(matches!(overview.status.code(), Some(0 | 1)), "{}", text(&overview.stderr));
    let told: Value = serde_json::from_slice(&overview.stdout).unwrap();
    let own = told["definitions"].as_array().unwrap().iter().find(|one| one["definition"] == *seats).unwrap();
    let counts = ["asked", "approved", "denied", "inForce", "clients"].map(|field| own[field].as_u64().unwrap());
    assert_eq!((counts, &own["amount"]), ([1, 1, 0, 1, 1], &json!("10")));
    let explained = run_as(&user("desk"), &["explain", &name, &seats]).await;
    let said = text(&explained.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    let approved = format!("approved by {name}-bob and {name}-carol on ");
    assert!(said.contains(&approved), "{said}\n{}", text(&explained.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_denial_is_enough_and_nobody_decides_without_the_right_to() {
    let cluster = office().await;
    let name = cluster.name.clone();
    let user = |who: &str| format!("{name}-{who}");
    let support = format!("{name}-support");
    let made = asked(&cluster, "$-call", json!({"definition": support})).await;
    let call = format!("{name}-call");

    // She may write decisions in the namespace, and approve nothing of this definition.
    let group = "rbac.authorization.k8s.io";
    let role = json!({
        "apiVersion": format!("{group}/v1"), "kind": "ClusterRole", "metadata": {"name": user("writes")},
        "rules": [
            {"apiGroups": ["entitlements.dev"], "resources": ["entitlementoverrides"], "verbs": ["get", "list"]},
            {"apiGroups": ["entitlements.dev"], "resources": ["overridedecisions"], "verbs": ["create"]},
        ],
    });
    cluster.create(role).await.unwrap();
    cluster.bind("$-writes", "$-erin", false).await;
    let without = once_seen(&user("erin"), &["approve", &call]).await;
    ends(&without, 1, &format!("the cluster refuses it: '{name}-erin' may not decide on exceptions of {support}: "));
    ends(&without, 1, &format!("; see kubectl auth can-i approve entitlementdefinitions.entitlements.dev/{support}"));
    // And he may see it, and no more.
    cluster.bind("entitlements-view", "$-gus", false).await;
    let reader = once_seen(&user("gus"), &["deny", &call]).await;
    ends(
        &reader,
        1,
        "you may not write decisions in namespace entitlements: that takes the verb create on overridedecisions",
    );
    assert_eq!(decisions(&cluster, &made).await, Vec::<Value>::new());

    let denied = run_as(&user("bob"), &["deny", &call, "--comment", "there is another way"]).await;
    ends(&denied, 0, "");
    let said = text(&denied.stdout);
    assert!(said.starts_with(&format!("override {call} gives {name} (The Client) {support}, until ")), "{said}");
    assert!(said.ends_with(&format!("entitlements/{call} is denied, for good.\n")), "{said}");
    let late = run_as(&user("carol"), &["approve", &call]).await;
    ends(&late, 1, &format!("by {name}-bob, and that is final: ask for another if it is needed after all"));

    let made = asked(&cluster, "$-gone", json!({"definition": support})).await;
    let gone = format!("{name}-gone");
    cluster
        .as_user("$-alice")
        .merge(OVERRIDE, "entitlements", "$-gone", json!({"spec": {"cancelled": true}}))
        .await
        .unwrap();
    let cancelled = run_as(&user("carol"), &["approve", &gone]).await;
    ends(&cancelled, 1, &format!("entitlements/{gone} is cancelled, and stays so: there is nothing to decide"));
    assert_eq!(decisions(&cluster, &made).await, Vec::<Value>::new());
}
