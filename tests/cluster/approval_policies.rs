//! Nobody asks for an exception, decides on one, or says what came of it, in another's name: the API server refuses it.

use crate::harness::{Cluster, DEADLINE, cluster, seconds_from_now, shared_plane};
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant, SystemTime},
};

const OVERRIDE: &str = "EntitlementOverride";
const DECISION: &str = "OverrideDecision";
const RESTORED_BY: &str = "entitlements.dev/restored-by";
const STATUS: &str = "may not write the status of exceptions, which says what was approved: that takes the verb record";

/// An override that somebody asks for, in namespace `entitlements`, for ten days; with more fields of its spec.
pub fn asked_by(user: &str, name: &str, spec: Value) -> Value {
    let mut object = json!({
        "apiVersion": "entitlements.dev/v1alpha1",
        "kind": OVERRIDE,
        "metadata": {"name": name, "namespace": "entitlements"},
        "spec": spec,
    });
    object["spec"]["requestedBy"] = user.into();
    object["spec"]["reason"] = "a trade fair in the last week of the month".into();
    object["spec"]["end"] = seconds_from_now(10 * 24 * 60 * 60).into();
    object
}

/// A decision on an override as it was made.
pub fn decided_by(user: &str, name: &str, made: &Value, decision: &str) -> Value {
    let metadata = &made["metadata"];
    json!({
        "apiVersion": "entitlements.dev/v1alpha1",
        "kind": DECISION,
        "metadata": {"name": name, "namespace": metadata["namespace"]},
        "spec": {
            "override": {"name": metadata["name"], "uid": metadata["uid"]},
            "definition": made["spec"]["definition"],
            "decision": decision,
            "decidedBy": user,
        },
    })
}

impl Cluster {
    /// Binds a cluster role to a user: in namespace `entitlements`, or in the cluster. The API server counts it when that returns.
    pub async fn bind(&self, role: &str, user: &str, in_cluster: bool) {
        let user = user.replace('$', &self.name);
        let role = role.replace('$', &self.name);
        let kind = if in_cluster { "ClusterRoleBinding" } else { "RoleBinding" };
        let mut metadata = json!({"name": format!("{user}-{role}")});
        if !in_cluster {
            metadata["namespace"] = json!("entitlements");
        }
        let group = "rbac.authorization.k8s.io";
        let binding = json!({
            "apiVersion": format!("{group}/v1"),
            "kind": kind,
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
        });
        self.create(binding).await.unwrap();
        self.until_bound(&role, &user).await;
    }

    /// Waits until the API server has read the binding, and the role with it: a busy one does so some moments after the write.
    async fn until_bound(&self, role: &str, user: &str) {
        let role = self.get("ClusterRole", "", role).await.unwrap();
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectRulesReview",
            "spec": {"namespace": "entitlements"},
        });
        let (bound, started) = (self.as_user(user), Instant::now());
        loop {
            let seen = bound.create(review.clone()).await.unwrap();
            let has = |rule: &Value| {
                let mut allowed = seen["status"]["resourceRules"].as_array().unwrap().iter();
                allowed.any(|seen| {
                    ["verbs", "apiGroups", "resources", "resourceNames"].iter().all(|of| seen[of] == rule[of])
                })
            };
            if role["rules"].as_array().unwrap().iter().all(has) {
                return;
            }
            assert!(started.elapsed() < DEADLINE, "{user} is not bound to {role}; may: {seen}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A cluster role `$-…` of one rule.
    async fn role(&self, name: &str, allowed: Value) {
        let metadata = json!({"name": name.replace('$', &self.name)});
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata, "rules": [allowed],
        });
        self.create(role).await.unwrap();
    }

    /// Creates an object without that it is stored.
    async fn try_create(&self, object: Value) -> Result<(), String> {
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        let params = PostParams { dry_run: true, ..PostParams::default() };
        let kind = object.types.clone().unwrap().kind;
        let api = self.api(&kind, object.metadata.namespace.as_deref().unwrap());
        api.create(&params, &object).await.map(drop).map_err(|error| error.to_string())
    }

    /// Waits until the API server enforces the policies, which it reads within moments.
    pub async fn until_enforced(&self) {
        let asked = asked_by("nobody", "probe", json!({"organization": "none", "definition": "none"}));
        let mut made = asked.clone();
        made["metadata"]["uid"] = json!("none");
        let decision = decided_by("nobody", "probe", &made, "Approve");
        let started = Instant::now();
        for object in [asked, decision] {
            while !self.try_create(object.clone()).await.is_err_and(|error| error.contains("denied request")) {
                assert!(started.elapsed() < DEADLINE, "the policies are not enforced");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    /// Waits until what is asked for and decided from now on counts: the policies have been as they are for a minute.
    pub async fn until_protected(&self) {
        self.until_enforced().await;
        let youngest = self.youngest_policy().await + chrono::TimeDelta::seconds(61);
        while chrono::DateTime::<chrono::Utc>::from(SystemTime::now()) < youngest {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// When the youngest of the policies and bindings was made or changed.
    async fn youngest_policy(&self) -> chrono::DateTime<chrono::Utc> {
        let mut times: Vec<chrono::DateTime<chrono::Utc>> = Vec::new();
        for kind in ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"] {
            for object in self.list(kind, "").await {
                let metadata = &object["metadata"];
                if metadata["name"].as_str().unwrap().ends_with(".entitlements.dev") {
                    let written = metadata["managedFields"].as_array().unwrap().iter().map(|entry| &entry["time"]);
                    let all = written.chain([&metadata["creationTimestamp"]]);
                    let read = |time: &Value| time.as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
                    times.extend(all.map(read));
                }
            }
        }
        times.into_iter().max().unwrap()
    }
}

#[track_caller]
fn refused<T>(result: Result<T, String>, part: &str) {
    let Err(error) = result else { panic!("it should have been refused: {part}") };
    assert!(error.contains(part), "{error}\nlacks: {part}");
}

fn of(cluster: &Cluster, user: &str, name: &str) -> Value {
    let text = |text: &str| text.replace('$', &cluster.name);
    asked_by(&text(user), &text(name), json!({"organization": cluster.name, "definition": cluster.name}))
}

fn restored_by(mut object: Value, user: &Value) -> Value {
    object["metadata"]["annotations"] = json!({ RESTORED_BY: user });
    object
}

/// A shared cluster whose policies are enforced.
async fn enforced() -> Cluster {
    let cluster = cluster().await;
    cluster.until_enforced().await;
    cluster
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_names_themselves() {
    let cluster = enforced().await;
    cluster.bind("entitlements-requester", "$-alice", false).await;
    let alice = cluster.as_user("$-alice");
    let own = alice.create(of(&cluster, "$-alice", "$")).await.unwrap();
    assert_eq!(own["spec"]["requestedBy"], format!("{}-alice", cluster.name));

    let others = of(&cluster, "$-bob", "$-b");
    let said = format!(
        "spec.requestedBy has to be '{0}-alice', as you ask for it, and is '{0}-bob'; to restore what another asked for, have \
         the verb restore on entitlementoverrides.entitlements.dev (ClusterRole entitlements-restorer), and name yourself in the \
         annotation entitlements.dev/restored-by",
        cluster.name
    );
    refused(alice.create(others.clone()).await, &said);
    refused(alice.try_apply(&others.to_string()).await, &said);
    let mut generated = others.clone();
    generated["metadata"] = json!({"generateName": "a-", "namespace": "entitlements"});
    refused(alice.create(generated).await, &said);
    // Not even who may do everything.
    refused(cluster.create(others).await, "spec.requestedBy has to be 'admin', as you ask for it");
    // Afterwards it stays.
    let other = json!({"spec": {"requestedBy": format!("{}-bob", cluster.name)}});
    refused(alice.merge(OVERRIDE, "entitlements", "$", other).await, "immutable");
    alice.merge(OVERRIDE, "entitlements", "$", json!({"spec": {"cancelled": true}})).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_restores_may_and_names_themselves() {
    let cluster = enforced().await;
    let name = cluster.name.clone();
    cluster.bind("entitlements-requester", "$-alice", false).await;
    cluster.bind("entitlements-restorer", "$-rita", false).await;
    let (alice, rita) = (cluster.as_user("$-alice"), cluster.as_user("$-rita"));
    let (by_alice, by_rita) = (json!(format!("{name}-alice")), json!(format!("{name}-rita")));
    let may_not = format!(
        "'{name}-alice' may not restore exceptions here: leave the annotation entitlements.dev/restored-by out, or get the verb"
    );
    // Neither another's nor one's own.
    for requested_by in ["$-bob", "$-alice"] {
        refused(alice.create(restored_by(of(&cluster, requested_by, "$"), &by_alice)).await, &may_not);
    }
    let is_another = |user: &str, named: &str| {
        format!(
            "the annotation entitlements.dev/restored-by has to be '{name}-{user}', as you restore it, and is '{named}'"
        )
    };
    refused(
        alice.create(restored_by(of(&cluster, "$-alice", "$"), &by_rita)).await,
        &is_another("alice", &format!("{name}-rita")),
    );
    refused(alice.create(restored_by(of(&cluster, "$-alice", "$"), &json!(""))).await, &is_another("alice", ""));
    refused(rita.create(restored_by(of(&cluster, "$-bob", "$"), &json!("bob"))).await, &is_another("rita", "bob"));
    refused(rita.create(of(&cluster, "$-bob", "$")).await, "spec.requestedBy has to be");
    // The right is that of a namespace.
    let elsewhere = format!("{name}-elsewhere");
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": elsewhere}});
    cluster.create(namespace).await.unwrap();
    cluster
        .role(
            "$-write",
            json!({"apiGroups": ["entitlements.dev"], "resources": ["entitlementoverrides"], "verbs": ["create"]}),
        )
        .await;
    cluster.bind("$-write", "$-rita", true).await;
    let mut there = restored_by(of(&cluster, "$-bob", "$"), &by_rita);
    there["metadata"]["namespace"] = json!(elsewhere);
    refused(rita.create(there).await, "may not restore exceptions here");
    // Where she may, she can; and restore her own.
    rita.create(restored_by(of(&cluster, "$-bob", "$"), &by_rita)).await.unwrap();
    rita.create(restored_by(of(&cluster, "$-rita", "$-own"), &by_rita)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_restored_stays_to_be_seen() {
    let cluster = enforced().await;
    let name = cluster.name.clone();
    cluster.bind("entitlements-requester", "$-alice", false).await;
    cluster.bind("entitlements-restorer", "$-rita", false).await;
    let (alice, rita) = (cluster.as_user("$-alice"), cluster.as_user("$-rita"));
    let by_rita = json!(format!("{name}-rita"));
    alice.create(of(&cluster, "$-alice", "$")).await.unwrap();
    rita.create(restored_by(of(&cluster, "$-bob", "$-r"), &by_rita)).await.unwrap();
    let said = "the annotation entitlements.dev/restored-by is set when an exception is restored, and stays as it is";
    let annotate = |to: Value| json!({"metadata": {"annotations": {RESTORED_BY: to}}});
    for user in [&alice, &rita, &cluster] {
        for to in [json!(null), json!(""), json!(format!("{name}-alice")), json!("admin")] {
            refused(user.merge(OVERRIDE, "entitlements", "$-r", annotate(to)).await, said);
        }
        refused(user.merge(OVERRIDE, "entitlements", "$-r", json!({"metadata": {"annotations": null}})).await, said);
        for to in [json!(""), by_rita.clone()] {
            refused(user.merge(OVERRIDE, "entitlements", "$", annotate(to)).await, said);
        }
        let other = json!({"metadata": {"annotations": {"example.com/note": "seen"}}});
        user.merge(OVERRIDE, "entitlements", "$-r", other).await.unwrap();
    }
    // A write of the status takes nothing else along.
    let api = rita.api(OVERRIDE, "entitlements");
    let mut forged = annotate(json!(null));
    forged["status"] = json!({"observedGeneration": 1});
    let seen =
        || async { cluster.get(OVERRIDE, "entitlements", "$-r").await.unwrap()["metadata"]["annotations"].take() };
    let patched = api.patch_status(&format!("{name}-r"), &PatchParams::default(), &Patch::Merge(forged)).await;
    if let Err(error) = patched {
        assert!(error.to_string().contains(said), "{error}");
    }
    assert_eq!(seen().await[RESTORED_BY], by_rita);
    // It goes with the override.
    cluster.delete(OVERRIDE, "entitlements", "$-r").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_decides_names_themselves_and_may() {
    let cluster = enforced().await;
    let name = cluster.name.clone();
    let resources = |resource: &str, verb: &str| json!({"apiGroups": ["entitlements.dev"], "resources": [resource], "verbs": [verb]});
    cluster.role("$-decide", resources("overridedecisions", "create")).await;
    let mut of_one = resources("entitlementdefinitions", "approve");
    of_one["resourceNames"] = json!([name]);
    cluster.role("$-approve", of_one).await;
    for user in ["$-bob", "$-carol", "$-dora"] {
        cluster.bind("$-decide", user, false).await;
    }
    cluster.bind("$-approve", "$-bob", true).await;
    // A definition is of no namespace, so nor is the right.
    cluster.bind("$-approve", "$-dora", false).await;
    cluster.bind("entitlements-approver", "$-anna", true).await;
    let made = cluster.create(of(&cluster, "admin", "$")).await.unwrap();
    let mut of_another = made.clone();
    of_another["spec"]["definition"] = json!(format!("{name}-other"));
    let decision = |user: &str, object: &Value| {
        let user = user.replace('$', &name);
        decided_by(&user, &format!("{user}-decides"), object, "Approve")
    };
    let bob = cluster.as_user("$-bob");
    refused(
        bob.create(decision("$-carol", &made)).await,
        &format!("spec.decidedBy has to be '{name}-bob', as you decide, and is '{name}-carol'"),
    );
    refused(
        bob.create(decision("$-bob", &of_another)).await,
        &format!(
            "'{name}-bob' may not decide on exceptions of {name}-other: that takes the verb approve on \
             entitlementdefinitions.entitlements.dev/{name}-other (ClusterRole entitlements-approver in the whole cluster, or a \
             role of your own with its name)"
        ),
    );
    for user in ["$-carol", "$-dora"] {
        let result = cluster.as_user(user).create(decision(user, &made)).await;
        refused(result, &format!("may not decide on exceptions of {name}: "));
    }
    // To deny takes the same.
    let denial = decided_by(&format!("{name}-carol"), &format!("{name}-denial"), &made, "Deny");
    refused(cluster.as_user("$-carol").create(denial).await, "may not decide on exceptions of");
    // Decisions are never restored, not by who may do everything either.
    let restored = restored_by(decision("$-bob", &made), &json!("admin"));
    refused(cluster.create(restored).await, "spec.decidedBy has to be 'admin', as you decide");
    bob.create(decision("$-bob", &made)).await.unwrap();
    cluster.as_user("$-anna").create(decision("$-anna", &of_another)).await.unwrap();
    // And stay as they are.
    let other = json!({"spec": {"decision": "Deny"}});
    refused(
        cluster.merge(DECISION, "entitlements", &format!("{name}-bob-decides"), other).await,
        "a decision is immutable",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_is_of_who_may_record_it() {
    let cluster = enforced().await;
    let name = cluster.name.clone();
    let verbs = ["get", "create", "update", "patch"];
    let resources = ["entitlementoverrides", "entitlementoverrides/status"];
    cluster.role("$-forge", json!({"apiGroups": ["entitlements.dev"], "resources": resources, "verbs": verbs})).await;
    cluster.bind("$-forge", "$-mallory", false).await;
    let mallory = cluster.as_user("$-mallory");
    let accepted = json!({
        "observedGeneration": 1, "phase": "Active",
        "accepted": {"at": "2026-01-01T00:00:00Z", "by": ["bob"], "timeZone": "UTC"},
    });
    // What comes with the object is left out, and what the operator says of it is all that is there.
    let mut made = of(&cluster, "$-mallory", "$");
    made["status"] = accepted.clone();
    let made = mallory.create(made).await.unwrap();
    assert_eq!(made["status"], json!({"observedGeneration": -1}));
    mallory.merge(OVERRIDE, "entitlements", "$", json!({"status": accepted})).await.unwrap();

    let api = mallory.api(OVERRIDE, "entitlements");
    let (plain, applied) = (PatchParams::default(), PatchParams::apply("mallory").force());
    let patch = Patch::Merge(json!({"status": accepted}));
    refused(api.patch_status(&name, &plain, &patch).await.map_err(|error| error.to_string()), STATUS);
    let operations =
        serde_json::from_value(json!([{"op": "add", "path": "/status/accepted", "value": accepted["accepted"]}]));
    let patch = Patch::<Value>::Json(operations.unwrap());
    refused(api.patch_status(&name, &plain, &patch).await.map_err(|error| error.to_string()), STATUS);
    let identity =
        json!({"apiVersion": made["apiVersion"], "kind": OVERRIDE, "metadata": {"name": name}, "status": accepted});
    let patch = Patch::Apply(identity.clone());
    refused(api.patch_status(&name, &applied, &patch).await.map_err(|error| error.to_string()), STATUS);
    let mut whole: DynamicObject = api.get(&name).await.unwrap();
    whole.data["status"] = accepted.clone();
    let replaced = api.replace_status(&name, &PostParams::default(), &whole).await;
    refused(replaced.map_err(|error| error.to_string()), STATUS);
    let seen = cluster.get(OVERRIDE, "entitlements", "$").await.unwrap();
    assert!(seen["status"]["accepted"].is_null(), "{seen:#}");
    // By its status, an object is not made.
    let patch = Patch::Apply(identity);
    let absent = api.patch_status(&format!("{name}-absent"), &applied, &patch).await;
    assert!(absent.unwrap_err().to_string().contains("not found"));

    // Who restores may.
    cluster.bind("entitlements-restorer", "$-rita", false).await;
    let rita = cluster.as_user("$-rita");
    let denied = json!({"status": {"denied": {"at": "2026-01-01T00:00:00Z", "by": "bob"}}});
    let restored = rita.api(OVERRIDE, "entitlements").patch_status(&name, &plain, &Patch::Merge(denied)).await.unwrap();
    assert_eq!(restored.data["status"]["denied"]["by"], "bob");
}

/// No role that somebody has for something else lets him approve.
#[tokio::test(flavor = "multi_thread")]
async fn only_roles_for_that_let_anybody_approve() {
    let cluster = enforced().await;
    let all = [
        "view",
        "edit",
        "admin",
        "entitlements-view",
        "entitlements-service-desk",
        "entitlements-catalogue-author",
        "entitlements-grant-author",
        "entitlements-requester",
        "entitlements-approver",
        "entitlements-restorer",
    ];
    for role in all {
        cluster.bind(role, &format!("$-{role}"), true).await;
    }
    let may = |role: &str| {
        let user = format!("--as={}-{role}", cluster.name);
        let questions = [
            ["create", "entitlementoverrides"],
            ["create", "overridedecisions"],
            ["approve", "entitlementdefinitions"],
            ["restore", "entitlementoverrides"],
            ["record", "entitlementoverrides"],
            ["patch", "entitlementoverrides/status"],
        ];
        let asked = questions.into_iter().filter(|[verb, resource]| {
            let (resource, part) = resource.split_once('/').unwrap_or((resource, ""));
            let (group, part) = (format!("{resource}.entitlements.dev"), format!("--subresource={part}"));
            let arguments = ["auth", "can-i", verb, &group, &part, &user, "--namespace=entitlements"];
            shared_plane().run_kubectl(&arguments).is_ok()
        });
        asked.map(|[verb, resource]| format!("{verb} {resource}")).collect::<BTreeSet<_>>()
    };
    let set = |rights: &[&str]| rights.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    tokio::task::block_in_place(|| {
        for role in all {
            let expected = match role {
                "entitlements-requester" => set(&["create entitlementoverrides"]),
                "entitlements-approver" => set(&["approve entitlementdefinitions", "create overridedecisions"]),
                "entitlements-restorer" => set(&[
                    "create entitlementoverrides",
                    "patch entitlementoverrides/status",
                    "record entitlementoverrides",
                    "restore entitlementoverrides",
                ]),
                _ => BTreeSet::new(),
            };
            assert_eq!(may(role), expected, "{role}");
        }
    });
}
