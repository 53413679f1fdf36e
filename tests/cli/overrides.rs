//! Overrides, as the command tells of them. The manifests are those of `tests/golden/cli/exceptions`.

use super::{assert_golden, code, run, text};
use serde_json::Value;
use std::{fmt::Write as _, fs, path::Path};

/// Once two have approved `acme-move`.
const NOW: &str = "2026-11-06T09:00:00+01:00";

fn told(words: &[&str]) -> String {
    let output = run(&[words, &["-f", "exceptions"]].concat());
    let mut screen = format!("$ {}\n{}", words.join(" "), text(&output.stdout));
    for line in text(&output.stderr).lines() {
        writeln!(screen, "! {line}").unwrap();
    }
    writeln!(screen, "({})\n", code(&output)).unwrap();
    screen
}

#[test]
fn an_explanation_names_the_exception_who_approved_it_and_why() {
    let lines: [&[&str]; 7] = [
        &["explain", "acme", "seats", "--at", "2026-11-01T10:30:00Z"],
        &["explain", "acme", "seats", "--at", NOW],
        &["explain", "acme", "--at", NOW],
        &["explain", "acme", "seats", "--at", "2026-12-01"],
        &["explain", "globex", "--all", "--at", NOW],
        &["explain", "globex", "--at", NOW],
        &["explain", "globex", "--at", "2026-11-12"],
    ];
    let screens: String = lines.into_iter().map(told).collect();
    assert_golden("exceptions.explained.txt", screens.as_bytes());
}

#[test]
fn programs_are_told_the_same_of_an_exception() {
    let of = |client: &str, definition: &str, name: &str| {
        let output = run(&["explain", client, definition, "--at", NOW, "-o", "json", "-f", "exceptions"]);
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let grants = told["entitlements"][0]["grants"].as_array().unwrap().clone();
        let id = format!("entitlements/{name}");
        grants.into_iter().find(|grant| grant["override"] == *id).unwrap()
    };
    let moved = of("acme", "seats", "acme-move");
    assert_eq!((&moved["phase"], &moved["amount"], &moved["counts"]), (&"Active".into(), &"10".into(), &true.into()));
    assert_eq!(
        moved["exception"],
        serde_json::json!({
            "requestedBy": "alice",
            "requestedAt": "2026-11-01T09:00:00Z",
            "reason": "They move to a new office, and two teams overlap",
            "ticket": "OPS-4711",
            "approvals": "2/2",
            "missing": 0,
            "approvedBy": ["bob", "carol"],
            "approvedAt": "2026-11-05T10:00:00Z",
        })
    );
    let waits = of("acme", "seats", "acme-project");
    let exception = &waits["exception"];
    assert_eq!(
        (&waits["phase"], &waits["counts"], &waits["problem"]),
        (&"Requested".into(), &false.into(), &Value::Null)
    );
    assert_eq!((&exception["missing"], &exception["approvedBy"]), (&1.into(), &serde_json::json!(["carol"])));
    let denied = of("globex", "seats", "globex-seats");
    let exception = &denied["exception"];
    assert_eq!((&exception["deniedBy"], &exception["deniedAt"]), (&"bob".into(), &"2026-11-02T03:00:00Z".into()));
    assert_eq!(exception["deniedBecause"], "they hire through an agency");
}

#[test]
fn the_summary_names_the_exception_where_the_client_is_to_be_told() {
    let output = run(&["render", "--at", NOW, "-o", "json", "-f", "exceptions/catalogue.yaml", "exceptions/acme.yaml"]);
    let rendered: Value = serde_json::from_slice(&output.stdout).unwrap();
    let objects = rendered["items"].as_array().unwrap();
    let summary = objects.iter().find(|object| object["metadata"]["namespace"] == "acme-prod").unwrap();
    let summary: Value = serde_json::from_str(summary["data"]["entitlements.json"].as_str().unwrap()).unwrap();
    let entry = &summary["entitlements"]["seats"];
    assert_eq!(entry["amount"], "35");
    assert_eq!(
        entry["sources"]["grants"][2],
        serde_json::json!({
            "override": "entitlements/acme-move",
            "phase": "Active",
            "amount": "10",
            "reason": "They move to a new office, and two teams overlap",
            "approvedBy": ["bob", "carol"],
        })
    );
    assert_eq!(super::summary_schema::problems(&summary), Vec::<String>::new());
    // Globex is not to be told.
    let output = run(&[
        "render",
        "--at",
        "2026-11-12",
        "-o",
        "json",
        "-f",
        "exceptions/catalogue.yaml",
        "exceptions/globex.yaml",
    ]);
    let rendered: Value = serde_json::from_slice(&output.stdout).unwrap();
    let objects = rendered["items"].as_array().unwrap();
    let summary = objects.iter().find(|object| object["metadata"]["namespace"] == "globex").unwrap();
    let summary = summary["data"]["entitlements.json"].as_str().unwrap();
    assert!(summary.contains(r#""support":{"entitled":true"#) && !summary.contains("bob"), "{summary}");
}

#[test]
fn a_timeline_tells_when_an_exception_is_approved_begins_and_ends() {
    let lines: [&[&str]; 1] = [&["timeline", "--from", "2026-11-02T00:30:00Z", "--to", "2026-12-31"]];
    let screens: String = lines.into_iter().map(told).collect();
    assert_golden("exceptions.timeline.txt", screens.as_bytes());
    let output =
        run(&["timeline", "--from", "2026-11-02T00:30:00Z", "--to", "2026-12-31", "-o", "json", "-f", "exceptions"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let steps = told["steps"].as_array().unwrap();
    let overrides: Vec<Value> = steps
        .iter()
        .filter_map(|step| Some(serde_json::json!({"at": step["at"], "overrides": step.get("overrides")?})))
        .collect();
    let overrides = format!("{}\n", serde_json::to_string_pretty(&overrides).unwrap());
    assert_golden("exceptions.timeline.json", overrides.as_bytes());
    assert!(steps.iter().all(|step| step["instances"].as_array().unwrap().iter().all(|one| one["override"].is_null())));
}

#[test]
fn what_was_decided_stays_decided_when_the_files_change() {
    let new = tempfile::tempdir().unwrap();
    for file in ["catalogue.yaml", "acme.yaml", "globex.yaml"] {
        let manifests = fs::read_to_string(Path::new(super::GOLDEN).join("exceptions").join(file)).unwrap();
        // Decisions are deleted, and the definition demands more.
        let kept = manifests.split("\n---\n").filter(|one| !one.contains("kind: OverrideDecision"));
        let kept = kept.collect::<Vec<_>>().join("\n---\n").replace("approvals: 2", "approvals: 5");
        fs::write(new.path().join(file), kept).unwrap();
    }
    let output = run(&["timeline", "--diff", "exceptions", new.path().to_str().unwrap(), "--from", NOW]);
    // What was denied stays so, too, and is told as what is refused.
    let told = text(&output.stdout);
    assert!(told.ends_with("\nClients get the same as before.\n"), "{told}");
    assert!(told.contains("Denied: bob denied it on 2026-11-02T12:00:00+09:00: ask for another"), "{told}");
}

#[test]
fn that_one_waits_for_approval_is_no_mistake() {
    let output = run(&["validate", "-f", "exceptions/catalogue.yaml", "exceptions/acme.yaml", "--at", NOW]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let said = text(&output.stderr);
    assert!(
        said.contains(
            "warning: EntitlementOverride entitlements/acme-project: ApprovalRequired: 1 more approval is needed"
        ),
        "{said}"
    );
    assert_eq!(said.matches(": warning: ").count(), 1, "{said}");
}

#[test]
fn decisions_that_never_count_are_doubted_with_their_place() {
    let output = run(&[
        "validate",
        "-f",
        "exceptions/catalogue.yaml",
        "exceptions/acme.yaml",
        "exceptions.doubtful.yaml",
        "--at",
        NOW,
    ]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert_golden("exceptions.doubtful.stderr", &output.stderr);
}

#[test]
fn exceptions_are_counted_by_definition() {
    let lines: [&[&str]; 5] = [
        &["overrides", "--at", NOW],
        &["overrides", "--at", "2026-11-22", "--since", "P10D"],
        &["overrides", "--at", "2027-11-22", "--since", "2027-01-01"],
        &["overrides", "--at", NOW, "-o", "json"],
        &["overrides", "--at", NOW, "--since", "+3d"],
    ];
    let screens: String = lines.into_iter().map(told).collect();
    assert_golden("exceptions.overview.txt", screens.as_bytes());
}
