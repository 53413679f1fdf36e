use proptest::{prelude::*, test_runner::TestRunner};
use rstest::rstest;
use serde_json::{Value, json};
use std::collections::BTreeSet;

use super::{super::Schema, schema};

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
#[case(json!({"type": "string", "pattern": "^[a-z.]+:[0-9]+$"}), json!("a:0"))]
#[case(json!({"type": "string", "pattern": "^[^ ]+( [^ ]+){4}$"}), json!("a a a a a"))]
#[case(json!({"type": "string", "pattern": "^[a-z]{2,}$", "minLength": 5}), json!("aaaaa"))]
#[case(json!({"type": "string", "pattern": "^x?[a-z]{0,3}$", "maxLength": 1}), json!(""))]
#[case(json!({"type": "string", "pattern": "^(eu|us)-[0-9]$"}), json!("eu-0"))]
#[case(json!({"type": "string", "pattern": "[0-9]", "minLength": 4}), json!("0aaa"))]
#[case(json!({"type": "string", "pattern": "^\\d{4}-\\w+$"}), json!("0000-a"))]
#[case(json!({"allOf": [{"type": "string", "pattern": "^a"}, {"pattern": "^[ab]{3}$"}]}), json!("aaa"))]
#[case(json!({"type": "string", "format": "date-time"}), json!("2027-01-31T12:00:00.0Z"))]
#[case(json!({"type": "string", "format": "uri", "minLength": 24}), json!("https://example.com/aaaa"))]
#[case(json!({"type": "string", "format": "email", "minLength": 20}), json!("nameeeee@example.com"))]
#[case(json!({"type": "string", "format": "uri", "pattern": "^https://[a-z]+\\.test/"}), json!("https://a.test/"))]
#[case(json!({"type": "array", "items": {"type": "string"}, "minItems": 2, "uniqueItems": true}), json!(["sample", "sample1"]))]
#[case(json!({"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2, "uniqueItems": true}), json!(["a", "b"]))]
#[case(json!({"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 2, "uniqueItems": true}), json!([1, 2]))]
#[case(json!({"type": "array", "items": {"type": "string"}, "contains": {"const": "x"}}), json!(["x"]))]
#[case(json!({"type": "array", "items": {"type": "string"}, "maxItems": 0}), json!([]))]
#[case(json!({"type": "object", "additionalProperties": {"type": "string"}, "required": ["host"]}), json!({"host": "sample"}))]
#[case(json!({"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 2}), json!({"sample": 0, "sample1": 0}))]
#[case(json!({"type": "object", "patternProperties": {"^db-[0-9]$": {"type": "string"}}, "additionalProperties": false, "minProperties": 1}), json!({"db-0": "sample"}))]
#[case(json!({"type": "object", "properties": {"a": {"type": "string"}}, "dependentRequired": {"a": ["b"]}}), json!({"a": "sample", "b": null}))]
#[case(json!({"type": "number", "minimum": 0.25, "multipleOf": 0.1}), json!(0.3))]
#[case(json!({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.5}), json!(0.25))]
#[case(json!({"type": "integer", "minimum": 9_007_199_254_740_993_u64}), json!(9_007_199_254_740_993_u64))]
#[case(json!({"type": "integer", "minimum": 0.5}), json!(1))]
#[case(json!({"type": "integer", "maximum": -2.5}), json!(-3))]
#[case(json!({"enum": [null, "a"]}), json!("a"))]
#[case(json!({"anyOf": [{"const": "a"}, {"const": "b"}], "not": {"const": "a"}}), json!("b"))]
#[case(json!({"type": "string", "examples": ["bad", "ok"], "pattern": "^ok$"}), json!("ok"))]
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

#[test]
fn what_could_not_be_made_up_is_in_doubt() {
    let schema = schema(&json!({"type": "object", "properties": {
        "odd": {"type": "string", "allOf": [{"pattern": "^a"}, {"pattern": "b$"}, {"pattern": "^.{7}$"}]},
        "none": {"type": "object", "properties": {"a": {"type": "string"}}, "not": {"required": ["a"]}},
        "fine": {"type": "string", "pattern": "^x$"},
    }}));
    let sample = schema.sample();
    assert_eq!(schema.doubts(&sample.values), BTreeSet::from(["none".to_owned(), "odd".to_owned()]));
    assert_eq!(sample.values["fine"], json!("x"));
}

#[test]
fn a_bare_sample_leaves_defaults_aside() {
    let schema = schema(&json!({"type": "object", "properties": {"x": {"type": "integer", "default": 10_000}}}));
    assert_eq!(Value::Object(schema.bare_sample().values), json!({"x": 0}));
}

#[rstest]
#[case(json!({"type": "object"}), true)]
#[case(json!({"type": "object", "additionalProperties": {"type": "string"}}), true)]
#[case(json!({"type": "object", "properties": {"a": {}}, "patternProperties": {"^b": {}}}), true)]
#[case(json!({"type": "object", "properties": {"a": {"type": "string"}}}), false)]
#[case(json!({"type": "object", "additionalProperties": false}), false)]
#[case(json!({"type": "array", "items": {"type": "object", "additionalProperties": true}}), true)]
#[case(json!({"type": "string"}), false)]
fn says_which_fields_may_have_other_entries(#[case] rules: Value, #[case] is_free: bool) {
    let schema = schema(&json!({"type": "object", "properties": {"x": rules}}));
    assert_eq!(!schema.sample().free.is_empty(), is_free);
}

/// Whatever a schema asks for, what is made up meets it or is in doubt, and is the same each time.
#[test]
fn is_valid_or_in_doubt() {
    let leaf = prop_oneof![
        Just(json!({"type": "string"})),
        ("[a-c]{0,2}[\\[]a-z0-9-[\\]](\\{1,4\\}|\\+|\\*|\\?)?", 0..9_u8).prop_map(|(pattern, least)| json!({"type": "string", "pattern": pattern, "minLength": least})),
        (-9..9_i32, 0..9_i32, 1..5_i32).prop_map(|(low, size, step)| json!({"type": "integer", "minimum": low, "maximum": low + size, "multipleOf": step})),
        (-9..9_i32, 1..9_i32).prop_map(|(low, size)| json!({"type": "number", "exclusiveMinimum": f64::from(low) / 4.0, "exclusiveMaximum": f64::from(low + size) / 4.0})),
        Just(json!({"enum": ["a", 1, null]})),
        Just(json!({"type": "boolean"})),
    ];
    let schemas = leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), 0..4_u8, any::<bool>()).prop_map(|(items, least, unique)| json!({"type": "array", "items": items, "minItems": least, "uniqueItems": unique})),
            (inner.clone(), inner.clone(), 0..4_u8).prop_map(|(a, others, least)| json!({"type": "object", "properties": {"a": a}, "additionalProperties": others, "minProperties": least, "required": ["b"]})),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| json!({"anyOf": [one, other]})),
            (inner.clone(), inner).prop_map(|(one, other)| json!({"oneOf": [one, {"not": other}]})),
        ]
    });
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() });
    let result = runner.run(&schemas, |rules| {
        let Ok(schema) = Schema::compile(&json!({"type": "object", "properties": {"x": rules}})) else { return Ok(()) };
        let values = schema.sample().values;
        let is_valid = schema.validate("f", &values, &BTreeSet::new()).is_ok();
        prop_assert_eq!(is_valid, schema.doubts(&values).is_empty());
        prop_assert_eq!(values, schema.sample().values);
        Ok(())
    });
    assert_eq!(result, Ok(()));
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
