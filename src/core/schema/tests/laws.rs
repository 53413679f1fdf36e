//! Laws that hold for every schema and value.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::{Schema, canonical_hash, merge};
use crate::core::secret::Secret;

const NAMES: [&str; 5] = ["a", "b", "c", "true", "secret"];

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..10).prop_map(Value::from),
        (-2.0_f64..2.0).prop_map(Value::from),
        "[a-c]{0,3}".prop_map(Value::from),
        prop::sample::select(vec!["object", "string", "array", "#", "#/$defs/a", "date", "^a+$", "(?=a)"])
            .prop_map(Value::from),
    ]
}

fn tree(names: Vec<&'static str>) -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            fields(names.clone(), inner).prop_map(Value::Object),
        ]
    })
}

fn fields(names: Vec<&'static str>, inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec((prop::sample::select(names), inner), 0..5)
        .prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn values() -> impl Strategy<Value = Map<String, Value>> {
    fields(NAMES.to_vec(), tree(NAMES.to_vec()))
}

const KEYWORDS: [&str; 32] = [
    "type",
    "properties",
    "$defs",
    "a",
    "$ref",
    "$dynamicRef",
    "items",
    "prefixItems",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "enum",
    "const",
    "default",
    "writeOnly",
    "required",
    "pattern",
    "format",
    "minimum",
    "patternProperties",
    "additionalProperties",
    "unevaluatedProperties",
    "uniqueItems",
    "$id",
    "$anchor",
    "dependentSchemas",
    "propertyNames",
    "multipleOf",
    "minLength",
];

/// Anything, with keywords for names, in place of a schema or inside of one: many are no schemas.
fn junk() -> impl Strategy<Value = Value> {
    let value = prop_oneof![
        tree(KEYWORDS.to_vec()),
        rules(),
        prop::collection::vec(rules(), 0..3).prop_map(Value::from),
        fields(NAMES.to_vec(), rules()).prop_map(Value::Object),
        prop::collection::vec("[a-c]", 0..3).prop_map(Value::from),
    ];
    let keyword = prop::sample::select(KEYWORDS.to_vec());
    let strange = (rules(), keyword, value).prop_map(|(rules, keyword, value)| {
        let field = json!({"allOf": [rules], keyword: value});
        json!({"type": "object", "properties": {"a": field}, "$defs": {"d": rules, "a": {}}})
    });
    prop_oneof![tree(KEYWORDS.to_vec()), strange]
}

fn rules() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(true)),
        Just(json!({"type": "string", "pattern": "^a"})),
        Just(json!({"type": "integer", "default": 1})),
        Just(json!({"default": {"a": {}}})),
        Just(json!({"default": [{}]})),
        Just(json!({"enum": [1, "a", null, {"a": 1}]})),
        Just(json!({"required": ["a"]})),
        Just(json!({"minProperties": 2, "maxProperties": 2})),
        Just(json!({"$ref": "#/$defs/d"})),
        Just(json!({"not": {"required": ["b"]}})),
    ];
    leaf.prop_recursive(3, 20, 3, |inner| {
        prop_oneof![
            prop::collection::btree_map(prop::sample::select(NAMES[..3].to_vec()), inner.clone(), 0..3)
                .prop_map(|named| json!({ "properties": named })),
            (inner.clone(), inner.clone())
                .prop_map(|(one, two)| json!({"properties": {"a": one}, "additionalProperties": two})),
            inner.clone().prop_map(|item| json!({ "items": item })),
            prop::collection::vec(inner.clone(), 1..3)
                .prop_map(|all| json!({"allOf": all, "unevaluatedProperties": false})),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|any| json!({ "anyOf": any })),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|one| json!({ "oneOf": one })),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(when, then, other)| json!({"if": when, "then": then, "else": other})),
        ]
    })
}

/// Schemas that mean something, with a secret field.
fn schemas() -> impl Strategy<Value = Schema> {
    (rules(), rules(), rules()).prop_filter_map("refused", |(root, field, definition)| {
        let given = json!({
            "type": "object", "allOf": [root], "$defs": {"d": definition},
            "properties": {"a": field, "secret": {"type": "string", "writeOnly": true, "maxLength": 2}},
        });
        Schema::compile(&given).ok()
    })
}

/// Objects with an object where the name is in upper case, and something else everywhere else.
fn layers() -> impl Strategy<Value = Map<String, Value>> {
    let leaf = prop::collection::btree_map("[a-c]", (0..9_i64).prop_map(Value::from), 0..3)
        .prop_map(|fields| fields.into_iter().collect::<Map<_, _>>());
    leaf.prop_recursive(3, 20, 3, |inner| {
        (
            prop::collection::btree_map("[A-C]", inner.prop_map(Value::Object), 0..3),
            prop::collection::btree_map("[a-c]", (0..9_i64).prop_map(Value::from), 0..3),
        )
            .prop_map(|(objects, others)| objects.into_iter().chain(others).collect())
    })
}

fn merged(mut base: Map<String, Value>, over: &Map<String, Value>) -> Map<String, Value> {
    merge(&mut base, over);
    base
}

proptest! {
    #[test]
    fn no_schema_and_no_value_panics(given in junk(), values in values()) {
        let Ok(schema) = Schema::compile(&given) else { return Ok(()) };
        let mut filled = values.clone();
        let _ = schema.fill_defaults("facet", &mut filled);
        let _ = schema.validate("facet", &filled, &BTreeSet::new());
        let _ = schema.validate_partial("facet", &values);
        let _ = schema.validate("facet", &schema.sample().values, &BTreeSet::new());
    }

    #[test]
    fn filling_twice_changes_nothing(schema in schemas(), mut values in values()) {
        if schema.fill_defaults("facet", &mut values).is_ok() {
            let once = values.clone();
            schema.fill_defaults("facet", &mut values).unwrap();
            prop_assert_eq!(values, once);
        }
    }

    #[test]
    fn filling_keeps_what_is_stated(schema in schemas(), values in values()) {
        let mut filled = values.clone();
        if schema.fill_defaults("facet", &mut filled).is_ok() {
            for (name, value) in &values {
                if !value.is_object() && !value.is_array() {
                    prop_assert_eq!(&filled[name], value);
                }
            }
        }
    }

    #[test]
    fn empty_defaults_are_what_filling_nothing_gives(schema in schemas()) {
        let mut values = Map::new();
        schema.fill_defaults("facet", &mut values).unwrap();
        prop_assert_eq!(schema.empty_defaults(), &values);
        prop_assert!(!values.contains_key("secret"));
    }

    /// What a grant has that states nothing is nothing that it could be blamed for.
    #[test]
    fn defaults_are_valid_where_they_stand(schema in schemas()) {
        let found = schema.validate_partial("facet", schema.empty_defaults()).err().unwrap_or_default();
        prop_assert!(found.iter().all(|violation| violation.pointer.is_empty()), "{:?}", found);
    }

    /// A part of valid values is never refused, or presets could not be stated that instances complete.
    #[test]
    fn what_can_be_completed_is_accepted_as_a_part(schema in schemas(), mut values in values(), kept in any::<u8>()) {
        values.remove("secret");
        if schema.validate("facet", &values, &BTreeSet::new()).is_ok() {
            prop_assert_eq!(schema.validate_partial("facet", &part(&values, kept)), Ok(()));
        }
    }

    #[test]
    fn secret_values_are_never_shown(schema in schemas(), mut values in values(), given in "hunter[0-9]{4}") {
        values.insert("secret".to_owned(), json!(given));
        let mut found = schema.validate("facet", &values, &BTreeSet::new()).unwrap_err();
        found.extend(schema.validate_partial("facet", &values).unwrap_err());
        found.extend(schema.validate_secret("facet", "secret", &Secret::new(given.clone())).unwrap_err());
        prop_assert!(found[0].is_secret_in_plain());
        for violation in found {
            prop_assert!(!violation.message.contains(&given), "{}", violation);
        }
    }

    #[test]
    fn merging_nothing_changes_nothing(values in values()) {
        prop_assert_eq!(&merged(values.clone(), &Map::new()), &values);
        prop_assert_eq!(&merged(Map::new(), &values), &values);
        prop_assert_eq!(&merged(values.clone(), &values), &values);
    }

    #[test]
    fn merging_is_associative(one in layers(), two in layers(), three in layers()) {
        let left = merged(merged(one.clone(), &two), &three);
        let right = merged(one, &merged(two, &three));
        prop_assert_eq!(left, right);
    }

    #[test]
    fn equal_hashes_are_of_equal_values(one in tree(NAMES.to_vec()), two in tree(NAMES.to_vec())) {
        prop_assert_eq!(canonical_hash(&one) == canonical_hash(&two), one == two);
    }
}

/// The fields whose number is a bit of `kept`, at each level.
fn part(values: &Map<String, Value>, kept: u8) -> Map<String, Value> {
    values
        .iter()
        .enumerate()
        .filter(|(index, _)| kept & (1 << (index % 8)) != 0)
        .map(|(_, (name, value))| {
            let value = match value {
                Value::Object(inner) => Value::Object(part(inner, kept.rotate_right(3))),
                other => other.clone(),
            };
            (name.clone(), value)
        })
        .collect()
}
