//! What becomes of grants whose templates fail, or are more work than is allowed.

use super::{Inventory, definition, instance, inventory, now, organization};
use crate::{
    core::{secret::Secret, source::SourceId},
    evaluation::{Evaluation, evaluate_within, object::Wish},
    offline::{Status, Subject},
    render::work::{Budget, MAX_OF_GRANT},
};
use rstest::rstest;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A grant of a definition whose outputs have those items and one secret field, which has that value.
fn with_secret(kinds: &[(&str, Value)], value: &str) -> Inventory {
    let schema = json!({"type": "object", "properties": {
        "password": {"type": "string", "writeOnly": true}, "text": {"type": "string", "default": "x"},
    }});
    let outputs: Vec<Value> = kinds
        .iter()
        .enumerate()
        .map(|(index, (kind, items))| json!({"name": format!("o{index}"), "kind": kind, "items": items}))
        .collect();
    let spec = json!({"type": "Feature", "facets": [{"name": "f", "schema": schema}], "outputs": outputs});
    let source = json!({"facet": "f", "field": "password", "secretKeyRef": {"name": "s", "key": "k"}});
    let grant = json!({"organization": "acme", "definition": "backup", "secretFacets": [source]});
    let mut inventory = inventory();
    inventory.add_organization(organization("acme", &["acme"], &json!({})));
    inventory.add_definition(definition("backup", &spec));
    inventory.add_instance(instance("entitlements", "a", &grant, &Value::Null));
    let data = BTreeMap::from([("k".to_owned(), Secret::new(value.as_bytes().to_vec()))]);
    inventory.add_secrets(BTreeMap::from([(("entitlements".into(), "s".into()), Arc::new(data))]));
    inventory
}

/// All that is said of the grant.
fn said(inventory: &Inventory) -> String {
    let Status::Instance(status) =
        &inventory.survey(now()).statuses[&Subject::source(&SourceId::instance("entitlements", "a"))]
    else {
        panic!("it is an instance");
    };
    serde_json::to_string(status).unwrap()
}

const SECRET_TEXT: &str = "output o0: what reads secret fields in it cannot be filled with the values that they have, and why is not said, as that would tell of the values: see that each is what the template, the format or the Secret's type asks for, and try it with values that are no secret";

/// For every value with which it fails, in whatever way, the same is said, to the letter.
#[rstest]
#[case::kinds_of_failure(json!([{"key": "k", "template": "{{ facets.f.password | int }}{{ facets.f.password | b64decode }}{{ (facets.f.password | split(':'))[1] }}"}]))]
#[case::lines(json!([{"key": "k", "template": "{% if 'a' in facets.f.password %}{{ 1 // 0 }}{% endif %}\n{% if 'b' in facets.f.password %}{{ 1 // 0 }}{% endif %}\n{{ facets.f.password | float }}"}]))]
#[case::items(json!([{"key": "k", "template": "{{ facets.f.password | int }}"}, {"key": "l", "template": "{{ facets.f.password | b64decode }}"}]))]
#[case::work(json!([{"key": "k", "template": "{{ facets.f.password | int }}{% for i in range(facets.f.password | int) %}{% for j in range(facets.f.password | int) %}{% endfor %}{% endfor %}"}]))]
#[case::size(json!([
    {"key": "k", "template": "{{ facets.f.password | float }}{% for i in range(facets.f.password | int) %}{{ 'x' * 0 if false else '0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789' }}{% endfor %}"},
    {"key": "l", "template": "{% for i in range(facets.f.password | int) %}{{ '0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789' }}{% endfor %}"},
]))]
#[case::env(json!([{"key": "k", "format": "Env"}]))]
#[case::keys_and_template(json!([{"format": "Keys"}, {"key": "k", "template": "{{ facets.f.password | int }}"}]))]
fn of_what_reads_a_secret_one_thing_is_said(#[case] items: Value) {
    let values = [
        "a",
        "b",
        "ab",
        "",
        " ",
        "7",
        "10000",
        "9000",
        "6000",
        "123456789",
        "1e9",
        "YQ==",
        "a:b",
        "it's \"it\"",
        "a\rb",
        "${HOME}",
        "\\\\",
        "a\0b",
        "nan",
        "x".repeat(70_000).as_str(),
        "x".repeat(600_000).as_str(),
    ]
    .map(|value| said(&with_secret(&[("Secret", items.clone())], value)));
    let failed: BTreeSet<&String> =
        values.iter().filter(|said| !said.contains(r#""delivered":2"#) && !said.contains(r#""delivered":1"#)).collect();
    assert_eq!(failed.len(), 1, "{failed:#?}");
    let said: Value = serde_json::from_str(failed.first().unwrap()).unwrap();
    let delivered =
        said["conditions"].as_array().unwrap().iter().find(|condition| condition["type"] == "Delivered").unwrap();
    assert_eq!((&delivered["reason"], &delivered["message"]), (&json!("RenderFailed"), &json!(SECRET_TEXT)));
}

/// How much work the secret part is does not show in what becomes of the rest.
#[test]
fn the_rest_is_the_same_whatever_a_secret_costs() {
    let secret = "{% for i in range(facets.f.password | int) %}{% for j in range(20) %}{% endfor %}{% endfor %}";
    let plain = "{% for i in range(10000) %}{% for j in range(4) %}{% endfor %}{% endfor %}";
    let items = |source: &str, count: usize| -> Value {
        (0..count).map(|index| json!({"key": format!("k{index}"), "template": source})).collect()
    };
    let outputs = [("Secret", items(secret, 20)), ("ConfigMap", items(plain, 20))];
    let rest = |value| said(&with_secret(&outputs, value)).split(SECRET_TEXT).collect::<String>();
    let [least, most] = ["0", "3000"].map(rest);
    assert!(
        least.contains(
            "output o1: the outputs of the definition are more work than is allowed for one grant, 2000000 steps in all"
        ),
        "{least}"
    );
    assert!(
        most.contains(
            "output o1: the outputs of the definition are more work than is allowed for one grant, 2000000 steps in all"
        ),
        "{most}"
    );
}

/// What cannot be filled without a secret is said in full, whatever the secret is.
#[test]
fn what_reads_no_secret_is_said_in_full() {
    let items = json!([{"key": "k", "template": "{{ facets.f.password | int }}"}, {"key": "l", "template": "{{ facets.f.text | int }}"}]);
    let [one, other] = ["7", "a"].map(|value| said(&with_secret(&[("Secret", items.clone())], value)));
    assert_eq!(one, other);
    assert!(one.contains("output o0, l: line 1, column 20: `int` cannot read a text as a number"), "{one}");
}

fn grants(names: &[&str], template: &str) -> Inventory {
    let mut inventory = inventory();
    inventory.add_organization(organization("acme", &["acme"], &json!({})));
    let output = json!({"name": "o", "kind": "ConfigMap", "objectName": "{{ instance.name }}", "items": [{"key": "k", "template": template}]});
    inventory.add_definition(definition("d", &json!({"type": "Feature", "allowMultiple": true, "outputs": [output]})));
    for name in names {
        let grant = json!({"organization": "acme", "definition": "d"});
        inventory.add_instance(instance("entitlements", name, &grant, &Value::Null));
    }
    inventory
}

fn written(evaluation: &Evaluation) -> BTreeSet<String> {
    let objects = evaluation
        .desired
        .objects
        .iter()
        .filter(|(_, desired)| matches!(desired.wish, Wish::Write(_)) && desired.grant.is_some());
    objects.map(|(key, _)| key.name.to_string()).collect()
}

/// Each grant has its turn, the others stay as they are and say so, and the end is reached.
#[test]
fn what_is_too_much_for_one_evaluation_is_gone_on_with_in_the_next() {
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    let inventory = grants(&names, "{% for i in range(10000) %}{% endfor %}{{ instance.name }}");
    let catalogue = inventory.catalogue();
    let snapshot = &inventory.snapshots(&catalogue)[0];
    let mut resume = None;
    let mut seen = Vec::new();
    for _ in 0..4 {
        let evaluation = evaluate_within(snapshot, now(), resume.as_ref(), Budget::of(50_000));
        let filled = written(&evaluation);
        for (id, outputs) in &evaluation.desired.grants {
            let is_filled = filled.contains(&*id.source.name);
            assert_eq!(
                outputs.hindered.as_ref().map(|problem| problem.reason.as_str()),
                (!is_filled).then_some("Deferred")
            );
            assert_eq!(evaluation.desired.kept.contains(id), !is_filled);
            assert_eq!(outputs.desired, 1);
        }
        assert_eq!(evaluation.desired.grants.len(), names.len());
        resume = evaluation.desired.resume;
        seen.push(filled.into_iter().collect::<String>());
    }
    assert_eq!(seen, ["ab", "cd", "ef", "ag"]);
    let evaluation = evaluate_within(snapshot, now(), resume.as_ref(), Budget::default());
    assert_eq!((written(&evaluation).len(), evaluation.desired.resume), (names.len(), None));
}

/// What one grant is too much for harms no other, and costs nothing from the second time on.
#[test]
fn one_grant_that_is_too_much_harms_no_other() {
    let mut inventory = grants(&["a"], "fine");
    let heavy = "{% for i in range(10000) %}{% for j in range(4) %}{% endfor %}{% endfor %}";
    let items: Value = (0..64).map(|index| json!({"key": format!("k{index}"), "template": heavy})).collect();
    let outputs: Value =
        (0..16).map(|index| json!({"name": format!("o{index}"), "kind": "ConfigMap", "items": items})).collect();
    inventory.add_definition(definition("heavy", &json!({"type": "Feature", "outputs": outputs})));
    inventory.add_instance(instance(
        "entitlements",
        "h",
        &json!({"organization": "acme", "definition": "heavy"}),
        &Value::Null,
    ));
    let catalogue = inventory.catalogue();
    let evaluation = evaluate_within(&inventory.snapshots(&catalogue)[0], now(), None, Budget::of(2 * MAX_OF_GRANT));
    assert_eq!(written(&evaluation), BTreeSet::from(["a".to_owned()]));
    let hindered: Vec<_> = evaluation
        .desired
        .grants
        .values()
        .map(|outputs| outputs.hindered.as_ref().map(|one| one.reason.as_str()))
        .collect();
    assert_eq!(hindered, [None, Some("TooMuchWork")]);
    assert_eq!(evaluation.desired.resume, None);
}
