//! One exception from the request to its end, as three people see it with kubectl and the command: Alice asks, Bob approves, and
//! Carol may not.

use super::{
    desk::{desk, may},
    effect::flag_at,
};
use crate::{
    harness::{Cluster, DEADLINE, seconds_from_now, shared_plane},
    plane::Identity,
    wait::eventually,
};
use chrono::Utc;
use serde_json::Value;
use std::{path::PathBuf, process::Command};

const CATALOGUE: &str = r#"
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
metadata: {name: $-members}
spec:
  type: Quantity
  unit: members
  amount: 25
  outputs:
    - name: config
      kind: ConfigMap
      objectName: members
      items: [{key: members, template: "{{ instance.amount }}"}]
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementInstance
metadata: {name: $-members, namespace: entitlements}
spec: {organization: $, definition: $-members}
"#;

const REQUEST: &str = r#"
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementOverride
metadata: {name: $-fair, namespace: entitlements}
spec:
  organization: $
  definition: $-members
  amount: 10
  end: "END"
  reason: the fair in Hanover needs ten more people on the stand
  ticket: SD-4711
  requestedBy: alice
"#;

const DECISION: &str = "
apiVersion: entitlements.dev/v1alpha1
kind: OverrideDecision
metadata: {name: $-fair-NAME, namespace: entitlements}
spec:
  override: {name: $-fair, uid: UID}
  definition: $-members
  decision: Approve
  decidedBy: DECIDER
";

/// One of the three, with a kubeconfig of their own.
struct User {
    name: &'static str,
    kubeconfig: PathBuf,
    test: String,
}

impl User {
    fn new(identity: Identity<'_>, name: &'static str, cluster: &Cluster) -> Self {
        let kubeconfig = shared_plane().kubeconfig_for(identity).unwrap();
        Self { name, kubeconfig, test: cluster.name.clone() }
    }

    /// What kubectl says, with `$` for the test's name; an error if it is refused.
    fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        let speaks = format!("--kubeconfig={}", self.kubeconfig.display());
        let said = shared_plane().run_kubectl(&[&[speaks.as_str()], arguments].concat());
        let said = said.map_err(|error| error.to_string());
        let plain = |text: String| text.replace(&self.test, "$");
        said.map(plain).map_err(plain)
    }

    fn apply(&self, yaml: &str) -> Result<String, String> {
        let path = shared_plane().folder().join(format!("{}-{}.yaml", self.test, self.name));
        std::fs::write(&path, yaml.replace('$', &self.test)).unwrap();
        self.kubectl(&["apply", "--filename", path.to_str().unwrap()])
    }

    fn get(&self, path: &str) -> String {
        let (name, path) = (format!("{}-fair", self.test), format!("--output=jsonpath={{{path}}}"));
        self.kubectl(&["get", "eovr", &name, "--namespace=entitlements", &path]).unwrap()
    }

    /// Waits until the row that `kubectl get eovr` shows begins so.
    fn sees(&self, row: &str) {
        let name = format!("{}-fair", self.test);
        eventually(DEADLINE, row, || {
            let table = self.kubectl(&["get", "eovr", &name, "--namespace=entitlements"])?;
            let [head, found] = table.lines().collect::<Vec<_>>()[..] else { return Err(table) };
            let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(words(head), "NAME ORGANIZATION DEFINITION AMOUNT PHASE APPROVALS ENDS AGE");
            if words(found).starts_with(row) { Ok(()) } else { Err(table) }
        });
    }

    /// What the command says and with which code it ends, with `$` for the test's name.
    fn command(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_entitlement-operator"));
        let output = command.args(arguments).env("KUBECONFIG", &self.kubeconfig).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap().replace(&self.test, "$"))
    }

    /// Writes an approval of that name that says who decides.
    fn approves(&self, name: &str, decider: &str) -> Result<String, String> {
        let uid = self.get(".metadata.uid");
        self.apply(&DECISION.replace("UID", &uid).replace("NAME", name).replace("DECIDER", decider))
    }
}

/// Waits until that is what the client's workload reads.
async fn workload_reads(cluster: &Cluster, members: u32) {
    let (text, handle) = (members.to_string(), format!("{}-members", cluster.name));
    cluster.until("ConfigMap", "$", "members", &text, |seen| seen["data"]["members"] == text).await;
    let is_it = |seen: &Value| flag_at(seen, &handle, Utc::now()) == members;
    cluster.until("ConfigMap", "$", "entitlements", &text, is_it).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alice_asks_bob_approves_and_carol_may_not() {
    let desk = desk().await;
    let (cluster, plane) = (&desk.cluster, shared_plane());
    // Who may do what is up to the roles that the installation brings. Alice may ask and approve, but not both of one.
    for person in ["alice", "carol"] {
        let (name, user) = (format!("{person}-asks"), format!("--user={person}"));
        let role = ["--clusterrole=entitlements-requester", "--namespace=entitlements", &user];
        desk.kubectl(&[&["create", "rolebinding", &name][..], &role].concat());
        may(plane, &[&format!("--as={person}")], "create", "entitlementoverrides.entitlements.dev");
    }
    desk.kubectl(&["create", "serviceaccount", "storyteller", "--namespace=default"]);
    let bot = "system:serviceaccount:default:storyteller";
    for (name, subject, user) in [
        ("alice", "--user=alice", "alice"),
        ("bob", "--user=bob", "bob"),
        ("storyteller", "--serviceaccount=default:storyteller", bot),
    ] {
        let name = format!("{name}-approves");
        desk.kubectl(&["create", "clusterrolebinding", &name, "--clusterrole=entitlements-approver", subject]);
        may(plane, &[&format!("--as={user}")], "approve", "entitlementdefinitions.entitlements.dev");
    }
    let person = |name: &'static str| User::new(Identity::User { name, groups: &[] }, name, cluster);
    let (alice, bob, carol) = (person("alice"), person("bob"), person("carol"));
    let robot = User::new(Identity::ServiceAccount { namespace: "default", name: "storyteller" }, bot, cluster);

    // The client has 25 members, and needs ten more for a while.
    cluster.apply(CATALOGUE).await;
    workload_reads(cluster, 25).await;
    let end = seconds_from_now(60);
    let request = REQUEST.replace("END", &end);
    let refused = carol.apply(&request).unwrap_err();
    assert!(refused.contains("spec.requestedBy has to be 'carol', as you ask for it, and is 'alice'"), "{refused}");
    assert_eq!(alice.apply(&request).unwrap(), "entitlementoverride.entitlements.dev/$-fair created\n");
    alice.sees("$-fair $ $-members 10 Requested 0/1 ");

    // Alice may approve what others ask for. Her yes to her own does not count, nor does that of a program: so says the command, and
    // so it is with what is written without it.
    let name = format!("{}-fair", cluster.name);
    let (code, said) = alice.command(&["approve", &name]);
    let asked_herself = "you, alice, asked for entitlements/$-fair: somebody else has to decide";
    assert!(code == Some(1) && said.contains(asked_herself), "{code:?} {said}");
    let (code, said) = robot.command(&["approve", &name]);
    assert!(code == Some(1) && said.contains("what a service account decides does not count"), "{code:?} {said}");
    assert_eq!(alice.approves("alice", "alice").unwrap(), "overridedecision.entitlements.dev/$-fair-alice created\n");
    let refused = alice.approves("forged", "bob").unwrap_err();
    assert!(refused.contains("spec.decidedBy has to be 'alice', as you decide, and is 'bob'"), "{refused}");
    assert_eq!(
        robot.approves("storyteller", bot).unwrap(),
        "overridedecision.entitlements.dev/$-fair-storyteller created\n"
    );
    let refused = carol.approves("carol", "carol").unwrap_err();
    assert!(refused.contains(r#"User "carol" cannot create resource "overridedecisions""#), "{refused}");
    bob.sees("$-fair $ $-members 10 Requested 0/1 ");
    workload_reads(cluster, 25).await;

    // Bob's does.
    let (code, said) = bob.command(&["approve", &name, "--comment", "agreed with sales"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("You, bob, approve it: OverrideDecision entitlements/"), "{said}");
    alice.sees("$-fair $ $-members 10 Active 1/1 ");
    workload_reads(cluster, 35).await;
    assert_eq!(alice.get(".status.accepted.by"), r#"["bob"]"#);
    assert_eq!(alice.get(".status.accepted.timeZone"), "Europe/Berlin");

    // It ends by itself, and nobody has to remember it.
    alice.sees("$-fair $ $-members 10 Expired 1/1 ");
    workload_reads(cluster, 25).await;
    assert!(Utc::now() >= end.parse::<chrono::DateTime<Utc>>().unwrap());
}
