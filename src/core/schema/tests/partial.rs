use rstest::rstest;
use serde_json::{Value, json};

use super::{object, schema, shown};

const ALTERNATIVES: &str = "fits none of the 2 alternatives";

#[rstest]
#[case::required(json!({"required": ["a"], "minProperties": 1}), json!({}), None)]
#[case::required_inside(json!({"properties": {"p": {"required": ["a"]}}}), json!({"p": {}}), None)]
#[case::given_values_count(
    json!({"properties": {"p": {"properties": {"a": {"maximum": 5}}, "required": ["b"]}}}),
    json!({"p": {"a": 6}}),
    Some(".p.a: 6 is more than the maximum 5")
)]
#[case::unknown_field(
    json!({"properties": {"size": true}, "additionalProperties": false}),
    json!({"sise": 6}),
    Some(".sise: unknown field; did you mean size?")
)]
#[case::list_items_are_whole(
    json!({"properties": {"l": {"items": {"required": ["a"]}}}}),
    json!({"l": [{}]}),
    Some(".l[0].a: is required")
)]
#[case::by_reference(
    json!({"properties": {"p": {"$ref": "#/$defs/p"}, "l": {"items": {"$ref": "#/$defs/p"}}},
        "$defs": {"p": {"required": ["a"]}}}),
    json!({"p": {}, "l": [{}]}),
    Some(".l[0].a: is required")
)]
#[case::one_alternative_may_still_come(
    json!({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}),
    json!({"c": 1}),
    None
)]
#[case::no_alternative_can_come(
    json!({"oneOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"a": {"const": 2}}}]}),
    json!({"a": 3}),
    Some(": ALTERNATIVES; number 1 comes closest: a: 3 is not 1, the only value allowed")
)]
#[case::conditions(
    json!({"if": {"properties": {"a": {"const": 1}}}, "then": {"required": ["b"]}, "else": false}),
    json!({"a": 2}),
    None
)]
#[case::condition_may_name_fields(
    json!({"properties": {"a": true}, "if": {"required": ["a"]}, "then": {"properties": {"b": true}},
        "unevaluatedProperties": false}),
    json!({"b": 1}),
    None
)]
#[case::fields_that_no_schema_names(
    json!({"properties": {"a": true}, "allOf": [{"properties": {"b": true}}], "unevaluatedProperties": false}),
    json!({"a": 1, "b": 1, "c": 1}),
    Some(".c: unknown field; did you mean a?")
)]
#[case::options_that_are_objects(json!({"properties": {"p": {"enum": [{"a": 1, "b": 2}]}}}), json!({"p": {"a": 1}}), None)]
#[case::options_that_are_not(
    json!({"properties": {"p": {"enum": [1, 2]}}}),
    json!({"p": 3}),
    Some(".p: 3 is none of 1, 2")
)]
#[case::negation(json!({"properties": {"p": {"not": {"maxProperties": 1}}}}), json!({"p": {"a": 1}}), None)]
fn checks_what_is_given(#[case] mut given: Value, #[case] values: Value, #[case] message: Option<&str>) {
    given["type"] = json!("object");
    let expected: Vec<String> = message
        .map(|text| format!("facets.backup{}", text.replace("ALTERNATIVES", ALTERNATIVES)))
        .into_iter()
        .collect();
    assert_eq!(shown(schema(&given).validate_partial("backup", &object(values))), expected);
}
