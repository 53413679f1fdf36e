use rstest::rstest;
use serde_json::{Value, json};
use std::collections::BTreeSet;

use super::super::Schema;
use super::{names, object, refused, schema, shown};
use crate::core::secret::Secret;

fn database() -> Schema {
    schema(&json!({
        "type": "object", "required": ["password"], "additionalProperties": false,
        "properties": {
            "host": {"type": "string"},
            "password": {"type": "string", "writeOnly": true, "minLength": 12, "title": "Password", "examples": ["correct horse"]},
            "key": {"type": "string", "writeOnly": true, "maxLength": 4, "description": "a short one"},
        },
    }))
}

#[test]
fn names_its_secret_fields() {
    assert_eq!(*database().secret_fields(), names(["key", "password"]));
    let properties: Vec<_> = database().properties().map(|(name, secret)| (name.to_owned(), secret)).collect();
    assert_eq!(properties, [("host".to_owned(), false), ("key".to_owned(), true), ("password".to_owned(), true)]);
}

#[test]
fn a_required_secret_counts_as_given_once_it_is_supplied() {
    let values = object(json!({"host": "db"}));
    assert_eq!(shown(database().validate("db", &values, &BTreeSet::new())), ["facets.db.password: is required"]);
    assert_eq!(database().validate("db", &values, &names(["password"])), Ok(()));
    assert_eq!(shown(database().validate("db", &values, &names(["host"]))), ["facets.db.password: is required"]);
}

#[test]
fn supplied_secrets_count_in_alternatives_and_dependencies() {
    let schema = schema(&json!({
        "type": "object",
        "properties": {"password": {"type": "string", "writeOnly": true}, "token": {"type": "string", "writeOnly": true}},
        "oneOf": [{"required": ["password"]}, {"required": ["token"]}],
        "dependentRequired": {"password": ["user"]},
    }));
    let check = |supplied| schema.validate("db", &object(json!({})), &supplied);
    assert_eq!(check(names(["token"])), Ok(()));
    assert_eq!(
        shown(check(names(["password"]))),
        ["facets.db.user: is required, as a field that depends on it is given"]
    );
    assert_eq!(
        shown(check(names([]))),
        ["facets.db: fits none of the 2 alternatives; number 1 comes closest: \"password\" is required"]
    );
}

#[test]
fn a_secret_given_in_plain_is_an_error_that_does_not_show_it() {
    let values = object(json!({"password": "hunter2hunter2", "host": 5}));
    for result in [database().validate("db", &values, &BTreeSet::new()), database().validate_partial("db", &values)] {
        let violations = result.unwrap_err();
        assert!(violations[0].is_secret_in_plain());
        assert_eq!(violations[0].rule, "SecretInPlain");
        assert_eq!(violations[0].pointer, "/password");
        assert_eq!(
            shown(Err(violations)),
            [
                "facets.db.password: is secret and must not stand here; put the value into a Secret and name that under \
                 secretFacets",
                "facets.db.host: 5 is a number, expected a string"
            ]
        );
    }
}

#[rstest]
#[case("password", "longenoughpassword", &[])]
#[case("password", "short", &["the value has fewer than the minimum of 12 characters"])]
#[case("key", "open", &[])]
#[case("key", "hunter2", &["the value has more than the maximum of 4 characters"])]
#[case("host", "db", &["is no secret field of the schema; remove it from secretFacets"])]
#[case("other", "db", &["is no secret field of the schema; remove it from secretFacets"])]
fn checks_values_without_showing_them(#[case] field: &str, #[case] value: &str, #[case] messages: &[&str]) {
    let secret = Secret::new(value.to_owned());
    let expected: Vec<String> = messages.iter().map(|text| format!("facets.db.{field}: {text}")).collect();
    assert_eq!(shown(database().validate_secret("db", field, &secret)), expected);
}

const ELSEWHERE: &str = "elsewhere in the schema asks something of this secret field as well; take it out there: a secret is \
                         checked by its own minLength and maxLength alone";
const REFERRED: &str =
    "a `$ref` elsewhere leads to this secret field; keep what both need under $defs, without writeOnly";

#[rstest]
#[case(json!({"properties": {"p": {"writeOnly": true}}}), "/properties/p: a secret field must have `type: string`")]
#[case(
    json!({"properties": {"p": {"type": "integer", "writeOnly": true}}}),
    "/properties/p: a secret field must have `type: string`"
)]
#[case(
    json!({"properties": {"a": {"properties": {"p": {"type": "string", "writeOnly": true}}}}}),
    "/properties/a/properties/p/writeOnly: only a field of the facet itself can be secret; move it to the top level"
)]
#[case(
    json!({"$defs": {"p": {"type": "string", "writeOnly": true}}}),
    "/$defs/p/writeOnly: only a field of the facet itself can be secret; move it to the top level"
)]
#[case(
    json!({"allOf": [{"properties": {"p": {"type": "string", "writeOnly": true}}}]}),
    "/allOf/0/properties/p/writeOnly: only a field of the facet itself can be secret; move it to the top level"
)]
#[case(
    json!({"additionalProperties": {"type": "string", "writeOnly": true}}),
    "/additionalProperties/writeOnly: only a field of the facet itself can be secret; move it to the top level"
)]
#[case(
    json!({"type": "object", "writeOnly": true}),
    "/writeOnly: only a field of the facet itself can be secret; move it to the top level"
)]
fn refuses_misplaced_or_planted_secrets(#[case] mut given: Value, #[case] problem: &str) {
    given["type"] = json!("object");
    assert_eq!(refused(&given), [format!("schema{problem}")]);
}

/// Each would answer whoever edits the schema a question about the value.
#[rstest]
#[case("pattern", json!("^hunter"))]
#[case("const", json!("hunter2"))]
#[case("enum", json!(["hunter2"]))]
#[case("default", json!("hunter2"))]
#[case("format", json!("uuid"))]
#[case("format", json!("password"))]
#[case("not", json!({"const": "hunter2"}))]
#[case("allOf", json!([{"pattern": "^h"}]))]
#[case("anyOf", json!([{"pattern": "^h"}]))]
#[case("oneOf", json!([{"pattern": "^h"}, {"pattern": "^i"}]))]
#[case("if", json!({"pattern": "^h"}))]
#[case("then", json!(false))]
#[case("$ref", json!("#/$defs/d"))]
#[case("$dynamicRef", json!("#/$defs/d"))]
#[case("$anchor", json!("here"))]
#[case("$defs", json!({"a": {"pattern": "^h"}}))]
#[case("contentEncoding", json!("base64"))]
#[case("contentSchema", json!({"pattern": "^h"}))]
#[case("minimum", json!(3))]
#[case("readOnly", json!(true))]
#[case("$comment", json!("a comment"))]
#[case("x-own", json!(1))]
fn refuses_all_that_is_asked_of_a_secret_but_its_length(#[case] keyword: &str, #[case] value: Value) {
    let given = json!({
        "type": "object", "$defs": {"d": {"pattern": "^h"}},
        "properties": {"p": {"type": "string", "writeOnly": true, "minLength": 1, keyword: value}},
    });
    assert_eq!(
        refused(&given),
        [format!(
            "schema/properties/p/{keyword}: a secret field has nothing but `type: string`, `title`, `description`, `minLength`, \
             `maxLength` and `examples`; remove this: it would tell the value, bit by bit, to whoever may edit schemas"
        )]
    );
}

/// What is asked of the whole facet sees that a secret is there, and nothing of it.
#[rstest]
#[case(json!({"required": ["p"]}), &["a-long-value"], true)]
#[case(json!({"minProperties": 2}), &["a-long-value", "b"], false)]
#[case(json!({"if": {"required": ["p"]}, "then": false}), &["a-long-value", "b"], false)]
#[case(json!({"propertyNames": {"minLength": 1}}), &["a-long-value", "b"], true)]
#[case(json!({"dependentRequired": {"p": ["q"]}}), &["a-long-value", "b"], false)]
#[case(json!({"additionalProperties": {"pattern": "^h"}}), &["a-long-value", "b"], true)]
#[case(json!({"unevaluatedProperties": {"pattern": "^h"}}), &["a-long-value", "b"], true)]
fn verdicts_do_not_depend_on_a_secret(#[case] mut given: Value, #[case] values: &[&str], #[case] is_valid: bool) {
    given["type"] = json!("object");
    given["properties"] = json!({"p": {"type": "string", "writeOnly": true}});
    let schema = schema(&given);
    assert_eq!(schema.validate("db", &object(json!({})), &names(["p"])).is_ok(), is_valid);
    for value in values {
        assert_eq!(schema.validate_secret("db", "p", &Secret::new((*value).to_owned())), Ok(()));
    }
}

#[rstest]
#[case(json!({"allOf": [{"properties": {"p": {"minLength": 3}}}]}), format!("`properties` {ELSEWHERE}"))]
#[case(json!({"$ref": "#/$defs/d", "$defs": {"d": {"properties": {"p": {"default": "x"}}}}}), format!("`properties` {ELSEWHERE}"))]
#[case(json!({"if": {"additionalProperties": {"maxLength": 1}}}), format!("`additionalProperties` {ELSEWHERE}"))]
#[case(json!({"patternProperties": {"^p": {"maxLength": 1}}}), format!("`patternProperties` {ELSEWHERE}"))]
#[case(json!({"const": {"p": "hunter2"}}), format!("`const` {ELSEWHERE}"))]
#[case(json!({"enum": [{}, {"p": "hunter2"}]}), format!("`enum` {ELSEWHERE}"))]
#[case(json!({"not": {"const": {"p": "hunter2"}}}), format!("`const` {ELSEWHERE}"))]
#[case(json!({"anyOf": [{"properties": {"p": {"pattern": "^h"}}}, {}]}), format!("`properties` {ELSEWHERE}"))]
#[case(json!({"if": {"properties": {"p": {"const": "hunter2"}}}, "then": false}), format!("`properties` {ELSEWHERE}"))]
#[case(json!({"dependentSchemas": {"p": {"properties": {"p": {"maxLength": 3}}}}}), format!("`properties` {ELSEWHERE}"))]
#[case(json!({"allOf": [{"unevaluatedProperties": {"maxLength": 1}}]}), format!("`unevaluatedProperties` {ELSEWHERE}"))]
#[case(json!({"oneOf": [{"patternProperties": {"": {"maxLength": 1}}}]}), format!("`patternProperties` {ELSEWHERE}"))]
#[case(json!({"items": {"$ref": "#/properties/p"}}), REFERRED.to_owned())]
#[case(json!({"contains": {"$dynamicRef": "#/properties/p"}}), REFERRED.to_owned())]
#[case(json!({"patternProperties": {"^x": {"$ref": "#"}}}), REFERRED.to_owned())]
fn refuses_rules_for_a_secret_in_two_places(#[case] mut given: Value, #[case] message: String) {
    given["type"] = json!("object");
    given["properties"] = json!({"p": {"type": "string", "writeOnly": true}});
    assert_eq!(refused(&given), [format!("schema/properties/p: {message}")]);
}

#[test]
fn write_only_false_and_required_elsewhere_are_fine() {
    let schema = schema(&json!({
        "type": "object",
        "properties": {"p": {"type": "string", "writeOnly": true}, "a": {"properties": {"b": {"writeOnly": false}}}},
        "anyOf": [{"required": ["p"], "properties": {"p": true}}, {"required": ["a"], "additionalProperties": false, "properties": {"a": true}}],
    }));
    assert_eq!(*schema.secret_fields(), names(["p"]));
}
