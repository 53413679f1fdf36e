//! The cluster as a source: what the command says of it is what the operator says, and rights that do not reach far enough are
//! told.

use crate::{
    harness::{DEADLINE, Stage},
    plane::PlaneOptions,
    resilience::apply_examples,
};
use chrono::{TimeDelta, Utc};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::Write,
    net::TcpListener,
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
const KINDS: &str = "organizations,facetdefinitions,entitlementdefinitions,entitlementplans,entitlementinstances,entitlementsubscriptions,entitlementoverrides,overridedecisions";

fn command(kubeconfig: &Path, arguments: &[&str]) -> Output {
    run(Command::new(env!("CARGO_BIN_EXE_entitlement-operator")).args(arguments).env("KUBECONFIG", kubeconfig), "")
}

fn run(command: &mut Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that reads nothing may have ended by now.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The objects of a list that are the operator's or of its kinds, with all that it is responsible for.
fn ours(list: &Value) -> BTreeMap<String, Value> {
    let ours = |object: &&Value| {
        object["apiVersion"].as_str().unwrap_or_default().starts_with("entitlements.dev/")
            || object["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "entitlement-operator"
    };
    let key = |object: &Value| {
        let part = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        format!("{} {}/{}", part("/kind"), part("/metadata/namespace"), part("/metadata/name"))
    };
    let what = |object: &Value| {
        serde_json::json!({
            "labels": object["metadata"]["labels"], "annotations": object["metadata"]["annotations"],
            "owners": object["metadata"]["ownerReferences"].as_array().into_iter().flatten()
                .map(|owner| owner["uid"].clone()).collect::<Vec<_>>(),
            "spec": object["spec"], "status": object["status"], "data": object["data"], "type": object["type"],
        })
    };
    list["items"].as_array().unwrap().iter().filter(ours).map(|object| (key(object), what(object))).collect()
}

fn wait(stage: &Stage, what: &str, condition: &str) {
    stage.kubectl(&["wait", condition, what, "--namespace=entitlements", "--timeout=60s"]);
}

/// A cluster in which the operator has done all that the examples ask for.
fn stage() -> Stage {
    let stage = Stage::start_with(PlaneOptions::default());
    stage.operator(&[]).leave_running();
    apply_examples(&stage, EXAMPLES);
    for grant in [
        "acme-backup",
        "acme-support",
        "acme-support-next",
        "acme-seats",
        "acme-seats-more",
        "globex-streaming",
        "globex-seats",
    ] {
        wait(&stage, &format!("ent/{grant}"), "--for=condition=Ready");
    }
    for (definition, total) in [("seats", 3), ("premium-support", 3), ("managed-backup", 1), ("4k-streaming", 1)] {
        let path = format!("--for=jsonpath={{.status.instances.total}}={total}");
        wait(&stage, &format!("edef/{definition}"), &path);
    }
    wait(&stage, "org/globex", "--for=jsonpath={.status.instances.Draft}=1");
    stage
}

#[test]
fn the_cluster_its_manifests_and_the_operator_say_the_same() {
    let stage = stage();
    manifests_say_the_same(&stage);
    what_is_not_seen_is_a_part_of_the_answer(&stage);
    no_secret_is_called_missing_to_the_service_desk(&stage);
    spoil(&stage);
    the_operator_says_the_same(&stage);
    rights_that_end_early_are_told(&stage);
}

/// What the examples hold is in force then, and has ends to come.
fn in_two_weeks() -> String {
    (Utc::now() + TimeDelta::days(14)).format("%Y-%m-%d").to_string()
}

/// What is taken from the cluster as manifests says what the cluster itself says.
fn manifests_say_the_same(stage: &Stage) {
    let manifests = stage.kubectl(&["get", &format!("{KINDS},secrets"), "--all-namespaces", "--output=json"]);
    let later = in_two_weeks();
    for arguments in [
        &["explain", "acme", "--at", &later][..],
        &["explain", "globex", "seats", "--at", &later, "--output", "json"],
        &["timeline", "--from", &later],
        &["timeline", "--from", &later, "--output", "json"],
        &["validate"],
    ] {
        let of_cluster = command(stage.plane.kubeconfig(), arguments);
        let program = env!("CARGO_BIN_EXE_entitlement-operator");
        let of_manifests = run(Command::new(program).args(arguments).args(["--filename", "-"]), &manifests);
        assert_eq!(text(&of_cluster.stderr), "", "{arguments:?}");
        assert_eq!(text(&of_cluster.stdout), text(&of_manifests.stdout), "{arguments:?}");
        assert_eq!((of_cluster.status.code(), of_manifests.status.code()), (Some(0), Some(0)), "{arguments:?}");
    }
}

/// One definition is broken after it was granted, another one is deleted, and a namespace is lost.
fn spoil(stage: &Stage) {
    let broken = r#"[{"op": "replace", "path": "/spec/facets/0/definition", "value": "absent"}]"#;
    stage.kubectl(&["patch", "edef", "managed-backup", "--type=json", "--patch", broken]);
    stage.kubectl(&["delete", "edef", "4k-streaming"]);
    stage.kubectl(&["delete", "namespace", "acme-staging", "--timeout=60s"]);
    for (what, reason) in [
        ("ent/acme-backup", "DefinitionNotReady"),
        ("ent/acme-support", "NamespaceMissing"),
        ("ent/globex-streaming", "DefinitionNotFound"),
        ("org/acme", "NamespaceMissing"),
        ("edef/managed-backup", "FacetNotFound"),
    ] {
        wait(stage, what, &format!("--for=jsonpath={{.status.conditions[?(@.type==\"Ready\")].reason}}={reason}"));
    }
}

/// Down to the last byte of every status and every object, the times of the conditions among them.
fn the_operator_says_the_same(stage: &Stage) {
    let output = command(stage.plane.kubeconfig(), &["render", "--output=json", "--show-secrets"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), SPOILT));
    let rendered: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = stage.kubectl(&["get", &format!("{KINDS},configmaps,secrets"), "--all-namespaces", "--output=json"]);
    let (rendered, found) = (ours(&rendered), ours(&serde_json::from_str(&found).unwrap()));
    assert_eq!(rendered.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>());
    for (key, object) in &found {
        assert_eq!(rendered[key], *object, "{key}");
    }
}

const SPOILT: &str = "\
cluster: EntitlementInstance entitlements/globex-streaming: DefinitionNotFound: definition 4k-streaming does not exist any more; its last valid revision serves: make it again, or cancel the grant
cluster: EntitlementInstance entitlements/acme-backup: DefinitionNotReady: definition managed-backup is invalid now (FacetNotFound: facet backup: there is no FacetDefinition absent: make it, or give a schema here); its last valid revision serves
cluster: EntitlementDefinition managed-backup: FacetNotFound: facet backup: there is no FacetDefinition absent: make it, or give a schema here
cluster: warning: Organization acme: NamespaceMissing: namespace acme-staging does not exist or is terminating: it is served as soon as it is there
cluster: warning: EntitlementInstance entitlements/acme-support: NamespaceMissing: namespace acme-staging does not exist or is terminating: it is served as soon as it is there
3 errors, 2 warnings
";

fn rights_that_end_early_are_told(stage: &Stage) {
    let explain = |arguments: &[&str]| {
        let later = in_two_weeks();
        let all = [&["explain", "acme", "managed-backup", "--at", &later, "--as", "desk"], arguments].concat();
        let output = command(stage.plane.kubeconfig(), &all);
        (output.status.code(), text(&output.stderr).to_owned(), text(&output.stdout).to_owned())
    };
    assert_eq!(
        explain(&[]),
        (Some(2), "entitlement-operator: you may not list organizations: ask for the role entitlements-view in the cluster (the right to view the kinds of entitlements.dev), or give manifests with -f\n".to_owned(), String::new())
    );
    let catalogue = "organizations.entitlements.dev,facetdefinitions.entitlements.dev,entitlementdefinitions.entitlements.dev,entitlementplans.entitlements.dev";
    stage.kubectl(&["create", "clusterrole", "desk", "--verb=list", &format!("--resource={catalogue}")]);
    stage.kubectl(&["create", "clusterrolebinding", "desk", "--clusterrole=desk", "--user=desk"]);
    let role = [
        "create",
        "role",
        "desk",
        "--verb=list",
        "--resource=entitlementinstances.entitlements.dev,entitlementsubscriptions.entitlements.dev,entitlementoverrides.entitlements.dev,overridedecisions.entitlements.dev",
    ];
    stage.kubectl(&[&role[..], &["--namespace=entitlements"]].concat());
    stage.kubectl(&["create", "rolebinding", "desk", "--role=desk", "--user=desk", "--namespace=entitlements"]);
    // The API server's authorizer sees new roles a moment later.
    let started = Instant::now();
    let answer = loop {
        let answer = explain(&[]);
        if !answer.1.contains("organizations") {
            break answer;
        }
        assert!(started.elapsed() < DEADLINE, "{answer:?}");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(
        answer,
        (Some(2), "entitlement-operator: you may not list entitlementinstances in all namespaces: name those that you may read with -n, or ask for the right to view them all\n".to_owned(), String::new())
    );
    let (code, errors, explained) = explain(&["-n", "entitlements"]);
    assert_eq!((code, errors.as_str()), (Some(0), PARTIAL));
    assert!(explained.contains("Problem: the definition is invalid now"), "{explained}");
    let flat = explained.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        flat.contains("Not seen: grants were looked for in entitlements alone")
            && flat.contains("you may not read the Secrets entitlements/acme-backup: what is made"),
        "{explained}"
    );
    let (code, errors, _) = explain(&["-n", "entitlements,default"]);
    assert_eq!(
        (code, errors.as_str()),
        (
            Some(2),
            "entitlement-operator: you may not list entitlementinstances in namespace default: ask for the role entitlements-view in the cluster (the right to view the kinds of entitlements.dev), or give manifests with -f\n"
        )
    );
}

/// Nothing is called missing that may only not be seen, and others are nobody's business.
fn what_is_not_seen_is_a_part_of_the_answer(stage: &Stage) {
    let kinds = KINDS.split(',').map(|kind| format!("{kind}.entitlements.dev")).collect::<Vec<_>>().join(",");
    let resources = format!("--resource={kinds},namespaces,controllerrevisions.apps");
    stage.kubectl(&["create", "clusterrole", "clerk", "--verb=list", &resources]);
    stage.kubectl(&["create", "clusterrolebinding", "clerk", "--clusterrole=clerk", "--user=clerk"]);
    let answer = |arguments: &[&str]| {
        let output = command(stage.plane.kubeconfig(), &[arguments, &["--as", "clerk"]].concat());
        (output.status.code(), text(&output.stderr).to_owned(), text(&output.stdout).to_owned())
    };
    // The API server's authorizer sees new roles a moment later.
    crate::wait::eventually(DEADLINE, "the clerk may look", || {
        let (_, errors, _) = answer(&["explain", "acme"]);
        if errors.contains("may not list") { Err(errors) } else { Ok(()) }
    });
    let (_, _, explained) = answer(&["explain", "acme", "managed-backup"]);
    let flat = explained.split_whitespace().collect::<Vec<_>>().join(" ");
    let unseen = "the Secret entitlements/acme-backup was not seen, as you may not read it";
    assert!(flat.contains(unseen) && !flat.contains("there is no Secret"), "{explained}");
    let secrets =
        "you may not read the Secrets entitlements/acme-backup: what is made of their values is not part of the answer";
    for arguments in [
        &["explain", "acme", "-o", "json"][..],
        &["timeline", "--organization", "acme", "-o", "json"],
        &["render", "-o", "json"],
    ] {
        let (_, _, said) = answer(arguments);
        let json: Value = serde_json::from_str(&said).unwrap();
        let not_seen = json["notSeen"].as_array().unwrap();
        assert!(not_seen.iter().any(|sentence| sentence == secrets), "{arguments:?}: {not_seen:?}");
        assert!(!said.contains("there is no Secret"), "{arguments:?}: {said}");
    }
    let (_, _, table) = answer(&["timeline", "--organization", "acme"]);
    assert!(table.contains(&format!("\nNot seen: {secrets}.\n")), "{table}");
    let (_, errors, rendered) = answer(&["render"]);
    assert!(rendered.contains(&format!("# not seen: {secrets}\n")), "{rendered}");
    assert!(errors.contains("SecretNotSeen") && !errors.contains("SecretNotFound"), "{errors}");
    // Of one organization nothing of another one is said, nor does it count.
    for arguments in [&["explain", "globex", "-o", "json"][..], &["timeline", "--organization", "globex", "-o", "json"]]
    {
        let (_, errors, said) = answer(arguments);
        assert!(!errors.contains("acme") && !said.contains("acme"), "{arguments:?}: {errors}{said}");
    }
}

/// The role that `manifests` makes, bound as docs/rights.md does it.
fn bind_service_desk(stage: &Stage) {
    let manifests = command(stage.plane.kubeconfig(), &["manifests"]);
    let is_desks = |manifest: &&str| manifest.contains("\n  name: entitlements-service-desk\n");
    let roles: Vec<&str> = text(&manifests.stdout).split("\n---\n").filter(is_desks).collect();
    assert_eq!(roles.len(), 2, "{roles:?}");
    let path = stage.plane.folder().join("service-desk.yaml");
    std::fs::write(&path, roles.join("\n---\n")).unwrap();
    stage.kubectl(&["apply", "--filename", path.to_str().unwrap()]);
    let group = "--group=service-desk";
    stage.kubectl(&["create", "clusterrolebinding", "service-desk", "--clusterrole=entitlements-service-desk", group]);
    let role = ["--role=entitlements-service-desk", group, "--namespace=entitlement-operator"];
    stage.kubectl(&[&["create", "rolebinding", "service-desk"], &role[..]].concat());
}

/// Nor is it of one that only what is asked for would name; who may read Secrets is told whether it is there.
fn no_secret_is_called_missing_to_the_service_desk(stage: &Stage) {
    bind_service_desk(stage);
    let value = "--from-literal=password=hunter2hunter2";
    stage.kubectl(&["create", "secret", "generic", "globex-backup", value, "--namespace=entitlements"]);
    let said = |arguments: &[&str], who: &[&str]| {
        let output = command(stage.plane.kubeconfig(), &[arguments, who].concat());
        (output.status.code(), format!("{}{}", text(&output.stdout), text(&output.stderr)))
    };
    let desk = ["--as", "anna", "--as-group", "service-desk"];
    crate::wait::eventually(DEADLINE, "the service desk may look", || {
        let (_, answer) = said(&["explain", "acme"], &desk);
        if answer.contains("may not list") { Err(answer) } else { Ok(()) }
    });
    let secret = "backup.repositoryPassword=globex-backup/password";
    let grant = ["grant", "globex", "managed-backup", "--secret", secret];
    let file = stage.plane.folder().join("globex-backup.yaml");
    let (code, manifest) = said(&grant, &[]);
    assert!(code == Some(0) && !manifest.contains("SecretNot"), "{manifest}");
    std::fs::write(&file, manifest.split("\nWhat ").next().unwrap()).unwrap();
    let with_cluster = ["-f", file.to_str().unwrap(), "--with-cluster", "-n", "entitlements"];
    for arguments in [
        &["explain", "acme"][..],
        &["explain", "acme", "managed-backup"],
        &["explain", "acme", "-o", "json"],
        &["timeline"],
        &["timeline", "-o", "json"],
        &["validate"],
        &["render"],
        &grant,
        &[&["validate"], &with_cluster[..]].concat(),
        &[&["explain", "globex", "-o", "json"], &with_cluster[..]].concat(),
    ] {
        let (code, answer) = said(arguments, &desk);
        let flat = answer.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(code == Some(0) && !flat.contains("there is no Secret"), "{arguments:?}: {answer}");
        assert!(flat.contains("not seen") || flat.contains("you may not read"), "{arguments:?}: {answer}");
        assert!(!flat.contains("SecretNotFound") && !flat.contains(" ! "), "{arguments:?}: {answer}");
    }
    for arguments in [&["validate"][..], &["explain", "globex"]] {
        let (code, answer) = said(&[arguments, &with_cluster].concat(), &[]);
        assert!(code == Some(0) && !answer.contains("Secret"), "{answer}");
    }
    let absent = ["grant", "globex", "managed-backup", "--secret", "backup.repositoryPassword=nowhere/password"];
    let (_, answer) = said(&absent, &[]);
    assert!(answer.contains("there is no Secret nowhere in namespace entitlements"), "{answer}");
}

const PARTIAL: &str = "\
cluster: warning: grants were looked for in entitlements alone: what lies elsewhere is not part of the answer
cluster: warning: you may not list controllerrevisions in namespace entitlement-operator: the last valid state of 4k-streaming, managed-backup is not known, although it may serve
cluster: warning: you may not list namespaces: all are taken to exist
cluster: warning: you may not read the Secrets entitlements/acme-backup: what is made of their values is not part of the answer
4 warnings
";

#[test]
fn a_cluster_that_cannot_be_looked_at_is_told_in_a_sentence() {
    let stage = Stage::bare(PlaneOptions::default());
    let kubeconfig = stage.plane.kubeconfig();
    let url = stage.kubectl(&["config", "view", "--minify", "--output=jsonpath={.clusters[0].cluster.server}"]);
    let said = |kubeconfig: &Path, arguments: &[&str]| {
        let output = command(kubeconfig, arguments);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), ""), "{arguments:?}");
        text(&output.stderr).to_owned()
    };
    let missing = format!(
        "entitlement-operator: the cluster at {url}/ does not know the kinds of entitlements.dev: install them (entitlement-operator crds | kubectl apply -f -), or choose another --context\n"
    );
    for arguments in [&["render"][..], &["validate"], &["timeline"], &["explain", "acme"]] {
        assert_eq!(said(kubeconfig, arguments), missing);
    }
    assert_eq!(
        said(kubeconfig, &["validate", "--context", "elsewhere"]),
        format!(
            "entitlement-operator: the kubeconfig cannot be used: {}: it has no context elsewhere: there is control-plane; or give manifests with -f\n",
            kubeconfig.display()
        )
    );
    let absent = said(Path::new("/nonexistent/kubeconfig"), &["validate"]);
    assert!(absent.starts_with("entitlement-operator: no cluster is configured ("), "{absent}");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("kubeconfig");
    let content = std::fs::read_to_string(kubeconfig).unwrap().replace(&*url, &format!("https://127.0.0.1:{port}"));
    std::fs::write(&nowhere, content).unwrap();
    let unreachable = said(&nowhere, &["validate"]);
    assert_eq!(
        unreachable,
        format!(
            "entitlement-operator: the cluster at https://127.0.0.1:{port}/ does not answer: nothing listens there (connection refused)\n"
        )
    );
}
