//! Where a secret value shows up that must not.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{LazyLock, Mutex},
};

/// Shorter values could be anything.
const MIN_LENGTH: usize = 12;
/// A value that is cut short is told by its beginning.
const BEGINNING: usize = 12;

static PLANTED: LazyLock<Mutex<BTreeSet<Vec<u8>>>> = LazyLock::new(Mutex::default);

/// From now on this value is looked for.
pub fn plant(value: &[u8]) {
    if value.len() >= MIN_LENGTH {
        PLANTED.lock().unwrap().insert(value.to_vec());
    }
}

/// Plants what a Secret holds that a test makes.
pub fn plant_secret(object: &serde_json::Value) {
    if object["kind"] != "Secret" {
        return;
    }
    let texts = |field: &str| -> Vec<String> {
        let values = object[field].as_object().into_iter().flatten();
        values.filter_map(|(_, value)| value.as_str().map(str::to_owned)).collect()
    };
    for text in texts("stringData") {
        plant(text.as_bytes());
    }
    for text in texts("data") {
        plant(&STANDARD.decode(text).unwrap_or_default());
    }
}

/// Every planted value in every form in which it could be written.
pub struct Search {
    /// By the first bytes of a form: the forms, and what each is one of.
    forms: BTreeMap<[u8; 8], Vec<(Vec<u8>, String)>>,
}

impl Search {
    pub fn of_all_planted() -> Self {
        let planted: Vec<Vec<u8>> = PLANTED.lock().unwrap().iter().cloned().collect();
        Self::of(&planted)
    }

    pub fn of(values: &[Vec<u8>]) -> Self {
        let mut forms: BTreeMap<[u8; 8], Vec<(Vec<u8>, String)>> = BTreeMap::new();
        for value in values {
            let name = String::from_utf8_lossy(value).chars().take(60).collect::<String>();
            for (form, bytes) in forms_of(value) {
                let first: [u8; 8] = bytes[..8].try_into().unwrap();
                forms.entry(first).or_default().push((bytes, format!("{name:?} as {form}")));
            }
        }
        Self { forms }
    }

    /// What of the planted values a text shows.
    pub fn find(&self, text: &[u8]) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for (at, first) in text.windows(8).enumerate() {
            let first: &[u8; 8] = first.try_into().unwrap();
            for (form, what) in self.forms.get(first).into_iter().flatten() {
                if text[at..].starts_with(form) {
                    found.insert(what.clone());
                }
            }
        }
        found
    }

    /// # Panics
    /// Where a text shows a planted value.
    pub fn check(&self, place: &str, text: &[u8]) {
        let found = self.find(text);
        assert!(found.is_empty(), "{place} shows {found:#?}");
    }
}

/// A value and its beginning, in each form.
fn forms_of(value: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut forms = Vec::new();
    let hash = Sha256::digest(value);
    let mut add = |form: &str, bytes: Vec<u8>| forms.push((form.to_owned(), bytes));
    add("SHA-256 in hexadecimal", hex::encode(hash).into_bytes());
    add("SHA-256 in HEXADECIMAL", hex::encode_upper(hash).into_bytes());
    add("SHA-256 in base64", STANDARD.encode(hash).into_bytes());
    add("SHA-256", hash.to_vec());
    // The beginning finds the whole too, where the form is written from left to right.
    let end = value.len().min(BEGINNING);
    let end = std::str::from_utf8(&value[..end]).map_or_else(|error| error.valid_up_to().max(8), |_| end);
    let value = &value[..end];
    add("plain", value.to_vec());
    add("hexadecimal", hex::encode(value).into_bytes());
    add("HEXADECIMAL", hex::encode_upper(value).into_bytes());
    let numbers: Vec<String> = value.iter().map(u8::to_string).collect();
    add("a list of bytes", numbers.join(", ").into_bytes());
    add("a list of bytes in JSON", numbers.join(",").into_bytes());
    if let Ok(text) = std::str::from_utf8(value) {
        let inside = |quoted: String| quoted[1..quoted.len() - 1].to_owned();
        let json = |text: &str| inside(serde_json::to_string(text).unwrap());
        add("JSON", json(text).into_bytes());
        add("JSON in JSON", json(&json(text)).into_bytes());
        add("Rust", inside(format!("{text:?}")).into_bytes());
        add("upper case", text.to_uppercase().into_bytes());
        add("reversed", text.chars().rev().collect::<String>().into_bytes());
    }
    // Within a longer text it may begin at any of three places.
    for offset in 0..3 {
        let padded = [&[0_u8; 3][..offset], value].concat();
        for (form, engine) in [("base64", &STANDARD), ("base64 for URLs", &URL_SAFE)] {
            let encoded = engine.encode(&padded).into_bytes();
            // Without the characters that depend on what stands around it.
            let own = &encoded[(offset * 8).div_ceil(6)..padded.len() * 8 / 6];
            add(&format!("{form} at {offset}"), own.to_vec());
            if offset == 0 {
                add("base64 of base64", STANDARD.encode(own).into_bytes()[..12].to_vec());
            }
        }
    }
    forms
}

#[test]
fn a_planted_value_is_found_in_every_form() {
    let value = "pl\"nted\\v\u{e4}lue-1234567890".as_bytes().to_vec();
    let other = b"another value that is not there".to_vec();
    let search = Search::of(&[value.clone(), other]);
    let text = std::str::from_utf8(&value).unwrap();
    let shown = [
        text.to_owned(),
        format!("the value {text:?} is too long"),
        serde_json::json!({"a": {"password": text}}).to_string(),
        serde_json::json!({"a": serde_json::json!({"password": text}).to_string()}).to_string(),
        STANDARD.encode(&value),
        STANDARD.encode(format!("a{text}")),
        STANDARD.encode(format!("PASSWORD={text}\n")),
        URL_SAFE.encode(format!("ab{text}")),
        STANDARD.encode(STANDARD.encode(&value)),
        hex::encode(&value),
        hex::encode_upper(&value),
        hex::encode(Sha256::digest(&value)),
        STANDARD.encode(Sha256::digest(&value)),
        format!("{value:?}"),
        serde_json::to_string(&value).unwrap(),
        text.to_uppercase(),
        text.chars().take(15).collect::<String>(),
    ];
    for shown in shown {
        let found = search.find(format!("before {shown} after").as_bytes());
        assert!(!found.is_empty(), "not found in: {shown}");
    }
    for hidden in ["nothing", "planted", "the value", "another", "0000000000000000000000000000000000000000"] {
        assert_eq!(search.find(hidden.as_bytes()), BTreeSet::new());
    }
}
