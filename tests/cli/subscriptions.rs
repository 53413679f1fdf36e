//! Plans and subscriptions, as the command tells of them. The manifests are those of `tests/golden/cli/platform`.

use super::{GOLDEN, assert_golden, code, run, text};
use serde_json::Value;
use std::{fmt::Write as _, fs, path::Path};

#[test]
fn what_is_wrong_with_a_subscription_is_told_once_and_with_its_place() {
    let output = run(&["validate", "-f", "platform", "platform.wrong.yaml", "--at", "2026-07-01"]);
    assert_eq!(code(&output), 1);
    assert_golden("platform.wrong.stderr", &output.stderr);
}

#[test]
fn nothing_is_wrong_with_a_good_one() {
    let output = run(&["validate", "-f", "platform", "--at", "2026-07-01"]);
    assert_eq!((code(&output), text(&output.stderr)), (0, ""));
}

#[test]
fn a_timeline_tells_of_a_subscription_as_a_whole() {
    let output = run(&["timeline", "-f", "platform", "--from", "2026-06-30", "--to", "2028-12-31"]);
    assert_eq!((code(&output), text(&output.stderr)), (0, ""));
    assert_golden("platform.timeline", &output.stdout);
    let output = run(&["timeline", "-f", "platform", "--from", "2026-06-30", "--to", "2028-12-31", "-o", "ics"]);
    assert_golden("platform.ics", &output.stdout);
    let output = run(&["timeline", "-f", "platform", "--from", "2026-06-30", "--to", "2028-12-31", "-o", "json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let steps = told["steps"].as_array().unwrap();
    let told: Vec<&Value> = steps.iter().filter_map(|step| step.get("subscriptions")).collect();
    let told = format!("{}\n", serde_json::to_string_pretty(&told).unwrap());
    assert_golden("platform.subscriptions.json", told.as_bytes());
}

/// What `explain` says of acme at a moment.
fn explained(more: &[&str]) -> String {
    let output = run(&[&["explain", "acme"], more, &["-f", "platform"]].concat());
    assert_eq!((code(&output), text(&output.stderr)), (0, ""), "{more:?}");
    text(&output.stdout).to_owned()
}

#[test]
fn explanations_tell_what_comes_with_a_plan_and_what_was_agreed_besides() {
    assert_golden("platform.explained.table", explained(&["--at", "2026-09-01"]).as_bytes());
    assert_golden("platform.explained", explained(&["--all", "--at", "2027-07-01"]).as_bytes());
    assert_golden("platform.explained.sso", explained(&["sso", "--at", "2026-09-01"]).as_bytes());
    assert_golden("platform.explained.4k", explained(&["4k-streaming", "--at", "2027-06-02"]).as_bytes());
    assert_golden(
        "platform.explained.members.json",
        explained(&["members", "--at", "2027-07-01", "-o", "json"]).as_bytes(),
    );
}

#[test]
fn what_is_refused_is_explained_with_the_subscription() {
    let output = run(&["explain", "globex", "-f", "platform", "platform.wrong.yaml", "--at", "2026-07-01"]);
    assert_eq!(code(&output), 0);
    assert_golden("platform.wrong.explained", &output.stdout);
}

/// The catalogue of `platform` with what is replaced in it, and acme beside it.
fn edited(replacements: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in ["catalogue.yaml", "acme.yaml"] {
        let mut manifests = fs::read_to_string(Path::new(GOLDEN).join("platform").join(file)).unwrap();
        for (old, new) in replacements {
            manifests = manifests.replace(old, new);
        }
        fs::write(folder.path().join(file), manifests).unwrap();
    }
    folder
}

/// What `timeline --diff` says of such a change.
fn difference(replacements: &[(&str, &str)]) -> String {
    let new = edited(replacements);
    let new = new.path().to_str().unwrap();
    let output = run(&["timeline", "--diff", "platform", new, "--from", "2026-09-01", "--to", "2026-12-01"]);
    assert_eq!((code(&output), text(&output.stderr)), (0, ""), "{replacements:?}");
    text(&output.stdout).to_owned()
}

const MORE: (&str, &str) = ("amount: 25,", "amount: 30,");
const FOR_EVERYONE: (&str, &str) = ("  includes: [starter]\n", "  includes: [starter]\n  rollout: Everyone\n");
const ANOTHER_AGREEMENT: (&str, &str) = ("  plan: business\n", "  plan: business\n  agreement: order 4712\n");

#[test]
fn an_edited_plan_reaches_whom_its_rollout_says() {
    let told = [
        ("Nothing is edited", difference(&[])),
        ("Agreed", difference(&[MORE])),
        ("Agreed, and another agreement", difference(&[MORE, ANOTHER_AGREEMENT])),
        ("Everyone", difference(&[MORE, FOR_EVERYONE])),
    ];
    let told = told.map(|(title, text)| format!("# {title}\n\n{text}\n")).concat();
    assert_golden("platform.differences.md", told.as_bytes());
}

#[test]
fn a_change_of_plan_is_printed_with_what_the_client_gains_and_loses() {
    let output = run(&[
        "change",
        "acme-films",
        "--plan",
        "premium",
        "--at",
        "2080-01-01",
        "--reason",
        "order 4713",
        "-f",
        "platform",
    ]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert_golden("platform.change.yaml", &output.stdout);
    assert_golden("platform.change.stderr", &output.stderr);
}

#[test]
fn a_change_that_cannot_be_says_what_to_do() {
    let mut told = String::new();
    for (subscription, plan) in [
        ("acme-films", "premum"),
        ("acme-film", "premium"),
        ("acme-films", "extra-seats"),
        ("acme-films", "business"),
        ("acme-films", "classic"),
        ("acme-films", "standard"),
    ] {
        let output = run(&["change", subscription, "--plan", plan, "--at", "2080-01-01", "-f", "platform"]);
        assert_eq!(text(&output.stdout), "", "{subscription} {plan}");
        writeln!(told, "$ change {subscription} --plan {plan}\n{}({})", text(&output.stderr), code(&output)).unwrap();
    }
    assert_golden("platform.change.refused", told.as_bytes());
}
