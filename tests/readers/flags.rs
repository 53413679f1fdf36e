//! `flags.json` by real flagd evaluators, at moments before, in and after terms, without another file.

use super::{node_script, python_script};
use entitlement_operator::{
    core::calendar::{Instant, parse_instant},
    evaluation::object::ObjectData,
    offline::Inventory,
};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Before all terms.
const BEFORE: &str = "2025-06-01T00:00:00Z";
/// In the first term of each.
const DURING: &str = "2026-02-01T00:00:00Z";

fn at(text: &str) -> Instant {
    parse_instant(text).unwrap()
}

/// A name, the spec of its definition, and those of its grants, which have more fields where they are to.
fn catalogue() -> Vec<(&'static str, Value, Vec<Value>)> {
    let year = |more: Value| {
        let mut spec = json!({"start": "2026-01-01", "end": "2026-12-31"});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    let quantity =
        |amount: Value| json!({"type": "Quantity", "unit": "units", "amount": amount, "allowMultiple": true});
    let size = json!({"type": "object", "properties": {"size": {"type": "integer", "default": 1}, "key": {"type": "string", "writeOnly": true}}});
    vec![
        ("4k-streaming", json!({"type": "Feature"}), vec![year(json!({}))]),
        ("forever", json!({"type": "Feature"}), vec![json!({"start": "2026-01-01"})]),
        ("graced", json!({"type": "Feature", "gracePeriod": "P10D"}), vec![year(json!({}))]),
        ("paused", json!({"type": "Feature"}), vec![year(json!({"suspended": true}))]),
        (
            "seats",
            quantity(json!(250)),
            vec![
                year(json!({"amendments": [{"name": "more", "effective": "2026-07-01", "amount": 300}]})),
                json!({"start": "2026-03-01", "end": "2026-03-31", "amount": 50}),
            ],
        ),
        ("calls", quantity(json!("Unlimited")), vec![year(json!({}))]),
        (
            "hours",
            json!({"type": "Credit", "unit": "hours", "amount": "2.5", "allowMultiple": true}),
            vec![
                json!({"start": "2026-01-01", "end": "2026-03-31"}),
                json!({"start": "2026-10-01", "end": "2026-12-31"}),
            ],
        ),
        ("unheld", json!({"type": "Feature", "facets": [{"name": "store", "schema": size}]}), vec![]),
        ("unheld-seats", quantity(json!(5)), vec![]),
        (
            "backup",
            json!({"type": "Feature", "facets": [{"name": "store", "schema": size}]}),
            vec![year(
                json!({"amendments": [{"name": "larger", "effective": "2026-07-01", "facets": {"store": {"size": 9}}}]}),
            )],
        ),
    ]
}

/// What is written for them at a moment.
fn flags(now: &str) -> String {
    let mut inventory = Inventory::new(at(BEFORE), "entitlement-operator");
    let organization =
        json!({"metadata": {"name": "acme"}, "spec": {"namespaces": ["acme"], "summary": {"flags": "All"}}});
    inventory.add_organization(serde_json::from_value(organization).unwrap());
    for (name, definition, grants) in catalogue() {
        let definition = json!({"metadata": {"name": name}, "spec": definition});
        inventory.add_definition(serde_json::from_value(definition).unwrap());
        for (index, mut spec) in grants.into_iter().enumerate() {
            spec["organization"] = "acme".into();
            spec["definition"] = name.into();
            let metadata = json!({"name": format!("{name}-{index}"), "namespace": "entitlements"});
            let instance = json!({"metadata": metadata, "spec": spec});
            inventory.add_instance(serde_json::from_value(instance).unwrap());
        }
    }
    let survey = inventory.survey(at(now));
    let summary = survey.objects.iter().find(|(key, _)| &*key.name == "entitlements").unwrap().1;
    match &summary.content.data {
        ObjectData::ConfigMap(data) => data["flags.json"].clone(),
        ObjectData::Secret(_) => panic!("the summary is a ConfigMap"),
    }
}

/// Flag, type, moment, and the value and variant that it should have then.
type Question = (&'static str, &'static str, &'static str, Value, &'static str);

fn questions() -> Vec<Question> {
    let switch = |flag, moment, on: bool| (flag, "boolean", moment, json!(on), if on { "on" } else { "off" });
    let mut all = vec![
        switch("4k-streaming", "2025-12-31T23:59:59Z", false),
        switch("4k-streaming", "2026-01-01T00:00:00Z", true),
        switch("4k-streaming", "2026-06-01T12:00:00Z", true),
        switch("4k-streaming", "2026-12-31T23:59:59Z", true),
        switch("4k-streaming", "2027-01-01T00:00:00Z", false),
        switch("4k-streaming", "2040-01-01T00:00:00Z", false),
        switch("forever", "2025-12-31T23:59:59Z", false),
        switch("forever", "2026-01-01T00:00:00Z", true),
        switch("forever", "9000-01-01T00:00:00Z", true),
        switch("graced", "2027-01-10T23:59:59Z", true),
        switch("graced", "2027-01-11T00:00:00Z", false),
        switch("paused", "2026-06-01T12:00:00Z", false),
        switch("unheld", "2026-06-01T12:00:00Z", false),
    ];
    let number = |flag, moment, value: Value, variant| (flag, "number", moment, value, variant);
    all.extend([
        number("seats", "2025-12-31T23:59:59Z", json!(0), "0"),
        number("seats", "2026-01-01T00:00:00Z", json!(250), "250"),
        number("seats", "2026-03-01T00:00:00Z", json!(300), "300"),
        number("seats", "2026-04-01T00:00:00Z", json!(250), "250"),
        number("seats", "2026-07-01T00:00:00Z", json!(300), "300"),
        number("seats", "2027-01-01T00:00:00Z", json!(0), "0"),
        number("calls", "2025-12-31T23:59:59Z", json!(0), "0"),
        number("calls", "2026-12-31T23:59:59Z", json!(9_007_199_254_740_991_i64), "Unlimited"),
        number("calls", "2027-01-01T00:00:00Z", json!(0), "0"),
        number("hours", "2026-03-31T23:59:59Z", json!(2.5), "2.5"),
        number("hours", "2026-04-01T00:00:00Z", json!(0), "0"),
        number("hours", "2026-10-01T00:00:00Z", json!(2.5), "2.5"),
        number("hours", "2027-01-01T00:00:00Z", json!(0), "0"),
        number("unheld-seats", "2026-06-01T12:00:00Z", json!(0), "0"),
        ("seats", "integer", "2026-01-01T00:00:00Z", json!(250), "250"),
        ("calls", "integer", "2026-01-01T00:00:00Z", json!(9_007_199_254_740_991_i64), "Unlimited"),
    ]);
    let object = |moment, value: Value, variant| ("backup.facets", "object", moment, value, variant);
    let (small, large) = (json!({"store": {"size": 1}}), json!({"store": {"size": 9}}));
    all.extend([
        ("unheld.facets", "object", "2026-06-01T12:00:00Z", json!({}), "none"),
        object("2025-12-31T23:59:59Z", json!({}), "none"),
        object("2026-01-01T00:00:00Z", small.clone(), SMALL),
        object("2026-06-30T23:59:59Z", small, SMALL),
        object("2026-07-01T00:00:00Z", large.clone(), LARGE),
        object("2026-12-31T23:59:59Z", large, LARGE),
        object("2027-01-01T00:00:00Z", json!({}), "none"),
    ]);
    all
}

/// The names of variants come from their contents.
const SMALL: &str = "283969695140";
const LARGE: &str = "c48adbac9bac";

fn ask(mut evaluator: Command, flags: &str, questions: &[Question]) -> Value {
    let questions: Vec<_> =
        questions.iter().map(|(flag, type_, moment, ..)| json!([flag, type_, at(moment).timestamp()])).collect();
    let mut child = evaluator.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let asked = json!({"flags": flags, "questions": questions});
    child.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{evaluator:?}: {}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

fn check(evaluator: fn() -> Command) {
    for now in [BEFORE, DURING] {
        let questions = questions();
        let answers = ask(evaluator(), &flags(now), &questions);
        for ((flag, type_, moment, value, variant), answer) in questions.iter().zip(answers.as_array().unwrap()) {
            let place = format!("{type_} {flag} at {moment}, written at {now}");
            assert_eq!(answer[1], *variant, "{place}");
            match value.as_f64() {
                Some(number) => assert_eq!(answer[0].as_f64(), Some(number), "{place}"),
                None => assert_eq!(answer[0], *value, "{place}"),
            }
        }
    }
}

#[test]
fn by_python() {
    check(|| python_script("flags.py"));
}

#[test]
fn by_node() {
    check(|| node_script("flags.mjs"));
}

#[test]
fn flagds_schema_refuses_what_is_none() {
    let mut flags: Value = serde_json::from_str(&flags(DURING)).unwrap();
    flags["flags"]["4k-streaming"]["variants"]["on"] = "yes".into();
    let answer = ask(node_script("flags.mjs"), &flags.to_string(), &[]);
    let message = answer["refused"].as_str().unwrap();
    assert!(message.contains("invalid flagd flag configuration"), "{message}");
}
