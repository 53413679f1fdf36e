//! The command, run as users run it: arguments, what is printed, exit codes.
//!
//! `UPDATE_GOLDEN=1 cargo test --test cli` writes the expected outputs anew; look at what changed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "they fail a test")]

#[path = "cli/argo.rs"]
mod argo;
#[path = "cli/bad_input.rs"]
mod bad_input;
#[path = "cli/chart.rs"]
mod chart;
#[path = "cli/chart_schema.rs"]
mod chart_schema;
#[path = "cli/chart_values.rs"]
mod chart_values;
#[path = "cli/check.rs"]
mod check;
#[path = "cli/configuration.rs"]
mod configuration;
#[path = "cli/difference.rs"]
mod difference;
#[path = "cli/documentation.rs"]
mod documentation;
#[path = "cli/example_plans.rs"]
mod example_plans;
#[path = "cli/explain.rs"]
mod explain;
#[path = "cli/gitops.rs"]
mod gitops;
#[path = "cli/grant.rs"]
mod grant;
#[path = "cli/help.rs"]
mod help;
#[path = "cli/installation.rs"]
mod installation;
#[path = "cli/kustomize.rs"]
mod kustomize;
#[path = "cli/outputs.rs"]
mod outputs;
#[path = "cli/overrides.rs"]
mod overrides;
#[path = "cli/playground.rs"]
mod playground;
#[path = "cli/plugin.rs"]
mod plugin;
#[path = "cli/show.rs"]
mod show;
#[path = "cli/subscriptions.rs"]
mod subscriptions;
#[path = "summary_schema.rs"]
mod summary_schema;
#[path = "cli/terminal.rs"]
mod terminal;
#[path = "cli/time_zones.rs"]
mod time_zones;
#[path = "cli/timeline.rs"]
mod timeline;
#[path = "cli/usage.rs"]
mod usage;
#[path = "cli/usage_contracts.rs"]
mod usage_contracts;
#[path = "cli/warnings.rs"]
mod warnings;

use serde_json::Value;
use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/cli");
const AT: &str = "2026-07-01T00:00:00Z";

/// Runs the command in the folder of the golden files.
fn run(arguments: &[&str]) -> Output {
    run_with_input(arguments, "")
}

fn run_with_input(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_entitlement-operator"))
        .args(arguments)
        .current_dir(GOLDEN)
        .env_remove("RUST_LOG")
        .env_remove("TZDIR")
        .env_remove("COLUMNS")
        .env_remove("KUBERNETES_SERVICE_HOST")
        .env("KUBECONFIG", "/nonexistent/kubeconfig")
        .env("HOME", "/nonexistent")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads nothing may have ended by now.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Compares with a golden file.
fn assert_golden(name: &str, found: &[u8]) {
    let path = Path::new(GOLDEN).join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, found).unwrap();
    }
    let expected = fs::read(&path).unwrap_or_default();
    assert_eq!(text(found), text(&expected), "{name}");
}

#[test]
fn render_prints_statuses_and_then_objects() {
    let output = run(&["render", "-f", "clients", "--at", AT]);
    assert_eq!(text(&output.stderr), "ignored: 1 Namespace\n");
    assert_eq!(code(&output), 0);
    assert_golden("clients.rendered.yaml", &output.stdout);
}

#[test]
fn render_is_the_same_however_the_manifests_are_given() {
    let folder = run(&["render", "-f", "clients", "--at", AT]);
    let files = ["clients/30-acme-seats.json", "clients/20-acme.yaml", "clients/10-catalogue.yaml"];
    let named = run(&["render", "-f", files[0], files[1], "--filename", files[2], "--at", AT]);
    assert_eq!(text(&named.stdout), text(&folder.stdout));
    let all: Vec<String> = files.iter().map(|file| fs::read_to_string(Path::new(GOLDEN).join(file)).unwrap()).collect();
    let piped = run_with_input(&["render", "-f", "-", "--at", AT], &all.join("\n---\n"));
    assert_eq!(text(&piped.stdout), text(&folder.stdout));
}

#[test]
fn what_is_rendered_can_be_rendered_again() {
    let first = run(&["render", "-f", "clients", "--at", AT, "--show-secrets"]);
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: acme, namespace: entitlements}\nstringData: {password: hunter22}\n";
    let again = run_with_input(
        &["render", "-f", "-", "--at", AT, "--show-secrets"],
        &format!("{}{secret}", text(&first.stdout)),
    );
    assert_eq!(text(&again.stdout), text(&first.stdout));
}

#[test]
fn json_is_one_list_with_the_same_content() {
    let output = run(&["render", "-f", "clients", "--at", AT, "-o", "json", "--show-secrets"]);
    assert_eq!(code(&output), 0);
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&list["apiVersion"], &list["kind"]), (&"v1".into(), &"List".into()));
    let names: Vec<String> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| format!("{}/{}", item["kind"].as_str().unwrap(), item["metadata"]["name"].as_str().unwrap()))
        .collect();
    assert_eq!(
        names,
        [
            "Organization/acme",
            "FacetDefinition/backup",
            "EntitlementDefinition/backup",
            "EntitlementDefinition/seats",
            "EntitlementInstance/acme-backup",
            "EntitlementInstance/acme-seats",
            "ConfigMap/backup-config",
            "ConfigMap/entitlements",
            "Secret/backup-login",
        ]
    );
    assert_eq!(list["items"][8]["data"]["PASSWORD"], "aHVudGVyMjI=");
    assert_eq!(list["items"][5]["spec"]["amount"], 7);
}

#[test]
fn summaries_are_valid_by_their_schema() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let mut seen = 0;
    for (folder, at) in
        [("clients", AT), (examples, AT), (examples, "2025-01-01T00:00:00Z"), (examples, "2029-01-01T00:00:00Z")]
    {
        let output = run(&["render", "-f", folder, "--at", at, "-o", "json"]);
        let list: Value = serde_json::from_slice(&output.stdout).unwrap();
        let summaries =
            list["items"].as_array().unwrap().iter().filter_map(|item| item["data"]["entitlements.json"].as_str());
        for summary in summaries {
            let summary: Value = serde_json::from_str(summary).unwrap();
            assert_eq!(summary_schema::problems(&summary), Vec::<String>::new(), "{folder} at {at}: {summary:#}");
            seen += 1;
        }
    }
    assert!(seen > 8, "{seen}");
}

#[test]
fn secrets_are_shown_on_demand_alone() {
    for output in
        [run(&["render", "-f", "clients", "--at", AT]), run(&["render", "-f", "clients", "--at", AT, "-o", "json"])]
    {
        let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
        for secret in ["hunter22", "aHVudGVyMjI=", "aHVudGVy"] {
            assert!(!all.contains(secret), "{secret}");
        }
        assert!(all.contains("***"));
    }
}

#[test]
fn the_moment_decides_the_phase() {
    for (at, phase) in [
        ("2026-02-28T22:59:59Z", "Waiting"),
        ("2026-02-28T23:00:00Z", "Active"),
        ("2026-03-01", "Active"),
        ("2027-02-28T23:59:59+01:00", "Active"),
        ("2027-03-01T00:00:00+01:00", "Expired"),
    ] {
        let output = run(&["render", "-f", "clients", "--at", at, "-o", "json"]);
        let list: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(list["items"][4]["status"]["phase"], phase, "{at}");
    }
}

#[test]
fn what_is_refused_is_said_with_its_place() {
    let output = run(&["render", "-f", "refused.yaml", "clients/10-catalogue.yaml", "--at", AT]);
    assert_eq!(code(&output), 1);
    assert_golden("refused.stderr", &output.stderr);
    assert_golden("refused.rendered.yaml", &output.stdout);
}

#[test]
fn validate_says_the_same_and_prints_nothing() {
    let output = run(&["validate", "-f", "refused.yaml", "clients/10-catalogue.yaml", "--at", AT]);
    assert_eq!((code(&output), output.stdout.len()), (1, 0));
    assert_golden("refused.stderr", &output.stderr);
    let output = run(&["validate", "-f", "clients", "--at", AT]);
    assert_eq!((code(&output), text(&output.stdout), text(&output.stderr)), (0, "", "ignored: 1 Namespace\n"));
}

#[test]
fn input_that_cannot_be_read_is_said_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let half = write("half.yaml", "apiVersion: v1\nitems: [1, 2\n");
    let twice = write("twice.yaml", "a: 1\na: 2\n");
    let binary = write("binary.yaml", "\0\u{1}");
    let absent = folder.path().join("absent.yaml").to_str().unwrap().to_owned();
    let nothing = write("nothing.yaml", "replicas: 1\n");
    for (path, expected) in [
        (&half, ":2:8: unclosed bracket '['\n  |\n2 | items: [1, 2\n  |        ^"),
        (&twice, ":2:1: the field \"a\" is given twice: remove one of the two\n  |\n2 | a: 2\n  | ^"),
        (&binary, ": it is a binary file, not YAML or JSON"),
        (&absent, ": there is no such file or folder"),
        (&nothing, ":1:1: it is no object of Kubernetes: apiVersion or kind is missing\n  |\n1 | replicas: 1\n  | ^"),
    ] {
        for subcommand in ["render", "validate"] {
            let output = run(&[subcommand, "-f", path, "clients", "--at", AT]);
            assert_eq!((code(&output), text(&output.stdout)), (2, ""), "{path}");
            assert_eq!(text(&output.stderr), format!("{path}{expected}\n"));
        }
    }
}

#[test]
fn two_objects_of_one_name_cannot_be_read() {
    let file = "clients/30-acme-seats.json";
    let copy = fs::read_to_string(Path::new(GOLDEN).join(file)).unwrap();
    let output = run_with_input(&["validate", "-f", file, "-"], &copy);
    assert_eq!(code(&output), 2);
    let first = text(&output.stderr).lines().next().unwrap();
    assert_eq!(
        first,
        "-:4:24: EntitlementInstance entitlements/acme-seats: Twice: it is there twice, also in clients/30-acme-seats.json:4:24: remove or rename one of the two"
    );
}

#[test]
fn wrong_usage_has_its_own_exit_code() {
    for arguments in [
        &["render", "--at"][..],
        &["render", "-f", "clients", "--at", "tomorrow"],
        &["paint"],
        &[],
        &["render", "-f", "clients", "-o", "xml"],
    ] {
        let output = run(arguments);
        assert_eq!((code(&output), output.stdout.len()), (2, 0), "{arguments:?}");
        assert!(!output.stderr.is_empty());
    }
    let output = run(&["run", "--log-filter", "info,=="]);
    assert_eq!(code(&output), 2, "{}", text(&output.stderr));
}

#[test]
fn an_input_without_entitlements_is_told() {
    let output = run_with_input(&["validate", "-f", "-"], "");
    assert_eq!((code(&output), text(&output.stderr)), (0, "there is no object of entitlements.dev in what was read\n"));
}

#[test]
fn warns_of_a_start_that_hangs_on_when_the_object_is_made() {
    let instance = "apiVersion: entitlements.dev/v1alpha1\nkind: EntitlementInstance\nmetadata: {name: a, namespace: entitlements}\nspec: {organization: acme, definition: seats}\n";
    let output =
        run_with_input(&["validate", "-f", "-", "clients/10-catalogue.yaml", "clients/20-acme.yaml"], instance);
    assert_eq!(code(&output), 0);
    assert_eq!(
        text(&output.stderr),
        "-:4:1: warning: EntitlementInstance entitlements/a: NoStart: neither spec.start nor the annotation entitlements.dev/granted-at says when it starts, so it starts when it is made in the cluster, and anew where it is made again: give one of the two\n  |\n4 | spec: {organization: acme, definition: seats}\n  | ^^^^\nignored: 1 Namespace\n"
    );
}

#[test]
fn crds_are_printed_or_written() {
    let printed = run(&["crds"]);
    assert_eq!(code(&printed), 0);
    let folder = tempfile::tempdir().unwrap();
    let written = run(&["crds", "--output", folder.path().join("new").to_str().unwrap()]);
    assert_eq!((code(&written), written.stdout.len()), (0, 0));
    let names = [
        "organizations",
        "facetdefinitions",
        "entitlementdefinitions",
        "entitlementplans",
        "entitlementinstances",
        "entitlementsubscriptions",
        "entitlementoverrides",
        "overridedecisions",
        "entitlementusages",
        "override-requests.policy",
        "override-decisions.policy",
        "override-records.policy",
        "override-requests.policybinding",
        "override-decisions.policybinding",
        "override-records.policybinding",
    ];
    let files = names.map(|name| fs::read_to_string(folder.path().join(format!("new/{name}.yaml"))).unwrap());
    assert_eq!(text(&printed.stdout), files.join("---\n"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let script = r#""$0" render -f clients | head -n 1"#;
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_entitlement-operator")])
        .current_dir(GOLDEN)
        .output()
        .unwrap();
    assert_eq!(
        (text(&output.stdout), text(&output.stderr)),
        ("apiVersion: entitlements.dev/v1alpha1\n", "ignored: 1 Namespace\n")
    );
}

#[test]
fn the_version_names_the_time_zones() {
    let output = run(&["--version"]);
    assert_eq!(
        text(&output.stdout),
        format!(
            "entitlement-operator {} (time zones {})\n",
            env!("CARGO_PKG_VERSION"),
            entitlement_operator::core::calendar::tz_release()
        )
    );
}

#[test]
fn run_without_a_cluster_says_so() {
    let output = Command::new(env!("CARGO_BIN_EXE_entitlement-operator"))
        .arg("run")
        .env_remove("KUBERNETES_SERVICE_HOST")
        .env("KUBECONFIG", "/nonexistent/kubeconfig")
        .env("HOME", "/nonexistent")
        .output()
        .unwrap();
    assert_eq!(code(&output), 1);
    assert!(
        text(&output.stderr).starts_with("entitlement-operator: no cluster is configured ("),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn what_helm_prints_is_read() {
    let release = "---\n# Source: clients/templates/namespace.yaml\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: acme\n\
        ---\n# Source: clients/templates/organization.yaml\napiVersion: entitlements.dev/v1alpha1\nkind: Organization\nmetadata:\n  name: acme\n  labels:\n    helm.sh/chart: clients-1.0.0\n    app.kubernetes.io/managed-by: Helm\nspec:\n  namespaces:\n    - acme\n\
        ---\n# Source: clients/templates/empty.yaml\n\n---\n# Source: clients/templates/tests/test.yaml\napiVersion: v1\nkind: Pod\nmetadata:\n  name: test\n  annotations:\n    \"helm.sh/hook\": test\n";
    let output = run_with_input(&["validate", "-f", "-", "-o", "json"], release);
    assert_eq!((code(&output), text(&output.stderr)), (0, ""));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["objects"], serde_json::json!({"Organization": 1}));
    assert_eq!(found["ignored"], serde_json::json!({"Namespace": 1, "Pod": 1}));
    assert_eq!(found["findings"], serde_json::json!([]));
}
