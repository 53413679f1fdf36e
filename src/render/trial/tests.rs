use super::super::output;
use crate::core::{definition::Definition, problem::Problem, reason::ReasonCode};
use rstest::rstest;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What is wrong with a definition of those outputs.
fn problems(type_: &str, facets: &Value, outputs: &Value) -> Vec<Problem> {
    let mut spec = json!({"type": type_, "facets": facets, "outputs": outputs});
    if type_ != "Feature" {
        spec["unit"] = json!("seats");
        spec["amount"] = json!(3);
    }
    let spec: crate::api::EntitlementDefinitionSpec = serde_json::from_value(spec).unwrap();
    let definition = Definition::read("backup", &spec, &BTreeMap::new()).unwrap();
    output::compile(&definition, &spec.outputs).err().unwrap_or_default()
}

/// A definition of each kind of field, with one output.
fn compile(type_: &str, facets: &Value, output: &Value) -> Result<(), Problem> {
    Problem::all(problems(type_, facets, &json!([output]))).map_or(Ok(()), Err)
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
        "often": {"type": "integer", "default": 10000},
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
#[case::an_entry_that_may_be_there("{{ facets.f.labels.area }}")]
#[case::a_second_item("{{ facets.f.list[1].a }}")]
#[case::a_second_item_that_is_set("{% set second = facets.f.list[1] %}{{ second.a }}")]
#[case::the_rest_of_a_text("{% set rest = (facets.f.text | split(':'))[1] %}{{ rest }}")]
#[case::the_first_of_what_may_be_empty(
    "{{ facets.f.text | split | first }}{{ facets.f.text | replace('sample', '') | first }}"
)]
#[case::a_part_of_a_name("{{ (instance.name | split('-'))[1] }}{{ organization.name[7] }}")]
#[case::little_work_for_small_values(
    "{% for i in range(facets.f.often) %}{% for j in range(facets.f.often) %}{% endfor %}{% endfor %}"
)]
fn lets_pass_what_some_grant_could_fill(#[case] source: &str) {
    assert_eq!(template(source), Ok(()));
}

#[rstest]
#[case("a\n{{ organization.nmae }}", r#"line 2, column 4: unknown name "organization.nmae": organization has "name", "displayName"; if it may be absent, use `default`"#)]
#[case("{{ facets.f.txt }}", r#"line 1, column 4: unknown name "facets.f.txt": facets.f has "any", "labels", "list", "many", "nested", "often", "secret", "text"; if it may be absent, use `default`"#)]
#[case(
    "{{ facets.g.text }}",
    r#"line 1, column 4: unknown name "facets.g.text": facets has "f"; if it may be absent, use `default`"#
)]
#[case(
    "{% for one in facets.f.list %}{{ one.b }}{% endfor %}",
    r#"line 1, column 34: unknown name "one.b"; if it may be absent, use `default`"#
)]
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

/// Values are made up that meet the schema.
#[rstest]
#[case::required_among_free_names(
    json!({"type": "object", "additionalProperties": {"type": "string"}, "required": ["host"]}),
    "{{ facets.f.x.host | upper }}"
)]
#[case::required_and_not_described(json!({"type": "object", "required": ["host"]}), "{{ facets.f.x.host }}")]
#[case::host_and_port(json!({"type": "string", "pattern": "^[a-z.]+:[0-9]+$"}), "{{ (facets.f.x | split(':'))[1] | int }}")]
#[case::schedule(json!({"type": "string", "pattern": "^[^ ]+( [^ ]+){4}$"}), "{{ (facets.f.x | split)[1] }}")]
#[case::optional_port(json!({"type": "string", "pattern": "^[a-z.]*(:[0-9]+)?$"}), "{{ (facets.f.x | split(':'))[1] }}")]
#[case::three_hosts(
    json!({"type": "array", "items": {"type": "string"}, "minItems": 3}),
    "{{ facets.f.x[2] }}"
)]
#[case::named_by_pattern(
    json!({"type": "object", "patternProperties": {"^db-": {"type": "string"}}, "additionalProperties": false, "minProperties": 1}),
    "{% for name, value in facets.f.x | items %}{{ name[3:] }}={{ value }}{% endfor %}{{ facets.f.x['db-1'] }}"
)]
#[case::one_of_several(
    json!({"oneOf": [{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false},
                     {"type": "object", "properties": {"b": {"type": "string"}}, "required": ["b"], "additionalProperties": false}]}),
    "{{ facets.f.x.a }}"
)]
#[case::base64(json!({"type": "string", "pattern": "^(?:[A-Za-z0-9+/]{4})+$"}), "{{ facets.f.x | b64decode }}")]
#[case::impossible_to_make_up(json!({"type": "object", "not": {"required": ["a"]}, "properties": {"a": {"type": "string"}}}), "{{ facets.f.x.b }}")]
fn values_meet_their_schema(#[case] schema: Value, #[case] source: &str) {
    let facets = json!([{"name": "f", "schema": {"type": "object", "properties": {"x": schema}, "required": ["x"]}}]);
    let output = json!({"name": "config", "kind": "ConfigMap", "items": [{"key": "k", "template": source}]});
    assert_eq!(compile("Feature", &facets, &output), Ok(()));
    // What is wrong whatever the values are is found all the same.
    let output =
        json!({"name": "config", "kind": "ConfigMap", "items": [{"key": "k", "template": "{{ facets.f.y }}"}]});
    assert!(compile("Feature", &facets, &output).is_err());
}

#[test]
fn an_amount_is_there_where_it_is_counted() {
    let output =
        |source: &str| json!({"name": "config", "kind": "ConfigMap", "items": [{"key": "k", "template": source}]});
    assert_eq!(
        compile("Quantity", &json!([]), &output("{{ instance.amount }}/{{ total.amount }} {{ definition.unit }}")),
        Ok(())
    );
}

/// What a definition is held for several times is named for none of its grants; what is held once is for one.
#[test]
fn a_grant_is_there_unless_one_object_is_for_several_that_are_apart() {
    let tried = |allow_multiple: bool, per: &str| {
        let items = json!([{"key": "k", "template": "{{ instance.kind }} {{ instance.name }} {{ chain.name }}"}]);
        let outputs = json!([{"name": "config", "kind": "ConfigMap", "per": per, "items": items}]);
        let spec = json!({"type": "Feature", "allowMultiple": allow_multiple, "outputs": outputs});
        let spec: crate::api::EntitlementDefinitionSpec = serde_json::from_value(spec).unwrap();
        let definition = Definition::read("backup", &spec, &BTreeMap::new()).unwrap();
        output::compile(&definition, &spec.outputs).map(drop).map_err(|problems| problems[0].message.clone())
    };
    for (allow_multiple, per) in [(true, "Instance"), (false, "Instance"), (false, "Definition")] {
        assert_eq!(tried(allow_multiple, per), Ok(()));
    }
    let refused = tried(true, "Definition").unwrap_err();
    let message = "output config, k: line 1, column 4: unknown name \"instance.kind\"";
    assert!(refused.starts_with(message), "{refused}");
}

#[test]
fn an_amount_may_be_another() {
    let config = json!({"name": "config", "kind": "ConfigMap", "items": [{"key": "k", "template":
        "{{ instance.amount | int }}{% for i in range(total.amount | int) %}{% for j in range(total.amount | int) %}{% endfor %}{% endfor %}"}]});
    for amount in [json!("Unlimited"), json!(10_000)] {
        let spec = json!({"type": "Quantity", "unit": "seats", "amount": amount, "outputs": [config]});
        let spec: crate::api::EntitlementDefinitionSpec = serde_json::from_value(spec).unwrap();
        let definition = Definition::read("backup", &spec, &BTreeMap::new()).unwrap();
        assert_eq!(output::compile(&definition, &spec.outputs).map(drop), Ok(()));
    }
}

#[test]
fn the_name_of_the_object_is_tried_too() {
    let output = |name: &str| json!({"name": "config", "kind": "ConfigMap", "objectName": name, "items": [{"key": "k", "template": "x"}]});
    assert_eq!(compile("Feature", &facets(), &output("a-{{ facets.f.text | lower }}")), Ok(()));
    let refused = compile("Feature", &facets(), &output("a-{{ facets.f.tetx }}")).unwrap_err();
    assert_eq!((refused.reason.as_str(), refused.pointer.as_str()), ("InvalidTemplate", "/outputs/0/objectName"));
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
        (refused.reason.as_str(), refused.message.as_str()),
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
    assert_eq!(refused.as_ref().map(|problem| problem.reason.as_str()), message.map(|_| "InvalidOutput"));
    let expected =
        message.map(|message| format!("output config: objectName gives {message} in every namespace: give it another"));
    assert_eq!(refused.map(|problem| problem.message), expected);
}

/// An output with a template that is right, and what else is given.
fn with(other: &Value) -> Value {
    let mut output = json!({"name": "c", "kind": "ConfigMap", "items": [{"key": "k", "template": "x"}]});
    output.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    output
}

#[rstest]
#[case::label_key(json!({"labels": {"bad key!": "x"}}), "/labels/bad key!", "the label bad key! must be at most 63 letters")]
#[case::label_prefix(json!({"labels": {"a/b/c": "x"}}), "/labels/a~1b~1c", "the label a/b/c must be at most 63 letters")]
#[case::label_value(json!({"labels": {"a": "x y"}}), "/labels/a", "the value of the label a must be empty, or at most")]
#[case::long_label_value(json!({"labels": {"a": "x".repeat(64)}}), "/labels/a", "the value of the label a must be empty")]
#[case::annotation_key(json!({"annotations": {"bad/key/x": "x"}}), "/annotations/bad~1key~1x", "the annotation bad/key/x must")]
#[case::annotation_bytes(json!({"annotations": {"a": "x".repeat(200_000), "b": "x".repeat(60_000)}}), "/annotations", "its annotations have 260002 bytes, and there is room for 258048: shorten them")]
#[case::dots(json!({"items": [{"key": "..data", "template": "1"}]}), "/items/0/key", "the key ..data must not be '.' and must not begin with '..'")]
#[case::dot(json!({"items": [{"key": ".", "template": "1"}]}), "/items/0/key", "the key . must not be '.'")]
#[case::slash(json!({"items": [{"key": "a/b", "format": "Json"}]}), "/items/0/key", "the key a/b must be 1 to 253")]
#[case::long_key(json!({"items": [{"key": "k".repeat(254), "template": "1"}]}), "/items/0/key", "the key kkk")]
#[case::twice(json!({"items": [{"key": "k", "template": "1"}, {"key": "k", "format": "Env"}]}), "/items/1/key", "two of its items fill the key k: rename one")]
#[case::name(json!({"objectName": "Storage"}), "/objectName", "objectName \"Storage\" gives no name for an object: it must")]
#[case::name_begins(json!({"objectName": "-{{ chain.name }}"}), "/objectName", "objectName \"-{{ chain.name }}\" gives no name")]
#[case::name_ends(json!({"objectName": "{{ chain.name }}."}), "/objectName", "objectName \"{{ chain.name }}.\" gives no name")]
#[case::name_within(json!({"objectName": "{{ chain.name }}_{{ facets.f.text }}"}), "/objectName", "objectName \"{{ chain.name }}_")]
#[case::long_name(json!({"objectName": format!("{}{{{{ chain.name }}}}", "x".repeat(254))}), "/objectName", "objectName \"xxx")]
#[case::known_name(json!({"objectName": "{{ definition.type }}"}), "/objectName", "objectName gives \"Feature\", which is no name")]
#[case::type_of_a_config_map(json!({"type": "Opaque"}), "/type", "type is that of a Secret: remove it, or use kind Secret")]
#[case::no_type(json!({"kind": "Secret", "type": "a b"}), "/type", "type must be 1 to 253 ASCII characters without spaces")]
#[case::token(json!({"kind": "Secret", "type": "kubernetes.io/service-account-token"}), "/type", "type must not be kubernetes.io/service-account-token or")]
#[case::bootstrap_token(json!({"kind": "Secret", "type": "bootstrap.kubernetes.io/token"}), "/type", "type must not be")]
#[case::no_certificate(json!({"kind": "Secret", "type": "kubernetes.io/tls"}), "/type", "a Secret of type kubernetes.io/tls needs the key tls.crt, and no item fills it: add an item")]
#[case::keys_are_no_files(json!({"kind": "Secret", "type": "kubernetes.io/basic-auth", "items": [{"format": "Keys"}]}), "/type", "a Secret of type kubernetes.io/basic-auth needs the key username or password")]
#[case::no_json(
    docker("no JSON"),
    "/items/0/template",
    "the key .dockerconfigjson of a Secret of type kubernetes.io/dockerconfigjson has to hold one JSON object, such as"
)]
#[case::of_the_definition(
    docker("{{ definition.name }}"),
    "/items/0/template",
    "the key .dockerconfigjson of a Secret"
)]
#[case::open_json(
    docker(r#"{"auths": {"r": {"auth": "{{ facets.f.secret | b64encode }}"}}"#),
    "/items/0/template",
    "the key .dockerconfigjson of a Secret"
)]
#[case::no_ssh_key(json!({"kind": "Secret", "type": "kubernetes.io/ssh-auth", "items": [{"key": "ssh-privatekey", "template": ""}]}), "/items/0/template", "the key ssh-privatekey of a Secret of type kubernetes.io/ssh-auth has to hold a key, and it is empty")]
fn refuses_what_the_api_server_would(#[case] other: Value, #[case] pointer: &str, #[case] message: &str) {
    let found = problems("Feature", &facets(), &json!([with(&other)]));
    let [problem] = &found[..] else { panic!("{found:?}") };
    assert_eq!(
        (problem.reason.as_str(), problem.pointer.as_str()),
        ("InvalidOutput", format!("/outputs/0{pointer}").as_str())
    );
    assert!(problem.message.starts_with(&format!("output c: {message}")), "{problem}");
}

fn docker(template: &str) -> Value {
    let item = json!({"key": ".dockerconfigjson", "template": template});
    json!({"kind": "Secret", "type": "kubernetes.io/dockerconfigjson", "items": [item]})
}

#[rstest]
#[case::keys_and_values(json!({
    "labels": {"example.com/Team": "", "tier": "1.5-a_B"},
    "annotations": {"Example.com/note": "any text\nat all", "n": "x".repeat(200_000)},
    "items": [{"key": ".a", "template": ""}, {"key": "A_b-c..d", "template": ""}, {"format": "Keys"}],
}))]
#[case::names(json!({"objectName": "{{ organization.displayName }}.{{ chain.name }}-x"}))]
#[case::a_name_of_the_facets(json!({"objectName": "{{ facets.f.text }}"}))]
#[case::a_name_that_depends(json!({"objectName": "{% if facets.f.many %}A{% else %}b{% endif %}"}))]
#[case::a_name_of_set_parts(json!({"objectName": "{% set a = chain.name %}{{ a }}"}))]
#[case::as_long_as_a_name(json!({"objectName": format!("{}{{{{ chain.name }}}}", "x".repeat(253))}))]
#[case::any_type(json!({"kind": "Secret", "type": "helm.sh/release.v1"}))]
#[case::opaque(json!({"kind": "Secret", "type": "Opaque"}))]
#[case::certificate(json!({"kind": "Secret", "type": "kubernetes.io/tls", "items": [
    {"key": "tls.crt", "template": "{{ facets.f.secret }}"}, {"key": "tls.key", "template": ""}, {"key": "ca.crt", "template": ""},
]}))]
#[case::user(json!({"kind": "Secret", "type": "kubernetes.io/basic-auth", "items": [{"key": "username", "template": ""}]}))]
#[case::json_as_a_field(docker("{{ facets.f.secret }}"))]
#[case::json_with_a_field(docker(
    r#"{"auths": {"r": {"auth": "{{ ("u:" ~ facets.f.secret) | b64encode }}", "e": "\"{{ facets.f.text }}\\"}}}"#
))]
#[case::json_with_parts(docker(r#"{"auths": { {%- for one in facets.f.list %}"{{ one.a }}": {}{% endfor %}}}"#))]
#[case::json_of_a_field(docker(r#"{"auths": {"r": {"auth": {{ facets.f.secret | tojson }}}}}"#))]
#[case::json_by_format(json!({"kind": "Secret", "type": "kubernetes.io/dockerconfigjson", "items": [{"key": ".dockerconfigjson", "format": "Json"}]}))]
fn takes_what_the_api_server_takes(#[case] other: Value) {
    assert_eq!(problems("Feature", &facets(), &json!([with(&other)])), []);
}

#[test]
fn all_that_is_wrong_is_told_at_once_and_where() {
    let item = |source: &str| json!({"key": format!("k{}", source.len()), "template": source});
    let outputs = json!([
        with(
            &json!({"name": "a", "objectName": "{{ nope }}", "labels": {"x y": "-"}, "items": [item("{{ a.b"), item("fine"), item("{{ 1 | nope }}")]})
        ),
        with(
            &json!({"name": "b", "items": [item("{{ facets.f.txt }}"), item("{{ instance.na }}"), {"key": "z", "format": "Json", "facets": ["g"]}]})
        ),
        with(&json!({"name": "c", "items": [item("{{ facets.f.txt }}"), item("{{ instance.na }}")]})),
        with(&json!({"name": "d"})),
    ]);
    let found = problems("Feature", &facets(), &outputs);
    let places: Vec<_> = found.iter().map(|problem| (problem.pointer.as_str(), problem.reason.as_str())).collect();
    assert_eq!(
        places,
        [
            ("/outputs/0/labels/x y", "InvalidOutput"),
            ("/outputs/0/labels/x y", "InvalidOutput"),
            ("/outputs/0/items/0/template", "InvalidTemplate"),
            ("/outputs/0/items/2/template", "InvalidTemplate"),
            ("/outputs/0/objectName", "InvalidTemplate"),
            ("/outputs/1/items/2/facets", "InvalidOutput"),
            ("/outputs/1/items/0/template", "InvalidTemplate"),
            ("/outputs/1/items/1/template", "InvalidTemplate"),
            ("/outputs/2/items/0/template", "InvalidTemplate"),
            ("/outputs/2/items/1/template", "InvalidTemplate"),
        ]
    );
    let all = Problem::all(found).unwrap();
    assert_eq!(all.message.matches("; output ").count(), 9, "{all}");
}

#[rstest]
#[case::literal(json!({"objectName": "x"}), json!({"objectName": "x"}), false)]
#[case::known(json!({"objectName": "backup-a"}), json!({"objectName": "{{ definition.name }}-{{ 'a' }}"}), false)]
#[case::per(json!({"objectName": "x"}), json!({"objectName": "x", "per": "Definition"}), false)]
#[case::per_of_a_template(
    json!({"objectName": "{{ instance.name }}"}),
    json!({"objectName": "{{ instance.name }}", "per": "Definition"}),
    false
)]
#[case::template(json!({"objectName": "{{ facets.f.text }}"}), json!({"objectName": "{{ facets.f.text }}"}), false)]
#[case::of_the_output(json!({"objectName": "{{ output.name }}"}), json!({"objectName": "{{ output.name }}"}), true)]
#[case::default(json!({}), json!({}), true)]
#[case::default_taken(json!({}), json!({"objectName": "backup-c"}), false)]
#[case::another(json!({"objectName": "x"}), json!({"objectName": "y"}), true)]
#[case::another_kind(json!({"objectName": "x"}), json!({"objectName": "x", "kind": "Secret"}), true)]
#[case::a_sample(json!({"objectName": "sample"}), json!({"objectName": "{{ organization.name }}"}), true)]
fn two_outputs_have_two_objects(#[case] first: Value, #[case] second: Value, #[case] is_right: bool) {
    let mut second = with(&second);
    second["name"] = json!("d");
    let found = problems("Feature", &facets(), &json!([with(&first), second]));
    if is_right {
        assert_eq!(found, []);
        return;
    }
    let message =
        "output d: its ConfigMap would have the same name as that of output c: give one of the two another objectName";
    assert_eq!(found, [Problem::new(ReasonCode::InvalidOutput, message).at("/outputs/1/objectName")]);
}

/// A schema of just such values.
fn schema_of(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let properties: serde_json::Map<_, _> =
                fields.iter().map(|(name, field)| (name.clone(), schema_of(field))).collect();
            json!({"type": "object", "properties": properties})
        }
        Value::Array(items) => json!({"type": "array", "items": items.first().map_or(json!({}), schema_of)}),
        Value::String(_) => json!({"type": "string"}),
        Value::Bool(_) => json!({"type": "boolean"}),
        Value::Number(_) => json!({"type": "integer"}),
        Value::Null => json!({"type": ["string", "null"]}),
    }
}

/// Every example of `docs/templates.md` that gives something is taken in a definition with such fields.
#[test]
fn the_documentation_s_templates_are_taken() {
    let document = include_str!("../../../docs/templates.md");
    let blocks: Vec<(&str, &str)> =
        document.split("```").skip(1).step_by(2).map(|block| block.split_once('\n').unwrap()).collect();
    let context: Value = serde_json::from_str(blocks[0].1).unwrap();
    let facets: Value = context["facets"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, fields)| json!({"name": name, "schema": schema_of(fields)}))
        .collect();
    let mut tried = 0;
    for pair in blocks[1..].chunks_exact(2).filter(|pair| pair[1].0 == "text") {
        let output = json!({"name": "settings", "kind": "Secret", "items": [{"key": "k", "template": pair[0].1}]});
        assert_eq!(compile("Quantity", &facets, &output), Ok(()), "{}", pair[0].1);
        tried += 1;
    }
    assert!(tried > 25, "{tried}");
}
