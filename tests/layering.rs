//! The flow is one way, and what decides is pure: `api` ◀ `core` ◀ `render` ◀ `evaluation` ◀ shell.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "they fail a test")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A folder of `src`, and what its files must not name.
struct Layer {
    folder: &'static str,
    forbidden: &'static [&'static [&'static str]],
}

/// A client, a clock, input or output, and what waits.
const IMPURE: &[&str] = &[
    "kube::",
    "tokio",
    "futures",
    "async ",
    "std::fs",
    "std::net",
    "std::io::",
    "std::env",
    "std::process",
    "std::thread",
    "SystemTime",
    "Utc::now",
    "Local::now",
    "Instant::now",
    "println!",
    "eprintln!",
    "tracing",
    "rand::",
    // The machine's own time zones.
    "TimeZone::get(",
    "TimeZone::system",
    "TimeZone::try_system",
    "tz::db",
    "Zoned::now",
];
const SHELL: &[&str] = &["crate::controller", "crate::cli", "crate::telemetry", "crate::webhook"];

const LAYERS: &[Layer] = &[
    Layer {
        folder: "src/api",
        forbidden: &[SHELL, &["crate::core", "crate::render", "crate::evaluation", "kube::Client", "tokio", "async "]],
    },
    Layer { folder: "src/core", forbidden: &[IMPURE, SHELL, &["crate::render", "crate::evaluation"]] },
    Layer { folder: "src/render", forbidden: &[IMPURE, SHELL, &["crate::evaluation"]] },
    Layer { folder: "src/evaluation", forbidden: &[IMPURE, SHELL, &["crate::offline"]] },
    Layer { folder: "src/offline", forbidden: &[IMPURE, SHELL] },
    Layer { folder: "src/controller", forbidden: &[&["crate::offline", "crate::webhook", "crate::cli"]] },
    Layer { folder: "src/webhook", forbidden: &[&["crate::offline", "crate::cli"]] },
];

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// What of `forbidden` the code names; comments may speak of anything.
fn named<'a>(code: &str, forbidden: &[&'a [&'a str]]) -> Vec<&'a str> {
    let code: String =
        code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let all = forbidden.iter().flat_map(|words| words.iter().copied());
    all.filter(|word| code.contains(word)).collect()
}

#[test]
fn each_layer_names_only_what_lies_below_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for layer in LAYERS {
        let files = rust_files(&root.join(layer.folder));
        assert!(!files.is_empty(), "{} has no files", layer.folder);
        for file in files {
            let is_test = file.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs");
            if is_test {
                continue;
            }
            let found = named(&fs::read_to_string(&file).unwrap(), layer.forbidden);
            assert!(found.is_empty(), "{} names {found:?}", file.display());
        }
    }
}

#[test]
fn the_check_finds_what_it_looks_for() {
    let core = &LAYERS[1];
    assert_eq!(named("fn now() { chrono::Utc::now(); }", core.forbidden), ["Utc::now"]);
    assert_eq!(named("use kube::Client;", core.forbidden), ["kube::"]);
    assert_eq!(named("async fn read() {}", core.forbidden), ["async "]);
    assert_eq!(named("use crate::render::format;", core.forbidden), ["crate::render"]);
    assert!(named("// speaks of kube::Client", core.forbidden).is_empty());
}
