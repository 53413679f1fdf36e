//! What the API server does to an object, and what it refuses. Compared with `kubectl create --dry-run=server`.

use super::{Aim, EntitlementKind, Path, PathStep, Resources, check, document};
use crate::core::secret::Secret;
use serde_json::json;

const INSTANCE: &str =
    "apiVersion: entitlements.dev/v1alpha1\nkind: EntitlementInstance\nmetadata: {name: a, namespace: ns}\n";
const DEFINITION: &str = "apiVersion: entitlements.dev/v1alpha1\nkind: EntitlementDefinition\nmetadata: {name: a}\n";

fn instance(spec: &str) -> Vec<String> {
    check(EntitlementKind::EntitlementInstance, &format!("{INSTANCE}spec: {{organization: o, definition: d, {spec}}}"))
        .0
}

fn definition(spec: &str) -> Vec<String> {
    check(EntitlementKind::EntitlementDefinition, &format!("{DEFINITION}spec: {{{spec}}}")).0
}

#[test]
fn plans_and_subscriptions_are_objects_like_any() {
    let plan = |spec: &str| {
        let written = format!(
            "apiVersion: entitlements.dev/v1alpha1\nkind: EntitlementPlan\nmetadata: {{name: a}}\nspec: {{{spec}}}"
        );
        check(EntitlementKind::EntitlementPlan, &written).0
    };
    let subscription = |spec: &str| {
        let written = format!(
            "apiVersion: entitlements.dev/v1alpha1\nkind: EntitlementSubscription\nmetadata: {{name: a, namespace: ns}}\nspec: {{organization: o, plan: p, {spec}}}"
        );
        check(EntitlementKind::EntitlementSubscription, &written).0
    };
    for (found, expected) in [
        (
            plan("type: AddOn, term: P1Y"),
            "spec.term: an AddOn has no term: it goes with its subscription, or by the start and end of its entry there; remove term, or use type Plan",
        ),
        (plan("type: Addon"), "spec.type: \"Addon\" is none of \"Plan\", \"AddOn\""),
        (
            plan("groups: [{name: a, entitlements: [{definition: s}, {definition: s}]}]"),
            "spec.groups[0].entitlements[1]: \"s\" is in the list twice: remove or rename one of the two",
        ),
        (
            subscription("addOns: [{name: a, plan: extra, quantity: 1000001}]"),
            "spec.addOns[0].quantity: 1000001 is more than the maximum 1000000",
        ),
        (
            subscription("addOns: [{name: a, plan: extra, quantity: -1}]"),
            "spec.addOns[0].quantity: -1 is less than the minimum 0",
        ),
        (subscription("addons: []"), "spec.addons: unknown field; did you mean addOns?"),
        (
            subscription("add: [{name: a, definition: s, start: 2027}]"),
            "spec.add[0].start: 2027 is a number, expected a string",
        ),
    ] {
        assert_eq!(found, [expected]);
    }
    assert_eq!(plan("type: AddOn, includes: [], product: null"), [""; 0]);
    assert_eq!(subscription("addOns: [{name: a, plan: extra, quantity: 0}], end: null"), [""; 0]);
}

#[test]
fn fills_in_defaults_and_leaves_out_nulls() {
    let written = format!(
        "{INSTANCE}spec:\n  organization: o\n  definition: d\n  state: null\n  end: null\n  facets: {{gone: null, kept: {{field: null}}}}\n  amendments: [{{name: a, effective: 2026-01-01}}]\n"
    );
    let checked = Resources::new().unwrap().check(EntitlementKind::EntitlementInstance, &document(&written), &written);
    assert_eq!(checked.errors, []);
    assert_eq!(
        checked.value["spec"],
        json!({
            "organization": "o", "definition": "d", "state": "Active", "priority": 0, "suspended": false,
            "facets": {"kept": {"field": null}},
            "amendments": [{"name": "a", "effective": "2026-01-01", "revoked": false}],
        })
    );
}

#[test]
fn fills_in_defaults_of_objects_that_are_there() {
    let written = "apiVersion: entitlements.dev/v1alpha1\nkind: Organization\nmetadata: {name: a}\nspec: {namespaces: [ns], summary: {}}";
    let checked = Resources::new().unwrap().check(EntitlementKind::Organization, &document(written), written);
    let expected = json!({
        "namespaces": ["ns"], "assignableFrom": ["entitlements"], "reportableFrom": ["entitlements"], "suspended": false, "timeZone": "UTC",
        "summary": {"name": "entitlements", "sources": false, "flags": "Held", "ca": false},
    });
    assert_eq!(checked.value["spec"], expected);
}

#[test]
fn refuses_what_the_structure_does_not_allow() {
    for (spec, expected) in [
        ("amout: 1", "spec.amout: unknown field; did you mean amount?"),
        ("state: active", "spec.state: \"active\" is none of \"Draft\", \"Active\", \"Cancelled\""),
        ("priority: 3000000000", "spec.priority: 3000000000 is more than the maximum 2147483647"),
        ("priority: 1.5", "spec.priority: 1.5 is a number, expected an integer"),
        ("start: 2026", "spec.start: 2026 is a number, expected a string"),
        (
            "end: no",
            "spec.end: false is a boolean, expected a string; no is a boolean to kubectl: put it in quotes if it is a text",
        ),
        ("facets: []", "spec.facets: a list is given, expected an object"),
        (
            "amendments: [{name: a, effective: 2026-01-01}, {name: a, effective: 2026-01-02}]",
            "spec.amendments[1]: \"a\" is in the list twice: remove or rename one of the two",
        ),
        ("amendments: [{effective: 2026-01-01}]", "spec.amendments[0]: \"name\" is required"),
        (
            "secretFacets: [{facet: f, field: p, secretKeyRef: {name: s, keys: k}}]",
            "spec.secretFacets[0].secretKeyRef.keys: unknown field; did you mean key?",
        ),
    ] {
        assert_eq!(instance(spec).first().map(String::as_str), Some(expected), "{spec}");
    }
}

#[test]
fn refuses_what_the_rules_do_not_allow() {
    let amount = "spec.amount: must be a whole number of at most 15 digits, a decimal in quotes such as \"2.5\" (at most 9 digits behind the point), or Unlimited; signs and exponents are refused";
    for spec in ["amount: -1", "amount: 1e15", "amount: \"1e3\"", "amount: \"2.\"", "amount: \" 1\""] {
        assert_eq!(instance(spec), [amount], "{spec}");
    }
    for spec in ["amount: 0", "amount: 1e3", "amount: \"2.5\"", "amount: Unlimited", "amount: 999999999999999"] {
        assert_eq!(instance(spec), Vec::<String>::new(), "{spec}");
    }
    for (spec, expected) in [
        (
            "type: Feature, amount: 1",
            "spec: a Feature is on or off and has no amount: remove amount, or use type Quantity or Credit",
        ),
        (
            "type: Feature, facets: [{name: f}]",
            "spec.facets[0]: a facet has exactly one of definition (the name of a FacetDefinition) and schema (an inline JSON Schema)",
        ),
        ("type: Feature, term: P", "spec.term: \"P\" has 1 character, fewer than the minimum 3"),
        (
            "type: Feature, term: P1.5Y",
            "spec.term: must be an ISO 8601 duration of whole numbers such as P1Y, P30D, P1M2W or PT12H",
        ),
        (
            "type: Credit, unit: calls, amount: 1, usage: {mode: Consumed, period: 1 month}",
            "spec.usage.period: must be an ISO 8601 duration of one date part such as P1M, P1Y, P2W or P1D",
        ),
        (
            "type: Feature, outputs: [{name: o, kind: Secret, items: [{key: k, format: Keys}]}]",
            "spec.outputs[0].items[0]: an item needs key, the data key that it fills; only format Keys, which makes a key of each field, has none",
        ),
        (
            "type: Feature, outputs: [{name: o, kind: Secret, items: [{format: Keys}], labels: {kubernetes.io/x: z}}]",
            "spec.outputs[0].labels: keys under entitlements.dev, kubernetes.io and argocd.argoproj.io are the operator's or other tools' own: use a prefix of yours",
        ),
    ] {
        assert_eq!(definition(spec), [expected], "{spec}");
    }
}

#[test]
fn asks_no_transition_rule() {
    assert_eq!(instance("state: Cancelled"), Vec::<String>::new());
}

#[test]
fn checks_metadata() {
    let organization = |metadata: &str| {
        let written = format!(
            "apiVersion: entitlements.dev/v1alpha1\nkind: Organization\nmetadata: {metadata}\nspec: {{namespaces: [ns]}}"
        );
        check(EntitlementKind::Organization, &written).0
    };
    assert_eq!(
        organization(
            "{name: a, labels: {a.b/c: D_e, f: \"\"}, annotations: {x: \"any text\"}, creationTimestamp: null}"
        ),
        Vec::<String>::new()
    );
    for (metadata, expected) in [
        ("{}", "metadata: \"name\" is required"),
        ("{name: a, lables: {}}", "metadata.lables: unknown field; did you mean labels?"),
        ("{name: a, labels: {tier: 1}}", "metadata.labels.tier: 1 is a number, expected a string"),
        (
            "{name: a, labels: {tier: b c}}",
            "metadata.labels.tier: \"b c\" does not match the pattern ^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$",
        ),
        (
            "{name: a.b}",
            "the name of an organization is a DNS label: at most 63 lower-case letters, digits and '-', beginning and ending with a letter or digit",
        ),
    ] {
        let found = organization(metadata);
        let first = found.first().map(|line| line.trim_start_matches(": "));
        assert_eq!(first, Some(expected), "{metadata}");
    }
}

#[test]
fn warns_of_words_where_the_schema_leaves_open_what_they_are() {
    let written = format!(
        "{INSTANCE}spec:\n  organization: o\n  definition: d\n  suspended: yes\n  facets:\n    chart: {{x: 1, y: on, list: [off, \"off\", true]}}\n"
    );
    let (errors, warnings) = check(EntitlementKind::EntitlementInstance, &written);
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!(
        warnings,
        [
            "spec.facets.chart.true: the name y is the boolean true to kubectl: put it in quotes if it is a text, or write true",
            "spec.facets.chart.true: the value on is the boolean true to kubectl: put it in quotes if it is a text, or write true",
            "spec.facets.chart.list[0]: the value off is the boolean false to kubectl: put it in quotes if it is a text, or write false",
        ]
    );
}

#[test]
fn paths_are_read_shown_and_found() {
    let object = document("spec:\n  labels:\n    a.b/c: x\n    a: {b: y}\n  list:\n  - name: z\n");
    for (path, shown, line) in [
        (Path::of_rule("spec.labels.a.b/c", &object), "spec.labels[\"a.b/c\"]", 3),
        (Path::of_rule(".spec.labels.a.b", &object), "spec.labels.a.b", 4),
        (Path::of_rule("spec.list[0].name", &object), "spec.list[0].name", 6),
        (Path::of_pointer("/spec/labels/a.b~1c", &object), "spec.labels[\"a.b/c\"]", 3),
        (Path::of_pointer("/spec/list/0/absent/more", &object), "spec.list[0].absent.more", 6),
        (Path::fields(&["spec", "absent"]), "spec.absent", 1),
        (Path::default(), "", 1),
    ] {
        assert_eq!((path.to_string().as_str(), path.span(&object, Aim::Name).begin.line), (shown, line));
    }
    let mut path = Path::fields(&["spec", "list"]);
    path.push(PathStep::Item(0));
    assert_eq!(path.find(&object).map(super::Node::to_value), Some(json!({"name": "z"})));
    path.pop();
    assert_eq!(path, Path::fields(&["spec", "list"]));
}

#[test]
fn secrets_are_read_without_showing_them() {
    let read = |written: &str| super::super::secret::read(&document(written));
    let secret = |text: &str| Secret::new(text.as_bytes().to_vec());
    let data = read("data: {a: aHVudGVy, b: \"aHVu\\ndGVy\", c: b2xk, d: null}\nstringData: {c: new}").unwrap();
    let expected = [("a", "hunter"), ("b", "hunter"), ("c", "new"), ("d", "")];
    assert_eq!(data, expected.map(|(key, text)| (key.to_owned(), secret(text))).into());
    let errors = read("data: {a: hunter2, b: 12}\nstringData: {c: no}").unwrap_err();
    let lines: Vec<String> = errors.iter().map(|error| format!("{}: {}", error.path, error.message)).collect();
    assert_eq!(
        lines,
        [
            "data.a: the value is not base64: encode it, or give it under stringData as it is",
            "data.b: the value is not a text: put it in quotes",
            "stringData.c: the value is not a text: put it in quotes",
        ]
    );
}
