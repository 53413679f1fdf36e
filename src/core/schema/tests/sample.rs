use rstest::rstest;
use serde_json::{Value, json};
use std::collections::BTreeSet;

use super::schema;

#[rstest]
#[case(json!({"default": 7}), json!(7))]
#[case(json!({"const": "c"}), json!("c"))]
#[case(json!({"enum": ["e", "f"]}), json!("e"))]
#[case(json!({"examples": ["x"]}), json!("x"))]
#[case(json!({"type": "boolean"}), json!(false))]
#[case(json!({"type": "integer"}), json!(0))]
#[case(json!({"type": "integer", "minimum": 3}), json!(3))]
#[case(json!({"type": "integer", "exclusiveMinimum": 3}), json!(4))]
#[case(json!({"type": "integer", "maximum": -2}), json!(-2))]
#[case(json!({"type": "integer", "minimum": 5, "multipleOf": 4}), json!(8))]
#[case(json!({"type": "number", "exclusiveMinimum": 0}), json!(0.5))]
#[case(json!({"type": "string"}), json!("sample"))]
#[case(json!({"type": "string", "minLength": 8}), json!("samplesa"))]
#[case(json!({"type": "string", "maxLength": 3}), json!("sam"))]
#[case(json!({"type": ["null", "string"]}), json!("sample"))]
#[case(json!({"format": "date"}), json!("2027-01-31"))]
#[case(json!({"type": "array", "items": {"type": "integer"}}), json!([0]))]
#[case(json!({"type": "array", "items": {"type": "integer"}, "minItems": 2}), json!([0, 0]))]
#[case(json!({"prefixItems": [{"const": 1}], "type": "array"}), json!([1]))]
#[case(json!({"properties": {"a": {"type": "boolean"}, "no": false}}), json!({"a": false}))]
#[case(json!({"allOf": [{"properties": {"a": {"const": 1}}}], "properties": {"b": {"const": 2}}}), json!({"a": 1, "b": 2}))]
#[case(json!({"$ref": "#/$defs/d"}), json!("d"))]
#[case(json!({"type": "string", "writeOnly": true}), json!("sample"))]
#[case(json!({}), json!(null))]
#[case(json!({"type": "object", "properties": {"a": {"const": 1}}, "default": {}}), json!({"a": 1}))]
#[case(json!({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"const": 2}}, "default": {"a": 3}}), json!({"a": 3, "b": 2}))]
#[case(json!({"type": "array", "items": {"const": 1}, "default": []}), json!([1]))]
#[case(json!({"type": "array", "items": false}), json!([]))]
fn makes_up(#[case] rules: Value, #[case] value: Value) {
    let schema = schema(&json!({"type": "object", "properties": {"x": rules}, "$defs": {"d": {"const": "d"}}}));
    assert_eq!(Value::Object(schema.sample().values), json!({ "x": value }));
    let mut plain = schema.sample().values;
    plain.retain(|name, _| !schema.secret_fields().contains(name));
    assert_eq!(schema.validate("backup", &plain, &BTreeSet::new()), Ok(()));
}

#[test]
fn ends_on_recursive_schemas() {
    let node =
        json!({"properties": {"a": {"$ref": "#/$defs/n"}, "b": {"$ref": "#/$defs/n"}, "c": {"$ref": "#/$defs/n"}}});
    let schema = schema(&json!({"type": "object", "properties": {"x": {"$ref": "#/$defs/n"}}, "$defs": {"n": node}}));
    let text = Value::Object(schema.sample().values).to_string();
    assert!(text.matches(':').count() <= 3 * 2_000 + 1);
}

#[rstest]
#[case(json!({"type": "string"}), false)]
#[case(json!({"type": ["string", "null"]}), false)]
#[case(json!({"type": "integer", "minimum": 3}), false)]
#[case(json!({"format": "date"}), false)]
#[case(json!({"const": 3}), false)]
#[case(json!({"enum": ["a", null, "b"]}), false)]
#[case(json!({"enum": ["a", 1]}), true)]
#[case(json!({}), true)]
#[case(json!(true), true)]
#[case(json!({"type": ["string", "integer"]}), true)]
#[case(json!({"anyOf": [{"type": "string"}, {"type": "integer"}]}), true)]
#[case(json!({"type": "object"}), false)]
#[case(json!({"type": "object", "properties": {"a": {"type": "string"}}}), false)]
#[case(json!({"type": "object", "properties": {"a": {}}}), true)]
#[case(json!({"type": "array", "items": {"type": "string"}}), false)]
#[case(json!({"type": "array"}), true)]
fn says_which_fields_are_open(#[case] rules: Value, #[case] is_open: bool) {
    let schema = schema(&json!({"type": "object", "properties": {"x": rules, "other": {"type": "string"}}}));
    let open = if is_open { BTreeSet::from(["x".to_owned()]) } else { BTreeSet::new() };
    assert_eq!(schema.sample().open, open);
}
