//! `check`: the answer in one line and as the exit code.

use super::{assert_golden, code, playground::Playground, run, run_with_input, text};
use rstest::rstest;
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    process::{Command, Output},
};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/usage");

fn check(words: &str) -> Output {
    let words: Vec<&str> = words.split(' ').collect();
    run(&[&["check"], &words[..], &["-f", EXAMPLES]].concat())
}

#[test]
fn the_examples_are_answered() {
    let mut screens = String::new();
    for question in [
        "borealis support-cases --at 2027-07-21",
        "borealis support-cases --at 2028-01-15",
        "borealis support-hours --at 2027-07-21 --channel phone --amount 20",
        "borealis support-hours --at 2027-07-21 --channel phone --amount 20.25",
        "borealis support-hours --at 2027-07-21 --channel phone --amount 30.25",
        "borealis support-hours --at 2027-07-21 --channel email --amount 0.25",
        "borealis support-hours --at 2027-07-21 --channel chat",
        "borealis support-hours --at 2027-07-21",
        "borealis api-calls --at 2027-07-21 --amount 5000",
        "borealis editor-seats --at 2027-07-21 --amount 5",
        "borealis editor-seats --at 2027-07-21 --amount 6",
        "borealis render-credits --at 2027-07-21 --amount 180",
        "borealis render-credits --at 2026-12-01",
        "borealis render-credits --at 2029-01-01",
    ] {
        let output = check(question);
        assert_eq!(text(&output.stderr), "", "{question}");
        writeln!(screens, "$ check {question}\n{}(exit code {})\n", text(&output.stdout), code(&output)).unwrap();
    }
    assert_golden("checks.txt", screens.as_bytes());
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    let is_namespaced = ["EntitlementInstance", "EntitlementSubscription", "EntitlementUsage"].contains(&kind);
    let mut metadata = json!({ "name": name });
    if is_namespaced {
        metadata["namespace"] = "entitlements".into();
    }
    json!({"apiVersion": "entitlements.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
}

/// A client with a plan of 10 seats, all of which are in use, single sign-on, and desks that nobody counts.
fn shop() -> String {
    let plan = |name: &str, more: Value| {
        let mut spec = json!({"displayName": format!("The {name}"), "product": "office"});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        object("EntitlementPlan", name, &spec)
    };
    let gives = |definition: &str, amount: u32| json!([{"name": "all", "entitlements": [{"definition": definition, "amount": amount}]}]);
    let add_on = object("EntitlementPlan", "extra-seats", &json!({"type": "AddOn", "groups": gives("seats", 5)}));
    let metered = json!({"type": "Quantity", "unit": "seats", "amount": 1, "usage": {"mode": "Held"}});
    let objects = [
        object(
            "Organization",
            "acme",
            &json!({"displayName": "Acme GmbH", "namespaces": ["acme"], "timeZone": "Europe/Berlin"}),
        ),
        object("EntitlementDefinition", "seats", &metered),
        object("EntitlementDefinition", "sso", &json!({"type": "Feature", "displayName": "Single sign-on"})),
        object("EntitlementDefinition", "desks", &json!({"type": "Quantity", "unit": "desks", "amount": 3})),
        object("EntitlementDefinition", "backup", &json!({"type": "Feature"})),
        plan("starter", json!({"addOns": ["extra-seats"], "groups": gives("seats", 10)})),
        plan("business", json!({"groups": gives("seats", 100)})),
        add_on,
        object(
            "EntitlementSubscription",
            "acme-office",
            &json!({"organization": "acme", "plan": "starter", "start": "2027-01-01", "end": "2027-12-31"}),
        ),
        object(
            "EntitlementInstance",
            "acme-sso",
            &json!({"organization": "acme", "definition": "sso", "start": "2027-01-01", "end": "2027-06-30"}),
        ),
        object(
            "EntitlementInstance",
            "acme-desks",
            &json!({"organization": "acme", "definition": "desks", "start": "2027-01-01"}),
        ),
        object(
            "EntitlementInstance",
            "acme-backup",
            &json!({"organization": "acme", "definition": "backup", "start": "2027-01-01", "suspended": true}),
        ),
        object(
            "EntitlementUsage",
            "acme-seats",
            &json!({"organization": "acme", "definition": "seats", "registers": [{"key": "all", "at": "2027-01-02", "amount": 10}]}),
        ),
    ];
    json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()
}

fn asked(words: &str) -> Output {
    let words: Vec<&str> = words.split(' ').collect();
    run_with_input(&[&["check"], &words[..], &["-f", "-"]].concat(), &shop())
}

#[test]
fn what_would_help_is_said_where_that_is_asked_for() {
    let mut screens = String::new();
    for question in [
        "acme seats --at 2027-03-01",
        "acme seats --at 2027-03-01 --options",
        "acme seats --at 2027-03-01 --amount 12 --options",
        "acme seats --at 2027-03-01 --amount 100000000 --options",
        "acme sso --at 2027-03-01",
        "acme sso --at 2027-07-02",
        "acme sso --at 2026-12-01",
        "acme desks --at 2027-03-01 --amount 7",
        "acme backup --at 2027-03-01 --options",
        "gmbh desks --at 2027-03-01",
    ] {
        let output = asked(question);
        assert_eq!(text(&output.stderr), "", "{question}");
        writeln!(screens, "$ check {question}\n{}(exit code {})\n", text(&output.stdout), code(&output)).unwrap();
    }
    assert_golden("checks.options.txt", screens.as_bytes());
}

/// Ten cases a month of which three are reported, and what the operator says of them in the organization's status.
pub fn counted(state: &str) -> String {
    let mut organization = object("Organization", "acme", &json!({"namespaces": ["acme"]}));
    let (since, resets_at) = ("2027-01-15T00:00:00Z", "2027-02-01T00:00:00Z");
    let said = json!({"definition": "cases", "state": state, "since": since, "resetsAt": resets_at});
    organization["status"] = json!({"usage": [said]});
    let usage = json!({"mode": "Consumed", "period": "P1M"});
    let metered = json!({"type": "Quantity", "unit": "cases", "amount": 10, "usage": usage});
    let granted = json!({"organization": "acme", "definition": "cases", "start": "2027-01-01"});
    let registers = json!([{"key": "all", "at": "2027-01-10", "amount": 3}]);
    let used = json!({"organization": "acme", "definition": "cases", "registers": registers});
    let objects = [
        organization,
        object("EntitlementDefinition", "cases", &metered),
        object("EntitlementInstance", "acme-cases", &granted),
        object("EntitlementUsage", "acme-cases", &used),
    ];
    json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()
}

#[test]
fn what_the_operator_alone_has_counted_is_not_guessed() {
    let mut screens = String::new();
    for (state, question) in [
        ("Warning", "acme cases --at 2027-01-20 --amount 2"),
        ("Exhausted", "acme cases --at 2027-01-20 --options"),
        ("Ok", "acme cases --at 2027-01-20 --amount 8"),
        ("Unknown", "acme cases --at 2027-01-20"),
        ("Exhausted", "acme cases --at 2027-01-12"),
        ("Exhausted", "acme cases --at 2027-01-12 --amount 8"),
        ("Exhausted", "acme cases --at 2027-02-01"),
        ("Ok", "acme cases --at 2027-01-20 --amount 8 -o json"),
    ] {
        let words: Vec<&str> = question.split(' ').collect();
        let output = run_with_input(&[&["check"], &words[..], &["-f", "-"]].concat(), &counted(state));
        assert_eq!(text(&output.stderr), "", "{question}");
        let (screen, code) = (text(&output.stdout), code(&output));
        writeln!(screens, "$ check {question}    # {state}\n{screen}(exit code {code})\n").unwrap();
    }
    assert_golden("checks.counted.txt", screens.as_bytes());
}

#[test]
fn programs_are_told_the_same() {
    let output = asked("acme seats --at 2027-03-01 --options -o json");
    assert_eq!((code(&output), text(&output.stderr)), (1, ""));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let option = |kind: &str, plan: &str, name: Option<&str>, amount: &str| {
        json!({
            "kind": kind, "plan": plan, "displayName": name, "subscription": "entitlements/acme-office",
            "amount": amount,
        })
    };
    let mut extra = option("AddOn", "extra-seats", None, "15");
    extra["quantity"] = 1.into();
    let expected = json!({
        "organization": "acme", "entitlement": "seats", "entitled": true, "allowed": false, "reason": "Exhausted",
        "type": "Quantity", "unit": "seats", "amount": "10", "validFrom": "2026-12-31T23:00:00Z",
        "validUntil": "2027-12-31T23:00:00Z", "facets": {},
        "usage": {
            "allotted": "10", "used": "10", "remaining": "0", "overage": "0", "excess": "0", "resetsAt": null,
            "state": "Exhausted",
        },
        "options": [extra, option("Plan", "business", Some("The business"), "100")],
        "at": "2027-02-28T23:00:00Z",
    });
    assert_eq!(told, expected);
}

#[rstest]
#[case(
    "acme seats --amount 0",
    "write a number above 0, such as 1 or 0.25, with at most 15 digits before the point and 9 behind it"
)]
#[case("acme seats --amount -1", "write a number above 0")]
#[case("acme seats --amount 123456789012345678901234567890", "write a number above 0")]
#[case("acme seats --amount 0.0000000001", "write a number above 0")]
#[case("acme seats --amount Unlimited", "write a number above 0")]
#[case("acme seats --amount 1e3", "write a number above 0")]
#[case("acme seats --at tomorrow", "or a time from now, such as +90d or -12h")]
#[case("acme seats --channel=", "a channel has a name of 1 to 63 characters")]
#[case(
    "acme sso --channel phone --at 2027-03-01",
    "sso is a Feature, which is on or off and has no channels: leave out --channel"
)]
#[case("acmee seats", "there is no organization acmee: did you mean acme?")]
#[case("acme seets", "there is no definition seets: did you mean seats?")]
#[case("acme", "<ENTITLEMENT>")]
fn a_question_that_is_none_has_no_answer(#[case] question: &str, #[case] expected: &str) {
    let output = asked(question);
    assert_eq!((code(&output), text(&output.stdout)), (2, ""), "{question}");
    assert!(text(&output.stderr).contains(expected), "{}", text(&output.stderr));
}

#[rstest]
#[case::no_such_file(&["check", "acme", "seats", "-f", "absent.yaml"])]
#[case::no_cluster(&["check", "acme", "seats"])]
#[case::not_both(&["check", "acme", "seats", "-f", "-", "--context", "there"])]
fn what_keeps_from_an_answer_is_no_no(#[case] arguments: &[&str]) {
    let output = run_with_input(arguments, &shop());
    assert_eq!((code(&output), text(&output.stdout)), (2, ""), "{}", text(&output.stderr));
    assert!(!text(&output.stderr).is_empty());
}

#[test]
fn manifests_that_cannot_be_read_have_no_answer() {
    let output = run_with_input(&["check", "acme", "seats", "-f", "-"], "kind: [");
    assert_eq!((code(&output), text(&output.stdout)), (2, ""), "{}", text(&output.stderr));
}

/// What is left out could be what the answer hangs on: the exit code of a yes or a no would be a guess.
#[rstest]
#[case::a_report(object("EntitlementUsage", "more", &json!({"organization": "acme", "definition": "desks", "registers": [{"key": "a", "at": "2027-01-02", "amount": "1,5"}]})), Some("EntitlementUsage entitlements/more: Invalid: spec.registers[0].amount: must be a whole number"))]
#[case::a_grant(object("EntitlementInstance", "more", &json!({"organization": "acme", "definition": "seats", "start": "2027-13-01"})), Some("EntitlementInstance entitlements/more: Invalid: spec.start: must be a date"))]
#[case::a_grant_of_nobody(object("EntitlementInstance", "more", &json!({"organisation": "globex", "definition": "seats"})), Some("spec.organisation: unknown field; did you mean organization?"))]
#[case::a_plan_that_nobody_has(object("EntitlementPlan", "more", &json!({"type": "Add-on"})), Some("EntitlementPlan more: Invalid: spec.type"))]
#[case::a_kind_that_is_none(object("EntitlementUsages", "more", &json!({})), Some("UnknownKind"))]
#[case::a_grant_of_another(object("EntitlementInstance", "more", &json!({"organization": "globex", "definition": "seats", "start": "2027-13-01"})), None)]
#[case::a_report_of_another(object("EntitlementUsage", "more", &json!({"organization": "globex", "definition": "seats", "registers": [{"at": "x"}]})), None)]
fn what_is_invalid_keeps_from_an_answer(#[case] added: Value, #[case] expected: Option<&str>) {
    let mut manifests: Value = serde_json::from_str(&shop()).unwrap();
    manifests["items"].as_array_mut().unwrap().push(added);
    let arguments = ["check", "acme", "desks", "--at", "2027-03-01", "-f", "-"];
    let output = run_with_input(&arguments, &manifests.to_string());
    let Some(expected) = expected else {
        assert_eq!((code(&output), text(&output.stderr)), (0, ""));
        return;
    };
    assert_eq!((code(&output), text(&output.stdout)), (2, ""), "{}", text(&output.stderr));
    let said = text(&output.stderr);
    assert!(said.starts_with("-:1:") && said.contains(expected), "{said}");
    assert!(said.ends_with("entitlement-operator: no answer, as it would leave out what is invalid in the files: mend that, or leave the file out if it is not needed\n"), "{said}");
}

#[test]
fn a_mistyped_channel_is_noted() {
    let output = check("borealis support-hours --at 2027-07-21 --channel phnoe");
    assert_eq!(code(&output), 1);
    assert_eq!(text(&output.stderr), "note: support-hours does not list the channel phnoe: did you mean phone?\n");
}

/// A reader that wants the first line alone is no failure, and the exit code stays the answer.
#[test]
fn the_first_line_is_all_that_is_needed() {
    let script = format!(
        "{} check borealis support-cases --at 2027-07-21 -f {EXAMPLES} | head -n 1; exit ${{PIPESTATUS[0]}}",
        env!("CARGO_BIN_EXE_entitlement-operator")
    );
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert_eq!(code(&output), 1);
    assert!(text(&output.stdout).starts_with("No: "), "{}", text(&output.stdout));
}

#[test]
fn names_are_completed() {
    let playground = Playground::new();
    let complete = |line: &str| text(&playground.run(line).stdout).to_owned();
    let found = complete("kubectl __complete entitlements check -f clients/ gl 2>/dev/null");
    assert!(found.contains("globex"), "{found}");
}
