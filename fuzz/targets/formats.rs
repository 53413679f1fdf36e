//! Facets, as JSON, written in each format.

use super::Target;
use entitlement_operator::render::format::{FacetValues, Format, keys};
use serde_json::{Value, json};

pub const TARGET: Target = Target {
    name: "formats",
    run,
    tokens: &[
        "a", "b", "a-b", "a_b", "A_B", "a.b", "true", "~", "null", "- a", "a: b", "<<", "!!str", "*a", "&a", "|", ">",
        "%", "@", "=",
    ],
};

fn run(input: &[u8]) -> String {
    let Ok(facets) = serde_json::from_slice::<FacetValues>(input) else { return "no facets".to_owned() };
    let whole = json!(facets);
    let mut shown = Vec::new();
    for format in [Format::Env, Format::Json, Format::Yaml, Format::Toml, Format::Properties] {
        match format.render(&facets) {
            Ok(text) => {
                assert_eq!(format.render(&facets).as_deref(), Ok(text.as_str()), "{format} is not deterministic");
                read_back(format, &text, &whole);
            }
            Err(error) => shown.push(error.to_string()),
        }
    }
    match keys(&facets) {
        Ok(keys) => keys.keys().for_each(|key| check_key(key)),
        Err(error) => shown.push(error.to_string()),
    }
    shown.join("\n")
}

fn read_back(format: Format, text: &str, whole: &Value) {
    match format {
        Format::Json => assert_eq!(serde_json::from_str::<Value>(text).unwrap(), *whole),
        Format::Yaml => {
            let read: Value = serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"));
            assert!(is_alike(&read, whole), "{read} was {whole} in {text}");
        }
        Format::Toml => {
            let _: toml::Table = toml::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"));
        }
        Format::Properties => assert!(text.is_ascii(), "{text}"),
        Format::Env => check_env(text),
    }
}

/// As variables stand in it: a name and a value that is quoted as a whole, or needs no quotes.
fn check_env(text: &str) {
    assert!(!text.contains(['\0', '\r']), "{text:?}");
    assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
}

/// As the API server checks it.
fn check_key(key: &str) {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    assert!(!key.is_empty() && key.len() <= 253 && key.bytes().all(is_allowed), "{key:?}");
}

/// Numbers are compared as numbers: `1.0` and `1` are one.
fn is_alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || one.as_f64().zip(other.as_f64()).is_some_and(|(one, other)| one.total_cmp(&other).is_eq())
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_alike(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|((name, one), (other_name, other))| name == other_name && is_alike(one, other))
        }
        _ => one == other,
    }
}
