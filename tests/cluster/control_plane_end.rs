//! A control plane ends with whoever started it and leaves nothing behind, and the tool that starts one for a command.
#![allow(clippy::unwrap_used, clippy::panic, reason = "they fail a test, in its helpers too")]

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::plane::{Plane, PlaneOptions, Process};
use crate::wait::eventually;

/// Far more than any of it takes on an idle machine.
const DEADLINE: Duration = Duration::from_mins(1);

const NO_PROCESS: [u32; 0] = [];

/// All processes that have the folder, or something in it, among their arguments: the plane's programs, and the shells
/// that watch over them.
fn processes_of(folder: &Path) -> Vec<u32> {
    let inside = [folder.as_os_str().as_bytes(), b"/"].concat();
    let names = |argument: &[u8]| {
        argument == folder.as_os_str().as_bytes() || argument.windows(inside.len()).any(|window| window == inside)
    };
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|id: &u32| {
            let arguments = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            arguments.split(|byte| *byte == 0).any(names)
        })
        .collect()
}

/// What a process has open.
fn files_of(id: u32) -> BTreeSet<PathBuf> {
    fs::read_dir(format!("/proc/{id}/fd")).unwrap().filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()).collect()
}

/// The pipe that a shell reads its orders from.
fn watched_by(id: u32) -> PathBuf {
    fs::read_link(format!("/proc/{id}/fd/3")).unwrap()
}

fn program_of(id: u32) -> String {
    let name = fs::read_link(format!("/proc/{id}/exe")).unwrap();
    name.file_name().unwrap().to_str().unwrap().to_owned()
}

#[track_caller]
fn await_end(folder: &Path) {
    eventually(DEADLINE, "every process of the plane is gone", || match processes_of(folder) {
        left if left.is_empty() => Ok(()),
        left => Err(format!("{left:?}")),
    });
    assert!(!folder.exists(), "{} is left", folder.display());
}

/// The tool that `make` runs control planes with, which `cargo test` builds beside the tests.
fn tool() -> Command {
    let tests = env::current_exe().unwrap();
    let tool = tests.ancestors().nth(2).unwrap().join("examples/control-plane");
    assert!(tool.exists(), "{} is not built: run `cargo build --example control-plane`", tool.display());
    let mut command = Command::new(tool);
    command.env_remove("CLUSTER").env_remove("CONTROL_PLANE_KEEP");
    command
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

#[test]
fn a_dropped_plane_leaves_nothing() {
    let plane = Plane::start(PlaneOptions::default()).unwrap();
    let folder = plane.folder().to_owned();
    let processes = processes_of(&folder);
    let (shells, programs): (Vec<u32>, Vec<u32>) =
        processes.into_iter().partition(|id| !Process::ALL.iter().any(|process| process.program() == program_of(*id)));
    assert_eq!(programs.len(), 3);

    // A shell is two processes, and no process knows another shell's pipe.
    let watched: BTreeSet<_> = shells.iter().map(|id| watched_by(*id)).collect();
    assert_eq!((shells.len(), watched.len()), (6, 3));
    for id in shells {
        let known: Vec<_> = files_of(id).intersection(&watched).cloned().collect();
        assert_eq!(known, [watched_by(id)]);
    }
    for id in programs {
        assert!(files_of(id).is_disjoint(&watched));
    }

    drop(plane);
    assert_eq!(processes_of(&folder), NO_PROCESS);
    assert!(!folder.exists());
}

#[test]
fn a_killed_owner_leaves_nothing() {
    let mut owner = tool().arg("serve").stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(owner.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    let kubeconfig = line.trim_end().strip_prefix("export KUBECONFIG=").unwrap();
    let folder = Path::new(kubeconfig).parent().unwrap();
    // Three programs, each with the two processes of its shell.
    assert_eq!(processes_of(folder).len(), 9);

    owner.kill().unwrap();
    owner.wait().unwrap();
    await_end(folder);
}

#[test]
fn exec_gives_a_command_a_cluster_and_returns_its_code() {
    let script = r#"kubectl get namespace default --output=name; echo "$KUBECONFIG"; exit 7"#;
    let output = tool().args(["exec", "--", "sh", "-c", script]).output().unwrap();
    let lines: Vec<_> = text(&output.stdout).lines().collect();
    let [namespace, kubeconfig] = lines[..] else {
        panic!("{output:?}");
    };
    assert_eq!((namespace, output.status.code()), ("namespace/default", Some(7)));
    let folder = Path::new(kubeconfig).parent().unwrap();
    assert_eq!(processes_of(folder), NO_PROCESS);
    assert!(!folder.exists());
}

#[test]
fn exec_uses_the_current_cluster_where_that_is_asked_for() {
    let kubeconfig = Path::new(env!("CARGO_TARGET_TMPDIR")).join("own-kubeconfig");
    fs::write(&kubeconfig, r#"{"kind": "Config", "current-context": "home"}"#).unwrap();
    let run = |cluster: &str| -> Output {
        tool()
            .args(["exec", "sh", "-c", r#"echo "$KUBECONFIG""#])
            .env("CLUSTER", cluster)
            .env("KUBECONFIG", &kubeconfig)
            .output()
            .unwrap()
    };
    let output = run("current");
    assert_eq!(text(&output.stdout).trim_end(), kubeconfig.to_str().unwrap());
    assert_eq!(text(&output.stderr), "control-plane: using your cluster, context home\n");

    let output = run("other");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stderr),
        "control-plane: CLUSTER=other in the environment: the one value is `current`, \
         for the current context of your kubeconfig\n"
    );
}

#[test]
fn exec_says_what_it_cannot_run() {
    let output = tool().args(["exec", "/nonexistent/command"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stderr),
        "control-plane: running /nonexistent/command: No such file or directory (os error 2)\n"
    );
    let output = tool().arg("exec").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("control-plane: exec needs a command\n"), "{output:?}");
}
