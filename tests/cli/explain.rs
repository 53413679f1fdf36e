//! `explain`.

use super::{GOLDEN, assert_golden, code, run, text};
use std::process::Command;

const AT: &str = "2026-11-25";

fn service(arguments: &[&str]) -> std::process::Output {
    run(&[&["explain"], arguments, &["-f", "service", "--at", AT]].concat())
}

/// The most columns of a line; the texts here have no wide characters.
fn columns(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

#[test]
fn all_that_an_organization_holds_is_explained() {
    for organization in ["acme", "globex"] {
        let output = service(&[organization]);
        assert_eq!((code(&output), text(&output.stderr)), (0, ""));
        assert_golden(&format!("service.{organization}.explained"), &output.stdout);
        assert!(columns(text(&output.stdout)) <= 80);
    }
    let output = service(&["acme", "-o", "json"]);
    assert_golden("service.acme.explained.json", &output.stdout);
}

#[test]
fn one_entitlement_is_explained_at_another_time() {
    let output = run(&["explain", "acme", "seats", "-f", "service", "--at", "2026-10-31"]);
    assert_golden("service.acme.seats.explained", &output.stdout);
    let output = run(&["explain", "acme", "backup", "-f", "service", "--at", "2027-01-10"]);
    assert_golden("service.acme.backup.explained", &output.stdout);
}

#[test]
fn what_was_never_granted_is_told() {
    let output = service(&["globex", "backup"]);
    assert_eq!(code(&output), 0);
    assert!(text(&output.stdout).ends_with("\nIt has no grant of backup, and had none that is still on record.\n"));
}

#[test]
fn an_unknown_name_has_a_suggestion() {
    for (arguments, expected) in [
        (&["acne"][..], "there is no organization acne: did you mean acme?"),
        (&["initech"], "there is no organization initech: there is acme, globex"),
        (&["acme", "seets"], "there is no definition seets: did you mean seats?"),
        (&["acme", "x"], "there is no definition x: there is backup, seats, streaming, support"),
    ] {
        let output = service(arguments);
        assert_eq!((code(&output), text(&output.stdout)), (2, ""));
        assert_eq!(text(&output.stderr), format!("entitlement-operator: {expected}\n"));
    }
}

/// What a terminal shows.
fn on_a_terminal(environment: &[(&str, &str)]) -> String {
    let script = "import os, pty, sys\npty.spawn(sys.argv[1:], lambda fd: os.read(fd, 65536))";
    let output = Command::new("python3")
        .args(["-c", script, env!("CARGO_BIN_EXE_entitlement-operator"), "explain", "acme", "seats"])
        .args(["-f", "service", "--at", AT])
        .current_dir(GOLDEN)
        .env_remove("NO_COLOR")
        .env("TERM", "xterm")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().replace('\r', "")
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let plain = text(&service(&["acme", "seats"]).stdout).to_owned();
    assert!(!plain.contains('\u{1b}'));
    let coloured = on_a_terminal(&[]);
    assert!(coloured.starts_with("\u{1b}[1mAcme GmbH (acme)\u{1b}[0m\n"), "{coloured:?}");
    assert_eq!(on_a_terminal(&[("NO_COLOR", "1")]), plain);
    assert_eq!(on_a_terminal(&[("TERM", "dumb")]), plain);
    assert_eq!(on_a_terminal(&[("NO_COLOR", "")]), coloured);
}
