//! Schemas and values made to exhaust the process. That they are refused, or done with inside the budget, is asserted
//! by the outcome: each would otherwise run for hours, or out of stack or memory.

use rstest::rstest;
use serde_json::{Map, Value, json};

use super::super::{checker, pattern::SchemaPatterns, work};
use super::{messages, object, refused, schema};

fn nested(levels: usize, wrap: impl Fn(Value) -> Value) -> Value {
    (0..levels).fold(json!({}), |inner, _| wrap(inner))
}

fn chain(levels: usize, link: impl Fn(&str) -> Value) -> Value {
    let mut definitions: Map<String, Value> =
        (0..levels).map(|level| (level.to_string(), link(&format!("#/$defs/{}", level + 1)))).collect();
    definitions.insert(levels.to_string(), json!({}));
    json!({"type": "object", "properties": {"x": {"$ref": "#/$defs/0"}}, "$defs": definitions})
}

#[test]
fn schemas_200_levels_deep() {
    let deep = json!({"type": "object", "properties": {"x": nested(200, |inner| json!({"not": inner}))}});
    assert_eq!(refused(&deep), ["schema: nested more than 64 levels deep; flatten it, or use $defs and $ref"]);
    let deep = chain(200, |next| json!({"items": {"$ref": next}}));
    assert_eq!(
        refused(&deep),
        ["schema/$defs/31: schemas are nested more than 64 levels deep here, references included; flatten them"]
    );
}

#[rstest]
#[case("allOf")]
#[case("anyOf")]
#[case("oneOf")]
fn alternatives_that_double_at_each_level(#[case] keyword: &str) {
    let bomb = chain(20, |next| json!({ keyword: [{"$ref": next}, {"$ref": next}] }));
    assert_eq!(
        refused(&bomb),
        [
            "schema/$defs/8: comes to more than 10000 schemas once its references are written out; refer to each part once \
          rather than from every alternative"
        ]
    );
}

#[test]
fn unevaluated_fields_that_double_the_work_at_each_level() {
    let bomb = nested(20, |inner| json!({"allOf": [inner], "unevaluatedProperties": false}));
    let bomb = json!({"type": "object", "properties": {"x": bomb}});
    let pointer = format!("/properties/x{}", "/allOf/0".repeat(8));
    assert_eq!(
        refused(&bomb),
        [format!(
            "schema{pointer}: comes to more than 10000 schemas once its references are written out; refer to each part \
             once rather than from every alternative"
        )]
    );
}

#[rstest]
#[case(json!({"$ref": "#/$defs/a"}))]
#[case(json!({"allOf": [{"$ref": "#/$defs/b"}]}))]
#[case(json!({"items": {"$ref": "#/$defs/a"}, "if": {"$dynamicRef": "#/$defs/a"}}))]
fn circles_on_one_value(#[case] definition: Value) {
    let circle = json!({
        "type": "object", "properties": {"x": {"$ref": "#/$defs/a"}},
        "$defs": {"a": definition, "b": {"not": {"$ref": "#/$defs/a"}}},
    });
    assert_eq!(
        refused(&circle),
        [
            "schema/$defs/a: refers back to itself for the same value, which never ends; refer to it from a field or an item"
        ]
    );
}

#[rstest]
#[case(json!({"type": "object", "enum": vec![0; 20_000]}), "20003 values, at most 10000 are allowed")]
#[case(json!({"type": "object", "title": "x".repeat(300_000)}), "300015 bytes of text, at most 262144 are allowed")]
#[case(json!({"type": "object", "properties": {"x".repeat(300): {}}}), "a name in it is longer than 256 bytes; shorten it")]
fn large_schemas(#[case] given: Value, #[case] message: &str) {
    assert_eq!(refused(&given), [format!("schema: {message}")]);
}

#[test]
fn references_that_repeat_the_schema() {
    let inner = nested(25, |inner| json!({"properties": {"p": inner}, "enum": vec![0; 300]}));
    let references: Vec<Value> =
        (1..25).map(|depth| json!({"$ref": format!("#/properties/x{}", "/properties/p".repeat(depth))})).collect();
    let given = json!({"type": "object", "properties": {"x": inner, "y": {"anyOf": references}}});
    assert_eq!(refused(&given), ["schema: its references repeat too much of it; refer to smaller parts under $defs"]);
}

#[test]
fn too_many_patterns() {
    let patterns: Map<String, Value> = (0..300).map(|index| (format!("^{index}$"), json!(true))).collect();
    let problems = refused(&json!({"type": "object", "patternProperties": patterns}));
    assert_eq!(problems.len(), 20);
    assert!(problems[0].ends_with("is one more than the 256 of one schema; split it"), "{}", problems[0]);
}

/// Each would take seconds to compile, and all of them minutes; they are counted, and refused without that.
#[rstest]
#[case::in_one("(?i)[!-\u{10ffff}]".repeat(60), 1)]
#[case::side_by_side("(?i)[!-\u{10ffff}]".to_owned(), 60)]
#[case::by_name("(?i)\\pL".to_owned(), 60)]
fn patterns_that_compile_for_minutes(#[case] pattern: String, #[case] times: usize) {
    let fields: Map<String, Value> =
        (0..times).map(|index| (format!("f{index}"), json!({"pattern": format!("{index}{pattern}")}))).collect();
    let problems = refused(&json!({"type": "object", "properties": fields}));
    assert!(!problems.is_empty());
    for problem in problems {
        assert!(problem.starts_with("schema/properties/f"), "{problem}");
        assert!(
            problem.contains("those of the schema have more than 4000000 letters in classes under (?i)"),
            "{problem}"
        );
    }
    let names: Map<String, Value> = (0..times).map(|index| (format!("{index}{pattern}"), json!(true))).collect();
    assert!(!refused(&json!({"type": "object", "patternProperties": names})).is_empty());
}

#[test]
fn patterns_that_are_large_together() {
    let fields: Map<String, Value> =
        (0..200).map(|index| (format!("f{index}"), json!({"pattern": format!("^{index}[a-z]{{1500}}$")}))).collect();
    let problems = refused(&json!({"type": "object", "properties": fields}));
    assert_eq!(problems.len(), 20);
    assert!(problems[0].contains("come to more than 65536 steps"), "{}", problems[0]);
}

/// The names of groups in a regular expression are compared with each other.
#[test]
fn regular_expressions_as_values() {
    let schema = schema(&json!({"type": "object", "properties": {"x": {"format": "regex"}}}));
    let groups = |count: usize| (0..count).map(|index| format!("(?<g{index}>)")).collect::<Vec<_>>().concat();
    assert_eq!(messages(&schema, json!({"x": groups(100)})), [""; 0]);
    assert_eq!(
        messages(&schema, json!({"x": groups(40_000)})),
        ["facets.backup: too large to check: 2 values with this schema"]
    );
}

#[test]
fn a_heavy_pattern_on_a_long_text() {
    let schema = schema(&json!({"type": "object", "properties": {"x": {"pattern": "^[a-z]{1,350}0$"}}}));
    assert_eq!(messages(&schema, json!({"x": format!("{}0", "a".repeat(300))})), [""; 0]);
    assert_eq!(
        messages(&schema, json!({"x": "a".repeat(200_000)})),
        ["facets.backup: too large to check: 2 values with this schema"]
    );
}

#[test]
fn a_long_text_whose_characters_are_counted_again_and_again() {
    let lengths: Vec<Value> = (0..3000).map(|_| json!({"maxLength": 1_000_000})).collect();
    let schema = schema(&json!({"type": "object", "properties": {"x": {"allOf": lengths}}}));
    assert_eq!(messages(&schema, json!({"x": "a".repeat(1000)})), [""; 0]);
    assert_eq!(
        messages(&schema, json!({"x": "a".repeat(500_000)})),
        ["facets.backup: too large to check: 2 values with this schema"]
    );
}

#[test]
fn a_pattern_that_backtracking_would_never_finish() {
    let schema = schema(&json!({"type": "object", "properties": {"x": {"pattern": "^(a+)+$"}}}));
    let text = format!("{}b", "a".repeat(100_000));
    assert_eq!(
        messages(&schema, json!({ "x": text })),
        [format!(r#"facets.backup.x: "{}…" does not match the pattern ^(a+)+$"#, "a".repeat(60))]
    );
}

#[test]
fn a_pattern_on_a_text_beyond_the_budget() {
    let schema = schema(&json!({"type": "object", "properties": {"x": {"pattern": "a"}}}));
    assert_eq!(
        messages(&schema, json!({"x": "a".repeat(1 << 20)})),
        ["facets.backup: too large to check: 2 values with this schema"]
    );
}

#[test]
fn a_recursive_schema_that_doubles_with_the_depth_of_the_value() {
    let node = json!({"allOf": [
        {"properties": {"a": {"$ref": "#/$defs/n"}}}, {"properties": {"a": {"$ref": "#/$defs/n"}}},
    ]});
    let schema = schema(&json!({"type": "object", "properties": {"x": {"$ref": "#/$defs/n"}}, "$defs": {"n": node}}));
    let value = |levels| json!({"x": nested(levels, |inner| json!({ "a": inner }))});
    assert_eq!(messages(&schema, value(5)), [""; 0]);
    assert_eq!(messages(&schema, value(50)), ["facets.backup: too large to check: 52 values with this schema"]);
}

#[test]
fn a_recursive_schema_with_as_deep_a_value_as_is_allowed() {
    let tree =
        json!({"properties": {"size": {"type": "integer"}, "a": {"$ref": "#/$defs/n"}}, "additionalProperties": false});
    let schema = schema(&json!({"type": "object", "properties": {"x": {"$ref": "#/$defs/n"}}, "$defs": {"n": tree}}));
    let value = |levels| json!({"x": nested(levels, |inner| json!({"size": 1, "a": inner}))});
    assert_eq!(messages(&schema, value(62)), [""; 0]);
    assert_eq!(messages(&schema, value(63)), ["facets.backup: nested more than 64 levels deep; flatten it"]);
}

#[test]
fn a_deep_stack_is_counted_and_not_run() {
    let link = |next: &str| json!({"allOf": [{"$ref": next}]});
    let mut given = chain(30, link);
    given["$defs"]["30"] = json!({"properties": {"a": {"$ref": "#/$defs/0"}}});
    let value = |levels| json!({"x": nested(levels, |inner| json!({ "a": inner }))});
    assert_eq!(messages(&schema(&given), value(60)), ["facets.backup: too large to check: 62 values with this schema"]);
}

#[test]
fn stacks_as_deep_as_are_allowed() {
    let levels = nested(60, |inner| json!({ "not": inner }));
    let deepest = json!({"type": "object", "properties": {"x": levels}});
    assert_eq!(messages(&schema(&deepest), json!({"x": 1})), [""; 0]);

    let mut given = chain(10, |next| json!({"allOf": [{"$ref": next}]}));
    given["$defs"]["10"] = json!({"properties": {"a": {"$ref": "#/$defs/0"}, "b": {"type": "string"}}});
    let value = |leaf: Value| json!({"x": (0..20).fold(leaf, |inner, _| json!({ "a": inner }))});
    assert_eq!(messages(&schema(&given), value(json!({"b": "c"}))), [""; 0]);
    assert_eq!(
        messages(&schema(&given), value(json!({"b": 1}))),
        [format!("facets.backup.x{}.b: 1 is a number, expected a string", ".a".repeat(20))]
    );
}

#[test]
fn deep_lists_are_not_filled() {
    let definition = json!({"items": {"$ref": "#/$defs/l"}});
    let schema =
        schema(&json!({"type": "object", "properties": {"x": {"$ref": "#/$defs/l"}}, "$defs": {"l": definition}}));
    let list = |levels| object(json!({"x": (0..levels).fold(json!(1), |inner, _| json!([inner]))}));
    assert_eq!(schema.fill_defaults("backup", &mut list(62)), Ok(()));
    assert!(schema.fill_defaults("backup", &mut list(64)).is_err());
}

#[test]
fn a_panic_of_the_library_is_an_outcome() {
    assert_eq!(checker::contained(|| 1), Some(1));
    assert_eq!(checker::contained(|| -> u8 { panic!("on purpose") }), None);
}

#[test]
fn one_mebibyte_of_values() {
    let schema = schema(&json!({"type": "object", "properties": {"x": {"items": {"type": "integer"}}}}));
    let mut items = vec![json!(1); 500_000];
    assert_eq!(messages(&schema, json!({ "x": items })), [""; 0]);
    items[400_000] = json!("one");
    assert_eq!(
        messages(&schema, json!({ "x": items })),
        [r#"facets.backup.x[400000]: "one" is a string, expected an integer"#]
    );
}

#[test]
fn one_mebibyte_in_alternatives_is_not_copied_for_each() {
    let alternatives: Vec<Value> = (0..100).map(|length| json!({"maxLength": length})).collect();
    let schema = schema(&json!({"type": "object", "properties": {"x": {"anyOf": alternatives}}}));
    assert_eq!(
        messages(&schema, json!({"x": "a".repeat(1 << 20)})),
        ["facets.backup: too large to check: 2 values with this schema"]
    );
    assert_eq!(
        messages(&schema, json!({"x": "a".repeat(1 << 16)})),
        ["facets.backup: does not fit its schema, and is too large to say where"]
    );
}

#[test]
fn items_that_are_made_to_collide() {
    let schema = schema(&json!({"type": "object", "properties": {"x": {"uniqueItems": true}}}));
    let items: Vec<Value> = (0..100_000).map(|index| json!([index])).collect();
    assert_eq!(
        messages(&schema, json!({ "x": items })),
        ["facets.backup: too large to check: 200002 values with this schema"]
    );
    let scalars: Vec<i32> = (0..100_000).collect();
    assert_eq!(messages(&schema, json!({ "x": scalars })), [""; 0]);
}

#[test]
fn long_names() {
    let schema = schema(&json!({"type": "object", "additionalProperties": false}));
    assert_eq!(
        messages(&schema, json!({"a".repeat(1 << 20): 1})),
        ["facets.backup: a field name in it is longer than 256 bytes; shorten it"]
    );
}

/// What the budget counts: one visit of the root, of `x`, and of each item.
#[test]
fn counts_visits() {
    let document = json!({"properties": {"x": {"items": {"type": "integer"}}}});
    let counted = work::count(&document, &SchemaPatterns::default(), &json!({"x": [1, 2, 3]})).unwrap();
    assert_eq!(format!("{counted:?}"), "CheckWork { visits: 5, copied: 0, matched: 0 }");
}
