//! The bytes of one hostile document in every format, in `tests/golden/formats/`.
//!
//! Where a format writes something else, the test leaves it in `target/tmp/formats/` and fails: copy the file over the
//! one in `tests/golden/formats/` if the new bytes are right. Every workload gets a rewritten file then.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test may end it, too")]

use std::fs;
use std::path::Path;

use entitlement_operator::render::format::{FacetValues, Format, keys};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/formats");
const CHANGED: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/formats");

fn hostile() -> FacetValues {
    let input = fs::read_to_string(Path::new(GOLDEN).join("hostile.json")).unwrap();
    serde_json::from_str(&input).unwrap()
}

fn assert_golden(name: &str, written: &str) {
    let golden = Path::new(GOLDEN).join(name);
    if fs::read(&golden).is_ok_and(|bytes| bytes == written.as_bytes()) {
        return;
    }
    fs::create_dir_all(CHANGED).unwrap();
    let changed = Path::new(CHANGED).join(name);
    fs::write(&changed, written).unwrap();
    panic!("{} is not what is written now: compare it with {}", golden.display(), changed.display());
}

#[test]
fn env() {
    assert_golden("expected.env", &Format::Env.render(&hostile()).unwrap());
}

#[test]
fn keys_as_json() {
    let data = keys(&hostile()).unwrap();
    let text = serde_json::to_string_pretty(&data).unwrap() + "\n";
    assert_golden("expected.keys.json", &text);
}

#[test]
fn json() {
    assert_golden("expected.json", &Format::Json.render(&hostile()).unwrap());
}

#[test]
fn yaml() {
    assert_golden("expected.yaml", &Format::Yaml.render(&hostile()).unwrap());
}

#[test]
fn toml() {
    assert_golden("expected.toml", &Format::Toml.render(&hostile()).unwrap());
}

#[test]
fn properties() {
    assert_golden("expected.properties", &Format::Properties.render(&hostile()).unwrap());
}
