//! The pipeline of `examples/gitops`: its very commands, on a repository with a change.

use super::{code, playground::Playground, text};
use serde_json::Value;
use std::{fs, path::Path};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/gitops");

/// A step of the workflow that runs a command.
struct Step {
    name: String,
    command: String,
    environment: Vec<(String, String)>,
}

fn steps() -> Vec<Step> {
    let workflow = fs::read_to_string(Path::new(EXAMPLE).join("workflow.yaml")).unwrap();
    let workflow: Value = serde_saphyr::from_str(&workflow).unwrap();
    let steps = workflow["jobs"]["review"]["steps"].as_array().unwrap().clone();
    let runs = steps.into_iter().filter(|step| step["run"].is_string());
    runs.map(|step| Step {
        name: step["name"].as_str().unwrap().to_owned(),
        command: step["run"].as_str().unwrap().to_owned(),
        environment: step["env"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect(),
    })
    .collect()
}

/// Runs the workflow on a repository whose last commit changes `clients/acme.yaml`, and gives the exit code of the review,
/// what it said, and the folder.
fn review(changed: &str) -> (i32, String, Playground) {
    let playground = Playground::new();
    fs::copy(Path::new(EXAMPLE).join("review.sh"), playground.path("review.sh")).unwrap();
    // A forge's own program: what it is called with is what counts.
    playground.script("gh", "#!/bin/sh\nprintf '%s\\n' \"$*\" > gh.called\n");
    let git = "git -c user.name=test -c user.email=test@example.com -c init.defaultBranch=main";
    let made = playground
        .run(&format!("{git} init -q && git add clients review.sh && {git} commit -qm before && git rev-parse HEAD"));
    let base = text(&made.stdout).trim().to_owned();
    playground.write("clients/acme.yaml", changed);
    assert_eq!(code(&playground.run(&format!("{git} commit -qam after"))), 0);
    fs::create_dir(playground.path("runner")).unwrap();
    let runner = playground.path("runner").to_str().unwrap().to_owned();
    let mut reviewed = (0, String::new());
    for step in steps() {
        let value = |written: &str| {
            let known = [
                ("${{ github.event.pull_request.base.sha }}", base.as_str()),
                ("${{ github.event.pull_request.number }}", "7"),
                ("${{ github.token }}", "a-token"),
            ];
            known.iter().find(|(name, _)| *name == written).unwrap_or_else(|| panic!("{written}")).1.to_owned()
        };
        let environment: Vec<(&str, String)> =
            step.environment.iter().map(|(name, written)| (name.as_str(), value(written))).collect();
        let mut environment: Vec<(&str, &str)> =
            environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        environment.push(("RUNNER_TEMP", &runner));
        let output = playground.run_in("", &step.command, &environment);
        match step.name.as_str() {
            "Review" => reviewed = (code(&output), text(&output.stderr).to_owned()),
            name => assert_eq!(code(&output), 0, "{name}: {}", text(&output.stderr)),
        }
    }
    (reviewed.0, reviewed.1, playground)
}

fn acme(amount: &str) -> String {
    format!(
        "apiVersion: entitlements.dev/v1alpha1\nkind: Organization\nmetadata: {{name: acme}}\nspec:\n  timeZone: Europe/Berlin\n  namespaces: [acme]\n\
         ---\napiVersion: entitlements.dev/v1alpha1\nkind: EntitlementInstance\nmetadata: {{name: acme-seats, namespace: entitlements}}\nspec:\n  organization: acme\n  definition: seats\n  start: \"2020-01-01\"\n{amount}"
    )
}

#[test]
fn a_change_that_is_valid_gets_a_comment_of_what_it_changes() {
    let more = "  amendments: [{name: more, effective: \"2020-02-01\", amount: 300}]\n";
    let (outcome, said, playground) = review(&acme(more));
    assert_eq!((outcome, said.as_str()), (0, ""));
    let sarif: Value =
        serde_json::from_str(&fs::read_to_string(playground.path("runner/review/entitlements.sarif")).unwrap())
            .unwrap();
    assert_eq!(sarif["runs"][0]["results"], Value::Array(Vec::new()));
    let comment = fs::read_to_string(playground.path("runner/review/comment.md")).unwrap();
    assert!(comment.contains("acme") && comment.contains("250") && comment.contains("300"), "{comment}");
    assert!(!comment.contains("globex"), "{comment}");
    let called = fs::read_to_string(playground.path("gh.called")).unwrap();
    let file = playground.path("runner/review/comment.md");
    assert_eq!(called, format!("pr comment 7 --edit-last --create-if-none --body-file {}\n", file.display()));
}

#[test]
fn a_change_that_is_refused_is_found_in_its_line() {
    let (outcome, said, playground) = review(&acme("  amuont: 300\n"));
    assert_eq!(outcome, 1);
    assert_eq!(
        said.lines().next().unwrap(),
        "clients/acme.yaml:15:3: EntitlementInstance entitlements/acme-seats: Invalid: spec.amuont: unknown field; did you mean amount?"
    );
    let sarif: Value =
        serde_json::from_str(&fs::read_to_string(playground.path("runner/review/entitlements.sarif")).unwrap())
            .unwrap();
    let place = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(
        (&place["artifactLocation"]["uri"], &place["region"]["startLine"]),
        (&"clients/acme.yaml".into(), &15.into())
    );
    let comment = fs::read_to_string(playground.path("runner/review/comment.md")).unwrap();
    assert!(comment.contains("### Refused\n\n- `EntitlementInstance entitlements/acme-seats` (`clients/acme.yaml:15:3`): Invalid: spec.amuont: unknown field; did you mean amount?\n"), "{comment}");
    assert!(!comment.contains("300"), "{comment}");
}

#[test]
fn a_change_that_the_api_server_would_refuse_fails() {
    let (outcome, said, playground) = review(&acme("  amount: 300\n"));
    let locked = "Locked: spec.amount: amount is locked while the grant is Active: add an entry to amendments, or set state to Draft first, which withdraws its configuration";
    assert_eq!(outcome, 1);
    assert_eq!(
        said.lines().next().unwrap(),
        format!("clients/acme.yaml:15:11: EntitlementInstance entitlements/acme-seats: {locked}")
    );
    let sarif = fs::read_to_string(playground.path("runner/review/entitlements.sarif")).unwrap();
    let sarif: Value = serde_json::from_str(&sarif).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    let place = &result["locations"][0]["physicalLocation"]["region"]["startLine"];
    assert_eq!((&result["ruleId"], place), (&"Locked".into(), &15.into()));
    let comment = fs::read_to_string(playground.path("runner/review/comment.md")).unwrap();
    assert!(comment.contains(&format!("(`clients/acme.yaml:15:11`): {locked}\n")), "{comment}");
    assert!(!comment.contains("300"), "{comment}");
}

#[test]
fn a_change_that_cannot_be_read_fails() {
    let (outcome, _, playground) = review("a: [\n");
    assert_eq!(outcome, 2);
    let comment = fs::read_to_string(playground.path("runner/review/comment.md")).unwrap();
    assert!(comment.ends_with("see the findings of this check.\n"), "{comment}");
}
