//! More or less for a client, in one line, with a person's own rights.

use crate::{
    harness::{Cluster, Stage, cluster, is_current, shared_kubectl, shared_plane},
    webhook,
};
use serde_json::{Value, json};
use std::{
    io::{Read, Write, pipe},
    path::Path,
    process::{Command, Output, Stdio},
    thread,
};

/// An organization, what there is to grant, and a clerk who may make and change grants in namespace `entitlements` alone.
pub const OFFICE: &str = r"
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
spec: {type: Quantity, unit: seats, amount: 25, allowMultiple: true, term: P1Y}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $-support}
spec: {type: Feature, term: P1Y}
";

fn command(kubeconfig: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_entitlement-operator"));
    command.args(arguments).env("KUBECONFIG", kubeconfig).stdin(Stdio::null());
    command
}

pub fn run(kubeconfig: &Path, arguments: &[&str]) -> Output {
    command(kubeconfig, arguments).output().unwrap()
}

pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The exit code and what is said, of which the last line tells what came of it.
fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), text(&output.stderr).to_owned())
}

pub fn last(output: &Output) -> &str {
    text(&output.stderr).lines().last().unwrap_or_default()
}

/// The office, and `--as` its clerk.
pub async fn office() -> (Cluster, String) {
    let cluster = cluster().await;
    cluster.apply(OFFICE).await;
    let name = cluster.name.clone();
    let user = format!("clerk-of-{name}");
    let (role, bound) = (user.clone(), user.clone());
    tokio::task::spawn_blocking(move || {
        let catalogue =
            "organizations.entitlements.dev,facetdefinitions.entitlements.dev,entitlementdefinitions.entitlements.dev,entitlementplans.entitlements.dev";
        shared_kubectl(&["create", "clusterrole", &role, "--verb=get,list", &format!("--resource={catalogue}")]);
        shared_kubectl(&[
            "create",
            "clusterrolebinding",
            &role,
            &format!("--clusterrole={role}"),
            &format!("--user={role}"),
        ]);
        let grants = [
            "--verb=get,list,create,patch",
            "--resource=entitlementinstances.entitlements.dev,entitlementsubscriptions.entitlements.dev",
            "--namespace=entitlements",
        ];
        shared_kubectl(&[&["create", "role", &role][..], &grants].concat());
        shared_kubectl(&[
            "create",
            "rolebinding",
            &role,
            &format!("--role={role}"),
            &format!("--user={role}"),
            "--namespace=entitlements",
        ]);
        // The API server's authorizer sees new roles a moment later.
        crate::wait::eventually(crate::harness::DEADLINE, "the clerk may list grants", || {
            let may = [
                "auth",
                "can-i",
                "patch",
                "entitlementinstances.entitlements.dev",
                "--namespace=entitlements",
                "--as",
                &role,
            ];
            let may_read = ["auth", "can-i", "list", "organizations.entitlements.dev", "--as", &role];
            let answers = [shared_plane().run_kubectl(&may), shared_plane().run_kubectl(&may_read)];
            if answers.iter().all(|answer| answer.as_deref().is_ok_and(|said| said.trim() == "yes")) {
                Ok(())
            } else {
                Err(format!("{answers:?}"))
            }
        });
    })
    .await
    .unwrap();
    (cluster, bound)
}

pub async fn as_clerk(user: &str, arguments: &[&str]) -> Output {
    let kubeconfig = shared_plane().kubeconfig();
    let all: Vec<String> = arguments.iter().copied().chain(["--as", user]).map(str::to_owned).collect();
    let run = move || run(kubeconfig, &all.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(run).await.unwrap()
}

async fn grants_of(cluster: &Cluster) -> Vec<Value> {
    let all = cluster.list("EntitlementInstance", "entitlements").await;
    all.into_iter().filter(|grant| grant["spec"]["organization"] == *cluster.name).collect()
}

#[tokio::test]
async fn a_clerk_grants_and_changes_what_the_operator_takes() {
    let (cluster, clerk) = office().await;
    let (organization, seats) = (cluster.name.clone(), format!("{}-seats", cluster.name));
    let name = format!("{organization}-{seats}");
    let asked = [
        "grant",
        &organization,
        &seats,
        "--amount",
        "50",
        "--from",
        "2026-01-01",
        "--to",
        "2198-03-31",
        "--reason",
        "order 4711",
    ];
    // Without --apply nothing is ever written.
    let shown = as_clerk(&clerk, &asked).await;
    assert_eq!(shown.status.code(), Some(0), "{}", text(&shown.stderr));
    assert_eq!(last(&shown), "Nothing is written yet: --apply does it, or kubectl apply -f - with this manifest.");
    assert_eq!(grants_of(&cluster).await, Vec::<Value>::new());
    // What is printed is what is made.
    let made = as_clerk(&clerk, &[&asked[..], &["--apply"]].concat()).await;
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    assert_eq!(last(&made), format!("entitlements/{name} is made: Active until 2198-04-01 00:00 CEST."));
    assert_eq!(text(&made.stdout), text(&shown.stdout));
    let manifest: Value = serde_saphyr::from_str(text(&made.stdout)).unwrap();
    let there = cluster.phase(&name, "Active").await;
    for (field, value) in manifest["spec"].as_object().unwrap() {
        assert_eq!(there["spec"][field], *value, "{field}");
    }
    assert_eq!(there["metadata"]["annotations"]["entitlements.dev/reason"], "order 4711");
    // The next one has a name of its own.
    let again = as_clerk(&clerk, &[&asked[..], &["--apply"]].concat()).await;
    assert_eq!(last(&again), format!("entitlements/{name}-2 is made: Active until 2198-04-01 00:00 CEST."));
    for (arguments, outcome, phase) in [
        (
            &["suspend", &name][..],
            "is changed: Suspended, with a term that lasts until 2198-04-01 00:00 CEST.",
            "Suspended",
        ),
        (&["resume", &name], "is changed: Active until 2198-04-01 00:00 CEST.", "Active"),
        (&["extend", &name, "--to", "2198-06-30"], "is changed: Active until 2198-07-01 00:00 CEST.", "Active"),
        (&["cancel", &name, "--reason", "contract ended"], "is changed: Cancelled.", "Cancelled"),
    ] {
        let before = cluster.get("EntitlementInstance", "entitlements", &name).await.unwrap();
        let shown = as_clerk(&clerk, arguments).await;
        assert_eq!(shown.status.code(), Some(0), "{}", text(&shown.stderr));
        let after = cluster.get("EntitlementInstance", "entitlements", &name).await.unwrap();
        assert_eq!(after["spec"], before["spec"], "{arguments:?}");
        let done = as_clerk(&clerk, &[arguments, &["--apply"]].concat()).await;
        assert_eq!(
            (done.status.code(), last(&done)),
            (Some(0), format!("entitlements/{name} {outcome}").as_str()),
            "{}",
            text(&done.stderr)
        );
        cluster.phase(&name, phase).await;
    }
    // Once more there is nothing to do, and it cannot be undone.
    let again = as_clerk(&clerk, &["cancel", &name, "--apply"]).await;
    assert_eq!(said(&again).0, Some(0));
    assert_eq!(last(&again), format!("entitlements/{name} is cancelled already: there is nothing to do"));
    let back = as_clerk(&clerk, &["resume", &format!("{name}-2"), "--apply"]).await;
    assert_eq!(last(&back), format!("entitlements/{name}-2 is not suspended: there is nothing to do"));
    let extended = as_clerk(&clerk, &["extend", &name, "--to", "2199-01-01", "--apply"]).await;
    assert_eq!(said(&extended).0, Some(1));
    assert_eq!(
        last(&extended),
        format!("entitlement-operator: entitlements/{name} is cancelled, and stays so: make a new grant")
    );
}

#[tokio::test]
async fn what_was_just_made_once_is_told_where_it_is_made_again() {
    let (cluster, clerk) = office().await;
    let (organization, seats) = (cluster.name.clone(), format!("{}-seats", cluster.name));
    let asked = ["grant", &organization, &seats, "--amount", "5", "--reason", "order 4711", "--apply"];
    let first = as_clerk(&clerk, &asked).await;
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    assert!(!text(&first.stderr).contains("an equal one"), "{}", text(&first.stderr));
    let second = as_clerk(&clerk, &asked).await;
    assert_eq!(second.status.code(), Some(0), "{}", text(&second.stderr));
    let told = format!("note: an equal one, entitlements/{organization}-{seats}, was made ");
    assert!(text(&second.stderr).contains(&told), "{}", text(&second.stderr));
    let changed = asked.map(|word| if word == "order 4711" { "order 4712" } else { word });
    let other = as_clerk(&clerk, &changed).await;
    assert!(!text(&other.stderr).contains("an equal one"), "{}", text(&other.stderr));
    // A namespace that is not there is no place without grants.
    let kubeconfig = shared_plane().kubeconfig();
    let nowhere =
        tokio::task::spawn_blocking(move || run(kubeconfig, &["explain", &organization, "-n", "nope"])).await.unwrap();
    let (code, said) = said(&nowhere);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.starts_with("entitlement-operator: there is no namespace nope in the cluster at "), "{said}");
}

#[tokio::test]
async fn a_late_extension_brings_back_what_has_ended() {
    let (cluster, clerk) = office().await;
    let (organization, support) = (cluster.name.clone(), format!("{}-support", cluster.name));
    let name = format!("{organization}-{support}");
    let made =
        as_clerk(&clerk, &["grant", &organization, &support, "--from", "2020-01-01", "--to", "2020-12-31", "--apply"])
            .await;
    assert_eq!(last(&made), format!("entitlements/{name} is made: over, as it ended 2021-01-01 00:00 CET."));
    let extended = as_clerk(&clerk, &["extend", &name, "--to", "2198-12-31", "--reason", "late", "--apply"]).await;
    assert_eq!(
        last(&extended),
        format!("entitlements/{name} is changed: Active until 2199-01-01 00:00 CET."),
        "{}",
        text(&extended.stderr)
    );
    let there = cluster.phase(&name, "Active").await;
    let amendment = json!({"name": "extended-to-2198-12-31", "effective": "2020-12-31", "end": "2198-12-31", "reason": "late", "revoked": false});
    assert_eq!(there["spec"]["amendments"], json!([amendment]));
}

#[tokio::test]
async fn who_may_not_write_is_told_and_writes_nothing() {
    let (cluster, _) = office().await;
    let seats = format!("{}-seats", cluster.name);
    let (organization, reader) = (cluster.name.clone(), format!("reader-of-{}", cluster.name));
    let role = reader.clone();
    tokio::task::spawn_blocking(move || {
        let kinds = "organizations.entitlements.dev,facetdefinitions.entitlements.dev,entitlementdefinitions.entitlements.dev,entitlementplans.entitlements.dev,entitlementinstances.entitlements.dev,entitlementsubscriptions.entitlements.dev";
        shared_kubectl(&["create", "clusterrole", &role, "--verb=get,list", &format!("--resource={kinds}")]);
        shared_kubectl(&["create", "clusterrolebinding", &role, &format!("--clusterrole={role}"), &format!("--user={role}")]);
    })
    .await
    .unwrap();
    let asked = ["grant", &organization, &seats, "--apply"];
    let refused = loop {
        let refused = as_clerk(&reader, &asked).await;
        if refused.status.code() != Some(2) {
            break refused;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(
        last(&refused),
        "entitlement-operator: you may not make grants in namespace entitlements: ask for the right to (a Role in that namespace), or hand the manifest to somebody who has it"
    );
    let there = cluster
        .create(crate::harness::grant(&format!("{organization}-a"), &organization, &seats, json!({})))
        .await
        .unwrap();
    let name = there["metadata"]["name"].as_str().unwrap();
    let refused = as_clerk(&reader, &["cancel", name, "--apply"]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        last(&refused).starts_with("entitlement-operator: you may not change grants in namespace entitlements: "),
        "{}",
        last(&refused)
    );
    // What somebody else is to apply is there for them.
    let manifest = text(&refused.stdout);
    assert!(manifest.contains("\n  state: Cancelled\n"), "{manifest}");
    let found = grants_of(&cluster).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["spec"]["state"], "Active");
}

#[tokio::test]
async fn of_many_at_once_one_gets_the_only_seat_and_each_its_own_name() {
    let (cluster, clerk) = office().await;
    let (organization, prefix) = (cluster.name.clone(), cluster.name.clone());
    for (definition, accepted) in [(format!("{prefix}-support"), 1), (format!("{prefix}-seats"), 4)] {
        let asked = ["grant", &organization, &definition, "--apply"];
        let all = futures::future::join_all((0..4).map(|_| as_clerk(&clerk, &asked))).await;
        // The operator has the last word where two were made at once under different names, which does not happen to one name.
        let done = all.iter().filter(|output| output.status.code() == Some(0)).count();
        let told: Vec<_> = all.iter().map(said).collect();
        assert_eq!(done, accepted, "{told:#?}");
        let made =
            grants_of(&cluster).await.into_iter().filter(|grant| grant["spec"]["definition"] == *definition).count();
        assert_eq!(made, accepted, "{told:#?}");
        for output in all.iter().filter(|output| output.status.code() != Some(0)) {
            let held = format!("It is held already by entitlements/{organization}-{definition}: extend that one");
            assert!(last(output).starts_with(&held), "{}", text(&output.stderr));
        }
    }
}

#[tokio::test]
async fn a_change_in_between_is_not_lost() {
    let (cluster, _) = office().await;
    let (organization, seats) = (cluster.name.clone(), format!("{}-seats", cluster.name));
    let name = format!("{organization}-a");
    cluster.create(crate::harness::grant(&name, &organization, &seats, json!({"start": "2026-01-01"}))).await.unwrap();
    cluster.phase(&name, "Active").await;
    // It says what it is about to do, and waits until somebody reads that.
    let (mut errors, mut filled) = pipe().unwrap();
    filled.write_all(&vec![b'\n'; 65_536]).unwrap();
    let arguments = ["suspend", &name, "--apply"];
    let mut child =
        command(shared_plane().kubeconfig(), &arguments).stdout(Stdio::null()).stderr(filled).spawn().unwrap();
    let place = format!("/proc/{}/wchan", child.id());
    let waits = move || match std::fs::read_to_string(&place).unwrap_or_default() {
        place if place.contains("pipe_write") => Ok(()),
        place => Err(place),
    };
    tokio::task::spawn_blocking(|| crate::wait::eventually(crate::harness::DEADLINE, "it has something to say", waits))
        .await
        .unwrap();
    cluster.merge("EntitlementInstance", "entitlements", &name, json!({"spec": {"priority": 7}})).await.unwrap();
    let reader = thread::spawn(move || {
        let mut all = String::new();
        errors.read_to_string(&mut all).unwrap();
        all
    });
    let code = tokio::task::spawn_blocking(move || child.wait().unwrap().code()).await.unwrap();
    let told = reader.join().unwrap();
    assert_eq!(
        (code, told.lines().last()),
        (
            Some(1),
            Some(
                format!(
                    "entitlement-operator: entitlements/{name} was changed meanwhile, so nothing was done: look again"
                )
                .as_str()
            )
        )
    );
    let there = cluster.until("EntitlementInstance", "entitlements", &name, "is judged", is_current).await;
    assert_eq!((&there["spec"]["suspended"], &there["spec"]["priority"]), (&json!(false), &json!(7)));
}

#[tokio::test]
async fn files_on_top_of_a_cluster_are_checked_with_what_is_there() {
    let (cluster, _) = office().await;
    let (organization, seats) = (cluster.name.clone(), format!("{}-seats", cluster.name));
    let name = format!("{organization}-a");
    cluster
        .create(crate::harness::grant(
            &name,
            &organization,
            &seats,
            json!({"start": "2026-01-01", "end": "2198-12-31"}),
        ))
        .await
        .unwrap();
    cluster.phase(&name, "Active").await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("more.yaml");
    let checked = |content: String, subcommand: &'static str| {
        std::fs::write(&path, content).unwrap();
        let arguments = [subcommand, "-f", path.to_str().unwrap(), "--with-cluster", "-n", "entitlements"];
        run(shared_plane().kubeconfig(), &arguments)
    };
    let file = |name: &str, definition: &str, more: &str| {
        format!(
            "apiVersion: entitlements.dev/v1alpha1\nkind: EntitlementInstance\nmetadata: {{name: {name}}}\nspec: {{organization: {organization}, definition: {definition}, start: \"2026-01-01\"{more}}}\n"
        )
    };
    let more = checked(file(&format!("{name}-2"), &seats, ", end: \"2198-12-31\""), "validate");
    assert_eq!(said(&more), (Some(0), String::new()));
    let locked = checked(file(&name, &seats, ", end: \"2199-12-31\""), "validate");
    assert_eq!(locked.status.code(), Some(1));
    assert!(
        text(&locked.stderr)
            .contains(&format!("EntitlementInstance entitlements/{name}: Locked: spec.end: end is locked")),
        "{}",
        text(&locked.stderr)
    );
    let coming = checked(file(&format!("{name}-2"), &seats, ", end: \"2197-12-31\""), "timeline");
    assert_eq!(coming.status.code(), Some(0), "{}", text(&coming.stderr));
    for end in [format!("{name}: Active → Expired"), format!("{name}-2: Active → Expired")] {
        assert!(text(&coming.stdout).contains(&end), "{}", text(&coming.stdout));
    }
}

/// What an admission policy of the provider says to a grant whose reason it does not like.
const POLICY: &str = r#"
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: reasons}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules: [{apiGroups: [entitlements.dev], apiVersions: ["*"], operations: [CREATE], resources: [entitlementinstances]}]
  validations: [{expression: "!has(object.metadata.annotations) || !('entitlements.dev/reason' in object.metadata.annotations) || object.metadata.annotations['entitlements.dev/reason'] != 'none'", message: say why}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: reasons}
spec: {policyName: reasons, validationActions: [Deny]}
"#;

#[test]
fn with_the_webhook_its_warnings_are_told_and_without_an_operator_that_nobody_judges() {
    let stage = Stage::start();
    let port = webhook::free_port();
    let operator = webhook::start(&stage, port, port, &[]);
    webhook::serving(&stage);
    let manifests = OFFICE.replace('$', "acme");
    webhook::applied(&stage, &manifests);
    let kubeconfig = stage.plane.kubeconfig();
    let past =
        ["grant", "acme", "acme-support", "--from", "2020-01-01", "--to", "2020-12-31", "--name", "past", "--apply"];
    let made = run(kubeconfig, &past);
    assert_eq!(
        (made.status.code(), last(&made)),
        (Some(0), "entitlements/past is made: over, as it ended 2021-01-01 00:00 CET."),
        "{}",
        text(&made.stderr)
    );
    assert!(text(&made.stderr).lines().any(|line| line.starts_with("warning: ")), "{}", text(&made.stderr));
    // A policy that only the API server knows.
    webhook::applied(&stage, POLICY);
    crate::wait::eventually(crate::harness::DEADLINE, "the policy is in force", || {
        let asked = ["grant", "acme", "acme-seats", "--reason", "none", "--apply"];
        let refused = run(kubeconfig, &asked);
        let told = last(&refused).to_owned();
        if refused.status.code() == Some(1)
            && told.starts_with("entitlement-operator: the cluster refuses it: ")
            && told.ends_with("say why")
        {
            Ok(())
        } else {
            Err(told)
        }
    });
    operator.stop();
    webhook::kubectl(&stage, &["delete", "validatingwebhookconfiguration", "entitlement-operator"], "");
    let alone = run(kubeconfig, &["grant", "acme", "acme-seats", "--name", "alone", "--apply", "--wait", "1"]);
    assert_eq!(
        (alone.status.code(), last(&alone)),
        (
            Some(1),
            "entitlement-operator: entitlements/alone is made, but nothing is seen of the operator's judgement within 1 seconds: is it at work, and may you look at grants? kubectl get ent -n entitlements alone"
        )
    );
    let quick = run(kubeconfig, &["grant", "acme", "acme-seats", "--name", "quick", "--apply", "--no-wait"]);
    assert_eq!((quick.status.code(), last(&quick)), (Some(0), "entitlements/quick is made."));
}
