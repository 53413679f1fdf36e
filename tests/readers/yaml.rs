//! What `toyaml` writes, by each reader of YAML: all short texts of characters that some reader gives a meaning.

use std::fs;

use entitlement_operator::render::template::{Template, TemplateContext};
use serde_json::{Value, json};

use super::{Command, documents, go, node, output, python, target};

/// Of signs, digits and letters that numbers, dates and words are made of.
const WIDE: &str = "-+_.01eEnNxoyT:~=<# ";
/// Of those that numbers are made of.
const NARROW: &str = "-+_.01e:x";

fn texts() -> Vec<String> {
    let mut texts = documents::hostile();
    for (alphabet, length) in [(WIDE, 3), (NARROW, 4)] {
        let mut longest = vec![String::new()];
        for _ in 0..length {
            longest =
                longest.iter().flat_map(|text| alphabet.chars().map(move |next| format!("{text}{next}"))).collect();
            texts.extend(longest.iter().cloned());
        }
    }
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// A part of the texts as values, as keys, and in lists, so that no template has too much to do.
fn values() -> Vec<Value> {
    let texts = texts();
    let chunks = texts.chunks(2_000).map(|chunk| {
        // An object of JavaScript can't have this key, so some reader there has none either.
        let keys = chunk.iter().filter(|text| *text != "__proto__");
        let keys: serde_json::Map<String, Value> = keys.map(|text| (text.clone(), json!(text))).collect();
        json!({"list": chunk, "keys": keys, "nested": [[chunk.first()], {"a": [chunk.last()]}]})
    });
    chunks.collect()
}

fn are_read_by(mut script: Command, reader: &str) {
    let folder = target("documents").join(format!("toyaml-{reader}"));
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    let template = Template::compile("{{ value | toyaml }}\n").unwrap();
    let values = values();
    for (index, value) in values.iter().enumerate() {
        let text = template.render(&TemplateContext::new(&json!({ "value": value }))).unwrap();
        fs::write(folder.join(format!("{index:05}")), text).unwrap();
    }
    let read: Vec<Value> = serde_json::from_str(&output(script.arg(reader).arg(&folder))).unwrap();
    assert_eq!(read.len(), values.len());
    for (index, (value, read)) in values.iter().zip(&read).enumerate() {
        super::assert_same(&format!("{}/{index:05}", folder.display()), value, read);
    }
}

#[test]
fn by_python() {
    are_read_by(python(), "pyyaml");
    are_read_by(python(), "ruamel");
}

#[test]
fn by_node() {
    for reader in ["yaml-1.1", "yaml-1.2", "js-yaml", "js-yaml-3"] {
        are_read_by(node(), reader);
    }
}

#[test]
fn by_go() {
    for reader in ["yaml-v2", "yaml-v3"] {
        are_read_by(go(), reader);
    }
}
