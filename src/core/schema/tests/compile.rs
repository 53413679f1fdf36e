use rstest::rstest;
use serde_json::{Value, json};

use super::super::{Schema, canonical_hash};
use super::{messages, refused, schema};
use crate::core::secret::Secret;

const NOT_OBJECT: &str = "schema/type: must be `object` at the root, as a facet is a set of fields";

#[rstest]
#[case(json!(true), "schema: must be an object with `type: object`, as a facet is a set of fields")]
#[case(json!({}), NOT_OBJECT)]
#[case(json!({"type": "string"}), NOT_OBJECT)]
#[case(json!({"type": ["object", "null"]}), NOT_OBJECT)]
#[case(
    json!({"type": "object", "$schema": "http://json-schema.org/draft-07/schema#"}),
    "schema/$schema: only JSON Schema 2020-12 is understood; remove it or write https://json-schema.org/draft/2020-12/schema"
)]
#[case(
    json!({"type": "object", "properties": {"a": {"$schema": "https://json-schema.org/draft/2020-12/schema"}}}),
    "schema/properties/a/$schema: is allowed at the root only; remove it"
)]
#[case(
    json!({"type": "object", "$defs": {"a": {"$id": "https://example.com/a"}}}),
    "schema/$defs/a/$id: is allowed at the root only; remove it, and refer to this part by its place, such as `#/$defs/…`"
)]
#[case(
    json!({"type": "object", "properties": {"a": {"$ref": "file:///etc/passwd"}}}),
    "schema/properties/a/$ref: `file:///etc/passwd` is outside of this schema, and nothing is fetched; copy it under \
     $defs and refer to `#/$defs/…`"
)]
#[case(
    json!({"type": "object", "properties": {"a": {"$dynamicRef": "https://example.com/a"}}}),
    "schema/properties/a/$dynamicRef: `https://example.com/a` is outside of this schema, and nothing is fetched; copy it \
     under $defs and refer to `#/$defs/…`"
)]
#[case(
    json!({"type": "object", "$id": "https://example.com/a", "properties": {"a": {"$ref": "https://example.com/ab"}}}),
    "schema/properties/a/$ref: `https://example.com/ab` is outside of this schema, and nothing is fetched; copy it under \
     $defs and refer to `#/$defs/…`"
)]
#[case::one_message_for_an_inner_id(
    json!({
        "type": "object", "properties": {"a": {"$ref": "https://example.com/b"}, "b": {"$ref": "https://example.com/b#/$defs/c"}},
        "$defs": {"b": {"$id": "https://example.com/b", "$ref": "#/$defs/c", "$defs": {"c": {}}}},
    }),
    "schema/$defs/b/$id: is allowed at the root only; remove it, and refer to this part by its place, such as `#/$defs/…`"
)]
#[case::one_message_for_an_inner_anchor_as_draft_4_had_it(
    json!({"type": "object", "$defs": {"b": {"$id": "#b"}}}),
    "schema/$defs/b/$id: is allowed at the root only; remove it, and refer to this part by its place, such as `#/$defs/…`"
)]
#[case::one_message_for_what_is_no_object(
    json!({"type": "text"}),
    "schema/type: must be `object` at the root, as a facet is a set of fields"
)]
#[case::one_message_for_dependencies(
    json!({"type": "object", "dependencies": {"a": 5}}),
    "schema/dependencies: is not of JSON Schema 2020-12; write dependentRequired or dependentSchemas"
)]
#[case(json!({"type": "object", "$ref": "#/$defs/a"}), "schema/$ref: `#/$defs/a` is no schema in here; correct it")]
#[case(json!({"type": "object", "$ref": "#a"}), "schema/$ref: `#a` is no schema in here; correct it")]
#[case(json!({"type": "object", "$ref": "#/%zz"}), "schema/$ref: `#/%zz` is no schema in here; correct it")]
#[case(
    json!({"type": "object", "x-own": {"a": {}}, "properties": {"a": {"$ref": "#/x-own/a"}}}),
    "schema/properties/a/$ref: `#/x-own/a` is no schema in here; correct it"
)]
#[case(
    json!({"type": "object", "properties": {"a": {"enum": [{}]}, "b": {"$ref": "#/properties/a/enum/0"}}}),
    "schema/properties/b/$ref: `#/properties/a/enum/0` is no schema in here; correct it"
)]
#[case(
    json!({"type": "object", "properties": {"a": {"$recursiveRef": "#"}}}),
    "schema/properties/a/$recursiveRef: is not of JSON Schema 2020-12; write $ref"
)]
#[case(
    json!({"type": "object", "dependencies": {"a": ["b"]}}),
    "schema/dependencies: is not of JSON Schema 2020-12; write dependentRequired or dependentSchemas"
)]
#[case(
    json!({"type": "object", "properties": {"a": {"$anchor": "x"}, "b": {"$anchor": "x"}}}),
    "schema/properties/b/$anchor: `x` is used twice; rename one"
)]
#[case(
    json!({"type": "object", "properties": {"a": 5}}),
    "schema/properties/a: 5 is a number, expected a boolean or an object"
)]
#[case(
    json!({"type": "object", "properties": {"a": {"minimum": "3"}}}),
    r#"schema/properties/a/minimum: "3" is a string, expected a number"#
)]
#[case(
    json!({"type": "object", "properties": {"a": {"type": "text"}}}),
    r#"schema/properties/a/type: fits none of the 2 alternatives; number 1 comes closest: "text" is none of "array", "boolean", "integer", "null", "number", "object", "string""#
)]
#[case(
    json!({"type": "object", "required": ["a", "a"]}),
    "schema/required: has the same item more than once"
)]
#[case(
    json!({"type": "object", "properties": {"a": {"format": "int32"}}}),
    "schema/properties/a/format: `int32` is no format of texts; for numbers state minimum and maximum instead"
)]
#[case(
    json!({"type": "object", "properties": {"a": {"format": "e-mail"}}}),
    "schema/properties/a/format: unknown format `e-mail`; did you mean email?; known are date, date-time, duration, email, \
     hostname, idn-email, idn-hostname, ipv4, ipv6, iri, iri-reference, json-pointer, password, regex, relative-json-pointer, \
     time, uri, uri-reference, uri-template, uuid: correct it, or remove it and state a pattern"
)]
#[case(
    json!({"type": "object", "properties": {"a": {"pattern": "["}}}),
    "schema/properties/a/pattern: the pattern `[` is not a regular expression; correct it"
)]
#[case(
    json!({"type": "object", "properties": {"a": {"pattern": "^(?=a)b"}}}),
    "schema/properties/a/pattern: the pattern `^(?=a)b` uses look-around or a back-reference, which cannot be matched in \
     linear time; write it without"
)]
#[case(
    json!({"type": "object", "patternProperties": {"(a)\\1": true}}),
    "schema/patternProperties/(a)\\1: the pattern `(a)\\1` uses look-around or a back-reference, which cannot be matched \
     in linear time; write it without"
)]
#[case(
    json!({"type": "object", "properties": {"a": {"pattern": "^.{1,2000}x$"}}}),
    "schema/properties/a/pattern: the pattern `^.{1,2000}x$` is too large once its counted repetitions are written out; \
     lower the counts, or state the length by maxLength"
)]
fn refuses(#[case] given: Value, #[case] problem: &str) {
    assert_eq!(refused(&given), [problem]);
}

#[test]
fn lists_all_problems_with_their_places() {
    let error = Schema::compile(&json!({"type": "array", "properties": {"a": {"format": "e-mail", "$id": "b"}}}));
    let error = error.unwrap_err();
    let pointers: Vec<_> = error.problems().iter().map(|problem| problem.pointer.as_str()).collect();
    assert_eq!(pointers, ["/type", "/properties/a/$id", "/properties/a/format"]);
    assert!(
        error.to_string().starts_with("schema/type: must be `object` at the root, as a facet is a set of fields; ")
    );
}

#[rstest]
#[case(json!({"type": "object"}))]
#[case(json!({"type": "object", "$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://example.com/a"}))]
#[case(json!({"type": "object", "$id": "https://example.com/a#", "properties": {"a": {"$ref": "https://example.com/a"}}}))]
#[case(json!({"type": "object", "$id": "https://example.com/a", "properties": {"a": {"$ref": "https://example.com/a#/$defs/b"}}, "$defs": {"b": true}}))]
#[case(json!({"type": "object", "$id": "https://json-schema.org/draft/2020-12/schema", "$comment": "x", "x-own": {"$ref": "http://a"}}))]
#[case(json!({"type": "object", "properties": {"a": {"const": {"$ref": "http://example.com", "$id": "http://b"}}}}))]
#[case(json!({"type": "object", "properties": {"$ref": {"type": "string"}, "$id": true}}))]
fn accepts(#[case] given: Value) {
    assert_eq!(messages(&schema(&given), json!({})), [""; 0]);
}

#[rstest]
#[case("#/$defs/a~1b%20c")]
#[case("#/%24defs/a~1b c")]
#[case("#here")]
fn follows_local_references(#[case] reference: &str) {
    let schema = schema(&json!({
        "type": "object", "properties": {"x": {"$ref": reference}, "y": {"$dynamicRef": reference}},
        "$defs": {"a/b c": {"$anchor": "here", "type": "string"}},
    }));
    assert_eq!(
        messages(&schema, json!({"x": 1, "y": 2})),
        ["facets.backup.x: 1 is a number, expected a string", "facets.backup.y: 2 is a number, expected a string"]
    );
}

/// Patterns and checks of secrets that were allowed once are left out of what serves on, and nothing else.
#[test]
fn what_was_valid_once_serves_without_what_is_refused_since() {
    let given = json!({
        "type": "object", "additionalProperties": false, "required": ["a"],
        "properties": {
            "a": {"type": "integer", "maximum": 10, "default": 30},
            "b": {"type": "string", "pattern": "(?i)[!-\u{10ffff}]".repeat(60), "maxLength": 2},
            "p": {"type": "string", "writeOnly": true, "pattern": "^a", "minLength": 3, "$ref": "#/$defs/p"},
        },
        "patternProperties": {"(?i)[!-\u{10ffff}]{2}".repeat(12): {"type": "string"}},
        "$defs": {"p": {"enum": ["abc"]}},
    });
    assert!(Schema::compile(&given).is_err());
    let kept = Schema::compile_kept(&given).unwrap();
    assert_eq!(
        messages(&kept, json!({"a": 11, "b": "abc", "other": 1})),
        [
            "facets.backup.a: 11 is more than the maximum 10",
            r#"facets.backup.b: "abc" has 3 characters, more than the maximum 2"#
        ]
    );
    let secret = |value: &str| kept.validate_secret("backup", "p", &Secret::new(value.to_owned())).is_ok();
    assert_eq!([secret("xyz"), secret("ab")], [true, false]);
    assert!(Schema::compile(&given).is_err(), "what serves is not found for what is to be used from now on");
    let fine = json!({"type": "object", "properties": {"a": {"pattern": "^a"}}});
    assert_eq!(Schema::compile_kept(&fine).unwrap(), Schema::compile(&fine).unwrap());
}

#[test]
fn is_shared_between_threads() {
    fn check<T: Send + Sync + Clone>() {}
    check::<Schema>();
}

#[test]
fn hash_ignores_the_order_of_fields_only() {
    let one: Value = serde_json::from_str(r#"{"type": "object", "title": "a"}"#).unwrap();
    let two: Value = serde_json::from_str(r#"{"title": "a", "type": "object"}"#).unwrap();
    assert_eq!(canonical_hash(&one), canonical_hash(&two));
    assert_eq!(schema(&one).content_hash(), canonical_hash(&one));
    assert_eq!(schema(&one), schema(&two));
    assert_eq!(format!("{:?}", schema(&one)), "Schema([])");
}

#[rstest]
#[case(json!(["ab"]), json!(["a", "b"]))]
#[case(json!([["a"], "b"]), json!([["a", "b"]]))]
#[case(json!({"a": "b"}), json!(["a", "b"]))]
#[case(json!("1"), json!(1))]
#[case(json!(null), json!(false))]
#[case(json!(1), json!(1.5))]
fn hash_tells_values_apart(#[case] one: Value, #[case] two: Value) {
    assert_ne!(canonical_hash(&one), canonical_hash(&two));
}
