//! The values that the readers have to get back.

use std::collections::BTreeMap;

use entitlement_operator::render::format::{FacetValues, Format};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

/// Texts that readers are known to take for something else.
const HOSTILE: &[&str] = &[
    "",
    " ",
    "  a  ",
    "\ta\t",
    "a\n",
    "\n",
    "\n\n a",
    "a\n\nb",
    "a\r\nb",
    "\r",
    "a\0b",
    "#",
    "a #b",
    "a# b",
    "=",
    "==a",
    "a=b",
    "export A=b",
    "'",
    "''",
    "\"",
    "\"\"",
    "`",
    "`id`",
    "it's",
    "it's \"it\"",
    "it's `id`",
    "it's $HOME",
    "5$ it's",
    "it's 5$",
    "it's $, $. $/ $% $^ $+ $= $~ $: $' $} $] $& $| $; $< $> $)",
    "it's ${",
    "it's $(",
    "$",
    "$$",
    "$HOME",
    "$(id)",
    "${HOME}",
    "${",
    "${a:b}",
    "${a:-b}",
    "$a{b}",
    "\\",
    "\\\\",
    "\\n",
    "a\\nb",
    "C:\\new",
    "a\\",
    "\\'",
    "\\\"",
    "it's \\d",
    "it's \\n",
    "it's a\nb #c",
    "it's \\\n",
    "~",
    "~/a",
    "a:~",
    "*",
    "[a]",
    "{a}",
    "!x",
    "!",
    "&a",
    "|",
    ">",
    "%a",
    "@a",
    "-",
    "- a",
    "?",
    "? a",
    ":",
    "a: b",
    "a:",
    ",",
    "---",
    "...",
    "--- a",
    "%YAML 1.1",
    "yes",
    "no",
    "y",
    "n",
    "Y",
    "N",
    "on",
    "off",
    "true",
    "True",
    "false",
    "null",
    "Null",
    "<<",
    "1e3",
    "1e+3",
    "e1",
    "E4",
    ".5",
    "5.",
    "+1",
    "-0",
    "0x10",
    "0o17",
    "017",
    "0b11",
    "1_000",
    "-_",
    "+_",
    "_1",
    "12:30:45",
    "190:20:30.15",
    "2024-01-01",
    "2001-12-14t21:59:43.10-05:00",
    "2001-12-14 21:59:43",
    "NaN",
    ".nan",
    "inf",
    "Infinity",
    "None",
    ".inf",
    "-.INF",
    "\u{feff}",
    "\u{feff}a",
    "a\u{85}b",
    "a\u{2028}b",
    "a\u{2029}b",
    "\u{a0}a\u{a0}",
    "\u{3000}",
    "\u{200f}abc\u{202e}",
    "é",
    "e\u{301}",
    "👍🏽",
    "\u{1fffe}",
    "\u{fffe}\u{ffff}",
    "\u{7f}\u{80}\u{9f}",
    "__proto__",
    "constructor",
    "/Date(0)/",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    "'a'",
    "\"a\"",
    "`a`",
    "{\"a\": \"b\"}",
    "A=1\nB=2",
    "'\nB=2",
    "\"\nB=2\n\"",
];

const SPECIAL: &str =
    "aenyZ019 \t\n\r\0#:-?'\"\\|>/%@`&*![]{}(),;~=<.+_$^\u{85}\u{2028}\u{2029}\u{feff}\u{200f}\u{a0}\u{1}\u{7f}é😀";

/// [`HOSTILE`], owned.
pub fn hostile() -> Vec<String> {
    HOSTILE.iter().map(|text| (*text).to_owned()).collect()
}

/// Documents of the shape that a format needs, each of which it has to be able to write.
pub fn of(format: Format) -> Vec<FacetValues> {
    let mut runner = TestRunner::deterministic();
    let texts = texts(&mut runner);
    let mut documents = vec![golden()];
    match format {
        Format::Env => documents.extend(flat(format, &texts)),
        Format::Properties => {
            documents.extend(flat(format, &texts));
            documents.push(as_keys(&texts));
        }
        Format::Json | Format::Yaml | Format::Toml => {
            documents.extend(flat(format, &texts));
            documents.push(as_keys(&texts));
            let random = (0..500).map(|_| sample(&mut runner, facets()));
            // TOML has no whole number beyond 64 bits.
            documents.extend(random.filter(|facets| format != Format::Toml || format.render(facets).is_ok()));
        }
    }
    if matches!(format, Format::Json | Format::Yaml) {
        documents.push(facets_of(json!({"f": {"most": u64::MAX, "null": [null, {"a": null}]}})));
    }
    documents
}

/// The document whose bytes are kept.
fn golden() -> FacetValues {
    serde_json::from_str(include_str!("../golden/formats/hostile.json")).unwrap()
}

fn texts(runner: &mut TestRunner) -> Vec<String> {
    let known = HOSTILE.iter().map(|text| (*text).to_owned());
    let characters = ('\0'..'\u{300}').map(|character| format!("a{character}b"));
    let long = ["x", "ab #\n", "it's ", "é😀", "\\d "].map(|part| part.repeat(100_000 / part.len()));
    let long_key = std::iter::once("k".repeat(1100));
    let random: Vec<_> = (0..1500).map(|_| sample(runner, text())).collect();
    let quoted: Vec<_> = (0..700).map(|_| sample(runner, quoted_text())).collect();
    known.chain(characters).chain(long).chain(long_key).chain(random).chain(quoted).collect()
}

/// Each text that the format can write by itself, then all of them in one document, bare and in lists.
fn flat(format: Format, texts: &[String]) -> Vec<FacetValues> {
    let alone = |text: &String| facets_of(json!({"f": {"x": text}}));
    let writable: Vec<_> = texts.iter().filter(|text| format.render(&alone(text)).is_ok()).collect();
    // Linux takes no variable of 128 KiB, and escapes make a list longer than its texts.
    let short = texts.iter().filter(|text| text.len() < 2000);
    let mut documents =
        vec![numbered(writable.iter().map(|text| json!(text))), numbered(short.map(|text| json!([text, {"x": text}])))];
    if format == Format::Env {
        documents.extend(writable.into_iter().map(alone));
    }
    documents
}

fn numbered(values: impl Iterator<Item = Value>) -> FacetValues {
    let fields = values.enumerate().map(|(index, value)| (format!("t{index}"), value)).collect();
    FacetValues::from([("f".to_owned(), fields)])
}

fn as_keys(texts: &[String]) -> FacetValues {
    let fields: Map<_, _> = texts.iter().enumerate().map(|(index, text)| (text.clone(), Value::from(index))).collect();
    facets_of(json!({"keys": {"flat": fields}, "nested": {"list": [fields]}}))
}

fn facets_of(values: Value) -> FacetValues {
    serde_json::from_value(values).unwrap()
}

fn sample<T>(runner: &mut TestRunner, strategy: impl Strategy<Value = T>) -> T {
    strategy.new_tree(runner).unwrap().current()
}

fn text() -> impl Strategy<Value = String> {
    let special = proptest::sample::select(SPECIAL.chars().collect::<Vec<_>>());
    let character = prop_oneof![9 => special, 1 => any::<char>()];
    proptest::collection::vec(character, 0..9).prop_map(String::from_iter)
}

/// Texts that some reader takes apart between some quotes.
fn quoted_text() -> impl Strategy<Value = String> {
    let part = proptest::sample::select(vec![
        "'", "'", "\"", "`", "$", "$HOME", "${HOME}", "${", "}", "$(", ")", "$$", "\\", "\\n", "\\$", "\\\"", "#",
        " #", " ", "\n", "!", "=", "a", "N", "1", "_", "é", ":-", "?", ",",
    ]);
    proptest::collection::vec(part, 1..6).prop_map(|parts| parts.concat())
}

/// Floats of few digits, which also a JSON reader without exact rounding reads exactly.
fn short_float() -> impl Strategy<Value = f64> {
    (-999..999_i32, -19..19_i32).prop_map(|(digits, exponent)| format!("{digits}e{exponent}").parse().unwrap())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
        short_float().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 32, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(text(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn facets() -> impl Strategy<Value = FacetValues> {
    let name = prop_oneof![
        Just("no".to_owned()),
        Just("e1".to_owned()),
        Just("null".to_owned()),
        "[a-z]([-a-z0-9]{0,3}[a-z0-9])?",
    ];
    let fields = proptest::collection::btree_map(text(), value(), 0..4)
        .prop_map(|fields| fields.into_iter().collect::<Map<_, _>>());
    proptest::collection::btree_map(name, fields, 0..4)
}

/// Fields that are no objects, and not null, by the names that lead to them.
pub fn leaves(facets: &FacetValues) -> BTreeMap<Vec<String>, Value> {
    let mut leaves = BTreeMap::new();
    for (facet, fields) in facets {
        collect(std::slice::from_ref(facet), fields, &mut leaves);
    }
    leaves
}

fn collect(parents: &[String], fields: &Map<String, Value>, leaves: &mut BTreeMap<Vec<String>, Value>) {
    for (name, value) in fields {
        let names = [parents, std::slice::from_ref(name)].concat();
        match value {
            Value::Null => {}
            Value::Object(nested) => collect(&names, nested, leaves),
            other => {
                leaves.insert(names, other.clone());
            }
        }
    }
}
