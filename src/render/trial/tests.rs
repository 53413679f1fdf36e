use super::super::output::CompiledOutput;
use crate::core::definition::{Definition, Problem};
use rstest::rstest;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A definition of each kind of field, with one output.
fn compile(type_: &str, facets: &Value, output: &Value) -> Result<(), Problem> {
    let mut spec = json!({"type": type_, "facets": facets, "outputs": [output]});
    if type_ != "Feature" {
        spec["unit"] = json!("seats");
        spec["amount"] = json!(3);
    }
    let spec: crate::api::EntitlementDefinitionSpec = serde_json::from_value(spec).unwrap();
    let definition = Definition::read("backup", &spec, &BTreeMap::new()).unwrap();
    CompiledOutput::compile(&definition, &spec.outputs[0], 1).map(drop)
}

fn facets() -> Value {
    json!([{"name": "f", "values": {"labels": {"team": "a"}}, "schema": {"type": "object", "properties": {
        "text": {"type": "string"},
        "many": {"type": "integer"},
        "list": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "nested": {"type": "object", "default": {}, "properties": {"a": {"type": "string"}}},
        "any": {},
        "secret": {"type": "string", "writeOnly": true},
    }}}])
}

fn template(source: &str) -> Result<(), String> {
    let output = json!({"name": "config", "kind": "Secret", "items": [{"key": "k", "template": source}]});
    compile("Feature", &facets(), &output).map_err(|problem| {
        assert_eq!(problem.reason, "InvalidTemplate");
        problem.message
    })
}

#[rstest]
#[case::text("{{ facets.f.text }}{{ facets.f.secret }}{{ facets.f.many + 1 }}")]
#[case::inside("{{ facets.f.nested.a }}{% for one in facets.f.list %}{{ one.a }}{% endfor %}")]
#[case::preset("{{ facets.f.labels.team }}")]
#[case::what_may_be_absent("{{ facets.f.labels.area | default('none') }}")]
#[case::a_number_in_a_text("{{ facets.f.text | int + 1 }}")]
#[case::a_divisor("{{ 7 // facets.f.many }}")]
#[case::of_open_type("{{ facets.f.any.x.y }}{% for one in facets.f.any %}{{ one + 1 }}{% endfor %}")]
#[case::an_end("{{ instance.end }}")]
fn lets_pass_what_some_grant_could_fill(#[case] source: &str) {
    assert_eq!(template(source), Ok(()));
}

#[rstest]
#[case("a\n{{ organization.nmae }}", r#"line 2, column 4: unknown name "organization.nmae": organization has "name", "displayName"; if it may be absent, use `default`"#)]
#[case("{{ facets.f.txt }}", r#"line 1, column 4: unknown name "facets.f.txt": facets.f has "any", "labels", "list", "many", "nested", "secret", "text"; if it may be absent, use `default`"#)]
#[case(
    "{{ facets.g.text }}",
    r#"line 1, column 4: unknown name "facets.g.text": facets has "f"; if it may be absent, use `default`"#
)]
#[case(
    "{% for one in facets.f.list %}{{ one.b }}{% endfor %}",
    r#"line 1, column 34: unknown name "one.b"; if it may be absent, use `default`"#
)]
#[case("{{ facets.f.labels.area }}", r#"line 1, column 4: unknown name "facets.f.labels.area": facets.f.labels has "team"; if it may be absent, use `default`"#)]
#[case("{{ facets.f.text + 1 }}", "line 1, column 4: `+` needs numbers, and these are a text and a number")]
#[case(
    "{{ facets.f.list }}",
    "line 1, column 4: a list has no text: use `tojson`, `toyaml` or `join`, or loop over it"
)]
#[case("{{ instance.amount }}", "line 1, column 4: null has no text: say what to write instead with `default`")]
#[case("{{ 1 // 0 }}", "line 1, column 4: `//` has no result here: a divisor is zero, or the result is too large")]
#[case(
    "{{ 'a' | trim('b') }}{{ facets.f.any }}",
    "line 1, column 10: an argument is missing, is one too many or has an unknown name: see what the filter or macro takes"
)]
#[case(
    "{% for i in range(10000) %}{% for j in range(10000) %}{% endfor %}{% endfor %}{{ facets.f.any }}",
    "line 1, column 1: the template does more work than is allowed: loop over less, or split it over several items"
)]
#[case("{{ facets.f.text | nope }}", "line 1, column 20: unknown filter \"nope\"")]
fn refuses_what_no_grant_could_fill(#[case] source: &str, #[case] message: &str) {
    let refused = template(source).unwrap_err();
    assert!(refused.starts_with(&format!("output config, k: {message}")), "{refused}");
}

#[test]
fn an_amount_is_there_where_it_is_counted() {
    let output =
        |source: &str| json!({"name": "config", "kind": "ConfigMap", "items": [{"key": "k", "template": source}]});
    assert_eq!(
        compile("Quantity", &json!([]), &output("{{ instance.amount }}/{{ total.amount }} {{ definition.unit }}")),
        Ok(())
    );
    let mut of_all = output("{{ instance.name }}");
    of_all["per"] = json!("Definition");
    let refused = compile("Feature", &json!([]), &of_all).unwrap_err();
    assert!(
        refused.message.starts_with("output config, k: line 1, column 4: unknown name \"instance.name\""),
        "{refused}"
    );
}

#[test]
fn the_name_of_the_object_is_tried_too() {
    let output = |name: &str| json!({"name": "config", "kind": "ConfigMap", "objectName": name, "items": [{"key": "k", "template": "x"}]});
    assert_eq!(compile("Feature", &facets(), &output("a-{{ facets.f.text | lower }}")), Ok(()));
    let refused = compile("Feature", &facets(), &output("a-{{ facets.f.tetx }}")).unwrap_err();
    assert_eq!(refused.reason, "InvalidTemplate");
    assert!(refused.message.starts_with("output config, objectName: line 1, column 6: unknown name"), "{refused}");
}

#[rstest]
#[case::in_one_file(json!([{"key": "e", "format": "Env"}]), "output config, e: Env: f.a-b and f.a_b would both be called F_A_B")]
#[case::in_keys(json!([{"format": "Keys"}]), "output config, Keys: Keys: f.a-b and f.a_b would both be called F_A_B")]
fn two_fields_of_one_name_are_refused(#[case] items: Value, #[case] message: &str) {
    let fields = json!({"a-b": {"type": "string"}, "a_b": {"type": "string"}});
    let facets = json!([{"name": "f", "schema": {"type": "object", "properties": fields}}]);
    let refused =
        compile("Feature", &facets, &json!({"name": "config", "kind": "ConfigMap", "items": items})).unwrap_err();
    assert_eq!(refused.reason, "InvalidOutput");
    assert!(refused.message.starts_with(message), "{refused}");
}

#[test]
fn a_key_that_a_field_takes_is_refused() {
    let items = json!([{"format": "Keys"}, {"key": "F_TEXT", "template": "x"}]);
    let refused =
        compile("Feature", &facets(), &json!({"name": "config", "kind": "ConfigMap", "items": items})).unwrap_err();
    assert_eq!(
        (refused.reason, refused.message.as_str()),
        ("InvalidOutput", "output config: two of its items fill the key F_TEXT: rename one")
    );
}

#[rstest]
#[case::in_plain(
    "ConfigMap",
    "kube-root-ca.crt",
    Some("kube-root-ca.crt, the name of an object that Kubernetes keeps")
)]
#[case::computed(
    "ConfigMap",
    "kube-{{ 'root' }}-ca.crt",
    Some("kube-root-ca.crt, the name of an object that Kubernetes keeps")
)]
#[case::of_a_release(
    "Secret",
    "sh.helm.release.v1.{{ definition.name }}.v1",
    Some("sh.helm.release.v1.backup.v1, the name of an object that Helm keeps")
)]
#[case::of_the_other_kind("Secret", "kube-root-ca.crt", None)]
#[case::left_to_the_grant("ConfigMap", "{{ facets.f.text | default('kube-root-ca.crt', true) }}", None)]
fn a_name_that_somebody_else_keeps_is_refused(#[case] kind: &str, #[case] name: &str, #[case] message: Option<&str>) {
    let items = json!([{"key": "k", "template": "x"}]);
    let output = json!({"name": "config", "kind": kind, "objectName": name, "items": items});
    let refused = compile("Feature", &facets(), &output).err();
    assert_eq!(refused.as_ref().map(|problem| problem.reason), message.map(|_| "InvalidOutput"));
    let expected =
        message.map(|message| format!("output config: objectName gives {message} in every namespace: give it another"));
    assert_eq!(refused.map(|problem| problem.message), expected);
}
