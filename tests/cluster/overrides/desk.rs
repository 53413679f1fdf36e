//! A control plane on which exceptions are approved, the people there, and what they ask for.

use crate::{
    harness::{Cluster, DEADLINE, ORGANIZATION, cluster, condition, grant, is_current, seconds_from_now, shared_plane},
    plane::{Identity, Plane},
    wait::eventually,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::{path::Path, time::Duration};
use tokio::sync::OnceCell;

pub const OVERRIDE: &str = "EntitlementOverride";
pub const DECISION: &str = "OverrideDecision";

/// After how long nothing can come before a decision any more.
const SETTLES_AFTER: TimeDelta = TimeDelta::seconds(2);

/// Groups of people, with the roles that the installation has for them; None for the whole cluster.
const GROUPS: [(&str, &str, Option<&str>); 3] = [
    (REQUESTERS, "entitlements-requester", Some("entitlements")),
    (APPROVERS, "entitlements-approver", None),
    (RESTORERS, "entitlements-restorer", Some("entitlements")),
];
pub const REQUESTERS: &str = "requesters";
pub const APPROVERS: &str = "approvers";
pub const RESTORERS: &str = "restorers";

/// A control plane on which exceptions are approved, with a client that may do anything, and a name that no other test has.
pub struct Desk<'a> {
    plane: &'a Plane,
    pub cluster: Cluster,
}

/// One who asks or decides, with the own client.
pub struct Person {
    pub user: String,
    pub cluster: Cluster,
}

/// That which most tests share.
pub async fn desk() -> Desk<'static> {
    static PREPARED: OnceCell<()> = OnceCell::const_new();
    let cluster = cluster().await;
    let prepare = async || {
        tokio::task::spawn_blocking(|| give_roles(shared_plane())).await.unwrap();
        cluster.until_protected().await;
    };
    PREPARED.get_or_init(prepare).await;
    Desk { plane: shared_plane(), cluster }
}

/// Binds the roles for people, and waits until they hold.
pub fn give_roles(plane: &Plane) {
    let kubectl = |arguments: &[&str]| plane.run_kubectl(arguments).unwrap_or_else(|error| panic!("{error}"));
    for (group, role, namespace) in GROUPS {
        let (role, subject) = (format!("--clusterrole={role}"), format!("--group={group}"));
        match namespace {
            Some(namespace) => kubectl(&["create", "rolebinding", group, &role, &subject, "--namespace", namespace]),
            None => kubectl(&["create", "clusterrolebinding", group, &role, &subject]),
        };
    }
    for (group, verb, resource) in [
        (REQUESTERS, "create", "entitlementoverrides.entitlements.dev"),
        (APPROVERS, "create", "overridedecisions.entitlements.dev"),
        (APPROVERS, "approve", "entitlementdefinitions.entitlements.dev"),
        (RESTORERS, "restore", "entitlementoverrides.entitlements.dev"),
    ] {
        may(plane, &["--as=anybody", &format!("--as-group={group}")], verb, resource);
    }
}

/// Waits until the authorizer knows that somebody may do something in the namespace of grants.
pub fn may(plane: &Plane, somebody: &[&str], verb: &str, resource: &str) {
    let arguments = [&["auth", "can-i", verb, resource, "--namespace=entitlements"], somebody].concat();
    eventually(DEADLINE, "the rights are known", || {
        plane.run_kubectl(&arguments).map(drop).map_err(|error| error.to_string())
    });
}

/// A time as objects have it.
pub fn moment(text: &Value) -> DateTime<Utc> {
    text.as_str().unwrap_or_else(|| panic!("no time: {text}")).parse().unwrap()
}

/// When an object was made.
pub fn made(object: &Value) -> DateTime<Utc> {
    moment(&object["metadata"]["creationTimestamp"])
}

/// Waits until so much has passed since an object was made.
pub async fn is_so_old(object: &Value, age: TimeDelta) {
    let left = made(object) + age - Utc::now();
    tokio::time::sleep(left.to_std().unwrap_or(Duration::ZERO)).await;
}

/// An exception of definition `$-members` for organization `$`, with more fields of its spec; no `end`: an hour from now.
pub fn exception(cluster: &Cluster, name: &str, user: &str, spec: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "entitlements.dev/v1alpha1",
        "kind": OVERRIDE,
        "metadata": {"name": name, "namespace": "entitlements"},
        "spec": {
            "organization": "$", "definition": "$-members", "end": seconds_from_now(3600), "requestedBy": user,
            "reason": "the fair needs more until Friday",
        },
    });
    object["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    serde_json::from_str(&object.to_string().replace('$', &cluster.name)).unwrap()
}

/// A decision on an exception.
pub fn decision(asked: &Value, user: &str, ruling: &str) -> Value {
    let name = asked["metadata"]["name"].as_str().unwrap();
    json!({
        "apiVersion": "entitlements.dev/v1alpha1",
        "kind": DECISION,
        "metadata": {"generateName": format!("{name}-"), "namespace": asked["metadata"]["namespace"]},
        "spec": {
            "override": {"name": name, "uid": asked["metadata"]["uid"]}, "definition": asked["spec"]["definition"],
            "decision": ruling, "decidedBy": user,
        },
    })
}

impl<'a> Desk<'a> {
    /// One of a plane of a test's own.
    pub fn of(plane: &'a Plane, cluster: Cluster) -> Self {
        Self { plane, cluster }
    }

    /// Someone in these groups, and in no others.
    pub async fn person(&self, name: &str, groups: &[&str]) -> Person {
        let user = format!("{}-{name}", self.cluster.name);
        let kubeconfig = self.plane.kubeconfig_for(Identity::User { name: &user, groups }).unwrap();
        self.speaking_as(user, &kubeconfig).await
    }

    /// One who may ask.
    pub async fn requester(&self, name: &str) -> Person {
        self.person(name, &[REQUESTERS]).await
    }

    /// One who may decide.
    pub async fn approver(&self, name: &str) -> Person {
        self.person(name, &[APPROVERS]).await
    }

    /// A service account that may ask and decide.
    pub async fn bot(&self) -> Person {
        let name = format!("{}-bot", self.cluster.name);
        let kubectl = |arguments: &[&str]| self.plane.run_kubectl(arguments).unwrap_or_else(|error| panic!("{error}"));
        kubectl(&["create", "serviceaccount", &name, "--namespace=default"]);
        let account = format!("--serviceaccount=default:{name}");
        let requests = ["--clusterrole=entitlements-requester", "--namespace=entitlements", &account];
        kubectl(&[&["create", "rolebinding", &name][..], &requests].concat());
        kubectl(&["create", "clusterrolebinding", &name, "--clusterrole=entitlements-approver", &account]);
        let kubeconfig =
            self.plane.kubeconfig_for(Identity::ServiceAccount { namespace: "default", name: &name }).unwrap();
        let speaks = format!("--kubeconfig={}", kubeconfig.display());
        may(self.plane, &[&speaks], "create", "entitlementoverrides.entitlements.dev");
        may(self.plane, &[&speaks], "approve", "entitlementdefinitions.entitlements.dev");
        self.speaking_as(format!("system:serviceaccount:default:{name}"), &kubeconfig).await
    }

    async fn speaking_as(&self, user: String, kubeconfig: &Path) -> Person {
        let mut cluster = Cluster::connect(kubeconfig).await;
        cluster.name.clone_from(&self.cluster.name);
        Person { user, cluster }
    }

    /// kubectl with the rights of the administrator.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        self.plane.run_kubectl(arguments).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Organization `$` with namespace `$`, and definition `$-members`, of which it can have exceptions by these rules.
    pub async fn sells(&self, rules: Value) {
        self.cluster.apply(ORGANIZATION).await;
        self.defines("members", json!({"type": "Quantity", "unit": "members", "amount": 1, "overrides": rules})).await;
        self.cluster.object("ConfigMap", "$", "entitlements").await;
    }

    /// Definition `$-` of that name, with a ConfigMap of that name that has the amount, unless the spec has other outputs.
    pub async fn defines(&self, name: &str, mut spec: Value) {
        let output = json!({
            "name": "config", "kind": "ConfigMap", "objectName": name,
            "items": [{"key": name, "template": "{{ instance.amount }}"}],
        });
        spec.as_object_mut().unwrap().entry("outputs").or_insert_with(|| json!([output]));
        let full = format!("{}-{name}", self.cluster.name);
        self.cluster
            .create(json!({
                "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementDefinition",
                "metadata": {"name": full}, "spec": spec,
            }))
            .await
            .unwrap();
        self.cluster.condition("EntitlementDefinition", &full, "Ready", "True", "Valid").await;
    }

    /// Changes definition `$-members`, and waits until the operator has seen it.
    pub async fn edits(&self, spec: Value) {
        self.cluster.merge("EntitlementDefinition", "", "$-members", json!({ "spec": spec })).await.unwrap();
        self.cluster.until("EntitlementDefinition", "", "$-members", "is seen", is_current).await;
    }

    /// Organization `$` holds so many members by a grant of its own.
    pub async fn holds(&self, name: &str, amount: u32) {
        let (name, definition) = (format!("{}-{name}", self.cluster.name), format!("{}-members", self.cluster.name));
        self.cluster.create(grant(&name, &self.cluster.name, &definition, json!({ "amount": amount }))).await.unwrap();
        self.cluster.phase(&name, "Active").await;
    }

    /// Waits until an exception is in that phase, with its status up to date.
    pub async fn phase(&self, asked: &Value, phase: &str) -> Value {
        let uid = &asked["metadata"]["uid"];
        let is_it =
            |seen: &Value| seen["metadata"]["uid"] == *uid && is_current(seen) && seen["status"]["phase"] == phase;
        self.cluster.until(OVERRIDE, "entitlements", name_of(asked), phase, is_it).await
    }

    /// Waits until so many approvals of an exception count, such as `1/2`, and it waits for more.
    pub async fn waits(&self, asked: &Value, approvals: &str) -> Value {
        let is_it = |seen: &Value| {
            is_current(seen) && seen["status"]["phase"] == "Requested" && seen["status"]["approvals"] == approvals
        };
        let found = self.cluster.until(OVERRIDE, "entitlements", name_of(asked), approvals, is_it).await;
        assert_eq!(condition(&found, "Accepted")["reason"], "ApprovalRequired");
        assert_eq!(condition(&found, "Ready")["status"], "False");
        found
    }

    /// Waits until an exception is refused for that reason; what is said of it.
    pub async fn refuses(&self, asked: &Value, reason: &str) -> String {
        let found = self.cluster.condition(OVERRIDE, name_of(asked), "Accepted", "False", reason).await;
        found["message"].as_str().unwrap().replace(&self.cluster.name, "$")
    }

    /// Waits until a decision would count by now if it counted, and the operator has seen it: that it does not counts.
    pub async fn has_seen(&self, decision: &Value) {
        is_so_old(decision, SETTLES_AFTER + TimeDelta::seconds(1)).await;
        self.cluster.operator_has_acted().await;
    }

    /// Waits until an exception is in force by the approval of these, since the last of these decisions.
    pub async fn is_granted(&self, asked: &Value, decisions: &[&Value]) -> Value {
        let found = self.phase(asked, "Active").await;
        let by: Vec<&Value> = decisions.iter().map(|decision| &decision["spec"]["decidedBy"]).collect();
        let last = decisions.last().map_or(asked, |last| *last);
        let accepted = json!({"at": last["metadata"]["creationTimestamp"], "by": by, "timeZone": found["status"]["accepted"]["timeZone"]});
        assert_eq!(found["status"]["accepted"], accepted, "{:#}", found["status"]);
        assert_eq!(found["status"]["approvals"], format!("{0}/{0}", by.len()));
        assert_eq!((&found["status"]["denied"], &found["status"]["expired"]), (&Value::Null, &Value::Null));
        found
    }

    /// Waits until an exception is denied by that decision.
    pub async fn is_denied(&self, asked: &Value, decision: &Value) -> Value {
        self.refuses(asked, "Denied").await;
        let found = self.phase(asked, "Rejected").await;
        let denied = json!({"at": decision["metadata"]["creationTimestamp"], "by": decision["spec"]["decidedBy"]});
        assert_eq!(found["status"]["denied"], denied);
        assert_eq!(found["status"]["accepted"], Value::Null);
        found
    }
}

/// The name of an object.
pub fn name_of(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}

impl Person {
    /// Asks for an exception in the own name, unless the spec has another.
    pub async fn tries_to_ask(&self, name: &str, spec: Value) -> Result<Value, String> {
        let name = format!("{}-{name}", self.cluster.name);
        self.cluster.create(exception(&self.cluster, &name, &self.user, &spec)).await
    }

    /// The same of what is not refused at the door.
    pub async fn asks(&self, name: &str, spec: Value) -> Value {
        self.tries_to_ask(name, spec).await.unwrap()
    }

    /// Decides in the own name.
    pub async fn tries_to_decide(&self, asked: &Value, ruling: &str) -> Result<Value, String> {
        self.cluster.create(decision(asked, &self.user, ruling)).await
    }

    pub async fn approves(&self, asked: &Value) -> Value {
        self.tries_to_decide(asked, "Approve").await.unwrap()
    }

    pub async fn denies(&self, asked: &Value) -> Value {
        self.tries_to_decide(asked, "Deny").await.unwrap()
    }
}
