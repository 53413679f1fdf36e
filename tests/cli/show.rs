//! `show` of a file; the cluster's tests show what lies in a cluster.

use super::{GOLDEN, assert_golden, code, run_with_input, text};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};
use unicode_width::UnicodeWidthStr;

/// Of the file, in a time zone, on a terminal of so many columns.
fn show(zone: &str, columns: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_entitlement-operator"))
        .args([&["show", "-f", "show/entitlements.json"], arguments].concat())
        .current_dir(GOLDEN)
        .env("TZ", zone)
        .env("COLUMNS", columns)
        .env_remove("TZDIR")
        .output()
        .unwrap()
}

fn whole() -> Value {
    let text = fs::read_to_string(Path::new(GOLDEN).join("show/entitlements.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn what_is_held_is_a_table_as_wide_as_the_terminal() {
    for width in ["60", "80", "120"] {
        let output = show("Europe/Berlin", width, &[]);
        assert_eq!((code(&output), text(&output.stderr)), (0, ""));
        assert_golden(&format!("show.{width}.table"), &output.stdout);
        let widest = text(&output.stdout).lines().map(UnicodeWidthStr::width).max().unwrap();
        assert!(widest <= width.parse().unwrap(), "{widest} > {width}");
    }
}

#[test]
fn days_are_those_of_whoever_reads() {
    for (zone, name) in [("UTC", "utc"), (":Asia/Tokyo", "tokyo")] {
        assert_golden(&format!("show.{name}.table"), &show(zone, "120", &[]).stdout);
    }
    let unknown = show("Nowhere/AtAll", "120", &[]);
    assert_eq!(text(&unknown.stdout), text(&show("UTC", "120", &[]).stdout));
}

#[test]
fn one_entitlement_is_shown_with_its_facets() {
    let output = show("Europe/Berlin", "80", &["managed-backup"]);
    assert_eq!((code(&output), text(&output.stderr)), (0, ""));
    assert_golden("show.backup.table", &output.stdout);
}

#[test]
fn the_exit_code_tells_whether_an_entitlement_is_in_force() {
    for (handle, expected) in [("support", 0), ("open", 0), ("waiting", 1), ("suspended", 1), ("never-heard-of", 1)] {
        for arguments in [&[handle][..], &[handle, "-o", "json"]] {
            let output = show("UTC", "80", arguments);
            assert_eq!((code(&output), text(&output.stderr)), (expected, ""), "{handle}");
        }
    }
    let output = show("UTC", "80", &["never-heard-of"]);
    assert_eq!(
        text(&output.stdout),
        "nordwind\ndays and times are those of UTC\n\nnever-heard-of is not held: there is no grant of it, or its grants are over.\n"
    );
}

#[test]
fn json_is_what_the_summary_says() {
    let json = |arguments: &[&str]| serde_json::from_slice::<Value>(&show("UTC", "80", arguments).stdout).unwrap();
    assert_eq!(json(&["-o", "json"]), whole());
    assert_eq!(json(&["support", "-o", "json"]), whole()["entitlements"]["support"]);
    assert_eq!(json(&["never-heard-of", "-o", "json"]), Value::Null);
}

/// Of a folder as a pod mounts it.
#[test]
fn an_amount_that_changes_is_told_with_what_comes() {
    let flag = |variants: Value, rule: Value| json!({"state": "ENABLED", "variants": variants, "defaultVariant": "0", "targeting": rule});
    let before = |seconds: i64, now: &str, then: Value| json!({"if": [{"<": [{"var": "$flagd.timestamp"}, seconds]}, now, then]});
    // 2090-04-01 in UTC, and the end of 2090 in Berlin.
    let (shrinks, ends) = (3_794_688_000_i64, 3_818_444_400_i64);
    let rule = before(0, "0", before(shrinks, "12.5", before(ends, "20", json!("0"))));
    let flags = json!({"flags": {"support": flag(json!({"0": 0, "12.5": 12.5, "20": 20}), rule)}});
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("entitlements.json");
    fs::write(&file, whole().to_string()).unwrap();
    let shown = || {
        let arguments = ["show", "support", "-f", file.to_str().unwrap()];
        let output =
            Command::new(env!("CARGO_BIN_EXE_entitlement-operator")).args(arguments).env("TZ", "UTC").output().unwrap();
        assert_eq!((code(&output), text(&output.stderr)), (0, ""));
        text(&output.stdout).lines().skip(3).map(str::to_owned).collect::<Vec<_>>()
    };
    let without =
        ["ENTITLEMENT                 HAS          UNTIL", "Premium support (support)   12.5 hours   2090-12-31 23:00"];
    assert_eq!(shown(), without);
    fs::write(folder.path().join("flags.json"), flags.to_string()).unwrap();
    assert_eq!(
        shown(),
        [
            "ENTITLEMENT                 HAS          UNTIL              NEXT",
            "Premium support (support)   12.5 hours   2090-12-31 23:00   20 hours from 2090-04-01",
        ]
    );
    fs::write(folder.path().join("flags.json"), "{").unwrap();
    assert_eq!(shown(), without);
}

#[test]
fn who_holds_nothing_is_told_so() {
    let output = run_with_input(&["show", "-f", "-"], &json!({"organization": "new", "entitlements": {}}).to_string());
    assert_eq!((code(&output), text(&output.stderr)), (0, ""));
    assert!(text(&output.stdout).ends_with("\n\nNothing is held.\n"), "{}", text(&output.stdout));
}

#[test]
fn what_is_no_summary_is_said() {
    let mut wrong = whole();
    wrong["entitlements"]["support"]["amount"] = json!(12.5);
    let wrong = wrong.to_string();
    for (input, said) in [
        ("", "-: this is no entitlements.json as the operator writes it: EOF while parsing a value at line 1 column 0"),
        (
            "{}",
            "-: this is no entitlements.json as the operator writes it: \"organization\" is a required property; \"entitlements\" is a required property",
        ),
        (&wrong, "-: this is no entitlements.json as the operator writes it: /entitlements/support/amount: "),
        ("\u{fffe}", "-: this is no entitlements.json as the operator writes it: expected value at line 1 column 1"),
    ] {
        let output = run_with_input(&["show", "-f", "-"], input);
        assert_eq!((code(&output), text(&output.stdout)), (2, ""));
        assert!(text(&output.stderr).starts_with(&format!("entitlement-operator: {said}")), "{}", text(&output.stderr));
    }
    let large = run_with_input(&["show", "-f", "-"], &" ".repeat(1024 * 1024 + 1));
    assert_eq!((code(&large), text(&large.stderr)), (2, "entitlement-operator: - is larger than any summary\n"));
    let absent = show("UTC", "80", &["-f", "absent"]);
    assert_eq!(code(&absent), 2);
    let absent = run_with_input(&["show", "-f", "absent"], "");
    assert_eq!(
        text(&absent.stderr),
        "entitlement-operator: absent cannot be read: No such file or directory (os error 2)\n"
    );
    for wrong in [&["-f", "absent", "-n", "acme"][..], &["-n", "a/../b"], &["-n", "acme", "--summary", "../secrets/a"]]
    {
        assert_eq!(code(&run_with_input(&[&["show"], wrong].concat(), "")), 2, "{wrong:?}");
    }
    let nowhere = run_with_input(&["show"], "");
    assert_eq!(code(&nowhere), 2);
    assert!(
        text(&nowhere.stderr).ends_with("; or read the file that a pod mounts, with -f\n"),
        "{}",
        text(&nowhere.stderr)
    );
}

/// The operator was away when something should have started or ended.
#[test]
fn a_summary_that_is_out_of_date_is_told_to_be() {
    let mut old = whole();
    old["entitlements"]["support"]["validUntil"] = json!("2026-01-31T23:00:00Z");
    old["entitlements"]["support"]["end"] = json!("2026-01-31T23:00:00Z");
    let output = run_with_input(&["show", "support", "-f", "-"], &old.to_string());
    assert_eq!(
        (code(&output), text(&output.stderr)),
        (
            0,
            "warning: the summary is older than the last start or end of support, so it may be wrong: the operator has not brought it up to date; ask whoever runs it\n"
        )
    );
}

#[test]
fn the_schema_that_is_printed_is_the_published_one() {
    let output = run_with_input(&["schema"], "");
    assert_eq!((code(&output), text(&output.stderr)), (0, ""));
    assert_eq!(
        text(&output.stdout),
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/entitlements.schema.json"))
    );
    assert_eq!(super::summary_schema::problems(&whole()), Vec::<String>::new());
}
