//! Plans and subscriptions, as the command tells of them. The manifests are those of `tests/golden/cli/platform`.

use super::{assert_golden, code, run, text};
use serde_json::Value;

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
    let told: Vec<&Value> = steps.iter().flat_map(|step| step.get("subscriptions")).collect();
    let told = format!("{}\n", serde_json::to_string_pretty(&told).unwrap());
    assert_golden("platform.subscriptions.json", told.as_bytes());
}
