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
