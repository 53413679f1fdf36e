//! What kubectl itself reads, beside what is read here: the same, or the text is refused.

use super::{Node, documents};
use proptest::{prelude::*, test_runner::Config};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn kubectl() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/control-plane/bin");
    let folder = std::env::var_os("KUBEBUILDER_ASSETS").map_or(built, PathBuf::from);
    let kubectl = folder.join("kubectl");
    assert!(kubectl.exists(), "there is no {}: run make control-plane", kubectl.display());
    kubectl
}

/// What kubectl makes of the documents' field `spec`; None if it cannot read them.
fn read_by_kubectl(text: &str) -> Option<Vec<Value>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.yaml");
    fs::write(&path, text).unwrap();
    let arguments = ["label", "--local", "--output", "json", "read=yes", "--filename"];
    let output = Command::new(kubectl()).args(arguments).arg(&path).env("HOME", folder.path()).output().unwrap();
    let documents = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
    output.status.success().then(|| documents.map(|document| document.unwrap()["spec"].clone()).collect())
}

fn read_here(text: &str) -> Option<Vec<Value>> {
    let documents = documents(text).ok()?;
    Some(documents.iter().map(|document| document.get("spec").map_or(Value::Null, Node::to_value)).collect())
}

fn with_spec(spec: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\nspec:\n{spec}\n")
}

fn same(ours: &[Value], theirs: &[Value]) -> bool {
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(one, other)| is_same(one, other))
}

/// Numbers count as what they are, however they are written.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|((name, one), (name_there, other))| name == name_there && is_same(one, other))
        }
        _ => one == other,
    }
}

fn compare(text: &str) -> Result<(), String> {
    let Some(ours) = read_here(text) else { return Ok(()) };
    match read_by_kubectl(text) {
        Some(theirs) if same(&ours, &theirs) => Ok(()),
        theirs => Err(format!("{text:?} is {ours:?} here, and to kubectl {theirs:?}")),
    }
}

/// All short words over the letters of which numbers, booleans and nulls are made, in one document.
#[test]
fn every_short_word_is_what_kubectl_takes_it_for() {
    let letters = ["0", "1", "7", "8", "_", ".", "-", "+", "e", "x", "o", "b", "n", "y"];
    let mut words: Vec<String> = vec![String::new()];
    for length in 0..4 {
        let longer = words.iter().filter(|word| word.len() == length);
        let longer: Vec<String> = longer.flat_map(|word| letters.map(|letter| format!("{word}{letter}"))).collect();
        words.extend(longer);
    }
    let is_scalar = |word: &&String| !word.is_empty() && !matches!(word.as_str(), "-" | "---");
    let more = "0x_1f 1_000.5 1__0 1_ 0o1_7 -0b1_1 +0o17 1e400 -1e400 1e-400 0x7fffffffffffffff 0x8000000000000000 \
                18446744073709551615 18446744073709551616 -9223372036854775808 -9223372036854775809 .5e3 5.e1 ._5 1e_5 1_e5 \
                0777777777777777777777777 2020-01-01 2001-12-14t21:59:43.10-05:00 12:30:45 yEs nUll Null NULL ~ <<x = off On OFF \
                0XF 0B1 0O7 0xG 08 09.5 0_8 1E5 1e+5 1e- TrUe true True FALSE .1_0 0.1e1 1.7976931348623157e308 5e-324";
    let words = words.iter().filter(is_scalar).cloned().chain(more.split_whitespace().map(str::to_owned));
    let lines: Vec<String> = words.enumerate().map(|(index, word)| format!("  k{index}: {word}")).collect();
    let text = with_spec(&lines.join("\n"));
    let (ours, theirs) = (read_here(&text).unwrap(), read_by_kubectl(&text).unwrap());
    for (index, line) in lines.iter().enumerate() {
        let name = format!("k{index}");
        assert!(
            is_same(&ours[0][&name], &theirs[0][&name]),
            "{line}: {} here, {} to kubectl",
            ours[0][&name],
            theirs[0][&name]
        );
    }
}

#[test]
fn names_of_fields_are_what_kubectl_takes_them_for() {
    let names = "1 1.5 0x10 0777 yes Off 1_0 -1 0.25 100.5 1e3 .5 +7 00 1.0";
    let lines: Vec<String> = names.split(' ').map(|name| format!("  {name}: {name}")).collect();
    for line in &lines {
        compare(&with_spec(line)).unwrap();
    }
    for refused in ["1e7", "1.23456789", "~", "9223372036854775808", "1e-9"] {
        assert!(read_here(&with_spec(&format!("  {refused}: 1"))).is_none(), "{refused}");
    }
}

#[test]
fn what_stands_between_documents_is_read_as_kubectl_reads_it_or_refused() {
    let one = with_spec("  1");
    let other = with_spec("  2");
    let between = [
        "---\n",
        "--- \n",
        "--- # c\n",
        "---#c\n",
        "---\t\n",
        "----\n",
        "--- {}\n",
        "--- >\n",
        "...\n",
        "...\n---\n",
        "---\r\n",
    ];
    for between in between.into_iter().chain([
        "\n---\n---\n",
        "# ---\n---\n",
        " ---\n",
        "---\n%YAML 1.1\n---\n",
        "...\n...\n---\n",
    ]) {
        compare(&format!("{one}{between}{other}")).unwrap();
    }
    let json = "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"x\"},\"spec\":\"\u{7f}\u{80}\u{2028}\"}";
    compare(json).unwrap();
    assert!(read_here(json).is_some());
    compare(&format!("{json}\n{json}")).unwrap();
    compare(&format!("---\n{json}")).unwrap();
}

#[test]
fn shapes_are_read_as_kubectl_reads_them_or_refused() {
    let shapes = [
        "  s: &s {c: 2, m: 4}\n  p: {c: 16, <<: *s}",
        "  s: &s {c: 2, m: 4}\n  p: {<<: *s, c: 16}",
        "  s: &s {c: 2}\n  p: {<<: [*s, {c: 3, z: 1}], y1: 1}",
        "  p: {\"<<\": {a: 1}}",
        "  p: {<<: {a: 1}, <<: {b: 1}}",
        "  <<: {a: 1}\n  b: 2",
        "  -\ta: 1",
        "  - \ta: 1",
        "  a:\tb",
        "  a: {x: :x}",
        "  a: {x: ?x}",
        "  a: {x::x}",
        "  a: [a:b, c]",
        "  a: [a: b]",
        "  a: {b}",
        "  a: {b, c: }",
        "  a: {\"b\":c}",
        "  a: [\"b\":c]",
        "  ? a\n  : b",
        "  ?\ta\n  :\tb",
        "  a: !!str 1\n  b: !!int \"1\"\n  c: !!float 1\n  d: !foo x\n  e: ! 1\n  f: !!null ''\n  g: !!bool yes",
        "  a: !foo {b: 1}\n  c: !!set {d, e}",
        "  a: |2\n     b\n    c\n  d: >-\n    e\n\n    f\n  g: |+\n    h\n\n",
        "  a: 'b\n    c\n\n    d'\n  e: \"f\\\n    g\\x41\\u00e9\\U0001F600\\_\\N\\L\\P\"",
        "  a: b\u{2028}c\n  d: \"e\u{85}f\"",
        "  a: &x b\n  *x : c",
        "  a: 1 # c\n  b: 1#c\n  c: a #",
        "  a: @b",
        "  a: `b",
        "  a: %b",
        "  a: -b\n  c: - d",
        "  a: [1, 2,]\n  b: {c: 1,}",
        "  a: [,]",
        "  a: \"b\" c",
        "  \"a\" : b",
        "  a : b",
        "  a:\n  - b\n  - c\n  d:\n    - e",
        "  - a\n - b",
        "  a:b",
        "  a: b: c",
        "  a: 'it''s'\n  b: \"\\\"\"",
        "  a: \u{feff}b",
        "  a: \"b\\/\"",
        "  a: \"b\\\\/\"",
    ];
    for shape in shapes {
        compare(&with_spec(shape)).unwrap();
    }
}

proptest! {
    #![proptest_config(Config { cases: 64, ..Config::default() })]

    #[test]
    fn whatever_is_written_is_read_alike_or_refused(
        lines in prop::collection::vec("[ ]{0,3}[-?:]?[ \t]?[a-c1._~<\"'&*!|>%@`,{}\\[\\]:# -]{0,8}", 1..5)
    ) {
        let spec: Vec<String> = lines.iter().map(|line| format!("  {line}")).collect();
        prop_assert_eq!(compare(&with_spec(&spec.join("\n"))), Ok(()));
    }
}
