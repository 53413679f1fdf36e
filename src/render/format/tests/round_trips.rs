//! Whatever the values are, a reader gets them back.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::super::leaves::{self, LeafValue};
use super::super::variables::variable_name;
use super::super::{FacetValues, Format, FormatError, keys};

/// Texts of characters that some format gives a meaning.
fn text() -> impl Strategy<Value = String> {
    let special = proptest::sample::select(
        "aeny019 \t\n\r\0#:-?'\"\\|>%@`&*![]{},~=<.+_$\u{85}\u{2028}\u{feff}\u{200f}é😀".chars().collect::<Vec<_>>(),
    );
    let any_of_these = proptest::collection::vec(prop_oneof![4 => special, 1 => any::<char>()], 0..12);
    any_of_these.prop_map(String::from_iter)
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(text(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn facets() -> impl Strategy<Value = FacetValues> {
    let fields = proptest::collection::btree_map(text(), value(), 0..4)
        .prop_map(|fields| fields.into_iter().collect::<Map<_, _>>());
    proptest::collection::btree_map("[a-z]([-a-z0-9]{0,3}[a-z0-9])?", fields, 0..3)
}

fn without_null_members(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, member)| !member.is_null())
            .map(|(name, member)| (name, without_null_members(member)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.into_iter().map(without_null_members).collect(),
        other => other,
    }
}

/// The logical line of a property as `java.util.Properties` documents it, for text without line continuations.
fn read_property(line: &str) -> (String, String) {
    let mut sides = (String::new(), String::new());
    let mut units = Vec::new();
    let mut in_value = false;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '=' if !in_value => {
                sides.0 = String::from_utf16(&units).unwrap();
                units.clear();
                in_value = true;
            }
            '\\' => match characters.next().unwrap() {
                'n' => units.push(0x0a),
                'r' => units.push(0x0d),
                't' => units.push(0x09),
                'f' => units.push(0x0c),
                'u' => {
                    let digits: String = characters.by_ref().take(4).collect();
                    units.push(u16::from_str_radix(&digits, 16).unwrap());
                }
                other => units.push(u16::try_from(u32::from(other)).unwrap()),
            },
            other => units.push(u16::try_from(u32::from(other)).unwrap()),
        }
    }
    sides.1 = String::from_utf16(&units).unwrap();
    sides
}

proptest! {
    #[test]
    fn json(facets in facets()) {
        let text = Format::Json.render(&facets).unwrap();
        prop_assert!(text.ends_with('\n'));
        prop_assert_eq!(serde_json::from_str::<FacetValues>(&text).unwrap(), facets);
    }

    #[test]
    fn yaml(facets in facets()) {
        let text = Format::Yaml.render(&facets).unwrap();
        prop_assert!(text.ends_with('\n'));
        prop_assert_eq!(serde_saphyr::from_str::<FacetValues>(&text).unwrap(), facets);
    }

    #[test]
    fn toml(facets in facets()) {
        let Ok(text) = Format::Toml.render(&facets) else {
            // Null in a list is all that the values above hold and TOML does not.
            prop_assert!(Format::Json.render(&facets).unwrap().contains("null"));
            return Ok(());
        };
        prop_assert!(text.is_empty() || text.ends_with('\n'));
        let expected: FacetValues = facets
            .into_iter()
            .map(|(facet, fields)| match without_null_members(fields.into()) {
                Value::Object(fields) => (facet, fields),
                other => panic!("{other} is no object"),
            })
            .collect();
        prop_assert_eq!(::toml::from_str::<FacetValues>(&text).unwrap(), expected);
    }

    #[test]
    fn properties(facets in facets()) {
        let text = match Format::Properties.render(&facets) {
            Ok(text) => text,
            Err(error) => {
                let taken = matches!(error, FormatError::NameTaken { .. });
                prop_assert!(taken, "{}", error);
                return Ok(());
            }
        };
        prop_assert!(text.bytes().all(|byte| matches!(byte, b'\n' | b' '..=b'~')));
        let read: BTreeMap<_, _> = text.lines().map(read_property).collect();
        let expected: BTreeMap<_, _> = leaves::by_name("", &facets, |path| path.names().collect::<Vec<_>>().join("."))
            .unwrap()
            .into_iter()
            .map(|(name, leaf)| (name, match leaf.value {
                LeafValue::Text(text) => text.to_owned(),
                LeafValue::Plain(text) | LeafValue::List(text) => text,
            }))
            .collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn env_is_verbatim_between_its_quotes(text in text()) {
        let facets = FacetValues::from([("f".to_owned(), Map::from_iter([("x".to_owned(), Value::from(text.clone()))]))]);
        let Ok(line) = Format::Env.render(&facets) else { return Ok(()) };
        let spelling = line.strip_prefix("F_X=").unwrap().strip_suffix('\n').unwrap();
        let content = ['\'', '"']
            .into_iter()
            .find_map(|quote| spelling.strip_prefix(quote)?.strip_suffix(quote))
            .unwrap_or(spelling);
        prop_assert_eq!(content, text);
    }

    #[test]
    fn env_lists_keep_their_meaning(items in proptest::collection::vec(value(), 0..4)) {
        let list = Value::from(items);
        let facets = FacetValues::from([("f".to_owned(), Map::from_iter([("x".to_owned(), list.clone())]))]);
        let line = Format::Env.render(&facets).unwrap();
        let json = line.strip_prefix("F_X='").unwrap().strip_suffix("'\n").unwrap();
        let special = ["'", r"\\", "${"].into_iter().find(|special| json.contains(special));
        prop_assert_eq!(special, None);
        prop_assert_eq!(serde_json::from_str::<Value>(json).unwrap(), list);
    }

    #[test]
    fn data_keys_are_variables(facets in facets()) {
        let Ok(data) = keys(&facets) else { return Ok(()) };
        for name in data.keys() {
            prop_assert!(name.starts_with(|first: char| first.is_ascii_uppercase()));
            prop_assert!(name.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_')));
            prop_assert_eq!(crate::core::name::data_key(name), Ok(()));
        }
        let named = leaves::by_name("", &facets, variable_name).unwrap();
        prop_assert!(data.keys().eq(named.keys()));
    }
}
