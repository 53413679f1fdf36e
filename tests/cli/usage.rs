//! What is used and what is left of the examples, as the command tells of it.

use super::{assert_golden, check::counted, code, run_with_input, text};
use rstest::rstest;
use serde_json::{Value, json};
use std::fmt::Write as _;

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/usage");

pub fn said(arguments: &[&str], manifests: &str) -> String {
    let output = run_with_input(arguments, manifests);
    assert_eq!((code(&output), text(&output.stderr)), (0, ""), "{arguments:?}\n{manifests}");
    text(&output.stdout).to_owned()
}

#[test]
fn the_examples_say_how_much_is_used_and_left() {
    let mut screens = String::new();
    for at in ["2027-07-21", "2027-08-01", "2028-01-15"] {
        writeln!(screens, "$ explain borealis --all --at {at}").unwrap();
        writeln!(screens, "{}", said(&["explain", "borealis", "--all", "--at", at, "-f", EXAMPLES], "")).unwrap();
    }
    assert_golden("usage.explained.txt", screens.as_bytes());
}

#[test]
fn the_table_says_how_what_is_used_stands() {
    let mut screens = String::new();
    for at in ["2026-12-01", "2027-07-21", "2028-01-15"] {
        writeln!(screens, "$ explain borealis --at {at}").unwrap();
        writeln!(screens, "{}", said(&["explain", "borealis", "--at", at, "-f", EXAMPLES], "")).unwrap();
    }
    for (state, at) in [("Exceeded", "2027-01-20"), ("Ok", "2027-01-20"), ("Exceeded", "2027-02-01")] {
        writeln!(screens, "$ explain acme --at {at}    # {state}").unwrap();
        writeln!(screens, "{}", said(&["explain", "acme", "--at", at, "-f", "-"], &counted(state))).unwrap();
    }
    let beyond = [
        ("12 at once of 10", json!({"mode": "Held"}), "12"),
        ("13 in a month of 10", json!({"mode": "Consumed", "period": "P1M", "limit": "Soft"}), "13"),
    ];
    for (title, usage, amount) in beyond {
        writeln!(screens, "$ explain acme --at 2027-01-20    # {title}").unwrap();
        let manifests = metered(&usage, amount);
        writeln!(screens, "{}", said(&["explain", "acme", "--at", "2027-01-20", "-f", "-"], &manifests)).unwrap();
    }
    assert_golden("usage.table.txt", screens.as_bytes());
}

/// A client that has ten units, and a report that it has used so much.
fn metered(usage: &Value, amount: &str) -> String {
    let object = |kind: &str, name: &str, spec: Value| {
        json!({
            "apiVersion": "entitlements.dev/v1alpha1", "kind": kind,
            "metadata": {"name": name, "namespace": "entitlements"}, "spec": spec,
        })
    };
    let objects = [
        object("Organization", "acme", json!({"namespaces": ["acme"]})),
        object(
            "EntitlementDefinition",
            "units",
            json!({"type": "Quantity", "unit": "units", "amount": 10, "usage": usage}),
        ),
        object("EntitlementDefinition", "lamps", json!({"type": "Feature"})),
        object(
            "EntitlementInstance",
            "acme-units",
            json!({"organization": "acme", "definition": "units", "start": "2027-01-01"}),
        ),
        object(
            "EntitlementInstance",
            "acme-lamps",
            json!({"organization": "acme", "definition": "lamps", "start": "2027-01-01"}),
        ),
        object(
            "EntitlementUsage",
            "acme-units",
            json!({"organization": "acme", "definition": "units", "registers": [
                {"key": "a", "at": "2027-01-10T00:00:00Z", "amount": amount},
            ]}),
        ),
    ];
    objects.map(|object| format!("---\n{object}\n")).concat()
}

#[test]
fn programs_are_told_the_same_of_the_examples() {
    let told = said(&["explain", "borealis", "--all", "--at", "2027-07-21", "-o", "json", "-f", EXAMPLES], "");
    let told: Value = serde_json::from_str(&told).unwrap();
    let entitlements = told["entitlements"].as_array().unwrap();
    let usage: serde_json::Map<String, Value> =
        entitlements.iter().map(|one| (one["definition"].as_str().unwrap().to_owned(), one["usage"].clone())).collect();
    assert_eq!(usage.len(), 5);
    let usage = format!("{}\n", serde_json::to_string_pretty(&usage).unwrap());
    assert_golden("usage.explained.json", usage.as_bytes());
}

#[test]
fn what_the_operator_alone_has_counted_has_no_numbers_but_those_that_are_reported() {
    let mut screens = String::new();
    for (state, words) in [
        ("Exceeded", "explain acme cases --at 2027-01-20"),
        ("Exceeded", "explain acme cases --at 2027-02-01"),
        ("Ok", "explain acme cases --at 2027-01-05"),
        ("Exceeded", "timeline --from 2027-01-20 --to 2027-03-01"),
    ] {
        let arguments: Vec<&str> = words.split(' ').chain(["-f", "-"]).collect();
        writeln!(screens, "$ {words}    # {state}\n{}", said(&arguments, &counted(state))).unwrap();
    }
    assert_golden("usage.counted.txt", screens.as_bytes());
}

#[test]
fn programs_get_null_for_what_the_operator_alone_has_counted() {
    let told = |words: &str| -> Value {
        let arguments: Vec<&str> = words.split(' ').chain(["-o", "json", "-f", "-"]).collect();
        serde_json::from_str(&said(&arguments, &counted("Exceeded"))).unwrap()
    };
    let explained = told("explain acme cases --at 2027-01-20");
    let reported = json!({
        "allotted": "10", "used": "3", "remaining": "7", "excess": "0", "overage": "0", "unentitled": "0",
        "since": "2027-01-01T00:00:00Z", "resetsAt": "2027-02-01T00:00:00Z",
        "blocks": [{"part": "instance entitlements/acme-cases", "amount": "10", "taken": "3", "until": null}],
    });
    let expected = json!({
        "mode": "Consumed", "state": "Exceeded", "allowed": false, "stale": true,
        "allotted": null, "used": null, "remaining": null, "excess": null, "overage": null, "unentitled": null,
        "stateSince": "2027-01-15T00:00:00Z", "resetsAt": "2027-02-01T00:00:00Z", "reported": reported,
    });
    assert_eq!(explained["entitlements"][0]["usage"], expected);
    let timeline = told("timeline --from 2027-01-20 --to 2027-03-01");
    let state = |used: &str| {
        let reported = json!({"used": used, "allotted": "10"});
        json!({"used": null, "allotted": null, "reported": reported})
    };
    let expected = json!([{"definition": "cases", "before": state("3"), "after": state("0"), "stale": true}]);
    assert_eq!(timeline["steps"][0]["resets"], expected);
}

#[test]
fn a_timeline_tells_from_when_a_use_counts_that_lies_ahead() {
    let words = ["timeline", "--from", "2027-01-05", "--to", "2027-01-31", "-f", "-"];
    let told = said(&words, &counted("Ok"));
    let expected = "a use that is dated now counts from here on: 3 of 10 used, by EntitlementUsage objects alone";
    let line = told.lines().find(|line| line.starts_with("2027-01-10 00:00 UTC"));
    assert!(line.is_some_and(|line| line.ends_with(expected)), "{told}");
    let told: Value = serde_json::from_str(&said(&[&words[..], &["-o", "json"]].concat(), &counted("Ok"))).unwrap();
    let reported = json!({"used": "3", "allotted": "10"});
    let after = json!({"used": null, "allotted": null, "reported": reported});
    let step = &told["steps"][0];
    assert_eq!(step["at"], "2027-01-10T00:00:00Z");
    assert_eq!(step["uses"], json!([{"definition": "cases", "after": after, "stale": true}]));
}

#[test]
fn a_timeline_tells_when_an_allotment_is_new_that_was_used() {
    let told = said(&["timeline", "--from", "2027-07-21", "--to", "2029-02-01", "-f", EXAMPLES], "");
    assert_golden("usage.timeline.txt", told.as_bytes());
    let told = said(&["timeline", "--from", "2027-07-21", "--to", "2029-02-01", "-o", "json", "-f", EXAMPLES], "");
    let told: Value = serde_json::from_str(&told).unwrap();
    let steps = told["steps"].as_array().unwrap().iter();
    let resets: Vec<Value> =
        steps.filter_map(|step| Some(json!({"at": step["at"], "resets": step.get("resets")?}))).collect();
    let reset = |definition: &str, before: [&str; 2], after: [&str; 2]| {
        let state = |[used, allotted]: [&str; 2]| json!({"used": used, "allotted": allotted});
        json!({"definition": definition, "before": state(before), "after": state(after)})
    };
    let calls = reset("api-calls", ["111550", "100000"], ["0", "100000"]);
    let mut hours = reset("support-hours", ["80", "110"], ["0", "110"]);
    hours["lapsed"] = "10".into();
    let cases = reset("support-cases", ["10", "10"], ["0", "10"]);
    assert_eq!(
        resets,
        [
            json!({"at": "2027-07-31T22:00:00Z", "resets": [calls, hours]}),
            json!({"at": "2028-01-14T23:00:00Z", "resets": [cases]}),
        ]
    );
}

/// The summary's key, as `render` makes it.
fn delivered(key: &str, at: &str) -> Value {
    let rendered: Value =
        serde_json::from_str(&said(&["render", "--at", at, "-o", "json", "-f", EXAMPLES], "")).unwrap();
    let objects = rendered["items"].as_array().unwrap();
    let mut summaries = objects.iter().filter_map(|object| object["data"][key].as_str());
    let summary = serde_json::from_str(summaries.next().unwrap()).unwrap();
    assert_eq!(summaries.next(), None);
    summary
}

#[rstest]
#[case("2027-07-21", ["Overage", "Warning", "Ok", "Exhausted", "Ok"])]
#[case("2027-08-01", ["Ok", "Warning", "Ok", "Exhausted", "Ok"])]
#[case("2028-01-15", ["Ok", "Warning", "Ok", "Ok", "Ok"])]
fn the_summary_says_the_state_and_no_number(#[case] at: &str, #[case] states: [&str; 5]) {
    let summary = delivered("entitlements.json", at);
    assert_eq!(super::summary_schema::problems(&summary), Vec::<String>::new());
    let entitlements = summary["entitlements"].as_object().unwrap();
    let told: Vec<(&str, &Value)> = entitlements.iter().map(|(name, entry)| (name.as_str(), &entry["usage"])).collect();
    let handles = ["api-calls", "editor-seats", "render-credits", "support-cases", "support-hours"];
    let expected: Vec<Value> = states.iter().map(|state| json!({ "state": state })).collect();
    assert_eq!(told, handles.into_iter().zip(&expected).collect::<Vec<_>>());
}

/// What a flag comes to at a moment.
fn value<'a>(flags: &'a Value, name: &str, at: i64) -> &'a Value {
    let flag = &flags["flags"][name];
    let mut rule = if flag["targeting"].is_null() { &flag["defaultVariant"] } else { &flag["targeting"] };
    while let Some(branches) = rule["if"].as_array() {
        let condition = &branches[0]["<"];
        assert_eq!(condition[0], json!({"var": "$flagd.timestamp"}), "{flag}");
        rule = &branches[if at < condition[1].as_i64().unwrap() { 1 } else { 2 }];
    }
    &flag["variants"][rule.as_str().unwrap()]
}

#[test]
fn the_flags_know_when_an_allotment_is_new() {
    let flags = delivered("flags.json", "2027-07-21");
    let moment = |text: &str| text.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp();
    let now = moment("2027-07-20T22:00:00Z");
    let reset = moment("2028-01-14T23:00:00Z");
    for (at, allowed) in [(now, false), (reset - 1, false), (reset, true), (reset + 1, true)] {
        assert_eq!(value(&flags, "support-cases.allowed", at), allowed, "at {at}");
    }
    // What is allowed now, beyond its limit too, is so without a date.
    for name in ["api-calls.allowed", "editor-seats.allowed", "render-credits.allowed", "support-hours.allowed"] {
        assert_eq!(value(&flags, name, now), true, "{name}");
    }
    // Using up an allotment takes no right away.
    assert_eq!(value(&flags, "support-cases", now), 10);
}
