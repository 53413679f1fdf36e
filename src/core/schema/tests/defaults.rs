use rstest::rstest;
use serde_json::{Value, json};

use super::super::merge;
use super::{object, refused, schema};

#[rstest]
#[case::at_the_top(json!({"properties": {"a": {"default": 1}, "b": {}}}), json!({}), json!({"a": 1}))]
#[case::stated_stays(json!({"properties": {"a": {"default": 1}}}), json!({"a": null}), json!({"a": null}))]
#[case::no_parents(json!({"properties": {"p": {"properties": {"a": {"default": 1}}}}}), json!({}), json!({}))]
#[case::inside_of_what_is_there(
    json!({"properties": {"p": {"properties": {"a": {"default": 1}, "q": {"properties": {"b": {"default": 2}}}}}}}),
    json!({"p": {}}),
    json!({"p": {"a": 1}})
)]
#[case::inside_of_a_default(
    json!({"properties": {"p": {"default": {"b": 5}, "properties": {"a": {"default": 1}, "b": {"default": 2}}}}}),
    json!({}),
    json!({"p": {"a": 1, "b": 5}})
)]
#[case::in_items(
    json!({"properties": {"l": {"items": {"properties": {"a": {"default": 1}}}}}}),
    json!({"l": [{}, {"a": 2}, 3, []]}),
    json!({"l": [{"a": 1}, {"a": 2}, 3, []]})
)]
#[case::items_after_leading_ones(
    json!({"properties": {"l": {"prefixItems": [true], "items": {"properties": {"a": {"default": 1}}}}}}),
    json!({"l": [{}, {}]}),
    json!({"l": [{}, {"a": 1}]})
)]
#[case::by_reference(
    json!({"properties": {"p": {"$ref": "#/$defs/p"}}, "$defs": {"p": {"default": {}, "properties": {"a": {"default": 1}}}}}),
    json!({}),
    json!({"p": {"a": 1}})
)]
#[case::own_before_referred(
    json!({"properties": {"a": {"default": 1, "$ref": "#/$defs/a"}}, "$defs": {"a": {"default": 2}}}),
    json!({}),
    json!({"a": 1})
)]
#[case::referred_schema_of_the_root(
    json!({"$ref": "#/$defs/base", "properties": {"b": {"properties": {"c": {"default": 3}}}},
        "$defs": {"base": {"properties": {"a": {"default": 1}, "b": {"default": {}}}}}}),
    json!({}),
    json!({"a": 1, "b": {"c": 3}})
)]
#[case::not_from_alternatives(
    json!({"allOf": [{"properties": {"a": {"default": 1}}}], "additionalProperties": {"default": 2}}),
    json!({}),
    json!({})
)]
#[case::recursive(
    json!({"properties": {"tree": {"$ref": "#/$defs/tree"}},
        "$defs": {"tree": {"properties": {"size": {"default": 1}, "children": {"items": {"$ref": "#/$defs/tree"}}}}}}),
    json!({"tree": {"children": [{"children": [{}]}]}}),
    json!({"tree": {"size": 1, "children": [{"size": 1, "children": [{"size": 1}]}]}})
)]
fn fills(#[case] mut given: Value, #[case] values: Value, #[case] filled: Value) {
    given["type"] = json!("object");
    let schema = schema(&given);
    let mut values = object(values);
    let nothing_stated = values.is_empty();
    schema.fill_defaults("backup", &mut values).unwrap();
    assert_eq!(Value::Object(values), filled);
    if nothing_stated {
        assert_eq!(Value::Object(schema.empty_defaults().clone()), filled);
    }
}

#[test]
fn refuses_defaults_without_end() {
    let endless = json!({
        "type": "object", "properties": {"node": {"$ref": "#/$defs/node"}},
        "$defs": {"node": {"properties": {"next": {"default": {}, "$ref": "#/$defs/node"}}}},
    });
    let problem = "fills itself with defaults without end, or to an enormous size; remove a default inside of what it \
                   refers to";
    assert_eq!(refused(&endless), [format!("schema/$defs/node/properties/next/default: {problem}")]);
}

#[test]
fn refuses_defaults_that_double_at_each_level() {
    let level = |next: usize| {
        let next = json!({"default": {}, "$ref": format!("#/$defs/{next}")});
        json!({"properties": {"a": next, "b": next}})
    };
    let levels: serde_json::Map<_, _> = (0..30).map(|index| (index.to_string(), level(index + 1))).collect();
    let mut bomb = json!({"type": "object", "properties": {"x": {"$ref": "#/$defs/0"}}, "$defs": levels});
    bomb["$defs"]["30"] = json!({});
    assert_eq!(
        refused(&bomb),
        [
            "schema/$defs/18: comes to more than 10000 schemas once its references are written out; refer to each part once \
          rather than from every alternative"
        ]
    );
}

/// A default that breaks its own schema is nobody's fault but the schema's, at whatever depth it stands.
#[rstest]
#[case::at_the_top(json!({"size": {"maximum": 10, "default": 30}}), "/properties/size/default", "30 is more than the maximum 10")]
#[case::inside(
    json!({"o": {"type": "object", "properties": {"size": {"type": "integer", "maximum": 10, "default": 30}}}}),
    "/properties/o/properties/size/default",
    "30 is more than the maximum 10"
)]
#[case::of_a_type(json!({"a": {"type": "string", "default": null}}), "/properties/a/default", "null is given, expected a string")]
#[case::inside_of_a_default(
    json!({"o": {"properties": {"size": {"maximum": 10}}, "default": {"size": 30}}}),
    "/properties/o/default",
    "size: 30 is more than the maximum 10"
)]
#[case::once_for_the_innermost(
    json!({"o": {"default": {}, "properties": {"size": {"maximum": 10, "default": 30}}}}),
    "/properties/o/properties/size/default",
    "30 is more than the maximum 10"
)]
#[case::in_items(
    json!({"l": {"items": {"properties": {"size": {"maximum": 10, "default": 30}}}}}),
    "/properties/l/items/properties/size/default",
    "30 is more than the maximum 10"
)]
#[case::in_leading_items(
    json!({"l": {"prefixItems": [{"properties": {"size": {"maximum": 10, "default": 30}}}]}}),
    "/properties/l/prefixItems/0/properties/size/default",
    "30 is more than the maximum 10"
)]
#[case::in_values_by_name(
    json!({"pools": {"additionalProperties": {"properties": {"size": {"maximum": 10, "default": 30}}}}}),
    "/properties/pools/additionalProperties/properties/size/default",
    "30 is more than the maximum 10"
)]
#[case::in_values_by_pattern(
    json!({"pools": {"patternProperties": {"^a/b": {"properties": {"size": {"maximum": 10, "default": 30}}}}}}),
    "/properties/pools/patternProperties/^a~1b/properties/size/default",
    "30 is more than the maximum 10"
)]
#[case::in_a_branch(
    json!({"o": {"anyOf": [{"properties": {"size": {"maximum": 10, "default": 30}}}]}}),
    "/properties/o/anyOf/0/properties/size/default",
    "30 is more than the maximum 10"
)]
#[case::by_reference(
    json!({"size": {"$ref": "#/$defs/size", "default": 30}}),
    "/properties/size/default",
    "30 is more than the maximum 10"
)]
#[case::of_what_is_referred_to(
    json!({"size": {"$ref": "#/$defs/large"}}),
    "/$defs/large/default",
    "30 is more than the maximum 10"
)]
#[case::items_of_a_default(
    json!({"l": {"items": {"required": ["a"]}, "default": [{}]}}),
    "/properties/l/default",
    "[0].a: is required"
)]
fn refuses_defaults_that_break_their_own_schema(#[case] fields: Value, #[case] pointer: &str, #[case] text: &str) {
    let given = json!({
        "type": "object", "properties": fields,
        "$defs": {"size": {"maximum": 10}, "large": {"maximum": 10, "default": 30}},
    });
    assert_eq!(refused(&given), [format!("schema{pointer}: breaks its own schema: {text}; mend one of the two")]);
}

#[test]
fn refuses_defaults_that_the_rest_of_the_schema_rules_out() {
    let given = json!({
        "type": "object", "properties": {"a/b": {"default": 30}},
        "allOf": [{"properties": {"a/b": {"maximum": 10}}}],
    });
    assert_eq!(
        refused(&given),
        [
            r#"schema/properties/a~1b/default: a default breaks the schema: ["a/b"]: 30 is more than the maximum 10; mend one of the two"#
        ]
    );
}

/// A grant that states the rest of it makes each of these valid.
#[rstest]
#[case(json!({"o": {"required": ["host"], "default": {}}}))]
#[case(json!({"o": {"required": ["host"], "default": {"port": 1}, "properties": {"port": {"type": "integer"}}}}))]
#[case(json!({"o": {"minProperties": 2, "default": {"a": 1}}}))]
#[case(json!({"o": {"oneOf": [{"required": ["a"]}, {"required": ["b"]}], "default": {}}}))]
#[case(json!({"l": {"items": {"required": ["a"], "properties": {"a": {"default": 1}}}, "default": [{}]}}))]
#[case(json!({"l": {"items": {"required": ["a", "b"], "properties": {"a": {"default": 1}}}}}))]
#[case(json!({"n": {"type": ["string", "null"], "default": null}}))]
fn accepts_defaults_that_can_be_completed(#[case] fields: Value) {
    schema(&json!({"type": "object", "properties": fields}));
}

#[test]
fn the_schemas_of_defaults_are_bounded() {
    let level = |inner: Value| json!({"default": {}, "properties": {"a": inner}});
    let wide: serde_json::Map<_, _> = (0..2500).map(|index| (index.to_string(), json!({"minLength": 1}))).collect();
    let deep = (0..25).fold(json!({"properties": wide}), |inner, _| level(inner));
    let problems = refused(&json!({"type": "object", "properties": {"x": deep}}));
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].contains("come to more than 100000 values; remove defaults of objects that hold others"),
        "{problems:?}"
    );
}

#[rstest]
#[case(json!({"properties": {"a": {"default": 1}, "l": {"items": {"properties": {"b": {"default": 1}}}}}}), &[])]
#[case(json!({"properties": {"o": {"$ref": "#/$defs/o"}}, "$defs": {"o": {"properties": {"a": {"default": 1}}}}}), &[])]
#[case(json!({"properties": {"o": {"$ref": "#/$defs/o"}}, "$defs": {"o": {"default": {}}, "unused": {"default": 1}}}), &[])]
#[case(
    json!({"additionalProperties": {"properties": {"replicas": {"default": 1}}}}),
    &["/additionalProperties/properties/replicas/default"]
)]
#[case(json!({"patternProperties": {"^a": {"default": 1}}}), &["/patternProperties/^a/default"])]
#[case(json!({"properties": {"l": {"prefixItems": [{"default": 1}]}}}), &["/properties/l/prefixItems/0/default"])]
#[case(json!({"properties": {"l": {"items": {"default": 1}}}}), &["/properties/l/items/default"])]
#[case(json!({"default": {}}), &["/default"])]
#[case(
    json!({"allOf": [{"properties": {"a": {"default": 1}}}], "if": {"properties": {"b": {"default": 1}}},
        "then": {"properties": {"c": {"default": 1}}}}),
    &["/allOf/0/properties/a/default", "/if/properties/b/default", "/then/properties/c/default"]
)]
#[case(
    json!({"anyOf": [{"$ref": "#/$defs/o"}], "$defs": {"o": {"properties": {"a": {"default": 1}}}}}),
    &["/$defs/o/properties/a/default"]
)]
fn names_defaults_that_are_never_filled_in(#[case] mut given: Value, #[case] pointers: &[&str]) {
    given["type"] = json!("object");
    let schema = schema(&given);
    let found: Vec<&str> = schema.idle_defaults().iter().map(|problem| problem.pointer.as_str()).collect();
    assert_eq!(found, pointers);
}

#[test]
fn stops_filling_at_the_budget() {
    let schema = schema(&json!({
        "type": "object",
        "properties": {"l": {"items": {"properties": {"a": {"default": vec![0; 1000]}}}}},
    }));
    let mut values = object(json!({"l": vec![json!({}); 10_000]}));
    let violation = schema.fill_defaults("backup", &mut values).unwrap_err();
    assert_eq!(
        violation.message,
        "facets.backup: too large or too deep to be filled with defaults; state fewer values"
    );
    assert_eq!(violation.rule, "limit");
}

#[rstest]
#[case::fields(json!({"a": {"b": 1, "c": 2}}), json!({"a": {"c": 3, "d": 4}}), json!({"a": {"b": 1, "c": 3, "d": 4}}))]
#[case::lists(json!({"a": [1, 2]}), json!({"a": [3]}), json!({"a": [3]}))]
#[case::null(json!({"a": {"b": 1}}), json!({"a": null}), json!({"a": null}))]
#[case::over_null(json!({"a": null}), json!({"a": {"b": 1}}), json!({"a": {"b": 1}}))]
#[case::nothing(json!({"a": 1}), json!({}), json!({"a": 1}))]
fn merges(#[case] base: Value, #[case] over: Value, #[case] merged: Value) {
    let mut result = object(base);
    merge(&mut result, &object(over));
    assert_eq!(Value::Object(result), merged);
}
