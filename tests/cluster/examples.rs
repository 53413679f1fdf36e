//! The examples of `--help` that need a cluster of their own, run as they stand there.

use crate::{
    harness::{DEADLINE, Stage},
    plane::PlaneOptions,
    wait::eventually,
};
use std::{
    env,
    fs::File,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_entitlement-operator");

fn examples(subcommand: &str) -> Vec<String> {
    let output = Command::new(PROGRAM).args([subcommand, "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let examples = help.split("\nExamples:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    examples.lines().map(|line| line.trim().to_owned()).collect()
}

/// A shell in which the command and kubectl are found under their names.
fn shell(stage: &Stage, script: &str) -> Command {
    let kubectl = stage.plane.kubectl();
    let folders = [Path::new(PROGRAM), Path::new(kubectl.get_program())].map(|program| program.parent().unwrap());
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(folders.into_iter().map(Path::to_owned).chain(env::split_paths(&path))).unwrap();
    let mut command = Command::new("bash");
    command.args(["-o", "pipefail", "-c", script]).env("PATH", path).env("KUBECONFIG", stage.plane.kubeconfig());
    command.env("ENTITLEMENT_OPERATOR_HTTP_ADDRESS", "127.0.0.1:0");
    command
}

#[test]
fn examples_of_crds_and_run_do_what_they_say() {
    let stage = Stage::start_with(PlaneOptions::default());
    for example in examples("crds").iter().filter(|example| example.contains("kubectl")) {
        let output = shell(&stage, example).output().unwrap();
        assert!(output.status.success(), "{example}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 15, "{example}");
    }
    stage.kubectl(&["create", "namespace", "billing"]);
    for (index, example) in examples("run").iter().enumerate() {
        // The shell ends the operator when it is told to, or when this program is gone, and then as the operator ends.
        let script =
            format!("exec 3<&0; (exec env {example}) <&- & program=$!; read -r <&3; kill $program; wait $program");
        let path = stage.plane.folder().join(format!("example-{index}.log"));
        let log = File::create(&path).unwrap();
        let mut running =
            shell(&stage, &script).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let name = format!("example-{index}");
        let organization = format!(
            "apiVersion: entitlements.dev/v1alpha1\nkind: Organization\nmetadata: {{name: {name}}}\nspec: {{namespaces: [default-{index}]}}\n"
        );
        let file = stage.plane.folder().join("organization.yaml");
        std::fs::write(&file, organization).unwrap();
        stage.kubectl(&["create", "namespace", &format!("default-{index}")]);
        stage.kubectl(&["apply", "--filename", file.to_str().unwrap()]);
        if example.contains("--read-only") {
            eventually(DEADLINE, &format!("{example} says what it would report of {name}"), || {
                let log = std::fs::read_to_string(&path).unwrap();
                if log.contains(&format!("Organization {name}")) { Ok(()) } else { Err(log) }
            });
        } else {
            stage.kubectl(&["wait", "--for=condition=Ready", "org", &name, "--timeout=60s"]);
        }
        writeln!(running.stdin.take().unwrap()).unwrap();
        assert!(running.wait().unwrap().success(), "{example}");
        // One in another namespace would wait until it knows that this one is gone.
        stage.kubectl(&["annotate", "namespace", "entitlements", "entitlements.dev/operator-"]);
    }
}

/// It fails if anything that it shows did not happen, the end of the favour among it.
#[test]
fn the_demo_shows_what_it_says() {
    let stage = Stage::start_with(PlaneOptions::default());
    let output = shell(&stage, "bash examples/demo.sh").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let (favour, exception) =
        said.split("Support adds 4k streaming").nth(1).unwrap().split_once("An exception: ").unwrap();
    let told: Vec<&str> = favour.lines().filter(|line| line.starts_with("ENTITLEMENT_4K_STREAMING=")).collect();
    assert_eq!(told, ["ENTITLEMENT_4K_STREAMING=true", "ENTITLEMENT_4K_STREAMING=false"]);
    let members: Vec<&str> = favour.lines().filter(|line| line.starts_with("ENTITLEMENT_MEMBERS_AMOUNT=")).collect();
    assert_eq!(members, ["ENTITLEMENT_MEMBERS_AMOUNT=40", "ENTITLEMENT_MEMBERS_AMOUNT=40"]);
    let members: Vec<&str> = exception.lines().filter(|line| line.starts_with("ENTITLEMENT_MEMBERS_AMOUNT=")).collect();
    assert_eq!(members, ["ENTITLEMENT_MEMBERS_AMOUNT=60", "ENTITLEMENT_MEMBERS_AMOUNT=40"]);
    let phases = exception.lines().filter_map(|line| line.strip_prefix("premiere ")?.split_whitespace().nth(3));
    assert_eq!(phases.collect::<Vec<_>>(), ["Requested", "Active", "Expired"]);
}
