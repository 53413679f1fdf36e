//! Whatever the fuzzer has found stays mended, and a short run of it finds nothing.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, missing_docs, reason = "they fail a test")]

#[path = "../fuzz/engine.rs"]
mod engine;
#[path = "../fuzz/mutation.rs"]
mod mutation;
#[path = "../fuzz/targets/mod.rs"]
mod targets;

use std::time::{Duration, Instant};

/// How long each target is fuzzed, and how many inputs a slow machine has to try nevertheless.
const SHORT: Duration = Duration::from_secs(3);
const LEAST: u64 = 20;

#[test]
fn what_was_found_stays_mended() {
    for target in &targets::ALL {
        let corpus = engine::corpus(target);
        assert!(!corpus.is_empty(), "{} has nothing to begin with", target.name);
        for (path, input) in corpus {
            engine::run(target, &input).unwrap_or_else(|what| panic!("{}: {what}", path.display()));
        }
    }
}

#[test]
fn a_short_run_finds_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for target in &targets::ALL {
        let current = folder.path().join(target.name);
        let started = Instant::now();
        let goes_on = |report: &engine::Report| report.runs < LEAST || started.elapsed() < SHORT;
        let run = engine::fuzz(target, goes_on, 1, &current);
        let report = run.unwrap_or_else(|broken| {
            panic!("{}: {} by {:?}", target.name, broken.what, String::from_utf8_lossy(&broken.input))
        });
        assert!(report.kept > 1, "{}: {report:?}", target.name);
    }
}
