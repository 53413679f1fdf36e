//! `timeline`.

use super::{assert_golden, code, run, run_with_input, text};
use serde_json::{Value, json};

const FROM: &str = "2026-11-25";

fn service(arguments: &[&str]) -> std::process::Output {
    run(&[&["timeline", "-f", "service", "--from", FROM], arguments].concat())
}

#[test]
fn everything_to_come_is_told_in_order() {
    let output = service(&[]);
    assert_eq!(code(&output), 1);
    assert_golden("service.stderr", &output.stderr);
    assert_golden("service.timeline", &output.stdout);
    let output = service(&["-o", "json"]);
    assert_golden("service.timeline.json", &output.stdout);
}

#[test]
fn a_timeline_ends_where_it_is_asked_to() {
    let output = service(&["--to", "2027-01-01", "--organization", "acme"]);
    let table = text(&output.stdout);
    assert!(table.ends_with("\nNothing else changes by time alone up to 2027-01-01 01:00 CET.\n"), "{table}");
    assert!(table.contains("acme-support-2027: Waiting → Active") && !table.contains("globex"), "{table}");
    let output = service(&["--to", "2026-11-26", "--organization", "acme", "-o", "json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["end"], json!({"reason": "Asked", "at": "2026-11-26T00:00:00Z"}));
    assert_eq!(json["steps"].as_array().unwrap().len(), 1);
}

#[test]
fn a_timeline_that_is_too_long_says_so() {
    let output = service(&["--limit", "4"]);
    let table = text(&output.stdout);
    assert!(
        table.ends_with("\nThis is not all: what happens from 2026-12-31 15:00 UTC on is left out, as it is too much. Ask for one --organization, for what is before --to TIME, or for more with --limit.\n"),
        "{table}"
    );
    let output = service(&["--limit", "4", "-o", "json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["end"], json!({"reason": "TooMuch", "at": "2026-12-31T15:00:00Z"}));
    assert_eq!(json["steps"].as_array().unwrap().len(), 4);
}

#[test]
fn where_nothing_changes_that_is_told() {
    let output = run_with_input(&["timeline", "-f", "-", "--to", "+90d"], "");
    assert_eq!(code(&output), 0);
    assert!(text(&output.stdout).starts_with("Nothing changes by time alone up to 2"), "{}", text(&output.stdout));
}

#[test]
fn a_calendar_holds_ends_and_notices() {
    let output = service(&["-o", "ics"]);
    assert_golden("service.ics", &output.stdout);
}

#[test]
fn a_difference_is_told_as_a_comment() {
    let output = run(&["timeline", "--diff", "service", "service-next", "--from", FROM]);
    assert_eq!(code(&output), 1);
    assert_golden("service-next.stderr", &output.stderr);
    assert_golden("service.difference.md", &output.stdout);
    let output = run(&["timeline", "--diff", "service", "service-next", "--from", FROM, "-o", "json"]);
    assert_golden("service.difference.json", &output.stdout);
}

#[test]
fn no_difference_is_told_too() {
    let output = run(&["timeline", "--diff", "clients", "clients", "--from", FROM, "--to", "2027-02-01"]);
    assert_eq!(code(&output), 0);
    assert_eq!(text(&output.stdout), "Clients get the same as before until 2027-02-01 00:00 UTC.\n");
    let output = run(&["timeline", "--diff", "clients", "clients", "--from", FROM, "-o", "json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["differences"], json!([]));
}

#[test]
fn wrong_usage_is_explained() {
    for (arguments, expected) in [
        (
            &["--to", "2026-01-01"][..],
            "entitlement-operator: --to is before --from, or before now: give a later --to or an earlier --from\n",
        ),
        (&["--organization", "acne"], "entitlement-operator: there is no organization acne: did you mean acme?\n"),
        (
            &["--organization", "initech"],
            "entitlement-operator: there is no organization initech: there is acme, globex\n",
        ),
    ] {
        let output = service(arguments);
        assert_eq!((code(&output), text(&output.stdout)), (2, ""));
        assert!(text(&output.stderr).ends_with(expected), "{}", text(&output.stderr));
    }
    let output = run(&["timeline", "--diff", "service", "service-next", "-o", "ics"]);
    assert_eq!(code(&output), 2);
    assert_eq!(
        text(&output.stderr),
        "entitlement-operator: a difference is no calendar: use --diff with -o table or -o json\n"
    );
    for arguments in [
        &["timeline", "--diff", "service", "absent"][..],
        &["timeline", "--diff", "service"],
        &["timeline", "-f", "service", "--from", "+90x"],
        &["timeline", "-f", "service", "--diff", "service", "service-next"],
    ] {
        let output = run(arguments);
        assert_eq!((code(&output), text(&output.stdout)), (2, ""), "{arguments:?}");
    }
}
