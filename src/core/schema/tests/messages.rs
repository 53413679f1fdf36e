use rstest::rstest;
use serde_json::{Value, json};

use super::{messages, object, schema};
use std::collections::BTreeSet;

/// A facet with the one field `x`.
fn about(rules: &Value) -> super::Schema {
    schema(&json!({"type": "object", "properties": {"x": rules}}))
}

#[rstest]
#[case(json!({"maximum": 365}), json!(400), "400 is more than the maximum 365")]
#[case(json!({"minimum": 1}), json!(0), "0 is less than the minimum 1")]
#[case(json!({"exclusiveMaximum": 10}), json!(10), "10 is not less than 10")]
#[case(json!({"exclusiveMinimum": 0.5}), json!(0.5), "0.5 is not more than 0.5")]
#[case(json!({"multipleOf": 2}), json!(7), "7 is not a multiple of 2")]
#[case(json!({"multipleOf": 0.01}), json!(4.025), "4.025 is not a multiple of 0.01")]
#[case(json!({"type": "integer"}), json!("30"), r#""30" is a string, expected an integer"#)]
#[case(json!({"type": "integer"}), json!(1.5), "1.5 is a number, expected an integer")]
#[case(json!({"type": "string"}), json!(true), "true is a boolean, expected a string")]
#[case(json!({"type": "string"}), json!(null), "null is given, expected a string")]
#[case(json!({"type": "string"}), json!({"a": "text"}), "an object is given, expected a string")]
#[case(json!({"type": "boolean"}), json!([1]), "a list is given, expected a boolean")]
#[case(json!({"type": ["string", "null"]}), json!(5), "5 is a number, expected null or a string: put it in quotes")]
#[case(json!({"type": ["integer", "string"]}), json!(1.5), "1.5 is a number, expected an integer or a string: put it in quotes")]
#[case(json!({"enum": ["daily", "weekly"]}), json!("hourly"), r#""hourly" is none of "daily", "weekly""#)]
#[case(json!({"const": 3}), json!(4), "4 is not 3, the only value allowed")]
#[case(json!({"minLength": 3}), json!("ab"), r#""ab" has 2 characters, fewer than the minimum 3"#)]
#[case(json!({"maxLength": 1}), json!("äö"), r#""äö" has 2 characters, more than the maximum 1"#)]
#[case(json!({"pattern": "^[a-z]+$"}), json!("A b"), r#""A b" does not match the pattern ^[a-z]+$"#)]
#[case(json!({"format": "date"}), json!("2027-02-29"), r#""2027-02-29" is not a date such as 2027-01-31"#)]
#[case(json!({"format": "duration"}), json!("3 days"), r#""3 days" is not a duration such as P3D or PT12H"#)]
#[case(json!({"format": "email"}), json!("Ann <a@b.de>"), r#""Ann <a@b.de>" is not an email address such as name@example.com"#)]
#[case(json!({"format": "uri"}), json!("/path"), r#""/path" is not an absolute URI such as https://example.com/path"#)]
#[case(json!({"format": "hostname"}), json!("a_b"), r#""a_b" is not a host name such as db.example.com"#)]
#[case(json!({"format": "ipv4"}), json!("1.2.3.04"), r#""1.2.3.04" is not an IPv4 address such as 192.0.2.1"#)]
#[case(json!({"format": "ipv6"}), json!("::1%eth0"), r#""::1%eth0" is not an IPv6 address such as 2001:db8::1"#)]
#[case(json!({"format": "uuid"}), json!("123"), r#""123" is not a UUID such as 123e4567-e89b-12d3-a456-426614174000"#)]
#[case(json!({"minItems": 2}), json!([1]), "has 1 item, fewer than the minimum 2")]
#[case(json!({"maxItems": 1}), json!([1, 2]), "has 2 items, more than the maximum 1")]
#[case(json!({"uniqueItems": true}), json!([1, 1]), "has the same item more than once")]
#[case(json!({"contains": {"const": 1}}), json!([2]), "has no item such as it must contain")]
#[case(json!({"contains": {"const": 1}, "minContains": 2}), json!([1]), "has too few of the items that it must contain")]
#[case(json!({"contains": {"const": 1}, "maxContains": 1}), json!([1, 1]), "has too many of the items that are limited")]
#[case(json!({"prefixItems": [true], "unevaluatedItems": false}), json!([1, 2]), "has items that the schema does not allow")]
#[case(json!({"minProperties": 1}), json!({}), "has 0 fields, fewer than the minimum 1")]
#[case(json!({"maxProperties": 0}), json!({"a": 1}), "has 1 field, more than the maximum 0")]
#[case(json!({"propertyNames": {"maxLength": 1}}), json!({"ab": 1}), r#"has a field whose name is not allowed: "ab" has 2 characters, more than the maximum 1"#)]
#[case(json!({"not": {"const": 5}}), json!(5), "5 is what the schema rules out with `not`")]
#[case(json!(false), json!(5), "is not allowed here; remove it")]
#[case(json!({"anyOf": [{"type": "integer"}, {"type": "string"}]}), json!(2.5), "2.5 is a number, expected an integer or a string: put it in quotes")]
#[case(json!({"anyOf": [{"type": "string"}, {"type": "integer"}]}), json!(true), "true is a boolean, expected a string or an integer")]
#[case(json!({"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 3}]}), json!(1), "fits none of the 2 alternatives; number 1 comes closest: 1 is a number, expected a string")]
#[case(
    json!({"oneOf": [{"required": ["s3"]}, {"properties": {"disk": {"properties": {"size": {"type": "integer"}}}}}]}),
    json!({"disk": {"size": "big"}}),
    r#"fits none of the 2 alternatives; number 2 comes closest: disk.size: "big" is a string, expected an integer"#
)]
#[case(json!({"oneOf": [{"type": "integer"}, {"minimum": 3}]}), json!(4), "fits alternatives 1 and 2 at once, but exactly one is allowed")]
fn says_what_was_expected(#[case] rules: Value, #[case] value: Value, #[case] message: &str) {
    assert_eq!(messages(&about(&rules), json!({ "x": value })), [format!("facets.backup.x: {message}")]);
}

#[rstest]
#[case(json!({"type": "integer"}), json!(1.0))]
#[case(json!({"multipleOf": 0.01}), json!(4.02))]
#[case(json!({"multipleOf": 0.1}), json!(0.3))]
#[case(json!({"maximum": 9_007_199_254_740_993_u64}), json!(9_007_199_254_740_993_u64))]
#[case(json!({"format": "password"}), json!("anything"))]
#[case(json!({"format": "email"}), json!("a@b.de"))]
#[case(json!({"format": "duration"}), json!("P2W"))]
#[case(json!({"pattern": "^(a+)+$"}), json!("aaaa"))]
fn accepts(#[case] rules: Value, #[case] value: Value) {
    assert_eq!(messages(&about(&rules), json!({ "x": value })), [""; 0]);
}

#[test]
fn integers_beyond_double_precision_are_exact() {
    assert_eq!(
        messages(&about(&json!({"maximum": 9_007_199_254_740_992_u64})), json!({"x": 9_007_199_254_740_993_u64})),
        ["facets.backup.x: 9007199254740993 is more than the maximum 9007199254740992"]
    );
}

#[rstest]
#[case(json!({"retentoin": 1}), "facets.backup.retentoin: unknown field; did you mean retention?")]
#[case(json!({"zone": 1}), "facets.backup.zone: unknown field; known are retention, schedule")]
#[case(
    json!({"true": 1}),
    "facets.backup.true: unknown field; if it is written y, yes or on in the manifest, put it in quotes, as the YAML \
     reader of kubectl takes it for the boolean true"
)]
#[case(
    json!({"false": 1}),
    "facets.backup.false: unknown field; if it is written n, no or off in the manifest, put it in quotes, as the YAML \
     reader of kubectl takes it for the boolean false"
)]
#[case(json!({"odd name": 1}), r#"facets.backup["odd name"]: unknown field; known are retention, schedule"#)]
fn explains_unknown_fields(#[case] values: Value, #[case] message: &str) {
    let fields = json!({"retention": true, "schedule": true});
    let closed = json!({"type": "object", "properties": fields, "additionalProperties": false});
    assert_eq!(messages(&schema(&closed), values.clone()), [message]);
    let combined = json!({
        "type": "object", "allOf": [{"$ref": "#/$defs/fields"}], "unevaluatedProperties": false,
        "$defs": {"fields": {"properties": fields}},
    });
    assert_eq!(messages(&schema(&combined), values), [message]);
}

#[test]
fn explains_fields_that_were_read_as_booleans_in_the_schema_itself() {
    let schema = schema(&json!({"type": "object", "properties": {"true": true}, "additionalProperties": false}));
    assert_eq!(messages(&schema, json!({"true": 1})), [""; 0]);
    assert_eq!(
        messages(&schema, json!({"on": 1})),
        [
            "facets.backup.on: unknown field; the schema has the field true: if on is meant there, put it in quotes in the \
             schema's manifest, as the YAML reader of kubectl takes it for the boolean true"
        ]
    );
}

#[test]
fn explains_fields_that_an_open_schema_lets_pass() {
    let schema = schema(&json!({
        "type": "object",
        "properties": {
            "false": {"type": "object"},
            "windows": {"items": {"$ref": "#/$defs/window"}},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        },
        "$defs": {"window": {"properties": {"true": true}}},
    }));
    let found = |values| -> Vec<String> {
        schema.stray_booleans("backup", &object(values)).iter().map(ToString::to_string).collect()
    };
    assert_eq!(found(json!({"false": {}, "windows": [{"true": 1}], "on": 1, "labels": {"yes": "a"}})), [""; 0]);
    let explained = |place, names, boolean| {
        format!(
            "facets.backup{place}: unknown field; if it is written {names} in the manifest, put it in quotes, as the YAML reader \
             of kubectl takes it for the boolean {boolean}"
        )
    };
    assert_eq!(
        found(json!({"true": 1, "false": {"true": 1}, "windows": [1, {"false": 1}], "labels": {"true": "a"}})),
        [
            explained(".false.true", "y, yes or on", "true"),
            explained(".labels.true", "y, yes or on", "true"),
            explained(".true", "y, yes or on", "true"),
            explained(".windows[1].false", "n, no or off", "false"),
        ]
    );
}

#[test]
fn explains_required_fields_that_were_read_as_booleans() {
    let schema = schema(&json!({"type": "object", "required": ["y", "Off", "on"]}));
    assert_eq!(
        messages(&schema, json!({"true": 1, "on": 2})),
        [
            "facets.backup.y: is required; if it is in the manifest, put y in quotes, as the YAML reader of kubectl \
             takes it for the boolean true",
            "facets.backup.Off: is required"
        ]
    );
}

#[test]
fn places_are_paths_and_pointers() {
    let schema = schema(&json!({
        "type": "object",
        "properties": {"a/b": {"items": {"required": ["c~d"], "properties": {"e": {"type": "string"}}}}},
        "dependentRequired": {"a/b": ["key"]},
    }));
    let values = object(json!({"a/b": [{"c~d": 1}, {"e": 5}]}));
    let violations = schema.validate("db", &values, &BTreeSet::new()).unwrap_err();
    let mut found: Vec<_> = violations
        .iter()
        .map(|violation| (violation.pointer.as_str(), violation.rule.as_str(), violation.message.as_str()))
        .collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [
            ("/a~1b/1/c~0d", "required", r#"facets.db["a/b"][1]["c~d"]: is required"#),
            ("/a~1b/1/e", "type", r#"facets.db["a/b"][1].e: 5 is a number, expected a string"#),
            ("/key", "dependentRequired", "facets.db.key: is required, as a field that depends on it is given"),
        ]
    );
}

#[test]
fn long_values_and_lists_are_shortened() {
    let schema = about(&json!({"enum": (0..50).collect::<Vec<i32>>()}));
    assert_eq!(
        messages(&schema, json!({"x": "é".repeat(5000)})),
        [format!(r#"facets.backup.x: "{}…" is none of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, … (50 in all)"#, "é".repeat(60))]
    );
}

#[test]
fn reports_at_most_twenty() {
    let schema = about(&json!({"items": {"type": "string"}}));
    assert_eq!(messages(&schema, json!({"x": vec![1; 100]})).len(), 20);
}
