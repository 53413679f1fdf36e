//! Plans and subscriptions, as the command tells of them. The manifests are those of `tests/golden/cli/platform`.

use super::{GOLDEN, assert_golden, code, run, run_with_input, text};
use serde_json::Value;
use std::{fmt::Write as _, fs, path::Path};

/// What else has to do with them: a subscription whose name a grant has, too, one that is suspended, and some that cannot be renewed.
const OTHERS: &str = r#"
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementInstance
metadata: {name: acme-platform, namespace: entitlements}
spec: {organization: acme, definition: streams, amount: 3, start: "2026-01-01", end: "2026-12-31"}
---
apiVersion: entitlements.dev/v1alpha1
kind: Organization
metadata: {name: globex}
spec: {timeZone: Asia/Tokyo, namespaces: [globex]}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementSubscription
metadata: {name: globex-platform-2026, namespace: entitlements}
spec:
  organization: globex
  plan: business
  agreement: "2026-17"
  start: "2026-01-01"
  priority: 3
  suspended: true
  addOns:
    - {name: seats, plan: extra-seats, quantity: 2}
    - {name: gone, plan: extra-seats, end: "2026-12-31"}
    - {name: nothing, plan: extra-nothing}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementSubscription
metadata: {name: globex-films, namespace: entitlements}
spec: {organization: globex, plan: standard, state: Draft}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementSubscription
metadata: {name: globex-old, namespace: entitlements}
spec: {organization: globex, plan: classic, start: "2026-01-01", end: "2026-12-31"}
"#;

/// What a line of the command prints, with `platform` and these others.
fn screen(words: &[&str]) -> String {
    let line = [words, &["--at", "2026-11-03T09:00:00+01:00", "-f", "platform", "-f", "-"]].concat();
    let output = run_with_input(&line, OTHERS);
    let mut screen = format!("$ {}\n{}", words.join(" "), text(&output.stdout));
    // What is wrong with the others is told first, and is not of interest.
    for line in text(&output.stderr).lines().filter(|line| !line.contains(": Entitlement")) {
        writeln!(screen, "! {line}").unwrap();
    }
    writeln!(screen, "({})\n", code(&output)).unwrap();
    screen
}

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

#[test]
fn a_renewal_is_of_the_plan_that_it_comes_to_and_of_what_is_not_over() {
    let told: String = [
        &["renew", "subscription/acme-platform", "--reason", "order 4714"][..],
        &["renew", "esub/entitlements/acme-platform", "--plan", "starter"],
        &["renew", "instance/acme-platform"],
        &["renew", "globex-platform-2026", "-n", "entitlements"],
    ]
    .map(screen)
    .concat();
    assert_golden("platform.renewed.txt", told.as_bytes());
}

#[test]
fn a_renewal_that_cannot_be_says_what_to_do() {
    let told: String = [
        &["renew", "acme-platform"][..],
        &["renew", "acme-film"],
        &["renew", "acme-films"],
        &["renew", "globex-films"],
        &["renew", "globex-old"],
        &["renew", "globex-platform-2026", "--plan", "enterprize"],
        &["renew", "globex-platform-2026", "--plan", "extra-seats"],
        &["renew", "globex-platform-2026", "--plan", "classic"],
        &["renew", "globex-platform-2026", "--plan", "standard"],
        &["renew", "globex-platform-2026", "--name", "globex-films"],
        &["change", "instance/acme-platform", "--plan", "starter"],
    ]
    .map(|words| if words[0] == "change" { changed(words) } else { screen(words) })
    .concat();
    assert_golden("platform.renewed.refused.txt", told.as_bytes());
}

/// `change` has a `--at` of its own.
fn changed(words: &[&str]) -> String {
    let output = run(&[words, &["-f", "platform"]].concat());
    format!("$ {}\n{}({})\n", words.join(" "), text(&output.stderr), code(&output))
}

#[test]
fn a_subscription_is_suspended_cancelled_and_extended_as_a_grant_is() {
    let told: String = [
        &["suspend", "subscription/acme-platform", "--reason", "unpaid"][..],
        &["resume", "globex-platform-2026"],
        &["cancel", "acme-films", "--reason", "contract ended"],
        &["extend", "globex-platform-2026", "--to", "2027-06-30", "--reason", "order 4715"],
        &["extend", "globex-films", "--to", "2027-06-30"],
        &["suspend", "acme-platform"],
        &["resume", "acme-films"],
    ]
    .map(screen)
    .concat();
    assert_golden("platform.changed.txt", told.as_bytes());
}
